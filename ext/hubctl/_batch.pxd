"""Inputs collected for the kernel's next step."""

from libc.stdint cimport int64_t, uint64_t
from libc.string cimport memset

from hubctl._records cimport NO_COUNTS, NO_INDEX, Record

cdef struct Batch:
    Record* rows
    int n
    int n_max
    uint64_t n_lost        # would be our mistake: n_max is chosen so that it stays 0

cdef inline Record* batch_add(Batch* batch, int kind, int64_t t_ns) noexcept nogil:
    cdef Record* row = &batch.rows[batch.n]
    if batch.n < batch.n_max - 1:
        batch.n += 1
    else:
        batch.n_lost += 1
    memset(row, 0, sizeof(Record))
    row.kind = kind
    row.t_ns = t_ns
    row.counts = NO_COUNTS
    row.chute = NO_INDEX
    return row
