"""Coverage: has every destination of a list a lane, or an explicit "no service"? What has neither falls through."""

from __future__ import annotations

import csv
import gzip
from pathlib import Path
from typing import NamedTuple

from hubctl.core.config import ConfigError, Fault
from hubctl.core.keys import Key
from hubctl.core.planrules import Rule, ruling


class KeyList(NamedTuple):
    """Destinations of one namespace with their names."""

    namespace: str
    names: dict[str, str]  # by key


class Gap(NamedTuple):
    """Destinations that fall through, all of those under one key."""

    namespace: str
    key: str
    name: str
    n_keys: int


class Coverage(NamedTuple):
    """What a plan does with the destinations of one namespace."""

    namespace: str
    n_keys: int
    n_served: int
    n_no_service: int
    gaps: list[Gap]


def read_keys(namespace: str, file: Path) -> KeyList:
    """A CSV file, gzip or plain, with a head line; keys in the first column, names in the second.

    Raises
    ------
    ConfigError
        The file cannot be read, or holds no keys.
    """
    try:
        with (
            gzip.open(file, "rt", encoding="utf-8", newline="")
            if file.suffix == ".gz"
            else file.open(encoding="utf-8", newline="") as stream
        ):
            rows = [row for row in csv.reader(stream) if row][1:]
    except (OSError, UnicodeDecodeError, csv.Error, EOFError) as error:
        raise ConfigError([Fault(str(file), 1, "", "", "", f"cannot be read: {error}")]) from None
    if not rows:
        raise ConfigError([Fault(str(file), 1, "", "", "", "must have a head line, and keys under it")])
    return KeyList(namespace, {row[0].upper(): row[1] if len(row) > 1 else "" for row in rows})


def cover(rules: dict[Key, Rule], lists: list[KeyList]) -> list[Coverage]:
    """Hold the rules of a plan against lists of destinations.

    Parameters
    ----------
    rules : dict
        From `keyed_rules`.
    lists : list of KeyList
        Several of one namespace are one: a key that others begin with is the name of their region.

    Returns
    -------
    list of Coverage
        One a namespace. A region of which every key falls through is one gap.

    Examples
    --------
    >>> rules = {Key("county", "11"): Rule("county:11", "north", ("lanes", 0, "keys", 0))}
    >>> cover(rules, [KeyList("county", {"11": "North", "12": "South", "1101": "", "1201": "", "1202": ""})])[0].gaps
    [Gap(namespace='county', key='12', name='South', n_keys=2)]
    """
    spaces = dict.fromkeys(one.namespace for one in lists)
    return [_cover(rules, space, [one.names for one in lists if one.namespace == space]) for space in spaces]


def _cover(rules: dict[Key, Rule], space: str, lists: list[dict[str, str]]) -> Coverage:
    names = {key: name for one in lists for key, name in one.items()}
    regions = _regions(names)
    leaves = [key for key in names if key not in regions]
    found = {key: ruling(rules, space, key) for key in leaves}
    missing = [key for key in leaves if found[key] is None]
    n_no_service = sum(one is not None and one.rule.lane is None for one in found.values())
    gaps = _gaps(space, names, regions, missing)
    return Coverage(space, len(leaves), len(leaves) - len(missing) - n_no_service, n_no_service, gaps)


def _regions(names: dict[str, str]) -> dict[str, int]:
    """Keys that other keys begin with, and how many of these are no regions themselves."""
    under = {key: [key[:n] for n in range(1, len(key)) if key[:n] in names] for key in names}
    regions = {region for above in under.values() for region in above}
    counts = dict.fromkeys(regions, 0)
    for key, above in under.items():
        if key not in regions:
            for region in above:
                counts[region] += 1
    return counts


def _gaps(space: str, names: dict[str, str], regions: dict[str, int], missing: list[str]) -> list[Gap]:
    """The missing keys, joined where all of a region is missing."""
    counts = dict.fromkeys(regions, 0)
    for key in missing:
        for n in range(1, len(key)):
            if key[:n] in counts:
                counts[key[:n]] += 1
    lost = {region for region in regions if counts[region] == regions[region]}
    heads = dict.fromkeys(_head(key, lost) for key in missing)
    return [Gap(space, key, names[key], regions.get(key, 1)) for key in heads]


def _head(key: str, lost: set[str]) -> str:
    """The widest lost region of a key; itself if there is none."""
    return next((key[:n] for n in range(1, len(key)) if key[:n] in lost), key)
