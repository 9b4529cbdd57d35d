"""The plan benchmark does the work that it times, and prints it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ENVIRONMENT = os.environ | {"PYTHONPATH": str(ROOT)}


@cache
def run(*options: str) -> str:
    line = [sys.executable, str(ROOT / "bench" / "plan.py"), "--small", *options]
    return subprocess.run(line, check=True, capture_output=True, text=True, env=ENVIRONMENT).stdout


def test_the_command_prints_one_object() -> None:
    found = json.loads(run("--json"))
    assert (found["packs"], found["rules"], found["advised_labels"]) == (30, 1000, 50_000)
    assert all(
        found[key] > 0 for key in ("label_ns", "advised_ns", "packs_ms", "read_ms", "compile_ms", "single_ns")
    )


@pytest.mark.parametrize(
    "words",
    ["ordinary Python", "by a call of its own", "advised label among 50,000", "30 packs", "1,000 rules"],
)
def test_the_command_prints_a_line_each(words: str) -> None:
    assert words in run()
