"""Inputs collected for the kernel's next step."""

from libc.stdint cimport int64_t, uint16_t, uint64_t
from libc.string cimport memset

from hubctl._records cimport FIRE_RESULT, NO_COUNTS, NO_INDEX, Record

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


cdef inline Record* tell_fire(const Record* command, int reason, int64_t t_ns, Batch* batch) noexcept nogil:
    """What became of a fire; the row, for whoever knows more of it."""
    cdef Record* row = batch_add(batch, FIRE_RESULT, t_ns)
    row.parcel = command.parcel
    row.seq = command.seq
    row.plan = command.plan
    row.device = command.device
    row.chute = command.chute
    row.due_ns = command.due_ns
    row.reason = <uint16_t>reason
    return row
