"""Labels to lanes: a compiled classifier, then one hash table for exact labels and for longest prefixes.

The classifier asks all forms at once: for each position and symbol it holds the set of forms that admit it,
as bits in order of priority; a label's forms are what is left when the sets of its characters are intersected.
A check character is a weighted sum with a table of answers, or ISO 7064 MOD 37,36.

Text is normalised first: spaces, controls and an AIM identifier are left out, lower case becomes upper case,
and 64 symbols remain, from space to underscore.
"""

import numpy as np

from libc.stdint cimport int32_t, uint8_t, uint16_t, uint64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memcpy, memset

from hubctl cimport _records

cdef extern from *:
    """
    #include <string.h>
    static inline uint64_t hub_high(uint64_t a, uint64_t b) {
        return (uint64_t)(((unsigned __int128)a * b) >> 64);
    }
    static inline uint64_t hub_fold(uint64_t a, uint64_t b) {
        unsigned __int128 product = (unsigned __int128)a * b;
        return (uint64_t)product ^ (uint64_t)(product >> 64);
    }
    """
    uint64_t hub_high(uint64_t a, uint64_t b) noexcept nogil
    uint64_t hub_fold(uint64_t a, uint64_t b) noexcept nogil
    size_t strnlen(const char* text, size_t n_max) noexcept nogil
    int lowest_bit "__builtin_ctzll" (uint64_t bits) noexcept nogil
    int n_leading_zeros "__builtin_clzll" (uint64_t bits) noexcept nogil

cdef enum:
    N_SYMBOLS = 64
    FIRST_SYMBOL = 32       # ASCII code of symbol 0
    RAW_MAX = 255           # bytes of a read, before anything is left out
    TEXT_MARGIN = 8         # zeros behind a text, so that words may be read past its end
    STRANGE = 0x80
    NOWHERE = 0xFF
    N_KEY_PIECES_MAX = 2
    LABELS = N_NAMESPACES_MAX   # namespace of exact labels, beside those of prefixes

FORMS_MAX = N_ROWS_MAX

cdef enum CheckKind:
    CHECK_NONE = 0
    CHECK_WEIGHTED = 1
    CHECK_RECURSIVE = 2

cdef enum CheckVerdict:
    VERDICT_NONE = 0
    VERDICT_OK = 1
    VERDICT_BAD = 2

cdef packed struct Form:
    uint16_t format
    uint16_t priority
    uint8_t length_min
    uint8_t length_max
    uint8_t check_kind
    uint8_t check_from
    uint8_t check_n
    uint8_t modulus
    uint8_t number_from
    uint8_t number_n
    uint8_t issuer_at
    uint8_t n_key_pieces
    uint8_t[N_KEY_PIECES_MAX] key_from
    uint8_t[N_KEY_PIECES_MAX] key_n
    char[16] space
    char[38] answers
    uint8_t[56] weights
    uint64_t[56] classes
    uint64_t[64] issuers

cdef struct Text:
    char[RAW_MAX + TEXT_MARGIN + 1] chars
    int n

cdef struct Digest:
    uint64_t key
    uint64_t check

cdef struct Tables:
    uint64_t[56][64] classes
    uint64_t[57] lengths
    uint64_t[N_NAMESPACES_MAX] prefix_lengths     # bit n: some rule has a prefix of n characters
    uint16_t[64] spaces     # namespace of each form's key
    Form[64] forms
    int n_forms
    Entry* entries
    uint64_t n_slots


# Text

cdef inline bint is_letter(char c) noexcept nogil:
    return c'A' <= c <= c'Z' or c'a' <= c <= c'z'


cdef inline bint is_digit(char c) noexcept nogil:
    return c'0' <= c <= c'9'


cdef inline int n_identifier(const char* text, int n) noexcept nogil:
    """Length of the AIM identifier at the front, such as `]C1`."""
    if n < 3 or text[0] != c']' or not is_letter(text[1]):
        return 0
    return 3 if is_digit(text[2]) or is_letter(text[2]) else 0


