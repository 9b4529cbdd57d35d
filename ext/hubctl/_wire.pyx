"""Modbus frames, strictly: a reply counts only if everything in it fits the request that is waiting for it.

A `Channel` is one connection, TCP or RTU, without any input or output of its own: bytes and the time go in,
replies come out. Each refusal has its kind. RTU has no transaction number, so after a timeout or garbage the
line is drained before the next request, and a late answer is never taken for the next one's. A line that echoes
what we send is noticed on reads, and its echoes are skipped. Answers with a foreign transaction number are
dropped; a stream that is out of step (no frame, half a frame at a deadline, nothing but strays) is broken.
"""

from enum import IntEnum
from typing import NamedTuple

from cpython.bytes cimport PyBytes_FromStringAndSize
from libc.stdint cimport INT64_MAX
from libc.string cimport memcmp, memcpy, memmove, memset


class Refusal(IntEnum):
    """Why a reply is not taken, or that it is."""

    ACCEPTED = 0
    LATE = 1  # the answer to a request that had timed out
    FOREIGN = 2  # an answer to nothing we asked
    WRONG_UNIT = 3
    WRONG_FUNCTION = 4
    WRONG_LENGTH = 5
    WRONG_ECHO = 6  # a write confirmed for another address or value
    BAD_CRC = 7
    EXCEPTION = 8  # the device says no
    GARBAGE = 9  # no frame at all
    TIMEOUT = 10
    ECHO = 11  # our own request: the line echoes
    DOUBLED = 12  # an answer that had been taken, again


class LocalError(ValueError):
    """A request that Modbus does not allow; no byte of it leaves."""


# Of each byte, followed by 0 to 7 zero bytes: eight bytes of a frame then cost one step instead of eight.
cdef uint16_t[8][256] CRC_TABLES


cdef void fill_crc_tables() noexcept nogil:
    cdef int i, k
    cdef uint16_t crc
    for i in range(256):
        crc = <uint16_t>i
        for k in range(8):
            crc = (crc >> 1) ^ 0xA001 if crc & 1 else crc >> 1
        CRC_TABLES[0][i] = crc
    for i in range(256):
        for k in range(1, 8):
            crc = CRC_TABLES[k - 1][i]
            CRC_TABLES[k][i] = (crc >> 8) ^ CRC_TABLES[0][crc & 0xFF]


fill_crc_tables()


cdef inline uint16_t crc_of_8(uint16_t crc, const uint8_t* at) noexcept nogil:
    crc ^= at[0] | (at[1] << 8)
    crc = CRC_TABLES[7][crc & 0xFF] ^ CRC_TABLES[6][crc >> 8] ^ CRC_TABLES[5][at[2]] ^ CRC_TABLES[4][at[3]]
    return crc ^ CRC_TABLES[3][at[4]] ^ CRC_TABLES[2][at[5]] ^ CRC_TABLES[1][at[6]] ^ CRC_TABLES[0][at[7]]


cdef uint16_t crc16(const uint8_t* data, int n) noexcept nogil:
    cdef uint16_t crc = 0xFFFF
    cdef int i = 0
    while i + 8 <= n:
        crc = crc_of_8(crc, data + i)
        i += 8
    while i < n:
        crc = (crc >> 8) ^ CRC_TABLES[0][(crc ^ data[i]) & 0xFF]
        i += 1
    return crc


cdef int64_t quiet_of(int64_t baud) noexcept nogil:
    # 3.5 characters of 11 bits; above 19,200 Bd the serial line guide fixes 1,750 us.
    return 1_750_000 if baud > 19200 or baud <= 0 else <int64_t>38_500_000_000 // baud


cdef inline uint16_t get_2(const uint8_t* at) noexcept nogil:
    return <uint16_t>((at[0] << 8) | at[1])


cdef inline void put_2(uint8_t* at, uint16_t value) noexcept nogil:
    at[0] = value >> 8
    at[1] = value & 0xFF


cdef inline bint is_read(uint8_t function) noexcept nogil:
    return 1 <= function <= 4 or function == 23


cdef inline bint is_echoed(uint8_t function) noexcept nogil:
    """Whether the answer to a write is the request itself."""
    return function == 5 or function == 6


