"""Checks a loop of the hub file: its carriers make a ring, its eyes can follow them, and all stands clear."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from hubctl.core.config import Source
from hubctl.core.references import entries, resolves
from hubctl.core.shape import known

if TYPE_CHECKING:
    from hubctl.core.hubfile import Belt, Hub

ROLES = ("origin", "carrier", "load")  # of a loop's eyes only
N_EYES_MAX = 32  # of one loop: a carrier keeps one bit for each
N_TOGETHER = 8  # origin and carrier eye are off each other by this part of a pitch


def refuse_loop_things(hub: Hub, source: Source, index: int, belt: Belt) -> None:
    """What a belt that is no loop must not have."""
    if known(belt, "carriers") and belt.carriers is not None:
        source.add(("belts", index, "carriers"), f"must be absent: belt {belt.name} is no loop")
    for at, eye in _eyes(hub, belt, "role"):
        if eye.role in ROLES:
            source.add(("eyes", at, "role"), f"belt {belt.name} is no loop", shown=f'"{eye.role}"')


def check_loop(hub: Hub, source: Source, index: int, belt: Belt) -> None:
    """Note every fault of a loop."""
    if known(belt, "encoder") and belt.encoder is None:
        source.add(("belts", index, "encoder"), "missing", "carriers are not followed by the clock")
    if known(belt, "carriers") and belt.carriers is None:
        source.add(("belts", index, "carriers"), "missing", "how many, and how far apart")
    for at, chute in entries(hub, "chutes", "to_belt"):
        if chute.to_belt == belt.name:
            source.add(("chutes", at, "to_belt"), "must not be a loop", "a loop is fed by its inductions")
    _check_roles(hub, source, index, belt)
    _check_end(hub, source, index, belt)
    if known(belt, "carriers") and belt.carriers is not None:
        _check_pitch(source, index, belt)
        _check_places(hub, source, belt)
        _check_holds(hub, source, belt)


def _eyes(hub: Hub, belt: Belt, *keys: str) -> Iterator[tuple[int, Any]]:
    return ((i, eye) for i, eye in entries(hub, "eyes", "belt", *keys) if eye.belt == belt.name)


def _check_pitch(source: Source, index: int, belt: Belt) -> None:
    carriers = belt.carriers
    assert carriers is not None
    path = ("belts", index, "carriers")
    if not known(carriers, "n", "pitch_mm", "carrier_mm"):
        return
    if known(belt, "length_mm") and carriers.n * carriers.pitch_mm != belt.length_mm:
        made_mm = carriers.n * carriers.pitch_mm
        source.add((*path, "pitch_mm"), f"{carriers.n} carriers make {made_mm} mm, not {belt.length_mm}")
    if carriers.carrier_mm > carriers.pitch_mm:
        source.add((*path, "carrier_mm"), f"must be at most pitch_mm, {carriers.pitch_mm}")


def _check_roles(hub: Hub, source: Source, index: int, belt: Belt) -> None:
    eyes = list(_eyes(hub, belt, "role"))
    for at, eye in eyes:
        if eye.role in ("track", "end"):
            message = "must be induct, origin, carrier or load on a loop"
            source.add(("eyes", at, "role"), message, shown=f'"{eye.role}"')
    if len(eyes) > N_EYES_MAX:
        message = f"{len(eyes)} eyes look at it: must be at most {N_EYES_MAX}"
        source.add(("belts", index, "name"), message)
    for role in ("origin", "carrier"):
        for at, _ in [pair for pair in eyes if pair[1].role == role][1:]:
            source.add(("eyes", at, "role"), f"belt {belt.name} has an eye of role {role} already")
    every_known = all(known(eye, "role") for _, eye in entries(hub, "eyes"))
    if every_known and resolves(hub, source, "eyes", "belt", "belts"):
        _refuse_missing_roles(source, index, {eye.role for _, eye in eyes})
    if resolves(hub, source, "scanners", "belt", "belts") and not any(
        scanner.belt == belt.name for scanner in hub.scanners
    ):
        source.add(("belts", index, "name"), "the belt has no scanner", "without reads nothing can be sorted")


def _refuse_missing_roles(source: Source, index: int, roles: set[str]) -> None:
    wanted = {
        "induct": "nothing gets onto it",
        "origin": "nobody knows which carrier is which",
        "load": "nobody knows which carriers are empty",
    }
    for role, hint in wanted.items():
        if role not in roles:
            source.add(("belts", index, "name"), f"the loop has no eye of role {role}", hint)


def _check_end(hub: Hub, source: Source, index: int, belt: Belt) -> None:
    if not known(belt, "end_chute"):
        return
    belts = {diverter.name: diverter.belt for _, diverter in entries(hub, "diverters", "name", "belt")}
    for _, chute in entries(hub, "chutes", "name", "diverter"):
        if chute.name == belt.end_chute and belts.get(chute.diverter or "", belt.name) != belt.name:
            source.add(("belts", index, "end_chute"), f"must be a chute of belt {belt.name}")
        if chute.name == belt.end_chute and chute.diverter is None:
            source.add(("belts", index, "end_chute"), "must have a diverter: a loop has no end")


def _check_places(hub: Hub, source: Source, belt: Belt) -> None:
    """A load eye or a chute that close to an induction cannot tell the carrier before from the one behind."""
    _refuse_together(hub, source, belt)
    inducts = [eye for _, eye in _eyes(hub, belt, "role", "name", "at_mm") if eye.role == "induct"]
    for index, eye in _eyes(hub, belt, "role", "at_mm"):
        if eye.role == "load":
            _refuse_near(source, ("eyes", index, "at_mm"), eye.at_mm, belt, inducts)
    for index, diverter in entries(hub, "diverters", "belt", "at_mm"):
        if diverter.belt == belt.name:
            _refuse_near(source, ("diverters", index, "at_mm"), diverter.at_mm, belt, inducts)


def _refuse_together(hub: Hub, source: Source, belt: Belt) -> None:
    """Carriers between two edges of the origin eye can be counted only if the two eyes never speak at once."""
    placed = {eye.role: (i, eye.at_mm) for i, eye in _eyes(hub, belt, "role", "at_mm")}
    if not known(belt.carriers, "pitch_mm") or not {"origin", "carrier"} <= set(placed):
        return
    assert belt.carriers is not None
    pitch_mm = belt.carriers.pitch_mm
    index, at_mm = placed["carrier"]
    away_mm = (at_mm - placed["origin"][1]) % pitch_mm
    least_mm = pitch_mm // N_TOGETHER
    if min(away_mm, pitch_mm - away_mm) < least_mm:
        message = (
            f"must be {least_mm} or more off the origin eye, {placed['origin'][1]}, and whole pitches from it"
        )
        source.add(("eyes", index, "at_mm"), message, "else a carrier is counted before or behind the origin")


def _refuse_near(
    source: Source, path: tuple[str | int, ...], at_mm: int, belt: Belt, inducts: list[Any]
) -> None:
    if not known(belt, "length_mm") or not known(belt.carriers, "pitch_mm"):
        return
    assert belt.carriers is not None
    for eye in inducts:
        away_mm = abs(at_mm - eye.at_mm) % belt.length_mm
        if min(away_mm, belt.length_mm - away_mm) < belt.carriers.pitch_mm:
            message = f"must be a pitch or more from the induct eye {eye.name}, {eye.at_mm}"
            source.add(path, message)


def _check_holds(hub: Hub, source: Source, belt: Belt) -> None:
    if not known(belt, "speed_mm_s", "speed_mm_s_max") or not known(belt.carriers, "pitch_mm"):
        return
    assert belt.carriers is not None
    for index, diverter in entries(hub, "diverters", "belt", "hold_ms"):
        passes_mm = diverter.hold_ms * belt.fastest_mm_s // 1000
        if diverter.belt == belt.name and passes_mm >= belt.carriers.pitch_mm:
            message = f"{passes_mm} mm of carriers pass meanwhile: must be less than their pitch"
            source.add(("diverters", index, "hold_ms"), message)
