"""Footprints: what one parcel leaves at an eye, from its leading edge to its trailing edge.

Belt travel tells what a raw edge is worth. A gap shorter than the eye's debounce length is none, unless the next
parcel is due there; a footprint that stays shorter was a blip, and what the kernel made of it is undone. An eye that
does so again and again chatters. When each side of a gap at the induct is as long as a parcel, these may be two that
nearly touch: nothing fires until another eye has seen them whole, and if it sees two as well, they are two.

A footprint's length proves or disproves whose it is. Shorter than the parcel: either it is another one, or two that
touched have come apart, and then the second follows before the first's old trailing edge. Longer: another one, or two
or more that have come together, and then it ends where the last of them was to end. Of those that touch, or touched,
nobody knows which a diverter would move: all go to the exception. Until the eye is sure nothing fires for the parcel.
"""

from libc.stdint cimport int32_t, int64_t

from hubctl._choice cimport arm_timer, bar, close_track
from hubctl._drift cimport note_error
from hubctl._health cimport say_alarm
from hubctl._motion cimport planning_speed, travel
from hubctl._opening cimport open_stray
from hubctl._realign cimport realign
from hubctl._records cimport (
    ALARM_EYE_CHATTERS,
    LOST,
    LOST_PARCEL,
    MEASURED,
    MULTI_PARCEL,
    NO_COUNTS,
    OVERSIZE,
    REMOVED_PARCEL,
    UNEXPECTED,
)
from hubctl._state cimport (
    BLIP,
    CERTAIN,
    COMES_OVER,
    FIRED_TRACK,
    N_CALM,
    N_CHATTERS,
    NOBODY,
    ON_BELT,
    ROUTED,
    SHORT,
    STRAY,
    UNPROVED,
    EyeState,
    State,
    Track,
    say,
)
from hubctl._standing cimport disprove_counter, prove_counter
from hubctl._tables cimport INDUCT, Eye
from hubctl._unproved cimport eye_after, lose_displaced, pass_eye, prove, recall, resume
from hubctl._window cimport earliest, expected_counts, is_in_window, latest, say_seen, window_for

cdef enum:
    N_TOGETHER = 8  # parcels in one footprint that are told apart

cdef inline void measure(State* s, int32_t t, int64_t length_counts) noexcept nogil:
    """The trailing edge at the first eye gives the length; too long a parcel is not diverted."""
    cdef Track* track = &s.tracks[t]
    cdef bint is_too_long = length_counts > s.belt_table[track.belt].parcel_counts_max
    track.length_counts = length_counts
    say(s, MEASURED, track.parcel).value = length_counts
    if is_too_long and not track.marks & STRAY:
        bar(s, t, OVERSIZE)
    elif track.state == ON_BELT or track.state == ROUTED:
        arm_timer(s, t)


# Chatter


cdef inline void note_chatter(State* s, int e) noexcept nogil:
    cdef EyeState* eye = &s.eyes[e]
    eye.n_clean = 0
    eye.n_chatters += 1
    if eye.n_chatters >= N_CHATTERS:
        say_alarm(s, &eye.chatters, True, ALARM_EYE_CHATTERS, e)


cdef inline void note_clean(State* s, int e) noexcept nogil:
    """A footprint without a gap; after N_CALM of them the eye is calm again."""
    cdef EyeState* eye = &s.eyes[e]
    if eye.is_joined or eye.n_chatters == 0:
        return
    eye.n_clean += 1
    if eye.n_clean >= N_CALM:
        eye.n_chatters = 0
        eye.n_clean = 0
        say_alarm(s, &eye.chatters, False, ALARM_EYE_CHATTERS, e)


cdef inline bint is_next_due(const State* s, int e, int64_t counts) noexcept nogil:
    """Whether an edge fits the next parcel that the eye expects."""
    return s.eyes[e].expected != NOBODY and is_in_window(s, s.eyes[e].expected, e, counts)


cdef inline bint goes_on(const State* s, int e, int64_t counts) noexcept nogil:
    """Whether a leading edge comes too soon after a trailing one to be another parcel's."""
    cdef const EyeState* eye = &s.eyes[e]
    if not eye.is_fresh or counts - eye.cleared_counts > s.eye_table[e].debounce_counts:
        return False
    return not is_next_due(s, e, counts)


