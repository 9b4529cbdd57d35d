"""The physics: belts, parcels on them, eyes, scanners, paddles and chutes. It knows no protocol and no kernel.

Everything that fate will do to a parcel stands in its row of the traffic table, and what befalls devices in the
rows of `mishaps` that begin as a parcel is inducted; so the world itself draws nothing: it is a machine of events
in order of belt travel and of time. All lengths are in micrometres, all times in ns. The functions here run
compiled (virtual time) or as they stand (real time); `World` is a tuple of arrays for that reason.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from hubctl.sim.faults import bit_of
from hubctl.sim.heap import pop
from hubctl.sim.jitable import jitable, seldom
from hubctl.sim.matter import (
    HAND,
    N_SCANNERS_MAX,
    NOT_PUT,
    ON_BELT,
    TAKEN_OFF,
    Cause,
    Happens,
    Outcome,
    Text,
    World,
)
from hubctl.sim.mishaps import (
    begin_mishaps,
    bump,
    flap,
    heal,
    jogged,
    release,
    release_behind,
    send_home,
    slip,
    stand,
)
from hubctl.sim.motion import NEVER_NS, NS_PER_S, await_travel, drop_first, obey
from hubctl.sim.places import (
    ARRIVE,
    CENTRE,
    CLEAR,
    DELIVER,
    DEVICE_MASK,
    DEVICE_SHIFT,
    EMPTY,
    ENTER,
    EPOCH_MASK,
    EPOCH_SHIFT,
    FLAP,
    GO_HOME,
    GO_OUT,
    HEAL,
    JOGGED,
    KIND_MASK,
    LEAD,
    LEAVE,
    PARCEL_SHIFT,
    PASS_ON,
    RELEASE,
    REMOVE,
    SCAN,
    SLIP,
    STAND,
    TAIL,
    TELL_WEIGHT,
    TRAIL,
    UNLEAD,
    UNTRAIL,
    await_bump,
    await_centre,
    await_lead,
    await_time,
    await_trail,
    begin_anew,
    cover,
    event_of,
    key_um,
    link,
    look_where,
    notice,
    place_of,
    plain,
    see,
    sees,
    set_down,
    shortfall_um,
    travel_at,
    unlink,
    write_down,
)
from hubctl.sim.ring import (
    PASSES_NS,
    RING_KINDS,
    come,
    come_again,
    is_ring,
    run_ring_timed,
    run_ring_travel,
    start_ring,
    write_tilt,
)

EMPTIED_NS = 20_000_000_000  # a full chute is emptied after so long
HAND_ROOM_UM = 100_000  # nobody puts a parcel on with less room beside it
PLAY_UM = 5_000  # gaps are kept but for so much: parcels slip on their first metres too
FALLS_OFF = bit_of("falls_off")
PASSED_ON_MAX = 200  # a parcel that goes round for ever is taken off by a person in the end
TEXT_SHIFT = 5  # a telegram's device is scanner | text << TEXT_SHIFT


# Coming and going


@jitable
def await_entry(w: World, p: int, not_before_um: int) -> None:
    """Awaits the coming of parcel `p`: where its induct brings it, or where a person puts it."""
    row = w.parcels[p]
    source = _source_of(w, p)
    place_um = row["put_um"] if row["put_um"] >= 0 else w.core[0]["source_at_um"][source]
    start_um = max(row["start_um"], not_before_um)
    slip_um = place_um * row["slip_ppm"] // 1_000_000
    belt = w.belts[w.core[0]["source_belt"][source]]
    await_travel(belt, start_um + place_um + slip_um, event_of(w, p, 0, ENTER))


@jitable
def _source_of(w: World, p: int) -> int:
    row = w.parcels[p]
    return int(HAND + row["belt"] if row["put_um"] >= 0 else row["source"])


@seldom
def begin(w: World) -> None:
    """The first parcels come, everywhere."""
    for source in range(len(w.core[0]["source_first"])):
        p = w.core[0]["source_first"][source]
        if p >= 0:
            await_entry(w, p, w.parcels[p]["start_um"])
    for b in range(len(w.belts)):
        if is_ring(w, b):
            start_ring(w, b)


@seldom
def _enter(w: World, p: int, b: int, travel_um: int) -> None:
    """A parcel comes onto belt `b`, if it may and has room; else it waits, and whoever comes behind it."""
    core, row = w.core[0], w.parcels[p]
    source = _source_of(w, p)
    if is_ring(w, b):
        come(w, p, b, source, travel_um, core["now_ns"])
        return
    is_put = row["put_um"] >= 0
    place_um = row["put_um"] if is_put else core["source_at_um"][source]
    if core["source_held"][source]:
        core["source_waits"][source] = p
        return
    room_um = HAND_ROOM_UM if is_put else row["gap_um"] - PLAY_UM
    short_um = 0 if row["beside"] >= 0 else shortfall_um(w, b, p, place_um, room_um, travel_um)
    if short_um > 0 and not is_put:
        await_travel(w.belts[b], travel_um + short_um, event_of(w, p, 0, ENTER))
        return
    if short_um > 0:
        w.progress[p]["landed"] = NOT_PUT
    else:
        _come_down(w, p, b, place_um, travel_um)
    _call_next(w, p, travel_um - place_um - place_um * row["slip_ppm"] // 1_000_000, is_put)


@jitable
def _call_next(w: World, p: int, origin_um: int, is_put: bool) -> None:
    """The next to come in the same place; an induct keeps it behind this one."""
    q = w.next_of[p]
    if q < 0:
        return
    earliest_um = w.parcels[q]["start_um"]
    if w.parcels[q]["beside"] >= 0:
        earliest_um = max(earliest_um, origin_um + earliest_um - w.parcels[p]["start_um"])
    elif not is_put:
        earliest_um = max(earliest_um, origin_um + w.parcels[p]["length_um"] + w.parcels[q]["gap_um"])
    await_entry(w, q, earliest_um)


@seldom
def _come_down(w: World, p: int, b: int, place_um: int, travel_um: int) -> None:
    """Parcel `p` is on belt `b` from here on: eyes that its rear may be before do not see it."""
    row = w.progress[p]
    row["landed"] = ON_BELT
    row["belt"] = b
    row["stood_um"] = -1
    set_down(w, p, place_um, travel_um)
    look_where(w, p, travel_um)
    row["next_trail"] = row["next_lead"]
    link(w, p, place_um, travel_um)
    begin_anew(w, p, travel_um)


@seldom
def _leave_belt(w: World, p: int, t_ns: int) -> None:
    """Off the belt; an eye that only this parcel blocked is clear again, and who was behind follows who was ahead."""
    row = w.progress[p]
    behind = row["behind"]
    for eye in range(row["next_trail"], row["next_lead"]):
        if sees(w, eye, p):
            cover(w, eye, -1, t_ns, p)
    unlink(w, p)
    row["epoch"] += 1
    if row["stood_um"] >= 0:
        release_behind(w, behind, t_ns)
    elif behind >= 0 and w.progress[behind]["stood_um"] < 0:
        await_bump(w, behind)


@seldom
def _leave(w: World, p: int, t_ns: int, where: int, cause: int) -> None:
    _leave_belt(w, p, t_ns)
    w.progress[p]["landed"] = where
    w.progress[p]["landed_ns"] = t_ns
    w.progress[p]["cause"] = cause


@seldom
def _pass_on(w: World, p: int, chute: int, t_ns: int) -> None:
    """Its leading edge comes down on the belt that an exit leads onto."""
    b = w.core[0]["chute_to_belt"][chute]
    row = w.progress[p]
    row["via"] = row["via"] << 4 | (b + 1)
    row["n_passed_on"] += 1
    if w.parcels[p]["falls_off"]:
        row["fates"] |= FALLS_OFF
    if w.parcels[p]["falls_off"] or row["n_passed_on"] > PASSED_ON_MAX:  # a person has it in his hands
        row["landed"], row["landed_ns"], row["cause"] = TAKEN_OFF, t_ns, Cause.HAND
        return
    _come_down(w, p, b, w.core[0]["chute_to_um"][chute], travel_at(w, b, t_ns))


@seldom
def _cross_end(w: World, p: int, t_ns: int) -> None:
    """The leading edge goes over to the next belt; the rear still blocks the eyes it was before."""
    row, belt = w.progress[p], w.belts[w.progress[p]["belt"]]
    for eye in range(row["next_trail"], row["next_lead"]):
        if sees(w, eye, p):
            w.core[0]["tails_at_eye"][eye] += 1
            w.core[0]["over_eye"][eye] += 1
            place_um = w.core[0]["eyes_um"][eye] + w.parcels[p]["length_um"]
            await_travel(belt, key_um(w, p, place_um), event_of(w, p, eye, TAIL))
    _leave_belt(w, p, t_ns)
    _pass_on(w, p, belt["end_chute"], t_ns)


# Eyes and scanners


@jitable
def _lead(w: World, p: int, eye: int, t_ns: int) -> None:
    w.progress[p]["next_lead"] = eye + 1
    see(w, p, eye, t_ns)
    cover(w, eye, 1, t_ns, p)
    if w.core[0]["is_trigger"][eye]:
        _trigger(w, p, eye)
    if w.core[0]["eye_source"][eye] >= 0 and w.progress[p]["inducted_ns"] == 0:
        w.progress[p]["inducted_ns"] = t_ns
        begin_mishaps(w, p, t_ns)
    await_trail(w, p, eye)
    await_lead(w, p)


@seldom
def _trigger(w: World, p: int, eye: int) -> None:
    """Scanners that an eye triggers give this parcel the number of the edge."""
    for scanner in range(w.core[0]["n_scanners"]):
        if w.core[0]["scanner_trigger"][scanner] == eye:
            w.reads[p, scanner]["trigger"] = w.core[0]["n_seen"][eye]


@jitable
def _trail(w: World, p: int, eye: int, t_ns: int) -> None:
    w.progress[p]["next_trail"] = eye + 1
    cover(w, eye, -1, t_ns, p)


@jitable
def _tail(w: World, p: int, eye: int, t_ns: int) -> None:
    w.core[0]["tails_at_eye"][eye] -= 1
    cover(w, eye, -1, t_ns, p)


@jitable
def _send_telegram(w: World, p: int, scanner: int, text: int, t_ns: int) -> None:
    """Telegrams of one scanner come in order: one that is late holds up those behind it."""
    delay_ns = np.int64(w.reads[p, scanner]["delay_ms"]) * 1_000_000
    at_ns = max(t_ns + delay_ns, w.core[0]["delivered_ns"][scanner] + 1_000)
    w.core[0]["delivered_ns"][scanner] = at_ns
    await_time(w, at_ns, event_of(w, p, scanner | text << TEXT_SHIFT, DELIVER))


@jitable
def _scan(w: World, p: int, scanner: int, t_ns: int) -> None:
    w.progress[p]["scanned"] |= np.int64(1) << scanner
    if scanner >= N_SCANNERS_MAX:
        scale = scanner - N_SCANNERS_MAX
        await_time(w, t_ns + w.core[0]["scale_late_ns"][scale], event_of(w, p, scale, TELL_WEIGHT))
        return
    if w.core[0]["scanner_latches"][scanner]:
        notice(w, t_ns, Happens.SCANNED, scanner, 0, p)
    outcome = w.reads[p, scanner]["outcome"]
    if outcome == Outcome.NO_READ:
        _send_telegram(w, p, scanner, Text.NO_READ, t_ns)
    elif outcome == Outcome.OTHER:
        _send_telegram(w, p, scanner, Text.OTHER, t_ns)
    elif outcome == Outcome.GARBLED:
        _send_telegram(w, p, scanner, Text.GARBAGE, t_ns)
    else:
        _send_telegram(w, p, scanner, Text.LABEL, t_ns)
    if outcome == Outcome.DOUBLED:
        _send_telegram(w, p, scanner, Text.LABEL, t_ns)
    elif outcome == Outcome.BOTH:
        _send_telegram(w, p, scanner, Text.OTHER, t_ns)


# Paddles and chutes


@jitable
def _passes_ns(w: World, p: int) -> int:
    """How long a chute eye is blocked. Parcels slide as fast as the belt should run, and so keep their gaps."""
    if is_ring(w, w.progress[p]["belt"]):
        return PASSES_NS
    speed_um_s = w.belts[w.progress[p]["belt"]]["design_um_s"]
    return int(w.parcels[p]["length_um"] * NS_PER_S // speed_um_s)


@jitable
def _centre(w: World, p: int, d: int, t_ns: int) -> None:
    """The parcel's centre is at a diverter: it leaves if the paddle is in its way."""
    w.progress[p]["next_diverter"] = d + 1
    if w.core[0]["paddle_chute"][d] >= 0:
        _take(w, p, d, t_ns)
    else:
        await_centre(w, p)


