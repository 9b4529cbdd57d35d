"""The kernel in the loop: the whole daemon sorts through four nodes in real time, and is stopped again and again."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "firmware"))

from built import built

ROOT = Path(__file__).parents[2]
COMMAND = (
    sys.executable,
    "-c",
    "from hubctl.cli.main import main; main()",
    "demo",
    "--hub",
    "nodes",
    "--json",
)
MUST_BE_0 = ("wrong_chute", "wrong_action", "unaccounted", "misreported", "invariants_broken", "records_lost")

OF_THE_TRAFFIC = {"NO_READ", "MULTI_LABEL", "MULTI_PARCEL", "OVERSIZE", "GAP_TOO_SMALL"}  # as it is made
QEMU = "qemu-system-arm"


@pytest.fixture
def sort(request: pytest.FixtureRequest) -> Callable[..., dict[str, Any]]:
    """Runs the demo on the nodes that `--node` names; nothing in its verdict is wrong."""
    node = request.config.getoption("--node")
    if node not in {"host", "qemu"}:
        pytest.skip("the demo starts its nodes itself: --node host or qemu")
    built("node_host" if node == "host" else "node_lm3s.elf")
    if node == "qemu" and shutil.which(QEMU) is None:
        pytest.skip(f"needs {QEMU} (Debian: {QEMU})")
    return partial(verdict_of, *(["--qemu"] if node == "qemu" else []))


def verdict_of(*options: str) -> dict[str, Any]:
    done = subprocess.run([*COMMAND, *options], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    verdict: dict[str, Any] = json.loads(done.stdout)
    assert {key: verdict[key] for key in MUST_BE_0} == dict.fromkeys(MUST_BE_0, 0)
    assert verdict["closed"] == verdict["inducted"] > 0
    assert verdict["outputs_safe"]
    return verdict


def test_four_nodes_sort_in_real_time(sort: Callable[..., dict[str, Any]]) -> None:
    verdict = sort("--seconds", "8")
    assert verdict["by_disposition"]["SORTED"] > verdict["inducted"] // 2


@pytest.mark.slow
def test_a_daemon_that_is_stopped_costs_only_missed_windows(sort: Callable[..., dict[str, Any]]) -> None:
    verdict = sort("--seconds", "25", "--rate", "6000", "--stall", "500")
    assert verdict["stalls"] >= 8
    assert set(verdict["by_disposition"]) <= {"SORTED", "REJECTED"}
    assert set(verdict["by_reason"]) <= {"OK", "OK_UNCONFIRMED", "MISSED_WINDOW", *OF_THE_TRAFFIC}
    assert verdict["by_disposition"]["SORTED"] > verdict["inducted"] // 2
