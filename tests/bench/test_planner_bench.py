"""The planner's benchmark judges plans on days that they have not seen, and prints it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ENVIRONMENT = os.environ | {"PYTHONPATH": str(ROOT)}


def run(*options: str) -> str:
    line = [sys.executable, str(ROOT / "bench" / "planner.py"), "--days", "2", *options]
    return subprocess.run(line, check=True, capture_output=True, text=True, env=ENVIRONMENT).stdout


def test_a_generated_site_is_planned_better_than_by_volume() -> None:
    (found,) = json.loads(run("--json"))["sites"]
    assert 1 <= found["ratio"] < found["by volume"]
    assert found["below %"] > 0
    assert found["changes"] <= 40


@pytest.mark.slow
def test_plans_are_tried_on_their_days_too() -> None:
    (found,) = json.loads(run("--json", "--on-time", "--days", "1", "--rate", "600"))["sites"]
    assert found["due"] > 1000
    assert 99.5 <= found["worst %"] <= found["in time %"]
    assert (found["departed"], found["clean"]) == (0, True)
