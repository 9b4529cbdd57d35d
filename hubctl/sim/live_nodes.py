"""The twins of a Modbus link on a TCP port or a serial line, for the demo and for whoever tries a master on them."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

from hubctl.core.address import Space
from hubctl.sim.live_port import NEVER_NS, Listener, Port
from hubctl.sim.modbus_twin import Twin, TwinFrames
from hubctl.sim.node_image import NodeImage


class WiredBoard:
    """What the simulated hub has wired to a twin.

    Parameters
    ----------
    image : NodeImage
        What the world sets, by the numbers of the hub file.
    switched : callable
        Takes (coil, on).
    """

    def __init__(self, image: NodeImage, switched: Callable[[int, bool], None]) -> None:
        self._image = image
        self._switched = switched

    def shown(self, space: Space, number: int) -> int | None:
        """A bit or register as it is now."""
        values = self._image.read(space, number, 1)
        return None if values is None else values[0]

    def switched(self, coil: int, on: bool) -> None:
        """An output was switched."""
        self._switched(coil, on)


class _Connection(Listener):
    """One master's, who alone is answered."""

    def __init__(self, nodes: TwinNodes) -> None:
        super().__init__(nodes)
        self._frames = nodes.frames()

    def data_received(self, data: bytes) -> None:
        answers = self._frames.receive(data, time.monotonic_ns())
        if answers:
            self._transport.write(answers)
        if self._frames.is_broken:
            self._transport.abort()
        self._port.look()


class TwinNodes(Port):
    """The twins of a link.

    Parameters
    ----------
    twins : mapping
        By unit.
    kind : str
        Of the link: modbus-tcp, modbus-rtu-tcp or modbus-rtu; modbus-tls is plain here.
    refresh : callable
        Brings what is wired up to now.
    """

    def __init__(
        self, twins: Mapping[int, Twin], kind: str = "modbus-tcp", refresh: Callable[[], None] = lambda: None
    ) -> None:
        super().__init__(is_serial=kind == "modbus-rtu")
        self._twins = twins
        self._rtu = kind in ("modbus-rtu", "modbus-rtu-tcp")
        self._refresh = refresh

    def listener(self) -> Listener:
        """For a master that connects."""
        return _Connection(self)

    def frames(self) -> TwinFrames:
        """A new connection's."""
        return TwinFrames(self._twins, rtu=self._rtu, refresh=self._refresh)

    def switch_off(self) -> None:
        """Every output goes off."""
        for twin in self._twins.values():
            twin.switch_off()

    def advance(self, now_ns: int) -> int:
        """Lets happen what is due in the twins, whether a master is there or not."""
        for twin in self._twins.values():
            twin.advance(now_ns)
        return min((twin.next_deadline() for twin in self._twins.values()), default=NEVER_NS)
