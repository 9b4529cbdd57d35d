"""A bad line: what it does to a stream, by seed; and the relay between sockets and pseudo-terminals."""

from __future__ import annotations

import os
import select
import socket
import time
import tty
from collections.abc import Iterator
from contextlib import closing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hubctl.sim.faultlink import CHANCES, MILLION, NEVER_NS, FaultStream, Troubles
from hubctl.sim.live_relay import End, EndError, Relay, parse_end

MS = 1_000_000
PATIENCE_S = 10.0
PIECES = [b"%06d\r\n" % i for i in range(600)]  # past a block of draws
MIXED = Troubles(**dict.fromkeys(("drop", "double", "corrupt", "split", "glue", "delay", "stall"), 100_000))


def passed(troubles: Troubles, seed: int, pieces: list[bytes] = PIECES) -> list[bytes]:
    """What comes out of a line into which a piece goes each ms."""
    stream = FaultStream(troubles, seed=seed, direction="there")
    out = []
    for i, piece in enumerate(pieces):
        stream.receive(piece, i * MS)
        out += stream.ready(i * MS)
    while (due_ns := stream.next_deadline()) < NEVER_NS:
        out += stream.ready(due_ns)
    return out


def test_a_good_line_changes_nothing() -> None:
    assert passed(Troubles(), 1) == PIECES


@given(st.integers(0, 2**32))
def test_one_seed_does_the_same_twice(seed: int) -> None:
    assert passed(MIXED, seed) == passed(MIXED, seed)


def test_seeds_and_directions_differ() -> None:
    assert passed(MIXED, 1) != passed(MIXED, 2)
    there, back = (FaultStream(Troubles(drop=500_000), seed=1, direction=way) for way in ("there", "back"))
    for stream in (there, back):
        for piece in PIECES:
            stream.receive(piece, 0)
    assert there.ready(0) != back.ready(0)


@given(st.integers(0, 2**32))
def test_what_only_shapes_and_delays_loses_nothing_and_keeps_order(seed: int) -> None:
    shaping = Troubles(split=300_000, glue=300_000, delay=300_000, stall=50_000)
    assert b"".join(passed(shaping, seed)) == b"".join(PIECES)


def test_one_trouble_taken_away_changes_no_other() -> None:
    both = passed(Troubles(drop=200_000, corrupt=200_000), 5)
    spoilt_only = passed(Troubles(corrupt=200_000), 5)
    assert set(both) < set(spoilt_only)


@pytest.mark.parametrize(
    ("trouble", "out"),
    [
        ("drop", []),
        ("double", [b"abcdef", b"abcdef"]),
        ("cut", []),
    ],
)
def test_what_each_trouble_does(trouble: str, out: list[bytes]) -> None:
    assert passed(Troubles(**{trouble: MILLION}), 1, [b"abcdef"]) == out


def test_one_bit_is_another() -> None:
    (spoilt,) = passed(Troubles(corrupt=MILLION), 1, [b"abcdef"])
    flipped = int.from_bytes(spoilt, "big") ^ int.from_bytes(b"abcdef", "big")
    assert flipped.bit_count() == 1


def test_split_comes_in_two_and_glued_as_one() -> None:
    first, second = passed(Troubles(split=MILLION), 1, [b"abcdef"])
    assert first + second == b"abcdef"
    assert passed(Troubles(glue=MILLION), 1, [b"ab", b"cd", b"ef"]) == [b"abcd", b"ef"]


def test_a_stalled_line_gives_everything_at_once() -> None:
    stream = FaultStream(Troubles(stall=MILLION, stall_ms=100), seed=1, direction="there")
    stream.receive(b"a", 0)
    assert stream.ready(99 * MS) == []
    assert stream.next_deadline() == 100 * MS
    assert stream.ready(100 * MS) == [b"a"]


def test_it_counts_what_it_did() -> None:
    stream = FaultStream(Troubles(drop=MILLION), seed=1, direction="there")
    stream.receive(b"abc", 0)
    assert stream.counts == dict.fromkeys(CHANCES, 0) | {"pieces": 1, "bytes": 3, "drop": 1}


