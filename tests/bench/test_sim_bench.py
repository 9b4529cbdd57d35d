"""The SimPy model sorts: without faults everything, with them as a sorter would; the command compares the two."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "bench"))

from simpy_belt import Outcome, run_model

from hubctl.core.site import load_site
from hubctl.sim.faults import NONE, Faults
from hubctl.sim.traffic import make_traffic

ROOT = Path(__file__).parents[2]
ENVIRONMENT = os.environ | {"PYTHONPATH": str(ROOT)}


def outcome(faults: Faults, n: int = 300) -> Outcome:
    site = load_site("demo")
    assert site.plan is not None
    traffic = make_traffic(site.hub, site.plan, seed=7, n=n, parcels_per_hour=12_000, faults=faults)
    return run_model(site.hub, site.plan, traffic)


def test_without_faults_every_parcel_is_in_its_chute() -> None:
    assert outcome(NONE) == Outcome(300, 300, 0)


def test_what_nobody_reads_goes_to_the_end() -> None:
    assert outcome(replace(NONE, no_read=1_000_000)) == Outcome(300, 0, 0)


def test_paddles_that_do_not_move_put_nothing_into_a_chute() -> None:
    assert outcome(replace(NONE, divert_fails=1_000_000)) == Outcome(300, 0, 0)


@pytest.mark.parametrize("fault", ["taken_off", "put_on", "doubled_read", "chute_full"])
def test_one_kind_of_fault_leaves_the_rest_alone(fault: str) -> None:
    result = outcome(replace(NONE, **{fault: 20_000}))
    assert result.n_in_right_chute > 0.93 * result.n_parcels
    assert result.n_in_wrong_chute <= 3


def test_the_command_prints_one_object() -> None:
    options = ["--parcels", "500", "--simpy-parcels", "200", "--repeats", "1", "--json"]
    command = [sys.executable, "bench/sim.py", *options]
    shown = subprocess.run(
        command, cwd=ROOT, env=ENVIRONMENT, stdout=subprocess.PIPE, text=True, check=True
    ).stdout
    assert [row["program"] for row in json.loads(shown)["rows"]] == ["hubctl sim", "SimPy model"]


def test_the_loop_command_prints_one_object() -> None:
    options = ["--parcels", "800", "--full-parcels", "800", "--json"]
    command = [sys.executable, "bench/loop.py", *options]
    shown = subprocess.run(
        command, cwd=ROOT, env=ENVIRONMENT, stdout=subprocess.PIPE, text=True, check=True
    ).stdout
    rows = json.loads(shown)["rows"]
    assert [row["run"] for row in rows] == ["full", "day", "day, closed"]
    assert rows[0]["load"] == 1
