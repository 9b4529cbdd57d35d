"""Pressed together: parcels that a jam holds up run into each other, and no eye has to see it.

What eyes do show: one is jammed, or the one ahead was not seen at it and it has not been clear since, so all who come
up to it may stand there, or have stood; or a footprint does not end where its parcel does, so somebody follows
without a gap. Nothing fires then.
Who passes an eye that a jam covers, or one that has missed several in a row, may be anybody of those behind it: it is
diverted no more, unless its label is read beyond. Such an eye is in step again once some in a row come to it where
they should.
"""

from libc.stdint cimport int32_t, int64_t, uint16_t, uint64_t

from hubctl._records cimport NO_INDEX
from hubctl._state cimport LABELLED, MAY_BE_ANOTHER, N_ASTRAY, N_STEPS, NOBODY, UNPROVED, State, Track
from hubctl._tables cimport Belt


cdef inline bint is_blocked_too_long(const State* s, int e) noexcept nogil:
    """Whether an eye is still blocked when whoever blocked it should have left it."""
    cdef int32_t t = s.eyes[e].under
    cdef const Belt* belt = &s.belt_table[s.eye_table[e].belt]
    cdef int64_t length_counts = belt.parcel_counts_max
    if not s.eyes[e].blocked:
        return False
    if t != NOBODY and s.tracks[t].length_counts >= 0:
        length_counts = s.tracks[t].length_counts + s.eye_table[e].length_window_counts
    return s.belts[s.eye_table[e].belt].counts - s.eyes[e].blocked_counts > length_counts


cdef inline bint is_held_up(const State* s, int32_t t) noexcept nogil:
    """Whether track `t` may stand, or have stood, behind others at the eye that it comes to."""
    cdef const Track* track = &s.tracks[t]
    cdef uint16_t e = track.next_eye
    if e == NO_INDEX:
        return False
    if s.eyes[e].jammed or track.origin_counts + track.seen_counts <= s.eyes[e].jam_counts or is_blocked_too_long(s, e):
        return True
    if track.ahead == NOBODY or not s.tracks[track.ahead].marks & UNPROVED:
        return False
    return s.tracks[track.ahead].missed_eye == e and s.eyes[e].blocked


cdef inline bint is_followed_closely(const State* s, int32_t t) noexcept nogil:
    """Whether an eye is still blocked where track `t` should have left it."""
    cdef int e
    for e in range(s.head.n_eyes):
        if s.eyes[e].under == t and s.eyes[e].blocked:
            return is_blocked_too_long(s, e)
    return False


cdef inline bint is_pressed(const State* s, int32_t t) noexcept nogil:
    """Whether track `t` may touch a neighbour."""
    return is_held_up(s, t) or is_followed_closely(s, t)


cdef inline bint may_be_another(const Track* track) noexcept nogil:
    return track.marks & MAY_BE_ANOTHER


cdef inline void fall_out_of_step(State* s, int e) noexcept nogil:
    """Eye `e` did not see a track."""
    s.eyes[e].n_missed += 1
    if s.eyes[e].n_missed >= N_ASTRAY:
        s.eyes[e].n_steps_owed = N_STEPS


cdef inline void meet_stranger(State* s, int e) noexcept nogil:
    """Eye `e` saw somebody whom it did not expect."""
    if s.eyes[e].n_steps_owed > 0:
        s.eyes[e].n_steps_owed = N_STEPS


cdef inline bint is_close_behind_jam(const State* s, int e, int64_t counts) noexcept nogil:
    """Whether an edge comes so soon after a jam of its eye that those who stood there are close ahead, wherever they were sent."""
    return counts <= s.eyes[e].jam_counts + s.belt_table[s.eye_table[e].belt].parcel_counts_max


cdef inline void keep_step(State* s, Track* track, int e, int64_t counts) noexcept nogil:
    """Eye `e` saw a track where it should be."""
    s.eyes[e].n_missed = 0
    if s.eyes[e].n_steps_owed > 0:
        s.eyes[e].n_steps_owed -= 1
    if s.eyes[e].n_steps_owed > 0 or is_close_behind_jam(s, e, counts):
        track.marks |= MAY_BE_ANOTHER


cdef inline void know_by_label(Track* track, uint64_t identity) noexcept nogil:
    """Whoever came by the jam, this label is on it."""
    if not track.marks & LABELLED or track.identity == identity:
        track.marks &= ~MAY_BE_ANOTHER
