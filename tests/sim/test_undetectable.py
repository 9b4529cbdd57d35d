"""What no eye could tell is excused, and nothing just beside it: there a wrong divert stays wrong."""

from __future__ import annotations

from typing import Any

import pytest
from records_by_hand import S, closed, fire, opened, seen, story
from truth_by_hand import C01, END, links, truth_of

from hubctl.core.events import NO_INDEX, Disposition, Flag, Reason
from hubctl.core.tables import CompiledPlan, Layout
from hubctl.sim.matter import TAKEN_OFF, Moved
from hubctl.sim.referee import Truth, judge
from hubctl.sim.undetectable import MEASURED_UM
from hubctl.sim.watch import new_watch

MEANT, OTHER, THIRD = range(
    3
)  # a paddle moves for the first, and takes the second, which should not go there
EYE = 1  # the last that saw any of them, 900 ms before the fire
SEEN_S, FIRED_S = 4.0, 4.9
RIGHT, WRONG = (0, 0), (1, 1)
MM, MS = 1_000, 1_000_000


@pytest.fixture(scope="module")
def longest_um(layout: Layout) -> int:
    belt = layout.belts[layout.eyes["belt"][EYE]]
    return int(belt["parcel_counts_max"] * 1_000_000 // belt["counts_per_m"])


class Court:
    """A wrong divert, and the judge of it."""

    def __init__(self, layout: Layout, plan: CompiledPlan) -> None:
        self._layout, self._plan = layout, plan
        lives = ({"lane": 0, "landed": END}, {"lane": 5, "landed": C01}, {"lane": 7, "landed": END})
        self.truth = truth_of(*lives)
        self.eye = EYE  # that says it saw the one that was meant
        self.sight: dict[str, Any] = {}  # what else it says
        self.stray: list[dict[str, Any]] = []
        self.taken["seen_eye"], self.taken["seen_ns"] = EYE, int(SEEN_S * S)

    @property
    def taken(self) -> Any:
        """What the paddle did."""
        return self.truth.taken[0]

    def is_moved(self, how: str) -> None:
        """The one taken is where the belt alone would not have brought it, or was put there."""
        if how == "put":
            self.truth.parcels["put_um"][OTHER] = 1
        else:
            self.taken["moved"] = Moved.SEEN

    def took_for_one(self, *rows: tuple[int, int, int]) -> None:
        """An eye took the first for one with the second ahead of it, and saw so many um of them."""
        self.truth = self.truth._replace(as_one=links(*((*row, EYE) for row in rows)))

    def counts(self) -> dict[str, Any]:
        sight = seen(MEANT + 1, self.eye, SEEN_S) | self.sight
        end = closed(MEANT + 1, C01, Reason.OK, Disposition.SORTED, 5.3)
        rows = [opened(k + 1, k + 1) for k in range(3)] + [
            *self.stray,
            sight,
            fire(MEANT + 1, C01, FIRED_S),
            end,
        ]
        watch = new_watch(self._layout)
        return judge(self._layout, self._plan, self.truth, story(*rows), watch, n_open=2).counts

    @property
    def verdict(self) -> tuple[int, int]:
        """Wrong chutes, wrong actions."""
        counts = self.counts()
        return counts["wrong_chute"], counts["wrong_action"]


@pytest.fixture
def court(layout: Layout, plan: CompiledPlan) -> Court:
    return Court(layout, plan)


def test_a_divert_that_took_another_is_wrong(court: Court) -> None:
    assert court.verdict == WRONG


# In another's place, unseen since


@pytest.mark.parametrize(
    ("seen_s", "verdict"), [(4.1, RIGHT), (4.3, WRONG)], ids=["no eye since", "an eye since"]
)
@pytest.mark.parametrize("how", ["put on", "beside it"])
def test_one_in_the_place_of_one_taken_off_is_excused_until_an_eye_sees_it(
    court: Court, how: str, seen_s: float, verdict: tuple[int, int]
) -> None:
    court.truth.progress["landed"][MEANT] = TAKEN_OFF
    court.truth.progress["landed_ns"][MEANT] = int(4.2 * S)
    court.truth.parcels["length_um"][MEANT] = 900 * MM
    if how == "put on":
        court.is_moved("put")
    else:
        court.truth.parcels["beside"][OTHER] = MEANT
    court.taken["seen_ns"] = int(seen_s * S)
    assert court.verdict == verdict


def test_one_beside_another_is_not_excused_while_that_is_there(court: Court) -> None:
    court.truth.parcels["beside"][OTHER] = MEANT
    court.truth.progress["landed_ns"][MEANT] = 5 * S
    assert court.verdict == WRONG


def test_one_beside_a_third_that_was_taken_off_is_not_excused(court: Court) -> None:
    court.truth.parcels["beside"][OTHER] = THIRD
    court.truth.progress["landed"][THIRD] = TAKEN_OFF
    court.truth.progress["landed_ns"][THIRD] = 5 * S
    assert court.verdict == WRONG


@pytest.mark.parametrize(
    ("moved", "seen_s", "verdict"),
    [
        (Moved.NO, 4.5, WRONG),
        (Moved.UNSEEN, 4.5, RIGHT),  # it slipped, and no eye has seen it since
        (Moved.SEEN, 4.5, WRONG),
        (Moved.SEEN, 4.95, RIGHT),  # an eye has, after the fire
        (Moved.NO, 4.95, WRONG),
    ],
)
def test_one_that_slipped_is_excused_until_an_eye_sees_it(
    court: Court, moved: Moved, seen_s: float, verdict: tuple[int, int]
) -> None:
    court.truth.parcels["length_um"][MEANT] = 900 * MM
    court.taken["moved"], court.taken["seen_ns"] = moved, int(seen_s * S)
    assert court.verdict == verdict


@pytest.mark.parametrize("how", ["put", "moved"])
def test_one_put_on_whom_no_eye_has_seen_yet_is_excused(court: Court, how: str) -> None:
    court.is_moved(how)
    court.taken["seen_ns"] = 0
    assert court.verdict == (RIGHT if how == "put" else WRONG)


# Doubles: as and when another should have come


@pytest.mark.parametrize(
    ("late_ms", "verdict"), [(0, RIGHT), (-64, RIGHT), (64, RIGHT), (-65, WRONG), (65, WRONG)]
)
@pytest.mark.parametrize("how", ["put", "moved"])
def test_one_that_came_when_another_should_have_is_excused(
    court: Court, how: str, late_ms: int, verdict: tuple[int, int]
) -> None:
    court.is_moved(how)
    court.taken["seen_ns"] += late_ms * MS
    assert court.verdict == verdict


@pytest.mark.parametrize(("counts", "verdict"), [(4000, RIGHT), (4001, WRONG)])
def test_one_in_whom_another_was_known_again_came_when_the_stray_did(
    court: Court, counts: int, verdict: tuple[int, int]
) -> None:
    court.is_moved("put")
    stray = opened(4, SEEN_S, Flag.UNEXPECTED) | {"device": EYE, "counts": 4000}
    court.stray = [stray, closed(4, NO_INDEX, Reason.UNEXPECTED, Disposition.REMOVED, SEEN_S + 0.5)]
    court.sight = {"t_ns": int((SEEN_S + 0.5) * S), "counts": counts}
    assert court.verdict == verdict


@pytest.mark.parametrize("side", [-1, 1])
@pytest.mark.parametrize("how", ["put", "moved"])
def test_only_if_it_is_as_long_as_an_eye_measures_it(
    court: Court, layout: Layout, how: str, side: int
) -> None:
    um_per_count = 1_000_000 // layout.belts[layout.eyes["belt"][EYE]]["counts_per_m"]
    window_um = int(layout.eyes["length_window_counts"][EYE] * um_per_count)
    court.is_moved(how)
    court.truth.parcels["length_um"][OTHER] += side * window_um
    assert court.verdict == RIGHT
    court.truth.parcels["length_um"][OTHER] += side
    assert court.verdict == WRONG


def test_only_if_it_was_moved(court: Court) -> None:
    court.taken["moved"] = Moved.NO
    assert court.verdict == WRONG


def test_only_if_the_last_eye_that_saw_it_says_so_of_the_other(court: Court) -> None:
    court.is_moved("moved")
    court.eye = EYE + 1
    assert court.verdict == WRONG


# Blocks that look like one


@pytest.mark.parametrize(
    ("whole_mm", "late_ms", "verdict"),
    [
        (700, 0, RIGHT),
        (700, 150, RIGHT),  # behind the third, which came when the one that was meant should have
        (700, 624, RIGHT),  # the belt may be slow
        (700, 625, WRONG),
        (700, -65, WRONG),
        (850, 0, WRONG),
        (850, 150, WRONG),
    ],
)
def test_a_block_as_long_as_another_is_excused(
    court: Court, whole_mm: int, late_ms: int, verdict: tuple[int, int]
) -> None:
    court.is_moved("moved")
    court.truth.parcels["length_um"][MEANT] = 700 * MM
    court.took_for_one((OTHER, THIRD, whole_mm * MM))
    court.taken["seen_ns"] += late_ms * MS
    assert court.verdict == verdict


def test_the_end_of_a_longer_block_is_not_excused_for_its_own_length(court: Court) -> None:
    court.is_moved("moved")
    court.took_for_one((OTHER, THIRD, 700 * MM))
    assert court.verdict == RIGHT
    court.taken["seen_ns"] += 150 * MS
    assert court.verdict == WRONG


def test_those_that_pass_for_one_parcel_are_excused(court: Court, longest_um: int) -> None:
    """A length is measured to 20 mm."""
    court.took_for_one((OTHER, MEANT, longest_um + MEASURED_UM))
    assert court.verdict == RIGHT
    court.took_for_one((OTHER, MEANT, longest_um + MEASURED_UM + 1))
    assert court.verdict == WRONG


def test_of_three_in_a_row_that_are_longer_than_a_parcel_no_two_are_excused_for_being_short(
    court: Court, longest_um: int
) -> None:
    """The eye saw all three, and that they are no parcel."""
    court.truth.parcels["length_um"] = longest_um // 2 - MM
    court.took_for_one((MEANT, THIRD, longest_um - 2 * MM), (OTHER, MEANT, longest_um * 3 // 2))
    assert court.verdict == WRONG
    court.took_for_one((MEANT, THIRD, longest_um - 2 * MM), (OTHER, MEANT, longest_um - 2 * MM))
    assert court.verdict == RIGHT


@pytest.mark.parametrize(("behind_mm", "verdict"), [(40, RIGHT), (300, WRONG)], ids=["abreast", "behind"])
def test_two_that_lie_abreast_pass_for_one_whatever_else_touches_them(
    court: Court, longest_um: int, behind_mm: int, verdict: tuple[int, int]
) -> None:
    """Their end may be seen apart from a third at another time; never the one from the other."""
    court.truth.parcels["length_um"] = 200 * MM
    court.truth.parcels["beside"][OTHER] = MEANT
    court.truth.parcels["start_um"][OTHER] = behind_mm * MM
    court.took_for_one((MEANT, THIRD, longest_um * 2), (OTHER, MEANT, longest_um * 2))
    assert court.verdict == verdict


def test_one_of_a_block_too_long_for_a_parcel_may_go_where_all_may(court: Court, longest_um: int) -> None:
    court.took_for_one((OTHER, MEANT, 2 * longest_um))
    court.truth.parcels["lane"][OTHER] = court.truth.parcels["lane"][MEANT]
    assert court.verdict == (0, 0)
    court.truth = court.truth._replace(as_one=links())
    assert court.verdict == (0, 1)


# Neighbours


def hits(court: Court, truth: Truth) -> int:
    truth.taken["parcel"], truth.taken["neighbour"], truth.taken["beside_um"] = MEANT, OTHER, 0
    truth.progress["landed"][[MEANT, OTHER]] = C01, END
    return int(court.counts()["hit_neighbour"])


def test_a_neighbour_that_passes_for_one_with_the_parcel_may_be_met(court: Court, longest_um: int) -> None:
    assert hits(court, court.truth) == 1
    court.took_for_one((OTHER, MEANT, longest_um))
    assert hits(court, court.truth) == 0
    court.took_for_one((OTHER, MEANT, longest_um + MEASURED_UM + 1))
    assert hits(court, court.truth) == 1
    court.took_for_one((OTHER, THIRD, longest_um))
    assert hits(court, court.truth) == 1
