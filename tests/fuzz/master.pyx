"""What libFuzzer throws at a Modbus master: answers of any content, any bytes, and time, between commands.

Of an input each piece begins with a byte that says how long it is (its low six bits) and what it is (its high two): bytes
as they are; what the oldest question is answered, in a right frame (one byte: an exception; none, to a read: what was
written there; for a write, only that there is an answer); time, of its bytes together, ms; or orders, a byte each, to fire, to arm, or to
set a level. A record that is none, a fire without a result or with two, or a state that is none ends the program; so does
whatever the sanitizers find.
"""

from io import BytesIO

import numpy as np

from hubctl.core.tables import Wiring

from libc.stdint cimport int64_t, uint8_t, uint16_t
from libc.stdlib cimport abort, calloc, malloc
from libc.string cimport memcpy, memset

from hubctl._batch cimport Batch
from hubctl._levels cimport set_level
from hubctl._master cimport (
    OUT_MAX, Master, master_arm, master_connect, master_disconnect, master_expire, master_fire, master_make_safe, master_new,
    master_next_deadline, master_pump, master_receive,
)
from hubctl._node cimport Session, session_clear
from hubctl._records cimport (
    ARM_DIVERT, CANCEL_DIVERT, CHUTE_LEVEL, CONFIRM, ENCODER, EYE, FIRE_OUTPUT, FIRE_RESULT, HOME, MACHINE, NODE, NO_INDEX, SAFETY,
    WEIGHT, Record,
)
from hubctl._wire cimport Pending, Request, channel_received, channel_room, crc16
from hubctl._wires cimport ABSENT, UNSAFE, NodeStatus, OutputStatus, PollStatus, LevelStatus, Wires

cdef extern from *:
    ctypedef int (*UserCallback)(const uint8_t* data, size_t n) noexcept nogil
    int LLVMFuzzerRunDriver(int* n_words, char*** words, UserCallback callback) nogil

cdef enum:
    N_ROWS = 4096
    N_ORDERS_MAX = 400
    CONFIG_AT = 340        # where a node with our firmware is configured,
    CONFIG_BYTES = 108     # by so much
    DATA_AT = 17           # of what function 23 writes, in a frame
    THINGS_MAX = 4096      # of one sort in one hub

cdef int64_t MS = 1_000_000
cdef int64_t VOID_NS = 15_000_000
cdef Master* MASTER
cdef Master FRESH
cdef Session FRESH_SESSION
cdef PollStatus* FRESH_POLLS
cdef Record[4096] ROWS
cdef uint16_t[4096] CHUTES  # that this link diverts into
cdef int N_CHUTES
cdef uint8_t[108] CONFIG    # as it was written last


# What is open, as the reactor keeps it.
cdef struct Open:
    Batch batch
    int64_t now_ns
    int n_fires
    int n_results
    int n_orders


cdef bint is_known(int kind) noexcept nogil:
    return (
        kind == NODE or kind == FIRE_RESULT or kind == EYE or kind == ENCODER or kind == CONFIRM
        or kind == CHUTE_LEVEL or kind == HOME or kind == MACHINE or kind == SAFETY or kind == WEIGHT
    )


cdef void take_records(Open* o) noexcept nogil:
    cdef int i
    for i in range(o.batch.n):
        o.n_results += ROWS[i].kind == FIRE_RESULT
        if not is_known(ROWS[i].kind) or ROWS[i].device >= THINGS_MAX:
            abort()
        if ROWS[i].chute != NO_INDEX and ROWS[i].chute >= MASTER.field.n_outputs:
            abort()
    if o.batch.n_lost or o.n_results > o.n_fires:
        abort()
    o.batch.n = 0


cdef void note_config() noexcept nogil:
    cdef const uint8_t* frame = MASTER.out
    if MASTER.n_out == DATA_AT + CONFIG_BYTES and frame[7] == 23:
        memcpy(CONFIG, frame + DATA_AT, CONFIG_BYTES)


cdef void pump(Open* o) noexcept nogil:
    master_expire(MASTER, o.now_ns, &o.batch)
    if MASTER.channel.broken:
        master_disconnect(MASTER, o.now_ns, &o.batch)
        master_connect(MASTER, o.now_ns)
    master_pump(MASTER, o.now_ns, &o.batch)
    if not 0 <= MASTER.n_out <= OUT_MAX:
        abort()
    note_config()
    MASTER.n_out = 0
    take_records(o)