cdef inline int n_read_bytes(const Request* request) noexcept nogil:
    if request.function == 23:
        return request.read_count * 2
    return (request.count + 7) // 8 if request.function <= 2 else request.count * 2


# Requests


cdef int put_exchange(const Request* r, const uint8_t* data, int n_data, uint8_t* out) noexcept nogil:
    out[0] = r.function
    put_2(out + 1, r.read_address)
    put_2(out + 3, r.read_count)
    put_2(out + 5, r.address)
    put_2(out + 7, r.count)
    out[9] = <uint8_t>n_data
    memcpy(out + 10, data, n_data)
    return 10 + n_data


cdef int put_pdu(const Request* r, const uint8_t* data, int n_data, uint8_t* out) noexcept nogil:
    if r.function == 23:
        return put_exchange(r, data, n_data, out)
    out[0] = r.function
    if r.function == IDENTIFY:
        out[1] = MEI_DEVICE
        out[2] = <uint8_t>r.value
        out[3] = <uint8_t>r.address
        return 4
    put_2(out + 1, r.address)
    put_2(out + 3, r.value if is_echoed(r.function) else r.count)
    if r.function not in (15, 16):
        return 5
    out[5] = <uint8_t>n_data
    memcpy(out + 6, data, n_data)
    return 6 + n_data


cdef int put_tcp(const Request* r, const uint8_t* data, int n_data, uint8_t* out) noexcept nogil:
    cdef int n = put_pdu(r, data, n_data, out + 7)
    put_2(out, r.transaction)
    put_2(out + 2, 0)
    put_2(out + 4, <uint16_t>(n + 1))
    out[6] = r.unit
    return 7 + n


cdef int put_rtu(const Request* r, const uint8_t* data, int n_data, uint8_t* out) noexcept nogil:
    cdef int n = 1 + put_pdu(r, data, n_data, out + 1)
    cdef uint16_t crc
    out[0] = r.unit
    crc = crc16(out, n)
    out[n] = crc & 0xFF
    out[n + 1] = crc >> 8
    return n + 2


# Replies


cdef int check_read(const Request* request, const uint8_t* pdu, int n, Reply* reply) noexcept nogil:
    cdef int expected = n_read_bytes(request)
    if n != 2 + expected or pdu[1] != expected:
        return WRONG_LENGTH
    reply.data = pdu + 2
    reply.n_data = expected
    return ACCEPTED


cdef int check_write(const Request* request, const uint8_t* pdu, int n) noexcept nogil:
    cdef uint16_t echo = request.value if is_echoed(request.function) else request.count
    if n != 5:
        return WRONG_LENGTH
    if get_2(pdu + 1) != request.address or get_2(pdu + 3) != echo:
        return WRONG_ECHO
    return ACCEPTED


cdef int n_identity(const uint8_t* pdu, int n) noexcept nogil:
    """Bytes of an identification by its own words: a head of 7, then each object's id, length and text; 0: not known yet."""
    cdef int size = 7
    cdef int i
    if n < size:
        return 0
    for i in range(pdu[6]):
        if n < size + 2:
            return 0
        size += 2 + pdu[size + 1]
    return size


cdef int check_identity(const Request* request, const uint8_t* pdu, int n, Reply* reply) noexcept nogil:
    if n < 7 or n_identity(pdu, n) != n:
        return WRONG_LENGTH
    if pdu[1] != MEI_DEVICE or pdu[2] != request.value:
        return WRONG_ECHO
    reply.data = pdu + 3
    reply.n_data = n - 3
    return ACCEPTED


cdef int check_reply(const Request* request, const uint8_t* pdu, int n, Reply* reply) noexcept nogil:
    if pdu[0] == (request.function | 0x80):
        reply.exception = pdu[1] if n == 2 else 0
        return EXCEPTION if n == 2 else WRONG_LENGTH
    if pdu[0] != request.function:
        return WRONG_FUNCTION
    if is_read(request.function):
        return check_read(request, pdu, n, reply)
    if request.function == IDENTIFY:
        return check_identity(request, pdu, n, reply)
    return check_write(request, pdu, n)


