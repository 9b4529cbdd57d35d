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
    # What the simulated hub of a demo leaves out. Parcels:
    slip: int = 0  # it slips back by up to 600 mm
    touching: int = 0  # it comes pressed against the one before it
    side_by_side: int = 0  # it comes beside the one before it
    gap_small: int = 0  # it comes closer than its induct should let it
    falls_off: int = 0  # it falls down where it should come onto another belt
    jam: int = 0  # it stands somewhere for seconds, and whoever comes behind it
    two_labels: int = 0  # it carries another valid label too
    same_label: int = 0  # it carries the label of one that came shortly before
    garbled_read: int = 0  # a scanner makes something of its label that is none
    overweight: int = 0  # heavier than any belt should carry
    oversize: int = 0  # longer
    # Outputs, per fire:
    write_lost: int = 0  # the output is said to be written, and is not
    write_refused: int = 0  # it is not written, and that is said
    # Devices, from when the parcel is inducted:
    link_drop: int = 0  # a link drops for 2 s
    scanner_silent: int = 0  # a scanner says nothing for seconds
    garbage: int = 0  # a scanner sends codes that nobody carries
    belt_stops: int = 0  # a belt stops for seconds
    belt_slows: int = 0  # a belt runs slower for seconds
    belt_jogs: int = 0  # a belt goes back a little
    encoder_scale: int = 0  # an encoder counts too much or too little for a minute
    encoder_stops: int = 0  # an encoder counts nothing while its belt runs
    encoder_resets: int = 0  # an encoder begins at 0
    eye_chatter: int = 0  # each edge of an eye comes with false ones
    eye_stuck_on: int = 0  # an eye says that it is blocked
    eye_stuck_off: int = 0  # an eye says that it is clear
    divert_unconfirmed: int = 0  # its chute's eye sees nobody for a while
    diverter_stuck_out: int = 0  # the paddle to its chute does not go home for seconds
    chute_flaps: int = 0  # the full eye of its chute changes all the time
    slow_node: int = 0  # a node tells late for seconds
    host_silent: int = 0  # the host answers nothing for seconds
    host_late: int = 0  # the host answers too late
    plan_swap: int = 0  # the other sort plan is put into force
    restart: int = 0  # the controller is restarted: it has lost its parcels
    stall: int = 0  # the controller gets no time for 1 ms to 10 s
    clock_jump: int = 0  # the wall clock jumps
    # Loops, but for the first from when the parcel is inducted:
    two_carriers: int = 0  # it comes down between two carriers
    carrier_missed: int = 0  # the carrier eye misses a carrier
    origin_missed: int = 0  # the origin eye misses the origin
    origin_doubled: int = 0  # the origin eye sees the origin where it is not
    tilt_fails: int = 0  # a carrier discharges nothing for a minute or so
    carrier_out: int = 0  # a person takes a carrier out of use for a while
    launch_fails: int = 0  # an induction launches nobody for seconds
    # People, from when the parcel is inducted:
    chute_closed: int = 0  # a person closes its chute for a while
    bag_change: int = 0  # a person changes the bag of its chute
    intercept: int = 0  # its label is put on the list of those called back
    hold_back: int = 0  # its label is put on the list of those held
    change: int = 0  # the host wants it elsewhere
    code: int = 0  # a person says what its label is
    tell_taken_off: int = 0  # a person takes it off the belt, and says so
    machine_held: int = 0  # a person holds the machine for seconds
    machine_stopped: int = 0  # a person stops the machine for seconds
    safety_tripped: int = 0  # the safety chain trips, and is closed again


NONE = Faults(**dict.fromkeys((field.name for field in fields(Faults)), 0))


NAMES = tuple(field.name for field in fields(Faults))


def bit_of(name: str) -> int:
    """The bit that stands for a fault in the `fates` of a parcel."""
    return 1 << NAMES.index(name)


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
    if name not in NAMES:
        hint = nearest(name, NAMES) or f"one of {', '.join(NAMES)}"
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
