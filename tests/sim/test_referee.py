"""The referee judges hand-made runs: it lets right ones pass, and bites when one record is forged."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from records_by_hand import S, closed, fire, opened, story
from swarm import bad_of, run, site, traffic_of
from truth_by_hand import C01, C02, C45, END, links, truth_of

from hubctl.core.events import NO_INDEX, RECORD, Disposition, Flag, Kind, Reason, Records
from hubctl.core.plan import compile_plan
from hubctl.core.tables import CompiledPlan, Layout
from hubctl.sim.faults import NONE
from hubctl.sim.matter import MISHAP, Mishap
from hubctl.sim.referee import (
    BAD,
    TAKEN_OFF,
    Wrong,
    allowed_chutes,
    is_clean,
    judge,
)
from hubctl.sim.watch import new_watch


def sorted_into(chute: int) -> list[dict[str, Any]]:
    """What a kernel says of its first parcel when all goes well."""
    return [opened(1, 1), fire(1, chute, 3.9), closed(1, chute, Reason.OK, Disposition.SORTED, 4.3)]


def test_a_parcel_in_its_chute_is_right(layout: Layout, plan: CompiledPlan) -> None:
    truth = truth_of({"lane": 0, "landed": C01})
    verdict = judge(layout, plan, truth, story(*sorted_into(C01)), new_watch(layout), n_open=0).counts
    assert is_clean(verdict)
    assert (verdict["inducted"], verdict["closed"], verdict["unexpected"]) == (1, 1, 0)
    assert verdict["by_disposition"] == {"SORTED": 1}
    assert verdict["by_reason"] == {"OK": 1}


def test_a_lanes_overflow_and_the_end_are_right_too(layout: Layout, plan: CompiledPlan) -> None:
    allowed = allowed_chutes(layout, plan)
    assert np.flatnonzero(allowed[0]).tolist() == [C01, C45, C45 + 1, END]
    assert np.flatnonzero(allowed[-1]).tolist() == [END]


def test_another_lanes_chute_is_wrong(layout: Layout, plan: CompiledPlan) -> None:
    """As when the kernel has read the label of another parcel: it did what it wanted, and it was wrong."""
    truth = truth_of({"lane": 0, "landed": C02})
    verdict = judge(layout, plan, truth, story(*sorted_into(C02)), new_watch(layout), n_open=0).counts
    assert (verdict["wrong_chute"], verdict["wrong_action"], verdict["misreported"]) == (1, 0, 0)
    assert not is_clean(verdict)


def test_a_fire_for_another_parcel_is_a_wrong_action(layout: Layout, plan: CompiledPlan) -> None:
    """Both go to the same chute, so that the place is right; but the paddle took the one it was not for."""
    truth = truth_of({"lane": 0, "landed": END}, {"lane": 0, "landed": C01})
    rows = [opened(1, 1), opened(2, 2), fire(1, C01, 4.9)]
    rows.append(closed(1, END, Reason.DIVERT_FAILED, Disposition.REJECTED, 6))
    rows.append(closed(2, END, Reason.LOST, Disposition.LOST, 7))
    verdict = judge(layout, plan, truth, story(*rows), new_watch(layout), n_open=0).counts
    assert (verdict["wrong_chute"], verdict["wrong_action"]) == (0, 1)


@pytest.mark.parametrize(("label", "n_wrong"), [(b"ONE", 1), (b"TWO", 0), (b"OTHER", 0), (b"", 1)])
def test_a_fire_for_the_label_of_the_one_taken_is_right(
    layout: Layout, plan: CompiledPlan, label: bytes, n_wrong: int
) -> None:
    """The second lies where the first should, and its label was read there: who its track was is past."""
    truth = truth_of({"lane": 0, "landed": END}, {"lane": 0, "landed": C01})
    truth = truth._replace(labels=np.array([[b"ONE", b""], [b"TWO", b"OTHER"]], "S56"))
    said = closed(1, C01, Reason.OK, Disposition.SORTED, 6) | {"text": label}
    rows = [opened(1, 1), opened(2, 2), fire(1, C01, 4.9), said]
    rows.append(closed(2, END, Reason.LOST, Disposition.LOST, 7))
    verdict = judge(layout, plan, truth, story(*rows), new_watch(layout), n_open=0).counts
    assert (verdict["wrong_action"], verdict["misreported"]) == (n_wrong, n_wrong)
    assert (verdict["wrong_chute"], verdict["undetectable"]) == (0, 0)


@pytest.mark.parametrize(("beside_mm", "n_hit"), [(126, 0), (124, 1), (-50, 1)])
def test_a_paddle_that_meets_a_neighbour_is_seen(
    layout: Layout, plan: CompiledPlan, beside_mm: int, n_hit: int
) -> None:
    """In the way for 100 ms at 2.5 m/s it sweeps 125 mm on each side of the parcel's centre."""
    truth = truth_of({"lane": 0, "landed": C01}, {"lane": 5, "landed": END})
    truth.taken["neighbour"], truth.taken["beside_um"] = 1, beside_mm * 1000
    rows = [*sorted_into(C01), opened(2, 2), closed(2, END, Reason.NO_READ, Disposition.REJECTED, 6)]
    verdict = judge(layout, plan, truth, story(*rows), new_watch(layout), n_open=0).counts
    assert (verdict["hit_neighbour"], verdict["wrong_action"]) == (n_hit, 0)


