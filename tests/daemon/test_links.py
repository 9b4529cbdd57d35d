"""Connectors: what they try, when, and what they say."""

from __future__ import annotations

import os
import select
import socket
import tty
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from rig import Serving, until

from hubctl.core.events import LinkFault
from hubctl.core.hubfile import (
    ModbusRtuLink,
    ModbusTcpLink,
    ScannerListenLink,
    ScannerSerialLink,
    ScannerTcpLink,
)
from hubctl.io.links import CONNECT_NS_MAX, RETRY_NS_MAX, RETRY_NS_MIN, STEADY_NS, Connector, Jitter
from hubctl.io.ports import PortError, open_port

S = 1_000_000_000


def scanner_at(port: int, host: str = "127.0.0.1") -> Connector:
    return Connector(ScannerTcpLink(name="top", kind="scanner-tcp", host=host, port=port), seed=1)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def advance_until_connected(connector: Connector, now_ns: int = 0) -> int:
    fd = until(lambda: connector.advance(now_ns), "a connection")
    assert isinstance(fd, int)
    return fd


@pytest.fixture
def server() -> Iterator[Serving]:
    serving = Serving(lambda peer: peer.recv(1) and None)
    yield serving
    serving.close()


@pytest.fixture
def pty() -> Iterator[tuple[int, str]]:
    master, slave = os.openpty()
    tty.setraw(slave)
    yield master, os.ttyname(slave)
    os.close(slave)
    os.close(master)


def test_a_connection_is_handed_over_non_blocking_and_without_delay(server: Serving) -> None:
    connector = scanner_at(server.port)
    fd = advance_until_connected(connector)
    assert not os.get_blocking(fd)
    peer = socket.socket(fileno=fd)
    assert peer.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
    assert peer.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
    assert connector.advance(S) is None
    assert connector.messages() == [f"scanner top: 127.0.0.1:{server.port} is connected."]
    peer.close()


