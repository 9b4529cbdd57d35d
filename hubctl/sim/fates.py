"""What fate has in store for each parcel, drawn by the seed: each fault by itself, so that one can be taken away."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from hubctl.core.hubfile import Belt, Hub
from hubctl.core.layout import eyes_in_order
from hubctl.sim import draw
from hubctl.sim.faults import Faults, bit_of
from hubctl.sim.matter import READ, Outcome

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

UM_PER_MM = 1000
NS_PER_MS = 1_000_000
TAKEN_FROM_MM = 400  # nobody takes a parcel off before it is on the belt
LATENCY_MS = (-10, 10)  # from the scan line to the telegram, beside the scanner's own
LATE_MS = (200, 2000)  # and so much more when it is late
SLIP_PPM = (-200, 200)
SLIP_MM = (20, 600)
STANDS_MS = (1000, 12_000)
BEFORE_EYE_MM = 30  # a jam at an eye blocks it
PRESSED_MM = -10  # the gap of parcels that touch: no light comes between them
SMALL_GAP_MM = (15, 150)
BESIDE_MM = (0, 60)  # so far behind the leading edge of the one it lies beside
WEIGHT_G = (100, 20_000)
TOO_HEAVY_G = (60_000, 90_000)
SIZE_MM = (50, 500)
TOO_LONG = (105, 150)  # per cent of the longest


def mark(parcels: npt.NDArray[Any], name: str, rows: Bools) -> None:
    """Writes down to which parcels a fault comes."""
    parcels["fates"] |= np.where(rows, bit_of(name), 0)


def is_harm(t_ns: Ints, harm_s: int, heal_s: int) -> Bools:
    """Whether faults come at a time: for `harm_s` from the start, not for `heal_s`, and so on; 0: always."""
    period_ns = (harm_s + heal_s) * 10**9
    if period_ns == 0:
        return np.ones(len(t_ns), np.bool_)
    return np.asarray(t_ns % period_ns < harm_s * 10**9)


def draw_reads(seed: int, hub: Hub, may: Bools, other: Bools, faults: Faults) -> npt.NDArray[Any]:
    """What each scanner will make of each parcel, and how long its telegram takes.

    Parameters
    ----------
    may : bool array, shape (n,)
        Whether a fault may come to each parcel.
    other : bool array, shape (n,)
        Whether it carries another label too.
    """
    n = len(may)
    reads = np.zeros((n, len(hub.scanners)), READ)
    nobody = draw.happens(seed, "no_read", n, faults.no_read) & may
    for k, scanner in enumerate(hub.scanners):
        misses = nobody | draw.happens(seed, f"missed_side{k}", n, faults.missed_side) & may
        late = draw.happens(seed, f"late{k}", n, faults.late_read) & may
        outcome = _outcomes(seed, k, may, other, faults)
        reads["outcome"][:, k] = np.where(misses, Outcome.NO_READ, outcome)
        delay = draw.between(seed, f"latency{k}", n, *LATENCY_MS) + scanner.latency_ms
        reads["delay_ms"][:, k] = np.maximum(delay, 1) + late * draw.between(
            seed, f"lateness{k}", n, *LATE_MS
        )
    return reads


def _outcomes(seed: int, k: int, may: Bools, other: Bools, faults: Faults) -> Ints:
    """What scanner `k` makes of labels that it can see."""
    n = len(may)
    doubled = draw.happens(seed, f"doubled{k}", n, faults.doubled_read) & may
    garbled = draw.happens(seed, f"garbled{k}", n, faults.garbled_read) & may
    outcome = np.where(doubled, Outcome.DOUBLED, Outcome.READ)
    outcome = np.where(garbled, Outcome.GARBLED, outcome)
    of_two = np.array([Outcome.READ, Outcome.OTHER, Outcome.BOTH], np.int64)
    return np.where(other, of_two[draw.between(seed, f"which label{k}", n, 0, 2)], outcome)


def draw_gaps_um(seed: int, may: Bools, gap_mm: int, faults: Faults) -> Ints:
    """The gap that each parcel's induct keeps before it, shape (n,)."""
    n = len(may)
    small = draw.happens(seed, "gap_small", n, faults.gap_small) & may
    pressed = draw.happens(seed, "touching", n, faults.touching) & may
    gaps = np.where(small, draw.between(seed, "small_gap", n, *SMALL_GAP_MM), gap_mm)
    return np.where(pressed, PRESSED_MM, gaps) * UM_PER_MM


def draw_beside_um(seed: int, may: Bools, faults: Faults) -> Ints:
    """How far behind the leading edge of the one before it each parcel comes beside it, shape (n,); -1: it does not."""
    n = len(may)
    beside = draw.happens(seed, "side_by_side", n, faults.side_by_side) & may
    return np.where(beside, draw.between(seed, "beside_by", n, *BESIDE_MM) * UM_PER_MM, -1)


