"""What no sensor of the hub could ever reveal: whose place a parcel has taken, or who of several passes for one.

A parcel put on by hand exactly where another was taken off, or that no eye has seen since; parcels so close that
an eye sees one; one that slipped or stood since the last eye that saw it before the fire, or came to an eye just
when, and just as long as, another should have.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from hubctl.core.events import Records
from hubctl.core.tables import BeltKind, Layout
from hubctl.sim.matter import TAKEN_OFF, Moved
from hubctl.sim.succession import in_anothers_place

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

JOIN_NS_MAX = 64_000_000  # an eye's edge and its parcel are no further apart: half the least spacing
UM_PER_M = 1_000_000
MEASURED_UM = 20_000  # a length is measured to so much: two looks at an eye, two counts


class Diverted(NamedTuple):
    """Each divert that an output had moved the paddle for, and whom its fire was for."""

    taken: npt.NDArray[Any]  # TAKEN
    tracks: Ints  # 0: not known
    meant: Ints  # the same as a parcel; -1: not known
    fired_ns: Ints
    reasons: Ints  # for which it was sent into its chute


class Undetectable(NamedTuple):
    """Of each divert, what nobody can tell."""

    is_other: Bools  # that it took another than it was for
    is_of_block: Bools  # that, unless by the length of what an eye saw: it may go where all of it may
    one: Ints  # of each parcel: those with the same number passed for one at an eye
    block: Ints  # the same of those that looked like one, however long


def undetectable(
    layout: Layout,
    parcels: npt.NDArray[Any],
    progress: npt.NDArray[Any],
    as_one: npt.NDArray[Any],
    diverted: Diverted,
    seen: Records,
) -> Undetectable:
    """What no eye could tell of these diverts.

    Parameters
    ----------
    parcels, progress, as_one : PARCEL, PROGRESS and AS_ONE arrays
        The truth.
    seen : RECORD array
        SEEN of the run, or none: then a parcel moved to another's place is never excused.
    """
    taken, rows, meant = diverted.taken, diverted.taken["parcel"], diverted.meant
    put_on = parcels["put_um"][rows] >= 0
    taken_off = progress["landed"][meant] == TAKEN_OFF
    block = _roots(as_one, len(parcels))
    one = _roots(as_one[_may_be_one(layout, parcels, as_one)], len(parcels))
    is_unseen = (taken["moved"] != Moved.NO) & (taken["seen_ns"] > diverted.fired_ns)
    in_its_place = put_on | (parcels["beside"][rows] == meant)
    no_eye_since = taken["seen_ns"] <= progress["landed_ns"][meant]
    is_other = (in_its_place & taken_off & no_eye_since) | (one[rows] == one[meant]) | is_unseen
    is_other |= taken["moved"] == Moved.UNSEEN
    is_other |= put_on & (taken["seen_ns"] == 0) & _has_eyes_that_know(layout, taken)
    is_other |= _is_double(layout, parcels, as_one, diverted, seen)
    is_other |= in_anothers_place(layout, parcels, progress, taken, meant)
    known = (meant >= 0) & (meant != rows)
    return Undetectable(known & is_other, known & (block[rows] == block[meant]), one, block)


def _has_eyes_that_know(layout: Layout, taken: npt.NDArray[Any]) -> Bools:
    """Whether each divert is from a belt of which the world notes the last eye that saw a parcel; not so of a loop."""
    diverters = layout.chutes["diverter"][taken["chute"]]
    return np.asarray(layout.belts["kind"][layout.diverters["belt"][diverters]] != BeltKind.LOOP)


def _may_be_one(layout: Layout, parcels: npt.NDArray[Any], as_one: npt.NDArray[Any]) -> Bools:
    """Whether what an eye took for one was no longer than a parcel may be, as an eye measures it.

    What touches two that lie side by side may be seen apart from them another time; those two never are.
    """
    belts = layout.belts[layout.eyes["belt"][as_one["eye"]]]
    most_um = belts["parcel_counts_max"] * UM_PER_M // belts["counts_per_m"] + MEASURED_UM
    row, ahead = parcels[as_one["parcel"]], parcels[as_one["ahead"]]
    behind_um = row["start_um"] - ahead["start_um"]
    pair_um = np.maximum(behind_um + row["length_um"], ahead["length_um"])
    is_beside = (row["beside"] == as_one["ahead"]) & (behind_um < ahead["length_um"])
    return np.asarray((as_one["whole_um"] <= most_um) | (is_beside & (pair_um <= most_um)))


def _roots(as_one: npt.NDArray[Any], n: int) -> Ints:
    """For each of `n` parcels the first of those taken for one with it."""
    root = np.arange(n)
    while True:
        before = root.copy()
        least = np.minimum(root[as_one["parcel"]], root[as_one["ahead"]])
        np.minimum.at(root, as_one["parcel"], least)
        np.minimum.at(root, as_one["ahead"], least)
        if np.array_equal(root, before):
            return root


def _is_double(
    layout: Layout, parcels: npt.NDArray[Any], as_one: npt.NDArray[Any], diverted: Diverted, seen: Records
) -> Bools:
    """Whether the taken one, moved out of its place or put on, came to its last eye as and when the other should have.

    With those that it touches it may look as long as that one, and then it came behind the first of them.
    """
    taken = diverted.taken
    found = np.zeros(len(taken), np.bool_)
    moved = (taken["moved"] == Moved.SEEN) | (parcels["put_um"][taken["parcel"]] >= 0)
    for k in np.flatnonzero((diverted.meant >= 0) & moved):
        eye = layout.eyes[taken["seen_eye"][k]]
        belt = layout.belts[eye["belt"]]
        um_per_count = UM_PER_M // belt["counts_per_m"]
        wanted_um = parcels["length_um"][diverted.meant[k]]
        looks_um = _looks(parcels, as_one, taken[k])
        sights = seen[(seen["parcel"] == diverted.tracks[k]) & (seen["device"] == taken["seen_eye"][k])]
        late_ns = taken["seen_ns"][k] - sights["t_ns"]
        within_ns = looks_um * 1_000_000_000 // (belt["speed_counts_s_min"] * um_per_count)
        within_ns[0] = 0  # alone it comes as it is seen
        is_when = (late_ns >= -JOIN_NS_MAX) & (late_ns <= JOIN_NS_MAX + within_ns[:, np.newaxis])
        is_as_long = np.abs(looks_um - wanted_um) <= eye["length_window_counts"] * um_per_count
        found[k] = (is_when.any(axis=1) & is_as_long).any()
    return found


def _looks(parcels: npt.NDArray[Any], as_one: npt.NDArray[Any], taken: Any) -> Ints:
    """As how long a parcel may have looked to an eye: alone, or as one with others."""
    row, root = taken["parcel"], _roots(as_one, len(parcels))
    wholes = as_one["whole_um"][root[as_one["parcel"]] == root[row]]
    return np.concatenate([[parcels["length_um"][row]], wholes]).astype(np.int64)
