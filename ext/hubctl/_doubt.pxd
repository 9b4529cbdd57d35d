"""Late answers: when a read may be that of the parcel ahead, and what ends the doubt.

A scanner answers for each parcel, strays too, and in their order. When a telegram comes for a parcel while the one
ahead has had none, or one that has left the belt meanwhile, it may be that late answer, and so may those that follow:
the scanner is in doubt for `LATE_READ_NS`. A doubtful read is kept but not used. The doubt ends when a certain read of
another scanner says the same of the same parcel (telegrams come in order, so none is owed any more), or when the parcel
that had no answer turns out to be lost before it came to the scanner, as far as eyes and the other
scanners tell: then the reads kept are right.

A label that was read where no parcel is known to be belongs to somebody unknown: what any scanner says of it
soon after is doubted for good.
"""

from libc.stdint cimport int32_t, int64_t, uint32_t, uint64_t
from libc.string cimport memcpy

from hubctl._carriers cimport carrier_after, carrier_of, has_come_by, is_loop, lead_at
from hubctl._choice cimport bar, look_up, route, take_label
from hubctl._identity cimport track_of
from hubctl._lookup cimport Reading
from hubctl._motion cimport planning_speed, travel
from hubctl._pressed cimport know_by_label
from hubctl._records cimport (
    ALARM_CLEARED,
    ALARM_RAISED,
    ALARM_SAME_LABEL,
    AMBIGUOUS_READ,
    BAD_LABEL,
    LATE_READ,
    NO_PLAN,
    Record,
)
from hubctl._state cimport (
    BARRED,
    CODED_LABEL,
    CONTRADICTED,
    LABELLED,
    LATE_READ_NS,
    N_WILD,
    NOBODY,
    ON_BELT,
    RIDING,
    ROUTED,
    STRAY,
    ScannerState,
    State,
    Track,
    WildLabel,
    say,
)
from hubctl._tables cimport Scanner


cdef enum:
    N_CARRIERS_LATE = 24  # carriers that pass a scanner while a telegram may be late


cdef inline void understand(State* s, const Record* input, Reading* reading) noexcept nogil:
    if s.plan.version:
        look_up(s, input.text, input.n_text, reading)
        return
    reading.reason = NO_PLAN
    reading.lane = -1
    reading.priority = 0
    reading.identity = 1


cdef inline void note_wild(State* s, uint64_t identity) noexcept nogil:
    """A label was read where no parcel is known to be: somebody unknown carries it."""
    cdef WildLabel* wild = &s.head.wild[s.head.n_wild % N_WILD]
    if identity == 0 or s.plan.version == 0:
        return
    s.head.n_wild += 1
    wild.identity = identity
    wild.until_ns = s.now_ns + LATE_READ_NS


cdef inline bint is_wild(const State* s, uint64_t identity) noexcept nogil:
    cdef int k
    for k in range(N_WILD):
        if s.head.wild[k].identity == identity and s.now_ns < s.head.wild[k].until_ns:
            return True
    return False


cdef inline void blur(State* s, int32_t t) noexcept nogil:
    """A read that might be this track's: no label of its own yet, so say why."""
    if not s.tracks[t].marks & (LABELLED | BARRED | CODED_LABEL) and (s.tracks[t].state == ON_BELT or s.tracks[t].state == ROUTED):
        s.tracks[t].reason = AMBIGUOUS_READ
        route(s, t, LATE_READ)


cdef inline int32_t inducted_ahead(const State* s, int32_t t) noexcept nogil:
    """The next track ahead that a scanner may owe an answer for: strays do not count."""
    cdef int32_t ahead = s.tracks[t].ahead
    while ahead != NOBODY and s.tracks[ahead].marks & STRAY:
        ahead = s.tracks[ahead].ahead
    return ahead


cdef inline int n_owed_for(const Track* track, int n) noexcept nogil:
    """How much scanner `n` owes for a track that came by it: for a stray it is as uncertain as for several."""
    if track.answered >> n & 1:
        return 0
    return 2 if track.marks & STRAY else 1


cdef inline int n_owed(const State* s, int32_t t, int n, int64_t counts) noexcept nogil:
    """How many parcels in a row just ahead of track `t` have had no answer of scanner `n`, and may; 2 is many."""
    cdef int32_t ahead = s.tracks[t].ahead
    cdef int found = 0
    cdef int64_t gone
    while ahead != NOBODY and found < 2 and (s.tracks[ahead].marks & STRAY or not s.tracks[ahead].answered >> n & 1):
        gone = counts - s.tracks[ahead].origin_counts - s.scanner_table[n].at_counts
        if gone > travel(planning_speed(s, s.tracks[ahead].belt), LATE_READ_NS):
            break
        found += n_owed_for(&s.tracks[ahead], n)
        ahead = s.tracks[ahead].ahead
    return found


cdef inline int n_owed_on_ring(const State* s, int32_t t, int n, int64_t counts) noexcept nogil:
    """The same for a loop: parcels on carriers ahead that came by scanner `n`."""
    cdef const Scanner* scanner = &s.scanner_table[n]
    cdef int64_t late = travel(planning_speed(s, scanner.belt), LATE_READ_NS)
    cdef int32_t last = t
    cdef int32_t other
    cdef int found = 0
    cdef int k
    for k in range(1, N_CARRIERS_LATE):
        other = carrier_of(s, scanner.belt, carrier_after(s, scanner.belt, s.rides[t].carrier, -k)).track
        if other == t:
            break
        if other == NOBODY or other == last:
            continue
        last = other
        if s.rides[other].stage != RIDING or not has_come_by(s, &s.tracks[other], scanner.at_counts, counts):
            continue
        if s.tracks[other].answered >> n & 1 or lead_at(s, &s.tracks[other], scanner.at_counts, counts) > late:
            break
        found += 1
    return found


