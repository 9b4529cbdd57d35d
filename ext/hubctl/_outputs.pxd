"""The outputs of a master that are not idle."""

from libc.stdint cimport int64_t, uint16_t

from hubctl._master cimport Master
from hubctl._wires cimport IDLE, OutputStatus


cdef inline void activate(Master* m, int chute, int phase, int64_t due_ns) noexcept nogil:
    cdef OutputStatus* output = &m.field.output_status[chute]
    if not output.listed:
        m.active[m.n_active] = <uint16_t>chute
        m.n_active += 1
        output.listed = True
    output.phase = phase
    output.due_ns = due_ns


cdef inline void forget_idle(Master* m) noexcept nogil:
    cdef int i = 0
    cdef OutputStatus* output
    while i < m.n_active:
        output = &m.field.output_status[m.active[i]]
        if output.phase == IDLE:
            output.listed = False
            m.n_active -= 1
            m.active[i] = m.active[m.n_active]
        else:
            i += 1
