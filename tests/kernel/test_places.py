"""Every parcel in flight keeps one place in one chute, and gives it back once, whatever befalls it."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from any_input import any_input
from hypothesis import given, settings
from hypothesis import strategies as st
from line_hub import MS, label, layout, names, nodes_up, plan, read, records

from hubctl._kernel import Kernel
from hubctl.core.events import ChuteState, Flag, Kind, Reason, Records


def kernel(hub: str = "line") -> Kernel:
    made = Kernel(layout(hub), plan(hub, hub))
    made.step(0, records(*nodes_up(2)))
    return made


def loads(made: Kernel) -> list[tuple[int, int]]:
    return [(held, booked) for held, booked, _ in made.chute_loads().tolist()]


@given(st.lists(st.lists(any_input, max_size=6), max_size=30))
@settings(max_examples=150, deadline=None)
def test_places_kept_are_those_of_parcels_in_flight(story: list[list[dict[str, Any]]]) -> None:
    """Impossible stories: never below zero, never more than there are parcels, none once all are gone."""
    made = kernel("limits")
    for k, rows in enumerate(story):
        made.step(k * 100 * MS, records(*rows))
        booked = [n for _, n in loads(made)]
        assert min(booked) >= 0
        assert sum(booked) == made.n_open
    made.step(4000 * MS, records({"kind": Kind.FLUSH}))
    assert made.n_open == 0
    assert {n for _, n in loads(made)} == {0}


class Line:
    """The line hub with limits, its belt running at 1 count a ms."""

    def __init__(self) -> None:
        self.kernel = kernel("limits")
        self.now_ms = 0
        self.later: defaultdict[int, list[dict[str, Any]]] = defaultdict(list)

    def run(self, until_ms: int) -> None:
        while self.now_ms < until_ms:
            self.now_ms += 10
            self._obey(self.tell({"kind": Kind.ENCODER, "counts": self.now_ms}))
            for row in self.later.pop(self.now_ms, []):
                self.tell(row)

    def _obey(self, said: Records) -> None:
        """Fires, and 350 ms later the parcel is in its chute."""
        for fire in said[said["kind"] == Kind.FIRE_OUTPUT]:
            chute = {"chute": fire["chute"]}
            self.tell({"kind": Kind.FIRE_RESULT, **chute, "seq": fire["seq"], "reason": Reason.OK})
            self.later[self.now_ms + 350].append({"kind": Kind.CONFIRM, **chute, "value": 1})

    def tell(self, row: dict[str, Any]) -> Records:
        return self.kernel.step(self.now_ms * MS, records({**row, "t_ns": self.now_ms * MS}))

    def induct(self, zip_code: str, serial: int) -> Records:
        """One more parcel of 200 mm, and what is said to its read."""
        self.run(-(-self.now_ms // 10) * 10)
        for value, run_ms in ((1, 200), (0, 350)):
            edge = {"kind": Kind.EYE, "value": value}
            self.later[self.now_ms + 1300].append({**edge, "device": 1})
            self.later[self.now_ms + 2900].append({**edge, "device": 2})
            self.tell({**edge, "counts": self.now_ms, "flags": Flag.LATCHED})
            self.run(self.now_ms + run_ms)
        return self.tell(read(0, label(zip_code, serial), self.now_ms * MS))


def chosen(said: Records) -> str:
    row = said[said["kind"] == Kind.DECIDED][-1]
    return names("limits").chutes[row["chute"]] if row["reason"] == Reason.OK else Reason(row["reason"]).name


POLICIES = {"3": ["C3", "C4", "BARE"], "8": ["C3", "BARE"], "9": ["C3", "BARE"]}
WEIGHTS = {"8": {"C3": 2, "BARE": 1}, "9": {"C3": 1, "BARE": 1}}


@given(st.lists(st.sampled_from(["3", "8", "9"]), min_size=1, max_size=5), st.booleans())
@settings(max_examples=60, deadline=None)
def test_policies_choose_as_a_slow_model_does(lanes: list[str], is_closed: bool) -> None:
    """Turns go round; the fewest in it and on their way, by weight; the plan's order where they are equal."""
    line = Line()
    closed = {"C4"} if is_closed else set()
    for name in closed:
        index = names("limits").chutes.index(name)
        line.tell({"kind": Kind.OPERATE, "chute": index, "value": ChuteState.CLOSED})
    held = dict.fromkeys(("C3", "C4", "BARE"), 0)
    turn, n_max = 0, {"C4": 1}  # of C4's two places the last is kept for priority
    for k, lane in enumerate(lanes):
        open_ones = [
            name for name in POLICIES[lane] if name not in closed and held[name] < n_max.get(name, len(lanes))
        ]
        if lane == "3":
            ring = POLICIES[lane][turn:] + POLICIES[lane][:turn]
            expected = next(name for name in ring if name in open_ones)
            turn = (POLICIES[lane].index(expected) + 1) % 3
        else:
            expected = min(open_ones, key=lambda name: held[name] * 1_048_576 // WEIGHTS[lane][name])
        held[expected] += 1
        assert chosen(line.induct(lane, 10 * k)) == expected


@given(st.lists(st.integers(1, 4000), min_size=1, max_size=12))
@settings(max_examples=60, deadline=None)
def test_no_period_sees_more_than_the_rate(gaps_ms: list[int]) -> None:
    """C2 takes one parcel in 8 s: two that it is chosen for are never closer, and after 9 s one is taken again."""
    line = Line()
    last_ms = -(10**6)
    for k, gap_ms in enumerate(gaps_ms):
        line.run(line.now_ms + gap_ms)
        if chosen(line.induct("2", 10 * k)) == "C2":
            assert line.now_ms - last_ms > 8000
            last_ms = line.now_ms
        else:
            assert line.now_ms - last_ms <= 9000


def test_what_lands_in_a_chute_is_in_it_until_it_is_emptied() -> None:
    line = Line()
    line.induct("2", 0)
    assert loads(line.kernel)[1] == (0, 1)
    line.run(2500)
    assert loads(line.kernel)[1] == (1, 0)
    line.tell({"kind": Kind.OPERATE, "chute": 1, "value": ChuteState.OPEN})
    assert loads(line.kernel)[1] == (0, 0)
