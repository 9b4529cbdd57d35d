"""The ring of carriers: which carrier is where at a count, and who rides on it.

The ring's length is measured at every turn and its place corrected at every carrier, so that nothing here adds
up: a place in mm is scaled by what the ring measured. Carrier 1 follows carrier 0. A parcel on two carriers lies
between their middles; places of middles are therefore counted in half carriers.
"""

from libc.stdint cimport int32_t, int64_t, uint16_t

from hubctl._motion cimport planning_speed, travel
from hubctl._state cimport (
    AT_INDUCTION,
    BARRED,
    BOOKED,
    EMPTY_CARRIER,
    FAILED_CARRIER,
    FIRED_TRACK,
    IN_USE,
    LABELLED,
    NOBODY,
    RIDING,
    UNKNOWN_CARRIER,
    Carrier,
    Ride,
    State,
    Track,
)
from hubctl._tables cimport LOAD, LOOP


cdef enum:
    LAUNCH_MARGIN_NS = 50000000  # a launch is commanded so much ahead of what its induction needs


cdef inline int64_t beyond_multiple(int64_t a, int64_t n) noexcept nogil:
    """What `a` is above the multiple of `n` below it, also where `a` is below 0."""
    cdef int64_t rest = a % n
    return rest + n if rest < 0 else rest


cdef inline bint is_loop(const State* s, int b) noexcept nogil:
    return s.belt_table[b].kind == LOOP


cdef inline int64_t pitch_counts(const State* s, int b) noexcept nogil:
    return s.rings[b].length_counts // s.ring_table[b].n_carriers


cdef inline int64_t as_measured(const State* s, int b, int64_t at_counts) noexcept nogil:
    """A place on the ring in counts as the ring measures."""
    return at_counts * s.rings[b].length_counts // s.belt_table[b].length_counts


cdef inline int64_t comes_to(const State* s, int b, int64_t n_halves, int64_t at_counts, int64_t after_counts) noexcept nogil:
    """The first count, not before `after_counts`, at which a place `n_halves` half carriers behind carrier 0 is at `at_counts`."""
    cdef int64_t length = s.rings[b].length_counts
    cdef int64_t once = s.rings[b].zero_counts + as_measured(s, b, at_counts)
    once += n_halves * length // (2 * s.ring_table[b].n_carriers)
    return after_counts + beyond_multiple(once - after_counts, length)


cdef inline int64_t carrier_comes(const State* s, int b, int32_t carrier, int64_t at_counts, int64_t after_counts) noexcept nogil:
    return comes_to(s, b, 2 * carrier, at_counts, after_counts)


cdef inline int64_t behind_zero(const State* s, int b, int64_t at_counts, int64_t counts) noexcept nogil:
    """How far behind the middle of carrier 0 the ring is under a place at a count: 0 to the ring's length."""
    return beyond_multiple(counts - as_measured(s, b, at_counts) - s.rings[b].zero_counts, s.rings[b].length_counts)


