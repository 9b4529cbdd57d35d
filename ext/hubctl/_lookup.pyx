"""Labels to lanes: a compiled classifier, then a hash table for exact labels and one for longest prefixes.

The classifier asks all forms of a length at once (`_sets.pxd`).
Text is normalised first (`_text.pxd`). What the plan says of a label goes before what the host has advised.
"""

import numpy as np

from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t, uintptr_t
from libc.stdlib cimport calloc, free
from libc.string cimport memcpy, memset

from hubctl cimport _records
from hubctl._elements cimport (
    COUNTRY_DE,
    COUNTRY_NONE,
    COUNTRY_US,
    Told,
    foreign_key,
    read_structure,
)
from hubctl._forms cimport (
    CHECK_NONE,
    NOWHERE,
    N_SYMBOLS,
    RAW_MAX,
    STRUCTURE_ELEMENTS,
    STRUCTURE_MAXICODE,
    VERDICT_BAD,
    Form,
    Text,
    check_character,
    issuer_known,
    verdict,
)
from hubctl._advice cimport AdviceTable
from hubctl._advised cimport CUSTOMS_AT, CUSTOMS_CLEARED, CUSTOMS_MASK, CUSTOMS_NONE, Advised, Line, home_of, look_in, told_in
from hubctl._sets cimport WORD, Sets, admit, fitting, fitting_one_of_few, meeting, n_forms_of, note_digits
from hubctl._slots cimport Digest, Entry, Slots, digest, enter, first_slot, found, free_slots, make_slots, prefetch
from hubctl._text cimport copy_upper, is_plain, is_plain_field, length_of, lowest_bit, n_identifier, normalise_into

cdef extern from *:
    int n_leading_zeros "__builtin_clzll" (uint64_t bits) noexcept nogil

cdef enum:
    KEY_ROOM = 128          # of a destination or a partner's service, with a margin

FORMS_MAX = N_ROWS_MAX
PARTNERS = "partner"        # namespace of what a label's carrier and service say
HOME, ABROAD = "postal", "post"     # postcodes of the sender's own country; of one that is named
US, GERMANY = "zip", "plz"  # postcodes of countries that have a namespace of their own

cdef struct Key:
    char[KEY_ROOM] chars
    int n
    int space

# A label that was looked at, and what is looked for.
cdef struct Asked:
    int row                 # of its form; -1: it has none
    Text text               # the label, normalised
    Told told               # what it says, of a form that is a structure
    Digest label
    Digest number

# What is asked of a form each time, apart from what is asked seldom: all forms in use in a line or two of memory.
cdef struct Brief:
    uint16_t format
    uint16_t priority
    uint8_t is_certain      # there is no check character, and no issuer to be known
    uint8_t is_whole        # the number in it is all that it says
    uint8_t needs_customs   # what is not cleared is held
    uint8_t reserved

cdef struct Tables:
    Sets[LENGTH_MAX + 1] sets
    uint64_t[N_NAMESPACES_MAX] prefix_lengths     # bit n: some rule has a prefix of n characters
    uint16_t* spaces        # namespace of each form's key
    Form* forms
    Brief* briefs           # of each form
    int n_forms
    int[3] structured       # the best form of each structure; -1: none is accepted
    int partners            # numbers of namespaces; -1: no rule has it
    int home
    int abroad
    int us
    int germany
    Slots labels            # what the plan says of labels
    const Advised* advised  # what the host has told of labels; NULL: nothing
    const int32_t* advised_lanes  # by the number of their destination's key; -1: the plan has no lane for it
    Slots prefixes


# Classification

cdef int best_of(const Tables* tables, const Text* text, const uint16_t* rows, uint64_t forms) noexcept nogil:
    """Of the forms that fit the best one whose check character holds; -1: none."""
    cdef int row
    while forms:
        row = rows[lowest_bit(forms)]
        if issuer_known(&tables.forms[row], text) and verdict(&tables.forms[row], text) != VERDICT_BAD:
            return row
        forms &= forms - 1
    return -1