cdef inline void join(State* s, int e, int64_t counts) noexcept nogil:
    """The footprint goes on, and with it the parcel that has left it."""
    cdef EyeState* eye = &s.eyes[e]
    eye.under = eye.last
    eye.last = NOBODY
    eye.doubt = CERTAIN
    eye.whole_counts = NO_COUNTS
    eye.is_joined = True
    eye.piece_counts = counts
    if eye.under != NOBODY and eye.is_measured:
        s.tracks[eye.under].length_counts = -1
    note_chatter(s, e)


cdef inline void begin_footprint(State* s, int e, int64_t counts) noexcept nogil:
    cdef EyeState* eye = &s.eyes[e]
    eye.blocked_counts = counts
    eye.under = NOBODY
    eye.last = NOBODY
    eye.is_fresh = False
    eye.is_joined = False
    eye.n_pieces = 0
    eye.piece_counts = counts
    eye.is_measured = False
    eye.is_opener = False


cdef inline void doubt(State* s, int32_t t, int e, int what, int64_t until_counts) noexcept nogil:
    """Track `t` is not diverted until the eye is sure of its footprint, at the latest at a count and its telling."""
    cdef Track* track = &s.tracks[t]
    cdef int b = track.belt
    s.eyes[e].doubt = what
    s.eyes[e].due_counts = until_counts + travel(planning_speed(s, b), s.belt_table[b].told_late_ns)
    recall(s, t)
    if not track.marks & UNPROVED:
        track.marks |= UNPROVED
        track.missed_eye = e
    arm_timer(s, t)


cdef inline void unsee(State* s, int32_t t, int e) noexcept nogil:
    """It was not track `t` that the eye saw: it is expected there again, where it was."""
    cdef EyeState* eye = &s.eyes[e]
    cdef Track* track = &s.tracks[t]
    track.origin_counts -= eye.error_counts
    track.seen_counts -= eye.run_counts
    track.next_eye = e
    eye.expected = t
    if eye.came_over:
        track.marks |= COMES_OVER
    if track.missed_eye == e:
        track.marks &= ~UNPROVED
        resume(s, t)
    arm_timer(s, t)


cdef inline void withdraw(State* s, int32_t t, int e) noexcept nogil:
    """The footprint was a blip: who was thought to have left it did not, or is nobody."""
    note_chatter(s, e)
    if s.eyes[e].is_opener:
        close_track(s, t, UNEXPECTED, REMOVED_PARCEL)
    elif s.tracks[t].next_eye == eye_after(s, e):
        unsee(s, t, e)


# Length


cdef inline void disown(State* s, int32_t t, int e, int64_t length_counts) noexcept nogil:
    """What passed in the place of track `t` has another length: `t` is lost, and a stranger is on the belt."""
    cdef int32_t behind = s.tracks[t].behind
    cdef int64_t counts = s.eyes[e].blocked_counts
    disprove_counter(s, s.eye_table[e].belt)
    close_track(s, t, LOST, LOST_PARCEL)
    t = open_stray(s, e, counts, behind, UNEXPECTED)
    if t != NOBODY:
        measure(s, t, length_counts)


cdef inline void come_apart(State* s, int32_t t, int e) noexcept nogil:
    """Track `t` was two that touched: what the eye has seen is the first of them."""
    s.tracks[t].marks &= ~UNPROVED
    measure(s, t, s.eyes[e].cleared_counts - s.eyes[e].blocked_counts)
    bar(s, t, MULTI_PARCEL)


cdef inline bint ends_with(const State* s, int32_t t, int e, int64_t counts) noexcept nogil:
    """Whether a longer footprint's trailing edge is where that of track `t`, still to be seen at the eye, is expected."""
    cdef const Track* track = &s.tracks[t]
    cdef bint is_missed = track.marks & UNPROVED and track.missed_eye == e
    cdef int64_t error = counts - expected_counts(s, t, e) - track.length_counts
    if track.length_counts < 0 or track.state == FIRED_TRACK or not (is_missed or track.next_eye == e):
        return False
    if counts - s.eyes[e].blocked_counts <= track.length_counts:
        return False
    return -earliest(s, track, e) <= error <= latest(s, track, e)


