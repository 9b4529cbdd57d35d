"""Inductions of a loop: a parcel that stands ready books an empty carrier, a long one two in a row.

The nearest free carrier that can still be reached is booked. Where several inductions wait, one upstream lets
as many free carriers pass as parcels wait longer downstream, so that nobody starves.
"""

from libc.stdint cimport int32_t, int64_t, uint16_t
from libc.string cimport memset

from hubctl._adrift cimport is_adrift
from hubctl._carriers cimport (
    beyond_multiple,
    behind_zero,
    can_be_booked,
    carrier_after,
    comes_to,
    n_halves_of,
    pitch_counts,
    take_carriers,
)
from hubctl._choice cimport arm_timer, close_track, ride_on
from hubctl._machine cimport is_executing
from hubctl._motion cimport at_speed, is_followed, planning_speed, travel
from hubctl._opening cimport open_track, say_opened
from hubctl._records cimport (
    ALARM_CLEARED,
    ALARM_JAM,
    MEASURED,
    OVERSIZE,
    REMOVED,
    REMOVED_PARCEL,
    Record,
)
from hubctl._riding cimport N_LAUNCHES_MAX
from hubctl._state cimport (
    AT_INDUCTION,
    BARRED,
    BOOKED,
    NOBODY,
    OFF_RING,
    RIDING,
    Ride,
    State,
    Track,
    say,
)
from hubctl._tables cimport INDUCT

cdef enum:
    N_BOOKED_AHEAD = 32             # carriers that an induction looks at
    BOOK_MARGIN_NS = 100000000      # between booking and launch command
    LENGTH_MM_MAX = 100000          # what an induction may say


cdef inline int32_t open_ride(State* s, int b, int e, int64_t counts) noexcept nogil:
    """A track of a loop, first met at an eye of it; NOBODY when every track is in use.

    Its place is that of its carriers: no eye expects it, and every scanner may answer for it.
    """
    cdef int32_t t = open_track(s, b, counts, s.belt_table[b].length_counts, NOBODY)
    if t == NOBODY:
        return NOBODY
    s.tracks[t].answered = 0
    memset(&s.rides[t], 0, sizeof(Ride))
    s.rides[t].carrier = NOBODY
    s.rides[t].eye = e
    return t