cdef int best_of_many(const Tables* tables, const Text* text) noexcept nogil:
    """As `best_form`, of any number of forms."""
    cdef const Sets* sets = &tables.sets[text.n]
    cdef int row = -1
    cdef int word
    for word in range(sets.n_words):
        row = best_of(tables, text, sets.forms + WORD * word, fitting(sets, text, word))
        if row >= 0:
            break
    return row


cdef inline int best_form(const Tables* tables, const Text* text) noexcept nogil:
    """The best form that fits and whose check character holds; -1: none."""
    cdef const Sets* sets = &tables.sets[text.n]
    cdef uint64_t forms
    cdef int row
    if sets.n_words != 1:
        return best_of_many(tables, text)
    forms = fitting_one_of_few(sets, text)
    if forms == 0:
        return -1
    row = sets.forms[lowest_bit(forms)]
    return row if tables.briefs[row].is_certain else best_of(tables, text, sets.forms, forms)


# Destinations

cdef inline bint has_number(const Form* form) noexcept nogil:
    """Whether its number is only a part of the label."""
    return form.number_n or form.structure


cdef inline const Entry* by_label(const Tables* tables, const Asked* asked) noexcept nogil:
    """What the plan says of this label, or of the number in it."""
    cdef const Entry* entry = NULL
    if tables.labels.n_entries == 0:
        return NULL
    if has_number(&tables.forms[asked.row]):
        entry = found(&tables.labels, asked.label)
    return entry if entry != NULL else found(&tables.labels, asked.number)


cdef inline bint is_advised(const Tables* tables, const Asked* asked, uint64_t* told) noexcept nogil:
    """Whether the host has told of this label, or of the number in it, and what."""
    if tables.advised == NULL:
        return False
    if has_number(&tables.forms[asked.row]) and look_in(tables.advised, asked.label, told):
        return True
    return look_in(tables.advised, asked.number, told)


cdef inline const Entry* by_prefix(const Tables* tables, int space, const char* key, int n) noexcept nogil:
    """The rule with the longest prefix of `key`, which has a margin."""
    cdef uint64_t lengths = tables.prefix_lengths[space] & ((<uint64_t>2 << n) - 1)
    cdef const Entry* entry = NULL
    cdef int length
    while lengths and entry == NULL:
        length = 63 - n_leading_zeros(lengths)
        entry = found(&tables.prefixes, digest(space, key, length))
        lengths ^= <uint64_t>1 << length
    return entry


cdef inline void key_in(const Tables* tables, int row, const Text* text, Key* key) noexcept nogil:
    """Joins the pieces of the destination in a label."""
    cdef const Form* form = &tables.forms[row]
    cdef int i, n
    key.space = tables.spaces[row]
    for i in range(form.n_key_pieces):
        n = form.key_n[i] if form.key_n[i] else text.n - form.key_from[i]
        memcpy(key.chars + key.n, text.chars + form.key_from[i], n)
        key.n += n


cdef inline void key_told(const Tables* tables, const Told* told, Key* key) noexcept nogil:
    """The postcode that a label made of elements tells."""
    if told.n_postcode == 0:
        return
    if told.country == COUNTRY_NONE or told.country == COUNTRY_US or told.country == COUNTRY_DE:
        memcpy(key.chars, told.postcode, told.n_postcode)
        key.n = told.n_postcode
        key.space = (
            tables.home if told.country == COUNTRY_NONE
            else tables.us if told.country == COUNTRY_US else tables.germany
        )
    else:
        key.n = foreign_key(told, key.chars)
        key.space = tables.abroad


cdef inline const Entry* by_partner(const Tables* tables, const Form* form, const Text* number) noexcept nogil:
    """The rule for the label's carrier and service."""
    cdef char[KEY_ROOM] key
    if tables.partners < 0:
        return NULL
    memset(key, 0, sizeof(key))
    memcpy(key, form.partner, form.n_partner)
    memcpy(key + form.n_partner, number.chars + form.service_from, form.service_n)
    return by_prefix(tables, tables.partners, key, form.n_partner + form.service_n)


