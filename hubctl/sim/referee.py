"""The referee: knows for every physical parcel where it should go and where it landed, and judges the kernel.

`judge` joins the kernel's records with the truth after a run, and adds what `watch.py` found while it ran. It
serves virtual time and the live demo. What no sensor could ever reveal (a parcel put exactly where another
was taken off) is counted apart, as undetectable.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from hubctl.core.events import NO_INDEX, Disposition, Flag, Kind, Reason, Records
from hubctl.core.tables import BeltKind, CompiledPlan, Layout
from hubctl.sim.hidden import went_by_hidden_label
from hubctl.sim.matter import TAKEN_OFF, Cause, Mishap
from hubctl.sim.undetectable import JOIN_NS_MAX, Diverted, Undetectable, undetectable
from hubctl.sim.watch import INVARIANTS, Watch

FLIGHT_NS_MAX = 2_000_000_000  # from a fire to the paddle taking the parcel
STILL_OUT_NS = 50_000_000  # two fires further apart than a hold and this have two movements of the paddle
OF_SEVERAL = (Reason.MULTI_PARCEL, Reason.MULTI_LABEL, Reason.AMBIGUOUS_READ)
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]


class Truth(NamedTuple):
    """What happened to the parcels, from the world."""

    parcels: npt.NDArray[Any]  # PARCEL, shape (n,)
    progress: npt.NDArray[Any]  # PROGRESS, shape (n,)
    taken: npt.NDArray[Any]  # TAKEN, in order of time
    mishaps: npt.NDArray[Any]  # MISHAP
    as_one: npt.NDArray[Any]  # AS_ONE
    labels: npt.NDArray[np.bytes_]  # shape (n, 2): its label, and the other it carries


def allowed_chutes(layout: Layout, plan: CompiledPlan) -> npt.NDArray[np.bool_]:
    """Where a parcel of each lane may land, shape (n_lanes + 1, n_chutes); the last row is for no lane.

    Its lane's chutes with their overflow, exception chutes, and the belt's end.
    """
    allowed = np.zeros((len(plan.first), len(layout.chutes)), np.bool_)
    for lane in range(len(plan.first) - 1):
        allowed[lane, plan.chutes[plan.first[lane] : plan.first[lane + 1]]] = True
    allowed[:, layout.chutes["diverter"] == NO_INDEX] = True
    allowed[:, layout.belts["end_chute"]] = True
    allowed[:, plan.exceptions[plan.exceptions != NO_INDEX]] = True
    for step in plan.steps[plan.exception_steps[plan.exception_steps >= 0]]:
        allowed[:, plan.chutes[step["first"] : step["first"] + step["n_chutes"]]] = True
    allowed[:, plan.chutes[plan.first[-1] :]] = True
    return allowed


def _parcel_known(
    opened: Records, rows: npt.NDArray[np.int64], tracks: npt.NDArray[np.int64]
) -> npt.NDArray[np.int64]:
    """The same where the world knows it, as at the inductions of a loop."""
    parcel_of = dict(zip(tracks.tolist(), rows.tolist(), strict=True))
    return np.array([parcel_of.get(track, -1) for track in opened["parcel"].tolist()], np.int64)


def _parcel_of_track(opened: Records, truth: Truth) -> npt.NDArray[np.int64]:
    """The physical parcel whose induct edge opened each track, shape (n,); -1 where none fits."""
    known = np.flatnonzero(truth.progress["track"] > 0)
    if len(known):
        return _parcel_known(opened, known, truth.progress["track"][known])
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


def _fire_of_divert(fires: Records, chutes: Any, t_ns: Any) -> npt.NDArray[np.int64]:
    """The fire that moved the paddle: the last for its chute before an instant; -1 for none."""
    if len(fires) == 0:
        return np.full(len(chutes), -1, np.int64)
    key = fires["chute"].astype(np.int64) << 48
    order = np.lexsort((fires["t_ns"], fires["chute"]))
    base = fires["t_ns"].min()
    keys = (key + fires["t_ns"] - base)[order]
    wanted = (chutes.astype(np.int64) << 48) + t_ns - base
    at = np.searchsorted(keys, wanted, side="right") - 1
    found = order[np.maximum(at, 0)]
    good = (at >= 0) & (fires["chute"][found] == chutes) & (t_ns - fires["t_ns"][found] <= FLIGHT_NS_MAX)
    return np.where(good, found, -1)


def _names(enum: Any, values: Any) -> dict[str, int]:
    numbers, counts = np.unique(values, return_counts=True)
    return {enum(int(number)).name: int(count) for number, count in zip(numbers, counts, strict=True)}


def _own_fire(fires: Records, taken: Any, hold_ns: Any, found: Ints, track_of: Mapping[int, int]) -> Ints:
    """The same fires, but a parcel's own where the paddle was still out for another one to the same chute."""
    if len(fires) == 0:
        return found
    pairs = zip(fires["parcel"].tolist(), fires["chute"].tolist(), strict=True)
    last = {pair: k for k, pair in enumerate(pairs)}
    wanted = [(track_of.get(row, 0), chute) for row, chute in taken[["parcel", "chute"]].tolist()]
    own = np.array([last.get(pair, -1) for pair in wanted], np.int64)
    before_ns = fires["t_ns"][found] - fires["t_ns"][own]
    is_own = (own >= 0) & (found >= 0) & (np.abs(before_ns) <= hold_ns + STILL_OUT_NS)
    return np.where(is_own, own, found)


