"""What another plan would change: parcels of a day, or keys, that would go elsewhere."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from hubctl.core.config import ConfigError, Fault
from hubctl.core.keys import Key
from hubctl.core.plan import SortPlan
from hubctl.core.planrules import Rule, keyed_rules, ruling

HEADER = ["key", "parcels"]
N_PARCELS_MAX = 10**12
NO_SERVICE, NO_RULE = "no service", "no rule"


class Volume(NamedTuple):
    """Parcels of a day for one destination."""

    key: Key
    n_parcels: int


class Change(NamedTuple):
    """Parcels that would go from one lane, with its chutes, to another."""

    before: str
    after: str
    n: int
    sample: str  # the destination with most of them


class Comparison(NamedTuple):
    """Two plans on one day."""

    of: str  # "parcels", or "keys" without a day
    n_all: int
    n_moved: int
    changes: list[Change]  # the largest first


def read_day(file: Path) -> list[Volume]:
    """Read a CSV file with the columns `key` and `parcels`: recorded, or a forecast.

    Raises
    ------
    ConfigError
        With every line that is not a destination and a number.
    """
    try:
        with file.open(encoding="utf-8", newline="") as stream:
            rows = list(csv.reader(stream))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ConfigError([Fault(str(file), 1, "", "", "", f"cannot be read: {error}")]) from None
    if rows[:1] != [HEADER]:
        raise ConfigError([Fault(str(file), 1, "", "", "", "the first line must be key,parcels")])
    bad = [(line, row) for line, row in enumerate(rows[1:], 2) if not _is_volume(row)]
    if bad:
        message = "must be a destination such as zip:10003, and a number"
        raise ConfigError(Fault(str(file), line, "", "", ",".join(row), message) for line, row in bad)
    return [Volume(Key(*row[0].split(":", 1)), int(row[1])) for row in rows[1:]]


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
        A parcel goes elsewhere if its lane, or the chutes of its lane, are others.
    """
    old, new = keyed_rules(before), keyed_rules(after)
    volumes = [Volume(key, 1) for key in dict.fromkeys([*old, *new])] if day is None else list(day)
    old_lanes, new_lanes = _places(before), _places(after)
    moved: dict[tuple[str, str], list[Volume]] = {}
    for volume in volumes:
        ways = _way(old, old_lanes, volume.key), _way(new, new_lanes, volume.key)
        if ways[0] != ways[1]:
            moved.setdefault(ways, []).append(volume)
    changes = [_change(ways, some) for ways, some in moved.items()]
    changes.sort(key=lambda change: (-change.n, change.before, change.after))
    n_all = sum(volume.n_parcels for volume in volumes)
    return Comparison("keys" if day is None else "parcels", n_all, sum(c.n for c in changes), changes)


def _places(plan: SortPlan) -> dict[str | None, str]:
    """Each lane with its chutes, as text."""
    lanes: dict[str | None, str] = {
        lane.name: f"{lane.name} ({' '.join(plan.chain_of(lane))})" for lane in plan.lanes
    }
    return lanes | {None: NO_SERVICE}


def _way(rules: dict[Key, Rule], places: dict[str | None, str], key: Key) -> str:
    found = ruling(rules, key.namespace, key.prefix)
    return NO_RULE if found is None else places[found.rule.lane]


def _change(ways: tuple[str, str], volumes: list[Volume]) -> Change:
    largest = max(volumes, key=lambda volume: volume.n_parcels)
    return Change(*ways, sum(volume.n_parcels for volume in volumes), ":".join(largest.key))
