"""What libFuzzer throws at a scale's decoder: any bytes, in any pieces, with any silences between them.

Of an input each piece begins with a byte that says how long it is (its low six bits) and how long the line was
silent before it (its high two). A weight or a size beyond what the kernel takes ends the program; so does whatever
the sanitizers find.
"""

from libc.stdint cimport int64_t, uint8_t
from libc.stdlib cimport abort, calloc, free, malloc
from libc.string cimport memcpy

from hubctl._gauge cimport (
    GAUGED, N_GAUGE_KINDS, Gauge, GaugeEvent, gauge_init, gauge_next, gauge_next_deadline, gauge_received,
)
from hubctl._tables cimport Gauging

cdef extern from *:
    ctypedef int (*UserCallback)(const uint8_t* data, size_t n) noexcept nogil
    int LLVMFuzzerRunDriver(int* n_words, char*** words, UserCallback callback) nogil

cdef enum:
    WEIGHT_G_MOST = 10000000
    SIZE_MM_MOST = 100000

cdef Gauging GAUGING
cdef int64_t[4] SILENCES = [0, 1_000_000, 25_000_000, 2_000_000_000]


cdef void look_at(const GaugeEvent* event) noexcept nogil:
    if not 0 <= event.kind < N_GAUGE_KINDS:
        abort()
    if event.kind != GAUGED:
        return
    if not 0 <= event.weight_g <= WEIGHT_G_MOST or (event.weight_g == 0 and event.length_mm == 0):
        abort()
    if event.length_mm == 0 and (event.width_mm or event.height_mm):
        abort()
    if event.length_mm and (event.width_mm < 1 or event.height_mm < 1):
        abort()
    if not 0 <= event.length_mm <= SIZE_MM_MOST or event.width_mm > SIZE_MM_MOST or event.height_mm > SIZE_MM_MOST:
        abort()


cdef void hear(Gauge* g, const uint8_t* at, int n, int64_t now_ns) noexcept nogil:
    cdef const uint8_t* end = at + n
    cdef GaugeEvent event
    if gauge_received(g, now_ns, &event):
        look_at(&event)
    while gauge_next(g, &at, end, &event):
        look_at(&event)


cdef int one(const uint8_t* data, size_t n_data) noexcept nogil:
    # Of its own, so that the sanitizer sees what is read beyond its ends.
    cdef Gauge* g = <Gauge*>malloc(sizeof(Gauge))
    cdef uint8_t* piece
    cdef int64_t now_ns = 1_000_000
    cdef size_t at = 0
    cdef size_t n
    gauge_init(g, &GAUGING)
    while at < n_data:
        n = min(<size_t>(data[at] & 63), n_data - at - 1)
        now_ns += SILENCES[data[at] >> 6]
        piece = <uint8_t*>malloc(n)
        memcpy(piece, data + at + 1, n)
        hear(g, piece, <int>n, now_ns)
        if gauge_next_deadline(g) < now_ns:
            abort()
        free(piece)
        at += n + 1
    free(g)
    return 0


def run(gauging: bytes, words: list) -> int:
    """Fuzzes the decoder of a row of GAUGING with the words of libFuzzer's command line; its exit code."""
    cdef int n = len(words)
    cdef char** pointers = <char**>calloc(n + 1, sizeof(char*))
    cdef int i
    if len(gauging) != sizeof(Gauging):
        raise ValueError(f"gauging of {len(gauging)} bytes: must be {sizeof(Gauging)}")
    memcpy(&GAUGING, <const char*>gauging, sizeof(Gauging))
    for i in range(n):
        pointers[i] = words[i]
    return LLVMFuzzerRunDriver(&n, &pointers, one)
