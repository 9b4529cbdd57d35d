"""What stands between a world and a kernel: sensors, links, the host and people, with all that befalls them.

It does what the reactor would: edges are told up to half a poll early or late, a link that drops takes its nodes'
edges and writes with it, and the kernel learns of that only when the reactor would. Nothing is drawn here.
"""

from __future__ import annotations

from typing import Any

from hubctl.core.events import (
    NO_INDEX,
    Alarm,
    ChuteState,
    Flag,
    Kind,
    Reason,
)
from hubctl.core.tables import Stamp
from hubctl.sim.calls import call_set_plan
from hubctl.sim.faults import bit_of
from hubctl.sim.hostbook import lane_of, number_of
from hubctl.sim.inbox import (
    LAST_SAMPLE,
    N_DEVICES_MAX,
    N_EDGES,
    N_IN,
    N_JITTERS,
    N_WAITING,
    N_WRITES,
    NEXT_SAMPLE,
    PLAN_NOW,
    STALLED_FROM,
    STALLED_UNTIL,
    TEXT_AT,
    Joint,
    amount,
    is_on,
    new_input,
    post,
    write_text,
)
from hubctl.sim.jitable import jitable, seldom
from hubctl.sim.machine import follow_machine, go_on
from hubctl.sim.matter import (
    TAKEN_OFF,
    Happens,
    Mishap,
    Text,
    World,
    WriteFate,
)
from hubctl.sim.motion import NEVER_NS
from hubctl.sim.places import travel_at
from hubctl.sim.ring import call_mender, is_ring, launch
from hubctl.sim.world import hold_induct, is_harm_now, run_belt, write_output

SAMPLE_NS = 20_000_000  # the encoder is read at least so often
POLL_NS = 5_000_000  # edges are seen by polls: told half a poll early to half a poll late
TOLD_DOWN_NS = (
    320_000_000  # from a link's drop to the reactor giving the node up: three timeouts and a little
)
TOLD_UP_NS = 50_000_000  # from its return to the end of re-synchronisation
COUNTER_START = 0xFFFF0000  # so that a 32-bit counter wraps on the way
HOST_NS = 15_000_000  # from a question to the host's answer
SHORT_STALL_NS = 100_000_000  # the reactor's links outlive a shorter one
UM_PER_M = 1_000_000
NOBODY_HAS = 0xFFF0  # an index that no hub has

# Numbers as plain integers, for compiled code.
_ENCODER, _EYE, _READ, _CONFIRM = int(Kind.ENCODER), int(Kind.EYE), int(Kind.READ), int(Kind.CONFIRM)
_LEVEL, _NODE, _FIRE_RESULT = int(Kind.CHUTE_LEVEL), int(Kind.NODE), int(Kind.FIRE_RESULT)
_HOME, _OPERATE, _LIST, _CHANGE = int(Kind.HOME), int(Kind.OPERATE), int(Kind.LIST), int(Kind.CHANGE)
_CODE, _TAKE_OFF, _FLUSH, _ANSWER = (
    int(kind) for kind in (Kind.CODE, Kind.TAKE_OFF, Kind.FLUSH, Kind.HOST_ANSWER)
)
_WEIGHT, _SIZE = int(Kind.WEIGHT), int(Kind.SIZE)
_OK, _NODE_DOWN, _MISSED = int(Reason.OK), int(Reason.NODE_DOWN), int(Reason.MISSED_WINDOW)
_INTERCEPT, _HELD, _NOT_FOUND = int(Reason.INTERCEPT), int(Reason.HELD), int(Reason.NOT_FOUND)
_OPEN, _CLOSING, _SHUT = int(ChuteState.OPEN), int(ChuteState.CLOSING), int(ChuteState.CLOSED)
_LATCHED, _TRIGGERED = int(Flag.LATCHED), int(Flag.TRIGGERED)
_BY_ENCODER, _BY_TRIGGER = int(Stamp.ENCODER), int(Stamp.TRIGGER)
_STUCK = (int(Mishap.EYE_STUCK_ON), int(Mishap.EYE_STUCK_OFF))
_LISTS = (int(Mishap.INTERCEPT), int(Mishap.HOLD_BACK))
_RUN_BELT, _HOLD_INDUCT, _ASK_HOST = int(Kind.RUN_BELT), int(Kind.HOLD_INDUCT), int(Kind.ASK_HOST)
_LAUNCH, _CARRIER = int(Kind.LAUNCH), int(Kind.CARRIER)
_RAISED, _CARRIER_FAILS = int(Kind.ALARM_RAISED), int(Alarm.CARRIER_FAILS)
_STATE_CHANGED = int(Kind.STATE_CHANGED)
_GARBLED = ord("?")
_DIVERT_FAILS, _WRITE_LOST = bit_of("divert_fails"), bit_of("write_lost")
_WRITE_REFUSED = bit_of("write_refused")


