"""The daemon: builds the floors below from a hub file and a plan, joins them, and keeps them running."""

from __future__ import annotations

import gc
import time
from typing import Any

from hubctl._kernel import Kernel
from hubctl._reactor import Reactor
from hubctl.core.devices import fault_sentence
from hubctl.core.events import Kind, LinkFault, Records
from hubctl.core.layout import compile_layout, hub_names
from hubctl.core.preadvice import AdviceBook, Notice, PreAdvice
from hubctl.core.site import Site
from hubctl.core.wiring import compile_wiring
from hubctl.daemon.alarms import AlarmBoard
from hubctl.daemon.desk import PlanDesk
from hubctl.daemon.drives import DriveBoard
from hubctl.daemon.status import Tally, status_of
from hubctl.io.links import Connector

STOP_S_MAX = 2.0
N_LABELS_MAX = 1_000_000  # advised at once, unless more are told at the start


def _clock_offset_ns() -> int:
    """Departures are told by the clock on the wall, the kernel goes by another."""
    return time.time_ns() - time.monotonic_ns()


def _book(preadvice: PreAdvice | Notice | None, n_labels_max: int | None) -> AdviceBook:
    """Room for so many labels, or for as many again as are told at the start."""
    n_labels = 0 if preadvice is None else len(preadvice.labels)
    book = AdviceBook(max(n_labels_max or N_LABELS_MAX, n_labels if n_labels_max else 2 * n_labels))
    if preadvice is not None:
        book.tell(preadvice)
    return book


class Service:
    """One hub, running.

    Parameters
    ----------
    site : Site
        The checked hub file and its plan; without one every parcel goes to the belt's end.
    preadvice : PreAdvice or Notice, optional
        What was told of labels beforehand.
    n_labels_max : int, optional
        Labels advised at once; by default N_LABELS_MAX, or twice as many as are told beforehand.

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

    def __init__(
        self, site: Site, preadvice: PreAdvice | Notice | None = None, n_labels_max: int | None = None
    ) -> None:
        book = _book(preadvice, n_labels_max)
        self.desk = PlanDesk(site.hub, site.plan, book, _clock_offset_ns)
        plan = self.desk.plan
        self.names = hub_names(site.hub)
        self._connectors = [Connector(link, seed) for seed, link in enumerate(site.hub.links)]
        self._reactor = Reactor(Kernel(compile_layout(site.hub), plan), compile_wiring(site.hub))
        self._hub = site.hub
        self._faults = self._reactor.node_faults()
        self.desk.hand_to(self._reactor.swap_plan)
        self._tally = Tally(self.names.chutes)
        self._board = AlarmBoard(self.names)
        self._drives = DriveBoard(site.hub)
        self._messages = [] if plan else ["no sort plan: every parcel goes to the end of its belt"]

    def start(self, *, cpu: int | None = None, fifo_priority: int | None = None) -> None:
        """Start the reactor, on one CPU and with a real-time priority if asked for; OSError if that fails."""
        self._reactor.start(cpu=cpu, fifo_priority=fifo_priority)
        # What was built stays for good; no collection has to look at it again.
        gc.collect()
        gc.freeze()

    def advance(self, now_ns: int) -> Records:
        """Connect what is not connected, forget what has ended, and return what was told since the last call."""
        for link, connector in enumerate(self._connectors):
            fd = connector.advance(now_ns)
            if fd is not None:
                self._reactor.attach(link, fd)
        self.desk.advance(now_ns)
        return self._drain(now_ns)

    def post(self, inputs: Records) -> None:
        """Tell the kernel what people say; BufferError if it has not taken the last of it yet."""
        self._reactor.post(inputs)

    def messages(self) -> list[str]:
        """What there is to say to a person since the last call."""
        said, self._messages = self._messages, []
        said += self._board.messages() + self._node_faults() + self._drives.messages()
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
            "node_faults": faults,
            "drives": self._drives.status,
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
        self._follow_drives(records, now_ns)
        for record in records[(records["kind"] == Kind.LINK) & (records["value"] == 0)]:
            self._connectors[record["device"]].lost(LinkFault(record["reason"]), now_ns)
        return records

    def _follow_drives(self, records: Records, now_ns: int) -> None:
        if not self._drives.is_empty:
            self._drives.take(records)
            self._drives.look(self._reactor.node_words(), now_ns)
