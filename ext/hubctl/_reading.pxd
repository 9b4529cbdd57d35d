"""Whose read is it: placed by where parcels were when it was made; one that fits two parcels is nobody's."""

from libc.stdint cimport INT64_MAX, int32_t, int64_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memcpy

from hubctl._choice cimport bar, close_where_sent, hold_label, route
from hubctl._doubt cimport blur, is_in_doubt, is_wild, note_wild, take_certain, take_doubtful, understand
from hubctl._lookup cimport Reading
from hubctl._motion cimport counts_at
from hubctl._records cimport (
    AMBIGUOUS_READ,
    BAD_LABEL,
    LATE_READ,
    NO_COUNTS,
    NO_INDEX,
    READ_PLACED,
    READ_UNPLACED,
    Record,
)
from hubctl._schedule cimport reach_commit_point
from hubctl._state cimport CONTRADICTED, LABELLED, LATE_READ_NS, NOBODY, ON_BELT, ROUTED, STRAY, State, Track, say
from hubctl._tables cimport STATION, Scanner
from hubctl._tracking cimport counts_told, open_track, say_opened


cdef inline int64_t beyond(const State* s, int32_t t, const Scanner* scanner, int64_t counts) noexcept nogil:
    """How far track `t` lay beyond (above 0) or before (below 0) the scan line at a count; 0: under it."""
    cdef const Track* track = &s.tracks[t]
    cdef int64_t length = track.length_counts
    cdef int64_t lead = counts - track.origin_counts - scanner.at_counts
    if scanner.at_counts + scanner.reach_counts < track.from_counts:
        return INT64_MAX  # it came onto the belt beyond this scanner
    if length < 0:
        length = s.belt_table[track.belt].parcel_counts_max
    if lead < 0:
        return lead
    return lead - length if lead > length else 0


cdef inline bint reaches(const State* s, int32_t t, const Scanner* scanner, int64_t counts) noexcept nogil:
    cdef int64_t off
    if t == NOBODY:
        return False
    off = beyond(s, t, scanner, counts)
    return -scanner.reach_counts <= off <= scanner.reach_counts


cdef inline int32_t nearest(State* s, int n, int64_t counts) noexcept nogil:
    """The track at the scan line of scanner `n`, or the last one before it; moves with the parcels."""
    cdef const Scanner* scanner = &s.scanner_table[n]
    cdef int32_t t = s.scanners[n].near
    if t == NOBODY:
        return NOBODY
    while beyond(s, t, scanner, counts) > scanner.reach_counts and s.tracks[t].behind != NOBODY:
        t = s.tracks[t].behind
    while beyond(s, t, scanner, counts) < -scanner.reach_counts and s.tracks[t].ahead != NOBODY:
        t = s.tracks[t].ahead
    s.scanners[n].near = t
    return t


cdef inline void say_unplaced(State* s, int n, const Record* input, uint16_t reason) noexcept nogil:
    cdef Record* record = say(s, READ_UNPLACED, 0)
    record.device = n
    record.reason = reason
    record.n_text = input.n_text
    memcpy(record.text, input.text, sizeof(record.text))


cdef inline void read_of_nobody(State* s, int n, const Record* input) noexcept nogil:
    cdef Reading reading
    say_unplaced(s, n, input, LATE_READ)
    understand(s, input, &reading)
    note_wild(s, reading.identity)


cdef inline void unsettle(State* s, int32_t t, int32_t stray, uint64_t identity) noexcept nogil:
    """Beside a stray, a read of another label than track `t` holds: either of the two may be the stray's."""
    cdef bint is_known = s.tracks[stray].marks & LABELLED and s.tracks[stray].identity == identity
    if s.tracks[t].marks & LABELLED and s.tracks[t].identity != identity and identity != 0 and not is_known:
        bar(s, t, AMBIGUOUS_READ)


