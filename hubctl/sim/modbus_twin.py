"""A Modbus device without its line, by its profile: requests and the time in, answers out.

`Twin` answers as the profile says the device does: its functions, its limits, its addresses, exceptions in the order of
the Modbus specification. What a make does beside that is in `device_twins.py`. `TwinFrames` is one connection to the
twins of a link: frames of TCP or RTU, whole, in pieces or glued.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Protocol

from hubctl._wire import modbus_crc
from hubctl.core.address import Space
from hubctl.core.profile import Profile

NEVER_NS = 2**63 - 1
COIL_ON = 0xFF00
RTU_QUIET_NS = 20_000_000  # half a frame and then so much silence is garbage; a real device waits 1.75 ms
ILLEGAL_FUNCTION, ILLEGAL_ADDRESS, ILLEGAL_VALUE, DEVICE_FAILURE = 1, 2, 3, 4
MODBUS_FUNCTIONS = (1, 2, 3, 4, 5, 6, 15, 16, 23)
STANDARD_MOST = {1: 2000, 2: 2000, 3: 125, 4: 125, 15: 1968, 16: 123}
WRITES = {5: Space.COIL, 15: Space.COIL, 6: Space.HOLDING, 16: Space.HOLDING}


class Board(Protocol):
    """What is wired to a device, by the numbers of hub files."""

    def shown(self, space: Space, number: int) -> int | None:
        """A bit or register that the world sets; None: nothing is wired there."""

    def switched(self, coil: int, on: bool) -> None:
        """An output was switched."""


class BareBoard:
    """Nothing is wired; outputs are remembered."""

    def __init__(self) -> None:
        self.outputs: dict[int, bool] = {}
        self.inputs: dict[tuple[Space, int], int] = {}

    def shown(self, space: Space, number: int) -> int | None:
        """What was put there by hand."""
        return self.inputs.get((space, number))

    def switched(self, coil: int, on: bool) -> None:
        """Remembers it."""
        self.outputs[coil] = on


class RefusedError(Exception):
    """The device says no, by an exception code."""

    def __init__(self, code: int) -> None:
        super().__init__(f"exception {code}")
        self.code = code


class Twin:
    """A device by its profile.

    Parameters
    ----------
    profile : Profile
    board : Board, optional
        What is wired to it.
    """

    def __init__(self, profile: Profile, board: Board | None = None) -> None:
        self.profile = profile
        self.board = board or BareBoard()
        self.outputs: dict[int, bool] = {}  # by hub-file number
        self.words: dict[tuple[Space, int], int] = {}  # private ones, by address on the wire
        self.is_silent = False

    # What a make changes

    def advance(self, now_ns: int) -> None:
        """What has happened in the device by now."""

    def next_deadline(self) -> int:
        """When something happens in it next, ns; NEVER_NS: nothing does."""
        return NEVER_NS

    def admit(self, function: int, address: int, count: int, now_ns: int) -> None:
        """Raises `RefusedError` for a request that the device takes from nobody, or not now."""

    def read(self, space: Space, wire: int, now_ns: int) -> int | None:
        """One bit or register; None: it has no such address."""
        if (space, wire) in self.words:
            return self.words[space, wire]
        number = self._number(space, wire)
        if number is None:
            return None
        if space is Space.COIL:
            return int(self.outputs.get(number, False))
        shown = self.board.shown(space, number)
        return 0 if shown is None else shown

    def write(self, space: Space, wire: int, value: int, now_ns: int) -> None:
        """One bit or register; raises `RefusedError`."""
        number = self._number(space, wire)
        if space is Space.COIL and number is not None:
            self.switch(number, bool(value))
        elif (space, wire) in self.words or number is not None:
            self.words[space, wire] = value
        else:
            raise RefusedError(ILLEGAL_ADDRESS)

    def coil_value(self, wire: int, value: int, now_ns: int) -> bool:
        """What function 5 means by a value; raises `RefusedError` for one that means nothing."""
        if value not in (0, COIL_ON):
            raise RefusedError(ILLEGAL_VALUE)
        return value == COIL_ON

    def switch(self, number: int, on: bool) -> None:
        """An output goes on or off."""
        if self.outputs.get(number, False) != on:
            self.outputs[number] = on
            self.board.switched(number, on)

    def switch_off(self) -> None:
        """Every output goes off."""
        for number in [number for number, on in self.outputs.items() if on]:
            self.switch(number, False)

    def _inputs(self, n: int) -> int:
        """Its inputs as one word, from the lowest bit on."""
        return sum((self.board.shown(Space.DISCRETE, i) or 0) << i for i in range(n))

    def _number(self, space: Space, wire: int) -> int | None:
        """The hub file's number of an address on the wire."""
        for span in self.profile.spans(space):
            if span.at <= wire < span.at + span.n:
                return wire - span.at + span.first
        return None

    # Requests

    def answer(self, pdu: bytes, now_ns: int) -> bytes:
        """The answer to one request."""
        self.advance(now_ns)
        function = pdu[0]
        try:
            if function not in self.profile.limits.functions or function not in MODBUS_FUNCTIONS:
                raise RefusedError(ILLEGAL_FUNCTION)
            return self._obey(function, pdu, now_ns)
        except RefusedError as refused:
            return bytes([function | 0x80, refused.code])

    def _obey(self, function: int, pdu: bytes, now_ns: int) -> bytes:
        if len(pdu) < (10 if function == 23 else 5):
            raise RefusedError(ILLEGAL_VALUE)
        if function == 23:
            return self._exchange(pdu, now_ns)
        address, value = _word(pdu, 1), _word(pdu, 3)
        self.admit(function, address, 1 if function in (5, 6) else value, now_ns)
        if function <= 4:
            return self._read_many(function, address, value, now_ns)
        if function == 5:
            self.write(Space.COIL, address, self.coil_value(address, value, now_ns), now_ns)
        elif function == 6:
            self.write(Space.HOLDING, address, value, now_ns)
        else:
            self._write_many(function, address, value, pdu[5:], now_ns)
        return pdu[:5]

    def most(self, function: int) -> int:
        """How many one request of a function may ask for."""
        limits = self.profile.limits
        own = {
            1: limits.read_bits,
            2: limits.read_bits,
            3: limits.read_registers,
            4: limits.read_registers,
            15: limits.write_bits,
            16: limits.write_registers,
        }
        return min(own[function], STANDARD_MOST[function])

    def _read_many(self, function: int, address: int, count: int, now_ns: int) -> bytes:
        if not 1 <= count <= self.most(function):
            raise RefusedError(ILLEGAL_VALUE)
        self._check_whole(Space(function), address)
        values = [self.read(Space(function), address + i, now_ns) for i in range(count)]
        found = [value for value in values if value is not None]
        if len(found) < count:
            raise RefusedError(ILLEGAL_ADDRESS)
        data = _packed_bits(found) if function <= 2 else _packed(found)
        return bytes([function, len(data)]) + data

    def _check_whole(self, space: Space, address: int) -> None:
        for span in self.profile.spans(space):
            if span.whole and span.at < address < span.at + span.n:
                raise RefusedError(ILLEGAL_ADDRESS)

    def _write_many(self, function: int, address: int, count: int, behind: bytes, now_ns: int) -> None:
        n_data = (count + 7) // 8 if function == 15 else 2 * count
        if (
            not 1 <= count <= self.most(function)
            or behind[:1] != bytes([n_data & 0xFF])
            or len(behind) != 1 + n_data
        ):
            raise RefusedError(ILLEGAL_VALUE)
        data = behind[1:]
        space = WRITES[function]
        if any(self.read(space, address + i, now_ns) is None for i in range(count)):
            raise RefusedError(ILLEGAL_ADDRESS)
        for i in range(count):
            value = data[i // 8] >> (i % 8) & 1 if function == 15 else _word(data, 2 * i)
            self.write(space, address + i, value, now_ns)

    def _exchange(self, pdu: bytes, now_ns: int) -> bytes:
        """Function 23 writes, then reads."""
        self.admit(16, _word(pdu, 5), _word(pdu, 7), now_ns)
        self._write_many(16, _word(pdu, 5), _word(pdu, 7), pdu[9:], now_ns)
        return bytes([23]) + self._read_many(3, _word(pdu, 1), _word(pdu, 3), now_ns)[1:]


class TwinFrames:
    """One connection to the twins of a link.

    Parameters
    ----------
    twins : mapping
        By unit.
    rtu : bool
        Frames of RTU, else of TCP.
    refresh : callable
        Brings what is wired up to now, before each answer.
    """

    def __init__(
        self, twins: Mapping[int, Twin], *, rtu: bool, refresh: Callable[[], None] = lambda: None
    ) -> None:
        self._twins = twins
        self._rtu = rtu
        self._refresh = refresh
        self._buffer = b""
        self._heard_ns = 0
        self.is_broken = False  # out of step with its client: the connection has to end

    def receive(self, data: bytes, now_ns: int) -> bytes:
        """What the twins answer to bytes that came."""
        if self._rtu and self._buffer and now_ns - self._heard_ns > RTU_QUIET_NS:
            self._buffer = b""
        self._heard_ns = now_ns
        self._buffer += data
        return b"".join(self._answers(now_ns))

    def _answers(self, now_ns: int) -> Iterator[bytes]:
        while self._buffer and not self.is_broken:
            foreign = self._foreign(now_ns)
            if foreign is not None:
                yield foreign
                continue
            frame = self._rtu_frame() if self._rtu else self._tcp_frame()
            if not frame:
                return
            unit = frame[0] if self._rtu else frame[6]
            twin = self._twins.get(unit)
            if twin is not None and not twin.is_silent:
                self._refresh()
                yield self._answered(twin, frame, now_ns)

    def _foreign(self, now_ns: int) -> bytes | None:
        """The answer to what is no Modbus but what one of the twins knows besides."""
        for twin in self._twins.values():
            taken, answer = getattr(twin, "other_protocol", _no_other)(self._buffer, now_ns)
            if taken:
                self._buffer = self._buffer[taken:]
                return bytes(answer)
        return None

    def _answered(self, twin: Twin, frame: bytes, now_ns: int) -> bytes:
        if self._rtu:
            body = frame[:1] + twin.answer(frame[1:-2], now_ns)
            return body + modbus_crc(body).to_bytes(2, "little")
        answer = twin.answer(frame[7:], now_ns)
        return frame[:4] + (1 + len(answer)).to_bytes(2, "big") + frame[6:7] + answer

    def _tcp_frame(self) -> bytes:
        """The next whole frame; empty while there is none."""
        if len(self._buffer) < 6:
            return b""
        length = _word(self._buffer, 4)
        if _word(self._buffer, 2) != 0 or not 2 <= length <= 254:
            self.is_broken = True
            return b""
        if len(self._buffer) < 6 + length:
            return b""
        frame, self._buffer = self._buffer[: 6 + length], self._buffer[6 + length :]
        return frame

    def _rtu_frame(self) -> bytes:
        """The next whole frame; what is none is thrown away, as on a real line after a silence."""
        size = _rtu_size(self._buffer)
        if size < 0 or (0 < size <= len(self._buffer) and modbus_crc(self._buffer[:size]) != 0):
            self._buffer = b""
            return b""
        if size == 0 or len(self._buffer) < size:
            return b""
        frame, self._buffer = self._buffer[:size], self._buffer[size:]
        return frame


def _no_other(data: bytes, now_ns: int) -> tuple[int, bytes]:
    return 0, b""


def _rtu_size(frame: bytes) -> int:
    """Size of the request that begins here; 0: not known yet; -1: no request."""
    if len(frame) < 2:
        return 0
    if frame[1] in (15, 16):
        return 9 + frame[6] if len(frame) > 6 else 0
    if frame[1] == 23:
        return 13 + frame[10] if len(frame) > 10 else 0
    return 8 if 1 <= frame[1] <= 6 else -1


def _word(data: bytes, at: int) -> int:
    return int.from_bytes(data[at : at + 2], "big")


def _packed(words: list[int]) -> bytes:
    return b"".join(word.to_bytes(2, "big") for word in words)


def _packed_bits(bits: list[int]) -> bytes:
    number = sum(bit << i for i, bit in enumerate(bits))
    return number.to_bytes((len(bits) + 7) // 8, "little")
