"""Scanner framing: header, text, terminator, all chosen by the site; whatever does not fit is counted by kind.

No scanner has a fixed format, so header, terminator and all that `_telegram.pxd` looks for are data. After garbage the
framer is in step again at the next header, or without one after the next terminator.
"""

from enum import IntEnum
from typing import NamedTuple

import numpy as np

from cpython.bytes cimport PyBytes_FromStringAndSize
from libc.stdint cimport INT64_MAX
from libc.string cimport memchr, memcmp, memcpy, memset

from hubctl._dmcc cimport dmcc_unwrap
from hubctl._tables cimport N_PROTOCOLS, PROTOCOL_DMCC, PROTOCOL_MSGGET, PROTOCOL_SSI
from hubctl._telegram cimport (
    HALF_FRAME, LABEL, NO_READ_TEXT, NO_STAMP, NOISE, NOTHING, OVERLONG, SPACE, telegram_next, telegram_open,
)


class FrameKind(IntEnum):
    """What a scanner said, or what was wrong with it."""

    LABEL = 0
    NO_READ = 1
    HEARTBEAT = 2
    ANSWER = 3  # to a command, on the same socket as the labels
    NOISE = 4  # bytes between frames, told once a run
    OVERLONG = 5  # longer than frame_max, or than a label can be
    UNPRINTABLE = 6  # NUL and other bytes that no label holds
    HALF_FRAME = 7  # begun, then silence or another header
    EMPTY = 8
    UNSTAMPED = 9  # the stamp that its scanner is to set is not there
    DAMAGED = 10  # its checksum is wrong
    MALFORMED = 11  # not as its protocol has it, or without the field that is to be the label
    RESENT = 12  # said again, and heard before, or nobody knows when it was said first


cdef void framer_init(Framer* f, const Framing* framing) noexcept nogil:
    memset(f, 0, sizeof(Framer))
    f.framing = framing[0]
    f.frame_max = min(framing.frame_max, FRAMER_MAX - 8)
    f.silence_ns = framing.silence_ms * <int64_t>1_000_000
    # A printable header may occur in a label, though not in base64; a control byte may not.
    f.restarts = framing.n_header > 0 and (<uint8_t>framing.header[0] < SPACE or framing.protocol == PROTOCOL_DMCC)
    framer_reset(f)


cdef void framer_reset(Framer* f) noexcept nogil:
    f.n = 0
    f.n_header_matched = 0
    f.inside = f.framing.n_header == 0
    f.skipping = f.noisy = False
    f.telegram.n_left = NOTHING


cdef inline int tell(Framer* f, int kind, FrameEvent* event) noexcept nogil:
    event.kind = kind
    f.told[kind] += 1
    return 1


cdef inline bint header_complete(Framer* f, uint8_t byte) noexcept nogil:
    """Whether `byte` is the last of a header."""
    if f.framing.n_header == 0:
        return False
    if byte != <uint8_t>f.framing.header[f.n_header_matched]:
        f.n_header_matched = 0
    if byte == <uint8_t>f.framing.header[f.n_header_matched]:
        f.n_header_matched += 1
    if f.n_header_matched < f.framing.n_header:
        return False
    f.n_header_matched = 0
    return True


cdef inline bint ends_with_terminator(const Framer* f) noexcept nogil:
    cdef int n = f.framing.n_terminator
    return f.n >= n and memcmp(f.buffer + f.n - n, f.framing.terminator, n) == 0


cdef int tell_next(Framer* f, FrameEvent* event) noexcept nogil:
    """The next thing that the last telegram says; 0 if that was all."""
    cdef int kind = telegram_next(&f.telegram, &f.framing, event)
    return 0 if kind == NOTHING else tell(f, kind, event)


cdef int open_telegram(Framer* f, int n, FrameEvent* event) noexcept nogil:
    """Takes what stands in the buffer between header and terminator, and tells the first that it says."""
    cdef int kind = LABEL
    if f.framing.protocol == PROTOCOL_DMCC:
        kind = dmcc_unwrap(f.buffer, &n)
    if kind == LABEL:
        kind = telegram_open(&f.telegram, &f.framing, f.buffer, n, event)
    return tell(f, kind, event)


