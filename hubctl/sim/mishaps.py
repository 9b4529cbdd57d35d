"""What befalls parcels and devices: slips, jams, belts that stop or go back, paddles that stay out, eyes that flap."""

from __future__ import annotations

from hubctl.sim.jitable import seldom
from hubctl.sim.matter import ON_BELT, Happens, Mishap, Moved, World
from hubctl.sim.motion import NS_PER_S, obey, set_speed
from hubctl.sim.places import (
    FLAP,
    HEAL,
    JOGGED,
    PRESS_UM,
    UNLEAD,
    UNTRAIL,
    await_bump,
    await_time,
    begin_anew,
    event_of,
    key_um,
    look_where,
    notice,
    place_of,
    plain,
    sees,
    set_down,
    travel_at,
)

JOG_UM_S = 200_000  # a belt goes back so fast
OF_LOOPS = (
    int(Mishap.CARRIER_MISSED),
    int(Mishap.ORIGIN_MISSED),
    int(Mishap.ORIGIN_DOUBLED),
    int(Mishap.TILT_FAILS),
    int(Mishap.LAUNCH_FAILS),
)


# Slips and jams


@seldom
def slip(w: World, p: int, travel_um: int) -> None:
    """It slips back, at most to the one behind it; while it does, its edges are where they were."""
    by_um = w.parcels[p]["slip_um"]
    behind = w.progress[p]["behind"]
    if behind >= 0:
        rear_um = place_of(w, p, travel_um) - w.parcels[p]["length_um"]
        by_um = max(min(by_um, rear_um - place_of(w, behind, travel_um) + PRESS_UM), 0)
    w.progress[p]["origin_um"] += by_um
    w.progress[p]["has_slipped"] = 1
    w.progress[p]["moved"] = Moved.UNSEEN
    begin_anew(w, p, travel_um)


@seldom
def stand(w: World, p: int, place_um: int, travel_um: int) -> None:
    """It stands while the belt runs, with who lies beside it; the next behind will come up against it."""
    while p >= 0 and w.progress[p]["stood_um"] < 0:
        w.progress[p]["stood_um"] = place_um
        w.progress[p]["moved"] = Moved.UNSEEN
        w.progress[p]["epoch"] += 1
        up_to_um = place_um - w.parcels[p]["length_um"] + PRESS_UM
        p = w.progress[p]["behind"]
        if p >= 0 and key_um(w, p, up_to_um) > travel_um:
            await_bump(w, p)
            return
        place_um = place_of(w, p, travel_um)


@seldom
def bump(w: World, p: int, travel_um: int) -> None:
    ahead = w.progress[p]["ahead"]
    if ahead >= 0 and w.progress[ahead]["stood_um"] >= 0:
        stand(w, p, w.progress[ahead]["stood_um"] - w.parcels[ahead]["length_um"] + PRESS_UM, travel_um)


@seldom
def release(w: World, p: int, t_ns: int) -> None:
    """It runs on from where it stood."""
    row = w.progress[p]
    if row["landed"] != ON_BELT or row["stood_um"] < 0:
        return
    travel_um = travel_at(w, row["belt"], t_ns)
    place_um = row["stood_um"]
    row["stood_um"] = -1
    set_down(w, p, place_um, travel_um)
    begin_anew(w, p, travel_um)


@seldom
def release_behind(w: World, p: int, t_ns: int) -> None:
    """Whoever stood because of the one ahead runs on."""
    while p >= 0 and w.progress[p]["stood_um"] >= 0:
        release(w, p, t_ns)
        p = w.progress[p]["behind"]


# Mishaps


@seldom
def begin_mishaps(w: World, p: int, t_ns: int) -> None:
    k = w.parcels[p]["mishap"]
    while 0 <= k < len(w.mishaps) and w.mishaps[k]["parcel"] == p:
        _begin_mishap(w, k, t_ns)
        k += 1


@seldom
def _begin_mishap(w: World, k: int, t_ns: int) -> None:
    row = w.mishaps[k]
    row["began_ns"] = t_ns
    if row["kind"] == Mishap.LINK_DROP:
        notice(w, t_ns, Happens.LINK, row["device"], 0, row["parcel"])
    elif row["kind"] <= Mishap.BELT_JOGS and row["kind"] >= Mishap.BELT_STOPS:
        _harm_belt(w, row["kind"], row["device"], row["value"], t_ns)
    elif row["kind"] == Mishap.DIVERTER_STUCK_OUT:
        w.core[0]["n_stuck"][row["device"]] += 1
    elif row["kind"] in OF_LOOPS:
        _harm_loop(w, row["kind"], row["device"], row["value"], 1)
    elif row["kind"] == Mishap.CHUTE_FLAPS:
        await_time(w, t_ns, plain(k, 1, FLAP))
    else:
        notice(w, t_ns, Happens.BEGINS, row["kind"], k, row["parcel"])
    if row["for_ns"] > 0:
        await_time(w, t_ns + row["for_ns"], plain(k, 0, HEAL))


@seldom
def heal(w: World, k: int, t_ns: int) -> None:
    row = w.mishaps[k]
    if row["kind"] == Mishap.LINK_DROP:
        notice(w, t_ns, Happens.LINK, row["device"], 1, row["parcel"])
    elif row["kind"] == Mishap.BELT_STOPS or row["kind"] == Mishap.BELT_SLOWS:
        _heal_belt(w, row["kind"], row["device"], t_ns)
    elif row["kind"] == Mishap.DIVERTER_STUCK_OUT:
        _unstick(w, row["device"], t_ns)
    elif row["kind"] in OF_LOOPS:
        _harm_loop(w, row["kind"], row["device"], row["value"], -1)
    elif row["kind"] > Mishap.CHUTE_FLAPS or row["kind"] == Mishap.SCANNER_SILENT:
        notice(w, t_ns, Happens.ENDS, row["kind"], k, row["parcel"])


