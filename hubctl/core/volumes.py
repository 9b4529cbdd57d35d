"""Volumes of past days: parcels by lane, wave and ten minutes, from CSV files that a site keeps.

Volumes have the columns `site,dest,date,slot,parcels` and, if lanes have departures, `wave` (`0600`: at 06:00). A
forecast has `site,dest,date,parcels_preknown`, and `wave` likewise. Distances have `chute,metres`, and `lane` if each
lane has its own.
"""

from __future__ import annotations

import csv
import gzip
import re
from collections.abc import Callable, Iterable
from datetime import date, timedelta
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple, TextIO

import numpy as np
import numpy.typing as npt

from hubctl.core.config import ConfigError, Fault

SLOT_MIN = 10
N_SLOTS = 24 * 60 // SLOT_MIN
NO_WAVE = ""
N_FAULTS_SHOWN_MAX = 20
N_MAX = 10**9  # parcels of a row, mm of a way

DATE = "must be a date like 2024-12-09"
WHOLE = f"must be a whole number from 0 to {N_MAX}"
NUMBER = f"must be a number from 0 to {N_MAX}"

_CLOCK = re.compile(r"([01]\d|2[0-3]):?([0-5]\d)")

Ints = npt.NDArray[np.int64]


class Unit(NamedTuple):
    """What gets a chute of its own: a lane, or one of its waves."""

    lane: str
    wave: str  # "0600"; NO_WAVE: the lane has no departures

    @property
    def departs_min(self) -> int:
        """Minutes from midnight to its departure."""
        return int(self.wave[:2]) * 60 + int(self.wave[2:])


class Volumes(NamedTuple):
    """Some days of one site."""

    site: str
    units: tuple[Unit, ...]
    days: tuple[date, ...]  # rising, without gaps
    parcels: Ints  # shape (n_days, n_units, N_SLOTS)

    def before(self, day: date, n_days: int) -> Ints:
        """The last days before a day, at most so many, shape (n, n_units, N_SLOTS)."""
        at = min(max((day - self.days[0]).days, 0), len(self.days))
        return self.parcels[max(at - n_days, 0) : at]

    def on(self, day: date) -> Ints | None:
        """A day, shape (n_units, N_SLOTS); None: it is not among them."""
        return self.parcels[self.days.index(day)] if day in self.days else None


class _Row(NamedTuple):
    """A line of a file, and what is said of it."""

    line: int
    said: dict[str, str]


class _Reader:
    """A CSV file and the faults found in it."""

    def __init__(self, file: Path, columns: Iterable[str]) -> None:
        self.file = file
        self.faults: list[Fault] = []
        self.rows = self._rows(set(columns))

    def _rows(self, columns: set[str]) -> list[_Row]:
        try:
            with _opened(self.file) as stream:
                reader = csv.DictReader(stream)
                missing = columns - set(reader.fieldnames or ())
                if missing:
                    self.refuse(1, f"has no column {', '.join(sorted(missing))}")
                return [] if missing else [_Row(line, row) for line, row in enumerate(reader, 2)]
        except (OSError, UnicodeDecodeError, csv.Error, EOFError) as error:
            self.refuse(1, f"cannot be read: {error}")
            return []

    def refuse(self, line: int, message: str, key: str = "", value: str = "") -> None:
        """Note a fault."""
        self.faults.append(Fault(str(self.file), line, "", key, value, message))

    def of_site(self, site: str) -> list[_Row]:
        """The rows of a site; where there are none, that is a fault."""
        found = [row for row in self.rows if row.said["site"] == site]
        if not self.faults and not self.rows:
            self.refuse(1, "has no row")
        if self.rows and not found:
            names = sorted({row.said["site"] or "" for row in self.rows})
            self.refuse(1, f"has no site {site!r}; it has {', '.join(names[:N_FAULTS_SHOWN_MAX])}")
        return found

    def parsed(self, row: _Row, key: str, parse: Callable[[str], int | None], message: str) -> int:
        """What a field says; 0 and a fault where it says nothing that could be meant."""
        text = row.said.get(key) or ""
        value = parse(text)
        if value is None:
            self.refuse(row.line, message, key, text)
        return 0 if value is None else value

    def raise_if_faulty(self) -> None:
        """ConfigError with the faults found."""
        if self.faults:
            raise ConfigError(self.faults[:N_FAULTS_SHOWN_MAX])


def _opened(file: Path) -> TextIO:
    return gzip.open(file, "rt", newline="") if file.suffix == ".gz" else file.open(newline="")