cdef inline bint is_missed_beyond(const State* s, int32_t t, int e) noexcept nogil:
    """Whether an eye further down the belt did not see track `t` before this one was done with it."""
    cdef const Eye* missed = &s.eye_table[s.tracks[t].missed_eye]
    if not s.tracks[t].marks & UNPROVED or missed.belt != s.eye_table[e].belt:
        return False
    return missed.at_counts > s.eye_table[e].at_counts


cdef inline void bar_as_one(State* s, int32_t t) noexcept nogil:
    recall(s, t)
    bar(s, t, MULTI_PARCEL)


cdef inline int32_t last_within(const State* s, int32_t t, int e, int64_t counts) noexcept nogil:
    """Of track `t` and those behind it, the one with whose trailing edge a footprint ends; NOBODY if with none's."""
    cdef int k
    for k in range(N_TOGETHER):
        if t == NOBODY or ends_with(s, t, e, counts):
            return t
        t = s.tracks[t].behind
    return NOBODY


cdef inline int64_t be_within(State* s, int32_t t, int e, int64_t counts) noexcept nogil:
    """Track `t` lies in another's footprint, its trailing edge at a count; where its leading edge is."""
    cdef Track* track = &s.tracks[t]
    cdef int64_t place = counts - (track.length_counts if track.length_counts > 0 else 0)
    cdef int64_t error_counts = place - expected_counts(s, t, e)
    if track.state == FIRED_TRACK:
        return counts
    say_seen(s, t, e, place, error_counts, window_for(s, t, e, error_counts))
    if track.next_eye == e:
        pass_eye(s, t, e)
    track.origin_counts += error_counts
    track.seen_counts = s.eye_table[e].at_counts
    track.marks &= ~UNPROVED
    return place


cdef inline void come_together(State* s, int32_t t, int32_t last, int e, int64_t counts) noexcept nogil:
    """Track `t` and those behind it down to `last` have left one footprint, which ends at a count."""
    cdef int32_t other = last
    while other != t:
        counts = be_within(s, other, e, counts)
        other = s.tracks[other].ahead
    if not is_missed_beyond(s, t, e):
        s.tracks[t].marks &= ~UNPROVED
    bar_as_one(s, t)
    while other != last:
        other = s.tracks[other].behind
        bar_as_one(s, other)
        arm_timer(s, other)


cdef inline void be_too_long(State* s, int32_t t, int e, int64_t counts) noexcept nogil:
    cdef int32_t last = last_within(s, s.tracks[t].behind, e, counts)
    if last == NOBODY:
        disown(s, t, e, counts - s.eyes[e].blocked_counts)
    else:
        come_together(s, t, last, e, counts)


cdef inline void be_too_short(State* s, int32_t t, int e, int64_t counts) noexcept nogil:
    """The rest may follow, up to where its trailing edge was to be."""
    cdef int64_t whole_counts = s.eyes[e].blocked_counts + s.tracks[t].length_counts
    s.eyes[e].whole_counts = whole_counts
    if whole_counts < counts + s.eye_table[e].debounce_counts:
        whole_counts = counts + s.eye_table[e].debounce_counts
    doubt(s, t, e, SHORT, whole_counts)


cdef inline bint may_be_two(const State* s, int32_t t) noexcept nogil:
    """Whether track `t` left two pieces at its induct eye, and nobody has seen it whole."""
    return s.tracks[t].marks & UNPROVED and s.eye_table[s.tracks[t].missed_eye].role == INDUCT


cdef inline void be_first_measured(State* s, int32_t t, int e, int64_t length_counts) noexcept nogil:
    cdef Track* track = &s.tracks[t]
    s.eyes[e].is_measured = True
    measure(s, t, length_counts)
    if track.missed_eye == e:
        track.marks &= ~UNPROVED
    if track.marks & STRAY:
        if not realign(s, track.ahead, t, e):
            lose_displaced(s, t, e)
    elif s.eyes[e].n_pieces > 1 and s.eye_table[e].role == INDUCT:
        recall(s, t)
        track.marks |= UNPROVED
        track.missed_eye = e
    note_clean(s, e)


