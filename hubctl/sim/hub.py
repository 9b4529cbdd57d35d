"""Builds the simulated hub: the world of a hub file with its traffic. The one place where they meet."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from hubctl.core.hubfile import Belt, Diverter, Eye, Hub, Scanner
from hubctl.core.layout import diverters_in_order, eyes_in_order
from hubctl.sim.traffic import UM_PER_MM, Traffic
from hubctl.sim.world import CORE, HAPPENING, NOT_YET, PROGRESS, World, await_entry

N_HAPPENINGS_MAX = 64
NS_PER_MS = 1_000_000


def make_world(hub: Hub, traffic: Traffic, start_ns: int) -> World:
    """The first belt of a hub, empty and running, before the first parcel of `traffic`.

    Parameters
    ----------
    start_ns : int
        When the belt has run 0 mm, in the caller's clock.
    """
    progress = np.zeros(len(traffic.parcels), PROGRESS)
    progress["landed"] = NOT_YET
    world = World(
        core=_core(hub, start_ns),
        parcels=traffic.parcels,
        reads=traffic.reads,
        progress=progress,
        happened=np.zeros(N_HAPPENINGS_MAX, HAPPENING),
        fire_fails=traffic.fire_fails,
    )
    if len(traffic.parcels):
        await_entry(world, 0)
    return world


def _core(hub: Hub, start_ns: int) -> npt.NDArray[np.void]:
    belt = hub.belts[0]
    diverters = [diverter for diverter in diverters_in_order(hub) if diverter.belt == belt.name]
    index = {diverter.name: i for i, diverter in enumerate(diverters)}
    core = np.zeros(1, CORE)
    row = core[0]
    row["base_ns"] = start_ns
    row["now_ns"] = start_ns
    row["speed_um_s"] = belt.speed_mm_s * UM_PER_MM
    row["end_um"] = belt.length_mm * UM_PER_MM
    row["end_chute"] = [chute.name for chute in hub.chutes].index(belt.end_chute)
    row["n_eyes"] = _fill(row["eyes_um"], _places_um(eyes_in_order(hub), belt))
    row["n_scanners"] = _fill(row["scanners_um"], _places_um(hub.scanners, belt))
    row["n_diverters"] = _fill(row["diverters_um"], _places_um(diverters, belt))
    _fill(row["latency_ns"], [diverter.latency_ms * NS_PER_MS for diverter in diverters])
    _fill(row["chute_diverter"], [index.get(chute.diverter or "", -1) for chute in hub.chutes])
    return core


def _places_um(things: Iterable[Eye | Scanner | Diverter], belt: Belt) -> list[int]:
    return [thing.at_mm * UM_PER_MM for thing in things if thing.belt == belt.name]


def _fill(room: npt.NDArray[np.int64], values: list[int]) -> int:
    if len(values) > len(room):
        raise ValueError(
            f"{len(values)} things of a kind on the belt: the simulated hub has room for {len(room)}"
        )
    room[: len(values)] = values
    return len(values)
