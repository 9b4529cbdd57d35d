"""Simulated scanners: telegrams in the framing of the hub file, to whoever listens."""

from __future__ import annotations

import asyncio

from hubctl.core.presets import Preset
from hubctl.sim.line import Line
from hubctl.sim.modbus_devices import LOCALHOST

HEARTBEAT_S = 1


class _Listeners(asyncio.Protocol):
    """Those connected to a scanner; what they say is not heard."""

    def __init__(self, everybody: set[asyncio.WriteTransport]) -> None:
        self._everybody = everybody

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.WriteTransport)
        self._transport = transport
        self._everybody.add(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self._everybody.discard(self._transport)


class Telegrams:
    """What a scanner says, framed."""

    def __init__(self, framing: Preset) -> None:
        self._framing = framing
        self.listeners: set[asyncio.WriteTransport] = set()

    def send(self, label: bytes | None, stamp: bytes = b"") -> None:
        """Tells a label; None: that none was read. The stamp goes before it."""
        self._say(stamp + (self._framing.no_read.encode("ascii") if label is None else label))

    def beat(self) -> None:
        """Says that it is alive, if it is one that does, and goes on doing so."""
        if self._framing.heartbeat:
            self._say(self._framing.heartbeat.encode("ascii"))
            asyncio.get_running_loop().call_later(HEARTBEAT_S, self.beat)

    def _say(self, text: bytes) -> None:
        frame = self._framing.header.encode("ascii") + text + self._framing.terminator.encode("ascii")
        for listener in self.listeners:
            listener.write(frame)


class TcpScanner:
    """A scanner that listens on a TCP port."""

    def __init__(self, telegrams: Telegrams) -> None:
        self._telegrams = telegrams
        self._address = (LOCALHOST, 0)
        self._server: asyncio.Server | None = None

    async def plug(self) -> tuple[str, int]:
        """Listens: the first time on a port the system chooses, after that on the same one."""
        if self._server is None:
            loop = asyncio.get_running_loop()
            self._server = await loop.create_server(
                lambda: _Listeners(self._telegrams.listeners), *self._address, reuse_address=True
            )
            self._address = self._server.sockets[0].getsockname()
        return self._address

    async def unplug(self) -> None:
        """Cuts every connection and refuses new ones."""
        if self._server is not None:
            self._server.close()
            self._server = None
            for listener in list(self._telegrams.listeners):
                listener.abort()


class SerialScanner:
    """A scanner on a serial line."""

    def __init__(self, telegrams: Telegrams) -> None:
        self._telegrams = telegrams
        self._line = Line()

    async def plug(self) -> str:
        """Speaks on the line; its path."""
        if self._line not in self._telegrams.listeners:
            self._line.serve(_Listeners(self._telegrams.listeners))
        self._line.is_muted = False
        return self._line.path

    async def unplug(self) -> None:
        """Falls silent."""
        self._line.is_muted = True