cdef inline void set_lane(Reading* out, int32_t lane) noexcept nogil:
    if lane < 0:
        out.reason = _records.NO_LANE
        return
    out.lane = lane
    out.reason = _records.OK


cdef inline void key_of(const Tables* tables, const Asked* asked, Key* key) noexcept nogil:
    """The destination that the label says; of length 0 if it says none."""
    memset(key, 0, sizeof(Key))
    if tables.forms[asked.row].structure:
        key_told(tables, &asked.told, key)
    else:
        key_in(tables, asked.row, &asked.text, key)


cdef inline bint is_held_by_customs(bint needs_customs, uint64_t told) noexcept nogil:
    """Only what customs have cleared goes on, and what they have no business with: no word is no clearance."""
    cdef int word = told >> CUSTOMS_AT & CUSTOMS_MASK
    return word != CUSTOMS_CLEARED and (word != CUSTOMS_NONE or needs_customs)


cdef void find_by_destination(const Tables* tables, const Asked* asked, Reading* out) noexcept nogil:
    """By the destination that the label says, else by its carrier and service."""
    cdef const Form* form = &tables.forms[asked.row]
    cdef const Entry* entry = NULL
    cdef Key key
    key_of(tables, asked, &key)
    if key.n and key.space >= 0:
        entry = by_prefix(tables, key.space, key.chars, key.n)
    if entry == NULL:
        entry = by_partner(tables, form, &asked.told.number if form.structure else &asked.text)
    if entry != NULL or key.n:
        set_lane(out, entry.lane if entry != NULL else -1)
    else:
        out.reason = _records.NO_DATA


cdef void find_lane(const Tables* tables, const Asked* asked, Reading* out) noexcept nogil:
    """By what the plan says of the label, or the host told, else by its destination, else by its carrier and service."""
    cdef const Entry* entry = by_label(tables, asked)
    cdef uint64_t told = 0
    cdef bint was_told = is_advised(tables, asked, &told)
    if is_held_by_customs(tables.briefs[asked.row].needs_customs, told):
        out.reason = _records.HELD
    elif entry != NULL:
        set_lane(out, entry.lane)
    elif was_told:
        set_lane(out, tables.advised_lanes[<uint32_t>told])
    else:
        find_by_destination(tables, asked, out)


cdef inline bint find_advised(const Tables* tables, const Asked* asked, Reading* out) noexcept nogil:
    """As `find_lane` for a label that nobody but the host has a word on; False: it is no such label."""
    cdef const Brief* brief = &tables.briefs[asked.row]
    cdef uint64_t told
    if not brief.is_whole or tables.labels.n_entries or tables.advised == NULL:
        return False
    if not told_in(home_of(tables.advised, asked.number), asked.number, &told):
        return False
    if is_held_by_customs(brief.needs_customs, told):
        return False
    set_lane(out, tables.advised_lanes[<uint32_t>told])
    return True


cdef inline int structured_form(const Tables* tables, const char* raw, int n, Told* told) noexcept nogil:
    """The form of a label made of elements that holds; -1: it is none, or none is accepted."""
    cdef int row
    if tables.structured[STRUCTURE_ELEMENTS] < 0 and tables.structured[STRUCTURE_MAXICODE] < 0:
        return -1
    if not read_structure(raw, n, n_identifier(raw, n), told):
        return -1
    row = tables.structured[told.structure]
    if row >= 0 and verdict(&tables.forms[row], &told.number) == VERDICT_BAD:
        return -1
    return row


cdef inline int better(int row, int other) noexcept nogil:
    """The better of two forms; -1 is none."""
    return row if other < 0 or 0 <= row < other else other