cdef int check_unit_and_reply(const Request* request, const uint8_t* adu, int n, Reply* reply) noexcept nogil:
    if adu[0] != request.unit:
        return WRONG_UNIT
    return check_reply(request, adu + 1, n - 1, reply)


# The channel


cdef void channel_init(Channel* c, bint rtu, int n_slots, int64_t quiet_ns) noexcept nogil:
    memset(c, 0, sizeof(Channel))
    c.rtu = rtu
    c.n_slots = 1 if rtu else max(1, min(n_slots, IN_FLIGHT_MAX))
    c.quiet_ns = quiet_ns if rtu else 0
    channel_reset(c)


cdef void channel_reset(Channel* c) noexcept nogil:
    cdef int i
    for i in range(IN_FLIGHT_MAX):
        c.slots[i].waiting = False
    memset(c.expired, 0, sizeof(c.expired))
    memset(c.taken, 0, sizeof(c.taken))
    c.n_waiting = c.at = c.n_buffer = 0
    c.n_strays = c.n_unheard = 0
    c.echoes = c.is_echoed = False
    c.drain = DRAIN_NONE
    c.clear_ns = 0
    c.broken = 0


cdef bint channel_ready(const Channel* c, int64_t now_ns) noexcept nogil:
    if c.broken or c.n_waiting >= c.n_slots:
        return False
    return now_ns >= c.clear_ns


cdef Pending* free_slot(Channel* c) noexcept nogil:
    cdef int i
    for i in range(c.n_slots):
        if not c.slots[i].waiting:
            return &c.slots[i]
    return NULL


cdef void end_drain(Channel* c) noexcept nogil:
    if c.n_buffer:
        c.refused[<int>GARBAGE] += 1
    c.n_buffer = c.at = 0
    c.drain = DRAIN_NONE


cdef uint16_t next_transaction(Channel* c) noexcept nogil:
    """The next number, from 1, that no late answer may still carry."""
    c.transaction = <uint16_t>(c.transaction + 1) if c.transaction < 0xFFFF else 1
    while c.n_expired and take_expired(c, c.transaction):
        c.transaction = <uint16_t>(c.transaction + 1) if c.transaction < 0xFFFF else 1
    return c.transaction


cdef int channel_send(Channel* c, Request* request, const uint8_t* data, int n_data, int64_t now_ns,
                      int64_t timeout_ns, uint32_t tag, uint8_t* out) noexcept nogil:
    cdef Pending* slot = free_slot(c)
    if c.rtu:
        end_drain(c)
        c.is_echoed = False
    request.transaction = next_transaction(c)
    slot.request = request[0]
    slot.tag = tag
    slot.waiting = True
    slot.sent_ns = now_ns
    slot.deadline_ns = now_ns + timeout_ns
    c.n_waiting += 1
    if not c.rtu:
        return put_tcp(request, data, n_data, out)
    c.n_sent = put_rtu(request, data, n_data, out)
    memcpy(c.sent, out, c.n_sent)
    return c.n_sent


cdef uint8_t* channel_room(Channel* c, int* n) noexcept nogil:
    if c.at:
        memmove(c.buffer, c.buffer + c.at, c.n_buffer - c.at)
        c.n_buffer -= c.at
        c.at = 0
    n[0] = RECEIVE_MAX - c.n_buffer
    return c.buffer + c.n_buffer


cdef void channel_received(Channel* c, int n, int64_t now_ns) noexcept nogil:
    c.n_buffer += n
    c.n_unheard = 0
    if c.quiet_ns:
        c.clear_ns = max(c.clear_ns, now_ns + c.quiet_ns)


cdef void finish(Channel* c, Pending* slot, int refusal, Reply* reply) noexcept nogil:
    reply.request = slot.request
    reply.tag = slot.tag
    reply.sent_ns = slot.sent_ns
    reply.refusal = refusal
    slot.waiting = False
    c.n_waiting -= 1
    count(c, refusal)


cdef void count(Channel* c, int refusal) noexcept nogil:
    if refusal == ACCEPTED:
        c.n_accepted += 1
        c.n_strays = 0
    else:
        c.refused[refusal] += 1


