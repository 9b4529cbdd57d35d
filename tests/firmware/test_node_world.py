"""The simulated world around a node: what is told to it happens at its count, and what it says is understood."""

from __future__ import annotations

import ctypes

import pytest
from built import Node
from hypothesis import given
from hypothesis import strategies as st

from hubctl.protocol import nodeworld as w
from hubctl.protocol import registers as r
from hubctl.protocol.registers import Action

S = 1_000_000


class World:
    """A node in its world, on time of our own."""

    def __init__(self, now_ticks: int = 0) -> None:
        self.node = Node(now_ticks=now_ticks)
        self.lib = self.node.lib
        self.memory = ctypes.create_string_buffer(self.lib.world_size())
        self.lib.world_init(self.memory, self.node.memory, self.node.ticks)
        self.line = w.WorldLine()
        assert self.said() == [w.WorldBooted(77)]
        assert self.node.take() is r.Result.OK
        assert self.node.configure(watchdog_ms=60_000) is r.Result.OK

    def tell(self, *told: bytes) -> list[w.WorldEvent]:
        for data in told:
            self.lib.world_receive(self.memory, self.node.ticks, data, len(data))
        return self.said()

    def after(self, ticks: int) -> list[w.WorldEvent]:
        self.node.now_ticks += ticks
        self.lib.world_advance(self.memory, self.node.ticks)
        return self.said()

    def said(self) -> list[w.WorldEvent]:
        out = ctypes.create_string_buffer(512)
        n = self.lib.world_take_said(self.memory, out)
        return self.line.receive(out.raw[:n])

    def rest(self, most_ticks: int) -> int:
        return int(self.lib.world_rest_ticks(self.memory, self.node.ticks, most_ticks))


@pytest.fixture
def world() -> World:
    return World()


@pytest.mark.parametrize("speed", [6000, 7, -6000, 333_333])
@pytest.mark.parametrize("now_ticks", [0, 2**32 - S])
def test_the_belt_keeps_its_speed(speed: int, now_ticks: int) -> None:
    world = World(now_ticks)
    world.tell(w.run_belt(speed))
    for _ in range(2000):
        world.after(5 * S // 1000)
    assert world.node.counts == 10 * speed % 2**32


def test_no_pulse_is_lost_by_looking_often(world: World) -> None:
    world.tell(w.run_belt(6000))
    for _ in range(3000):
        world.after(77)
    assert world.node.counts == 3000 * 77 * 6000 // S


def test_edges_and_outputs_have_their_counts(world: World) -> None:
    world.tell(w.plan_edge(4, False, 90), w.plan_edge(4, True, 60), w.run_belt(6000))
    world.node.arm(1, fire_counts=75, action=Action.PULSE, hold=10)
    events = world.after(20_000)
    assert world.node.edges() == [(4, True, 60), (4, False, 90)]
    assert [(e.is_on, e.counts) for e in events if isinstance(e, w.OutputChanged)] == [
        (True, 75),
        (False, 85),
    ]


def test_what_is_told_too_late_is_said(world: World) -> None:
    world.tell(w.move_belt(50))
    assert world.tell(w.plan_edge(4, True, 40)) == [w.EdgeWasLate(4, 50)]
    assert world.node.edges() == [(4, True, 50)]


def test_it_sleeps_until_something_is_due(world: World) -> None:
    assert world.rest(2000) == 2000
    world.tell(w.run_belt(6000))
    assert world.rest(2000) == 2000
    world.node.arm(1, fire_counts=6)
    assert world.rest(2000) == 1000
    world.tell(w.plan_edge(4, True, 3))
    assert world.rest(2000) == 500
    assert world.after(500) == []
    assert world.node.counts == 3


def test_pulses_without_direction(world: World) -> None:
    world.node.configure(watchdog_ms=60_000, encoder_mode=r.EncoderMode.PULSE)
    world.tell(w.move_belt(25))
    assert world.node.counts == 25


def test_it_counts_on_from_where_it_is_told(world: World) -> None:
    assert world.tell(w.set_counts(-5), w.move_belt(7), w.ask_belt()) == [w.BeltIsAt(2, 0)]


def test_so_many_edges_ahead(world: World) -> None:
    told = [w.plan_edge(0, True, 100 + at) for at in range(33)]
    assert [world.tell(line) for line in told] == [[]] * 32 + [[w.NotFollowed()]]


@pytest.mark.parametrize(
    "line",
    [b"", b"z", b"v", b"v x", b"v 1 2", b"e 16 1 5", b"e 1 2 5", b"i 1", b"q 1", b"b 1", b"v  1", b"p" * 60],
)
def test_what_makes_no_sense_is_said(world: World, line: bytes) -> None:
    assert world.tell(line + b"\n") == [w.NotFollowed()]


@given(st.lists(st.one_of(st.binary(max_size=80), st.sampled_from([b"\n", w.ask_belt(), w.run_belt(9)]))))
def test_no_bytes_are_too_much(pieces: list[bytes]) -> None:
    world = World()
    world.tell(*pieces)
    world.after(1000)
    assert world.node.is_within_its_memory


@given(st.binary())
def test_whatever_is_heard_is_an_event(data: bytes) -> None:
    line = w.WorldLine()
    assert len(line.receive(data)) == data.count(b"\n")
