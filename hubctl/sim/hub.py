"""Builds the simulated hub: the world of a hub file with its traffic. The one place where they meet."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from hubctl.core.hubfile import Belt, Chute, Diverter, Hub
from hubctl.core.layout import debounce_mm, diverters_in_order, eyes_in_order
from hubctl.sim.matter import (
    AS_ONE,
    BELT,
    CORE,
    HAND,
    HAPPENING,
    MISHAP,
    N_BELTS_MAX,
    N_INDUCTS_MAX,
    N_SOURCES,
    NOT_YET,
    PROGRESS,
    TAKEN,
    World,
)
from hubctl.sim.motion import look_ahead
from hubctl.sim.traffic import NS_PER_S, UM_PER_MM, Traffic
from hubctl.sim.world import begin

N_HAPPENINGS_MAX = 512
NS_PER_MS = 1_000_000
N_TAKEN_SPARE = 1024
EDGE_MS = 5  # edges are told so ill
N_AS_ONE_A_PARCEL = 2
APPROACH_MM = 50  # a parcel comes down so far before its induct's eye, unless at the belt's start


def make_world(hub: Hub, traffic: Traffic, start_ns: int) -> World:
    """The belts of a hub, empty and running, before the first parcels of `traffic`.

    Parameters
    ----------
    start_ns : int
        When the belts have run 0 mm, in the caller's clock.

    Raises
    ------
    ValueError
        More of a kind than the simulated hub has room for.
    """
    n = len(traffic.parcels)
    progress = np.zeros(n, PROGRESS)
    progress["landed"] = NOT_YET
    progress["stood_um"] = progress["as_one"] = -1
    core = _core(hub, traffic, start_ns)
    world = World(
        core=core,
        belts=_belts(hub, start_ns),
        parcels=traffic.parcels,
        next_of=_chains(traffic, core[0]["source_first"]),
        reads=traffic.reads,
        mishaps=traffic.mishaps.copy() if len(traffic.mishaps) else _no_mishap(),
        progress=progress,
        taken=np.zeros(n * (1 if len(hub.belts) == 1 else 3) + N_TAKEN_SPARE, TAKEN),
        as_one=np.zeros(N_AS_ONE_A_PARCEL * n + N_TAKEN_SPARE, AS_ONE),
        happened=np.zeros(N_HAPPENINGS_MAX, HAPPENING),
        fire_fails=traffic.fire_fails,
        carriers=np.full(max(_n_carriers(hub.belts), 1), -1, np.int64),
        spoiled=np.zeros(max(_n_carriers(hub.belts), 1), np.int64),
    )
    _count_riders(world)
    begin(world)
    return world


def _n_carriers(belts: Sequence[Belt]) -> int:
    return sum(belt.carriers.n for belt in belts if belt.carriers is not None)


def _count_riders(world: World) -> None:
    """How many parcels come onto each belt from outside: so many are to leave a loop."""
    core, parcels = world.core[0], world.parcels
    sources = np.where(parcels["put_um"] >= 0, HAND + parcels["belt"], parcels["source"])
    n = np.bincount(core["source_belt"][sources], minlength=len(world.belts))
    world.belts["n_to_leave"] = n[: len(world.belts)]


def _fill_ring(row: np.void, hub: Hub, belt: Belt) -> None:
    """What a loop is besides a belt."""
    row["origin_eye"] = row["carrier_eye"] = -1
    if belt.carriers is None:
        return
    row["ring_um"] = belt.length_mm * UM_PER_MM
    row["pitch_um"] = belt.carriers.pitch_mm * UM_PER_MM
    row["carrier_um"] = belt.carriers.carrier_mm * UM_PER_MM
    row["n_carriers"] = belt.carriers.n
    row["first_carrier"] = _n_carriers(hub.belts[: hub.belts.index(belt)])
    for k, eye in enumerate(eyes_in_order(hub)):
        if eye.belt == belt.name and eye.role in ("origin", "carrier"):
            row[f"{eye.role}_eye"] = k


def _no_mishap() -> npt.NDArray[np.void]:
    """One row that begins with nobody: compiled code wants an array with something in it."""
    rows = np.zeros(1, MISHAP)
    rows["parcel"] = -1
    return rows


def _chains(traffic: Traffic, first: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Who enters after each parcel in the same place, shape (n,); -1 for nobody. Fills in who is first."""
    is_put = traffic.parcels["put_um"] >= 0
    sources = np.where(is_put, HAND + traffic.parcels["belt"], traffic.parcels["source"])
    next_of = np.full(len(sources), -1, np.int64)
    first[:] = -1
    for source in np.unique(sources):
        rows = np.flatnonzero(sources == source)
        next_of[rows[:-1]] = rows[1:]
        first[source] = rows[0]
    return next_of