cdef int refuse_stray(Channel* c, int refusal, Reply* reply) noexcept nogil:
    reply.tag = NO_TAG
    reply.refusal = refusal
    count(c, refusal)
    return 1


cdef int channel_next(Channel* c, int64_t now_ns, Reply* reply) noexcept nogil:
    memset(reply, 0, sizeof(Reply))
    if c.broken:
        return 0
    return next_rtu(c, now_ns, reply) if c.rtu else next_tcp(c, reply)


# TCP


cdef void note_expired(Channel* c, uint16_t transaction) noexcept nogil:
    c.n_expired += 1
    c.expired[c.expired_at] = transaction
    c.expired_at = (c.expired_at + 1) % N_EXPIRED


cdef bint take_expired(Channel* c, uint16_t transaction) noexcept nogil:
    cdef int i
    for i in range(N_EXPIRED):
        if c.expired[i] == transaction:
            c.expired[i] = 0
            return True
    return False


cdef bint was_taken(const Channel* c, uint16_t transaction) noexcept nogil:
    cdef int i
    for i in range(N_TAKEN):
        if c.taken[i] == transaction:
            return True
    return False


cdef Pending* waiting_for(Channel* c, uint16_t transaction) noexcept nogil:
    cdef int i
    for i in range(c.n_slots):
        if c.slots[i].waiting and c.slots[i].request.transaction == transaction:
            return &c.slots[i]
    return NULL


cdef int refuse_unasked(Channel* c, uint16_t transaction, Reply* reply) noexcept nogil:
    if transaction and take_expired(c, transaction):
        return refuse_stray(c, LATE, reply)
    if transaction and was_taken(c, transaction):
        return refuse_stray(c, DOUBLED, reply)
    return refuse_frame(c, FOREIGN, reply)


cdef int refuse_frame(Channel* c, int refusal, Reply* reply) noexcept nogil:
    """A frame that is not for us. With nothing else among them, we are out of step with the peer."""
    c.n_strays += 1
    if c.n_strays >= N_STRAYS_MAX:
        c.broken = refusal
    return refuse_stray(c, refusal, reply)


cdef int next_tcp(Channel* c, Reply* reply) noexcept nogil:
    cdef const uint8_t* head = c.buffer + c.at
    cdef int n = c.n_buffer - c.at
    cdef int length
    if n < 6:
        return 0
    length = get_2(head + 4)
    if length < 3 or length > 254:
        c.broken = GARBAGE
        return refuse_stray(c, GARBAGE, reply)
    if n < 6 + length:
        return 0
    c.at += 6 + length
    if get_2(head + 2) != 0:
        return refuse_frame(c, GARBAGE, reply)
    return answer_tcp(c, head, length, reply)


cdef int answer_tcp(Channel* c, const uint8_t* head, int length, Reply* reply) noexcept nogil:
    cdef uint16_t transaction = get_2(head)
    cdef Pending* slot = waiting_for(c, transaction)
    cdef int refusal
    if slot is NULL:
        return refuse_unasked(c, transaction, reply)
    refusal = check_unit_and_reply(&slot.request, head + 6, length, reply)
    if refusal == ACCEPTED or refusal == EXCEPTION:
        c.taken[c.taken_at] = transaction
        c.taken_at = (c.taken_at + 1) % N_TAKEN
    else:
        note_expired(c, transaction)  # the answer may still come
    finish(c, slot, refusal, reply)
    return 1


# RTU


cdef int rtu_size(const uint8_t* frame, int n) noexcept nogil:
    """Size of the frame that begins here by its own words; 0: not known yet; -1: no frame of ours."""
    if n < 3:
        return 0
    if frame[1] & 0x80:
        return 5
    if is_read(frame[1]):
        return 5 + frame[2]
    if frame[1] == IDENTIFY:
        return rtu_identity_size(frame, n)
    return 8 if frame[1] in (5, 6, 15, 16) else -1


cdef int rtu_identity_size(const uint8_t* frame, int n) noexcept nogil:
    cdef int size = n_identity(frame + 1, n - 1)
    if size > RTU_PDU_MAX:
        return -1
    return size + 3 if size else 0