def _diverted(layout: Layout, truth: Truth, fires: Records, parcel_of: Mapping[int, int]) -> Diverted:
    taken = truth.taken[truth.taken["cause"] == Cause.FIRED]
    diverters = layout.diverters[layout.chutes["diverter"][taken["chute"]]]
    found = _fire_of_divert(fires, taken["chute"], taken["t_ns"] - diverters["latency_ns"])
    track_of = {row: track for track, row in parcel_of.items()}
    found = _own_fire(fires, taken, diverters["hold_ns"], found, track_of)
    tracks = np.array([int(fires["parcel"][k]) if k >= 0 else 0 for k in found], np.int64)
    meant = [parcel_of.get(track, -1) for track in tracks.tolist()]
    nothing = np.zeros(len(taken), np.int64)
    fired_ns, reasons = (fires["t_ns"][found], fires["reason"][found]) if len(fires) else (nothing, nothing)
    return Diverted(taken, tracks, np.array(meant, np.int64), fired_ns, reasons)


def _was_moved(truth: Truth) -> Bools:
    """Parcels that are not where they would be had nobody and nothing touched them."""
    parcels = truth.parcels
    return np.asarray((parcels["put_um"] >= 0) | (truth.progress["moved"] != 0) | (parcels["beside"] >= 0))


def _wished(
    truth: Truth, rows: npt.NDArray[np.int64], chutes: npt.NDArray[np.int64]
) -> npt.NDArray[np.bool_]:
    """Whether somebody asked for each of these parcels to go into its chute."""
    wishes = truth.mishaps[truth.mishaps["kind"] == Mishap.CHANGE]
    wished = set(zip(wishes["parcel"].tolist(), wishes["device"].tolist(), strict=True))
    return np.array([pair in wished for pair in zip(rows.tolist(), chutes.tolist(), strict=True)], np.bool_)


def _pass_for_one(diverted: Diverted, excused: Undetectable) -> Bools:
    """Whether an eye took a parcel and the neighbour that its paddle met for one."""
    rows, neighbours = diverted.taken["parcel"], diverted.taken["neighbour"]
    return np.asarray((neighbours >= 0) & (excused.one[rows] == excused.one[neighbours]))


def _hit(
    layout: Layout, truth: Truth, diverted: Diverted, tracked: npt.NDArray[np.bool_]
) -> npt.NDArray[np.bool_]:
    """Diverts of the right parcel whose paddle met a neighbour that the kernel followed too."""
    taken = diverted.taken
    diverters = layout.chutes["diverter"][taken["chute"]]
    belts = layout.belts[layout.diverters["belt"][diverters]]
    half_ns = layout.diverters["hold_ns"][diverters] // 2
    sweep_um = half_ns // 1000 * (belts["speed_counts_s"] * 1000 // belts["counts_per_m"]) // 1000
    known = (taken["neighbour"] >= 0) & tracked[taken["neighbour"]] & (diverted.meant == taken["parcel"])
    moved = _was_moved(truth)
    return np.asarray(
        known & ~moved[taken["parcel"]] & ~moved[taken["neighbour"]] & (taken["beside_um"] < sweep_um)
    )


class Wrong(NamedTuple):
    """One thing that went wrong, and the track it went wrong with (0: none)."""

    what: str
    parcel: int
    t_ns: int


class Verdict(NamedTuple):
    """How a run was."""

    counts: dict[str, Any]  # `BAD` of them should be 0
    wrong: tuple[Wrong, ...]


def _misreported(
    closed: Records, parcel_of: Mapping[int, int], truth: Truth, replaced: npt.NDArray[np.int64]
) -> Iterator[Wrong]:
    """Tracks said, with proof, to be sorted into a chute in which their parcel is not, nor one that took its place."""
    claims = closed[closed["reason"] == Reason.OK]
    rows = np.array([parcel_of.get(int(track), -1) for track in claims["parcel"]], np.int64)
    false = (rows >= 0) & (truth.progress["landed"][rows] != claims["chute"]) & ~np.isin(rows, replaced)
    yield from (_wrong("misreported", claim) for claim in claims[false])