cdef inline void read_of_two(State* s, int n, const Record* input, int32_t t, int32_t other) noexcept nogil:
    """A read that fits two parcels is nobody's."""
    cdef Reading reading
    say_unplaced(s, n, input, AMBIGUOUS_READ)
    understand(s, input, &reading)
    blur(s, t)
    blur(s, other)
    if s.tracks[other].marks & STRAY:
        unsettle(s, t, other, reading.identity)
    if s.tracks[t].marks & STRAY:
        unsettle(s, other, t, reading.identity)


cdef inline void take_no_read(State* s, int32_t t, int n, int64_t counts) noexcept nogil:
    """A scanner says it read nothing; had it read something of the same parcel, one of the two is another's."""
    cdef Track* track = &s.tracks[t]
    cdef uint32_t bit = <uint32_t>1 << n
    if is_in_doubt(s, t, n, counts):
        return
    if track.label_by & bit:
        bar(s, t, AMBIGUOUS_READ)
    track.no_reads |= bit


cdef inline void place_read(State* s, int32_t t, int n, const Record* input, int64_t counts) noexcept nogil:
    cdef Reading reading
    cdef Record* record
    cdef bint doubtful
    if input.n_text == 0:
        take_no_read(s, t, n, counts)
        return
    understand(s, input, &reading)
    doubtful = is_in_doubt(s, t, n, counts)
    if is_wild(s, reading.identity):
        doubtful = True
        s.tracks[t].marks |= CONTRADICTED
    record = say(s, READ_PLACED, s.tracks[t].parcel)
    record.device = n
    record.reason = <uint16_t>AMBIGUOUS_READ if doubtful else reading.reason
    record.error_um = <int>(
        beyond(s, t, &s.scanner_table[n], counts) * 1000000 // s.belt_table[s.tracks[t].belt].counts_per_m
    )
    record.n_text = input.n_text
    memcpy(record.text, input.text, sizeof(record.text))
    if doubtful:
        take_doubtful(s, t, n, input, &reading)
    else:
        take_certain(s, t, n, input, &reading)


cdef inline void read_on_belt(State* s, int n, const Record* input) noexcept nogil:
    """Places a read; one that fits two parcels is nobody's."""
    cdef const Scanner* scanner = &s.scanner_table[n]
    cdef int64_t counts = counts_told(s, scanner.belt, input, LATE_READ_NS)
    cdef int32_t t
    cdef int32_t other
    if input.counts == NO_COUNTS:
        counts = counts_at(s, scanner.belt, input.t_ns - scanner.latency_ns)
    t = nearest(s, n, counts)
    if not reaches(s, t, scanner, counts):
        read_of_nobody(s, n, input)
        return
    other = s.tracks[t].behind
    if not reaches(s, other, scanner, counts):
        other = s.tracks[t].ahead
    if not reaches(s, other, scanner, counts):
        place_read(s, t, n, input, counts)
        return
    read_of_two(s, n, input, t, other)


cdef inline void read_at_station(State* s, int n, const Record* input) noexcept nogil:
    """Where a parcel is scanned by hand the read opens the track, and its divert is due at once."""
    cdef int b = s.scanner_table[n].belt
    cdef Reading reading
    cdef int32_t t = open_track(s, b, s.belts[b].counts, 0, NOBODY)
    if t == NOBODY:
        return
    say_opened(s, t, n, s.belts[b].counts)
    s.tracks[t].length_counts = 0
    if input.n_text:
        understand(s, input, &reading)
        if reading.reason == BAD_LABEL:
            s.tracks[t].reason = BAD_LABEL
        else:
            hold_label(s, t, input, &reading)
    route(s, t, LATE_READ)
    while s.tracks[t].state == ROUTED:
        reach_commit_point(s, t)
    if s.tracks[t].state == ON_BELT:
        close_where_sent(s, t)


cdef inline void take_read(State* s, const Record* input) noexcept nogil:
    cdef int n = input.device
    if s.belt_table[s.scanner_table[n].belt].kind == STATION:
        read_at_station(s, n, input)
    else:
        read_on_belt(s, n, input)
