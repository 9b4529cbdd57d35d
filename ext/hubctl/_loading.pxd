"""Load eyes: what really lies on each carrier as it passes, against what should.

A carrier is loaded if the eye was blocked while the middle half of it passed. Seen as expected, a parcel is
proved; a carrier that should be loaded and is empty has lost its parcel; one that should be empty and is loaded
carries somebody unknown, who is discharged where unknown parcels go. A fired parcel that is still there was not
discharged. An eye that sees none of many loads in a row is blind, and one that sees nothing but load is jammed:
what they say proves nothing.
"""

from libc.stdint cimport int32_t, int64_t, uint16_t, uint32_t

from hubctl._adrift cimport is_adrift
from hubctl._booking cimport open_ride, stand_ready
from hubctl._carriers cimport (
    carrier_after,
    carrier_at,
    carrier_comes,
    carrier_of,
    pitch_counts,
    take_carriers,
)
from hubctl._choice cimport arm_timer, bar, close_track, send_to_exception
from hubctl._motion cimport counts_at, planning_speed, time_of, travel, was_blind
from hubctl._opening cimport say_opened
from hubctl._order cimport clear_timer
from hubctl._records cimport (
    ALARM_CLEARED,
    ALARM_EYE_BLIND,
    ALARM_JAM,
    ALARM_RAISED,
    LOADED,
    LOST,
    LOST_PARCEL,
    MULTI_PARCEL,
    NONE,
    UNEXPECTED,
    Record,
)
from hubctl._riding cimport discharge_failed, get_on, has_left, launch_in_vain, stand_again
from hubctl._schedule cimport conclude_fired
from hubctl._state cimport (
    BARRED,
    DOUBTFUL_CARRIER,
    EMPTY_CARRIER,
    EYE_PASSED,
    FAILED_CARRIER,
    FIRED_TRACK,
    NOBODY,
    ON_BELT,
    RIDING,
    ROUTED,
    ROOM_MIN,
    STRAY,
    UNKNOWN_CARRIER,
    Carrier,
    Ride,
    RingEye,
    RingState,
    State,
    Track,
    room,
    say,
)
from hubctl._tables cimport LOAD

cdef enum:
    N_MISSES_BLIND = 4
    N_TOUCHED_MAX = 8    # carriers that one load can touch, and more


cdef inline uint32_t bit_of(const State* s, int b, int e) noexcept nogil:
    return <uint32_t>1 << (e - s.ring_table[b].first_eye)


cdef inline void say_loaded(State* s, int b, int32_t carrier, int32_t t, bint is_loaded, uint16_t reason) noexcept nogil:
    cdef Record* record = say(s, LOADED, 0 if t == NOBODY else s.tracks[t].parcel)
    record.device = b
    record.counts = carrier
    record.value = is_loaded
    record.reason = reason


cdef inline void raise_or_clear(State* s, int e, uint16_t kind, int64_t alarm) noexcept nogil:
    cdef Record* record = say(s, kind, 0)
    record.value = alarm
    record.device = e


cdef inline void look_past(State* s, int b, int e, int32_t next) noexcept nogil:
    """A load eye comes to no verdict on the carriers before `next`: nobody knows now whether those are empty."""
    cdef int32_t number = s.ring_eyes[e].carrier
    cdef int k
    for k in range(-1, N_TOUCHED_MAX + 1):
        carrier_of(s, b, carrier_after(s, b, number, k)).touched &= ~bit_of(s, b, e)
    while number != next:
        if carrier_of(s, b, number).state == EMPTY_CARRIER:
            carrier_of(s, b, number).state = UNKNOWN_CARRIER
        number = carrier_after(s, b, number, 1)


cdef inline void start_looking(State* s, int b) noexcept nogil:
    """The ring is synchronised: each load eye judges every carrier that comes from now on."""
    cdef RingEye* eye
    cdef int32_t next
    cdef int e
    for e in range(s.ring_table[b].first_eye, s.ring_table[b].first_eye + s.ring_table[b].n_eyes):
        if s.eye_table[e].role != LOAD:
            continue
        eye = &s.ring_eyes[e]
        next = carrier_after(s, b, carrier_at(s, b, s.eye_table[e].at_counts, s.belts[b].counts), 1)
        look_past(s, b, e, next)
        eye.carrier = next
        eye.due_counts = carrier_comes(s, b, eye.carrier, s.eye_table[e].at_counts, s.belts[b].counts)


