"""The faults a simulated hub can suffer, each a chance per parcel that can be set to nothing."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields, replace
from decimal import Decimal

from hubctl.core.config import nearest

ALL = 1_000_000


@dataclass(frozen=True)
class Faults:
    """Chances per million parcels."""

    no_read: int = 20_000  # nobody can read the label
    missed_side: int = 30_000  # one scanner misses a label that the other reads
    doubled_read: int = 20_000  # a telegram comes twice
    late_read: int = 2_000  # a telegram comes 200 to 2,000 ms late
    taken_off: int = 1_000  # somebody takes the parcel off the belt
    put_on: int = 1_000  # somebody puts another parcel into the gap behind it
    divert_fails: int = 2_000  # the paddle does not move
    chute_full: int = 500  # its chute is full after it, for 20 s
    link_drop: int = 0  # a link drops for 2 s as it is inducted


NONE = Faults(**dict.fromkeys((field.name for field in fields(Faults)), 0))


class FaultError(ValueError):
    """A fault that does not exist or a chance that is none; the text names the range."""


def parse_faults(settings: Iterable[str], base: Faults) -> Faults:
    """`base` with settings such as `no_read=0.02` (chance per parcel) or `none` (all off) applied in order.

    Raises
    ------
    FaultError
        An unknown name, or a chance outside 0 to 1.
    """
    for setting in settings:
        base = NONE if setting == "none" else _with(base, setting)
    return base


def _with(faults: Faults, setting: str) -> Faults:
    name, _, chance = setting.partition("=")
    known = [field.name for field in fields(Faults)]
    if name not in known:
        hint = nearest(name, known) or f"one of {', '.join(known)}"
        raise FaultError(f"--faults {setting}: no fault is called {name!r} ({hint}); or none")
    return replace(faults, **{name: _per_million(setting, chance)})


def _per_million(setting: str, chance: str) -> int:
    try:
        per_million = int(Decimal(chance) * ALL)
    except (ArithmeticError, ValueError):
        per_million = -1
    if not 0 <= per_million <= ALL:
        raise FaultError(f"--faults {setting}: the chance must be a number from 0 to 1")
    return per_million
