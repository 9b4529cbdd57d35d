"""Text as labels are compared: without spaces, controls and an AIM identifier, in upper case.

64 symbols remain, from space to underscore.
"""

from libc.stdint cimport int64_t, uint8_t, uint64_t
from libc.string cimport memcpy

from hubctl._forms cimport FIRST_SYMBOL, N_SYMBOLS, RAW_MAX, TEXT_MARGIN, Text, is_digit
from hubctl._lookup cimport LENGTH_MAX

cdef extern from *:
    """
    #define HUB_EACH_BYTE 0x0101010101010101ULL
    """
    uint64_t EACH "HUB_EACH_BYTE"   # one in each of eight bytes
    int lowest_bit "__builtin_ctzll" (uint64_t bits) noexcept nogil

cdef enum:
    STRANGE = 0x80          # no symbol of labels


cdef inline bint is_letter(char c) noexcept nogil:
    return c'A' <= c <= c'Z' or c'a' <= c <= c'z'


cdef inline int n_identifier(const char* text, int n) noexcept nogil:
    """Length of the AIM identifier at the front, such as `]C1`."""
    if n < 3 or text[0] != c']' or not is_letter(text[1]):
        return 0
    return 3 if is_digit(text[2]) or is_letter(text[2]) else 0


cdef inline uint8_t upper(uint8_t c) noexcept nogil:
    """A byte as labels have it; 0: it is left out, STRANGE: no label has it."""
    if c <= FIRST_SYMBOL:
        return 0
    if c < FIRST_SYMBOL + N_SYMBOLS:
        return c
    return <uint8_t>(c - 32) if c'a' <= c <= c'z' else <uint8_t>STRANGE


cdef inline void end_text(Text* out, int n) noexcept nogil:
    """A text's length, and the zeros behind it."""
    cdef uint64_t zeros = 0
    memcpy(out.chars + n, &zeros, TEXT_MARGIN)
    out.n = n


cdef inline uint64_t strange_in(uint64_t word) noexcept nogil:
    """Not 0 if one of eight bytes is to be left out or changed, or strange: none of `!` to `_`."""
    return (word | (word - EACH * (FIRST_SYMBOL + 1)) | (word + EACH * 0x20)) & EACH * STRANGE


cdef inline bint copy_plain(const char* raw, int n, Text* out) noexcept nogil:
    """Copies a text of 8 to LENGTH_MAX bytes, eight at a time; False: it has to be looked at byte by byte."""
    cdef uint64_t word, strange = 0
    cdef int at
    for at in range(0, n - 7, 8):
        memcpy(&word, raw + at, 8)
        memcpy(out.chars + at, &word, 8)
        strange |= strange_in(word)
    memcpy(&word, raw + n - 8, 8)
    memcpy(out.chars + n - 8, &word, 8)
    end_text(out, n)
    return (strange | strange_in(word)) == 0 and raw[0] != c']'


cdef inline bint is_plain(const char* raw, int n_raw, Text* out) noexcept nogil:
    """Copies a text that is a label as it stands; False: it has to be looked at byte by byte."""
    return 8 <= n_raw <= LENGTH_MAX and copy_plain(raw, n_raw, out)


cdef inline bint copy_upper(const char* raw, int n_raw, Text* out) noexcept nogil:
    """Copies the symbols of a text; False: some byte is none, or there are too many."""
    cdef int i, n = 0
    cdef uint8_t c, strange = 0
    for i in range(n_identifier(raw, n_raw), n_raw):
        c = upper(<uint8_t>raw[i])
        if c and n == LENGTH_MAX:
            return False
        strange |= c
        out.chars[n] = <char>c
        n += c != 0
    end_text(out, n)
    return strange < STRANGE


cdef inline bint normalise_into(const char* raw, int n_raw, Text* out) noexcept nogil:
    """False: some byte is no symbol, or there are too many."""
    return is_plain(raw, n_raw, out) or (n_raw <= RAW_MAX and copy_upper(raw, n_raw, out))


cdef inline int length_of(const char* text, int64_t size) noexcept nogil:
    """Characters of a text of at most `size` bytes, zeros behind it: eight bytes at a time."""
    cdef uint64_t word, zeros
    cdef int64_t at = 0
    while at + 8 <= size:
        memcpy(&word, text + at, 8)
        zeros = (word - EACH) & ~word & EACH * STRANGE
        if zeros:
            return <int>at + (lowest_bit(zeros) >> 3)
        at += 8
    while at < size and text[at]:
        at += 1
    return <int>at
