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

from hubctl.sim.jitable import jitable

Longs = npt.NDArray[np.int64]

NEVER_NS = 2**62
ON_BELT = -1
TAKEN_OFF = -2
NOT_YET = -3
SLIDE_UM = 775_000  # from the paddle to the chute eye
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
        ("next_diverter", "<i4"),
        ("inducted_ns", "<i8"),
        ("landed_ns", "<i8"),
        ("landed", "<i4"),  # chute index, or ON_BELT, TAKEN_OFF, NOT_YET
        ("reserved", "<i8"),
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
ENTER, LEAD, TRAIL, SCAN, CENTRE, REMOVE, LEAVE = range(7)
# Events in order of time.
DELIVER, ARRIVE, CLEAR, EMPTY, REPLUG = range(5)
NS_PER_S = 1_000_000_000
REBASE_S = 60
PAYLOAD_SHIFT = 8  # payload = parcel << 8 | kind, so that equal times keep the parcels' order


N_EYES_MAX = 256
N_SCANNERS_MAX = 32
N_DIVERTERS_MAX = 1024
N_CHUTES_MAX = 4096
N_EVENTS_MAX = 1 << 15  # events awaited at once: six a parcel on the belt

# One row, so that a compiled function takes one pointer; the sizes are limits, so that it is compiled once.
CORE = np.dtype(
    [
        ("now_ns", "<i8"),
        ("base_ns", "<i8"),  # the belt had run `base_um` then
        ("base_um", "<i8"),
        ("speed_um_s", "<i8"),
        ("end_um", "<i8"),
        ("end_chute", "<i8"),
        ("n_eyes", "<i8"),
        ("n_scanners", "<i8"),
        ("n_diverters", "<i8"),
        ("n_happened", "<i8"),
        ("n_fires", "<i8"),
        ("n_travel", "<i8"),  # sizes of the two heaps
        ("n_timed", "<i8"),
        ("eyes_um", "<i8", (N_EYES_MAX,)),
        ("over_eye", "<i8", (N_EYES_MAX,)),  # parcels that block each eye
        ("scanners_um", "<i8", (N_SCANNERS_MAX,)),
        ("delivered_ns", "<i8", (N_SCANNERS_MAX,)),  # last telegram of each scanner: they come in order
        ("diverters_um", "<i8", (N_DIVERTERS_MAX,)),
        ("latency_ns", "<i8", (N_DIVERTERS_MAX,)),
        ("paddle_from_ns", "<i8", (N_DIVERTERS_MAX,)),  # in the way from here
        ("paddle_until_ns", "<i8", (N_DIVERTERS_MAX,)),
        ("paddle_chute", "<i8", (N_DIVERTERS_MAX,)),
        ("chute_diverter", "<i8", (N_CHUTES_MAX,)),  # -1: the end
        ("travel_keys", "<i8", (N_EVENTS_MAX,)),
        ("travel_payloads", "<i8", (N_EVENTS_MAX,)),
        ("timed_keys", "<i8", (N_EVENTS_MAX,)),
        ("timed_payloads", "<i8", (N_EVENTS_MAX,)),
    ]
)


class World(NamedTuple):
    """The state of a simulated hub of one belt."""

    core: npt.NDArray[Any]  # CORE, shape (1,)
    parcels: npt.NDArray[Any]  # PARCEL, shape (n,), in order of entry
    reads: npt.NDArray[Any]  # READ, shape (n, n_scanners)
    progress: npt.NDArray[Any]  # PROGRESS, shape (n,)
    happened: npt.NDArray[Any]  # HAPPENING: what the last event made the devices notice
    fire_fails: npt.NDArray[np.bool_]  # the k-th fire moves nothing


@jitable
def _push(keys: Longs, payloads: Longs, n: int, key: int, payload: int) -> None:
    """Into a heap of (key, payload) that holds `n`."""
    at = n
    while at > 0:
        parent = (at - 1) >> 1
        if keys[parent] < key or (keys[parent] == key and payloads[parent] < payload):
            break
        keys[at] = keys[parent]
        payloads[at] = payloads[parent]
        at = parent
    keys[at] = key
    payloads[at] = payload


