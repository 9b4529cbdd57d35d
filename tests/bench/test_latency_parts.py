"""The latency benchmark's parts work: valid labels, right matching, programs that answer each read.

Nothing here is timed: how fast a program is, is for a person to run and read.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "bench"))

from latency.cells import Cell, run_cell
from latency.figures import Figures, Run, combined, figures, match_lane
from latency.load import N_WITHOUT_SILENT, SILENT_EVERY, SILENT_LANE, gs1_check_digit, label, make_load

MS = 1_000_000

needs_cc = pytest.mark.skipif(shutil.which("cc") is None, reason="needs a C compiler")


def times_ns(*times_ms: int) -> np.ndarray:
    return np.array(times_ms, np.int64) * MS


def run(sent_ms: list[int], on_ms: list[int], on_lanes: list[int] | None = None) -> Run:
    """Reads of lane 0, and writes of lane 0 unless said otherwise."""
    return Run(
        sent_ns=times_ns(*sent_ms),
        sent_lanes=np.zeros(len(sent_ms), np.int64),
        on_ns=times_ns(*on_ms),
        on_lanes=np.array(on_lanes or [0] * len(on_ms)),
        n_off=0,
        end_ns=1000 * MS,
        cpu_ns=0,
    )


def measured(us: float) -> Figures:
    """One repeat of ten reads, each answered after so long."""
    return Figures(10, 10, 0, 10, us, us, us, us, cpu_us_per_read=1.0, done_per_s=50.0, saturated=False)


def test_the_check_digit_is_that_of_printed_labels() -> None:
    assert gs1_check_digit("940011120620640626078") == 7
    assert gs1_check_digit("0037613032110910342"[2:]) == 0


def test_labels_have_their_form_and_differ() -> None:
    labels = [label(serial, "10001") for serial in range(100)]
    assert {len(text) for text in labels} == {30}
    assert all(int(text[-1]) == gs1_check_digit(text[8:-1]) for text in labels)
    assert len(set(labels)) == 100


def test_one_read_in_fifty_is_for_the_node_that_falls_silent() -> None:
    load = make_load(with_silent=True, n_labels=1000)
    silent = np.flatnonzero(load.lanes == SILENT_LANE)
    assert silent.tolist() == list(range(N_WITHOUT_SILENT, 1000, SILENT_EVERY))
    assert SILENT_LANE not in make_load(with_silent=False, n_labels=1000).lanes


def test_writes_answer_reads_in_order() -> None:
    assert match_lane(times_ns(10, 20), times_ns(11, 23), 99 * MS) == ([1 * MS, 3 * MS], 2, 0)


def test_a_write_before_its_read_is_wrong() -> None:
    assert match_lane(times_ns(10, 20), times_ns(9, 12, 21), 99 * MS) == ([2 * MS, 1 * MS], 2, 1)


def test_a_read_without_answer_waits_until_the_end() -> None:
    assert match_lane(times_ns(10, 20), times_ns(11), 99 * MS) == ([1 * MS, 79 * MS], 1, 0)


def test_a_write_on_a_lane_that_nobody_read_is_wrong() -> None:
    result = figures(run([10, 20], [11, 21], [0, 3]))
    assert (result.n_sent, result.n_answered, result.n_wrong) == (2, 1, 1)


def test_a_growing_backlog_is_saturation() -> None:
    sent_ms = list(range(100))
    assert figures(run(sent_ms, [2 * t_ms for t_ms in sent_ms])).saturated
    assert not figures(run(sent_ms, [t_ms + 1 for t_ms in sent_ms])).saturated


def test_repeats_are_combined_by_their_median() -> None:
    fast, slow, stalled = (measured(us) for us in (1.0, 2.0, 900.0))
    result = combined([stalled, fast, slow])
    assert (result.n_sent, result.p50_us, result.max_us) == (30, 2.0, 900.0)


@needs_cc
@pytest.mark.parametrize("program", ["floor", "ordinary"])
def test_every_read_is_answered_by_its_coil(program: str) -> None:
    result = run_cell(Cell(program, rate=50, seconds=0.5), make_load(with_silent=False, n_labels=2000))
    assert (result.n_sent, result.n_answered, result.n_wrong) == (25, 25, 0)


@needs_cc
@pytest.mark.parametrize("disturbance", ["busy", "collections"])
def test_a_disturbed_program_still_fires_the_right_coils(disturbance: str) -> None:
    cell = Cell("ordinary", rate=20, seconds=2, disturbance=disturbance)
    result = run_cell(cell, make_load(with_silent=False, n_labels=2000))
    assert result.n_answered > 0
    assert result.n_wrong == 0


@needs_cc
def test_a_silent_node_does_not_hold_up_the_floor() -> None:
    cell = Cell("floor", rate=600, seconds=0.5, one_silent=True)
    result = run_cell(cell, make_load(with_silent=True, n_labels=2000))
    assert 290 < result.n_sent < 300
    assert (result.n_answered, result.n_wrong) == (result.n_sent, 0)
