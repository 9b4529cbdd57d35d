"""Any loop: a ring of carriers drawn from a seed, with inductions, load eyes, scanners and chutes on both sides.

A ring has one zone or two, each with, one behind the other: a load eye that sees which carriers come back empty,
inductions, a load eye that proves what was launched, scanners, and diverters.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from hubctl.sim.swarm.drawn import Drawn

Entry = dict[str, Any]

NAME = "ring"
N_CARRIERS = (40, 400)
SIZES = ((4, 30, 50), (30, 120, 35), (120, 300, 15))  # chutes from, to, loops of a hundred
CARRIERS_S_MAX = 5  # that come by
WRAP_S_MIN = 10  # a counter that wraps sooner could wrap unseen while its link is down
SCANNER_LATENCY_MS = 50
PERIOD_MS = 5
LAUNCH_MS = (100, 500)
JUDGED_MS = (
    500  # after a carrier has passed a load eye its verdict is known, and before its launch is commanded
)
N_CHUTES_OF_NODE = 16
EYES_FROM = 200  # discrete inputs of the first node of chutes
HEAD_EYES_FROM = 20  # input registers of the head
BITS_OF_REGISTER = 16


class Loop(NamedTuple):
    """A loop with what stands round it; its chutes have no wires yet."""

    belt: Entry
    eyes: list[Entry]
    scanners: list[Entry]
    diverters: list[Entry]
    chutes: list[Entry]


class _Zone(NamedTuple):
    """Where things are, in mm from the zone's start."""

    before: int
    inductions: list[int]
    after: int
    scanners: list[int]
    diverters: list[int]
    end: int


