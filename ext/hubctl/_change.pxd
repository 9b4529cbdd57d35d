"""A person's or the host's word about a parcel that travels: go there instead; this label is on a list.

Until the commit point a wish is done at once; it is answered with what was left of the belt, or why not and by
how much it came too late. A wish that cannot be done changes nothing.
"""

from libc.stdint cimport int32_t, int64_t, uint16_t, uint64_t
from libc.string cimport memcpy

from hubctl._carriers cimport can_be_routed, is_loop
from hubctl._choice cimport assign, begin_anew, candidate_refusal, commit_counts_at, find_lane, route, take_lane
from hubctl._doubt cimport understand
from hubctl._identity cimport NO_PLAN_IDENTITY, track_of, track_of_parcel
from hubctl._laps cimport leave_round
from hubctl._lists cimport listed_reason, put_on_list, take_off_list
from hubctl._lookup cimport Reading
from hubctl._records cimport (
    ANSWERED,
    LISTED,
    MISSED_WINDOW,
    NO_INDEX,
    NO_LANE,
    NONE,
    OK,
    UNEXPECTED,
    Record,
)
from hubctl._state cimport (
    BARRED,
    CODED_LABEL,
    DIRECTED,
    LABELLED,
    NOBODY,
    ON_BELT,
    ROUTED,
    STRAY,
    State,
    Track,
    say,
)
from hubctl._tables cimport STATION


cdef inline int64_t mm_left(const State* s, const Track* track) noexcept nogil:
    """Belt from a track to the commit point of its exit, or to the belt's end; below 0: past it."""
    cdef int64_t counts = track.origin_counts + s.belt_table[track.belt].length_counts
    if s.belt_table[track.belt].kind == STATION or track.exit == NO_INDEX:
        return 0
    if s.chute_table[track.exit].diverter != NO_INDEX:
        counts = commit_counts_at(s, track, track.exit)
    return (counts - s.belts[track.belt].counts) * 1000 // s.belt_table[track.belt].counts_per_m


cdef inline uint16_t wish_refusal(const State* s, const Track* track) noexcept nogil:
    """Why nobody may send a parcel elsewhere now; NONE if it may be done."""
    cdef uint16_t listed = listed_reason(s, track.identity) if track.marks & LABELLED else <uint16_t>NONE
    if track.marks & STRAY:
        return UNEXPECTED
    if track.state != ON_BELT and track.state != ROUTED:
        return MISSED_WINDOW
    return track.reason if track.marks & BARRED else listed


cdef inline uint16_t direct(State* s, int32_t t, uint16_t chute) noexcept nogil:
    cdef Track* track = &s.tracks[t]
    cdef uint16_t reason = NONE
    if not is_loop(s, track.belt) or can_be_routed(s, track):
        reason = candidate_refusal(s, track, NULL, chute, MISSED_WINDOW)
    if reason != NONE:
        return reason
    track.marks |= DIRECTED
    track.directed = chute
    route(s, t, MISSED_WINDOW)
    return OK


cdef inline uint16_t give_lane(State* s, int32_t t, int32_t lane) noexcept nogil:
    """Sends track `t` by a lane if one of its chutes takes it; else all is as it was."""
    cdef Track* track = &s.tracks[t]
    cdef Track before = track[0]
    cdef int chute
    cdef uint16_t reason
    begin_anew(track)
    track.lane = lane
    track.plan = s.plan.version
    if is_loop(s, track.belt) and not can_be_routed(s, track):
        track.marks |= CODED_LABEL
        return OK
    chute = take_lane(s, t, MISSED_WINDOW)
    if chute < 0:
        reason = track.first_skip
        track[0] = before
        return reason
    leave_round(s, t)
    track.marks |= CODED_LABEL
    track.marks &= ~DIRECTED
    assign(s, t, chute, OK)
    return OK


cdef inline bint names_lane(const State* s, const Record* input) noexcept nogil:
    """Whether a lane is named, and by its number in the plan of now."""
    return input.plan == s.plan.version and 0 <= input.value < s.plan.n_lanes


cdef inline uint16_t change_route(State* s, int32_t t, const Record* input) noexcept nogil:
    """Sends track `t` to a chute, or by a lane if none is named.

    Returns OK, or why it goes where it went before: MISSED_WINDOW is too late, NO_LANE is no lane of the plan of now.
    """
    cdef uint16_t reason = wish_refusal(s, &s.tracks[t])
    if reason != NONE:
        return reason
    if input.chute != NO_INDEX:
        return direct(s, t, input.chute)
    return give_lane(s, t, <int32_t>input.value) if names_lane(s, input) else <uint16_t>NO_LANE


cdef inline void take_change(State* s, const Record* input) noexcept nogil:
    """A wish, and its answer."""
    cdef int32_t t = track_of_parcel(s, input.parcel)
    cdef int64_t left = 0 if t == NOBODY else mm_left(s, &s.tracks[t])
    cdef uint16_t reason = UNEXPECTED if t == NOBODY else change_route(s, t, input)
    cdef Record* record = say(s, ANSWERED, input.parcel)
    record.seq = input.seq
    record.reason = reason
    record.value = left


cdef inline void reconsider(State* s, int32_t t) noexcept nogil:
    """Track `t`'s label came onto a list or off it: that counts at once, unless its divert is committed."""
    cdef Track* track = &s.tracks[t]
    if track.marks & (STRAY | BARRED) or (track.state != ON_BELT and track.state != ROUTED):
        return
    begin_anew(track)
    if s.plan.version:
        find_lane(s, t)
        track.plan = s.plan.version
    route(s, t, MISSED_WINDOW)


cdef inline bint keep_list(State* s, uint64_t identity, const Record* input) noexcept nogil:
    """Whether a label is listed as it is told."""
    if identity <= NO_PLAN_IDENTITY:
        return False
    return put_on_list(s, identity, input.reason) if input.value else take_off_list(s, identity)


cdef inline void take_list(State* s, const Record* input) noexcept nogil:
    """A label is put on a list or taken off it; a parcel that carries it is sent elsewhere at once."""
    cdef Reading reading
    cdef Record* record
    cdef int32_t t
    understand(s, input, &reading)
    t = track_of(s, reading.identity)
    record = say(s, LISTED, 0 if t == NOBODY else s.tracks[t].parcel)
    record.reason = input.reason
    record.value = -1
    record.n_text = input.n_text
    memcpy(record.text, input.text, sizeof(record.text))
    if keep_list(s, reading.identity, input):
        record.value = input.value != 0
        if t != NOBODY:
            reconsider(s, t)
