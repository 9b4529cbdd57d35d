"""What a sort plan that can be read would still do wrong: rules that decide nothing, chutes without a way, waves over.

Found faults are mistakes: nobody means them. Remarks are what a person should know and may have meant.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path as FilePath
from typing import TYPE_CHECKING

from hubctl.core.chains import BELT_END
from hubctl.core.config import ConfigError, Fault, Source, listed
from hubctl.core.keys import Key, parse_keys
from hubctl.core.overlaps import overlaps
from hubctl.core.plan import Lane, SortPlan, noted_plan
from hubctl.core.plancheck import named_chutes
from hubctl.core.planfile import is_compiled
from hubctl.core.planrules import Rule, note, place_of, rules_of, ruling
from hubctl.core.shape import known
from hubctl.core.where import Path

if TYPE_CHECKING:
    from hubctl.core.hubfile import Chute, Hub

DIGITS = "0123456789"
DIGIT_SPACES = ("zip", "plz", "county")  # their keys are digits and nothing else
PRIORITY_MAX = 9


def audited_plan(file: FilePath, hub: Hub, at: datetime) -> tuple[SortPlan, Source]:
    """Read a sort plan, and find all that is wrong with it on a hub, at a time.

    Parameters
    ----------
    file : FilePath
        TOML.
    hub : Hub
        A checked hub.
    at : datetime
        Local time: what departs before it is over.

    Returns
    -------
    (SortPlan, Source)
        The plan, and what it was read from.

    Raises
    ------
    ConfigError
        With every fault.
    """
    if is_compiled(file):
        message = "is a compiled plan, which was checked before: check the text it was made of"
        raise ConfigError([Fault(str(file), 1, "", "", "", message)])
    source = Source.read(file)
    plan = noted_plan(source, hub)
    audit_plan(plan, source, hub, at)
    source.raise_if_faulty()
    return plan, source


def audit_plan(plan: SortPlan, source: Source, hub: Hub, at: datetime) -> None:
    """Note mistakes that show when a plan is held against its hub and a time.

    Parameters
    ----------
    plan : SortPlan
        What could be used of it.
    source : Source
    hub : Hub
    at : datetime
        Local time: what departs before it is over.
    """
    _audit_rules(plan, source)
    _audit_waves(plan, source, at)
    _audit_ways(plan, source, hub)
    _audit_room(plan, source, hub)


def _parsed(plan: SortPlan) -> dict[Key, Rule]:
    """The first rule of each key, of those that can be read."""
    found: dict[Key, Rule] = {}
    for rule in rules_of(plan):
        for key in _keys_of(rule):
            found.setdefault(key, rule)
    return found


def _keys_of(rule: Rule) -> list[Key]:
    try:
        return parse_keys(rule.text)
    except ValueError:
        return []  # noted where keys are checked


def _audit_rules(plan: SortPlan, source: Source) -> None:
    """A rule of which every key is given to longer ones decides nothing."""
    rules = _parsed(plan)
    idle = {key for key in rules if key.namespace in DIGIT_SPACES and _all_longer(rules, key)}
    for rule in rules_of(plan):
        keys = _keys_of(rule)
        if keys and idle.issuperset(keys):
            note(source, rule, "decides nothing: longer rules have all of its keys", "leave it out")


def _all_longer(rules: dict[Key, Rule], key: Key) -> bool:
    longer = [Key(key.namespace, key.prefix + digit) for digit in DIGITS]
    return all(one in rules for one in longer)


def _audit_waves(plan: SortPlan, source: Source, at: datetime) -> None:
    leads = {lane.name: timedelta(seconds=lane.lead_s) for lane in _lanes(plan, "name", "lead_s")}
    seen: dict[tuple[str, object], int] = {}
    for index, wave in enumerate(getattr(plan, "waves", ())):
        if not known(wave, "lane", "departs"):
            continue
        first = seen.setdefault((wave.lane, wave.departs), index)
        if first != index:
            line = source.line(("waves", first, "departs"))
            source.add(("waves", index, "departs"), f"lane {wave.lane} departs then already (line {line})")
        if isinstance(wave.departs, datetime):
            lead = leads.get(wave.lane, timedelta())
            if wave.departs.astimezone() - lead <= at.astimezone():
                message = f"is over: no parcel of {at:%Y-%m-%d %H:%M} comes to it"
                source.add(
                    ("waves", index, "departs"),
                    message,
                    "a later date, or none; or --at another time",
                    shown=str(wave.departs),
                )


def _lanes(plan: SortPlan, *keys: str) -> Iterator[Lane]:
    return (lane for lane in getattr(plan, "lanes", ()) if known(lane, *keys))


# Chutes


def _reached(hub: Hub) -> set[str]:
    """Belts that a parcel comes to from an induct eye or a loop's inductions."""
    onto = {chute.name: chute.to_belt for chute in hub.chutes if chute.to_belt is not None}
    on_belt = {diverter.name: diverter.belt for diverter in hub.diverters}
    found = {eye.belt for eye in hub.eyes if eye.role == "induct"}
    found |= {belt.name for belt in hub.belts if belt.kind != "line"}
    for _ in hub.belts:
        exits = {c.name for c in hub.chutes if c.diverter and on_belt.get(c.diverter) in found}
        exits |= {belt.end_chute for belt in hub.belts if belt.name in found and belt.end_chute}
        found |= {onto[name] for name in exits if name in onto}
    return found


def _unreached(hub: Hub) -> set[str]:
    """Chutes at belts that no parcel comes to."""
    reached = _reached(hub)
    on_belt = {diverter.name: diverter.belt for diverter in hub.diverters}
    ends = {belt.end_chute: belt.name for belt in hub.belts}
    places = {c.name: on_belt.get(c.diverter or "", ends.get(c.name)) for c in hub.chutes}
    return {name for name, belt in places.items() if belt is not None and belt not in reached}


