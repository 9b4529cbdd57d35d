"""Assignments: where labels go that are read one after the other, on no belt, and lie in their chutes at once.

The choice is the kernel's own (`_choice.pxd`), with its lists, waves, policies, limits and states of chutes; one that
stands is not made again (`_settled.pxd`). Only what a belt adds is left out: nobody is followed, and what would be said
of each is written over by the next.
"""

from libc.stdint cimport int32_t, int64_t, uint16_t
from libc.string cimport memset

from hubctl._assignment cimport Assignment, Batch
from hubctl._choice cimport drop_strange_lane, route
from hubctl._chutes cimport land
from hubctl._lists cimport listed_reason
from hubctl._lookup cimport BLOCK, Reading, resolve_block
from hubctl._order cimport take_track
from hubctl._records cimport BAD_LABEL, LATE_READ, NO_INDEX, NO_LANE, NO_PLAN, NO_READ, NONE, OK, Record
from hubctl._settled cimport N_SETTLED, Settled, settle_as, settle_nothing, settled_for, stands
from hubctl._state cimport FREE, LABELLED, ON_BELT, State, Track
from hubctl._waves cimport NO_WAVE

cdef inline void give_back_untravelled(State* s, int32_t t) noexcept nogil:
    """Back into the pool: track `t` never was on a belt, and nothing of it remains."""
    memset(&s.tracks[t], 0, sizeof(Track))
    s.tracks[t].state = FREE
    s.tracks[t].behind = s.head.free
    s.head.free = t
    s.head.n_open -= 1


cdef inline void forget_decision(Track* track) noexcept nogil:
    """What a decision leaves in a track that no belt has moved: all of it, so that the next parcel may have the track."""
    track.state = ON_BELT
    track.marks = 0
    track.chute = NO_INDEX
    track.exit = NO_INDEX
    track.wave = NO_WAVE
    track.first_wave = NO_WAVE
    track.first_skip = 0
    track.tried = 0
    track.chain = 0
    track.candidate = 0
    track.priority = 0
    track.identity = 0


cdef inline void hold_reading(State* s, Track* track, const Reading* reading) noexcept nogil:
    """What the label says of the parcel that carries it."""
    track.lane = reading.lane
    track.reason = reading.reason
    track.plan = s.plan.version
    if reading.reason == BAD_LABEL or reading.reason == NO_READ:
        return
    track.marks = LABELLED
    track.identity = reading.identity
    track.priority = reading.priority


cdef inline void assign_one(State* s, int32_t t, const Reading* reading, Assignment* out) noexcept nogil:
    """Decides for one parcel by what its label says, and puts it into its chute."""
    cdef Track* track = &s.tracks[t]
    forget_decision(track)
    hold_reading(s, track, reading)
    route(s, t, LATE_READ)
    out.lane = track.lane
    out.wave = track.wave
    out.chute = track.chute
    out.reason = track.reason
    land(s, t, track.chute)


cdef inline void assign_alike(State* s, const Settled* kept, Assignment* out) noexcept nogil:
    """Puts one more parcel into the chute of the one before."""
    out.lane = kept.lane
    out.wave = kept.wave
    out.chute = <uint16_t>kept.chute
    out.reason = OK
    s.chutes[kept.chute].held.n_parcels += 1


cdef inline void assign_next(
    State* s, int32_t t, const Reading* reading, Settled* settled, Assignment* out
) noexcept nogil:
    """Decides for one parcel as for the one before of its lane, if that choice stands, else anew."""
    cdef const Settled* kept = settled_for(settled, reading.lane)
    if stands(s, kept, reading.lane) and listed_reason(s, reading.identity) == NONE:
        assign_alike(s, kept, out)
        return
    assign_one(s, t, reading, out)
    if out.reason == OK:
        settle_as(s, &s.tracks[t], settled)


cdef inline void read_lanes(const int32_t* lanes, int n, Reading* readings) noexcept nogil:
    """Of parcels whose lanes are known: the label that would say so."""
    cdef int i
    memset(readings, 0, n * sizeof(Reading))
    for i in range(n):
        readings[i].lane = lanes[i] if lanes[i] >= 0 else -1
        readings[i].reason = OK if lanes[i] >= 0 else NO_LANE


cdef inline void read_labels(const State* s, const char* labels, int64_t size, int n, Reading* readings) noexcept nogil:
    """What some labels say under the plan of now; one without a character is none."""
    cdef int i
    if s.plan.version:
        resolve_block(s.plan.labels, labels, size, n, readings)
    for i in range(n):
        if s.plan.version == 0:
            readings[i].reason = NO_PLAN
            readings[i].lane = -1
        if labels[i * size] == 0:
            readings[i].reason = NO_READ


cdef inline void read_together(const State* s, const Batch* batch, int64_t first, int n, Reading* readings) noexcept nogil:
    cdef int i
    if batch.labels:
        read_labels(s, <const char*>batch.labels + first * batch.label_size, batch.label_size, n, readings)
    else:
        read_lanes(<const int32_t*>batch.lanes + first, n, readings)
    for i in range(n):
        drop_strange_lane(s, &readings[i])


cdef inline void assign_alone(State* s, int32_t t, const Batch* batch) noexcept nogil:
    """Decides for the first parcel of a batch."""
    cdef Reading reading
    read_together(s, batch, 0, 1, &reading)
    s.now_ns = (<const int64_t*>batch.times_ns)[0]
    assign_one(s, t, &reading, <Assignment*>batch.assignments)


cdef inline void assign_many(State* s, int32_t t, const Batch* batch) noexcept nogil:
    """Decides for the parcels of a batch in turn, and keeps meanwhile what it comes to for their lanes."""
    cdef Reading[BLOCK] readings
    cdef Settled[N_SETTLED] settled
    cdef Assignment* to = <Assignment*>batch.assignments
    cdef const int64_t* times_ns = <const int64_t*>batch.times_ns
    cdef int64_t first = 0
    cdef int n, i
    settle_nothing(settled)
    while first < batch.n:
        n = <int>(batch.n - first if batch.n - first < BLOCK else BLOCK)
        read_together(s, batch, first, n, readings)
        for i in range(n):
            s.now_ns = times_ns[first + i]
            assign_next(s, t, &readings[i], settled, &to[first + i])
        first += n


cdef inline void assign_all(State* s, const Batch* batch) noexcept nogil:
    """Decides for all parcels in one track: none of them is followed."""
    cdef int32_t t = take_track(s)
    s.out = <Record*>batch.said
    s.n_out = 0
    s.n_out_max = <int>batch.n_said_max
    s.is_unheard = True
    if batch.n == 1:
        assign_alone(s, t, batch)
    else:
        assign_many(s, t, batch)
    s.head.now_ns = s.now_ns
    s.is_unheard = False
    give_back_untravelled(s, t)