def _doubled(inducted: Records, parcels: npt.NDArray[np.int64]) -> Iterator[Wrong]:
    """Tracks of parcels that have one already."""
    known = parcels >= 0
    _, first = np.unique(parcels[known], return_index=True)
    again = np.delete(inducted[known], first)
    yield from (_wrong("doubled", opened) for opened in again)


def _wrong(what: str, record: Any) -> Wrong:
    return Wrong(what, int(record["parcel"]), int(record["t_ns"]))


def _broken(watch: Watch) -> Iterator[Wrong]:
    """The first breach of each invariant."""
    for name, n, (parcel, t_ns) in zip(INVARIANTS, watch.broken, watch.first, strict=True):
        if n:
            yield Wrong(name, int(parcel), int(t_ns))


def _for_all(layout: Layout, diverted: Diverted) -> Bools:
    """Whether a carrier was discharged since several parcels, or labels, are on it: that is for all of them."""
    belts = layout.diverters["belt"][layout.chutes["diverter"][diverted.taken["chute"]]]
    is_ring = layout.belts["kind"][belts] == BeltKind.LOOP
    return np.asarray(is_ring & np.isin(diverted.reasons, OF_SEVERAL))


class _Tracks(NamedTuple):
    """Which track is which parcel's."""

    parcel_of: Mapping[int, int]
    track_of: Mapping[int, int]
    is_tracked: Bools  # shape (n_parcels,)


class _Actions(NamedTuple):
    """What the paddles did to whom."""

    wrong: list[Wrong]
    n_undetectable: int
    replaced: Ints  # parcels whose divert took one that nobody can tell from them, or whose label it was for


def _labels_said(diverted: Diverted, records: Records) -> list[bytes]:
    """The label that the track of each divert was closed with; empty for none."""
    closed = records[records["kind"] == Kind.CLOSED]
    said = dict(zip(closed["parcel"].tolist(), closed["text"].tolist(), strict=True))
    return [said.get(track, b"") for track in diverted.tracks.tolist()]


def _has_its_label(truth: Truth, diverted: Diverted, said: list[bytes]) -> Bools:
    """Whether each parcel taken carries the label that its track was closed with, whoever it was thought to be."""
    carried = truth.labels[diverted.taken["parcel"]].tolist()
    pairs = zip(said, carried, strict=True)
    return np.array([label in {*labels} - {b""} for label, labels in pairs], np.bool_)


def _sights(records: Records) -> Records:
    """SEEN, each as of when the eye saw it: of who is known again in a stray that is when the stray was opened."""
    seen: Records = records[records["kind"] == Kind.SEEN]
    opened = records[records["kind"] == Kind.OPENED]
    strays = opened[opened["flags"] & Flag.UNEXPECTED != 0]
    came_ns = {(int(row["device"]), int(row["counts"])): int(row["t_ns"]) for row in strays}
    for k in np.flatnonzero(np.isin(seen["counts"], strays["counts"])):
        at = int(seen["device"][k]), int(seen["counts"][k])
        seen["t_ns"][k] = came_ns.get(at, seen["t_ns"][k])
    return seen


def _actions(layout: Layout, plan: CompiledPlan, truth: Truth, records: Records, tracks: _Tracks) -> _Actions:
    """Parcels in a chute where they may not be, and diverts that took another parcel than they were for."""
    diverted = _diverted(layout, truth, records[records["kind"] == Kind.FIRE_OUTPUT], tracks.parcel_of)
    seen = _sights(records)
    excused = undetectable(layout, truth.parcels, truth.progress, truth.as_one, diverted, seen)
    fits = _fits(layout, plan, truth, diverted.taken, excused.one)
    ends = layout.chutes["to_belt"][diverted.taken["chute"]] == NO_INDEX
    is_other = (diverted.meant >= 0) & (diverted.meant != diverted.taken["parcel"])
    is_nobodys = is_other & (excused.is_other | (excused.is_of_block & (fits | ~ends)))
    said = _labels_said(diverted, records)
    is_known = is_other & _has_its_label(truth, diverted, said)
    is_hidden = went_by_hidden_label(truth.parcels, truth.labels, excused.block, tracks.is_tracked, said)
    is_for_all = is_other & fits & _for_all(layout, diverted)
    kinds = (
        ("wrong_chute", ends & ~fits & ~excused.is_other & ~is_hidden),
        ("wrong_action", is_other & ~is_nobodys & ~is_known & ~is_for_all),
        (
            "hit_neighbour",
            _hit(layout, truth, diverted, tracks.is_tracked) & ~_pass_for_one(diverted, excused),
        ),
    )
    wrong = [
        Wrong(what, tracks.track_of.get(int(row["parcel"]), 0), int(row["t_ns"]))
        for what, which in kinds
        for row in diverted.taken[which]
    ]
    n_undetectable = int((is_nobodys | (is_hidden & ends & ~fits)).sum())
    return _Actions(wrong, n_undetectable, diverted.meant[is_nobodys | is_known])


