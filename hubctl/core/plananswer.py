"""Why a destination or a label gets its lane: the readings, the rule, the chutes, as a person asks for them."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from hubctl.core.chains import BELT_END, DEFAULT
from hubctl.core.config import Source
from hubctl.core.events import Reason
from hubctl.core.keys import LABEL, NAMESPACE, PARTNER
from hubctl.core.labels import LabelReading, decode
from hubctl.core.plan import SortPlan, lane_table
from hubctl.core.planrules import Ruling, keyed_rules, place_of, ruling

FORM_ASKED = 'must be a destination like "zip:10003", or a label as scanned'


class Answer(NamedTuple):
    """What a plan does with one destination."""

    reason: str
    lane: str | None  # None: it has none, and goes to the exception
    group: str | None
    chutes: list[str]
    overflow: list[str]
    waves: list[str]
    exception: str  # where the plan sends the reason
    why: list[str]  # sentences


def answer(plan: SortPlan, text: str) -> Answer:
    """What a plan does with a destination such as `zip:10003`, or with a label as scanned.

    Parameters
    ----------
    plan : SortPlan
        Checked.
    text : str

    Raises
    ------
    ValueError
        It is neither: nothing, a namespace without a key, or one that nobody knows.
    """
    said, colon, key = text.partition(":")
    space = said.strip().lower()
    if not (key if colon else text).strip():
        raise ValueError(f"{text!r}: {FORM_ASKED}")
    if colon and space in plan.catalogue.namespaces and space != LABEL:
        return _of_key(plan, space, key)
    if colon and space != LABEL:
        _refuse_unknown(plan, said, text)
    return _of_label(plan, key if space == LABEL and colon else text)


def _refuse_unknown(plan: SortPlan, space: str, text: str) -> None:
    """What looks like a key and fits no label is a key of a namespace that nobody knows."""
    known = sorted(plan.catalogue.namespaces)
    if NAMESPACE.fullmatch(space) and not decode(text, plan.labels.accept, plan.catalogue):
        raise ValueError(f"{text!r}: unknown namespace {space!r}, must be one of {', '.join(known)}")


def _of_key(plan: SortPlan, space: str, key: str) -> Answer:
    found = ruling(keyed_rules(plan), space, key.upper())
    lane = found.rule.lane if found else None
    return _answer(plan, Reason.OK if lane else Reason.NO_LANE, lane, [_says(plan, f"{space}:{key}", found)])


def _of_label(plan: SortPlan, text: str) -> Answer:
    """The reason and the lane are the classifier's own; the sentences are found beside it."""
    reason, lane, label_format, *_ = lane_table(plan).resolve(text.encode("utf-8", "replace"))
    readings = decode(text, plan.labels.accept, plan.catalogue)
    why = [_reads(reading) for reading in readings] or ["no label format that the plan accepts fits"]
    if reason != Reason.BAD_LABEL:
        name = plan.catalogue.formats[label_format].name
        used = next(reading for reading in readings if reading.format == name)
        why += _rules_for(plan, text, used)
    return _answer(plan, Reason(reason), plan.lanes[lane].name if lane >= 0 else None, why)


def _reads(reading: LabelReading) -> str:
    parts = [f"{reading.format} of {reading.carrier}", f"number {reading.number}"]
    parts += [f"service {reading.service}"] if reading.service else []
    parts += [f"destination {reading.destination}"] if reading.destination else []
    checks = {"ok": "check character right", "none": "no check character", "bad": "check character WRONG"}
    return ", ".join([*parts, checks[reading.check]])


def _rules_for(plan: SortPlan, text: str, used: LabelReading) -> list[str]:
    """The first of the label's own rule, its destination's, and its carrier's."""
    rules = keyed_rules(plan)
    code = "".join(text.upper().split())
    service = used.service.partition(" ")[0] if used.service else ""
    destination = (used.destination or ":").partition(":")
    asked = [
        (LABEL, code),
        (LABEL, used.number),
        (destination[0], destination[2]),
        (PARTNER, f"{used.format.upper()}/{service}"),
    ]
    found = [(space, key, ruling(rules, space, key)) for space, key in asked]
    exact = [row for row in found if row[2] and (row[0] != LABEL or row[2].prefix.prefix == row[1])]
    if exact:
        space, key, one = exact[0]
        return [_says(plan, f"{space}:{key}", one)]
    return [_says(plan, used.destination, None)] if used.destination else ["it says no destination"]


def _says(plan: SortPlan, asked: str, found: Ruling | None) -> str:
    if found is None:
        return f"{asked}: no rule has it"
    source = plan.source or Source.of_data(Path(plan.name), {})
    lane = f"lane {found.rule.lane}" if found.rule.lane else "no service"
    return f"{asked}: rule {found.rule.text} ({place_of(found.rule, source)}) by {':'.join(found.prefix)}: {lane}"


def _answer(plan: SortPlan, reason: Reason, name: str | None, why: list[str]) -> Answer:
    exception = plan.exceptions.get(reason.name, plan.exceptions.get(DEFAULT, BELT_END))
    if name is None:
        return Answer(reason.name, None, None, [], [], [], exception, why)
    lane = next(lane for lane in plan.lanes if lane.name == name)
    waves = [str(wave.departs) for wave in plan.waves if wave.lane == name]
    own = plan.chutes_of(lane)
    return Answer(reason.name, name, lane.group, own, lane.overflow, waves, exception, why)
