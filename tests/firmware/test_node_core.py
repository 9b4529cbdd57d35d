"""The node's core on time of our own: what it counts, latches, fires, refuses, and how it goes safe."""

from __future__ import annotations

import pytest
from built import MS, Node

from hubctl.protocol import registers as r
from hubctl.protocol.registers import Action, Command, HoldUnit, NodeState, OutcomeKind, Result, SafeReason

FORWARD = (1, 3, 2, 0)


def state(node: Node) -> tuple[NodeState, SafeReason]:
    words = node.read(r.STATUS)
    return NodeState(r.get(r.STATUS, words, "state")), SafeReason(r.get(r.STATUS, words, "safe_reason"))


# Encoder


def test_each_change_of_a_line_is_a_count(node: Node) -> None:
    node.encoder(*FORWARD, *FORWARD)
    assert node.counts == 8
    node.encoder(2, 3, 1)
    assert node.counts == 5


def test_both_lines_at_once_are_a_fault_and_no_count(node: Node) -> None:
    node.encoder(3)
    assert (node.counts, node.get(r.STATUS, "encoder_faults")) == (0, 1)


def test_pulses_with_direction(node: Node) -> None:
    node.take()
    node.configure(encoder_mode=r.EncoderMode.PULSE_DIRECTION)
    node.encoder(1, 0, 1, 0, 1, 2, 3)
    assert node.counts == 2


def test_pulses_alone(node: Node) -> None:
    node.take()
    node.configure(encoder_mode=r.EncoderMode.PULSE)
    node.encoder(1, 0, 3, 2, 1)
    assert node.counts == 3


@pytest.mark.parametrize("direction", [1, -1])
def test_speed(node: Node, direction: int) -> None:
    for _ in range(60):
        node.move(6 * direction, after_ticks=MS)
        node.step()
    assert node.get(r.STATUS, "speed") == 6000 * direction % 2**32


# Eyes


def test_an_edge_is_latched_where_it_began(ready: Node) -> None:
    ready.configure(debounce_counts=(3,) * r.N_EYES)
    ready.move(10)
    ready.eyes(1 << 5)
    ready.move(2)
    assert ready.edges() == []
    ready.move(1)
    assert ready.edges() == [(5, True, 10)]
    assert ready.get(r.STATUS, "eyes") == 1 << 5


def test_a_bounce_is_no_edge(ready: Node) -> None:
    ready.configure(debounce_counts=(3,) * r.N_EYES)
    for lines in (1, 0, 1, 0):
        ready.eyes(lines)
        ready.move(2)
    assert ready.edges() == []


def test_without_debounce_an_edge_needs_no_belt(ready: Node) -> None:
    ready.eyes(1)
    ready.eyes(0)
    assert ready.edges() == [(0, True, 0), (0, False, 0)]


def test_what_is_taken_is_shown_no_more(ready: Node) -> None:
    for _ in range(10):
        ready.eyes(1)
        ready.eyes(0)
    assert ready.get(r.EDGES, "n_kept") == 20
    ready.write(r.POLL, epoch=1, edges_taken=18)
    words = ready.read(r.EDGES)
    assert (r.get(r.EDGES, words, "first"), r.get(r.EDGES, words, "n_kept")) == (18, 2)
    ready.write(r.POLL, epoch=1, edges_taken=40)
    assert ready.get(r.EDGES, "n_kept") == 2


def test_a_full_ring_loses_the_oldest_and_says_so(ready: Node) -> None:
    for count in range(r.N_EDGES_MAX + 6):
        ready.eyes(count % 2 ^ 1)
        ready.move(1)
    words = ready.read(r.EDGES)
    assert [r.get(r.EDGES, words, name) for name in ("first", "n_kept", "n_lost")] == [6, r.N_EDGES_MAX, 6]
    assert ready.edges()[0] == (0, True, 6)


# Diverts


