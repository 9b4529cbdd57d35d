"""The physics: a belt, parcels on it, eyes, scanners, paddles and chutes. It knows no protocol and no kernel.

Everything that fate will do to a parcel stands in its row of the traffic table, so the world itself draws
nothing: it is a machine of events in order of belt travel and of time. All lengths are in micrometres, all
times in ns. The functions here run compiled (virtual time) or as they stand (real time); `World` is a tuple
of arrays for that reason.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from numba.extending import register_jitable

NEVER_NS = 2**62
ON_BELT = -1
TAKEN_OFF = -2
NOT_YET = -3
SLIDE_NS = 250_000_000  # from the paddle to the chute eye
CHUTE_SPEED_UM_S = 1_500_000  # on the slide, past the chute eye
EMPTIED_NS = 20_000_000_000  # a full chute is emptied after so long
LINK_DOWN_NS = 2_000_000_000  # a dropped link comes back after so long

PARCEL = np.dtype(
    [
        ("start_um", "<i8"),  # belt travel at which its leading edge is (or would be) at 0 mm
        ("length_um", "<i8"),
        ("label_um", "<i8"),  # the label's place behind the leading edge
        ("put_um", "<i8"),  # put on by hand with its leading edge here; -1: inducted
        ("removed_um", "<i8"),  # taken off by hand when its leading edge is here; -1: never
        ("slip_ppm", "<i4"),
        ("lane", "<i4"),  # where its label says it goes, as a lane of the plan; -1: nowhere
        ("fills_chute", "<i4"),  # the chute it lands in is full from then on, until emptied
        ("drops_link", "<i4"),  # the link that drops as it is inducted; -1: none
    ]
)

READ = np.dtype(
    [
        ("outcome", "<i4"),  # Outcome
        ("delay_ms", "<i4"),  # from the scan line to the telegram
    ]
)

PROGRESS = np.dtype(
    [
        ("next_lead", "<i4"),  # eye the leading edge comes to next
        ("next_trail", "<i4"),
        ("next_scan", "<i4"),
        ("next_diverter", "<i4"),
        ("inducted_ns", "<i8"),
        ("landed_ns", "<i8"),
        ("landed", "<i4"),  # chute index, or ON_BELT, TAKEN_OFF, NOT_YET
        ("reserved", "<i4"),
    ]
)

PADDLE = np.dtype(
    [
        ("from_ns", "<i8"),  # in the way from here
        ("until_ns", "<i8"),
        ("chute", "<i8"),
    ]
)

HAPPENING = np.dtype(
    [
        ("t_ns", "<i8"),
        ("kind", "<i4"),
        ("device", "<i4"),
        ("value", "<i4"),
        ("parcel", "<i4"),
    ]
)


class Outcome(IntEnum):
    """What a scanner makes of a label."""

    NO_READ = 0
    READ = 1
    DOUBLED = 2


class Happens(IntEnum):
    """What the world's devices notice."""

    EYE = 0  # device=eye, value 1 blocked, 0 cleared
    TELEGRAM = 1  # device=scanner, value 1 label of `parcel`, 0 no-read
    CONFIRM = 2  # device=chute, value 1 blocked, 0 cleared
    LEVEL = 3  # device=chute, value 1 full, 0 not
    LINK = 4  # device=link, value 0 dropped, 1 back


# Events in order of belt travel.
ENTER, LEAD, TRAIL, LABEL, SCANNED, CENTRE, REMOVE, LEAVE = range(8)
# Events in order of time.
DELIVER, ARRIVE, CLEAR, EMPTY, REPLUG = range(5)
# Places in `World.clock`.
BASE_NS, BASE_UM, SPEED_UM_S, N_TRAVEL, N_TIMED, N_HAPPENED, NEXT_PARCEL, N_FIRES, NOW_NS = range(9)

NS_PER_S = 1_000_000_000
PAYLOAD_SHIFT = 8  # payload = parcel << 8 | kind, so that equal times keep the parcels' order


class Heap(NamedTuple):
    """A heap of (key, payload); its size stands in the clock."""

    keys: npt.NDArray[np.int64]
    payloads: npt.NDArray[np.int64]


