"""Polled images to inputs: an edge lies half way between the sample before it and the sample after.

The first image after a (re)connection is a baseline: what is level is told (a chute's full eye), what would be
an edge is not invented. Counters are told raw and last; the kernel extends them.
"""

from libc.stdint cimport int64_t, uint8_t
from libc.string cimport memcpy

from hubctl._batch cimport Batch, batch_add
from hubctl._records cimport CHUTE_LEVEL, ENCODER, EYE, HOME, LATCHED, MACHINE, NO_INDEX, SAFETY, WEIGHT, Record
from hubctl._tables cimport Counter, Poll, Signal
from hubctl._wires cimport Field, PollStatus


cdef inline bint bit_at(const Poll* poll, const uint8_t* data, int offset) noexcept nogil:
    if poll.function <= 2:
        return (data[offset >> 3] >> (offset & 7)) & 1
    return (data[(offset >> 4) * 2 + (1 - ((offset >> 3) & 1))] >> (offset & 7)) & 1


cdef int64_t counter_at(const Counter* counter, const uint8_t* data) noexcept nogil:
    cdef const uint8_t* at = data + counter.register * 2
    cdef int64_t first = (at[0] << 8) | at[1]
    cdef int64_t second
    if counter.bits <= 16:
        return first
    second = (at[2] << 8) | at[3]
    first = (second << 16) | first if counter.low_word_first else (first << 16) | second
    return first & ((<int64_t>1 << counter.bits) - 1)


cdef int64_t midpoint_counts(int64_t before, int64_t after, int bits) noexcept nogil:
    """Half way from one raw count to the next, whichever way the counter ran and wherever it wrapped."""
    cdef int64_t span = <int64_t>1 << bits
    cdef int64_t difference = (after - before) & (span - 1)
    if difference >= span >> 1:
        difference -= span
    return (before + difference // 2) & (span - 1)


cdef void latch_counts(const Field* field, int poll, int belt, const uint8_t* data, Record* row) noexcept nogil:
    """Gives an edge the count half way between the two samples around it, if its belt's counter is among them."""
    cdef PollStatus* status = &field.poll_status[poll]
    cdef const Counter* counter
    cdef int i
    for i in range(status.first_counter, status.first_counter + status.n_counters):
        counter = &field.counters[i]
        if counter.belt == belt:
            row.counts = midpoint_counts(counter_at(counter, status.image), counter_at(counter, data), counter.bits)
            row.flags |= LATCHED


cdef int64_t weight_at(const Signal* signal, const uint8_t* data) noexcept nogil:
    """The weight that a scale has ready, g."""
    cdef const uint8_t* at = data + signal.register * 2
    return ((at[0] << 8) | at[1]) * <int64_t>signal.g_per_count


cdef void tell_signal(const Field* field, int poll, const Signal* signal, const uint8_t* data, int64_t t_ns,
                      Batch* batch) noexcept nogil:
    cdef Record* row = batch_add(batch, signal.kind, t_ns)
    row.value = bit_at(&field.polls[poll], data, signal.offset) ^ (signal.invert & 1)
    if signal.kind == MACHINE:
        row.value = signal.index
    elif signal.kind == HOME:
        row.device = signal.index
    elif signal.kind == WEIGHT:
        row.device = signal.index
        row.value = weight_at(signal, data)
    elif signal.kind == EYE:
        row.device = signal.index
        if field.poll_status[poll].has_image and signal.belt != NO_INDEX:
            latch_counts(field, poll, signal.belt, data, row)
    elif signal.kind != SAFETY:
        row.chute = signal.index
        row.device = signal.which


cdef bint is_told(const Poll* poll, const PollStatus* status, const Signal* signal, const uint8_t* data) noexcept nogil:
    """An edge is told, and at first each level that means something by itself."""
    if not status.has_image:
        return signal.kind == CHUTE_LEVEL or signal.kind == HOME or signal.kind == SAFETY
    if signal.kind == MACHINE and not bit_at(poll, data, signal.offset):
        return False  # a button is let go
    if signal.kind == WEIGHT and (not bit_at(poll, data, signal.offset) or weight_at(signal, data) == 0):
        return False  # the scale has nothing, or weighed nothing
    return bit_at(poll, data, signal.offset) != bit_at(poll, status.image, signal.offset)


cdef void tell_signals(const Field* field, int poll, const uint8_t* data, int64_t sampled_ns, Batch* batch) noexcept nogil:
    cdef PollStatus* status = &field.poll_status[poll]
    cdef int64_t edge_ns = (status.sampled_ns + sampled_ns) // 2 if status.has_image else sampled_ns
    cdef const Signal* signal
    cdef int i
    for i in range(status.first_signal, status.first_signal + status.n_signals):
        signal = &field.signals[i]
        if is_told(&field.polls[poll], status, signal, data):
            tell_signal(field, poll, signal, data, edge_ns, batch)


cdef void tell_counters(const Field* field, int poll, const uint8_t* data, int64_t sampled_ns, Batch* batch) noexcept nogil:
    cdef PollStatus* status = &field.poll_status[poll]
    cdef Record* row
    cdef int i
    for i in range(status.first_counter, status.first_counter + status.n_counters):
        row = batch_add(batch, ENCODER, sampled_ns)
        row.device = field.counters[i].belt
        row.counts = counter_at(&field.counters[i], data)


cdef void image_take(Field* field, int poll, const uint8_t* data, int n_data, int64_t sampled_ns,
                     Batch* batch) noexcept nogil:
    cdef PollStatus* status = &field.poll_status[poll]
    tell_signals(field, poll, data, sampled_ns, batch)
    tell_counters(field, poll, data, sampled_ns, batch)
    memcpy(status.image, data, n_data)
    status.sampled_ns = sampled_ns
    status.has_image = True