def _fits(layout: Layout, plan: CompiledPlan, truth: Truth, taken: npt.NDArray[Any], one: Ints) -> Bools:
    """Whether each parcel taken, or one that it passes for, may be in its chute."""
    allowed = allowed_chutes(layout, plan)
    by_hand = truth.parcels["put_um"] >= 0
    lane = np.where(by_hand, -1, truth.parcels["lane"])
    other = np.where(by_hand, lane, truth.parcels["other_lane"])
    other = np.where(other >= 0, other, lane)
    rows, chutes = taken["parcel"], taken["chute"]
    fits = allowed[lane[rows], chutes] | allowed[other[rows], chutes] | _wished(truth, rows, chutes)
    for k in np.flatnonzero(~fits):
        beside = np.flatnonzero(one == one[rows[k]])
        fits[k] = (allowed[lane[beside], chutes[k]] | allowed[other[beside], chutes[k]]).any()
    return np.asarray(fits)


def judge(
    layout: Layout, plan: CompiledPlan, truth: Truth, records: Records, watch: Watch, *, n_open: int
) -> Verdict:
    """The verdict on a run.

    Parameters
    ----------
    records : RECORD array
        At least every OPENED, FIRE_OUTPUT and CLOSED of the run, in order.
    n_open : int
        Tracks the kernel still follows.

    Returns
    -------
    Verdict
        `inducted`, `closed` and the tables are of inducted parcels; `unexpected` counts the strays.
    """
    opened = records[records["kind"] == Kind.OPENED]
    strays = opened["flags"] & Flag.UNEXPECTED != 0
    inducted = opened[~strays]
    parcels = _parcel_of_track(inducted, truth)
    parcel_of = dict(zip(inducted["parcel"].tolist(), parcels.tolist(), strict=True))
    all_closed = records[records["kind"] == Kind.CLOSED]
    closed = all_closed[all_closed["flags"] & Flag.UNEXPECTED == 0]
    track_of = {parcel: track for track, parcel in parcel_of.items()}
    is_tracked = np.isin(np.arange(len(truth.parcels)), parcels)
    actions = _actions(layout, plan, truth, records, _Tracks(parcel_of, track_of, is_tracked))
    wrong = [
        *actions.wrong,
        *_misreported(closed, parcel_of, truth, actions.replaced),
        *_doubled(inducted, parcels),
    ]
    n_wrong = Counter(each.what for each in wrong)
    counts = {
        "inducted": len(inducted),
        "closed": len(closed),
        "in_flight": n_open,
        "unexpected": int(strays.sum()),
        "by_disposition": _names(Disposition, closed["value"]),
        "by_reason": _names(Reason, closed["reason"]),
        "wrong_chute": n_wrong["wrong_chute"],
        "wrong_action": n_wrong["wrong_action"],
        "unaccounted": abs(len(opened) - len(all_closed) - n_open),
        "hit_neighbour": n_wrong["hit_neighbour"],
        "misreported": n_wrong["misreported"],
        "doubled": n_wrong["doubled"],
        "undetectable": actions.n_undetectable,
        "recirculated": len(np.unique(records["parcel"][records["kind"] == Kind.LAPPED])),
        "taken_off": int((truth.progress["landed"] == TAKEN_OFF).sum()),
        "put_on": int(((truth.parcels["put_um"] >= 0) & (truth.progress["landed_ns"] > 0)).sum()),
        "unseen_at_induct": int(
            (truth.progress["inducted_ns"] > 0).sum() - len(np.unique(parcels[parcels >= 0]))
        ),
        "invariants_broken": int(watch.broken.sum()),
    }
    return Verdict(counts, (*wrong, *_broken(watch)))


BAD = (
    "wrong_chute",
    "wrong_action",
    "hit_neighbour",
    "unaccounted",
    "misreported",
    "doubled",
    "invariants_broken",
)


def is_clean(counts: Mapping[str, Any]) -> bool:
    """Whether nothing went wrong that should not."""
    return all(counts[key] == 0 for key in BAD)
