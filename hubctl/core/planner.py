"""Local search for which chute group gets what: units are moved and exchanged while that helps.

At first, plans that are a little worse are taken too. Everything is measured in whole numbers. What a group's peak
costs is a high power of it, added up over all groups and all the days that could come: so the largest peaks rule, and
no day alone. Three measures are improved one after another (`Goal`); what was reached in an earlier one is kept up to
a limit.

The search reads no clock and draws nothing but by its seed: one board and one seed give one plan.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import IntEnum
from functools import cache
from typing import Any, NamedTuple

import numba
import numpy as np
import numpy.typing as npt

from hubctl.core.planmeasure import NOBODY
from hubctl.core.volumes import Ints

Parcels = npt.NDArray[np.int32]

N_PARCELS_MAX = 2**24  # of a unit in ten minutes, and of all together
FINE = 1024  # a peak as large as its bound
N_SQUARINGS = 4  # the power is 16
PRICE_RATIO_MAX = 4 * FINE  # a larger peak costs no more: the sum stays in 64 bits
PER_MILLE = 1000
N_MEASURES = 3
SHARE_OF_MOVES = 100  # of 256 trials move one unit; the others exchange two
SHARE_OF_SWAPS = 16  # of 256 trials exchange all that two groups have, where metres or changes count


class Goal(IntEnum):
    """What a plan is measured by, the most important first."""

    PEAKS = 0  # the price of all peaks
    METRES = 1  # distance times volume
    CHANGES = 2  # units that are not where they were


class Board(NamedTuple):
    """What is searched, and where the search stands; compiled code works on it in place."""

    parcels: Parcels  # shape (n_units, n_days, n_slots)
    bounds: Ints  # shape (n_groups, n_days): no plan has a lower peak in a group of this size than in others
    sizes: Ints  # shape (n_groups,): their chutes
    metres: Ints  # shape (n_units, n_groups): distance times volume
    before: Ints  # shape (n_units,): group of the plan that is, or NOBODY
    may_move: npt.NDArray[np.uint8]  # shape (n_units,)
    is_open: npt.NDArray[np.uint8]  # shape (n_groups,)
    group: Ints  # shape (n_units,): the plan
    best: Ints  # shape (n_units,): the best plan of this run
    load: Parcels  # shape (n_groups, n_days, n_slots)
    price: Ints  # shape (n_groups, n_days)
    trial_load: Parcels  # shape (2, n_days, n_slots)
    trial_price: Ints  # shape (2, n_days)
    now: Ints  # shape (N_MEASURES,)
    trial: Ints  # shape (N_MEASURES,)
    caps: Ints  # shape (N_MEASURES,): limits that are kept
    reached: Ints  # shape (1,): the least of the goal so far
    dice: npt.NDArray[np.uint64]  # shape (1,)


def _price_of(peak: int, bound: int) -> int:
    """What a group's peak costs on a day."""
    price = min(peak * FINE // bound, PRICE_RATIO_MAX)
    for _ in range(N_SQUARINGS):
        price = price * price // FINE
    return price


def _draw_of(dice: Any) -> Any:
    """The next 62 bits of a seed."""
    x = dice[0]
    x ^= x << np.uint64(13)
    x ^= x >> np.uint64(7)
    x ^= x << np.uint64(17)
    dice[0] = x
    return np.int64(x >> np.uint64(2))


def _copy_of(to: Any, of: Any) -> None:
    """One row of numbers into another; a slice would take the compiler several times as long."""
    for k in range(len(of)):
        to[k] = of[k]


_copy: Callable[[Any, Any], None] = numba.njit(inline="always")(_copy_of)
_price: Callable[[int, int], int] = numba.njit(inline="always")(_price_of)
_draw: Callable[[Any], Any] = numba.njit(inline="always")(_draw_of)


def _try_peaks_of(b: Board, unit: int, other: int, source: int, target: int) -> None:
    """Loads and prices of two groups if a unit goes from one to the other, and another one back."""
    n_days, n_slots = b.parcels.shape[1:]
    for day in range(n_days):
        peak_source, peak_target = 0, 0
        for slot in range(n_slots):
            n = b.parcels[unit, day, slot]
            if other >= 0:
                n -= b.parcels[other, day, slot]
            n_source = b.load[source, day, slot] - n
            n_target = b.load[target, day, slot] + n
            b.trial_load[0, day, slot] = n_source
            b.trial_load[1, day, slot] = n_target
            peak_source = max(peak_source, n_source)
            peak_target = max(peak_target, n_target)
        b.trial_price[0, day] = _price(peak_source, b.bounds[source, day])
        b.trial_price[1, day] = _price(peak_target, b.bounds[target, day])


_try_peaks: Callable[[Board, int, int, int, int], None] = numba.njit()(_try_peaks_of)


def _changed_of(b: Board, unit: int, source: int, target: int) -> Any:
    """How many more units are not where they were if one moves."""
    return np.int64(b.before[unit] == source) - np.int64(b.before[unit] == target)


_changed: Callable[[Board, int, int, int], Any] = numba.njit(inline="always")(_changed_of)


def _try_of(b: Board, unit: int, other: int, source: int, target: int) -> None:
    """All measures of a trial."""
    _try_peaks(b, unit, other, source, target)
    _copy(b.trial, b.now)
    for day in range(b.parcels.shape[1]):
        b.trial[0] += (
            b.trial_price[0, day] + b.trial_price[1, day] - b.price[source, day] - b.price[target, day]
        )
    b.trial[1] += b.metres[unit, target] - b.metres[unit, source]
    b.trial[2] += _changed(b, unit, source, target)
    if other >= 0:
        b.trial[1] += b.metres[other, source] - b.metres[other, target]
        b.trial[2] += _changed(b, other, target, source)


_try: Callable[[Board, int, int, int, int], None] = numba.njit()(_try_of)


def _try_swap_of(b: Board, source: int, target: int) -> bool:
    """All measures if two groups of one size exchange everything; False: they are not, or something must stay."""
    if b.sizes[source] != b.sizes[target]:
        return False
    _copy(b.trial, b.now)
    for unit in range(len(b.group)):
        if b.group[unit] != source and b.group[unit] != target:
            continue
        if b.may_move[unit] == 0:
            return False
        to = source + target - b.group[unit]
        b.trial[1] += b.metres[unit, to] - b.metres[unit, b.group[unit]]
        b.trial[2] += _changed(b, unit, b.group[unit], to)
    return True


_try_swap: Callable[[Board, int, int], bool] = numba.njit()(_try_swap_of)


def _swap_of(b: Board, source: int, target: int) -> None:
    """Exchanges everything of two groups."""
    for unit in range(len(b.group)):
        if b.group[unit] == source or b.group[unit] == target:
            b.group[unit] = source + target - b.group[unit]
    for day in range(b.load.shape[1]):
        for slot in range(b.load.shape[2]):
            n = b.load[source, day, slot]
            b.load[source, day, slot] = b.load[target, day, slot]
            b.load[target, day, slot] = n
        price = b.price[source, day]
        b.price[source, day] = b.price[target, day]
        b.price[target, day] = price
    _copy(b.now, b.trial)


_swap: Callable[[Board, int, int], None] = numba.njit()(_swap_of)


def _take_of(b: Board, unit: int, other: int, source: int, target: int) -> None:
    """Does what was tried."""
    b.group[unit] = target
    if other >= 0:
        b.group[other] = source
    for day in range(b.load.shape[1]):
        for slot in range(b.load.shape[2]):
            b.load[source, day, slot] = b.trial_load[0, day, slot]
            b.load[target, day, slot] = b.trial_load[1, day, slot]
        b.price[source, day] = b.trial_price[0, day]
        b.price[target, day] = b.trial_price[1, day]
    _copy(b.now, b.trial)


_take: Callable[[Board, int, int, int, int], None] = numba.njit()(_take_of)


def _fits_of(b: Board, goal: int, slack: int) -> bool:
    """Whether a trial keeps every limit, and is not much worse."""
    for measure in range(N_MEASURES):
        if b.trial[measure] > b.caps[measure] and b.trial[measure] > b.now[measure]:
            return False
    is_near: bool = b.trial[goal] <= b.now[goal] + slack
    return is_near


_fits: Callable[[Board, int, int], bool] = numba.njit(inline="always")(_fits_of)


def _note_of(b: Board, goal: int) -> None:
    """Keeps the plan if it is the best so far that is within the limits."""
    for measure in range(N_MEASURES):
        if b.now[measure] > b.caps[measure]:
            return
    if b.now[goal] < b.reached[0]:
        b.reached[0] = b.now[goal]
        _copy(b.best, b.group)


_note: Callable[[Board, int], None] = numba.njit()(_note_of)


def _search_of(b: Board, n_trials: int, goal: int, heat: int) -> None:
    """So many trials; one that is worse by up to `heat` millionths of the best is taken too."""
    n_units, n_groups = b.metres.shape
    for _ in range(n_trials):
        slack = b.now[goal] // 1_000_000 * heat
        dice = _draw(b.dice)
        unit, how, pick = (dice & 0xFFFFF) % n_units, dice >> 20 & 0xFF, dice >> 28
        source = b.group[unit]
        if b.may_move[unit] == 0:
            continue
        if how < SHARE_OF_MOVES:
            other, target = NOBODY, pick % n_groups
        else:
            other = pick % n_units
            target = b.group[other]
            if b.may_move[other] == 0:
                continue
        if source == target or b.is_open[target] == 0:
            continue
        if goal > 0 and how > 255 - SHARE_OF_SWAPS:
            if b.is_open[source] and _try_swap(b, source, target) and _fits(b, goal, slack):
                _swap(b, source, target)
                _note(b, goal)
            continue
        _try(b, unit, other, source, target)
        if _fits(b, goal, slack):
            _take(b, unit, other, source, target)
            _note(b, goal)


def _fill_of(b: Board) -> None:
    """Prices and measures of the plan as it stands; the loads are there."""
    for measure in range(N_MEASURES):
        b.now[measure] = 0
    for unit in range(len(b.group)):
        b.now[1] += b.metres[unit, b.group[unit]]
        b.now[2] += np.int64(b.before[unit] >= 0 and b.before[unit] != b.group[unit])
    for group in range(b.load.shape[0]):
        for day in range(b.load.shape[1]):
            peak = 0
            for slot in range(b.load.shape[2]):
                peak = max(peak, b.load[group, day, slot])
            b.price[group, day] = _price(peak, b.bounds[group, day])
            b.now[0] += b.price[group, day]


Search = Callable[[Board, int, int, int], None]
Fill = Callable[[Board], None]


@cache
def compiled_search() -> tuple[Search, Fill]:
    """The search, and what fills a board for it, compiled for this machine; kept where a cache may be written."""
    try:
        return numba.njit(cache=True)(_search_of), numba.njit(cache=True)(_fill_of)
    except RuntimeError:  # nowhere to write: compile each time
        return numba.njit()(_search_of), numba.njit()(_fill_of)
