"""Scanner framing: a stream of bytes to labels, no-reads, heartbeats and counted garbage."""

from libc.stdint cimport int64_t, uint8_t, uint64_t

from hubctl._tables cimport Framing

cdef enum:
    FRAMER_MAX = 4096

cdef enum EventKind:
    LABEL = 0
    NO_READ_TEXT = 1
    HEARTBEAT = 2
    ANSWER = 3
    NOISE = 4
    OVERLONG = 5
    UNPRINTABLE = 6
    HALF_FRAME = 7
    EMPTY = 8
    UNSTAMPED = 9

cdef enum:
    N_EVENTS = 10
    NO_STAMP = -1

cdef struct FrameEvent:
    int kind
    const uint8_t* text    # of a LABEL; good until the next call
    int n_text
    int64_t stamp          # of a LABEL or NO_READ_TEXT; NO_STAMP where there is none

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
    uint64_t[10] told       # by EventKind

cdef void framer_init(Framer* f, const Framing* framing) noexcept nogil
cdef void framer_reset(Framer* f) noexcept nogil
# Takes bytes from at[0] up to `end` until one event is complete: 1, or 0 when all are taken.
cdef int framer_next(Framer* f, const uint8_t** at, const uint8_t* end, FrameEvent* event) noexcept nogil
# Tells the framer that bytes came; first the half frame that silence has ended, if any: 1 or 0.
cdef int framer_received(Framer* f, int64_t now_ns, FrameEvent* event) noexcept nogil
cdef int64_t framer_next_deadline(const Framer* f) noexcept nogil
