"""Riding: what becomes of a parcel on a loop as it goes round: launched, read, round again, off or still there.

A parcel that has no way off in this lap rides on and is decided anew in the next. One whose discharge is not
proved keeps its carriers until a load eye has looked at them.
"""

from libc.stdint cimport int32_t, int64_t, uint16_t

from hubctl._adrift cimport is_adrift
from hubctl._carriers cimport (
    LAUNCH_MARGIN_NS,
    carrier_after,
    carrier_of,
    lap_end,
    launch_check_counts,
    leave_carriers,
    middle_comes,
    pitch_counts,
)
from hubctl._choice cimport arm_timer, begin_anew, ride_on, route, send_to_exception, skip
from hubctl._motion cimport at_speed, is_followed, planning_speed, time_of, travel, was_blind
from hubctl._order cimport clear_timer, leave_plans, set_timer
from hubctl._records cimport (
    ALARM_CARRIER_FAILS,
    ALARM_JAM,
    ALARM_RAISED,
    DIVERT_FAILED,
    LAPPED,
    LATE_READ,
    LAUNCH,
    NO_READ,
    Record,
)
from hubctl._schedule cimport conclude_fired
from hubctl._state cimport (
    AT_INDUCTION,
    BOOKED,
    COMMITTED_TRACK,
    EYE_PASSED,
    FAILED_CARRIER,
    FIRED_TRACK,
    LABELLED,
    NOBODY,
    OFF_RING,
    ON_BELT,
    RIDING,
    STRAY,
    Carrier,
    Ride,
    RingEye,
    State,
    Track,
    say,
)

cdef enum:
    N_LAUNCHES_MAX = 3              # in vain; then a person must look at the induction
    READ_MARGIN_NS = 100000000      # a scanner that was to speak has spoken so long after its latency


cdef inline void stand_again(State* s, int32_t t) noexcept nogil:
    """Track `t` is not, or not yet, on a carrier: it waits at its induction."""
    leave_plans(s, t)
    leave_carriers(s, t)
    clear_timer(s, t)
    s.tracks[t].state = ON_BELT
    s.rides[t].stage = AT_INDUCTION


cdef inline int64_t all_read_counts(const State* s, int32_t t) noexcept nogil:
    """When every scanner that track `t` comes by in this lap must have spoken of it."""
    cdef const Track* track = &s.tracks[t]
    cdef int64_t last = 0
    cdef int64_t spoken
    cdef int n
    for n in range(s.head.n_scanners):
        if s.scanner_table[n].belt != track.belt:
            continue
        spoken = middle_comes(s, track, s.scanner_table[n].at_counts) + track.length_counts // 2
        spoken += s.scanner_table[n].reach_counts
        spoken += travel(planning_speed(s, track.belt), s.scanner_table[n].latency_ns + READ_MARGIN_NS)
        if spoken > last:
            last = spoken
    return last


cdef inline void get_on(State* s, int32_t t) noexcept nogil:
    """Track `t` rides from now on; where to is known once its label is read."""
    cdef Ride* ride = &s.rides[t]
    ride.stage = RIDING
    ride.lap_counts = lap_end(s, &s.tracks[t], ride.launch_counts)
    ride.read_counts = 0 if s.tracks[t].marks & STRAY else all_read_counts(s, t)


cdef inline void expect_landing(State* s, int32_t t, int64_t due_ns) noexcept nogil:
    """Track `t` comes down at an instant: then it is looked where the ring is."""
    cdef const Ride* ride = &s.rides[t]
    cdef RingEye* eye = &s.ring_eyes[ride.eye]
    eye.land_ns = due_ns
    eye.land_counts = ride.launch_counts
    eye.land_parcel = s.tracks[t].parcel
    eye.land_carrier = ride.carrier


cdef inline bint is_in_time(const State* s, int32_t t, int64_t due_ns) noexcept nogil:
    """Whether the induction can be told in time to put track `t` onto its carrier, and the carrier's place is known."""
    cdef int b = s.tracks[t].belt
    if is_adrift(s, b) or not is_followed(s, b) or not at_speed(s, b):
        return False
    return due_ns >= s.now_ns + s.eye_table[s.rides[t].eye].launch_ns


cdef inline void launch(State* s, int32_t t) noexcept nogil:
    """The booked carrier is as far away as the induction needs: now, or with another carrier."""
    cdef Ride* ride = &s.rides[t]
    cdef int64_t due_ns = time_of(s, s.tracks[t].belt, ride.launch_counts)
    cdef Record* record
    if not is_in_time(s, t, due_ns):
        stand_again(s, t)
        return
    record = say(s, LAUNCH, s.tracks[t].parcel)
    record.device = ride.eye
    record.counts = ride.carrier
    record.due_ns = due_ns
    expect_landing(s, t, due_ns)
    get_on(s, t)
    route(s, t, NO_READ)