@seldom
def _take(w: World, p: int, d: int, t_ns: int) -> None:
    core, chute = w.core[0], w.core[0]["paddle_chute"][d]
    cause = Cause.FIRED if core["n_pushes"][d] > 0 else Cause.SWEPT
    _write_down(w, p, chute, cause, t_ns)
    if core["chute_to_belt"][chute] >= 0:
        _leave_belt(w, p, t_ns)
    else:
        _leave(w, p, t_ns, chute, cause)
    arrives_ns = t_ns + core["slide_ns"][chute] - _passes_ns(w, p) // 2
    await_time(w, arrives_ns, event_of(w, p, chute, ARRIVE))


@jitable
def _write_down(w: World, p: int, chute: int, cause: int, t_ns: int) -> None:
    k = w.core[0]["n_taken"]
    write_down(w, p, chute, cause, t_ns)
    if k < len(w.taken):
        _write_beside(w, p, w.taken[k], travel_at(w, w.progress[p]["belt"], t_ns))


@jitable
def _write_beside(w: World, p: int, taken: Any, travel_um: int) -> None:
    """How much belt was free beside the centre of parcel `p`."""
    centre_um = place_of(w, p, travel_um) - w.parcels[p]["length_um"] // 2
    for q in (w.progress[p]["ahead"], w.progress[p]["behind"]):
        if q >= 0:
            lead_um = place_of(w, q, travel_um)
            beside_um = max(lead_um - w.parcels[q]["length_um"] - centre_um, centre_um - lead_um)
            if beside_um < taken["beside_um"]:
                taken["beside_um"] = beside_um
                taken["neighbour"] = q


