"""Where each signal of a simulated hub is wired: which bit of which node shows what, which coil does what."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from hubctl.core.address import SIDES, Address, Space, parse_address
from hubctl.core.devices import word_order
from hubctl.core.hubfile import Belt, Hub
from hubctl.core.layout import eyes_in_order
from hubctl.sim.node_image import NodeImage
from hubctl.sim.node_processes import ToldImage

WRAPS_AFTER_S = 10  # of running: a counter starts so far from its end
WORD = 0xFFFF


class Counter(NamedTuple):
    """An encoder's counter in the registers of a node."""

    address: Address
    bits: int
    low_word_first: bool
    counts_per_m: int
    start_counts: int

    @classmethod
    def of(cls, belt: Belt, word_order: str | None = None) -> Counter:
        """The counter of a belt that has an encoder; the word order is the encoder's unless it is told."""
        encoder = belt.encoder
        assert encoder is not None
        away_counts = WRAPS_AFTER_S * belt.speed_mm_s * encoder.counts_per_m // 1000
        return cls(
            parse_address(encoder.address),
            encoder.bits,
            (word_order or encoder.word_order) == "low_first",
            encoder.counts_per_m,
            -away_counts % (1 << encoder.bits),
        )

    @property
    def n_registers(self) -> int:
        """One for 16 bits, two for more."""
        return 1 if self.bits == 16 else 2

    def words(self, travel_um: int) -> list[int]:
        """The registers once the belt has run so far."""
        counts = (self.start_counts + travel_um * self.counts_per_m // 1_000_000) % (1 << self.bits)
        if self.n_registers == 1:
            return [counts]
        words = [counts >> 16, counts & WORD]
        return words[::-1] if self.low_word_first else words


class Wires:
    """The images of a hub's nodes, and who sets what in them. Indices are those of the records."""

    def __init__(self, hub: Hub) -> None:
        self._eyes = [(parse_address(eye.input), eye.invert) for eye in eyes_in_order(hub)]
        self._confirms = [_address(chute.confirm) for chute in hub.chutes]
        self._fulls = [_address(chute.full) for chute in hub.chutes]
        self._n_over = [0] * len(hub.chutes)
        self._n_full = [0] * len(hub.chutes)
        belt = hub.belts[0]
        self._counter = Counter.of(belt, word_order(hub, belt)) if belt.encoder else None
        outputs = [_address(chute.output) for chute in hub.chutes]
        self._chute_of = {output: chute for chute, output in enumerate(outputs) if output is not None}
        self.images = {
            node.name: (ToldImage if node.firmware == "hubctl" else NodeImage)(self._wired(node.name))
            for node in hub.nodes
        }
        for eye in range(len(self._eyes)):
            self.set_eye(eye, False)

    def _wired(self, node: str) -> Iterator[tuple[Address, int]]:
        bits = [address for address, _ in self._eyes]
        bits += [address for address in (*self._confirms, *self._fulls) if address is not None]
        yield from ((address, 1) for address in [*bits, *self._chute_of] if address.node == node)
        if self._counter and self._counter.address.node == node:
            yield self._counter.address, self._counter.n_registers

    def set_eye(self, eye: int, blocked: bool) -> None:
        """An eye is blocked or clear."""
        address, invert = self._eyes[eye]
        self.images[address.node].set_bit(address, blocked != invert)

    def set_confirm(self, chute: int, blocked: bool) -> None:
        """A parcel comes to a chute's eye, or leaves it: the eye is clear once all have."""
        self._n_over[chute] += 1 if blocked else -1
        self._show(self._confirms[chute], self._n_over[chute] > 0)

    def set_full(self, chute: int, full: bool) -> None:
        """A chute fills or is emptied."""
        self._n_full[chute] += 1 if full else -1
        self._show(self._fulls[chute], self._n_full[chute] > 0)

    def set_travel(self, travel_um: int) -> None:
        """The belt has run so far."""
        if self._counter:
            place = self._counter.address
            self.images[place.node].write(place.space, place.number, self._counter.words(travel_um))

    def set_coil(self, node: str, number: int, on: bool) -> int | None:
        """Switches a coil; the chute whose output has changed by that, or None."""
        address = Address(node, Space.COIL, number, None)
        if self.images[node].read(Space.COIL, number, 1) is None:
            return None  # nothing is wired there
        was = self.images[node].read(Space.COIL, number, 1)
        self.images[node].set_bit(address, on)
        return self._chute_of.get(address) if was != [int(on)] else None

    def turn(self, node: str, side: str | None) -> Iterator[tuple[int, bool]]:
        """A wheel goes to a side, or to the middle: chutes whose output changes by that, those that go off first."""
        for name in sorted(SIDES, key=lambda name: name == side):
            address = Address(node, Space.TURN, SIDES.index(name), None)
            chute = self._chute_of.get(address)
            on = name == side
            if chute is not None and self.images[node].read(Space.TURN, address.number, 1) != [int(on)]:
                self.images[node].set_bit(address, on)
                yield chute, on

    def chute_of(self, output: Address) -> int | None:
        """The chute that an output diverts into, or None."""
        return self._chute_of.get(output)

    def _show(self, address: Address | None, on: bool) -> None:
        if address is not None:
            self.images[address.node].set_bit(address, on)


def _address(text: str | None) -> Address | None:
    return None if text is None else parse_address(text)
