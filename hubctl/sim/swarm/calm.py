"""While nothing is wrong nobody comes to harm: liveness, judged on the parcels that came and went in calm."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import numpy as np

from hubctl.core.events import Flag, Kind, Reason, Records
from hubctl.sim.motion import NEVER_NS, NS_PER_S
from hubctl.sim.referee import Truth, Wrong

# How a parcel may end on a sorter where nothing is wrong: as planned, or for what it is, or for want of room.
FINE = (
    Reason.OK,
    Reason.OK_UNCONFIRMED,
    Reason.OVERSIZE,
    Reason.OVERWEIGHT,
    Reason.UNDERWEIGHT,
    Reason.GAP_TOO_SMALL,
    Reason.CHUTE_FULL,
    Reason.RATE_LIMIT,
    Reason.WAVE_MISSED,
    Reason.MAX_LAPS,
)


TRAVELS_NS = 200 * NS_PER_S  # nobody put on by hand stays for longer
SETTLES_NS = 60 * NS_PER_S  # after which nothing is left of what was wrong


class Calm(NamedTuple):
    """A time in which no fault is at work, nor what one has left behind."""

    from_ns: int
    until_ns: int
    is_after_harm: bool = False  # a chute or diverter may wait for a person still


def calms_of(truth: Truth) -> Iterator[Calm]:
    """When nothing was wrong in a run: between its faults, once what they leave behind has settled."""
    from_ns = 0
    for began_ns, until_ns in sorted([*_of_parcels(truth), *_of_devices(truth)]):
        if began_ns > from_ns:
            yield Calm(from_ns, began_ns, is_after_harm=from_ns > 0)
        from_ns = max(from_ns, until_ns + SETTLES_NS)
    yield Calm(from_ns, NEVER_NS, is_after_harm=from_ns > 0)


def _of_parcels(truth: Truth) -> Iterator[tuple[int, int]]:
    """From when to when each parcel was on the hub to which something happened."""
    parcels, progress = truth.parcels, truth.progress
    is_harmed = (parcels["fates"] | progress["fates"] != 0) | (parcels["put_um"] >= 0)
    for row in progress[is_harmed & (progress["landed_ns"] > 0)]:
        came_ns = row["inducted_ns"] if row["inducted_ns"] > 0 else row["landed_ns"] - TRAVELS_NS
        yield int(came_ns), int(row["landed_ns"])


def _of_devices(truth: Truth) -> Iterator[tuple[int, int]]:
    for row in truth.mishaps[truth.mishaps["began_ns"] > 0]:
        yield int(row["began_ns"]), int(row["began_ns"] + row["for_ns"])


def misweighed(records: Records, truth: Truth, calms: Iterable[Calm]) -> Iterator[Wrong]:
    """Parcels to which a scale's result was given, within a calm, that is not their weight."""
    came_ns = dict(zip(truth.progress["track"].tolist(), truth.progress["inducted_ns"].tolist(), strict=True))
    weights_g = dict(zip(truth.progress["track"].tolist(), truth.parcels["weight_g"].tolist(), strict=True))
    spans = list(calms)
    for record in records[(records["kind"] == Kind.WEIGHED) & (records["reason"] == Reason.OK)]:
        parcel, t_ns = int(record["parcel"]), int(record["t_ns"])
        if weights_g.get(parcel, record["value"]) == record["value"]:
            continue
        if any(calm.from_ns <= came_ns[parcel] and t_ns <= calm.until_ns for calm in spans):
            yield Wrong("misweighed", parcel, t_ns)


def harmed(records: Records, calms: Iterable[Calm]) -> Iterator[Wrong]:
    """Tracks opened and closed within a calm that ended in no fine way, and strays."""
    opened = records[records["kind"] == Kind.OPENED]
    closed = records[records["kind"] == Kind.CLOSED]
    came_ns = dict(zip(opened["parcel"].tolist(), opened["t_ns"].tolist(), strict=True))
    is_stray = closed["flags"] & Flag.UNEXPECTED != 0
    for record in closed[is_stray | ~np.isin(closed["reason"], [int(reason) for reason in FINE])]:
        if any(_is_harm(calm, record, came_ns[int(record["parcel"])]) for calm in calms):
            yield Wrong("harmed", int(record["parcel"]), int(record["t_ns"]))


def _is_harm(calm: Calm, closed: Any, came_ns: int) -> bool:
    if calm.is_after_harm and closed["reason"] == Reason.CHUTE_FAULT:
        return False
    return bool(calm.from_ns <= came_ns and closed["t_ns"] <= calm.until_ns)
