"""The ring itself: synchronised once its carriers were counted and measured right twice round, lost when not.

While it is not synchronised nothing is launched or discharged. Parcels on it when it is lost are lost to the
kernel: once it is found again, the load eyes see them as unknown.
"""

from libc.stdint cimport int32_t, int64_t

from hubctl._adrift cimport find_place, is_adrift, is_after_gap, note_passage, stood_at
from hubctl._bounce cimport settle_inductions, take_induct_edge
from hubctl._booking cimport run_bookings
from hubctl._carriers cimport as_measured, carrier_at, carrier_of, leave_carriers, off_middle, pitch_counts
from hubctl._choice cimport close_track
from hubctl._health cimport note_standing
from hubctl._landing cimport forget_landings, look_at_landings
from hubctl._loading cimport run_load_eyes, start_looking, take_load_edge
from hubctl._records cimport (
    ALARM_CARRIER_FAILS,
    ALARM_CLEARED,
    ALARM_RAISED,
    ALARM_RING_LOST,
    LOST,
    LOST_PARCEL,
    NO_INDEX,
    OK,
    RING_CHECKED,
    UNEXPECTED,
    Record,
)
from hubctl._riding cimport stand_again
from hubctl._schedule cimport conclude_fired
from hubctl._state cimport (
    DOUBTFUL_CARRIER,
    EYE_PASSED,
    FAILED_CARRIER,
    FIRED_TRACK,
    IN_USE,
    NOBODY,
    OFF_RING,
    RIDING,
    ROOM_MIN,
    TAKEN_OUT,
    Carrier,
    RingState,
    State,
    room,
    say,
)
from hubctl._tables cimport CARRIER_EYE, INDUCT, LOAD, ORIGIN
from hubctl._tracking cimport counts_told, is_placed

cdef enum:
    N_RINGS_GOOD = 2        # before the ring is believed
    PITCH_PER_CENT = 5      # that it may differ from the hub file's


cdef inline void give_up(State* s, int b, int32_t number) noexcept nogil:
    """The rider of a carrier of a lost ring: still at its induction, perhaps in its chute, or lost."""
    cdef Carrier* carrier = carrier_of(s, b, number)
    cdef int32_t t = carrier.track
    carrier.touched = 0
    if t != NOBODY and (s.rides[t].stage != RIDING or s.eyes[s.rides[t].eye].under == t):
        stand_again(s, t)
    elif t != NOBODY and s.tracks[t].state == FIRED_TRACK:
        leave_carriers(s, t)
        s.rides[t].stage = OFF_RING
        s.tracks[t].marks |= EYE_PASSED
        conclude_fired(s, t)
    elif t != NOBODY:
        close_track(s, t, LOST, LOST_PARCEL)
    carrier.state = DOUBTFUL_CARRIER


cdef inline void forget_turns(RingState* ring) noexcept nogil:
    """Nothing that was measured counts any more."""
    ring.n_good = 0
    ring.has_origin = 0
    ring.is_rough = 0
    ring.lost_counts_max = 0


cdef inline void lose_ring(State* s, int b) noexcept nogil:
    """Nobody knows any more which carrier is where."""
    cdef RingState* ring = &s.rings[b]
    cdef Record* record
    forget_turns(ring)
    if not ring.is_synchronised:
        return
    ring.is_synchronised = 0
    ring.is_lost = 1
    ring.n_given_up = 0
    record = say(s, ALARM_RAISED, 0)
    record.value = ALARM_RING_LOST
    record.device = b


cdef inline void find_ring(State* s, int b) noexcept nogil:
    cdef RingState* ring = &s.rings[b]
    cdef Record* record
    ring.is_synchronised = 1
    forget_landings(s, b)
    start_looking(s, b)
    if ring.is_lost:
        ring.is_lost = 0
        record = say(s, ALARM_CLEARED, 0)
        record.value = ALARM_RING_LOST
        record.device = b


cdef inline bint is_right(const State* s, int b, int64_t length_counts) noexcept nogil:
    """Whether once round is as long as the hub file says, and has as many carriers.

    Where no eye counts them it must be as long as the time before, once it is known.
    """
    cdef bint counts_carriers = s.ring_table[b].carrier_eye != NO_INDEX
    cdef int64_t away = length_counts - s.belt_table[b].length_counts
    cdef int64_t margin = s.belt_table[b].length_counts * PITCH_PER_CENT // 100
    if counts_carriers and s.rings[b].n_counted != s.ring_table[b].n_carriers:
        return False
    if s.rings[b].is_synchronised and not counts_carriers:
        away = length_counts - s.rings[b].length_counts
        margin = pitch_counts(s, b) // 2
    return -margin <= away <= margin


cdef inline void say_checked(State* s, int b, int64_t length_counts, bint is_good) noexcept nogil:
    cdef bint counts_carriers = s.ring_table[b].carrier_eye != NO_INDEX
    cdef Record* record = say(s, RING_CHECKED, 0)
    record.device = b
    record.value = s.rings[b].n_counted if counts_carriers else s.ring_table[b].n_carriers
    record.limit = length_counts // s.ring_table[b].n_carriers
    record.reason = OK if is_good else UNEXPECTED


cdef inline void check_ring(State* s, int b, int64_t counts) noexcept nogil:
    """The origin has come round again."""
    cdef RingState* ring = &s.rings[b]
    cdef int64_t length_counts = counts - ring.origin_counts
    cdef bint is_good = is_right(s, b, length_counts)
    say_checked(s, b, length_counts, is_good)
    if is_good:
        ring.length_counts = length_counts
        ring.n_good += 1
    else:
        lose_ring(s, b)


