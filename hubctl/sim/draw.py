"""Integers drawn by a seed: each draw is a function of (seed, purpose, index) and of nothing else.

There is no state to advance, so that taking one fault away changes no other draw. Integer arithmetic only.
"""

from __future__ import annotations

import hashlib

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]


def _key(seed: int, purpose: str) -> np.uint64:
    digest = hashlib.blake2b(f"{seed}:{purpose}".encode(), digest_size=8).digest()
    return np.uint64(int.from_bytes(digest, "little"))


def bits(seed: int, purpose: str, n: int) -> npt.NDArray[np.uint64]:
    """`n` 64-bit draws, shape (n,): SplitMix64 of the index, keyed by seed and purpose."""
    x = (np.arange(n, dtype=np.uint64) + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15) + _key(seed, purpose)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.asarray(x ^ (x >> np.uint64(31)))


def between(seed: int, purpose: str, n: int, low: int, high: int) -> Ints:
    """`n` integers from `low` to `high`, both included, shape (n,)."""
    span = np.uint64(high - low + 1)
    return np.asarray((bits(seed, purpose, n) >> np.uint64(11)) % span).astype(np.int64) + low


def happens(seed: int, purpose: str, n: int, per_million: int) -> npt.NDArray[np.bool_]:
    """Whether something with a chance of `per_million` happens, shape (n,)."""
    return between(seed, purpose, n, 0, 999_999) < per_million


def weighted(seed: int, purpose: str, n: int, weights: Ints) -> Ints:
    """`n` indices into `weights`, each as often as its weight says, shape (n,)."""
    bounds = np.cumsum(weights)
    picks = between(seed, purpose, n, 0, int(bounds[-1]) - 1)
    return np.searchsorted(bounds, picks, side="right").astype(np.int64)
