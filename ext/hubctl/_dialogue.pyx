"""All that is said between a scanner and us: its telegrams become events, and what it wants to hear is put ready.

What a make does differently is in a file of its own: `_framer.pyx` for text between marks, `_dmcc.pxd`, `_ssi.pxd`,
`_msgget.pxd`. Here they are joined, with what every make may have: a greeting, a question every so often, numbers of
triggers, and a silence after which it is gone.
"""

import numpy as np

from cpython.bytes cimport PyBytes_FromStringAndSize
from libc.stdint cimport INT64_MAX
from libc.string cimport memset

from hubctl._framer cimport framer_init, framer_next, framer_next_deadline, framer_received, framer_reset
from hubctl._msgget cimport msgget_take
from hubctl._outgoing cimport outgoing_add
from hubctl._ssi cimport SCAN_ENABLE, ssi_deadline, ssi_hear_silence, ssi_reset, ssi_say, ssi_take
from hubctl._tables cimport PROTOCOL_MSGGET, PROTOCOL_SSI
from hubctl._telegram cimport LABEL, NO_READ_TEXT, NO_STAMP, NOTHING, telegram_next

from hubctl._framer import FrameEventTold, FrameKind, check_framing

cdef int64_t NS_PER_MS = 1_000_000


cdef void dialogue_init(Dialogue* d, const Framing* framing) noexcept nogil:
    memset(d, 0, sizeof(Dialogue))
    framer_init(&d.framer, framing)
    d.ask_ns = framing.ask_ms * NS_PER_MS if framing.n_ask else 0
    d.alive_ns = framing.alive_ms * NS_PER_MS
    ssi_reset(&d.ssi)


cdef void dialogue_connect(Dialogue* d, int64_t now_ns) noexcept nogil:
    """A connection begins: nothing of the one before counts."""
    framer_reset(&d.framer)
    ssi_reset(&d.ssi)
    d.heard_ns = d.asked_ns = now_ns
    d.out.n = 0
    if d.framer.framing.protocol == PROTOCOL_SSI:
        ssi_say(&d.out, SCAN_ENABLE, -1)
    outgoing_add(&d.out, d.framer.framing.greeting, d.framer.framing.n_greeting)


cdef inline int tell(Dialogue* d, int kind, FrameEvent* event) noexcept nogil:
    if kind == NOTHING:
        return 0
    event.kind = kind
    d.framer.told[kind] += 1
    return 1


cdef inline bint tell_next(Dialogue* d, FrameEvent* event) noexcept nogil:
    """What the last telegram says beside what was told."""
    return tell(d, telegram_next(&d.framer.telegram, &d.framer.framing, event), event)


cdef int ssi_next(Dialogue* d, const uint8_t** at, const uint8_t* end, int64_t now_ns, FrameEvent* event) noexcept nogil:
    cdef uint8_t byte
    if tell_next(d, event):
        return 1
    while at[0] < end:
        byte = at[0][0]
        at[0] += 1
        if tell(d, ssi_take(&d.ssi, &d.framer.framing, &d.framer.telegram, byte, now_ns, &d.out, event), event):
            return 1
    return 0


cdef int msgget_next(Dialogue* d, const uint8_t** at, const uint8_t* end, FrameEvent* event) noexcept nogil:
    cdef uint8_t byte
    if tell_next(d, event):
        return 1
    while at[0] < end:
        byte = at[0][0]
        at[0] += 1
        if tell(d, msgget_take(&d.framer, byte, event), event):
            return 1
    return 0


cdef int dialogue_next(Dialogue* d, const uint8_t** at, const uint8_t* end, int64_t now_ns, FrameEvent* event) noexcept nogil:
    if d.framer.framing.protocol == PROTOCOL_SSI:
        return ssi_next(d, at, end, now_ns, event)
    if d.framer.framing.protocol == PROTOCOL_MSGGET:
        return msgget_next(d, at, end, event)
    return framer_next(&d.framer, at, end, event)


cdef int end_by_silence(Dialogue* d, int64_t now_ns, FrameEvent* event) noexcept nogil:
    if d.framer.framing.protocol == PROTOCOL_SSI:
        return tell(d, ssi_hear_silence(&d.ssi, now_ns, d.framer.silence_ns, &d.out), event)
    return framer_received(&d.framer, now_ns, event)


cdef int dialogue_received(Dialogue* d, int64_t now_ns, FrameEvent* event) noexcept nogil:
    d.heard_ns = now_ns
    return end_by_silence(d, now_ns, event)


cdef int dialogue_expire(Dialogue* d, int64_t now_ns, FrameEvent* event) noexcept nogil:
    """Does what is due at an instant; what silence has ended, if anything: 1 or 0."""
    if d.ask_ns and now_ns - d.asked_ns >= d.ask_ns:
        d.asked_ns = now_ns
        outgoing_add(&d.out, d.framer.framing.ask, d.framer.framing.n_ask)
    return end_by_silence(d, now_ns, event) if silence_deadline(d) <= now_ns else 0


