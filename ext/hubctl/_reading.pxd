"""Whose read is it: placed by where parcels were when it was made; one that fits two parcels is nobody's."""

from libc.stdint cimport INT64_MAX, int32_t, int64_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memcpy

from hubctl._adrift cimport is_lost_at
from hubctl._carriers cimport is_loop, lead_at, rider_at
from hubctl._choice cimport bar, close_where_sent, hold_label, route
from hubctl._doubt cimport blur, is_in_doubt, is_wild, n_owed, note_wild, take_certain, take_doubtful, understand
from hubctl._identity cimport track_of_parcel
from hubctl._lookup cimport Reading
from hubctl._motion cimport counts_at, is_followed, planning_speed, shown, travel
from hubctl._opening cimport open_track, say_opened
from hubctl._records cimport (
    AMBIGUOUS_READ,
    BAD_LABEL,
    LATE_READ,
    MULTI_PARCEL,
    NO_COUNTS,
    NO_INDEX,
    READ_PLACED,
    READ_UNPLACED,
    UNEXPECTED,
    Record,
)
from hubctl._schedule cimport reach_commit_point
from hubctl._silence cimport hear_scanner
from hubctl._stamps cimport contradict, fall_out_of_step, is_latched, is_numbered, is_recent, learn_number, parcel_of_number
from hubctl._state cimport CONTRADICTED, LABELLED, LATE_READ_NS, NOBODY, ON_BELT, ROUTED, STRAY, ScannerState, State, Track, say
from hubctl._tables cimport STATION, Scanner


cdef inline bint is_passing(const State* s, int32_t t) noexcept nogil:
    """Whether an eye, whose node was up ever since, still sees track `t` go by."""
    cdef int e
    for e in range(s.head.n_eyes):
        if s.eyes[e].under == t and s.eyes[e].blocked:
            return counts_at(s, s.tracks[t].belt, s.nodes[s.eye_table[e].node].since_ns) <= s.eyes[e].blocked_counts
    return False


cdef inline int64_t beyond(const State* s, int32_t t, const Scanner* scanner, int64_t counts) noexcept nogil:
    """How far track `t` lay beyond (above 0) or before (below 0) the scan line at a count; 0: under it.

    One whose trailing edge nobody saw may be short, and somebody unseen close behind it.
    """
    cdef const Track* track = &s.tracks[t]
    cdef int64_t length = track.length_counts
    cdef int64_t lead = counts - track.origin_counts - scanner.at_counts
    if is_loop(s, track.belt):
        lead = lead_at(s, track, scanner.at_counts, counts)
    elif scanner.at_counts + scanner.reach_counts < track.from_counts:
        return INT64_MAX  # it came onto the belt beyond this scanner
    if length < 0:
        length = s.belt_table[track.belt].parcel_counts_max if is_passing(s, t) else s.belt_table[track.belt].parcel_counts_min
    if lead < 0:
        return lead
    return lead - length if lead > length else 0


cdef inline bint reaches(const State* s, int32_t t, const Scanner* scanner, int64_t counts) noexcept nogil:
    cdef int64_t off
    if t == NOBODY:
        return False
    off = beyond(s, t, scanner, counts)
    return -scanner.reach_counts <= off <= scanner.reach_counts


cdef inline int32_t nearest_rider(const State* s, const Scanner* scanner, int64_t counts, int32_t but) noexcept nogil:
    """Who lies under a scanner of a loop, or reaches under it from the carriers beside, but for one; NOBODY if nobody does."""
    cdef int32_t t
    cdef int k
    for k in range(3):
        t = rider_at(s, scanner.belt, scanner.at_counts, counts, k if k < 2 else -1)
        if t != but and reaches(s, t, scanner, counts):
            return t
    return NOBODY


cdef inline int32_t nearest(State* s, const Scanner* scanner, int32_t* near, int64_t counts) noexcept nogil:
    """The track at a scan line, or the last one before it, looked for from `near`, which moves with the parcels."""
    cdef int32_t t = near[0]
    if is_loop(s, scanner.belt):
        return nearest_rider(s, scanner, counts, NOBODY)
    if t == NOBODY:
        return NOBODY
    while beyond(s, t, scanner, counts) > scanner.reach_counts and s.tracks[t].behind != NOBODY:
        t = s.tracks[t].behind
    while beyond(s, t, scanner, counts) < -scanner.reach_counts and s.tracks[t].ahead != NOBODY:
        t = s.tracks[t].ahead
    near[0] = t
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