cdef inline void take_digests(const Tables* tables, Asked* asked) noexcept nogil:
    cdef const Form* form = &tables.forms[asked.row]
    cdef const Text* text = &asked.text
    if form.structure:
        asked.number = digest(ADVICE, asked.told.number.chars, asked.told.number.n)
    else:
        asked.number = digest(
            ADVICE, text.chars + form.number_from, form.number_n if form.number_n else text.n
        )
    if has_number(form):
        asked.label = digest(ADVICE, text.chars, text.n)


cdef int form_of_any(const Tables* tables, const char* text, int n, Asked* asked) noexcept nogil:
    """The form of a text that may be made of elements, or has to be looked at byte by byte; -1: none."""
    cdef int row = structured_form(tables, text, n, &asked.told)
    if n <= RAW_MAX and copy_upper(text, n, &asked.text):
        row = better(row, best_form(tables, &asked.text))
    return row


cdef inline void settle(const Tables* tables, const Asked* asked, Reading* out) noexcept nogil:
    """Finds the lane of what was asked."""
    out.reason = _records.BAD_LABEL
    out.lane = -1
    out.format = out.priority = out.flags = 0
    out.identity = 0
    if asked.row < 0:
        return
    out.format = tables.briefs[asked.row].format
    out.priority = tables.briefs[asked.row].priority
    out.identity = asked.number.key
    if not find_advised(tables, asked, out):
        find_lane(tables, asked, out)


cdef void resolve(const void* of, const char* text, int n, Reading* out) noexcept nogil:
    """What is plain has no separators, and so no elements."""
    cdef const Tables* tables = <const Tables*>of
    cdef Asked asked
    if is_plain(text, n, &asked.text):
        asked.row = best_form(tables, &asked.text)
    else:
        asked.row = form_of_any(tables, text, n, &asked)
    if asked.row >= 0:
        take_digests(tables, &asked)
    settle(tables, &asked, out)


cdef inline void ask(const Tables* tables, const char* field, int64_t size, Asked* asked) noexcept nogil:
    """Finds the form of the text of a field."""
    if is_plain_field(field, size, &asked.text):
        asked.row = best_form(tables, &asked.text)
    else:
        asked.row = form_of_any(tables, field, length_of(field, size), asked)


cdef inline void hurry_for(const Tables* tables, Digest label) noexcept nogil:
    """Fetches the home of a label, and the line behind it, where one of eight stands whose home is full."""
    cdef const Line* home
    if tables.advised != NULL:
        home = home_of(tables.advised, label)
        prefetch(home)
        prefetch(home + 1)
    if tables.labels.n_entries:
        prefetch(first_slot(&tables.labels, label))


cdef inline void hurry(const Tables* tables, Asked* asked) noexcept nogil:
    """Fetches what will be looked at, so that many labels wait for memory together."""
    if asked.row < 0:
        return
    take_digests(tables, asked)
    hurry_for(tables, asked.number)
    if has_number(&tables.forms[asked.row]):
        hurry_for(tables, asked.label)


cdef void resolve_block(const void* of, const char* texts, int64_t size, int n, Reading* out) noexcept nogil:
    """Each step for all labels before the next: a step's labels do not depend on each other, and are worked on at once."""
    cdef const Tables* tables = <const Tables*>of
    cdef Asked[BLOCK] asked
    cdef int i
    for i in range(n):
        ask(tables, texts + size * i, size, &asked[i])
    for i in range(n):
        hurry(tables, &asked[i])
    for i in range(n):
        settle(tables, &asked[i], &out[i])


# Building

