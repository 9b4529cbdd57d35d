"""The decoders in a loop without Python: how long they take for so many frames, or bytes."""

from libc.stdint cimport int64_t, uint8_t, uint16_t
from libc.string cimport memcpy, memset
from posix.time cimport CLOCK_MONOTONIC, clock_gettime, timespec

from hubctl._framer cimport Framer, framer_init, framer_next, framer_received
from hubctl._tables cimport Framing
from hubctl._telegram cimport LABEL, FrameEvent
from hubctl._wire cimport (
    ACCEPTED, Channel, Reply, Request, channel_init, channel_next, channel_received, channel_room, channel_send, crc16,
)

cdef enum:
    N_GLUED = 16     # answers of one segment, as many as may be under way
    N_REGISTERS = 16


cdef int64_t now_ns() noexcept nogil:
    cdef timespec t
    clock_gettime(CLOCK_MONOTONIC, &t)
    return t.tv_sec * 1_000_000_000 + t.tv_nsec


cdef int ask(Channel* c, Request* request, uint8_t* answer, bint rtu) noexcept nogil:
    """Sends one question, and puts the answer to it; its length."""
    cdef uint8_t[260] sent
    cdef int n = 3 + 2 * N_REGISTERS
    cdef uint16_t crc
    channel_send(c, request, NULL, 0, 0, 1000, 0, sent)
    if rtu:
        crc = crc16(answer, n)
        answer[n], answer[n + 1] = crc & 0xFF, crc >> 8
        return n + 2
    memcpy(answer, sent, 2)
    return 6 + n


def modbus_ns(bint rtu, int n_rounds):
    """Time for the answers to `n_rounds` segments, ns, and how many were taken: all, or something is wrong.

    TCP: 16 glued answers a segment; RTU: one. Only receiving is timed.
    """
    cdef Channel channel
    cdef Request request
    cdef Reply reply
    cdef uint8_t[4096] segment
    cdef uint8_t* room
    cdef int n_glued = 1 if rtu else N_GLUED
    cdef int i, k, n, free
    cdef int64_t took_ns = 0, n_taken = 0, start_ns
    memset(&request, 0, sizeof(Request))
    memset(segment, 0, sizeof(segment))
    request.unit, request.function, request.count = 1, 3, N_REGISTERS
    channel_init(&channel, rtu, N_GLUED, 0)
    for k in range(n_glued):
        put_head(segment + k * (9 + 2 * N_REGISTERS), rtu)
    with nogil:
        for i in range(n_rounds):
            n = 0
            for k in range(n_glued):
                n += ask(&channel, &request, segment + n, rtu)
            start_ns = now_ns()
            room = channel_room(&channel, &free)
            memcpy(room, segment, n)
            channel_received(&channel, n, 0)
            while channel_next(&channel, 0, &reply):
                n_taken += reply.refusal == ACCEPTED
            took_ns += now_ns() - start_ns
    return took_ns, n_taken


cdef void put_head(uint8_t* at, bint rtu) noexcept nogil:
    if not rtu:
        at[5] = 3 + 2 * N_REGISTERS
        at += 6
    at[0], at[1], at[2] = 1, 3, 2 * N_REGISTERS


def framer_ns(const uint8_t[::1] framing, const uint8_t[::1] stream, int n_rounds):
    """Time for the stream, so many times, ns, and how many labels were found."""
    cdef Framer framer
    cdef FrameEvent event
    cdef const uint8_t* at
    cdef const uint8_t* end
    cdef int i
    cdef int64_t n_labels = 0, start_ns
    framer_init(&framer, <const Framing*>&framing[0])
    with nogil:
        start_ns = now_ns()
        for i in range(n_rounds):
            at = &stream[0]
            end = at + stream.shape[0]
            framer_received(&framer, 0, &event)
            while framer_next(&framer, &at, end, &event):
                n_labels += event.kind == LABEL
        start_ns = now_ns() - start_ns
    return start_ns, n_labels
