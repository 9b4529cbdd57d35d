"""The referee: knows for every physical parcel where it should go and where it landed, and judges the kernel.

`watch` follows the kernel's records one by one and counts broken invariants; `judge` joins them with the
truth afterwards. The same two serve virtual time and the live demo. What no sensor could ever reveal (a
parcel put exactly where another was taken off) is counted apart, as undetectable.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from hubctl.core.events import NO_INDEX, Disposition, Flag, Kind, Reason, Records
from hubctl.core.tables import CompiledPlan, Layout
from hubctl.sim.jitable import jitable
from hubctl.sim.world import TAKEN_OFF

# Numbers as plain integers, for compiled code.
_OPENED, _COMMITTED, _FIRE = int(Kind.OPENED), int(Kind.COMMITTED), int(Kind.FIRE_OUTPUT)
_CLOSED, _DECIDED = int(Kind.CLOSED), int(Kind.DECIDED)

# Invariants, by their place in `Watch.broken`.
INVARIANTS = (
    "a track opens once, with a number higher than all before",
    "a track closes once, and nothing is said of it after",
    "nothing fires that was not committed to the same chute",
    "no command number fires twice",
    "nothing fires after its void count or time",
    "time never goes back",
)
OPENS_ONCE, CLOSES_ONCE, COMMITTED_FIRST, FIRES_ONCE, NEVER_LATE, MONOTONE = range(len(INVARIANTS))

WATCHED = np.dtype(
    [
        ("parcel", "<i8"),
        ("state", "<i4"),  # 1 open, 2 closed
        ("chute", "<i4"),  # committed to
        ("seq", "<i8"),
        ("fired_seq", "<i8"),
    ]
)

JOIN_NS_MAX = 64_000_000  # an induct edge and its parcel are no further apart: half the least spacing
FLIGHT_NS_MAX = 2_000_000_000  # from a fire to the paddle taking the parcel


class Watch(NamedTuple):
    """What has been seen of each track, kept for the last ones only."""

    tracks: npt.NDArray[Any]  # WATCHED, a ring by track number, a power of two long
    broken: npt.NDArray[np.int64]  # how often each of INVARIANTS was broken
    last: npt.NDArray[np.int64]  # [time of the last record, highest track number]


def new_watch(n_tracks: int = 1 << 16) -> Watch:
    """A watch for a sorter that follows fewer than `n_tracks` (a power of two) parcels at once."""
    return Watch(np.zeros(n_tracks, WATCHED), np.zeros(len(INVARIANTS), np.int64), np.zeros(2, np.int64))


@jitable
def _watch_opened(watch: Watch, track: Any, parcel: int) -> None:
    if parcel <= watch.last[1]:
        watch.broken[OPENS_ONCE] += 1
    watch.last[1] = parcel
    track["parcel"] = parcel
    track["state"] = 1
    track["chute"] = -1
    track["seq"] = -1
    track["fired_seq"] = -1


@jitable
def _watch_fire(watch: Watch, track: Any, record: Any) -> None:
    if track["seq"] != record["seq"] or track["chute"] != record["chute"]:
        watch.broken[COMMITTED_FIRST] += 1
    if track["fired_seq"] == record["seq"]:
        watch.broken[FIRES_ONCE] += 1
    if record["counts"] > record["limit"] or record["t_ns"] > record["value"]:
        watch.broken[NEVER_LATE] += 1
    track["fired_seq"] = record["seq"]


@jitable
def watch_record(watch: Watch, record: Any) -> None:
    """Checks one record of the kernel, in order."""
    kind = record["kind"]
    if kind != _OPENED and kind != _COMMITTED and kind != _FIRE and kind != _CLOSED and kind != _DECIDED:
        return
    if record["t_ns"] < watch.last[0]:
        watch.broken[MONOTONE] += 1
    watch.last[0] = record["t_ns"]
    track = watch.tracks[record["parcel"] & (len(watch.tracks) - 1)]
    if kind == _OPENED:
        _watch_opened(watch, track, record["parcel"])
        return
    if track["parcel"] != record["parcel"] or track["state"] != 1:
        watch.broken[CLOSES_ONCE] += 1
    if kind == _COMMITTED:
        track["chute"] = record["chute"]
        track["seq"] = record["seq"]
    elif kind == _FIRE:
        _watch_fire(watch, track, record)
    elif kind == _CLOSED:
        track["state"] = 2


class Truth(NamedTuple):
    """What happened to the parcels, from the world."""

    parcels: npt.NDArray[Any]  # PARCEL, shape (n,)
    progress: npt.NDArray[Any]  # PROGRESS, shape (n,)


def allowed_chutes(layout: Layout, plan: CompiledPlan) -> npt.NDArray[np.bool_]:
    """Where a parcel of each lane may land, shape (n_lanes + 1, n_chutes); the last row is for no lane.

    Its lane's chutes with their overflow, exception chutes, and the belt's end.
    """
    allowed = np.zeros((len(plan.first), len(layout.chutes)), np.bool_)
    for lane in range(len(plan.first) - 1):
        allowed[lane, plan.chutes[plan.first[lane] : plan.first[lane + 1]]] = True
    allowed[:, layout.chutes["diverter"] == NO_INDEX] = True
    allowed[:, plan.exceptions[plan.exceptions != NO_INDEX]] = True
    allowed[:, plan.chutes[plan.first[-1] :]] = True
    return allowed


def _parcel_of_track(opened: Records, truth: Truth) -> npt.NDArray[np.int64]:
    """The physical parcel whose induct edge opened each track, shape (n,); -1 where none fits."""
    rows = np.flatnonzero(truth.progress["inducted_ns"] > 0)
    if len(rows) == 0 or len(opened) == 0:
        return np.full(len(opened), -1, np.int64)
    rows = rows[np.argsort(truth.progress["inducted_ns"][rows], kind="stable")]
    times = truth.progress["inducted_ns"][rows]
    after = np.clip(np.searchsorted(times, opened["t_ns"]), 1, max(len(times) - 1, 1))
    after = np.minimum(after, len(times) - 1)
    before = np.maximum(after - 1, 0)
    closer = np.abs(opened["t_ns"] - times[before]) <= np.abs(opened["t_ns"] - times[after])
    best = np.where(closer, before, after)
    fits = np.abs(opened["t_ns"] - times[best]) <= JOIN_NS_MAX
    return np.where(fits, rows[best], -1)


def _fire_of_landing(fires: Records, chutes: Any, landed_ns: Any) -> npt.NDArray[np.int64]:
    """The fire that took each landed parcel: the last for its chute before it landed; -1 for none."""
    key = fires["chute"].astype(np.int64) << 48
    order = np.lexsort((fires["t_ns"], fires["chute"]))
    base = fires["t_ns"].min() if len(fires) else 0
    keys = (key + fires["t_ns"] - base)[order]
    wanted = (chutes.astype(np.int64) << 48) + landed_ns - base
    at = np.searchsorted(keys, wanted, side="right") - 1
    found = order[np.maximum(at, 0)] if len(order) else np.zeros(len(at), np.int64)
    good = (at >= 0) & (len(order) > 0)
    if len(order):
        good &= (fires["chute"][found] == chutes) & (landed_ns - fires["t_ns"][found] <= FLIGHT_NS_MAX)
    return np.where(good, found, -1)


def _names(enum: Any, values: Any) -> dict[str, int]:
    numbers, counts = np.unique(values, return_counts=True)
    return {enum(int(number)).name: int(count) for number, count in zip(numbers, counts, strict=True)}


class _Diverted(NamedTuple):
    """Each physical parcel that a paddle took, and the parcel that the fire was for (-1: not known)."""

    rows: npt.NDArray[np.int64]
    meant: npt.NDArray[np.int64]


def _diverted(layout: Layout, truth: Truth, fires: Records, parcel_of: Mapping[int, int]) -> _Diverted:
    landed = truth.progress["landed"]
    has_diverter = np.append(layout.chutes["diverter"] != NO_INDEX, [False])
    rows = np.flatnonzero((landed >= 0) & has_diverter[landed])
    found = _fire_of_landing(fires, landed[rows], truth.progress["landed_ns"][rows])
    meant = [parcel_of.get(int(fires["parcel"][k]), -1) if k >= 0 else -1 for k in found]
    return _Diverted(rows, np.array(meant, np.int64))


def _undetectable(truth: Truth, diverted: _Diverted) -> npt.NDArray[np.bool_]:
    """A parcel put on by hand that took the divert of one taken off: no sensor can tell."""
    put_on = truth.parcels["put_um"][diverted.rows] > 0
    taken_off = (diverted.meant >= 0) & (truth.progress["landed"][diverted.meant] == TAKEN_OFF)
    return np.asarray(put_on & taken_off)


def _misreported(closed: Records, parcel_of: Mapping[int, int], truth: Truth) -> int:
    """Tracks said, with proof, to be sorted into a chute in which their parcel is not."""
    claims = closed[closed["reason"] == Reason.OK]
    rows = np.array([parcel_of.get(int(track), -1) for track in claims["parcel"]], np.int64)
    known = rows >= 0
    return int((truth.progress["landed"][rows[known]] != claims["chute"][known]).sum())


def judge(
    layout: Layout, plan: CompiledPlan, truth: Truth, records: Records, watch: Watch, *, n_open: int
) -> dict[str, Any]:
    """The verdict on a run.

    Parameters
    ----------
    records : RECORD array
        At least every OPENED, FIRE_OUTPUT and CLOSED of the run, in order.
    n_open : int
        Tracks the kernel still follows.

    Returns
    -------
    dict
        Counts; `wrong_chute`, `wrong_action`, `unaccounted`, `misreported` and `invariants_broken` should be 0.
        `inducted`, `closed` and the tables are of inducted parcels; `unexpected` counts the strays.
    """
    opened = records[records["kind"] == Kind.OPENED]
    strays = opened["flags"] & Flag.UNEXPECTED != 0
    inducted = opened[~strays]
    parcels = _parcel_of_track(inducted, truth)
    parcel_of = dict(zip(inducted["parcel"].tolist(), parcels.tolist(), strict=True))
    all_closed = records[records["kind"] == Kind.CLOSED]
    closed = all_closed[all_closed["flags"] & Flag.UNEXPECTED == 0]
    diverted = _diverted(layout, truth, records[records["kind"] == Kind.FIRE_OUTPUT], parcel_of)
    excused = _undetectable(truth, diverted)
    lane = np.where(truth.parcels["put_um"] > 0, -1, truth.parcels["lane"])[diverted.rows]
    astray = ~allowed_chutes(layout, plan)[lane, truth.progress["landed"][diverted.rows]]
    mistaken = (diverted.meant >= 0) & (diverted.meant != diverted.rows)
    return {
        "inducted": len(inducted),
        "closed": len(closed),
        "in_flight": n_open,
        "unexpected": int(strays.sum()),
        "by_disposition": _names(Disposition, closed["value"]),
        "by_reason": _names(Reason, closed["reason"]),
        "wrong_chute": int((astray & ~excused).sum()),
        "wrong_action": int((mistaken & ~excused).sum()),
        "unaccounted": abs(len(opened) - len(all_closed) - n_open),
        "misreported": _misreported(closed, parcel_of, truth),
        "undetectable": int(excused.sum()),
        "taken_off": int((truth.progress["landed"] == TAKEN_OFF).sum()),
        "put_on": int(((truth.parcels["put_um"] > 0) & (truth.progress["landed_ns"] > 0)).sum()),
        "unseen_at_induct": int(
            (truth.progress["inducted_ns"] > 0).sum() - len(np.unique(parcels[parcels >= 0]))
        ),
        "invariants_broken": int(watch.broken.sum()),
    }


BAD = ("wrong_chute", "wrong_action", "unaccounted", "misreported", "invariants_broken")


def is_clean(verdict: Mapping[str, Any]) -> bool:
    """Whether nothing went wrong that should not."""
    return all(verdict[key] == 0 for key in BAD)
