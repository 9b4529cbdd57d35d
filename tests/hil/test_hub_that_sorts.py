"""The kernel in the loop: the whole daemon sorts through four nodes in real time, and is stopped again and again."""

from __future__ import annotations

import json
import subprocess
import sys
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


@pytest.fixture
def sort(request: pytest.FixtureRequest) -> Any:
    """Runs the demo; nothing in its verdict is wrong."""
    if request.config.getoption("--node") != "host":
        pytest.skip("the demo starts its nodes as processes: --node host")
    built("node_host")
    return verdict_of


def verdict_of(*options: str) -> dict[str, Any]:
    done = subprocess.run([*COMMAND, *options], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    verdict: dict[str, Any] = json.loads(done.stdout)
    assert {key: verdict[key] for key in MUST_BE_0} == dict.fromkeys(MUST_BE_0, 0)
    assert verdict["closed"] == verdict["inducted"] > 0
    assert verdict["outputs_safe"]
    return verdict


def test_a_daemon_that_is_stopped_diverts_nothing_wrongly(sort: Any) -> None:
    verdict = sort("--seconds", "8", "--rate", "6000", "--stall", "400")
    assert verdict["stalls"] >= 3
    assert verdict["by_disposition"]["SORTED"] > verdict["inducted"] // 2