cdef bint crc_holds(const uint8_t* frame, int size) noexcept nogil:
    return crc16(frame, size) == 0


cdef int next_rtu(Channel* c, int64_t now_ns, Reply* reply) noexcept nogil:
    if c.n_buffer == 0:
        return 0
    if c.slots[0].waiting:
        return next_awaited(c, now_ns, reply)
    return next_stray(c, now_ns, reply)


cdef int judge_rtu(const Request* request, const uint8_t* frame, int n, Reply* reply) noexcept nogil:
    """Refusal of what lies in the buffer, or -1 while it may still become the answer."""
    cdef int size = rtu_size(frame, n)
    if size < 0:
        return GARBAGE
    if is_read(request.function) and size > 5 + n_read_bytes(request):
        return WRONG_LENGTH
    if size == 0 or n < size:
        return -1
    if not crc_holds(frame, size):
        return BAD_CRC
    return check_unit_and_reply(request, frame, size - 2, reply)


cdef bint is_echo_so_far(const Channel* c) noexcept nogil:
    """Whether what lies in the buffer may be our own request. An answer to a write may be too, unless the line echoes."""
    if c.is_echoed or (is_echoed(c.slots[0].request.function) and not c.echoes):
        return False
    return memcmp(c.buffer, c.sent, min(c.n_buffer, c.n_sent)) == 0


cdef int skip_echo(Channel* c, Reply* reply) noexcept nogil:
    c.n_buffer -= c.n_sent
    memmove(c.buffer, c.buffer + c.n_sent, c.n_buffer)
    c.echoes = c.is_echoed = True
    return refuse_stray(c, ECHO, reply)


cdef int next_awaited(Channel* c, int64_t now_ns, Reply* reply) noexcept nogil:
    cdef Pending* slot = &c.slots[0]
    cdef int refusal
    if is_echo_so_far(c) and c.n_buffer >= c.n_sent:
        return skip_echo(c, reply)
    refusal = judge_rtu(&slot.request, c.buffer, c.n_buffer, reply)
    if refusal < 0 or (refusal != ACCEPTED and is_echo_so_far(c)):
        return 0
    if refusal == ACCEPTED or refusal == EXCEPTION:
        c.echoes = c.is_echoed
        c.at = rtu_size(c.buffer, c.n_buffer)
        drop_tail(c)
    else:
        # What came was not the answer, so the answer may still be under way.
        c.drain = DRAIN_ANSWER
        c.clear_ns = max(slot.deadline_ns, now_ns + c.quiet_ns)
        c.n_buffer = c.at = 0
    finish(c, slot, refusal, reply)
    return 1


cdef void drop_tail(Channel* c) noexcept nogil:
    """Glued behind the answer: the same again, or noise."""
    cdef int n_tail = c.n_buffer - c.at
    cdef int refusal = GARBAGE
    if n_tail:
        if n_tail == c.at and memcmp(c.buffer, c.buffer + c.at, n_tail) == 0:
            refusal = DOUBLED
        count(c, refusal)
        c.drain = DRAIN_NOISE
    c.n_buffer = c.at = 0


cdef int next_stray(Channel* c, int64_t now_ns, Reply* reply) noexcept nogil:
    if c.drain == DRAIN_ANSWER:
        return next_late(c, now_ns, reply)
    c.n_buffer = c.at = 0
    if c.drain == DRAIN_NOISE:
        return 0
    c.drain = DRAIN_NOISE
    return refuse_stray(c, GARBAGE, reply)


cdef int next_late(Channel* c, int64_t now_ns, Reply* reply) noexcept nogil:
    cdef int size = rtu_size(c.buffer, c.n_buffer)
    if size == 0 or c.n_buffer < size:
        return 0
    if size < 0 or not crc_holds(c.buffer, size):
        c.n_buffer = c.at = 0
        return refuse_stray(c, GARBAGE, reply)
    c.n_buffer = c.at = 0
    c.drain = DRAIN_NOISE
    c.clear_ns = now_ns + c.quiet_ns
    return refuse_stray(c, LATE, reply)


# Deadlines


