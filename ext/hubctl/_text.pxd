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


cdef inline uint64_t zeros_in(uint64_t word) noexcept nogil:
    """Not 0 if one of eight bytes is: the lowest bit tells the first of them."""
    return (word - EACH) & ~word & EACH * STRANGE


cdef inline uint64_t bytes_before(uint64_t ends) noexcept nogil:
    """All bits of the bytes before the first that `zeros_in` tells."""
    return ((ends & (0 - ends)) >> 7) - 1


cdef inline uint64_t others_in(uint64_t word) noexcept nogil:
    """The top bit of each of eight symbols that is no digit."""
    cdef uint64_t value = word ^ EACH * c'0'
    return (value | (value + EACH * (0x80 - 10))) & EACH * STRANGE


cdef inline bint are_digits(const Text* text, int first) noexcept nogil:
    """Whether a text consists of digits from a position on."""
    cdef int at = first & ~7
    cdef uint64_t wanted = (<uint64_t>0 - 1) << 8 * (first & 7)
    cdef uint64_t word, others = 0
    while at < text.n:
        memcpy(&word, text.chars + at, 8)
        if text.n - at < 8:
            wanted &= (<uint64_t>1 << 8 * (text.n - at)) - 1
        others |= others_in(word) & wanted
        wanted = <uint64_t>0 - 1
        at += 8
    return others == 0


cdef inline uint64_t word_in(const char* field, int at, int size) noexcept nogil:
    """Eight bytes of a field of eight or more, from a place in it; zeros where it ends before."""
    cdef uint64_t word
    if at + 8 <= size:
        memcpy(&word, field + at, 8)
        return word
    memcpy(&word, field + size - 8, 8)
    return word >> 8 * (at + 8 - size)


cdef inline bint is_plain_field(const char* field, int64_t size, Text* out) noexcept nogil:
    """Copies the text of a field, zeros behind it, that is a label as it stands; False: look at it byte by byte.

    It is written in whole words, so that words read from it soon afterwards need not wait for the cache.
    """
    cdef uint64_t word, before, ends = 0, strange = 0
    cdef int at = 0
    if not 8 <= size <= LENGTH_MAX:
        return False
    while at < size:
        word = word_in(field, at, <int>size)
        ends = zeros_in(word)
        if ends:
            break
        memcpy(out.chars + at, &word, 8)
        strange |= strange_in(word)
        at += 8
    end_text(out, at)
    if ends:
        before = bytes_before(ends)
        word &= before
        memcpy(out.chars + at, &word, 8)
        end_text(out, at + 8)
        out.n = at + (lowest_bit(ends) >> 3)
        strange |= strange_in(word | (EACH * c'A' & ~before))
    return strange == 0 and out.n >= 8 and field[0] != c']'


cdef inline bint is_plain(const char* raw, int n_raw, Text* out) noexcept nogil:
    """Copies a text that is a label as it stands; False: it has to be looked at byte by byte."""
    return is_plain_field(raw, n_raw, out) and out.n == n_raw


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
