"""Questions to the host: where a parcel goes whose label names no lane. Nothing waits for an answer.

A question is known by its number and is open for a fixed time, so that the first asked is the first to expire.
What became of the last ones is remembered: the same answer told again does nothing twice.
"""

from libc.stdint cimport INT64_MAX, int32_t, int64_t, uint16_t, uint32_t
from libc.string cimport memcpy

from hubctl._records cimport (
    ALARM_CLEARED,
    ALARM_HOST_SILENT,
    ALARM_RAISED,
    ASK_HOST,
    HOST_TIMEOUT,
    NO_DATA,
    NO_LANE,
    NONE,
    Record,
)
from hubctl._state cimport N_QUESTIONS, ON_BELT, ROUTED, Question, State, Track, say
from hubctl._tables cimport STATION


cdef inline Question* question_at(const State* s, uint32_t seq) noexcept nogil:
    return &s.questions[seq & (N_QUESTIONS - 1)]


cdef inline Question* question_of(const State* s, uint32_t seq) noexcept nogil:
    """The question of a number; NULL if it was never asked, or too long ago."""
    cdef Question* question = question_at(s, seq)
    return question if seq != 0 and question.seq == seq else NULL


cdef inline bint is_to_be_asked(const State* s, const Track* track) noexcept nogil:
    """Whether the host may know where a parcel goes, and has not been asked about this label under this plan."""
    if not s.host_table.is_asked or s.belt_table[track.belt].kind == STATION:
        return False
    if track.question != 0 and track.asked_plan == s.plan.version:
        return False
    if track.reason != NO_DATA and track.reason != NO_LANE:
        return False
    return track.state == ON_BELT or track.state == ROUTED


cdef inline void say_question(State* s, const Track* track, const Question* question) noexcept nogil:
    cdef Record* record = say(s, ASK_HOST, track.parcel)
    record.seq = question.seq
    record.plan = s.plan.version
    record.due_ns = question.due_ns
    record.n_text = track.n_text
    memcpy(record.text, track.text, sizeof(record.text))


cdef inline void ask(State* s, int32_t t) noexcept nogil:
    """Asks the host about track `t`, unless as many questions are open as are remembered."""
    cdef Track* track = &s.tracks[t]
    cdef Question* question = question_at(s, s.host.next)
    if question.seq != 0 and question.verdict == NONE:
        return
    question.parcel = track.parcel
    question.due_ns = s.now_ns + s.host_table.timeout_ns
    question.seq = s.host.next
    question.verdict = NONE
    s.host.next = s.host.next + 1 if s.host.next + 1 != 0 else N_QUESTIONS
    track.question = question.seq
    track.asked_plan = s.plan.version
    track.reason = HOST_TIMEOUT
    say_question(s, track, question)


cdef inline void say_host(State* s, uint16_t kind) noexcept nogil:
    say(s, kind, 0).value = ALARM_HOST_SILENT


cdef inline void hear_host(State* s) noexcept nogil:
    """An answer came in time."""
    s.host.n_unanswered = 0
    if s.host.is_silent:
        s.host.is_silent = 0
        say_host(s, ALARM_CLEARED)


cdef inline void miss_host(State* s) noexcept nogil:
    """A question was left without an answer."""
    s.host.n_unanswered += 1
    if s.host_table.silent_after and s.host.n_unanswered >= s.host_table.silent_after and not s.host.is_silent:
        s.host.is_silent = 1
        say_host(s, ALARM_RAISED)


cdef inline Question* oldest_question(State* s) noexcept nogil:
    """The oldest question that is open; NULL if none is."""
    while s.host.first != s.host.next:
        if question_at(s, s.host.first).verdict == NONE:
            return question_at(s, s.host.first)
        s.host.first = s.host.first + 1 if s.host.first + 1 != 0 else N_QUESTIONS
    return NULL


cdef inline void run_questions(State* s) noexcept nogil:
    """Questions whose time is over have been left without an answer."""
    cdef Question* question = oldest_question(s)
    while question != NULL and question.due_ns <= s.now_ns:
        question.verdict = HOST_TIMEOUT
        miss_host(s)
        question = oldest_question(s)


cdef inline int64_t next_question_ns(const State* s) noexcept nogil:
    """When the oldest question expires; INT64_MAX if none is open."""
    return INT64_MAX if s.host.first == s.host.next else question_at(s, s.host.first).due_ns
