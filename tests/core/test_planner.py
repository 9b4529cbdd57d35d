"""The planner against a solver that is sure, and each of its goals: peaks, then metres, then few changes."""

from __future__ import annotations

from itertools import product

import highspy
import numpy as np
import pytest
from site_by_hand import days_of, little_site

from hubctl.core.planbound import proved_bound, proved_bounds
from hubctl.core.planmaker import Effort, Task, make_groups, mend_groups, wave_parts
from hubctl.core.planmeasure import NOBODY, Sizes, bound, busiest, by_volume, group_loads
from hubctl.core.volumes import N_SLOTS, Ints, Unit

N_GROUPS = 5


def task_of(days: Ints, n_groups: int, **more: object) -> Task:
    n = len(days)
    task = Task(
        tuple(Unit(f"T{k:02}", "") for k in range(n)),
        days,
        n_groups,
        np.zeros((n, n_groups), np.int64),
        np.full(n, NOBODY, np.int64),
    )
    return task._replace(**more)


def least_peak(parcels: Ints, n_groups: int) -> tuple[int, float]:
    """The least busiest group that any plan has for one day, and the bound of the relaxed problem, by HiGHS."""
    n_units, n_slots = parcels.shape
    model = highspy.Highs()
    model.setOptionValue("output_flag", False)
    at = [[model.addBinary() for _ in range(n_groups)] for _ in range(n_units)]
    peak = model.addVariable(0)
    for unit in range(n_units):
        model.addConstr(sum(at[unit]) == 1)
    for group in range(n_groups):
        for slot in range(n_slots):
            load = sum(int(parcels[unit, slot]) * at[unit][group] for unit in range(n_units))
            model.addConstr(load <= peak)
    model.minimize(peak)
    return round(model.getObjectiveValue()), model.getInfo().mip_dual_bound


def small_day(seed: int, n_units: int, n_slots: int) -> Ints:
    day = np.zeros((n_units, 1, N_SLOTS), np.int64)
    day[:, 0, 30 : 30 + n_slots] = np.random.default_rng(seed).integers(0, 60, (n_units, n_slots))
    return day


@pytest.mark.parametrize("seed", range(4))
def test_small_cases_are_as_good_as_they_can_be(seed: int) -> None:
    """Within 2 %: a plan is made for the sum over groups, and the solver looks at the busiest alone."""
    days = small_day(seed, 9, 3)
    group = make_groups(task_of(days, 3), Effort())
    best, least = least_peak(days[:, 0, 30:33], 3)
    ours = int(busiest(days, group, 3)[0])
    assert int(bound(days, 3)[0]) <= best <= ours <= best + best // 50 + 1
    assert least <= ours


@pytest.mark.parametrize("seed", range(6))
def test_the_proved_bound_is_what_the_best_of_all_plans_comes_to(seed: int) -> None:
    days = small_day(seed, 7, 4)
    plans = (np.array(groups, np.int64) for groups in product(range(3), repeat=7))
    best = min(int(busiest(days, group, 3)[0]) for group in plans)
    units = tuple(Unit(f"T{k:02}", "") for k in range(7))
    assert proved_bound(units, days[:, 0], 3, 60) == (best, True)


def test_waves_apart_are_bounded_apart() -> None:
    site = little_site(n_lanes=8)
    day = site.parcels[0]
    least, is_reached = proved_bound(site.units, day, N_GROUPS, 60)
    group = make_groups(task_of(day[:, None], N_GROUPS, units=site.units), Effort())
    assert bound(day, N_GROUPS) <= least <= busiest(day, group, N_GROUPS)
    assert is_reached


def test_time_that_is_over_leaves_the_arithmetic() -> None:
    site, left = little_site(n_lanes=6), iter([60, 60, 0])
    least, n_reached = proved_bounds(site.units, days_of(site), N_GROUPS, lambda: next(left))
    assert n_reached == 2
    assert (least[2:] == bound(days_of(site), N_GROUPS)[2:]).all()


def test_no_plan_goes_below_the_bound() -> None:
    days = days_of(little_site())
    for seed in range(20):
        group = np.random.default_rng(seed).integers(0, N_GROUPS, len(days))
        assert (busiest(days, group, N_GROUPS) >= bound(days, N_GROUPS)).all()


def test_a_day_not_seen_is_more_even_than_by_daily_volumes() -> None:
    site = little_site()
    days, unseen = days_of(site)[:, :7], site.parcels[-1]
    group = make_groups(task_of(days, N_GROUPS, units=site.units), Effort())
    plain = by_volume(days.sum(axis=(1, 2)), N_GROUPS)
    assert busiest(unseen, group, N_GROUPS) * 100 < busiest(unseen, plain, N_GROUPS) * 85


