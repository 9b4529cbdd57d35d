"""Labels that say what is what in them: GS1 element strings, and the MaxiCode of UPS.

Both are told by separators, so they are read before controls are left out. GS1 General Specifications 7.8 (element
strings, lengths that need no separator) and 3.2 (00 SSCC, 420 and 421 ship-to postcode); ANSI MH10.8.3 format 01 as
UPS uses it: postcode, country, class of service, tracking number without shipper and service, carrier, shipper.
"""

from libc.string cimport memchr, memcmp, memcpy, memset

from hubctl._forms cimport (
    FIRST_SYMBOL,
    N_SYMBOLS,
    RAW_MAX,
    STRUCTURE_ELEMENTS,
    STRUCTURE_MAXICODE,
    STRUCTURE_PLAIN,
    TEXT_MARGIN,
    Text,
    is_digit,
)

cdef enum:
    GROUP = 0x1D            # ends an element that may vary in length; separates fields
    RECORD = 0x1E
    TRANSMISSION_END = 0x04
    N_SSCC = 18
    N_COUNTRY = 3
    N_POSTCODE_MAX = 20
    N_RECORD_AT = 3         # of a MaxiCode its record separator
    N_HEAD = 9              # bytes of a MaxiCode before its first field
    N_FIELDS = 6            # and its fields up to the shipper
    COUNTRY_NONE = -1       # the sender's own
    COUNTRY_US = 840        # ISO 3166 numbers of countries whose postcodes have a namespace of their own
    COUNTRY_DE = 276

cdef struct Told:
    int structure
    Text number         # what names the parcel; empty: nothing does
    int country         # of the postcode
    char[N_POSTCODE_MAX + N_COUNTRY + TEXT_MARGIN + 1] postcode
    int n_postcode      # 0: no destination

cdef struct Span:
    const char* chars
    int n


cdef inline bint all_digits(const char* text, int n) noexcept nogil:
    cdef int i
    for i in range(n):
        if not is_digit(text[i]):
            return False
    return True


cdef inline int country_number(const char* text) noexcept nogil:
    return 100 * (text[0] - c'0') + 10 * (text[1] - c'0') + text[2] - c'0'


cdef inline bint put_symbols(char* out, const char* text, int n) noexcept nogil:
    """Copies symbols as labels have them, lower case as upper case; False: one of them is none."""
    cdef int i
    cdef char c
    for i in range(n):
        c = text[i]
        if c'a' <= c <= c'z':
            c -= 32
        if not FIRST_SYMBOL < c < FIRST_SYMBOL + N_SYMBOLS:
            return False
        out[i] = c
    return True


cdef inline bint put_postcode(Told* told, int country, const char* text, int n) noexcept nogil:
    """False: a second destination, or none that can be."""
    if told.n_postcode or not 0 < n <= N_POSTCODE_MAX:
        return False
    told.country, told.n_postcode = country, n
    return put_symbols(told.postcode, text, n)


# GS1 element strings

cdef inline int fixed_length(const char* text) noexcept nogil:
    """Length of an element that needs no separator, its identifier included, by its first two digits; 0: it may vary."""
    cdef int lead = 10 * (text[0] - c'0') + text[1] - c'0'
    if lead == 0:
        return 20
    if lead <= 3:
        return 16
    if lead == 4:
        return 18
    if 11 <= lead <= 19:
        return 8
    if lead == 20:
        return 4
    if 31 <= lead <= 36:
        return 10
    return 16 if lead == 41 else 0


cdef inline int element_length(const char* text, int n) noexcept nogil:
    """Length of the element at the front, its identifier included; 0: it is none."""
    cdef int length
    cdef const char* end
    if n < 3 or not all_digits(text, 2):
        return 0
    length = fixed_length(text)
    if length:
        return length if length <= n and all_digits(text, length) else 0
    end = <const char*>memchr(text, GROUP, n)
    return <int>(end - text) if end != NULL else n


cdef inline bint take_element(Told* told, const char* text, int n) noexcept nogil:
    """Notes what an element says of parcel and destination; False: it contradicts another, or itself."""
    if memcmp(text, b"00", 2) == 0:
        if told.number.n:
            return False
        told.number.n = N_SSCC
        return put_symbols(told.number.chars, text + 2, N_SSCC)
    if memcmp(text, b"420", 3) == 0:
        return put_postcode(told, COUNTRY_NONE, text + 3, n - 3)
    if memcmp(text, b"421", 3) == 0:
        if n < 7 or not all_digits(text + 3, N_COUNTRY):
            return False
        return put_postcode(told, country_number(text + 3), text + 6, n - 6)
    return True


