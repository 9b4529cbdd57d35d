"""Counters that lie: one that begins anew, one that is silent, one that is frozen. Nobody knows where parcels are then.

The tracks of such a belt are flushed, and nothing fires. What was fired already is settled by its chute eye.
"""

from libc.stdint cimport int32_t, int64_t, uint16_t

from hubctl._adrift cimport note_gap
from hubctl._carriers cimport is_loop
from hubctl._choice cimport close_track
from hubctl._motion cimport is_timed, take_counter
from hubctl._order cimport clear_timer, next_expected
from hubctl._records cimport (
    ALARM_CLEARED,
    ALARM_ENCODER_JUMPED,
    ALARM_ENCODER_SILENT,
    ALARM_RAISED,
    FLUSHED,
    NO_INDEX,
    REMOVED_PARCEL,
    Record,
)
from hubctl._schedule cimport conclude_fired
from hubctl._state cimport (
    EYE_PASSED,
    FIRED_TRACK,
    N_SAMPLES,
    N_STANDING_EDGES,
    NOBODY,
    BeltState,
    State,
    room,
    say,
)


cdef inline void say_alarm(State* s, int32_t* is_raised, bint is_so, uint16_t alarm, int device) noexcept nogil:
    """Raises an alarm, or clears it, if that is news."""
    cdef Record* record
    if is_raised[0] == is_so:
        return
    is_raised[0] = is_so
    record = say(s, ALARM_RAISED if is_so else ALARM_CLEARED, 0)
    record.value = alarm
    record.device = device


cdef inline void follow_no_more(State* s, int32_t t) noexcept nogil:
    """No eye can prove fired track `t` any more: its chute eye settles it alone."""
    cdef int e
    s.tracks[t].next_eye = NO_INDEX
    for e in range(s.head.n_eyes):
        if s.eyes[e].expected == t:
            s.eyes[e].expected = next_expected(s, e, t)
    clear_timer(s, t)
    s.tracks[t].marks |= EYE_PASSED
    conclude_fired(s, t)


cdef inline void flush_belt(State* s, int b) noexcept nogil:
    """Closes the tracks of belt `b`, as many as the output has room for."""
    cdef int32_t t = s.belts[b].first
    cdef int32_t behind
    while t != NOBODY:
        if room(s) < 64:
            s.head.backlog = 1
            return
        behind = s.tracks[t].behind
        if s.tracks[t].state == FIRED_TRACK:
            follow_no_more(s, t)
        else:
            close_track(s, t, FLUSHED, REMOVED_PARCEL)
        t = behind
    s.belts[b].flushing = 0


cdef inline void take_encoder(State* s, const Record* input) noexcept nogil:
    """A sample; one after the counter has begun anew flushes the belt."""
    cdef int b = input.device
    cdef BeltState* belt = &s.belts[b]
    cdef int64_t counts = belt.counts
    cdef int64_t t_ns = belt.t_ns
    if not take_counter(s, b, input.counts, input.t_ns):
        belt.flushing = 1
        say_alarm(s, &belt.jumped, True, ALARM_ENCODER_JUMPED, b)
        return
    if is_loop(s, b):
        note_gap(s, b, counts, t_ns)
    if belt.counts != counts:
        belt.standing_edges = 0
        say_alarm(s, &belt.silent, False, ALARM_ENCODER_SILENT, b)
    if belt.n_samples >= N_SAMPLES:
        say_alarm(s, &belt.jumped, False, ALARM_ENCODER_JUMPED, b)


cdef inline void watch_encoder(State* s, int b) noexcept nogil:
    """No sample for too long from a belt that ran."""
    cdef BeltState* belt = &s.belts[b]
    if belt.silent or is_timed(&s.belt_table[b]) or belt.n_samples == 0:
        return
    if s.now_ns - belt.t_ns <= s.belt_table[b].stale_ns or belt.speed_counts_s < s.belt_table[b].speed_counts_s_min:
        return
    if s.nodes[s.belt_table[b].encoder_node].up:
        say_alarm(s, &belt.silent, True, ALARM_ENCODER_SILENT, b)


cdef inline void note_standing(State* s, int e, const Record* input) noexcept nogil:
    """Parcels come by several eyes while the counts stand: the belt runs, and its counter is frozen."""
    cdef int b = s.eye_table[e].belt
    cdef BeltState* belt = &s.belts[b]
    if not input.value or belt.speed_counts_s != 0 or belt.n_samples < N_SAMPLES or is_timed(&s.belt_table[b]):
        return
    if belt.standing_eye == e and belt.standing_edges > 0:
        return
    belt.standing_eye = e
    belt.standing_edges += 1
    if belt.standing_edges >= N_STANDING_EDGES and not belt.silent:
        belt.flushing = 1
        say_alarm(s, &belt.silent, True, ALARM_ENCODER_SILENT, b)
