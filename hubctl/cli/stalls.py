"""Pauses of the daemon, drawn by seed: what a computer does that is busy with something else."""

from __future__ import annotations

import time

from hubctl.cli.child import Child
from hubctl.sim.draw import between

N_STALLS_MAX = 10_000  # of one run
APART_MS = (1500, 3500)
SHORTEST_MS = 20


class Stalls:
    """Stops a process every few seconds for up to `most_ms`, and lets it go on. Nothing is waited for in here.

    Parameters
    ----------
    most_ms : int
        The longest pause; 0 for none at all.
    """

    def __init__(self, seed: int, most_ms: int) -> None:
        self._apart_ms = between(seed, "stall apart", N_STALLS_MAX, *APART_MS)
        self._long_ms = between(seed, "stall", N_STALLS_MAX, min(SHORTEST_MS, most_ms), most_ms)
        self._is_wanted = most_ms > 0
        self._is_paused = False
        self.n_stalls = 0
        self.stalled_ms = 0
        self._due_s = time.monotonic() + self._apart_ms[0] / 1000

    def wait_s(self) -> float:
        """Until `serve` has something to do."""
        return max(self._due_s - time.monotonic(), 0.0) if self._is_wanted else float("inf")

    def serve(self, child: Child) -> None:
        """Stops it, or lets it go on, if that is due."""
        if self.wait_s() > 0 or self.n_stalls == N_STALLS_MAX:
            return
        self.end(child) if self._is_paused else self._begin(child)

    def _begin(self, child: Child) -> None:
        child.pause()
        self._is_paused = True
        self._began_s = time.monotonic()
        self._due_s = self._began_s + self._long_ms[self.n_stalls] / 1000

    def end(self, child: Child) -> None:
        """Lets it go on, if it is stopped."""
        if not self._is_paused:
            return
        child.resume()
        self._is_paused = False
        self.stalled_ms += round((time.monotonic() - self._began_s) * 1000)
        self.n_stalls += 1
        self._due_s = time.monotonic() + self._apart_ms[self.n_stalls % N_STALLS_MAX] / 1000
