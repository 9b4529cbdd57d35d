"""Windows, lengths, counters and belts without an encoder, against arithmetic by hand and a slow model."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from line_hub import MS, label, layout, nodes_up, nothing, plan, read, records
from slow_model import window as window_of

from hubctl._kernel import Kernel
from hubctl.core.events import NO_INDEX, Alarm, Disposition, Flag, Kind, Reason, Records
from hubctl.core.tables import Layout

MID = 1
WINDOW = 80
MID_MM, INDUCT_MM = 1400, 100


def edge(eye: int, value: int, at: int, start: int = 0, bits: int = 32) -> dict[str, Any]:
    """An edge after the belt has run `at` counts at its design speed."""
    return {
        "kind": Kind.EYE,
        "device": eye,
        "value": value,
        "counts": (start + at) & ((1 << bits) - 1),
        "flags": Flag.LATCHED,
        "t_ns": at * MS,
    }


def sample(counts: int, t_ns: int = MS) -> dict[str, Any]:
    return {"kind": Kind.ENCODER, "counts": counts, "t_ns": t_ns}


def kernel_with(
    parcels: list[tuple[int, int]], start: int = 0, bits: int = 32, made: Layout | None = None
) -> Kernel:
    """Parcels (leading edge at the induct eye after so many counts, length), all of them opened."""
    kernel = Kernel(made or layout(counter_bits=bits), plan())
    mask = (1 << bits) - 1
    kernel.step(0, records(*nodes_up(2), sample(start & mask, 0)))
    for at, length in parcels:
        rows = [edge(0, 1, at, start, bits), edge(0, 0, at + length, start, bits)]
        kernel.step(MS, records(*rows))
    return kernel


rows_of_parcels = st.lists(st.tuples(st.integers(21, 300), st.integers(50, 400)), min_size=1, max_size=4)


def placed(gaps_and_lengths: list[tuple[int, int]]) -> list[tuple[int, int]]:
    at, parcels = 100, []
    for gap, length in gaps_and_lengths:
        parcels.append((at + gap, length))
        at += gap + length
    return parcels


@given(rows_of_parcels, st.integers(-120, 120))
@settings(max_examples=200, deadline=None)
def test_an_edge_is_the_first_parcels_within_its_window_and_a_strays_beyond(
    row: list[tuple[int, int]], error: int
) -> None:
    parcels = placed(row)
    kernel = kernel_with(parcels)
    counts = parcels[0][0] + MID_MM - INDUCT_MM + error
    said = kernel.step(2 * MS, records(edge(MID, 1, counts)))
    window = window_of(parcels, 0, error, WINDOW, WINDOW)
    seen = said[said["kind"] == Kind.SEEN]
    if abs(error) <= window:
        assert seen["parcel"].tolist() == [1]
        assert seen["limit"].tolist() == [window]
        assert seen["error_um"].tolist() == [error * 1000]
    else:
        opened = said[said["kind"] == Kind.OPENED]
        assert 1 not in seen["parcel"]
        assert len(seen) + len(opened) == 1
        later = kernel.step(2 * MS, records(edge(MID, 0, counts + parcels[0][1])))
        assert error < 0 or Kind.CLOSED in later["kind"] or 2 in seen["parcel"]


@given(rows_of_parcels, st.data())
@settings(max_examples=100, deadline=None)
def test_each_parcel_is_seen_for_itself_though_each_slipped_within_its_window(
    row: list[tuple[int, int]], data: st.DataObject
) -> None:
    """The window shrinks with the gaps that are left when the ones ahead have been seen where they are."""
    parcels = placed(row)
    kernel = kernel_with(parcels)
    slips = [0]
    for k in range(len(parcels)):
        known = [(at + slip, length) for (at, length), slip in zip(parcels, slips, strict=False)]
        window = window_of([*known[:k], *parcels[k:]], k, 0, WINDOW, WINDOW)
        slip = data.draw(st.integers(-window, window))
        counts = parcels[k][0] + MID_MM - INDUCT_MM + slip
        said = kernel.step(2 * MS, records(edge(MID, 1, counts), edge(MID, 0, counts + parcels[k][1])))
        assert said["parcel"][said["kind"] == Kind.SEEN].tolist() == [k + 1]
        slips[k:] = [slip, 0]
    assert kernel.n_open == len(parcels)


@given(rows_of_parcels, st.integers(-150, 150), st.integers(1, 120), st.integers(1, 120))
@settings(max_examples=150, deadline=None)
def test_a_window_has_two_sides(row: list[tuple[int, int]], error: int, before: int, after: int) -> None:
    parcels, made = placed(row), layout()
    made.eyes["window_before_counts"], made.eyes["window_counts"] = before, after
    kernel = kernel_with(parcels, made=made)
    said = kernel.step(2 * MS, records(edge(MID, 1, parcels[0][0] + MID_MM - INDUCT_MM + error)))
    window = window_of(parcels, 0, error, before, after)
    is_seen = 1 in said["parcel"][said["kind"] == Kind.SEEN]
    assert is_seen == (abs(error) <= window)
    assert not is_seen or window in said["limit"][said["kind"] == Kind.SEEN]


EDGES = [(bits, power) for bits in (16, 24, 32) for power in range(1, bits + 1)]


@pytest.mark.parametrize(("bits", "power"), EDGES)
@pytest.mark.parametrize("off", [-1, 0, 1])
def test_a_counter_goes_on_over_every_power_of_two(bits: int, power: int, off: int) -> None:
    """A parcel inducted just before 2**power (as the counter shows it) is seen just after."""
    start = (1 << power) - 700 + off
    parcels = [(500, 300)]
    kernel = kernel_with(parcels, start=start, bits=bits)
    said = kernel.step(2 * MS, records(edge(MID, 1, 500 + MID_MM - INDUCT_MM, start, bits)))
    seen = said[said["kind"] == Kind.SEEN]
    assert seen["error_um"].tolist() == [0]


@pytest.mark.parametrize(("bits", "power"), EDGES[3::4])
@pytest.mark.parametrize("off", [-1, 0, 1])
def test_a_counter_that_begins_anew_takes_its_parcels_with_it_and_goes_on(
    bits: int, power: int, off: int
) -> None:
    """Reset just before or after 2**power: who was on the belt is flushed, and who comes then is seen in its place."""
    mask = (1 << bits) - 1
    start = ((1 << power) - 1000 + off) & mask
    kernel = kernel_with([(500, 300)], start=start, bits=bits)
    shown = (start + 32_000) & mask  # half a turn of the smallest counter away, less a little
    kernel.step(900 * MS, records(sample((start + 900) & mask, 900 * MS)))
    flushed = kernel.step(920 * MS, records(sample(shown, 910 * MS), sample((shown + 10) & mask, 920 * MS)))
    assert flushed["reason"][flushed["kind"] == Kind.CLOSED].tolist() == [Reason.FLUSHED]
    assert kernel.n_open == 0
    rows = [(0, 1, 1000), (0, 0, 1300), (MID, 1, 2300)]
    said = [
        kernel.step(
            at * MS,
            records(sample((shown - 910 + at) & mask, at * MS), edge(eye, value, at, shown - 910, bits)),
        )
        for eye, value, at in rows
    ]
    seen = np.concatenate(said)
    assert seen["error_um"][seen["kind"] == Kind.SEEN].tolist() == [0]


@given(st.integers(100, 900), st.integers(100, 900))
@settings(max_examples=100, deadline=None)
def test_another_length_is_another_parcel(inducted: int, passing: int) -> None:
    kernel = kernel_with([(200, inducted)])
    counts = 200 + MID_MM - INDUCT_MM
    beyond = counts + 1500
    rows = [sample(beyond, beyond * MS), sample(beyond + 1, (beyond + 1) * MS)]
    said = kernel.step(2 * MS, records(edge(MID, 1, counts), edge(MID, 0, counts + passing), *rows))
    closed = said[said["kind"] == Kind.CLOSED]
    assert (len(closed) == 1) == (abs(passing - inducted) > 60)
    assert kernel.n_open == 1


def passing_with(kernel: Kernel, errors: list[int], start: int = 1000) -> Records:
    """One parcel of 200 a metre behind the other, each seen at the next eye so much too late."""
    rows = []
    for k, error in enumerate(errors):
        at = start + 1000 * k
        come = at + MID_MM - INDUCT_MM + error
        rows += [edge(0, 1, at), edge(0, 0, at + 200), edge(MID, 1, come), edge(MID, 0, come + 200)]
    rows.sort(key=lambda row: row["t_ns"])
    said = [kernel.step(row["t_ns"], records(sample(row["counts"], row["t_ns"]), row)) for row in rows]
    return np.concatenate(said)


def test_a_pulse_of_another_length_is_proposed_once() -> None:
    kernel = Kernel(layout(), plan())
    kernel.step(0, records(*nodes_up(2), sample(0, 0)))
    said = passing_with(kernel, [10] * 140)
    drifted = said[said["kind"] == Kind.DRIFTED]
    assert drifted["value"].tolist() == [1008]  # 10 counts in 1300 more than 1000 a metre
    assert drifted["limit"].tolist() == [1000]
    assert Alarm.BELT_DRIFTS not in said["value"][said["kind"] == Kind.ALARM_RAISED]


def test_a_belt_drifts_while_errors_eat_half_of_the_windows() -> None:
    kernel = Kernel(layout(), plan())
    kernel.step(0, records(*nodes_up(2), sample(0, 0)))
    said = passing_with(kernel, [60] * 30 + [30] * 10 + [0] * 40)
    told = said[np.isin(said["kind"], (Kind.ALARM_RAISED, Kind.ALARM_CLEARED))]
    drifts = told[told["value"] == Alarm.BELT_DRIFTS]
    assert drifts["kind"].tolist() == [Kind.ALARM_RAISED, Kind.ALARM_CLEARED]


def follow(kernel: Kernel, until_ns: int, inputs: dict[int, list[dict[str, Any]]]) -> Records:
    """Steps at the inputs' times and at the kernel's deadlines, and at no others."""
    said, now_ns = [], 0
    while now_ns < until_ns:
        now_ns = min(
            [*(t_ns for t_ns in inputs if t_ns > now_ns), max(kernel.next_deadline(), now_ns + 1), until_ns]
        )
        said.append(kernel.step(now_ns, records(*inputs.get(now_ns, []))))
    return np.concatenate(said)


def timed_edge(eye: int, value: int, at_ms: int) -> dict[str, Any]:
    return {"kind": Kind.EYE, "device": eye, "value": value, "t_ns": at_ms * MS}


def test_a_belt_without_encoder_needs_no_ticks() -> None:
    """Its deadlines alone bring the commit and the fire in time."""
    kernel = Kernel(layout(encoder_node=NO_INDEX), plan())
    inputs = {
        1 * MS: nodes_up(2),
        1000 * MS: [timed_edge(0, 1, 1000)],
        1300 * MS: [timed_edge(0, 0, 1300)],
        1600 * MS: [read(0, label("1"), 1600 * MS)],
        2300 * MS: [timed_edge(MID, 1, 2300)],
        2600 * MS: [timed_edge(MID, 0, 2600)],
    }
    said = follow(kernel, 3000 * MS, inputs)
    fires = said[said["kind"] == Kind.FIRE_OUTPUT]
    assert fires["t_ns"].tolist() == [2940 * MS]
    assert said["flags"][said["kind"] == Kind.OPENED].tolist() == [Flag.TIMED]


def test_an_empty_belt_without_encoder_waits_for_nothing() -> None:
    kernel = Kernel(layout(encoder_node=NO_INDEX), plan())
    kernel.step(MS, records(*nodes_up(2)))
    assert kernel.next_deadline() == 2**63 - 1


def test_a_fired_parcel_that_reaches_a_near_end_eye_is_not_yet_sorted() -> None:
    """The end eye stands 100 mm behind the diverter: a parcel comes to it whether or not it is diverted."""
    made = layout()
    made.eyes["at_counts"][3] = 3700
    kernel = Kernel(made, plan())
    steps: dict[int, list[dict[str, Any]]] = {
        at: [{**timed_edge(eye, value, at), "counts": at, "flags": Flag.LATCHED}]
        for at, eye, value in [
            (1000, 0, 1),
            (1300, 0, 0),
            (2300, 1, 1),
            (2600, 1, 0),
            (3900, 2, 1),
            (4200, 2, 0),
            (4600, 3, 1),
        ]
    }
    steps[1600] = [read(0, label("4"), 1600 * MS)]
    said = [kernel.step(0, records(*nodes_up(2)))]
    for at in range(5, 5200, 5):
        said.append(kernel.step(at * MS, records(*steps.get(at, []), sample(at, at * MS))))
    said.append(kernel.step(5200 * MS, nothing()))
    told = np.concatenate(said)
    assert told["t_ns"][told["kind"] == Kind.FIRE_OUTPUT].tolist() == [4540 * MS]
    closed = told[told["kind"] == Kind.CLOSED]
    assert closed["value"].tolist() == [Disposition.LOST]
