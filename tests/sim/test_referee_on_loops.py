"""A carrier discharged because several parcels, or labels, are on it: for all of them, or wrong all the same."""

from __future__ import annotations

import pytest
from records_by_hand import closed, fire, opened, story
from truth_by_hand import END, truth_of

from hubctl.core.events import NO_INDEX, Disposition, Reason
from hubctl.core.layout import compile_layout
from hubctl.core.plan import compile_plan
from hubctl.core.site import Site, load_site
from hubctl.sim.referee import allowed_chutes, judge
from hubctl.sim.watch import new_watch


def judged(site: Site, reason: Reason, lane: int | None) -> tuple[int, int]:
    """Wrong chutes and actions, if what was for track 1 took parcel 2, of a lane or (None) of the same."""
    assert site.plan is not None
    layout, plan = compile_layout(site.hub), compile_plan(site.plan, site.hub)
    chute = int(plan.chutes[plan.first[0]])
    of_lane = 0 if lane is None else lane
    truth = truth_of({"lane": 0, "landed": END}, {"lane": of_lane, "landed": chute})
    assert layout.chutes["diverter"][chute] != NO_INDEX
    assert allowed_chutes(layout, plan)[of_lane, chute] == (lane is None)
    rows = [opened(1, 1), opened(2, 2), fire(1, chute, 4.9) | {"reason": reason}]
    rows.append(closed(1, chute, Reason.FLUSHED, Disposition.REMOVED, 6))
    rows.append(closed(2, chute, Reason.LOST, Disposition.LOST, 7))
    counts = judge(layout, plan, truth, story(*rows), new_watch(layout), n_open=0).counts
    return counts["wrong_chute"], counts["wrong_action"]


@pytest.mark.parametrize("reason", [Reason.MULTI_PARCEL, Reason.MULTI_LABEL, Reason.AMBIGUOUS_READ])
def test_what_is_discharged_for_several_is_so_for_each_that_may_go_there(reason: Reason) -> None:
    assert judged(load_site("crossbelt"), reason, None) == (0, 0)


@pytest.mark.parametrize("reason", [Reason.OK, Reason.MULTI_PARCEL])
def test_one_that_may_not_go_there_is_wrong_whatever_the_reason(reason: Reason) -> None:
    assert judged(load_site("crossbelt"), reason, 5) == (1, 1)


@pytest.mark.parametrize("reason", [Reason.OK, Reason.MAX_LAPS, Reason.NO_READ])
def test_a_discharge_for_one_that_takes_another_is_wrong(reason: Reason) -> None:
    assert judged(load_site("crossbelt"), reason, None) == (0, 1)


def test_on_a_line_a_paddle_is_for_one_alone() -> None:
    assert judged(load_site("demo"), Reason.MULTI_PARCEL, None) == (0, 1)