cdef inline void owe(State* s, int32_t t, int n, int n_parcels) noexcept nogil:
    """Scanner `n` owes answers for so many parcels ahead of track `t`: from now on it is in doubt."""
    cdef ScannerState* scanner = &s.scanners[n]
    cdef bint is_of_one = n_parcels == 1 and s.now_ns >= scanner.doubt_until_ns and not is_loop(s, s.tracks[t].belt)
    scanner.owed_parcel = s.tracks[inducted_ahead(s, t)].parcel if is_of_one else 0
    scanner.doubt_until_ns = s.now_ns + LATE_READ_NS


cdef inline bint is_in_doubt(State* s, int32_t t, int n, int64_t counts) noexcept nogil:
    """Notes that scanner `n` answers for track `t`; whether the telegram may be another's."""
    cdef bint on_ring = is_loop(s, s.tracks[t].belt)
    cdef int owed = n_owed_on_ring(s, t, n, counts) if on_ring else n_owed(s, t, n, counts)
    if s.now_ns < s.scanners[n].gone_until_ns:
        owed = 2
    if owed > 0:
        owe(s, t, n, owed)
    s.tracks[t].answered |= <uint32_t>1 << n
    return s.now_ns < s.scanners[n].doubt_until_ns


cdef inline void end_doubt(State* s, uint32_t scanners) noexcept nogil:
    cdef int n
    for n in range(s.head.n_scanners):
        if scanners >> n & 1:
            s.scanners[n].doubt_until_ns = 0
            s.scanners[n].gone_until_ns = 0


cdef inline void say_shared(State* s, int n, bint is_shared) noexcept nogil:
    """Raises or clears the alarm that scanner `n` read one label on two parcels, if that is new."""
    cdef Record* record
    if s.scanners[n].has_shared == is_shared:
        return
    s.scanners[n].has_shared = is_shared
    record = say(s, ALARM_RAISED if is_shared else ALARM_CLEARED, 0)
    record.device = n
    record.value = ALARM_SAME_LABEL


cdef inline bint is_shared(State* s, int32_t t, int n, uint64_t identity) noexcept nogil:
    """Whether another parcel on the belts carries the label read on track `t`: then neither is sorted by it."""
    cdef int32_t other
    if s.tracks[t].marks & LABELLED and s.tracks[t].identity == identity:
        say_shared(s, n, False)
        return False
    other = track_of(s, identity)
    say_shared(s, n, other != NOBODY)
    if other == NOBODY:
        return False
    bar(s, other, AMBIGUOUS_READ)
    bar(s, t, AMBIGUOUS_READ)
    return True


cdef inline void take_certain(State* s, int32_t t, int n, const Record* input, const Reading* reading) noexcept nogil:
    cdef Track* track = &s.tracks[t]
    if track.doubt == reading.identity:
        end_doubt(s, track.doubters)
    if track.no_reads >> n & 1:
        bar(s, t, AMBIGUOUS_READ)
        return
    track.label_by |= <uint32_t>1 << n
    know_by_label(track, reading.identity)
    if not is_shared(s, t, n, reading.identity):
        take_label(s, t, input, reading)


cdef inline void take_doubtful(State* s, int32_t t, int n, const Record* input, const Reading* reading) noexcept nogil:
    """Kept until the doubt ends, unless the parcel has its label."""
    cdef Track* track = &s.tracks[t]
    if track.marks & LABELLED:
        if track.identity == reading.identity:
            end_doubt(s, <uint32_t>1 << n)
    elif reading.reason != BAD_LABEL:
        if track.doubt != 0 and track.doubt != reading.identity:
            track.marks |= CONTRADICTED
        track.doubt = reading.identity
        track.doubters = <uint32_t>1 << n
        track.n_text = input.n_text
        memcpy(track.text, input.text, sizeof(track.text))
        blur(s, t)


cdef inline void believe(State* s, int32_t t) noexcept nogil:
    """The read kept of track `t` is its own after all."""
    cdef Track* track = &s.tracks[t]
    cdef Record read
    cdef Reading reading
    read.n_text = track.n_text
    memcpy(read.text, track.text, sizeof(track.text))
    understand(s, &read, &reading)
    track.doubters = 0
    take_label(s, t, &read, &reading)


cdef inline bint may_be_scanned(const State* s, int32_t t, int n) noexcept nogil:
    """Whether track `t` may have come to scanner `n`: it was seen beyond, or a scanner further down does not rule it out."""
    cdef int64_t at_counts = s.scanner_table[n].at_counts
    cdef bint is_other
    cdef int k
    if s.tracks[t].seen_counts > at_counts:
        return True
    for k in range(s.head.n_scanners):
        if s.scanner_table[k].belt != s.tracks[t].belt or s.scanner_table[k].at_counts < at_counts:
            continue
        is_other = s.now_ns < s.scanners[k].doubt_until_ns and s.scanners[k].owed_parcel != s.tracks[t].parcel
        if is_other or s.tracks[t].answered >> k & 1:
            return True
    return False


cdef inline void relieve(State* s, int32_t lost) noexcept nogil:
    """Track `lost` is not on the belt: a scanner that it did not come to owes no answer, and what was doubted is right."""
    cdef int32_t t
    cdef int n
    for n in range(s.head.n_scanners):
        if s.scanners[n].owed_parcel != s.tracks[lost].parcel or may_be_scanned(s, lost, n):
            continue
        s.scanners[n].doubt_until_ns = 0
        t = s.tracks[lost].behind
        while t != NOBODY and s.tracks[t].answered >> n & 1:
            if s.tracks[t].doubters >> n & 1 and not s.tracks[t].marks & CONTRADICTED:
                believe(s, t)
            t = s.tracks[t].behind
