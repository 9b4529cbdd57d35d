"""The kernel's contract: the same inputs give the same bytes, however they are cut up and from any snapshot on."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

import numpy as np
import pytest
from any_input import any_input
from golden import TRACES, Stage, load
from hypothesis import given, settings
from hypothesis import strategies as st
from line_hub import MS, layout, nodes_up, nothing, plan, records

from hubctl._kernel import Kernel
from hubctl.core.events import Kind, Records

STORIES = [
    "chute_fills_midway",
    "parcel_taken_off",
    "late_answer_is_doubted",
    "node_goes_down_and_comes_back",
    "weighed_for_its_diverter",
    "host_answers_too_late",
]
HUBS = {"weighed_for_its_diverter": "dws", "host_answers_too_late": "dws"}
FOREVER_NS = 2**63 - 1

Steps = list[tuple[int, Records]]


@cache
def steps_of(name: str) -> Steps:
    """Every step that a golden trace takes."""
    steps: Steps = []

    class Recorder(Stage):
        def _feed(self, now_ns: int, given: Records) -> Records:
            steps.append((now_ns, given))
            return super()._feed(now_ns, given)

    Recorder(load(TRACES / f"{name}.txt")).perform(load(TRACES / f"{name}.txt").script)
    return steps


def run(kernel: Kernel, steps: Steps) -> bytes:
    return b"".join(kernel.step(now_ns, given).tobytes() for now_ns, given in steps)


def fresh(hub: str = "line", snapshot: bytes | None = None) -> Kernel:
    return Kernel(layout(hub), plan(hub, hub), n_tracks_max=16, snapshot=snapshot)


@pytest.mark.parametrize("name", STORIES)
def test_a_kernel_from_a_snapshot_goes_on_as_the_first_would(name: str) -> None:
    steps = steps_of(name)
    hub = HUBS.get(name, "line")
    first = fresh(hub)
    for cut in range(0, len(steps), 97):
        run(first, steps[max(cut - 97, 0) : cut])
        second, third = fresh(hub, first.snapshot()), fresh(hub, first.snapshot())
        assert run(second, steps[cut:]) == run(third, steps[cut:])
        assert second.state_hash() == third.state_hash()
        assert second.next_deadline() == third.next_deadline()
    run(first, steps[cut:])
    assert first.state_hash() == second.state_hash()


def one_by_one(steps: Steps) -> Iterator[tuple[int, Records]]:
    for now_ns, rows in steps:
        for k in range(max(len(rows), 1)):
            yield now_ns, rows[k : k + 1]


@pytest.mark.parametrize("name", STORIES)
def test_inputs_may_come_together_or_one_by_one(name: str) -> None:
    """A recording need not say which inputs shared a step."""
    hub = HUBS.get(name, "line")
    together, apart = fresh(hub), fresh(hub)
    assert run(together, steps_of(name)) == run(apart, list(one_by_one(steps_of(name))))
    assert together.state_hash() == apart.state_hash()


@pytest.mark.parametrize("hub", ["line", "dws"])
@given(story=st.lists(st.lists(any_input, max_size=6), max_size=30))
@settings(max_examples=100, deadline=None)
def test_any_inputs_may_come_together_or_one_by_one(hub: str, story: list[list[dict[str, Any]]]) -> None:
    steps = [(k * 100 * MS, records(*nodes_up(2), *rows)) for k, rows in enumerate(story)]
    together, apart = fresh(hub), fresh(hub)
    assert run(together, steps) == run(apart, list(one_by_one(steps)))
    assert together.state_hash() == apart.state_hash()


def test_a_tick_says_nothing_and_changes_only_the_time() -> None:
    kernel = fresh()
    steps = steps_of("parcel_taken_off")
    run(kernel, steps[:300])
    now_ns = steps[299][0]
    before = kernel.state_hash()
    assert len(kernel.step(now_ns, nothing())) == 0
    assert kernel.state_hash() == before


def test_an_idle_kernel_waits_for_nothing() -> None:
    kernel = fresh()
    assert kernel.next_deadline() == FOREVER_NS
    kernel.step(0, records(*nodes_up(2)))
    assert kernel.next_deadline() == FOREVER_NS


def crowd(n_parcels: int, *, gap_counts: int = 5) -> list[dict[str, Any]]:
    """Inputs that open `n_parcels` tracks at the induct eye, each 100 counts long."""
    rows: list[dict[str, Any]] = []
    for k in range(n_parcels):
        at = k * (100 + gap_counts)
        rows.append({"kind": Kind.EYE, "value": 1, "counts": at, "t_ns": MS})
        rows.append({"kind": Kind.EYE, "value": 0, "counts": at + 100, "t_ns": MS})
    return rows


def test_a_jump_over_thousands_of_parcels_loses_each_once_and_seizes_nobody() -> None:
    """One edge far down the belt after nobody was seen for long: it is a stray's, not the last one's."""
    n_parcels = 6000
    kernel = Kernel(layout(), plan(), n_tracks_max=n_parcels + 1)
    kernel.step(0, records(*nodes_up(2), {"kind": Kind.ENCODER, "counts": 0}))
    for k in range(0, 2 * n_parcels, 200):
        kernel.step(MS, records(*crowd(n_parcels)[k : k + 200]))
    far = {"kind": Kind.EYE, "device": 2, "value": 1, "counts": 2_000_000, "t_ns": 2 * MS}
    said = [kernel.step(2 * MS, records(far))]
    while kernel.next_deadline() <= 2 * MS:
        said.append(kernel.step(2 * MS, nothing()))
    told = np.concatenate(said)
    assert (told["kind"] == Kind.SEEN).sum() == 0
    assert kernel.n_evidence_lost == 0


@given(st.lists(st.integers(0, 4000), min_size=1, max_size=60, unique=True), st.integers(0, 2**32 - 1))
@settings(max_examples=60, deadline=None)
def test_timers_come_in_the_order_of_their_counts(pitches: list[int], start: int) -> None:
    """The wheel against a sorted list: whom nobody sees is lost at the second eye that misses it, in order."""
    kernel = Kernel(layout(), plan(), n_tracks_max=64)
    kernel.step(0, records(*nodes_up(2), {"kind": Kind.ENCODER, "counts": start}))
    due: list[int] = []
    at = start
    for k, pitch in enumerate(sorted(pitches)):
        at = start + pitch + 130 * k
        edges = [
            {"kind": Kind.EYE, "value": value, "counts": edge % 2**32, "t_ns": (edge - start) * MS}
            for value, edge in ((1, at), (0, at + 100))
        ]
        kernel.step(MS, records(*edges))
        due.append(at)
    told_late = int(layout().belts["told_late_ns"][0]) * 1000 // 10**9
    lost: list[tuple[int, int]] = []
    for counts in range(start, at + 4000, 7):
        now_ns = 2 * MS + (counts - start) * MS
        said = kernel.step(now_ns, records({"kind": Kind.ENCODER, "counts": counts % 2**32, "t_ns": now_ns}))
        lost += [(counts, int(parcel)) for parcel in said["parcel"][said["kind"] == Kind.CLOSED]]
    assert [parcel for _, parcel in lost] == list(range(1, len(due) + 1))
    for (counts, _), leading in zip(lost, due, strict=True):
        expected = leading + 2900 + 80 + told_late
        assert expected <= counts <= expected + 7


def test_what_chutes_hold_and_keep_places_for_is_told() -> None:
    kernel = Kernel(layout(), plan())
    loads = kernel.chute_loads()
    assert loads.shape == (len(layout().chutes), 3)
    assert not loads.any()
