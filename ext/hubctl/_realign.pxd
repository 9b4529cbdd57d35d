"""Re-alignment: a parcel that slipped further than its window is known again by its order and its length.

An eye has missed a track, and beside it has seen a stray: these are one parcel if the stray is no further off than the
eye re-aligns, as long as the track, and nobody else within that reach could be it; and if the parcel ahead was
seen where it should be, so that the order holds. Then the stray was none, and the track goes on from where it was
seen. If any of this is in doubt the track is lost and the stray stays unknown: of two that could be it, neither is.
"""

from libc.stdint cimport int32_t, int64_t

from hubctl._choice cimport close_track
from hubctl._records cimport REMOVED_PARCEL, UNEXPECTED
from hubctl._state cimport FIRED_TRACK, LABELLED, NOBODY, STRAY, SUSPECT, UNPROVED, EyeState, State, Track
from hubctl._unproved cimport acquit, eye_after, pass_eye, recall, resume
from hubctl._window cimport say_seen


cdef inline bint is_within(int64_t a, int64_t b, int64_t most) noexcept nogil:
    return -most <= a - b <= most


cdef inline bint was_missed_only_at(const State* s, const Track* track, int e) noexcept nogil:
    """Whether eye `e` did not see a track, or has just not, that every eye before has seen, and none further down yet."""
    if track.marks & UNPROVED:
        return track.missed_eye == e and track.next_eye == eye_after(s, e)
    return track.next_eye == e


cdef inline bint was_seen_at(const Track* track, int e) noexcept nogil:
    return track.next_eye > e and not track.marks & UNPROVED and track.state != FIRED_TRACK


cdef inline bint could_be(const State* s, const Track* track, const Track* stray, int e) noexcept nogil:
    """Whether a track that eye `e` has not seen could be a stray by its place and length."""
    if was_seen_at(track, e) or not is_within(stray.origin_counts, track.origin_counts, s.eye_table[e].realign_counts):
        return False
    return track.length_counts < 0 or is_within(stray.length_counts, track.length_counts, s.eye_table[e].length_window_counts)


cdef inline bint could_be_another(const State* s, int32_t t, int32_t stray, int e) noexcept nogil:
    """Whether anybody but track `t` could be a stray."""
    cdef const Track* seen = &s.tracks[stray]
    cdef int64_t reach = s.eye_table[e].realign_counts
    cdef int32_t other = seen.ahead
    while other != NOBODY and seen.origin_counts - s.tracks[other].origin_counts <= reach:
        if other != t and could_be(s, &s.tracks[other], seen, e):
            return True
        other = s.tracks[other].ahead
    other = seen.behind
    while other != NOBODY and s.tracks[other].origin_counts - seen.origin_counts <= reach:
        if other != t and could_be(s, &s.tracks[other], seen, e):
            return True
        other = s.tracks[other].behind
    return False


cdef inline bint is_plain_stray(const State* s, int32_t t, int e) noexcept nogil:
    """Whether all that is known of a track is that eye `e` has seen it, whole, and expected nobody."""
    cdef const Track* track = &s.tracks[t]
    if not track.marks & STRAY or track.marks & (LABELLED | SUSPECT | UNPROVED) or track.doubt != 0:
        return False
    return track.reason == UNEXPECTED and track.length_counts >= 0 and track.next_eye == eye_after(s, e)


cdef inline bint keeps_order(const State* s, int32_t t, int32_t stray, int e) noexcept nogil:
    """Whether nobody is between a track and a stray, and the one ahead of both was seen."""
    cdef int32_t ahead
    if s.tracks[stray].ahead != t and s.tracks[stray].behind != t:
        return False
    ahead = s.tracks[t].ahead if s.tracks[stray].ahead == t else s.tracks[stray].ahead
    return ahead == NOBODY or not s.tracks[ahead].marks & UNPROVED


cdef inline bint is_known_again(const State* s, int32_t t, int32_t stray, int e) noexcept nogil:
    """Whether a stray at eye `e` is certainly track `t`, which it has missed."""
    cdef const Track* track = &s.tracks[t]
    if s.eye_table[e].realign_counts == 0 or s.eyes[e].blind or s.eyes[e].chatters:
        return False
    if track.marks & STRAY or track.state == FIRED_TRACK or track.length_counts < 0:
        return False
    if not is_plain_stray(s, stray, e) or not was_missed_only_at(s, track, e):
        return False
    if not could_be(s, track, &s.tracks[stray], e) or not keeps_order(s, t, stray, e):
        return False
    return not could_be_another(s, t, stray, e)


cdef inline void know_again(State* s, int32_t t, int32_t stray, int e) noexcept nogil:
    """The stray is track `t`: sorted on from there."""
    cdef Track* track = &s.tracks[t]
    cdef EyeState* eye = &s.eyes[e]
    cdef int64_t counts = s.tracks[stray].origin_counts + s.eye_table[e].at_counts
    cdef int64_t error_counts = s.tracks[stray].origin_counts - track.origin_counts
    cdef bint is_last = eye.last == stray
    close_track(s, stray, UNEXPECTED, REMOVED_PARCEL)
    say_seen(s, t, e, counts, error_counts, s.eye_table[e].realign_counts)
    recall(s, t)
    if track.next_eye == e:
        pass_eye(s, t, e)
    track.origin_counts += error_counts
    track.seen_counts = s.eye_table[e].at_counts
    track.marks &= ~UNPROVED
    acquit(s, e)
    if is_last:
        eye.last = t
        eye.is_measured = False
        eye.is_opener = False
    resume(s, t)


cdef inline bint realign(State* s, int32_t t, int32_t stray, int e) noexcept nogil:
    """Whether missed track `t` is known again in a stray: then it is where that was seen."""
    if t == NOBODY or stray == NOBODY or not is_known_again(s, t, stray, e):
        return False
    know_again(s, t, stray, e)
    return True
