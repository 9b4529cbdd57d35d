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

N_ZIPS, N_PLZS = 1000, 100
CARRY_A_KEY = ["usps-impb", "dp-leitcode"]
OTHERS = ["sf", "ups-1z", "s10", "yto", "jt", "fedex-34"]
OFTEN = ("NO_READ", "AMBIGUOUS_READ", "DIVERT_FAILED", "CHUTE_FULL", "NO_LANE", "OVERSIZE")


def any_plan(seed: int, hub: Hub) -> SortPlan:
    """The plan of a seed: every destination has a lane, a lane has one to three chutes and some overflow."""
    drawn = Drawn(seed)
    chutes = [chute.name for chute in hub.chutes if chute.diverter is not None and chute.to_belt is None]
    data = {
        "plan": {"name": f"seed-{seed}"},
        "labels": {"accept": _accepted(drawn)},
        "exceptions": _exceptions(drawn, chutes),
        "lanes": _lanes(drawn, chutes),
    }
    return plan_of(Source.of_data(Path(f"plan-of-seed-{seed}.toml"), data), hub)


def _accepted(drawn: Drawn) -> list[str]:
    others = [name for name in OTHERS if drawn.happens(f"accepts {name}", 50)]
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


def _lanes(drawn: Drawn, chutes: list[str]) -> list[dict[str, Any]]:
    n = min(drawn.one("lanes", 1, 2 * len(chutes)), N_PLZS)
    zips, plzs = _ranges(N_ZIPS, n, "zip"), _ranges(N_PLZS, n, "plz")
    return [{"name": f"L{k + 1}", "keys": [zips[k], plzs[k]]} | _chain(drawn, k, chutes) for k in range(n)]


def _ranges(n_keys: int, n: int, space: str) -> list[str]:
    """All keys of a namespace in `n` ranges."""
    digits = len(str(n_keys - 1))
    ends = [k * n_keys // n for k in range(n + 1)]
    return [_range(space, first, after - 1, digits) for first, after in pairwise(ends)]


def _range(space: str, first: int, last: int, digits: int) -> str:
    more = f"..{last:0{digits}}" if last > first else ""
    return f"{space}:{first:0{digits}}{more}"


def _chain(drawn: Drawn, k: int, chutes: list[str]) -> dict[str, Any]:
    own, more = drawn.pick(f"chutes of {k}", (1, 1, 1, 2, 3)), drawn.pick(f"overflow of {k}", (0, 1, 2))
    at = drawn.one(f"first chute of {k}", 0, len(chutes) - 1)
    step = drawn.one(f"step of {k}", 1, max(len(chutes) // 3, 1))
    chain = list(dict.fromkeys(chutes[(at + i * step) % len(chutes)] for i in range(own + more)))
    return {"chutes": chain[:own], "overflow": chain[own:]}