cdef void hear(Open* o, const uint8_t* at, int n) noexcept nogil:
    cdef int room
    cdef uint8_t* to = channel_room(&MASTER.channel, &room)
    n = min(n, room)
    memcpy(to, at, n)
    channel_received(&MASTER.channel, n, o.now_ns)
    master_receive(MASTER, o.now_ns, &o.batch)
    take_records(o)


# Answers


cdef const Pending* oldest() noexcept nogil:
    cdef const Pending* found = NULL
    cdef int i
    for i in range(MASTER.channel.n_slots):
        if MASTER.channel.slots[i].waiting and (found is NULL or MASTER.channel.slots[i].sent_ns < found.sent_ns):
            found = &MASTER.channel.slots[i]
    return found


cdef int n_asked(const Request* r) noexcept nogil:
    if r.function == 23:
        return 2 * r.read_count
    return (r.count + 7) // 8 if r.function <= 2 else 2 * r.count


cdef int put_read(const Request* r, const uint8_t* at, int n, uint8_t* pdu) noexcept nogil:
    """As much as was asked for, the bytes again and again; a number of ours that is left out is the right one."""
    cdef int n_data = n_asked(r)
    cdef int i
    pdu[1] = <uint8_t>n_data
    for i in range(n_data):
        pdu[2 + i] = at[i % n] if n else 0
    if n == 0 and r.address == CONFIG_AT and n_data == CONFIG_BYTES:
        memcpy(pdu + 2, CONFIG, CONFIG_BYTES)
    if MASTER.session is not NULL and n_data > 1 and pdu[2] == 0 and pdu[3] == 0:
        pdu[2], pdu[3] = MASTER.session.host_seq >> 8, MASTER.session.host_seq & 0xFF
    return 2 + n_data


cdef int put_write(const Request* r, uint8_t* pdu) noexcept nogil:
    cdef uint16_t value = r.value if r.function <= 6 else r.count
    pdu[1], pdu[2] = r.address >> 8, r.address & 0xFF
    pdu[3], pdu[4] = value >> 8, value & 0xFF
    return 5


cdef int put_pdu(const Request* r, const uint8_t* at, int n, uint8_t* pdu) noexcept nogil:
    pdu[0] = r.function
    if n == 1:
        pdu[0] |= 0x80
        pdu[1] = at[0]
        return 2
    return put_read(r, at, n, pdu) if r.function <= 4 or r.function == 23 else put_write(r, pdu)


cdef void answer(Open* o, const uint8_t* at, int n) noexcept nogil:
    cdef uint8_t[320] frame
    cdef const Pending* pending = oldest()
    cdef int n_pdu
    cdef uint16_t crc
    if pending is NULL:
        return
    frame[6] = pending.request.unit
    n_pdu = put_pdu(&pending.request, at, n, frame + 7)
    if MASTER.channel.rtu:
        crc = crc16(frame + 6, 1 + n_pdu)
        frame[7 + n_pdu], frame[8 + n_pdu] = crc & 0xFF, crc >> 8
        hear(o, frame + 6, 3 + n_pdu)
        return
    frame[0], frame[1] = pending.request.transaction >> 8, pending.request.transaction & 0xFF
    frame[2] = frame[3] = 0
    frame[4], frame[5] = (1 + n_pdu) >> 8, (1 + n_pdu) & 0xFF
    hear(o, frame, 7 + n_pdu)


# Orders


cdef void order(Open* o, uint8_t pick) noexcept nogil:
    """Of a node with our firmware every fourth order takes one of the four before back, and one clears it."""
    cdef Record command
    if o.n_orders == N_ORDERS_MAX or N_CHUTES == 0:
        return
    o.n_orders += 1
    memset(&command, 0, sizeof(Record))
    command.chute = CHUTES[pick % N_CHUTES]
    command.parcel = command.seq = o.n_orders
    if MASTER.session is NULL:
        command.kind = FIRE_OUTPUT
        command.due_ns, command.value = o.now_ns, o.now_ns + VOID_NS
        o.n_fires += 1
        master_fire(MASTER, &command, o.now_ns, &o.batch)
        return
    command.kind = CANCEL_DIVERT if pick & 3 == 3 else ARM_DIVERT
    command.seq = max(1, o.n_orders - (pick >> 6)) if pick & 2 else o.n_orders
    command.counts, command.limit = pick * 10, pick * 10 + 100
    o.n_fires += 1  # at most: one told anew has one result in the end
    master_arm(MASTER, &command, o.now_ns, &o.batch)
    if pick == 0xFF:
        session_clear(MASTER.session)


