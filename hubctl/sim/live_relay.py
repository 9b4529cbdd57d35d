"""A relay between any two ends that is a bad line: TCP connections, serial ports and pseudo-terminals.

`tcp://HOST:PORT` listens on the near side and is connected to on the far side; `pty`, near only, makes a
pseudo-terminal; anything else is the whole path of a serial port, `/dev/ttyUSB0` or `/dev/ttyUSB0@9600`.
"""

from __future__ import annotations

import os
import select
import socket
import threading
import time
import tty
from typing import Literal, NamedTuple

from hubctl.io.ports import PortError, open_port
from hubctl.sim.faultlink import NEVER_NS, FaultStream, Troubles

CHUNK = 4096
LOOK_MS = 200  # between two looks whether it is to end
DIAL_S = 1.0
RETRY_NS = 500_000_000
BAUD = 115_200


class EndError(Exception):
    """An end cannot be used; the text names it."""


class End(NamedTuple):
    """One end of a relay."""

    kind: Literal["tcp", "pty", "port"]
    place: str  # host or device
    number: int  # port or baud


def parse_end(text: str) -> End:
    """The end that a text means.

    >>> parse_end("tcp://127.0.0.1:502")
    End(kind='tcp', place='127.0.0.1', number=502)
    """
    if text == "pty":
        return End("pty", "", 0)
    kind, place, number = _split(text)
    if not place or not number.isdecimal() or (kind == "tcp" and int(number) > 65_535):
        raise EndError(f"{text}: must be tcp://HOST:PORT, pty, or the whole path of a serial port, PATH@BAUD")
    return End(kind, place, int(number))


def _split(text: str) -> tuple[Literal["tcp", "port"], str, str]:
    if text.startswith("tcp://"):
        place, _, number = text.removeprefix("tcp://").rpartition(":")
        return "tcp", place, number
    place, _, number = text.partition("@")
    return "port", place if place.startswith("/") else "", number or str(BAUD)


class _Half:
    """What comes from one descriptor and goes to another."""

    def __init__(self, source: int, sink: int, stream: FaultStream) -> None:
        self.source, self.sink, self.stream = source, sink, stream
        self._behind = b""  # what the sink would not take yet

    @property
    def is_full(self) -> bool:
        """Whether the sink has to take bytes first."""
        return bool(self._behind)

    def take(self, now_ns: int) -> bool:
        """Reads once; false if the source is gone."""
        try:
            data = os.read(self.source, CHUNK)
        except BlockingIOError:
            return True
        except OSError:
            return False
        self.stream.receive(data, now_ns)
        return bool(data)

    def give(self, now_ns: int) -> bool:
        """Writes what is due, piece by piece; false if the sink is gone or the line is cut."""
        try:
            self._behind = self._written(self._behind)
            while not self._behind and (pieces := self.stream.ready(now_ns)):
                for piece in pieces:
                    self._behind = self._behind + piece if self._behind else self._written(piece)
        except OSError:
            return False
        return not self.stream.is_cut

    def _written(self, data: bytes) -> bytes:
        """What is left of the data."""
        try:
            return data[os.write(self.sink, data) :] if data else data
        except BlockingIOError:
            return data


