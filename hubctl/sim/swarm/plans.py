"""Any sort plan: one drawn from a seed for a hub."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

from hubctl.core.chains import BELT_END, DEFAULT
from hubctl.core.config import Source
from hubctl.core.hubfile import Hub
from hubctl.core.plan import SortPlan, plan_of
from hubctl.sim.swarm.drawn import Drawn
from hubctl.sim.traffic import CARRIES_NONE

N_ZIPS, N_PLZS = 1000, 100
CARRY_A_KEY = ["usps-impb", "dp-leitcode"]
OTHERS = ["sf", "ups-1z", "s10", "yto", "jt", "fedex-34"]
POLICIES = ("first-open", "nearest", "round-robin", "least-filled", "balance")
DEPARTS_S_MAX = 4000
OFTEN = ("NO_READ", "AMBIGUOUS_READ", "DIVERT_FAILED", "CHUTE_FULL", "NO_LANE", "OVERSIZE")


def any_plan(seed: int, hub: Hub) -> SortPlan:
    """The plan of a seed: every destination has a lane, a lane has one to three chutes and some overflow.

    Where a host is asked, some labels say nothing of where they go.
    """
    drawn = Drawn(seed)
    ends = {belt.end_chute for belt in hub.belts}
    usable = [chute for chute in hub.chutes if chute.diverter is not None and chute.to_belt is None]
    chutes = [chute.name for chute in usable if chute.name not in ends]
    groups = _groups(drawn, chutes)
    lanes = _lanes(drawn, chutes, [group["name"] for group in groups])
    data = {
        "plan": {"name": f"seed-{seed}"},
        "labels": {"accept": _accepted(drawn, hub.host is not None)},
        "exceptions": _exceptions(drawn, [*chutes, *(group["name"] for group in groups)]),
        "groups": groups,
        "lanes": lanes,
        "waves": _waves(drawn, [lane["name"] for lane in lanes], chutes),
    }
    return plan_of(Source.of_data(Path(f"plan-of-seed-{seed}.toml"), data), hub)


def reordered(plan: SortPlan) -> SortPlan:
    """Another plan that says the same with its lanes the other way round: who mixes the two goes astray."""
    return plan.model_copy(update={"lanes": plan.lanes[::-1]})


def _accepted(drawn: Drawn, has_host: bool) -> list[str]:
    others = [
        name for name in OTHERS if drawn.happens(f"accepts {name}", 50) or (has_host and name == CARRIES_NONE)
    ]
    formats = [*CARRY_A_KEY, *others]
    turn = drawn.one("best label", 0, len(formats) - 1)
    return formats[turn:] + formats[:turn]


def _exceptions(drawn: Drawn, chutes: list[str]) -> dict[str, str]:
    """At the belt's end by default, or in a chute; some reasons have one of their own."""
    default = (
        BELT_END if drawn.happens("exceptions at the end", 70) else drawn.pick("exception chute", chutes)
    )
    own = {reason: drawn.pick(f"chute of {reason}", chutes) for reason in OFTEN if drawn.happens(reason, 15)}
    return {DEFAULT: default} | own


def _groups(drawn: Drawn, chutes: list[str]) -> list[dict[str, Any]]:
    """At some sites, chutes that share their lanes' parcels by one of the policies."""
    n = drawn.one("groups", 1, 6) if drawn.happens("has groups", 50) else 0
    return [_group(drawn, k, chutes) for k in range(n)]


def _group(drawn: Drawn, k: int, chutes: list[str]) -> dict[str, Any]:
    members = _some(drawn, f"group {k}", chutes, drawn.one(f"chutes of group {k}", 2, 6))
    policy = drawn.pick(f"policy {k}", POLICIES)
    weights = [drawn.one(f"weight {k} {i}", 1, 9) for i in range(len(members))]
    shape = {"name": f"G{k + 1}", "chutes": members, "policy": policy}
    return shape | ({"weights": weights} if policy == "balance" else {})


def _lanes(drawn: Drawn, chutes: list[str], groups: list[str]) -> list[dict[str, Any]]:
    n = min(drawn.one("lanes", 1, 2 * len(chutes)), N_PLZS)
    zips, plzs = _ranges(N_ZIPS, n, "zip"), _ranges(N_PLZS, n, "plz")
    return [
        {"name": f"L{k + 1}", "keys": [zips[k], plzs[k]], "priority": drawn.one(f"priority {k}", 0, 9)}
        | _chain(drawn, k, chutes, groups)
        for k in range(n)
    ]


def _waves(drawn: Drawn, lanes: list[str], chutes: list[str]) -> list[dict[str, Any]]:
    """At some sites some lanes depart now and then; a wave may have a chute of its own."""
    if not drawn.happens("has waves", 25):
        return []
    return [
        {"lane": lane, "departs": departs} | _own_chute(drawn, lane, departs, chutes)
        for k, lane in enumerate(lanes)
        if drawn.happens(f"lane {k} departs", 40)
        for departs in sorted({drawn.one(f"departure {k} {i}", 60, DEPARTS_S_MAX) for i in range(3)})
    ]


def _own_chute(drawn: Drawn, lane: str, departs: int, chutes: list[str]) -> dict[str, Any]:
    purpose = f"wave of {lane} at {departs}"
    return {"chutes": [drawn.pick(purpose, chutes)]} if drawn.happens(f"own chute, {purpose}", 30) else {}


def _ranges(n_keys: int, n: int, space: str) -> list[str]:
    """All keys of a namespace in `n` ranges."""
    digits = len(str(n_keys - 1))
    ends = [k * n_keys // n for k in range(n + 1)]
    return [_range(space, first, after - 1, digits) for first, after in pairwise(ends)]


def _range(space: str, first: int, last: int, digits: int) -> str:
    more = f"..{last:0{digits}}" if last > first else ""
    return f"{space}:{first:0{digits}}{more}"


def _chain(drawn: Drawn, k: int, chutes: list[str], groups: list[str]) -> dict[str, Any]:
    """One to three chutes or a group, and some overflow."""
    own, more = drawn.pick(f"chutes of {k}", (1, 1, 1, 2, 3)), drawn.pick(f"overflow of {k}", (0, 1, 2))
    if groups and drawn.happens(f"lane {k} has a group", 60):
        return {"group": drawn.pick(f"group of {k}", groups)}
    chain = _some(drawn, f"chain of {k}", chutes, own + more)
    return {"chutes": chain[:own], "overflow": chain[own:]}


def _some(drawn: Drawn, purpose: str, chutes: list[str], n: int) -> list[str]:
    """Up to `n` different chutes, at one distance from each other."""
    at = drawn.one(f"first, {purpose}", 0, len(chutes) - 1)
    step = drawn.one(f"step, {purpose}", 1, max(len(chutes) // 3, 1))
    return list(dict.fromkeys(chutes[(at + i * step) % len(chutes)] for i in range(n)))