cdef void dialogue_number(Dialogue* d, int64_t number) noexcept nogil:
    """Tells a scanner the number of the trigger that it has just had, in as many digits as its stamp."""
    cdef char[10] digits
    cdef int i
    cdef int n = d.framer.framing.stamp_digits
    for i in range(n):
        digits[n - 1 - i] = <char>(0x30 + number % 10)
        number //= 10
    # Half a number would be another one: either both parts go out, or none.
    if outgoing_add(&d.out, digits, n) and not outgoing_add(
        &d.out, d.framer.framing.number_terminator, d.framer.framing.n_number_terminator
    ):
        d.out.n -= n


cdef bint dialogue_is_gone(const Dialogue* d, int64_t now_ns) noexcept nogil:
    return d.alive_ns > 0 and now_ns - d.heard_ns >= d.alive_ns


cdef int64_t silence_deadline(const Dialogue* d) noexcept nogil:
    if d.framer.framing.protocol == PROTOCOL_SSI:
        return ssi_deadline(&d.ssi, d.framer.silence_ns)
    return framer_next_deadline(&d.framer)


cdef int64_t dialogue_next_deadline(const Dialogue* d) noexcept nogil:
    cdef int64_t due_ns = silence_deadline(d)
    if d.ask_ns:
        due_ns = min(due_ns, d.asked_ns + d.ask_ns)
    if d.alive_ns:
        due_ns = min(due_ns, d.heard_ns + d.alive_ns)
    return due_ns


# The Python face


cdef class ScannerDialogue:
    """One scanner, of any make, without its socket.

    Parameters
    ----------
    framing : one row of `hubctl.core.tables.FRAMING`
    now_ns : int
        When the connection begins.

    Examples
    --------
    >>> from hubctl.core.tables import FRAMING, Protocol
    >>> row = np.zeros((), FRAMING)
    >>> row["protocol"], row["frame_max"], row["silence_ms"] = Protocol.SSI, 64, 20
    >>> zebra = ScannerDialogue(row, 0)
    >>> zebra.to_send().hex(" ")
    '04 e9 04 00 ff 0f'
    >>> zebra.receive(bytes.fromhex("0A F3 00 00 03 31 32 33 34 35 FE 01"), 0)[0].text
    b'12345'
    >>> zebra.to_send().hex(" ")
    '04 d0 04 00 ff 28'
    """

    cdef Dialogue dialogue

    def __init__(self, framing: np.void | np.ndarray, now_ns: int):
        cdef const uint8_t[::1] row = np.frombuffer(framing.tobytes(), np.uint8)
        if row.shape[0] != sizeof(Framing):
            raise ValueError(f"framing of {row.shape[0]} bytes: must be one FRAMING row of {sizeof(Framing)}")
        check_framing(framing)
        dialogue_init(&self.dialogue, <const Framing*>&row[0])
        dialogue_connect(&self.dialogue, now_ns)

    def receive(self, data: bytes, now_ns: int) -> list:
        """What `data`, received at `now_ns`, completes."""
        cdef const uint8_t* at = data
        cdef const uint8_t* end = at + len(data)
        cdef FrameEvent event
        events = []
        if dialogue_received(&self.dialogue, now_ns, &event):
            events.append(_told(&event, now_ns))
        while dialogue_next(&self.dialogue, &at, end, now_ns, &event):
            events.append(_told(&event, now_ns))
        return events

    def expire(self, now_ns: int) -> list:
        """What silence has ended by `now_ns`; questions that are due are put ready."""
        cdef FrameEvent event
        return [_told(&event, now_ns)] if dialogue_expire(&self.dialogue, now_ns, &event) else []

    def tell_number(self, number: int) -> None:
        """Puts ready the number of a trigger."""
        dialogue_number(&self.dialogue, number)

    def to_send(self) -> bytes:
        """The bytes for the scanner that were put ready since the last call."""
        cdef int n = self.dialogue.out.n
        self.dialogue.out.n = 0
        return PyBytes_FromStringAndSize(<char*>self.dialogue.out.bytes, n)

    def is_gone(self, now_ns: int) -> bool:
        """Whether it was silent for too long."""
        return dialogue_is_gone(&self.dialogue, now_ns)

    def next_deadline(self) -> int:
        """When to call `expire`, ns; 2**63 - 1: never."""
        return dialogue_next_deadline(&self.dialogue)

    @property
    def told(self) -> dict:
        """How many events there were, by kind; kinds that never came are left out."""
        return {kind: self.dialogue.framer.told[kind] for kind in FrameKind if self.dialogue.framer.told[kind]}


cdef object _told(const FrameEvent* event, int64_t now_ns):
    text = PyBytes_FromStringAndSize(<char*>event.text, event.n_text) if event.kind == LABEL else b""
    is_read = event.kind in (LABEL, NO_READ_TEXT)
    stamp = event.stamp if is_read and event.stamp != NO_STAMP else None
    return FrameEventTold(FrameKind(event.kind), text, stamp, event.made_ns if is_read and event.made_ns >= 0 else None)
