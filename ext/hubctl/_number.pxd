"""Decimal numbers and units in telegrams, as integers: grams and millimetres."""

from libc.stdint cimport int64_t, uint8_t

cdef enum:
    N_DIGITS_MAX = 9
    SCALE_MAX = 1000000
    SPACE = 0x20

cdef enum Unit:
    UNIT_NONE = 0
    UNIT_G = 1
    UNIT_KG = 2
    UNIT_LB = 3
    UNIT_OZ = 4
    UNIT_MM = 5
    UNIT_CM = 6
    UNIT_M = 7
    UNIT_IN = 8

cdef struct Number:
    int64_t mantissa
    int64_t scale          # 10 to the number of decimals
    bint negative

cdef struct Field:
    const uint8_t* at
    int n


cdef inline Field field_of(const uint8_t* at, int n) noexcept nogil:
    cdef Field field
    field.at = at
    field.n = n
    return field


cdef inline Field trimmed(Field field) noexcept nogil:
    """Without the blanks around it."""
    while field.n and field.at[0] == SPACE:
        field.at += 1
        field.n -= 1
    while field.n and field.at[field.n - 1] == SPACE:
        field.n -= 1
    return field


cdef inline bint is_word(Field field, const char* word) noexcept nogil:
    """Whether a field is a word of at most 4 letters."""
    cdef int i
    for i in range(5):
        if i == field.n:
            return word[i] == 0
        if word[i] == 0 or field.at[i] != <uint8_t>word[i]:
            return False
    return False


cdef inline bint take_digit(Number* number, uint8_t byte, bint is_decimal) noexcept nogil:
    if not 0x30 <= byte <= 0x39:
        return False
    number.mantissa = 10 * number.mantissa + byte - 0x30
    if is_decimal:
        number.scale *= 10
    return True


cdef inline bint parse_number(Field field, Number* number) noexcept nogil:
    """A decimal number and nothing else: sign, digits, point, digits. False if it is none, or too long."""
    cdef int i
    cdef int n_digits = 0
    cdef bint has_point = False
    number.mantissa, number.scale, number.negative = 0, 1, False
    field = trimmed(field)
    if field.n and (field.at[0] == 0x2D or field.at[0] == 0x2B):
        number.negative = field.at[0] == 0x2D
        field = trimmed(field_of(field.at + 1, field.n - 1))
    for i in range(field.n):
        if field.at[i] == 0x2E and not has_point and n_digits:
            has_point = True
        elif n_digits < N_DIGITS_MAX and take_digit(number, field.at[i], has_point):
            n_digits += 1
        else:
            return False
    return n_digits > 0 and number.scale <= SCALE_MAX and field.at[field.n - 1] != 0x2E


cdef inline int64_t rounded(const Number* number, int64_t numerator, int64_t denominator) noexcept nogil:
    cdef int64_t below = denominator * number.scale
    return (2 * number.mantissa * numerator + below) // (2 * below)


cdef inline int64_t in_unit(const Number* number, int unit) noexcept nogil:
    """Grams or millimetres, to the nearest; -1 for a unit that nobody knows."""
    if unit == UNIT_G or unit == UNIT_MM:
        return rounded(number, 1, 1)
    if unit == UNIT_KG or unit == UNIT_M:
        return rounded(number, 1000, 1)
    if unit == UNIT_CM:
        return rounded(number, 10, 1)
    if unit == UNIT_LB:
        return rounded(number, 45359237, 100000)    # 0.45359237 kg exactly
    if unit == UNIT_OZ:
        return rounded(number, 45359237, 1600000)   # a sixteenth of it
    return rounded(number, 254, 10) if unit == UNIT_IN else -1


cdef inline int unit_of(Field field) noexcept nogil:
    """The unit that a word means; UNIT_NONE if none."""
    field = trimmed(field)
    if is_word(field, b"g"):
        return UNIT_G
    if is_word(field, b"kg"):
        return UNIT_KG
    if is_word(field, b"lb"):
        return UNIT_LB
    if is_word(field, b"oz"):
        return UNIT_OZ
    if is_word(field, b"mm"):
        return UNIT_MM
    if is_word(field, b"cm"):
        return UNIT_CM
    if is_word(field, b"m"):
        return UNIT_M
    return UNIT_IN if is_word(field, b"in") else UNIT_NONE


cdef inline bint is_weight(int unit) noexcept nogil:
    return UNIT_G <= unit <= UNIT_OZ


cdef inline bint is_length(int unit) noexcept nogil:
    return UNIT_MM <= unit <= UNIT_IN
