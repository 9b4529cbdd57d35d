"""What one seed decides, by name: each draw stands for itself, so that a new one changes no other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, TypeVar

from hubctl.sim import draw
from hubctl.sim.draw import Ints

Thing = TypeVar("Thing")
PER_MILLION = 1_000_000


class Drawn(NamedTuple):
    """Draws of one seed."""

    seed: int

    def one(self, purpose: str, low: int, high: int) -> int:
        """An integer from `low` to `high`, both included."""
        return int(draw.between(self.seed, purpose, 1, low, high)[0])

    def many(self, purpose: str, n: int, low: int, high: int) -> Ints:
        """`n` integers from `low` to `high`, both included, shape (n,)."""
        return draw.between(self.seed, purpose, n, low, high)

    def happens(self, purpose: str, per_cent: int) -> bool:
        """Whether something does that happens to so many seeds of a hundred."""
        return self.one(purpose, 0, 99) < per_cent

    def pick(self, purpose: str, things: Sequence[Thing]) -> Thing:
        """One of several things."""
        return things[self.one(purpose, 0, len(things) - 1)]
