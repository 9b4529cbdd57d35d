"""Counters that stood still at once: the belt stopped as no belt does, or its counter failed for a while.

Only parcels that come to eyes tell the two apart. Till then nobody who was on the belt before is diverted:
N_PROOFS of them in a row that come where the count says clear it. Those between others as long as they prove nothing:
had the belt run on by a pitch, the next would come in their place. For loops see `_adrift.pxd`.
"""

from libc.stdint cimport int32_t, int64_t

from hubctl._carriers cimport is_loop
from hubctl._motion cimport N_PROOFS
from hubctl._state cimport NOBODY, State, Track


cdef inline bint is_in_doubt(const State* s, const Track* track) noexcept nogil:
    """Whether a track may be elsewhere than the count of its belt says, or two: one came while the next one did too."""
    cdef int64_t came_counts = track.origin_counts + track.from_counts
    if is_loop(s, track.belt):
        return s.rings[track.belt].lost_counts_max > 0
    if s.belts[track.belt].n_unproved == 0:
        return False
    return came_counts <= s.belts[track.belt].stood_counts + s.belt_table[track.belt].parcel_counts_min


cdef inline bint was_seen_before(const State* s, const Track* track) noexcept nogil:
    """Whether no eye has seen a track since its belt's counter stood."""
    return track.origin_counts + track.seen_counts <= s.belts[track.belt].stood_counts


cdef inline bint is_alike(const State* s, int32_t t, int32_t other, int e) noexcept nogil:
    """Whether two tracks have one length, so far as an eye can tell."""
    if other == NOBODY:
        return False
    return -s.eye_table[e].length_window_counts <= s.tracks[t].length_counts - s.tracks[other].length_counts <= s.eye_table[e].length_window_counts


cdef inline void prove_counter(State* s, int32_t t, int e) noexcept nogil:
    """A track came to an eye in its place and of its length, which neither neighbour has: a proof."""
    cdef const Track* track = &s.tracks[t]
    if s.belts[track.belt].n_unproved > 0 and s.eyes[e].may_prove:
        if not is_alike(s, t, track.ahead, e) and not is_alike(s, t, track.behind, e):
            s.belts[track.belt].n_unproved -= 1


cdef inline void disprove_counter(State* s, int b) noexcept nogil:
    """Somebody came to an eye, or did not, against the count."""
    if s.belts[b].n_unproved > 0:
        s.belts[b].n_unproved = N_PROOFS