cdef uint8_t[256] UPPER     # 0: left out; STRANGE: no label has it

cdef void fill_upper() noexcept:
    cdef int c
    for c in range(256):
        UPPER[c] = 0 if c <= FIRST_SYMBOL else <uint8_t>c if c < FIRST_SYMBOL + N_SYMBOLS else STRANGE
    for c in range(c'a', c'z' + 1):
        UPPER[c] = <uint8_t>(c - 32)

fill_upper()


cdef inline bint normalise_into(const char* raw, int n_raw, Text* out) noexcept nogil:
    """False: some byte is no symbol, or there are too many."""
    cdef int i, n = 0
    cdef uint8_t c, strange = 0
    if n_raw > RAW_MAX:
        return False
    for i in range(n_identifier(raw, n_raw), n_raw):
        c = UPPER[<uint8_t>raw[i]]
        strange |= c
        out.chars[n] = <char>c
        n += c != 0
    memset(out.chars + n, 0, TEXT_MARGIN)
    out.n = n
    return strange < STRANGE and n <= LENGTH_MAX


# Check characters

cdef inline int weighed_value(char c) noexcept nogil:
    return c - c'0' if is_digit(c) else (c - 3) % 10


cdef inline char weighted_check(const Form* form, const char* text) noexcept nogil:
    cdef int i, total = 0
    for i in range(form.check_n):
        total += form.weights[i] * weighed_value(text[i])
    return form.answers[total % form.modulus]


cdef inline int value_37(char c) noexcept nogil:
    return c - c'0' if is_digit(c) else c - c'A' + 10


cdef inline char recursive_check(const char* text, int n) noexcept nogil:
    """ISO 7064 MOD 37,36."""
    cdef int i, total, product = 36
    for i in range(n):
        total = (product + value_37(text[i])) % 36
        product = (total if total else 36) * 2 % 37
    total = (37 - product) % 36
    return <char>(c'0' + total if total < 10 else c'A' + total - 10)


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


# Classification

cdef inline bint issuer_known(const Form* form, const Text* text) noexcept nogil:
    if form.issuer_at == NOWHERE:
        return True
    cdef int first = text.chars[form.issuer_at] - FIRST_SYMBOL
    cdef int second = text.chars[form.issuer_at + 1] - FIRST_SYMBOL
    return form.issuers[first] >> second & 1


cdef inline uint64_t forms_by_shape(const Tables* tables, const Text* text) noexcept nogil:
    """The forms whose length and characters fit, as bits, the best lowest."""
    cdef uint64_t forms = tables.lengths[text.n]
    cdef int i
    for i in range(text.n):
        forms &= tables.classes[i][text.chars[i] - FIRST_SYMBOL]
        if forms == 0:
            break
    return forms


cdef inline int best_form(const Tables* tables, const Text* text) noexcept nogil:
    """The best form that fits and whose check character holds; -1: none."""
    cdef uint64_t forms = forms_by_shape(tables, text)
    cdef int i
    while forms:
        i = lowest_bit(forms)
        if issuer_known(&tables.forms[i], text) and verdict(&tables.forms[i], text) != VERDICT_BAD:
            return i
        forms &= forms - 1
    return -1


# The table

cdef inline uint64_t word_at(const char* text, int n) noexcept nogil:
    """The first eight characters of `n`, zeros behind them. The text has a margin."""
    cdef uint64_t word
    memcpy(&word, text, 8)
    return word if n >= 8 else word & ((<uint64_t>1 << (8 * n)) - 1)


cdef inline uint64_t scrambled(uint64_t h) noexcept nogil:
    h = (h ^ (h >> 31)) * <uint64_t>0xD6E8FEB86659FD93
    h = (h ^ (h >> 29)) * <uint64_t>0xA0761D6478BD642F
    return h ^ (h >> 32)