class World(NamedTuple):
    """The state of a simulated hub of one belt."""

    clock: npt.NDArray[np.int64]
    parcels: npt.NDArray[Any]  # PARCEL, shape (n,), in order of entry
    reads: npt.NDArray[Any]  # READ, shape (n, n_scanners)
    progress: npt.NDArray[Any]  # PROGRESS, shape (n,)
    eyes_um: npt.NDArray[np.int64]
    scanners_um: npt.NDArray[np.int64]
    diverters_um: npt.NDArray[np.int64]
    end_um: npt.NDArray[np.int64]  # shape (1,)
    latency_ns: npt.NDArray[np.int64]  # of each diverter
    chute_diverter: npt.NDArray[np.int64]  # of each chute; -1: the end
    end_chute: npt.NDArray[np.int64]  # shape (1,)
    paddles: npt.NDArray[Any]  # PADDLE, one for each diverter
    fire_fails: npt.NDArray[np.bool_]  # the k-th fire moves nothing
    over_eye: npt.NDArray[np.int64]  # parcels that block each eye
    delivered_ns: npt.NDArray[np.int64]  # last telegram of each scanner: they come in order
    travel: Heap
    timed: Heap
    happened: npt.NDArray[Any]  # HAPPENING: what the last event made the devices notice


@register_jitable
def _before(heap: Heap, a: int, b: int) -> bool:
    if heap.keys[a] != heap.keys[b]:
        return bool(heap.keys[a] < heap.keys[b])
    return bool(heap.payloads[a] < heap.payloads[b])


@register_jitable
def _swap(heap: Heap, a: int, b: int) -> None:
    key, payload = heap.keys[a], heap.payloads[a]
    heap.keys[a], heap.payloads[a] = heap.keys[b], heap.payloads[b]
    heap.keys[b], heap.payloads[b] = key, payload


