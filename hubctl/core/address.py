"""Signal addresses: where on which node an input, an output or a counter lies, as one short text.

`io1/coil/0`, `io1/discrete/16`, `head/input/2.0` (bit 0 of input register 2), `head/holding/5.3`; a counter
names its first register: `head/input/0`. Addresses count from 0, as on the wire. A node with our firmware has
`n1/eye/3`, `n1/divert/5` and `n1/count` instead, a wheel diverter `w1/turn/left` and `w1/turn/right`.
"""

from __future__ import annotations

import re
from enum import IntEnum
from typing import NamedTuple

ADDRESS_MAX = 65535
COIL_MAX = 1967  # one request makes all of a node's outputs safe (Modbus Application Protocol 1.1b3, 6.11)
PATTERN = r"^[^\s/]{1,32}/((coil|discrete|holding|input|eye|divert)/[0-9]{1,5}(\.[0-9]{1,2})?|turn/(left|right)|count)$"
FORM = 'must be like "io1/discrete/16" or "head/input/2.0"; with our firmware, "n1/eye/3"'
NATIVE_MAX = 15  # eyes and diverters of a node with our firmware


class Space(IntEnum):
    """The four Modbus tables, by the function that reads them; and what a node with our firmware has instead."""

    COIL = 1
    DISCRETE = 2
    HOLDING = 3
    INPUT = 4
    EYE = 101
    DIVERT = 102
    COUNT = 103
    TURN = 104


SIDES = ("left", "right")  # of a wheel diverter, by number

BITS = (Space.COIL, Space.DISCRETE, Space.EYE, Space.DIVERT, Space.TURN)
NATIVE = (Space.EYE, Space.DIVERT, Space.COUNT)


class Address(NamedTuple):
    """One signal of one node."""

    node: str
    space: Space
    number: int  # of the bit or register, from 0
    bit: int | None  # of the register

    @property
    def is_bit(self) -> bool:
        """Whether it says on or off."""
        return self.space in BITS or self.bit is not None


def parse_address(text: str) -> Address:
    """The address of a text; ValueError says what it must look like.

    >>> parse_address("head/input/2.0")
    Address(node='head', space=<Space.INPUT: 4>, number=2, bit=0)
    """
    if not re.match(PATTERN, text):
        raise ValueError(FORM)
    node, space_name, place = (*text.split("/"), "0")[:3]
    if place in SIDES:
        return Address(node, Space.TURN, SIDES.index(place), None)
    number, _, bit = place.partition(".")
    address = Address(node, Space[space_name.upper()], int(number), int(bit) if bit else None)
    _refuse_range(address)
    return address


def _refuse_range(address: Address) -> None:
    if address.number > ADDRESS_MAX:
        raise ValueError(f"must have an address of 0 to {ADDRESS_MAX}")
    if address.space in NATIVE and address.number > NATIVE_MAX:
        raise ValueError(f"must have a number of 0 to {NATIVE_MAX}")
    if address.bit is None:
        return
    if address.space in BITS:
        raise ValueError(f"must have no bit: a {address.space.name.lower()} is one")
    if address.bit > 15:
        raise ValueError("must have a bit of 0 to 15")


def bit_address(text: str) -> str:
    """The text, if it is the address of something on or off."""
    if not parse_address(text).is_bit:
        raise ValueError('must name a bit of the register, like "head/input/2.0"')
    return text


def coil_address(text: str) -> str:
    """The text, if it is the address of an output that can be written."""
    address = parse_address(text)
    if address.space is not Space.COIL:
        raise ValueError('must be a coil, like "io1/coil/0"')
    if address.number > COIL_MAX:
        raise ValueError(f"must have a coil of 0 to {COIL_MAX}")
    return text


def divert_address(text: str) -> str:
    """The text, if it is the address of an output that can divert."""
    return text if parse_address(text).space in (Space.DIVERT, Space.TURN) else coil_address(text)


def register_address(text: str) -> str:
    """The text, if it is the address of a register."""
    address = parse_address(text)
    if address.is_bit:
        raise ValueError('must be a register, like "head/input/0", or "n1/count"')
    return text