cdef inline void touch(State* s, int b, int e, int64_t from_counts, int64_t until_counts) noexcept nogil:
    """Something lay across the eye from one count to another: on each carrier whose middle half passed meanwhile.

    A long load may still block the eye when the first of its carriers has been judged.
    """
    cdef int64_t at = s.eye_table[e].at_counts
    cdef int64_t quarter = pitch_counts(s, b) // 4
    cdef int32_t carrier = carrier_at(s, b, at, from_counts)
    cdef int64_t middle = carrier_comes(s, b, carrier, at, from_counts - 3 * quarter)
    cdef int k
    for k in range(N_TOUCHED_MAX):
        if middle - quarter > until_counts:
            return
        if middle + quarter >= from_counts and middle >= s.ring_eyes[e].due_counts - quarter:
            carrier_of(s, b, carrier).touched |= bit_of(s, b, e)
            carrier_of(s, b, carrier).load_counts = from_counts
        carrier = carrier_after(s, b, carrier, 1)
        middle = carrier_comes(s, b, carrier, at, middle + 1)


cdef inline bint is_silent_yet(const State* s, int e) noexcept nogil:
    """Whether an eye has not told anything since its node came up: nobody knows whether it is blocked."""
    return s.ring_eyes[e].edge_ns < s.nodes[s.eye_table[e].node].since_ns


cdef inline void begin_anew_with(State* s, int e, bint is_blocked) noexcept nogil:
    """The first edge since an eye's node came up: before it was the contrary."""
    cdef RingEye* eye = &s.ring_eyes[e]
    eye.is_blocked = not is_blocked
    eye.blocked_counts = counts_at(s, s.eye_table[e].belt, s.nodes[s.eye_table[e].node].since_ns)


cdef inline void take_load_edge(State* s, int e, bint is_blocked, int64_t counts) noexcept nogil:
    cdef RingEye* eye = &s.ring_eyes[e]
    cdef int b = s.eye_table[e].belt
    if is_silent_yet(s, e):
        begin_anew_with(s, e, is_blocked)
    eye.edge_ns = s.now_ns
    if eye.is_blocked and not is_blocked and not eye.is_jammed and s.rings[b].is_synchronised and not is_adrift(s, b):
        touch(s, b, e, eye.blocked_counts, counts)
    if eye.is_jammed and not is_blocked:
        eye.is_jammed = 0
        eye.jam_counts = counts
        raise_or_clear(s, e, ALARM_CLEARED, ALARM_JAM)
    if is_blocked:
        eye.blocked_counts = counts
    eye.is_blocked = is_blocked


cdef inline bint is_same_load(const State* s, int b, int32_t number) noexcept nogil:
    """Whether what lies on a carrier is the rear of the unknown load on the one ahead."""
    cdef int32_t ahead = carrier_of(s, b, carrier_after(s, b, number, -1)).track
    if ahead == NOBODY or not s.tracks[ahead].marks & STRAY or s.rides[ahead].n_carriers > 1:
        return False
    return s.rides[ahead].load_counts == carrier_of(s, b, number).load_counts


cdef inline void spread(State* s, int32_t t) noexcept nogil:
    """Unknown load `t` lies on two carriers: it is discharged when its middle is there."""
    cdef uint16_t reason = s.tracks[t].reason
    if s.tracks[t].state != ON_BELT and s.tracks[t].state != ROUTED:
        return
    take_carriers(s, t, s.rides[t].carrier, 2)
    send_to_exception(s, t, reason)


cdef inline void meet_unknown(State* s, int b, int e, int32_t number, int64_t middle_counts) noexcept nogil:
    """A carrier that should be empty is not: whoever lies on it goes where unknown parcels go."""
    cdef int32_t t
    if carrier_of(s, b, number).use == FAILED_CARRIER:
        return
    if is_same_load(s, b, number):
        spread(s, carrier_of(s, b, carrier_after(s, b, number, -1)).track)
        return
    t = open_ride(s, b, e, middle_counts)
    if t == NOBODY:
        return
    s.tracks[t].marks = STRAY | BARRED
    s.tracks[t].reason = UNEXPECTED
    s.tracks[t].length_counts = s.ring_table[b].carrier_counts // 2
    take_carriers(s, t, number, 1)
    s.rides[t].launch_counts = middle_counts
    s.rides[t].is_proved = 1
    s.rides[t].load_counts = carrier_of(s, b, number).load_counts
    say_opened(s, t, e, middle_counts)
    say_loaded(s, b, number, t, True, UNEXPECTED)
    get_on(s, t)
    send_to_exception(s, t, UNEXPECTED)


