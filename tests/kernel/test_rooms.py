"""Groups' policies, limits, reserves and rates, by a slow model: which chute, and why each one before was not it."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from line_hub import MS, label, layout, names, nodes_up, plan, read, records
from slow_model import GroupModel, RoomModel, choose_room

from hubctl._kernel import Kernel
from hubctl.core.events import ChuteState, Flag, Kind, Reason, Records

FAR = 1_000_000  # counts to the diverters: nobody gets there
AT_MM = {"C1": 2000, "C2": 2000, "C3": 2500, "C4": 3600, "BARE": 3600}
REST_MS = 600  # from one parcel's read to the next parcel
PRIORITY = {"1": 3, "4": 9}


def chains() -> dict[str, list[GroupModel]]:
    """The lanes of `policies.plan.toml`, by the digit of their ZIP codes."""
    own = {
        "1": GroupModel("first-open", ["C3", "C1", "C2"]),
        "2": GroupModel("nearest", ["C4", "C3", "C1"]),
        "3": GroupModel("round-robin", ["C1", "C2", "C3", "C4"]),
        "4": GroupModel("least-filled", ["C4", "C2", "C1"]),
        "5": GroupModel("balance", ["C1", "C3", "C4"], {"C1": 3, "C3": 1, "C4": 2}),
    }
    return {lane: [group, GroupModel("first-open", ["BARE"])] for lane, group in own.items()}


limits = st.fixed_dictionaries(
    {
        "n_max": st.integers(0, 5),
        "n_kept": st.integers(0, 2),
        "again_percent": st.sampled_from([50, 75, 100]),
        "rate_n": st.sampled_from([0, 0, 1, 2, 3]),
        "rate_mm": st.sampled_from([0, 0, 300, 700]),
        "period_ms": st.sampled_from([800, 4000, 8000]),
    }
)
parcels = st.tuples(st.just("parcel"), st.sampled_from("12345"), st.integers(50, 400))
offs = st.tuples(st.just("off"), st.integers(0, 20), st.just(0))
words = st.tuples(st.just("operate"), st.sampled_from(list(AT_MM)), st.integers(0, 1))
waits = st.tuples(st.just("wait"), st.just(0), st.integers(1, 3000))
stories = st.lists(st.one_of(parcels, parcels, parcels, offs, words, waits), min_size=1, max_size=25)


class Line:
    """The line with its diverters far away, its belt running at 1 count a ms."""

    def __init__(self, rooms: dict[str, RoomModel]) -> None:
        made = layout()
        for table, key in (("eyes", "at_counts"), ("diverters", "at_counts"), ("belts", "length_counts")):
            rows = getattr(made, table)
            rows[key] += FAR * (rows[key] > 1000)
        for name, room in rooms.items():
            row = made.chutes[names().chutes.index(name)]
            row["count_max"], row["n_kept"], row["open_again_percent"] = (
                room.n_max,
                room.n_kept,
                room.again_percent,
            )
            row["rate_parcels"], row["rate_mm"] = room.rate_n, room.rate_mm
            row["rate_period_ns"] = room.period_ms * MS
        self.kernel = Kernel(made, plan("policies"))
        self.now_ms = 0
        self.tell(*nodes_up(2))

    def tell(self, *rows: dict[str, Any]) -> Records:
        sample = {"kind": Kind.ENCODER, "counts": self.now_ms}
        told = ({**row, "t_ns": self.now_ms * MS} for row in (sample, *rows))
        return self.kernel.step(self.now_ms * MS, records(*told))

    def run(self, ms: int) -> None:
        until_ms = self.now_ms + ms
        while self.now_ms < until_ms:
            self.now_ms = min(self.now_ms + 50, until_ms)
            self.tell()

    def induct(self, lane: str, length_mm: int, serial: int) -> Records:
        """One more parcel, its trailing edge and its read, all within its own length and a gap."""
        for value, ms in ((1, length_mm), (0, 450 - length_mm // 2)):
            self.tell({"kind": Kind.EYE, "value": value, "counts": self.now_ms, "flags": Flag.LATCHED})
            self.run(ms)
        said = self.tell(read(0, label(lane, serial), 0))
        self.run(REST_MS)
        return said


def pairs(said: Records, kind: Kind) -> list[tuple[str, str]]:
    rows = said[said["kind"] == kind]
    return [(names().chutes[row["chute"]], Reason(row["reason"]).name) for row in rows]


class Both:
    """The compiled kernel and the slow model, told the same."""

    def __init__(self, rooms: dict[str, RoomModel]) -> None:
        self.rooms = rooms
        self.line = Line(rooms)
        self.lanes = chains()
        self.going: dict[int, str] = {}
        self.n_parcels = 0
        self.said: list[Any] = []  # of each parcel: who was passed over, and where it goes
        self.modelled: list[Any] = []

    def parcel(self, lane: str, length_mm: int) -> None:
        self.n_parcels += 1
        said = self.line.induct(lane, length_mm, self.n_parcels)
        now_ms = self.line.now_ms - REST_MS
        skipped, taken, reason = choose_room(
            self.lanes[lane], self.rooms, AT_MM, now_ms, PRIORITY.get(lane, 0), length_mm
        )
        self.said.append((pairs(said, Kind.SKIPPED), pairs(said, Kind.DECIDED)))
        self.modelled.append((skipped, [(taken, reason)]))
        if taken in self.rooms:
            self.rooms[taken].take(now_ms, self.n_parcels, length_mm)
            self.going[self.n_parcels] = taken

    def off(self, parcel: int, _: int) -> None:
        if parcel in self.going:
            self.line.tell({"kind": Kind.TAKE_OFF, "parcel": parcel})
            self.rooms[self.going.pop(parcel)].lose(parcel)

    def operate(self, chute: str, is_open: int) -> None:
        state = ChuteState.OPEN if is_open else ChuteState.CLOSED
        self.line.tell({"kind": Kind.OPERATE, "chute": names().chutes.index(chute), "value": state})
        self.rooms[chute].is_open = bool(is_open)

    def wait(self, _: int, ms: int) -> None:
        self.line.run(ms)


@given(st.fixed_dictionaries(dict.fromkeys(AT_MM, limits)), stories)
@settings(max_examples=100, deadline=None)
def test_every_policy_and_limit_as_a_slow_model_has_it(
    drawn: dict[str, dict[str, int]], story: list[tuple[str, Any, int]]
) -> None:
    both = Both({name: RoomModel(**values) for name, values in drawn.items()})
    for what, which, number in story:
        getattr(both, what)(which, number)
    assert both.said == both.modelled
