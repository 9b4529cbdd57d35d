"""One parcel of a line is taken off, put on, slips or is not diverted: nobody else goes wrong, whatever the gaps."""

from __future__ import annotations

from typing import NamedTuple

from golden import Stage, Story
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

END = "END"
CHUTES = {
    "1": {"C1", "C2", "C3"},
    "2": {"C2"},
    "3": {"C3"},
    "4": {"C4"},
    "5": {"BARE"},
}  # of each lane, overflow too
DIVERTERS = {"1": "D1", "2": "D1", "3": "D2", "4": "D3", "5": "D3"}
INDUCT_MM = 100


class Parcel(NamedTuple):
    """One of the line: the gap before it, its length, the lane of its label."""

    gap_mm: int
    length_mm: int
    lane: str

    @property
    def pitch_mm(self) -> int:
        return self.gap_mm + self.length_mm


class Happening(NamedTuple):
    """What befalls one of them, or its diverter, when its leading edge is between the induct eye and the next."""

    what: str
    who: int
    at_mm: int
    by_mm: int


def lines_with(gaps_mm: st.SearchStrategy[int]) -> st.SearchStrategy[list[Parcel]]:
    parcels = st.builds(Parcel, gaps_mm, st.integers(120, 400), st.sampled_from("12345"))
    return st.lists(parcels, min_size=3, max_size=5)


happenings = st.builds(
    Happening,
    st.sampled_from(["take", "put", "slip", "sticks"]),
    st.integers(0, 6),
    st.integers(600, 1200),
    st.integers(-250, 250),
)


def starts_of(line: list[Parcel]) -> list[int]:
    """When each leading edge is at the induct eye, ms."""
    at, starts = 1000, []
    for parcel in line:
        at += parcel.gap_mm
        starts.append(at)
        at += parcel.length_mm
    return starts


def room_for(line: list[Parcel], happening: Happening) -> int:
    """How far it can slip before it touches a neighbour, mm, with its sign."""
    k, by_mm = happening.who, happening.by_mm
    ahead_mm = line[k].gap_mm if k > 0 else 250
    behind_mm = line[k + 1].gap_mm if k + 1 < len(line) else 250
    return max(-behind_mm + 30, min(ahead_mm - 30, by_mm))


def words_of(line: list[Parcel], happening: Happening) -> list[str]:
    if happening.what == "take":
        return ["take", f"P{happening.who}"]
    if happening.what == "sticks":
        return ["sticks", DIVERTERS[line[happening.who].lane]]
    if happening.what == "slip":
        return ["slip", f"P{happening.who}", str(room_for(line, happening))]
    gap_mm, length_mm = line[happening.who].gap_mm, line[happening.who].length_mm
    return ["put", "X", str(length_mm), str(happening.at_mm + (gap_mm + length_mm) // 2), "zip:1"]


def landed(line: list[Parcel], happening: Happening | None, realign_mm: int) -> dict[str, str]:
    """The chute in which each parcel came to lie."""
    starts = starts_of(line)
    script = [
        (at, ["parcel", f"P{k}", str(parcel.length_mm), f"zip:{parcel.lane}#{k}"])
        for k, (at, parcel) in enumerate(zip(starts, line, strict=True))
    ]
    if happening is not None:
        at_ms = starts[happening.who] + happening.at_mm - INDUCT_MM
        script.append((at_ms, words_of(line, happening)))
    script.append((starts[-1] + 6000, ["end"]))
    head = {"hub": ["line", f"realign={realign_mm}"], "plan": ["line"]}
    stage = Stage(Story("", head, script, ""))
    stage.perform(script)
    assert stage.kernel.n_open == 0
    return stage.belt.landed


def fits(line: list[Parcel], happening: Happening) -> Happening:
    """One that can be: somebody of the line, and for what is put on a gap of its own length."""
    k = happening.who % len(line)
    what = happening.what
    if what == "put" and (k == 0 or line[k].gap_mm < line[k].length_mm + 60):
        what = "slip"
    return happening._replace(who=k, what=what)


@given(lines_with(st.integers(60, 500)), happenings, st.sampled_from([0, 300]))
@settings(max_examples=20, deadline=None)
def test_nobody_lands_in_a_chute_that_is_not_his(
    line: list[Parcel], happening: Happening, realign_mm: int
) -> None:
    happening = fits(line, happening)
    for name, chute in landed(line, happening, realign_mm).items():
        own = set() if name == "X" else CHUTES[line[int(name[1:])].lane]
        assert chute in own | {END}, name


@given(lines_with(st.integers(350, 600)), happenings, st.sampled_from([0, 300]))
@example([Parcel(350, n, "1") for n in (202, 135, 240)], Happening("take", 0, 600, -184), 300)
@example([Parcel(400, n, "1") for n in (202, 120, 120)], Happening("take", 0, 600, 0), 300)
@example([Parcel(350, n, "1") for n in (202, 120, 120)], Happening("slip", 0, 600, 51), 0)
@settings(max_examples=8, deadline=None)
def test_those_who_are_no_neighbours_land_where_they_would_have(
    line: list[Parcel], happening: Happening, realign_mm: int
) -> None:
    """With gaps so wide that nobody waits for a paddle that moves for another."""
    assume(happening.what != "sticks")
    happening = fits(line, happening)
    before, after = landed(line, None, realign_mm), landed(line, happening, realign_mm)
    for k in range(len(line)):
        if abs(k - happening.who) > 1:
            assert after[f"P{k}"] == before[f"P{k}"]


def test_known_again_is_sorted_and_otherwise_not() -> None:
    line = [Parcel(300, 300, "3"), Parcel(500, 250, "4"), Parcel(500, 300, "3")]
    slip = Happening("slip", 1, 900, -150)
    assert landed(line, slip, 0) == {"P0": "C3", "P1": END, "P2": "C3"}
    assert landed(line, slip, 300) == {"P0": "C3", "P1": "C4", "P2": "C3"}