def _belts(hub: Hub, start_ns: int) -> npt.NDArray[np.void]:
    _refuse_more_than(N_BELTS_MAX, hub.belts, "belts")
    rows = np.zeros(len(hub.belts), BELT)
    for row, belt in zip(rows, hub.belts, strict=True):
        speed_um_s = belt.speed_mm_s * UM_PER_MM
        for name in ("speed_um_s", "told_um_s", "cap_um_s", "design_um_s"):
            row[name] = speed_um_s
        row["base_ns"] = start_ns
        row["end_um"] = belt.length_mm * UM_PER_MM
        row["end_chute"] = [chute.name for chute in hub.chutes].index(belt.end_chute)
        row["first_eye"], row["end_eye"] = _span([eye.belt for eye in eyes_in_order(hub)], belt)
        row["first_diverter"], row["end_diverter"] = _span([d.belt for d in diverters_in_order(hub)], belt)
        row["first"] = row["last"] = -1
        _fill_ring(row, hub, belt)
        look_ahead(row)
    return rows


def _span(of_belts: Sequence[str], belt: Belt) -> tuple[int, int]:
    """The things of a belt, which stand together: first, and the one after the last."""
    first = of_belts.index(belt.name) if belt.name in of_belts else 0
    return first, first + of_belts.count(belt.name)


def _core(hub: Hub, traffic: Traffic, start_ns: int) -> npt.NDArray[np.void]:
    belts = [belt.name for belt in hub.belts]
    core = np.zeros(1, CORE)
    row = core[0]
    row["now_ns"] = start_ns
    row["n_belts"] = len(belts)
    row["harm_ns"], row["heal_ns"] = traffic.harm_s * NS_PER_S, traffic.heal_s * NS_PER_S
    eyes = eyes_in_order(hub)
    row["n_eyes"] = _fill(row["eyes_um"], [eye.at_mm * UM_PER_MM for eye in eyes])
    speeds = {belt.name: belt.speed_mm_s for belt in hub.belts}
    blur_um = {name: speed * EDGE_MS for name, speed in speeds.items()}
    _fill(row["debounce_um"], [debounce_mm(hub, eye) * UM_PER_MM + blur_um[eye.belt] for eye in eyes])
    _fill(row["is_load_eye"], [int(eye.role == "load") for eye in eyes_in_order(hub)])
    row["n_scanners"] = _fill(row["scanners_um"], [scanner.at_mm * UM_PER_MM for scanner in hub.scanners])
    _fill(row["scanner_belt"], [belts.index(scanner.belt) for scanner in hub.scanners])
    _fill_stamps(row, hub)
    row["n_scales"] = _fill(row["scales_um"], [scale.at_mm * UM_PER_MM for scale in hub.scales])
    _fill(row["scale_belt"], [belts.index(scale.belt) for scale in hub.scales])
    _fill(row["scale_late_ns"], [scale.latency_ms * NS_PER_MS for scale in hub.scales])
    _fill_diverters(row, hub)
    _fill_chutes(row, hub)
    _fill_sources(row, hub)
    return core


