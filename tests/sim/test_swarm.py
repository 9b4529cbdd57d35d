"""A swarm of runs whose faults are drawn from their seeds: nothing goes wrong that should not."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from swarm import bad_of, faults_of, line_to_paste, run, traffic_of

from hubctl.sim.referee import is_clean
from hubctl.sim.swarm.case import FAULT_NAMES

HERE = Path(__file__).resolve().parent


def kept_seeds() -> list[int]:
    lines = (HERE / "seeds.txt").read_text(encoding="utf-8").splitlines()
    return [int(line.split()[0]) for line in lines if not line.startswith("#")]


def seed_of_commit() -> int:
    """The commit's own seed; 0 in a tree that is no repository."""
    done = subprocess.run(["git", "rev-parse", "HEAD"], cwd=HERE, capture_output=True, text=True, check=False)
    return int(done.stdout[:7] or "0", 16)


@pytest.mark.parametrize("seed", [*range(10), *kept_seeds(), seed_of_commit()])
def test_nothing_goes_wrong_that_should_not(seed: int) -> None:
    faults = faults_of(seed)
    verdict = run(traffic_of(seed, faults)).verdict
    assert is_clean(verdict), f"{bad_of(verdict)}: {line_to_paste(seed, faults)}"
    assert bad_of(verdict) == {}, line_to_paste(seed, faults)


def test_each_fault_can_be_off_and_on() -> None:
    drawn = [faults_of(seed) for seed in range(40)]
    for name in FAULT_NAMES:
        assert {getattr(faults, name) > 0 for faults in drawn} == {True, False}