def test_a_paddle_that_meets_one_put_on_by_hand_is_excused(layout: Layout, plan: CompiledPlan) -> None:
    truth = truth_of({"lane": 0, "landed": C01}, {"lane": 5, "landed": END, "put": True})
    truth.taken["neighbour"], truth.taken["beside_um"] = 1, 0
    assert (
        judge(layout, plan, truth, story(*sorted_into(C01)), new_watch(layout), n_open=0).counts[
            "hit_neighbour"
        ]
        == 0
    )


def test_a_parcel_said_to_be_where_it_is_not_is_misreported(layout: Layout, plan: CompiledPlan) -> None:
    truth = truth_of({"lane": 0, "landed": END})
    verdict = judge(layout, plan, truth, story(*sorted_into(C01)), new_watch(layout), n_open=0).counts
    assert (verdict["wrong_chute"], verdict["misreported"]) == (0, 1)


def test_a_track_that_is_never_closed_is_unaccounted(layout: Layout, plan: CompiledPlan) -> None:
    truth = truth_of({"lane": 0, "landed": C01})
    records = story(*sorted_into(C01)[:2])
    assert judge(layout, plan, truth, records, new_watch(layout), n_open=0).counts["unaccounted"] == 1
    assert judge(layout, plan, truth, records, new_watch(layout), n_open=1).counts["unaccounted"] == 0


def test_one_put_where_another_was_taken_off_cannot_be_told(layout: Layout, plan: CompiledPlan) -> None:
    truth = truth_of({"lane": 0, "landed": TAKEN_OFF}, {"lane": 5, "landed": C01, "put": True})
    records = story(opened(1, 1), fire(1, C01, 4.9), closed(1, C01, Reason.OK, Disposition.SORTED, 5.3))
    verdict = judge(layout, plan, truth, records, new_watch(layout), n_open=0).counts
    assert (verdict["wrong_chute"], verdict["wrong_action"], verdict["undetectable"]) == (0, 0, 1)
    assert (verdict["taken_off"], verdict["put_on"]) == (1, 1)


def test_which_of_two_that_pass_as_one_was_taken_cannot_be_told(layout: Layout, plan: CompiledPlan) -> None:
    truth = truth_of({"lane": 0, "landed": END}, {"lane": 0, "landed": C01})
    rows = [opened(1, 1), fire(1, C01, 4.9), closed(1, C01, Reason.OK, Disposition.SORTED, 5.3)]
    assert judge(layout, plan, truth, story(*rows), new_watch(layout), n_open=0).counts["wrong_action"] == 1
    truth = truth._replace(as_one=links((1, 0, 500_000, 0)))
    verdict = judge(layout, plan, truth, story(*rows), new_watch(layout), n_open=0).counts
    assert (verdict["wrong_action"], verdict["undetectable"]) == (0, 1)