def test_a_divert_fires_at_its_count(ready: Node) -> None:
    assert ready.arm(1, fire_counts=40, diverter=3, hold=10) is Result.OK
    ready.move(39)
    assert ready.outputs == 0
    ready.move(1)
    assert ready.outputs == 1 << 3
    assert ready.outcomes() == [(1, OutcomeKind.FIRED, Result.OK, 40)]
    ready.move(9)
    assert ready.outputs == 1 << 3
    ready.move(1)
    assert ready.outputs == 0


def test_a_hold_in_ms_does_not_wait_for_the_belt(ready: Node) -> None:
    ready.arm(1, fire_counts=1, hold=20, hold_unit=HoldUnit.MS)
    ready.move(1)
    ready.step(after_ticks=20 * MS - 1)
    assert ready.outputs == 1
    ready.step(after_ticks=1)
    assert ready.outputs == 0


def test_on_and_off(ready: Node) -> None:
    ready.arm(1, fire_counts=1, action=Action.ON, hold=0)
    ready.arm(2, fire_counts=5, action=Action.OFF, hold=0)
    ready.move(4)
    assert ready.outputs == 1
    ready.move(1)
    assert ready.outputs == 0


def test_past_its_void_count_it_is_not_fired(ready: Node) -> None:
    ready.arm(1, fire_counts=40, void_counts=44)
    ready.arm(2, fire_counts=40, void_counts=45)
    ready.jump(45)
    assert sorted(ready.outcomes()) == [
        (1, OutcomeKind.VOID, Result.LATE, 45),
        (2, OutcomeKind.FIRED, Result.OK, 45),
    ]


def test_told_too_late_it_is_refused(ready: Node) -> None:
    ready.move(50)
    assert ready.arm(1, fire_counts=40, void_counts=49) is Result.LATE
    assert ready.outcomes() == [(1, OutcomeKind.REFUSED, Result.LATE, 50)]
    assert ready.outputs == 0


def test_told_within_its_window_it_fires_at_once(ready: Node) -> None:
    ready.move(50)
    assert ready.arm(1, fire_counts=48, void_counts=50) is Result.OK
    assert ready.outcomes() == [(1, OutcomeKind.FIRED, Result.OK, 50)]


def test_the_same_number_is_armed_anew_in_its_place(ready: Node) -> None:
    ready.arm(1, fire_counts=40, diverter=3)
    assert ready.arm(1, fire_counts=60, diverter=4) is Result.OK
    assert ready.get(r.STATUS, "n_armed") == 1
    ready.move(60)
    assert ready.outcomes() == [(1, OutcomeKind.FIRED, Result.OK, 60)]
    assert ready.outputs == 1 << 4


def test_what_was_fired_is_not_fired_again(ready: Node) -> None:
    ready.arm(1, fire_counts=10)
    ready.move(10)
    assert ready.arm(1, fire_counts=20) is Result.OLD_SEQ
    ready.move(20)
    assert [outcome[1] for outcome in ready.outcomes()] == [OutcomeKind.FIRED, OutcomeKind.REFUSED]


def test_a_refused_change_leaves_it_as_it_was(ready: Node) -> None:
    ready.arm(1, fire_counts=40)
    assert ready.arm(1, fire_counts=60, diverter=16) is Result.BAD_DIVERTER
    ready.move(40)
    assert (1, OutcomeKind.FIRED, Result.OK, 40) in ready.outcomes()


def test_told_anew_too_late_it_is_over(ready: Node) -> None:
    ready.move(50)
    ready.arm(1, fire_counts=80)
    assert ready.arm(1, fire_counts=30, void_counts=35) is Result.LATE
    ready.move(50)
    assert ready.outcomes() == [(1, OutcomeKind.REFUSED, Result.LATE, 50)]
    assert ready.outputs == 0


