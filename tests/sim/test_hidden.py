"""A late label of one who was never told from another is excused on whom it was read, and no other label is."""

from __future__ import annotations

from typing import Any

import pytest
from records_by_hand import closed, fire, opened, story
from truth_by_hand import C01, END, links, truth_of

from hubctl.core.events import Disposition, Reason
from hubctl.core.tables import CompiledPlan, Layout
from hubctl.sim.faults import bit_of
from hubctl.sim.referee import Truth, judge
from hubctl.sim.watch import new_watch

MATE, HIDDEN, NEXT = range(3)  # an eye took the first two for one; the third was sorted by the second's label
EYE = 1


class Court:
    """Who was sorted by another's label, and the judge of it."""

    def __init__(self, layout: Layout, plan: CompiledPlan) -> None:
        self._layout, self._plan = layout, plan
        lives = ({"lane": 7, "landed": END}, {"lane": 0, "landed": END}, {"lane": 5, "landed": C01})
        self.truth: Truth = truth_of(*lives)._replace(as_one=links((HIDDEN, MATE, 350_000, EYE)))
        self.truth.parcels["fates"][HIDDEN] = bit_of("late_read")
        self.label = b"L1"
        self.tracked = [MATE, NEXT]

    def counts(self) -> dict[str, Any]:
        end = closed(NEXT + 1, C01, Reason.OK, Disposition.SORTED, 6.3) | {"text": self.label}
        rows = [opened(k + 1, k + 1) for k in self.tracked] + [fire(NEXT + 1, C01, 5.9), end]
        watch = new_watch(self._layout)
        return judge(
            self._layout, self._plan, self.truth, story(*rows), watch, n_open=len(self.tracked) - 1
        ).counts


@pytest.fixture
def court(layout: Layout, plan: CompiledPlan) -> Court:
    return Court(layout, plan)


def test_a_late_label_of_one_in_anothers_footprint_is_excused_and_counted(court: Court) -> None:
    counts = court.counts()
    assert counts["wrong_chute"] == 0
    assert counts["undetectable"] == 1


def test_any_other_label_is_not(court: Court) -> None:
    court.label = b"L0"
    assert court.counts()["wrong_chute"] == 1


def test_none_is_not(court: Court) -> None:
    court.label = b""
    assert court.counts()["wrong_chute"] == 1


def test_a_label_that_came_in_time_is_not(court: Court) -> None:
    court.truth.parcels["fates"][HIDDEN] = 0
    assert court.counts()["wrong_chute"] == 1


def test_the_label_of_one_with_a_track_is_not(court: Court) -> None:
    court.tracked = [MATE, HIDDEN, NEXT]
    assert court.counts()["wrong_chute"] == 1


def test_the_label_of_one_whom_no_eye_took_for_another_is_not(court: Court) -> None:
    court.truth = court.truth._replace(as_one=links())
    assert court.counts()["wrong_chute"] == 1


def test_nor_where_nobody_of_them_has_a_track(court: Court) -> None:
    court.tracked = [NEXT]
    assert court.counts()["wrong_chute"] == 1