@jitable
def next_tell_ns(j: Joint) -> int:
    """When something comes that was under way, or the reactor finds something out."""
    at = j.s[0]["posted_keys"][0] if j.s[0]["clock"][N_WAITING] > 0 else NEVER_NS
    for link in range(j.s[0]["n_links"]):
        at = min(at, j.s[0]["tell_ns"][link])
    return at


@jitable
def is_stalled(j: Joint, t_ns: int) -> bool:
    """Whether the controller gets no time."""
    return bool(t_ns < j.s[0]["clock"][STALLED_UNTIL])


@jitable
def _is_dead(j: Joint, node: int) -> bool:
    return bool(node >= 0 and j.s[0]["active"][j.s[0]["link_of_node"][node]] > 0)


@jitable
def _hold_back(j: Joint, w: World, node: int, t_ns: int) -> None:
    """The last input comes when its node tells it: late while it is slow, and never before what it saw earlier."""
    if node < 0:
        return
    told_ns = max(t_ns, j.s[0]["told_ns"][node])
    if is_on(j, Mishap.SLOW_NODE, node):
        told_ns = max(told_ns, t_ns + amount(j, w, Mishap.SLOW_NODE, node))
    if told_ns > t_ns:
        post(j, told_ns)
        j.s[0]["told_ns"][node] = told_ns


# Encoders


@jitable
def _counts_at_um(j: Joint, w: World, b: int, travel_um: int) -> int:
    """What a counter would show, were it wide enough, once its belt has run so far."""
    if is_on(j, Mishap.ENCODER_STOPS, b):
        return int(j.s[0]["encoder_counts"][b])
    counts = (travel_um - j.s[0]["encoder_um"][b]) * j.s[0]["counts_per_m"][b] // UM_PER_M
    if is_on(j, Mishap.ENCODER_SCALE, b):
        counts += counts * amount(j, w, Mishap.ENCODER_SCALE, b) // 1_000_000
    return int(j.s[0]["encoder_counts"][b] + counts)


@jitable
def _raw_counter(j: Joint, w: World, b: int, t_ns: int) -> int:
    return int(_counts_at_um(j, w, b, travel_at(w, b, t_ns)) & j.s[0]["counter_mask"][b])


@jitable
def sample(j: Joint, w: World, t_ns: int) -> None:
    """The count of each encoder whose node answers."""
    j.s[0]["clock"][NEXT_SAMPLE] = t_ns + SAMPLE_NS
    j.s[0]["clock"][LAST_SAMPLE] = t_ns
    for b in range(len(w.belts)):
        node = j.s[0]["encoder_node"][b]
        if node >= 0 and not _is_dead(j, node):
            record = new_input(j, _ENCODER, t_ns)
            record["device"] = b
            record["counts"] = _raw_counter(j, w, b, t_ns)
            _hold_back(j, w, node, t_ns)


@seldom
def _reckon(j: Joint, w: World, b: int, t_ns: int) -> None:
    """Counts go on from what the counter shows now, whatever befalls it next."""
    travel_um = travel_at(w, b, t_ns)
    j.s[0]["encoder_counts"][b] = _counts_at_um(j, w, b, travel_um)
    j.s[0]["encoder_um"][b] = travel_um


# Eyes


