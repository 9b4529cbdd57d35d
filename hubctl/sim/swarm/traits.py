"""What some hubs have besides, each trait drawn by itself and after all else: a seed without it is the hub it was."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from hubctl.sim.swarm.drawn import Drawn

Entry = dict[str, Any]

HAVE_IT = 25  # of a hundred seeds, those that have a trait
STAMP_DIGITS = 10
SCALE_LATENCY_MS = (20, 60)
SCALE_REACH_MM = (60, 100)
BEFORE_SCANNER_MM = (0, 300)  # a scale stands so far before the first scanner of its tunnel
HEAVIEST_G = (12_000, 25_000)
WIDEST_MM = (350, 600)
LIGHTEST_G = (200, 3000)
HOST_TIMEOUT_MS = (100, 3000)
REALIGN_MM_MAX = 600
START_WARNING_MS, DRAIN_MS = (0, 3000), (0, 5000)


def traits_of(seed: int, names: Iterable[str]) -> tuple[str, ...]:
    """Those of the traits named that the hub of a seed has."""
    drawn = Drawn(seed)
    return tuple(name for name in names if drawn.happens(f"has {name}", HAVE_IT))


def add_traits(drawn: Drawn, data: Entry, names: Iterable[str]) -> None:
    """Gives a hub, as its file would say it, what it has besides."""
    for name in names:
        _ADD[name](drawn, data)


# Stamps


def _add_stamps(drawn: Drawn, data: Entry) -> None:
    """Some scanners say the belt's counter, others the number of the trigger."""
    for scanner in data["scanners"]:
        trigger = _trigger_of(data, scanner)
        kinds = ("none", "encoder") if trigger is None else ("none", "encoder", "trigger", "trigger")
        kind = drawn.pick(f"stamp of {scanner['name']}", kinds)
        if kind != "none":
            scanner.update({"stamp": kind, "stamp_digits": STAMP_DIGITS, "stamp_separator": ";"})
        if kind == "trigger":
            scanner["trigger"] = trigger


def _trigger_of(data: Entry, scanner: Entry) -> str | None:
    """The last eye before a scanner of a line; None if it has none."""
    eyes = [
        eye for eye in data["eyes"] if eye["belt"] == scanner["belt"] and eye["role"] in ("induct", "track")
    ]
    before = [eye for eye in eyes if eye["at_mm"] <= scanner["at_mm"]]
    if _is_loop(data) or not before:
        return None
    return str(max(before, key=lambda eye: int(eye["at_mm"]))["name"])


# Weight and size


def _add_scales(drawn: Drawn, data: Entry) -> None:
    """A scale at each tunnel; belts, diverters and chutes that bear so much and no more."""
    first: dict[str, Entry] = {}
    for scanner in data["scanners"]:
        first.setdefault(scanner["tunnel"], scanner)
    data["scales"] = [_scale(drawn, k, data, scanner) for k, scanner in enumerate(first.values())]
    for belt in data["belts"]:
        belt.update(_limits_of_belt(drawn, belt["name"]))
    for diverter in data["diverters"]:
        diverter.update(_limits_of_diverter(drawn, diverter["name"]))
    for chute in data["chutes"]:
        if (
            "to_belt" not in chute
            and chute.get("diverter")
            and drawn.happens(f"{chute['name']} holds weight", 10)
        ):
            chute["weight_g_max"] = drawn.one(f"weight in {chute['name']}", 100, 1000) * 1000


def _scale(drawn: Drawn, k: int, data: Entry, scanner: Entry) -> Entry:
    """What it says is known before the first diverter behind its tunnel is told."""
    before_mm = drawn.one(f"scale {k} at", *BEFORE_SCANNER_MM)
    return {
        "name": f"W{k + 1}",
        "belt": scanner["belt"],
        "at_mm": scanner["at_mm"] if _is_loop(data) else scanner["at_mm"] - before_mm,
        "latency_ms": drawn.one(f"scale {k} latency", *SCALE_LATENCY_MS),
        "reach_mm": drawn.one(f"scale {k} reach", *SCALE_REACH_MM),
    }


def _limits_of_belt(drawn: Drawn, name: str) -> Entry:
    limits: Entry = {"weight_required": drawn.happens(f"{name} wants weights", 20)}
    if drawn.happens(f"{name} bears so much", 60):
        limits["weight_g_max"] = drawn.one(f"{name} bears", *HEAVIEST_G)
    for side in ("width", "height"):
        if drawn.happens(f"{name} has a {side}", 30):
            limits[f"{side}_mm_max"] = drawn.one(f"{side} of {name}", *WIDEST_MM)
    return limits


def _limits_of_diverter(drawn: Drawn, name: str) -> Entry:
    limits: Entry = {}
    if drawn.happens(f"{name} moves so much", 30):
        limits["weight_g_max"] = drawn.one(f"{name} moves", *HEAVIEST_G)
    if drawn.happens(f"{name} moves no less", 20):
        limits["weight_g_min"] = drawn.one(f"{name} moves at least", *LIGHTEST_G)
    return limits


# The host


def _add_host(drawn: Drawn, data: Entry) -> None:
    """It is asked about labels that say nothing of where they go."""
    data["host"] = {
        "timeout_ms": drawn.one("host timeout", *HOST_TIMEOUT_MS),
        "silent_after": drawn.pick("host silent after", (0, 5, 20)),
    }


# Re-alignment


def _add_realign(drawn: Drawn, data: Entry) -> None:
    """Most eyes that track know parcels again that have slipped."""
    longest_mm = {belt["name"]: belt["parcel_mm_max"] for belt in data["belts"]}
    for eye in data["eyes"]:
        if eye["role"] == "track" and drawn.happens(f"{eye['name']} re-aligns", 80):
            most_mm = min(REALIGN_MM_MAX, longest_mm[eye["belt"]])
            eye["realign_mm"] = drawn.one(f"{eye['name']} up to", eye["window_mm"] + 1, most_mm)


# The machine


def _add_machine(drawn: Drawn, data: Entry) -> None:
    """It stands until a person starts it, and people hold and stop it."""
    drain_ms = drawn.one("drain", *DRAIN_MS) if drawn.happens("drains", 50) else 0
    data["machine"] = {
        "start_warning_ms": drawn.one("start warning", *START_WARNING_MS),
        "drain_ms": drain_ms,
    }


def _is_loop(data: Entry) -> bool:
    return bool(data["belts"][0].get("kind") == "loop")


_ADD: dict[str, Callable[[Drawn, Entry], None]] = {
    "stamps": _add_stamps,
    "scales": _add_scales,
    "host": _add_host,
    "realign": _add_realign,
    "machine": _add_machine,
}
TRAITS = tuple(_ADD)
