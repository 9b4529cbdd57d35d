"""The scanner head as a process: labels and triggers on its standard input, telegrams on its port."""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Iterator

import pytest
from targets import built

GIVE_UP_S = 20


class Scanner:
    """A running scanner head, and the host's connection to it."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        assert process.stdout is not None
        port = int(process.stdout.readline().rpartition(":")[2])
        self.host = socket.create_connection(("127.0.0.1", port), GIVE_UP_S)

    def tell(self, line: str) -> str:
        """What it says to a line on its standard input."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        return self.process.stdout.readline().strip()

    def telegram(self) -> bytes:
        data = b""
        while not data.endswith(b"\x03"):
            data += self.host.recv(1)
        return data


@pytest.fixture
def scanner() -> Iterator[Scanner]:
    """Its telegrams come 5 ms after the gate's end."""
    words = [str(built("scanner_host")), "0", "5"]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        started = Scanner(process)
        yield started
        started.host.close()
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait(GIVE_UP_S) == 0


def test_labels_are_read_in_their_order(scanner: Scanner) -> None:
    assert [scanner.tell("l ABC123"), scanner.tell("l")] == ["ok 0", "ok 0"]
    for telegram in (b"\x02ABC123\x03", b"\x02NoRead\x03"):
        assert [scanner.tell("t 1"), scanner.tell("t 0")] == ["ok 0", "ok 0"]
        assert scanner.telegram() == telegram


def test_the_host_opens_the_gate(scanner: Scanner) -> None:
    scanner.tell("l ABC123")
    scanner.host.sendall(b"\x02sMN mTCgateon\x03\x02sMN mTCgateoff\x03")
    said = [scanner.telegram() for _ in range(3)]
    assert said == [b"\x02sAN mTCgateon 1\x03", b"\x02sAN mTCgateoff 1\x03", b"\x02ABC123\x03"]


def test_what_makes_no_sense_is_said(scanner: Scanner) -> None:
    assert [scanner.tell(line) for line in ("z", "t 2", "l " + 50 * "x", "q")] == [
        "x 0",
        "x 0",
        "x 0",
        "ok 0",
    ]
