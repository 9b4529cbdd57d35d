"""The judge of a node's fires finds what is wrong, and its stops are a function of their seed."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "bench"))

from node_stories.stops import PITCH_COUNTS, On, draws, judge, lateness

START = 5000


def on(parcel: int, *, off_counts: int = 0, off_diverter: int = 0, late_us: int = 0) -> On:
    """The output of a parcel, from 1, at 6,000 counts a second."""
    counts = START + (parcel - 1) * PITCH_COUNTS + off_counts
    return On((parcel + off_diverter) % 16, counts, 77 + counts * 500 // 3 + late_us)


def test_what_is_right() -> None:
    assert judge([on(1), on(2, off_counts=1), on(17, off_counts=-1)], START, 17) == (0, 1)


def test_what_is_wrong() -> None:
    assert judge([on(1, off_counts=2)], START, 3) == (1, 2)
    assert judge([on(1, off_diverter=1)], START, 3) == (1, 0)
    assert judge([on(4)], START, 3) == (1, 0)


def test_lateness_is_measured_by_the_promptest() -> None:
    assert lateness([on(1, late_us=300), on(2), on(3, late_us=900)]) == [0, 300, 900]


def test_stops_are_drawn_by_their_seed() -> None:
    assert draws(1) == draws(1) != draws(2)
    assert len(set(draws(1))) > 1000
