"""A serial line whose far end is a pseudo-terminal: the near end is an asyncio transport."""

from __future__ import annotations

import asyncio
import os
import tty
from typing import Any

CHUNK = 4096


class Line(asyncio.Transport):
    """One end of a serial line that is always plugged in; whoever opens `path` has the other.

    As on a real line there is no connection: what nobody reads is lost, and a muted line says nothing.
    """

    def __init__(self) -> None:
        super().__init__()
        self._fd, self._far = os.openpty()  # the far end stays open here, so that the line outlives its users
        tty.setraw(self._far)
        os.set_blocking(self._fd, False)
        self.path = os.ttyname(self._far)
        self.is_muted = False

    def serve(self, protocol: asyncio.Protocol) -> None:
        """Gives a protocol what comes in from now on."""
        self._protocol = protocol
        asyncio.get_running_loop().add_reader(self._fd, self._read)
        protocol.connection_made(self)

    def _read(self) -> None:
        data = os.read(self._fd, CHUNK)
        if not self.is_muted:
            self._protocol.data_received(data)

    def write(self, data: Any) -> None:
        """Sends bytes; those the line does not take are lost."""
        if self.is_muted:
            return
        try:
            os.write(self._fd, data)
        except BlockingIOError:
            return

    def close(self) -> None:
        """Unplugs both ends."""
        if self._fd >= 0:
            asyncio.get_running_loop().remove_reader(self._fd)
            os.close(self._fd)
            os.close(self._far)
            self._fd = -1
