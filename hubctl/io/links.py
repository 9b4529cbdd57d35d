"""Connecting links: each tries, waits a little longer each time, and tries again for ever.

A connector never blocks and keeps no thread: its owner calls `advance` with the time. It says something once
each time its state changes, in a sentence that names the device and what to do.
"""

from __future__ import annotations

import errno
import os
import select
import socket
from typing import Protocol

from hubctl.core.events import LinkFault
from hubctl.core.hubfile import (
    Link,
    ModbusRtuTcpLink,
    ModbusTcpLink,
    ModbusTlsLink,
    ScaleTcpLink,
    ScannerListenLink,
    ScannerTcpLink,
    WheelTcpLink,
)
from hubctl.io.ports import PortError, open_port

RETRY_NS_MIN = 100_000_000
RETRY_NS_MAX = 2_000_000_000
CONNECT_NS_MAX = 1_000_000_000
STEADY_NS = 2_000_000_000  # a connection that lasted so long was a good one
USER_TIMEOUT_MS = 3000  # bytes not acknowledged for so long end a connection
KEEPALIVE_IDLE_S = 5
KEEPALIVE_INTERVAL_S = 1
KEEPALIVE_PROBES = 3

TCP_LINKS = (ModbusTcpLink, ModbusRtuTcpLink, ScannerTcpLink, ScaleTcpLink, WheelTcpLink)
_WHO = {"scanner": "scanner", "scale": "scale", "wheel": "wheel diverter", "modbus": "Modbus"}
_TCP_ADVICE = {
    errno.ECONNREFUSED: "refused the connection; is it switched on, and is this its port?",
    errno.ETIMEDOUT: "does not answer; is it switched on, and is the network cable in?",
    errno.EHOSTUNREACH: "cannot be reached; check its address and the network",
    errno.ENETUNREACH: "cannot be reached; check its address and the network",
}
_LISTEN_ADVICE = {
    errno.EADDRINUSE: "is taken by another program; end that one first, or set the device to another port",
    errno.EADDRNOTAVAIL: "is no address of this computer; check host in the hub file",
    errno.EACCES: "may not be listened at by this user; take a port above 1023",
}
_LOSS = {
    LinkFault.CLOSED: "closed the connection",
    LinkFault.BROKEN: "lost the connection",
    LinkFault.FOREIGN: "answered what nobody had asked",
    LinkFault.GARBAGE: "sent bytes that are no frames",
    LinkFault.STALLED: "takes no more bytes",
    LinkFault.REPLACED: "was connected anew",
    LinkFault.SILENT: "is silent for too long",
}


class DialError(Exception):
    """This attempt failed; the text says why and what to do."""


class Dial(Protocol):
    """One attempt after another to reach one device."""

    address: str

    def begin(self, now_ns: int) -> None:
        """Start an attempt; DialError if it fails at once."""

    def finish(self, now_ns: int) -> int | None:
        """The connected descriptor, None while it is not decided yet; DialError if the attempt failed."""

    def give_up(self) -> None:
        """Close what is half open."""


