"""The physics of a loop: carriers that go round, parcels that are launched onto them and tilted off.

A parcel on a loop keeps its place on the ring: `origin_um` is the travel of the belt at which its middle was at
0 mm. Carrier 0 is there at travel 0, and carrier 1 follows it. What the eyes and scanners of the loop see comes
again with every turn, until the last parcel has left and all that is carried has been seen.
"""

from __future__ import annotations

from typing import Any

from hubctl.sim.jitable import jitable, seldom
from hubctl.sim.matter import NOT_PUT, ON_BELT, TAKEN_OFF, Cause, Happens, World
from hubctl.sim.mishaps import begin_mishaps
from hubctl.sim.motion import NS_PER_S, await_travel
from hubctl.sim.places import (
    ARRIVE,
    ENTER,
    EPOCH_MASK,
    EPOCH_SHIFT,
    SCAN,
    await_time,
    cover,
    event_of,
    notice,
    plain,
    travel_at,
    write_down,
)

# Events in order of belt travel, and behind them those in order of time: see `places.py`.
LOAD_LEAD, LOAD_TRAIL, FALL, FLAG, UNFLAG = range(16, 21)
OFF_EYE, LAND, TILT, UNTILT, FETCH, MEND = range(21, 27)
FLAG_AGAIN = 27  # in order of travel
RING_KINDS = LOAD_LEAD

FLAG_UM = 40_000  # what origin and carrier eyes see of a carrier, from its middle on
LEAVES_NS = 150_000_000  # a launched parcel has left its induction so long before it is on the ring
NEXT_UM = 300_000  # the next is there when the ring has run so far
PLACED_UM = 100  # per ppm of slip: how far off its carrier's middle a parcel comes down
PASSES_NS = 150_000_000  # for how long a parcel blocks a chute eye that it passes sideways
N_LOOKED_AT = 20  # carriers that a person looks at to find an empty one
FETCHED_NS = 120_000_000_000  # a person takes away what stands at an induction for so long
MENDED_NS = 60_000_000_000  # and sees to a carrier that fails
N_LOOKS_MAX = 400  # by load eyes: a parcel that rides for ever is taken off by a person in the end
N_TURNS_AFTER = 2  # the ring turns so often when everybody has left


@jitable
def is_ring(w: World, b: int) -> bool:
    return bool(w.belts[b]["ring_um"] > 0)


@jitable
def next_travel_um(w: World, b: int, origin_um: int, at_um: int, after_um: int) -> int:
    """Travel, above `after_um`, at which what was at 0 mm at `origin_um` comes to a place."""
    return int(after_um + 1 + (origin_um + at_um - after_um - 1) % w.belts[b]["ring_um"])


