"""Simple Serial Interface of Zebra: packets with length and checksum, each acknowledged, and sent again until it is.

    length opcode source status data... checksum (2)

Source: Zebra 72E-40451. The length counts all but the checksum, which makes the sum of all 16 bits wide zero. Of the
status bit 0 says that a packet is sent again, bit 1 that its message goes on in the next.

- What is damaged or breaks off is never guessed at: nothing is understood until the line is silent, then the packet is
  asked for again. It counts as read when it first came, since the parcel has moved on.
- A packet that is sent again and was heard before, or of which nothing was heard before, is acknowledged and not told:
  the one was told already, and of the other nobody knows how old it is.
"""

from libc.stdint cimport INT64_MAX, int64_t, uint8_t, uint16_t
from libc.string cimport memcmp, memcpy

from hubctl._outgoing cimport Outgoing, outgoing_add
from hubctl._tables cimport Framing
from hubctl._telegram cimport (
    ANSWER, DAMAGED, FrameEvent, HALF_FRAME, MALFORMED, NO_TIME, NOTHING, OVERLONG, RESENT, Telegram, telegram_open,
)

cdef enum:
    SSI_HEAD = 4
    SSI_PACKET_MAX = 257
    SSI_MESSAGE_MAX = 1024
    N_AIM = 3
    FROM_DECODER = 0
    FROM_HOST = 4
    IS_RESENT = 1
    GOES_ON = 2
    MULTIPACKET_SEGMENT = 0x73
    MULTIPACKET_ACK = 0x74
    PARAM_SEND = 0xC6
    CMD_ACK = 0xD0
    CMD_NAK = 0xD1
    SCAN_ENABLE = 0xE9
    DECODE_DATA = 0xF3
    EVENT = 0xF6
    RESEND = 1                 # why a packet is refused
    NO_TYPE = -1
    TYPE_GS1_128 = 0x0F
    TYPE_DATABAR = 0x30        # 0x31 limited, 0x32 expanded
    AWAITED_NS = 1_000_000_000 # so long a refused packet is awaited, and the next one of a message

cdef struct Ssi:
    uint8_t[257] packet
    int n
    bint deaf              # nothing is understood until the line is silent
    int64_t last_ns        # of the last byte
    int64_t refused_ns     # when what is awaited again first came; NO_TIME: nothing is
    uint8_t[257] accepted  # the last read, to know it again
    int n_accepted
    uint8_t[1027] message  # with room for an AIM identifier before it
    int n_message
    int type               # of the message; NO_TYPE: none has begun
    bint overlong
    int64_t begun_ns
    int64_t added_ns       # the last packet of the message


cdef inline void ssi_reset(Ssi* s) noexcept nogil:
    s.n = s.n_message = s.n_accepted = 0
    s.deaf = s.overlong = False
    s.type = NO_TYPE
    s.refused_ns = NO_TIME


cdef inline uint16_t ssi_sum(const uint8_t* bytes, int n) noexcept nogil:
    cdef uint16_t sum = 0
    cdef int i
    for i in range(n):
        sum += bytes[i]
    return sum


cdef inline void ssi_say(Outgoing* out, uint8_t opcode, int why) noexcept nogil:
    """Puts a packet of the host's, with a byte of data if `why` is not below 0."""
    cdef uint8_t[7] packet
    cdef int n = SSI_HEAD + (why >= 0)
    cdef uint16_t checksum
    packet[0], packet[1], packet[2], packet[3], packet[4] = <uint8_t>n, opcode, FROM_HOST, 0, <uint8_t>why
    checksum = <uint16_t>(0x10000 - ssi_sum(packet, n))
    packet[n] = <uint8_t>(checksum >> 8)
    packet[n + 1] = <uint8_t>checksum
    outgoing_add(out, packet, n + 2)


cdef inline int ssi_refuse(Ssi* s, int kind, int64_t now_ns) noexcept nogil:
    """What came is not understood; nor is what follows, until the line is silent."""
    s.n = 0
    s.deaf = True
    if s.refused_ns == NO_TIME or now_ns - s.refused_ns >= AWAITED_NS:
        s.refused_ns = now_ns
    return kind


# Reads


cdef inline const char* aim_of(int type) noexcept nogil:
    """What tells GS1 elements from plain text, where a type of symbol has them."""
    if type == TYPE_GS1_128:
        return "]C1"
    return "]e0" if TYPE_DATABAR <= type <= TYPE_DATABAR + 2 else ""


cdef inline bint is_known_again(const Ssi* s) noexcept nogil:
    """Whether a packet is the last read, but for what says that it is sent again."""
    if s.n_accepted != s.n or s.packet[1] != s.accepted[1]:
        return False
    return memcmp(s.packet + SSI_HEAD, s.accepted + SSI_HEAD, s.packet[0] - SSI_HEAD) == 0


cdef inline void begin_message(Ssi* s, int64_t made_ns) noexcept nogil:
    s.type = s.packet[SSI_HEAD]
    s.n_message = 0
    s.overlong = False
    s.begun_ns = made_ns


