"""Simulated wheel diverters (ShuDiNiao) of one link: states, answers, moves that take time, commands that are lost."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from enum import IntEnum

from hubctl.core.address import SIDES

STATUS_NS = 1_000_000_000
SPACING_NS = 90_000_000  # a command that comes sooner after the one before is lost
MOVE_NS = 120_000_000  # from the command to the wheel in its place
NEVER_NS = 2**63 - 1
HEAD, TAIL = b"\x51\x52\x57", b"\xfe"
STATUS, COMMAND, ANSWER = 0x51, 0x52, 0x53
RUN, STOP = 0x51, 0x52
LEFT, CENTRE, RIGHT = 0x53, 0x54, 0x55
DONE = 3  # an answer that a move is done is its command and so much


class WheelState(IntEnum):
    """What a wheel says of itself."""

    STANDBY = 0x50
    RUNNING = 0x51
    STOPPED = 0x52  # emergency stop
    FAULTY = 0x53


def frame(unit: int, kind: int, code: int) -> bytes:
    """Seven bytes.

    >>> frame(1, COMMAND, LEFT).hex(" ")
    '51 52 57 51 52 53 fe'
    """
    return HEAD + bytes([0x50 + unit, kind, code]) + TAIL


class _Wheel:
    """One wheel."""

    def __init__(self) -> None:
        self.state = WheelState.STANDBY
        self.heard_ns = -SPACING_NS
        self.moves_to = 0
        self.done_ns = NEVER_NS


class WheelsTwin:
    """The wheels of one link without their line.

    Parameters
    ----------
    units : iterable of int
        Which wheels there are.
    turn : callable
        Takes (unit, side or None): a wheel begins to turn, or to go back to the middle.
    """

    def __init__(self, units: Iterable[int], turn: Callable[[int, str | None], None]) -> None:
        self._wheels = {unit: _Wheel() for unit in units}
        self._turn = turn
        self._status_ns = 0
        self._heard = b""
        self.n_lost = 0

    def receive(self, data: bytes, now_ns: int) -> bytes:
        """Answers what it can make out."""
        self._heard += data
        said = b""
        while (at := self._heard.find(HEAD)) >= 0 and len(self._heard) >= at + 7:
            command, self._heard = self._heard[at : at + 7], self._heard[at + 7 :]
            unit, kind, code = command[3] - 0x50, command[4], command[5]
            if unit in self._wheels and kind == COMMAND and command[6:] == TAIL:
                said += self._obey(unit, code, now_ns)
        return said

    def _obey(self, unit: int, code: int, now_ns: int) -> bytes:
        wheel = self._wheels[unit]
        is_lost = now_ns - wheel.heard_ns < SPACING_NS
        wheel.heard_ns = now_ns
        self.n_lost += is_lost
        if is_lost or wheel.state in (WheelState.STOPPED, WheelState.FAULTY):
            return b""
        if code in (RUN, STOP):
            wheel.state = WheelState.RUNNING if code == RUN else WheelState.STANDBY
            return frame(unit, ANSWER, code) + frame(unit, STATUS, wheel.state)
        if code not in (LEFT, CENTRE, RIGHT) or wheel.state is not WheelState.RUNNING:
            return b""
        wheel.moves_to, wheel.done_ns = code, now_ns + MOVE_NS
        self._turn(unit, None if code == CENTRE else SIDES[code == RIGHT])
        return frame(unit, ANSWER, code)

    def advance(self, now_ns: int) -> bytes:
        """Moves that are done, and states."""
        said = b""
        for unit, wheel in self._wheels.items():
            if wheel.done_ns <= now_ns:
                wheel.done_ns = NEVER_NS
                said += frame(unit, ANSWER, wheel.moves_to + DONE)
        if self._status_ns <= now_ns:
            self._status_ns = now_ns + STATUS_NS
            said += b"".join(frame(unit, STATUS, wheel.state) for unit, wheel in self._wheels.items())
        return said

    def next_deadline(self) -> int:
        """When a move is done, or a state is told."""
        return min(self._status_ns, *(wheel.done_ns for wheel in self._wheels.values()))

    def put(self, unit: int, state: WheelState) -> bytes:
        """Somebody presses its emergency stop, or mends it; it says so at once, and lies still."""
        wheel = self._wheels[unit]
        wheel.state, wheel.done_ns = state, NEVER_NS
        return frame(unit, STATUS, state)
