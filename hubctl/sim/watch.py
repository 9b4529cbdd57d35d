"""Watches what a kernel says, record by record, for what must never happen, whatever is on the belt.

`watch_record` is given every record in order, and `watch_input` what the kernel is told; both run compiled in
virtual time and as they stand on a recording. Without inputs nothing is known of chutes and nodes, and what
depends on them is not judged.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from hubctl.core.events import NO_INDEX, Alarm, ChuteState, Disposition, Kind, Reason
from hubctl.core.tables import BeltKind, EyeRole, Layout
from hubctl.sim.jitable import jitable, seldom

# Numbers as plain integers, for compiled code.
_OPENED, _DECIDED, _COMMITTED, _SEEN = (
    int(k) for k in (Kind.OPENED, Kind.DECIDED, Kind.COMMITTED, Kind.SEEN)
)
_FIRE, _CLOSED, _LAPPED = int(Kind.FIRE_OUTPUT), int(Kind.CLOSED), int(Kind.LAPPED)
_TRANSFERRED, _RAISED, _CLEARED = int(Kind.TRANSFERRED), int(Kind.ALARM_RAISED), int(Kind.ALARM_CLEARED)
_WEIGHED = int(Kind.WEIGHED)
_OF_TRACK = (_OPENED, _SEEN, _DECIDED, _COMMITTED, _FIRE, _CLOSED, _LAPPED, _TRANSFERRED)
_OPERATE, _LEVEL, _NODE = int(Kind.OPERATE), int(Kind.CHUTE_LEVEL), int(Kind.NODE)
_NONE, _OK, _OK_UNCONFIRMED = int(Reason.NONE), int(Reason.OK), int(Reason.OK_UNCONFIRMED)
_SORTED, _CLOSED_CHUTE = int(Disposition.SORTED), int(ChuteState.CLOSED)
_LINE, _INDUCT, _END = int(BeltKind.LINE), int(EyeRole.INDUCT), int(EyeRole.END)
_LOOP = int(BeltKind.LOOP)
_JAM, _BLIND, _CHATTERS = int(Alarm.JAM), int(Alarm.EYE_BLIND), int(Alarm.EYE_CHATTERS)
_NOWHERE = NO_INDEX
_UNKNOWN = -(2**63)

# Invariants, by their place in `Watch.broken`.
INVARIANTS = (
    "a track opens once, with a number higher than all before",
    "a track closes once, and nothing is said of it after",
    "nothing fires that was not committed to the same chute, by the same plan",
    "no command number fires twice",
    "nothing fires after its void count or time",
    "time never goes back",
    "a diverter fires for a parcel once on a lap, and never after one further down",
    "nothing fires for a parcel that an eye on its way should have seen and did not",
    "nothing fires into a chute known to be full, closed or out of reach",
    "an alarm is raised once and cleared once",
    "a parcel's end has one reason, that of a sorted one is that it was sorted",
    "a divert is committed before its fire is due",
    "no more tracks than the limit",
    "nothing is committed to a diverter that by its known weight does not move it",
)
(
    OPENS_ONCE,
    CLOSES_ONCE,
    COMMITTED_FIRST,
    FIRES_ONCE,
    NEVER_LATE,
    MONOTONE,
    ONE_FIRE_A_LAP,
    PROVED,
    CHUTE_TAKES,
    ALARMS_BALANCED,
    ONE_REASON,
    IN_TIME,
    LIMITED,
    MOVED,
) = range(len(INVARIANTS))

N_ALARMS_MAX, N_DEVICES_MAX = 64, 1 << 12
N_TRACKS = 1 << 16

WATCHED = np.dtype(
    [
        ("parcel", "<i8"),
        ("state", "<i4"),  # 1 open, 2 closed
        ("chute", "<i4"),  # committed to
        ("seq", "<i8"),
        ("fired_seq", "<i8"),
        ("plan", "<i8"),  # that the commit was made by
        ("origin_counts", "<i8"),  # belt count at which its leading edge was at the belt's start
        ("proved_ns", "<i8"),  # when an eye saw it last
        ("eye", "<i4"),  # the last that saw it
        ("diverter", "<i4"),  # the last that fired for it on this lap
        ("weight_g", "<i8"),  # 0: not known
    ]
)

CHUTE_TOLD = np.dtype(
    [
        ("state", "<i8"),  # ChuteState
        ("state_ns", "<i8"),  # when the kernel was told
        ("level", "<i8"),  # its full eye
        ("level_ns", "<i8"),  # since when
        ("was_full", "<i8"),  # before that
    ]
)

NODE_TOLD = np.dtype(
    [
        ("is_down", "<i8"),
        ("since_ns", "<i8"),
    ]
)

# Places in `Watch.last`.
LAST_NS, LAST_PARCEL, N_OPEN, N_OPEN_MAX = range(4)


class Watch(NamedTuple):
    """What has been seen of each track, kept for the last ones only, and what the kernel knows of its devices."""

    tracks: npt.NDArray[Any]  # WATCHED, a ring by track number, a power of two long
    broken: npt.NDArray[np.int64]  # how often each of INVARIANTS was broken
    first: npt.NDArray[np.int64]  # [parcel, time] of the first time that each was broken
    last: npt.NDArray[np.int64]
    alarms: npt.NDArray[np.bool_]  # raised, by alarm and device
    chutes_told: npt.NDArray[Any]  # CHUTE_TOLD
    nodes_told: npt.NDArray[Any]  # NODE_TOLD
    belts: npt.NDArray[Any]  # tables of the hub's layout
    eyes: npt.NDArray[Any]
    chutes: npt.NDArray[Any]
    diverters: npt.NDArray[Any]


def new_watch(layout: Layout, *, n_tracks: int = N_TRACKS, n_open_max: int = N_TRACKS) -> Watch:
    """A watch for a hub that follows at most `n_open_max` parcels at once.

    Parameters
    ----------
    n_tracks : int
        A power of two, more than are followed at once.
    """
    last = np.zeros(4, np.int64)
    last[N_OPEN_MAX] = n_open_max
    alarms = np.zeros((N_ALARMS_MAX, N_DEVICES_MAX), np.bool_)
    alarms[Alarm.NODE_DOWN] = True  # until a node is told to be up
    return Watch(
        tracks=np.zeros(n_tracks, WATCHED),
        broken=np.zeros(len(INVARIANTS), np.int64),
        first=np.zeros((len(INVARIANTS), 2), np.int64),
        last=last,
        alarms=alarms,
        chutes_told=np.zeros(len(layout.chutes), CHUTE_TOLD),
        nodes_told=np.zeros(layout.n_nodes, NODE_TOLD),
        belts=layout.belts,
        eyes=layout.eyes,
        chutes=layout.chutes,
        diverters=layout.diverters,
    )


@jitable
def _break(watch: Watch, which: int, record: Any) -> None:
    if watch.broken[which] == 0:
        watch.first[which, 0] = record["parcel"]
        watch.first[which, 1] = record["t_ns"]
    watch.broken[which] += 1


# What the kernel is told


@jitable
def _level_is_full(watch: Watch, chute: int, now_ns: int) -> bool:
    """Whether the full eye's word has stood long enough."""
    told, table = watch.chutes_told[chute], watch.chutes[chute]
    since_ns = now_ns - told["level_ns"]
    if told["level"]:
        return bool(told["was_full"] or since_ns > table["full_on_ns"])
    return False


