"""Scanner framing: a stream of bytes to labels, no-reads, heartbeats and counted garbage."""

from libc.stdint cimport int64_t, uint8_t, uint64_t

from hubctl._tables cimport Framing
from hubctl._telegram cimport FrameEvent, Telegram

cdef enum:
    FRAMER_MAX = 4096

cdef struct Framer:
    Framing framing
    int frame_max
    int64_t silence_ns
    bint restarts          # a header inside a frame begins a new one
    bint inside            # after a header
    bint skipping          # the frame in progress is garbage, told already
    bint noisy             # the bytes between frames were told already
    int n                  # bytes of the frame so far, beginnings of a terminator included
    int n_header_matched
    int64_t last_ns
    uint8_t[4096] buffer
    Telegram telegram      # the last one, while there is more to tell of it
    uint64_t[13] told      # by EventKind

cdef void framer_init(Framer* f, const Framing* framing) noexcept nogil
cdef void framer_reset(Framer* f) noexcept nogil
# Takes bytes from at[0] up to `end` until one event is complete: 1, or 0 when all are taken.
cdef int framer_next(Framer* f, const uint8_t** at, const uint8_t* end, FrameEvent* event) noexcept nogil
# Tells the framer that bytes came; first the half frame that silence has ended, if any: 1 or 0.
cdef int framer_received(Framer* f, int64_t now_ns, FrameEvent* event) noexcept nogil
cdef int64_t framer_next_deadline(const Framer* f) noexcept nogil
