"""The scanner head in C: gates, labels in their order, telegrams after their time, and commands as SICK has them."""

from __future__ import annotations

import ctypes

import pytest
from built import MS, library

RESULT_TICKS = 40 * MS
HEARTBEAT_TICKS = 1000 * MS


class Head:
    """A scanner head on time of our own."""

    def __init__(self, heartbeat_ticks: int = 0) -> None:
        self.lib = library()
        self.memory = ctypes.create_string_buffer(self.lib.head_size())
        self.now_ticks = 0
        self.lib.head_init(self.memory, RESULT_TICKS, heartbeat_ticks, 0)

    def queue(self, label: bytes) -> bool:
        return bool(self.lib.head_queue(self.memory, label))

    def gate(self, is_on: bool) -> None:
        self.lib.head_trigger(self.memory, self.now_ticks, is_on)

    def pass_parcel(self) -> None:
        self.gate(True)
        self.gate(False)

    def after(self, ticks: int, data: bytes = b"") -> bytes:
        self.now_ticks += ticks
        out = ctypes.create_string_buffer(1024)
        n = self.lib.head_step(self.memory, self.now_ticks, data, len(data), out)
        return out.raw[:n]


def test_a_telegram_comes_after_its_time() -> None:
    head = Head()
    assert head.queue(b"ABC123")
    head.pass_parcel()
    assert head.after(RESULT_TICKS - 1) == b""
    assert head.after(1) == b"\x02ABC123\x03"
    assert head.after(10 * RESULT_TICKS) == b""


def test_labels_in_their_order_and_then_none() -> None:
    head = Head()
    for label in (b"A", b"", b"B;C"):
        head.queue(label)
    said = []
    for _ in range(4):
        head.pass_parcel()
        said.append(head.after(RESULT_TICKS))
    assert said == [b"\x02A\x03", b"\x02NoRead\x03", b"\x02B;C\x03", b"\x02NoRead\x03"]


def test_the_queue_has_an_end() -> None:
    head = Head()
    assert not head.queue(b"x" * 48)
    assert [head.queue(b"x" * 47) for _ in range(17)] == [True] * 16 + [False]


def test_commands_open_and_close_the_gate() -> None:
    head = Head()
    head.queue(b"A")
    assert head.after(0, b"\x02sMN mTCga") + head.after(0, b"teon\x03") == b"\x02sAN mTCgateon 1\x03"
    assert head.after(5, b"\x02sMN mTCgateoff\x03") == b"\x02sAN mTCgateoff 1\x03"
    assert head.after(RESULT_TICKS) == b"\x02A\x03"


@pytest.mark.parametrize("command", [b"sMN nothing", b"", b"x" * 200])
def test_other_commands_are_refused(command: bytes) -> None:
    assert Head().after(0, b"\x02" + command + b"\x03") == b"\x02sFA 3\x03"


def test_as_many_commands_as_fit() -> None:
    assert len(Head().after(0, b"\x02\x03" * 128)) == 128 * len(b"\x02sFA 3\x03")


def test_it_shows_that_it_lives() -> None:
    head = Head(HEARTBEAT_TICKS)
    head.after(HEARTBEAT_TICKS - 1)
    assert head.after(1) == b"\x02HEARTBEAT\x03"
    assert head.after(1) == b""
