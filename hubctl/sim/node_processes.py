"""Nodes with our firmware as processes: the simulated hub is their belt and their eyes, over the line of their world.

The belt moves in them when it is told to, count for count, and each edge is told ahead with its count. So all nodes of
a belt see exactly the same, however late their processes are scheduled.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from pathlib import Path

import hubctl
from hubctl.core.address import Address, Space
from hubctl.protocol.nodeworld import OutputChanged, WorldLine, move_belt, plan_edge, set_counts
from hubctl.sim.modbus_devices import LOCALHOST
from hubctl.sim.node_image import NodeImage

CHUNK = 65_536
COUNTS_SPAN = 1 << 32
MAKE = "make -C firmware_stubs"

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
        raise NodesError(f"firmware_stubs/build/{name} is not there: run `{MAKE}` in {folder.parent}")
    return folder / "build" / name


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
    """

    def __init__(self, name: str, image: ToldImage, start_counts: int, switched: Switched) -> None:
        self.program = firmware("node_host")
        self._name, self._image, self._switched = name, image, switched
        self.start_counts = start_counts
        self._moved_counts = 0
        self._process: asyncio.subprocess.Process | None = None
        self._address = (LOCALHOST, 0)

    async def plug(self) -> tuple[str, int]:
        """Starts it; where it answers. A node that runs stays as it is."""
        if self._process is None:
            self._process = await asyncio.create_subprocess_exec(
                str(self.program), "tcp:0", "tcp:0", "boot=1", stdout=asyncio.subprocess.PIPE
            )
            self._address = (LOCALHOST, await self._port())
            reader, self._writer = await asyncio.open_connection(LOCALHOST, await self._port())
            self._hearing = asyncio.create_task(self._hear(reader))
            self._writer.write(set_counts(self.start_counts))
        return self._address

    async def _port(self) -> int:
        """Of the next line that it says it listens on."""
        assert self._process is not None
        assert self._process.stdout is not None
        line = await self._process.stdout.readline()
        return int(line.decode("ascii").rpartition(":")[2])

    async def unplug(self) -> None:
        """Ends it."""
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