@jitable
def watch_input(watch: Watch, record: Any, now_ns: int) -> None:
    """Notes what the kernel is told at `now_ns`."""
    kind = record["kind"]
    if kind == _OPERATE:
        watch.chutes_told[record["chute"]]["state"] = record["value"]
        watch.chutes_told[record["chute"]]["state_ns"] = now_ns
    elif kind == _LEVEL and record["device"] == 0:
        told = watch.chutes_told[record["chute"]]
        if told["level"] != record["value"]:
            told["was_full"] = 1 if _level_is_full(watch, record["chute"], record["t_ns"]) else 0
            told["level"] = record["value"]
            told["level_ns"] = record["t_ns"]
    elif kind == _NODE:
        told = watch.nodes_told[record["device"]]
        if told["is_down"] != (record["value"] == 0):
            told["is_down"] = 1 if record["value"] == 0 else 0
            told["since_ns"] = now_ns


@jitable
def _refuses(watch: Watch, chute: int, now_ns: int) -> bool:
    """Whether the kernel has known for a while that a chute takes nothing; inputs of this instant may come after."""
    told, node = watch.chutes_told[chute], watch.chutes[chute]["node"]
    if told["state"] >= _CLOSED_CHUTE and told["state_ns"] < now_ns:
        return True
    if _level_is_full(watch, chute, now_ns - 1) and told["level_ns"] < now_ns:
        return True
    if watch.chutes[chute]["diverter"] == _NOWHERE or node == _NOWHERE:
        return False
    return bool(watch.nodes_told[node]["is_down"] and watch.nodes_told[node]["since_ns"] < now_ns)


