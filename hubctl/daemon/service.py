"""The daemon: builds the floors below from a hub file and a plan, joins them, and keeps them running."""

from __future__ import annotations

import gc
import time
from typing import Any

from hubctl._kernel import Kernel
from hubctl._reactor import Reactor
from hubctl.core.devices import fault_sentence
from hubctl.core.events import Kind, LinkFault, Records
from hubctl.core.hubfile import Hub
from hubctl.core.layout import compile_layout, compile_wiring, hub_names
from hubctl.core.plan import SortPlan, compile_plan
from hubctl.core.preadvice import PreAdvice
from hubctl.core.site import Site
from hubctl.core.tables import CompiledPlan
from hubctl.core.telling import NO_LANES, LaneNames
from hubctl.daemon.alarms import AlarmBoard
from hubctl.daemon.status import Tally, status_of
from hubctl.io.links import Connector

STOP_S_MAX = 2.0


def _compiled(plan: SortPlan, hub: Hub, preadvice: PreAdvice | None) -> CompiledPlan:
    """The plan by the clocks of now: departures are told by the one on the wall, the kernel goes by the other."""
    return compile_plan(plan, hub, preadvice, clock_offset_ns=time.time_ns() - time.monotonic_ns())


class Service:
    """One hub, running.

    Parameters
    ----------
    site : Site
        The checked hub file and its plan; without one every parcel goes to the belt's end.
    preadvice : PreAdvice, optional
        Destinations told beforehand.

    Raises
    ------
    ConfigError
        The plan does not fit the hub.

    Examples
    --------
    ::

        service = Service(load_site("station"))
        service.start()
        records = service.advance(time.monotonic_ns())
        service.stop()
    """

    def __init__(self, site: Site, preadvice: PreAdvice | None = None) -> None:
        plan = None if site.plan is None else _compiled(site.plan, site.hub, preadvice)
        self.names = hub_names(site.hub)
        self.lanes = NO_LANES
        if site.plan is not None and plan is not None:
            self.lanes = LaneNames(tuple(lane.name for lane in site.plan.lanes), plan.version)
        self._connectors = [Connector(link, seed) for seed, link in enumerate(site.hub.links)]
        self._reactor = Reactor(Kernel(compile_layout(site.hub), plan), compile_wiring(site.hub))
        self._hub = site.hub
        self._faults = self._reactor.node_faults()
        self._tally = Tally(self.names.chutes)
        self._board = AlarmBoard(self.names)
        self._messages = [] if plan else ["no sort plan: every parcel goes to the end of its belt"]

    def start(self, *, cpu: int | None = None, fifo_priority: int | None = None) -> None:
        """Start the reactor, on one CPU and with a real-time priority if asked for; OSError if that fails."""
        self._reactor.start(cpu=cpu, fifo_priority=fifo_priority)
        # What was built stays for good; no collection has to look at it again.
        gc.collect()
        gc.freeze()

    def advance(self, now_ns: int) -> Records:
        """Connect what is not connected, and return what was told since the last call."""
        for link, connector in enumerate(self._connectors):
            fd = connector.advance(now_ns)
            if fd is not None:
                self._reactor.attach(link, fd)
        return self._drain(now_ns)

    def post(self, inputs: Records) -> None:
        """Tell the kernel what people say; BufferError if it has not taken the last of it yet."""
        self._reactor.post(inputs)

    def messages(self) -> list[str]:
        """What there is to say to a person since the last call."""
        said, self._messages = self._messages, []
        said += self._board.messages() + self._node_faults()
        return said + [text for connector in self._connectors for text in connector.messages()]

    def _node_faults(self) -> list[str]:
        """Nodes that are not what their profile says, each time it is something else."""
        before, self._faults = self._faults, self._reactor.node_faults()
        news = zip(before, self._faults, strict=True)
        return [fault_sentence(self._hub, *fault) for was, fault in news if fault and fault != was]

    def status(self) -> dict[str, Any]:
        """How things stand, as JSON types."""
        standing = zip(self.names.nodes, self._reactor.node_faults(), strict=True)
        faults = {name: fault_sentence(self._hub, *fault) for name, fault in standing if fault}
        return status_of(self._tally, self._board, self._reactor.statistics(), self.names) | {
            "node_faults": faults
        }

    def stop(self, now_ns: int) -> tuple[bool, Records]:
        """Close every track, switch every coil off, end the reactor.

        Returns
        -------
        bool, Records
            Whether each coil of a connected node was read back as off; what was told since the last call.
        """
        for connector in self._connectors:
            connector.close()
        is_safe = self._reactor.stop(STOP_S_MAX)
        return is_safe, self._drain(now_ns)

    def _drain(self, now_ns: int) -> Records:
        records = self._reactor.drain()
        self._tally.take(records, now_ns)
        self._board.take(records)
        for record in records[(records["kind"] == Kind.LINK) & (records["value"] == 0)]:
            self._connectors[record["device"]].lost(LinkFault(record["reason"]), now_ns)
        return records
