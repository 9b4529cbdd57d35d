"""A host that arms parcel after parcel on a node, in a process of its own that can be stopped.

    python bench/node_stories/host.py PORT RTU EPOCH START N_PARCELS PITCH AHEAD

Parcel i, from 1, is to be fired at count START + (i - 1) * PITCH by diverter i modulo 16, and is told AHEAD counts
before that: then its route is firm. What became of each is printed at the end, as JSON.
"""

from __future__ import annotations

import json
import select
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from hubctl.protocol import registers as r
from hubctl.protocol.node import Divert, DivertEnded, NodeConfig, NodeReady, NodeSession
from node_stories.bodies import dial

WATCHDOG_MS = 3000
VOID_COUNTS = 4
HOLD_MS = 20
NS_PER_S = 1_000_000_000


class Host:
    """One node and its session, in real time."""

    def __init__(self, port: int, rtu: bool, epoch: int) -> None:
        self.line = dial(port)
        self.line.setblocking(False)
        self.session = NodeSession(epoch, NodeConfig(WATCHDOG_MS), rtu=rtu, timeout_ns=NS_PER_S, quiet_ns=0)
        self.ended: list[DivertEnded] = []
        self.is_ready = False

    def talk(self) -> None:
        """One turn, at most a millisecond."""
        if out := self.session.advance(time.monotonic_ns()):
            self.line.sendall(out)
        if select.select([self.line], [], [], 0.001)[0]:
            self.session.receive(self.line.recv(4096), time.monotonic_ns())
        events = self.session.events()
        self.ended += [event for event in events if isinstance(event, DivertEnded)]
        self.is_ready |= any(isinstance(event, NodeReady) for event in events)

    def belt(self) -> int:
        return self.session.clock.at(time.monotonic_ns())[0]


def main(port: int, rtu: int, epoch: int, start: int, n_parcels: int, pitch: int, ahead: int) -> None:
    """Until the last parcel has ended."""
    host = Host(port, bool(rtu), epoch)
    while not host.is_ready:
        host.talk()
    n_told = 0
    while len(host.ended) < n_parcels:
        host.talk()
        while n_told < n_parcels and start + n_told * pitch - ahead <= host.belt():
            fire_counts = start + n_told * pitch
            n_told += 1
            host.session.arm(
                Divert(n_told, n_told % r.N_DIVERTERS, fire_counts, fire_counts + VOID_COUNTS, HOLD_MS)
            )
    kinds = [event.kind.name for event in host.ended]
    print(json.dumps({"kinds": kinds, "seqs": [event.seq for event in host.ended]}))


if __name__ == "__main__":
    main(*(int(word) for word in sys.argv[1:]))
