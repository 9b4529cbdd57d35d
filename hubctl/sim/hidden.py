"""Labels of parcels that no eye told from another: a scanner that is late with such a one answers for somebody else."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from hubctl.sim.faults import bit_of

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]


def went_by_hidden_label(
    parcels: npt.NDArray[Any],
    labels: npt.NDArray[np.bytes_],
    block: Ints,
    is_tracked: Bools,
    said: Sequence[bytes],
) -> Bools:
    """Whether each divert went by the label of one who looked like one with a tracked parcel, told late.

    The scanner had answered for that parcel, so nobody knew how many telegrams it still owed.

    Parameters
    ----------
    parcels, labels : PARCEL array, shape (n,), and the labels that each carries, shape (n, 2)
        The truth.
    block : int array, shape (n,)
        Those with the same number looked like one to an eye.
    is_tracked : bool array, shape (n,)
        Whether a track was opened for a parcel.
    said : bytes, one a divert
        The label that its track was closed with; empty for none.
    """
    is_late = parcels["fates"] & bit_of("late_read") != 0
    has_mate = np.isin(block, block[is_tracked])
    hidden = {*labels[is_late & has_mate & ~is_tracked].ravel().tolist()} - {b""}
    return np.array([label in hidden for label in said], np.bool_)
