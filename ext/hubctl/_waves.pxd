"""Waves: the first departure of a lane that a parcel still makes, by when it will be at the door.

It is at the door when it has run to its exit at the belt's speed, and then taken its chute's and its lane's way
there. Departures are sorted, so that the first one after an instant is found by halving.
"""

from libc.stdint cimport INT64_MAX, int64_t

from hubctl._motion cimport NS_PER_S, planning_speed
from hubctl._policy cimport way_counts
from hubctl._records cimport NO_INDEX
from hubctl._state cimport State, Track
from hubctl._tables cimport STATION, Lane, Wave

cdef enum:
    NO_WAVE = -1


cdef inline int64_t at_door_ns(const State* s, const Track* track, const Lane* lane, int c) noexcept nogil:
    """When a parcel will be at the door if it goes by a chute; INT64_MAX if no way leads there."""
    cdef int exit = s.hops[track.belt * s.head.n_chutes + c]
    cdef int64_t counts
    cdef int64_t speed = planning_speed(s, track.belt)
    cdef int64_t ns = s.now_ns + s.chute_table[c].door_ns + lane.lead_ns
    if exit == NO_INDEX:
        return INT64_MAX
    if s.belt_table[track.belt].kind == STATION or speed <= 0:
        return ns
    counts = way_counts(s, track, exit)
    if counts // speed > INT64_MAX // 4 // NS_PER_S:
        return INT64_MAX
    return ns + counts // speed * NS_PER_S + counts % speed * NS_PER_S // speed


cdef inline int first_departing(const State* s, const Lane* lane, int64_t at_ns) noexcept nogil:
    """The first wave of a lane that departs at an instant or later; n_waves if all have."""
    cdef int low = 0
    cdef int high = lane.n_waves
    cdef int middle
    while low < high:
        middle = (low + high) // 2
        if s.plan.waves[lane.first_wave + middle].departs_ns >= at_ns:
            high = middle
        else:
            low = middle + 1
    return low


cdef inline const Wave* wave_at(const State* s, const Lane* lane, int w) noexcept nogil:
    return &s.plan.waves[lane.first_wave + w]


cdef inline bint is_shared(const Lane* lane, const Wave* wave) noexcept nogil:
    """Whether a wave goes by its lane's chutes."""
    return wave.first_step == lane.first_step


cdef inline int first_made(const State* s, const Track* track, const Lane* lane) noexcept nogil:
    """The first wave that a parcel makes by its first chute; NO_WAVE if it misses all."""
    cdef int w = first_departing(s, lane, s.now_ns + lane.lead_ns)
    cdef int c
    while w < lane.n_waves:
        c = s.plan.chutes[s.plan.steps[wave_at(s, lane, w).first_step].first]
        if at_door_ns(s, track, lane, c) <= wave_at(s, lane, w).departs_ns:
            return w
        w += 1
    return NO_WAVE


cdef inline int wave_by(const State* s, const Track* track, const Lane* lane, int w, int c) noexcept nogil:
    """The wave that a parcel makes by a chute: `w`, or by its lane's chutes a later one; NO_WAVE if none."""
    cdef int64_t ns = at_door_ns(s, track, lane, c)
    if ns <= wave_at(s, lane, w).departs_ns:
        return w
    if not is_shared(lane, wave_at(s, lane, w)):
        return NO_WAVE
    while w < lane.n_waves and (wave_at(s, lane, w).departs_ns < ns or not is_shared(lane, wave_at(s, lane, w))):
        w += 1
    return w if w < lane.n_waves else NO_WAVE
