"""Nodes with our firmware as processes, or on boards that QEMU plays; the simulated hub is their belt and their eyes.

The belt moves in them when it is told to, count for count, and each edge is told ahead with its count. So all nodes of
a belt see exactly the same, however late their processes are scheduled.
"""

from __future__ import annotations

import asyncio
import re
import shutil
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import hubctl
from hubctl.core.address import Address, Space
from hubctl.io.processes import die_with_parent
from hubctl.protocol.nodeworld import OutputChanged, WorldLine, move_belt, plan_edge, set_counts
from hubctl.sim.modbus_devices import LOCALHOST
from hubctl.sim.node_image import NodeImage

CHUNK = 65_536
COUNTS_SPAN = 1 << 32
MAKE = "make -C firmware_stubs"
HOST, IMAGE = "node_host", "node_lm3s.elf"
COMPILERS = {HOST: "gcc", IMAGE: "gcc-arm-none-eabi"}  # as Debian calls them
QEMU = "qemu-system-arm"
BOARD = (QEMU, "-M", "lm3s6965evb", "-display", "none", "-monitor", "none")
SAID_PTY = re.compile(rb"redirected to (/dev/\S+) \(label modbus\)")

Switched = Callable[[Address, bool, int], None]


class NodesError(Exception):
    """The nodes of the hub cannot be had here; the text says what is missing."""


class ToldImage(NodeImage):
    """Remembers each change of an eye until it is told to the node."""

    def __init__(self, wired: Iterable[tuple[Address, int]]) -> None:
        super().__init__(wired)
        self.changes: list[tuple[int, bool]] = []

    def set_bit(self, address: Address, on: bool) -> None:
        """Sets an eye; nothing is told of one that does not change."""
        if self.read(address.space, address.number, 1) != [int(on)]:
            self.changes.append((address.number, on))
        super().set_bit(address, on)


def firmware(name: str) -> Path:
    """A thing that `make -C firmware_stubs` builds."""
    folder = Path(hubctl.__file__).parents[1] / "firmware_stubs"
    if not folder.is_dir():
        raise NodesError("this hub's nodes are built from hubctl's sources: there is no firmware_stubs here")
    if not (folder / "build" / name).exists():
        needs = f"which needs make and {COMPILERS[name]}"
        raise NodesError(
            f"firmware_stubs/build/{name} is not there: run `{MAKE}` in {folder.parent}, {needs}"
        )
    return folder / "build" / name


def emulator() -> str:
    """Where QEMU is that plays the board."""
    found = shutil.which(QEMU)
    if found is None:
        raise NodesError(f"there is no {QEMU} here: install it (Debian: {QEMU})")
    return found


class Started(NamedTuple):
    """A node that runs: where its Modbus is, and the line of its world."""

    process: asyncio.subprocess.Process
    address: tuple[str, int] | str
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter


async def _spawned(*words: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        *words, stdout=asyncio.subprocess.PIPE, preexec_fn=die_with_parent
    )


async def _said(process: asyncio.subprocess.Process) -> bytes:
    """The next line that it says."""
    assert process.stdout is not None
    line = await process.stdout.readline()
    if not line:
        raise NodesError("a node ended before it was ready")
    return line


async def _port(process: asyncio.subprocess.Process) -> int:
    """Of the next line that it listens on."""
    return int((await _said(process)).decode("ascii").rpartition(":")[2])


