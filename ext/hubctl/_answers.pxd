"""The host's answers: where a parcel goes whose label named no lane, or why nowhere.

An answer counts while its question is open and the parcel may still be sent elsewhere; a late one is refused.
"""

from libc.stdint cimport int32_t, int64_t, uint16_t

from hubctl._change cimport mm_left, names_lane, wish_refusal
from hubctl._choice cimport bar, begin_anew, route
from hubctl._host cimport hear_host, question_of, run_questions
from hubctl._identity cimport track_of_parcel
from hubctl._records cimport (
    ANSWERED,
    HELD,
    INTERCEPT,
    LATE_READ,
    NO_INDEX,
    NO_LANE,
    NONE,
    OK,
    QUESTION,
    UNEXPECTED,
    Record,
)
from hubctl._state cimport DIRECTED, NOBODY, Question, State, Track, say


cdef inline uint16_t send_as_told(State* s, int32_t t, const Record* input) noexcept nogil:
    """Sends track `t` to the host's chute or by its lane; OK, or why it goes to an exception after all."""
    cdef Track* track = &s.tracks[t]
    if input.chute != NO_INDEX:
        track.marks |= DIRECTED
        track.directed = input.chute
    elif names_lane(s, input):
        track.lane = <int32_t>input.value
    else:
        return NO_LANE
    begin_anew(track)
    route(s, t, LATE_READ)
    return track.reason


cdef inline uint16_t send_nowhere(State* s, int32_t t, uint16_t reason) noexcept nogil:
    """The host has no destination for track `t`, and says why."""
    if reason == INTERCEPT or reason == HELD:
        bar(s, t, reason)
        return OK
    s.tracks[t].reason = reason
    route(s, t, LATE_READ)
    return OK


cdef inline uint16_t heed(State* s, const Question* question, const Record* input) noexcept nogil:
    """Does as the host says; OK, or why not."""
    cdef int32_t t = track_of_parcel(s, question.parcel)
    cdef uint16_t reason
    if t == NOBODY or s.tracks[t].question != question.seq or s.tracks[t].asked_plan != s.plan.version:
        return UNEXPECTED
    reason = wish_refusal(s, &s.tracks[t])
    if reason != NONE:
        return reason
    if input.reason == OK:
        return send_as_told(s, t, input)
    return send_nowhere(s, t, input.reason)


cdef inline uint16_t verdict_on(State* s, Question* question, const Record* input) noexcept nogil:
    """What becomes of an answer; one told again becomes what it became the first time.

    One that names another plan's lane leaves its question open: the host may say it better.
    """
    cdef uint16_t verdict
    if question == NULL:
        return UNEXPECTED
    if question.verdict != NONE:
        return question.verdict
    hear_host(s)
    verdict = heed(s, question, input)
    if verdict != NO_LANE:
        question.verdict = verdict
    return verdict


cdef inline void take_host_answer(State* s, const Record* input) noexcept nogil:
    """An answer, and what became of it."""
    cdef Question* question
    cdef int64_t parcel
    cdef int64_t left = 0
    cdef int32_t t
    cdef uint16_t verdict
    cdef Record* record
    run_questions(s)
    question = question_of(s, input.seq)
    parcel = 0 if question == NULL else question.parcel
    t = track_of_parcel(s, parcel)
    if t != NOBODY:
        left = mm_left(s, &s.tracks[t])
    verdict = verdict_on(s, question, input)
    record = say(s, ANSWERED, parcel)
    record.seq = input.seq
    record.flags = QUESTION
    record.reason = verdict
    record.value = left
