"""Builds the simulated hub: the world of a hub file with its traffic. The one place where they meet."""

from __future__ import annotations

import numpy as np

from hubctl.core.hubfile import Hub
from hubctl.core.layout import diverters_in_order, eyes_in_order
from hubctl.sim.traffic import UM_PER_MM, Traffic
from hubctl.sim.world import (
    BASE_NS,
    HAPPENING,
    NOT_YET,
    PADDLE,
    PROGRESS,
    SPEED_UM_S,
    Heap,
    World,
    await_entry,
)

N_EVENTS_MAX = 1 << 16  # events awaited at once: six a parcel on the belt
N_HAPPENINGS_MAX = 64
NS_PER_MS = 1_000_000


def _heap() -> Heap:
    return Heap(np.zeros(N_EVENTS_MAX, np.int64), np.zeros(N_EVENTS_MAX, np.int64))


def _progress(n: int) -> np.ndarray:
    progress = np.zeros(n, PROGRESS)
    progress["landed"] = NOT_YET
    return progress


def make_world(hub: Hub, traffic: Traffic, start_ns: int) -> World:
    """The first belt of a hub, empty and running, before the first parcel of `traffic`.

    Parameters
    ----------
    start_ns : int
        When the belt has run 0 mm, in the caller's clock.
    """
    belt = hub.belts[0]
    diverters = [diverter for diverter in diverters_in_order(hub) if diverter.belt == belt.name]
    index = {diverter.name: i for i, diverter in enumerate(diverters)}
    clock = np.zeros(16, np.int64)
    clock[BASE_NS] = start_ns
    clock[SPEED_UM_S] = belt.speed_mm_s * UM_PER_MM
    world = World(
        clock=clock,
        parcels=traffic.parcels,
        reads=traffic.reads,
        progress=_progress(len(traffic.parcels)),
        eyes_um=_um(eye.at_mm for eye in eyes_in_order(hub) if eye.belt == belt.name),
        scanners_um=_um(scanner.at_mm for scanner in hub.scanners if scanner.belt == belt.name),
        diverters_um=_um(diverter.at_mm for diverter in diverters),
        end_um=_um([belt.length_mm]),
        latency_ns=np.array([diverter.latency_ms * NS_PER_MS for diverter in diverters], np.int64),
        chute_diverter=np.array([index.get(chute.diverter or "", -1) for chute in hub.chutes], np.int64),
        end_chute=np.array([[chute.name for chute in hub.chutes].index(belt.end_chute)], np.int64),
        paddles=np.zeros(len(diverters), PADDLE),
        fire_fails=traffic.fire_fails,
        over_eye=np.zeros(len(hub.eyes), np.int64),
        delivered_ns=np.zeros(max(len(hub.scanners), 1), np.int64),
        travel=_heap(),
        timed=_heap(),
        happened=np.zeros(N_HAPPENINGS_MAX, HAPPENING),
    )
    if len(traffic.parcels):
        await_entry(world, 0)
    return world


def _um(places_mm: object) -> np.ndarray:
    return np.array([place_mm * UM_PER_MM for place_mm in places_mm], np.int64)  # type: ignore[attr-defined]
