"""Arrivals from a file of real ten-minute volumes: `site,dest,wave,date,slot,parcels`.

The volumes are scaled so that the busiest ten minutes run at the belt's rate; which label and size goes
with which parcel is joined by us and not real. Sizes come from `parcel_dims.csv.gz` beside the file, if there.
"""

from __future__ import annotations

import csv
import gzip
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

SLOT_S = 600
DIMS_FILE = "parcel_dims.csv.gz"
COLUMNS = {"site", "dest", "date", "slot", "parcels"}


class ArrivalsError(ValueError):
    """A file that holds no such day; the text says what it holds."""


class Arrivals(NamedTuple):
    """One day of one site."""

    volumes: npt.NDArray[np.int64]  # parcels, shape (n_slots, n_dests), in order of the clock
    dests: tuple[str, ...]  # busiest first
    lengths_mm: npt.NDArray[np.int64]  # real lengths to draw from; empty if there are none
    note: str


def _rows(file: Path) -> list[dict[str, str]]:
    try:
        with gzip.open(file, "rt", newline="") if file.suffix == ".gz" else file.open(newline="") as stream:
            reader = csv.DictReader(stream)
            missing = COLUMNS - set(reader.fieldnames or ())
            if missing:
                raise ArrivalsError(f"{file}: has no column {', '.join(sorted(missing))}")
            return list(reader)
    except (OSError, UnicodeDecodeError, csv.Error, EOFError) as error:
        raise ArrivalsError(f"{file}: cannot be read: {error}") from None


def _day(rows: list[dict[str, str]], file: Path, site: str, date: str) -> list[dict[str, str]]:
    sites = sorted({row["site"] for row in rows})
    if site not in sites:
        raise ArrivalsError(f"{file}: no site {site!r}; it has {', '.join(sites)}")
    dates = sorted({row["date"] for row in rows if row["site"] == site})
    if date not in dates:
        raise ArrivalsError(f"{file}: site {site} has no day {date!r}; it has {dates[0]} to {dates[-1]}")
    return [row for row in rows if row["site"] == site and row["date"] == date]


def _table(day: list[dict[str, str]], file: Path) -> tuple[npt.NDArray[np.int64], tuple[str, ...]]:
    slots = sorted({row["slot"] for row in day})
    dests = sorted({row["dest"] for row in day})
    volumes = np.zeros((len(slots), len(dests)), np.int64)
    for row in day:
        if not row["parcels"].isdigit():
            raise ArrivalsError(f"{file}: parcels = {row['parcels']!r}: must be a whole number from 0")
        volumes[slots.index(row["slot"]), dests.index(row["dest"])] += int(row["parcels"])
    order = np.argsort(-volumes.sum(axis=0), kind="stable")
    return volumes[:, order], tuple(dests[k] for k in order)


def lengths_beside(file: Path) -> npt.NDArray[np.int64]:
    """Real lengths from the file that may lie beside the volumes, mm; empty if there is none."""
    dims = file.parent / DIMS_FILE
    if not dims.exists():
        return np.zeros(0, np.int64)
    with gzip.open(dims, "rt", newline="") as stream:
        lengths: list[Any] = [row["product_length_cm"] for row in csv.DictReader(stream)]
    return np.array([int(float(text) * 10) for text in lengths if text], np.int64)


def load_arrivals(file: Path, site: str, date: str) -> Arrivals:
    """Reads one day of one site.

    Raises
    ------
    ArrivalsError
        The file cannot be read, or has no such site or day.
    """
    volumes, dests = _table(_day(_rows(file), file, site, date), file)
    if volumes.sum() == 0:
        raise ArrivalsError(f"{file}: site {site} had no parcels on {date}")
    lengths_mm = lengths_beside(file)
    sizes = f"lengths from {DIMS_FILE}" if len(lengths_mm) else "generated lengths"
    note = f"{volumes.sum():,} parcels of {site} on {date} to {len(dests)} destinations, {sizes}"
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
