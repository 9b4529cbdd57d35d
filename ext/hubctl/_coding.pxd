"""Coding by a person or the host: a parcel that has no label to sort by is given one while it travels.

A person who has looked at the parcel settles what the scanners left open: no label, a bad one, one without a
lane, two labels, a read that was doubted. What was settled so is not opened again by a scanner.
"""

from libc.stdint cimport int32_t, uint16_t
from libc.string cimport memcpy

from hubctl._choice cimport hold_label, is_of_labels, route
from hubctl._doubt cimport understand
from hubctl._identity cimport track_of, track_of_parcel
from hubctl._lookup cimport Reading
from hubctl._records cimport (
    AMBIGUOUS_READ,
    BAD_LABEL,
    CODED,
    LATE_READ,
    MULTI_LABEL,
    OK,
    OVERSIZE,
    UNEXPECTED,
    Record,
)
from hubctl._state cimport (
    BARRED,
    CODED_LABEL,
    COMMITTED_TRACK,
    FIRED_TRACK,
    LABELLED,
    NOBODY,
    STRAY,
    State,
    Track,
    say,
)


cdef inline bint is_anothers(const State* s, int32_t t, const Reading* reading) noexcept nogil:
    """Whether another parcel on the belts carries that label."""
    return s.tracks[t].identity != reading.identity and track_of(s, reading.identity) != NOBODY


cdef inline uint16_t coding_refusal(const State* s, int32_t t, const Reading* reading) noexcept nogil:
    """Why a parcel is not given this label; OK if it is."""
    cdef const Track* track
    if t == NOBODY or s.tracks[t].marks & STRAY:
        return UNEXPECTED
    track = &s.tracks[t]
    if track.state == COMMITTED_TRACK or track.state == FIRED_TRACK:
        return LATE_READ
    if reading.reason == BAD_LABEL:
        return BAD_LABEL
    if is_anothers(s, t, reading):
        return AMBIGUOUS_READ
    if track.length_counts > s.belt_table[track.belt].parcel_counts_max:
        return OVERSIZE
    if track.marks & BARRED:
        return OK if is_of_labels(track.reason) else track.reason
    if track.marks & LABELLED and track.lane >= 0 and track.identity != reading.identity:
        return MULTI_LABEL
    return OK


cdef inline void give_label(State* s, int32_t t, const Record* input, const Reading* reading) noexcept nogil:
    cdef Track* track = &s.tracks[t]
    if track.marks & LABELLED and track.lane >= 0 and not track.marks & BARRED:
        return
    track.marks &= ~BARRED
    track.marks |= CODED_LABEL
    hold_label(s, t, input, reading)
    route(s, t, LATE_READ)


cdef inline void take_code(State* s, const Record* input) noexcept nogil:
    """Says what became of the wish, and gives the label if it may."""
    cdef int32_t t = track_of_parcel(s, input.parcel)
    cdef Reading reading
    cdef Record* record = say(s, CODED, input.parcel)
    understand(s, input, &reading)
    record.reason = coding_refusal(s, t, &reading)
    record.n_text = input.n_text
    memcpy(record.text, input.text, sizeof(record.text))
    if record.reason == OK:
        record.reason = reading.reason
        give_label(s, t, input, &reading)