def _fill_stamps(row: np.void, hub: Hub) -> None:
    """What scanners need to say where they have read."""
    eyes = [eye.name for eye in eyes_in_order(hub)]
    triggers = [-1 if scanner.trigger is None else eyes.index(scanner.trigger) for scanner in hub.scanners]
    _fill(row["scanner_trigger"], triggers)
    _fill(row["scanner_latches"], [int(scanner.stamp == "encoder") for scanner in hub.scanners])
    row["is_trigger"][[k for k in triggers if k >= 0]] = 1


def _fill_diverters(row: np.void, hub: Hub) -> None:
    diverters = diverters_in_order(hub)
    belts = [belt.name for belt in hub.belts]
    row["paddle_chute"] = -1
    row["n_diverters"] = _fill(row["diverters_um"], [d.at_mm * UM_PER_MM for d in diverters])
    _fill(row["diverter_belt"], [belts.index(d.belt) for d in diverters])
    _fill(row["latency_ns"], [d.latency_ms * NS_PER_MS for d in diverters])
    _fill(row["has_home"], [int(d.home is not None) for d in diverters])


def _fill_chutes(row: np.void, hub: Hub) -> None:
    diverters = {diverter.name: k for k, diverter in enumerate(diverters_in_order(hub))}
    belts = [belt.name for belt in hub.belts]
    _fill(row["chute_diverter"], [diverters.get(chute.diverter or "", -1) for chute in hub.chutes])
    _fill(row["chute_to_belt"], [-1 if c.to_belt is None else belts.index(c.to_belt) for c in hub.chutes])
    _fill(row["chute_to_um"], [chute.to_mm * UM_PER_MM for chute in hub.chutes])
    of_name = {diverter.name: diverter for diverter in hub.diverters}
    _fill(
        row["slide_ns"],
        [_slide_ms(chute, of_name.get(chute.diverter or "")) * NS_PER_MS for chute in hub.chutes],
    )


def _slide_ms(chute: Chute, diverter: Diverter | None) -> int:
    """From the paddle to the chute eye, of a parcel's centre: as the hub file expects it.

    The paddle is to meet the centre in the middle of its time out.
    """
    if diverter is None:
        return 0
    return max(sum(chute.confirm_ms) // 2 - diverter.latency_ms - diverter.hold_ms // 2, 1)


def _fill_sources(row: np.void, hub: Hub) -> None:
    """Each induct eye is where parcels come; the first of a belt brings them to the belt's start."""
    belts = [belt.name for belt in hub.belts]
    eyes = eyes_in_order(hub)
    inducts = [k for k, eye in enumerate(eyes) if eye.role == "induct"]
    _refuse_more_than(N_INDUCTS_MAX, inducts, "inducts")
    row["eye_source"] = row["source_waits"] = row["source_first"] = -1
    row["source_belt"][HAND:N_SOURCES] = np.arange(N_BELTS_MAX)
    for source, k in enumerate(inducts):
        row["eye_source"][k] = source
        row["source_belt"][source] = belts.index(eyes[k].belt)
        row["source_eye"][source] = k
        is_loop = hub.belts[belts.index(eyes[k].belt)].kind == "loop"
        is_first = eyes[k].belt not in {eyes[other].belt for other in inducts[:source]}
        approach_mm = 0 if is_loop else APPROACH_MM
        is_at_start = is_first and not is_loop
        row["source_at_um"][source] = 0 if is_at_start else (eyes[k].at_mm - approach_mm) * UM_PER_MM


def _fill(room: npt.NDArray[np.int64], values: list[int]) -> int:
    _refuse_more_than(len(room), values, "things of a kind")
    room[: len(values)] = values
    return len(values)


def _refuse_more_than(n_max: int, things: Sequence[object], what: str) -> None:
    if len(things) > n_max:
        raise ValueError(f"{len(things)} {what}: the simulated hub has room for {n_max}")
