"""Unproved: a track that one eye did not see. Either it is lost, or the eye is blind: the next eye tells.

Its divert is off, for nothing fires for a parcel that may not be there. Seen at the next eye, in its place and
of its length, it is sorted on from there, and the miss counts against the eye: after N_BLIND of them in a row it is
known to be blind, until it sees somebody expected again. Not seen there either, the track is lost. If a stray lies
where it ought to be, the eye was not blind, and it is lost at once; unless it is that stray (`_realign.pxd`).

What comes behind a blind eye is proved one eye later, in a window as wide as those of both eyes; the diverts
between the two are missed, since of two evils that one harms nobody.
"""

from libc.stdint cimport int32_t, int64_t, uint16_t, uint32_t

from hubctl._choice cimport arm_timer, close_track, route, try_all
from hubctl._doubt cimport inducted_ahead, relieve
from hubctl._health cimport say_alarm
from hubctl._induct cimport ask_hold
from hubctl._machine cimport halt, release
from hubctl._order cimport leave_plans, next_expected
from hubctl._records cimport ALARM_EYE_BLIND, ALARM_JAM, LOST, LOST_PARCEL, MISSED_WINDOW, NO_INDEX, Record
from hubctl._state cimport (
    COMES_OVER,
    FIRED_TRACK,
    HOLD_FOR_JAM,
    MAY_BE_ANOTHER,
    N_BLIND,
    NOBODY,
    ON_BELT,
    STRAY,
    SUSPECT,
    UNPROVED,
    State,
    Track,
)
from hubctl._tables cimport INDUCT
from hubctl._transfer cimport first_eye_from
from hubctl._window cimport earliest, expected_counts


cdef inline uint16_t eye_after(const State* s, int e) noexcept nogil:
    """The next eye down the same belt that proves tracks; NO_INDEX after the last."""
    return first_eye_from(s, s.eye_table[e].belt, s.eye_table[e].at_counts)


cdef inline void pass_eye(State* s, int32_t t, int e) noexcept nogil:
    s.tracks[t].next_eye = eye_after(s, e)
    s.tracks[t].marks &= ~COMES_OVER
    if s.eyes[e].expected == t:
        s.eyes[e].expected = next_expected(s, e, s.tracks[t].behind)


cdef inline bint is_covered(const State* s, int32_t t, int e) noexcept nogil:
    """Whether the eye has been blocked since before track `t` could come: it cannot see it."""
    if not s.eyes[e].blocked or s.eyes[e].under == t:
        return False
    return s.eyes[e].blocked_counts < expected_counts(s, t, e) - earliest(s, &s.tracks[t], e)


cdef inline bint lies_in_place_of(const State* s, int32_t other, int32_t t, int e) noexcept nogil:
    """Whether `other` is a stray that has passed eye `e` about where track `t` ought to be."""
    cdef int64_t away
    if other == NOBODY or not s.tracks[other].marks & STRAY or s.tracks[other].next_eye != eye_after(s, e):
        return False
    if s.tracks[other].length_counts < 0:
        return False
    away = s.tracks[other].origin_counts - s.tracks[t].origin_counts
    return (away if away >= 0 else -away) < s.belt_table[s.tracks[t].belt].parcel_counts_max


cdef inline bint is_displaced(const State* s, int32_t t, int e) noexcept nogil:
    return lies_in_place_of(s, s.tracks[t].ahead, t, e) or lies_in_place_of(s, s.tracks[t].behind, t, e)


cdef inline bint may_be_there(const State* s, int32_t t, int e) noexcept nogil:
    """Whether track `t`, not seen at an eye, may be on the belt all the same."""
    cdef bint is_excused = s.eyes[e].blind or is_covered(s, t, e)
    if s.tracks[t].marks & STRAY or (is_displaced(s, t, e) and not is_excused):
        return is_excused
    return is_excused or (eye_after(s, e) != NO_INDEX and not s.tracks[t].marks & UNPROVED)


