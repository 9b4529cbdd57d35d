"""Any hub: one drawn from a seed, held against the same checks as a person's hub file."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

from hubctl.core.config import Source
from hubctl.core.hubfile import Hub, hub_of
from hubctl.sim.swarm.drawn import Drawn
from hubctl.sim.swarm.loops import any_loop
from hubctl.sim.swarm.traits import TRAITS, add_traits, traits_of

Entry = dict[str, Any]

SIZES = ((4, 16, 45), (16, 60, 35), (60, 160, 15), (160, 300, 5))  # chutes from, to, seeds of a hundred
LOOPS_PER_CENT = 25
N_BELTS = (1, 1, 1, 1, 2, 2, 2, 3, 3, 4)
SLIDE_MM = 775  # from the paddle to the chute eye
WRAP_S_MIN = 10  # a counter that wraps sooner could wrap unseen while its link is down
SCANNER_LATENCY_MS = 50
PERIOD_MS = 5
N_CHUTES_OF_NODE = 16
FULL_FROM = 100  # discrete inputs of a node: confirm eyes from 0, full eyes from here, eyes of belts
EYES_FROM = 200
HEAD_EYES_FROM = 20  # input registers of the head: counters, then eyes, 16 to one
BITS_OF_REGISTER = 16
LANDS_MM = 150  # where parcels come down on a belt


class _Stretch(NamedTuple):
    """A belt with what stands along it."""

    belt: Entry
    scanners: list[Entry]
    diverters: list[Entry]
    exits: list[Entry]  # chutes and ways onto other belts, beside diverters
    end: Entry


def is_loop(seed: int) -> bool:
    """Whether a seed's hub is a loop sorter."""
    return Drawn(seed).happens("is a loop", LOOPS_PER_CENT)


def any_hub(seed: int, traits: Sequence[str] = TRAITS) -> Hub:
    """The hub of a seed, with those of the traits named that the seed gives it."""
    drawn = Drawn(seed)
    data = _loop_data(drawn) if is_loop(seed) else _data(drawn)
    add_traits(drawn, data, traits_of(seed, traits))
    return hub_of(Source.of_data(Path(f"hub-of-seed-{seed}.toml"), data))


def _loop_data(drawn: Drawn) -> Entry:
    """A loop, wired as belts are."""
    loop = any_loop(drawn)
    for k, chute in enumerate(loop.chutes):
        chute.update(_wires(drawn, k, chute))
    nodes = _nodes(drawn, len(loop.chutes))
    return {
        "hub": {"name": f"seed-{drawn.seed}"},
        "belts": [loop.belt],
        "links": _links(drawn, nodes, loop.scanners),
        "nodes": nodes,
        "eyes": loop.eyes,
        "scanners": loop.scanners,
        "diverters": loop.diverters,
        "chutes": loop.chutes,
    }


def _data(drawn: Drawn) -> Entry:
    stretches = _stretches(drawn)
    exits = [exit for stretch in stretches for exit in stretch.exits]
    for k, exit in enumerate(exits):
        exit.update(_wires(drawn, k, exit))
    scanners = [scanner for stretch in stretches for scanner in stretch.scanners]
    nodes = _nodes(drawn, len(exits))
    return {
        "hub": {"name": f"seed-{drawn.seed}"},
        "belts": [stretch.belt for stretch in stretches],
        "links": _links(drawn, nodes, scanners),
        "nodes": nodes,
        "eyes": _all_eyes(drawn, stretches),
        "scanners": scanners,
        "diverters": [diverter for stretch in stretches for diverter in stretch.diverters],
        "chutes": [*exits, *(stretch.end for stretch in stretches)],
    }


# Belts


def _stretches(drawn: Drawn) -> list[_Stretch]:
    """One belt after another: each leads onto the next at its end, or by a diverter on the way."""
    n = drawn.pick("belts", N_BELTS)
    by_end = [drawn.happens(f"end of belt {k} leads on", 50) for k in range(n - 1)]
    sizes = _shares(drawn, n)
    found: list[_Stretch] = []
    for k in range(n):
        speed_mm_s = found[-1].belt["speed_mm_s"] if found else 0
        belt = _belt(drawn, k, speed_mm_s)
        leads_on = k < n - 1
        found.append(_stretch(drawn, k, belt, sizes[k], leads_on, leads_on and by_end[k]))
    return found


