"""What one node holds at this moment: its coils, discrete inputs, holding and input registers."""

from __future__ import annotations

from collections.abc import Iterable

from hubctl.core.address import Address, Space

BITS_A_CARD = 16  # a card of inputs or outputs has all its bits, wired or not


class NodeImage:
    """Four tables, each as long as what is wired to it.

    Parameters
    ----------
    wired : iterable of (address, number of things from there)
    """

    def __init__(self, wired: Iterable[tuple[Address, int]]) -> None:
        ends = dict.fromkeys(Space, 0)
        for address, width in wired:
            ends[address.space] = max(ends[address.space], address.number + width)
        for space in (Space.COIL, Space.DISCRETE):
            ends[space] = -(-ends[space] // BITS_A_CARD) * BITS_A_CARD
        self._tables = {space: [0] * end for space, end in ends.items()}

    def read(self, space: Space, first: int, n_things: int) -> list[int] | None:
        """Bits or registers; None where there are not so many."""
        table = self._tables[space]
        return table[first : first + n_things] if first + n_things <= len(table) else None

    def coils(self) -> list[int]:
        """Every coil."""
        return list(self._tables[Space.COIL])

    def write(self, space: Space, first: int, values: Iterable[int]) -> None:
        """Sets what `read` would give."""
        for number, value in enumerate(values, first):
            self._tables[space][number] = value

    def set_bit(self, address: Address, on: bool) -> None:
        """Sets a bit of its own, or one of a register."""
        table = self._tables[address.space]
        if address.bit is None:
            table[address.number] = int(on)
        else:
            others = table[address.number] & ~(1 << address.bit)
            table[address.number] = others | on << address.bit