cdef void expect_late(Channel* c, const Pending* slot, int64_t now_ns) noexcept nogil:
    if c.rtu:
        # As long again as we have waited: the worst reply time of a device is not known better.
        c.drain = DRAIN_ANSWER
        c.clear_ns = now_ns + slot.deadline_ns - slot.sent_ns
        return
    note_expired(c, slot.request.transaction)
    if c.n_buffer > c.at:
        # Half a frame: what comes next would be taken for its other half.
        c.broken = GARBAGE
        count(c, GARBAGE)


cdef int channel_expire(Channel* c, int64_t now_ns, Reply* reply) noexcept nogil:
    cdef int i
    if c.n_waiting == 0:
        return 0
    for i in range(c.n_slots):
        if c.slots[i].waiting and c.slots[i].deadline_ns <= now_ns:
            memset(reply, 0, sizeof(Reply))
            expect_late(c, &c.slots[i], now_ns)
            c.n_unheard += 1
            finish(c, &c.slots[i], TIMEOUT, reply)
            return 1
    return 0


cdef int64_t channel_next_deadline(const Channel* c, int64_t now_ns) noexcept nogil:
    cdef int64_t earliest_ns = INT64_MAX
    cdef int i
    if c.n_waiting:
        for i in range(c.n_slots):
            if c.slots[i].waiting:
                earliest_ns = min(earliest_ns, c.slots[i].deadline_ns)
    if c.clear_ns > now_ns:
        earliest_ns = min(earliest_ns, c.clear_ns)
    return earliest_ns


# The Python face


class ModbusReply(NamedTuple):
    """What became of one request, or a refusal that belongs to none (`tag` None)."""

    tag: int | None
    refusal: Refusal
    data: bytes
    exception: int


def modbus_crc(data: bytes) -> int:
    """CRC-16/MODBUS of `data`, as an integer; on the wire its low byte goes first."""
    cdef const uint8_t* at = data
    return crc16(at, len(data))


_FUNCTIONS = (1, 2, 3, 4, 5, 6, 15, 16, 23, 43)
_COUNT_MAX = {1: 2000, 2: 2000, 3: 125, 4: 125, 15: 1968, 16: 123, 23: 121}
_READ_COUNT_MAX = {23: 125}


