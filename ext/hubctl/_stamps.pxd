"""Stamped reads: which parcel a scanner means by the belt's counter or by the number of a trigger.

A scanner that an eye triggers counts its triggers from wherever it began. Which number is which parcel is
learned: a read that time alone gives to one parcel proposes how its numbers and the eye's edges go together,
and the same proposal twice in a row is taken. From then on the number decides, if it names a parcel near the
scan line, or if nobody is there and it names one that came by before and has had no answer: so a telegram may be
late. A number that names one parcel where time says another is nobody's; twice in a row, or when edges come too
close together to be counted alike, all is learned anew.
"""

from libc.stdint cimport int32_t, int64_t

from hubctl._motion cimport travel
from hubctl._records cimport LATCHED, NO_COUNTS, TRIGGERED, Record
from hubctl._state cimport LATE_READ_NS, N_TRIGGERS, NOBODY, ScannerState, State
from hubctl._tables cimport STAMP_ENCODER, STAMP_TRIGGER, Scanner

cdef enum:
    N_CONTRADICTED = 2


cdef inline bint is_latched(const Scanner* scanner, const Record* input) noexcept nogil:
    """Whether a read says at which count it was made."""
    return scanner.stamp == STAMP_ENCODER and input.flags & LATCHED and input.counts != NO_COUNTS


cdef inline bint is_numbered(const Scanner* scanner, const Record* input) noexcept nogil:
    return scanner.stamp == STAMP_TRIGGER and input.flags & TRIGGERED


cdef inline bint is_recent(const State* s, int b, int64_t counts) noexcept nogil:
    """Whether a read may have been made at a count and be told now."""
    cdef int64_t back = s.belts[b].counts - counts
    cdef int64_t speed = s.belt_table[b].speed_counts_s_max
    return s.belts[b].n_samples > 0 and -travel(speed, s.belt_table[b].stale_ns) <= back <= travel(speed, LATE_READ_NS)


cdef inline void trigger(ScannerState* scanner, const Scanner* table, int64_t parcel, int64_t counts, int64_t apart) noexcept nogil:
    """One more edge that triggers a scanner; one too close to the last may not count for both sides."""
    if scanner.n_triggers > 0 and counts - scanner.triggered_counts < apart:
        scanner.is_in_step = 0
        scanner.n_agreed = 0
    scanner.triggered[scanner.n_triggers % N_TRIGGERS] = parcel
    scanner.triggered_counts = counts
    scanner.n_triggers += 1


cdef inline void trigger_scanners(State* s, int e, int64_t counts) noexcept nogil:
    """Eye `e` was blocked: the scanners that it triggers count one more."""
    cdef int32_t t = s.eyes[e].under
    cdef int64_t apart = s.belt_table[s.eye_table[e].belt].parcel_counts_min
    cdef int n
    for n in range(s.head.n_scanners):
        if s.scanner_table[n].trigger == e and s.scanner_table[n].stamp == STAMP_TRIGGER:
            trigger(&s.scanners[n], &s.scanner_table[n], 0 if t == NOBODY else s.tracks[t].parcel, counts, apart)


cdef inline int64_t parcel_of_number(const State* s, int n, int64_t number) noexcept nogil:
    """The parcel that was trigger `number` of scanner `n`; 0 if that was nobody's, or is none of the last."""
    cdef const ScannerState* scanner = &s.scanners[n]
    cdef int64_t span = s.scanner_table[n].stamp_span
    cdef int64_t back = (scanner.n_triggers - 1 + scanner.number_ahead - number) % span
    if back < 0:
        back += span
    if back >= N_TRIGGERS or back >= scanner.n_triggers:
        return 0
    return scanner.triggered[(scanner.n_triggers - 1 - back) % N_TRIGGERS]


cdef inline int64_t trigger_of(const ScannerState* scanner, int64_t parcel) noexcept nogil:
    """Which of the last edges was a parcel's; -1 if none was."""
    cdef int64_t k
    for k in range(N_TRIGGERS):
        if k < scanner.n_triggers and scanner.triggered[(scanner.n_triggers - 1 - k) % N_TRIGGERS] == parcel:
            return scanner.n_triggers - 1 - k
    return -1


cdef inline void learn_number(State* s, int n, int32_t t, int64_t number) noexcept nogil:
    """Time alone gives a read with a number to track `t`: so do the two counts go together, if it is so twice."""
    cdef ScannerState* scanner = &s.scanners[n]
    cdef int64_t span = s.scanner_table[n].stamp_span
    cdef int64_t edge = trigger_of(scanner, s.tracks[t].parcel)
    cdef int64_t ahead
    if edge < 0:
        scanner.n_agreed = 0
        return
    ahead = (number - edge) % span
    if ahead < 0:
        ahead += span
    scanner.n_agreed = scanner.n_agreed + 1 if scanner.number_ahead == ahead and scanner.n_agreed > 0 else 1
    scanner.number_ahead = ahead
    scanner.is_in_step = scanner.n_agreed >= 2


cdef inline void fall_out_of_step(State* s, int n) noexcept nogil:
    s.scanners[n].is_in_step = 0
    s.scanners[n].n_agreed = 0
    s.scanners[n].n_contradicted = 0


cdef inline void contradict(State* s, int n) noexcept nogil:
    """A number of scanner `n` names one parcel where time says another: the one is late, or the numbers are out of step."""
    s.scanners[n].n_contradicted += 1
    if s.scanners[n].n_contradicted >= N_CONTRADICTED:
        fall_out_of_step(s, n)
