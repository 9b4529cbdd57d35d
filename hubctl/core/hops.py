"""Which exit of a belt leads to which chute, over other belts too: the fewest transfers."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from hubctl.core.events import NO_INDEX
from hubctl.core.tables import Table

Hops = npt.NDArray[np.uint16]


def find_hops(belts: Table, diverters: Table, chutes: Table) -> Hops:
    """The exit to take on each belt for each chute.

    Parameters
    ----------
    belts, diverters, chutes : structured arrays
        Tables of `core/tables.py` that agree with each other.

    Returns
    -------
    uint16 array, shape (n_belts, n_chutes)
        Index of the chute by which a parcel leaves the belt on its way; NO_INDEX where no way leads there.
    """
    exits = [_exits(belts, diverters, chutes, belt) for belt in range(len(belts))]
    hops = np.full((len(belts), len(chutes)), NO_INDEX, np.uint16)
    for belt, own in enumerate(exits):
        hops[belt, own] = own
    for _ in range(len(belts)):
        hops = _one_transfer_more(hops, exits, chutes["to_belt"])
    return hops


def lead_back(belts: Table, chutes: Table) -> npt.NDArray[np.bool_]:
    """Whether a parcel that nobody diverts comes back to the same belt, shape (n_belts,): then it has laps."""
    onward = chutes["to_belt"][belts["end_chute"]]
    return np.array([belt in _beyond(belt, onward.tolist()) for belt in range(len(belts))], np.bool_)


def _beyond(belt: int, onward: list[int]) -> set[int]:
    """The belts that a parcel comes to by belts' ends."""
    found: set[int] = set()
    while (belt := onward[belt]) != NO_INDEX and belt not in found:
        found.add(belt)
    return found


def _exits(belts: Table, diverters: Table, chutes: Table, belt: int) -> list[int]:
    """Every chute of a belt, that at its end last."""
    on_belt = [
        index
        for index, diverter in enumerate(chutes["diverter"].tolist())
        if diverter != NO_INDEX and diverters["belt"][diverter] == belt
    ]
    return [*on_belt, int(belts["end_chute"][belt])]


def _one_transfer_more(hops: Hops, exits: list[list[int]], to_belt: npt.NDArray[np.uint16]) -> Hops:
    """Ways found so far stay; where there is none, the first exit onto a belt that knows one."""
    further = hops.copy()
    for belt, own in enumerate(exits):
        for index in own:
            if to_belt[index] != NO_INDEX:
                found = hops[to_belt[index]] != NO_INDEX
                further[belt, found & (further[belt] == NO_INDEX)] = index
    return further