cdef void obey(Open* o, const uint8_t* at, int n) noexcept nogil:
    cdef int i, level
    for i in range(n):
        if at[i] & 0x80 and MASTER.field.n_levels:
            level = at[i] % MASTER.field.n_levels
            set_level(MASTER.field, MASTER.field.levels[level].kind, MASTER.field.levels[level].index, at[i] & 0x40 != 0)
        else:
            order(o, at[i])
    take_records(o)


# The whole


cdef void wait(Open* o, const uint8_t* at, int n) noexcept nogil:
    cdef int i
    for i in range(n):
        o.now_ns += at[i] * MS


cdef void take_piece(Open* o, int what, const uint8_t* at, int n) noexcept nogil:
    if what == 0:
        hear(o, at, n)
    elif what == 1:
        answer(o, at, n)
    elif what == 2:
        wait(o, at, n)
    else:
        obey(o, at, n)
    pump(o)
    if master_next_deadline(MASTER, o.now_ns) < 0:
        abort()


cdef void begin(Open* o) noexcept nogil:
    memset(o, 0, sizeof(Open))
    o.batch.rows = ROWS
    o.batch.n_max = N_ROWS
    o.now_ns = 1_000_000_000
    MASTER[0] = FRESH
    if MASTER.session is not NULL:
        MASTER.session[0] = FRESH_SESSION
    memset(MASTER.field.node_status, 0, MASTER.field.n_nodes * sizeof(NodeStatus))
    memset(MASTER.field.output_status, 0, MASTER.field.n_outputs * sizeof(OutputStatus))
    memset(MASTER.field.level_status, 0, MASTER.field.n_levels * sizeof(LevelStatus))
    memcpy(MASTER.field.poll_status, FRESH_POLLS, MASTER.field.n_polls * sizeof(PollStatus))
    memset(MASTER.field.leads, 0, sizeof(MASTER.field.leads))
    master_connect(MASTER, o.now_ns)
    pump(o)


cdef void end(Open* o) noexcept nogil:
    """Whatever came: each fire has one result, and no node a state that is none."""
    cdef int i
    master_make_safe(MASTER, o.now_ns, &o.batch)
    pump(o)
    for i in range(MASTER.field.n_nodes):
        if not ABSENT <= MASTER.field.node_status[i].state <= UNSAFE:
            abort()
    master_disconnect(MASTER, o.now_ns, &o.batch)
    take_records(o)
    if MASTER.session is NULL and o.n_results != o.n_fires:
        abort()


cdef int one(const uint8_t* data, size_t n_data) noexcept nogil:
    cdef Open o
    cdef size_t at = 0
    cdef size_t n
    begin(&o)
    while at < n_data:
        n = min(<size_t>(data[at] & 63), n_data - at - 1)
        take_piece(&o, data[at] >> 6, data + at + 1, <int>n)
        at += n + 1
    end(&o)
    return 0


cdef void keep_fresh() noexcept nogil:
    """What every input begins with."""
    global FRESH, FRESH_SESSION, FRESH_POLLS, N_CHUTES
    cdef int i
    cdef size_t n_bytes = MASTER.field.n_polls * sizeof(PollStatus)
    FRESH = MASTER[0]
    if MASTER.session is not NULL:
        FRESH_SESSION = MASTER.session[0]
    FRESH_POLLS = <PollStatus*>malloc(n_bytes)
    memcpy(FRESH_POLLS, MASTER.field.poll_status, n_bytes)
    for i in range(MASTER.field.n_outputs):
        if MASTER.field.outputs[i].node != NO_INDEX and MASTER.field.nodes[MASTER.field.outputs[i].node].link == MASTER.link:
            CHUTES[N_CHUTES] = <uint16_t>i
            N_CHUTES += 1


def run(setting: bytes, words: list) -> int:
    """Fuzzes the master of a link; `setting`: its number, then the wiring as numpy saves it."""
    global MASTER
    cdef int n = len(words)
    cdef char** pointers = <char**>calloc(n + 1, sizeof(char*))
    cdef int i
    saved = np.load(BytesIO(setting[1:]))
    cdef Wires wires = Wires(Wiring(**{name: saved[name] for name in Wiring._fields}))
    wires.field.epoch = 1
    MASTER = master_new(&wires.field, setting[0])
    keep_fresh()
    for i in range(n):
        pointers[i] = words[i]
    return LLVMFuzzerRunDriver(&n, &pointers, one)
