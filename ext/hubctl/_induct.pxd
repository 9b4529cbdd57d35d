"""Inducts held and released: by room on the belt, by the machine's state, by whoever asks for it."""

from libc.stdint cimport int32_t, int64_t

from hubctl._machine cimport is_executing
from hubctl._records cimport HOLD_INDUCT, Record
from hubctl._state cimport NOBODY, Induct, State, Track, say
from hubctl._tables cimport Eye
from hubctl._transfer cimport follower


cdef inline void ask_hold(State* s, int b, int why, bint is_so) noexcept nogil:
    """Holds every induct of belt `b` for a reason (a bit of HoldReason), or no longer for that one."""
    if is_so:
        s.drives[b].hold_reasons |= why
    else:
        s.drives[b].hold_reasons &= ~why


cdef inline bint is_clear_between(const State* s, int b, int64_t from_counts, int64_t to_counts) noexcept nogil:
    """Whether no track covers any of the belt between two places (from upstream to downstream)."""
    cdef int64_t counts = s.belts[b].counts
    cdef int32_t behind = follower(s, b, counts - to_counts, to_counts)
    cdef int32_t ahead = s.belts[b].last if behind == NOBODY else s.tracks[behind].ahead
    cdef const Track* track
    if behind != NOBODY and counts - s.tracks[behind].origin_counts > from_counts:
        return False
    if ahead == NOBODY:
        return True
    track = &s.tracks[ahead]
    return track.length_counts >= 0 and counts - track.origin_counts - track.length_counts > to_counts


cdef inline bint has_room(const State* s, int e) noexcept nogil:
    """Whether the longest parcel, launched now at an induct eye, comes down with a gap on each side."""
    cdef const Eye* eye = &s.eye_table[e]
    cdef int64_t front = eye.at_counts - eye.merge_counts + eye.merge_gap_counts
    cdef int64_t length = s.belt_table[eye.belt].parcel_counts_max
    return is_clear_between(s, eye.belt, front - length - 2 * eye.merge_gap_counts, front)


cdef inline void run_induct(State* s, Induct* induct) noexcept nogil:
    cdef int b = s.eye_table[induct.eye].belt
    cdef bint is_held = not is_executing(s) or s.drives[b].n_halts > 0 or s.drives[b].hold_reasons != 0
    cdef Record* record
    is_held = is_held or not has_room(s, induct.eye)
    if induct.told == is_held:
        return
    induct.told = is_held
    record = say(s, HOLD_INDUCT, 0)
    record.device = induct.eye
    record.value = is_held


cdef inline void run_inducts(State* s) noexcept nogil:
    """Every induct that an output holds: few of a hub, and each looks at the two tracks next to its place."""
    cdef int i
    for i in range(s.head.n_inducts):
        run_induct(s, &s.inducts[i])
