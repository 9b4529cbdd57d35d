"""Simulated devices that speak for themselves, on a TCP port or a serial line: whoever is connected hears them.

A twin is bytes in and bytes out, with the time as an argument; here it is given a clock and a line.
"""

from __future__ import annotations

import asyncio
import socket
import time
from typing import Protocol

from hubctl.sim.live_port import NEVER_NS, Listener, Port

CALLS_AGAIN_S = 0.1


class Twin(Protocol):
    """A device without its line."""

    def receive(self, data: bytes, now_ns: int) -> bytes:
        """What it says at once to what it is told."""

    def advance(self, now_ns: int) -> bytes:
        """What it says by itself by now."""

    def next_deadline(self) -> int:
        """When it says something by itself next, ns; 2**63 - 1: never."""


class _Listener(Listener):
    """One who is told everything."""

    def __init__(self, device: TwinDevice) -> None:
        super().__init__(device)
        self._device = device

    def data_received(self, data: bytes) -> None:
        self._device.hear(data)


class TwinDevice(Port):
    """A twin with a clock; `plug` gives it a line.

    Parameters
    ----------
    twin : Twin
    is_serial : bool
        On a serial line, else on a TCP port.
    """

    def __init__(self, twin: Twin, *, is_serial: bool) -> None:
        super().__init__(is_serial=is_serial)
        self._twin = twin

    def listener(self) -> Listener:
        """For one who connects."""
        return _Listener(self)

    def hear(self, data: bytes) -> None:
        """Somebody has told it something."""
        self.say(self._twin.receive(data, time.monotonic_ns()))
        self.look()

    def say(self, data: bytes) -> None:
        """To everybody who is connected."""
        for listener in list(self.listeners) if data else ():
            listener.write(data)

    def advance(self, now_ns: int) -> int:
        """Says what is due; with nobody to hear it, nothing more is."""
        self.say(self._twin.advance(now_ns))
        return self._twin.next_deadline() if self.listeners else NEVER_NS


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
        self.hang_up()

    async def _call(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            if not self.listeners:
                await self._connect(loop)
            await asyncio.sleep(CALLS_AGAIN_S)

    async def _connect(self, loop: asyncio.AbstractEventLoop) -> bool:
        """Whether somebody listened."""
        try:
            await loop.create_connection(self.listener, *self._address)
        except OSError:
            return False
        return True
