"""Where in a Modbus device: a table and a number, as a person writes them, and as they are on the wire.

Numbers are those on the wire, but for a node of a hub file that has a profile: then they are those of the hub file.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import typer

if TYPE_CHECKING:
    from hubctl.cli.targets import Target
    from hubctl.core.address import Space
    from hubctl.core.profile import Profile
    from hubctl.io.modbus import ModbusClient

TABLES = ("coil", "discrete", "holding", "input")


class Place(NamedTuple):
    """A table and a number in it."""

    space: Space
    number: int


class OnWire(NamedTuple):
    """Some places in a row of one device: addresses, and how it must be asked."""

    unit: int
    space: Space
    n: int
    write_at: int
    read_at: int
    n_before: int = 0  # of what is read, those that only come because a read must begin there
    most: int = 0  # in one request; 0: what Modbus allows

    def read(self, client: ModbusClient, block: int = 0) -> list[int]:
        """What stands there."""
        first, n_read = self.read_at - self.n_before, self.n + self.n_before
        return client.read(self.unit, self.space, first, n_read, block_max=block or self.most)[
            self.n_before :
        ]


def place_of(text: str) -> Place:
    """The table and the number of a PLACE."""
    from hubctl.core.address import Space

    table, _, number = text.partition("/")
    try:
        if table not in TABLES:
            raise ValueError
        return Place(Space[table.upper()], int(number, 0))
    except ValueError:
        raise typer.BadParameter(
            f"{text}: must be {', '.join(TABLES)}, a slash and a number from 0"
        ) from None


def name_of(place: Place, offset: int = 0) -> str:
    """How a person writes it."""
    return f"{place.space.name.lower()}/{place.number + offset}"


def on_wire(target: Target, place: Place, count: int = 1) -> OnWire:
    """Where so many from a place on are; a usage error if the device has them not."""
    profile = target.profile
    if profile is None:
        return OnWire(target.unit, place.space, count, place.number, place.number)
    span = profile.span_of(place.space, place.number, count)
    if span is None:
        raise typer.BadParameter(f"{name_of(place)}: {_what_it_has(profile, place.space)}")
    at = span.at + place.number - span.first
    shown_by = profile.coils.shown_by if profile.coils and place.space <= 1 else 0
    most = profile.limits.read_bits if place.space <= 2 else profile.limits.read_registers
    return OnWire(target.unit, place.space, count, at, at + shown_by, at - span.at if span.whole else 0, most)


def _what_it_has(profile: Profile, space: Space) -> str:
    spans = profile.spans(space)
    table = space.name.lower()
    if not spans:
        return f"a {profile.name} has no {table}"
    ranges = ", ".join(f"{span.first} to {span.first + span.n - 1}" for span in spans)
    return f"a {profile.name} has {table} {ranges}, as a hub file numbers them"
