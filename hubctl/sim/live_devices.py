"""Simulated devices that speak for themselves, on a TCP port or a serial line: whoever is connected hears them.

A twin is bytes in and bytes out, with the time as an argument; here it is given a clock and a line.
"""

from __future__ import annotations

import asyncio
import socket
import time
from typing import Protocol

from hubctl.sim.line import Line

LOCALHOST = "127.0.0.1"
NS_PER_S = 1_000_000_000
NEVER_NS = 2**63 - 1
CALLS_AGAIN_S = 0.1


class Twin(Protocol):
    """A device without its line."""

    def receive(self, data: bytes, now_ns: int) -> bytes:
        """What it says at once to what it is told."""

    def advance(self, now_ns: int) -> bytes:
        """What it says by itself by now."""

    def next_deadline(self) -> int:
        """When it says something by itself next, ns; 2**63 - 1: never."""


class _Listener(asyncio.Protocol):
    """One who is connected to a device."""

    def __init__(self, device: TwinDevice) -> None:
        self._device = device

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.WriteTransport)
        self._transport = transport
        self._device.listeners.add(transport)
        self._device.look()

    def data_received(self, data: bytes) -> None:
        self._device.hear(data)

    def connection_lost(self, exc: Exception | None) -> None:
        self._device.listeners.discard(self._transport)


class TwinDevice:
    """A twin with a clock; `plug` gives it a line.

    Parameters
    ----------
    twin : Twin
    is_serial : bool
        On a serial line, else on a TCP port.
    """

    def __init__(self, twin: Twin, *, is_serial: bool) -> None:
        self._twin = twin
        self._line = Line() if is_serial else None
        self._address = (LOCALHOST, 0)
        self._server: asyncio.Server | None = None
        self._alarm: asyncio.TimerHandle | None = None
        self.listeners: set[asyncio.WriteTransport] = set()

    async def plug(self) -> tuple[str, int] | str:
        """Is there: on a port the system chose the first time, or on its line."""
        if self._line is not None:
            if self._line not in self.listeners:
                self._line.serve(_Listener(self))
            self._line.is_muted = False
            return self._line.path
        if self._server is None:
            loop = asyncio.get_running_loop()
            self._server = await loop.create_server(
                lambda: _Listener(self), *self._address, reuse_address=True
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
            for listener in list(self.listeners):
                listener.abort()

    def hear(self, data: bytes) -> None:
        """Somebody has told it something."""
        self.say(self._twin.receive(data, time.monotonic_ns()))
        self.look()

    def say(self, data: bytes) -> None:
        """To everybody who is connected."""
        for listener in list(self.listeners) if data else ():
            listener.write(data)

    def look(self) -> None:
        """Says what is due, and comes back when more is."""
        now_ns = time.monotonic_ns()
        self.say(self._twin.advance(now_ns))
        if self._alarm is not None:
            self._alarm.cancel()
        due_ns = self._twin.next_deadline()
        if due_ns < NEVER_NS and self.listeners:
            wait_s = max(due_ns - now_ns, 0) / NS_PER_S
            self._alarm = asyncio.get_running_loop().call_later(wait_s, self.look)


class CallingDevice(TwinDevice):
    """A device that connects to whoever listens for it, again and again, on a port that was free."""

    def __init__(self, twin: Twin) -> None:
        super().__init__(twin, is_serial=False)
        self._calling: asyncio.Task[None] | None = None

    async def plug(self) -> tuple[str, int]:
        """Calls; the address at which it wants to be heard."""
        if self._address[1] == 0:
            with socket.create_server(self._address) as listener:
                self._address = listener.getsockname()
        if self._calling is None:
            self._calling = asyncio.create_task(self._call())
        return self._address

    async def unplug(self) -> None:
        """Hangs up, and calls no more."""
        if self._calling is not None:
            self._calling.cancel()
            self._calling = None
        for listener in list(self.listeners):
            listener.abort()

    async def _call(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            if not self.listeners:
                await self._connect(loop)
            await asyncio.sleep(CALLS_AGAIN_S)

    async def _connect(self, loop: asyncio.AbstractEventLoop) -> bool:
        """Whether somebody listened."""
        try:
            await loop.create_connection(lambda: _Listener(self), *self._address)
        except OSError:
            return False
        return True
