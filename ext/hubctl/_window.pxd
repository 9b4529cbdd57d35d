"""How far off an edge may come and still be the expected parcel's: the eye's window, or half the gap to a neighbour."""

from libc.stdint cimport int32_t, int64_t

from hubctl._records cimport SEEN, UNSEEN, Record
from hubctl._state cimport COMES_OVER, NOBODY, UNPROVED, State, Track, say


cdef inline int64_t least(int64_t a, int64_t b) noexcept nogil:
    return a if a < b else b


cdef inline int64_t expected_counts(const State* s, int32_t t, int e) noexcept nogil:
    return s.tracks[t].origin_counts + s.eye_table[e].at_counts


cdef inline int64_t greater(int64_t a, int64_t b) noexcept nogil:
    return a if a > b else b


cdef inline bint is_behind_blind(const State* s, const Track* track) noexcept nogil:
    """Whether a track comes from an eye that is known to be blind: it may have slipped for twice as long."""
    return track.marks & UNPROVED and s.eyes[track.missed_eye].blind


cdef inline int64_t latest(const State* s, const Track* track, int e) noexcept nogil:
    """How much too late a track may come to an eye by the hub file: later when it comes from another belt or a blind eye."""
    cdef int64_t window = s.eye_table[e].window_counts
    if is_behind_blind(s, track):
        window += s.eye_table[track.missed_eye].window_counts
    if track.marks & COMES_OVER:
        window = greater(window, s.belt_table[track.belt].transfer_window_counts)
    return window


cdef inline int64_t earliest(const State* s, const Track* track, int e) noexcept nogil:
    """How much too early it may come."""
    cdef int64_t window = s.eye_table[e].window_before_counts
    if is_behind_blind(s, track):
        window += s.eye_table[track.missed_eye].window_before_counts
    if track.marks & COMES_OVER:
        window = greater(window, s.belt_table[track.belt].transfer_window_counts)
    return window


cdef inline int64_t half_gap(const State* s, int32_t t) noexcept nogil:
    """Half the gap to the nearer neighbour, counts."""
    cdef const Track* track = &s.tracks[t]
    cdef int64_t gap = <int64_t>1 << 62
    if track.ahead != NOBODY:
        gap = track.origin_counts - s.tracks[track.ahead].origin_counts - s.tracks[track.ahead].length_counts
    if track.behind != NOBODY:
        gap = least(gap, s.tracks[track.behind].origin_counts - track.origin_counts - track.length_counts)
    return gap // 2 if gap > 0 else 0


cdef inline int64_t window_for(const State* s, int32_t t, int e, int64_t error_counts) noexcept nogil:
    """The window on the side of an error."""
    cdef const Track* track = &s.tracks[t]
    return least(latest(s, track, e) if error_counts >= 0 else earliest(s, track, e), half_gap(s, t))


cdef inline bint is_in_window(const State* s, int32_t t, int e, int64_t counts) noexcept nogil:
    cdef int64_t error = counts - expected_counts(s, t, e)
    return (error if error >= 0 else -error) <= window_for(s, t, e, error)


cdef inline void say_seen(
    State* s, int32_t t, int e, int64_t counts, int64_t error_counts, int64_t window_counts
) noexcept nogil:
    """Track `t` came to an eye so much too late, within a window."""
    cdef Record* record = say(s, SEEN, s.tracks[t].parcel)
    record.device = e
    record.counts = counts
    record.limit = window_counts
    record.error_um = <int>(error_counts * 1000000 // s.belt_table[s.eye_table[e].belt].counts_per_m)


cdef inline void say_unseen(State* s, int32_t t, int e) noexcept nogil:
    """An eye did not see track `t` in its window."""
    cdef Record* record = say(s, UNSEEN, s.tracks[t].parcel)
    record.device = e
    record.limit = window_for(s, t, e, 1)
    record.counts = expected_counts(s, t, e) + record.limit