cdef inline bint is_doubted(State* s, int32_t t, int n, int64_t counts, bint is_stamped) noexcept nogil:
    """Whether a telegram placed at track `t` may be another's; one that says itself whose it is, is not."""
    if not is_stamped:
        return is_in_doubt(s, t, n, counts)
    s.tracks[t].answered |= <uint32_t>1 << n
    return False


cdef inline void take_no_read(State* s, int32_t t, int n, int64_t counts, bint is_stamped) noexcept nogil:
    """A scanner says it read nothing; had it read something of the same parcel, one of the two is another's."""
    cdef Track* track = &s.tracks[t]
    cdef uint32_t bit = <uint32_t>1 << n
    if is_doubted(s, t, n, counts, is_stamped):
        return
    if track.label_by & bit:
        bar(s, t, AMBIGUOUS_READ)
    track.no_reads |= bit


cdef inline bint is_repeat(State* s, int32_t t, int n, int64_t counts, uint64_t identity) noexcept nogil:
    """Whether a scanner says again, so soon, what it read on another parcel. Notes what it read."""
    cdef ScannerState* scanner = &s.scanners[n]
    cdef int64_t since = counts - scanner.last_counts
    cdef int64_t repeat = s.scanner_table[n].repeat_counts
    if identity == 0 or repeat == 0:
        return False
    if scanner.last_identity == identity and scanner.last_parcel != s.tracks[t].parcel and -repeat <= since <= repeat:
        return True
    scanner.last_identity = identity
    scanner.last_counts = counts
    scanner.last_parcel = s.tracks[t].parcel
    return False


cdef inline int64_t place_on(const State* s, int32_t t, const Scanner* scanner, int64_t counts) noexcept nogil:
    """How far behind its leading edge a track was read, counts."""
    return counts - s.tracks[t].origin_counts - scanner.at_counts


cdef inline void take_placed(State* s, int32_t t, int n, const Record* input, const Reading* reading, int64_t place) noexcept nogil:
    """A certain read whose place on the parcel is known: two labels that lie apart are on two parcels."""
    cdef Track* track = &s.tracks[t]
    cdef int64_t apart = place - track.label_place
    cdef int64_t least = s.belt_table[track.belt].parcel_counts_min
    cdef bint is_other = track.marks & LABELLED and track.identity != reading.identity and reading.identity != 0
    if is_other and track.label_place != NO_COUNTS and (apart > least or apart < -least):
        bar(s, t, MULTI_PARCEL)
    if track.label_place == NO_COUNTS and reading.identity != 0:
        track.label_place = place
    take_certain(s, t, n, input, reading)


cdef inline void say_placed(State* s, int32_t t, int n, const Record* input, int64_t counts, uint16_t reason) noexcept nogil:
    cdef Record* record = say(s, READ_PLACED, s.tracks[t].parcel)
    record.device = n
    record.reason = reason
    record.error_um = <int>(
        beyond(s, t, &s.scanner_table[n], counts) * 1000000 // s.belt_table[s.tracks[t].belt].counts_per_m
    )
    record.n_text = input.n_text
    memcpy(record.text, input.text, sizeof(record.text))


cdef inline void place_label(State* s, int32_t t, int n, const Record* input, int64_t counts, bint is_stamped) noexcept nogil:
    cdef Reading reading
    cdef bint doubtful
    understand(s, input, &reading)
    if is_repeat(s, t, n, counts, reading.identity):
        say_unplaced(s, n, input, AMBIGUOUS_READ)
        blur(s, t)
        return
    doubtful = is_doubted(s, t, n, counts, is_stamped)
    if is_wild(s, reading.identity):
        doubtful = True
        s.tracks[t].marks |= CONTRADICTED
    say_placed(s, t, n, input, counts, <uint16_t>AMBIGUOUS_READ if doubtful else reading.reason)
    if doubtful:
        take_doubtful(s, t, n, input, &reading)
    elif is_latched(&s.scanner_table[n], input):
        take_placed(s, t, n, input, &reading, place_on(s, t, &s.scanner_table[n], counts))
    else:
        take_certain(s, t, n, input, &reading)


cdef inline void place_read(State* s, int32_t t, int n, const Record* input, int64_t counts, bint is_stamped) noexcept nogil:
    if input.n_text == 0:
        take_no_read(s, t, n, counts, is_stamped)
    else:
        place_label(s, t, n, input, counts, is_stamped)