cdef inline Digest digest(int space, const char* text, int n) noexcept nogil:
    """Two independent hashes of a namespace and a text, which has a margin; the key is never 0."""
    cdef Digest out
    cdef uint64_t word, a = <uint64_t>0x9E3779B97F4A7C15 ^ <uint64_t>(space << 8 | n)
    cdef uint64_t b = <uint64_t>0xC2B2AE3D27D4EB4F + <uint64_t>(space << 8 | n)
    cdef int at = 0
    while at < n:
        word = word_at(text + at, n - at)
        a = hub_fold(a ^ word, <uint64_t>0x8EBC6AF09C88C6E3 ^ (a >> 32))
        b = scrambled(b ^ word)
        at += 8
    a = hub_fold(a ^ <uint64_t>0x589965CC75374CC3, <uint64_t>0x1D8E4E27C47D124F)
    out.key = a if a else 1
    out.check = scrambled(b)
    return out


cdef inline Entry* slot_of(const Tables* tables, Digest digest) noexcept nogil:
    """The entry of a text, or the empty one where it would go; half of the slots are empty."""
    cdef uint64_t at = hub_high(digest.key, tables.n_slots)
    cdef Entry* entry = &tables.entries[at]
    while entry.key != 0 and (entry.key != digest.key or entry.check != digest.check):
        at = at + 1 if at + 1 < tables.n_slots else 0
        entry = &tables.entries[at]
    return entry


cdef inline const Entry* found(const Tables* tables, Digest digest) noexcept nogil:
    cdef const Entry* entry = slot_of(tables, digest)
    return entry if entry.key else NULL


cdef inline void enter(Tables* tables, Digest digest, int32_t lane) noexcept nogil:
    cdef Entry* entry = slot_of(tables, digest)
    entry.key, entry.check, entry.lane = digest.key, digest.check, lane


# Destinations

cdef inline const Entry* by_label(
    const Tables* tables, const Form* form, const Text* text, Digest number
) noexcept nogil:
    """What the host said of this label, or of the number in it."""
    cdef const Entry* entry = NULL
    if form.number_n:
        entry = found(tables, digest(LABELS, text.chars, text.n))
    return entry if entry != NULL else found(tables, number)


cdef inline const Entry* by_prefix(const Tables* tables, int space, const char* key, int n) noexcept nogil:
    """The rule with the longest prefix of `key`, which has a margin."""
    cdef uint64_t lengths = tables.prefix_lengths[space] & ((<uint64_t>2 << n) - 1)
    cdef const Entry* entry = NULL
    cdef int length
    while lengths and entry == NULL:
        length = 63 - n_leading_zeros(lengths)
        entry = found(tables, digest(space, key, length))
        lengths ^= <uint64_t>1 << length
    return entry


cdef inline int key_into(const Form* form, const Text* text, char* key) noexcept nogil:
    """Joins the pieces of the destination; returns its length."""
    cdef int i, n = 0
    for i in range(form.n_key_pieces):
        memcpy(key + n, text.chars + form.key_from[i], form.key_n[i])
        n += form.key_n[i]
    return n


cdef inline const Entry* by_key(const Tables* tables, int form, const Text* text) noexcept nogil:
    cdef char[N_KEY_PIECES_MAX * LENGTH_MAX + TEXT_MARGIN] key
    memset(key, 0, sizeof(key))
    cdef int n = key_into(&tables.forms[form], text, key)
    return by_prefix(tables, tables.spaces[form], key, n)


cdef inline void set_lane(Reading* out, const Entry* entry) noexcept nogil:
    if entry == NULL or entry.lane < 0:
        out.reason = _records.NO_LANE
        return
    out.lane = entry.lane
    out.reason = _records.OK


cdef inline void find_lane(
    const Tables* tables, int form, const Text* text, Digest number, Reading* out
) noexcept nogil:
    cdef const Entry* entry = by_label(tables, &tables.forms[form], text, number)
    if entry != NULL:
        set_lane(out, entry)
    elif tables.forms[form].n_key_pieces:
        set_lane(out, by_key(tables, form, text))
    else:
        out.reason = _records.NO_DATA