def test_waves_that_share_no_ten_minutes_are_apart() -> None:
    site = little_site()
    parts = list(wave_parts(site.units, days_of(site)))
    assert [{site.units[k].wave for k in part.tolist()} for part in parts] == [{"0700"}, {"1900"}]


def test_waves_that_share_ten_minutes_are_together() -> None:
    site = little_site()
    units = tuple(unit._replace(wave="0700" if k % 5 else "0800") for k, unit in enumerate(site.units))
    assert len(list(wave_parts(units, days_of(site)))) == 1


def test_the_same_seed_is_the_same_plan() -> None:
    task = task_of(days_of(little_site()), N_GROUPS, seed=3)
    assert make_groups(task, Effort()).tolist() == make_groups(task, Effort()).tolist()


def test_metres_are_saved_where_peaks_do_not_mind() -> None:
    days = days_of(little_site())
    metres = days.sum(axis=(1, 2))[:, None] * np.arange(1, N_GROUPS + 1)[None, :] * 10
    plain, short = (
        make_groups(task_of(days, N_GROUPS, metres=some, give=30), Effort())
        for some in (np.zeros_like(metres), metres)
    )
    rows = np.arange(len(days))
    assert metres[rows, short].sum() < metres[rows, plain].sum()
    before, after = (int(busiest(days, group, N_GROUPS).mean()) for group in (plain, short))
    assert after * 100 <= before * 105


def test_a_plan_that_is_good_is_kept() -> None:
    task = task_of(days_of(little_site()), N_GROUPS)
    good = make_groups(task, Effort())
    assert make_groups(task._replace(before=good, seed=9, give=20), Effort()).tolist() == good.tolist()


def test_a_plan_that_is_nearly_good_is_changed_little() -> None:
    days = days_of(little_site())
    task = task_of(days, N_GROUPS)
    before = make_groups(task, Effort())
    before[:3] = before[3]
    after = make_groups(task._replace(before=before, give=20), Effort())
    assert 1 <= (after != before).sum() <= 6
    assert (busiest(days, after, N_GROUPS) < busiest(days, before, N_GROUPS)).all()


def test_only_what_was_in_a_failed_group_moves() -> None:
    task = task_of(days_of(little_site()), N_GROUPS)
    before = make_groups(task, Effort())
    is_open = np.array([1, 0, 1, 1, 1], np.uint8)
    after = mend_groups(task._replace(before=before), is_open)
    assert ((after != before) == (before == 1)).all()
    assert (after != 1).all()
    loads = group_loads(task.days.sum(axis=1), after, N_GROUPS)
    assert loads[[0, 2, 3, 4]].max() * 100 < loads.sum(axis=0).max() * 35


def test_a_group_of_more_chutes_takes_more() -> None:
    days = days_of(little_site())
    sizes = Sizes(np.array([3, 2, 2, 1, 1]), 9)
    group = make_groups(task_of(days, N_GROUPS, sizes=sizes), Effort())
    plain = make_groups(task_of(days, N_GROUPS), Effort())
    even, uneven = (int(busiest(days, some, N_GROUPS, sizes).mean()) for some in (group, plain))
    assert even * 100 < uneven * 75
    assert (busiest(days, group, N_GROUPS, sizes) >= bound(days, N_GROUPS, sizes)).all()
    volumes = group_loads(days.sum(axis=(1, 2)), group, N_GROUPS)
    assert volumes[0] > volumes[1:3].max() > volumes[3:].max()


def test_what_is_too_much_for_what_is_left_of_a_group_moves() -> None:
    task = task_of(days_of(little_site()), N_GROUPS)
    before = make_groups(task, Effort())
    left = Sizes(np.array([3, 1, 3, 3, 3]), 15)
    is_hurt = left.chutes < 3
    pressed = task._replace(before=before, sizes=left, give=20)
    after = mend_groups(pressed, np.ones(N_GROUPS, np.uint8), is_hurt)
    moved = after != before
    assert 1 <= moved.sum() < (before == 1).sum()
    assert (before[moved] == 1).all()
    then, now = (int(busiest(task.days, some, N_GROUPS, left).mean()) for some in (before, after))
    assert now * 100 < then * 70


def test_more_groups_than_lanes_leaves_some_empty() -> None:
    days = small_day(1, 3, 4)
    group = make_groups(task_of(days, 8), Effort())
    assert len(set(group.tolist())) == 3


def test_time_that_is_over_ends_the_search() -> None:
    told: list[int] = []
    task = task_of(days_of(little_site()), N_GROUPS)
    group = make_groups(task, Effort(lambda: 1000, told.append))
    assert len(group) == len(task.units)
    assert told[-1] == 1000
    assert len(told) < 10
