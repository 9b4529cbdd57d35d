"""Modbus servers that know nothing of us: pymodbus's and libmodbus's, and certificates for TLS."""

from __future__ import annotations

import asyncio
import os
import shutil
import ssl
import subprocess
import threading
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from pymodbus import ModbusDeviceIdentification
from pymodbus.framer import FramerType
from pymodbus.server import ModbusTcpServer, ModbusTlsServer
from pymodbus.simulator import DataType, SimData, SimDevice

ROLE = "operator"
ROLE_OID = "1.3.6.1.4.1.50316.802.1"
N_THINGS = 32
LIBMODBUS_SERVER = Path(__file__).with_name("libmodbus_server.c")


class PymodbusNode:
    """pymodbus's server on a thread of its own; unit 1 has 32 of everything, registers hold their number times 3."""

    def __init__(self, *, framer: FramerType = FramerType.SOCKET, tls: ssl.SSLContext | None = None) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._server = self._wait(self._started(framer, tls))
        self.port: int = self._server.transport.sockets[0].getsockname()[1]

    async def _started(self, framer: FramerType, tls: ssl.SSLContext | None) -> ModbusTcpServer:
        coils = SimData(0, values=[False] * N_THINGS, datatype=DataType.BITS)
        rest = SimData(0, values=[3 * i for i in range(N_THINGS)], datatype=DataType.REGISTERS)
        device = SimDevice(1, simdata=([coils], [coils], [rest], [rest]))
        identity = ModbusDeviceIdentification(
            info_name={
                "VendorName": "WAGO",
                "ProductCode": "750-881",
                "MajorMinorRevision": "1.0",
                "ModelName": "M",
            }
        )
        common: dict[str, Any] = {"framer": framer, "identity": identity, "address": ("127.0.0.1", 0)}
        server = ModbusTlsServer(device, sslctx=tls, **common) if tls else ModbusTcpServer(device, **common)
        await server.listen()
        return server

    def coil(self, address: int) -> bool:
        async def read() -> bool:
            values = await self._server.context.async_getValues(1, 1, address, 1)
            return bool(values[0])

        return self._wait(read())

    def close(self) -> None:
        self._wait(self._server.shutdown())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    def _wait(self, awaitable: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(awaitable, self._loop).result(10)


class LibmodbusNode:
    """libmodbus's server as a process, over TCP or on a serial line; it tells what it is asked for on its output."""

    def __init__(self, directory: Path, device: str | None = None) -> None:
        self._process = subprocess.Popen(
            [built(directory), *([device] if device else [])], stdout=subprocess.PIPE, text=True
        )
        assert self._process.stdout is not None
        self.port = int(self._process.stdout.readline())

    def close(self) -> None:
        self._process.kill()
        self._process.communicate()


def built(directory: Path) -> Path:
    """The server's program; skips without libmodbus."""
    program = directory / "libmodbus_server"
    if not program.exists():
        if not Path("/usr/include/modbus/modbus.h").exists() or shutil.which("cc") is None:
            pytest.skip("needs libmodbus and a C compiler (Debian: libmodbus-dev gcc)")
        subprocess.run(["cc", "-O2", "-o", program, LIBMODBUS_SERVER, "-lmodbus"], check=True)
    return program


class Papers(NamedTuple):
    """PEM files of one authority, one server and two clients: with a role, and without."""

    ca: Path
    server: Path
    client: Path
    nobody: Path

    def context(self) -> ssl.SSLContext:
        """A server's that asks for a certificate."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_verify_locations(self.ca)
        context.load_cert_chain(self.server, self.server.with_suffix(".key"))
        context.verify_mode = ssl.CERT_REQUIRED
        return context


def make_papers(directory: Path) -> Papers:
    """Certificates made by openssl; skips without it."""
    if shutil.which("openssl") is None:
        pytest.skip("needs openssl (Debian: openssl)")
    ca = directory / "ca.pem"
    openssl(
        "req",
        "-x509",
        *NEW_KEY,
        "-keyout",
        ca.with_suffix(".key"),
        "-out",
        ca,
        "-subj",
        "/CN=test",
        "-days",
        "2",
    )
    role = f"{ROLE_OID}=ASN1:UTF8String:{ROLE}"
    return Papers(
        ca,
        signed(ca, "server", "subjectAltName=IP:127.0.0.1"),
        signed(ca, "client", role),
        signed(ca, "nobody", "extendedKeyUsage=clientAuth"),
    )


NEW_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")


def signed(ca: Path, name: str, extension: str) -> Path:
    """A certificate with one extension, signed by the authority; its key lies beside it."""
    directory = ca.parent
    extensions, request, made = (directory / f"{name}.{kind}" for kind in ("ext", "csr", "pem"))
    extensions.write_text(extension + "\n")
    openssl("req", *NEW_KEY, "-keyout", made.with_suffix(".key"), "-out", request, "-subj", f"/CN={name}")
    openssl(
        *("x509", "-req", "-in", request, "-CA", ca, "-CAkey", ca.with_suffix(".key"), "-CAcreateserial"),
        *("-out", made, "-days", "2", "-extfile", extensions),
    )
    return made


def openssl(*words: str | os.PathLike[str]) -> None:
    subprocess.run(["openssl", *words], check=True, capture_output=True)
