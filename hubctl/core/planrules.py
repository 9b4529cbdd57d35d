"""Which destinations a sort plan gives to which lane: its rules, wherever they are written.

A rule stands with its lane, in a table (a CSV file of keys and lanes beside the plan), or among what is not served. The
longest prefix of a destination decides, so that a rule for less may take from a rule for more.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from hubctl.core.config import Fault, Source
from hubctl.core.keys import Key, parse_keys
from hubctl.core.shape import known
from hubctl.core.where import Path as Place

if TYPE_CHECKING:
    from hubctl.core.plan import SortPlan

HEADER = ["key", "lane"]
NOBODY = "-"  # as a lane: no service
N_ROWS_MAX = 1_000_000


class Row(NamedTuple):
    """One line of a table."""

    file: str
    line: int
    key: str
    lane: str


class Rule(NamedTuple):
    """Keys, as written, and their lane."""

    text: str
    lane: str | None  # None: no service
    place: Place | Row


class Ruling(NamedTuple):
    """The rule that decides for a key, and the prefix by which it does."""

    prefix: Key
    rule: Rule


def read_tables(names: Iterable[str], source: Source) -> list[Row]:
    """The rows of a plan's tables, which lie beside it; what is wrong with a file is noted."""
    folder = Path(source.file).parent
    return [row for name in names for row in _read_table(folder / name, source)]


def _read_table(file: Path, source: Source) -> list[Row]:
    try:
        with file.open(encoding="utf-8", newline="") as stream:
            rows = list(csv.reader(stream))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        source.faults.append(Fault(str(file), 1, "", "", "", f"cannot be read: {error}"))
        return []
    if rows[:1] != [HEADER]:
        source.faults.append(Fault(str(file), 1, "", "", "", "the first line must be key,lane"))
        return []
    if len(rows) > N_ROWS_MAX:
        message = f"has {len(rows)} lines: must be 1 to {N_ROWS_MAX}"
        source.faults.append(Fault(str(file), 1, "", "", "", message))
        return []
    return list(_whole_rows(file, rows[1:], source))


def _whole_rows(file: Path, rows: list[list[str]], source: Source) -> Iterator[Row]:
    name = str(file)
    for line, row in enumerate(rows, 2):
        if len(row) == len(HEADER):
            yield Row(name, line, row[0], row[1])
        else:
            source.faults.append(Fault(name, line, "", "", ",".join(row), "must be a key and a lane"))


def rules_of(plan: SortPlan) -> Iterator[Rule]:
    """Every rule that is known of a plan, in the order in which they are written."""
    for index, lane in enumerate(getattr(plan, "lanes", ())):
        if known(lane, "name", "keys"):
            for at, text in enumerate(lane.keys):
                yield Rule(text, lane.name, ("lanes", index, "keys", at))
    for at, text in enumerate(getattr(plan, "no_service", ())):
        yield Rule(text, None, ("no_service", at))
    for row in plan.rows:
        yield Rule(row.key, None if row.lane == NOBODY else row.lane, row)


def note(source: Source, rule: Rule, message: str, hint: str = "") -> None:
    """Note a fault of a rule where it is written."""
    if isinstance(rule.place, Row):
        fault = Fault(rule.place.file, rule.place.line, "", "key", rule.text, message, hint)
        source.faults.append(fault)
    else:
        source.add(rule.place, message, hint)


def place_of(rule: Rule, source: Source) -> str:
    """Where a rule is written: file and line."""
    if isinstance(rule.place, Row):
        return f"{rule.place.file}:{rule.place.line}"
    return f"{source.file}:{source.line(rule.place)}"


def keyed_rules(plan: SortPlan) -> dict[Key, Rule]:
    """The rule of each key of a right plan."""
    return {key: rule for rule in rules_of(plan) for key in parse_keys(rule.text)}


def ruling(rules: dict[Key, Rule], namespace: str, key: str) -> Ruling | None:
    """The rule with the longest prefix of a key; None: nobody says anything of it."""
    for n in range(len(key), -1, -1):
        prefix = Key(namespace, key[:n])
        if prefix in rules:
            return Ruling(prefix, rules[prefix])
    return None