def _whole(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and int(text) <= N_MAX else None


def thousandths(text: str) -> int | None:
    """A decimal number from 0 in thousandths, rounded down; None: it is none."""
    try:
        value = Decimal(text)
    except InvalidOperation:
        return None
    return int(value * 1000) if value.is_finite() and 0 <= value <= N_MAX else None


@lru_cache(maxsize=4096)
def _ordinal(text: str) -> int | None:
    try:
        return date.fromisoformat(text).toordinal()
    except ValueError:
        return None


@lru_cache(maxsize=4096)
def _minutes(text: str) -> int | None:
    match = _CLOCK.fullmatch(text)
    return None if match is None else int(match[1]) * 60 + int(match[2])


def _slot(text: str) -> int | None:
    minutes = _minutes(text)
    return None if minutes is None or minutes % SLOT_MIN else minutes // SLOT_MIN


def _wave(reader: _Reader, row: _Row) -> str:
    text = row.said.get("wave") or NO_WAVE
    if text == NO_WAVE:
        return NO_WAVE
    minutes = reader.parsed(row, "wave", _minutes, "must be a departure like 0600")
    return f"{minutes // 60:02}{minutes % 60:02}"


def _unit(reader: _Reader, row: _Row) -> Unit:
    lane = row.said["dest"] or ""
    if not lane:
        reader.refuse(row.line, "must be the name of a lane", "dest")
    return Unit(lane, _wave(reader, row))


def load_volumes(file: Path, site: str) -> Volumes:
    """Read the volumes of a site.

    Parameters
    ----------
    file : Path
        CSV, `.gz` or not.
    site : str

    Returns
    -------
    Volumes
        Days that the file does not have between its first and its last are days without parcels.

    Raises
    ------
    ConfigError
        With the first faults of the file.
    """
    reader = _Reader(file, ("site", "dest", "date", "slot", "parcels"))
    cells: dict[tuple[int, Unit, int], int] = {}
    for row in reader.of_site(site):
        day = reader.parsed(row, "date", _ordinal, DATE)
        slot = reader.parsed(row, "slot", _slot, "must be ten minutes of the clock, like 05:50")
        n = reader.parsed(row, "parcels", _whole, WHOLE)
        at = (day, _unit(reader, row), slot)
        cells[at] = cells.get(at, 0) + n
    reader.raise_if_faulty()
    return _table(site, cells)


def _table(site: str, cells: dict[tuple[int, Unit, int], int]) -> Volumes:
    units = tuple(sorted({unit for _, unit, _ in cells}))
    index = {unit: k for k, unit in enumerate(units)}
    first, last = min(day for day, *_ in cells), max(day for day, *_ in cells)
    parcels = np.zeros((last - first + 1, len(units), N_SLOTS), np.int64)
    for (day, unit, slot), n in cells.items():
        parcels[day - first, index[unit], slot] = n
    begun = date.fromordinal(first)
    return Volumes(site, units, tuple(begun + timedelta(days=k) for k in range(len(parcels))), parcels)


class Preknown(NamedTuple):
    """What was known of days before they came, in thousandths of a parcel."""

    by_day: dict[tuple[date, Unit], int]

    def of(self, day: date, units: Iterable[Unit]) -> Ints:
        """Of a day, shape (n_units,); -1 where nothing was known."""
        return np.array([self.by_day.get((day, unit), -1) for unit in units], np.int64)


def load_forecast(file: Path, site: str) -> Preknown:
    """Read what was known of a site's days beforehand; ConfigError with the first faults of the file."""
    reader = _Reader(file, ("site", "dest", "date", "parcels_preknown"))
    found: dict[tuple[date, Unit], int] = {}
    for row in reader.of_site(site):
        day = reader.parsed(row, "date", _ordinal, DATE)
        n = reader.parsed(row, "parcels_preknown", thousandths, NUMBER)
        found[date.fromordinal(max(day, 1)), _unit(reader, row)] = n
    reader.raise_if_faulty()
    return Preknown(found)


def load_day(file: Path, site: str, day: date) -> dict[Unit, int]:
    """Parcels of each lane's departure on a day of a site: recorded in ten minutes, or as known beforehand.

    Raises
    ------
    ConfigError
        With the first faults of the file; or there is none of that day.
    """
    reader = _Reader(file, ("site", "dest", "date"))
    found: dict[Unit, int] = {}
    for row in reader.of_site(site):
        if reader.parsed(row, "date", _ordinal, DATE) == day.toordinal():
            unit = _unit(reader, row)
            found[unit] = found.get(unit, 0) + _thousandths_of(reader, row)
    if not found and not reader.faults:
        reader.refuse(1, f"has no row of site {site} on {day}")
    reader.raise_if_faulty()
    return {unit: n // 1000 for unit, n in found.items()}


def _thousandths_of(reader: _Reader, row: _Row) -> int:
    """Parcels of a row, in thousandths."""
    if "parcels" in row.said:
        return 1000 * reader.parsed(row, "parcels", _whole, WHOLE)
    return reader.parsed(row, "parcels_preknown", thousandths, NUMBER)


class Distances(NamedTuple):
    """How far a parcel is carried from a chute, mm."""

    by_place: dict[tuple[str, str], int]  # (chute, lane); lane "" is any

    def of(self, chute: str, lane: str) -> int | None:
        """To a lane's door; None: not told."""
        return self.by_place.get((chute, lane), self.by_place.get((chute, "")))


def load_distances(file: Path) -> Distances:
    """Read how far parcels are carried; ConfigError with the first faults of the file."""
    reader = _Reader(file, ("chute", "metres"))
    found = {
        (row.said["chute"] or "", row.said.get("lane") or ""): reader.parsed(
            row, "metres", thousandths, NUMBER
        )
        for row in reader.rows
    }
    reader.raise_if_faulty()
    return Distances(found)
