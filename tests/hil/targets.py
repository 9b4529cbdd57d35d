"""The nodes that the stories run against: a process, a Cortex-M3 in QEMU, or what hangs on a port.

Each gives its Modbus line and the line of its simulated world as descriptors; a target may be asked again for its
Modbus line when that is broken.
"""

from __future__ import annotations

import itertools
import os
import select
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

import pytest
import serial

sys.path.insert(0, str(Path(__file__).parents[1] / "firmware"))

from built import built

from hubctl.protocol import nodeworld as w
from hubctl.protocol import registers as r

BOOT_ID = 1000
QEMU = "qemu-system-arm"
HOST_LINES = ("tcp", "unix", "pty")
DIAL_S = 5
# A board keeps its epoch from one run of the stories to the next, so each run begins above the last one's.
EPOCHS = itertools.count((int(time.time()) - 1_700_000_000) * 16, 4)


class Line(NamedTuple):
    """An open line."""

    fd: int
    keeper: socket.socket | serial.Serial

    def close(self) -> None:
        self.keeper.close()


def dial(address: str) -> Line:
    """A line to `tcp:HOST:PORT`, `unix:PATH` or `pty:DEVICE`."""
    kind, _, rest = address.partition(":")
    if kind in {"pty", "serial"}:
        port = serial.Serial(rest, 115200, timeout=0, exclusive=True)
        return Line(port.fileno(), port)
    if kind == "unix":
        line = socket.socket(socket.AF_UNIX)
        line.connect(rest)
    else:
        host, _, number = rest.rpartition(":")
        line = socket.create_connection((host or "127.0.0.1", int(number)), DIAL_S)
        line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    line.setblocking(False)
    return Line(line.fileno(), line)


class Target:
    """A node, reached by an address for each line; no world if that is empty."""

    def __init__(self, modbus: str, world: str, *, rtu: bool) -> None:
        self.modbus_address, self.world_address, self.rtu = modbus, world, rtu
        self.epoch_before = next(EPOCHS)

    def refresh(self) -> None:
        """A node that lives longer than a story is booted before it, where its world can do that."""
        if not self.world_address:
            return
        world, heard, line = self.world(), w.WorldLine(), b""
        eyes = b"".join(w.set_eye(eye, False) for eye in range(r.N_EYES))
        os.write(world.fd, w.run_belt(0) + eyes + w.cut_power())
        while w.WorldBooted not in map(type, heard.receive(line)):
            assert select.select([world.fd], [], [], DIAL_S)[0], "its world does not answer"
            line = os.read(world.fd, 4096)
        world.close()

    def modbus(self) -> Line:
        """Its Modbus line, dialled now."""
        return dial(self.modbus_address)

    def world(self) -> Line:
        """Its simulated world's line; skips where there is none."""
        if not self.world_address:
            pytest.skip("this node has no line to a simulated world: --node NODE,tcp:HOST:PORT")
        return dial(self.world_address)

    def close(self) -> None:
        """Nothing was started."""


class Process(Target):
    """A node in a process of ours, which must not end before it is told to."""

    def __init__(self, process: subprocess.Popen[str], modbus: str, world: str, *, rtu: bool) -> None:
        super().__init__(modbus, world, rtu=rtu)
        self.process = process
        self.epoch_before = 0

    def refresh(self) -> None:
        """It has just been started."""

    def close(self) -> None:
        ended = self.process.poll()
        self.process.kill()
        _, errors = self.process.communicate()
        assert ended is None, f"the node ended by itself: {errors}"


def start_host(line: str, folder: Path) -> Target:
    """The process under the sanitizers, its Modbus on one kind of line."""
    modbus = {"tcp": "tcp:0", "unix": f"unix:{folder / 'modbus'}", "pty": "pty"}[line]
    words = [
        str(built("node_host_san")),
        modbus,
        "tcp:0",
        f"boot={BOOT_ID}",
        *(["rtu"] if line == "unix" else []),
    ]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    addresses = [process.stdout.readline().split()[1] for _ in range(2)]
    return Process(process, *addresses, rtu=line != "tcp")


def start_qemu(folder: Path) -> Target:
    """The image on the board that QEMU plays."""
    if shutil.which(QEMU) is None:
        pytest.skip(f"needs {QEMU} (Debian: qemu-system-arm)")
    image = built("node_lm3s.elf")
    words = [QEMU, "-M", "lm3s6965evb", "-display", "none", "-monitor", "none", "-kernel", str(image)]
    words += ["-device", f"loader,addr=0x2000fffc,data={BOOT_ID - 1},data-len=4"]
    for name in ("modbus", "world"):
        words += [
            "-chardev",
            f"socket,id={name},path={folder / name},server=on,wait=off",
            "-serial",
            f"chardev:{name}",
        ]
    process = subprocess.Popen(words, stderr=subprocess.PIPE, text=True)
    wait_for_socket(folder / "world", process)
    return Process(process, f"unix:{folder / 'modbus'}", f"unix:{folder / 'world'}", rtu=True)


def wait_for_socket(path: Path, process: subprocess.Popen[str]) -> None:
    """Until somebody listens there."""
    while process.poll() is None:
        try:
            dial(f"unix:{path}").close()
        except (FileNotFoundError, ConnectionRefusedError):
            os.sched_yield()
        else:
            return
    pytest.fail(f"QEMU ended: {process.stderr.read() if process.stderr else ''}")


def start(node: str, line: str, folder: Path) -> Target:
    """The node that `--node` names; its sockets are in a folder of its own."""
    if node == "host":
        return start_host(line, folder)
    if node == "qemu":
        return start_qemu(folder)
    modbus, _, world = node.partition(",")
    return Target(modbus, world, rtu=modbus.startswith("serial:"))
