"""Edges of an induction's eye that come close upon each other: the first counts at once, then the level that stays."""

from libc.stdint cimport int32_t, int64_t

from hubctl._booking cimport leave_induction, stand_ready
from hubctl._state cimport NOBODY, RingEye, State, watch
from hubctl._tables cimport INDUCT

cdef enum:
    BOUNCE_NS = 30000000  # no parcel leaves an induction, and no other comes, so soon


cdef inline void take_level(State* s, int e) noexcept nogil:
    """An induction is blocked, by its parcel or another, or clear."""
    cdef RingEye* eye = &s.ring_eyes[e]
    eye.is_unsettled = 0
    if not eye.is_blocked:
        leave_induction(s, e)
    elif s.eyes[e].under == NOBODY:
        stand_ready(s, e, eye.blocked_counts, eye.edge_length_mm)


cdef inline void take_induct_edge(State* s, int e, bint is_blocked, int64_t counts, int64_t length_mm) noexcept nogil:
    cdef RingEye* eye = &s.ring_eyes[e]
    cdef bint is_close = s.now_ns - eye.edge_ns < BOUNCE_NS and eye.edge_ns != 0
    eye.edge_ns = s.now_ns
    eye.is_blocked = is_blocked
    if is_blocked:
        eye.blocked_counts = counts
        eye.edge_length_mm = length_mm
    if is_close:
        eye.is_unsettled = 1
        watch(s, s.now_ns + BOUNCE_NS)
    else:
        take_level(s, e)


cdef inline void settle_inductions(State* s, int b) noexcept nogil:
    """Levels of inductions that have stayed."""
    cdef int e
    for e in range(s.ring_table[b].first_eye, s.ring_table[b].first_eye + s.ring_table[b].n_eyes):
        if s.eye_table[e].role != INDUCT or not s.ring_eyes[e].is_unsettled:
            continue
        if s.now_ns - s.ring_eyes[e].edge_ns >= BOUNCE_NS:
            take_level(s, e)
        else:
            watch(s, s.ring_eyes[e].edge_ns + BOUNCE_NS)
