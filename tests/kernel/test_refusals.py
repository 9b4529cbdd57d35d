"""What the kernel refuses: inputs of devices it does not have, tables, plans and snapshots that do not fit."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from any_input import any_input
from hypothesis import given, settings
from hypothesis import strategies as st
from line_hub import MS, label, layout, nodes_up, nothing, plan, read, records

from hubctl._kernel import Kernel
from hubctl.core.events import NO_INDEX, RECORD, TEXT_MAX, Kind, Reason
from hubctl.core.tables import Layout

N_EYES, N_SCANNERS, N_CHUTES, N_NODES = 4, 2, 6, 2
BARE = 4  # the chute without a confirm eye


def kernel(hub: str = "line") -> Kernel:
    made = Kernel(layout(hub), plan(hub, hub))
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
        {"kind": Kind.EYE_IN_USE, "device": N_EYES, "value": 1},
        {"kind": Kind.DIVERTER, "device": 3, "value": 1},
        {"kind": Kind.HOME, "device": 3},
        {"kind": Kind.WEIGHT, "device": 0, "value": 500},
        {"kind": Kind.SIZE, "device": 0, "value": 1, "limit": 1, "seq": 1},
        {"kind": Kind.HOST_ANSWER, "seq": 1, "reason": Reason.OK, "value": -1},
        {"kind": Kind.HOST_ANSWER, "seq": 1, "reason": Reason.OK, "chute": N_CHUTES},
        {"kind": Kind.HOST_ANSWER, "seq": 1, "reason": Reason.LOST},
        {"kind": Kind.MACHINE, "value": 2},
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


@pytest.mark.parametrize(
    "row",
    [
        {"kind": Kind.WEIGHT, "device": 2, "value": 500},
        {"kind": Kind.WEIGHT, "device": 0, "value": 0},
        {"kind": Kind.WEIGHT, "device": 0, "value": 10_000_001},
        {"kind": Kind.SIZE, "device": 1, "value": 1, "limit": 0, "seq": 1},
        {"kind": Kind.SIZE, "device": 1, "value": 1, "limit": 1, "seq": 100_001},
        {"kind": Kind.SIZE, "device": 1, "value": 2**62, "limit": 1, "seq": 1},
    ],
    ids=str,
)
def test_a_weight_that_nothing_has_is_refused(row: dict[str, Any]) -> None:
    made = kernel("dws")
    assert len(made.step(MS, records(row))) == 0
    assert made.n_inputs_refused == 1


@pytest.mark.parametrize("hub", ["line", "dws"])
@given(story=st.lists(st.lists(any_input, max_size=6), max_size=30))
@settings(max_examples=100, deadline=None)
def test_impossible_stories_are_survived(hub: str, story: list[list[dict[str, Any]]]) -> None:
    """Devices of this hub that say anything at any time: each track still opens once and closes once."""
    made = kernel(hub)
    opened, closed = [], []
    for k, rows in enumerate(story):
        said = made.step(k * 100 * MS, records(*rows))
        opened += said["parcel"][said["kind"] == Kind.OPENED].tolist()
        closed += said["parcel"][said["kind"] == Kind.CLOSED].tolist()
    assert opened == list(range(1, len(opened) + 1))
    assert len(set(closed)) == len(closed)
    assert set(closed) <= set(opened)
    assert made.n_open == len(opened) - len(closed)


def changed(table: str, column: str, value: int) -> Layout:
    made = layout("dws" if table == "scales" else "line")
    getattr(made, table)[column][0] = value
    return made


@pytest.mark.parametrize(
    ("table", "column", "value", "said"),
    [
        ("belts", "end_chute", N_CHUTES, "belts.end_chute = 6: must be below 6"),
        ("belts", "end_chute", 0, "must be a chute without a diverter"),
        ("belts", "encoder_node", N_NODES, "belts.encoder_node = 2: must be below 2 or none"),
        ("belts", "counter_bits", 0, "belts.counter_bits = [0]: must be 1 to 48"),
        ("belts", "counts_per_m", 0, "belts.counts_per_m = [0]: must be 1 or more"),
        ("eyes", "belt", 1, "eyes.belt = 1: must be below 1"),
        ("eyes", "node", NO_INDEX, "eyes.node = 65535: must be below 2"),
        ("eyes", "at_counts", 1401, "layout.eyes: must be sorted by belt and position"),
        ("scanners", "belt", 9, "scanners.belt = 9: must be below 1"),
        ("scales", "belt", 9, "scales.belt = 9: must be below 1"),
        ("diverters", "at_counts", 9999, "layout.diverters: must be sorted"),
        ("diverters", "node", 2, "diverters.node = 2: must be below 2"),
        ("chutes", "diverter", 3, "chutes.diverter = 3: must be below 3 or none"),
        ("chutes", "node", NO_INDEX, "chutes.node = 65535: must be below 2"),
        ("chutes", "confirm_node", NO_INDEX, "chutes.confirm_node = 65535: must be below 2"),
    ],
)
def test_a_table_that_leads_astray_is_refused(table: str, column: str, value: int, said: str) -> None:
    with pytest.raises(ValueError, match=re.escape(said)):
        Kernel(changed(table, column, value))


def test_a_table_of_another_dtype_is_refused() -> None:
    made = layout()
    with pytest.raises(ValueError, match=r"layout\.eyes: a table of dtype .* must be EYE"):
        Kernel(made._replace(eyes=made.belts))


@pytest.mark.parametrize("n_tracks_max", [0, -1, 1_000_001])
def test_a_limit_out_of_range_is_refused(n_tracks_max: int) -> None:
    with pytest.raises(ValueError, match=f"n_tracks_max = {n_tracks_max}: must be 1 to 1000000"):
        Kernel(layout(), n_tracks_max=n_tracks_max)


def test_inputs_of_another_dtype_are_refused() -> None:
    with pytest.raises(ValueError, match="must be RECORD"):
        kernel().step(MS, np.zeros(1, np.int64))


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("version", 0, "needs a version"),
        ("first", np.array([0], np.int32), "lanes whose chutes are among its chutes"),
        ("first", np.array([0, 0, 7], np.int32), "lane 0 has no chute"),
        ("first", np.array([0, 3, 8], np.int32), "lanes whose chutes are among its chutes"),
        ("chutes", np.full(7, N_CHUTES, np.uint16), "plan.chutes = 6: must be below 6"),
        ("exceptions", np.full(len(Reason), 6, np.uint16), "plan.exceptions = 6: must be below 6 or none"),
        ("exceptions", np.full(3, NO_INDEX, np.uint16), "3 entries, must be 35, one a reason"),
    ],
)
def test_a_plan_that_leads_astray_is_refused_and_the_old_one_stays(field: str, value: Any, said: str) -> None:
    made = kernel()
    with pytest.raises(ValueError, match=re.escape(said)):
        made.swap_plan(plan()._replace(**{field: value}))
    assert made.state_hash() == kernel().state_hash()


def damaged(snapshot: bytes, at: int) -> bytes:
    return snapshot[:at] + bytes([snapshot[at] ^ 1]) + snapshot[at + 1 :]


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda snapshot: b"", "a snapshot of 0 bytes"),
        (lambda snapshot: snapshot[:-1], "this layout and limit need"),
        (lambda snapshot: damaged(snapshot, 16), "of this version"),
        (lambda snapshot: damaged(snapshot, 0), "is damaged"),
        (lambda snapshot: damaged(snapshot, len(snapshot) // 2), "is damaged"),
    ],
    ids=["empty", "short", "version", "digest", "middle"],
)
def test_a_snapshot_that_does_not_fit_is_refused(spoil: Callable[[bytes], bytes], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Kernel(layout(), snapshot=spoil(kernel().snapshot()))


def test_a_snapshot_of_another_hub_is_refused() -> None:
    with pytest.raises(ValueError, match="is of another layout"):
        Kernel(changed("diverters", "at_counts", 1990), snapshot=kernel().snapshot())


def test_a_label_for_a_lane_that_the_plan_lacks_has_no_lane() -> None:
    """The label table of another, larger plan."""
    larger, smaller = plan(), plan("other")
    made = Kernel(layout(), smaller._replace(labels=larger.labels))
    made.step(0, records(*nodes_up(N_NODES), {"kind": Kind.ENCODER, "counts": 0}))
    made.step(MS, records({"kind": Kind.EYE, "value": 1, "counts": 0, "t_ns": MS}))
    said = made.step(
        450 * MS,
        records({"kind": Kind.ENCODER, "counts": 450, "t_ns": 450 * MS}, read(0, label("5"), 450 * MS)),
    )
    assert said["reason"][said["kind"] == Kind.READ_PLACED] == [Reason.NO_LANE]
