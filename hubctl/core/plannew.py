"""A sort plan for a day to come, from the volumes of past days: made or mended, and what it is worth."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date
from typing import NamedTuple

import numpy as np

from hubctl.core.forecast import N_SCENARIOS, scenarios
from hubctl.core.plan import SortPlan
from hubctl.core.planbound import BoundError, proved_bounds
from hubctl.core.plangroups import ChuteGroup, groups_in, metres_by
from hubctl.core.planmaker import GIVE, Effort, Task, make_groups, mend_groups
from hubctl.core.planmeasure import NOBODY, Sizes, bound, busiest, by_volume
from hubctl.core.plantext import Made
from hubctl.core.volumes import N_SLOTS, NO_WAVE, SLOT_MIN, Distances, Ints, Preknown, Unit, Volumes

N_DAYS = 7
M_PER_KM = 1000


class PlanError(ValueError):
    """No plan can be made of what was given; the text says why."""


class Wish(NamedTuple):
    """What a plan is to be made from."""

    volumes: Volumes
    day: date  # to come
    groups: Sequence[ChuteGroup]
    n_days: int = N_DAYS
    preknown: Preknown | None = None
    distances: Distances | None = None
    before: SortPlan | None = None
    n_scenarios: int = N_SCENARIOS
    lead_s: int = 0
    give: int = GIVE
    seed: int = 1


class Worth(NamedTuple):
    """The busiest group's busiest ten minutes of two plans, in parcels, and what else tells them apart."""

    before_is: str  # what it is compared with
    n_units: int
    n_groups: int
    expected_bound: int  # mean over the days that could come; no plan goes below
    expected_before: int
    expected_after: int
    km_before: int
    km_after: int
    n_changes: int
    day_bound: int | None  # on the day itself, where its volumes are known
    day_before: int | None
    day_after: int | None
    n_days: int  # that could come, and the day itself if it is known
    n_proved: int = (
        0  # of those, days whose bound some plan reaches, as HiGHS has found; for others it is arithmetic
    )
    is_evened: bool = False  # groups are not alike: parcels are told as if they were


class NewPlan(NamedTuple):
    """A plan and its worth."""

    made: Made
    worth: Worth
    before: Ints  # shape (n_units,): the group of each in the plan compared with
    days: Ints  # shape (n_units, n, N_SLOTS): the days it was made for


def every_lane(volumes: Volumes, plan: SortPlan) -> Volumes:
    """The same volumes with none for each lane that a plan has and they have not."""
    waves = sorted({unit.wave for unit in volumes.units}) or [NO_WAVE]
    known = {unit.lane for unit in volumes.units}
    more = [Unit(lane.name, wave) for lane in plan.lanes if lane.name not in known for wave in waves]
    order = sorted([*volumes.units, *more])
    parcels = np.zeros((len(volumes.days), len(order), N_SLOTS), np.int64)
    parcels[:, [order.index(unit) for unit in volumes.units]] = volumes.parcels
    return volumes._replace(units=tuple(order), parcels=parcels)


def new_plan(wish: Wish, effort: Effort) -> NewPlan:
    """A plan from scratch, with few changes against the one before.

    Raises
    ------
    PlanError
        There are no parcels on the days before.
    """
    task = _task(wish)
    return _weighed(wish, task, make_groups(task, effort), sizes_of(wish.groups))


def mended_plan(wish: Wish, closed: Sequence[str]) -> NewPlan:
    """The plan before without some chutes: what loses its last chute moves, or is too much for those left of its group.

    Raises
    ------
    PlanError
        No chute is left, a lane of it has no chute, or there are no parcels on the days before.
    """
    groups = [
        group._replace(chutes=tuple(c for c in group.chutes if c not in closed)) for group in wish.groups
    ]
    is_open = np.array([len(group.chutes) > 0 for group in groups], np.uint8)
    task = _task(wish)
    left = sizes_of(wish.groups)._replace(chutes=sizes_of(groups).chutes)
    if not is_open.any():
        raise PlanError("no chute is left")
    if (task.before == NOBODY).any():
        unit = task.units[int(np.argmax(task.before == NOBODY))]
        raise PlanError(f"the plan before has no chute of these for lane {unit.lane} {unit.wave}".rstrip())
    is_hurt = left.chutes < sizes_of(wish.groups).chutes
    mended = mend_groups(task._replace(sizes=left), is_open, is_hurt)
    return _weighed(wish._replace(groups=groups), task, mended, left)