cdef inline bint should_be_on(const State* s, int32_t t, int64_t middle_counts) noexcept nogil:
    """Whether the rider of a carrier had been put on it when it passed."""
    return t != NOBODY and s.rides[t].stage == RIDING and s.rides[t].launch_counts <= middle_counts


cdef inline bint should_be_off(const State* s, int32_t t, int64_t middle_counts) noexcept nogil:
    """Whether it had been fired by then."""
    return s.tracks[t].state == FIRED_TRACK and s.tracks[t].fire_counts < middle_counts


cdef inline void leave_at_last(State* s, int32_t t) noexcept nogil:
    """Track `t` has left its induction, as a load eye proves. Whatever is still before the eye there is somebody else."""
    cdef int e = s.rides[t].eye
    if s.eyes[e].under != t:
        return
    s.eyes[e].under = NOBODY
    arm_timer(s, t)
    if s.ring_eyes[e].is_blocked and not is_silent_yet(s, e):
        stand_ready(s, e, s.belts[s.tracks[t].belt].counts, 0)


cdef inline void prove(State* s, int b, int e, int32_t number, int32_t t) noexcept nogil:
    s.ring_eyes[e].n_misses = 0
    s.rides[t].n_unseen = 0
    if s.ring_eyes[e].is_blind:
        s.ring_eyes[e].is_blind = 0
        raise_or_clear(s, e, ALARM_CLEARED, ALARM_EYE_BLIND)
    if not s.rides[t].is_proved:
        s.rides[t].is_proved = 1
        say_loaded(s, b, number, t, True, NONE)
        leave_at_last(s, t)


cdef inline void meet_two(State* s, int32_t t) noexcept nogil:
    """Somebody unknown lies where track `t` comes down, and it is under way already: neither goes where labels say."""
    s.tracks[t].answered = <uint32_t>-1
    bar(s, t, MULTI_PARCEL)


cdef inline void see_load(State* s, int b, int e, int32_t number, int64_t middle_counts) noexcept nogil:
    cdef int32_t t = carrier_of(s, b, number).track
    if not should_be_on(s, t, middle_counts):
        if t != NOBODY and s.rides[t].stage == RIDING:
            meet_two(s, t)
            return
        if t != NOBODY:
            stand_again(s, t)
        carrier_of(s, b, number).state = UNKNOWN_CARRIER
        meet_unknown(s, b, e, number, middle_counts)
        return
    s.rides[t].first_empty = 0
    if should_be_off(s, t, middle_counts):
        say_loaded(s, b, number, t, True, UNEXPECTED)
        discharge_failed(s, t)
    else:
        prove(s, b, e, number, t)


cdef inline bint is_half_seen(State* s, int32_t t, int32_t number) noexcept nogil:
    """Of two carriers the first is empty: the second will tell, unless it has told already."""
    cdef Ride* ride = &s.rides[t]
    if ride.n_carriers == 1:
        return False
    if number == ride.carrier:
        ride.first_empty = 1
        return True
    return not ride.first_empty


cdef inline int n_load_eyes(const State* s, int b) noexcept nogil:
    cdef int n = 0
    cdef int e
    for e in range(s.ring_table[b].first_eye, s.ring_table[b].first_eye + s.ring_table[b].n_eyes):
        n += s.eye_table[e].role == LOAD
    return n


cdef inline bint may_be_there(State* s, int b, int e, int32_t t) noexcept nogil:
    """Whether track `t` may ride unseen, since the eye is blind: not if none of them has seen it for a turn, and two looks."""
    if not s.ring_eyes[e].is_blind:
        return False
    s.rides[t].n_unseen += 1
    return s.rides[t].n_unseen < 2 or s.rides[t].n_unseen < n_load_eyes(s, b)


cdef inline void miss_load(State* s, int b, int e, int32_t number, int32_t t) noexcept nogil:
    """Track `t` is not on its carrier; an eye that misses many in a row is blind."""
    cdef RingEye* eye = &s.ring_eyes[e]
    if s.eyes[s.rides[t].eye].under == t and not has_left(s, t):
        launch_in_vain(s, t)
        return
    eye.n_misses += 1
    if eye.n_misses == N_MISSES_BLIND:
        eye.is_blind = 1
        raise_or_clear(s, e, ALARM_RAISED, ALARM_EYE_BLIND)
    if may_be_there(s, b, e, t):
        return
    say_loaded(s, b, number, t, False, UNEXPECTED)
    close_track(s, t, LOST, LOST_PARCEL)


