"""A nation's parcels for the benchmark: labels that the host has advised, in any order, at a hub of 300 chutes.

Everything follows from numbers: the same sizes give the same labels, destinations, order and decisions.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from hubctl.core.events import ChuteState, Kind, Records, empty
from hubctl.core.hubfile import Hub, resolve_hub
from hubctl.core.keys import Key
from hubctl.core.labels import compose_many
from hubctl.core.plan import SortPlan, resolve_plan
from hubctl.core.planrules import keyed_rules
from hubctl.core.preadvice import AdviceBook, PreAdvice

N_CHUNK = 1_000_000  # parcels drawn at once
N_ADVICE = 500_000  # labels told of at once
N_KEYS_OF_RULE = 97  # destinations under each rule of the plan
PLACES = 1000  # in each chute, until it is emptied
EMPTIED_EVERY = 100_000  # parcels
GAP_NS = 10_000  # between two parcels of a nation
UNKNOWN_EVERY = 64  # one label of so many was never advised
LABEL_SIZE = 16
MULTIPLIER = 0x9E3779B97F4A7C15  # of a multiplicative hash: the golden ratio in 64 bits

Texts = npt.NDArray[np.bytes_]


class Nation(NamedTuple):
    """A hub, a plan and labels that it knows."""

    hub: Hub
    plan: SortPlan
    labels: Texts  # S16, shape (n_labels,)
    unknown: Texts  # S16


def nation(n_labels: int) -> Nation:
    """The packaged cross-belt hub, with room for 1,000 parcels in each chute, and the packaged national plan."""
    hub = resolve_hub("crossbelt")
    chutes = [chute.model_copy(update={"count_max": PLACES}) for chute in hub.chutes]
    hub = hub.model_copy(update={"chutes": chutes})
    serials = np.arange(n_labels, dtype=np.int64)
    labels = compose_many("sf", serials).astype(f"S{LABEL_SIZE}")
    unknown = compose_many("sf", n_labels + np.arange(1024, dtype=np.int64)).astype(f"S{LABEL_SIZE}")
    return Nation(hub, resolve_plan("national", hub), labels, unknown)


def destinations(plan: SortPlan) -> Texts:
    """Keys of counties under every rule that has some."""
    prefixes = sorted(key.prefix for key in keyed_rules(plan) if key == Key("county", key.prefix))
    keys = [
        f"county:{prefix}{no:0{6 - len(prefix)}}"
        for prefix in prefixes
        for no in range(1, N_KEYS_OF_RULE + 1)
    ]
    return np.array([key.encode() for key in keys])


def advised(nation: Nation) -> AdviceBook:
    """A book in which every label has a destination."""
    keys = destinations(nation.plan)
    book = AdviceBook(len(nation.labels))
    for first in range(0, len(nation.labels), N_ADVICE):
        part = nation.labels[first : first + N_ADVICE]
        book.tell(PreAdvice(part, keys[scattered(first, len(part), len(keys))]))
    return book


def scattered(first: int, n: int, n_things: int) -> npt.NDArray[np.int64]:
    """For each of `n` numbers from the first on, one of so many things."""
    mixed = (np.arange(first, first + n, dtype=np.uint64) + np.uint64(1)) * np.uint64(MULTIPLIER)
    mixed ^= mixed >> np.uint64(29)
    mixed *= np.uint64(MULTIPLIER)
    return ((mixed >> np.uint64(33)) % np.uint64(n_things)).astype(np.int64)


def parcels(nation: Nation, n_parcels: int) -> Iterator[tuple[Texts, npt.NDArray[np.int64]]]:
    """Labels and times of parcels, chunk by chunk."""
    for first in range(0, n_parcels, N_CHUNK):
        n = min(N_CHUNK, n_parcels - first)
        labels = nation.labels[scattered(first, n, len(nation.labels))]
        labels[::UNKNOWN_EVERY] = nation.unknown[
            np.arange(len(labels[::UNKNOWN_EVERY])) % len(nation.unknown)
        ]
        yield labels, (first + np.arange(n, dtype=np.int64)) * GAP_NS


def emptyings(n_chutes: int, times_ns: npt.NDArray[np.int64]) -> Records:
    """What people do meanwhile: every chute is emptied again and again."""
    at_ns = np.repeat(times_ns[::EMPTIED_EVERY], n_chutes)
    inputs = empty(len(at_ns))
    inputs["kind"], inputs["value"], inputs["t_ns"] = Kind.OPERATE, ChuteState.OPEN, at_ns
    inputs["chute"] = np.tile(np.arange(n_chutes), len(at_ns) // n_chutes)
    return inputs
