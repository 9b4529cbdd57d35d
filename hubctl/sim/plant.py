"""A world that runs by the clock: whoever asks first lets everything happen that is due.

Real devices do not wait for a busy computer, and this one may be. So the world never goes further than
STEP_NS_MAX between two looks: while this process gets no time the belt stands still, and nothing passes an eye
that nobody could have been asked about. `stalled_ns` says how much was lost so.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from hubctl.sim.matter import NOT_YET, ON_BELT, World
from hubctl.sim.motion import look_ahead, time_of
from hubctl.sim.places import ENTER, KIND_MASK, travel_at
from hubctl.sim.world import begin, next_ns, run_next, write_output

HEAD_START_NS = 300_000_000  # from the start of the traffic to the first parcel at 0 mm
STEP_NS_MAX = 5_000_000  # a poll's period
SETTLE_NS = 1_500_000_000  # after the last landing, so that its confirm is seen and judged


class Plant:
    """A world in real time, as its devices see it: nothing here is ever behind the clock it is asked at.

    Parameters
    ----------
    world : World
        Empty and running; its clock starts as the host's monotonic one.
    tell : callable
        Is given each row of `happened`, in order.
    now_ns : callable
        The host's clock.
    """

    def __init__(
        self, world: World, tell: Callable[[Any], None], now_ns: Callable[[], int] = time.monotonic_ns
    ) -> None:
        self.world = world
        self._tell = tell
        self._now_ns = now_ns
        self._looked_ns = now_ns()
        self._stalls_ns = [0]  # world times, and how far the world was behind the host's clock from then on
        self._behind_ns = [0]
        self._behind_at_begin_ns = 0
        self._stopped = False
        self.failure: Exception | None = None
        for belt in world.belts:  # parcels wait for `begin`
            _keep_events(belt, np.zeros(0, np.intp))
        self.next_ns = next_ns(world)

    def catch_up(self) -> int:
        """Lets everything happen that is due; returns the world's time, ns.

        What goes wrong stays in `failure` too: pymodbus would answer exception 4 and go on.
        """
        now_ns = self._world_ns()
        try:
            while self.next_ns <= now_ns:
                self._run_next()
        except Exception as failure:
            self.failure = failure
            raise
        return now_ns

    def _world_ns(self) -> int:
        now_ns = self._now_ns()
        stalled_ns = now_ns - self._looked_ns - STEP_NS_MAX
        self._looked_ns = now_ns
        if stalled_ns > 0:
            self._behind_ns.append(self._behind_ns[-1] + stalled_ns)
            self._stalls_ns.append(now_ns - self._behind_ns[-1])
        return now_ns - self._behind_ns[-1]

    @property
    def stalled_ns(self) -> int:
        """For how long the belt has stood still since `begin`."""
        return self._behind_ns[-1] - self._behind_at_begin_ns

    def host_ns(self, world_ns: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """World times by the host's clock; 0, for never, stays 0."""
        behind = np.array(self._behind_ns)[np.searchsorted(self._stalls_ns, world_ns, side="right") - 1]
        return np.where(world_ns > 0, world_ns + behind, 0)

    def _run_next(self) -> None:
        for k in range(run_next(self.world)):
            self._tell(self.world.happened[k])
        self.next_ns = next_ns(self.world)

    def travel_um(self, now_ns: int, belt: int = 0) -> int:
        """How far a belt has run."""
        return int(travel_at(self.world, belt, now_ns))

    def begin(self) -> None:
        """Starts the traffic."""
        starts_um = self.world.parcels["start_um"]
        if len(starts_um) == 0:
            return
        starts_um += self.travel_um(self.catch_up() + HEAD_START_NS) - starts_um[0]
        self._behind_at_begin_ns = self._behind_ns[-1]
        begin(self.world)
        self.next_ns = next_ns(self.world)

    def stop_inducting(self) -> None:
        """Nobody comes any more; what is on the belt goes on."""
        self.catch_up()
        self._stopped = True
        for belt in self.world.belts:
            events = belt["travel_payloads"][: belt["n_travel"]]
            _keep_events(belt, np.flatnonzero(events & KIND_MASK != ENTER))
        self.next_ns = next_ns(self.world)

    def is_drained(self) -> bool:
        """Whether all who came have left, a while ago, and nobody will come."""
        now_ns = self.catch_up()
        progress = self.world.progress
        if (progress["landed"] == ON_BELT).any():
            return False
        if not self._stopped and (progress["landed"] == NOT_YET).any():
            return False
        return now_ns >= int(progress["landed_ns"].max(initial=0)) + SETTLE_NS

    @property
    def n_entered(self) -> int:
        """Parcels that have come; they are the first ones."""
        return int((self.world.progress["landed"] != NOT_YET).sum())

    def time_of(self, travel_um: int, belt: int = 0) -> int:
        """When a belt had run so far, ns."""
        return min(int(time_of(self.world.belts[belt], travel_um)), self.catch_up())

    def write_output(self, chute: int, on: bool, at_ns: int | None = None) -> None:
        """Switches a chute's output, now or a moment ago; those of other belts than the first move nothing."""
        now_ns = self.catch_up() if at_ns is None else at_ns
        if self.world.core[0]["chute_diverter"][chute] >= 0:
            write_output(self.world, chute, on, now_ns)
            self.next_ns = next_ns(self.world)


def _keep_events(belt: Any, rows: npt.NDArray[np.intp]) -> None:
    """Of a belt's events only these are still awaited."""
    keys, events = belt["travel_keys"][rows], belt["travel_payloads"][rows]
    order = np.lexsort((events, keys))  # what is sorted is a heap too
    belt["n_travel"] = len(rows)
    belt["travel_keys"][: len(rows)], belt["travel_payloads"][: len(rows)] = keys[order], events[order]
    look_ahead(belt)