def _task(wish: Wish) -> Task:
    try:
        days = scenarios(
            wish.volumes, wish.day, n_days=wish.n_days, n=wish.n_scenarios, preknown=wish.preknown
        )
    except ValueError as error:
        raise PlanError(str(error)) from None
    units, n_groups = wish.volumes.units, len(wish.groups)
    metres = np.zeros((len(units), n_groups), np.int64)
    if wish.distances is not None:
        metres = metres_by(wish.distances, units, wish.groups, days.sum(axis=(1, 2)) // days.shape[1])
    before = np.full(len(units), NOBODY, np.int64)
    if wish.before is not None:
        before = groups_in(wish.before, units, wish.groups)
    return Task(units, days, n_groups, metres, before, wish.give, wish.seed, sizes_of(wish.groups))


def sizes_of(groups: Sequence[ChuteGroup]) -> Sizes:
    """How many chutes they have."""
    chutes = np.array([len(group.chutes) for group in groups], np.int64)
    return Sizes(chutes, int(chutes.sum()))


def _weighed(wish: Wish, task: Task, group: Ints, left: Sizes) -> NewPlan:
    is_there = (task.before != NOBODY).all()
    past = wish.volumes.before(wish.day, wish.n_days).sum(axis=(0, 2))
    before = task.before if is_there else by_volume(past, task.n_groups, task.sizes)
    name = wish.before.name if is_there and wish.before is not None else "daily volumes alone"
    return NewPlan(_made(wish, group), _worth(wish, task, (group, left), before, name), before, task.days)


def _worth(wish: Wish, task: Task, after: tuple[Ints, Sizes], before: Ints, name: str) -> Worth:
    group, left = after
    n, sizes, rows = task.n_groups, task.sizes, np.arange(len(group))
    day = wish.volumes.on(wish.day)
    return Worth(
        before_is=name,
        n_units=len(task.units),
        n_groups=n,
        expected_bound=_mean(bound(task.days, n, sizes)),
        expected_before=_mean(busiest(task.days, before, n, sizes)),
        expected_after=_mean(busiest(task.days, group, n, left)),
        km_before=int(task.metres[rows, before].sum()) // M_PER_KM,
        km_after=int(task.metres[rows, group].sum()) // M_PER_KM,
        n_changes=int((group != before).sum()),
        day_bound=None if day is None else int(bound(day, n, sizes)),
        day_before=None if day is None else int(busiest(day, before, n, sizes)),
        day_after=None if day is None else int(busiest(day, group, n, left)),
        n_days=task.days.shape[1] + (day is not None),
        is_evened=len({*left.chutes.tolist()} - {0}) > 1,
    )


def bounded(made: NewPlan, day: Ints | None, left_s: Callable[[], int]) -> NewPlan:
    """The same plan, held against bounds that a solver has proved while there was time.

    Parameters
    ----------
    made : NewPlan
    day : int64 array, shape (n_units, N_SLOTS), optional
        The day itself, if it is known.
    left_s : callable
        Seconds that are left.

    Raises
    ------
    BoundError
        The solver is not installed, or the groups are not alike.
    """
    days = made.days if day is None else np.concatenate([day[:, None], made.days], axis=1)
    if made.worth.is_evened:
        raise BoundError("needs groups of as many chutes each")
    units, n_groups = tuple(made.made.units), made.worth.n_groups
    least, n_proved = proved_bounds(units, days, n_groups, left_s)
    worth = made.worth._replace(
        expected_bound=_mean(least[days.shape[1] - made.days.shape[1] :]),
        day_bound=None if day is None else int(least[0]),
        n_proved=n_proved,
    )
    return made._replace(worth=worth)


def _mean(values: Ints) -> int:
    return int(values.sum()) // len(values)


def _made(wish: Wish, group: Ints) -> Made:
    first = wish.volumes.before(wish.day, wish.n_days)
    remark = f"For {wish.day}, made of the volumes of {wish.volumes.site} on the {len(first)} days before."
    return Made(
        name=f"{wish.volumes.site}-{wish.day}",
        day=wish.day,
        remark=remark,
        units=wish.volumes.units,
        group=group,
        groups=wish.groups,
        lead_s=wish.lead_s,
        departs_next_day=_come_late(wish.volumes),
    )


def _come_late(volumes: Volumes) -> list[bool]:
    """Whether parcels of each unit come after its departure: for the next day's; all of a wave do, or none."""
    departs = {unit.wave: unit.departs_min for unit in volumes.units if unit.wave != NO_WAVE}
    late = {wave for wave, departs_min in departs.items() if _has_parcels_from(volumes, wave, departs_min)}
    return [unit.wave in late for unit in volumes.units]


def _has_parcels_from(volumes: Volumes, wave: str, departs_min: int) -> bool:
    alike = [unit.wave == wave for unit in volumes.units]
    return bool(volumes.parcels[:, alike, departs_min // SLOT_MIN :].any())
