"""What libFuzzer throws at a scanner's decoder: any bytes, in any pieces, with any silences between them.

Of an input each piece begins with a byte that says how long it is (its low six bits) and how long the line was
silent before it (its high two). A label that is none, or more put ready than there is room for, ends the program;
so does whatever the sanitizers find.
"""

from libc.stdint cimport int64_t, uint8_t
from libc.stdlib cimport abort, calloc, free, malloc
from libc.string cimport memcpy

from hubctl._elements cimport RECORD
from hubctl._dialogue cimport (
    Dialogue, dialogue_connect, dialogue_expire, dialogue_init, dialogue_is_gone, dialogue_next, dialogue_next_deadline,
    dialogue_number, dialogue_received,
)
from hubctl._outgoing cimport OUTGOING_MAX
from hubctl._records cimport TEXT_MAX
from hubctl._tables cimport Framing
from hubctl._telegram cimport LABEL, N_EVENTS, DELETE, FrameEvent, GROUP_SEPARATOR, SPACE

cdef extern from *:
    ctypedef int (*UserCallback)(const uint8_t* data, size_t n) noexcept nogil
    int LLVMFuzzerRunDriver(int* n_words, char*** words, UserCallback callback) nogil

cdef Framing FRAMING
cdef int64_t[4] SILENCES = [0, 1_000_000, 25_000_000, 2_000_000_000]


cdef void look_at(const Dialogue* d, const FrameEvent* event) noexcept nogil:
    cdef int i
    if not 0 <= event.kind < N_EVENTS or not 0 <= d.out.n <= OUTGOING_MAX:
        abort()
    if event.kind != LABEL:
        return
    if not 0 < event.n_text <= TEXT_MAX:
        abort()
    for i in range(event.n_text):
        if event.text[i] != GROUP_SEPARATOR and event.text[i] != RECORD and not SPACE <= event.text[i] < DELETE:
            abort()


cdef void hear(Dialogue* d, const uint8_t* at, int n, int64_t now_ns) noexcept nogil:
    cdef const uint8_t* end = at + n
    cdef FrameEvent event
    if dialogue_received(d, now_ns, &event):
        look_at(d, &event)
    while dialogue_next(d, &at, end, now_ns, &event):
        look_at(d, &event)


cdef int one(const uint8_t* data, size_t n_data) noexcept nogil:
    # Of its own, so that the sanitizer sees what is read beyond its ends.
    cdef Dialogue* d = <Dialogue*>malloc(sizeof(Dialogue))
    cdef uint8_t* piece
    cdef FrameEvent event
    cdef int64_t now_ns = 1_000_000
    cdef size_t at = 0
    cdef size_t n
    dialogue_init(d, &FRAMING)
    dialogue_connect(d, now_ns)
    while at < n_data:
        n = min(<size_t>(data[at] & 63), n_data - at - 1)
        now_ns += SILENCES[data[at] >> 6]
        if dialogue_next_deadline(d) <= now_ns and dialogue_expire(d, now_ns, &event):
            look_at(d, &event)
        if dialogue_is_gone(d, now_ns):
            dialogue_connect(d, now_ns)
        if FRAMING.is_numbered:
            dialogue_number(d, now_ns)
        piece = <uint8_t*>malloc(n)
        memcpy(piece, data + at + 1, n)
        hear(d, piece, <int>n, now_ns)
        free(piece)
        d.out.n = 0 if data[at] & 1 else d.out.n
        at += n + 1
    free(d)
    return 0


def run(framing: bytes, words: list) -> int:
    """Fuzzes the decoder of a row of FRAMING with the words of libFuzzer's command line; its exit code."""
    cdef int n = len(words)
    cdef char** pointers = <char**>calloc(n + 1, sizeof(char*))
    cdef int i
    if len(framing) != sizeof(Framing):
        raise ValueError(f"framing of {len(framing)} bytes: must be {sizeof(Framing)}")
    memcpy(&FRAMING, <const char*>framing, sizeof(Framing))
    for i in range(n):
        pointers[i] = words[i]
    return LLVMFuzzerRunDriver(&n, &pointers, one)