cdef int make_sets(Tables* tables, int length) except -1:
    """The sets of one length, in the order of the forms."""
    cdef Sets* sets = &tables.sets[length]
    cdef int n = n_forms_of(tables.forms, tables.n_forms, length)
    cdef int row, at = 0
    if n == 0:
        return 0
    sets.n_words = (n + WORD - 1) // WORD
    sets.bits = <uint64_t*>room(length * N_SYMBOLS * sets.n_words, sizeof(uint64_t))
    sets.forms = <uint16_t*>room(n, sizeof(uint16_t))
    for row in range(tables.n_forms):
        if tables.forms[row].length_min <= length <= tables.forms[row].length_max:
            sets.forms[at] = <uint16_t>row
            admit(sets, &tables.forms[row], length, at)
            at += 1
    note_digits(sets, length)
    return 0


cdef Py_ssize_t put_labels(Tables* tables, const char* texts, const int32_t[::1] lanes) noexcept nogil:
    """Enters exact labels, the last of two equal ones standing; returns the row of a bad one, or -1."""
    cdef Text text
    cdef Py_ssize_t i
    for i in range(lanes.shape[0]):
        if not normalise_into(texts + LENGTH_MAX * i, LENGTH_MAX, &text) or text.n == 0:
            return i
        enter(&tables.labels, digest(ADVICE, text.chars, text.n), lanes[i])
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


cdef void* room(size_t n, size_t size) except NULL:
    cdef void* memory = calloc(n if n else 1, size)
    if memory == NULL:
        raise MemoryError
    return memory


cdef int space_number(dict spaces, str space) except -1:
    """Number of a namespace; a new one gets the next."""
    number = spaces.setdefault(space, len(spaces))
    if number >= N_NAMESPACES_MAX:
        raise ValueError(f"namespace {space!r} is one too many: at most {N_NAMESPACES_MAX}")
    return number


cdef Brief brief_of(const Form* form) noexcept:
    cdef Brief brief
    brief.format = form.format
    brief.priority = form.priority
    brief.is_certain = form.check_kind == CHECK_NONE and form.issuer_at == NOWHERE
    brief.is_whole = not has_number(form)
    brief.needs_customs = brief.reserved = 0
    return brief


cdef int put_form(Tables* tables, dict spaces, const Form* form, int row, str space) except -1:
    tables.forms[row] = form[0]
    if form.n_key_pieces:
        tables.spaces[row] = <uint16_t>space_number(spaces, space)
    if form.structure and tables.structured[form.structure] < 0:
        tables.structured[form.structure] = row
    tables.briefs[row] = brief_of(form)
    return 0


cdef int put_forms(Tables* tables, dict spaces, formats) except -1:
    cdef const Form[::1] forms = formats
    cdef int i
    if forms.shape[0] > N_ROWS_MAX:
        raise ValueError(f"{forms.shape[0]} forms: must be 0 to {N_ROWS_MAX}")
    tables.n_forms = <int>forms.shape[0]
    tables.forms = <Form*>room(tables.n_forms, sizeof(Form))
    tables.spaces = <uint16_t*>room(tables.n_forms, sizeof(uint16_t))
    tables.briefs = <Brief*>room(tables.n_forms, sizeof(Brief))
    for i in range(tables.n_forms):
        put_form(tables, spaces, &forms[i], i, formats["space"][i].decode())
    for i in range(1, LENGTH_MAX + 1):
        make_sets(tables, i)
    return 0


cdef int put_prefix(Tables* tables, int space, str prefix, int32_t lane) except -1:
    cdef Text text
    raw = prefix.encode()
    if not normalise_into(raw, <int>len(raw), &text):
        raise ValueError(f"prefix {prefix!r}: must be at most {LENGTH_MAX} ASCII characters")
    if lane < -1:
        raise ValueError(f"prefix {prefix!r}: lane {lane}, must be -1 (no service) or more")
    if found(&tables.prefixes, digest(space, text.chars, text.n)) != NULL:
        raise ValueError(f"prefix {prefix!r} is given twice in its namespace")
    enter(&tables.prefixes, digest(space, text.chars, text.n), lane)
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


