"""DMCC extended mode of Cognex: `||checksum:id[status]payload`; reads come in base64 with status 1.

Cognex DataMan Communications and Programming Guide: checksum 0 is none, 1 a byte before the end that makes the XOR
of all before it zero; without either number 0 is meant. RFC 2045 breaks lines after 76 characters.
"""

from libc.stdint cimport int64_t, uint8_t
from libc.string cimport memmove

from hubctl._telegram cimport ANSWER, DAMAGED, LABEL, MALFORMED, NO_STAMP, OVERLONG, number_of

cdef enum:
    STATUS_READ = 1
    HEAD_XOR = 0               # of the header `||`, which the framer has taken off
    LINE_MAX = 76
    N_DIGITS_MAX = 9
    PADDING = 0x3D
    MARK = 0x7C                # two of them make the header


cdef inline int64_t take_number(const uint8_t* text, int n, int* at, uint8_t end) noexcept nogil:
    """A number that `end` follows; NO_STAMP, and nothing taken, if that is not there."""
    cdef int k
    cdef int64_t number
    for k in range(at[0], min(n, at[0] + N_DIGITS_MAX + 1)):
        if text[k] == end:
            number = number_of(text + at[0], k - at[0])
            if number != NO_STAMP:
                at[0] = k + 1
            return number
    return NO_STAMP


cdef inline int take_head(const uint8_t* text, int n, int64_t* checksum, int64_t* status) noexcept nogil:
    """Where the payload begins; 0 if the head is none."""
    cdef int at = 0
    checksum[0] = take_number(text, n, &at, 0x3A)
    if at < n and text[at] != 0x5B:
        take_number(text, n, &at, 0x5B)
        at -= 1
    if at < 0 or at >= n or text[at] != 0x5B:
        return 0
    at += 1
    status[0] = take_number(text, n, &at, 0x5D)
    return at if status[0] != NO_STAMP else 0


cdef inline uint8_t xor_of(const uint8_t* text, int n) noexcept nogil:
    cdef uint8_t sum = HEAD_XOR
    cdef int i
    for i in range(n):
        sum ^= text[i]
    return sum


cdef inline int value_of(uint8_t byte) noexcept nogil:
    """Of a base64 character; -1: it is none."""
    if 0x41 <= byte <= 0x5A:
        return byte - 0x41
    if 0x61 <= byte <= 0x7A:
        return byte - 0x61 + 26
    if 0x30 <= byte <= 0x39:
        return byte - 0x30 + 52
    if byte == 0x2B:
        return 62
    return 63 if byte == 0x2F else -1


cdef inline int padding_of(const uint8_t* text, int n) noexcept nogil:
    if n < 2 or text[n - 1] != PADDING:
        return 0
    return 2 if text[n - 2] == PADDING else 1


cdef inline int decode_base64(const uint8_t* text, int n, uint8_t* to) noexcept nogil:
    """Bytes decoded, which may take the place of the text; -1: it is no base64."""
    cdef int padding = padding_of(text, n)
    cdef int bits = 0
    cdef int value
    cdef int i
    if n & 3:
        return -1
    for i in range(n - padding):
        value = value_of(text[i])
        if value < 0:
            return -1
        bits = bits << 6 | value
        if i & 3:
            to[3 * (i >> 2) + (i & 3) - 1] = <uint8_t>(bits >> (6 - 2 * (i & 3)))
        bits &= 0xFFFF
    # What the last character has beyond the last byte is zero, or something was lost.
    if padding and bits & ((1 << 2 * padding) - 1):
        return -1
    return 3 * (n >> 2) - padding


cdef inline void drop_stray_marks(uint8_t* text, int* n) noexcept nogil:
    """A mark from before the header was taken for its first: the header's last leads the telegram."""
    while n[0] > 0 and text[0] == MARK:
        n[0] -= 1
        memmove(text, text + 1, n[0])


cdef inline int dmcc_unwrap(uint8_t* text, int* n) noexcept nogil:
    """LABEL, with the text of a read in the telegram's place, or what else the telegram is."""
    cdef int64_t checksum = 0
    cdef int64_t status = 0
    cdef int at
    drop_stray_marks(text, n)
    at = take_head(text, n[0], &checksum, &status)
    if at == 0:
        return MALFORMED
    if checksum == 1:
        if at == n[0] or xor_of(text, n[0]) != 0:
            return DAMAGED
        n[0] -= 1
    if status != STATUS_READ:
        return ANSWER
    if n[0] - at == LINE_MAX and text[n[0] - 1] != PADDING:
        return OVERLONG  # a line as long as that may go on
    n[0] = decode_base64(text + at, n[0] - at, text)
    return LABEL if n[0] >= 0 else MALFORMED
