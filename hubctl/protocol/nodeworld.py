"""The line of a node's simulated world: what a simulated hub tells a node's belt and eyes, and what it hears.

The firmware's `world.h` says what the letters mean. Counts are the node's, modulo 2**32; a belt may be a few
counts further when a line arrives, so edges are told ahead, with the count at which they happen.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

LINE_MAX = 120


@dataclass(frozen=True, slots=True)
class OutputChanged:
    """A diverter's output, where the belt was."""

    diverter: int
    is_on: bool
    counts: int
    ticks: int


@dataclass(frozen=True, slots=True)
class EdgeWasLate:
    """An edge was told for a count that had passed, and came at this one."""

    eye: int
    counts: int


@dataclass(frozen=True, slots=True)
class BeltIsAt:
    """Where the belt is, and the node's clock there, us modulo 2**32."""

    counts: int
    ticks: int


@dataclass(frozen=True, slots=True)
class WorldBooted:
    """The node has booted; what was told ahead is forgotten."""

    boot_id: int


@dataclass(frozen=True, slots=True)
class NotFollowed:
    """A line that the node's world could not follow, or of its own that makes no sense."""


WorldEvent: TypeAlias = OutputChanged | EdgeWasLate | BeltIsAt | WorldBooted | NotFollowed


def run_belt(counts_per_s: int) -> bytes:
    """The belt runs at this speed from now on, back if negative."""
    return b"v %d\n" % counts_per_s


def move_belt(by_counts: int) -> bytes:
    """The belt moves at once, each count counted singly."""
    return b"p %d\n" % by_counts


def plan_edge(eye: int, is_blocked: bool, counts: int) -> bytes:
    """The eye's line changes when the node has counted so far."""
    return b"e %d %d %d\n" % (eye, is_blocked, counts % 2**32)


def set_eye(eye: int, is_blocked: bool) -> bytes:
    """The eye's line changes at once."""
    return b"i %d %d\n" % (eye, is_blocked)


def set_counts(counts: int) -> bytes:
    """The node has counted so far, as if it had run for long."""
    return b"c %d\n" % (counts % 2**32)


def cut_power() -> bytes:
    """The node boots."""
    return b"b\n"


def ask_belt() -> bytes:
    """Answered by `BeltIsAt`."""
    return b"q\n"


class WorldLine:
    """What the world says, out of a stream of bytes.

    Examples
    --------
    >>> line = WorldLine()
    >>> line.receive(b"s 12 3000\\no 3 1 4")
    [BeltIsAt(counts=12, ticks=3000)]
    >>> line.receive(b"0 9000\\n")
    [OutputChanged(diverter=3, is_on=True, counts=40, ticks=9000)]
    """

    def __init__(self) -> None:
        self._heard = b""

    def receive(self, data: bytes) -> list[WorldEvent]:
        """What the bytes complete."""
        *lines, self._heard = (self._heard + data).split(b"\n")
        self._heard = self._heard[-LINE_MAX:]
        return [event_of(line) for line in lines]


def event_of(line: bytes) -> WorldEvent:
    """One line without its end."""
    letter, *words = line.split(b" ")
    if not all(word.isdigit() for word in words):
        return NotFollowed()
    numbers = [int(word) for word in words]
    match letter, numbers:
        case b"o", [diverter, level, counts, ticks]:
            return OutputChanged(diverter, level == 1, counts, ticks)
        case b"l", [eye, counts]:
            return EdgeWasLate(eye, counts)
        case b"s", [counts, ticks]:
            return BeltIsAt(counts, ticks)
        case b"r", [boot_id]:
            return WorldBooted(boot_id)
        case _:
            return NotFollowed()
