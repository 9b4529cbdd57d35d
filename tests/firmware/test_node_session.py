"""The host's session and the node's core on one virtual time, over a line that loses, repeats and breaks."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from built import RTU_LENGTH, TCP, Node
from hypothesis import given, settings
from hypothesis import strategies as st

from hubctl.protocol import node as n
from hubctl.protocol import registers as r
from hubctl.protocol.node import Divert, DivertArmed, DivertEnded, DivertForgotten, NodeConfig, NodeSession
from hubctl.protocol.registers import NodeState, OutcomeKind, Result

MS = 1_000_000
CONFIG = NodeConfig(watchdog_ms=200, debounce_counts=(2,) * r.N_EYES, confirm_eye=(3,) + (r.NO_EYE,) * 15)
Fate = Callable[[bytes], bytes]


def intact(data: bytes) -> bytes:
    return data


def lost(data: bytes) -> bytes:
    return b""


def spoilt(data: bytes) -> bytes:
    return data[:-1] + bytes([data[-1] ^ 1]) if data else b""


class Line:
    """A session and a node, a millisecond at a time; the belt runs at 6 counts a millisecond."""

    def __init__(self, framing: int = RTU_LENGTH, *, epoch: int = 1, node: Node | None = None) -> None:
        self.node = node or Node(framing)
        self.session = NodeSession(epoch, CONFIG, rtu=framing != TCP, first_host_seq=epoch * 1000)
        self.now_ns = self.node.now_ticks * 1000
        self.there: Fate = intact
        self.back: Fate = intact
        self.events: list[n.Event] = []

    def run(self, for_ms: int = 1, counts_per_ms: int = 0) -> list[n.Event]:
        """What happened meanwhile."""
        start = len(self.events)
        for _ in range(for_ms):
            self.now_ns += MS
            self.node.now_ticks += 1000
            self.node.move(counts_per_ms)
            asked = self.session.advance(self.now_ns)
            said = self.node.step(self.there(asked)) if asked else self.node.step()
            self.session.receive(self.back(said), self.now_ns)
            self.events += self.session.events()
        return self.events[start:]

    def ready(self) -> Line:
        assert n.NodeReady(self.node.get(r.IDENTITY, "boot_id"), self.node.counts) in self.run(30)
        return self


def ended(events: list[n.Event]) -> list[tuple[int, OutcomeKind, int]]:
    return [(event.seq, event.kind, event.counts) for event in events if isinstance(event, DivertEnded)]


@pytest.mark.parametrize("framing", [TCP, RTU_LENGTH])
def test_it_identifies_takes_configures_and_verifies(framing: int) -> None:
    line = Line(framing).ready()
    assert line.session.state is NodeState.READY
    words = line.node.read(r.CONFIG)
    assert words[1:] == r.put(r.CONFIG, epoch=1, **CONFIG._asdict())[1:]


def test_a_divert_is_armed_and_fired() -> None:
    line = Line().ready()
    line.session.arm(Divert(5, 2, fire_counts=60, void_counts=64, hold=20))
    assert DivertArmed(5) in line.run(3)
    assert line.session.armed == (5,)
    events = line.run(40, counts_per_ms=6)
    assert ended(events) == [(5, OutcomeKind.FIRED, 60)]
    assert line.session.armed == ()


def test_edges_arrive_once_and_in_order() -> None:
    line = Line().ready()
    for _ in range(25):
        line.node.eyes(1)
        line.node.move(3)
        line.node.eyes(0)
        line.node.move(3)
    edges = [event for event in line.run(40) if isinstance(event, n.EdgeSeen)]
    assert edges == [n.EdgeSeen(0, at % 2 == 0, 3 * at) for at in range(50)]


def test_lost_edges_are_told() -> None:
    line = Line().ready()
    for _ in range(r.N_EDGES_MAX):
        line.node.eyes(1)
        line.node.move(3)
        line.node.eyes(0)
        line.node.move(3)
    assert n.EdgesLost(r.N_EDGES_MAX) in line.run(40)


def test_what_the_node_refuses_is_told() -> None:
    line = Line().ready()
    line.node.move(100)
    line.session.arm(Divert(1, 0, fire_counts=50, void_counts=54, hold=20))
    assert ended(line.run(20)) == [(1, OutcomeKind.REFUSED, 100)]


def test_before_it_is_ready_it_refuses_itself() -> None:
    line = Line()
    line.session.arm(Divert(1, 0, fire_counts=50, void_counts=54, hold=20))
    assert [kind for _, kind, _ in ended(line.run(20))] == [OutcomeKind.REFUSED]


def test_it_never_tells_more_than_the_node_holds() -> None:
    line = Line().ready()
    for seq in range(1, r.N_ARMED_MAX + 2):
        line.session.arm(Divert(seq, 0, fire_counts=5000, void_counts=5004, hold=20))
    events = line.run(100)
    assert ended(events)[0][:2] == (r.N_ARMED_MAX + 1, OutcomeKind.REFUSED)
    assert len(line.session.armed) == line.node.get(r.STATUS, "n_armed") == r.N_ARMED_MAX


def test_a_divert_is_changed_and_cancelled_in_place() -> None:
    line = Line().ready()
    line.session.arm(Divert(1, 0, fire_counts=500, void_counts=504, hold=20))
    line.session.arm(Divert(2, 0, fire_counts=500, void_counts=504, hold=20))
    line.run(5)
    line.session.arm(Divert(1, 4, fire_counts=600, void_counts=604, hold=20))
    line.session.cancel(2)
    events = ended(line.run(120, counts_per_ms=6))
    assert [event[:2] for event in events] == [(2, OutcomeKind.CANCELLED), (1, OutcomeKind.FIRED)]
    assert events[1][2] == 600


@pytest.mark.parametrize("way", ["there", "back"])
@pytest.mark.parametrize("fate", [lost, spoilt])
def test_a_command_without_an_answer_is_told_again_and_done_once(way: str, fate: Fate) -> None:
    line = Line().ready()
    line.session.arm(Divert(1, 0, fire_counts=60, void_counts=64, hold=20))
    setattr(line, way, fate)
    line.run(2)
    setattr(line, way, intact)
    line.run(150)
    assert ended(line.run(60, counts_per_ms=6)) == [(1, OutcomeKind.FIRED, 60)]
    assert [words for words in line.node.outcomes() if words[1] is OutcomeKind.FIRED] == []


def test_an_answer_lost_while_it_fires() -> None:
    line = Line().ready()
    line.session.arm(Divert(1, 0, fire_counts=60, void_counts=64, hold=20))
    line.back = lost
    line.run(20, counts_per_ms=6)
    line.back = intact
    assert ended(line.run(200)) == [(1, OutcomeKind.FIRED, 60)]


def test_silence_is_told_and_the_node_goes_safe() -> None:
    line = Line().ready()
    line.back = line.there = lost
    assert n.NodeSilent() in line.run(600)
    line.back = line.there = intact
    events = line.run(150)
    assert n.NodeHeard() in events
    assert n.NodeWentSafe(r.SafeReason.HOST_SILENT) in events
    line.session.clear()
    assert n.NodeCleared() in line.run(20)
    line.session.arm(Divert(1, 0, fire_counts=60, void_counts=64, hold=20))
    assert DivertArmed(1) in line.run(20)


def test_a_node_that_boots_is_begun_with_anew() -> None:
    line = Line().ready()
    line.session.arm(Divert(1, 0, fire_counts=60, void_counts=64, hold=20))
    line.run(10)
    line.node.boot(78)
    events = line.run(60, counts_per_ms=6)
    assert events[:2] == [n.NodeBooted(77, 78), DivertForgotten(1)]
    assert any(isinstance(event, n.NodeReady) for event in events)
    assert line.node.get(r.STATUS, "n_armed") == 0
    assert line.node.outputs == 0


def test_a_command_under_way_at_a_boot_is_not_done() -> None:
    line = Line().ready()
    line.node.boot(78)
    line.session.arm(Divert(1, 0, fire_counts=60, void_counts=64, hold=20))
    events = line.run(60, counts_per_ms=6)
    assert DivertForgotten(1) in events
    assert DivertArmed(1) not in events


def test_a_second_host_ends_the_first() -> None:
    line = Line().ready()
    second = Line(epoch=2, node=line.node).ready()
    assert n.Superseded() in line.run(20)
    assert line.run(50) == []
    second.now_ns = line.now_ns
    assert n.NodeSilent() not in second.run(50)


def test_a_host_that_comes_late_ends_itself() -> None:
    line = Line(epoch=2).ready()
    assert n.Superseded() in Line(epoch=1, node=line.node).run(20)


def test_what_the_host_before_left_is_not_told_to_the_next() -> None:
    line = Line().ready()
    line.node.eyes(1)
    line.node.move(5)
    second = Line(epoch=2, node=line.node).ready()
    assert second.run(30) == []


def test_no_node_of_ours() -> None:
    line = Line()
    line.back = lambda data: data and line.node.framed(bytes([3, 26]) + bytes(26))
    assert line.run(5) == [n.NodeIsForeign(0, 0)]
    assert line.session.next_deadline(line.now_ns) == 2**63 - 1


def test_lost_outcomes_are_told_and_their_diverts_forgotten() -> None:
    line = Line().ready()
    line.session.arm(Divert(1, 0, fire_counts=10, void_counts=14, hold=20))
    line.run(5)
    line.back = line.there = lost
    line.run(5, counts_per_ms=6)
    for seq in range(r.N_OUTCOMES_MAX):
        line.node.arm(seq, fire_counts=0, diverter=99)
    line.back = line.there = intact
    events = line.run(250)
    assert any(isinstance(event, n.OutcomesLost) for event in events)
    assert DivertForgotten(1) in events
    assert line.session.armed == ()


def test_a_wrong_configuration_is_told() -> None:
    line = Line()
    line.session.config = CONFIG._replace(watchdog_ms=5)
    assert n.ConfigRefused(Result.BAD_CONFIG) in line.run(20)


def test_a_new_connection_keeps_what_is_armed() -> None:
    line = Line(TCP).ready()
    line.session.arm(Divert(1, 0, fire_counts=60, void_counts=64, hold=20))
    line.run(10)
    line.session.connect()
    events = line.run(60, counts_per_ms=6)
    assert ended(events) == [(1, OutcomeKind.FIRED, 60)]


def test_the_clock_bounds_its_error() -> None:
    line = Line().ready()
    line.run(60, counts_per_ms=6)
    for _ in range(300):
        line.run(1, counts_per_ms=6)
        counts, error_counts = line.session.clock.at(line.now_ns)
        assert abs(counts - line.node.counts) <= error_counts + 6  # the belt moves 6 counts at once here
    assert error_counts < 12


@given(
    offset=st.integers(-(2**30), 2**30),
    steps=st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60)), min_size=1, max_size=50),
)
def test_the_offset_of_two_counts_is_always_within_its_bounds(
    offset: int, steps: list[tuple[int, int]]
) -> None:
    found, belt = n.CountOffset(), 2**32 - 500
    for to_other, to_after in steps:
        before, other, after = belt, belt + to_other, belt + to_other + to_after
        found.take(before=before % 2**32, other=(other - offset) % 2**32, after=after % 2**32)
        belt = after
    assert found.low <= offset <= found.high
    assert found.high - found.low <= min(sum(step) for step in steps)
    assert found.n_contradictions == 0


def test_at_standstill_the_offset_is_exact() -> None:
    found = n.CountOffset()
    found.take(before=7, other=2**32 - 3, after=7)
    assert found.is_exact
    assert found.low == 10


def test_a_pulse_lost_on_one_side_is_noticed() -> None:
    found = n.CountOffset()
    found.take(before=100, other=50, after=100)
    found.take(before=200, other=149, after=200)
    assert (found.low, found.n_contradictions) == (51, 1)


@settings(max_examples=60)
@given(
    fates=st.lists(st.sampled_from([intact, intact, intact, lost, spoilt]), min_size=1, max_size=40),
    diverts=st.lists(st.integers(0, 300), min_size=1, max_size=6),
    boots_at=st.integers(0, 120),
)
def test_each_divert_ends_once_whatever_the_line_does(
    fates: list[Fate], diverts: list[int], boots_at: int
) -> None:
    line = Line().ready()
    for seq, fire_counts in enumerate(diverts, 1):
        line.session.arm(Divert(seq, seq, fire_counts, fire_counts + 4, hold=20))
    for at, fate in enumerate(fates * 2):
        line.there, line.back = (fate, intact) if at % 2 else (intact, fate)
        line.run(2, counts_per_ms=6)
        if at == boots_at:
            line.node.boot(78)
    line.there = line.back = intact
    line.run(800, counts_per_ms=6)
    told = [seq for seq, _, _ in ended(line.events)]
    told += [event.seq for event in line.events if isinstance(event, DivertForgotten)]
    assert sorted(told) == list(range(1, len(diverts) + 1))
    fired = [(seq, counts) for seq, kind, counts in ended(line.events) if kind is OutcomeKind.FIRED]
    assert all(0 <= counts - diverts[seq - 1] <= 4 for seq, counts in fired)
