"""Counters that stood still at once: the belt stopped as no belt does, or its counter failed for a while.

Only parcels that come to eyes tell the two apart. Till then nobody who was on the belt before is diverted:
N_PROOFS of them in a row that come where the count says clear it.
"""

from hubctl._motion cimport N_PROOFS
from hubctl._state cimport State, Track


cdef inline bint is_in_doubt(const State* s, const Track* track) noexcept nogil:
    """Whether a track may be elsewhere than the count of its belt says."""
    if s.belts[track.belt].n_unproved == 0:
        return False
    return track.origin_counts + track.from_counts <= s.belts[track.belt].stood_counts


cdef inline void prove_counter(State* s, const Track* track) noexcept nogil:
    """A track came to an eye in its place: a proof, if it was seen before the counter stood."""
    if s.belts[track.belt].n_unproved > 0:
        if track.origin_counts + track.seen_counts <= s.belts[track.belt].stood_counts:
            s.belts[track.belt].n_unproved -= 1


cdef inline void disprove_counter(State* s, int b) noexcept nogil:
    """Somebody came to an eye, or did not, against the count."""
    if s.belts[b].n_unproved > 0:
        s.belts[b].n_unproved = N_PROOFS
