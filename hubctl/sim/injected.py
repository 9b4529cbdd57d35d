"""What befell whom in a run: for each fault the parcels that it touched, and how often it came."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from hubctl.sim.faults import NAMES, bit_of
from hubctl.sim.matter import NOT_PUT, NOT_YET, Mishap, World

Bools = npt.NDArray[np.bool_]

AFTER_NS = 3_000_000_000  # what a mishap leaves behind touches parcels for so much longer
OWN = (  # mishaps that are one parcel's own
    Mishap.INTERCEPT,
    Mishap.HOLD_BACK,
    Mishap.CHANGE,
    Mishap.CODE,
    Mishap.TELL_TAKEN_OFF,
)


class Injected(NamedTuple):
    """One class of faults in a run."""

    n: int  # how often it came
    touched: Bools  # shape (n_parcels,): who was on the hub while it was at work, or whose fate it was


def injected(world: World) -> dict[str, Injected]:
    """Every class that came, by name.

    Parameters
    ----------
    world : World
        Run to its end.
    """
    found = {name: _fate(world, name) for name in NAMES if name.upper() not in Mishap.__members__}
    found |= {kind.name.lower(): _mishap(world, kind) for kind in Mishap}
    return {name: each for name, each in found.items() if each.n}


def _fate(world: World, name: str) -> Injected:
    came = ~np.isin(world.progress["landed"], (NOT_YET, NOT_PUT))
    fates = world.parcels["fates"] | world.progress["fates"]
    touched = np.asarray(came & (fates & bit_of(name) != 0))
    return Injected(int(touched.sum()), touched)


def _mishap(world: World, kind: Mishap) -> Injected:
    rows = world.mishaps[(world.mishaps["kind"] == kind) & (world.mishaps["began_ns"] > 0)]
    touched = np.zeros(len(world.parcels), np.bool_)
    for row in rows:
        touched |= _is_own(world, row) if kind in OWN else _is_there(world, row)
    return Injected(len(rows), touched)


def _is_own(world: World, row: Any) -> Bools:
    return np.asarray(np.arange(len(world.parcels)) == row["parcel"])


def _is_there(world: World, row: Any) -> Bools:
    """Whether each parcel was on the hub at some time of it."""
    came_ns = world.progress["inducted_ns"]
    left_ns = np.where(world.progress["landed_ns"] > 0, world.progress["landed_ns"], np.iinfo(np.int64).max)
    until_ns = row["began_ns"] + row["for_ns"] + AFTER_NS
    return np.asarray((came_ns > 0) & (came_ns <= until_ns) & (left_ns >= row["began_ns"]))
