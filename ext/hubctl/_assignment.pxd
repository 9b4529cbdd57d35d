"""What assignments take and give, as `hubctl/core/tables.py` has it. A test compares the two."""

from libc.stdint cimport int32_t, int64_t, uint16_t

cdef packed struct Assignment:
    int32_t lane
    int32_t wave
    uint16_t chute
    uint16_t reason

cdef packed struct Batch:
    int64_t labels
    int64_t label_size
    int64_t lanes
    int64_t times_ns
    int64_t n
    int64_t assignments
    int64_t said
    int64_t n_said_max