cdef inline int32_t first_in_reach(const State* s, int b, int64_t at_counts, int64_t soonest_counts) noexcept nogil:
    """The first carrier whose middle comes to a place no sooner than a count."""
    cdef int64_t n = s.ring_table[b].n_carriers
    cdef int64_t length = s.rings[b].length_counts
    return <int32_t>((behind_zero(s, b, at_counts, soonest_counts) * n + length - 1) // length % n)


cdef inline bint is_free(const State* s, int b, int32_t carrier, int n_carriers) noexcept nogil:
    if not can_be_booked(s, b, carrier):
        return False
    return n_carriers == 1 or can_be_booked(s, b, carrier_after(s, b, carrier, 1))


cdef inline int n_carriers_for(const State* s, int32_t t) noexcept nogil:
    return 1 if s.tracks[t].length_counts <= s.ring_table[s.tracks[t].belt].carrier_counts else 2


cdef inline void book(State* s, int32_t t, int n_left_free) noexcept nogil:
    """The first free carriers for track `t`, behind so many that it leaves to others; none, and it waits."""
    cdef int b = s.tracks[t].belt
    cdef int e = s.rides[t].eye
    cdef int n_carriers = n_carriers_for(s, t)
    cdef int64_t lead_ns = s.eye_table[e].launch_ns + BOOK_MARGIN_NS
    cdef int64_t soonest = s.belts[b].counts + travel(planning_speed(s, b), lead_ns)
    cdef int32_t carrier = first_in_reach(s, b, s.eye_table[e].at_counts, soonest)
    cdef int k
    for k in range(N_BOOKED_AHEAD):
        if is_free(s, b, carrier, n_carriers):
            if n_left_free == 0:
                take_carriers(s, t, carrier, n_carriers)
                s.rides[t].launch_counts = comes_to(
                    s, b, n_halves_of(&s.rides[t]), s.eye_table[e].at_counts, soonest - pitch_counts(s, b) // 4
                )
                s.rides[t].stage = BOOKED
                arm_timer(s, t)
                return
            n_left_free -= 1
        carrier = carrier_after(s, b, carrier, 1)


cdef inline bint waits(const State* s, int e) noexcept nogil:
    cdef int32_t t = s.eyes[e].under
    return s.eye_table[e].role == INDUCT and t != NOBODY and s.rides[t].stage == AT_INDUCTION


cdef inline int n_older_downstream(const State* s, int b, int e) noexcept nogil:
    """Parcels that wait longer, at inductions in the next half of the ring."""
    cdef int64_t away
    cdef int found = 0
    cdef int other
    for other in range(s.ring_table[b].first_eye, s.ring_table[b].first_eye + s.ring_table[b].n_eyes):
        if not waits(s, other) or s.tracks[s.eyes[other].under].parcel >= s.tracks[s.eyes[e].under].parcel:
            continue
        away = beyond_multiple(s.eye_table[other].at_counts - s.eye_table[e].at_counts, s.belt_table[b].length_counts)
        if 0 < away < s.belt_table[b].length_counts // 2:
            found += 1
    return found


cdef inline bint is_held(const State* s, int b) noexcept nogil:
    """Whether nobody is let onto a loop: the machine does not run, or somebody asks for it."""
    return not is_executing(s) or s.drives[b].n_halts > 0 or s.drives[b].hold_reasons != 0


cdef inline bint can_launch(const State* s, int b) noexcept nogil:
    if not s.rings[b].is_synchronised or is_adrift(s, b):
        return False
    return is_followed(s, b) and at_speed(s, b) and not is_held(s, b)


cdef inline void run_bookings(State* s, int b) noexcept nogil:
    """At every carrier that passes, those that wait try again."""
    cdef int e
    if s.belts[b].counts < s.rings[b].turn_counts:
        return
    s.rings[b].turn_counts = s.belts[b].counts + pitch_counts(s, b)
    if not can_launch(s, b):
        return
    for e in range(s.ring_table[b].first_eye, s.ring_table[b].first_eye + s.ring_table[b].n_eyes):
        if waits(s, e):
            book(s, s.eyes[e].under, n_older_downstream(s, b, e))


cdef inline void take_length(State* s, int32_t t, int64_t length_mm) noexcept nogil:
    """What the induction measured; of an unknown length half a carrier is assumed."""
    cdef Track* track = &s.tracks[t]
    if length_mm <= 0 or length_mm > LENGTH_MM_MAX:
        track.length_counts = s.ring_table[track.belt].carrier_counts // 2
        return
    track.length_counts = length_mm * s.belt_table[track.belt].counts_per_m // 1000
    say(s, MEASURED, track.parcel).value = track.length_counts


cdef inline bint is_too_long(const State* s, const Track* track) noexcept nogil:
    if track.length_counts > s.ring_table[track.belt].pair_counts:
        return True
    return track.length_counts > s.belt_table[track.belt].parcel_counts_max


cdef inline void stand_ready(State* s, int e, int64_t counts, int64_t length_mm) noexcept nogil:
    """A parcel has come to an induction."""
    cdef int b = s.eye_table[e].belt
    cdef int32_t t = open_ride(s, b, e, counts)
    s.eyes[e].under = t
    if t == NOBODY:
        return
    say_opened(s, t, e, counts)
    take_length(s, t, length_mm)
    if is_too_long(s, &s.tracks[t]):
        s.tracks[t].marks |= BARRED
        s.rides[t].stage = OFF_RING
        ride_on(s, t, OVERSIZE)
    elif can_launch(s, b):
        book(s, t, n_older_downstream(s, b, e))


cdef inline void leave_induction(State* s, int e) noexcept nogil:
    """The induction is clear: its parcel was launched, or somebody took it away."""
    cdef int32_t t = s.eyes[e].under
    cdef Record* record
    s.eyes[e].under = NOBODY
    if s.ring_eyes[e].n_launches >= N_LAUNCHES_MAX:
        record = say(s, ALARM_CLEARED, 0)
        record.value = ALARM_JAM
        record.device = e
    s.ring_eyes[e].n_launches = 0
    if t == NOBODY or s.rides[t].stage == RIDING:
        return
    close_track(s, t, s.tracks[t].reason if s.tracks[t].marks & BARRED else <uint16_t>REMOVED, REMOVED_PARCEL)