cdef inline void find_empty(State* s, int b, int32_t number) noexcept nogil:
    """A load eye saw nothing on a carrier."""
    cdef Carrier* carrier = carrier_of(s, b, number)
    if carrier.state == DOUBTFUL_CARRIER and n_load_eyes(s, b) > 1:
        carrier.state = UNKNOWN_CARRIER
    else:
        carrier.state = EMPTY_CARRIER


cdef inline void see_empty(State* s, int b, int e, int32_t number, int64_t middle_counts) noexcept nogil:
    cdef int32_t t = carrier_of(s, b, number).track
    if not should_be_on(s, t, middle_counts):
        if not s.ring_eyes[e].is_blind:
            find_empty(s, b, number)
        return
    if is_half_seen(s, t, number):
        return
    if not should_be_off(s, t, middle_counts):
        miss_load(s, b, e, number, t)
        return
    s.rides[t].is_off = not s.ring_eyes[e].is_blind
    s.tracks[t].marks |= EYE_PASSED
    clear_timer(s, t)
    conclude_fired(s, t)


cdef inline bint is_jammed(State* s, int b, int e, int64_t counts) noexcept nogil:
    """Blocked for longer than the longest parcel and a carrier to spare."""
    cdef RingEye* eye = &s.ring_eyes[e]
    if not eye.is_blocked or counts - eye.blocked_counts < s.ring_table[b].pair_counts + 2 * pitch_counts(s, b):
        return False
    if not eye.is_jammed:
        eye.is_jammed = 1
        raise_or_clear(s, e, ALARM_RAISED, ALARM_JAM)
    return True


cdef inline bint is_in_gap(const State* s, int b, int64_t from_counts, int64_t until_counts) noexcept nogil:
    """Whether nothing was heard of a ring for some of the time between two counts."""
    cdef const RingState* ring = &s.rings[b]
    return ring.gap_from_counts < until_counts and from_counts < ring.gap_until_counts


cdef inline bint has_looked(const State* s, int b, int e, int64_t middle_counts) noexcept nogil:
    """Whether an eye could tell of all of the middle half of a carrier.

    Once its node is up that takes an edge, or a whole turn without one: then it is clear.
    """
    cdef int node = s.eye_table[e].node
    cdef int64_t quarter = pitch_counts(s, b) // 4
    if was_blind(s, node, time_of(s, b, middle_counts - quarter)):
        return False
    if is_in_gap(s, b, middle_counts - quarter, middle_counts + quarter):
        return False
    if middle_counts - quarter <= s.ring_eyes[e].jam_counts:
        return False
    if not is_silent_yet(s, e):
        return True
    return middle_counts - counts_at(s, b, s.nodes[node].since_ns) > s.rings[b].length_counts


cdef inline void judge(State* s, int b, int e, int32_t number, int64_t middle_counts) noexcept nogil:
    """The verdict of a load eye on the carrier that has passed it."""
    cdef RingEye* eye = &s.ring_eyes[e]
    cdef Carrier* carrier = carrier_of(s, b, number)
    cdef int64_t quarter = pitch_counts(s, b) // 4
    cdef bint is_loaded = carrier.touched & bit_of(s, b, e) or (
        eye.is_blocked and eye.blocked_counts <= middle_counts + quarter
    )
    if is_loaded and not carrier.touched & bit_of(s, b, e):
        carrier.load_counts = eye.blocked_counts
    carrier.touched &= ~bit_of(s, b, e)
    if is_jammed(s, b, e, middle_counts) or not has_looked(s, b, e, middle_counts):
        return
    if is_loaded:
        see_load(s, b, e, number, middle_counts)
    else:
        see_empty(s, b, e, number, middle_counts)


cdef inline void run_load_eye(State* s, int b, int e) noexcept nogil:
    """Judges every carrier of which the eye must have told by now."""
    cdef RingEye* eye = &s.ring_eyes[e]
    cdef int64_t told_late = travel(planning_speed(s, b), s.belt_table[b].told_late_ns)
    cdef int64_t quarter = pitch_counts(s, b) // 4
    while s.belts[b].counts > eye.due_counts + quarter + told_late and room(s) >= ROOM_MIN:
        judge(s, b, e, eye.carrier, eye.due_counts)
        eye.carrier = carrier_after(s, b, eye.carrier, 1)
        eye.due_counts = carrier_comes(s, b, eye.carrier, s.eye_table[e].at_counts, eye.due_counts + 2 * quarter)


cdef inline void run_load_eyes(State* s, int b) noexcept nogil:
    cdef int e
    for e in range(s.ring_table[b].first_eye, s.ring_table[b].first_eye + s.ring_table[b].n_eyes):
        if s.eye_table[e].role == LOAD:
            run_load_eye(s, b, e)