cdef inline int32_t carrier_at(const State* s, int b, int64_t at_counts, int64_t counts) noexcept nogil:
    """The carrier whose middle is nearest to a place at a count."""
    cdef int64_t length = s.rings[b].length_counts
    cdef int64_t n = s.ring_table[b].n_carriers
    return <int32_t>((2 * behind_zero(s, b, at_counts, counts) * n + length) // (2 * length) % n)


cdef inline int64_t off_middle(const State* s, int b, int32_t carrier, int64_t at_counts, int64_t counts) noexcept nogil:
    """How far a carrier's middle is beyond (above 0) or before (below 0) a place at a count."""
    cdef int64_t length = s.rings[b].length_counts
    cdef int64_t passed = counts - carrier_comes(s, b, carrier, at_counts, counts - length // 2)
    return passed


cdef inline int32_t carrier_after(const State* s, int b, int32_t carrier, int32_t by) noexcept nogil:
    """The carrier that follows another; one that leads it if `by` is below 0."""
    return <int32_t>beyond_multiple(carrier + by, s.ring_table[b].n_carriers)


cdef inline Carrier* carrier_of(const State* s, int b, int32_t carrier) noexcept nogil:
    return &s.carriers[s.ring_table[b].first_carrier + carrier]


cdef inline Ride* ride_of(const State* s, const Track* track) noexcept nogil:
    return &s.rides[track - s.tracks]


cdef inline bint is_riding(const State* s, const Track* track) noexcept nogil:
    return ride_of(s, track).stage == RIDING


cdef inline bint can_be_routed(const State* s, const Track* track) noexcept nogil:
    """Whether it makes sense to send a parcel of a loop anywhere: it rides, on a carrier that discharges."""
    cdef const Ride* ride = ride_of(s, track)
    return ride.stage == RIDING and carrier_of(s, track.belt, ride.carrier).use != FAILED_CARRIER


cdef inline bint is_unread(const State* s, const Track* track) noexcept nogil:
    """Whether it has still to come by scanners in its first lap, and has no label yet."""
    return ride_of(s, track).read_counts != 0 and not track.marks & (LABELLED | BARRED)


cdef inline int64_t n_halves_of(const Ride* ride) noexcept nogil:
    """Half carriers from carrier 0 to the middle of what a ride carries."""
    return 2 * ride.carrier + ride.n_carriers - 1


cdef inline int64_t middle_comes(const State* s, const Track* track, int64_t at_counts) noexcept nogil:
    """Count at which the middle of a riding parcel comes to a place in its present lap."""
    cdef const Ride* ride = ride_of(s, track)
    return comes_to(s, track.belt, n_halves_of(ride), at_counts, ride.lap_counts - s.rings[track.belt].length_counts)


cdef inline int64_t lap_end(const State* s, const Track* track, int64_t after_counts) noexcept nogil:
    """The next end of a lap: half a carrier before the parcel is back where it got on."""
    cdef const Ride* ride = ride_of(s, track)
    cdef int64_t at = s.eye_table[ride.eye].at_counts
    cdef int64_t half = pitch_counts(s, track.belt) // 2
    return comes_to(s, track.belt, n_halves_of(ride), at, after_counts + half + half // 2) - half


cdef inline int64_t run_to_load_eye(const State* s, int b, int e) noexcept nogil:
    """From an induction to the next load eye down the ring; 0 if there is none within half of it."""
    cdef int64_t length = s.belt_table[b].length_counts
    cdef int64_t nearest = length // 2
    cdef int64_t away
    cdef int other
    for other in range(s.ring_table[b].first_eye, s.ring_table[b].first_eye + s.ring_table[b].n_eyes):
        if s.eye_table[other].role == LOAD:
            away = beyond_multiple(s.eye_table[other].at_counts - s.eye_table[e].at_counts, length)
            nearest = away if away < nearest else nearest
    return nearest if nearest < length // 2 else 0


cdef inline int64_t launch_check_counts(const State* s, const Track* track) noexcept nogil:
    """When it must be known that the parcel has left its induction: a load eye has told, if one comes soon."""
    cdef int b = track.belt
    cdef const Ride* ride = ride_of(s, track)
    cdef int64_t told_late = travel(planning_speed(s, b), s.belt_table[b].told_late_ns)
    return ride.launch_counts + as_measured(s, b, run_to_load_eye(s, b, ride.eye)) + 2 * (pitch_counts(s, b) + told_late)


cdef inline int64_t command_counts(const State* s, const Track* track) noexcept nogil:
    """When the launch of a booked parcel must be commanded, a little ahead of its lead time."""
    cdef const Ride* ride = ride_of(s, track)
    return ride.launch_counts - travel(planning_speed(s, track.belt), s.eye_table[ride.eye].launch_ns + LAUNCH_MARGIN_NS)


cdef inline int64_t ride_deadline(const State* s, const Track* track) noexcept nogil:
    """Count at which a parcel of a loop must be looked at again, its commit point apart."""
    cdef const Ride* ride = ride_of(s, track)
    cdef int64_t at = ride.lap_counts
    if ride.stage == BOOKED:
        return command_counts(s, track)
    if track.state == FIRED_TRACK:
        return track.fire_counts + s.rings[track.belt].length_counts + 4 * pitch_counts(s, track.belt)
    if s.eyes[ride.eye].under == track - s.tracks and launch_check_counts(s, track) < at:
        at = launch_check_counts(s, track)
    if ride.read_counts and ride.read_counts < at:
        at = ride.read_counts
    return at


cdef inline bint has_deadline(const State* s, const Track* track) noexcept nogil:
    """Whether a parcel of a loop moves at all: one that waits does not."""
    cdef int stage = ride_of(s, track).stage
    return stage == BOOKED or stage == RIDING


cdef inline void take_carriers(State* s, int32_t t, int32_t carrier, int n_carriers) noexcept nogil:
    cdef int k
    s.rides[t].carrier = carrier
    s.rides[t].n_carriers = n_carriers
    for k in range(n_carriers):
        carrier_of(s, s.tracks[t].belt, carrier_after(s, s.tracks[t].belt, carrier, k)).track = t


cdef inline void leave_carriers(State* s, int32_t t) noexcept nogil:
    """Track `t` is off its carriers; unless that is proved they are no more known to be empty."""
    cdef Ride* ride = &s.rides[t]
    cdef bint was_carried = ride.stage == RIDING
    cdef Carrier* carrier
    cdef int k
    for k in range(ride.n_carriers):
        carrier = carrier_of(s, s.tracks[t].belt, carrier_after(s, s.tracks[t].belt, ride.carrier, k))
        carrier.track = NOBODY
        if was_carried:
            carrier.state = EMPTY_CARRIER if ride.is_off else UNKNOWN_CARRIER
        if was_carried and ride.is_off:
            carrier.n_failures = 0
    ride.carrier = NOBODY
    ride.n_carriers = 0


cdef inline bint can_be_booked(const State* s, int b, int32_t carrier) noexcept nogil:
    cdef const Carrier* place = carrier_of(s, b, carrier)
    return place.track == NOBODY and place.state == EMPTY_CARRIER and place.use == IN_USE


cdef inline int64_t lead_at(const State* s, const Track* track, int64_t at_counts, int64_t counts) noexcept nogil:
    """How far a riding parcel's leading edge is beyond (above 0) or before (below 0) a place at a count."""
    cdef int64_t half_ring = s.rings[track.belt].length_counts // 2
    cdef int64_t middle = comes_to(s, track.belt, n_halves_of(ride_of(s, track)), at_counts, counts - half_ring)
    return counts - middle + track.length_counts // 2


cdef inline bint has_come_by(const State* s, const Track* track, int64_t at_counts, int64_t counts) noexcept nogil:
    """Whether a riding parcel has been at a place at a count, less than half a ring ago, since it got on."""
    cdef int64_t lead = lead_at(s, track, at_counts, counts)
    return lead >= 0 and ride_of(s, track).launch_counts <= counts - lead


cdef inline int32_t rider_at(const State* s, int b, int64_t at_counts, int64_t counts, int by) noexcept nogil:
    """Who rides on the carrier at a place at a count, or on the one `by` behind it; NOBODY if nobody does."""
    cdef int32_t carrier = carrier_after(s, b, carrier_at(s, b, at_counts, counts), by)
    cdef int32_t t = carrier_of(s, b, carrier).track
    if t == NOBODY or s.rides[t].stage != RIDING:
        return NOBODY
    return t if s.rides[t].launch_counts <= counts else NOBODY