cdef int finish_frame(Framer* f, FrameEvent* event) noexcept nogil:
    cdef int n = f.n - f.framing.n_terminator
    cdef bint told_already = f.skipping
    framer_reset(f)
    return 0 if told_already else open_telegram(f, n, event)


cdef int skip_rest(Framer* f, int kind, FrameEvent* event) noexcept nogil:
    """The frame is garbage: told now, its bytes dropped until it ends."""
    f.n = 0
    if f.skipping:
        return 0
    f.skipping = True
    return tell(f, kind, event)


cdef int restart(Framer* f, FrameEvent* event) noexcept nogil:
    """A header came within a frame: what lay before it is half a frame, unless told already."""
    cdef bint was_half = f.n > f.framing.n_header and not f.skipping
    f.n = 0
    f.skipping = False
    return tell(f, HALF_FRAME, event) if was_half else 0


cdef int take_inside(Framer* f, uint8_t byte, FrameEvent* event) noexcept nogil:
    f.buffer[f.n] = byte
    f.n += 1
    if f.restarts and header_complete(f, byte):
        return restart(f, event)
    if ends_with_terminator(f):
        return finish_frame(f, event)
    if f.n >= f.frame_max + f.framing.n_terminator:
        return keep_tail(f, event)
    return 0


cdef int keep_tail(Framer* f, FrameEvent* event) noexcept nogil:
    """Overlong; the last bytes stay, for they may begin the terminator."""
    cdef int n = f.framing.n_terminator - 1
    cdef int i
    cdef int end = f.n
    cdef int told = skip_rest(f, OVERLONG, event)
    for i in range(n):
        f.buffer[i] = f.buffer[end - n + i]
    f.n = n
    return told


cdef int take_outside(Framer* f, uint8_t byte, FrameEvent* event) noexcept nogil:
    if header_complete(f, byte):
        framer_reset(f)
        f.inside = True
        return 0
    if f.noisy or f.n_header_matched:
        return 0
    f.noisy = True
    return tell(f, NOISE, event)


cdef inline size_t until(const uint8_t* at, char byte, size_t n) noexcept nogil:
    """How many come before the first such byte; all, if there is none."""
    cdef const uint8_t* found = <const uint8_t*>memchr(at, <uint8_t>byte, n)
    return n if found is NULL else found - at


cdef size_t take_run(Framer* f, const uint8_t* at, size_t n) noexcept nogil:
    """Takes at once what can neither end the frame nor begin another, nor is too long; how many bytes that was."""
    cdef int n_terminator = f.framing.n_terminator
    cdef int room = f.frame_max + n_terminator - 1 - f.n
    if n_terminator == 0 or f.n_header_matched or room <= 0:
        return 0
    n = until(at, f.framing.terminator[n_terminator - 1], min(n, <size_t>room))
    if f.restarts:
        n = until(at, f.framing.header[0], n)
    memcpy(f.buffer + f.n, at, n)
    f.n += <int>n
    return n


cdef int framer_next(Framer* f, const uint8_t** at, const uint8_t* end, FrameEvent* event) noexcept nogil:
    cdef uint8_t byte
    if f.telegram.n_left != NOTHING and tell_next(f, event):
        return 1
    while at[0] < end:
        if f.inside:
            at[0] += take_run(f, at[0], end - at[0])
            if at[0] == end:
                return 0
        byte = at[0][0]
        at[0] += 1
        if f.inside:
            if take_inside(f, byte, event):
                return 1
        elif take_outside(f, byte, event):
            return 1
    return 0


cdef inline bint has_begun(const Framer* f) noexcept nogil:
    return f.n > 0 or f.skipping or (f.inside and f.framing.n_header > 0)


cdef int framer_received(Framer* f, int64_t now_ns, FrameEvent* event) noexcept nogil:
    cdef bint silent = has_begun(f) and now_ns - f.last_ns >= f.silence_ns > 0
    cdef bint told_already = f.skipping
    f.last_ns = now_ns
    if not silent:
        return 0
    framer_reset(f)
    return 0 if told_already else tell(f, HALF_FRAME, event)


