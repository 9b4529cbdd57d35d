"""Scanners that say nothing: parcels in a row of which one told neither a label nor a no-read."""

from libc.stdint cimport int32_t, int64_t, uint16_t

from hubctl._carriers cimport has_come_by, is_loop, is_riding
from hubctl._records cimport ALARM_CLEARED, ALARM_RAISED, ALARM_SCANNER_SILENT, Record
from hubctl._state cimport ScannerState, State, Track, say
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
        if s.tracks[t].answered >> n & 1 or not has_passed(s, &s.tracks[t], &s.scanner_table[n]):
            continue
        s.scanners[n].n_unanswered += 1
        if s.scanners[n].n_unanswered >= s.scanner_table[n].silent_after and not s.scanners[n].is_silent:
            s.scanners[n].is_silent = 1
            say_silent(s, n, ALARM_RAISED)