cdef inline int32_t other_in_reach(State* s, int32_t t, const Scanner* scanner, int64_t counts) noexcept nogil:
    """A neighbour of track `t` whom a read fits as well; NOBODY if there is none."""
    if is_loop(s, scanner.belt):
        return nearest_rider(s, scanner, counts, t)
    if reaches(s, s.tracks[t].behind, scanner, counts):
        return s.tracks[t].behind
    if reaches(s, s.tracks[t].ahead, scanner, counts):
        return s.tracks[t].ahead
    return NOBODY


cdef inline void read_by_place(State* s, int n, const Record* input, int64_t counts) noexcept nogil:
    """A read made at a count; one that fits two parcels is nobody's."""
    cdef const Scanner* scanner = &s.scanner_table[n]
    cdef bint is_stamped = is_latched(scanner, input)
    cdef int32_t t = nearest(s, scanner, &s.scanners[n].near, counts)
    cdef int32_t other
    if not reaches(s, t, scanner, counts):
        read_of_nobody(s, n, input)
        return
    other = other_in_reach(s, t, scanner, counts)
    if other != NOBODY:
        read_of_two(s, n, input, t, other)
        return
    if is_numbered(scanner, input) and n_owed(s, t, n, counts) == 0 and s.now_ns >= s.scanners[n].doubt_until_ns:
        learn_number(s, n, t, input.value)
    place_read(s, t, n, input, counts, is_stamped)


cdef inline void read_of_two_minds(State* s, int n, const Record* input, int32_t there) noexcept nogil:
    """The number says one parcel and the time another, or none: the read is nobody's."""
    say_unplaced(s, n, input, AMBIGUOUS_READ)
    if there != NOBODY:
        blur(s, there)


cdef inline bint is_owed_late(const State* s, int32_t t, int n, int64_t counts) noexcept nogil:
    """Whether track `t` came by scanner `n` before, not too long ago, and has had no answer."""
    cdef int64_t off = beyond(s, t, &s.scanner_table[n], counts)
    if s.tracks[t].answered >> n & 1:
        return False
    return 0 < off <= travel(planning_speed(s, s.tracks[t].belt), LATE_READ_NS)


cdef inline void read_by_number(State* s, int n, const Record* input, int64_t counts) noexcept nogil:
    """A read of a scanner in step: its number says whose it is, though others may be as near, or nobody is any more."""
    cdef const Scanner* scanner = &s.scanner_table[n]
    cdef int64_t parcel = parcel_of_number(s, n, input.value)
    cdef int32_t t = track_of_parcel(s, parcel)
    cdef int32_t near = nearest(s, scanner, &s.scanners[n].near, counts)
    cdef int32_t there = near if reaches(s, near, scanner, counts) else NOBODY
    if parcel != 0 and t == NOBODY:
        read_of_nobody(s, n, input)
    elif t == NOBODY or s.tracks[t].belt != scanner.belt:
        fall_out_of_step(s, n)
        read_of_two_minds(s, n, input, there)
    elif reaches(s, t, scanner, counts) or (there == NOBODY and is_owed_late(s, t, n, counts)):
        s.scanners[n].n_contradicted = 0
        place_read(s, t, n, input, counts, True)
    else:
        contradict(s, n)
        read_of_two_minds(s, n, input, there)


cdef inline void read_on_belt(State* s, int n, const Record* input) noexcept nogil:
    """Places a read: by its number if the scanner is in step, by its own count, or by when it came."""
    cdef const Scanner* scanner = &s.scanner_table[n]
    cdef int64_t counts
    if is_loop(s, scanner.belt) and is_lost_at(s, scanner.belt, input.t_ns - scanner.latency_ns):
        read_of_nobody(s, n, input)
        return
    if is_latched(scanner, input):
        counts = shown(s, scanner.belt, input.counts)
        if is_recent(s, scanner.belt, counts):
            read_by_place(s, n, input, counts)
        else:
            say_unplaced(s, n, input, UNEXPECTED)
        return
    if not is_followed(s, scanner.belt):
        read_of_nobody(s, n, input)
        return
    counts = counts_at(s, scanner.belt, input.t_ns - scanner.latency_ns)
    if is_numbered(scanner, input) and s.scanners[n].is_in_step:
        read_by_number(s, n, input, counts)
    else:
        read_by_place(s, n, input, counts)


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
    hear_scanner(s, n)
    if s.belt_table[s.scanner_table[n].belt].kind == STATION:
        read_at_station(s, n, input)
    else:
        read_on_belt(s, n, input)
