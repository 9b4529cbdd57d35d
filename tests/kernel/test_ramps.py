"""Lead by measured speed: the paddle meets the parcel's middle though the belt speeds up and slows down."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from line_hub import MS, label, layout, nodes_up, plan, read, records

from hubctl._kernel import Kernel
from hubctl.core.events import Flag, Kind, Records

AT = 3600  # counts to the diverter of C4
LENGTH = 300
EYES = (100, 1400, 3000, 4500)
SAMPLE_MS = 5
SPEED_LAG_MS = 80 + SAMPLE_MS  # half of the 160 ms over which the kernel measures, and a sample
COMMIT_MS = 60


class Run:
    """A belt of so many counts a second at first, that speeds up by so many a second, between two bounds."""

    def __init__(self, from_counts_s: int, change_counts_s2: int) -> None:
        speeds_um = [from_counts_s * 1000]
        for _ in range(12_000):
            speeds_um.append(min(1_300_000, max(700_000, speeds_um[-1] + change_counts_s2)))
        self.counts = np.concatenate(([0], np.cumsum(speeds_um))) / 1_000_000

    def at(self, ms: int) -> int:
        return int(self.counts[ms])

    def ms_of(self, counts: int) -> int:
        """The first millisecond in which the belt is there."""
        return int(np.searchsorted(self.counts, counts))


def life(run: Run) -> dict[int, list[dict[str, Any]]]:
    """Inputs by time of a parcel whose leading edge is at the start of the belt after 300 counts."""
    rows: dict[int, list[dict[str, Any]]] = {}
    for eye, at in enumerate(EYES[:3]):
        for value, counts in ((1, 300 + at), (0, 300 + at + LENGTH)):
            edge = {"kind": Kind.EYE, "device": eye, "value": value, "counts": counts, "flags": Flag.LATCHED}
            rows.setdefault(run.ms_of(counts), []).append(edge)
    rows.setdefault(run.ms_of(300 + 500 + LENGTH // 2) + 50, []).append(read(0, label("4"), 0))
    return rows


def said_on(run: Run, latency_ms: int, hold_ms: int) -> Records:
    made = layout(speed_counts_s_max=1500, speed_counts_s_min=500)
    made.diverters["latency_ns"], made.diverters["hold_ns"] = latency_ms * MS, hold_ms * MS
    kernel = Kernel(made, plan())
    said = [kernel.step(0, records(*nodes_up(2)))]
    rows = life(run)
    for now_ms in range(1, 7000):
        inputs = [{**row, "t_ns": now_ms * MS} for row in rows.get(now_ms, [])]
        if now_ms % SAMPLE_MS == 0:
            inputs.append({"kind": Kind.ENCODER, "counts": run.at(now_ms), "t_ns": now_ms * MS})
        if inputs or kernel.next_deadline() <= now_ms * MS:
            said.append(kernel.step(now_ms * MS, records(*inputs)))
    return np.concatenate(said)


@given(st.integers(800, 1200), st.integers(-250, 250), st.integers(0, 120), st.integers(20, 200))
@settings(max_examples=20, deadline=None)
def test_the_paddle_meets_the_middle_on_a_ramp(
    from_counts_s: int, change_counts_s2: int, latency_ms: int, hold_ms: int
) -> None:
    """Off by no more than the belt's speed may change from when it was measured to when the paddle is there."""
    run = Run(from_counts_s, change_counts_s2)
    said = said_on(run, latency_ms, hold_ms)
    (fire_ns,) = said["t_ns"][said["kind"] == Kind.FIRE_OUTPUT].tolist()
    lead_ms = latency_ms + hold_ms // 2
    middle = run.at(fire_ns // MS + lead_ms) - 300 - LENGTH // 2
    old_ms = SPEED_LAG_MS + COMMIT_MS + lead_ms // 2
    most = abs(change_counts_s2) * old_ms * lead_ms // 1_000_000
    assert abs(middle - AT) <= most + 4  # and what the belt runs in the milliseconds that are rounded