@jitable
def _pop(keys: Longs, payloads: Longs, n: int) -> None:
    """Drops the first of a heap; `n` are left."""
    key, payload = keys[n], payloads[n]
    at, child = 0, 1
    while child < n:
        other = child + 1
        if other < n and (
            keys[other] < keys[child] or (keys[other] == keys[child] and payloads[other] < payloads[child])
        ):
            child = other
        if key < keys[child] or (key == keys[child] and payload < payloads[child]):
            break
        keys[at] = keys[child]
        payloads[at] = payloads[child]
        at, child = child, 2 * child + 1
    keys[at] = key
    payloads[at] = payload


@jitable
def _await(core: Any, travel_um: int, p: int, kind: int) -> None:
    """An event of parcel `p` when the belt has run so far."""
    _push(
        core["travel_keys"], core["travel_payloads"], core["n_travel"], travel_um, p << PAYLOAD_SHIFT | kind
    )
    core["n_travel"] += 1


@jitable
def _await_time(core: Any, t_ns: int, p: int, kind: int) -> None:
    _push(core["timed_keys"], core["timed_payloads"], core["n_timed"], t_ns, p << PAYLOAD_SHIFT | kind)
    core["n_timed"] += 1


@jitable
def travel_at(w: World, t_ns: int) -> int:
    """How far the belt has run at a time, um."""
    core = w.core[0]
    seconds, ns = (t_ns - core["base_ns"]) // NS_PER_S, (t_ns - core["base_ns"]) % NS_PER_S
    return int(core["base_um"] + seconds * core["speed_um_s"] + ns * core["speed_um_s"] // NS_PER_S)


@jitable
def _time_of(core: Any, travel_um: int) -> int:
    """When the belt will have run so far, ns, rounded up."""
    away_um = travel_um - core["base_um"]
    return int(core["base_ns"] + (away_um * NS_PER_S + core["speed_um_s"] - 1) // core["speed_um_s"])


@jitable
def _rebase(core: Any, now_ns: int) -> None:
    """Counts travel from a later whole second, so that its product with 10**9 fits 64 bits."""
    seconds = (now_ns - core["base_ns"]) // NS_PER_S
    if seconds >= REBASE_S:
        core["base_ns"] += seconds * NS_PER_S
        core["base_um"] += seconds * core["speed_um_s"]


@jitable
def _notice(w: World, t_ns: int, kind: int, device: int, value: int, p: int) -> None:
    row = w.happened[w.core[0]["n_happened"]]
    w.core[0]["n_happened"] += 1
    row["t_ns"] = t_ns
    row["kind"] = kind
    row["device"] = device
    row["value"] = value
    row["parcel"] = p


@jitable
def _await_place(w: World, p: int, kind: int, place_um: int) -> None:
    """Pushes the event at which a point of parcel `p` has come `place_um` along the belt from its start."""
    slip_um = place_um * w.parcels[p]["slip_ppm"] // 1_000_000
    _await(w.core[0], w.parcels[p]["start_um"] + place_um + slip_um, p, kind)


@jitable
def _await_lead(w: World, p: int) -> None:
    eye = w.progress[p]["next_lead"]
    if eye < w.core[0]["n_eyes"]:
        _await_place(w, p, LEAD, w.core[0]["eyes_um"][eye])


@jitable
def _await_scans(w: World, p: int, at_um: int) -> None:
    """The label under each scanner, or the parcel's end where a scanner will not read it."""
    for scanner in range(w.core[0]["n_scanners"]):
        place_um = w.core[0]["scanners_um"][scanner]
        reads = w.reads[p, scanner]["outcome"] != 0
        offset_um = w.parcels[p]["label_um"] if reads else w.parcels[p]["length_um"]
        if place_um > at_um:
            _await_place(w, p, scanner << 3 | SCAN, place_um + offset_um)


@jitable
def _await_centre(w: World, p: int) -> None:
    diverter = w.progress[p]["next_diverter"]
    if diverter < w.core[0]["n_diverters"]:
        _await_place(w, p, CENTRE, w.core[0]["diverters_um"][diverter] + w.parcels[p]["length_um"] // 2)


@jitable
def _first_beyond(places_um: Longs, n: int, at_um: int) -> int:
    k = 0
    while k < n and places_um[k] <= at_um:
        k += 1
    return k


@jitable
def await_entry(w: World, p: int) -> None:
    """Pushes the coming of parcel `p`: at 0 mm, or where a person puts it."""
    put_um = w.parcels[p]["put_um"]
    _await_place(w, p, ENTER, put_um if put_um > 0 else 0)


@jitable
def _enter(w: World, p: int) -> None:
    at_um = max(w.parcels[p]["put_um"], 0)
    core, row = w.core[0], w.progress[p]
    row["landed"] = ON_BELT
    row["next_lead"] = _first_beyond(core["eyes_um"], core["n_eyes"], at_um)
    row["next_trail"] = row["next_lead"]
    row["next_diverter"] = _first_beyond(core["diverters_um"], core["n_diverters"], at_um)
    _await_lead(w, p)
    _await_scans(w, p, at_um)
    _await_centre(w, p)
    _await_place(w, p, LEAVE, core["end_um"] + w.parcels[p]["length_um"])
    if w.parcels[p]["removed_um"] > 0:
        _await_place(w, p, REMOVE, w.parcels[p]["removed_um"])
    if p + 1 < len(w.parcels):
        await_entry(w, p + 1)


@jitable
def _drop_link(w: World, p: int, t_ns: int) -> None:
    link = w.parcels[p]["drops_link"]
    if link >= 0:
        _notice(w, t_ns, Happens.LINK, link, 0, p)
        _await_time(w.core[0], t_ns + LINK_DOWN_NS, p, REPLUG)


@jitable
def _lead(w: World, p: int, t_ns: int) -> None:
    eye = w.progress[p]["next_lead"]
    w.progress[p]["next_lead"] += 1
    w.core[0]["over_eye"][eye] += 1
    if eye == 0 and w.parcels[p]["put_um"] < 0:
        w.progress[p]["inducted_ns"] = t_ns
        _drop_link(w, p, t_ns)
    if w.core[0]["over_eye"][eye] == 1:
        _notice(w, t_ns, Happens.EYE, eye, 1, p)
    _await_place(w, p, TRAIL, w.core[0]["eyes_um"][eye] + w.parcels[p]["length_um"])
    _await_lead(w, p)


@jitable
def _trail(w: World, p: int, t_ns: int) -> None:
    eye = w.progress[p]["next_trail"]
    w.progress[p]["next_trail"] += 1
    w.core[0]["over_eye"][eye] -= 1
    if w.core[0]["over_eye"][eye] == 0:
        _notice(w, t_ns, Happens.EYE, eye, 0, p)


@jitable
def _send_telegram(w: World, p: int, scanner: int, t_ns: int) -> None:
    """Telegrams of one scanner come in order: one that is late holds up those behind it."""
    delay_ns = np.int64(w.reads[p, scanner]["delay_ms"]) * 1_000_000
    at_ns = max(t_ns + delay_ns, w.core[0]["delivered_ns"][scanner] + 1_000)
    w.core[0]["delivered_ns"][scanner] = at_ns
    _await_time(w.core[0], at_ns, p, scanner << 3 | DELIVER)


@jitable
def _scan(w: World, p: int, scanner: int, t_ns: int) -> None:
    _send_telegram(w, p, scanner, t_ns)
    if w.reads[p, scanner]["outcome"] == 2:
        _send_telegram(w, p, scanner, t_ns)


@jitable
def _leave(w: World, p: int, t_ns: int, where: int) -> None:
    """Off the belt; an eye that only this parcel blocked is clear again."""
    w.progress[p]["landed"] = where
    w.progress[p]["landed_ns"] = t_ns
    for eye in range(w.progress[p]["next_trail"], w.progress[p]["next_lead"]):
        w.core[0]["over_eye"][eye] -= 1
        if w.core[0]["over_eye"][eye] == 0:
            _notice(w, t_ns, Happens.EYE, eye, 0, p)


@jitable
def _passes_ns(w: World, p: int) -> int:
    """How long a chute eye is blocked. Parcels slide as fast as the belt ran, and so keep their gaps."""
    return int(w.parcels[p]["length_um"] * NS_PER_S // w.core[0]["speed_um_s"])


@jitable
def _slides_ns(w: World, p: int) -> int:
    """From the paddle under a parcel's centre to its leading edge at the chute eye."""
    return int((SLIDE_UM - w.parcels[p]["length_um"] // 2) * NS_PER_S // w.core[0]["speed_um_s"])


@jitable
def _centre(w: World, p: int, t_ns: int) -> None:
    """The parcel's centre is at a diverter: it leaves if the paddle is in its way."""
    d = w.progress[p]["next_diverter"]
    w.progress[p]["next_diverter"] += 1
    core = w.core[0]
    if core["paddle_from_ns"][d] <= t_ns <= core["paddle_until_ns"][d]:
        _leave(w, p, t_ns, core["paddle_chute"][d])
        _await_time(core, t_ns + _slides_ns(w, p), p, ARRIVE)
    else:
        _await_centre(w, p)


@jitable
def _run_travel(w: World, p: int, kind: int, t_ns: int) -> None:
    if kind == ENTER:
        _enter(w, p)
    elif w.progress[p]["landed"] != ON_BELT:
        return
    elif kind == LEAD:
        _lead(w, p, t_ns)
    elif kind == TRAIL:
        _trail(w, p, t_ns)
    elif kind & 7 == SCAN:
        _scan(w, p, kind >> 3, t_ns)
    elif kind == CENTRE:
        _centre(w, p, t_ns)
    elif kind == REMOVE:
        _leave(w, p, t_ns, TAKEN_OFF)
    else:
        _leave(w, p, t_ns, w.core[0]["end_chute"])


@jitable
def _arrive(w: World, p: int, t_ns: int) -> None:
    chute = w.progress[p]["landed"]
    _notice(w, t_ns, Happens.CONFIRM, chute, 1, p)
    _await_time(w.core[0], t_ns + _passes_ns(w, p), p, CLEAR)
    if w.parcels[p]["fills_chute"]:
        _notice(w, t_ns, Happens.LEVEL, chute, 1, p)
        _await_time(w.core[0], t_ns + EMPTIED_NS, p, EMPTY)


@jitable
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


@jitable
def next_ns(w: World) -> int:
    """When the next thing happens, ns; NEVER_NS when nothing will."""
    core = w.core[0]
    at = NEVER_NS
    if core["n_travel"] > 0:
        at = _time_of(core, core["travel_keys"][0])
    if core["n_timed"] > 0 and core["timed_keys"][0] < at:
        at = core["timed_keys"][0]
    return at


@jitable
def run_next(w: World) -> int:
    """Lets the next thing happen; returns how many rows of `happened` the devices noticed."""
    core = w.core[0]
    t_ns = next_ns(w)
    core["n_happened"] = 0
    core["now_ns"] = t_ns
    _rebase(core, t_ns)
    if core["n_timed"] > 0 and core["timed_keys"][0] <= t_ns:
        payload = core["timed_payloads"][0]
        core["n_timed"] -= 1
        _pop(core["timed_keys"], core["timed_payloads"], core["n_timed"])
        _run_timed(w, payload >> PAYLOAD_SHIFT, payload & 255, t_ns)
    else:
        payload = core["travel_payloads"][0]
        core["n_travel"] -= 1
        _pop(core["travel_keys"], core["travel_payloads"], core["n_travel"])
        _run_travel(w, payload >> PAYLOAD_SHIFT, payload & 255, t_ns)
    return int(core["n_happened"])


@jitable
def write_output(w: World, chute: int, on: bool, t_ns: int) -> None:
    """A chute's output is switched: its diverter's paddle moves after its latency, unless it fails."""
    core = w.core[0]
    d = core["chute_diverter"][chute]
    at_ns = t_ns + core["latency_ns"][d]
    if not on:
        if core["paddle_chute"][d] == chute:
            core["paddle_until_ns"][d] = min(core["paddle_until_ns"][d], at_ns)
        return
    fails = w.fire_fails[core["n_fires"] % len(w.fire_fails)]
    core["n_fires"] += 1
    if not fails:
        core["paddle_chute"][d] = chute
        core["paddle_from_ns"][d] = at_ns
        core["paddle_until_ns"][d] = NEVER_NS
