"""Diverters as devices: ready for the next divert, out of use after failures in a row, stuck out.

A failure is a fired parcel seen downstream, or seen by no eye that should have: so many in a row take the diverter
out of use until a person puts it back. A paddle that does not come home stops its belt.
"""

from libc.stdint cimport int64_t, uint16_t

from hubctl._arming cimport take_back_to
from hubctl._machine cimport do_if_there, halt, release
from hubctl._motion cimport planning_speed, travel
from hubctl._records cimport (
    ALARM_CLEARED,
    ALARM_DIVERTER_FAILS,
    ALARM_DIVERTER_STUCK_OUT,
    ALARM_RAISED,
    DO_HOLD,
    Record,
)
from hubctl._state cimport Paddle, State, Track, say, watch
from hubctl._tables cimport Diverter


cdef inline bint is_ready(const State* s, const Track* track, int64_t fire_counts) noexcept nogil:
    """Whether a track's diverter can act at a count, after what it was last told to do.

    To the same side while its output is still on: it stays on. Else it must have been off for a cycle.
    """
    cdef int d = s.chute_table[track.exit].diverter
    cdef const Paddle* paddle = &s.paddles[d]
    cdef const Diverter* diverter = &s.diverter_table[d]
    cdef int64_t speed = planning_speed(s, track.belt)
    cdef int64_t away = fire_counts - paddle.fire_counts
    if not paddle.is_planned or away >= travel(speed, diverter.hold_ns + diverter.cycle_ns):
        return True
    return paddle.exit == track.exit and 0 <= away < travel(speed, diverter.hold_ns)


cdef inline void plan_divert(State* s, const Track* track) noexcept nogil:
    """The diverter of a committed track is taken at its fire count."""
    cdef Paddle* paddle = &s.paddles[s.chute_table[track.exit].diverter]
    paddle.is_planned = True
    paddle.seq = track.seq
    paddle.exit = track.exit
    paddle.fire_counts = track.fire_counts


cdef inline void drop_divert(State* s, const Track* track) noexcept nogil:
    """A committed track's divert will not be done."""
    cdef Paddle* paddle = &s.paddles[s.chute_table[track.exit].diverter]
    if paddle.seq == track.seq:
        paddle.is_planned = False


cdef inline void say_paddle(State* s, int d, uint16_t kind, uint16_t alarm) noexcept nogil:
    cdef Record* record = say(s, kind, 0)
    record.value = alarm
    record.device = d


cdef inline void divert_failed(State* s, const Track* track) noexcept nogil:
    """One more failure of a track's diverter."""
    cdef int d = s.chute_table[track.exit].diverter
    cdef Paddle* paddle = &s.paddles[d]
    paddle.n_fails += 1
    if s.diverter_table[d].fails_max == 0 or paddle.n_fails < s.diverter_table[d].fails_max or paddle.is_failing:
        return
    paddle.is_failing = True
    take_back_to(s, d, -1, True)
    say_paddle(s, d, ALARM_RAISED, ALARM_DIVERTER_FAILS)


cdef inline void divert_worked(State* s, const Track* track) noexcept nogil:
    s.paddles[s.chute_table[track.exit].diverter].n_fails = 0


cdef inline void take_diverter(State* s, const Record* input) noexcept nogil:
    """A person puts a diverter into use, or takes it out."""
    cdef Paddle* paddle = &s.paddles[input.device]
    paddle.is_taken_out = input.value == 0
    if not input.value:
        take_back_to(s, input.device, -1, True)
        return
    paddle.n_fails = 0
    if paddle.is_failing:
        paddle.is_failing = False
        say_paddle(s, input.device, ALARM_CLEARED, ALARM_DIVERTER_FAILS)


cdef inline void expect_home(State* s, int d, int64_t now_ns) noexcept nogil:
    """The output of diverter `d` was written: its paddle may be out for as long as it holds, and a while more."""
    cdef Paddle* paddle = &s.paddles[d]
    paddle.home_due_ns = now_ns + s.diverter_table[d].hold_ns + s.diverter_table[d].home_ns
    if paddle.is_out:
        watch(s, paddle.home_due_ns)


cdef inline void take_home(State* s, const Record* input) noexcept nogil:
    """A paddle has come home, or is out."""
    cdef Paddle* paddle = &s.paddles[input.device]
    cdef int64_t due_ns = s.now_ns + s.diverter_table[input.device].home_ns
    paddle.is_out = input.value == 0
    if paddle.is_out and paddle.home_due_ns < due_ns:
        paddle.home_due_ns = due_ns
    if paddle.is_out:
        watch(s, paddle.home_due_ns)
    elif paddle.is_stuck:
        paddle.is_stuck = False
        say_paddle(s, input.device, ALARM_CLEARED, ALARM_DIVERTER_STUCK_OUT)
        release(s, s.diverter_table[input.device].belt)


cdef inline void look_at_paddle(State* s, int d) noexcept nogil:
    """Out for too long: it is stuck in the way of everything that comes."""
    cdef Paddle* paddle = &s.paddles[d]
    if not paddle.is_out or paddle.is_stuck:
        return
    if s.now_ns < paddle.home_due_ns:
        watch(s, paddle.home_due_ns)
        return
    paddle.is_stuck = True
    take_back_to(s, d, -1, True)
    say_paddle(s, d, ALARM_RAISED, ALARM_DIVERTER_STUCK_OUT)
    halt(s, s.diverter_table[d].belt)
    do_if_there(s, DO_HOLD)