def draw_fates(
    seed: int, hub: Hub, belt: Belt, run_mm: Ints, may: Bools, parcels: npt.NDArray[Any], faults: Faults
) -> None:
    """Fills in what will befall inducted parcels on a belt.

    Parameters
    ----------
    run_mm : int array, shape (n,)
        How far each runs there.
    """
    n = len(parcels)
    way_mm = np.maximum(run_mm - TAKEN_FROM_MM, 1)
    off = draw.happens(seed, "taken_off", n, faults.taken_off) & may
    place_mm = TAKEN_FROM_MM + draw.between(seed, "taken_place", n, 0, 999) * way_mm // 1000
    parcels["removed_um"] = np.where(off, place_mm * UM_PER_MM, -1)
    parcels["slip_ppm"] = draw.between(seed, "slip", n, *SLIP_PPM)
    parcels["fills_chute"] = draw.happens(seed, "chute_full", n, faults.chute_full) & may
    mark(parcels, "taken_off", off)
    mark(parcels, "chute_full", parcels["fills_chute"] != 0)
    parcels["falls_off"] = draw.happens(seed, "falls_off", n, faults.falls_off) & may
    slips = draw.happens(seed, "slips", n, faults.slip) & may
    mark(parcels, "slip", slips)
    parcels["slip_at_um"] = (
        TAKEN_FROM_MM + draw.between(seed, "slip_place", n, 0, 999) * way_mm // 1000
    ) * UM_PER_MM
    parcels["slip_um"] = slips * draw.between(seed, "slip_by", n, *SLIP_MM) * UM_PER_MM
    stands = draw.happens(seed, "jam", n, faults.jam) & may
    mark(parcels, "jam", stands)
    parcels["stands_ns"] = stands * draw.between(seed, "stands_for", n, *STANDS_MS) * NS_PER_MS
    parcels["stands_at_um"] = _stands_at_mm(seed, hub, belt, way_mm) * UM_PER_MM
    _draw_bulk(seed, belt, may, parcels, faults)


def _stands_at_mm(seed: int, hub: Hub, belt: Belt, way_mm: Ints) -> Ints:
    """Half of those that stand do so before an eye."""
    n = len(way_mm)
    anywhere = TAKEN_FROM_MM + draw.between(seed, "stands_place", n, 0, 999) * way_mm // 1000
    eyes = [eye.at_mm for eye in eyes_in_order(hub) if eye.belt == belt.name and eye.role != "induct"]
    if not eyes:
        return anywhere
    at_eye = np.array(eyes)[draw.between(seed, "stands_eye", n, 0, len(eyes) - 1)] + BEFORE_EYE_MM
    return np.where(draw.between(seed, "stands_where", n, 0, 1) == 0, at_eye, anywhere)


def _draw_bulk(seed: int, belt: Belt, may: Bools, parcels: npt.NDArray[Any], faults: Faults) -> None:
    n = len(parcels)
    heavy = draw.happens(seed, "overweight", n, faults.overweight) & may
    weight_g = draw.between(seed, "weight", n, *WEIGHT_G)
    mark(parcels, "overweight", heavy)
    parcels["weight_g"] = np.where(heavy, draw.between(seed, "too_heavy", n, *TOO_HEAVY_G), weight_g)
    for name in ("width_mm", "height_mm"):
        parcels[name] = draw.between(seed, name, n, *SIZE_MM)


def draw_lengths_mm(seed: int, belt: Belt, lengths_mm: Ints, may: Bools, faults: Faults) -> Ints:
    """The same lengths, but for those that are longer than the belt should carry."""
    n = len(lengths_mm)
    long = draw.happens(seed, "oversize", n, faults.oversize) & may
    return np.where(
        long, belt.parcel_mm_max * draw.between(seed, "too_long", n, *TOO_LONG) // 100, lengths_mm
    )


def mark_reads(parcels: npt.NDArray[Any], reads: npt.NDArray[Any], hub: Hub) -> None:
    """Writes down whose label was ill read, and how."""
    outcomes = reads["outcome"]
    late_ms = np.array([scanner.latency_ms + LATE_MS[0] // 2 for scanner in hub.scanners], np.int64)
    missed = outcomes == Outcome.NO_READ
    mark(parcels, "no_read", missed.all(axis=1) & (len(hub.scanners) > 0))
    mark(parcels, "missed_side", missed.any(axis=1) & ~missed.all(axis=1))
    mark(parcels, "doubled_read", (outcomes == Outcome.DOUBLED).any(axis=1))
    mark(parcels, "garbled_read", (outcomes == Outcome.GARBLED).any(axis=1))
    mark(parcels, "late_read", np.any(reads["delay_ms"] > late_ms, axis=1))
    mark(parcels, "two_labels", parcels["other_lane"] >= 0)
    mark(parcels, "put_on", parcels["put_um"] >= 0)
