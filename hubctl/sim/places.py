"""Where parcels are, in which order, and what each comes to next on its belt.

A parcel that is moved out of its way (it slips, stands, changes belts, goes back with a belt) awaits its events
anew: those it awaited before bear an older epoch and are dropped as they come.
"""

from __future__ import annotations

import numpy as np

from hubctl.sim.heap import push
from hubctl.sim.jitable import jitable, seldom
from hubctl.sim.matter import N_SCANNERS_MAX, Happens, Moved, World
from hubctl.sim.motion import await_travel, travelled_um

# Events in order of belt travel.
ENTER, LEAD, TRAIL, SCAN, CENTRE, REMOVE, LEAVE, PASS_ON, TAIL, SLIP, STAND, BUMP = range(12)
# Events in order of time.
DELIVER, ARRIVE, CLEAR, EMPTY, HEAL, RELEASE, UNLEAD, UNTRAIL, JOGGED, FLAP, GO_HOME, GO_OUT, TELL_WEIGHT = (
    range(13)
)
# An event is a number: parcel, epoch, device, kind; so equal times keep the parcels' order.
PARCEL_SHIFT, EPOCH_SHIFT, DEVICE_SHIFT = 32, 24, 8
EPOCH_MASK, DEVICE_MASK, KIND_MASK = 255, 0xFFFF, 255
FREE_UM = 1 << 40  # as far as from a parcel that is not there
SHORTER_UM = 5_000  # parcels that touch slip by less
PRESS_UM = 2_000  # parcels that come up against each other leave no light between them


# Events awaited, and what devices notice


@jitable
def event_of(w: World, p: int, device: int, kind: int) -> int:
    epoch = np.int64(w.progress[p]["epoch"] & EPOCH_MASK)
    return int(np.int64(p) << PARCEL_SHIFT | epoch << EPOCH_SHIFT | np.int64(device) << DEVICE_SHIFT | kind)


@jitable
def await_time(w: World, t_ns: int, event: int) -> None:
    core = w.core[0]
    push(core["timed_keys"], core["timed_payloads"], core["n_timed"], t_ns, event)
    core["n_timed"] += 1


@jitable
def notice(w: World, t_ns: int, kind: int, device: int, value: int, p: int) -> None:
    row = w.happened[w.core[0]["n_happened"]]
    w.core[0]["n_happened"] += 1
    row["t_ns"] = t_ns
    row["kind"] = kind
    row["device"] = device
    row["value"] = value
    row["parcel"] = p


@jitable
def cover(w: World, eye: int, by: int, t_ns: int, p: int) -> None:
    """So many parcels more, or fewer, are before an eye."""
    over = w.core[0]["over_eye"]
    was = over[eye]
    over[eye] += by
    if was == 0:
        w.core[0]["n_seen"][eye] += 1
    if (was > 0) != (over[eye] > 0):
        notice(w, t_ns, Happens.EYE, eye, 1 if over[eye] > 0 else 0, p)


# Where parcels are


@jitable
def travel_at(w: World, b: int, t_ns: int) -> int:
    """How far belt `b` has run at a time, um."""
    return travelled_um(w.belts[b], t_ns)


@jitable
def key_um(w: World, p: int, place_um: int) -> int:
    """Travel of its belt at which a point of parcel `p` will have come to a place."""
    slip_um = place_um * w.parcels[p]["slip_ppm"] // 1_000_000
    return int(w.progress[p]["origin_um"] + place_um + slip_um)


