"""Weight and size: whose a scale's result is, and what follows from it.

A result is placed as a read is; one that fits two parcels is nobody's. What one scale says twice of a parcel and
differently is not known: one of the two may be a neighbour's.
"""

from libc.stdint cimport int32_t, int64_t, uint16_t, uint32_t
from libc.string cimport memset

from hubctl._choice cimport bar_beyond_limits, begin_anew, route
from hubctl._chutes cimport book_anew
from hubctl._limits cimport diverter_limit, is_of_weight
from hubctl._motion cimport counts_at, shown
from hubctl._reading cimport nearest, other_in_reach, reaches
from hubctl._records cimport (
    AMBIGUOUS_READ,
    LATCHED,
    LATE_READ,
    NO_COUNTS,
    NONE,
    OK,
    SIZED,
    UNEXPECTED,
    WEIGHED,
    WEIGHT,
    Record,
)
from hubctl._stamps cimport is_recent
from hubctl._state cimport BARRED, NOBODY, ON_BELT, ROUTED, State, Track, say
from hubctl._tables cimport Scale, Scanner

cdef enum:
    MM3_PER_ML = 1000


cdef inline Scanner line_of(const Scale* scale) noexcept nogil:
    """A scale's place as a scanner's: whose a result is, is found in the same way."""
    cdef Scanner line
    memset(&line, 0, sizeof(Scanner))
    line.belt = scale.belt
    line.at_counts = scale.at_counts
    line.reach_counts = scale.reach_counts
    return line


cdef inline bint is_with_counts(const Record* input) noexcept nogil:
    return input.flags & LATCHED and input.counts != NO_COUNTS


cdef inline int64_t weighed_at(const State* s, const Scale* scale, const Record* input) noexcept nogil:
    """Where the belt was when a parcel was weighed: by the counter taken then, else by when the result came."""
    if is_with_counts(input):
        return shown(s, scale.belt, input.counts)
    return counts_at(s, scale.belt, input.t_ns - scale.latency_ns)


cdef inline int32_t weighed_track(State* s, const Record* input, uint16_t* reason) noexcept nogil:
    """Whose a result is; NOBODY, and why, if it is nobody's."""
    cdef const Scale* scale = &s.scale_table[input.device]
    cdef Scanner line = line_of(scale)
    cdef int64_t counts = weighed_at(s, scale, input)
    cdef int32_t t = nearest(s, &line, &s.scales[input.device].near, counts)
    reason[0] = UNEXPECTED
    if is_with_counts(input) and not is_recent(s, scale.belt, counts):
        return NOBODY
    if not reaches(s, t, &line, counts):
        return NOBODY
    reason[0] = AMBIGUOUS_READ
    if other_in_reach(s, t, &line, counts) != NOBODY:
        return NOBODY
    reason[0] = OK
    return t


cdef inline bint contradicts(uint32_t* said_by, int n, bint is_other) noexcept nogil:
    """Whether scale `n` has said something else of a parcel before. Notes that it has spoken."""
    cdef uint32_t bit = <uint32_t>1 << n
    cdef bint has_spoken = said_by[0] & bit
    said_by[0] |= bit
    return has_spoken and is_other


cdef inline uint16_t take_weight(Track* track, const Record* input) noexcept nogil:
    cdef bint is_other = track.load.weight_g != input.value
    track.load.weight_g = input.value
    if contradicts(&track.weighed_by, input.device, is_other):
        track.load.weight_g = 0
        return AMBIGUOUS_READ
    return OK


cdef inline uint16_t take_size(Track* track, const Record* input) noexcept nogil:
    cdef int64_t volume_ml = (input.value * input.limit * input.seq + MM3_PER_ML - 1) // MM3_PER_ML
    cdef bint is_other = track.load.volume_ml != volume_ml or track.width_mm != input.limit or track.height_mm != <int32_t>input.seq
    track.load.volume_ml = volume_ml
    track.width_mm = <int32_t>input.limit
    track.height_mm = <int32_t>input.seq
    if contradicts(&track.sized_by, input.device, is_other):
        track.load.volume_ml = 0
        track.width_mm = 0
        track.height_mm = 0
        return AMBIGUOUS_READ
    return OK


cdef inline bint is_to_be_routed_anew(const State* s, const Track* track, int64_t was_g) noexcept nogil:
    """Whether a diverter was passed over for a weight that is another now, or the one chosen does not move it."""
    if track.state != ON_BELT and track.state != ROUTED:
        return False
    if is_of_weight(track.first_skip) and track.load.weight_g != was_g and not track.marks & BARRED:
        return True
    return diverter_limit(s, track, track.exit) != NONE


cdef inline void judge(State* s, int32_t t, int64_t was_g) noexcept nogil:
    """More is known of track `t`: too much for its belt, or another of its chutes is the better one."""
    cdef Track* track = &s.tracks[t]
    book_anew(s, t)
    if not bar_beyond_limits(s, t) and is_to_be_routed_anew(s, track, was_g):
        begin_anew(track)
        route(s, t, LATE_READ)


cdef inline Record* say_result(State* s, const Record* input, int32_t t) noexcept nogil:
    cdef Record* record = say(s, WEIGHED if input.kind == WEIGHT else SIZED, 0 if t == NOBODY else s.tracks[t].parcel)
    record.device = input.device
    record.value = input.value
    record.limit = input.limit
    record.seq = input.seq
    return record


cdef inline void take_scale(State* s, const Record* input) noexcept nogil:
    """A weight or a size."""
    cdef uint16_t reason
    cdef int32_t t = weighed_track(s, input, &reason)
    cdef int64_t was_g = 0 if t == NOBODY else s.tracks[t].load.weight_g
    if t != NOBODY and input.kind == WEIGHT:
        reason = take_weight(&s.tracks[t], input)
    elif t != NOBODY:
        reason = take_size(&s.tracks[t], input)
    say_result(s, input, t).reason = reason
    if t != NOBODY:
        judge(s, t, was_g)