cdef int name_spaces(Tables* tables, dict spaces) except -1:
    """The namespaces that labels made of elements and partners go by; -1: no rule has it."""
    tables.partners = spaces.get(PARTNERS, -1)
    tables.home, tables.abroad = spaces.get(HOME, -1), spaces.get(ABROAD, -1)
    tables.us, tables.germany = spaces.get(US, -1), spaces.get(GERMANY, -1)
    return 0


cdef class LaneTable:
    """Formats, prefixes and pre-advice of one sort plan, immutable once built.

    Parameters
    ----------
    formats : FORM array, shape (n_forms,)
        From `hubctl.core.formats.compile_formats`, at most N_ROWS_MAX.
    prefixes : sequence of (namespace, prefix, lane)
        Rules by destination: the longest prefix of a key wins; an empty one takes the whole namespace.
    labels : bytes array of at most 56, shape (n_labels,), optional
        Labels, or the numbers in them, that have a lane of their own.
    lanes : int32 array, shape (n_labels,), optional
        Their lanes; -1: no service. Of a label given twice the last counts.
    advice : AdviceTable, optional
        What the host tells of labels; it may change afterwards.
    n_keys_max : int
        How many destination keys the advice may have.

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

    def __cinit__(self, formats, prefixes, labels=None, lanes=None, AdviceTable advice=None, n_keys_max=0):
        if labels is not None:
            _check_lanes(labels, lanes)
        self._tables = room(1, sizeof(Tables))
        self._spaces = {}
        cdef Tables* tables = <Tables*>self._tables
        cdef uint64_t n_labels = 0 if labels is None else len(labels)
        if not make_slots(&tables.labels, n_labels) or not make_slots(&tables.prefixes, len(prefixes)):
            raise MemoryError
        tables.structured[STRUCTURE_ELEMENTS] = tables.structured[STRUCTURE_MAXICODE] = -1
        put_forms(tables, self._spaces, formats)
        for space, prefix, lane in prefixes:
            put_prefix(tables, space_number(self._spaces, space), prefix, lane)
        if labels is not None:
            put_advice(tables, labels, lanes)
        name_spaces(tables, self._spaces)
        if advice is not None:
            self._advise(advice, n_keys_max)

    cdef int _advise(self, AdviceTable advice, n_keys_max) except -1:
        """Every key that the advice may have has no lane until it is told."""
        cdef Tables* tables = <Tables*>self._tables
        self._advice = advice
        self._key_lanes = np.full(n_keys_max, -1, np.int32)
        tables.advised_lanes = <const int32_t*><uintptr_t>self._key_lanes.ctypes.data
        tables.advised = &advice.advised
        return 0

    def need_customs(self, rows not None):
        """Labels of some forms, by row of `formats`, are held until customs have cleared them."""
        cdef Tables* tables = <Tables*>self._tables
        for row in rows:
            if not 0 <= row < tables.n_forms:
                raise ValueError(f"form {row}: must be 0 to {tables.n_forms - 1}")
            tables.briefs[<int>row].needs_customs = 1

    def set_key_lanes(self, int64_t first, lanes not None):
        """The lanes of advised keys from a number on; told before any label is advised with one of them."""
        if self._advice is None or not 0 <= first <= len(self._key_lanes) - len(lanes):
            raise ValueError(f"keys {first} to {first + len(lanes)}: this table has {0 if self._advice is None else len(self._key_lanes)}")
        self._key_lanes[first:first + len(lanes)] = lanes

    def __dealloc__(self):
        cdef Tables* tables = <Tables*>self._tables
        cdef int i
        if tables == NULL:
            return
        for i in range(LENGTH_MAX + 1):
            free(tables.sets[i].bits)
            free(tables.sets[i].forms)
        free(tables.forms)
        free(tables.spaces)
        free(tables.briefs)
        free_slots(&tables.labels)
        free_slots(&tables.prefixes)
        free(tables)

    @property
    def address(self):
        """Where the C tables lie, for compiled callers of `resolve`."""
        return <uintptr_t>self._tables

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
        cdef Py_ssize_t n = reason_out.shape[0], first = 0
        cdef Reading[BLOCK] readings
        cdef int i, n_here
        with nogil:
            while first < n:
                n_here = <int>min(<Py_ssize_t>BLOCK, n - first)
                resolve_block(self._tables, chars + LENGTH_MAX * first, LENGTH_MAX, n_here, readings)
                for i in range(n_here):
                    reason_out[first + i], lane_out[first + i] = readings[i].reason, readings[i].lane
                first += n_here
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
        """Forms whose characters a text fits, best first: row of `formats`, then 0 nothing to check, 1 holds, 2 wrong."""
        cdef const Tables* tables = <const Tables*>self._tables
        cdef Text normal
        if not normalise_into(text, <int>len(text), &normal):
            return []
        cdef const Sets* sets = &tables.sets[normal.n]
        rows = [
            sets.forms[WORD * word + bit]
            for word in range(sets.n_words)
            for bit in bits_of(fitting(sets, &normal, word))
        ]
        return [
            (row, <int>verdict(&tables.forms[row], &normal))
            for row in rows
            if issuer_known(&tables.forms[row], &normal)
        ]


    def alike(self):
        """Forms of two formats with a shape in common, int32, shape (n, 3): both rows of `formats`, and a length.

        Whether a label fits both is for its check characters to say (`_overlaps.common_label`).
        """
        cdef const Tables* tables = <const Tables*>self._tables
        cdef int length
        pairs = [pair for length in range(1, LENGTH_MAX + 1) for pair in pairs_alike(tables, length)]
        return np.array(pairs, np.int32).reshape(-1, 3)


cdef list pairs_alike(const Tables* tables, int length):
    cdef const Sets* sets = &tables.sets[length]
    cdef list pairs = []
    cdef uint64_t forms
    cdef int word, row, other, n = n_forms_of(tables.forms, tables.n_forms, length)
    for at in range(n):
        row = sets.forms[at]
        for word in range(at // WORD, sets.n_words):
            forms = meeting(sets, &tables.forms[row], length, word)
            while forms:
                other = sets.forms[WORD * word + lowest_bit(forms)]
                if other > row and tables.forms[other].format != tables.forms[row].format:
                    pairs.append((row, other, length))
                forms &= forms - 1
    return pairs


cdef list bits_of(uint64_t word):
    return [bit for bit in range(WORD) if word >> bit & 1]


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


def elements(bytes text not None):
    """What a label made of elements says, told by its separators.

    Returns
    -------
    (structure, number, namespace, key) or None
        Structure 1 GS1 elements, 2 MaxiCode; namespace and key are empty where no destination is told. None:
        the text is no such label, or contradicts itself.

    Examples
    --------
    >>> elements(b"]C10037613032110910342042127620095")
    (1, b'376130321109103420', 'plz', b'20095')
    """
    cdef Told told
    cdef char[KEY_ROOM] key
    cdef int n
    if not read_structure(text, <int>len(text), n_identifier(text, <int>len(text)), &told):
        return None
    number = told.number.chars[:told.number.n]
    if told.n_postcode == 0:
        return told.structure, number, "", b""
    if told.country not in (COUNTRY_NONE, COUNTRY_US, COUNTRY_DE):
        n = foreign_key(&told, key)
        return told.structure, number, ABROAD, key[:n]
    space = {COUNTRY_NONE: HOME, COUNTRY_US: US, COUNTRY_DE: GERMANY}[told.country]
    return told.structure, number, space, told.postcode[:told.n_postcode]


def number_verdict(form not None, bytes number not None):
    """Whether the check character of a number holds as a form says: 0 nothing to check, 1 holds, 2 wrong."""
    cdef const Form[::1] forms = form
    cdef Text text
    if forms.shape[0] != 1 or not normalise_into(number, <int>len(number), &text):
        raise ValueError(f"{forms.shape[0]} forms, number {number!r}: must be 1 form and a label")
    return <int>verdict(&forms[0], &text)