@seldom
def _harm_loop(w: World, kind: int, device: int, value: int, by: int) -> None:
    """What befalls a loop begins (1), or ends (-1)."""
    if kind == Mishap.CARRIER_MISSED:
        w.belts[device]["n_carriers_missed"] += by
    elif kind == Mishap.ORIGIN_MISSED:
        w.belts[device]["n_origins_missed"] += by
    elif kind == Mishap.ORIGIN_DOUBLED:
        w.belts[device]["doubled_um"] = value
    elif kind == Mishap.TILT_FAILS:
        w.spoiled[device] += by
    else:
        w.core[0]["source_sticks"][device] += by


@seldom
def _unstick(w: World, d: int, t_ns: int) -> None:
    core = w.core[0]
    core["n_stuck"][d] -= 1
    if core["n_stuck"][d] == 0 and core["n_pushes"][d] == 0 and core["paddle_chute"][d] >= 0:
        send_home(w, d, t_ns)


@seldom
def send_home(w: World, d: int, t_ns: int) -> None:
    """A paddle is out of the way."""
    w.core[0]["paddle_chute"][d] = -1
    if w.core[0]["has_home"][d]:
        notice(w, t_ns, Happens.HOME, d, 1, -1)


@seldom
def flap(w: World, k: int, value: int, t_ns: int) -> None:
    """The full eye of a chute changes again and again, and is clear in the end."""
    row = w.mishaps[k]
    is_over = t_ns >= row["began_ns"] + row["for_ns"]
    if is_over and value == 1:
        return
    notice(w, t_ns, Happens.LEVEL, row["device"], value, row["parcel"])
    await_time(w, t_ns + row["value"], plain(k, 1 - value, FLAP))


@seldom
def _harm_belt(w: World, kind: int, b: int, value: int, t_ns: int) -> None:
    belt = w.belts[b]
    if kind == Mishap.BELT_STOPS:
        belt["n_stops"] += 1
    elif kind == Mishap.BELT_SLOWS:
        belt["n_slows"] += 1
        belt["cap_um_s"] = value
    elif belt["n_jogs"] == 0:
        _jog(w, b, value, t_ns)
    obey(belt, t_ns)


@seldom
def _heal_belt(w: World, kind: int, b: int, t_ns: int) -> None:
    belt = w.belts[b]
    if kind == Mishap.BELT_STOPS:
        belt["n_stops"] -= 1
    else:
        belt["n_slows"] -= 1
        if belt["n_slows"] == 0:
            belt["cap_um_s"] = belt["design_um_s"]
    obey(belt, t_ns)


@seldom
def _jog(w: World, b: int, by_um: int, t_ns: int) -> None:
    """The belt goes back a little: edges that come back to their eyes are seen once more."""
    belt = w.belts[b]
    travel_um = travel_at(w, b, t_ns)
    p = belt["last"]
    while p >= 0:
        if w.progress[p]["stood_um"] < 0:
            _await_way_back(w, p, travel_um, by_um, t_ns)
        p = w.progress[p]["ahead"]
    belt["n_jogs"] += 1
    set_speed(belt, -JOG_UM_S, t_ns)
    await_time(w, t_ns + by_um * NS_PER_S // JOG_UM_S, plain(0, b, JOGGED))


@seldom
def _await_way_back(w: World, p: int, travel_um: int, by_um: int, t_ns: int) -> None:
    row = w.progress[p]
    for eye in range(w.belts[row["belt"]]["first_eye"], row["next_lead"]):
        if sees(w, eye, p):
            lead_um = travel_um - key_um(w, p, w.core[0]["eyes_um"][eye])
            trail_um = lead_um - w.parcels[p]["length_um"]
            if eye < row["next_trail"] and 0 <= trail_um < by_um:
                await_time(w, t_ns + trail_um * NS_PER_S // JOG_UM_S, event_of(w, p, eye, UNTRAIL))
            if 0 <= lead_um < by_um:
                await_time(w, t_ns + lead_um * NS_PER_S // JOG_UM_S, event_of(w, p, eye, UNLEAD))


@seldom
def jogged(w: World, b: int, t_ns: int) -> None:
    """The belt has gone back so far: everybody on it awaits what is before him once more."""
    belt, core = w.belts[b], w.core[0]
    belt["n_jogs"] = 0
    set_speed(belt, 0, t_ns)
    travel_um = travel_at(w, b, t_ns)
    for eye in range(belt["first_eye"], belt["end_eye"]):
        core["was_over_eye"][eye] = core["over_eye"][eye]
        core["over_eye"][eye] = core["tails_at_eye"][eye]
    p = belt["last"]
    while p >= 0:
        _look_back(w, p, travel_um)
        p = w.progress[p]["ahead"]
    for eye in range(belt["first_eye"], belt["end_eye"]):
        is_over = core["over_eye"][eye] > 0
        if (core["was_over_eye"][eye] > 0) != is_over:
            notice(w, t_ns, Happens.EYE, eye, 1 if is_over else 0, -1)
    obey(belt, t_ns)


@seldom
def _look_back(w: World, p: int, travel_um: int) -> None:
    row = w.progress[p]
    if row["stood_um"] < 0:
        look_where(w, p, travel_um)
        begin_anew(w, p, travel_um)
    for eye in range(row["next_trail"], row["next_lead"]):
        if sees(w, eye, p):
            w.core[0]["over_eye"][eye] += 1
