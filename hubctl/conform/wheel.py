"""What a wheel diverter (ShuDiNiao) must do. Some checks turn it: they are asked for, and nothing may lie on it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import NamedTuple

from hubctl.conform.checks import Check, Line

NAME = "shudiniao"
HEAD, TAIL = b"\x51\x52", 0xFE
SIZES = {0x57: 7, 0x5C: 12}  # of a frame, by its third byte
DEVICE_0 = 0x50  # wheel 1 is 0x51
STATUS, COMMAND, ANSWER, SPEED = range(0x51, 0x55)
STATES = {0x50: "standby", 0x51: "running", 0x52: "emergency stop", 0x53: "fault"}
STANDBY, RUNNING = 0x50, 0x51
RUN, STOP, LEFT, CENTRE, RIGHT = range(0x51, 0x56)
DONE = 3  # that a move is done is its command and so much
ACTS = {RUN: "starts", STOP: "stops", LEFT: "left", CENTRE: "middle", RIGHT: "right"}
STATE_MS = 2500  # it tells its state each second
ANSWER_MS = 1000
MOVE_MS = 2000
SPACING_MS = 100  # a command that comes sooner after the one before may be lost
QUIET_MS = 600


class Said(NamedTuple):
    """One frame of a wheel."""

    kind: int
    code: int


class Turner:
    """Speaks to one wheel of a link.

    Parameters
    ----------
    line : Line
    unit : int
        Which wheel, from 1.
    """

    def __init__(self, line: Line, unit: int = 1) -> None:
        self.line = line
        self.device = DEVICE_0 + unit
        self._came = b""
        self.n_noise = 0

    def hear(self, timeout_ms: int, wanted: Callable[[list[Said]], bool], command: int = 0) -> list[Said]:
        """Sends a command, if there is one, and returns what came until it was what is wanted, or the time was over."""
        frame = bytes([*HEAD, 0x57, self.device, COMMAND, command, TAIL]) if command else b""
        said = self.line.exchange(frame, timeout_ms, lambda data: wanted(self._frames(self._came + data)[0]))
        found, self._came, n_noise = self._frames(self._came + said)
        self.n_noise += n_noise
        return found

    def rest(self) -> None:
        """Until it takes another command."""
        self.hear(SPACING_MS, lambda said: False)

    def _frames(self, data: bytes) -> tuple[list[Said], bytes, int]:
        """Its frames, the beginning of one more, and how many bytes are none."""
        found: list[Said] = []
        n_noise = 0
        while data:
            size = SIZES.get(data[2], 0) if len(data) > 2 else len(data) + 1
            if not HEAD.startswith(data[:2]) or not size or (size <= len(data) and data[size - 1] != TAIL):
                n_noise, data = n_noise + 1, data[1:]
            elif size > len(data):
                break
            else:
                found += [Said(data[4], data[5])] if data[3] == self.device else []
                data = data[size:]
        return found, data, n_noise


def wheel_checks(turner: Turner, *, with_outputs: bool) -> Iterator[Check]:
    """The checks of one wheel, in the order in which they must be run."""
    yield Check("tells its state, again and again", partial(_states, turner))
    if with_outputs:
        yield Check("starts when it is told to", partial(_told, turner, RUN, RUNNING))
        for act in (CENTRE, LEFT, CENTRE, RIGHT, CENTRE):
            yield Check(f"turns to the {ACTS[act]}, and says when it is there", partial(_moved, turner, act))
        yield Check(f"hears two commands {SPACING_MS} ms apart", partial(_two, turner))
        yield Check("stops when it is told to", partial(_told, turner, STOP, STANDBY))
        yield Check("does not turn while it stands by", partial(_stands_by, turner))
    yield Check("says nothing but frames", partial(_no_noise, turner))


def _states(turner: Turner) -> tuple[str, str]:
    told = turner.hear(STATE_MS, lambda said: len(_states_of(said)) >= 2)
    states = _states_of(told)
    if any(state not in STATES for state in states):
        return "states that are known", ", ".join(f"{state:#04x}" for state in states)
    return "two states", "two states" if len(states) >= 2 else f"{len(states)} states"


def _states_of(said: list[Said]) -> list[int]:
    return [frame.code for frame in said if frame.kind == STATUS]


def _told(turner: Turner, act: int, state: int) -> tuple[str, str]:
    """It takes the command, and its state is that one from then on."""
    wanted = [Said(ANSWER, act), Said(STATUS, state)]
    told = turner.hear(STATE_MS, lambda said: _has(said, wanted), act)
    turner.rest()
    return _compared(wanted, told)


def _moved(turner: Turner, act: int) -> tuple[str, str]:
    wanted = [Said(ANSWER, act), Said(ANSWER, act + DONE)]
    told = turner.hear(MOVE_MS, lambda said: _has(said, wanted), act)
    turner.rest()
    return _compared(wanted, told)


def _two(turner: Turner) -> tuple[str, str]:
    wanted = [Said(ANSWER, LEFT), Said(ANSWER, CENTRE)]
    told = turner.hear(SPACING_MS, lambda said: False, LEFT)
    told += turner.hear(MOVE_MS, lambda said: _has(said, wanted[1:]), CENTRE)
    turner.rest()
    return _compared(wanted, told)


def _stands_by(turner: Turner) -> tuple[str, str]:
    told = turner.hear(QUIET_MS, lambda said: False, LEFT)
    answers = [frame for frame in told if frame.kind == ANSWER]
    return "no answer", _shown(answers) if answers else "no answer"


def _no_noise(turner: Turner) -> tuple[str, str]:
    return "frames", f"{turner.n_noise} bytes that are none" if turner.n_noise else "frames"


def _has(said: list[Said], wanted: list[Said]) -> bool:
    """Whether all are among what was said."""
    return all(frame in said for frame in wanted)


def _compared(wanted: list[Said], told: list[Said]) -> tuple[str, str]:
    return _shown(wanted), _shown(wanted if _has(told, wanted) else told)


def _shown(said: list[Said]) -> str:
    return ", ".join(f"{frame.kind:02x} {frame.code:02x}" for frame in said) or "nothing"