cdef inline void give_up(State* s, int32_t t) noexcept nogil:
    relieve(s, t)
    close_track(s, t, LOST, LOST_PARCEL)


cdef inline void suspect(State* s, int32_t stray, int32_t t, int e) noexcept nogil:
    if lies_in_place_of(s, stray, t, e):
        s.tracks[stray].marks |= SUSPECT


cdef inline void lose(State* s, int32_t t, int e) noexcept nogil:
    """Track `t`, not seen at eye `e`, is given up; a stray beside it may be it, and so is nobody else for certain."""
    suspect(s, s.tracks[t].ahead, t, e)
    suspect(s, s.tracks[t].behind, t, e)
    give_up(s, t)


cdef inline void recall(State* s, int32_t t) noexcept nogil:
    """Takes back the divert of track `t` that is planned or committed."""
    if s.tracks[t].state != FIRED_TRACK:
        leave_plans(s, t)
        s.tracks[t].state = ON_BELT


cdef inline void never_came(State* s, int32_t t, int e) noexcept nogil:
    """An eye that missed nobody yet is believed: track `t` did not come to it, and no scanner owes it an answer."""
    if s.eyes[e].n_unseen == 0:
        relieve(s, t)
        s.tracks[t].answered = <uint32_t>-1


cdef inline void unprove(State* s, int32_t t, int e) noexcept nogil:
    """Track `t` was not seen at an eye: it goes on undiverted. Where parcels are known again it may still be on its way."""
    cdef bint is_hidden = is_covered(s, t, e)
    if not is_hidden and s.eye_table[e].realign_counts == 0:
        never_came(s, t, e)
    recall(s, t)
    pass_eye(s, t, e)
    s.tracks[t].marks |= UNPROVED
    s.tracks[t].missed_eye = e
    if is_hidden:
        s.tracks[t].marks |= MAY_BE_ANOTHER
    arm_timer(s, t)


cdef inline void overtake(State* s, int32_t t, int e) noexcept nogil:
    """Eye `e` sees track `t`: one ahead that it missed, and would know again, does not come any more."""
    cdef int32_t ahead = inducted_ahead(s, t)
    if s.eye_table[e].realign_counts == 0 or ahead == NOBODY or not s.tracks[ahead].marks & UNPROVED:
        return
    if s.tracks[ahead].missed_eye == e and not s.tracks[ahead].marks & MAY_BE_ANOTHER:
        never_came(s, ahead, e)


cdef inline void blame(State* s, int e) noexcept nogil:
    """Eye `e` missed a parcel that the next one sees: it is the eye that is not well, and nobody out of step."""
    s.eyes[e].n_missed = 0
    s.eyes[e].n_steps_owed = 0
    s.eyes[e].n_unseen += 1
    if s.eyes[e].n_unseen >= N_BLIND:
        say_alarm(s, &s.eyes[e].blind, True, ALARM_EYE_BLIND, e)


cdef inline void acquit(State* s, int e) noexcept nogil:
    """Eye `e` sees whom it should."""
    s.eyes[e].n_unseen = 0
    if not s.eyes[e].out_of_use:
        say_alarm(s, &s.eyes[e].blind, False, ALARM_EYE_BLIND, e)


cdef inline void resume(State* s, int32_t t) noexcept nogil:
    """Track `t` is where it should be: sorted on, by the chutes that are still to come."""
    cdef Track* track = &s.tracks[t]
    if track.marks & STRAY or track.state == FIRED_TRACK:
        return
    try_all(track)
    route(s, t, MISSED_WINDOW)


cdef inline bint has_overlooked(const State* s, int missed_eye, int e) noexcept nogil:
    """Whether a track that eye `e` proves was unproved because another eye did not see it."""
    return missed_eye != e and s.eye_table[missed_eye].role != INDUCT and not s.eyes[missed_eye].blocked


