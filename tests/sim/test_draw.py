"""Draws are functions of seed, purpose and index, and of nothing else."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hubctl.sim import draw

MASK = 2**64 - 1


def split_mix(x: int) -> int:
    """One step of SplitMix64 in plain Python (Steele, Lea and Flood 2014), after the counter was added."""
    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9 & MASK
    x = (x ^ (x >> 27)) * 0x94D049BB133111EB & MASK
    return x ^ (x >> 31)


def test_bits_are_the_published_generators() -> None:
    """The first outputs of SplitMix64 from state 1234567, which are printed in many places."""
    published = [6457827717110365317, 3203168211198807973, 9817491932198370423]
    assert [split_mix((1234567 + k * 0x9E3779B97F4A7C15) & MASK) for k in (1, 2, 3)] == published
    key = int(draw._key(7, "size"))
    slow = [split_mix((key + k * 0x9E3779B97F4A7C15) & MASK) for k in range(1, 6)]
    assert draw.bits(7, "size", 5).tolist() == slow


@given(st.integers(0, 2**63), st.text(max_size=9), st.integers(0, 60), st.integers(0, 60))
def test_a_longer_row_begins_as_a_shorter_one(seed: int, purpose: str, n: int, more: int) -> None:
    assert draw.bits(seed, purpose, n + more)[:n].tolist() == draw.bits(seed, purpose, n).tolist()


@given(st.integers(0, 2**32), st.integers(-(10**12), 10**12), st.integers(0, 10**9))
def test_between_stays_between(seed: int, low: int, span: int) -> None:
    drawn = draw.between(seed, "x", 50, low, low + span)
    assert drawn.min() >= low
    assert drawn.max() <= low + span


@pytest.mark.parametrize(
    ("chance", "least", "most"), [(0, 0, 0), (1_000_000, 10_000, 10_000), (20_000, 150, 250)]
)
def test_chances_come_as_often_as_they_say(chance: int, least: int, most: int) -> None:
    assert least <= draw.happens(3, "x", 10_000, chance).sum() <= most


def test_weights_come_as_often_as_they_weigh() -> None:
    counts = np.bincount(draw.weighted(3, "x", 40_000, np.array([1, 0, 3])), minlength=3)
    assert counts[1] == 0
    assert 2.8 < counts[2] / counts[0] < 3.2


def test_seeds_and_purposes_differ() -> None:
    rows = {tuple(draw.bits(seed, purpose, 4).tolist()) for seed in range(20) for purpose in "abc"}
    assert len(rows) == 60