@jitable
def _state_of(j: Joint, w: World, eye: int) -> int:
    """What an eye says, whatever is before it."""
    if is_on(j, Mishap.EYE_STUCK_ON, eye):
        return 1
    if is_on(j, Mishap.EYE_STUCK_OFF, eye):
        return 0
    return int(j.s[0]["eye_now"][eye])


@jitable
def _tell_edge(j: Joint, w: World, eye: int, value: int, t_ns: int) -> None:
    k = j.s[0]["clock"][N_EDGES] % N_JITTERS
    j.s[0]["clock"][N_EDGES] += 1
    told_ns = t_ns + j.s[0]["jitter_ns"][k]
    record = new_input(j, _EYE, told_ns)
    record["device"] = eye
    record["value"] = value
    j.came[j.s[0]["clock"][N_IN] - 1] = j.s[0]["inducting"][eye]
    if value and w.core[0]["eye_source"][eye] >= 0 and is_ring(w, j.s[0]["eye_belt"][eye]):
        record["limit"] = w.parcels[j.s[0]["inducting"][eye]]["length_um"] // 1000
    if j.s[0]["eye_latched"][eye]:
        record["counts"] = _raw_counter(j, w, j.s[0]["eye_belt"][eye], told_ns)
        record["flags"] = _LATCHED


@jitable
def _see(j: Joint, w: World, eye: int, t_ns: int) -> None:
    """An eye may have changed."""
    value = _state_of(j, w, eye)
    if value == j.s[0]["eye_told"][eye]:
        return
    j.s[0]["eye_told"][eye] = value
    node = j.s[0]["eye_node"][eye]
    if _is_dead(j, node):
        return
    _tell_edge(j, w, eye, value, t_ns)
    _hold_back(j, w, node, t_ns)
    if is_on(j, Mishap.EYE_CHATTER, eye):
        _chatter(j, w, eye, value, t_ns)


@seldom
def _chatter(j: Joint, w: World, eye: int, value: int, t_ns: int) -> None:
    """An edge comes with two false ones behind it."""
    step_ns = amount(j, w, Mishap.EYE_CHATTER, eye)
    for k in (1, 2):
        _tell_edge(j, w, eye, 1 - value if k == 1 else value, t_ns + k * step_ns)
        post(j, t_ns + k * step_ns + POLL_NS)


# Chutes


@jitable
def _tell_chute(j: Joint, w: World, kind: int, chute: int, value: int, node: int, t_ns: int) -> None:
    if _is_dead(j, node):
        return
    record = new_input(j, kind, t_ns)
    record["chute"] = chute
    record["value"] = value
    _hold_back(j, w, node, t_ns)


@jitable
def _see_chute(j: Joint, w: World, chute: int, t_ns: int) -> None:
    """A chute's eye may have changed."""
    value = 1 if j.s[0]["n_over_chute"][chute] > 0 and not is_on(j, Mishap.DIVERT_UNCONFIRMED, chute) else 0
    if value != j.s[0]["chute_told"][chute]:
        j.s[0]["chute_told"][chute] = value
        if j.s[0]["confirm_node"][chute] >= 0:
            _tell_chute(j, w, _CONFIRM, chute, value, j.s[0]["confirm_node"][chute], t_ns)


@jitable
def _see_level(j: Joint, w: World, chute: int, t_ns: int) -> None:
    value = 1 if j.s[0]["n_filling"][chute] > 0 else 0
    if value != j.s[0]["level_told"][chute]:
        j.s[0]["level_told"][chute] = value
        if j.s[0]["level_node"][chute] >= 0:
            _tell_chute(j, w, _LEVEL, chute, value, j.s[0]["level_node"][chute], t_ns)


# Scanners


@jitable
def _telegram(j: Joint, w: World, scanner: int, text: int, p: int, t_ns: int) -> None:
    if j.s[0]["active"][j.s[0]["link_of_scanner"][scanner]] > 0 or is_on(j, Mishap.SCANNER_SILENT, scanner):
        return
    record = new_input(j, _READ, t_ns)
    record["device"] = scanner
    if text == Text.OTHER:
        write_text(j, 1, p)
    elif text != Text.NO_READ:
        write_text(j, 0, p)
    if text == Text.GARBAGE:
        j.input_bytes[j.s[0]["clock"][N_IN] - 1, TEXT_AT] = _GARBLED
    _stamp(j, w, scanner, p, record)
    if is_stalled(j, t_ns):
        record["t_ns"] = j.s[0]["clock"][STALLED_UNTIL]
        post(j, j.s[0]["clock"][STALLED_UNTIL])


