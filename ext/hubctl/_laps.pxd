"""Another lap: a parcel that nothing takes goes round again, a limited number of times and not with too many others.

So does one whose exception is the end of a belt that leads back: after its laps it is one of MAX_LAPS.
"""

from libc.stdint cimport int32_t, int64_t

from hubctl._records cimport ALARM_CLEARED, ALARM_GRIDLOCK, ALARM_RAISED, NO_INDEX, Record
from hubctl._state cimport HOLD_FOR_GRIDLOCK, State, Track, say

cdef enum:
    AGAIN_PERCENT = 75  # of the limit: down to so many a gridlock is over


cdef inline void note_gridlock(State* s, int b) noexcept nogil:
    """Whether so many parcels of a belt go round that nobody else may; said when it begins and when it is over."""
    cdef int64_t n_max = s.belt_table[b].recirculating_max
    cdef int64_t n = s.belts[b].n_recirculating
    cdef bint is_gridlocked = n >= n_max if not s.belts[b].is_gridlocked else n * 100 > n_max * AGAIN_PERCENT
    cdef Record* record
    if n_max == 0 or is_gridlocked == s.belts[b].is_gridlocked:
        return
    s.belts[b].is_gridlocked = is_gridlocked
    if is_gridlocked:
        s.drives[b].hold_reasons |= HOLD_FOR_GRIDLOCK
    else:
        s.drives[b].hold_reasons &= ~HOLD_FOR_GRIDLOCK
    record = say(s, ALARM_RAISED if is_gridlocked else ALARM_CLEARED, 0)
    record.device = b
    record.value = ALARM_GRIDLOCK


cdef inline void join_round(State* s, int32_t t) noexcept nogil:
    """Track `t` is on its way to another lap."""
    cdef Track* track = &s.tracks[t]
    track.round_belt = track.belt
    s.belts[track.belt].n_recirculating += 1
    note_gridlock(s, track.belt)


cdef inline void leave_round(State* s, int32_t t) noexcept nogil:
    """Track `t` has begun its lap, found a chute, or is over."""
    cdef int b = s.tracks[t].round_belt
    if b == NO_INDEX:
        return
    s.tracks[t].round_belt = NO_INDEX
    s.belts[b].n_recirculating -= 1
    note_gridlock(s, b)


cdef inline bint goes_round(const State* s, const Track* track) noexcept nogil:
    """Whether the end of a track's belt leads back to where it came from, so that there are laps."""
    return s.belt_table[track.belt].laps_max > 0


cdef inline bint had_its_laps(const State* s, const Track* track) noexcept nogil:
    return track.laps >= s.belt_table[track.belt].laps_max
