"""What the kernel refuses: inputs of devices it does not have, tables, plans and snapshots that do not fit."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from line_hub import MS, layout, nodes_up, nothing, plan, records

from hubctl._kernel import Kernel
from hubctl.core.events import NO_INDEX, RECORD, TEXT_MAX, Kind, Reason

N_EYES, N_SCANNERS, N_CHUTES, N_NODES = 4, 2, 6, 2
BARE = 4  # the chute without a confirm eye


def kernel() -> Kernel:
    made = Kernel(layout(), plan())
    made.step(0, records(*nodes_up(N_NODES)))
    return made


@pytest.mark.parametrize(
    "row",
    [
        {"kind": Kind.EYE, "device": N_EYES, "value": 1},
        {"kind": Kind.ENCODER, "device": 1, "counts": 0},
        {"kind": Kind.READ, "device": N_SCANNERS},
        {"kind": Kind.READ, "device": 0, "n_text": TEXT_MAX + 1},
        {"kind": Kind.CONFIRM, "chute": N_CHUTES, "value": 1},
        {"kind": Kind.CONFIRM, "chute": BARE, "value": 1},
        {"kind": Kind.CHUTE_LEVEL, "chute": NO_INDEX, "value": 1},
        {"kind": Kind.OPERATE, "chute": 0, "value": 7},
        {"kind": Kind.OPERATE, "chute": 0, "value": -1},
        {"kind": Kind.OPERATE, "chute": N_CHUTES, "value": 0},
        {"kind": Kind.FIRE_RESULT, "chute": NO_INDEX, "reason": Reason.OK},
        {"kind": Kind.FIRE_RESULT, "chute": 0, "reason": len(Reason)},
        {"kind": Kind.NODE, "device": N_NODES, "value": 1},
        {"kind": Kind.FIRE_OUTPUT},
        {"kind": 0},
        {"kind": 65535},
    ],
    ids=str,
)
def test_an_input_of_nothing_is_counted_and_changes_nothing(row: dict[str, Any]) -> None:
    refusing, spared = kernel(), kernel()
    assert len(refusing.step(MS, records(row))) == 0
    spared.step(MS, nothing())
    assert refusing.n_inputs_refused == 1
    assert spared.n_inputs_refused == 0
    good = records(
        {"kind": Kind.ENCODER, "counts": 5, "t_ns": 2 * MS}, {"kind": Kind.EYE, "value": 1, "counts": 7}
    )
    assert refusing.step(2 * MS, good).tobytes() == spared.step(2 * MS, good).tobytes()


def test_a_counter_beyond_its_bits_ends_no_step() -> None:
    """A first count of 2**63 - 1 once turned the wheel for ever."""
    made = kernel()
    made.step(MS, records({"kind": Kind.ENCODER, "counts": 2**63 - 1, "t_ns": MS}))
    said = made.step(2 * MS, records({"kind": Kind.EYE, "value": 1, "counts": 4, "t_ns": 2 * MS}))
    assert said["counts"][0] == 2**32 + 4


@given(st.lists(st.binary(min_size=128, max_size=128), min_size=1, max_size=40))
@settings(max_examples=200, deadline=None)
def test_garbage_is_survived(rows: list[bytes]) -> None:
    """Any bytes at all: the kernel goes on, and what it says is of this hub."""
    made = kernel()
    said = made.step(MS, np.frombuffer(b"".join(rows), RECORD))
    assert set(said["kind"].tolist()) <= {int(kind) for kind in Kind}


kinds = st.sampled_from([1, 2, 3, 4, 5, 6, 7, 8, 9, 10])
small = st.integers(0, 8)
inputs = st.fixed_dictionaries(
    {
        "kind": kinds,
        "device": small,
        "chute": small,
        "value": st.integers(-1, 7),
        "counts": st.one_of(st.integers(-(2**63), 2**63 - 1), st.integers(0, 5000)),
        "t_ns": st.integers(0, 10_000 * MS),
        "reason": st.integers(0, 40),
        "seq": small,
        "n_text": st.integers(0, 60),
        "text": st.sampled_from([b"", b"420100019400111206206406260787", b"X" * 56]),
    }
)


@given(st.lists(st.lists(inputs, max_size=6), max_size=30))
@settings(max_examples=100, deadline=None)
def test_impossible_stories_are_survived(story: list[list[dict[str, Any]]]) -> None:
    """Devices of this hub that say anything at any time: each track still opens once and closes once."""
    made = kernel()
    opened, closed = [], []
    for k, rows in enumerate(story):
        said = made.step(k * 100 * MS, records(*rows))
        opened += said["parcel"][said["kind"] == Kind.OPENED].tolist()
        closed += said["parcel"][said["kind"] == Kind.CLOSED].tolist()
    assert opened == list(range(1, len(opened) + 1))
    assert len(set(closed)) == len(closed)
    assert set(closed) <= set(opened)
    assert made.n_open == len(opened) - len(closed)
