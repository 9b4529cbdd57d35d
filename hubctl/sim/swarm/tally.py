"""What each class of faults did in a run: how often it came, how many parcels it touched, and how those ended."""

from __future__ import annotations

import numpy as np

from hubctl.core.events import Disposition, Kind
from hubctl.sim.virtual import Run

CAME, PARCELS, NOT_FOLLOWED = "injected", "parcels", "NOT_FOLLOWED"


def tally(run: Run) -> dict[str, dict[str, int]]:
    """For each class that came: `injected`, `parcels` touched, and their dispositions by name.

    A parcel that no track was opened for at an induct counts as NOT_FOLLOWED.
    """
    closed = run.records[run.records["kind"] == Kind.CLOSED]
    ends = dict(zip(closed["parcel"].tolist(), closed["value"].tolist(), strict=True))
    tracks = run.truth.progress["track"]
    how = np.array([ends.get(track, -1) for track in tracks.tolist()], np.int64)
    found = {}
    for name, each in run.injected.items():
        values, counts = np.unique(how[each.touched], return_counts=True)
        named = {_name(value): int(n) for value, n in zip(values.tolist(), counts.tolist(), strict=True)}
        found[name] = {CAME: each.n, PARCELS: int(each.touched.sum())} | named
    return found


def _name(value: int) -> str:
    return Disposition(value).name if value >= 0 else NOT_FOLLOWED