@seldom
def _arrive(w: World, p: int, chute: int, t_ns: int) -> None:
    notice(w, t_ns, Happens.CONFIRM, chute, 1, p)
    await_time(w, t_ns + _passes_ns(w, p), event_of(w, p, chute, CLEAR))
    if w.core[0]["chute_to_belt"][chute] >= 0:
        _pass_on(w, p, chute, t_ns)
        return
    w.core[0]["n_landed"][chute] += 1
    if w.parcels[p]["fills_chute"]:
        notice(w, t_ns, Happens.LEVEL, chute, 1, p)
        await_time(w, t_ns + EMPTIED_NS, event_of(w, p, chute, EMPTY))


@jitable
def is_harm_now(w: World, t_ns: int) -> bool:
    """Whether writes and fires may fail at a time."""
    period_ns = w.core[0]["harm_ns"] + w.core[0]["heal_ns"]
    return bool(period_ns == 0 or t_ns % period_ns < w.core[0]["harm_ns"])


@seldom
def write_output(w: World, chute: int, on: bool, t_ns: int) -> bool:
    """A chute's output is switched: its diverter's paddle moves after its latency. Whether it will."""
    core = w.core[0]
    d = core["chute_diverter"][chute]
    at_ns = t_ns + core["latency_ns"][d]
    if on:
        fails = w.fire_fails[core["n_fires"] % len(w.fire_fails)]
        core["n_fires"] += 1
        core["moves"][chute] = not (fails and is_harm_now(w, t_ns))
    moves = core["moves"][chute] != 0
    if is_ring(w, core["diverter_belt"][d]):
        write_tilt(w, chute, on, at_ns, not moves)
    elif moves:
        await_time(w, at_ns, plain(0, chute, GO_OUT if on else GO_HOME))
    return bool(moves)


