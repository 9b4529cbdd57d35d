"""What befalls devices as parcels are inducted, drawn by the seed: a row of `mishaps` for each."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from hubctl.core.hubfile import Hub
from hubctl.core.layout import diverters_in_order
from hubctl.sim import draw
from hubctl.sim.faults import Faults
from hubctl.sim.matter import MISHAP, Mishap

Ints = npt.NDArray[np.int64]

NS_PER_MS = 1_000_000
UM_PER_MM = 1000
NS_PER_S = 1_000_000_000
TAKEN_OFF_MM = (400, 3000)  # where a person takes off what he says that he has taken off


class _Range(NamedTuple):
    """What is drawn for one kind of mishap: whom it befalls, for how long, and how bad it is."""

    device: str  # a section of the hub file; chute, diverter: those of the parcel; "": nobody
    for_ms: tuple[int, int] = (0, 0)
    value: tuple[int, int] = (0, 0)
    unit: int = 1  # of the value


RANGES = {
    Mishap.LINK_DROP: _Range("links", (2000, 2000)),
    Mishap.SCANNER_SILENT: _Range("scanners", (1000, 8000)),
    Mishap.BELT_STOPS: _Range("belts", (300, 15_000)),
    Mishap.BELT_SLOWS: _Range("belts", (2000, 15_000), (20, 90)),  # per cent of the design speed
    Mishap.BELT_JOGS: _Range("belts", value=(20, 600), unit=UM_PER_MM),
    Mishap.DIVERTER_STUCK_OUT: _Range("diverter", (2000, 8000)),
    Mishap.CHUTE_FLAPS: _Range("chute", (3000, 10_000), (150, 1500), NS_PER_MS),
    Mishap.ENCODER_SCALE: _Range("belts", (5000, 60_000), (-3000, 3000)),
    Mishap.ENCODER_STOPS: _Range("belts", (50, 3000)),
    Mishap.ENCODER_RESETS: _Range("belts"),
    Mishap.EYE_CHATTER: _Range("eyes", (2000, 10_000), (1, 8), NS_PER_MS),
    Mishap.EYE_STUCK_ON: _Range("eyes", (1000, 8000)),
    Mishap.EYE_STUCK_OFF: _Range("eyes", (1000, 8000)),
    Mishap.DIVERT_UNCONFIRMED: _Range("chute", (3000, 30_000)),
    Mishap.SLOW_NODE: _Range("nodes", (1000, 5000), (10, 90), NS_PER_MS),
    Mishap.HOST_SILENT: _Range("", (1000, 10_000)),
    Mishap.HOST_LATE: _Range("", (1000, 10_000), (200, 5000), NS_PER_MS),
    Mishap.PLAN_SWAP: _Range(""),
    Mishap.RESTART: _Range("", (500, 3000)),
    Mishap.STALL: _Range("", (1, 10_000)),
    Mishap.GARBAGE: _Range("scanners"),
    Mishap.CLOCK_JUMP: _Range("", value=(-3600, 3600)),
    Mishap.CHUTE_CLOSED: _Range("chute", (3000, 20_000)),
    Mishap.BAG_CHANGE: _Range("chute", (5000, 20_000)),
    Mishap.INTERCEPT: _Range("", (5000, 30_000)),
    Mishap.HOLD_BACK: _Range("", (5000, 30_000)),
    Mishap.CHANGE: _Range("chutes", (300, 4000)),  # and then it is wanted
    Mishap.CODE: _Range("", (300, 4000)),  # and then it is said
    Mishap.TELL_TAKEN_OFF: _Range("", (200, 3000)),  # after it was taken off
    Mishap.CARRIER_MISSED: _Range("carrier eyes"),
    Mishap.ORIGIN_MISSED: _Range("origin eyes"),
    Mishap.ORIGIN_DOUBLED: _Range("origin eyes", value=(1, 900)),  # thousandths of a turn
    Mishap.TILT_FAILS: _Range("carriers", (20_000, 200_000)),
    Mishap.CARRIER_OUT: _Range("carriers", (5000, 100_000)),
    Mishap.LAUNCH_FAILS: _Range("induct eyes", (1000, 20_000)),
    Mishap.MACHINE_HELD: _Range("machine", (1000, 20_000)),
    Mishap.MACHINE_STOPPED: _Range("machine", (1000, 30_000)),
    Mishap.SAFETY_TRIPPED: _Range("machine", (1000, 30_000)),
}


NOT_ON_LOOPS = (Mishap.BELT_JOGS, Mishap.DIVERTER_STUCK_OUT)  # no ring is driven back, and none has paddles
OF_LOOPS = ("carriers", "carrier eyes", "origin eyes", "induct eyes")


def draw_mishaps(
    seed: int, hub: Hub, parcels: npt.NDArray[Any], chutes: Ints, may: npt.NDArray[np.bool_], faults: Faults
) -> npt.NDArray[Any]:
    """What befalls devices as these parcels are inducted; each parcel's row learns of its first.

    Parameters
    ----------
    chutes : int array, shape (n,)
        The first chute of each parcel's lane.
    may : bool array, shape (n,)
        Whether anything may befall with this parcel.
    """
    kinds = [_of_kind(seed, hub, kind, parcels, chutes, may, faults) for kind in Mishap]
    mishaps = np.concatenate(kinds)
    mishaps = mishaps[np.argsort(mishaps["parcel"], kind="stable")]
    rows, first = np.unique(mishaps["parcel"], return_index=True)
    parcels["mishap"][rows] = first
    return mishaps


def _of_kind(
    seed: int,
    hub: Hub,
    kind: Mishap,
    parcels: npt.NDArray[Any],
    chutes: Ints,
    may: npt.NDArray[np.bool_],
    faults: Faults,
) -> npt.NDArray[Any]:
    name, n, ranges = kind.name.lower(), len(parcels), RANGES[kind]
    is_impossible = kind in NOT_ON_LOOPS and hub.belts[0].kind == "loop"
    n_devices = 0 if is_impossible else _n_devices(hub, ranges.device)
    chance = vars(faults)[name] if n_devices else 0
    rows = np.flatnonzero(draw.happens(seed, name, n, chance) & may)
    made = np.zeros(len(rows), MISHAP)
    made["parcel"] = rows
    made["kind"] = kind
    drawn = draw.between(seed, f"{name} of", n, 0, max(n_devices - 1, 0))[rows]
    made["device"] = _devices(hub, ranges.device, chutes[rows], drawn)
    made["for_ns"] = draw.between(seed, f"{name} for", n, *ranges.for_ms)[rows] * NS_PER_MS
    made["value"] = draw.between(seed, f"{name} by", n, *ranges.value)[rows] * ranges.unit
    return _completed(seed, hub, kind, parcels, made)


def _n_of_loop(hub: Hub, device: str) -> int:
    """How many a loop has of what only loops have; of a hub of belts 0."""
    carriers = hub.belts[0].carriers
    if carriers is None or device == "carriers":
        return carriers.n if carriers is not None else 0
    return sum(f"{eye.role} eyes" == device for eye in hub.eyes)


def _n_devices(hub: Hub, device: str) -> int:
    if device in ("", "chute"):
        return 1
    if device == "machine":
        return int(hub.machine is not None)
    if device in OF_LOOPS:
        return _n_of_loop(hub, device)
    return len(hub.diverters) if device == "diverter" else len(getattr(hub, device))


def _devices(hub: Hub, device: str, chutes: Ints, drawn: Ints) -> Ints:
    """Indices as in the records; those of the parcel where the kind wants them."""
    if device == "chute":
        return chutes
    if device == "diverter":
        index = {diverter.name: k for k, diverter in enumerate(diverters_in_order(hub))}
        of_chute = np.array([index.get(chute.diverter or "", -1) for chute in hub.chutes], np.int64)
        return np.where(of_chute[chutes] >= 0, of_chute[chutes], drawn)
    return drawn


def _completed(
    seed: int, hub: Hub, kind: Mishap, parcels: npt.NDArray[Any], made: npt.NDArray[Any]
) -> npt.NDArray[Any]:
    """What a kind needs besides."""
    speeds_um_s = np.array([belt.speed_mm_s * UM_PER_MM for belt in hub.belts], np.int64)
    if kind is Mishap.BELT_SLOWS:
        made["value"] = made["value"] * speeds_um_s[made["device"]] // 100
    elif kind is Mishap.ORIGIN_DOUBLED:
        made["value"] *= hub.belts[0].length_mm  # thousandths of a turn, in um
    elif kind is Mishap.STALL:  # most are short
        made["for_ns"] //= 1 + draw.between(seed, "stall is short", len(parcels), 0, 30)[made["parcel"]]
    elif kind is Mishap.TELL_TAKEN_OFF:
        _take_off(seed, parcels, made, int(speeds_um_s.min()))
    return made


def _take_off(seed: int, parcels: npt.NDArray[Any], made: npt.NDArray[Any], speed_um_s: int) -> None:
    """They are taken off, and it is said once they are."""
    rows = made["parcel"]
    places_um = draw.between(seed, "taken off at", len(parcels), *TAKEN_OFF_MM)[rows] * UM_PER_MM
    parcels["removed_um"][rows] = np.where(
        parcels["removed_um"][rows] > 0, parcels["removed_um"][rows], places_um
    )
    made["for_ns"] += parcels["removed_um"][rows] * NS_PER_S // speed_um_s
