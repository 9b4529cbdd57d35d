"""Opening tracks: at an induct eye, or where an eye sees somebody whom it did not expect."""

from libc.stdint cimport int32_t, int64_t, uint16_t

from hubctl._choice cimport assign, route
from hubctl._identity cimport hold_number
from hubctl._order cimport say_used_up, take_track
from hubctl._records cimport NO_INDEX, NO_READ, OPENED, TIMED, UNEXPECTED_TRACK, Record
from hubctl._state cimport BARRED, NOBODY, ON_BELT, STRAY, State, Track, say
from hubctl._tables cimport Eye
from hubctl._transfer cimport enter, follower


cdef inline int32_t open_track(State* s, int b, int64_t origin_counts, int64_t from_counts, int32_t behind) noexcept nogil:
    """A new track on a belt from a place on, just ahead of `behind`; NOBODY (and an alarm) when every track is in use."""
    cdef int32_t t = take_track(s)
    cdef Track* track
    if t == NOBODY:
        say_used_up(s, b)
        return NOBODY
    track = &s.tracks[t]
    track.parcel = s.head.next_parcel
    s.head.next_parcel += 1
    hold_number(s, t)
    track.origin_counts = origin_counts
    track.length_counts = -1
    track.opened_ns = s.now_ns
    track.chute = NO_INDEX
    track.exit = NO_INDEX
    track.said_chute = NO_INDEX
    track.lane = -1
    track.state = ON_BELT
    track.reason = NO_READ
    enter(s, t, b, origin_counts, from_counts, behind)
    return t


cdef inline void say_opened(State* s, int32_t t, uint16_t device, int64_t counts) noexcept nogil:
    cdef Record* record = say(s, OPENED, s.tracks[t].parcel)
    record.device = device
    record.counts = counts
    if s.tracks[t].marks & STRAY:
        record.flags |= UNEXPECTED_TRACK
    if s.belt_table[s.tracks[t].belt].encoder_node == NO_INDEX:
        record.flags |= TIMED


cdef inline int32_t induct(State* s, int e, int64_t counts) noexcept nogil:
    cdef const Eye* eye = &s.eye_table[e]
    cdef int64_t origin_counts = counts - eye.at_counts
    cdef int32_t behind = follower(s, eye.belt, origin_counts, eye.at_counts)
    cdef int32_t t = open_track(s, eye.belt, origin_counts, eye.at_counts, behind)
    if t == NOBODY:
        return NOBODY
    say_opened(s, t, e, counts)
    route(s, t, NO_READ)
    return t


cdef inline int32_t open_stray(State* s, int e, int64_t counts, int32_t behind, uint16_t reason) noexcept nogil:
    """Somebody whom this eye did not expect: followed to the belt's end, never diverted."""
    cdef const Eye* eye = &s.eye_table[e]
    cdef int32_t t = open_track(s, eye.belt, counts - eye.at_counts, eye.at_counts, behind)
    if t == NOBODY:
        return NOBODY
    s.tracks[t].marks = STRAY | BARRED
    s.tracks[t].from_counts = 0  # it may have been on the belt for long
    say_opened(s, t, e, counts)
    assign(s, t, s.belt_table[eye.belt].end_chute, reason)
    return t
