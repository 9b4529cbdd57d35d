"""A heap of events: a key and a payload, the least first, in two arrays of the caller's."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from hubctl.sim.jitable import jitable

Longs = npt.NDArray[np.int64]


@jitable
def push(keys: Longs, payloads: Longs, n: int, key: int, payload: int) -> None:
    """Into a heap of (key, payload) that holds `n`."""
    at = n
    while at > 0:
        parent = (at - 1) >> 1
        if keys[parent] < key or (keys[parent] == key and payloads[parent] < payload):
            break
        keys[at] = keys[parent]
        payloads[at] = payloads[parent]
        at = parent
    keys[at] = key
    payloads[at] = payload


@jitable
def pop(keys: Longs, payloads: Longs, n: int) -> None:
    """Drops the first of a heap; `n` are left."""
    key, payload = keys[n], payloads[n]
    at, child = 0, 1
    while child < n:
        other = child + 1
        if other < n and (
            keys[other] < keys[child] or (keys[other] == keys[child] and payloads[other] < payloads[child])
        ):
            child = other
        if key < keys[child] or (key == keys[child] and payload < payloads[child]):
            break
        keys[at] = keys[child]
        payloads[at] = payloads[child]
        at, child = child, 2 * child + 1
    keys[at] = key
    payloads[at] = payload