class TcpDial:
    """Reaches a device by TCP."""

    def __init__(self, host: str, port: int) -> None:
        self.address = f"{host}:{port}"
        self._target = (host, port)
        self._socket: socket.socket | None = None
        self._deadline_ns = 0

    def begin(self, now_ns: int) -> None:
        """Start to connect."""
        try:
            family, kind, protocol, _, address = socket.getaddrinfo(*self._target, type=socket.SOCK_STREAM)[0]
        except socket.gaierror:
            raise DialError("has no known address; check the host name in the hub file") from None
        self._deadline_ns = now_ns + CONNECT_NS_MAX
        self._socket = socket.socket(family, kind, protocol)
        self._socket.setblocking(False)
        self._refuse(self._socket.connect_ex(address))

    def finish(self, now_ns: int) -> int | None:
        """The descriptor, once the peer has accepted."""
        if self._socket is None:
            return None
        if not select.select([], [self._socket], [], 0)[1]:
            if now_ns >= self._deadline_ns:
                self._refuse(errno.ETIMEDOUT)
            return None
        self._refuse(self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR))
        _set_options(self._socket)
        fd, self._socket = self._socket.detach(), None
        return fd

    def give_up(self) -> None:
        """Close a socket that is still connecting."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _refuse(self, number: int) -> None:
        if number in (0, errno.EINPROGRESS):
            return
        self.give_up()
        raise DialError(_TCP_ADVICE.get(number, f"cannot be connected: {os.strerror(number)}"))


class ListenDial:
    """Waits for a device that connects to us. Whoever comes later is the device too: the one before is half open."""

    def __init__(self, link: ScannerListenLink) -> None:
        self.address = f"{link.host}:{link.port}"
        self._link = link
        self._listener: socket.socket | None = None

    def begin(self, now_ns: int) -> None:
        """Listen, unless it does."""
        if self._listener is not None:
            return
        try:
            self._listener = socket.create_server((self._link.host, self._link.port))
            self._listener.setblocking(False)
        except OSError as failure:
            reason = _LISTEN_ADVICE.get(failure.errno or 0, f"cannot be listened at: {failure.strerror}")
            raise DialError(reason) from None

    def finish(self, now_ns: int) -> int | None:
        """The descriptor of a device that has connected."""
        if self._listener is None:
            return None
        try:
            peer, address = self._listener.accept()
        except OSError:
            return None
        if self._link.peer not in ("", address[0]):
            peer.close()
            return None
        peer.setblocking(False)
        _set_options(peer)
        return peer.detach()

    def give_up(self) -> None:
        """Listen no more."""
        if self._listener is not None:
            self._listener.close()
            self._listener = None


class SerialDial:
    """Opens a serial port."""

    def __init__(self, link: Link) -> None:
        assert not isinstance(link, ModbusTlsLink | ScannerListenLink)
        assert not isinstance(link, TCP_LINKS)
        self.address = link.device
        self._link = link

    def begin(self, now_ns: int) -> None:
        """Nothing to wait for: a port opens at once or not at all."""

    def finish(self, now_ns: int) -> int | None:
        """The descriptor of the opened port."""
        link = self._link
        try:
            return open_port(link.device, baud=link.baud, parity=link.parity, stop_bits=link.stop_bits)
        except PortError as failure:
            raise DialError(failure.reason) from None

    def give_up(self) -> None:
        """Nothing is ever half open."""


def dial_of(link: Link) -> Dial:
    """How the device of a link is reached."""
    if isinstance(link, ModbusTlsLink):
        from hubctl.io.tls import TlsDial  # stands on this module, and few hubs need its library

        return TlsDial(link)
    if isinstance(link, ScannerListenLink):
        return ListenDial(link)
    if isinstance(link, TCP_LINKS):
        return TcpDial(link.host, link.port)
    return SerialDial(link)


class Jitter:
    """Our own integer generator (xorshift, 32 bits): many links that fell together do not knock together."""

    def __init__(self, seed: int) -> None:
        self._state = (seed * 2654435761 + 1) & 0xFFFFFFFF or 1

    def spread(self, period_ns: int) -> int:
        """The period, three quarters of it to five."""
        for shift in (13, -17, 5):
            moved = self._state << shift if shift > 0 else self._state >> -shift
            self._state = (self._state ^ moved) & 0xFFFFFFFF
        return period_ns * 3 // 4 + period_ns * (self._state & 0xFFFF) // 0x20000


class Connector:
    """Keeps one link connected.

    Parameters
    ----------
    link : Link
        Of the hub file.
    seed : int
        For the jitter of its attempts.
    """

    def __init__(self, link: Link, seed: int) -> None:
        self._who = f"{_WHO[link.kind.partition('-')[0]]} {link.name}"
        self._dial: Dial = dial_of(link)
        self._jitter = Jitter(seed)
        self._retry_ns = 0
        self._period_ns = RETRY_NS_MIN
        self._since_ns = 0
        self._is_dialling = False
        self._is_connected = False
        self._was_lost = False
        self._said = ""
        self._messages: list[str] = []

    def advance(self, now_ns: int) -> int | None:
        """A newly connected, non-blocking descriptor for whoever takes it, or None."""
        self._note_steady(now_ns)
        if self._is_connected:
            return self._newcomer(now_ns)
        if not self._is_dialling and now_ns < self._retry_ns:
            return None
        try:
            return self._tried(now_ns)
        except DialError as failure:
            self._wait(now_ns)
            self._say(str(failure), f"Trying again every {RETRY_NS_MAX // 10**9} s.")
            return None

    def lost(self, fault: LinkFault, now_ns: int) -> None:
        """The connection handed out is gone."""
        if fault is LinkFault.REPLACED and isinstance(self._dial, ListenDial):
            return  # by a newcomer, who is here
        self._note_steady(now_ns)
        self._was_lost = True
        self._wait(now_ns)
        self._say(_LOSS.get(fault, "is gone"), "Trying again.")

    def next_deadline(self) -> int:
        """When the next attempt is due, ns; of no meaning during one, or while the link is connected."""
        return self._retry_ns

    def messages(self) -> list[str]:
        """What there is to say since the last call."""
        said, self._messages = self._messages, []
        return said

    def close(self) -> None:
        """No more attempts."""
        self._dial.give_up()
        self._is_connected = True

    def _tried(self, now_ns: int) -> int | None:
        if not self._is_dialling:
            self._dial.begin(now_ns)
            self._is_dialling = True
            if isinstance(self._dial, ListenDial) and not self._was_lost:
                self._say("waits for it to connect", "")
        fd = self._dial.finish(now_ns)
        if fd is not None:
            self._is_dialling, self._is_connected, self._since_ns = False, True, now_ns
            if not self._was_lost:
                self._say("is connected", "")
        return fd

    def _newcomer(self, now_ns: int) -> int | None:
        """A device that connects to us while it seems to be connected: it has lost that connection, and we have not."""
        fd = self._dial.finish(now_ns) if isinstance(self._dial, ListenDial) else None
        if fd is not None:
            self._since_ns = now_ns
        return fd

    def _note_steady(self, now_ns: int) -> None:
        """A connection counts once it has lasted: one that is lost again and again is told of once."""
        if self._is_connected and now_ns - self._since_ns >= STEADY_NS:
            self._period_ns = RETRY_NS_MIN
            self._was_lost = False
            self._say("is connected", "")

    def _wait(self, now_ns: int) -> None:
        self._is_dialling = self._is_connected = False
        self._retry_ns = now_ns + self._jitter.spread(self._period_ns)
        self._period_ns = min(2 * self._period_ns, RETRY_NS_MAX)

    def _say(self, what: str, more: str) -> None:
        if what != self._said:
            self._said = what
            stop = "" if what.endswith("?") else "."
            self._messages.append(f"{self._who}: {self._dial.address} {what}{stop} {more}".rstrip())


def _set_options(peer: socket.socket) -> None:
    peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, USER_TIMEOUT_MS)
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, KEEPALIVE_IDLE_S)
    peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, KEEPALIVE_INTERVAL_S)
    peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, KEEPALIVE_PROBES)