def _shares(drawn: Drawn, n: int) -> list[int]:
    """How many diverters each belt has."""
    n_diverters = (_n_chutes(drawn) + 1) // 2
    return [max(n_diverters // n, 2) for _ in range(n)]


def _n_chutes(drawn: Drawn) -> int:
    rank = drawn.one("size", 0, 99)
    for low, high, per_cent in SIZES:
        if rank < per_cent:
            return drawn.one("chutes", low, high)
        rank -= per_cent
    raise AssertionError("SIZES has all hundred seeds of a hundred")


def _belt(drawn: Drawn, k: int, before_mm_s: int) -> Entry:
    """No belt is slower than the one that leads onto it: parcels would be pushed together."""
    speed_mm_s = (
        drawn.one("speed", 12, 50) * 50 if k == 0 else before_mm_s * drawn.one(f"faster {k}", 100, 120) // 100
    )
    per_m = drawn.pick(f"counts of a metre {k}", (200, 500, 1000, 2000, 5000))
    return {
        "name": f"belt{k}",
        "speed_mm_s": speed_mm_s,
        "parcel_mm_min": drawn.one("shortest", 10, 15) * 10,
        "parcel_mm_max": drawn.one("longest", 6, 12) * 100,
        "end_chute": f"END{k}",
        "encoder": {
            "address": f"head/input/{2 * k}",
            "bits": drawn.pick(f"counter {k}", _widths(speed_mm_s * per_m // 1000)),
            "counts_per_m": per_m,
        },
    }


def _widths(counts_s: int) -> list[int]:
    return [bits for bits in (16, 24, 32) if 1 << bits >= counts_s * WRAP_S_MIN]


def _stretch(drawn: Drawn, k: int, belt: Entry, n_diverters: int, leads_on: bool, by_end: bool) -> _Stretch:
    scanners = _scanners(drawn, k) if k == 0 or drawn.happens(f"tunnel {k}", 30) else []
    diverters = _diverters(drawn, k, belt, scanners, n_diverters)
    exits = _exits(drawn, k, belt, diverters)
    end: Entry = {"name": f"END{k}", "no": 900 + k}
    if leads_on:
        way = end if by_end else drawn.pick(f"way on from {k}", exits)
        way.update({"to_belt": f"belt{k + 1}", "to_mm": LANDS_MM})
    belt["length_mm"] = diverters[-1]["at_mm"] + belt["parcel_mm_max"] + drawn.one(f"run out {k}", 600, 2000)
    return _Stretch(belt, scanners, diverters, exits, end)


# What stands along a belt


def _scanners(drawn: Drawn, k: int) -> list[Entry]:
    n = drawn.pick(f"scanners {k}", (1, 2, 2, 2, 3, 4, 6, 8))
    first_mm, pitch_mm = drawn.one(f"tunnel at {k}", 900, 1500), drawn.one(f"scanner pitch {k}", 0, 120)
    presets = ("sick", "stx-etx", "line")
    return [
        {
            "name": f"S{k}-{i + 1}",
            "belt": f"belt{k}",
            "at_mm": first_mm + i * pitch_mm,
            "link": f"scan{k}-{i + 1}",
            "preset": drawn.pick(f"preset {k} {i}", presets),
            "latency_ms": SCANNER_LATENCY_MS,
            "reach_mm": drawn.one("reach", 6, 14) * 10,
            "tunnel": f"tunnel{k}",
            "silent_after": drawn.pick("silent after", (0, 20, 50)),
        }
        for i in range(n)
    ]


def _diverters(drawn: Drawn, k: int, belt: Entry, scanners: list[Entry], n: int) -> list[Entry]:
    """Each diverter can be told in time after the last scanner, and keeps clear of the next."""
    fastest_mm_s = belt["speed_mm_s"] * 11 // 10
    shape = {
        "latency_ms": drawn.one("latency", 20, 120),
        "hold_ms": drawn.one("hold", 60, 260),
        "commit_ms": drawn.one("commit", 30, 100),
        "void_ms": drawn.one("void", 5, 30),
        "fails_max": drawn.pick("fails at most", (0, 3, 6)),
    }
    in_the_way_ms = shape["hold_ms"] // 2 + shape["void_ms"] + PERIOD_MS
    shape["clear_mm"] = in_the_way_ms * fastest_mm_s // 1000 + drawn.one("clear", 40, 120)
    need_ms = SCANNER_LATENCY_MS + shape["commit_ms"] + shape["latency_ms"] + PERIOD_MS
    told_mm = (scanners[-1]["at_mm"] + scanners[-1]["reach_mm"] if scanners else LANDS_MM) + belt[
        "parcel_mm_max"
    ]
    first_mm = told_mm + need_ms * fastest_mm_s // 1000 + drawn.one(f"notice {k}", 10, 2000)
    pitch_mm = shape["clear_mm"] + drawn.one("diverter pitch", 100, 1500)
    return [
        {"name": f"D{k}-{i + 1}", "belt": f"belt{k}", "at_mm": first_mm + i * pitch_mm} | shape
        for i in range(n)
    ]


def _exits(drawn: Drawn, k: int, belt: Entry, diverters: list[Entry]) -> list[Entry]:
    """One or two a diverter."""
    share = drawn.one("share of second sides", 50, 100)
    two = drawn.many(f"second side {k}", len(diverters), 0, 99) < share
    half_ms = drawn.one("confirm window", 150, 250)
    slide_ms = SLIDE_MM * 1000 // belt["speed_mm_s"]
    found: list[Entry] = []
    for i, diverter in enumerate(diverters):
        middle_ms = diverter["latency_ms"] + diverter["hold_ms"] // 2 + slide_ms
        for side in ("left", "right") if two[i] else ("left",):
            found.append({"name": f"C{k}-{len(found) + 1}", "diverter": diverter["name"], "side": side})
            found[-1]["confirm_ms"] = [middle_ms - half_ms, middle_ms + half_ms]
    return found


def _wires(drawn: Drawn, k: int, exit: Entry) -> Entry:
    """Where the k-th exit of the hub is wired; most have an eye that confirms and one that says full."""
    node, at = divmod(k, N_CHUTES_OF_NODE)
    wires = {"no": k + 1, "output": f"io{node + 1}/coil/{at}"}
    is_way = "to_belt" in exit
    if is_way or drawn.happens(f"confirm {k}", drawn.pick("share of confirms", (100, 100, 90, 0))):
        wires["confirm"] = f"io{node + 1}/discrete/{at}"
    if not is_way and drawn.happens(f"full {k}", drawn.pick("share of full eyes", (100, 80, 0))):
        wires["full"] = f"io{node + 1}/discrete/{FULL_FROM + at}"
    return wires if is_way else wires | _limits(drawn, k)


def _limits(drawn: Drawn, k: int) -> Entry:
    """At some sites chutes hold so many parcels, or take so many in a period."""
    limits: Entry = {}
    if drawn.happens("chutes hold so many", 20) and drawn.happens(f"chute {k} holds so many", 50):
        count_max = drawn.one(f"count of {k}", 20, 400)
        limits = {
            "count_max": count_max,
            "reserve_for_priority": drawn.one(f"kept by {k}", 0, count_max // 4),
        }
    if drawn.happens("chutes have rates", 20) and drawn.happens(f"chute {k} has a rate", 50):
        limits["rate_parcels"] = drawn.one(f"rate of {k}", 1, 20)
        limits["rate_period_ms"] = drawn.one(f"period of {k}", 1000, 30_000)
    return limits


# Eyes


class _Place(NamedTuple):
    at_mm: int
    role: str


def _all_eyes(drawn: Drawn, stretches: list[_Stretch]) -> list[Entry]:
    window_mm = drawn.one("window", 50, stretches[0].belt["parcel_mm_min"] - 10)
    found: list[Entry] = []
    for k, stretch in enumerate(stretches):
        places = _places(drawn, k, stretch, 2 * window_mm + 20)
        stretch.belt["transfer_window_mm"] = _transfer_window_mm(drawn, k, places[0])
        found += [_eye(drawn, len(found) + i, f"belt{k}", place, window_mm) for i, place in enumerate(places)]
    return found


def _places(drawn: Drawn, k: int, stretch: _Stretch, apart_mm: int) -> list[_Place]:
    """One at the induct, one behind the tunnel, one before some groups of diverters, one at the end."""
    group = drawn.one("diverters of a group", 2, 12)
    tunnel_mm = stretch.scanners[-1]["at_mm"] if stretch.scanners else LANDS_MM
    first_mm = drawn.one("induct", 200, 500) if k == 0 else LANDS_MM + drawn.one(f"first eye {k}", 350, 1400)
    places = [first_mm]
    places.append(tunnel_mm + drawn.one("tunnel eye", 300, 500))
    for before, after in pairwise(stretch.diverters[::group]):
        places.append(before["at_mm"] + (after["at_mm"] - before["at_mm"]) * (group - 1) // group + 60)
    found = [_Place(at_mm, "track") for at_mm in _apart(sorted(places), apart_mm)]
    if k == 0:
        found[0] = _Place(found[0].at_mm, "induct")
    if "to_belt" in stretch.end or drawn.happens(f"has end eye {k}", 80):
        found.append(_Place(max(stretch.belt["length_mm"] - 300, found[-1].at_mm + apart_mm), "end"))
    return found


def _transfer_window_mm(drawn: Drawn, k: int, first: _Place) -> int:
    """Its first eye does not see a parcel before it comes over; at some sites it would bear the one behind it too."""
    return drawn.one(f"transfer window {k}", 80, max(first.at_mm - LANDS_MM - 10, 80))


def _apart(places: list[int], least_mm: int) -> list[int]:
    """The places in order, without those too close to the one before."""
    kept: list[int] = []
    for at_mm in places:
        if not kept or at_mm >= kept[-1] + least_mm:
            kept.append(at_mm)
    return kept


def _eye(drawn: Drawn, k: int, belt: str, place: _Place, window_mm: int) -> Entry:
    """Wired to the head, whose replies carry the counters too, or to the first node of chutes."""
    register, bit = divmod(k, BITS_OF_REGISTER)
    at_head = k < 2 or drawn.happens(f"eye {k} at head", 50)
    return {
        "name": f"E{k + 1}",
        "belt": belt,
        "at_mm": place.at_mm,
        "role": place.role,
        "input": f"head/input/{HEAD_EYES_FROM + register}.{bit}"
        if at_head
        else f"io1/discrete/{EYES_FROM + k}",
        "window_mm": window_mm,
        "length_window_mm": drawn.one("length window", 40, 80),
    }


# What it is wired to


def _nodes(drawn: Drawn, n_exits: int) -> list[Entry]:
    """A head, and one node for some chutes; at some sites two of them share a serial line."""
    n = -(-n_exits // N_CHUTES_OF_NODE)
    shared = drawn.happens("nodes share a line", 30)
    lines = [f"line{k // 2 + 1}" if shared else f"line{k + 1}" for k in range(n)]
    units = [k % 2 + 1 if shared else 1 for k in range(n)]
    io = [
        {"name": f"io{k + 1}", "link": lines[k], "unit": units[k], "period_ms": PERIOD_MS} for k in range(n)
    ]
    return [{"name": "head", "link": "head", "period_ms": PERIOD_MS}, *io]


def _links(drawn: Drawn, nodes: list[Entry], scanners: list[Entry]) -> list[Entry]:
    modbus, speech = ("modbus-tcp", "modbus-rtu"), ("scanner-tcp", "scanner-serial")
    kinds = {name: drawn.pick(f"kind of {name}", modbus) for name in dict.fromkeys(n["link"] for n in nodes)}
    kinds |= {scanner["link"]: drawn.pick(f"kind of {scanner['link']}", speech) for scanner in scanners}
    return [_link(k, name, kind) for k, (name, kind) in enumerate(kinds.items())]


def _link(k: int, name: str, kind: str) -> Entry:
    if kind.endswith("tcp"):
        return {"name": name, "kind": kind, "host": "127.0.0.1", "port": 15_000 + k}
    return {"name": name, "kind": kind, "device": f"/dev/ttyS{k}"}