cdef inline void prove(State* s, int32_t t, int e) noexcept nogil:
    """Eye `e` has seen unproved track `t` in its place and of its length."""
    cdef Track* track = &s.tracks[t]
    track.marks &= ~UNPROVED
    if has_overlooked(s, track.missed_eye, e):
        blame(s, track.missed_eye)
    resume(s, t)


cdef inline void lose_displaced(State* s, int32_t stray, int e) noexcept nogil:
    """A stray has been found at an eye: a neighbour just missed there, in whose place it lies, is lost."""
    cdef int32_t ahead = s.tracks[stray].ahead
    cdef int32_t behind = s.tracks[stray].behind
    cdef uint16_t after = eye_after(s, e)
    if after == NO_INDEX:
        return
    if ahead != NOBODY and s.tracks[ahead].marks & UNPROVED and s.tracks[ahead].next_eye == after:
        if lies_in_place_of(s, stray, ahead, e) and not s.eyes[e].blind:
            lose(s, ahead, e)
    if behind != NOBODY and s.tracks[behind].marks & UNPROVED and s.tracks[behind].next_eye == after:
        if lies_in_place_of(s, stray, behind, e) and not s.eyes[e].blind:
            lose(s, behind, e)


cdef inline void set_jammed(State* s, int e, bint is_so) noexcept nogil:
    """Eye `e` is jammed, or no longer. Meanwhile the inducts of its belt wait, and the belt stops if the hub says so."""
    cdef int b = s.eye_table[e].belt
    if s.eyes[e].jammed == is_so:
        return
    say_alarm(s, &s.eyes[e].jammed, is_so, ALARM_JAM, e)
    s.eyes[e].jam_counts = s.belts[b].counts
    s.drives[b].n_jams += 1 if is_so else -1
    ask_hold(s, b, HOLD_FOR_JAM, s.drives[b].n_jams > 0)
    if s.belt_table[b].stop_on_jam and is_so:
        halt(s, b)
    elif s.belt_table[b].stop_on_jam:
        release(s, b)


cdef inline void jam(State* s, int e) noexcept nogil:
    """Eye `e` has been blocked for longer than any parcel takes: who blocked it goes nowhere until another eye sees it.

    If none has yet, it stands there, and who comes to the next eye in its time may be one that stood further down.
    """
    cdef int32_t t = s.eyes[e].under
    set_jammed(s, e, True)
    s.eyes[e].under = NOBODY
    if t == NOBODY or s.tracks[t].state == FIRED_TRACK:
        return
    recall(s, t)
    s.tracks[t].marks |= UNPROVED
    if s.tracks[t].next_eye == eye_after(s, e):
        s.tracks[t].marks |= MAY_BE_ANOTHER
    s.tracks[t].missed_eye = e
    arm_timer(s, t)


cdef inline void watch_eyes(State* s, int b) noexcept nogil:
    """Eyes of belt `b` that no parcel can block for so long."""
    cdef int64_t counts = s.belts[b].counts
    cdef int e
    for e in range(s.head.n_eyes):
        if s.eye_table[e].belt != b or not s.eyes[e].blocked or s.eyes[e].jammed or s.eye_table[e].jam_counts == 0:
            continue
        if counts - s.eyes[e].blocked_counts > s.eye_table[e].jam_counts:
            jam(s, e)


cdef inline void take_eye_in_use(State* s, const Record* input) noexcept nogil:
    """A person says that an eye is well, or its jam cleared; or that it is not, and then it proves nothing."""
    cdef int e = input.device
    s.eyes[e].out_of_use = input.value == 0
    s.eyes[e].blocked = 0
    s.eyes[e].under = NOBODY
    s.eyes[e].n_unseen = 0
    set_jammed(s, e, False)
    say_alarm(s, &s.eyes[e].blind, input.value == 0, ALARM_EYE_BLIND, e)
