"""What another plan would change: parcels of a day, or keys, that would go elsewhere."""

from __future__ import annotations

import csv
import gzip
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import IO, NamedTuple

from hubctl.core.config import ConfigError, Fault
from hubctl.core.keys import Key
from hubctl.core.plan import SortPlan
from hubctl.core.plangroups import chutes_of_unit
from hubctl.core.planrules import Rule, keyed_rules, ruling
from hubctl.core.volumes import Unit

HEADER = ["key", "parcels"]
N_PARCELS_MAX = 10**12
NO_SERVICE, NO_RULE, NO_LANE = "no service", "no rule", "no lane"


class Volume(NamedTuple):
    """Parcels of a day for one destination."""

    key: Key
    n_parcels: int


class Place(NamedTuple):
    """Where parcels go."""

    lane: str | None  # None: none
    departs: str  # of which departure, like "0600"; empty: it is not told, or there is none
    chutes: tuple[str, ...]
    why: str = ""  # there is no lane

    def __str__(self) -> str:
        """`north 0600 (C01 C02)`."""
        if self.lane is None:
            return self.why
        return f"{' '.join([self.lane, self.departs]).rstrip()} ({' '.join(self.chutes)})"


class Change(NamedTuple):
    """Parcels that would go from one place to another."""

    before: Place
    after: Place
    n: int
    sample: str  # the destination with most of them


class Comparison(NamedTuple):
    """Two plans on one day."""

    of: str  # "parcels", or "keys" without a day
    n_all: int
    n_moved: int
    n_to_other_lanes: int  # of those moved; the others keep their lane, which has other chutes
    changes: list[Change]  # the largest first


def read_day(file: Path) -> list[Volume]:
    """Read a CSV file, gzip or plain, with the columns `key` and `parcels`: recorded, or a forecast.

    Raises
    ------
    ConfigError
        With every line that is not a destination and a number.
    """
    try:
        with _opened(file) as stream:
            rows = list(csv.reader(stream))
    except (OSError, EOFError, UnicodeDecodeError, csv.Error) as error:
        raise ConfigError([Fault(str(file), 1, "", "", "", f"cannot be read: {error}")]) from None
    if rows[:1] != [HEADER]:
        hint = "volumes by lane and departure need --site and --date"
        raise ConfigError([Fault(str(file), 1, "", "", "", "the first line must be key,parcels", hint)])
    bad = [(line, row) for line, row in enumerate(rows[1:], 2) if not _is_volume(row)]
    if bad:
        message = "must be a destination such as zip:10003, and a number"
        raise ConfigError(Fault(str(file), line, "", "", ",".join(row), message) for line, row in bad)
    return [Volume(Key(*row[0].split(":", 1)), int(row[1])) for row in rows[1:]]


def _opened(file: Path) -> IO[str]:
    if file.suffix == ".gz":
        return gzip.open(file, "rt", encoding="utf-8", newline="")
    return file.open(encoding="utf-8", newline="")


def _is_volume(row: list[str]) -> bool:
    if len(row) != len(HEADER) or not row[1].isdecimal() or int(row[1]) > N_PARCELS_MAX:
        return False
    space, colon, key = row[0].partition(":")
    return bool(space and colon and key)


def compare(before: SortPlan, after: SortPlan, day: Iterable[Volume] | None) -> Comparison:
    """What goes elsewhere by another plan.

    Parameters
    ----------
    before, after : SortPlan
        Checked.
    day : iterable of Volume, optional
        Without it, each key that either plan names counts as one.

    Returns
    -------
    Comparison
        A parcel goes elsewhere if its lane, or the chutes of its lane or of one of its departures, are others.
    """
    old, new = keyed_rules(before), keyed_rules(after)
    volumes = [Volume(key, 1) for key in dict.fromkeys([*old, *new])] if day is None else list(day)
    places = _places(before), _places(after)
    ways = [(_way(old, places[0], volume.key), _way(new, places[1], volume.key)) for volume in volumes]
    samples = [":".join(volume.key) for volume in volumes]
    counts = [volume.n_parcels for volume in volumes]
    return _compared("keys" if day is None else "parcels", ways, samples, counts)


def compare_departures(before: SortPlan, after: SortPlan, day: dict[Unit, int]) -> Comparison:
    """What goes elsewhere by another plan of a day's parcels by lane and departure.

    Parameters
    ----------
    before, after : SortPlan
        Checked.
    day : dict
        Parcels of each.

    Returns
    -------
    Comparison
    """
    ways = [(_place_of(before, unit), _place_of(after, unit)) for unit in day]
    samples = [" ".join(unit).rstrip() for unit in day]
    return _compared("parcels", ways, samples, list(day.values()))


def _compared(
    of: str, ways: Sequence[tuple[Place, Place]], samples: Sequence[str], counts: Sequence[int]
) -> Comparison:
    moved: dict[tuple[Place, Place], list[int]] = {}
    for k, way in enumerate(ways):
        if way[0] != way[1] and counts[k]:
            moved.setdefault(way, []).append(k)
    changes = [
        Change(*way, sum(counts[k] for k in some), samples[max(some, key=lambda k: counts[k])])
        for way, some in moved.items()
    ]
    changes.sort(key=lambda change: (-change.n, str(change.before), str(change.after)))
    n_other = sum(change.n for change in changes if change.before.lane != change.after.lane)
    return Comparison(of, sum(counts), sum(change.n for change in changes), n_other, changes)


def _place_of(plan: SortPlan, unit: Unit) -> Place:
    lane = next((lane for lane in plan.lanes if lane.name == unit.lane), None)
    if lane is None:
        return Place(None, "", (), NO_LANE)
    own = chutes_of_unit(plan, unit)
    return Place(lane.name, unit.wave, (*own, *plan.chain_of(lane)[len(plan.chutes_of(lane)) :]))


def _places(plan: SortPlan) -> dict[str | None, Place]:
    """Each lane with its chutes, and with those that departures have of their own."""
    places: dict[str | None, Place] = {None: Place(None, "", (), NO_SERVICE)}
    own = _own_chutes(plan)
    for lane in plan.lanes:
        places[lane.name] = Place(lane.name, "", (*plan.chain_of(lane), *own.get(lane.name, ())))
    return places


def _own_chutes(plan: SortPlan) -> dict[str, list[str]]:
    """`22:00=C05+C06` for each departure that has chutes of its own, by lane."""
    groups = {group.name: group.chutes for group in plan.groups}
    found: dict[str, list[str]] = {}
    for wave in plan.waves:
        own = groups.get(wave.group or "", wave.chutes)
        if own:
            departs = wave.departs if isinstance(wave.departs, int) else f"{wave.departs:%H:%M}"
            found.setdefault(wave.lane, []).append(f"{departs}={'+'.join(own)}")
    return {lane: sorted(set(said)) for lane, said in found.items()}


def _way(rules: dict[Key, Rule], places: dict[str | None, Place], key: Key) -> Place:
    found = ruling(rules, key.namespace, key.prefix)
    return Place(None, "", (), NO_RULE) if found is None else places[found.rule.lane]