def test_a_chute_that_somebody_asked_for_is_right(layout: Layout, plan: CompiledPlan) -> None:
    wish = np.zeros(1, MISHAP)
    wish["kind"], wish["parcel"], wish["device"] = Mishap.CHANGE, 0, C02
    truth = truth_of({"lane": 0, "landed": C02})._replace(mishaps=wish)
    assert is_clean(judge(layout, plan, truth, story(*sorted_into(C02)), new_watch(layout), n_open=0).counts)


def test_a_stray_that_was_diverted_is_wrong(layout: Layout, plan: CompiledPlan) -> None:
    truth = truth_of({"lane": 0, "landed": C01, "put": True})
    rows = [opened(1, 2, Flag.UNEXPECTED), fire(1, C01, 3.9)]
    rows.append(closed(1, C01, Reason.UNEXPECTED, Disposition.REJECTED, 5, Flag.UNEXPECTED))
    verdict = judge(layout, plan, truth, story(*rows), new_watch(layout), n_open=0).counts
    assert verdict["wrong_chute"] == 1
    assert (verdict["inducted"], verdict["closed"], verdict["unexpected"]) == (0, 0, 1)


def test_a_parcel_with_two_tracks_is_doubled(layout: Layout, plan: CompiledPlan) -> None:
    truth = truth_of({"lane": 0, "landed": C01})
    rows = [*sorted_into(C01), opened(2, 1.03), closed(2, END, Reason.LOST, Disposition.LOST, 9)]
    verdict = judge(layout, plan, truth, story(*rows), new_watch(layout), n_open=0)
    assert verdict.counts["doubled"] == 1
    assert verdict.wrong == (Wrong("doubled", 2, int(1.03 * S)),)


def test_nothing_at_all_is_clean(layout: Layout, plan: CompiledPlan) -> None:
    assert is_clean(judge(layout, plan, truth_of(), np.zeros(0, RECORD), new_watch(layout), n_open=0).counts)


@pytest.mark.parametrize("key", BAD)
def test_each_bad_thing_alone_is_not_clean(key: str) -> None:
    assert is_clean(dict.fromkeys(BAD, 0))
    assert not is_clean({**dict.fromkeys(BAD, 0), key: 1})


# The whole of it: one forged record in a run that was right.


def test_one_forged_record_of_a_real_run_is_found(layout: Layout) -> None:
    traffic = traffic_of(12, NONE, 300)
    made, where = run(traffic), site()
    assert where.plan is not None
    assert bad_of(made.verdict) == {}
    plan = compile_plan(where.plan, where.hub, traffic.preadvice)
    fires = np.flatnonzero(made.records["kind"] == Kind.FIRE_OUTPUT)
    closes = np.flatnonzero(made.records["kind"] == Kind.CLOSED)

    def verdict_of(rows: Records) -> dict[str, Any]:
        return judge(layout, plan, made.truth, rows, new_watch(layout), n_open=0).counts

    swapped = made.records.copy()
    swapped["parcel"][fires[40]], swapped["parcel"][fires[41]] = made.records["parcel"][fires[[41, 40]]]
    assert verdict_of(swapped)["wrong_action"] == 2
    assert verdict_of(np.delete(made.records, closes[10]))["unaccounted"] == 1
    moved = made.records.copy()
    moved["chute"][closes[10]] = (moved["chute"][closes[10]] + 1) % NO_INDEX
    assert verdict_of(moved)["misreported"] == 1
    astray = made.truth._replace(parcels=made.truth.parcels.copy())
    astray.parcels["lane"][100] = (astray.parcels["lane"][100] + 1) % 40
    assert judge(layout, plan, astray, made.records, new_watch(layout), n_open=0).counts["wrong_chute"] == 1
