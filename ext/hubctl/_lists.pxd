"""Labels on a list: called back (INTERCEPT) or held by order (HELD), whatever their destination.

The plan brings lists of its own; a person's or the host's word adds to them and takes from them while parcels
travel. The word outlives the plan; a label that it took off the plan's list is kept here with the reason NONE.
"""

from libc.stdint cimport int64_t, uint16_t, uint64_t

from hubctl._identity cimport ANYBODY, NO_PLAN_IDENTITY, empty_place, find_place, put_place
from hubctl._records cimport NONE
from hubctl._state cimport N_LISTED, State


cdef inline uint16_t listed_by_plan(const State* s, uint64_t identity) noexcept nogil:
    cdef int low = 0
    cdef int high = s.plan.n_listed
    cdef int middle
    while low < high:
        middle = (low + high) // 2
        if s.plan.listed[middle] < identity:
            low = middle + 1
        else:
            high = middle
    if low < s.plan.n_listed and s.plan.listed[low] == identity:
        return s.plan.listed_reasons[low]
    return NONE


cdef inline uint16_t listed_reason(const State* s, uint64_t identity) noexcept nogil:
    """Why a label is on a list; NONE if it is on none."""
    cdef int64_t at
    if identity <= NO_PLAN_IDENTITY:
        return NONE
    if s.head.n_listed:
        at = find_place(s.listed, N_LISTED - 1, identity, ANYBODY)
        if at >= 0:
            return <uint16_t>s.listed[at].track
    return listed_by_plan(s, identity)


cdef inline bint put_on_list(State* s, uint64_t identity, uint16_t reason) noexcept nogil:
    """Whether a label is on a list for a reason now; False when the kernel's list is full."""
    cdef int64_t at = find_place(s.listed, N_LISTED - 1, identity, ANYBODY)
    if at >= 0:
        s.listed[at].track = reason
        return True
    if s.head.n_listed >= N_LISTED // 2:
        return False
    s.head.n_listed += 1
    put_place(s.listed, N_LISTED - 1, identity, reason)
    return True


cdef inline bint take_off_list(State* s, uint64_t identity) noexcept nogil:
    """Whether a label is on no list now."""
    cdef int64_t at
    if listed_by_plan(s, identity) != NONE:
        return put_on_list(s, identity, NONE)
    at = find_place(s.listed, N_LISTED - 1, identity, ANYBODY)
    if at >= 0:
        empty_place(s.listed, N_LISTED - 1, at)
        s.head.n_listed -= 1
    return True