@register_jitable
def _push(clock: npt.NDArray[np.int64], size: int, heap: Heap, key: int, payload: int) -> None:
    at = clock[size]
    clock[size] += 1
    heap.keys[at] = key
    heap.payloads[at] = payload
    while at > 0 and _before(heap, at, (at - 1) // 2):
        _swap(heap, at, (at - 1) // 2)
        at = (at - 1) // 2


@register_jitable
def _pop(clock: npt.NDArray[np.int64], size: int, heap: Heap) -> None:
    """Drops the first of a heap."""
    clock[size] -= 1
    n = clock[size]
    heap.keys[0], heap.payloads[0] = heap.keys[n], heap.payloads[n]
    at = 0
    while True:
        child = 2 * at + 1
        if child >= n:
            return
        if child + 1 < n and _before(heap, child + 1, child):
            child += 1
        if not _before(heap, child, at):
            return
        _swap(heap, child, at)
        at = child


@register_jitable
def travel_at(w: World, t_ns: int) -> int:
    """How far the belt has run at a time, um."""
    dt = t_ns - w.clock[BASE_NS]
    speed = w.clock[SPEED_UM_S]
    return w.clock[BASE_UM] + (dt // NS_PER_S) * speed + (dt % NS_PER_S) * speed // NS_PER_S


@register_jitable
def time_of(w: World, travel_um: int) -> int:
    """When the belt will have run so far, ns, rounded up."""
    away = travel_um - w.clock[BASE_UM]
    speed = w.clock[SPEED_UM_S]
    return w.clock[BASE_NS] + (away // speed) * NS_PER_S + ((away % speed) * NS_PER_S + speed - 1) // speed


@register_jitable
def _notice(w: World, t_ns: int, kind: int, device: int, value: int, p: int) -> None:
    k = w.clock[N_HAPPENED]
    w.clock[N_HAPPENED] += 1
    w.happened[k]["t_ns"] = t_ns
    w.happened[k]["kind"] = kind
    w.happened[k]["device"] = device
    w.happened[k]["value"] = value
    w.happened[k]["parcel"] = p


@register_jitable
def _await_place(w: World, p: int, kind: int, place_um: int) -> None:
    """Pushes the event at which a point of parcel `p` has come `place_um` along the belt from its start."""
    slip_um = place_um * w.parcels[p]["slip_ppm"] // 1_000_000
    key = w.parcels[p]["start_um"] + place_um + slip_um
    _push(w.clock, N_TRAVEL, w.travel, key, p << PAYLOAD_SHIFT | kind)


@register_jitable
def _await_lead(w: World, p: int) -> None:
    eye = w.progress[p]["next_lead"]
    if eye < len(w.eyes_um):
        _await_place(w, p, LEAD, w.eyes_um[eye])


@register_jitable
def _await_scan(w: World, p: int) -> None:
    """The label under the next scanner, or the parcel's end if that scanner will not read it."""
    scanner = w.progress[p]["next_scan"]
    if scanner >= len(w.scanners_um):
        return
    if w.reads[p, scanner]["outcome"] == 0:
        _await_place(w, p, SCANNED, w.scanners_um[scanner] + w.parcels[p]["length_um"])
    else:
        _await_place(w, p, LABEL, w.scanners_um[scanner] + w.parcels[p]["label_um"])


@register_jitable
def _await_centre(w: World, p: int) -> None:
    diverter = w.progress[p]["next_diverter"]
    if diverter < len(w.diverters_um):
        _await_place(w, p, CENTRE, w.diverters_um[diverter] + w.parcels[p]["length_um"] // 2)


@register_jitable
def _first_beyond(places_um: npt.NDArray[np.int64], at_um: int) -> int:
    k = 0
    while k < len(places_um) and places_um[k] <= at_um:
        k += 1
    return k


@register_jitable
def await_entry(w: World, p: int) -> None:
    """Pushes the coming of parcel `p`: at 0 mm, or where a person puts it."""
    put_um = w.parcels[p]["put_um"]
    _await_place(w, p, ENTER, put_um if put_um > 0 else 0)


@register_jitable
def _enter(w: World, p: int) -> None:
    at_um = max(w.parcels[p]["put_um"], 0)
    w.progress[p]["landed"] = ON_BELT
    w.progress[p]["next_lead"] = _first_beyond(w.eyes_um, at_um)
    w.progress[p]["next_trail"] = w.progress[p]["next_lead"]
    w.progress[p]["next_scan"] = _first_beyond(w.scanners_um, at_um)
    w.progress[p]["next_diverter"] = _first_beyond(w.diverters_um, at_um)
    _await_lead(w, p)
    _await_scan(w, p)
    _await_centre(w, p)
    _await_place(w, p, LEAVE, w.end_um[0] + w.parcels[p]["length_um"])
    if w.parcels[p]["removed_um"] > 0:
        _await_place(w, p, REMOVE, w.parcels[p]["removed_um"])
    if p + 1 < len(w.parcels):
        await_entry(w, p + 1)


@register_jitable
def _drop_link(w: World, p: int, t_ns: int) -> None:
    link = w.parcels[p]["drops_link"]
    if link >= 0:
        _notice(w, t_ns, Happens.LINK, link, 0, p)
        _push(w.clock, N_TIMED, w.timed, t_ns + LINK_DOWN_NS, p << PAYLOAD_SHIFT | REPLUG)


@register_jitable
def _lead(w: World, p: int, t_ns: int) -> None:
    eye = w.progress[p]["next_lead"]
    w.progress[p]["next_lead"] += 1
    w.over_eye[eye] += 1
    if eye == 0 and w.parcels[p]["put_um"] < 0:
        w.progress[p]["inducted_ns"] = t_ns
        _drop_link(w, p, t_ns)
    if w.over_eye[eye] == 1:
        _notice(w, t_ns, Happens.EYE, eye, 1, p)
    _await_place(w, p, TRAIL, w.eyes_um[eye] + w.parcels[p]["length_um"])
    _await_lead(w, p)


@register_jitable
def _trail(w: World, p: int, t_ns: int) -> None:
    eye = w.progress[p]["next_trail"]
    w.progress[p]["next_trail"] += 1
    w.over_eye[eye] -= 1
    if w.over_eye[eye] == 0:
        _notice(w, t_ns, Happens.EYE, eye, 0, p)


@register_jitable
def _send_telegram(w: World, p: int, scanner: int, t_ns: int) -> None:
    """Telegrams of one scanner come in order: one that is late holds up those behind it."""
    at_ns = max(t_ns + w.reads[p, scanner]["delay_ms"] * 1_000_000, w.delivered_ns[scanner] + 1_000)
    w.delivered_ns[scanner] = at_ns
    _push(w.clock, N_TIMED, w.timed, at_ns, p << PAYLOAD_SHIFT | scanner << 3 | DELIVER)


@register_jitable
def _scan(w: World, p: int, t_ns: int) -> None:
    scanner = w.progress[p]["next_scan"]
    w.progress[p]["next_scan"] += 1
    _send_telegram(w, p, scanner, t_ns)
    if w.reads[p, scanner]["outcome"] == 2:
        _send_telegram(w, p, scanner, t_ns)
    _await_scan(w, p)


@register_jitable
def _leave(w: World, p: int, t_ns: int, where: int) -> None:
    """Off the belt; an eye that only this parcel blocked is clear again."""
    w.progress[p]["landed"] = where
    w.progress[p]["landed_ns"] = t_ns
    for eye in range(w.progress[p]["next_trail"], w.progress[p]["next_lead"]):
        w.over_eye[eye] -= 1
        if w.over_eye[eye] == 0:
            _notice(w, t_ns, Happens.EYE, eye, 0, p)


@register_jitable
def _centre(w: World, p: int, t_ns: int) -> None:
    """The parcel's centre is at a diverter: it leaves if the paddle is in its way."""
    d = w.progress[p]["next_diverter"]
    w.progress[p]["next_diverter"] += 1
    if w.paddles[d]["from_ns"] <= t_ns <= w.paddles[d]["until_ns"]:
        _leave(w, p, t_ns, w.paddles[d]["chute"])
        _push(w.clock, N_TIMED, w.timed, t_ns + SLIDE_NS, p << PAYLOAD_SHIFT | ARRIVE)
    else:
        _await_centre(w, p)


@register_jitable
def _run_travel(w: World, p: int, kind: int, t_ns: int) -> None:
    if kind == ENTER:
        _enter(w, p)
    elif w.progress[p]["landed"] != ON_BELT:
        return
    elif kind == LEAD:
        _lead(w, p, t_ns)
    elif kind == TRAIL:
        _trail(w, p, t_ns)
    elif kind == LABEL or kind == SCANNED:
        _scan(w, p, t_ns)
    elif kind == CENTRE:
        _centre(w, p, t_ns)
    elif kind == REMOVE:
        _leave(w, p, t_ns, TAKEN_OFF)
    else:
        _leave(w, p, t_ns, w.end_chute[0])


@register_jitable
def _arrive(w: World, p: int, t_ns: int) -> None:
    chute = w.progress[p]["landed"]
    passes_ns = w.parcels[p]["length_um"] * NS_PER_S // CHUTE_SPEED_UM_S
    _notice(w, t_ns, Happens.CONFIRM, chute, 1, p)
    _push(w.clock, N_TIMED, w.timed, t_ns + passes_ns, p << PAYLOAD_SHIFT | CLEAR)
    if w.parcels[p]["fills_chute"]:
        _notice(w, t_ns, Happens.LEVEL, chute, 1, p)
        _push(w.clock, N_TIMED, w.timed, t_ns + EMPTIED_NS, p << PAYLOAD_SHIFT | EMPTY)


@register_jitable
def _run_timed(w: World, p: int, kind: int, t_ns: int) -> None:
    what = kind & 7
    if what == DELIVER:
        scanner = kind >> 3
        _notice(w, t_ns, Happens.TELEGRAM, scanner, 1 if w.reads[p, scanner]["outcome"] != 0 else 0, p)
    elif what == ARRIVE:
        _arrive(w, p, t_ns)
    elif what == CLEAR:
        _notice(w, t_ns, Happens.CONFIRM, w.progress[p]["landed"], 0, p)
    elif what == EMPTY:
        _notice(w, t_ns, Happens.LEVEL, w.progress[p]["landed"], 0, p)
    else:
        _notice(w, t_ns, Happens.LINK, w.parcels[p]["drops_link"], 1, p)


@register_jitable
def next_ns(w: World) -> int:
    """When the next thing happens, ns; NEVER_NS when nothing will."""
    at = NEVER_NS
    if w.clock[N_TRAVEL] > 0:
        at = time_of(w, w.travel.keys[0])
    if w.clock[N_TIMED] > 0 and w.timed.keys[0] < at:
        at = w.timed.keys[0]
    return at


@register_jitable
def run_next(w: World) -> int:
    """Lets the next thing happen; returns how many rows of `happened` the devices noticed."""
    t_ns = next_ns(w)
    w.clock[N_HAPPENED] = 0
    w.clock[NOW_NS] = t_ns
    if w.clock[N_TIMED] > 0 and w.timed.keys[0] <= t_ns:
        payload = w.timed.payloads[0]
        _pop(w.clock, N_TIMED, w.timed)
        _run_timed(w, payload >> PAYLOAD_SHIFT, payload & 255, t_ns)
    else:
        payload = w.travel.payloads[0]
        _pop(w.clock, N_TRAVEL, w.travel)
        _run_travel(w, payload >> PAYLOAD_SHIFT, payload & 255, t_ns)
    return w.clock[N_HAPPENED]


@register_jitable
def write_output(w: World, chute: int, on: bool, t_ns: int) -> None:
    """A chute's output is switched: its diverter's paddle moves after its latency, unless it fails."""
    paddle = w.paddles[w.chute_diverter[chute]]
    at_ns = t_ns + w.latency_ns[w.chute_diverter[chute]]
    if not on:
        if paddle["chute"] == chute:
            paddle["until_ns"] = min(paddle["until_ns"], at_ns)
        return
    fails = w.fire_fails[w.clock[N_FIRES] % len(w.fire_fails)]
    w.clock[N_FIRES] += 1
    if not fails:
        paddle["chute"] = chute
        paddle["from_ns"] = at_ns
        paddle["until_ns"] = NEVER_NS