def test_a_refusal_is_said_once_and_tried_for_ever_ever_more_slowly() -> None:
    connector = scanner_at(free_port())
    attempts, now_ns = [], 0
    while len(attempts) < 12:
        before = connector.next_deadline()
        assert connector.advance(now_ns) is None
        if connector.next_deadline() != before:
            attempts.append(now_ns)
        now_ns += RETRY_NS_MIN // 10
    gaps = [b - a for a, b in pairwise(attempts)]
    assert gaps[0] < 2 * RETRY_NS_MIN
    assert all(RETRY_NS_MAX * 3 // 4 <= gap <= RETRY_NS_MAX * 13 // 10 for gap in gaps[-3:])
    (said,) = connector.messages()
    assert "refused the connection; is it switched on" in said
    assert said.startswith("scanner top: 127.0.0.1:")
    assert said.endswith("Trying again every 2 s.")


def test_a_device_that_appears_is_connected(tmp_path: Path) -> None:
    port = free_port()
    connector = scanner_at(port)
    assert connector.advance(0) is None
    with socket.create_server(("127.0.0.1", port)):
        os.close(advance_until_connected(connector, 10 * S))
    assert len(connector.messages()) == 2


def test_an_attempt_without_an_answer_is_given_up() -> None:
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(0)
    fill = [socket.socket() for _ in range(4)]
    for one in fill:
        one.setblocking(False)
        one.connect_ex(listener.getsockname())
    connector = scanner_at(listener.getsockname()[1])
    assert connector.advance(0) is None
    assert connector.messages() == []
    assert connector.advance(CONNECT_NS_MAX) is None
    assert "does not answer" in connector.messages()[0]
    for one in (*fill, listener):
        one.close()


def test_a_name_that_is_none_is_told() -> None:
    connector = scanner_at(2112, host="no such host")
    connector.advance(0)
    assert "no such host:2112 has no known address; check the host name" in connector.messages()[0]


def test_a_lost_connection_is_said_and_dialled_again(server: Serving) -> None:
    connector = Connector(ModbusTcpLink(name="io1", kind="modbus-tcp", host="127.0.0.1", port=server.port), 2)
    os.close(advance_until_connected(connector))
    connector.lost(LinkFault.CLOSED, STEADY_NS)
    assert connector.messages()[-1] == (
        f"Modbus io1: 127.0.0.1:{server.port} closed the connection. Trying again."
    )
    assert connector.advance(STEADY_NS) is None
    os.close(advance_until_connected(connector, STEADY_NS + 2 * RETRY_NS_MIN))
    assert connector.messages() == []
    connector.advance(3 * STEADY_NS)
    assert connector.messages() == [f"Modbus io1: 127.0.0.1:{server.port} is connected."]


def test_a_device_that_hangs_up_at_once_is_not_knocked_at_without_pause(server: Serving) -> None:
    connector = scanner_at(server.port)
    now_ns = 0
    for _ in range(8):
        os.close(advance_until_connected(connector, now_ns))
        connector.lost(LinkFault.CLOSED, now_ns)
        now_ns = connector.next_deadline()
    said = connector.messages()
    assert [text.split(f"{server.port} ")[1] for text in said] == [
        "is connected.",
        "closed the connection. Trying again.",
    ]
    assert connector.advance(now_ns - 1) is None
    assert connector.next_deadline() - (now_ns - connector.next_deadline()) >= RETRY_NS_MAX * 3 // 4


def test_jitter_is_the_same_for_the_same_seed_and_differs_between_links() -> None:
    one, same, other = Jitter(1), Jitter(1), Jitter(2)
    drawn = [one.spread(S) for _ in range(20)]
    assert drawn == [same.spread(S) for _ in range(20)]
    assert drawn != [other.spread(S) for _ in range(20)]
    assert all(S * 3 // 4 <= spread <= S * 5 // 4 for spread in drawn)


def test_a_serial_port_is_raw_exclusive_and_tells_its_end(pty: tuple[int, str]) -> None:
    master, path = pty
    fd = open_port(path, baud=57_600)
    os.write(master, b"\x02ABC\r\n\x03")
    assert until(lambda: _read(fd), "the bytes") == b"\x02ABC\r\n\x03"
    with pytest.raises(BlockingIOError):
        os.read(fd, 1)
    with pytest.raises(PortError, match="taken by another program"):
        open_port(path, baud=57_600)
    os.close(fd)
    os.close(open_port(path, baud=57_600))


def _read(fd: int) -> bytes:
    try:
        return os.read(fd, 64)
    except BlockingIOError:
        return b""


def test_a_serial_link_is_connected(pty: tuple[int, str]) -> None:
    connector = Connector(ModbusRtuLink(name="io4", kind="modbus-rtu", device=pty[1]), 0)
    os.close(advance_until_connected(connector))
    assert connector.messages() == [f"Modbus io4: {pty[1]} is connected."]


@pytest.mark.parametrize(
    ("device", "advice"),
    [("/dev/hubctl-none", "is the cable plugged in"), ("/dev/null", "is no serial port"), ("/tmp", "cannot")],
)
def test_a_port_that_cannot_be_used_says_what_to_do(device: str, advice: str) -> None:
    connector = Connector(ScannerSerialLink(name="side", kind="scanner-serial", device=device), 0)
    assert connector.advance(0) is None
    (said,) = connector.messages()
    assert said.startswith(f"scanner side: {device} ")
    assert advice in said


# A scanner that connects to us


def listening(port: int, peer: str = "") -> Connector:
    link = ScannerListenLink(name="top", kind="scanner-listen", host="127.0.0.1", port=port, peer=peer)
    return Connector(link, seed=1)


def test_a_scanner_that_connects_to_us_is_taken_and_a_newcomer_after_it() -> None:
    port = free_port()
    connector = listening(port)
    assert connector.advance(0) is None
    assert connector.messages() == [f"scanner top: 127.0.0.1:{port} waits for it to connect."]
    with socket.create_connection(("127.0.0.1", port)):
        first = advance_until_connected(connector)
        assert not os.get_blocking(first)
        assert connector.advance(1) is None
        with socket.create_connection(("127.0.0.1", port)) as newcomer:
            second = advance_until_connected(connector, 2)
            connector.lost(LinkFault.REPLACED, 3)
            assert connector.advance(4) is None
            newcomer.sendall(b"label")
            assert until(lambda: os.read(second, 9), "bytes of the newcomer") == b"label"
    connector.lost(LinkFault.CLOSED, 5 * S)
    connector.advance(8 * S)
    with socket.create_connection(("127.0.0.1", port)):
        for fd in (first, second, advance_until_connected(connector, 9 * S)):
            os.close(fd)
    connector.close()


def test_only_the_scanner_that_is_named_may_connect_to_us() -> None:
    port = free_port()
    connector = listening(port, peer="192.0.2.7")
    connector.advance(0)
    with socket.create_connection(("127.0.0.1", port)) as stranger:
        stranger.setblocking(False)

        def is_refused() -> bool:
            assert connector.advance(1) is None
            return bool(select.select([stranger], [], [], 0)[0]) and stranger.recv(1) == b""

        until(is_refused, "the refusal")
    connector.close()


def test_a_port_that_is_taken_is_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        connector = listening(other.getsockname()[1])
        assert connector.advance(0) is None
        assert "is taken by another program" in connector.messages()[0]