class Relay:
    """Joins two ends by a bad line. Used as a context it runs on a thread of its own.

    Parameters
    ----------
    near, far : End
        Who wants to reach the device comes to the near end; the device is at the far end.
    troubles : Troubles
    seed : int
    """

    def __init__(self, near: End, far: End, troubles: Troubles, *, seed: int = 1) -> None:
        self._near, self._far, self._troubles, self._seed = near, far, troubles, seed
        self._lines: list[tuple[_Half, _Half]] = []
        self._old: list[FaultStream] = []
        self._listener: socket.socket | None = None
        self._standing = -1  # a near end that is always there
        self._held: list[int] = []
        self._retry_ns = 0
        self._ends = threading.Event()
        self._thread: threading.Thread | None = None
        self.n_connections = 0
        self.fault = ""  # why the far end could not be reached the last time
        self.address = self._opened()

    def _opened(self) -> str:
        """Opens the near end; how it is reached."""
        if self._near.kind == "tcp":
            try:
                self._listener = socket.create_server((self._near.place, self._near.number))
            except OSError as failure:
                raise EndError(f"tcp://{self._near.place}:{self._near.number}: {failure.strerror}") from None
            host, port = self._listener.getsockname()[:2]
            return f"tcp://{host}:{port}"
        if self._near.kind == "pty":
            self._standing, far_side = os.openpty()
            tty.setraw(far_side)
            os.set_blocking(self._standing, False)
            self._held = [self._standing, far_side]
            return os.ttyname(far_side)
        self._standing = _port(self._near)
        self._held = [self._standing]
        return self._near.place

    def __enter__(self) -> Relay:
        self._thread = threading.Thread(target=self.run, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.end()
        assert self._thread is not None
        self._thread.join()

    @property
    def port(self) -> int:
        """TCP port of the near end."""
        return int(self.address.rpartition(":")[2])

    def end(self) -> None:
        """Lets `run` return soon."""
        self._ends.set()

    def cut(self) -> None:
        """Ends every connection; new ones are taken."""
        for line in list(self._lines):
            for half in line:
                half.stream.is_cut = True

    def counts(self) -> dict[str, dict[str, int]]:
        """What was done so far, by direction."""
        told: dict[str, dict[str, int]] = {}
        streams = [half.stream for line in list(self._lines) for half in line]
        for i, stream in enumerate([*self._old, *streams]):
            sums = told.setdefault(("to_far", "to_near")[i % 2], dict.fromkeys(stream.counts, 0))
            for key, n in stream.counts.items():
                sums[key] += n
        return told

    def run(self) -> None:
        """Relays until `end`."""
        try:
            while not self._ends.is_set():
                self._turn(time.monotonic_ns())
        finally:
            self._close()

    def _turn(self, now_ns: int) -> None:
        if self._standing >= 0 and not self._lines and now_ns >= self._retry_ns:
            self._join(self._standing, now_ns)
        poll = select.poll()
        for fd, mask in self._wanted().items():
            poll.register(fd, mask)
        ready = {fd for fd, _ in poll.poll(self._wait_ms(now_ns))}
        now_ns = time.monotonic_ns()
        if self._listener is not None and self._listener.fileno() in ready:
            peer, _ = self._listener.accept()
            self._join(_plain(peer), now_ns)
        for line in list(self._lines):
            self._serve(line, ready, now_ns)

    def _wanted(self) -> dict[int, int]:
        wanted = {} if self._listener is None else {self._listener.fileno(): select.POLLIN}
        for half in (half for line in self._lines for half in line):
            wanted[half.source] = wanted.get(half.source, 0) | (0 if half.is_full else select.POLLIN)
            wanted[half.sink] = wanted.get(half.sink, 0) | (select.POLLOUT if half.is_full else 0)
        return wanted

    def _wait_ms(self, now_ns: int) -> int:
        dues = [half.stream.next_deadline() for line in self._lines for half in line if not half.is_full]
        due_ns = min(dues, default=NEVER_NS)
        return min(max(-(-(due_ns - now_ns) // 1_000_000), 0), LOOK_MS)

    def _serve(self, line: tuple[_Half, _Half], ready: set[int], now_ns: int) -> None:
        goes_on = True
        for half in line:
            if half.source in ready and not half.is_full:
                goes_on &= half.take(now_ns)
            goes_on &= half.give(now_ns)
        if not goes_on:
            self._part(line, now_ns)

    def _join(self, near: int, now_ns: int) -> None:
        """A line from the near end to the far one; without a far one there is none."""
        try:
            far = self._reached()
        except (OSError, EndError) as failure:
            self.fault = getattr(failure, "strerror", None) or str(failure)
            self._retry_ns = now_ns + RETRY_NS
            self._drop(near)
            return
        ways = ("to_far", "to_near")
        streams = [
            FaultStream(self._troubles, seed=self._seed, direction=f"{way}:{self.n_connections}")
            for way in ways
        ]
        self._lines.append((_Half(near, far, streams[0]), _Half(far, near, streams[1])))
        self.n_connections += 1
        self.fault = ""

    def _reached(self) -> int:
        if self._far.kind == "port":
            return _port(self._far)
        return _plain(socket.create_connection((self._far.place, self._far.number), DIAL_S))

    def _part(self, line: tuple[_Half, _Half], now_ns: int) -> None:
        self._lines.remove(line)
        self._old += [half.stream for half in line]
        self._retry_ns = now_ns + RETRY_NS
        self._drop(line[0].source)
        os.close(line[0].sink)

    def _drop(self, near: int) -> None:
        if near != self._standing:
            os.close(near)

    def _close(self) -> None:
        for line in list(self._lines):
            self._part(line, 0)
        for fd in self._held:
            os.close(fd)
        if self._listener is not None:
            self._listener.close()


def _port(end: End) -> int:
    try:
        return open_port(end.place, baud=end.number)
    except PortError as failure:
        raise EndError(str(failure)) from None


def _plain(peer: socket.socket) -> int:
    """The descriptor of a connection, ready for small pieces."""
    peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    peer.setblocking(False)
    return peer.detach()
