"""While nothing is wrong nobody comes to harm: liveness, judged on the parcels that came and went in calm."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np

from hubctl.core.events import Flag, Kind, Reason, Records
from hubctl.sim.referee import Wrong

# How a parcel may end on a sorter where nothing is wrong: as planned, or for what it is, or for want of room.
FINE = (
    Reason.OK,
    Reason.OK_UNCONFIRMED,
    Reason.OVERSIZE,
    Reason.OVERWEIGHT,
    Reason.GAP_TOO_SMALL,
    Reason.CHUTE_FULL,
    Reason.RATE_LIMIT,
    Reason.WAVE_MISSED,
    Reason.MAX_LAPS,
)


class Calm(NamedTuple):
    """A time in which no fault is at work, nor what one has left behind."""

    from_ns: int
    until_ns: int


def harmed(records: Records, calms: Iterable[Calm]) -> Iterator[Wrong]:
    """Tracks opened and closed within a calm that ended in no fine way, and strays."""
    opened = records[records["kind"] == Kind.OPENED]
    closed = records[records["kind"] == Kind.CLOSED]
    came_ns = dict(zip(opened["parcel"].tolist(), opened["t_ns"].tolist(), strict=True))
    is_stray = closed["flags"] & Flag.UNEXPECTED != 0
    for record in closed[is_stray | ~np.isin(closed["reason"], [int(reason) for reason in FINE])]:
        from_ns, until_ns = came_ns[int(record["parcel"])], int(record["t_ns"])
        if any(calm.from_ns <= from_ns and until_ns <= calm.until_ns for calm in calms):
            yield Wrong("harmed", int(record["parcel"]), until_ns)
