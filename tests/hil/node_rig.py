"""A node under test: the host's session with it in real time, and its simulated world."""

from __future__ import annotations

import os
import select
import time
from collections.abc import Callable
from typing import TypeVar

from targets import Line, Target

from hubctl.protocol import node as n
from hubctl.protocol import nodeworld as w
from hubctl.protocol import registers as r
from hubctl.protocol.node import Divert, DivertEnded, EdgeSeen, NodeConfig, NodeReady, NodeSession

GIVE_UP_NS = 20_000_000_000
TIMEOUT_NS = 300_000_000  # many times what a busy machine needs: a lost frame is not to be made by us
REST_MS = 2
CONFIG = NodeConfig(watchdog_ms=5000)
E = TypeVar("E")


class Rig:
    """One node, one host, one world; nothing happens but while something is waited for."""

    def __init__(self, target: Target, *, config: NodeConfig = CONFIG, epoch: int = 1) -> None:
        self.target = target
        self.modbus = target.modbus()
        self.world: Line | None = None
        self.session = NodeSession(target.epoch_before + epoch, config, rtu=target.rtu, timeout_ns=TIMEOUT_NS)
        self.events: list[n.Event] = []
        self.said: list[w.WorldEvent] = []
        self._world_line = w.WorldLine()

    # Time

    def until(self, holds: Callable[[], object]) -> None:
        """Lets session and world talk until something holds."""
        give_up_ns = time.monotonic_ns() + GIVE_UP_NS
        while not holds():
            assert time.monotonic_ns() < give_up_ns, f"events {self.events}, world {self.said}"
            self.talk()

    def until_event(self, kind: type[E], n_events: int = 1) -> list[E]:
        """Until so many events of a kind have come, from the start."""
        self.until(lambda: len(self.all(kind)) >= n_events)
        return self.all(kind)

    def all(self, kind: type[E]) -> list[E]:
        return [event for event in self.events if isinstance(event, kind)]

    def talk(self) -> None:
        """One turn."""
        out = self.session.advance(time.monotonic_ns())
        if out and not self._write(out):
            self.reconnect()
        lines = [self.modbus.fd, *([self.world.fd] if self.world else [])]
        readable, _, _ = select.select(lines, [], [], REST_MS / 1000)
        if self.modbus.fd in readable:
            self._hear_node()
        if self.world is not None and self.world.fd in readable:
            self._hear_world()
        self.events += self.session.events()

    def _write(self, data: bytes) -> bool:
        try:
            return os.write(self.modbus.fd, data) == len(data)
        except (BrokenPipeError, ConnectionResetError):
            return False

    def _hear_node(self) -> None:
        try:
            data = os.read(self.modbus.fd, 4096)
        except ConnectionResetError:
            data = b""
        if data:
            self.session.receive(data, time.monotonic_ns())
        if not data or self.session.broken:
            self.reconnect()

    def reconnect(self) -> None:
        """The line is dialled anew, as a link would."""
        self.modbus = self.target.modbus()
        self.session.connect()

    def disturb(self, data: bytes) -> None:
        """Bytes on the line that nobody sent."""
        os.write(self.modbus.fd, data)

    # Host

    def ready(self) -> Rig:
        """The node is taken, and its watchdog armed."""
        self.until_event(NodeReady)
        return self

    def arm(self, seq: int, fire_counts: int, **values: int) -> None:
        whole = {"diverter": 0, "void_counts": fire_counts + 4, "hold": 20, **values}
        self.session.arm(Divert(seq, fire_counts=fire_counts % 2**32, **whole))  # type: ignore[arg-type]

    def ends(self) -> list[tuple[int, r.OutcomeKind, int]]:
        return [(end.seq, end.kind, end.counts) for end in self.all(DivertEnded)]

    def edges(self) -> list[tuple[int, bool, int]]:
        return [(edge.eye, edge.is_blocked, edge.counts) for edge in self.all(EdgeSeen)]

    # World

    def tell(self, *lines: bytes) -> None:
        """What happens to the node's belt and eyes."""
        if self.world is None:
            self.world = self.target.world()
        data = b"".join(lines)
        while data:
            select.select([], [self.world.fd], [])
            data = data[os.write(self.world.fd, data[:64]) :]

    def _hear_world(self) -> None:
        assert self.world is not None
        self.said += self._world_line.receive(os.read(self.world.fd, 4096))

    def heard(self, kind: type[E]) -> list[E]:
        """What the world has said of a kind."""
        return [event for event in self.said if isinstance(event, kind)]

    def switched_on(self) -> list[tuple[int, int]]:
        """Diverter and count of each output that went on."""
        return [(event.diverter, event.counts) for event in self.heard(w.OutputChanged) if event.is_on]

    def belt(self) -> int:
        """Where the belt is, by the world."""
        n_before = len(self.heard(w.BeltIsAt))
        self.tell(w.ask_belt())
        self.until(lambda: len(self.heard(w.BeltIsAt)) > n_before)
        return self.heard(w.BeltIsAt)[-1].counts

    def world_runs_to(self, counts: int) -> None:
        """Until the belt is there, while the host says nothing."""
        assert self.world is not None
        give_up_ns = time.monotonic_ns() + GIVE_UP_NS
        while not (places := self.heard(w.BeltIsAt)) or places[-1].counts < counts:
            assert time.monotonic_ns() < give_up_ns
            self.tell(w.ask_belt())
            if select.select([self.world.fd], [], [], REST_MS / 1000)[0]:
                self._hear_world()