@jitable
def _go_out(w: World, chute: int, t_ns: int) -> None:
    """The paddle is in the way."""
    core = w.core[0]
    d = core["chute_diverter"][chute]
    was = core["paddle_chute"][d]
    core["n_pushes"][d] = core["n_pushes"][d] + 1 if was == chute else 1
    core["paddle_chute"][d] = chute
    if was < 0 and core["has_home"][d]:
        notice(w, t_ns, Happens.HOME, d, 0, -1)


@jitable
def _go_home(w: World, chute: int, t_ns: int) -> None:
    """An output lets the paddle go: it goes home, unless another holds it or it is stuck."""
    core = w.core[0]
    d = core["chute_diverter"][chute]
    if core["paddle_chute"][d] != chute or core["n_pushes"][d] == 0:
        return
    core["n_pushes"][d] -= 1
    if core["n_pushes"][d] == 0 and core["n_stuck"][d] == 0:
        send_home(w, d, t_ns)


# What the controller has done


@seldom
def run_belt(w: World, b: int, speed_um_s: int, t_ns: int) -> None:
    """Belt `b` is told to run so fast; 0 stops it."""
    w.belts[b]["told_um_s"] = speed_um_s
    obey(w.belts[b], t_ns)


@seldom
def hold_induct(w: World, eye: int, hold: bool, t_ns: int) -> None:
    """An induct keeps its parcels back, or lets them come."""
    core = w.core[0]
    source = core["eye_source"][eye]
    core["source_held"][source] = hold
    p = core["source_waits"][source]
    if p >= 0 and not hold:
        core["source_waits"][source] = -1
        b = core["source_belt"][source]
        await_travel(w.belts[b], travel_at(w, b, t_ns), event_of(w, p, 0, ENTER))