cdef inline Digest number_digest(const Form* form, const Text* text) noexcept nogil:
    return digest(LABELS, text.chars + form.number_from, form.number_n if form.number_n else text.n)


cdef inline void resolve_text(const Tables* tables, const Text* text, Reading* out) noexcept nogil:
    cdef int form = best_form(tables, text)
    if form < 0:
        return
    cdef Digest number = number_digest(&tables.forms[form], text)
    out.format = tables.forms[form].format
    out.priority = tables.forms[form].priority
    out.identity = number.key
    find_lane(tables, form, text, number, out)


cdef void resolve(const void* tables, const char* text, int n, Reading* out) noexcept nogil:
    cdef Text normal
    memset(out, 0, sizeof(Reading))
    out.reason = _records.BAD_LABEL
    out.lane = -1
    if normalise_into(text, n, &normal):
        resolve_text(<const Tables*>tables, &normal, out)


# Building

cdef void admit(Tables* tables, int form) noexcept nogil:
    """Writes one form into the sets by position and symbol, and by length."""
    cdef uint64_t bit = <uint64_t>1 << form
    cdef int i, symbol
    for i in range(tables.forms[form].length_max):
        for symbol in range(N_SYMBOLS):
            if tables.forms[form].classes[i] >> symbol & 1:
                tables.classes[i][symbol] |= bit
    for i in range(tables.forms[form].length_min, tables.forms[form].length_max + 1):
        tables.lengths[i] |= bit


cdef Py_ssize_t put_labels(Tables* tables, const char* texts, const int32_t[::1] lanes) noexcept nogil:
    """Enters exact labels, the last of two equal ones standing; returns the row of a bad one, or -1."""
    cdef Text text
    cdef Py_ssize_t i
    for i in range(lanes.shape[0]):
        if not normalise_into(texts + LENGTH_MAX * i, LENGTH_MAX, &text) or text.n == 0:
            return i
        enter(tables, digest(LABELS, text.chars, text.n), lanes[i])
    return -1


cdef object fixed_texts(object texts):
    """The texts as a contiguous S56 array; never cuts one short."""
    if texts.dtype.kind != "S" or texts.dtype.itemsize > LENGTH_MAX or texts.ndim != 1:
        raise ValueError(f"texts of {texts.dtype}, {texts.ndim} axes: must be S{LENGTH_MAX} at most, 1 axis")
    return np.ascontiguousarray(texts, f"S{LENGTH_MAX}")


cdef const char* chars_of(object texts):
    """The first byte of an array of bytes, which must be kept."""
    cdef const uint8_t[::1] view = texts.view(np.uint8)
    return <const char*>&view[0] if view.shape[0] else NULL


cdef Tables* new_tables(uint64_t n_slots) except NULL:
    cdef Tables* tables = <Tables*>calloc(1, sizeof(Tables))
    if tables == NULL:
        raise MemoryError
    tables.n_slots = n_slots
    tables.entries = <Entry*>calloc(n_slots, sizeof(Entry))
    if tables.entries == NULL:
        free(tables)
        raise MemoryError
    return tables


cdef int space_number(dict spaces, str space) except -1:
    """Number of a namespace; a new one gets the next."""
    number = spaces.setdefault(space, len(spaces))
    if number >= N_NAMESPACES_MAX:
        raise ValueError(f"namespace {space!r} is one too many: at most {N_NAMESPACES_MAX}")
    return number


cdef int put_forms(Tables* tables, dict spaces, formats) except -1:
    cdef const Form[::1] forms = formats
    cdef int i
    if forms.shape[0] > N_ROWS_MAX:
        raise ValueError(f"{forms.shape[0]} forms: must be 0 to {N_ROWS_MAX}")
    tables.n_forms = <int>forms.shape[0]
    for i in range(tables.n_forms):
        tables.forms[i] = forms[i]
        if forms[i].n_key_pieces:
            tables.spaces[i] = <uint16_t>space_number(spaces, formats["space"][i].decode())
        admit(tables, i)
    return 0