cdef inline void add_to_message(Ssi* s, int64_t now_ns) noexcept nogil:
    cdef int n = s.packet[0] - SSI_HEAD - 1
    s.added_ns = now_ns
    if s.n_message + n > SSI_MESSAGE_MAX:
        s.overlong = True
        return
    memcpy(s.message + N_AIM + s.n_message, s.packet + SSI_HEAD + 1, n)
    s.n_message += n


cdef inline int tell_message(Ssi* s, const Framing* f, Telegram* t, FrameEvent* event) noexcept nogil:
    """The text of a message, without the line end that a scanner may put behind it."""
    cdef const char* aim = aim_of(s.type)
    cdef int n_aim = N_AIM if aim[0] else 0
    cdef int kind
    s.type = NO_TYPE
    if s.overlong:
        return OVERLONG
    while s.n_message > 0 and s.message[N_AIM + s.n_message - 1] in (0x0A, 0x0D):
        s.n_message -= 1
    memcpy(s.message + N_AIM - n_aim, aim, n_aim)
    kind = telegram_open(t, f, s.message + N_AIM - n_aim, s.n_message + n_aim, event)
    t.made_ns = event.made_ns = s.begun_ns
    return kind


cdef inline int64_t made_at(Ssi* s, int64_t now_ns) noexcept nogil:
    """When a read was first said; NO_TIME if nobody knows."""
    cdef int64_t refused_ns = s.refused_ns
    s.refused_ns = NO_TIME
    if not s.packet[3] & IS_RESENT:
        return now_ns
    return refused_ns if refused_ns != NO_TIME and now_ns - refused_ns < AWAITED_NS else NO_TIME


cdef inline int take_decode(Ssi* s, const Framing* f, Telegram* t, int64_t now_ns, FrameEvent* event) noexcept nogil:
    cdef bint is_repeat = s.packet[3] & IS_RESENT and is_known_again(s)
    cdef int64_t made_ns = made_at(s, now_ns)
    memcpy(s.accepted, s.packet, s.n)
    s.n_accepted = s.n
    if s.type != NO_TYPE and now_ns - s.added_ns >= AWAITED_NS:
        s.type = NO_TYPE  # its end never came
    if s.packet[0] == SSI_HEAD:
        return MALFORMED
    if is_repeat or (made_ns == NO_TIME and s.type == NO_TYPE):
        return RESENT
    if s.type == NO_TYPE:
        begin_message(s, made_ns)
    elif s.type != s.packet[SSI_HEAD]:
        s.type = NO_TYPE
        return MALFORMED
    add_to_message(s, now_ns)
    return NOTHING if s.packet[3] & GOES_ON else tell_message(s, f, t, event)


cdef inline int take_segment(Ssi* s) noexcept nogil:
    """A part of a message that does not fit one packet of 255 bytes, and so is no label."""
    return OVERLONG if s.packet[0] > SSI_HEAD and s.packet[SSI_HEAD] == 0 else NOTHING


cdef inline int take_packet(
    Ssi* s, const Framing* f, Telegram* t, int64_t now_ns, Outgoing* out, FrameEvent* event
) noexcept nogil:
    cdef uint8_t opcode = s.packet[1]
    if s.packet[2] != FROM_DECODER:
        return MALFORMED
    if opcode == MULTIPACKET_SEGMENT:
        ssi_say(out, MULTIPACKET_ACK, -1)
        return take_segment(s)
    if opcode == DECODE_DATA or opcode == EVENT or opcode == PARAM_SEND:
        ssi_say(out, CMD_ACK, -1)
    return take_decode(s, f, t, now_ns, event) if opcode == DECODE_DATA else ANSWER


# Bytes and silence


cdef inline int ssi_take(
    Ssi* s, const Framing* f, Telegram* t, uint8_t byte, int64_t now_ns, Outgoing* out, FrameEvent* event
) noexcept nogil:
    """Takes a byte; the kind of what it completes, or NOTHING."""
    cdef int kind
    s.last_ns = now_ns
    if s.deaf:
        return NOTHING
    s.packet[s.n] = byte
    s.n += 1
    if s.packet[0] < SSI_HEAD:
        return ssi_refuse(s, MALFORMED, now_ns)
    if s.n < s.packet[0] + 2:
        return NOTHING
    if <uint16_t>(ssi_sum(s.packet, s.n - 2) + (s.packet[s.n - 2] << 8) + s.packet[s.n - 1]) != 0:
        return ssi_refuse(s, DAMAGED, now_ns)
    kind = take_packet(s, f, t, now_ns, out, event)
    s.n = 0
    return kind


cdef inline int64_t ssi_deadline(const Ssi* s, int64_t silence_ns) noexcept nogil:
    return s.last_ns + silence_ns if s.deaf or s.n > 0 else INT64_MAX


cdef inline int ssi_hear_silence(Ssi* s, int64_t now_ns, int64_t silence_ns, Outgoing* out) noexcept nogil:
    """After silence a packet is over: asked for again if it was not understood. The kind, if it is not told yet."""
    cdef bint was_half = s.n > 0
    if now_ns < ssi_deadline(s, silence_ns):
        return NOTHING
    if was_half:
        ssi_refuse(s, HALF_FRAME, s.last_ns)
    s.deaf = False
    ssi_say(out, CMD_NAK, RESEND)
    return HALF_FRAME if was_half else NOTHING
