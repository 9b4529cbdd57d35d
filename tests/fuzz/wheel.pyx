"""What libFuzzer throws at a link of wheel diverters: any bytes, in any pieces, between turns and silences.

Of an input each piece begins with a byte that says how long it is (its low six bits) and what comes before it (its high
two): nothing, a turn to the chute that the next byte picks, 40 ms, or the next deadline. A fire without a result or with
two, a command sooner than a wheel can take it, or a state that is none ends the program; so does whatever the sanitizers
find.
"""

from io import BytesIO

import numpy as np

from hubctl.core.tables import Wiring

from libc.stdint cimport INT64_MAX, int64_t, uint8_t
from libc.stdlib cimport abort, calloc, free, malloc
from libc.string cimport memcpy, memset

from hubctl._batch cimport Batch
from hubctl._records cimport FIRE_OUTPUT, FIRE_RESULT, NODE, Record
from hubctl._wheel cimport (
    N_WHEELS_MAX, WHEEL_FRAME, WHEEL_OUT_MAX, Wheels, wheels_clear, wheels_connect, wheels_disconnect, wheels_fire,
    wheels_make_safe, wheels_new, wheels_next_deadline, wheels_pump, wheels_receive,
)
from hubctl._wires cimport ABSENT, UNSAFE, Wires

cdef extern from *:
    ctypedef int (*UserCallback)(const uint8_t* data, size_t n) noexcept nogil
    int LLVMFuzzerRunDriver(int* n_words, char*** words, UserCallback callback) nogil

cdef enum:
    N_ROWS = 512
    N_NODES_MAX = 16

cdef int64_t VOID_NS = 15_000_000
cdef int64_t LOST_NS = 90_000_000  # a command that comes sooner after the one before is lost
cdef Wheels* WHEELS
cdef Wheels FRESH
cdef Record[512] ROWS


# What is open, as the reactor keeps it.
cdef struct Open:
    Batch batch
    int64_t now_ns
    int n_fires
    int n_results
    int64_t[16] sent_ns    # of the last command to each wheel


cdef void take_records(Open* o) noexcept nogil:
    cdef int i
    for i in range(o.batch.n):
        if ROWS[i].kind == FIRE_RESULT:
            o.n_results += 1
        elif ROWS[i].kind != NODE or not 0 <= ROWS[i].value <= 2 or ROWS[i].device >= N_NODES_MAX:
            abort()
    if o.batch.n_lost or o.n_results > o.n_fires:
        abort()
    o.batch.n = 0


cdef void take_commands(Open* o) noexcept nogil:
    cdef int i
    cdef int device
    if not 0 <= WHEELS.n_out <= WHEEL_OUT_MAX or WHEELS.n_out % WHEEL_FRAME:
        abort()
    for i in range(WHEELS.n_out // WHEEL_FRAME):
        device = (WHEELS.out[WHEEL_FRAME * i + 3] - WHEELS.wheels[0].device) % N_WHEELS_MAX
        if o.now_ns - o.sent_ns[device] < LOST_NS:
            abort()
        o.sent_ns[device] = o.now_ns
    WHEELS.n_out = 0


cdef void pump(Open* o) noexcept nogil:
    wheels_pump(WHEELS, o.now_ns, &o.batch)
    take_commands(o)
    take_records(o)
    if WHEELS.is_silent:
        wheels_disconnect(WHEELS, o.now_ns, &o.batch)
        take_records(o)
        wheels_connect(WHEELS, o.now_ns)


cdef void turn(Open* o, uint8_t pick) noexcept nogil:
    cdef Record command
    memset(&command, 0, sizeof(Record))
    command.kind = FIRE_OUTPUT
    command.chute = pick % WHEELS.field.n_outputs
    command.seq = o.n_fires
    command.due_ns = o.now_ns
    command.value = o.now_ns + VOID_NS
    o.n_fires += 1
    wheels_fire(WHEELS, &command, o.now_ns, &o.batch)


cdef void prepare(Open* o, uint8_t head, uint8_t pick) noexcept nogil:
    cdef int64_t due_ns
    if head >> 6 == 1:
        turn(o, pick)
    elif head >> 6 == 2:
        o.now_ns += 40_000_000
    elif head >> 6 == 3:
        due_ns = wheels_next_deadline(WHEELS, o.now_ns)
        o.now_ns = max(o.now_ns, due_ns) if due_ns < INT64_MAX else o.now_ns
    if pick == 0xFF:
        wheels_clear(WHEELS, head & 1)
    pump(o)


cdef void hear(Open* o, const uint8_t* at, size_t n) noexcept nogil:
    # Of its own, so that the sanitizer sees what is read beyond its ends.
    cdef uint8_t* piece = <uint8_t*>malloc(n)
    memcpy(piece, at, n)
    wheels_receive(WHEELS, piece, <int>n, o.now_ns, &o.batch)
    free(piece)
    take_records(o)
    pump(o)


cdef void begin(Open* o) noexcept nogil:
    memset(o, 0, sizeof(Open))
    o.batch.rows = ROWS
    o.batch.n_max = N_ROWS
    o.now_ns = 1_000_000_000
    WHEELS[0] = FRESH
    memset(WHEELS.field.node_status, 0, WHEELS.field.n_nodes * sizeof(WHEELS.field.node_status[0]))
    wheels_connect(WHEELS, o.now_ns)


cdef void end(Open* o) noexcept nogil:
    """Whatever came: each fire has one result, and no wheel a state that is none."""
    cdef int i
    wheels_make_safe(WHEELS, o.now_ns, &o.batch)
    for i in range(WHEELS.field.n_nodes):
        if not ABSENT <= WHEELS.field.node_status[i].state <= UNSAFE:
            abort()
    wheels_disconnect(WHEELS, o.now_ns, &o.batch)
    take_records(o)
    if o.n_results != o.n_fires:
        abort()


cdef int one(const uint8_t* data, size_t n_data) noexcept nogil:
    cdef Open o
    cdef size_t at = 0
    cdef size_t n
    begin(&o)
    while at < n_data:
        n = min(<size_t>(data[at] & 63), n_data - at - 1)
        prepare(&o, data[at], data[at + 1] if n else 0)
        hear(&o, data + at + 1, n)
        at += n + 1
    end(&o)
    return 0


def run(setting: bytes, words: list) -> int:
    """Fuzzes link 0 of a wiring, saved by numpy, with the words of libFuzzer's command line."""
    global WHEELS, FRESH
    cdef int n = len(words)
    cdef char** pointers = <char**>calloc(n + 1, sizeof(char*))
    cdef int i
    saved = np.load(BytesIO(setting))
    cdef Wires wires = Wires(Wiring(**{name: saved[name] for name in Wiring._fields}))
    WHEELS = wheels_new(&wires.field, 0)
    FRESH = WHEELS[0]
    for i in range(n):
        pointers[i] = words[i]
    return LLVMFuzzerRunDriver(&n, &pointers, one)