cdef inline bint read_elements(const char* text, int n, Told* told) noexcept nogil:
    """False: it is no string of elements."""
    cdef int at = 0, length
    while at < n:
        if text[at] == GROUP:
            at += 1
            continue
        length = element_length(text + at, n - at)
        if length == 0 or not take_element(told, text + at, length):
            return False
        at += length
    return told.number.n > 0


cdef inline bint says_elements(const char* raw) noexcept nogil:
    """Whether an AIM identifier says that elements follow: GS1-128, DataBar, DataMatrix, QR."""
    return (
        memcmp(raw, b"]C1", 3) == 0
        or memcmp(raw, b"]e0", 3) == 0
        or memcmp(raw, b"]d2", 3) == 0
        or memcmp(raw, b"]Q3", 3) == 0
    )


# MaxiCode

cdef inline bint says_maxicode(const char* text, int n) noexcept nogil:
    """`[)>`, RS, `01`, GS and two digits of a year."""
    return (
        n > N_HEAD
        and memcmp(text, b"[)>", 3) == 0
        and text[3] == RECORD
        and memcmp(text + 4, b"01", 2) == 0
        and text[6] == GROUP
        and all_digits(text + 7, 2)
    )


cdef inline int cut_fields(const char* text, int n, Span* fields) noexcept nogil:
    """The first fields, up to N_FIELDS; how many."""
    cdef int i, n_fields = 0, start = 0
    for i in range(n + 1):
        if i == n or text[i] == GROUP or text[i] == RECORD or text[i] == TRANSMISSION_END:
            fields[n_fields].chars, fields[n_fields].n = text + start, i - start
            n_fields += 1
            start = i + 1
            if n_fields == N_FIELDS or i == n or text[i] != GROUP:
                break
    return n_fields


cdef inline int head_of_maxicode(const char* text, int n) noexcept nogil:
    """Bytes of a MaxiCode up to its shipper: all that it says of parcel and destination; 0: it is none."""
    cdef Span[N_FIELDS] fields
    cdef const Span* shipper = &fields[N_FIELDS - 1]
    if not says_maxicode(text, n) or cut_fields(text + N_HEAD, n - N_HEAD, fields) < N_FIELDS:
        return 0
    return <int>(shipper.chars - text) + shipper.n


cdef inline bint put_tracking(Told* told, const Span* fields) noexcept nogil:
    """1Z, shipper, the last two of the class, and the rest: on the symbol it stands without its middle."""
    cdef char* out = told.number.chars
    if fields[3].n != 10 or fields[2].n != 3 or fields[5].n != 6 or memcmp(fields[3].chars, b"1Z", 2) != 0:
        return False
    told.number.n = N_SSCC
    return (
        put_symbols(out, fields[3].chars, 2)
        and put_symbols(out + 2, fields[5].chars, 6)
        and put_symbols(out + 8, fields[2].chars + 1, 2)
        and put_symbols(out + 10, fields[3].chars + 2, 8)
    )


cdef inline int trimmed(const Span* field) noexcept nogil:
    """Its length without blanks at its end."""
    cdef int n = field.n
    while n and field.chars[n - 1] == c' ':
        n -= 1
    return n


cdef inline bint read_maxicode(const char* text, int n, Told* told) noexcept nogil:
    """False: it is none of UPS, or says too little."""
    cdef Span[N_FIELDS] fields
    if cut_fields(text + N_HEAD, n - N_HEAD, fields) < N_FIELDS or not put_tracking(told, fields):
        return False
    if fields[1].n != N_COUNTRY or not all_digits(fields[1].chars, N_COUNTRY):
        return False
    return put_postcode(told, country_number(fields[1].chars), fields[0].chars, trimmed(&fields[0]))


# Both

cdef inline bint read_structure(const char* raw, int n, int n_identifier, Told* told) noexcept nogil:
    """What a label made of elements says; False: it is none."""
    cdef const char* text = raw + n_identifier
    if n > RAW_MAX:
        return False
    memset(told, 0, sizeof(Told))
    told.structure = STRUCTURE_PLAIN
    if says_maxicode(text, n - n_identifier):
        told.structure = STRUCTURE_MAXICODE
        return read_maxicode(text, n - n_identifier, told)
    if not (n_identifier and says_elements(raw)) and memchr(text, GROUP, n - n_identifier) == NULL:
        return False
    told.structure = STRUCTURE_ELEMENTS
    return read_elements(text, n - n_identifier, told)


cdef inline int foreign_key(const Told* told, char* key) noexcept nogil:
    """The country's number before its postcode; the length of both."""
    key[0] = <char>(c'0' + told.country // 100)
    key[1] = <char>(c'0' + told.country // 10 % 10)
    key[2] = <char>(c'0' + told.country % 10)
    memcpy(key + N_COUNTRY, told.postcode, told.n_postcode)
    return N_COUNTRY + told.n_postcode