@jitable
def _stamp(j: Joint, w: World, scanner: int, p: int, record: Any) -> None:
    """Where the read was made, if the scanner says so."""
    if j.s[0]["stamps"][scanner] == _BY_ENCODER:
        record["counts"] = w.reads[p, scanner]["counts"]
        record["flags"] = _LATCHED
    elif j.s[0]["stamps"][scanner] == _BY_TRIGGER:
        record["value"] = w.reads[p, scanner]["trigger"] % j.s[0]["stamp_spans"][scanner]
        record["flags"] = _TRIGGERED


@seldom
def _send_garbage(j: Joint, scanner: int, p: int, t_ns: int) -> None:
    """A code that nobody carries, and a word about an eye that no hub has."""
    record = new_input(j, _READ, t_ns)
    record["device"] = scanner
    write_text(j, 0, p)
    j.input_bytes[j.s[0]["clock"][N_IN] - 1, TEXT_AT] = _GARBLED
    new_input(j, _EYE, t_ns)["device"] = NOBODY_HAS


@seldom
def _weigh(j: Joint, w: World, scale: int, p: int, t_ns: int) -> None:
    """A scale says what a parcel weighs, and how large it is."""
    if is_stalled(j, t_ns):
        return
    weight = new_input(j, _WEIGHT, t_ns)
    weight["device"] = scale
    weight["value"] = w.parcels[p]["weight_g"]
    size = new_input(j, _SIZE, t_ns)
    size["device"] = scale
    size["value"] = w.parcels[p]["length_um"] // 1000
    size["limit"] = w.parcels[p]["width_mm"]
    size["seq"] = w.parcels[p]["height_mm"]


# Links


@jitable
def _link(j: Joint, link: int, value: int, t_ns: int) -> None:
    j.s[0]["active"][link] += 1 if value == 0 else -1
    if value == 0 and j.s[0]["active"][link] == 1:
        j.s[0]["tell_ns"][link] = t_ns + TOLD_DOWN_NS
    elif value == 1 and j.s[0]["active"][link] == 0:
        j.s[0]["tell_ns"][link] = t_ns + TOLD_UP_NS


@seldom
def tell_links(j: Joint, t_ns: int) -> None:
    """What the reactor has found out about links by now."""
    for link in range(j.s[0]["n_links"]):
        if j.s[0]["tell_ns"][link] <= t_ns:
            j.s[0]["tell_ns"][link] = NEVER_NS
            for node in range(j.s[0]["n_nodes"]):
                if j.s[0]["link_of_node"][node] == link:
                    _tell_node(j, node, 1 if j.s[0]["active"][link] == 0 else 0, t_ns)


@seldom
def _tell_node(j: Joint, node: int, value: int, t_ns: int) -> None:
    """A node is up or down. Of one that comes up levels are told, and no edges are invented."""
    record = new_input(j, _NODE, t_ns)
    record["device"] = node
    record["value"] = value
    for chute in range(j.s[0]["n_chutes"]):
        if value == 1 and j.s[0]["level_node"][chute] == node and j.s[0]["level_told"][chute] == 1:
            level = new_input(j, _LEVEL, t_ns)
            level["chute"] = chute
            level["value"] = 1


# A controller that stands still


@seldom
def _stall(j: Joint, t_ns: int, until_ns: int) -> None:
    if not is_stalled(j, t_ns):
        j.s[0]["clock"][STALLED_FROM] = t_ns
    j.s[0]["clock"][STALLED_UNTIL] = max(j.s[0]["clock"][STALLED_UNTIL], until_ns)


