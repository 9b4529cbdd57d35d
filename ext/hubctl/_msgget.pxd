"""Reads of Honeywell scanners with the decode header: they say how long they are, and of which symbology.

    0x16 0xFE length (4, low byte first) CR "MSGGET" digits (4) id AIM letter and modifier GS data...

The length counts what follows the CR, the digits the data, with the CR that scanners put behind it. No byte of a label
is 0x16, so one inside a frame begins another.
"""

from libc.stdint cimport int64_t, uint8_t, uint32_t
from libc.string cimport memcmp, memcpy, memmove

from hubctl._framer cimport FRAMER_MAX, Framer, framer_reset
from hubctl._telegram cimport (
    ANSWER, FrameEvent, GROUP_SEPARATOR, HALF_FRAME, MALFORMED, NOISE, NOTHING, OVERLONG, is_upper, number_of, telegram_open,
)

cdef enum:
    SYN = 0x16
    MARK = 0xFE
    RETURN = 0x0D
    N_MSG_HEAD = 7             # SYN, mark, length, CR
    N_READ_HEAD = 14           # MSGGET, digits, id, AIM, GS
    AT_DIGITS = 13
    AT_AIM = 18
    AT_GROUP = 20
    AT_DATA = 21


cdef inline uint32_t length_of(const uint8_t* head) noexcept nogil:
    return <uint32_t>head[2] | <uint32_t>head[3] << 8 | <uint32_t>head[4] << 16 | <uint32_t>head[5] << 24


cdef inline bint has_gs1(const uint8_t* aim) noexcept nogil:
    """Whether an AIM identifier says that the data are GS1 elements: without it they could not be told apart."""
    return (
        memcmp(aim, b"C1", 2) == 0 or memcmp(aim, b"e0", 2) == 0
        or memcmp(aim, b"d2", 2) == 0 or memcmp(aim, b"Q3", 2) == 0
    )


cdef inline int keep_aim(uint8_t* buffer) noexcept nogil:
    """Puts the AIM identifier right before the data where it matters; where the text begins."""
    cdef uint8_t[2] aim
    if not has_gs1(buffer + AT_AIM):
        return AT_DATA
    memcpy(aim, buffer + AT_AIM, 2)
    buffer[AT_AIM] = 0x5D
    memcpy(buffer + AT_AIM + 1, aim, 2)
    return AT_AIM


cdef inline int take_read(Framer* f, FrameEvent* event) noexcept nogil:
    """A whole frame, which the buffer holds."""
    cdef int n = f.n
    cdef int at
    framer_reset(f)
    if n < AT_DATA or memcmp(f.buffer + N_MSG_HEAD, b"MSGGET", 6) != 0:
        return ANSWER
    if number_of(f.buffer + AT_DIGITS, 4) != n - AT_DATA or f.buffer[AT_GROUP] != GROUP_SEPARATOR:
        return MALFORMED
    while n > AT_DATA and f.buffer[n - 1] in (0x0A, RETURN):
        n -= 1
    at = keep_aim(f.buffer)
    return telegram_open(&f.telegram, &f.framing, f.buffer + at, n - at, event)


cdef inline int drop(Framer* f, int kind) noexcept nogil:
    framer_reset(f)
    return kind


cdef inline int take_first(Framer* f, uint8_t byte) noexcept nogil:
    """A byte between frames. An answer to a menu command begins with its tag."""
    if byte == SYN:
        f.buffer[0] = byte
        f.n = 1
        f.noisy = False
        return NOTHING
    if f.noisy:
        return NOTHING
    f.noisy = True
    return ANSWER if is_upper(byte) else NOISE


cdef inline int check_head(Framer* f) noexcept nogil:
    if f.buffer[N_MSG_HEAD - 1] != RETURN or length_of(f.buffer) == 0:
        return drop(f, MALFORMED)
    if length_of(f.buffer) > <uint32_t>f.frame_max:
        return drop(f, OVERLONG)
    return NOTHING


cdef inline int begin_again(Framer* f) noexcept nogil:
    framer_reset(f)
    f.buffer[0] = SYN
    f.n = 1
    return HALF_FRAME


cdef inline int msgget_take(Framer* f, uint8_t byte, FrameEvent* event) noexcept nogil:
    """Takes a byte; the kind of what it completes, or NOTHING."""
    if f.n == 0:
        return take_first(f, byte)
    if f.n == 1 and byte != MARK:
        return NOTHING if byte == SYN else drop(f, MALFORMED)
    if f.n >= N_MSG_HEAD and byte == SYN:
        return begin_again(f)
    f.buffer[f.n] = byte
    f.n += 1
    if f.n == N_MSG_HEAD:
        return check_head(f)
    if f.n < N_MSG_HEAD or f.n - N_MSG_HEAD < <int>length_of(f.buffer):
        return NOTHING
    return take_read(f, event)
