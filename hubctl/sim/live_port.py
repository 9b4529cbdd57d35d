"""Where a simulated device is heard: on a TCP port or a serial line, by a clock, until it is unplugged.

What is said there is the device's: it gives a `Listener` to each who connects, and says when it wants to look again.
"""

from __future__ import annotations

import asyncio
import time
from abc import ABC, abstractmethod

from hubctl.sim.line import Line

LOCALHOST = "127.0.0.1"
NS_PER_S = 1_000_000_000
NEVER_NS = 2**63 - 1


class Listener(asyncio.Protocol):
    """One who is connected to a device."""

    def __init__(self, port: Port) -> None:
        self._port = port

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.WriteTransport)
        self._transport = transport
        self._port.listeners.add(transport)
        self._port.look()

    def connection_lost(self, exc: Exception | None) -> None:
        self._port.listeners.discard(self._transport)


class Port(ABC):
    """A device's place on a network or a line.

    Parameters
    ----------
    is_serial : bool
        On a serial line, else on a TCP port.
    """

    def __init__(self, *, is_serial: bool) -> None:
        self._line = Line() if is_serial else None
        self._address = (LOCALHOST, 0)
        self._server: asyncio.Server | None = None
        self._alarm: asyncio.TimerHandle | None = None
        self.listeners: set[asyncio.WriteTransport] = set()

    @abstractmethod
    def listener(self) -> Listener:
        """For one who connects."""

    @abstractmethod
    def advance(self, now_ns: int) -> int:
        """Lets happen what is due; when more is, ns, NEVER_NS: never."""

    async def plug(self) -> tuple[str, int] | str:
        """Is there: on a port the system chose the first time, or on its line."""
        if self._line is not None:
            if self._line not in self.listeners:
                self._line.serve(self.listener())
            self._line.is_muted = False
            return self._line.path
        if self._server is None:
            loop = asyncio.get_running_loop()
            self._server = await loop.create_server(self.listener, *self._address, reuse_address=True)
            self._address = self._server.sockets[0].getsockname()
        return self._address

    async def unplug(self) -> None:
        """Is not there: every connection is cut and none taken, or its line is mute."""
        if self._line is not None:
            self._line.is_muted = True
            return
        if self._server is not None:
            self._server.close()
            self._server = None
        self.hang_up()

    def hang_up(self) -> None:
        """Cuts every connection."""
        for listener in list(self.listeners):
            listener.abort()

    def look(self) -> None:
        """Lets happen what is due, and comes back when more is."""
        now_ns = time.monotonic_ns()
        due_ns = self.advance(now_ns)
        if self._alarm is not None:
            self._alarm.cancel()
        if due_ns < NEVER_NS:
            wait_s = max(due_ns - now_ns, 0) / NS_PER_S
            self._alarm = asyncio.get_running_loop().call_later(wait_s, self.look)
