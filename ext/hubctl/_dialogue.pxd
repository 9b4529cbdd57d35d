"""All that is said between a scanner and us, in the protocol of its make; no sockets."""

from libc.stdint cimport int64_t, uint8_t

from hubctl._framer cimport Framer
from hubctl._outgoing cimport Outgoing
from hubctl._ssi cimport Ssi
from hubctl._tables cimport Framing
from hubctl._telegram cimport FrameEvent

cdef struct Dialogue:
    Framer framer          # with what is told, of every protocol
    Ssi ssi
    Outgoing out           # to be written
    int64_t heard_ns
    int64_t asked_ns
    int64_t ask_ns         # 0: it is not asked
    int64_t alive_ns       # 0: it may be silent

cdef void dialogue_init(Dialogue* d, const Framing* framing) noexcept nogil
cdef void dialogue_connect(Dialogue* d, int64_t now_ns) noexcept nogil
# Takes bytes from at[0] up to `end` until one event is complete: 1, or 0 when all are taken.
cdef int dialogue_next(Dialogue* d, const uint8_t** at, const uint8_t* end, int64_t now_ns, FrameEvent* event) noexcept nogil
# Tells that bytes came, or that none did; first what silence has ended, if anything: 1 or 0.
cdef int dialogue_received(Dialogue* d, int64_t now_ns, FrameEvent* event) noexcept nogil
cdef int dialogue_expire(Dialogue* d, int64_t now_ns, FrameEvent* event) noexcept nogil
cdef void dialogue_number(Dialogue* d, int64_t number) noexcept nogil
cdef bint dialogue_is_gone(const Dialogue* d, int64_t now_ns) noexcept nogil
cdef int64_t dialogue_next_deadline(const Dialogue* d) noexcept nogil