class Lead:
    """The cable to a node that listens on a port: a port of its own, which leads there while it is plugged in.

    Parameters
    ----------
    node_port : int
        Of the node, on this machine.
    """

    def __init__(self, node_port: int) -> None:
        self._node_port = node_port
        self._port = 0
        self._server: asyncio.Server | None = None
        self._ways: set[asyncio.Task[None]] = set()

    async def plug(self) -> tuple[str, int]:
        """Where the node answers, from now on and each time."""
        if self._server is None:
            self._server = await asyncio.start_server(self._join, LOCALHOST, self._port)
            self._port = self._server.sockets[0].getsockname()[1]
        return LOCALHOST, self._port

    async def unplug(self) -> None:
        """Ends every connection; the node itself goes on."""
        if self._server is not None:
            self._server.close()
            self._server = None
        for way in self._ways:
            way.cancel()

    async def _join(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        node_reader, node_writer = await asyncio.open_connection(LOCALHOST, self._node_port)
        for source, sink in ((reader, node_writer), (node_reader, writer)):
            way = asyncio.create_task(self._carry(source, sink))
            self._ways.add(way)
            way.add_done_callback(self._ways.discard)

    async def _carry(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        """One way, until either end is gone."""
        try:
            with suppress(ConnectionError):
                while data := await source.read(CHUNK):
                    sink.write(data)
        finally:
            sink.close()


class NodeProcess:
    """One node, and the hub's line to its world.

    Parameters
    ----------
    name : str
        Of the node in the hub file.
    image : ToldImage
        Its eyes, as the simulated hub sets them.
    start_counts : int
        It has counted so far when the belt has run 0 mm.
    switched : callable
        Is given the output's address, whether it is on, and how many counts the belt had run.
    is_unplugged : bool
        Its link may be unplugged while it runs.
    """

    def __init__(
        self,
        name: str,
        image: ToldImage,
        start_counts: int,
        switched: Switched,
        *,
        is_unplugged: bool = False,
    ) -> None:
        self._name, self._image, self._switched = name, image, switched
        self._is_unplugged = is_unplugged
        self._lead: Lead | None = None
        self.start_counts = start_counts
        self._moved_counts = 0
        self._process: asyncio.subprocess.Process | None = None
        self._address: tuple[str, int] | str = ""

    async def plug(self) -> tuple[str, int] | str:
        """Starts it; where it answers. A node that runs stays as it is."""
        if self._process is None:
            self._process, self._address, reader, self._writer = await self._start()
            self._hearing = asyncio.create_task(self._hear(reader))
            self._writer.write(set_counts(self.start_counts))
            if self._is_unplugged:
                self._lead = Lead(int(self._address[1]))
        return self._address if self._lead is None else await self._lead.plug()

    async def _start(self) -> Started:
        process = await _spawned(str(firmware(HOST)), "tcp:0", "tcp:0", "boot=1")
        address = (LOCALHOST, await _port(process))
        return Started(process, address, *await asyncio.open_connection(LOCALHOST, await _port(process)))

    async def unplug(self) -> None:
        """Nobody hears it; it runs on."""
        if self._lead is not None:
            await self._lead.unplug()

    async def end(self) -> None:
        """Ends it."""
        await self.unplug()
        if self._process is not None:
            self._hearing.cancel()
            self._writer.close()
            self._process.kill()
            await self._process.wait()

    def tell_edges(self, ran_counts: int) -> None:
        """The eyes have changed since the last time, when the belt had run so far."""
        for eye, is_blocked in self._image.changes:
            self._writer.write(plan_edge(eye, is_blocked, self.start_counts + ran_counts))
        self._image.changes.clear()

    def move_to(self, ran_counts: int) -> None:
        """The belt has run so far."""
        if ran_counts != self._moved_counts:
            self._writer.write(move_belt(ran_counts - self._moved_counts))
            self._moved_counts = ran_counts

    async def _hear(self, reader: asyncio.StreamReader) -> None:
        line = WorldLine()
        while data := await reader.read(CHUNK):
            for event in line.receive(data):
                if isinstance(event, OutputChanged):
                    ran_counts = (event.counts - self.start_counts) % COUNTS_SPAN
                    address = Address(self._name, Space.DIVERT, event.diverter, None)
                    self._switched(address, event.is_on, ran_counts)


class NodeBoard(NodeProcess):
    """One node on the board that QEMU plays; its Modbus is a serial line, its world a socket."""

    async def _start(self) -> Started:
        image = str(firmware(IMAGE))
        with TemporaryDirectory(prefix="hubctl-node-") as folder:
            world = f"{folder}/world"
            lines = (
                "-chardev",
                f"socket,id=world,path={world},server=on,wait=off",
                "-chardev",
                "pty,id=modbus",
            )
            ports = ("-serial", "chardev:modbus", "-serial", "chardev:world")
            process = await _spawned(emulator(), *BOARD[1:], "-kernel", image, *lines, *ports)
            # QEMU opens its lines in the order in which they are given.
            said = SAID_PTY.search(await _said(process))
            assert said is not None
            return Started(process, said[1].decode("ascii"), *await asyncio.open_unix_connection(world))
