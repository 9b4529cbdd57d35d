"""What the text of one telegram says: a stamp, then codes; of a code's fields one is the label.

    telegram = [stamp separator] code {code_separator code} [separator stamp]
    code     = field {field_separator field}

Heartbeats and answers to commands are whole telegrams, without a stamp. Of several codes those that only say that
nothing was read are passed over, unless all do. Of a MaxiCode, which may be longer than any other label, the fields
behind its shipper are left out.
"""

from libc.stdint cimport int64_t, uint8_t
from libc.string cimport memcmp

from hubctl._elements cimport N_RECORD_AT, head_of_maxicode
from hubctl._records cimport TEXT_MAX
from hubctl._tables cimport ANSWERS_KEYENCE, ANSWERS_NONE, ANSWERS_SOPAS, STAMP_NONE, Framing

cdef enum EventKind:
    LABEL = 0
    NO_READ_TEXT = 1
    HEARTBEAT = 2
    ANSWER = 3
    NOISE = 4
    OVERLONG = 5
    UNPRINTABLE = 6
    HALF_FRAME = 7
    EMPTY = 8
    UNSTAMPED = 9
    DAMAGED = 10
    MALFORMED = 11
    RESENT = 12

cdef enum:
    N_EVENTS = 13
    NO_STAMP = -1
    NO_TIME = -1
    NOTHING = -1
    GROUP_SEPARATOR = 0x1D     # GS1 field separator: the one control byte a label may hold, but for a MaxiCode's head
    SPACE = 0x20
    DELETE = 0x7F
    N_SOPAS = 4                # `sAN `
    N_KEYENCE = 3              # `OK,`

cdef struct FrameEvent:
    int kind
    const uint8_t* text    # of a LABEL; good until the next call
    int n_text
    int64_t stamp          # of a LABEL or NO_READ_TEXT; NO_STAMP where there is none
    int64_t made_ns        # when it was first said, if that was earlier than now; else NO_TIME

cdef struct Telegram:
    uint8_t* at            # of the codes that are still to be told
    int n_left             # NOTHING: there are none
    int64_t stamp
    int64_t made_ns
    bint any_told
    bint any_no_read


cdef inline bint is_text(const uint8_t* text, int n, const char* wanted) noexcept nogil:
    cdef int i
    for i in range(16):
        if i == n:
            return wanted[i] == 0
        if wanted[i] == 0 or text[i] != <uint8_t>wanted[i]:
            return False
    return n == 16


cdef inline bint is_printable(const uint8_t* text, int n) noexcept nogil:
    cdef int i
    for i in range(n):
        if (text[i] < SPACE and text[i] != GROUP_SEPARATOR) or text[i] >= DELETE:
            return False
    return True


cdef inline bint is_upper(uint8_t byte) noexcept nogil:
    return 0x41 <= byte <= 0x5A


cdef inline int64_t number_of(const uint8_t* text, int n) noexcept nogil:
    """A decimal number; NO_STAMP unless there are only digits, and one at least."""
    cdef int64_t number = 0
    cdef int i
    for i in range(n):
        if not 0x30 <= text[i] <= 0x39:
            return NO_STAMP
        number = 10 * number + text[i] - 0x30
    return number if n > 0 else NO_STAMP


# Answers to commands, on the socket of the labels


cdef inline bint is_sopas(const uint8_t* text, int n) noexcept nogil:
    """`sAN mTCgateon 1` and the like."""
    return n >= N_SOPAS and text[0] == 0x73 and is_upper(text[1]) and is_upper(text[2]) and text[3] == SPACE


cdef inline bint is_keyence(const uint8_t* text, int n) noexcept nogil:
    """`OK,LON`, `ER,LOFF,31`, and the read errors `OVER` and `ERR31` that are no label."""
    if n >= N_KEYENCE and (memcmp(text, b"OK,", 3) == 0 or memcmp(text, b"ER,", 3) == 0):
        return True
    if n == 4 and memcmp(text, b"OVER", 4) == 0:
        return True
    return n > 3 and memcmp(text, b"ERR", 3) == 0 and number_of(text + 3, min(n - 3, 3)) != NO_STAMP


cdef inline bint is_command_answer(const Framing* f, const uint8_t* text, int n) noexcept nogil:
    if f.answers == ANSWERS_SOPAS:
        return is_sopas(text, n)
    return f.answers == ANSWERS_KEYENCE and is_keyence(text, n)


# The stamp


cdef inline bint is_separator(const Framing* f, const uint8_t* text) noexcept nogil:
    return memcmp(text, f.separator, f.n_separator) == 0


cdef inline int stamp_length(const Framing* f, const uint8_t* text, int n) noexcept nogil:
    """Bytes of the stamp's digits: always as many, or down to the separator; -1 if that is not there."""
    cdef int most = min(f.stamp_digits, n - f.n_separator)
    cdef int k
    if f.n_separator == 0:
        return f.stamp_digits if f.stamp_digits <= n else -1
    for k in range(most + 1):
        if is_separator(f, text + (n - k - f.n_separator if f.stamp_last else k)):
            return k
    return -1


