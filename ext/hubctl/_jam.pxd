"""Jams at a chute: its eye is blocked for longer than any parcel takes. Nothing is diverted there until a person opens it."""

from hubctl._chutes cimport look_at_chute
from hubctl._records cimport ALARM_CLEARED, ALARM_JAM, ALARM_RAISED, FAULT, NO_INDEX, OPEN, Record
from hubctl._state cimport ChuteStatus, State, say, watch


cdef inline void say_chute_jam(State* s, int c, int kind) noexcept nogil:
    cdef Record* record = say(s, kind, 0)
    record.value = ALARM_JAM
    record.device = NO_INDEX
    record.chute = c


cdef inline void note_chute_eye(State* s, int c, bint is_blocked) noexcept nogil:
    """An edge of the chute eye."""
    cdef ChuteStatus* chute = &s.chutes[c]
    chute.is_blocked = is_blocked
    chute.jam_due_ns = s.now_ns + s.chute_table[c].jam_ns
    if is_blocked and s.chute_table[c].jam_ns:
        watch(s, chute.jam_due_ns)


cdef inline void look_at_chute_eye(State* s, int c) noexcept nogil:
    cdef ChuteStatus* chute = &s.chutes[c]
    if not chute.is_blocked or chute.is_jammed or s.chute_table[c].jam_ns == 0:
        return
    if s.now_ns < chute.jam_due_ns:
        watch(s, chute.jam_due_ns)
        return
    chute.is_jammed = True
    chute.state = FAULT
    say_chute_jam(s, c, ALARM_RAISED)
    look_at_chute(s, c)


cdef inline void clear_jam(State* s, int c) noexcept nogil:
    """A person opened the chute. Should its eye still be blocked, it is a jam again after the same while."""
    if not s.chutes[c].is_jammed or s.chutes[c].state != OPEN:
        return
    s.chutes[c].is_jammed = False
    say_chute_jam(s, c, ALARM_CLEARED)
    note_chute_eye(s, c, s.chutes[c].is_blocked)