@seldom
def wake(j: Joint, w: World, t_ns: int) -> None:
    """After a stall: edges lie half way between two looks; after a long one every link begins anew."""
    is_long = t_ns - j.s[0]["clock"][STALLED_FROM] > SHORT_STALL_NS
    between_ns = (j.s[0]["clock"][STALLED_FROM] + t_ns) // 2
    j.s[0]["clock"][STALLED_FROM] = j.s[0]["clock"][STALLED_UNTIL] = 0
    if is_long:
        for node in range(j.s[0]["n_nodes"]):
            if not _is_dead(j, node):
                _tell_node(j, node, 0, t_ns)
                _tell_node(j, node, 1, t_ns)
    for eye in range(w.core[0]["n_eyes"]):
        if is_long:
            j.s[0]["eye_told"][eye] = _state_of(j, w, eye)
        _see(j, w, eye, between_ns)
    for chute in range(j.s[0]["n_chutes"]):
        if is_long:
            j.s[0]["chute_told"][chute] = 1 if j.s[0]["n_over_chute"][chute] > 0 else 0
        _see_chute(j, w, chute, between_ns)
        _see_level(j, w, chute, t_ns)


# Mishaps


@seldom
def _begin(j: Joint, w: World, kind: int, k: int, t_ns: int) -> None:
    row = w.mishaps[k]
    device, p = row["device"], row["parcel"]
    if Mishap.ENCODER_SCALE <= kind <= Mishap.ENCODER_RESETS:
        _reckon(j, w, device, t_ns)
    j.s[0]["active"][kind * N_DEVICES_MAX + device] += 1
    j.s[0]["row_of"][kind * N_DEVICES_MAX + device] = k
    if kind == Mishap.ENCODER_RESETS:
        j.s[0]["encoder_counts"][device] = 0
    elif kind == Mishap.PLAN_SWAP:
        j.s[0]["clock"][PLAN_NOW] = 1 - j.s[0]["clock"][PLAN_NOW]
        call_set_plan(
            j.s[0]["addresses"][3], j.s[0]["addresses"][0], j.s[0]["plans"][j.s[0]["clock"][PLAN_NOW]]
        )
    elif kind == Mishap.STALL:
        _stall(j, t_ns, t_ns + row["for_ns"])
    elif kind == Mishap.RESTART:
        new_input(j, _FLUSH, t_ns)
        _stall(j, t_ns, t_ns + row["for_ns"])
    elif kind == Mishap.GARBAGE:
        _send_garbage(j, device, p, t_ns)
    else:
        _follow(j, w, kind, k, t_ns)


@seldom
def _end(j: Joint, w: World, kind: int, k: int, t_ns: int) -> None:
    row = w.mishaps[k]
    if Mishap.ENCODER_SCALE <= kind <= Mishap.ENCODER_RESETS:
        _reckon(j, w, row["device"], t_ns)
    j.s[0]["active"][kind * N_DEVICES_MAX + row["device"]] -= 1
    if kind == Mishap.CHANGE:
        _change(j, w, k, t_ns)
    elif kind == Mishap.CODE:
        new_input(j, _CODE, t_ns)["parcel"] = w.progress[row["parcel"]]["track"]
        write_text(j, 0, row["parcel"])
    elif kind == Mishap.TELL_TAKEN_OFF:
        if w.progress[row["parcel"]]["landed"] == TAKEN_OFF:
            new_input(j, _TAKE_OFF, t_ns)["parcel"] = w.progress[row["parcel"]]["track"]
    else:
        _follow(j, w, kind, k, t_ns)


