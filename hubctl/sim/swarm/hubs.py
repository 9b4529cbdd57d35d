"""Any hub: one drawn from a seed, held against the same checks as a person's hub file."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

from hubctl.core.config import Source
from hubctl.core.hubfile import Hub, hub_of
from hubctl.sim.swarm.drawn import Drawn

Entry = dict[str, Any]

SIZES = ((4, 16, 45), (16, 60, 35), (60, 160, 15), (160, 300, 5))  # chutes from, to, seeds of a hundred
WRAP_S_MIN = 10  # a counter that wraps sooner could wrap unseen while its link is down
SCANNER_LATENCY_MS = 50
SLIDE_UM = 775_000  # from a paddle to its chute eye
PERIOD_MS = 5
N_CHUTES_OF_NODE = 16
FULL_FROM = 100  # discrete inputs of a node: confirm eyes from 0, full eyes from here, eyes of the belt
EYES_FROM = 200
BITS_OF_REGISTER = 16


def any_hub(seed: int) -> Hub:
    """The hub of a seed; it is the same for equal seeds, whatever else is drawn."""
    return hub_of(Source.of_data(Path(f"hub-of-seed-{seed}.toml"), _data(Drawn(seed))))


def _data(drawn: Drawn) -> Entry:
    belt = _belt(drawn)
    scanners = _scanners(drawn, belt)
    diverters = _diverters(drawn, belt, scanners)
    belt["length_mm"] = diverters[-1]["at_mm"] + belt["parcel_mm_max"] + drawn.one("run out", 600, 2000)
    chutes = _chutes(drawn, belt, diverters)
    eyes = _eyes(drawn, belt, scanners, diverters)
    nodes = _nodes(drawn, chutes)
    return {
        "hub": {"name": f"seed-{drawn.seed}"},
        "belts": [belt],
        "links": _links(drawn, nodes, scanners),
        "nodes": nodes,
        "eyes": eyes,
        "scanners": scanners,
        "diverters": diverters,
        "chutes": [*chutes, {"name": "END", "no": 999}],
    }


def _belt(drawn: Drawn) -> Entry:
    speed_mm_s = drawn.one("speed", 12, 60) * 50
    per_m = drawn.pick("counts of a metre", (200, 500, 1000, 2000, 5000))
    return {
        "name": "main",
        "speed_mm_s": speed_mm_s,
        "parcel_mm_min": drawn.one("shortest", 10, 15) * 10,
        "parcel_mm_max": drawn.one("longest", 6, 12) * 100,
        "end_chute": "END",
        "encoder": {
            "address": "head/input/0",
            "bits": drawn.pick("counter", _widths(speed_mm_s * per_m // 1000)),
            "counts_per_m": per_m,
        },
    }


def _widths(counts_s: int) -> list[int]:
    return [bits for bits in (16, 24, 32) if 1 << bits >= counts_s * WRAP_S_MIN]


# What stands along the belt


def _scanners(drawn: Drawn, belt: Entry) -> list[Entry]:
    n = drawn.pick("scanners", (1, 2, 2, 2, 3, 4, 6, 8))
    first_mm, pitch_mm = drawn.one("tunnel", 900, 1500), drawn.one("scanner pitch", 0, 120)
    presets = ("sick", "stx-etx", "line")
    return [
        {
            "name": f"S{k + 1}",
            "belt": "main",
            "at_mm": first_mm + k * pitch_mm,
            "link": f"scan{k + 1}",
            "preset": drawn.pick(f"preset{k}", presets),
            "latency_ms": SCANNER_LATENCY_MS,
            "reach_mm": drawn.one("reach", 6, 14) * 10,
        }
        for k in range(n)
    ]


def _n_chutes(drawn: Drawn) -> int:
    rank = drawn.one("size", 0, 99)
    for low, high, per_cent in SIZES:
        if rank < per_cent:
            return drawn.one("chutes", low, high)
        rank -= per_cent
    raise AssertionError("SIZES has all hundred seeds of a hundred")


def _diverters(drawn: Drawn, belt: Entry, scanners: list[Entry]) -> list[Entry]:
    """Each diverter can be told in time after the last scanner, and keeps clear of the next."""
    fastest_mm_s = belt["speed_mm_s"] * 11 // 10
    shape = {
        "latency_ms": drawn.one("latency", 20, 120),
        "hold_ms": drawn.one("hold", 60, 160),
        "commit_ms": drawn.one("commit", 30, 100),
        "void_ms": drawn.one("void", 5, 30),
    }
    in_the_way_ms = shape["hold_ms"] // 2 + shape["void_ms"] + PERIOD_MS
    shape["clear_mm"] = in_the_way_ms * fastest_mm_s // 1000 + drawn.one("clear", 40, 120)
    need_ms = SCANNER_LATENCY_MS + shape["commit_ms"] + shape["latency_ms"] + PERIOD_MS
    told_mm = scanners[-1]["at_mm"] + scanners[-1]["reach_mm"] + belt["parcel_mm_max"]
    first_mm = told_mm + need_ms * fastest_mm_s // 1000 + drawn.one("notice", 10, 2000)
    pitch_mm = shape["clear_mm"] + drawn.one("diverter pitch", 100, 1500)
    n = (_n_chutes(drawn) + 1) // 2
    return [{"name": f"D{k + 1}", "belt": "main", "at_mm": first_mm + k * pitch_mm} | shape for k in range(n)]


def _chutes(drawn: Drawn, belt: Entry, diverters: list[Entry]) -> list[Entry]:
    """One or two a diverter; most have an eye that confirms and one that says full."""
    slide_ms = SLIDE_UM // belt["speed_mm_s"]
    n = 2 * len(diverters)
    two = drawn.many("second side", len(diverters), 0, 99) < drawn.one("share of second sides", 50, 100)
    confirms = drawn.many("confirm", n, 0, 99) < drawn.pick("share of confirms", (100, 100, 90, 0))
    fulls = drawn.many("full", n, 0, 99) < drawn.pick("share of full eyes", (100, 80, 0))
    half_ms = drawn.one("confirm window", 150, 250)
    found: list[Entry] = []
    for k in range(n):
        if k % 2 == 0 or two[k // 2]:
            diverter = diverters[k // 2]
            found.append(_chute(len(found), diverter, "right" if k % 2 else "left"))
            found[-1].update(_inputs(len(found) - 1, bool(confirms[k]), bool(fulls[k])))
            middle_ms = diverter["latency_ms"] + diverter["hold_ms"] // 2 + slide_ms
            found[-1]["confirm_ms"] = [middle_ms - half_ms, middle_ms + half_ms]
    return found


def _chute(k: int, diverter: Entry, side: str) -> Entry:
    node, at = divmod(k, N_CHUTES_OF_NODE)
    return {
        "name": f"C{k + 1}",
        "no": k + 1,
        "diverter": diverter["name"],
        "side": side,
        "output": f"io{node + 1}/coil/{at}",
    }


def _inputs(k: int, confirms: bool, says_full: bool) -> Entry:
    node, at = divmod(k, N_CHUTES_OF_NODE)
    confirm = {"confirm": f"io{node + 1}/discrete/{at}"} if confirms else {}
    return confirm | ({"full": f"io{node + 1}/discrete/{FULL_FROM + at}"} if says_full else {})


def _eyes(drawn: Drawn, belt: Entry, scanners: list[Entry], diverters: list[Entry]) -> list[Entry]:
    """One at the induct, one behind the tunnel, one before some groups of diverters, one at the end."""
    window_mm = drawn.one("window", 50, belt["parcel_mm_min"] - 10)
    places = [drawn.one("induct", 200, 500), scanners[-1]["at_mm"] + drawn.one("tunnel eye", 200, 500)]
    group = drawn.one("diverters of a group", 2, 12)
    for before, after in pairwise(diverters[::group]):
        places.append(before["at_mm"] + (after["at_mm"] - before["at_mm"]) * (group - 1) // group + 60)
    places = _apart(places, 2 * window_mm + 20)
    roles = ["induct", *["track"] * (len(places) - 1)]
    if drawn.happens("has end eye", 80):
        places.append(max(belt["length_mm"] - 300, places[-1] + 2 * window_mm + 20))
        roles.append("end")
    return [
        _eye(drawn, k, at_mm, role, window_mm)
        for k, (at_mm, role) in enumerate(zip(places, roles, strict=True))
    ]


def _apart(places: list[int], least_mm: int) -> list[int]:
    """The places in order, without those too close to the one before."""
    kept: list[int] = []
    for at_mm in places:
        if not kept or at_mm >= kept[-1] + least_mm:
            kept.append(at_mm)
    return kept


def _eye(drawn: Drawn, k: int, at_mm: int, role: str, window_mm: int) -> Entry:
    """Wired to the head, whose replies carry the counter too, or to the first node of chutes."""
    register, bit = divmod(k, BITS_OF_REGISTER)
    at_head = k < 2 or drawn.happens(f"eye {k} at head", 50)
    return {
        "name": f"E{k + 1}",
        "belt": "main",
        "at_mm": at_mm,
        "role": role,
        "input": f"head/input/{2 + register}.{bit}" if at_head else f"io1/discrete/{EYES_FROM + k}",
        "window_mm": window_mm,
        "length_window_mm": drawn.one("length window", 40, 80),
    }


# What it is wired to


def _nodes(drawn: Drawn, chutes: list[Entry]) -> list[Entry]:
    """A head, and one node for some chutes; at some sites two of them share a serial line."""
    n = -(-len(chutes) // N_CHUTES_OF_NODE)
    shared = drawn.happens("nodes share a line", 30)
    lines = [f"line{k // 2 + 1}" if shared else f"line{k + 1}" for k in range(n)]
    units = [k % 2 + 1 if shared else 1 for k in range(n)]
    io = [
        {"name": f"io{k + 1}", "link": lines[k], "unit": units[k], "period_ms": PERIOD_MS} for k in range(n)
    ]
    return [{"name": "head", "link": "head", "period_ms": PERIOD_MS}, *io]


def _links(drawn: Drawn, nodes: list[Entry], scanners: list[Entry]) -> list[Entry]:
    kinds = {link: drawn.pick(f"kind of {link}", ("modbus-tcp", "modbus-rtu")) for link in _links_of(nodes)}
    kinds |= {
        scanner["link"]: drawn.pick(f"kind of {scanner['link']}", ("scanner-tcp", "scanner-serial"))
        for scanner in scanners
    }
    return [_link(k, name, kind) for k, (name, kind) in enumerate(kinds.items())]


def _links_of(nodes: list[Entry]) -> list[str]:
    return list(dict.fromkeys(node["link"] for node in nodes))


def _link(k: int, name: str, kind: str) -> Entry:
    if kind.endswith("tcp"):
        return {"name": name, "kind": kind, "host": "127.0.0.1", "port": 15_000 + k}
    return {"name": name, "kind": kind, "device": f"/dev/ttyS{k}"}
