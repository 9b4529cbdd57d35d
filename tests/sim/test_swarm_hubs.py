"""A swarm of bounded size with each test run: some first seeds, those that once found a bug, and the commit's own."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from hubctl.sim.swarm.case import Case, run_case

HERE = Path(__file__).resolve().parent
N_SEEDS, N_PARCELS = 40, 1000


def kept_cases() -> list[Case]:
    lines = (HERE / "swarm_seeds.txt").read_text(encoding="utf-8").splitlines()
    return [case_of(*line.split()[:3]) for line in lines if not line.startswith("#")]


def case_of(seed: str, n_parcels: str, traits: str) -> Case:
    return Case(int(seed), int(n_parcels), traits=() if traits == "-" else tuple(traits.split(",")))


def case_of_commit() -> Case:
    """The commit's own seed; 0 in a tree that is no repository."""
    done = subprocess.run(["git", "rev-parse", "HEAD"], cwd=HERE, capture_output=True, text=True, check=False)
    return Case(int(done.stdout[:7] or "0", 16), N_PARCELS)


CASES = [*(Case(seed, N_PARCELS) for seed in range(N_SEEDS)), *kept_cases(), case_of_commit()]


@pytest.mark.parametrize("case", CASES, ids=[f"{case.seed}-{case.n_parcels}" for case in CASES])
def test_nothing_goes_wrong_in_any_hub(case: Case) -> None:
    outcome = run_case(case)
    assert not outcome.bad, f"{outcome.error or outcome.bad}: {case.line}"
