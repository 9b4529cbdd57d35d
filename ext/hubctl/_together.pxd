"""Coils of one node that are due at once and lie side by side: one request (function 15) writes them."""

from libc.stdint cimport int64_t, uint8_t, uint64_t

from hubctl._batch cimport Batch, tell_fire
from hubctl._master cimport Group, Master
from hubctl._outputs cimport activate
from hubctl._records cimport OK
from hubctl._tables cimport Output
from hubctl._wires cimport HOLDING, OFF_DUE, OFF_SENT, OutputStatus

cdef enum:
    WINDOW = 64            # coils that are looked at together, from a multiple of it


cdef inline bint is_off_due(const Master* m, int chute, int64_t now_ns) noexcept nogil:
    cdef const OutputStatus* output = &m.field.output_status[chute]
    if m.field.outputs[chute].pulse_value:
        return False  # its node switches it off
    return output.phase == OFF_DUE or (output.phase == HOLDING and output.due_ns <= now_ns)


cdef inline uint64_t bit_in(const Master* m, int chute, int node, int window) noexcept nogil:
    """The bit of an output in a window of its node's coils; 0: it is elsewhere."""
    cdef const Output* wired = &m.field.outputs[chute]
    if wired.node != node or wired.coil // WINDOW != window:
        return 0
    return <uint64_t>1 << (wired.coil % WINDOW)


cdef inline void keep_run(Group* g, uint64_t due, int bit, int window) noexcept nogil:
    """The coils around one that are due without a gap."""
    cdef int first = bit
    cdef int end = bit + 1
    while first > 0 and (due >> (first - 1)) & 1:
        first -= 1
    while end < WINDOW and (due >> end) & 1:
        end += 1
    g.first = window * WINDOW + first
    g.count = end - first
    g.on >>= first


cdef inline void gather(const Master* m, int chute, int64_t now_ns, Group* g) noexcept nogil:
    """The coils around one that is due. What is due on and off at once is left alone."""
    cdef const Output* wired = &m.field.outputs[chute]
    cdef int window = wired.coil // WINDOW
    cdef uint64_t off = 0
    cdef int i
    g.node, g.on, g.count = wired.node, 0, 0
    for i in range(m.n_active):
        if is_off_due(m, m.active[i], now_ns):
            off |= bit_in(m, m.active[i], g.node, window)
    for i in range(m.n_fires):
        if m.field.outputs[m.fires[i].chute].pulse_value == 0:
            g.on |= bit_in(m, m.fires[i].chute, g.node, window)
    if ((g.on ^ off) >> (wired.coil % WINDOW)) & 1:
        keep_run(g, g.on ^ off, wired.coil % WINDOW, window)


cdef inline int offset_in(const Master* m, const Group* g, int chute) noexcept nogil:
    """Place of an output in a group; -1: it is not in it."""
    cdef const Output* wired = &m.field.outputs[chute]
    if wired.node != g.node or not g.first <= wired.coil < g.first + g.count:
        return -1
    return wired.coil - g.first


cdef inline bint is_to_go_off(const Master* m, const Group* g, int chute) noexcept nogil:
    cdef int offset = offset_in(m, g, chute)
    return offset >= 0 and not (g.on >> offset) & 1


cdef inline void pack(const Group* g, uint8_t* data) noexcept nogil:
    cdef int i
    cdef uint64_t values = g.on
    if g.count < WINDOW:
        values &= (<uint64_t>1 << g.count) - 1
    for i in range(8):
        data[i] = (values >> (8 * i)) & 0xFF


cdef inline void mark_off(Master* m) noexcept nogil:
    cdef int i
    for i in range(m.n_active):
        if is_to_go_off(m, &m.group, m.active[i]):
            m.field.output_status[m.active[i]].phase = OFF_SENT


cdef inline void take_fires(Master* m, int64_t now_ns, Batch* batch) noexcept nogil:
    """The fires of the group, each at most once; one that is fired twice waits for the next request."""
    cdef uint64_t left = m.group.on
    cdef int i, offset
    cdef int n = 0
    for i in range(m.n_fires):
        offset = offset_in(m, &m.group, m.fires[i].chute)
        if offset >= 0 and (left >> offset) & 1:
            left &= ~(<uint64_t>1 << offset)
            tell_fire(&m.fires[i], OK, 0, batch)
            activate(m, m.fires[i].chute, HOLDING, now_ns + m.field.outputs[m.fires[i].chute].hold_ns)
        else:
            m.fires[n] = m.fires[i]
            n += 1
    m.n_fires = n
