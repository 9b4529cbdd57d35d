"""The kernel benchmark times what it says: a full belt, steps told apart, every parcel sorted by its rule.

Nothing here is timed: how long a step takes is for a person to run and read.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from runpy import run_path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "bench"))

from kernel_steps.belt import N_LABELS, N_LANES, PITCH_COUNTS, SPEED_COUNTS_S, make_rules
from kernel_steps.inputs import POLL_NS, Stream, What
from kernel_steps.timed import time_steps

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("n_rules", [10, 1000, 20_000])
def test_each_label_has_the_lane_that_the_plan_finds(n_rules: int) -> None:
    rules = make_rules(n_rules)
    _, lanes = rules.plan.labels.resolve_many(rules.labels)
    assert np.array_equal(lanes, rules.lanes)
    assert set(lanes.tolist()) == set(range(min(N_LANES, n_rules // 2)))


def test_inputs_come_in_order_and_without_seams() -> None:
    stream = Stream(20, np.zeros(N_LABELS, np.int64))
    whole = stream.between(0, 60 * PITCH_COUNTS)
    parts = [stream.between(k * PITCH_COUNTS, (k + 7) * PITCH_COUNTS) for k in range(0, 60, 7)]
    joined = np.concatenate(parts)
    joined = joined[joined["t_ns"] <= whole["t_ns"].max()]
    assert np.all(np.diff(whole["t_ns"]) >= 0)
    assert np.array_equal(np.sort(joined), np.sort(whole))


def test_each_kind_of_input_is_there_as_often_as_it_should() -> None:
    stream = Stream(20, np.zeros(N_LABELS, np.int64))
    whats = stream.between(100 * PITCH_COUNTS, 200 * PITCH_COUNTS)["what"]
    n_polls = 100 * PITCH_COUNTS * 1_000_000_000 // SPEED_COUNTS_S // POLL_NS
    counts = {what: int((whats == what).sum()) for what in What}
    assert [counts[w] for w in (What.INDUCT, What.NEAR, What.EYE, What.READ, What.CONFIRM)] == [100] * 5
    assert (counts[What.TRAIL], counts[What.TICK], counts[What.ENCODER]) == (300, n_polls, n_polls)


@pytest.mark.parametrize("n_tracks", [10, 300])
def test_a_full_belt_sorts_every_parcel(n_tracks: int) -> None:
    steps = time_steps(n_tracks, make_rules(100), 200)
    assert abs(steps.n_open - n_tracks) <= 3
    assert 195 <= steps.n_closed <= 205
    assert steps.n_sorted == steps.n_closed
    assert set(steps.whats.tolist()) == set(What)


def test_the_command_prints_one_object(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Run here: another process would compile the timed loop again."""
    options = ["--tracks", "10,20", "--rules", "10", "--parcels", "100", "--repeats", "1", "--json"]
    monkeypatch.setattr(sys, "argv", ["bench/kernel.py", *options])
    with pytest.raises(SystemExit) as ended:
        run_path(str(ROOT / "bench" / "kernel.py"), run_name="__main__")
    assert ended.value.code == 0
    rows = json.loads(capsys.readouterr().out)["rows"]
    assert [(row["tracks"], row["rules"]) for row in rows] == [(10, 10), (20, 10)]
    assert set(rows[0]["ratio"].values()) == {1.0}