cdef inline bint has_left(const State* s, int32_t t) noexcept nogil:
    """Whether track `t` left its induction, or may have since its launch was commanded, though the eye has not said so."""
    cdef const Ride* ride = &s.rides[t]
    cdef int64_t lead_ns = s.eye_table[ride.eye].launch_ns + LAUNCH_MARGIN_NS
    cdef int64_t landed_ns = time_of(s, s.tracks[t].belt, ride.launch_counts)
    return ride.is_proved or was_blind(s, s.eye_table[ride.eye].node, landed_ns - lead_ns)


cdef inline void launch_in_vain(State* s, int32_t t) noexcept nogil:
    """The parcel still stands at its induction; after some launches a person must see to it."""
    cdef int e = s.rides[t].eye
    cdef Record* record
    if has_left(s, t):
        s.eyes[e].under = NOBODY
        arm_timer(s, t)
        return
    stand_again(s, t)
    s.ring_eyes[e].n_launches += 1
    if s.ring_eyes[e].n_launches == N_LAUNCHES_MAX:
        s.rides[t].stage = OFF_RING
        record = say(s, ALARM_RAISED, 0)
        record.value = ALARM_JAM
        record.device = e


cdef inline void lap(State* s, int32_t t) noexcept nogil:
    """Once round: everything that was tried may be tried again, and scanners may read again."""
    cdef Track* track = &s.tracks[t]
    s.rides[t].lap_counts = lap_end(s, track, s.rides[t].lap_counts)
    if s.rides[t].read_counts <= s.belts[track.belt].counts:
        s.rides[t].read_counts = 0
    track.laps += 1
    track.answered = 0
    track.no_reads = 0
    track.label_by = 0
    begin_anew(track)
    say(s, LAPPED, track.parcel).value = track.laps
    route(s, t, LATE_READ)


cdef inline void end_reading(State* s, int32_t t) noexcept nogil:
    """Every scanner has had its say of track `t`. Of a ring adrift none could: they have it when it comes again."""
    cdef int b = s.tracks[t].belt
    if is_adrift(s, b):
        s.rides[t].read_counts += s.rings[b].length_counts
        arm_timer(s, t)
        return
    s.rides[t].read_counts = 0
    if s.tracks[t].marks & LABELLED:
        arm_timer(s, t)
    else:
        route(s, t, LATE_READ)


cdef inline void reach_ride_point(State* s, int32_t t) noexcept nogil:
    """A parcel of a loop has come to where something must happen: see `ride_deadline`."""
    cdef Track* track = &s.tracks[t]
    cdef Ride* ride = &s.rides[t]
    cdef int64_t counts = s.belts[track.belt].counts
    if ride.stage == BOOKED:
        launch(s, t)
    elif track.state == FIRED_TRACK:
        track.marks |= EYE_PASSED
        conclude_fired(s, t)
    elif track.state == COMMITTED_TRACK:
        set_timer(s, t, counts + pitch_counts(s, track.belt))
    elif s.eyes[ride.eye].under == t and launch_check_counts(s, track) <= counts:
        launch_in_vain(s, t)
    elif ride.read_counts and ride.read_counts <= counts:
        end_reading(s, t)
    else:
        lap(s, t)


cdef inline void blame(State* s, int b, int32_t number) noexcept nogil:
    """A carrier did not discharge; so often in a row, and it is out of use."""
    cdef Carrier* carrier = carrier_of(s, b, number)
    cdef Record* record
    carrier.n_failures += 1
    if carrier.n_failures < s.ring_table[b].failures_max or carrier.use == FAILED_CARRIER:
        return
    carrier.use = FAILED_CARRIER
    record = say(s, ALARM_RAISED, 0)
    record.value = ALARM_CARRIER_FAILS
    record.device = number


cdef inline void discharge_failed(State* s, int32_t t) noexcept nogil:
    """Track `t` was fired and lies on its carriers still: it rides on, and is discharged in its next lap."""
    cdef Ride* ride = &s.rides[t]
    cdef uint16_t reason = s.tracks[t].reason
    cdef int k
    for k in range(ride.n_carriers):
        blame(s, s.tracks[t].belt, carrier_after(s, s.tracks[t].belt, ride.carrier, k))
    leave_plans(s, t)
    skip(s, t, s.tracks[t].exit, DIVERT_FAILED)
    ride_on(s, t, DIVERT_FAILED)
