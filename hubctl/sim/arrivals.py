"""Arrivals from a file of real ten-minute volumes, as `core/volumes.py` reads it: one day of a site.

The volumes are scaled so that the busiest ten minutes run at the belt's rate; which label and size goes
with which parcel is joined by us and not real. Sizes come from `parcel_dims.csv.gz` beside the file, if there.
"""

from __future__ import annotations

import csv
import gzip
from datetime import date
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from hubctl.core.volumes import N_SLOTS, SLOT_MIN, Ints, Volumes, load_volumes

SLOT_S = SLOT_MIN * 60
DIMS_FILE = "parcel_dims.csv.gz"


class ArrivalsError(ValueError):
    """A site that had no parcels on a day; the text says which days it has."""


class Arrivals(NamedTuple):
    """One day of one site."""

    volumes: npt.NDArray[np.int64]  # parcels, shape (N_SLOTS, n_dests), by the clock
    dests: tuple[str, ...]  # busiest first
    lengths_mm: npt.NDArray[np.int64]  # real lengths to draw from; empty if there are none
    note: str


def parcels_of(volumes: Volumes, day: date) -> Ints:
    """What came on a day, shape (n_units, N_SLOTS).

    Raises
    ------
    ArrivalsError
        There were no parcels.
    """
    parcels = volumes.on(day)
    if parcels is None or parcels.sum() == 0:
        message = f"site {volumes.site} had no parcels on {day}; "
        raise ArrivalsError(message + f"its days are {volumes.days[0]} to {volumes.days[-1]}")
    return parcels


def _by_dest(volumes: Volumes, day: date) -> tuple[Ints, tuple[str, ...]]:
    """Parcels of a day, shape (N_SLOTS, n_dests), whatever their departure; and the destinations, busiest first."""
    found: dict[str, Ints] = {}
    for unit, slots in zip(volumes.units, parcels_of(volumes, day), strict=True):
        found[unit.lane] = found.get(unit.lane, np.zeros(N_SLOTS, np.int64)) + slots
    dests = sorted((dest for dest in found if found[dest].any()), key=lambda dest: -found[dest].sum())
    return np.stack([found[dest] for dest in dests], axis=1), tuple(dests)


def lengths_beside(file: Path) -> npt.NDArray[np.int64]:
    """Real lengths from the file that may lie beside the volumes, mm; empty if there is none."""
    dims = file.parent / DIMS_FILE
    if not dims.exists():
        return np.zeros(0, np.int64)
    with gzip.open(dims, "rt", newline="") as stream:
        lengths: list[Any] = [row["product_length_cm"] for row in csv.DictReader(stream)]
    return np.array([int(float(text) * 10) for text in lengths if text], np.int64)


def load_arrivals(file: Path, site: str, day: date) -> Arrivals:
    """Reads one day of one site.

    Raises
    ------
    ConfigError
        With the first faults of the file, or the sites that it has.
    ArrivalsError
        The site had no parcels on that day.
    """
    volumes, dests = _by_dest(load_volumes(file, site), day)
    lengths_mm = lengths_beside(file)
    sizes = f"lengths from {DIMS_FILE}" if len(lengths_mm) else "generated lengths"
    note = f"{volumes.sum():,} parcels of {site} on {day} to {len(dests)} destinations, {sizes}"
    return Arrivals(volumes, dests, lengths_mm, note)


class Demand(NamedTuple):
    """When parcels want to be inducted, and for which destination."""

    wanted_ns: npt.NDArray[np.int64]  # shape (n,), not falling
    dest: npt.NDArray[np.int64]  # shape (n,), index into the destinations


def scaled(arrivals: Arrivals, parcels_per_hour: int, n: int | None, from_busiest: bool) -> Demand:
    """The day scaled to a belt: its busiest slot runs at `parcels_per_hour`, spread evenly within each slot.

    Parameters
    ----------
    n : int or None
        Stop after so many parcels; None for the whole day.
    from_busiest : bool
        Begin with the busiest slot instead of the first, and go round the clock.
    """
    per_slot = arrivals.volumes.sum(axis=1)
    first = int(per_slot.argmax()) if from_busiest else 0
    volumes = np.roll(arrivals.volumes, -first, axis=0)
    target = parcels_per_hour * SLOT_S // 3600
    wanted, dest = [], []
    for slot, row in enumerate(volumes):
        k = int(row.sum()) * target // int(per_slot.max())
        wanted.append(slot * SLOT_S * 10**9 + np.arange(k, dtype=np.int64) * SLOT_S * 10**9 // max(k, 1))
        dest.append(_shares(row, k))
    return Demand(np.concatenate(wanted)[:n], np.concatenate(dest)[:n])


def _shares(row: npt.NDArray[np.int64], k: int) -> npt.NDArray[np.int64]:
    """`k` destinations in the proportions of `row`, mixed evenly through the slot."""
    if k == 0:
        return np.zeros(0, np.int64)
    cumulated = np.cumsum(row)
    spread = (np.arange(k, dtype=np.int64) * 2_654_435_761 % 2**32) * cumulated[-1] >> 32
    found: npt.NDArray[np.int64] = np.searchsorted(cumulated, spread, side="right").astype(np.int64)
    return found
