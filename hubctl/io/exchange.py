"""A connected descriptor for a tester: bytes out, and what comes within a deadline."""

from __future__ import annotations

import os
import select
import time
from collections.abc import Callable

CHUNK = 4096
NS_PER_MS = 1_000_000


class Exchange:
    """Speaks on a non-blocking descriptor, and owns it.

    Parameters
    ----------
    fd : int
        Connected socket or opened serial port.
    """

    def __init__(self, fd: int) -> None:
        self._fd = fd

    def exchange(self, data: bytes, timeout_ms: int, is_enough: Callable[[bytes], bool]) -> bytes:
        """Send, and return what came: as soon as it is enough, else all that came in time; OSError: it is lost."""
        self._send(data)
        came = b""
        until_ns = time.monotonic_ns() + timeout_ms * NS_PER_MS
        while not (came and is_enough(came)) and (left_ns := until_ns - time.monotonic_ns()) > 0:
            if select.select([self._fd], [], [], left_ns / (1000 * NS_PER_MS))[0]:
                came += self._receive()
        return came

    def pause(self, ms: int) -> None:
        """Let time pass; what comes meanwhile is not heard."""
        if ms == 0:
            return
        self.exchange(b"", ms, lambda came: False)

    def close(self) -> None:
        """Hang up."""
        os.close(self._fd)

    def _send(self, data: bytes) -> None:
        while data:
            select.select([], [self._fd], [], 1)
            data = data[os.write(self._fd, data) :]

    def _receive(self) -> bytes:
        data = os.read(self._fd, CHUNK)
        if not data:
            raise ConnectionResetError("the device has closed the connection")
        return data