@jitable
def place_of(w: World, p: int, travel_um: int) -> int:
    """Where the leading edge of parcel `p` is once its belt has run so far."""
    if w.progress[p]["stood_um"] >= 0:
        return int(w.progress[p]["stood_um"])
    run_um = travel_um - w.progress[p]["origin_um"]
    return int(run_um - run_um * w.parcels[p]["slip_ppm"] // 1_000_000)


@jitable
def set_down(w: World, p: int, place_um: int, travel_um: int) -> None:
    """Its leading edge is here, now."""
    slip_um = place_um * w.parcels[p]["slip_ppm"] // 1_000_000
    w.progress[p]["origin_um"] = travel_um - place_um - slip_um


@jitable
def sees(w: World, eye: int, p: int) -> bool:
    """An induct eye sees only who comes by its induct."""
    source = w.core[0]["eye_source"][eye]
    mine = w.parcels[p]["source"] == source and w.parcels[p]["put_um"] < 0 and w.progress[p]["via"] == 0
    return bool(source < 0 or mine)


@jitable
def see(w: World, p: int, eye: int, t_ns: int) -> None:
    """What can be known of it from now on: with next to no light before it, it passes for one with who is ahead."""
    row = w.progress[p]
    row["seen_ns"] = t_ns
    row["seen_eye"] = eye
    row["joint_um"] = 0
    if row["moved"] == Moved.UNSEEN:
        row["moved"] = Moved.SEEN
    if row["ahead"] >= 0:
        _look_ahead(w, p, row["ahead"], eye, travel_at(w, row["belt"], t_ns))


@jitable
def _look_ahead(w: World, p: int, ahead: int, eye: int, travel_um: int) -> None:
    """Beside who is just ahead another may lie that reaches further back."""
    beside = w.progress[ahead]["as_one"]
    if not _joins(w, p, ahead, eye, travel_um) and beside >= 0:
        _joins(w, p, beside, eye, travel_um)


@jitable
def _joins(w: World, p: int, ahead: int, eye: int, travel_um: int) -> bool:
    lead_um = place_of(w, ahead, travel_um) - w.core[0]["eyes_um"][eye]
    if lead_um - w.parcels[ahead]["length_um"] > w.core[0]["debounce_um"][eye]:
        return False
    row = w.progress[p]
    row["joint_um"] = lead_um + w.progress[ahead]["joint_um"]
    whole_um = row["joint_um"] + w.parcels[p]["length_um"]
    if row["as_one"] != ahead or whole_um < row["as_one_um"] - SHORTER_UM:
        _take_for_one(w, p, ahead, eye, whole_um)
    return True


@seldom
def _take_for_one(w: World, p: int, ahead: int, eye: int, whole_um: int) -> None:
    """Written down once, and again when who was ahead of the two has gone."""
    k = w.core[0]["n_as_one"]
    w.core[0]["n_as_one"] += 1
    w.progress[p]["as_one"] = ahead
    w.progress[p]["as_one_um"] = whole_um
    if k < len(w.as_one):
        w.as_one[k]["parcel"] = p
        w.as_one[k]["ahead"] = ahead
        w.as_one[k]["whole_um"] = whole_um
        w.as_one[k]["eye"] = eye


# The order of parcels on a belt, for who stands in whose way


@seldom
def link(w: World, p: int, place_um: int, travel_um: int) -> None:
    belt = w.belts[w.progress[p]["belt"]]
    ahead = belt["last"]
    while ahead >= 0 and place_of(w, ahead, travel_um) < place_um:
        ahead = w.progress[ahead]["ahead"]
    behind = belt["first"] if ahead < 0 else w.progress[ahead]["behind"]
    w.progress[p]["ahead"] = ahead
    w.progress[p]["behind"] = behind
    if ahead < 0:
        belt["first"] = p
    else:
        w.progress[ahead]["behind"] = p
    if behind < 0:
        belt["last"] = p
    else:
        w.progress[behind]["ahead"] = p


@jitable
def unlink(w: World, p: int) -> None:
    belt = w.belts[w.progress[p]["belt"]]
    ahead, behind = w.progress[p]["ahead"], w.progress[p]["behind"]
    if ahead < 0:
        belt["first"] = behind
    else:
        w.progress[ahead]["behind"] = behind
    if behind < 0:
        belt["last"] = ahead
    else:
        w.progress[behind]["ahead"] = ahead


@seldom
def shortfall_um(w: World, b: int, p: int, at_um: int, room_um: int, travel_um: int) -> int:
    """How far belt `b` must run until parcel `p` has room at a place; 0: it has."""
    short_um = 0
    q = w.belts[b]["last"]
    while q >= 0:
        lead_um = place_of(w, q, travel_um)
        tail_um = lead_um - w.parcels[q]["length_um"]
        if tail_um >= at_um + room_um:
            break
        if lead_um > at_um - w.parcels[p]["length_um"] - room_um:
            short_um = max(short_um, at_um + room_um - tail_um)
        q = w.progress[q]["ahead"]
    return int(short_um)


# What a parcel on a belt comes to


@jitable
def wait_for(w: World, p: int, kind: int, device: int, place_um: int) -> None:
    """An event as a point of parcel `p` comes to a place on its belt."""
    await_travel(w.belts[w.progress[p]["belt"]], key_um(w, p, place_um), event_of(w, p, device, kind))


@jitable
def await_lead(w: World, p: int) -> None:
    """The next eye that will see it."""
    end_eye = w.belts[w.progress[p]["belt"]]["end_eye"]
    eye = w.progress[p]["next_lead"]
    while eye < end_eye and not sees(w, eye, p):
        eye += 1
    if eye < end_eye:
        wait_for(w, p, LEAD, eye, w.core[0]["eyes_um"][eye])


@jitable
def await_trail(w: World, p: int, eye: int) -> None:
    wait_for(w, p, TRAIL, eye, w.core[0]["eyes_um"][eye] + w.parcels[p]["length_um"])


@jitable
def _await_scans(w: World, p: int) -> None:
    """The label under each scanner, or the parcel's end where it will not be read; the middle on each scale."""
    for scanner in range(w.core[0]["n_scanners"]):
        if w.progress[p]["scanned"] >> scanner & 1 == 0:
            reads = w.reads[p, scanner]["outcome"] != 0
            offset_um = w.parcels[p]["label_um"] if reads else w.parcels[p]["length_um"]
            wait_for(w, p, SCAN, scanner, w.core[0]["scanners_um"][scanner] + offset_um)
    for scale in range(w.core[0]["n_scales"]):
        if w.progress[p]["scanned"] >> (N_SCANNERS_MAX + scale) & 1 == 0:
            middle_um = w.core[0]["scales_um"][scale] + w.parcels[p]["length_um"] // 2
            wait_for(w, p, SCAN, N_SCANNERS_MAX + scale, middle_um)


@jitable
def await_centre(w: World, p: int) -> None:
    diverter = w.progress[p]["next_diverter"]
    if diverter < w.belts[w.progress[p]["belt"]]["end_diverter"]:
        place_um = w.core[0]["diverters_um"][diverter] + w.parcels[p]["length_um"] // 2
        wait_for(w, p, CENTRE, diverter, place_um)


@jitable
def _await_end(w: World, p: int) -> None:
    belt = w.belts[w.progress[p]["belt"]]
    if w.core[0]["chute_to_belt"][belt["end_chute"]] >= 0:
        wait_for(w, p, PASS_ON, 0, belt["end_um"])
    else:
        wait_for(w, p, LEAVE, 0, belt["end_um"] + w.parcels[p]["length_um"])


@jitable
def _await_fate(w: World, p: int, travel_um: int) -> None:
    """What its row says will befall it on the belt where it came in."""
    row = w.parcels[p]
    if w.progress[p]["via"] != 0:
        return
    if row["removed_um"] > 0:
        wait_for(w, p, REMOVE, 0, row["removed_um"])
    has_slipped = w.progress[p]["has_slipped"] or key_um(w, p, row["slip_at_um"]) <= travel_um
    if row["slip_um"] > 0 and not has_slipped:
        wait_for(w, p, SLIP, 0, row["slip_at_um"])
    has_stood = w.progress[p]["has_stood"] or key_um(w, p, row["stands_at_um"]) <= travel_um
    if row["stands_ns"] > 0 and not has_stood:
        wait_for(w, p, STAND, 0, row["stands_at_um"])


@jitable
def await_all(w: World, p: int, travel_um: int) -> None:
    """Everything that is still before it on its belt."""
    await_lead(w, p)
    for eye in range(w.progress[p]["next_trail"], w.progress[p]["next_lead"]):
        if sees(w, eye, p):
            await_trail(w, p, eye)
    _await_scans(w, p)
    await_centre(w, p)
    _await_end(w, p)
    _await_fate(w, p, travel_um)
    await_bump(w, p)


@jitable
def await_bump(w: World, p: int) -> None:
    """It comes up against who is ahead, if that one stands."""
    ahead = w.progress[p]["ahead"]
    if ahead >= 0 and w.progress[ahead]["stood_um"] >= 0:
        up_to_um = w.progress[ahead]["stood_um"] - w.parcels[ahead]["length_um"] + PRESS_UM
        wait_for(w, p, BUMP, 0, up_to_um)


@seldom
def look_where(w: World, p: int, travel_um: int) -> None:
    """Which of its belt's eyes, scanners and diverters are before it and which behind."""
    core, row, length_um = w.core[0], w.progress[p], w.parcels[p]["length_um"]
    belt = w.belts[row["belt"]]
    eye = belt["first_eye"]
    while eye < belt["end_eye"] and key_um(w, p, core["eyes_um"][eye] + length_um) <= travel_um:
        eye += 1
    row["next_trail"] = eye
    while eye < belt["end_eye"] and key_um(w, p, core["eyes_um"][eye]) <= travel_um:
        eye += 1
    row["next_lead"] = eye
    diverter = belt["first_diverter"]
    while (
        diverter < belt["end_diverter"]
        and key_um(w, p, core["diverters_um"][diverter] + length_um // 2) <= travel_um
    ):
        diverter += 1
    row["next_diverter"] = diverter
    scanned = np.int64(0)
    for scanner in range(core["n_scanners"]):
        is_here = core["scanner_belt"][scanner] == row["belt"]
        if not is_here or key_um(w, p, core["scanners_um"][scanner]) <= travel_um:
            scanned |= np.int64(1) << scanner
    for scale in range(core["n_scales"]):
        is_here = core["scale_belt"][scale] == row["belt"]
        if not is_here or key_um(w, p, core["scales_um"][scale]) <= travel_um:
            scanned |= np.int64(1) << (N_SCANNERS_MAX + scale)
    row["scanned"] = scanned


@jitable
def write_down(w: World, p: int, chute: int, cause: int, t_ns: int) -> None:
    """A parcel was taken off into a chute."""
    k = w.core[0]["n_taken"]
    w.core[0]["n_taken"] += 1
    if k < len(w.taken):
        w.taken[k]["t_ns"] = t_ns
        w.taken[k]["parcel"] = p
        w.taken[k]["chute"] = chute
        w.taken[k]["cause"] = cause
        w.taken[k]["neighbour"] = -1
        w.taken[k]["beside_um"] = FREE_UM
        w.taken[k]["seen_ns"] = w.progress[p]["seen_ns"]
        w.taken[k]["seen_eye"] = w.progress[p]["seen_eye"]
        w.taken[k]["moved"] = w.progress[p]["moved"]


@seldom
def begin_anew(w: World, p: int, travel_um: int) -> None:
    """It was moved: what it awaited is void, and it awaits the rest from where it is."""
    w.progress[p]["epoch"] += 1
    await_all(w, p, travel_um)


@jitable
def plain(k: int, device: int, kind: int) -> int:
    """An event that is no parcel's: `k` is what it concerns."""
    return int(np.int64(k) << PARCEL_SHIFT | np.int64(device) << DEVICE_SHIFT | kind)
