"""Checks what a device profile says: steps can be asked, outputs written and read back, a watchdog is proved."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from hubctl.core.address import COIL_MAX, Space
from hubctl.core.config import Source
from hubctl.core.shape import known
from hubctl.core.where import Path

if TYPE_CHECKING:
    from hubctl.core.profile import Profile, Step

FUNCTIONS = (1, 2, 3, 4, 5, 6, 15, 16, 23, 43)
_STEP_KEYS = ("table", "at", "write", "turns", "n", "skip", "equals", "mask", "one_of", "contains")
_RULES = ("write", "turns", "equals", "one_of", "contains")


def check_profile(profile: Profile, source: Source) -> None:
    """Note every fault of a profile.

    Parameters
    ----------
    profile : Profile
        As `read_shape` kept it.
    source : Source
    """
    limits = getattr(profile, "limits", None)
    functions = limits.functions if limits is not None and known(limits, "functions") else list(FUNCTIONS)
    _check_functions(functions, source)
    for path, step in _steps(profile):
        _check_step(profile, source, path, step, functions)
    _check_coils(profile, source, functions)
    _check_watchdog(profile, source)
    _check_counters(profile, source)
    for key in ("holding", "input"):
        _check_overlaps(profile, source, key)
    if known(profile, "drive") and profile.drive is not None:
        _check_drive(profile, source)


def _check_functions(functions: list[int], source: Source) -> None:
    for index, function in enumerate(functions):
        if function not in FUNCTIONS:
            message = f"must be one of {', '.join(map(str, FUNCTIONS))}"
            source.add(("limits", "functions", index), message)


def _steps(profile: Profile) -> Iterator[tuple[Path, Step]]:
    """Path and step of every step that has its keys right."""
    for path, steps in _lists(profile):
        for index, step in enumerate(steps):
            if known(step, *_STEP_KEYS):
                yield (*path, index), step


def _lists(profile: Profile) -> Iterator[tuple[Path, list[Step]]]:
    for key in ("identity", "watch"):
        yield (key,), getattr(profile, key, [])
    yield ("safe", "clear"), getattr(getattr(profile, "safe", None), "clear", [])
    for key in ("arm", "keep"):
        yield ("watchdog", key), getattr(getattr(profile, "watchdog", None), key, [])


# Steps


def _check_step(profile: Profile, source: Source, path: Path, step: Step, functions: list[int]) -> None:
    said = [key for key in _RULES if getattr(step, key) is not None]
    if len(said) > 1:
        source.add((*path, said[1]), f"must be absent beside {said[0]}", "a step does one thing")
        return
    if step.writes and step.table in ("discrete", "input"):
        source.add((*path, "table"), "cannot be written", "coil or holding")
        return
    _check_place(source, path, step)
    if step.function not in functions:
        key = said[0] if said else "table"
        message = f"needs function {step.function}, which is not among limits.functions"
        source.add((*path, key), message, shown="")
    _check_sizes(profile, source, path, step)
    _check_words(profile, source, path, step)


def _check_place(source: Source, path: Path, step: Step) -> None:
    """Each list has its kind of step."""
    if path[0] == "identity" and step.writes:
        source.add(path, "must not write", "what the device is must be known first")
    if path[0] == "watch" and step.writes:
        source.add(path, "must not write", "watchdog.keep is for what is written")
    if path[:2] == ("watchdog", "keep") and not step.writes:
        source.add(path, "must write", "[[watch]] is for what is read")
    if step.turns is not None and path[:2] != ("watchdog", "keep"):
        source.add((*path, "turns"), "is for watchdog.keep")


def _check_sizes(profile: Profile, source: Source, path: Path, step: Step) -> None:
    compared = step.equals or (step.one_of and [0]) or []
    if step.n is not None and step.skip + len(compared) > step.n:
        source.add((*path, "n"), f"must be {step.skip + len(compared)} or more", "skip and what is compared")
    if step.mask is not None and (step.equals is None or len(step.mask) != len(step.equals)):
        source.add((*path, "mask"), "must have a word for each of equals")
    most = _most(profile, step)
    if most is not None and step.n_things > most:
        key = "n" if step.n is not None else "write" if step.writes else "equals"
        source.add((*path, key), f"asks for {step.n_things}: must be {most} or fewer", "see limits")


def _most(profile: Profile, step: Step) -> int | None:
    """How many one request may have; None if that is not known."""
    act = "write" if step.writes else "read"
    things = "bits" if step.table in ("coil", "discrete") else "registers"
    most: int | None = getattr(getattr(profile, "limits", None), f"{act}_{things}", None)
    return most


def _check_words(profile: Profile, source: Source, path: Path, step: Step) -> None:
    for key in ("write", "equals"):
        words: list[Any] = getattr(step, key) or []
        if "watchdog" in words and path[0] != "watchdog":
            source.add((*path, key), 'can have "watchdog" only in the section watchdog')
        if step.table in ("coil", "discrete") and any(word not in (0, 1) for word in words):
            source.add((*path, key), f"must be 0 or 1: a {step.table} is one bit")
    if step.contains is not None and step.table in ("coil", "discrete"):
        source.add((*path, "contains"), "is for registers")
    if step.contains is not None and 2 * (step.n or 0) < len(step.contains):
        source.add((*path, "n"), "must be given: how many registers have the text in them")


# Sections


def _check_coils(profile: Profile, source: Source, functions: list[int]) -> None:
    if not known(profile, "coils") or profile.coils is None:
        if known(profile, "pulse") and profile.pulse is not None and known(profile, "coils"):
            source.add(("pulse",), "has no use without coils")
        return
    for function in (1, 5, 15):
        if function not in functions:
            message = f"need function {function}, to be written off as one and read back"
            source.add(("coils",), message, "add it to limits.functions")
    if known(profile.coils, "n"):
        _check_coil_number(profile, source)


def _check_coil_number(profile: Profile, source: Source) -> None:
    assert profile.coils is not None
    most = getattr(getattr(profile, "limits", None), "write_bits", COIL_MAX + 1)
    if profile.coils.n > min(most, COIL_MAX + 1):
        message = f"must be {min(most, COIL_MAX + 1)} or fewer"
        source.add(("coils", "n"), message, "one request writes all of them off")


def _check_watchdog(profile: Profile, source: Source) -> None:
    if not known(profile, "watchdog") or profile.watchdog is None:
        return
    watchdog = profile.watchdog
    if known(watchdog, "arm") and known(watchdog.arm[-1], *_STEP_KEYS):
        last = watchdog.arm[-1]
        if last.writes or (last.equals is None and last.one_of is None):
            path = ("watchdog", "arm", len(watchdog.arm) - 1)
            source.add(path, "must read back that the watchdog is armed", "the last step, with equals")
    if known(watchdog, "ms_min", "ms_max") and watchdog.ms_min > watchdog.ms_max:
        source.add(("watchdog", "ms_max"), f"must be {watchdog.ms_min} or more", "ms_min is above it")


def _check_counters(profile: Profile, source: Source) -> None:
    for index, counter in enumerate(getattr(profile, "counters", ())):
        if not known(counter, "table", "number", "bits") or not known(profile, counter.table):
            continue
        if not all(known(span, "first", "at", "n") for span in getattr(profile, counter.table)):
            continue
        width = 1 if counter.bits == 16 else 2
        if profile.span_of(Space[counter.table.upper()], counter.number, width) is None:
            message = f"must be a number of the {counter.table} registers"
            source.add(("counters", index, "number"), message, f"see [[{counter.table}]]")


def _check_overlaps(profile: Profile, source: Source, key: str) -> None:
    """A hub file's number means one register."""
    spans = [span for span in getattr(profile, key, ()) if known(span, "first", "n")]
    for index, span in enumerate(spans):
        for other in spans[:index]:
            if span.first < other.first + other.n and other.first < span.first + span.n:
                source.add((key, index, "first"), f"lies inside the span from {other.first} on")


def _check_drive(profile: Profile, source: Source) -> None:
    assert profile.drive is not None
    if (
        known(profile.drive, "full", "setpoint_max")
        and not 1 <= profile.drive.full <= profile.drive.setpoint_max
    ):
        source.add(("drive", "full"), f"must be 1 to {profile.drive.setpoint_max}")