@jitable
def carrier_at(w: World, b: int, at_um: int, travel_um: int) -> int:
    """The carrier whose middle is nearest to a place."""
    belt = w.belts[b]
    behind_um = (travel_um - at_um) % belt["ring_um"]
    return int((2 * behind_um + belt["pitch_um"]) // (2 * belt["pitch_um"]) % belt["n_carriers"])


# The ring turns


@seldom
def start_ring(w: World, b: int) -> None:
    """Its flags come by their eyes from now on."""
    for eye in (w.belts[b]["origin_eye"], w.belts[b]["carrier_eye"]):
        if eye >= 0:
            every_um = w.belts[b]["ring_um"] if eye == w.belts[b]["origin_eye"] else w.belts[b]["pitch_um"]
            await_travel(w.belts[b], w.core[0]["eyes_um"][eye] % every_um, plain(0, eye, FLAG))


@jitable
def _show_flag(w: World, belt: Any, eye: int, travel_um: int, t_ns: int) -> None:
    notice(w, t_ns, Happens.EYE, eye, 1, -1)
    await_travel(belt, travel_um + FLAG_UM, plain(0, eye, UNFLAG))


@jitable
def _show_origin(w: World, belt: Any, eye: int, travel_um: int, t_ns: int) -> None:
    if belt["n_origins_missed"] > 0:
        belt["n_origins_missed"] -= 1
        return
    _show_flag(w, belt, eye, travel_um, t_ns)
    if belt["doubled_um"] > 0:
        await_travel(belt, travel_um + belt["doubled_um"], plain(0, eye, FLAG_AGAIN))
        belt["doubled_um"] = 0


@jitable
def _flag(w: World, b: int, eye: int, travel_um: int, t_ns: int) -> None:
    belt = w.belts[b]
    every_um = belt["ring_um"] if eye == belt["origin_eye"] else belt["pitch_um"]
    if eye == belt["origin_eye"]:
        _show_origin(w, belt, eye, travel_um, t_ns)
    elif belt["n_carriers_missed"] > 0:
        belt["n_carriers_missed"] -= 1
    else:
        _show_flag(w, belt, eye, travel_um, t_ns)
    if belt["n_to_leave"] > 0:
        belt["last_left_um"] = travel_um
    if travel_um < belt["last_left_um"] + N_TURNS_AFTER * belt["ring_um"]:
        await_travel(belt, travel_um + every_um, plain(0, eye, FLAG))


# Inductions


@seldom
def come(w: World, p: int, b: int, source: int, travel_um: int, t_ns: int) -> None:
    """A parcel stands ready at its induction; or a person lays it onto the carrier beside."""
    if w.parcels[p]["put_um"] >= 0:
        _lay(w, p, b, travel_um, t_ns)
        call_next(w, p, b, travel_um)
        return
    w.core[0]["source_waits"][source] = p
    w.progress[p]["inducted_ns"] = t_ns
    w.progress[p]["landed"] = ON_BELT
    w.progress[p]["belt"] = b
    begin_mishaps(w, p, t_ns)
    notice(w, t_ns, Happens.EYE, w.core[0]["source_eye"][source], 1, p)
    await_time(w, t_ns + FETCHED_NS, event_of(w, p, source, FETCH))


@seldom
def call_next(w: World, p: int, b: int, travel_um: int) -> None:
    """The next one to come in the same place."""
    q = w.next_of[p]
    if q >= 0:
        await_travel(w.belts[b], max(w.parcels[q]["start_um"], travel_um + NEXT_UM), event_of(w, q, 0, ENTER))


@seldom
def launch(w: World, eye: int, due_ns: int, t_ns: int) -> None:
    """The controller launches whoever stands before an induct eye, to lie on the ring at an instant."""
    source = w.core[0]["eye_source"][eye]
    p = w.core[0]["source_waits"][source]
    if p >= 0 and w.core[0]["source_sticks"][source] == 0:
        w.core[0]["source_waits"][source] = -1
        await_time(w, max(t_ns, due_ns - LEAVES_NS), event_of(w, p, 0, OFF_EYE))
        await_time(w, max(t_ns, due_ns), event_of(w, p, 0, LAND))


@seldom
def _off_eye(w: World, p: int, t_ns: int) -> None:
    source, b = w.parcels[p]["source"], w.progress[p]["belt"]
    notice(w, t_ns, Happens.EYE, w.core[0]["source_eye"][source], 0, p)
    call_next(w, p, b, travel_at(w, b, t_ns))


@seldom
def _fetch(w: World, p: int, source: int, t_ns: int) -> None:
    """A person takes away what was not launched: it is too long, perhaps, or the induction sticks."""
    if w.core[0]["source_waits"][source] != p:
        return
    w.core[0]["source_waits"][source] = -1
    row = w.progress[p]
    row["landed"], row["landed_ns"], row["cause"] = TAKEN_OFF, t_ns, Cause.HAND
    w.belts[row["belt"]]["n_to_leave"] -= 1
    _off_eye(w, p, t_ns)


@seldom
def _land(w: World, p: int, t_ns: int) -> None:
    """It comes down on the ring, not quite where it should."""
    b, row = w.progress[p]["belt"], w.parcels[p]
    travel_um = travel_at(w, b, t_ns)
    off_um = row["slip_ppm"] * PLACED_UM + row["slip_um"]
    _lie(w, p, b, travel_um - w.core[0]["source_at_um"][row["source"]] + off_um, travel_um)
    if row["removed_um"] > 0:
        await_travel(w.belts[b], travel_um + row["removed_um"], event_of(w, p, 0, FALL))


@seldom
def _lay(w: World, p: int, b: int, travel_um: int, t_ns: int) -> None:
    """By hand, onto the first empty carrier from a place on, down the ring."""
    belt = w.belts[b]
    carrier = carrier_at(w, b, w.parcels[p]["put_um"], travel_um)
    k = 0
    while not _is_empty(w, b, carrier) and k < N_LOOKED_AT:
        carrier = (carrier - 1) % belt["n_carriers"]
        k += 1
    if k == N_LOOKED_AT:
        w.progress[p]["landed"] = NOT_PUT
        belt["n_to_leave"] -= 1
        return
    w.progress[p]["landed"] = ON_BELT
    w.progress[p]["belt"] = b
    _lie(w, p, b, carrier * belt["pitch_um"], travel_um)


# Riding


@jitable
def _seat(w: World, p: int, b: int) -> int:
    """Where `carriers` has it: at the carrier nearest to its middle. Others may lie there too, one `behind` another."""
    belt = w.belts[b]
    nearest = (w.progress[p]["origin_um"] + belt["pitch_um"] // 2) // belt["pitch_um"]
    return int(belt["first_carrier"] + nearest % belt["n_carriers"])


@jitable
def _sit_down(w: World, p: int, b: int) -> None:
    seat = _seat(w, p, b)
    w.progress[p]["behind"] = w.carriers[seat]
    w.carriers[seat] = p


@jitable
def _get_up(w: World, p: int, b: int) -> None:
    seat, behind = _seat(w, p, b), w.progress[p]["behind"]
    q = w.carriers[seat]
    if q == p:
        w.carriers[seat] = behind
        return
    while w.progress[q]["behind"] != p:
        q = w.progress[q]["behind"]
    w.progress[q]["behind"] = behind


@jitable
def _sits_at(w: World, b: int, carrier: int) -> int:
    """The first of those whose middle is nearest to a carrier; -1: nobody."""
    belt = w.belts[b]
    return int(w.carriers[belt["first_carrier"] + carrier % belt["n_carriers"]])


@jitable
def _touches(w: World, p: int, b: int, carrier: int) -> bool:
    """Whether some of it lies on a carrier."""
    belt, half_um = w.belts[b], w.parcels[p]["length_um"] // 2
    off_um = (w.progress[p]["origin_um"] - carrier * belt["pitch_um"] + belt["ring_um"] // 2) % belt[
        "ring_um"
    ]
    return bool(abs(off_um - belt["ring_um"] // 2) < half_um + belt["carrier_um"] // 2)


@jitable
def _who_touches(w: World, b: int, carrier: int) -> int:
    """Somebody who lies on a carrier, with some of him at least; -1: nobody."""
    for k in range(-1, 2):
        p = _sits_at(w, b, carrier + k)
        while p >= 0:
            if _touches(w, p, b, carrier):
                return int(p)
            p = w.progress[p]["behind"]
    return -1


@jitable
def _is_empty(w: World, b: int, carrier: int) -> bool:
    return bool(_who_touches(w, b, carrier) < 0)


@seldom
def _lie(w: World, p: int, b: int, origin_um: int, travel_um: int) -> None:
    """It lies on the ring from now on, and comes by eyes and scanners."""
    w.progress[p]["origin_um"] = origin_um
    w.progress[p]["via"] = 0
    _sit_down(w, p, b)
    half_um = w.parcels[p]["length_um"] // 2
    core, belt = w.core[0], w.belts[b]
    for eye in range(belt["first_eye"], belt["end_eye"]):
        if core["is_load_eye"][eye]:
            at_um = next_travel_um(w, b, origin_um - half_um, core["eyes_um"][eye], travel_um)
            await_travel(belt, at_um, event_of(w, p, eye, LOAD_LEAD))
    for scanner in range(core["n_scanners"]):
        if core["scanner_belt"][scanner] == b:
            reads = w.reads[p, scanner]["outcome"] != 0
            label_um = w.parcels[p]["label_um"] if reads else w.parcels[p]["length_um"]
            under_um = origin_um - half_um + label_um
            at_um = next_travel_um(w, b, under_um, core["scanners_um"][scanner], travel_um)
            await_travel(belt, at_um, event_of(w, p, scanner, SCAN))


@jitable
def come_again(w: World, b: int, event: int, travel_um: int) -> None:
    """What comes by comes by again a turn later."""
    await_travel(w.belts[b], travel_um + w.belts[b]["ring_um"], event)


@jitable
def _load_lead(w: World, p: int, b: int, eye: int, travel_um: int, t_ns: int) -> None:
    w.progress[p]["n_looks"] += 1
    w.progress[p]["via"] |= 1 << (eye - w.belts[b]["first_eye"])
    cover(w, eye, 1, t_ns, p)
    await_travel(w.belts[b], travel_um + w.parcels[p]["length_um"], event_of(w, p, eye, LOAD_TRAIL))


@jitable
def _load_trail(w: World, p: int, b: int, eye: int, t_ns: int) -> None:
    w.progress[p]["via"] &= ~(1 << (eye - w.belts[b]["first_eye"]))
    cover(w, eye, -1, t_ns, p)


@seldom
def _leave(w: World, p: int, b: int, where: int, cause: int, landed_ns: int, t_ns: int) -> None:
    """Off the ring; an eye that only this parcel blocked is clear again."""
    belt, row = w.belts[b], w.progress[p]
    for eye in range(belt["first_eye"], belt["end_eye"]):
        if row["via"] >> (eye - belt["first_eye"]) & 1:
            cover(w, eye, -1, t_ns, p)
    row["via"] = 0
    row["epoch"] += 1
    row["landed"] = where
    row["landed_ns"] = landed_ns
    row["cause"] = cause
    _get_up(w, p, b)
    belt["n_to_leave"] -= 1


# Discharge


@seldom
def write_tilt(w: World, chute: int, on: bool, at_ns: int, fails: bool) -> None:
    """A chute's output is switched: carriers that come by from here on, or no more, tilt into it."""
    if on:
        w.core[0]["tilts"][chute] = not fails
        await_time(w, at_ns, plain(0, chute, TILT))
    else:
        await_time(w, at_ns, plain(0, chute, UNTILT))


@seldom
def _untilt(w: World, chute: int, t_ns: int) -> None:
    """Everybody whose middle came by while the chute's carriers tilted has gone into it."""
    core = w.core[0]
    d = core["chute_diverter"][chute]
    b = core["diverter_belt"][d]
    from_um, until_um = core["tilt_um"][chute], travel_at(w, b, t_ns)
    if not core["tilts"][chute]:
        return
    first = carrier_at(w, b, core["diverters_um"][d], from_um) - 1
    for k in range(4):
        p = _sits_at(w, b, first + k)
        seat = w.belts[b]["first_carrier"] + (first + k) % w.belts[b]["n_carriers"]
        while p >= 0 and w.spoiled[seat] == 0:
            behind = w.progress[p]["behind"]
            at_um = next_travel_um(w, b, w.progress[p]["origin_um"], core["diverters_um"][d], from_um - 1)
            if at_um <= until_um:
                _tilt_off(w, p, b, chute, until_um - at_um, t_ns)
            p = behind


@seldom
def _tilt_off(w: World, p: int, b: int, chute: int, ago_um: int, t_ns: int) -> None:
    """Into its chute when it came by, as far as the speed of now tells: not before the carriers tilted."""
    landed_ns = t_ns - ago_um * NS_PER_S // max(w.belts[b]["speed_um_s"], 1)
    landed_ns = max(landed_ns, w.core[0]["tilt_ns"][chute])
    write_down(w, p, chute, Cause.FIRED, landed_ns)
    _leave(w, p, b, chute, Cause.FIRED, landed_ns, t_ns)
    arrives_ns = max(landed_ns + w.core[0]["slide_ns"][chute], t_ns)
    await_time(w, arrives_ns, event_of(w, p, chute, ARRIVE))


# People


@seldom
def call_mender(w: World, carrier: int, t_ns: int) -> None:
    """Somebody is told that a carrier of the loop fails."""
    b = 0
    while not is_ring(w, b):
        b += 1
    await_time(w, t_ns + MENDED_NS, plain(carrier, b, MEND))


@seldom
def _mend(w: World, carrier: int, b: int, t_ns: int) -> None:
    """A person takes off what lies on a carrier, and puts it into use again."""
    p = _who_touches(w, b, carrier)
    while p >= 0:
        notice(w, t_ns, Happens.FETCHED, b, 0, p)
        _leave(w, p, b, TAKEN_OFF, Cause.HAND, t_ns, t_ns)
        p = _who_touches(w, b, carrier)
    notice(w, t_ns, Happens.MENDED, b, carrier, -1)


# The machine


@jitable
def run_ring_travel(
    w: World, b: int, travel_um: int, event: int, p: int, device: int, kind: int, t_ns: int
) -> None:
    """An event of a loop in order of travel."""
    if kind == FLAG:
        _flag(w, b, device, travel_um, t_ns)
    elif kind == FLAG_AGAIN:
        _show_flag(w, w.belts[b], device, travel_um, t_ns)
    elif kind == UNFLAG:
        notice(w, t_ns, Happens.EYE, device, 0, -1)
    elif event >> EPOCH_SHIFT & EPOCH_MASK != w.progress[p]["epoch"] & EPOCH_MASK:
        return
    elif kind == FALL or w.progress[p]["n_looks"] > N_LOOKS_MAX:
        _leave(w, p, b, TAKEN_OFF, Cause.HAND, t_ns, t_ns)
    elif kind == LOAD_LEAD:
        come_again(w, b, event, travel_um)
        _load_lead(w, p, b, device, travel_um, t_ns)
    else:
        _load_trail(w, p, b, device, t_ns)


@seldom
def run_ring_timed(w: World, p: int, device: int, kind: int, t_ns: int) -> None:
    """An event of a loop in order of time."""
    if kind == OFF_EYE:
        _off_eye(w, p, t_ns)
    elif kind == LAND:
        _land(w, p, t_ns)
    elif kind == FETCH:
        _fetch(w, p, device, t_ns)
    elif kind == MEND:
        _mend(w, p, device, t_ns)
    elif kind == TILT:
        d = w.core[0]["chute_diverter"][device]
        w.core[0]["tilt_um"][device] = travel_at(w, w.core[0]["diverter_belt"][d], t_ns)
        w.core[0]["tilt_ns"][device] = t_ns
    else:
        _untilt(w, device, t_ns)