def test_a_cancelled_divert_does_not_fire(ready: Node) -> None:
    ready.arm(1, fire_counts=40)
    assert ready.command(Command.CANCEL, seq=1) is Result.OK
    assert ready.command(Command.CANCEL, seq=1) is Result.NOT_ARMED
    ready.move(50)
    assert ready.outcomes() == [(1, OutcomeKind.CANCELLED, Result.OK, 0)]


def test_a_full_ring_refuses(ready: Node) -> None:
    for seq in range(1, r.N_ARMED_MAX + 1):
        assert ready.arm(seq, fire_counts=100) is Result.OK
    assert ready.arm(99, fire_counts=100) is Result.FULL
    assert ready.arm(1, fire_counts=100) is Result.OK


@pytest.mark.parametrize(
    ("values", "result"),
    [
        ({"diverter": 16}, Result.BAD_DIVERTER),
        ({"diverter": 256}, Result.BAD_COMMAND),
        ({"action": 0}, Result.BAD_ACTION),
        ({"action": 4}, Result.BAD_ACTION),
        ({"hold": 0}, Result.BAD_HOLD),
        ({"action": Action.ON, "hold": 1}, Result.BAD_HOLD),
        ({"hold_unit": 2}, Result.BAD_HOLD),
        ({"void_counts": 99}, Result.BAD_COUNTS),
        ({"void_counts": 101 + r.VOID_COUNTS_MAX}, Result.BAD_COUNTS),
        ({"seq": 0}, Result.OLD_SEQ),
    ],
)
def test_what_makes_no_sense_is_refused(ready: Node, values: dict[str, int], result: Result) -> None:
    assert ready.arm(**{"seq": 1, "fire_counts": 100, **values}) is result
    assert ready.get(r.STATUS, "n_armed") == 0


def test_counts_far_ahead_are_refused(ready: Node) -> None:
    assert ready.arm(1, fire_counts=r.FIRE_AHEAD_COUNTS_MAX + 1) is Result.BAD_COUNTS


def test_the_counter_wraps_and_nobody_notices(ready: Node) -> None:
    ready.jump(-30)
    assert ready.counts == 2**32 - 30
    assert ready.arm(1, fire_counts=10, void_counts=14) is Result.OK
    ready.move(39)
    assert ready.outputs == 0
    ready.move(1)
    assert ready.outcomes() == [(1, OutcomeKind.FIRED, Result.OK, 10)]


def test_its_eye_confirms(ready: Node) -> None:
    ready.configure(confirm_eye=(7,) + (r.NO_EYE,) * 15, confirm_counts=(20,) * 16)
    ready.arm(1, fire_counts=10)
    ready.arm(2, fire_counts=15)
    ready.move(25)
    ready.eyes(1 << 7)
    ready.eyes(0)
    ready.move(11)
    ready.eyes(1 << 7)
    assert ready.outcomes()[2:] == [(1, OutcomeKind.CONFIRMED, Result.OK, 25)]


# Hosts


def test_before_it_is_taken_nothing_is_armed(node: Node) -> None:
    assert node.arm(1, fire_counts=10) is Result.NOT_TAKEN
    node.take()
    assert node.arm(1, fire_counts=10) is Result.NO_WATCHDOG
    assert node.outcomes() == [(1, OutcomeKind.REFUSED, Result.NO_WATCHDOG, 0)]


def test_an_old_host_is_refused(ready: Node) -> None:
    ready.arm(1, fire_counts=100)
    assert ready.take(epoch=2) is Result.OK
    assert ready.outcomes() == []
    assert ready.get(r.STATUS, "n_armed") == 0
    for result in (ready.take(epoch=1), ready.arm(2, 100), ready.configure(), ready.write(r.POLL, epoch=1)):
        assert result is Result.OLD_EPOCH


def test_a_new_host_arms_the_watchdog_again(ready: Node) -> None:
    ready.take(epoch=2)
    assert ready.arm(1, fire_counts=100, epoch=2) is Result.NO_WATCHDOG
    ready.configure(epoch=2)
    assert ready.arm(1, fire_counts=100, epoch=2) is Result.OK


