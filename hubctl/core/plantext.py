"""Writes a sort plan as the text of a file: which group each wave of each lane has, framed by an older plan's rules.

What destinations a lane has, which labels count, where exceptions go, stands in the frame. Where there is none, the ZIP
prefixes are dealt out among the lanes: good to try a plan, and for nothing else.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import NamedTuple

from hubctl.core.plan import SortPlan
from hubctl.core.plangroups import ChuteGroup
from hubctl.core.planrules import rules_of
from hubctl.core.volumes import NO_WAVE, Ints, Unit

ZIP_DIGITS_MIN = 3
LABELS = ["usps-impb"]
POLICY = "least-filled"


class Made(NamedTuple):
    """A plan to be written."""

    name: str
    day: date
    remark: str
    units: Sequence[Unit]
    group: Ints  # shape (n_units,)
    groups: Sequence[ChuteGroup]
    lead_s: int
    departs_next_day: Sequence[bool]  # shape (n_units,): parcels come after the day's departure


def plan_text(made: Made, frame: SortPlan | None, folder: Path, packs: Path | None = None) -> str:
    """The file's content.

    Parameters
    ----------
    made : Made
    frame : SortPlan or None
        Where keys, labels, exceptions and lists are from.
    folder : Path
        Where the file will lie.
    packs : Path, optional
        Where the frame's label packs lie; by default where it says.
    """
    parts = [
        [f"# {made.remark}", ""],
        [f"plan = {{ name = {_quoted(made.name)} }}", ""],
        _head(frame, folder, packs),
        ["lanes = [", *_lanes(made, frame), "]", ""],
        _groups(made),
        ["waves = [", *_waves(made), "]", ""] if made.units[0].wave != NO_WAVE else [],
    ]
    return "\n".join(line for part in parts for line in part)


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _listed(texts: Sequence[str]) -> str:
    return f"[{', '.join(map(_quoted, texts))}]"


def _head(frame: SortPlan | None, folder: Path, packs: Path | None) -> list[str]:
    """What stands before the lanes: tables of a file come last, so all of it is inline."""
    if frame is None:
        return [
            "# Nobody told which destinations the lanes have: ZIP prefixes dealt out in order, to try the plan with.",
            f"labels = {{ accept = {_listed(LABELS)} }}",
            "",
        ]
    lines = [f"labels = {{ accept = {_listed(frame.labels.accept)}{_packs(frame, folder, packs)} }}", ""]
    if frame.exceptions:
        pairs = ", ".join(
            f"{_quoted(reason)} = {_quoted(chute)}" for reason, chute in frame.exceptions.items()
        )
        lines += [f"exceptions = {{ {pairs} }}", ""]
    if frame.lists.intercept or frame.lists.held:
        lists = f"intercept = {_listed(frame.lists.intercept)}, held = {_listed(frame.lists.held)}"
        lines += [f"lists = {{ {lists} }}", ""]
    nobody = [rule.text for rule in rules_of(frame) if rule.lane is None]
    return [*lines, f"no_service = {_listed(nobody)}", ""] if nobody else lines


def _packs(frame: SortPlan, folder: Path, told: Path | None) -> str:
    if frame.labels.packs is None or frame.source is None:
        return ""
    packs = told or Path(frame.source.file).parent / frame.labels.packs
    return f", packs = {_quoted(os.path.relpath(packs.resolve(), folder.resolve()))}"


def _lanes(made: Made, frame: SortPlan | None) -> Iterator[str]:
    first = {unit.lane: k for k, unit in reversed(list(enumerate(made.units)))}
    keys = _keys(sorted(first), frame)
    priorities = {lane.name: lane.priority for lane in frame.lanes} if frame else {}
    for lane in sorted(first):
        more = f", lead_s = {made.lead_s}" if made.lead_s else ""
        more += f", priority = {priorities[lane]}" if priorities.get(lane) else ""
        place = _place(made.groups[made.group[first[lane]]])
        yield f"  {{ name = {_quoted(lane)}, keys = {_listed(keys.get(lane, []))}, {place}{more} }},"


def _place(group: ChuteGroup) -> str:
    return f"group = {_quoted(group.name)}" if len(group.chutes) > 1 else f"chutes = {_listed(group.chutes)}"


def _keys(lanes: Sequence[str], frame: SortPlan | None) -> dict[str, list[str]]:
    if frame is None:
        return dict(zip(lanes, _dealt_zips(len(lanes)), strict=True))
    found: dict[str, list[str]] = {}
    for rule in rules_of(frame):
        found.setdefault(rule.lane or "", []).append(rule.text)
    return found


def _dealt_zips(n: int) -> Iterator[list[str]]:
    """ZIP prefixes of equal length, as many for each."""
    digits = max(ZIP_DIGITS_MIN, len(str(n - 1)))
    for k in range(n):
        first, last = k * 10**digits // n, (k + 1) * 10**digits // n - 1
        more = f"..{last:0{digits}}" if last > first else ""
        yield [f"zip:{first:0{digits}}{more}"]


def _groups(made: Made) -> list[str]:
    shared = [group for group in made.groups if len(group.chutes) > 1]
    rows = [
        f"  {{ name = {_quoted(group.name)}, chutes = {_listed(group.chutes)}, policy = {_quoted(POLICY)} }},"
        for group in shared
    ]
    return ["groups = [", *rows, "]", ""] if rows else []


def _waves(made: Made) -> Iterator[str]:
    for unit, group, more in zip(made.units, made.group, made.departs_next_day, strict=True):
        for day in (made.day, made.day + timedelta(days=1))[: 1 + more]:
            departs = f"{day}T{unit.wave[:2]}:{unit.wave[2:]}:00"
            place = _place(made.groups[group])
            yield f"  {{ lane = {_quoted(unit.lane)}, departs = {departs}, {place} }},"
