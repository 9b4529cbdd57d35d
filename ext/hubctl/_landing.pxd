"""Where a launched parcel comes down: beside its carrier, if the ring did not run on as it did at the launch.

Then it lies somewhere between the carrier that is there and the one it was for. Whoever rides on one of these may have
it beside him, and goes where several in one go; none of the empty ones is known to be empty.
"""

from libc.stdint cimport int32_t, int64_t

from hubctl._adrift cimport is_adrift
from hubctl._carriers cimport carrier_after, carrier_at, carrier_of, pitch_counts
from hubctl._choice cimport bar
from hubctl._motion cimport counts_at
from hubctl._order cimport leave_plans
from hubctl._paddle cimport drop_divert
from hubctl._records cimport MULTI_PARCEL, NOT_AT_SPEED
from hubctl._riding cimport stand_again
from hubctl._state cimport (
    COMMITTED_TRACK,
    EMPTY_CARRIER,
    NOBODY,
    ON_BELT,
    RIDING,
    UNKNOWN_CARRIER,
    Carrier,
    RingEye,
    State,
)
from hubctl._tables cimport INDUCT

cdef enum:
    N_ASIDE_MAX = 12  # carriers that come by between a launch and its landing, and more


cdef inline void call_off(State* s, int32_t t) noexcept nogil:
    """Nothing is done to track `t` that is committed already."""
    if s.tracks[t].state == COMMITTED_TRACK:
        drop_divert(s, &s.tracks[t])
        leave_plans(s, t)
        s.tracks[t].state = ON_BELT


cdef inline void doubt_carrier(State* s, int b, int32_t number, int64_t parcel) noexcept nogil:
    """A parcel may have come down on a carrier, beside whom it carries."""
    cdef Carrier* carrier = carrier_of(s, b, number)
    cdef int32_t t = carrier.track
    if t != NOBODY and s.rides[t].stage != RIDING:
        stand_again(s, t)
        t = NOBODY
    if t == NOBODY:
        carrier.state = UNKNOWN_CARRIER
        return
    call_off(s, t)
    bar(s, t, NOT_AT_SPEED if s.tracks[t].parcel == parcel else MULTI_PARCEL)


cdef inline int32_t n_between(const State* s, int b, int32_t first, int32_t last) noexcept nogil:
    """How many carriers from one to another that follows it."""
    cdef int32_t n = last - first
    return n if n >= 0 else n + s.ring_table[b].n_carriers


cdef inline void come_down_aside(State* s, int b, int e, int64_t counts) noexcept nogil:
    """The parcel launched last has come down when the ring was at a count: too soon for its carrier, or too late."""
    cdef const RingEye* eye = &s.ring_eyes[e]
    cdef int32_t there = carrier_at(s, b, s.eye_table[e].at_counts, counts)
    cdef bint is_early = counts < eye.land_counts
    cdef int32_t first = carrier_after(s, b, there if is_early else eye.land_carrier, -1)
    cdef int32_t n = n_between(s, b, first, eye.land_carrier if is_early else there) + 3
    cdef int32_t k
    for k in range(n if n < N_ASIDE_MAX else N_ASIDE_MAX):
        doubt_carrier(s, b, carrier_after(s, b, first, k), eye.land_parcel)


cdef inline void look_at_landing(State* s, int b, int e) noexcept nogil:
    """Looks where the ring was when a parcel came down, once that is known."""
    cdef RingEye* eye = &s.ring_eyes[e]
    cdef int64_t counts = counts_at(s, b, eye.land_ns)
    cdef int64_t off = counts - eye.land_counts
    cdef int64_t most = pitch_counts(s, b) // 8
    if s.belts[b].t_ns < eye.land_ns:
        return
    if is_adrift(s, b) or off > most or off < -most:
        come_down_aside(s, b, e, counts)
    eye.land_ns = 0


cdef inline void forget_landings(State* s, int b) noexcept nogil:
    cdef int e
    for e in range(s.ring_table[b].first_eye, s.ring_table[b].first_eye + s.ring_table[b].n_eyes):
        s.ring_eyes[e].land_ns = 0


cdef inline void look_at_landings(State* s, int b) noexcept nogil:
    """At the landings of a ring that is synchronised; of one that is lost nothing is known anyway."""
    cdef int e
    for e in range(s.ring_table[b].first_eye, s.ring_table[b].first_eye + s.ring_table[b].n_eyes):
        if s.eye_table[e].role == INDUCT and s.ring_eyes[e].land_ns:
            look_at_landing(s, b, e)
