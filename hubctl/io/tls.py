"""Modbus over TLS (port 802): dialled by Python, and carried by a thread to a plain descriptor for the reactor.

Both sides show a certificate. A server may decide by the role in ours what it lets us do; it stands there under
`ROLE_OID` (MODBUS/TCP Security, v21, 8.4). What is encrypted passes through Python, and is not for what is hot.
"""

from __future__ import annotations

import os
import select
import socket
import ssl
import threading
from pathlib import Path

from hubctl.core.hubfile import ModbusTlsLink
from hubctl.io.links import CONNECT_NS_MAX, DialError, TcpDial

ROLE_OID = "1.3.6.1.4.1.50316.802.1"
CHUNK = 4096
SEND_S_MAX = 3.0

_ROLE_DER = bytes.fromhex("060B2B0601040183890C862201")  # the OID as DER: tag, length, content
_CRITICAL_DER = bytes.fromhex("0101FF")
_OCTETS, _TEXT = 0x04, 0x0C


class TlsDial:
    """Reaches a device by TCP and TLS; the descriptor handed out carries plain bytes."""

    def __init__(self, link: ModbusTlsLink) -> None:
        self.address = f"{link.host}:{link.port}"
        self._link = link
        self._tcp = TcpDial(link.host, link.port)
        self._secure: ssl.SSLSocket | None = None
        self._bridge: Bridge | None = None
        self._deadline_ns = 0

    def begin(self, now_ns: int) -> None:
        """Start to connect, unless the last connection ended for a reason that has not been said yet."""
        if self._bridge is not None and self._bridge.failure:
            failure, self._bridge = self._bridge.failure, None
            raise DialError(f"ended the TLS connection: {failure}; does it know our certificate?")
        self._deadline_ns = now_ns + CONNECT_NS_MAX
        self._tcp.begin(now_ns)

    def finish(self, now_ns: int) -> int | None:
        """The descriptor, once both sides have shown their certificates."""
        if self._secure is None:
            fd = self._tcp.finish(now_ns)
            if fd is None:
                return None
            self._secure = self._wrapped(socket.socket(fileno=fd))
        return self._shaken(now_ns)

    def give_up(self) -> None:
        """Close what is half open."""
        self._tcp.give_up()
        if self._secure is not None:
            self._secure.close()
            self._secure = None

    def _wrapped(self, peer: socket.socket) -> ssl.SSLSocket:
        peer.setblocking(False)
        try:
            name = self._link.server_name or self._link.host
            return context_of(self._link).wrap_socket(
                peer, server_hostname=name, do_handshake_on_connect=False
            )
        except DialError:
            peer.close()
            raise

    def _shaken(self, now_ns: int) -> int | None:
        assert self._secure is not None
        try:
            self._secure.do_handshake()
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            if now_ns < self._deadline_ns:
                return None
            self.give_up()
            raise DialError("does not speak TLS; is this its port? 802 is usual") from None
        except (ssl.SSLError, OSError) as failure:
            self.give_up()
            raise DialError(f"and we agree on no TLS connection: {said_by(failure)}") from None
        secure, self._secure = self._secure, None
        self._bridge = Bridge(secure)
        return self._bridge.fd


class Bridge:
    """Carries bytes both ways between a TLS connection and a descriptor, on a thread, until either end is closed."""

    def __init__(self, secure: ssl.SSLSocket) -> None:
        self.failure = ""  # why TLS ended it
        self._has_spoken = False
        self._secure = secure
        self._near, far = socket.socketpair()
        far.setblocking(False)
        self.fd = far.detach()
        threading.Thread(target=self._carry, name="tls", daemon=True).start()

    def _carry(self) -> None:
        try:
            while self._carried():
                continue
        except ssl.SSLError as failure:
            self.failure = said_by(failure)
        except OSError as failure:
            self.failure = os.strerror(failure.errno or 0)
        finally:
            self._near.close()
            self._secure.close()

    def _carried(self) -> bool:
        """Waits for bytes and passes them on; false when one end has closed."""
        ready, _, _ = select.select([self._near, self._secure], [], [])
        if self._near in ready:
            data = self._near.recv(CHUNK)
            if not data:
                return False
            self._send(data)
        return self._secure not in ready or self._receive()

    def _receive(self) -> bool:
        try:
            while data := self._secure.recv(CHUNK):
                self._has_spoken = True
                self._near.sendall(data)
        except ssl.SSLWantReadError:
            return True
        if not self._has_spoken:
            self.failure = "it was closed without a word"
        return False

    def _send(self, data: bytes) -> None:
        while data:
            try:
                data = data[self._secure.send(data) :]
            except ssl.SSLWantWriteError:
                if not select.select([], [self._secure], [], SEND_S_MAX)[1]:
                    raise


def context_of(link: ModbusTlsLink) -> ssl.SSLContext:
    """What we trust and who we are; DialError if a file cannot be used."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_verify_locations(link.ca)
        context.load_cert_chain(link.certificate, link.key)
    except OSError as failure:
        files = ", ".join((link.ca, link.certificate, link.key))
        raise DialError(f"cannot be reached: {said_by(failure)}; check the files {files}") from None
    return context


def said_by(failure: OSError) -> str:
    """The reason that a TLS library gives, in few words."""
    if isinstance(failure, ssl.SSLCertVerificationError):
        return f"its certificate is not good, {failure.verify_message}"
    if isinstance(failure, ssl.SSLError):
        return (failure.reason or str(failure)).lower().replace("_", " ")
    return failure.strerror or str(failure)


def role_of(certificate: str) -> str | None:
    """The Modbus role in the first certificate of a PEM file; None if it has none, or there is no such file.

    Source: MODBUS/TCP Security, v21, 8.4: an extension under `ROLE_OID` whose value is a UTF8String.
    """
    try:
        pem = Path(certificate).read_text(encoding="ascii")
        end = pem.index(ssl.PEM_FOOTER) + len(ssl.PEM_FOOTER)
        return role_in(ssl.PEM_cert_to_DER_cert(pem[pem.index(ssl.PEM_HEADER) : end]))
    except (OSError, ValueError):
        return None


def role_in(der: bytes) -> str | None:
    """The Modbus role in a certificate's DER bytes."""
    _, found, rest = der.partition(_ROLE_DER)
    rest = rest.removeprefix(_CRITICAL_DER)
    if not found or len(rest) < 4 or rest[0] != _OCTETS or rest[2] != _TEXT:
        return None
    return rest[4 : 4 + rest[3]].decode("utf-8", "replace")