# The machine


@jitable
def _run_travel(w: World, b: int, travel_um: int, event: int, t_ns: int) -> None:
    p, device, kind = event >> PARCEL_SHIFT, event >> DEVICE_SHIFT & DEVICE_MASK, event & KIND_MASK
    if kind == ENTER:
        _enter(w, p, b, travel_um)
    elif kind == TAIL:
        _tail(w, p, device, t_ns)
    elif kind >= RING_KINDS:
        run_ring_travel(w, b, travel_um, event, p, device, kind, t_ns)
    elif event >> EPOCH_SHIFT & EPOCH_MASK != w.progress[p]["epoch"] & EPOCH_MASK:
        return
    elif kind == LEAD:
        _lead(w, p, device, t_ns)
    elif kind == TRAIL:
        _trail(w, p, device, t_ns)
    elif kind == SCAN:
        _scan(w, p, device, t_ns)
        if is_ring(w, b):
            come_again(w, b, event, travel_um)
    elif kind == CENTRE:
        _centre(w, p, device, t_ns)
    else:
        _run_seldom(w, p, b, kind, travel_um, t_ns)


@seldom
def _run_seldom(w: World, p: int, b: int, kind: int, travel_um: int, t_ns: int) -> None:
    if kind == LEAVE:
        _leave(w, p, t_ns, w.belts[b]["end_chute"], Cause.END)
    elif kind == PASS_ON:
        _cross_end(w, p, t_ns)
    elif kind == REMOVE:
        _leave(w, p, t_ns, TAKEN_OFF, Cause.HAND)
    elif kind == SLIP:
        slip(w, p, travel_um)
    elif kind == STAND:
        w.progress[p]["has_stood"] = 1
        await_time(w, t_ns + w.parcels[p]["stands_ns"], plain(p, 0, RELEASE))
        stand(w, p, w.parcels[p]["stands_at_um"], travel_um)
    else:
        bump(w, p, travel_um)


