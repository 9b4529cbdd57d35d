"""The twins of a Modbus link on a TCP port or a serial line, for the demo and for whoever tries a master on them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping

from hubctl.core.address import Space
from hubctl.sim.line import Line
from hubctl.sim.modbus_twin import NEVER_NS, Twin, TwinFrames
from hubctl.sim.node_image import NodeImage

LOCALHOST = "127.0.0.1"
NS_PER_S = 1_000_000_000


class WiredBoard:
    """What the simulated hub has wired to a twin.

    Parameters
    ----------
    image : NodeImage
        What the world sets, by the numbers of the hub file.
    switched : callable
        Takes (coil, on).
    """

    def __init__(self, image: NodeImage, switched: Callable[[int, bool], None]) -> None:
        self._image = image
        self._switched = switched

    def shown(self, space: Space, number: int) -> int | None:
        """A bit or register as it is now."""
        values = self._image.read(space, number, 1)
        return None if values is None else values[0]

    def switched(self, coil: int, on: bool) -> None:
        """An output was switched."""
        self._switched(coil, on)


class _Connection(asyncio.Protocol):
    """One master's."""

    def __init__(self, nodes: TwinNodes) -> None:
        self._nodes = nodes
        self._frames = nodes.frames()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.WriteTransport)
        self._transport = transport
        self._nodes.connections.add(transport)

    def data_received(self, data: bytes) -> None:
        answers = self._frames.receive(data, time.monotonic_ns())
        if answers:
            self._transport.write(answers)
        if self._frames.is_broken:
            self._transport.abort()
        self._nodes.look()

    def connection_lost(self, exc: Exception | None) -> None:
        self._nodes.connections.discard(self._transport)


class TwinNodes:
    """The twins of a link.

    Parameters
    ----------
    twins : mapping
        By unit.
    kind : str
        Of the link: modbus-tcp, modbus-rtu-tcp or modbus-rtu; modbus-tls is plain here.
    refresh : callable
        Brings what is wired up to now.
    """

    def __init__(
        self, twins: Mapping[int, Twin], kind: str = "modbus-tcp", refresh: Callable[[], None] = lambda: None
    ) -> None:
        self._twins = twins
        self._rtu = kind in ("modbus-rtu", "modbus-rtu-tcp")
        self._refresh = refresh
        self._line = Line() if kind == "modbus-rtu" else None
        self._is_served = False
        self._address = (LOCALHOST, 0)
        self._server: asyncio.Server | None = None
        self._alarm: asyncio.TimerHandle | None = None
        self.connections: set[asyncio.WriteTransport] = set()

    def frames(self) -> TwinFrames:
        """A new connection's."""
        return TwinFrames(self._twins, rtu=self._rtu, refresh=self._refresh)

    async def plug(self) -> tuple[str, int] | str:
        """Is there: on a port the system chose the first time, or on its line."""
        if self._line is not None:
            if not self._is_served:
                self._line.serve(_Connection(self))
                self._is_served = True
            self._line.is_muted = False
            return self._line.path
        if self._server is None:
            loop = asyncio.get_running_loop()
            self._server = await loop.create_server(
                lambda: _Connection(self), *self._address, reuse_address=True
            )
            self._address = self._server.sockets[0].getsockname()
        return self._address

    async def unplug(self) -> None:
        """Is not there: every connection is cut and none taken, or its line is mute."""
        if self._line is not None:
            self._line.is_muted = True
        if self._server is not None:
            self._server.close()
            self._server = None
            for connection in list(self.connections):
                connection.abort()

    def look(self) -> None:
        """Lets happen what is due in the twins, and comes back when more is."""
        now_ns = time.monotonic_ns()
        for twin in self._twins.values():
            twin.advance(now_ns)
        if self._alarm is not None:
            self._alarm.cancel()
        due_ns = min((twin.next_deadline() for twin in self._twins.values()), default=NEVER_NS)
        if due_ns < NEVER_NS:
            wait_s = max(due_ns - now_ns, 0) / NS_PER_S
            self._alarm = asyncio.get_running_loop().call_later(wait_s, self.look)
