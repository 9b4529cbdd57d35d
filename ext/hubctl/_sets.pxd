"""The forms of one length as sets, all asked at once.

For each position and symbol a set holds the forms that admit it, as bits in order of priority; a label's forms are what
is left when the sets of its characters are intersected. Most formats end with nothing but digits: where a label does, only
the characters before are looked at one by one.
"""

from libc.stdint cimport uint8_t, uint16_t, uint64_t
from libc.string cimport memcmp

from hubctl._forms cimport FIRST_SYMBOL, N_SYMBOLS, Form, Text
from hubctl._text cimport are_digits, lowest_bit

cdef enum:
    WORD = 64
    ZERO = 0x30 - FIRST_SYMBOL      # the symbol of the digit 0

cdef struct Sets:
    int n_words
    int n_varied            # positions from which on no form tells one digit from another
    uint64_t all_digits     # of the first 64 forms those that admit digits at all those positions
    uint64_t* bits          # [position][symbol][word]
    uint16_t* forms         # the form of each bit


cdef inline uint64_t fitting(const Sets* sets, const Text* text, int word) noexcept nogil:
    """Of 64 forms of the text's length those whose characters fit, as bits."""
    cdef uint64_t forms = <uint64_t>0 - 1
    cdef const uint64_t* at = sets.bits + word - FIRST_SYMBOL * sets.n_words
    cdef int i
    for i in range(text.n):
        forms &= at[text.chars[i] * sets.n_words]
        if forms == 0:
            break
        at += N_SYMBOLS * sets.n_words
    return forms


cdef inline uint64_t fitting_between(const Sets* sets, const Text* text, int first, int last) noexcept nogil:
    """Of 64 forms or fewer those that the characters of some positions fit."""
    cdef uint64_t forms = <uint64_t>0 - 1
    cdef const uint64_t* at = sets.bits + first * N_SYMBOLS - FIRST_SYMBOL
    cdef int i
    for i in range(first, last):
        forms &= at[<uint8_t>text.chars[i]]
        if forms == 0:
            break
        at += N_SYMBOLS
    return forms


cdef inline uint64_t fitting_one_of_few(const Sets* sets, const Text* text) noexcept nogil:
    """As `fitting` where there are 64 forms or fewer."""
    cdef uint64_t forms = fitting_between(sets, text, 0, sets.n_varied)
    if are_digits(text, sets.n_varied):
        return forms & sets.all_digits
    return forms & fitting_between(sets, text, sets.n_varied, text.n)


cdef inline int n_forms_of(const Form* forms, int n_forms, int length) noexcept nogil:
    cdef int row, n = 0
    for row in range(n_forms):
        n += forms[row].length_min <= length <= forms[row].length_max
    return n


cdef inline void admit(Sets* sets, const Form* form, int length, int at) noexcept nogil:
    """Writes one form into the sets of one length."""
    cdef uint64_t bit = <uint64_t>1 << at % WORD
    cdef int i, symbol
    for i in range(length):
        for symbol in range(N_SYMBOLS):
            if form.classes[i] >> symbol & 1:
                sets.bits[(i * N_SYMBOLS + symbol) * sets.n_words + at // WORD] |= bit


cdef inline bint are_digits_alike(const Sets* sets, int i) noexcept nogil:
    """Whether no form tells one digit from another at a position."""
    cdef const uint64_t* zero = sets.bits + (i * N_SYMBOLS + ZERO) * sets.n_words
    return memcmp(zero, zero + sets.n_words, 9 * sets.n_words * sizeof(uint64_t)) == 0


cdef inline void note_digits(Sets* sets, int length) noexcept nogil:
    """From which position on all digits are alike, and what admits them all the way."""
    cdef uint64_t forms = <uint64_t>0 - 1
    cdef int at = length
    while forms and at >= 0:
        sets.n_varied, sets.all_digits = at, forms
        at -= 1
        if at < 0 or not are_digits_alike(sets, at):
            break
        forms &= sets.bits[(at * N_SYMBOLS + ZERO) * sets.n_words]


cdef inline uint64_t meeting(const Sets* sets, const Form* form, int length, int word) noexcept nogil:
    """Of 64 forms of a length those that have a shape in common with one, as bits."""
    cdef uint64_t forms = <uint64_t>0 - 1
    cdef uint64_t here, symbols
    cdef int i
    for i in range(length):
        here, symbols = 0, form.classes[i]
        while symbols:
            here |= sets.bits[(i * N_SYMBOLS + lowest_bit(symbols)) * sets.n_words + word]
            symbols &= symbols - 1
        forms &= here
        if forms == 0:
            break
    return forms