cdef inline bint is_near(const State* s, int b, int64_t length_counts) noexcept nogil:
    """Whether a turn that cannot be measured may have been as long as those before."""
    cdef int64_t away = length_counts - s.rings[b].length_counts
    return -pitch_counts(s, b) < away < pitch_counts(s, b)


cdef inline void come_round(State* s, int b, int64_t counts, bint is_rough) noexcept nogil:
    """The origin was seen before: the turn is measured, or what was not counted of it."""
    cdef RingState* ring = &s.rings[b]
    if is_adrift(s, b) and not is_rough and not ring.is_rough and find_place(s, b, counts):
        start_looking(s, b)
    elif is_adrift(s, b):
        say_checked(s, b, counts - ring.origin_counts, False)
        lose_ring(s, b)
    elif not is_rough and not ring.is_rough:
        check_ring(s, b, counts)
    elif not ring.is_synchronised or not is_near(s, b, counts - ring.origin_counts):
        lose_ring(s, b)


cdef inline void take_origin(State* s, int b, int e, int64_t counts, bint is_rough) noexcept nogil:
    """Carrier 0 is at the origin eye. An edge within a pitch of the one before is the same flag."""
    cdef RingState* ring = &s.rings[b]
    cdef int64_t before = s.belts[b].counts
    if ring.has_origin and counts - ring.origin_counts < pitch_counts(s, b):
        return
    if ring.has_origin:
        come_round(s, b, counts, is_rough)
        counts += s.belts[b].counts - before
    else:
        ring.carrier_counts = counts - pitch_counts(s, b)
    ring.has_origin = 1
    ring.origin_counts = counts
    ring.n_counted = 0
    ring.is_rough = is_rough
    if is_rough:
        return
    ring.zero_counts = counts - as_measured(s, b, s.eye_table[e].at_counts)
    if ring.n_good >= N_RINGS_GOOD and not ring.is_synchronised and ring.n_given_up >= s.ring_table[b].n_carriers:
        find_ring(s, b)


cdef inline void take_carrier_edge(State* s, int b, int e, int64_t counts) noexcept nogil:
    """A carrier is at the carrier eye: counted, and the ring's place put right by it."""
    cdef RingState* ring = &s.rings[b]
    cdef int64_t pitch = pitch_counts(s, b)
    cdef int64_t at = s.eye_table[e].at_counts
    cdef int64_t error
    if counts - ring.carrier_counts < pitch // 2 or not ring.has_origin:
        return
    ring.carrier_counts = counts
    ring.n_counted += 1
    if not ring.is_synchronised or is_adrift(s, b):
        return
    error = off_middle(s, b, carrier_at(s, b, at, counts), at, counts)
    if error > pitch // 4 or error < -(pitch // 4):
        lose_ring(s, b)
    else:
        ring.zero_counts += error // 4


cdef inline void turn_on(State* s, int b) noexcept nogil:
    """What goes on round a ring that is synchronised; of one adrift only that it must come round."""
    cdef RingState* ring = &s.rings[b]
    if s.belts[b].counts > ring.origin_counts + ring.length_counts + pitch_counts(s, b):
        say_checked(s, b, s.belts[b].counts - ring.origin_counts, False)
        lose_ring(s, b)
        return
    look_at_landings(s, b)
    if not is_adrift(s, b):
        run_load_eyes(s, b)
        run_bookings(s, b)


cdef inline void run_ring(State* s, int b) noexcept nogil:
    """What goes on round a loop: bookings, load eyes, and after a loss the giving up of what was carried."""
    cdef RingState* ring = &s.rings[b]
    settle_inductions(s, b)
    if ring.is_synchronised:
        turn_on(s, b)
        return
    if is_adrift(s, b):
        forget_turns(ring)
    while ring.n_given_up < s.ring_table[b].n_carriers and room(s) >= ROOM_MIN:
        give_up(s, b, ring.n_given_up)
        ring.n_given_up += 1


cdef inline void take_flag(State* s, int b, int e, const Record* input, int64_t counts) noexcept nogil:
    """A flag of the ring that can be placed. While the counter stands it tells nothing but that."""
    if stood_at(s, b, input.t_ns):
        return
    if s.eye_table[e].role == ORIGIN:
        take_origin(s, b, e, counts, is_after_gap(s, b, input.t_ns))
    elif s.eye_table[e].role == CARRIER_EYE:
        take_carrier_edge(s, b, e, counts)


cdef inline void take_ring_eye(State* s, const Record* input) noexcept nogil:
    """An edge of an eye of a loop. One that cannot be placed counts for an induction only."""
    cdef int e = input.device
    cdef int b = s.eye_table[e].belt
    cdef bint is_known = is_placed(s, b, input)
    cdef int64_t counts = counts_told(s, b, input, s.belt_table[b].told_late_ns) if is_known else s.belts[b].counts
    if s.eye_table[e].role == INDUCT:
        take_induct_edge(s, e, input.value != 0, counts, input.limit)
        return
    note_standing(s, e, input)
    note_passage(s, b, input.t_ns)
    if s.eye_table[e].role == LOAD:
        take_load_edge(s, e, input.value != 0, counts)
    elif input.value and is_known:
        take_flag(s, b, e, input, counts)


cdef inline void take_carrier(State* s, const Record* input) noexcept nogil:
    """A person puts a carrier into use, or out of use."""
    cdef Carrier* carrier = carrier_of(s, input.device, <int32_t>input.counts)
    cdef Record* record
    if carrier.use == FAILED_CARRIER and input.value:
        record = say(s, ALARM_CLEARED, 0)
        record.value = ALARM_CARRIER_FAILS
        record.device = <unsigned short>input.counts
    if carrier.use != FAILED_CARRIER or input.value:
        carrier.use = IN_USE if input.value else TAKEN_OUT
        carrier.n_failures = 0