cdef inline bint take_stamp(Telegram* t, const Framing* f) noexcept nogil:
    """Takes the stamp off a telegram; false if there is none."""
    cdef int n = stamp_length(f, t.at, t.n_left)
    if n < 0:
        return False
    t.n_left -= n + f.n_separator
    t.stamp = number_of(t.at + (t.n_left + f.n_separator if f.stamp_last else 0), n)
    if not f.stamp_last:
        t.at += n + f.n_separator
    return t.stamp != NO_STAMP


# Codes


cdef inline int find(const uint8_t* text, int n, const char* what, int n_what) noexcept nogil:
    """Where something stands first; `n` if it does not, or is empty."""
    cdef int i
    if n_what == 0:
        return n
    for i in range(n - n_what + 1):
        if memcmp(text + i, what, n_what) == 0:
            return i
    return n


cdef inline bint pick_field(const Framing* f, const uint8_t** text, int* n) noexcept nogil:
    """Narrows a code to the field that is its label; false if it has too few."""
    cdef int skipped, at
    for skipped in range(f.label_field - 1):
        at = find(text[0], n[0], f.field_separator, f.n_field_separator)
        if at == n[0]:
            return False
        text[0] += at + f.n_field_separator
        n[0] -= at + f.n_field_separator
    n[0] = find(text[0], n[0], f.field_separator, f.n_field_separator)
    return True


cdef inline void restore_groups(const Framing* f, uint8_t* text, int n) noexcept nogil:
    """Puts the group separator where a scanner sends another byte for it."""
    cdef int i
    if f.group == 0:
        return
    for i in range(n):
        if text[i] == f.group:
            text[i] = GROUP_SEPARATOR


cdef inline int aim_of_maxicode(const uint8_t* text, int n) noexcept nogil:
    """Length of the AIM identifier of a MaxiCode at the front: `]U1`; the last is a digit."""
    return 3 if n > 3 and text[0] == 0x5D and text[1] == 0x55 and 0x30 <= text[2] <= 0x39 else 0


cdef inline int kind_of_text(const uint8_t* text, int* n) noexcept nogil:
    """Whether it may be a label; of a MaxiCode only so much is left as names parcel and destination."""
    cdef int at = aim_of_maxicode(text, n[0])
    cdef int n_head = head_of_maxicode(<const char*>text + at, n[0] - at)
    if n_head:
        n[0] = at + n_head
        at += N_RECORD_AT + 1
    if not is_printable(text + at, n[0] - at):
        return UNPRINTABLE
    return LABEL if n[0] <= TEXT_MAX else OVERLONG


cdef inline int kind_of_code(const Framing* f, const uint8_t** text, int* n) noexcept nogil:
    if is_text(text[0], n[0], f.no_read):
        return NO_READ_TEXT
    if n[0] == 0:
        return EMPTY
    if f.n_field_separator and not pick_field(f, text, n):
        return MALFORMED
    if f.n_field_separator and is_text(text[0], n[0], f.no_read):
        return NO_READ_TEXT
    if n[0] == 0:
        return EMPTY
    restore_groups(f, <uint8_t*>text[0], n[0])
    return kind_of_text(text[0], n)


cdef inline void next_code(Telegram* t, const Framing* f, const uint8_t** text, int* n) noexcept nogil:
    """Takes one code off the front."""
    text[0] = t.at
    n[0] = find(t.at, t.n_left, f.code_separator, f.n_code_separator)
    if n[0] == t.n_left:
        t.n_left = NOTHING
    else:
        t.at += n[0] + f.n_code_separator
        t.n_left -= n[0] + f.n_code_separator


cdef inline int kind_at_end(const Telegram* t) noexcept nogil:
    """What a telegram says of which no code was worth telling; NOTHING if one was."""
    if t.any_told:
        return NOTHING
    return NO_READ_TEXT if t.any_no_read else EMPTY


cdef inline int telegram_next(Telegram* t, const Framing* f, FrameEvent* event) noexcept nogil:
    """The kind of what it says next, with text and stamp; NOTHING if that was all."""
    cdef int kind
    event.stamp = t.stamp
    event.made_ns = t.made_ns
    while t.n_left >= 0:
        next_code(t, f, &event.text, &event.n_text)
        kind = kind_of_code(f, &event.text, &event.n_text)
        t.any_no_read |= kind == NO_READ_TEXT
        if kind != NO_READ_TEXT and kind != EMPTY:
            t.any_told = True
            return kind
        if t.n_left == NOTHING:
            return kind_at_end(t)
    return NOTHING


cdef inline int telegram_open(Telegram* t, const Framing* f, uint8_t* text, int n, FrameEvent* event) noexcept nogil:
    """Takes the text of a telegram, and tells the first that it says. The text may be changed in its place."""
    t.at, t.n_left, t.stamp = text, NOTHING, NO_STAMP
    t.made_ns = NO_TIME
    t.any_told = t.any_no_read = False
    event.made_ns, event.stamp = NO_TIME, NO_STAMP
    if n > 0 and is_text(text, n, f.heartbeat):
        return HEARTBEAT
    if f.answers != ANSWERS_NONE and is_command_answer(f, text, n) and not is_text(text, n, f.no_read):
        return ANSWER
    t.n_left = n
    if f.stamp != STAMP_NONE and n > 0 and not take_stamp(t, f):
        t.n_left = NOTHING
        return UNSTAMPED
    return telegram_next(t, f, event)