def test_taking_it_twice_changes_nothing(ready: Node) -> None:
    ready.arm(1, fire_counts=100)
    assert ready.take(epoch=1) is Result.OK
    assert ready.get(r.STATUS, "n_armed") == 1


def test_who_knows_another_boot_does_not_get_it(node: Node) -> None:
    assert node.command(Command.TAKE, seq=78) is Result.WRONG_BOOT
    node.take()
    node.boot(78)
    assert node.arm(1, fire_counts=10) is Result.NOT_TAKEN


@pytest.mark.parametrize(
    "values", [{"watchdog_ms": 9}, {"watchdog_ms": 60_001}, {"encoder_mode": 3}, {"confirm_eye": (16,) * 16}]
)
def test_a_wrong_configuration_is_refused_whole(
    ready: Node, values: dict[str, int | tuple[int, ...]]
) -> None:
    before = ready.read(r.CONFIG)
    assert ready.configure(**values) is Result.BAD_CONFIG
    assert ready.read(r.CONFIG) == before


# Safe state


def test_a_silent_host_is_missed(ready: Node) -> None:
    ready.configure(safe_outputs=0b101)
    ready.arm(1, fire_counts=100)
    ready.step(after_ticks=1000 * MS - 1)
    assert state(ready) == (NodeState.READY, SafeReason.NONE)
    ready.step(after_ticks=1)
    assert state(ready) == (NodeState.SAFE, SafeReason.HOST_SILENT)
    assert ready.outputs == 0b101
    assert ready.outcomes() == [(1, OutcomeKind.CANCELLED, Result.IS_SAFE, 0)]


def test_it_is_safe_until_somebody_clears_it(ready: Node) -> None:
    ready.step(after_ticks=1000 * MS)
    ready.move(50)
    ready.eyes(1)
    assert (ready.counts, ready.edges()) == (50, [(0, True, 50)])
    assert ready.arm(1, fire_counts=100) is Result.IS_SAFE
    assert ready.write(r.POLL, epoch=1) is Result.OK
    assert state(ready)[0] is NodeState.SAFE
    assert ready.command(Command.CLEAR) is Result.OK
    assert state(ready) == (NodeState.READY, SafeReason.NONE)
    assert ready.arm(2, fire_counts=100) is Result.OK


def test_each_block_is_a_heartbeat(ready: Node) -> None:
    for _ in range(5):
        ready.now_ticks += 900 * MS
        assert ready.write(r.POLL, epoch=1) is Result.OK
    assert state(ready)[0] is NodeState.READY


def test_what_an_old_host_writes_is_no_heartbeat(ready: Node) -> None:
    ready.take(epoch=2)
    ready.configure(epoch=2)
    ready.now_ticks += 900 * MS
    ready.write(r.POLL, epoch=1)
    ready.step(after_ticks=100 * MS)
    assert state(ready)[0] is NodeState.SAFE


def test_another_host_finds_it_safe(ready: Node) -> None:
    ready.command(Command.MAKE_SAFE)
    assert state(ready) == (NodeState.SAFE, SafeReason.ASKED)
    ready.take(epoch=2)
    ready.configure(epoch=2)
    assert ready.arm(1, fire_counts=10, epoch=2) is Result.IS_SAFE
    ready.command(Command.CLEAR, epoch=2)
    assert ready.arm(1, fire_counts=10, epoch=2) is Result.OK


def test_ticks_wrap_and_the_watchdog_goes_on() -> None:
    node = Node(now_ticks=2**32 - 500 * MS)
    node.take()
    node.configure()
    node.step(after_ticks=999 * MS)
    assert state(node)[0] is NodeState.READY
    node.step(after_ticks=1 * MS)
    assert state(node)[0] is NodeState.SAFE