def _check(unit: int, function: int, address: int, count: int, value: int, n_data: int) -> None:
    if function not in _FUNCTIONS:
        raise LocalError(f"function {function}: must be 1 to 6, 15, 16, 23 or 43")
    if not 0 <= unit <= 255:
        raise LocalError(f"unit {unit}: must be 0 to 255")
    if not 1 <= count <= _COUNT_MAX.get(function, 1):
        raise LocalError(f"count {count} for function {function}: must be 1 to {_COUNT_MAX.get(function, 1)}")
    if not 0 <= address <= 65536 - count:
        raise LocalError(f"address {address} and {count} from there: must stay below 65536")
    if function == 43 and not (1 <= value <= 4 and address <= 255):
        raise LocalError(f"identification {value} from object {address}: must be 1 to 4, and 0 to 255")
    if not 0 <= value <= 0xFFFF:
        raise LocalError(f"value {value}: must be 0 to 65535")
    expected = {15: (count + 7) // 8, 16: 2 * count, 23: 2 * count}.get(function, 0)
    if n_data != expected:
        raise LocalError(f"{n_data} bytes of data for function {function}: must be {expected}")


def _check_read(function: int, address: int, count: int) -> None:
    most = _READ_COUNT_MAX.get(function, 0)
    if not min(1, most) <= count <= most:
        raise LocalError(f"read_count {count} for function {function}: must be {min(1, most)} to {most}")
    if not 0 <= address <= 65536 - count:
        raise LocalError(f"read_address {address} and {count} from there: must stay below 65536")


cdef class ModbusChannel:
    """One Modbus connection without its socket: requests to bytes, bytes to replies.

    Parameters
    ----------
    rtu : bool
        RTU frames (unit, PDU, CRC) rather than TCP frames.
    in_flight_max : int
        TCP requests that may wait at once, 1 to 16. RTU: always 1.
    quiet_ns : int
        RTU: silence between frames, ns.

    Examples
    --------
    >>> channel = ModbusChannel(rtu=False)
    >>> channel.send(0, unit=1, function=5, address=16, value=0xFF00, timeout_ns=10**8).hex(" ")
    '00 01 00 00 00 06 01 05 00 10 ff 00'
    >>> channel.receive(bytes.fromhex("000100000006010500100000"), 1)[0].refusal.name
    'WRONG_ECHO'
    """

    cdef Channel channel

    def __init__(self, rtu: bool, *, in_flight_max: int = 1, quiet_ns: int = 1_750_000):
        if not 1 <= in_flight_max <= IN_FLIGHT_MAX:
            raise LocalError(f"in_flight_max {in_flight_max}: must be 1 to {IN_FLIGHT_MAX}")
        channel_init(&self.channel, rtu, in_flight_max, quiet_ns)

    def send(self, now_ns: int, *, unit: int, function: int, address: int, count: int = 1, value: int = 0,
             data: bytes = b"", read_address: int = 0, read_count: int = 0, timeout_ns: int,
             tag: int = 0, custom: bool = False) -> bytes:
        """Bytes of one request; raises `LocalError` if Modbus does not allow it or the channel is not ready.

        Function 23 writes `data`, `count` registers at `address`, and then reads `read_count` at `read_address`.
        Function 43 asks who the device is: `value` is 1 (basic), 2, 3 or 4 (the one object `address`). With `custom`
        function 5 may write any value, which some relays take for the length of a pulse.
        """
        cdef Request request
        cdef uint8_t[260] out
        cdef const uint8_t* at = data
        _check(unit, function, address, count, value, len(data))
        if function == 5 and value not in (0, 0xFF00) and not custom:
            raise LocalError(f"coil value {value:#06x}: must be 0xff00 or 0x0000")
        _check_read(function, read_address, read_count)
        if not channel_ready(&self.channel, now_ns):
            raise LocalError("the channel is not ready: a request is waiting, or the line is being drained")
        request.unit, request.function, request.address = unit, function, address
        request.count, request.value = count, value
        request.read_address, request.read_count = read_address, read_count
        n = channel_send(&self.channel, &request, at, len(data), now_ns, timeout_ns, tag, out)
        return PyBytes_FromStringAndSize(<char*>out, n)

    def receive(self, data: bytes, now_ns: int) -> list[ModbusReply]:
        """Replies and refusals that `data`, received at `now_ns`, completes."""
        cdef int n
        cdef uint8_t* room
        cdef const uint8_t* at = data
        cdef int left = len(data)
        replies = []
        while left > 0 and not self.channel.broken:
            room = channel_room(&self.channel, &n)
            n = min(n, left)
            memcpy(room, at, n)
            channel_received(&self.channel, n, now_ns)
            at += n
            left -= n
            self._take(replies, now_ns)
        return replies

    cdef _take(self, list replies, int64_t now_ns):
        cdef Reply reply
        while channel_next(&self.channel, now_ns, &reply):
            replies.append(_told(&reply))

    def expire(self, now_ns: int) -> list[ModbusReply]:
        """Requests that have waited past their deadline at `now_ns`."""
        cdef Reply reply
        replies = []
        while channel_expire(&self.channel, now_ns, &reply):
            replies.append(_told(&reply))
        return replies

    def ready(self, now_ns: int) -> bool:
        """Whether a request may be sent at `now_ns`."""
        return bool(channel_ready(&self.channel, now_ns))

    def next_deadline(self, now_ns: int) -> int:
        """When a request runs out or the line is free, ns; 2**63 - 1: never."""
        return channel_next_deadline(&self.channel, now_ns)

    @property
    def broken(self) -> bool:
        """Out of step with the peer: only a new connection helps."""
        return bool(self.channel.broken)

    @property
    def refused(self) -> dict[Refusal, int]:
        """How many replies were refused, by kind; kinds that never came are left out."""
        return {kind: self.channel.refused[kind] for kind in Refusal if self.channel.refused[kind]}


cdef object _told(const Reply* reply):
    data = PyBytes_FromStringAndSize(<char*>reply.data, reply.n_data) if reply.n_data else b""
    tag = None if reply.tag == NO_TAG else reply.tag
    return ModbusReply(tag, Refusal(reply.refusal), data, reply.exception)
