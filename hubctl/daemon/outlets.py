"""Where a running service tells what it does: a file of records, a pipe of status lines, a line to read."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any, TextIO

from hubctl.core.events import Records

STATUS_NS = 200_000_000
LINE_NS = 1_000_000_000
NEVER_NS = 2**63 - 1
CLEAR_LINE = "\r\x1b[2K"


class Outlet:
    """Something that is told what happens, turn by turn, and never waits. By itself it tells nobody."""

    def take(self, records: Records) -> None:
        """What the reactor told since the last call."""

    def next_status_ns(self) -> int:
        """When it wants the status again."""
        return NEVER_NS

    def show(self, status: dict[str, Any], now_ns: int) -> None:
        """The status it wanted."""

    def messages(self) -> list[str]:
        """What a person should know of it, since the last call."""
        return []


class RecordFile(Outlet):
    """Appends every record as it stands, 128 bytes each."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("ab", buffering=0)
        self._messages: list[str] = []
        self._is_open = True

    def take(self, records: Records) -> None:
        """Write at once; after a failure (a full disk) nothing more, and the sorting goes on."""
        if not self._is_open or not len(records):
            return
        try:
            self._file.write(records.tobytes())
        except OSError as failure:
            self._is_open = False
            self._messages.append(f"recording ended: {self._file.name}: {failure.strerror}")

    def messages(self) -> list[str]:
        """Why it ended, once."""
        said, self._messages = self._messages, []
        return said


class StatusPipe(Outlet):
    """One JSON line each 200 ms for a supervising program; lines it does not fetch in time are left out."""

    def __init__(self, fd: int) -> None:
        os.set_blocking(fd, False)
        self._fd = fd
        self._rest = b""
        self._due_ns = 0
        self._is_open = True

    def next_status_ns(self) -> int:
        """Each 200 ms, until the reader is gone."""
        return self._due_ns if self._is_open else NEVER_NS

    def show(self, status: dict[str, Any], now_ns: int) -> None:
        """Write what fits; a new line only after the last one went whole."""
        self._due_ns = now_ns + STATUS_NS
        if not self._rest:
            self._rest = json.dumps(status).encode() + b"\n"
        try:
            self._rest = self._rest[os.write(self._fd, self._rest) :]
        except BlockingIOError:
            return
        except OSError:
            self._is_open = False


class StatisticsLine(Outlet):
    """One line of statistics a second; on a terminal it is rewritten in place."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._is_terminal = stream.isatty()
        self._due_ns = 0

    def next_status_ns(self) -> int:
        """Each second."""
        return self._due_ns

    def show(self, status: dict[str, Any], now_ns: int) -> None:
        """Print the line."""
        self._due_ns = now_ns + LINE_NS
        start, end = (CLEAR_LINE, "") if self._is_terminal else ("", "\n")
        self._stream.write(start + line_of(status) + end)
        self._stream.flush()

    def say(self, message: str) -> None:
        """A message on a line of its own."""
        self._stream.write((CLEAR_LINE if self._is_terminal else "") + message + "\n")
        self._stream.flush()


def line_of(status: dict[str, Any]) -> str:
    """The status in one line of text."""
    links = status["links"].values()
    n_up = sum(link["state"] == "up" for link in links)
    reads, fires = status["read_to_command_us"], status["fire_lateness_us"]
    sorted_, rejected = (status["by_disposition"].get(name, 0) for name in ("SORTED", "REJECTED"))
    machine = f"{status['machine']}, " if status["machine"] else ""
    alarms = f"; {len(status['alarms'])} alarms" if status["alarms"] else ""
    return (
        f"{machine}{status['rate_per_h']:,} parcels/h, {status['in_flight']} in flight, {sorted_:,} sorted, "
        f"{rejected:,} rejected; {n_up} of {len(links)} links up; read to command "
        f"p50 {reads['p50']:.0f} us p99 {reads['p99']:.0f} us; {status['fires']:,} fired, "
        f"late p99 {fires['p99']:.0f} us, {status['fires_voided']:,} voided{alarms}"
    )