cdef inline void be_as_long(State* s, int32_t t, int e) noexcept nogil:
    """The footprint has track `t`'s length."""
    prove_counter(s, t, e)
    note_error(s, e)
    note_clean(s, e)
    if may_be_two(s, t) and s.eyes[e].n_pieces > 1:
        s.tracks[t].marks &= ~UNPROVED
        bar(s, t, MULTI_PARCEL)
    elif s.tracks[t].marks & UNPROVED and not is_missed_beyond(s, t, e):
        prove(s, t, e)


cdef inline void weigh_footprint(State* s, int32_t t, int e, int64_t counts) noexcept nogil:
    """Whether the footprint that has just ended is track `t`'s."""
    cdef int64_t length_counts = counts - s.eyes[e].blocked_counts
    cdef int64_t difference = length_counts - s.tracks[t].length_counts
    if length_counts < s.eye_table[e].debounce_counts:
        doubt(s, t, e, BLIP, counts + s.eye_table[e].debounce_counts)
    elif s.tracks[t].length_counts < 0:
        be_first_measured(s, t, e, length_counts)
    elif difference > s.eye_table[e].length_window_counts:
        be_too_long(s, t, e, counts)
    elif difference < -s.eye_table[e].length_window_counts:
        be_too_short(s, t, e, counts)
    else:
        be_as_long(s, t, e)


cdef inline void end_footprint(State* s, int e, int64_t counts) noexcept nogil:
    """A trailing edge."""
    cdef EyeState* eye = &s.eyes[e]
    cdef int32_t t = eye.under
    eye.under = NOBODY
    eye.last = t
    eye.cleared_counts = counts
    eye.is_fresh = True
    if counts - eye.piece_counts >= s.belt_table[s.eye_table[e].belt].parcel_counts_min:
        eye.n_pieces += 1
    if counts - eye.blocked_counts >= s.eye_table[e].debounce_counts:
        eye.owed_counts = NO_COUNTS
    if t != NOBODY and s.tracks[t].state != FIRED_TRACK:
        weigh_footprint(s, t, e, counts)


# Doubts that end


cdef inline bint is_nearer(const EyeState* eye, int64_t counts) noexcept nogil:
    """Whether a leading edge is nearer to where the eye's last parcel was expected than the one taken for its own."""
    cdef int64_t error = eye.error_counts + counts - eye.blocked_counts
    return (error if error >= 0 else -error) < (eye.error_counts if eye.error_counts >= 0 else -eye.error_counts)


cdef inline bint is_part(const State* s, int e, int64_t counts) noexcept nogil:
    """Whether a leading edge comes before the old trailing edge of a parcel that was seen too short, and is of its rest."""
    return counts < s.eyes[e].whole_counts and not is_next_due(s, e, counts) and not is_nearer(&s.eyes[e], counts)


cdef inline void settle(State* s, int e, bint has_come_apart) noexcept nogil:
    """The eye's last footprint is as it is."""
    cdef int32_t t = s.eyes[e].last
    cdef int what = s.eyes[e].doubt
    s.eyes[e].doubt = CERTAIN
    if what == CERTAIN or t == NOBODY:
        return
    s.eyes[e].last = NOBODY
    s.eyes[e].is_fresh = False
    if what == BLIP:
        withdraw(s, t, e)
    elif has_come_apart:
        come_apart(s, t, e)
    else:
        s.eyes[e].whole_counts = NO_COUNTS
        disown(s, t, e, s.eyes[e].cleared_counts - s.eyes[e].blocked_counts)


cdef inline void settle_due(State* s, int b) noexcept nogil:
    """Doubts of belt `b`'s eyes that no edge can change any more."""
    cdef int e
    for e in range(s.head.n_eyes):
        if s.eye_table[e].belt == b and s.eyes[e].doubt != CERTAIN and s.belts[b].counts > s.eyes[e].due_counts:
            settle(s, e, False)