@seldom
def _run_timed(w: World, event: int, t_ns: int) -> None:
    p, device, kind = event >> PARCEL_SHIFT, event >> DEVICE_SHIFT & DEVICE_MASK, event & KIND_MASK
    if kind >= RING_KINDS:
        run_ring_timed(w, p, device, kind, t_ns)
    elif kind == DELIVER:
        scanner, text = device & (1 << TEXT_SHIFT) - 1, device >> TEXT_SHIFT
        notice(w, t_ns, Happens.TELEGRAM, scanner, text, p)
    elif kind == ARRIVE:
        _arrive(w, p, device, t_ns)
    elif kind == CLEAR:
        notice(w, t_ns, Happens.CONFIRM, device, 0, p)
    elif kind == EMPTY:
        notice(w, t_ns, Happens.LEVEL, device, 0, p)
    elif kind == TELL_WEIGHT:
        notice(w, t_ns, Happens.WEIGHED, device, 0, p)
    elif kind == GO_OUT:
        _go_out(w, device, t_ns)
    elif kind == GO_HOME:
        _go_home(w, device, t_ns)
    elif kind in (UNLEAD, UNTRAIL):
        if event >> EPOCH_SHIFT & EPOCH_MASK == w.progress[p]["epoch"] & EPOCH_MASK:
            cover(w, device, 1 if kind == UNTRAIL else -1, t_ns, p)
    else:
        _run_mishap(w, p, device, kind, t_ns)


@seldom
def _run_mishap(w: World, k: int, device: int, kind: int, t_ns: int) -> None:
    if kind == HEAL:
        heal(w, k, t_ns)
    elif kind == FLAP:
        flap(w, k, device, t_ns)
    elif kind == JOGGED:
        jogged(w, device, t_ns)
    else:
        release(w, k, t_ns)
        release_behind(w, w.progress[k]["behind"], t_ns)


@jitable
def next_ns(w: World) -> int:
    """When the next thing happens, ns; NEVER_NS when nothing will."""
    core = w.core[0]
    at = NEVER_NS
    if core["n_timed"] > 0:
        at = core["timed_keys"][0]
    for b in range(len(w.belts)):
        at = min(at, w.belts[b]["next_ns"])
    return max(at, core["now_ns"]) if at < NEVER_NS else NEVER_NS


@jitable
def _first_belt(w: World, t_ns: int) -> int:
    b = 0
    while w.belts[b]["next_ns"] > t_ns:
        b += 1
    return b


@jitable
def run_next(w: World) -> int:
    """Lets the next thing happen; returns how many rows of `happened` the devices noticed."""
    core = w.core[0]
    t_ns = next_ns(w)
    core["n_happened"] = 0
    core["now_ns"] = t_ns
    if core["n_timed"] > 0 and core["timed_keys"][0] <= t_ns:
        event = core["timed_payloads"][0]
        core["n_timed"] -= 1
        pop(core["timed_keys"], core["timed_payloads"], core["n_timed"])
        _run_timed(w, event, t_ns)
    else:
        b = _first_belt(w, t_ns)
        travel_um, event = w.belts[b]["travel_keys"][0], w.belts[b]["travel_payloads"][0]
        drop_first(w.belts[b])
        _run_travel(w, b, travel_um, event, t_ns)
    return int(core["n_happened"])
