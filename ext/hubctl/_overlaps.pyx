"""A label that two forms have in common, or the proof that there is none.

Characters are chosen from the left. What a check character depends on is the remainder so far, so the remainders of both
forms that can be reached at a position are all there is to know; a label is read back from the last position.
"""

from libc.stdint cimport uint8_t, uint16_t, uint64_t
from libc.string cimport memset

from hubctl._forms cimport (
    CHECK_NONE,
    CHECK_RECURSIVE,
    FIRST_SYMBOL,
    N_SYMBOLS,
    NOWHERE,
    Form,
    answer_37,
    next_product,
    weighed,
)
from hubctl._lookup cimport LENGTH_MAX

cdef enum:
    N_REMAINDERS = 40       # of one form: below 38
    N_STATES = N_REMAINDERS * N_REMAINDERS
    REFUSED = -1

cdef struct Search:
    const Form* first
    const Form* second
    int length
    uint64_t[56] sets       # characters that both admit, by position
    uint8_t[57][1600] chars     # with which a state was reached first; 0: it was not
    uint16_t[57][1600] origins


cdef inline int begun(const Form* form) noexcept nogil:
    return 36 if form.check_kind == CHECK_RECURSIVE else 0


cdef inline char answer(const Form* form, int remainder) noexcept nogil:
    return answer_37(remainder) if form.check_kind == CHECK_RECURSIVE else form.answers[remainder]


cdef inline int advanced(const Form* form, int at, int remainder, char c) noexcept nogil:
    """The remainder once `c` stands at a position; REFUSED: it is not the check character."""
    cdef int i = at - form.check_from
    if form.check_kind == CHECK_NONE or not 0 <= i <= form.check_n:
        return remainder
    if i == form.check_n:
        return 0 if c == answer(form, remainder) else REFUSED
    if form.check_kind == CHECK_RECURSIVE:
        return next_product(remainder, c)
    return (remainder + weighed(form, i, c)) % form.modulus


cdef inline void reach(Search* s, int at, int state, char c) noexcept nogil:
    cdef int first = advanced(s.first, at, state // N_REMAINDERS, c)
    cdef int second = advanced(s.second, at, state % N_REMAINDERS, c)
    if first == REFUSED or second == REFUSED:
        return
    cdef int to = first * N_REMAINDERS + second
    if s.chars[at + 1][to] == 0:
        s.chars[at + 1][to] = <uint8_t>c
        s.origins[at + 1][to] = <uint16_t>state


cdef inline void step(Search* s, int at) noexcept nogil:
    cdef int state, symbol
    for state in range(N_STATES):
        if s.chars[at][state]:
            for symbol in range(N_SYMBOLS):
                if s.sets[at] >> symbol & 1:
                    reach(s, at, state, <char>(FIRST_SYMBOL + symbol))


cdef int last_state(Search* s) noexcept nogil:
    """A state that is reached at the end; REFUSED: none."""
    cdef int at, state
    memset(s.chars, 0, sizeof(s.chars))
    s.chars[0][begun(s.first) * N_REMAINDERS + begun(s.second)] = 1
    for at in range(s.length):
        step(s, at)
    for state in range(N_STATES):
        if s.chars[s.length][state]:
            return state
    return REFUSED


cdef bytes read_back(Search* s, int state):
    chars = bytearray(s.length)
    cdef int at
    for at in range(s.length, 0, -1):
        chars[at - 1] = s.chars[at][state]
        state = s.origins[at][state]
    return bytes(chars)


cdef list issuers_of(const Form* form):
    """For each first letter of an issuer's code the two sets of characters that it leaves; one pair of all without."""
    cdef uint64_t every = <uint64_t>0 - 1
    cdef int symbol
    if form.issuer_at == NOWHERE:
        return [(every, every)]
    return [
        (<uint64_t>1 << symbol, form.issuers[symbol]) for symbol in range(N_SYMBOLS) if form.issuers[symbol]
    ]


cdef void narrow(Search* s, const Form* form, uint64_t first, uint64_t second) noexcept nogil:
    if form.issuer_at != NOWHERE:
        s.sets[form.issuer_at] &= first
        s.sets[form.issuer_at + 1] &= second


cdef bint all_open(const Search* s) noexcept nogil:
    cdef int at
    for at in range(s.length):
        if s.sets[at] == 0:
            return False
    return True


def common_label(forms not None, int length):
    """A label of a length that fits two forms, check characters and issuers and all.

    Parameters
    ----------
    forms : FORM array, shape (2,)
        Of patterns, not of elements.
    length : int
        Characters, within the lengths of both.

    Returns
    -------
    bytes or None
        None: there is none.

    Examples
    --------
    >>> from hubctl.core.labels import compile_formats
    >>> forms = compile_formats(["fedex-12", "purolator-12"])
    >>> common_label(forms, 12)
    b'000000000000'
    """
    cdef const Form[::1] two = forms
    cdef Search s
    cdef int at, state
    if two.shape[0] != 2 or not 1 <= length <= min(two[0].length_max, two[1].length_max):
        raise ValueError(f"{two.shape[0]} forms, length {length}: must be 2 forms, and a length of both")
    s.first, s.second, s.length = &two[0], &two[1], length
    for first in issuers_of(s.first):
        for second in issuers_of(s.second):
            for at in range(length):
                s.sets[at] = s.first.classes[at] & s.second.classes[at]
            narrow(&s, s.first, first[0], first[1])
            narrow(&s, s.second, second[0], second[1])
            state = last_state(&s) if all_open(&s) else REFUSED
            if state != REFUSED:
                return read_back(&s, state)
    return None
