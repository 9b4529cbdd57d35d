"""Modbus frames: requests to bytes, bytes to replies that are checked against the request they answer."""

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t

cdef enum:
    FRAME_MAX = 260        # TCP frame; an RTU frame has at most 256 bytes
    IN_FLIGHT_MAX = 16     # NumberMaxOfServerTransaction of the Modbus TCP guide
    N_EXPIRED = 64         # timed-out transactions whose answer would be known as late
    RECEIVE_MAX = 8192
    NO_TAG = 0xFFFFFFFF
    N_TAKEN = 16           # answered transactions whose answer would be known as doubled
    N_STRAYS_MAX = 8       # frames for nobody, with no answer among them: the stream is broken
    RTU_PDU_MAX = 253
    IDENTIFY = 43          # function: encapsulated interface
    MEI_DEVICE = 14        # its kind: device identification

cdef enum RefusalKind:
    ACCEPTED = 0
    LATE = 1
    FOREIGN = 2
    WRONG_UNIT = 3
    WRONG_FUNCTION = 4
    WRONG_LENGTH = 5
    WRONG_ECHO = 6
    BAD_CRC = 7
    EXCEPTION = 8
    GARBAGE = 9
    TIMEOUT = 10
    ECHO = 11
    DOUBLED = 12

cdef enum:
    N_REFUSALS = 13

cdef enum Drain:
    DRAIN_NONE = 0
    DRAIN_ANSWER = 1       # an answer may still come: until the deadline, or until it has come
    DRAIN_NOISE = 2        # until the line is quiet

cdef struct Request:
    uint16_t transaction
    uint16_t address
    uint16_t count         # bits or registers
    uint16_t value         # functions 5 and 6, as on the wire; 43: what is asked for
    uint16_t read_address  # function 23 writes at `address` and reads here,
    uint16_t read_count    # so many registers
    uint8_t unit
    uint8_t function

cdef struct Pending:
    Request request
    uint32_t tag           # what the caller wants with the reply
    bint waiting
    int64_t sent_ns
    int64_t deadline_ns

cdef struct Reply:
    Request request
    uint32_t tag           # NO_TAG: it answers nothing that is waiting
    int refusal
    int exception          # code of the device when it is EXCEPTION
    int64_t sent_ns
    const uint8_t* data    # bits or registers of a read, or what a device is; good until the next call on the channel
    int n_data

cdef struct Channel:
    bint rtu
    int broken             # FOREIGN or GARBAGE: out of step with the peer, only a new connection helps
    int n_slots
    int n_waiting
    Pending[16] slots
    uint16_t transaction
    uint16_t[64] expired   # 0: free; transaction 0 is never used
    int expired_at
    uint64_t n_expired     # ever
    uint16_t[16] taken     # 0: free
    int taken_at
    int n_strays           # frames for nobody since the last answer
    int n_unheard          # timeouts since the last byte
    uint8_t[8192] buffer
    int at                 # first byte not yet understood
    int n_buffer
    int drain
    uint8_t[260] sent      # RTU: the last request, to know its echo
    int n_sent
    bint echoes            # RTU: the line gives back what we send
    bint is_echoed         # RTU: and has done so with the last request
    int64_t quiet_ns       # silence between an answer and the next request; RTU needs some
    int64_t clear_ns       # nothing is sent before
    uint64_t n_accepted
    uint64_t[13] refused   # by RefusalKind

cdef uint16_t crc16(const uint8_t* data, int n) noexcept nogil
cdef int64_t quiet_of(int64_t baud) noexcept nogil
cdef int check_reply(const Request* request, const uint8_t* pdu, int n, Reply* reply) noexcept nogil

cdef void channel_init(Channel* c, bint rtu, int n_slots, int64_t quiet_ns) noexcept nogil
# A new connection: nothing is waiting, nothing is in the buffer. Counts stay.
cdef void channel_reset(Channel* c) noexcept nogil
cdef bint channel_ready(const Channel* c, int64_t now_ns) noexcept nogil
# Bytes of the request in `out` (FRAME_MAX of room), how many is returned. Only when ready.
cdef int channel_send(Channel* c, Request* request, const uint8_t* data, int n_data, int64_t now_ns,
                      int64_t timeout_ns, uint32_t tag, uint8_t* out) noexcept nogil
# Room for the next bytes; tell how many came by channel_received.
cdef uint8_t* channel_room(Channel* c, int* n) noexcept nogil
cdef void channel_received(Channel* c, int n, int64_t now_ns) noexcept nogil
# The next reply, or refusal, among the bytes received: 1, or 0 for none.
cdef int channel_next(Channel* c, int64_t now_ns, Reply* reply) noexcept nogil
# The next request that has waited too long: 1, or 0 for none.
cdef int channel_expire(Channel* c, int64_t now_ns, Reply* reply) noexcept nogil
# When channel_expire has something to tell, or an RTU line is free again after `now_ns`; INT64_MAX: never.
cdef int64_t channel_next_deadline(const Channel* c, int64_t now_ns) noexcept nogil
