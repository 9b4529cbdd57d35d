"""Inputs of several nodes, put in the order of their times: each waits until every node has told so far.

A node that latches its edges and fires by itself may be asked late, by a host that stood still; then its belts'
history comes late too, and in pieces. It is stepped in order all the same, so that to the kernel nothing was late.
"""

from libc.stdint cimport int64_t
from libc.stdlib cimport calloc, free

from hubctl._batch cimport Batch
from hubctl._records cimport Record

cdef enum:
    N_MERGED_MAX = 16384   # of all nodes, from one complete poll of the slowest to its next

cdef struct Merge:
    Record* rows           # in order, from `at`
    int at
    int n


cdef inline bint merge_init(Merge* m) noexcept nogil:
    m.rows = <Record*>calloc(N_MERGED_MAX, sizeof(Record))
    return m.rows is not NULL


cdef inline void merge_free(Merge* m) noexcept nogil:
    free(m.rows)


cdef inline void make_room(Merge* m) noexcept nogil:
    """Moves what waits to the front."""
    cdef int i
    for i in range(m.n):
        m.rows[i] = m.rows[m.at + i]
    m.at = 0


cdef inline bint merge_add(Merge* m, const Record* row) noexcept nogil:
    """Puts a row behind those of its time and before; false if there is no room."""
    cdef int i
    if m.at + m.n == N_MERGED_MAX:
        make_room(m)
    if m.n == N_MERGED_MAX:
        return False
    i = m.at + m.n
    while i > m.at and m.rows[i - 1].t_ns > row.t_ns:
        m.rows[i] = m.rows[i - 1]
        i -= 1
    m.rows[i] = row[0]
    m.n += 1
    return True


cdef inline void merge_batch(Merge* m, Batch* batch) noexcept nogil:
    """Puts in all that was collected."""
    cdef int i
    for i in range(batch.n):
        if not merge_add(m, &batch.rows[i]):
            batch.n_lost += 1
    batch.n = 0


cdef inline bint merge_is_due(const Merge* m, int64_t told_ns) noexcept nogil:
    return m.n > 0 and m.rows[m.at].t_ns <= told_ns


cdef inline void merge_pop(Merge* m, Record* row) noexcept nogil:
    row[0] = m.rows[m.at]
    m.at += 1
    m.n -= 1
