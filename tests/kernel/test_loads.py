"""Load eyes of a loop whose carriers are a little wider than the hub file says: on which of them does a load lie?"""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest
from line_hub import MS, layout, nodes_up, plan, records

from hubctl._kernel import Kernel
from hubctl.core.events import Flag, Kind, Reason, Records

RING, N_CARRIERS, LENGTH = 6047, 12, 460
ORIGIN, CARRIER, AFTER = 0, 1, 4
AT = {ORIGIN: 100, CARRIER: 200, AFTER: 1800}  # mm, as in the hub file, of 500 mm a carrier
SECONDS_WARM = 30


def edge(eye: int, value: int, counts: int) -> dict[str, Any]:
    return {
        "kind": Kind.EYE,
        "device": eye,
        "value": value,
        "counts": counts,
        "flags": Flag.LATCHED,
        "t_ns": counts * MS,
    }


def middle_at(eye: int, carrier: int = 0) -> int:
    """Counts at which a carrier is at an eye for the first time: the ring is wider all the way round."""
    return AT[eye] * RING // 6000 + carrier * RING // N_CARRIERS


def flags(counts: int) -> list[int]:
    """The eyes by which a flag comes: the origin's, or a carrier's."""
    origin = [ORIGIN] if (counts - middle_at(ORIGIN)) % RING == 0 else []
    carriers = {(middle_at(CARRIER, k) - counts) % RING for k in range(N_CARRIERS)}
    return origin + ([CARRIER] if 0 in carriers else [])


class Ring:
    """A kernel, and the counts of a ring that turns at 1 m/s."""

    def __init__(self, snapshot: bytes | None = None, counts: int = 0) -> None:
        self.kernel = Kernel(layout("loop"), plan("loop", "loop"), snapshot=snapshot)
        self.counts = counts
        if snapshot is None:
            self.kernel.step(0, records(*nodes_up(2)))

    def run_to(self, counts: int, *edges: dict[str, Any]) -> list[Records]:
        """What is said until the ring has run so far; these edges are told as they come."""
        told = []
        while self.counts < counts:
            self.counts += 1
            rows = [edge for edge in edges if edge["counts"] == self.counts]
            rows += [edge(eye, 1, self.counts) for eye in flags(self.counts)]
            if rows or self.counts % 20 == 0:
                sample = {"kind": Kind.ENCODER, "counts": self.counts, "t_ns": self.counts * MS}
                told.append(self.kernel.step(self.counts * MS, records(sample, *rows)).copy())
        return told


@cache
def warm() -> tuple[bytes, int]:
    ring = Ring()
    ring.run_to(SECONDS_WARM * 1000)
    return ring.kernel.snapshot(), ring.counts


@pytest.mark.parametrize("off", range(-25, 26))
def test_one_load_is_seen_on_the_one_carrier_that_it_lies_on(off: int) -> None:
    """Laid so far off its carrier's middle: its edges are then somewhere about half way to the next carrier."""
    snapshot, counts = warm()
    carrier = 7
    middle = middle_at(AFTER, carrier)
    middle += -(-(counts + 600 - middle) // RING) * RING + off
    load = edge(AFTER, 1, middle - LENGTH // 2), edge(AFTER, 0, middle + LENGTH // 2)
    told = Ring(snapshot, counts).run_to(middle + RING // 6, *load)
    seen = [row for rows in told for row in rows if row["kind"] == Kind.LOADED]
    assert [(row["counts"], row["value"], row["reason"]) for row in seen] == [(carrier, 1, Reason.UNEXPECTED)]
