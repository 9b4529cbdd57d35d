"""Who lies on a carrier in another's place: laid there after that one was discharged, before any eye looked."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from hubctl.core.tables import BeltKind, Layout

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

UM_PER_M = 1_000_000


def in_anothers_place(
    layout: Layout,
    parcels: npt.NDArray[Any],
    progress: npt.NDArray[Any],
    taken: npt.NDArray[Any],
    meant: Ints,
) -> Bools:
    """Whether a divert took a parcel laid by hand onto the carrier that the one it was for had left already.

    Where no eye confirms the discharge, a load eye sees a load afterwards, and nobody can tell that it is another.

    Parameters
    ----------
    taken : TAKEN array, shape (n,)
        Diverts.
    meant : int array, shape (n,)
        Whom each was for, as a row of `parcels`; -1: not known.
    """
    rows, belt = taken["parcel"], layout.belts[0]
    if belt["kind"] != BeltKind.LOOP:
        return np.zeros(len(rows), np.bool_)
    carrier_um = belt["length_counts"] * UM_PER_M // belt["counts_per_m"] // layout.rings[0]["n_carriers"]
    ring_um = carrier_um * layout.rings[0]["n_carriers"]
    apart_um = (progress["origin_um"][rows] - progress["origin_um"][meant] + ring_um // 2) % ring_um
    same = np.abs(apart_um - ring_um // 2) < carrier_um
    left = (progress["landed_ns"][meant] > 0) & (progress["landed_ns"][meant] < taken["t_ns"])
    return np.asarray((meant >= 0) & (parcels["put_um"][rows] >= 0) & same & left)
