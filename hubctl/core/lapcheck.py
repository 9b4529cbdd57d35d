"""Checks a sort plan on belts whose end leads back: nothing may go round on them for ever.

A parcel whose exception is the belt's end goes round until it has had its laps; then it goes where MAX_LAPS goes, so
that this must be a chute to which a way leads. On a belt without laps every reason must have one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hubctl.core.chains import BELT_END, DEFAULT
from hubctl.core.config import Source, listed
from hubctl.core.events import Reason
from hubctl.core.shape import known
from hubctl.core.where import Path

if TYPE_CHECKING:
    from hubctl.core.hubfile import Belt, Hub
    from hubctl.core.plan import SortPlan

NO_DEFAULT: Path = ("exceptions",)  # where a plan would say what it does not say
EVERY_REASON = tuple(reason.name for reason in Reason if reason not in (Reason.NONE, Reason.OK))


def check_laps(plan: SortPlan, source: Source, hub: Hub) -> None:
    """Note each exception that would leave parcels on a belt for ever."""
    for belt in hub.belts:
        if belt.kind == "line" and _leads_back(hub, belt):
            _check_belt(plan, source, hub, belt)


def _check_belt(plan: SortPlan, source: Source, hub: Hub, belt: Belt) -> None:
    there = {chute.name for chute in hub.chutes if chute.to_belt is None}
    reasons = ("MAX_LAPS",) if belt.laps_max else EVERY_REASON
    for path, name in dict(_exception(plan, reason) for reason in reasons).items():
        chutes = _chutes_of(plan, name)
        if chutes <= there and not chutes & _chutes_beyond(hub, belt):
            without = [reason for reason in reasons if _exception(plan, reason)[0] == path]
            hint = f"name a chute that belt {belt.name} leads to"
            source.add(path, _message(belt, name, without if path == NO_DEFAULT else []), hint)


def _message(belt: Belt, name: str, without: list[str]) -> str:
    what = f"what had its {belt.laps_max} laps" if belt.laps_max else "what goes there"
    why = "its end leads back" if name == BELT_END else "no way leads there"
    none = f"no exception chute for {listed(without)}: " if without else ""
    return f"{none}{what} would stay on belt {belt.name} for ever: {why}"


def _exception(plan: SortPlan, reason: str) -> tuple[Path, str]:
    """Where the plan says what becomes of a reason, and what it says."""
    exceptions = getattr(plan, "exceptions", {})
    key = reason if reason in exceptions else DEFAULT
    return (("exceptions", key) if key in exceptions else NO_DEFAULT), exceptions.get(key, BELT_END)


def _chutes_of(plan: SortPlan, name: str) -> set[str]:
    """The chutes of a group, or the chute itself; none of a belt's end."""
    groups = {g.name: set(g.chutes) for g in getattr(plan, "groups", ()) if known(g, "name", "chutes")}
    return set() if name == BELT_END else groups.get(name, {name})


def _leads_back(hub: Hub, belt: Belt) -> bool:
    """Whether a parcel that nobody diverts comes back to a belt."""
    to_belts = {chute.name: chute.to_belt for chute in hub.chutes}
    onward = {other.name: to_belts[other.end_chute] for other in hub.belts}
    at = onward[belt.name]
    for _ in hub.belts:
        if at is None or at == belt.name:
            break
        at = onward[at]
    return at == belt.name


def _chutes_beyond(hub: Hub, belt: Belt) -> set[str]:
    """Where a parcel of a belt can end."""
    exits = {other.name: _exits(hub, other) for other in hub.belts}
    to_belts = {chute.name: chute.to_belt for chute in hub.chutes}
    belts = {belt.name}
    for _ in hub.belts:
        belts |= {onward for name in belts for chute in exits[name] if (onward := to_belts[chute])}
    return {chute for name in belts for chute in exits[name] if to_belts[chute] is None}


def _exits(hub: Hub, belt: Belt) -> set[str]:
    """Every chute of a belt, that at its end included."""
    diverters = {diverter.name for diverter in hub.diverters if diverter.belt == belt.name}
    return {chute.name for chute in hub.chutes if chute.diverter in diverters} | {belt.end_chute}