cdef int put_prefix(Tables* tables, int space, str prefix, int32_t lane) except -1:
    cdef Text text
    raw = prefix.encode()
    if not normalise_into(raw, <int>len(raw), &text):
        raise ValueError(f"prefix {prefix!r}: must be at most {LENGTH_MAX} ASCII characters")
    if lane < 0:
        raise ValueError(f"prefix {prefix!r}: lane {lane}, must be 0 or more")
    if found(tables, digest(space, text.chars, text.n)) != NULL:
        raise ValueError(f"prefix {prefix!r} is given twice in its namespace")
    enter(tables, digest(space, text.chars, text.n), lane)
    tables.prefix_lengths[space] |= <uint64_t>1 << text.n
    return 0


cdef int put_advice(Tables* tables, labels, lanes) except -1:
    texts = fixed_texts(labels)
    cdef const int32_t[::1] targets = np.ascontiguousarray(lanes, np.int32)
    cdef const char* chars = chars_of(texts)
    cdef Py_ssize_t bad
    with nogil:
        bad = put_labels(tables, chars, targets)
    if bad >= 0:
        raise ValueError(f"labels[{bad}] = {labels[bad]!r}: must be 1 to {LENGTH_MAX} ASCII characters")
    return 0


def _check_lanes(labels, lanes):
    if lanes is None or len(lanes) != len(labels):
        raise ValueError(f"{len(labels)} labels, {0 if lanes is None else len(lanes)} lanes: must be as many")
    if len(lanes) and lanes.min() < -1:
        raise ValueError(f"lane {lanes.min()}: must be -1 (none) or more")


