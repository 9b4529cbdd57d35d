"""The reactor with Modbus links alone: wired by hand, connected by the daemon's own connectors."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from hubctl._kernel import Kernel
from hubctl._reactor import LinkStatistics, Reactor
from hubctl.core import tables
from hubctl.core.events import Kind, LinkFault
from hubctl.core.hubfile import ModbusTcpLink
from hubctl.core.layout import compile_layout
from hubctl.core.site import load_site
from hubctl.core.tables import LinkKind, Table, Wiring
from hubctl.io.links import Connector

N_REGISTERS = 16
READ_HOLDING = 3
TIMEOUT_NS = 100_000_000
LOOK_S = 0.005


def rows(dtype: np.dtype[np.void], n: int, **values: Any) -> Table:
    """So many rows, each key the same in all or an array."""
    table = np.zeros(n, dtype)
    for key, value in values.items():
        table[key] = value
    return table


def wiring_of(n: int, period_ns: int) -> Wiring:
    """A link, a node and a poll for each device."""
    each = np.arange(n)
    poll = {"node": each, "function": READ_HOLDING, "count": N_REGISTERS, "period_ns": period_ns}
    return Wiring(
        links=rows(tables.LINK, n, kind=LinkKind.MODBUS_TCP, in_flight_max=1),
        nodes=rows(tables.NODE_WIRE, n, link=each, unit=1, timeout_ns=TIMEOUT_NS),
        polls=rows(tables.POLL, n, **poll),
        signals=rows(tables.SIGNAL, 0),
        counters=rows(tables.COUNTER, 0),
        outputs=rows(tables.OUTPUT, 0),
        framings=rows(tables.FRAMING, 0),
    )


class Polling:
    """A reactor that polls one device at each port."""

    def __init__(self, ports: Sequence[int], period_ns: int, cpu: int | None) -> None:
        self._connectors = [
            Connector(ModbusTcpLink(name=f"d{i}", kind="modbus-tcp", host="127.0.0.1", port=port), i)
            for i, port in enumerate(ports)
        ]
        kernel = Kernel(compile_layout(load_site("station").hub), None)
        self._reactor = Reactor(kernel, wiring_of(len(ports), period_ns))
        self._reactor.start(cpu=cpu)

    def advance(self) -> None:
        """Connects what is not connected."""
        now_ns = time.monotonic_ns()
        for link, connector in enumerate(self._connectors):
            fd = connector.advance(now_ns)
            if fd is not None:
                self._reactor.attach(link, fd)
        records = self._reactor.drain()
        for record in records[(records["kind"] == Kind.LINK) & (records["value"] == 0)]:
            self._connectors[record["device"]].lost(LinkFault(record["reason"]), now_ns)

    def run(self, seconds: float) -> tuple[LinkStatistics, ...]:
        """How the links stand after so long."""
        until_s = time.monotonic() + seconds
        while time.monotonic() < until_s:
            self.advance()
            time.sleep(LOOK_S)
        return self._reactor.statistics().links

    def close(self) -> None:
        """Ends it."""
        for connector in self._connectors:
            connector.close()
        self._reactor.stop(1.0)


@contextmanager
def polling(ports: Sequence[int], period_ns: int, cpu: int | None) -> Iterator[Polling]:
    """One that ends with the `with` block."""
    made = Polling(ports, period_ns, cpu)
    try:
        yield made
    finally:
        made.close()