cdef int64_t framer_next_deadline(const Framer* f) noexcept nogil:
    return f.last_ns + f.silence_ns if f.silence_ns > 0 and has_begun(f) else INT64_MAX


# The Python face


def check_framing(framing: np.void) -> None:
    """Refuses a row of FRAMING that the framer could not keep in its buffer; ValueError."""
    n_least = 0 if framing["protocol"] in (PROTOCOL_SSI, PROTOCOL_MSGGET) else 1
    limits = {"n_header": (0, 4), "n_terminator": (n_least, 4), "frame_max": (1, FRAMER_MAX - 8), "protocol": (0, N_PROTOCOLS - 1)}
    limits |= {f"n_{key}": (0, framing[key].dtype.itemsize) for key in ("separator", "code_separator", "field_separator")}
    limits |= {f"n_{key}": (0, framing[key].dtype.itemsize) for key in ("greeting", "ask", "number_terminator")}
    if framing["stamp"]:
        limits["stamp_digits"] = (1, 10)
    for key, (least, most) in limits.items():
        if not least <= framing[key] <= most:
            raise ValueError(f"{key} {framing[key]}: must be {least} to {most}")


class FrameEventTold(NamedTuple):
    """One thing a scanner said; `text` only with `LABEL`, `stamp` and `made_ns` only with `LABEL` and `NO_READ`."""

    kind: FrameKind
    text: bytes
    stamp: int | None = None
    made_ns: int | None = None  # when it was first said, if that was earlier


cdef class ScannerFramer:
    """One scanner's byte stream without its socket.

    Parameters
    ----------
    framing : one row of `hubctl.core.tables.FRAMING`

    Examples
    --------
    >>> from hubctl.core.tables import FRAMING
    >>> row = np.zeros((), FRAMING)
    >>> row["header"], row["terminator"], row["no_read"] = b"\\x02", b"\\x03", b"NoRead"
    >>> row["n_header"], row["n_terminator"], row["frame_max"] = 1, 1, 64
    >>> [event.text for event in ScannerFramer(row).receive(b"\\x02SF1234\\x03\\x02NoRead\\x03", 0)]
    [b'SF1234', b'']
    """

    cdef Framer framer

    def __init__(self, framing: np.void | np.ndarray):
        cdef const uint8_t[::1] row = np.frombuffer(framing.tobytes(), np.uint8)
        if row.shape[0] != sizeof(Framing):
            raise ValueError(f"framing of {row.shape[0]} bytes: must be one FRAMING row of {sizeof(Framing)}")
        check_framing(framing)
        framer_init(&self.framer, <const Framing*>&row[0])

    def receive(self, data: bytes, now_ns: int) -> list[FrameEventTold]:
        """What `data`, received at `now_ns`, completes; with no data, whether silence has ended a frame."""
        cdef const uint8_t* at = data
        cdef const uint8_t* end = at + len(data)
        cdef FrameEvent event
        events = []
        if framer_received(&self.framer, now_ns, &event):
            events.append(_told(&event))
        while framer_next(&self.framer, &at, end, &event):
            events.append(_told(&event))
        return events

    def next_deadline(self) -> int:
        """When silence ends the frame in progress, ns; 2**63 - 1: never."""
        return framer_next_deadline(&self.framer)

    @property
    def told(self) -> dict[FrameKind, int]:
        """How many events there were, by kind; kinds that never came are left out."""
        return {kind: self.framer.told[kind] for kind in FrameKind if self.framer.told[kind]}


cdef object _told(const FrameEvent* event):
    text = PyBytes_FromStringAndSize(<char*>event.text, event.n_text) if event.kind == LABEL else b""
    is_stamped = event.kind in (LABEL, NO_READ_TEXT) and event.stamp != NO_STAMP
    return FrameEventTold(FrameKind(event.kind), text, event.stamp if is_stamped else None)