@pytest.mark.parametrize("value", [-1, MILLION + 1])
def test_chances_have_a_range(value: int) -> None:
    with pytest.raises(ValueError, match="must be 0 to"):
        Troubles(drop=value)


# The relay


def echo() -> socket.socket:
    """A device that listens; whoever accepts plays it."""
    return socket.create_server(("127.0.0.1", 0))


def gone(peer: socket.socket) -> bool:
    """Whether the peer ended within the time a person waits."""
    peer.settimeout(PATIENCE_S)
    try:
        return peer.recv(64) == b""
    except ConnectionResetError:
        return True


@pytest.fixture
def device() -> Iterator[socket.socket]:
    with closing(echo()) as listener:
        yield listener


def joined(relay: Relay, device: socket.socket) -> tuple[socket.socket, socket.socket]:
    client = socket.create_connection(("127.0.0.1", relay.port))
    peer, _ = device.accept()
    return client, peer


def far_of(device: socket.socket) -> End:
    return End("tcp", *device.getsockname())


def test_tcp_to_tcp_both_ways(device: socket.socket) -> None:
    with Relay(parse_end("tcp://127.0.0.1:0"), far_of(device), Troubles()) as relay:
        client, peer = joined(relay, device)
        with client, peer:
            client.sendall(b"question")
            assert peer.recv(64) == b"question"
            peer.sendall(b"answer")
            assert client.recv(64) == b"answer"
            counts = relay.counts()
    assert (counts["to_far"]["bytes"], counts["to_near"]["bytes"]) == (8, 6)


def test_one_end_gone_ends_the_other_and_the_next_is_served(device: socket.socket) -> None:
    with Relay(parse_end("tcp://127.0.0.1:0"), far_of(device), Troubles()) as relay:
        for _ in range(2):
            client, peer = joined(relay, device)
            peer.close()
            assert gone(client)
            client.close()
        assert relay.n_connections == 2


def test_a_cut_by_hand_ends_both_sides(device: socket.socket) -> None:
    with Relay(parse_end("tcp://127.0.0.1:0"), far_of(device), Troubles()) as relay:
        client, peer = joined(relay, device)
        with client, peer:
            client.sendall(b"here")
            assert peer.recv(64) == b"here"  # the relay has them both now
            relay.cut()
            assert gone(client)
            assert gone(peer)


def test_a_device_that_is_absent_is_refused_at_once(device: socket.socket) -> None:
    far = far_of(device)
    device.close()
    with (
        Relay(parse_end("tcp://127.0.0.1:0"), far, Troubles()) as relay,
        socket.create_connection(("127.0.0.1", relay.port)) as client,
    ):
        assert gone(client)


def test_a_pty_leads_to_a_socket_and_to_a_serial_port(device: socket.socket) -> None:
    for far in (far_of(device), None):
        near_side, far_side = os.openpty()
        tty.setraw(far_side)
        end = far if far is not None else parse_end(os.ttyname(far_side))
        with Relay(parse_end("pty"), end, Troubles()) as relay:
            peer = device.accept()[0].detach() if far is not None else near_side
            port = os.open(relay.address, os.O_RDWR | os.O_NOCTTY)
            tty.setraw(port)
            assert comes_through(port, peer)
            assert comes_through(peer, port)
            os.close(port)
        for fd in {peer, near_side, far_side}:
            os.close(fd)


def comes_through(source: int, sink: int) -> bool:
    """Whether what is written again and again comes out at the other end: a port drops what came too early."""
    until = time.monotonic() + PATIENCE_S
    while time.monotonic() < until:
        os.write(source, b"tick")
        if select.select([sink], [], [], 0.05)[0] and b"tick" in os.read(sink, 64):
            return True
    return False


@pytest.mark.parametrize(
    "text", ["tcp://", "tcp://h:x", "tcp://h:70000", "udp://h:1", "nowhere", "/dev/x@fast"]
)
def test_an_end_that_means_nothing_is_refused(text: str) -> None:
    with pytest.raises(EndError, match="must be tcp://HOST:PORT"):
        parse_end(text)
