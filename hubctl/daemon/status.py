"""What the daemon says of itself: counts of parcels from the records, and of the machine from the reactor."""

from __future__ import annotations

from collections import deque
from typing import Any

import numpy as np

from hubctl._reactor import LinkStatistics, Spread, Statistics
from hubctl.core.events import NO_INDEX, Disposition, Kind, Reason, Records
from hubctl.core.layout import HubNames
from hubctl.daemon.alarms import AlarmBoard

RATE_WINDOW_NS = 10_000_000_000
RATE_STEP_NS = 500_000_000
NS_PER_HOUR = 3_600_000_000_000


class Tally:
    """Parcels counted from the reactor's records.

    Parameters
    ----------
    chutes : tuple of str
        Name of each chute.
    """

    def __init__(self, chutes: tuple[str, ...]) -> None:
        self._names = (*chutes, "none")
        self.inducted = 0
        self.closed = 0
        self._by_disposition = np.zeros(max(Disposition) + 1, np.int64)
        self._by_reason = np.zeros(max(Reason) + 1, np.int64)
        self._by_chute = np.zeros(len(self._names), np.int64)
        self._recent: deque[tuple[int, int]] = deque()

    def take(self, records: Records, now_ns: int) -> None:
        """Count what was drained at `now_ns`."""
        self.inducted += int(np.count_nonzero(records["kind"] == Kind.OPENED))
        closed = records[records["kind"] == Kind.CLOSED]
        self.closed += len(closed)
        self._by_disposition += np.bincount(closed["value"], minlength=len(self._by_disposition))
        self._by_reason += np.bincount(closed["reason"], minlength=len(self._by_reason))
        chutes = np.where(closed["chute"] == NO_INDEX, len(self._names) - 1, closed["chute"])
        self._by_chute += np.bincount(chutes, minlength=len(self._names))
        self._remember(now_ns)

    @property
    def by_disposition(self) -> dict[str, int]:
        """Parcels closed, by how they ended; what did not occur is left out."""
        return {
            kind.name: int(self._by_disposition[kind]) for kind in Disposition if self._by_disposition[kind]
        }

    @property
    def by_reason(self) -> dict[str, int]:
        """Parcels closed, by why."""
        counts = self._by_reason
        return {reason.name: int(counts[reason]) for reason in Reason if counts[reason]}

    @property
    def by_chute(self) -> dict[str, int]:
        """Parcels closed, by where."""
        return {name: int(n) for name, n in zip(self._names, self._by_chute, strict=True) if n}

    @property
    def rate_per_h(self) -> int:
        """Parcels inducted an hour, over the last ten seconds."""
        if len(self._recent) < 2:
            return 0
        (from_ns, before), (to_ns, after) = self._recent[0], self._recent[-1]
        return (after - before) * NS_PER_HOUR // max(to_ns - from_ns, 1)

    def _remember(self, now_ns: int) -> None:
        if not self._recent or now_ns - self._recent[-1][0] >= RATE_STEP_NS:
            self._recent.append((now_ns, self.inducted))
        while now_ns - self._recent[0][0] > RATE_WINDOW_NS:
            self._recent.popleft()


def status_of(tally: Tally, board: AlarmBoard, machine: Statistics, names: HubNames) -> dict[str, Any]:
    """The status object: JSON types only."""
    return {
        "machine": None if board.machine is None else board.machine.name,
        "alarms": board.standing,
        "inducted": tally.inducted,
        "closed": tally.closed,
        "in_flight": tally.inducted - tally.closed,
        "rate_per_h": tally.rate_per_h,
        "by_disposition": tally.by_disposition,
        "by_reason": tally.by_reason,
        "by_chute": tally.by_chute,
        "links": {name: _link(link) for name, link in zip(names.links, machine.links, strict=True)},
        "nodes": dict(zip(names.nodes, machine.nodes, strict=True)),
        "read_to_command_us": microseconds(machine.read_to_command),
        "fire_lateness_us": microseconds(machine.fire_lateness),
        "fires": machine.n_fires,
        "fires_voided": machine.n_fires_voided,
        "records_lost": machine.n_records_lost,
        "inputs_lost": machine.n_inputs_lost,
    }


def microseconds(spread: Spread) -> dict[str, float | int]:
    """A spread as the status object has it."""
    return {
        "p50": spread.p50_ns / 1000,
        "p99": spread.p99_ns / 1000,
        "p999": spread.p999_ns / 1000,
        "max": spread.max_ns / 1000,
        "n": spread.n,
    }


def _link(link: LinkStatistics) -> dict[str, Any]:
    return {
        "state": "up" if link.is_up else "down",
        "fault": link.fault.name,
        "connections": link.n_attached,
        "bytes": link.n_bytes,
        "frames": link.n_frames,
        "refusals": link.refusals,
        "round_trip_us": microseconds(link.round_trip),
    }
