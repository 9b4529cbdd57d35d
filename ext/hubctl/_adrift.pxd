"""A ring whose counter stood still at once: it stopped as no belt does, or its counter failed for a while.

Nobody knows by how much it has run on, until its origin comes round. Till then nothing is launched or discharged, no
read is placed, and no load eye believed. The origin says what was not counted, and that is put back: then every
carrier is where it was thought to be, with whom it carries.
"""

from libc.stdint cimport int64_t

from hubctl._carriers cimport pitch_counts
from hubctl._motion cimport put_back
from hubctl._records cimport NO_INDEX
from hubctl._state cimport RingState, State

cdef enum:
    STANDS_NS = 30000000  # without a count, though it was asked for: a belt that ran has stopped, or its counter has
    GAP_NS = 40000000     # between two samples: what came by meanwhile may not have been seen at all


cdef inline bint is_adrift(const State* s, int b) noexcept nogil:
    return s.rings[b].lost_counts_max > 0


cdef inline bint stood_at(const State* s, int b, int64_t t_ns) noexcept nogil:
    """Whether a ring's counter had stood for a while at a time, and stands still: what comes by then was not counted."""
    cdef int64_t since_ns = s.belts[b].moved_ns + STANDS_NS
    return s.belts[b].t_ns > since_ns and t_ns > since_ns


cdef inline bint is_lost_at(const State* s, int b, int64_t t_ns) noexcept nogil:
    """Whether nobody knows what was where on a ring at a time."""
    return is_adrift(s, b) or stood_at(s, b, t_ns)


cdef inline void note_passage(State* s, int b, int64_t t_ns) noexcept nogil:
    """Something came by an eye of a ring: it runs, whatever its counter says."""
    if stood_at(s, b, t_ns) and not is_adrift(s, b):
        s.rings[b].lost_counts_max = 1


cdef inline void note_gap(State* s, int b, int64_t from_counts, int64_t from_ns) noexcept nogil:
    """A sample has come; the one before was taken at a count and a time."""
    if s.belts[b].t_ns - from_ns > GAP_NS:
        s.rings[b].gap_from_counts = from_counts
        s.rings[b].gap_until_counts = s.belts[b].counts


cdef inline bint is_after_gap(const State* s, int b, int64_t t_ns) noexcept nogil:
    """Whether an edge told of a time lies anywhere in one in which nothing was heard of a ring."""
    return t_ns - s.belts[b].t_ns > GAP_NS // 2


cdef inline bint were_counted(const State* s, int b, int64_t lost_counts) noexcept nogil:
    """Whether the carriers that came by are as many as a turn has, less those that the ring ran on by."""
    cdef int64_t n_lost = lost_counts // pitch_counts(s, b) + 1
    cdef int64_t n_less = s.ring_table[b].n_carriers - s.rings[b].n_counted
    return s.ring_table[b].carrier_eye == NO_INDEX or 0 <= n_less <= n_lost


cdef inline int64_t lost_counts_of(const State* s, int b, int64_t counts) noexcept nogil:
    """What was not counted of a turn that ends at a count, by the length of those before; below 0 if that cannot be."""
    cdef const RingState* ring = &s.rings[b]
    cdef int64_t quarter = pitch_counts(s, b) // 4
    cdef int64_t lost = ring.length_counts - (counts - ring.origin_counts)
    if lost < -quarter or lost > ring.lost_counts_max + quarter:
        return -1
    if lost < 0:
        lost = 0
    return lost if were_counted(s, b, lost) else -1


cdef inline bint find_place(State* s, int b, int64_t counts) noexcept nogil:
    """The origin has come round to a ring adrift, at a count. Whether what it has run on is known now."""
    cdef int64_t lost = lost_counts_of(s, b, counts)
    if lost < 0:
        return False
    put_back(&s.belts[b], lost)
    s.rings[b].lost_counts_max = 0
    return True
