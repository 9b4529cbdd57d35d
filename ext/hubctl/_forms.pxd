"""One form of a label format, as compiled code reads it: its characters, its check character, its issuer.

`hubctl.core.formats.FORM` is the same struct for numpy. A check character is a weighted sum with a table of
answers (of a Luhn sum the digits of each product count), or ISO 7064 MOD 37,36.
"""

from libc.stdint cimport uint8_t, uint16_t, uint64_t

from hubctl._lookup cimport LENGTH_MAX

cdef enum:
    N_SYMBOLS = 64
    FIRST_SYMBOL = 32       # ASCII code of symbol 0
    RAW_MAX = 255           # bytes of a read, before anything is left out
    TEXT_MARGIN = 8         # zeros behind a text, so that words may be read past its end
    TEXT_ROOM = 64          # LENGTH_MAX symbols, and the margin
    NOWHERE = 0xFF
    N_KEY_PIECES_MAX = 2

cdef enum CheckKind:
    CHECK_NONE = 0
    CHECK_WEIGHTED = 1
    CHECK_RECURSIVE = 2

cdef enum CheckVerdict:
    VERDICT_NONE = 0
    VERDICT_OK = 1
    VERDICT_BAD = 2

cdef enum:
    STRUCTURE_PLAIN = 0
    STRUCTURE_ELEMENTS = 1      # GS1 element strings
    STRUCTURE_MAXICODE = 2      # what UPS writes into a MaxiCode

cdef packed struct Form:
    uint16_t format
    uint16_t priority
    uint8_t length_min
    uint8_t length_max
    uint8_t check_kind
    uint8_t check_from
    uint8_t check_n
    uint8_t modulus
    uint8_t folds
    uint8_t number_from
    uint8_t number_n
    uint8_t issuer_at
    uint8_t service_from
    uint8_t service_n
    uint8_t structure
    uint8_t n_partner
    uint8_t n_key_pieces
    uint8_t[N_KEY_PIECES_MAX] key_from
    uint8_t[N_KEY_PIECES_MAX] key_n
    char[40] partner
    char[16] space
    char[38] answers
    uint8_t[56] weights
    uint64_t[56] classes
    uint64_t[64] issuers

cdef struct Text:
    char[TEXT_ROOM] chars
    int n


cdef inline bint is_digit(char c) noexcept nogil:
    return c'0' <= c <= c'9'


# Check characters

cdef inline int weighed_value(char c) noexcept nogil:
    return c - c'0' if is_digit(c) else (c - 3) % 10


cdef inline int weighed(const Form* form, int i, char c) noexcept nogil:
    """What the character at checked position `i` adds to the sum."""
    cdef int product = form.weights[i] * weighed_value(c)
    return product // 10 + product % 10 if form.folds else product


cdef inline char weighted_check(const Form* form, const char* text) noexcept nogil:
    cdef int i, total = 0
    for i in range(form.check_n):
        total += weighed(form, i, text[i])
    return form.answers[total % form.modulus]


cdef inline int value_37(char c) noexcept nogil:
    return c - c'0' if is_digit(c) else c - c'A' + 10


cdef inline int next_product(int product, char c) noexcept nogil:
    cdef int total = (product + value_37(c)) % 36
    return (total if total else 36) * 2 % 37


cdef inline char answer_37(int product) noexcept nogil:
    cdef int total = (37 - product) % 36
    return <char>(c'0' + total if total < 10 else c'A' + total - 10)


cdef inline char recursive_check(const char* text, int n) noexcept nogil:
    """ISO 7064 MOD 37,36."""
    cdef int i, product = 36
    for i in range(n):
        product = next_product(product, text[i])
    return answer_37(product)


cdef inline char check_character(const Form* form, const char* text) noexcept nogil:
    if form.check_kind == CHECK_RECURSIVE:
        return recursive_check(text + form.check_from, form.check_n)
    return weighted_check(form, text + form.check_from)


cdef inline CheckVerdict verdict(const Form* form, const Text* text) noexcept nogil:
    if form.check_kind == CHECK_NONE:
        return VERDICT_NONE
    if text.chars[form.check_from + form.check_n] == check_character(form, text.chars):
        return VERDICT_OK
    return VERDICT_BAD


cdef inline bint issuer_known(const Form* form, const Text* text) noexcept nogil:
    if form.issuer_at == NOWHERE:
        return True
    cdef int first = text.chars[form.issuer_at] - FIRST_SYMBOL
    cdef int second = text.chars[form.issuer_at + 1] - FIRST_SYMBOL
    return form.issuers[first] >> second & 1
