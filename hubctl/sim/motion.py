"""How a belt runs: straight stretches of constant speed, so that its travel at a time is exact for ever.

A belt keeps the events that parcels come to on it in a heap by belt travel, and the instant of the first.
"""

from __future__ import annotations

from typing import Any

from hubctl.sim.heap import pop, push
from hubctl.sim.jitable import jitable

NEVER_NS = 2**62
NS_PER_S = 1_000_000_000


@jitable
def travelled_um(belt: Any, t_ns: int) -> int:
    """How far a belt has run at a time, um."""
    seconds, ns = (t_ns - belt["base_ns"]) // NS_PER_S, (t_ns - belt["base_ns"]) % NS_PER_S
    return int(belt["base_um"] + seconds * belt["speed_um_s"] + ns * belt["speed_um_s"] // NS_PER_S)


@jitable
def time_of(belt: Any, travel_um: int) -> int:
    """When a belt will have run so far, ns, rounded up; NEVER_NS unless it runs forward."""
    speed = belt["speed_um_s"]
    if speed <= 0:
        return NEVER_NS
    away_um = travel_um - belt["base_um"]
    seconds, rest = away_um // speed, away_um % speed
    return int(belt["base_ns"] + seconds * NS_PER_S + (rest * NS_PER_S + speed - 1) // speed)


@jitable
def look_ahead(belt: Any) -> None:
    """Works out when the first event of a belt comes."""
    belt["next_ns"] = time_of(belt, belt["travel_keys"][0]) if belt["n_travel"] > 0 else NEVER_NS


@jitable
def await_travel(belt: Any, travel_um: int, payload: int) -> None:
    """An event once the belt has run so far."""
    push(belt["travel_keys"], belt["travel_payloads"], belt["n_travel"], travel_um, payload)
    belt["n_travel"] += 1
    if belt["travel_payloads"][0] == payload:
        look_ahead(belt)


@jitable
def drop_first(belt: Any) -> None:
    """The first event has come."""
    belt["n_travel"] -= 1
    pop(belt["travel_keys"], belt["travel_payloads"], belt["n_travel"])
    look_ahead(belt)


@jitable
def set_speed(belt: Any, speed_um_s: int, t_ns: int) -> None:
    """From now on it runs so fast; below 0 backwards."""
    belt["base_um"] = travelled_um(belt, t_ns)
    belt["base_ns"] = t_ns
    belt["speed_um_s"] = speed_um_s
    look_ahead(belt)


@jitable
def obey(belt: Any, t_ns: int) -> None:
    """Runs as fast as it is told and as its faults let it; a jog is finished first."""
    if belt["n_jogs"] > 0:
        return
    speed_um_s = min(belt["told_um_s"], belt["cap_um_s"])
    if belt["n_stops"] > 0:
        speed_um_s = 0
    if speed_um_s != belt["speed_um_s"]:
        set_speed(belt, speed_um_s, t_ns)
