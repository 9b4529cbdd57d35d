"""What no plan goes below on a day, proved by the solver HiGHS, which is optional: `pip install 'hubctl[bound]'`.

The bound of `core/planmeasure.py` is arithmetic: no group is less busy than all are on the average, nor than its
largest unit. That whole units must fit is left out of it. HiGHS is told that too, and searches until its best plan and
its bound meet, or its time is over.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from math import ceil
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from hubctl.core.planmaker import wave_parts
from hubctl.core.planmeasure import bound
from hubctl.core.volumes import Ints, Unit

if TYPE_CHECKING:
    import highspy

A_HAIR = 1e-6  # of a parcel, by which a bound of the solver may be too high


class BoundError(Exception):
    """The solver is not there; the text says what to do."""


class Proof(NamedTuple):
    """What no plan goes below on a day."""

    least: int  # parcels of the busiest group in its busiest ten minutes
    is_reached: bool  # some plan comes to it


def proved_bound(units: tuple[Unit, ...], day: Ints, n_groups: int, limit_s: int) -> Proof:
    """What no plan goes below on a day, whoever made it, and what he knew.

    Parameters
    ----------
    units : tuple of Unit
    day : int64 array, shape (n_units, N_SLOTS)
        Parcels.
    n_groups : int
        From 1.
    limit_s : int
        Seconds that the solver may take for waves that are planned together.

    Returns
    -------
    Proof
        The arithmetic bound or higher.

    Raises
    ------
    BoundError
        HiGHS is not installed.
    """
    least, is_reached = int(bound(day, n_groups)), True
    for rows in wave_parts(units, day[:, None]):
        part = _Model(day[rows], n_groups, least).solved(limit_s)
        least, is_reached = max(least, part.least), is_reached and part.is_reached
    return Proof(least, is_reached)


class Proofs(NamedTuple):
    """What no plan goes below on several days."""

    least: Ints  # shape (n_days,)
    n_reached: int  # of how many days HiGHS found a plan that comes to it


def proved_bounds(units: tuple[Unit, ...], days: Ints, n_groups: int, left_s: Callable[[], int]) -> Proofs:
    """What no plan goes below on each of some days, the first days first: by arithmetic, once time is over.

    Parameters
    ----------
    units : tuple of Unit
    days : int64 array, shape (n_units, n_days, N_SLOTS)
        Parcels.
    n_groups : int
        From 1.
    left_s : callable
        Seconds that are left.

    Returns
    -------
    Proofs

    Raises
    ------
    BoundError
        HiGHS is not installed.
    """
    least, n_reached = bound(days, n_groups), 0
    for k in range(days.shape[1]):
        seconds = left_s()
        if seconds <= 0:
            break
        proof = proved_bound(units, days[:, k], n_groups, seconds)
        least[k], n_reached = proof.least, n_reached + proof.is_reached
    return Proofs(least, n_reached)


class _Model:
    """Which group each unit has, as HiGHS is told: a column for each pair, and one for the peak."""

    def __init__(self, parcels: Ints, n_groups: int, least: int) -> None:
        self.parcels = _telling(parcels)
        self.least = least
        # Groups are alike: the largest unit is in the first, the next in the first two, and so on.
        self.pairs = [(u, g) for u in range(len(parcels)) for g in range(min(u + 1, n_groups))]
        self.n_groups = n_groups

    def solved(self, limit_s: int) -> Proof:
        """The least peak that is not below `least`, or the bound that is proved within the limit."""
        solver = _solver()
        solver.setOptionValue("output_flag", False)
        solver.setOptionValue("threads", 1)
        solver.setOptionValue("time_limit", limit_s)
        self._tell(solver)
        solver.run()
        info = solver.getInfo()
        is_reached = info.objective_function_value - info.mip_dual_bound < 1
        return Proof(max(self.least, ceil(info.mip_dual_bound - A_HAIR)), is_reached)

    def _tell(self, solver: highspy.Highs) -> None:
        n, most = len(self.pairs), int(self.parcels.sum())
        lowest, highest = np.zeros(n + 1), np.ones(n + 1)
        lowest[n], highest[n] = self.least, max(most, self.least)
        solver.addVars(n + 1, lowest, highest)
        solver.changeColsIntegrality(n + 1, np.arange(n + 1, dtype=np.int32), np.ones(n + 1, np.uint8))
        solver.changeColCost(n, 1)
        for row in [*self._one_group_each(), *self._no_group_above_the_peak()]:
            solver.addRow(*row)

    def _one_group_each(self) -> Iterator[tuple[Any, ...]]:
        for unit in range(len(self.parcels)):
            columns = [k for k, pair in enumerate(self.pairs) if pair[0] == unit]
            yield 1, 1, len(columns), _columns(columns), np.ones(len(columns))

    def _no_group_above_the_peak(self) -> Iterator[tuple[Any, ...]]:
        peak, most = len(self.pairs), int(self.parcels.sum())
        for group in range(self.n_groups):
            columns = [k for k, pair in enumerate(self.pairs) if pair[1] == group]
            units = [self.pairs[k][0] for k in columns]
            for slot in range(self.parcels.shape[1]):
                values = np.array([*self.parcels[units, slot], -1], np.double)
                yield -most - self.least, 0, len(values), _columns([*columns, peak]), values


def _columns(columns: list[int]) -> npt.NDArray[np.int32]:
    return np.array(columns, np.int32)


def _telling(parcels: Ints) -> Ints:
    """The largest units first; and only those ten minutes that are not in every unit below some others."""
    slots = parcels.T
    is_below = np.array(
        [
            [(a <= b).all() and ((a < b).any() or k > j) for j, b in enumerate(slots)]
            for k, a in enumerate(slots)
        ]
    )
    np.fill_diagonal(is_below, False)
    order = np.argsort(-parcels.max(axis=1), kind="stable")
    found: Ints = parcels[order][:, ~is_below.any(axis=1)]
    return found


def _solver() -> highspy.Highs:
    try:
        import highspy
    except ImportError:
        raise BoundError("needs HiGHS: pip install 'hubctl[bound]'") from None
    return highspy.Highs()  # type: ignore[no-untyped-call]
