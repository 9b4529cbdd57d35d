"""A run of the simulated hub whose faults are drawn from its seed, and the line that repeats it."""

from __future__ import annotations

from dataclasses import asdict
from functools import cache
from typing import Any

from hubctl.core.site import Site, load_site
from hubctl.sim import draw
from hubctl.sim.faults import NONE, Faults
from hubctl.sim.matter import Mishap
from hubctl.sim.referee import BAD
from hubctl.sim.swarm.case import FAULT_NAMES
from hubctl.sim.traffic import Traffic, make_traffic
from hubctl.sim.virtual import Run, Virtual

N_PARCELS = 2000
PER_HOUR = 12_000
CHANCE_MAX = 50_000  # per million
MISHAP_MAX = 2_000  # of what befalls a device, and ten parcels or so


@cache
def site() -> Site:
    return load_site("demo")


def faults_of(seed: int) -> Faults:
    """Each fault is off for two seeds of five, and else as frequent as the seed says."""
    chances = {}
    for name in FAULT_NAMES:
        is_on = draw.between(seed, f"{name} is on", 1, 0, 4)[0] < 3
        most = MISHAP_MAX if name.upper() in Mishap.__members__ else CHANCE_MAX
        chances[name] = int(draw.between(seed, name, 1, 1, most)[0]) if is_on else 0
    return Faults(**{**asdict(NONE), **chances})


def traffic_of(seed: int, faults: Faults, n: int = N_PARCELS) -> Traffic:
    made = site()
    assert made.plan is not None
    return make_traffic(made.hub, made.plan, seed=seed, n=n, parcels_per_hour=PER_HOUR, faults=faults)


def run(traffic: Traffic, *, keep_all: bool = False) -> Run:
    made = site()
    assert made.plan is not None
    return Virtual(made.hub, made.plan, traffic, keep_all=keep_all).run()


def line_to_paste(seed: int, faults: Faults, n: int = N_PARCELS) -> str:
    settings = " ".join(f"{name}={chance / 1e6:f}" for name, chance in asdict(faults).items())
    return f"hubctl sim demo --parcels {n} --seed {seed} --faults {settings}"


def bad_of(verdict: dict[str, Any]) -> dict[str, int]:
    """What must be nothing after a run to its end, and is not."""
    return {key: verdict[key] for key in (*BAD, "in_flight", "evidence_lost") if verdict[key] != 0}