@seldom
def _follow(j: Joint, w: World, kind: int, k: int, t_ns: int) -> None:
    """What devices and people say as something begins or ends."""
    device = w.mishaps[k]["device"]
    is_begun = is_on(j, kind, device)
    if kind in _STUCK:
        if not is_stalled(j, t_ns):
            _see(j, w, device, t_ns)
    elif kind == Mishap.DIVERT_UNCONFIRMED:
        if not is_stalled(j, t_ns):
            _see_chute(j, w, device, t_ns)
    elif kind == Mishap.CARRIER_OUT:
        _put_into_use(j, 0, device, 0 if is_begun else 1, t_ns)
    elif kind == Mishap.CHUTE_CLOSED:
        _operate(j, device, _SHUT if is_begun else _OPEN, t_ns)
    elif kind == Mishap.BAG_CHANGE:
        _operate(j, device, _CLOSING if is_begun else _OPEN, t_ns)
    elif kind in _LISTS:
        record = new_input(j, _LIST, t_ns)
        record["reason"] = _INTERCEPT if kind == Mishap.INTERCEPT else _HELD
        record["value"] = 1 if is_begun else 0
        write_text(j, 0, w.mishaps[k]["parcel"])
    elif kind >= Mishap.MACHINE_HELD:
        follow_machine(j, w, kind, is_begun, t_ns)


@seldom
def _operate(j: Joint, chute: int, state: int, t_ns: int) -> None:
    record = new_input(j, _OPERATE, t_ns)
    record["chute"] = chute
    record["value"] = state


@seldom
def _put_into_use(j: Joint, b: int, carrier: int, value: int, t_ns: int) -> None:
    """A carrier is in use from now on, or (0) out of use."""
    record = new_input(j, _CARRIER, t_ns)
    record["device"] = b
    record["counts"] = carrier
    record["value"] = value


@seldom
def _change(j: Joint, w: World, k: int, t_ns: int) -> None:
    record = new_input(j, _CHANGE, t_ns)
    record["seq"] = k + 1
    record["parcel"] = w.progress[w.mishaps[k]["parcel"]]["track"]
    record["value"] = -1
    record["chute"] = w.mishaps[k]["device"]


# What the world's devices notice


@jitable
def notice(j: Joint, w: World, row: Any) -> None:
    """Tells the kernel what a device has noticed, as far as it comes through."""
    kind, device, value, t_ns = row["kind"], row["device"], row["value"], row["t_ns"]
    if kind == Happens.EYE:
        j.s[0]["eye_now"][device] = value
        if value == 1:
            j.s[0]["inducting"][device] = row["parcel"]
        if not is_stalled(j, t_ns):
            _see(j, w, device, t_ns)
    elif kind == Happens.TELEGRAM:
        _telegram(j, w, device, value, row["parcel"], t_ns)
    elif kind == Happens.CONFIRM:
        j.s[0]["n_over_chute"][device] += 1 if value == 1 else -1
        if not is_stalled(j, t_ns):
            _see_chute(j, w, device, t_ns)
    elif kind == Happens.SCANNED:
        b = w.core[0]["scanner_belt"][device]
        w.reads[row["parcel"], device]["counts"] = _raw_counter(j, w, b, t_ns)
    else:
        _notice_seldom(j, w, kind, device, value, row["parcel"], t_ns)


@seldom
def _notice_seldom(j: Joint, w: World, kind: int, device: int, value: int, p: int, t_ns: int) -> None:
    if kind == Happens.LEVEL:
        j.s[0]["n_filling"][device] += 1 if value == 1 else -1
        if not is_stalled(j, t_ns):
            _see_level(j, w, device, t_ns)
    elif kind == Happens.LINK:
        _link(j, device, value, t_ns)
    elif kind == Happens.HOME:
        record = new_input(j, _HOME, t_ns)
        record["device"] = device
        record["value"] = value
    elif kind == Happens.WEIGHED:
        _weigh(j, w, device, p, t_ns)
    elif kind == Happens.FETCHED and w.progress[p]["track"] > 0:
        new_input(j, _TAKE_OFF, t_ns)["parcel"] = w.progress[p]["track"]
    elif kind == Happens.MENDED:
        _put_into_use(j, device, value, 1, t_ns)
    elif kind == Happens.BEGINS:
        _begin(j, w, device, value, t_ns)
    elif kind == Happens.ENDS:
        _end(j, w, device, value, t_ns)


# What the kernel wants done


@seldom
def _mark(j: Joint, w: World, track: int, bit: int) -> None:
    """Writes down that a fault has come to a divert of whoever is behind a track."""
    p = j.row_of_track[track] if track < len(j.row_of_track) else -1
    if p >= 0:
        w.progress[p]["fates"] |= bit