def _audit_ways(plan: SortPlan, source: Source, hub: Hub) -> None:
    unreached = _unreached(hub)
    for path, name in named_chutes(plan):
        if name in unreached:
            source.add(path, "no way leads there from where parcels are inducted")


def _audit_room(plan: SortPlan, source: Source, hub: Hub) -> None:
    """What parcels are sent to must have a place for them at least when it is empty."""
    room = _Room(hub)
    groups = {g.name: g.chutes for g in getattr(plan, "groups", ()) if known(g, "name", "chutes")}
    priorities = {lane.name: lane.priority for lane in _lanes(plan, "name", "priority")}
    for index, group in enumerate(getattr(plan, "groups", ())):
        if known(group, "name", "chutes"):
            room.check(source, ("groups", index, "name"), group.chutes, _highest(plan, group.name))
    for index, lane in enumerate(getattr(plan, "lanes", ())):
        if known(lane, "name", "chutes", "group", "overflow", "priority") and lane.group is None:
            chutes = [*lane.chutes, *(chute for name in lane.overflow for chute in groups.get(name, [name]))]
            room.check(source, ("lanes", index, "name"), chutes, lane.priority)
    for index, wave in enumerate(getattr(plan, "waves", ())):
        if known(wave, "lane", "chutes"):
            room.check(source, ("waves", index, "chutes"), wave.chutes, priorities.get(wave.lane, 0))


def _highest(plan: SortPlan, group: str) -> int:
    """The highest priority of the lanes that have a group."""
    lanes = _lanes(plan, "group", "overflow", "priority")
    return max((lane.priority for lane in lanes if group in (lane.group, *lane.overflow)), default=0)


class _Room:
    """Which chutes of a hub ever have a place."""

    def __init__(self, hub: Hub) -> None:
        shortest_mm = {belt.name: belt.parcel_mm_min for belt in hub.belts}
        on_belt = {diverter.name: diverter.belt for diverter in hub.diverters}
        self.chutes = {chute.name: chute for chute in hub.chutes}
        self.shortest_mm = {c.name: shortest_mm.get(on_belt.get(c.diverter or "", ""), 0) for c in hub.chutes}

    def check(self, source: Source, path: Path, names: list[str], priority: int) -> None:
        """Note that none of some chutes ever has a place for a priority."""
        named = [self.chutes[name] for name in names if name in self.chutes]
        if named and not any(self._has_place(chute, priority) for chute in named):
            message = f"no chute of it ever has a place for priority {priority}"
            source.add(path, message, "see count_max, reserve_for_priority and rate_mm of its chutes")

    def _has_place(self, chute: Chute, priority: int) -> bool:
        if chute.rate_mm is not None and chute.rate_mm < self.shortest_mm[chute.name]:
            return False
        if chute.count_max is None:
            return True
        kept = chute.reserve_for_priority * (PRIORITY_MAX - priority) // PRIORITY_MAX
        return chute.count_max > kept


# Remarks


def remarks(plan: SortPlan, source: Source, hub: Hub) -> list[str]:
    """What a person should know of a right plan.

    Parameters
    ----------
    plan : SortPlan
        Checked.
    source : Source
        What it was read from.
    hub : Hub

    Returns
    -------
    list of str
        One sentence each.
    """
    return [*_idle_chutes(plan, hub), *_idle_lanes(plan), *_needless(plan, source), *_shared_labels(plan)]


def _idle_chutes(plan: SortPlan, hub: Hub) -> Iterator[str]:
    groups = {group.name: group.chutes for group in plan.groups}
    named = [chute for lane in plan.lanes for chute in plan.chain_of(lane)]
    named += [chute for wave in plan.waves for chute in groups.get(wave.group or "", wave.chutes)]
    named += [chute for name in plan.exceptions.values() for chute in groups.get(name, [name])]
    ends = {belt.end_chute for belt in hub.belts}
    used = {*named, *ends, BELT_END}
    idle = [chute.name for chute in hub.chutes if chute.to_belt is None and chute.name not in used]
    if idle:
        yield f"no parcel goes to {_things(idle, 'chute')}"


def _idle_lanes(plan: SortPlan) -> Iterator[str]:
    ruled = {rule.lane for rule in rules_of(plan)}
    idle = [lane.name for lane in plan.lanes if lane.name not in ruled]
    if idle:
        yield f"only the host leads to {_things(idle, 'lane')}"


def _needless(plan: SortPlan, source: Source) -> Iterator[str]:
    """Rules that say what a shorter one says already."""
    rules = _parsed(plan)
    needless = [
        rule
        for rule in rules_of(plan)
        if all(_says_the_same(rules, key, rule) for key in parse_keys(rule.text))
    ]
    if needless:
        places = [f"{rule.text} ({place_of(rule, source)})" for rule in needless]
        yield f"a shorter rule says the same as {_things(places, 'rule')}"


def _says_the_same(rules: dict[Key, Rule], key: Key, rule: Rule) -> bool:
    shorter = ruling(rules, key.namespace, key.prefix[:-1])
    return shorter is not None and shorter.rule.lane == rule.lane


def _shared_labels(plan: SortPlan) -> Iterator[str]:
    for first, second, sample in overlaps(plan.catalogue, plan.labels.accept):
        yield f"{sample} fits {first} and {second}: it is read as {first}"


def _things(names: list[str], thing: str) -> str:
    return f"{len(names)} {thing}{'s' * (len(names) != 1)}: {listed(names)}"
