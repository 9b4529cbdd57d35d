"""Wheel diverters without sockets: brought up, turned in time or not at all, watched, and put safe."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hubctl._wheel import WheelLink, WheelSaid
from hubctl.core import tables
from hubctl.core.events import NO_INDEX, RECORD, Kind, Reason
from hubctl.core.tables import LinkKind, Wiring
from hubctl.sim.wheel_twins import CENTRE, COMMAND, LEFT, RIGHT, RUN, WheelState, WheelsTwin, frame

MS = 1_000_000
S = 1000 * MS
BASELINE, UP, SAFE, UNSAFE = 4, 5, 6, 7
LEFT_CHUTE, RIGHT_CHUTE, OTHER_LEFT = 0, 1, 2


def wiring() -> Wiring:
    """Two wheels on link 0; chutes 0 and 1 left and right of the first, 2 left of the second; held for 150 ms."""
    links, nodes = np.zeros(1, tables.LINK), np.zeros(2, tables.NODE_WIRE)
    links["kind"], links["scanner"] = LinkKind.WHEEL, NO_INDEX
    nodes["unit"], nodes["timeout_ns"] = [1, 2], 50 * MS
    outputs = np.zeros(3, tables.OUTPUT)
    outputs["node"], outputs["coil"], outputs["hold_ns"] = [0, 0, 1], [0, 1, 0], 150 * MS
    empty = [np.zeros(0, dtype) for dtype in (tables.POLL, tables.SIGNAL, tables.COUNTER)]
    return Wiring(links, nodes, *empty, outputs, np.zeros(0, tables.FRAMING))


class Story:
    """A link and its twin, a millisecond at a time."""

    def __init__(self) -> None:
        self.link = WheelLink(wiring(), 0, RECORD)
        self.turns: list[tuple[int, int, str | None]] = []  # ms, unit, side
        self.twin = WheelsTwin([1, 2], lambda unit, side: self.turns.append((self.now_ms, unit, side)))
        self.now_ms = 10_000
        self.commands: list[tuple[int, int, int]] = []  # ms, unit, code
        self.told: list[np.void] = []
        self.is_heard = True
        self.is_connected = True
        self.link.connect(self.now_ns)

    @property
    def now_ns(self) -> int:
        return self.now_ms * MS

    def run(self, ms: int) -> None:
        for _ in range(ms):
            self.now_ms += 1
            self._exchange()

    def _exchange(self) -> None:
        sent = self.link.pump(self.now_ns) if self.is_connected else b""
        assert len(sent) % 7 == 0
        self.commands += [(self.now_ms, sent[i + 3] - 0x50, sent[i + 5]) for i in range(0, len(sent), 7)]
        said = (self.twin.receive(sent, self.now_ns) if self.is_heard else b"") + self.twin.advance(
            self.now_ns
        )
        if self.is_heard and self.is_connected:
            self.link.receive(said, self.now_ns)
        self.told += list(self.link.records())

    def up(self) -> Story:
        self.run(1500)
        assert self.link.node_states == [UP, UP]
        self.commands.clear()
        self.turns.clear()
        self.told.clear()
        return self

    def fire(self, chute: int, *, void_ms: int = 15) -> None:
        command = np.zeros(1, RECORD)
        command["kind"], command["chute"], command["parcel"] = Kind.FIRE_OUTPUT, chute, self.now_ms
        command["value"] = self.now_ns + void_ms * MS
        self.link.fire(command, self.now_ns)
        self.run(1)

    def results(self) -> list[str]:
        return [Reason(r["reason"]).name for r in self.told if r["kind"] == Kind.FIRE_RESULT]

    def nodes(self) -> list[tuple[int, int]]:
        return [(int(r["device"]), int(r["value"])) for r in self.told if r["kind"] == Kind.NODE]


def test_wheels_are_started_brought_to_the_middle_and_up() -> None:
    story = Story()
    story.run(1500)
    assert story.nodes() == [(0, 1), (1, 1)]
    for unit in (1, 2):
        assert [code for _, u, code in story.commands if u == unit] == [RUN, CENTRE]
    assert story.twin.n_lost == 0


def test_a_turn_and_the_way_back() -> None:
    story = Story().up()
    began = story.now_ms
    story.fire(LEFT_CHUTE)
    story.run(400)
    assert [(ms - began, unit, code) for ms, unit, code in story.commands] == [(1, 1, LEFT), (151, 1, CENTRE)]
    assert story.results() == ["OK"]
    assert story.twin.n_lost == 0


def test_the_next_parcel_of_one_chute_keeps_it_turned() -> None:
    story = Story().up()
    story.fire(LEFT_CHUTE)
    story.run(119)
    story.fire(LEFT_CHUTE)
    story.run(400)
    assert [code for _, _, code in story.commands] == [LEFT, CENTRE]
    assert story.commands[1][0] - story.commands[0][0] >= 250
    assert story.results() == ["OK", "OK"]


def test_a_turn_that_cannot_be_told_in_time_is_not_told() -> None:
    story = Story().up()
    story.fire(LEFT_CHUTE)
    story.run(40)
    story.fire(RIGHT_CHUTE)
    story.run(400)
    assert story.results() == ["OK", "MISSED_WINDOW"]
    assert [code for _, _, code in story.commands] == [LEFT, CENTRE]


def test_one_that_can_wait_a_little_waits() -> None:
    story = Story().up()
    story.fire(LEFT_CHUTE)
    story.run(90)
    story.fire(RIGHT_CHUTE)
    story.run(400)
    assert story.results() == ["OK", "OK"]
    assert [code for _, _, code in story.commands] == [LEFT, RIGHT, CENTRE]
    assert story.twin.n_lost == 0


def test_wheels_of_one_link_do_not_wait_for_each_other() -> None:
    story = Story().up()
    story.fire(LEFT_CHUTE)
    story.fire(OTHER_LEFT)
    assert story.results() == ["OK", "OK"]
    assert [(unit, code) for _, unit, code in story.commands] == [(1, LEFT), (2, LEFT)]


@given(st.lists(st.tuples(st.integers(1, 200), st.integers(0, 2)), min_size=1, max_size=30))
def test_no_two_commands_are_too_close_and_every_fire_has_one_result(fires: list[tuple[int, int]]) -> None:
    story = Story().up()
    for wait_ms, chute in fires:
        story.run(wait_ms)
        story.fire(chute)
    story.run(500)
    assert story.twin.n_lost == 0
    assert len(story.results()) == len(fires)
    assert set(story.results()) <= {"OK", "MISSED_WINDOW"}
    last = {unit: side for _, unit, side in story.turns}
    assert set(last.values()) <= {None}


@pytest.mark.parametrize("state", [WheelState.STOPPED, WheelState.FAULTY])
def test_one_that_stopped_by_itself_waits_for_a_person(state: WheelState) -> None:
    story = Story().up()
    story.link.receive(story.twin.put(1, state), story.now_ns)
    story.run(10)
    assert story.nodes() == [(0, 2)]
    story.fire(LEFT_CHUTE)
    story.fire(OTHER_LEFT)
    assert story.results() == ["NODE_DOWN", "OK"]
    story.twin.put(1, WheelState.STANDBY)
    story.run(3000)
    assert not [command for command in story.commands if command[1] == 1]
    story.link.clear(0)
    story.run(3000)
    assert story.nodes() == [(0, 2), (0, 1)]


def test_a_clearance_while_it_is_still_stopped_changes_nothing() -> None:
    story = Story().up()
    story.link.receive(story.twin.put(1, WheelState.STOPPED), story.now_ns)
    story.link.clear(0)
    story.run(3000)
    assert story.nodes() == [(0, 2)]
    assert story.commands == []


def test_one_that_goes_to_standby_is_started_anew() -> None:
    story = Story().up()
    story.link.receive(story.twin.put(1, WheelState.STANDBY), story.now_ns)
    story.run(2000)
    assert story.nodes() == [(0, 0), (0, 1)]


def test_silence_takes_them_down_and_asks_for_a_new_connection() -> None:
    story = Story().up()
    story.is_heard = False
    story.run(5001)
    assert story.nodes() == [(0, 0), (1, 0)]
    assert story.link.is_silent
    assert story.link.told[WheelSaid.SILENT] == 2


def test_commands_without_answers_take_it_down() -> None:
    story = Story().up()
    story.is_heard = False
    for _ in range(2):
        story.fire(LEFT_CHUTE)
        story.run(400)
    assert story.nodes() == [(0, 0)]
    assert story.link.node_states == [BASELINE, UP]
    story.fire(LEFT_CHUTE)
    assert story.results()[-1] == "NODE_DOWN"


def test_the_way_back_is_told_until_it_is_answered() -> None:
    story = Story().up()
    story.fire(LEFT_CHUTE)
    story.run(100)
    story.is_heard = False
    story.run(140)
    story.is_heard = True
    story.run(300)
    assert [code for _, _, code in story.commands] == [LEFT, CENTRE, CENTRE]
    assert story.turns[-1][1:] == (1, None)


def test_a_lost_link_voids_what_waits() -> None:
    story = Story().up()
    story.fire(LEFT_CHUTE)
    command = np.zeros(1, RECORD)
    command["chute"], command["value"] = RIGHT_CHUTE, story.now_ns + S
    story.link.fire(command, story.now_ns)
    story.link.disconnect(story.now_ns)
    story.told += list(story.link.records())
    assert story.results() == ["OK", "NODE_DOWN"]
    assert story.nodes() == [(0, 0), (1, 0)]
    story.link.connect(story.now_ns)
    story.run(1500)
    assert story.nodes()[2:] == [(0, 1), (1, 1)]


def test_at_the_end_they_stand_in_the_middle() -> None:
    story = Story().up()
    story.fire(LEFT_CHUTE)
    story.link.make_safe(story.now_ns)
    assert not story.link.settled
    story.run(2000)
    assert story.link.settled
    assert story.link.node_states == [SAFE, SAFE]
    assert {unit: side for _, unit, side in story.turns} == {1: None, 2: None}
    story.run(2000)
    assert story.link.node_states == [SAFE, SAFE]


def test_at_the_end_one_that_does_not_answer_is_not_proved() -> None:
    story = Story().up()
    story.fire(LEFT_CHUTE)
    story.is_heard = False
    story.link.make_safe(story.now_ns)
    story.run(4000)
    assert story.link.node_states == [UNSAFE, UNSAFE]


# Bytes


def heard(data: bytes, pieces: int = 0) -> dict[str, int]:
    link = WheelLink(wiring(), 0, RECORD)
    link.connect(0)
    for i in range(0, len(data), pieces or len(data) or 1):
        link.receive(data[i : i + (pieces or len(data))], 0)
    return {kind.name: n for kind, n in link.told.items()}


STATUS = bytes.fromhex("51 52 57 51 51 51 FE")
SPEED = bytes.fromhex("51 52 5C 51 54 3C 3C 5A 5A 5A 5A FE")


@pytest.mark.parametrize("pieces", [0, 1, 2, 5])
def test_frames_whole_glued_and_in_pieces(pieces: int) -> None:
    assert heard(3 * STATUS + SPEED + STATUS, pieces) == {"STATUS": 4, "SPEED": 1}


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"\x51" + STATUS, {"STATUS": 1, "NOISE": 1}),
        (b"\x51\x52" + STATUS, {"STATUS": 1, "NOISE": 1}),
        (STATUS[:5] + STATUS, {"STATUS": 1, "NOISE": 1}),
        (b"noise" + STATUS + b"noise" + STATUS, {"STATUS": 2, "NOISE": 2}),
        (bytes.fromhex("51 52 57 59 51 51 FE") + STATUS, {"STATUS": 1, "FOREIGN": 1}),
        (bytes.fromhex("51 52 57 51 51 54 FE") + STATUS, {"STATUS": 1, "FOREIGN": 1}),
        (bytes.fromhex("51 52 57 51 52 53 FE") + STATUS, {"STATUS": 1, "FOREIGN": 1}),
        (bytes.fromhex("51 52 57 51 53 53 FE"), {"ACK": 1, "UNASKED": 1}),
        (bytes.fromhex("51 52 57 51 53 56 FE"), {"DONE": 1}),
    ],
)
def test_what_is_no_frame_is_counted_and_the_next_is_found(data: bytes, told: dict[str, int]) -> None:
    assert heard(data) == told
    assert heard(data, 1) == told


@given(st.binary(max_size=300))
def test_garbage_is_never_fatal(data: bytes) -> None:
    assert heard(data + bytes(12) + STATUS).get("STATUS", 0) >= 1


@given(st.integers(0, 7 * 8 - 1))
def test_a_flipped_bit_costs_no_other_frame(bit: int) -> None:
    spoilt = bytearray(STATUS)
    spoilt[bit // 8] ^= 1 << bit % 8
    assert heard(STATUS + bytes(spoilt) + 2 * STATUS)["STATUS"] >= 2


def test_the_frames_of_the_paper() -> None:
    assert frame(1, COMMAND, LEFT) == bytes.fromhex("51 52 57 51 52 53 FE")
    assert frame(1, COMMAND, RIGHT) == bytes.fromhex("51 52 57 51 52 55 FE")


def test_the_twin_loses_what_comes_too_soon() -> None:
    twin = WheelsTwin([1], lambda unit, side: None)
    twin.receive(frame(1, COMMAND, RUN), 0)
    assert twin.receive(frame(1, COMMAND, LEFT), 89 * MS) == b""
    assert twin.receive(frame(1, COMMAND, LEFT), 180 * MS) == bytes.fromhex("51 52 57 51 53 53 FE")
    assert bytes.fromhex("51 52 57 51 53 56 FE") in twin.advance(300 * MS)
    assert twin.n_lost == 1