@jitable
def fire(j: Joint, w: World, record: Any, t_ns: int) -> None:
    """Writes an output and answers as the reactor would; a dead node's write is lost, and nobody knows yet."""
    chute = record["chute"]
    fate = (
        j.write_fates[j.s[0]["clock"][N_WRITES] % len(j.write_fates)]
        if is_harm_now(w, t_ns)
        else WriteFate.DONE
    )
    j.s[0]["clock"][N_WRITES] += 1
    if fate == WriteFate.DONE and not _is_dead(j, j.s[0]["chute_node"][chute]):
        moves = write_output(w, chute, True, t_ns)
        write_output(w, chute, False, t_ns + j.s[0]["chute_hold_ns"][chute])
        if not moves:
            _mark(j, w, record["parcel"], _DIVERT_FAILS)
    elif fate != WriteFate.DONE:
        _mark(j, w, record["parcel"], _WRITE_LOST if fate == WriteFate.LOST else _WRITE_REFUSED)
    result = new_input(j, _FIRE_RESULT, t_ns)
    result["parcel"] = record["parcel"]
    result["seq"] = record["seq"]
    result["chute"] = chute
    result["reason"] = _OK
    result["due_ns"] = record["due_ns"]
    if fate == WriteFate.NODE_DOWN:
        result["reason"] = _NODE_DOWN
    elif fate == WriteFate.MISSED:
        result["reason"] = _MISSED
    _hold_back(j, w, j.s[0]["chute_node"][chute], t_ns)


@seldom
def obey(j: Joint, w: World, kind: int, record: Any, t_ns: int) -> None:
    """Does what the kernel commands besides fires."""
    if kind == _RUN_BELT:
        run_belt(w, record["device"], record["value"] * 1000, t_ns)
    elif kind == _HOLD_INDUCT:
        hold_induct(w, record["device"], record["value"] != 0, t_ns)
    elif kind == _LAUNCH:
        launch(w, record["device"], record["due_ns"], t_ns)
    elif kind == _ASK_HOST:
        _answer(j, w, record, t_ns)
    elif kind == _STATE_CHANGED:
        j.s[0]["machine_state"] = record["value"]
        go_on(j, t_ns)
    elif kind == _RAISED and record["value"] == _CARRIER_FAILS:
        call_mender(w, record["device"], t_ns)


@seldom
def _answer(j: Joint, w: World, question: Any, t_ns: int) -> None:
    """What the host knows of a label, if it is there."""
    if is_on(j, Mishap.HOST_SILENT, 0):
        return
    j.asked[0] = question
    number = number_of(j.asked_bytes[TEXT_AT:], question["n_text"])
    lane = lane_of(j.book, number, j.s[0]["clock"][PLAN_NOW])
    record = new_input(j, _ANSWER, t_ns)
    record["seq"] = question["seq"]
    record["parcel"] = question["parcel"]
    record["plan"] = question["plan"]
    record["value"] = lane
    record["chute"] = NO_INDEX
    record["reason"] = _OK if lane >= 0 else _NOT_FOUND
    late_ns = amount(j, w, Mishap.HOST_LATE, 0) if is_on(j, Mishap.HOST_LATE, 0) else 0
    record["t_ns"] = t_ns + HOST_NS + late_ns
    post(j, t_ns + HOST_NS + late_ns)


@jitable
def learn_track(j: Joint, w: World, record: Any, fed: int, n: int) -> None:
    """A track was opened at an induct eye, by one of `n` inputs from `fed` on, or by whoever came there last."""
    eye, track = record["device"], record["parcel"]
    if eye >= w.core[0]["n_eyes"] or j.s[0]["inducting"][eye] < 0 or track >= len(j.row_of_track):
        return
    p = j.s[0]["inducting"][eye]
    for k in range(fed, fed + n):
        given = j.inputs[k]
        if given["kind"] == _EYE and given["device"] == eye and given["value"] == 1 and j.came[k] >= 0:
            p = j.came[k]
            j.came[k] = -1
            break
    j.row_of_track[track] = p
    if w.progress[p]["track"] == 0:
        w.progress[p]["track"] = track
