"""From belt to belt: a parcel that leaves by an exit onto another belt keeps its number, label and lane.

At a belt's end it comes over when its leading edge has run to the end; beside a diverter when the exit's eye
confirms it, or, should that eye be blind, when it would have. On a belt that it has been on before a lap begins.
A doubt whether its belt's counter stood goes with it: it may be another, until its label is read again.
"""

from libc.stdint cimport int32_t, int64_t, uint16_t, uint32_t, uint64_t

from hubctl._carriers cimport is_loop, leave_carriers
from hubctl._choice cimport assign, bar_beyond_limits, begin_anew, close_where_sent, route, skip_reason, try_all
from hubctl._motion cimport counts_at
from hubctl._order cimport clear_timer, expect_at_eyes, forget, leave_plans, link_before, unlink
from hubctl._records cimport LAPPED, MISSED_WINDOW, NO_INDEX, NONE, OK, TRANSFERRED, Record
from hubctl._silence cimport leave_unanswered
from hubctl._standing cimport is_in_doubt
from hubctl._state cimport COMES_OVER, MAY_BE_ANOTHER, NOBODY, ON_BELT, State, Track, say
from hubctl._tables cimport INDUCT


cdef inline bint leads_on(const State* s, int exit) noexcept nogil:
    """Whether an exit leads onto a belt."""
    return s.chute_table[exit].to_belt != NO_INDEX


cdef inline uint16_t first_eye_from(const State* s, int b, int64_t from_counts) noexcept nogil:
    """The first eye of a belt beyond a place that proves tracks; NO_INDEX if there is none."""
    cdef int e
    for e in range(s.head.n_eyes):
        if s.eye_table[e].belt == b and s.eye_table[e].role != INDUCT and s.eye_table[e].at_counts > from_counts:
            return e
    return NO_INDEX


cdef inline int32_t follower(const State* s, int b, int64_t origin_counts, int64_t from_counts) noexcept nogil:
    """The track just behind who comes onto belt `b` at a place, looked for from those that an eye beyond expects."""
    cdef uint16_t eye = first_eye_from(s, b, from_counts)
    cdef int32_t t = s.belts[b].first if eye == NO_INDEX else s.eyes[eye].expected
    while t != NOBODY and s.tracks[t].origin_counts <= origin_counts:
        t = s.tracks[t].behind
    return t


cdef inline bint is_passed_by(const State* s, const Track* track, int n) noexcept nogil:
    """Whether a track came onto its belt beyond scanner `n`."""
    return s.scanner_table[n].at_counts + s.scanner_table[n].reach_counts < track.from_counts


cdef inline void expect_answers(State* s, int32_t t) noexcept nogil:
    """Scanners of track `t`'s belt have not answered for it yet; those that it has come in beyond never will."""
    cdef Track* track = &s.tracks[t]
    cdef uint32_t bit
    cdef int n
    for n in range(s.head.n_scanners):
        if s.scanner_table[n].belt != track.belt:
            continue
        bit = <uint32_t>1 << n
        track.no_reads &= ~bit
        track.label_by &= ~bit
        track.answered &= ~bit
        if is_passed_by(s, track, n):
            track.answered |= bit
        if s.scanners[n].near == NOBODY:
            s.scanners[n].near = t


cdef inline void expect_results(State* s, int32_t t) noexcept nogil:
    """Scales of track `t`'s belt have said nothing of it yet."""
    cdef uint32_t bit
    cdef int n
    for n in range(s.head.n_scales):
        if s.scale_table[n].belt != s.tracks[t].belt:
            continue
        bit = <uint32_t>1 << n
        s.tracks[t].weighed_by &= ~bit
        s.tracks[t].sized_by &= ~bit
        if s.scales[n].near == NOBODY:
            s.scales[n].near = t


cdef inline void enter(
    State* s, int32_t t, int b, int64_t origin_counts, int64_t from_counts, int32_t behind
) noexcept nogil:
    """Puts track `t` into the order of belt `b` just ahead of `behind`, and expects it at what lies beyond."""
    cdef Track* track = &s.tracks[t]
    track.belt = b
    track.origin_counts = origin_counts
    track.from_counts = from_counts
    track.seen_counts = from_counts
    track.next_eye = first_eye_from(s, b, from_counts)
    track.belts |= <uint64_t>1 << b
    link_before(s, b, t, behind)
    expect_at_eyes(s, t, behind)
    expect_answers(s, t)
    expect_results(s, t)


cdef inline void leave_belt(State* s, int32_t t) noexcept nogil:
    """Track `t` stands on no belt, in no plan and under no eye."""
    leave_unanswered(s, t, True)
    leave_plans(s, t)
    if is_loop(s, s.tracks[t].belt):
        leave_carriers(s, t)
    clear_timer(s, t)
    forget(s, t)
    unlink(s, s.tracks[t].belt, t)
    s.tracks[t].state = ON_BELT


cdef inline void begin_lap(State* s, int32_t t) noexcept nogil:
    s.tracks[t].laps += 1
    s.tracks[t].belts = 0
    begin_anew(&s.tracks[t])
    say(s, LAPPED, s.tracks[t].parcel).value = s.tracks[t].laps


cdef inline void go_on(State* s, int32_t t) noexcept nogil:
    """On the new belt the chute stays while it can be had; else all of the lane's are tried again.

    Why the first was passed over on a belt before stays the reason in this lap.
    """
    cdef Track* track = &s.tracks[t]
    if bar_beyond_limits(s, t):
        return
    if track.reason == OK and skip_reason(s, track, track.chute, MISSED_WINDOW) == NONE:
        assign(s, t, track.chute, OK)
        return
    try_all(track)
    route(s, t, MISSED_WINDOW)


cdef inline void transfer(State* s, int32_t t, int64_t t_ns) noexcept nogil:
    """Track `t` came by its exit onto the belt beyond, where its leading edge came down at an instant."""
    cdef Track* track = &s.tracks[t]
    cdef int exit = track.exit
    cdef int b = s.chute_table[exit].to_belt
    cdef int64_t counts = counts_at(s, b, t_ns)
    cdef int64_t at_counts = s.chute_table[exit].to_counts
    cdef Record* record
    if is_in_doubt(s, track):
        track.marks |= MAY_BE_ANOTHER
    leave_belt(s, t)
    if track.length_counts > 0:
        track.length_counts = track.length_counts * s.belt_table[b].counts_per_m // s.belt_table[track.belt].counts_per_m
    record = say(s, TRANSFERRED, track.parcel)
    record.device = b
    record.chute = exit
    record.counts = counts
    if track.belts >> b & 1:
        begin_lap(s, t)
    track.marks |= COMES_OVER
    enter(s, t, b, counts - at_counts, at_counts, follower(s, b, counts - at_counts, at_counts))
    go_on(s, t)


cdef inline void arrive(State* s, int32_t t, int64_t t_ns) noexcept nogil:
    """Track `t` left its belt by its exit at an instant: onto the next belt, or it is where it was sent."""
    if leads_on(s, s.tracks[t].exit):
        transfer(s, t, t_ns)
    else:
        close_where_sent(s, t)
