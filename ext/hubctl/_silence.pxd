"""Scanners that say nothing: parcels in a row of which one told neither a label nor a no-read; parcels that leave unread."""

from libc.stdint cimport int32_t, int64_t, uint16_t

from hubctl._carriers cimport has_come_by, is_loop, is_riding, lead_at
from hubctl._motion cimport NS_PER_S, planning_speed, travel
from hubctl._records cimport ALARM_CLEARED, ALARM_RAISED, ALARM_SCANNER_SILENT, Record
from hubctl._state cimport LATE_READ_NS, STRAY, ScannerState, State, Track, say
from hubctl._tables cimport Scanner


cdef inline void say_silent(State* s, int n, uint16_t kind) noexcept nogil:
    cdef Record* record = say(s, kind, 0)
    record.device = n
    record.value = ALARM_SCANNER_SILENT


cdef inline void hear_scanner(State* s, int n) noexcept nogil:
    """Scanner `n` said something."""
    s.scanners[n].n_unanswered = 0
    if s.scanners[n].is_silent:
        s.scanners[n].is_silent = 0
        say_silent(s, n, ALARM_CLEARED)


cdef inline bint has_passed(const State* s, const Track* track, const Scanner* scanner) noexcept nogil:
    """Whether a track has come by a scanner of its belt, and has had no answer of it."""
    cdef int64_t beyond = s.belts[track.belt].counts - track.origin_counts - scanner.at_counts - track.length_counts
    if scanner.belt != track.belt or scanner.silent_after == 0:
        return False
    if is_loop(s, track.belt):
        return is_riding(s, track) and has_come_by(s, track, scanner.at_counts, s.belts[track.belt].counts)
    return beyond > scanner.reach_counts


cdef inline void miss_answers(State* s, int32_t t) noexcept nogil:
    """Track `t` leaves its belt: the scanners on it that said nothing of it may be dead."""
    cdef int n
    for n in range(s.head.n_scanners):
        if s.tracks[t].marks & STRAY or s.tracks[t].answered >> n & 1 or not has_passed(s, &s.tracks[t], &s.scanner_table[n]):
            continue
        s.scanners[n].n_unanswered += 1
        if s.scanners[n].n_unanswered >= s.scanner_table[n].silent_after and not s.scanners[n].is_silent:
            s.scanners[n].is_silent = 1
            say_silent(s, n, ALARM_RAISED)


cdef inline void owe_until(ScannerState* scanner, int64_t t_ns) noexcept nogil:
    if t_ns > scanner.gone_until_ns:
        scanner.gone_until_ns = t_ns


cdef inline int64_t gone_beyond(const State* s, const Track* track, const Scanner* scanner, bint has_arrived) noexcept nogil:
    """How far a track's leading edge is beyond a scanner that it came by, as far as is known; below 0 if it did not."""
    cdef int64_t counts = s.belts[track.belt].counts
    if scanner.belt != track.belt:
        return -1
    if is_loop(s, track.belt):
        if not is_riding(s, track) or not has_come_by(s, track, scanner.at_counts, counts):
            return -1
        return lead_at(s, track, scanner.at_counts, counts)
    if not has_arrived and track.seen_counts <= scanner.at_counts:
        return -1
    return counts - track.origin_counts - scanner.at_counts


cdef inline void leave_unanswered(State* s, int32_t t, bint has_arrived) noexcept nogil:
    """Track `t` leaves its belt: a scanner that said nothing of it may yet do so, and then not of the one behind it.

    Who has not arrived anywhere may have been taken off before it came to a scanner.
    """
    cdef const Track* track = &s.tracks[t]
    cdef int64_t speed = planning_speed(s, track.belt)
    cdef int64_t late_counts = travel(speed, LATE_READ_NS)
    cdef int64_t gone
    cdef int n
    for n in range(s.head.n_scanners):
        if track.answered >> n & 1:
            continue
        gone = gone_beyond(s, track, &s.scanner_table[n], has_arrived)
        if 0 <= gone < late_counts:
            owe_until(&s.scanners[n], s.now_ns + (late_counts - gone) * NS_PER_S // speed)