# What the kernel says


@jitable
def _watch_opened(watch: Watch, track: Any, record: Any) -> None:
    if record["parcel"] <= watch.last[LAST_PARCEL]:
        _break(watch, OPENS_ONCE, record)
    watch.last[LAST_PARCEL] = record["parcel"]
    watch.last[N_OPEN] += 1
    if watch.last[N_OPEN] > watch.last[N_OPEN_MAX]:
        _break(watch, LIMITED, record)
    track["parcel"] = record["parcel"]
    track["state"] = 1
    track["chute"] = -1
    track["seq"] = -1
    track["fired_seq"] = -1
    track["diverter"] = -1
    track["weight_g"] = 0
    track["origin_counts"] = _UNKNOWN
    _watch_seen(watch, track, record)


@jitable
def _watch_seen(watch: Watch, track: Any, record: Any) -> None:
    """An eye (on a station: a scanner) has proved where a parcel is."""
    if record["device"] < len(watch.eyes):
        track["eye"] = record["device"]
        track["proved_ns"] = record["t_ns"]
        track["origin_counts"] = record["counts"] - watch.eyes[record["device"]]["at_counts"]


@jitable
def _was_blind(watch: Watch, eye: int, since_ns: int) -> bool:
    """Whether an eye's word was not to be had or not to be trusted for some of the time since."""
    node = watch.nodes_told[watch.eyes[eye]["node"]]
    if node["is_down"] or node["since_ns"] >= since_ns:
        return True
    return bool(watch.alarms[_JAM, eye] or watch.alarms[_BLIND, eye] or watch.alarms[_CHATTERS, eye])