cdef class LaneTable:
    """Formats, prefixes and pre-advice of one sort plan, immutable once built.

    Parameters
    ----------
    formats : FORM array, shape (n_forms,)
        From `hubctl.core.formats.compile_formats`, at most N_ROWS_MAX.
    prefixes : sequence of (namespace, prefix, lane)
        Rules by destination: the longest prefix of a key wins; an empty one takes the whole namespace.
    labels : bytes array of at most 56, shape (n_labels,), optional
        Labels, or the numbers in them, that the host has told a lane for.
    lanes : int32 array, shape (n_labels,), optional
        Their lanes; -1: advised, but the plan has no lane. Of a label given twice the last counts.

    Raises
    ------
    ValueError
        Too many forms or namespaces, a prefix given twice, an impossible label, a lane below its range.

    Examples
    --------
    >>> from hubctl.core.labels import compile_formats
    >>> table = LaneTable(compile_formats(["usps-impb"]), [("zip", "100", 7)])
    >>> table.resolve(b"420100039400111206206406260787")[:2]
    (1, 7)
    """

    def __cinit__(self, formats, prefixes, labels=None, lanes=None):
        if labels is not None:
            _check_lanes(labels, lanes)
        self._spaces = {}
        self._tables = new_tables(2 * (len(prefixes) + (0 if labels is None else len(labels))) + 1)
        put_forms(<Tables*>self._tables, self._spaces, formats)
        for space, prefix, lane in prefixes:
            put_prefix(<Tables*>self._tables, space_number(self._spaces, space), prefix, lane)
        if labels is not None:
            put_advice(<Tables*>self._tables, labels, lanes)

    def __dealloc__(self):
        if self._tables != NULL:
            free((<Tables*>self._tables).entries)
            free(self._tables)

    def resolve(self, bytes text not None):
        """What the kernel makes of one read.

        Parameters
        ----------
        text : bytes
            As scanned.

        Returns
        -------
        (reason, lane, format, priority, identity)
            Reason OK, BAD_LABEL, NO_DATA or NO_LANE; lane -1 unless OK; format as an index of FORMATS; its
            rank at this site; a hash of the number in the label, equal for two labels of one parcel.
        """
        cdef Reading reading
        resolve(self._tables, text, <int>len(text), &reading)
        return reading.reason, reading.lane, reading.format, reading.priority, reading.identity

    def resolve_many(self, texts not None):
        """Reasons (uint16) and lanes (int32) of many reads, shape (n,); as `resolve` for each."""
        fixed = fixed_texts(texts)
        reasons, lanes = np.empty(len(fixed), np.uint16), np.empty(len(fixed), np.int32)
        cdef uint16_t[::1] reason_out = reasons
        cdef int32_t[::1] lane_out = lanes
        cdef const char* chars = chars_of(fixed)
        cdef Py_ssize_t i
        cdef Reading reading
        with nogil:
            for i in range(reason_out.shape[0]):
                resolve(self._tables, chars, <int>strnlen(chars, LENGTH_MAX), &reading)
                reason_out[i], lane_out[i] = reading.reason, reading.lane
                chars += LENGTH_MAX
        return reasons, lanes

    def lanes_of_keys(self, str namespace not None, keys not None):
        """Lanes of destinations by longest prefix, int32, shape (n,); -1: none."""
        fixed = fixed_texts(keys)
        lanes = np.full(len(fixed), -1, np.int32)
        cdef int space = self._spaces.get(namespace, -1)
        cdef int32_t[::1] out = lanes
        cdef const char* chars = chars_of(fixed)
        cdef Py_ssize_t i
        if space >= 0:
            with nogil:
                for i in range(out.shape[0]):
                    out[i] = lane_of(<const Tables*>self._tables, space, chars + LENGTH_MAX * i)
        return lanes

    def lane_of_key(self, str namespace not None, str key not None):
        """Lane of one destination by longest prefix; -1: none."""
        return int(self.lanes_of_keys(namespace, np.array([key.encode()]))[0])

    def fits(self, bytes text not None):
        """Forms that a text fits, best first: row of `formats`, then 0 nothing to check, 1 holds, 2 wrong."""
        cdef const Tables* tables = <const Tables*>self._tables
        cdef Text normal
        if not normalise_into(text, <int>len(text), &normal):
            return []
        cdef uint64_t forms = forms_by_shape(tables, &normal)
        cdef int i
        return [
            (i, <int>verdict(&tables.forms[i], &normal))
            for i in range(tables.n_forms)
            if forms >> i & 1 and issuer_known(&tables.forms[i], &normal)
        ]


cdef int32_t lane_of(const Tables* tables, int space, const char* key) noexcept nogil:
    cdef Text text
    if not normalise_into(key, LENGTH_MAX, &text):
        return -1
    cdef const Entry* entry = by_prefix(tables, space, text.chars, text.n)
    return entry.lane if entry != NULL else -1


def normalise(bytes text not None):
    """The text as the classifier sees it; None: it has a byte that no label has, or is too long."""
    cdef Text normal
    if not normalise_into(text, <int>len(text), &normal):
        return None
    return normal.chars[:normal.n]


def set_check_digits(form not None, texts not None):
    """Writes the right check characters into labels of one form, in place.

    Parameters
    ----------
    form : FORM array, shape (1,)
    texts : S56 array, shape (n,), contiguous and writable
        Normalised labels of this form.
    """
    cdef const Form[::1] forms = form
    if forms.shape[0] != 1 or texts.dtype.itemsize != LENGTH_MAX:
        raise ValueError(f"{forms.shape[0]} forms, texts of {texts.dtype}: must be 1 form and S{LENGTH_MAX}")
    cdef uint8_t[:, ::1] chars = texts.view(np.uint8).reshape(len(texts), LENGTH_MAX)
    cdef const Form* one = &forms[0]
    cdef Py_ssize_t i
    if one.check_kind == CHECK_NONE:
        return
    for i in range(chars.shape[0]):
        chars[i, one.check_from + one.check_n] = check_character(one, <const char*>&chars[i, 0])
