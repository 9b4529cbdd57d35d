"""What libFuzzer throws at a Modbus channel: any bytes, in any pieces, between requests of every function.

Of an input each piece begins with a byte that says how long it is (its low six bits) and what comes before it (its high
two): nothing, a request (of the function that the next byte picks), 20 ms, or the next deadline. An answer that was not
asked for, more data than was asked for, or a count that is none ends the program; so does whatever the sanitizers find.
"""

from libc.stdint cimport INT64_MAX, int64_t, uint8_t, uint32_t
from libc.stdlib cimport abort, calloc
from libc.string cimport memcpy, memset

from hubctl._wire cimport (
    ACCEPTED, FRAME_MAX, IN_FLIGHT_MAX, N_REFUSALS, NO_TAG, RECEIVE_MAX, Channel, Reply, Request, channel_expire,
    channel_init, channel_next, channel_next_deadline, channel_ready, channel_received, channel_room, channel_send,
)

cdef extern from *:
    ctypedef int (*UserCallback)(const uint8_t* data, size_t n) noexcept nogil
    int LLVMFuzzerRunDriver(int* n_words, char*** words, UserCallback callback) nogil

cdef enum:
    N_FUNCTIONS = 10
    DATA_MAX = 255
    TIMEOUT_NS = 100_000_000

cdef uint8_t[10] FUNCTIONS = [1, 2, 3, 4, 5, 6, 15, 16, 23, 43]
cdef bint IS_RTU
cdef int N_SLOTS
cdef uint8_t[260] FRAME


# What is open, as the caller of a channel keeps it.
cdef struct Open:
    Channel channel
    bint[256] is_open      # by tag
    uint32_t tag
    int64_t now_ns


cdef Open OPEN  # one for all inputs: to take the memory anew costs more than to decode


cdef int most_of(const Request* request) noexcept nogil:
    """Bytes of data that an answer may bring."""
    if request.function == 43:
        return 250
    if request.function == 23:
        return 2 * request.read_count
    if request.function <= 2:
        return (request.count + 7) // 8
    return 2 * request.count if request.function <= 4 else 0


cdef void look_at(Open* o, const Reply* reply) noexcept nogil:
    cdef int i
    cdef int total = 0
    if not 0 <= reply.refusal < N_REFUSALS:
        abort()
    if reply.tag == NO_TAG:
        if reply.refusal == ACCEPTED:
            abort()
        return
    if reply.tag > 255 or not o.is_open[reply.tag]:
        abort()
    o.is_open[reply.tag] = False
    if reply.refusal == ACCEPTED and reply.n_data > most_of(&reply.request):
        abort()
    for i in range(reply.n_data):
        total += reply.data[i]
    if total < 0:
        abort()


cdef void look_at_channel(const Channel* c) noexcept nogil:
    if not 0 <= c.at <= c.n_buffer <= RECEIVE_MAX or not 0 <= c.n_waiting <= c.n_slots <= IN_FLIGHT_MAX:
        abort()


cdef void ask(Open* o, uint8_t pick) noexcept nogil:
    cdef Request request
    cdef uint8_t[255] data
    cdef int n_data = 0
    if not channel_ready(&o.channel, o.now_ns) or o.is_open[o.tag]:
        return
    memset(&request, 0, sizeof(Request))
    memset(data, pick, sizeof(data))
    request.unit, request.function = 1, FUNCTIONS[pick % N_FUNCTIONS]
    request.address, request.count, request.value = pick, 1 + pick % 20, pick << 8
    if request.function == 15:
        n_data = (request.count + 7) // 8
    elif request.function == 16 or request.function == 23:
        n_data = 2 * request.count
    request.read_count = 1 + pick % 9
    if request.function == 43:
        request.value, request.address = 1 + pick % 4, 0
    if channel_send(&o.channel, &request, data, n_data, o.now_ns, TIMEOUT_NS, o.tag, FRAME) > FRAME_MAX:
        abort()
    o.is_open[o.tag] = True
    o.tag = (o.tag + 1) & 0xFF


cdef void wait(Open* o, int64_t until_ns) noexcept nogil:
    cdef Reply reply
    o.now_ns = until_ns
    while channel_expire(&o.channel, o.now_ns, &reply):
        look_at(o, &reply)


cdef void hear(Open* o, const uint8_t* at, int n) noexcept nogil:
    cdef Reply reply
    cdef int room
    cdef uint8_t* to = channel_room(&o.channel, &room)
    n = min(n, room)
    memcpy(to, at, n)
    channel_received(&o.channel, n, o.now_ns)
    while channel_next(&o.channel, o.now_ns, &reply):
        look_at(o, &reply)


cdef void prepare(Open* o, uint8_t head, uint8_t pick) noexcept nogil:
    cdef int64_t due_ns
    if head >> 6 == 1:
        ask(o, pick)
    elif head >> 6 == 2:
        wait(o, o.now_ns + 20_000_000)
    elif head >> 6 == 3:
        due_ns = channel_next_deadline(&o.channel, o.now_ns)
        wait(o, due_ns if due_ns < INT64_MAX else o.now_ns)


cdef int one(const uint8_t* data, size_t n_data) noexcept nogil:
    cdef Open* o = &OPEN
    cdef size_t at = 0
    cdef size_t n
    memset(o.is_open, 0, sizeof(o.is_open))
    o.tag = 0
    o.now_ns = 1_000_000
    channel_init(&o.channel, IS_RTU, N_SLOTS, 1_750_000)
    ask(o, data[0] if n_data else 0)
    while at < n_data and not o.channel.broken:
        n = min(<size_t>(data[at] & 63), n_data - at - 1)
        prepare(o, data[at], data[at + 1] if n else 0)
        hear(o, data + at + 1, <int>n)
        look_at_channel(&o.channel)
        at += n + 1
    return 0


def run(setting: bytes, words: list) -> int:
    """Fuzzes a channel with the words of libFuzzer's command line; `setting`: 1 for RTU, then how many in flight."""
    global IS_RTU, N_SLOTS
    cdef int n = len(words)
    cdef char** pointers = <char**>calloc(n + 1, sizeof(char*))
    cdef int i
    IS_RTU, N_SLOTS = setting[0], setting[1]
    for i in range(n):
        pointers[i] = words[i]
    return LLVMFuzzerRunDriver(&n, &pointers, one)