def any_loop(drawn: Drawn) -> Loop:
    """The loop of a seed."""
    belt = _belt(drawn)
    shape = _shape(drawn, belt)
    zones = _zones(drawn, belt, shape)
    _close(drawn, belt, zones)
    starts = [k * belt["length_mm"] // len(zones) for k in range(len(zones))]
    diverters = _diverters(zones, starts, shape)
    chutes = _chutes(drawn, diverters, shape)
    belt["end_chute"] = drawn.pick("end chute", [chute["name"] for chute in chutes])
    return Loop(belt, _eyes(drawn, belt, zones, starts), _scanners(drawn, zones, starts), diverters, chutes)


# The ring


def _belt(drawn: Drawn) -> Entry:
    pitch_mm = drawn.one("carrier pitch", 8, 24) * 50
    carrier_mm = pitch_mm - drawn.one("between carriers", 10, 80)
    speed_mm_s = drawn.one("loop speed", 14, min(60, CARRIERS_S_MAX * pitch_mm // 50)) * 50
    per_m = drawn.pick("counts of a metre", (200, 500, 1000, 2000))
    most = 16 if speed_mm_s * per_m // 1000 * WRAP_S_MIN <= 1 << 16 else 24
    return {
        "name": NAME,
        "kind": "loop",
        "speed_mm_s": speed_mm_s,
        "parcel_mm_min": 100,
        "parcel_mm_max": drawn.one("longest", carrier_mm // 2, carrier_mm + pitch_mm),
        "laps_max": drawn.one("laps", 0, 6),
        "carriers": {
            "pitch_mm": pitch_mm,
            "carrier_mm": carrier_mm,
            "failures_max": drawn.one("failures at most", 2, 6),
        },
        "encoder": {
            "address": "head/input/0",
            "bits": drawn.pick("counter", (most, 24, 32)),
            "counts_per_m": per_m,
        },
    }


def _shape(drawn: Drawn, belt: Entry) -> Entry:
    """What all diverters have in common: carriers discharge while half of their pitch, about, passes."""
    passes_mm = belt["carriers"]["pitch_mm"] * drawn.one("discharges over", 50, 65) // 100
    return {
        "latency_ms": drawn.one("latency", 20, 120),
        "hold_ms": passes_mm * 1000 // (belt["speed_mm_s"] * 11 // 10),
        "commit_ms": drawn.one("commit", 30, 100),
        "void_ms": drawn.one("void", 5, 12),
        "fails_max": drawn.pick("fails at most", (0, 3, 6)),
    }


def _n_diverters(drawn: Drawn) -> int:
    rank = drawn.one("size", 0, 99)
    for low, high, per_cent in SIZES:
        if rank < per_cent:
            return (drawn.one("chutes", low, high) + 1) // 2
        rank -= per_cent
    raise AssertionError("SIZES has all hundred loops of a hundred")


def _zones(drawn: Drawn, belt: Entry, shape: Entry) -> list[_Zone]:
    n_inductions = drawn.one("inductions", 1, 4)
    n_zones = 2 if n_inductions > 1 and drawn.happens("two zones", 50) else 1
    n_diverters = max(_n_diverters(drawn) // n_zones, 1)
    shares = [n_inductions // n_zones + (k < n_inductions % n_zones) for k in range(n_zones)]
    return [_zone(drawn, k, belt, shape, share, n_diverters) for k, share in enumerate(shares)]


def _zone(drawn: Drawn, k: int, belt: Entry, shape: Entry, n_inductions: int, n_diverters: int) -> _Zone:
    pitch_mm = belt["carriers"]["pitch_mm"]
    before = 2 * pitch_mm + drawn.one(f"before {k}", 0, pitch_mm)
    step = pitch_mm + drawn.one(f"induction pitch {k}", 0, 2 * pitch_mm)
    judged_mm = (LAUNCH_MS[1] + JUDGED_MS) * belt["speed_mm_s"] * 11 // 10_000 + 2 * pitch_mm
    first = before + judged_mm + drawn.one(f"first induction {k}", 0, pitch_mm)
    inductions = [first + i * step for i in range(n_inductions)]
    after = inductions[-1] + pitch_mm + drawn.one(f"after {k}", 0, 2 * pitch_mm)
    scanner = after + pitch_mm + drawn.one(f"tunnel at {k}", 0, 1000)
    apart = drawn.one(f"scanner pitch {k}", 0, 400)
    scanners = [scanner + i * apart for i in range(drawn.pick(f"scanners {k}", (1, 2, 2, 3)))]
    diverters = _places(drawn, k, belt, shape, scanners[-1], n_diverters)
    return _Zone(before, inductions, after, scanners, diverters, diverters[-1] + 2 * pitch_mm)


def _places(drawn: Drawn, k: int, belt: Entry, shape: Entry, scanner_mm: int, n_diverters: int) -> list[int]:
    """Each diverter can be told in time after the zone's last scanner."""
    need_ms = SCANNER_LATENCY_MS + shape["commit_ms"] + shape["latency_ms"] + PERIOD_MS
    told_mm = scanner_mm + _reach_mm(drawn) + belt["parcel_mm_max"]
    first = told_mm + need_ms * belt["speed_mm_s"] * 11 // 10_000 + drawn.one(f"notice {k}", 10, 2000)
    step = drawn.one("diverter pitch", 200, 1500)
    return [first + i * step for i in range(n_diverters)]


def _reach_mm(drawn: Drawn) -> int:
    return drawn.one("reach", 6, 10) * 10


def _close(drawn: Drawn, belt: Entry, zones: list[_Zone]) -> None:
    """So many carriers that every zone has room, at least."""
    pitch_mm = belt["carriers"]["pitch_mm"]
    least = -(-len(zones) * max(zone.end for zone in zones) // pitch_mm) + 4
    belt["carriers"]["n"] = max(drawn.one("carriers", *N_CARRIERS), least)
    belt["length_mm"] = belt["carriers"]["n"] * pitch_mm


# What stands round it


def _eyes(drawn: Drawn, belt: Entry, zones: list[_Zone], starts: list[int]) -> list[Entry]:
    pitch_mm = belt["carriers"]["pitch_mm"]
    origin = drawn.one("origin", 10, pitch_mm // 2)
    places = [("origin", origin)]
    if drawn.happens("has a carrier eye", 80):
        places.append(("carrier", origin + pitch_mm * drawn.one("carrier eye", 20, 80) // 100))
    for zone, start in zip(zones, starts, strict=True):
        places.append(("load", start + zone.before))
        places += [("induct", start + at) for at in zone.inductions]
        places.append(("load", start + zone.after))
    return [_eye(drawn, k, role, at_mm) for k, (role, at_mm) in enumerate(places)]


def _eye(drawn: Drawn, k: int, role: str, at_mm: int) -> Entry:
    """Wired to the head, whose replies carry the counter too, or to the first node of chutes."""
    register, bit = divmod(k, BITS_OF_REGISTER)
    at_head = role in ("origin", "carrier") or drawn.happens(f"eye {k} at head", 70)
    eye = {
        "name": f"E{k + 1}",
        "belt": NAME,
        "at_mm": at_mm,
        "role": role,
        "input": f"head/input/{HEAD_EYES_FROM + register}.{bit}"
        if at_head
        else f"io1/discrete/{EYES_FROM + k}",
    }
    return eye | ({"launch_ms": drawn.one(f"launch {k}", *LAUNCH_MS)} if role == "induct" else {})


def _scanners(drawn: Drawn, zones: list[_Zone], starts: list[int]) -> list[Entry]:
    return [
        {
            "name": f"S{k}-{i + 1}",
            "belt": NAME,
            "at_mm": start + at_mm,
            "link": f"scan{k}-{i + 1}",
            "latency_ms": SCANNER_LATENCY_MS,
            "reach_mm": _reach_mm(drawn),
            "tunnel": f"tunnel{k}",
        }
        for k, (zone, start) in enumerate(zip(zones, starts, strict=True))
        for i, at_mm in enumerate(zone.scanners)
    ]


def _diverters(zones: list[_Zone], starts: list[int], shape: Entry) -> list[Entry]:
    places = [start + at for zone, start in zip(zones, starts, strict=True) for at in zone.diverters]
    return [{"name": f"D{k + 1}", "belt": NAME, "at_mm": at_mm} | shape for k, at_mm in enumerate(places)]


def _chutes(drawn: Drawn, diverters: list[Entry], shape: Entry) -> list[Entry]:
    """One or two a diverter: carriers discharge to either side."""
    share = drawn.one("share of second sides", 50, 100)
    two = drawn.many("second side", len(diverters), 0, 99) < share
    middle_ms = shape["latency_ms"] + shape["hold_ms"] // 2 + drawn.one("slide", 150, 400)
    half_ms = shape["hold_ms"] // 2 + drawn.one("confirm window", 60, 150)
    found: list[Entry] = []
    for i, diverter in enumerate(diverters):
        for side in ("left", "right") if two[i] or len(diverters) == 1 else ("left",):
            found.append({"name": f"C{len(found) + 1}", "diverter": diverter["name"], "side": side})
            found[-1]["confirm_ms"] = [max(middle_ms - half_ms, 1), middle_ms + half_ms]
    return found
