"""What a day to come may bring, in ten minutes by lane and wave: past days, mixed and brought to the size expected.

A single past day is a poor guide to a peak, and so is the mean of several, which is flatter than any of them. So
a plan is made against many days that could come: each unit takes its shape from a past day drawn for it alone, and
its size from what is expected.
"""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import numpy.typing as npt

from hubctl.core.volumes import Ints, Preknown, Volumes

N_SCENARIOS = 32
N_RECENT = 3  # days from which the size is expected, half of it where more is known beforehand
STRETCH_MAX = 3  # a past day is made at most so many times larger or smaller
FINE = 1024


def scenarios(
    volumes: Volumes, day: date, *, n_days: int = 7, n: int = N_SCENARIOS, preknown: Preknown | None = None
) -> Ints:
    """Days that could come.

    Parameters
    ----------
    volumes : Volumes
        With days before `day`.
    day : date
        The day to come; nothing of it or after it is looked at but in `preknown`.
    n_days : int
        How many days before it count.
    n : int
        How many to make.
    preknown : Preknown, optional
        What is known of it beforehand, and was known of the past days.

    Returns
    -------
    int64 array, shape (n_units, n, N_SLOTS)
        Parcels.

    Raises
    ------
    ValueError
        No day before it has a parcel.
    """
    past = volumes.before(day, n_days)
    if past.sum() == 0:
        raise ValueError(f"there is no parcel of {volumes.site} on the {n_days} days before {day}")
    past = past[past.sum(axis=(1, 2)) * 2 >= np.median(past.sum(axis=(1, 2)))]  # half a record is no day
    totals = past.sum(axis=2)
    wanted = _expected(totals, volumes, day, preknown)
    picks = _picks(n, past.shape[1], len(past))
    units = np.arange(past.shape[1])
    size = np.maximum(totals[picks, units], 1)
    stretch = np.clip(wanted * FINE // size, FINE // STRETCH_MAX, FINE * STRETCH_MAX)
    made = (past[picks, units] * stretch[:, :, None] + FINE // 2) // FINE
    return np.ascontiguousarray(made.transpose(1, 0, 2))


def _expected(totals: Ints, volumes: Volumes, day: date, preknown: Preknown | None) -> Ints:
    """Parcels that each unit may have, shape (n_units,)."""
    recent: Ints = totals[-N_RECENT:].mean(axis=0).astype(np.int64)
    if preknown is None:
        return recent
    n_days = len(totals)
    known = np.array(
        [preknown.of(day - timedelta(days=k), volumes.units) for k in range(n_days, 0, -1)], np.int64
    )
    now = preknown.of(day, volumes.units)
    is_known = (known >= 0).all(axis=0) & (now >= 0) & (known.sum(axis=0) > 0)
    ratio = now * totals.sum(axis=0) // np.maximum(known.sum(axis=0), 1)
    return np.where(is_known, (recent + ratio) // 2, recent)


def _picks(n: int, n_units: int, n_days: int) -> npt.NDArray[np.int64]:
    """From which past day each unit takes its shape, shape (n, n_units): drawn, and always the same."""
    x = np.arange(n * n_units, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return ((x >> np.uint64(33)) % np.uint64(n_days)).astype(np.int64).reshape(n, n_units)