@jitable
def _is_unproved(watch: Watch, track: Any, fire_counts: int) -> bool:
    """Whether a parcel's leading edge has passed an eye for long, and that eye has not said so."""
    eye = track["eye"]
    belt = watch.eyes[eye]["belt"]
    table = watch.belts[belt]
    if table["kind"] != _LINE:
        return False
    told_late = (table["told_late_ns"] // 1_000_000) * table["speed_counts_s_max"] // 1000
    for other in range(eye + 1, len(watch.eyes)):
        place = watch.eyes[other]
        if place["belt"] != belt:
            return False
        passed = fire_counts - track["origin_counts"] - place["at_counts"]
        if place["role"] > _END or place["role"] == _INDUCT:
            continue
        if passed <= 2 * place["window_counts"] + told_late:
            return False
        if not _was_blind(watch, other, track["proved_ns"]):
            return True
    return False


@jitable
def _is_on_loop(watch: Watch, track: Any) -> bool:
    """Whether a track goes round: its lap begins where it got on, and the way down goes on from the last diverter."""
    return bool(watch.belts[watch.eyes[track["eye"]]["belt"]]["kind"] == _LOOP)


@seldom
def _watch_weight(watch: Watch, record: Any) -> None:
    """A scale has spoken; what it says twice and differently is not known."""
    track = watch.tracks[record["parcel"] & (len(watch.tracks) - 1)]
    if record["parcel"] > 0 and track["parcel"] == record["parcel"]:
        track["weight_g"] = record["value"] if record["reason"] == _OK else 0


@jitable
def _is_moved(watch: Watch, track: Any, chute: int) -> bool:
    """Whether the diverter of a chute moves a parcel, as far as its weight is known.

    All chutes without one do; the end chute of a loop takes what nothing else would.
    """
    if watch.chutes[chute]["diverter"] == _NOWHERE:
        return True
    diverter = watch.diverters[watch.chutes[chute]["diverter"]]
    if watch.belts[diverter["belt"]]["kind"] == _LOOP and watch.belts[diverter["belt"]]["end_chute"] == chute:
        return True
    if diverter["weight_g_min"] == 0 and diverter["weight_g_max"] == 0:
        return True
    if track["weight_g"] == 0:
        return bool(watch.belts[diverter["belt"]]["weight_required"] == 0)
    is_too_heavy = diverter["weight_g_max"] > 0 and track["weight_g"] > diverter["weight_g_max"]
    return not is_too_heavy and bool(track["weight_g"] >= diverter["weight_g_min"])


@jitable
def _watch_committed(watch: Watch, track: Any, record: Any) -> None:
    track["chute"] = record["chute"]
    track["seq"] = record["seq"]
    track["plan"] = record["plan"]
    if record["counts"] > record["limit"]:
        _break(watch, IN_TIME, record)
    if not _is_moved(watch, track, record["chute"]):
        _break(watch, MOVED, record)


@jitable
def _watch_fire(watch: Watch, track: Any, record: Any) -> None:
    if track["seq"] != record["seq"] or track["chute"] != record["chute"] or track["plan"] != record["plan"]:
        _break(watch, COMMITTED_FIRST, record)
    if track["fired_seq"] == record["seq"]:
        _break(watch, FIRES_ONCE, record)
    elif record["device"] == track["diverter"] or (
        record["device"] < track["diverter"] and not _is_on_loop(watch, track)
    ):
        _break(watch, ONE_FIRE_A_LAP, record)
    if record["counts"] > record["limit"] or record["t_ns"] > record["value"]:
        _break(watch, NEVER_LATE, record)
    if track["origin_counts"] != _UNKNOWN and _is_unproved(watch, track, record["counts"]):
        _break(watch, PROVED, record)
    if _refuses(watch, record["chute"], record["t_ns"]):
        _break(watch, CHUTE_TAKES, record)
    track["fired_seq"] = record["seq"]
    track["diverter"] = record["device"]


@jitable
def _watch_closed(watch: Watch, track: Any, record: Any) -> None:
    track["state"] = 2
    watch.last[N_OPEN] -= 1
    is_fine = record["reason"] == _OK or record["reason"] == _OK_UNCONFIRMED
    if record["reason"] == _NONE or is_fine != (record["value"] == _SORTED):
        _break(watch, ONE_REASON, record)


@jitable
def _watch_alarm(watch: Watch, record: Any) -> None:
    alarm, device = record["value"], record["device"] & (N_DEVICES_MAX - 1)
    is_raised = record["kind"] == _RAISED
    if watch.alarms[alarm, device] == is_raised:
        _break(watch, ALARMS_BALANCED, record)
    watch.alarms[alarm, device] = is_raised


@jitable
def _watch_track(watch: Watch, record: Any) -> None:
    kind = record["kind"]
    track = watch.tracks[record["parcel"] & (len(watch.tracks) - 1)]
    if kind == _OPENED:
        _watch_opened(watch, track, record)
        return
    if track["parcel"] != record["parcel"] or track["state"] != 1:
        _break(watch, CLOSES_ONCE, record)
    if kind == _SEEN:
        _watch_seen(watch, track, record)
    elif kind == _COMMITTED:
        _watch_committed(watch, track, record)
    elif kind == _FIRE:
        _watch_fire(watch, track, record)
    elif kind == _CLOSED:
        _watch_closed(watch, track, record)
    elif kind in (_LAPPED, _TRANSFERRED):
        track["diverter"] = -1
        track["origin_counts"] = _UNKNOWN


@jitable
def watch_record(watch: Watch, record: Any) -> None:
    """Checks one record of the kernel, in order."""
    kind = record["kind"]
    if kind in (_RAISED, _CLEARED):
        _watch_alarm(watch, record)
    elif kind == _WEIGHED:
        _watch_weight(watch, record)
    if kind in _OF_TRACK:
        if record["t_ns"] < watch.last[LAST_NS]:
            _break(watch, MONOTONE, record)
        watch.last[LAST_NS] = record["t_ns"]
        _watch_track(watch, record)
