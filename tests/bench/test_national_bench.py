"""The national benchmark makes decisions and counts them, alone and beside whatever other program is here."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from runpy import run_path

import pytest
from typer.testing import CliRunner

from hubctl.cli.bench import app

ROOT = Path(__file__).parents[2]
SMALL = ["--decisions", "20000", "--labels", "5000"]


def run(*options: str) -> dict[str, object]:
    result = CliRunner().invoke(app, ["national", *options, "--json"])
    assert result.exit_code == 0, result.output
    found: dict[str, object] = json.loads(result.stdout)
    return found


def test_the_same_sizes_give_the_same_decisions() -> None:
    first, second = run(*SMALL), run(*SMALL)
    assert first["hash"] == second["hash"]
    assert first["sorted"] == 20000 - -(-20000 // 64)
    assert run("--decisions", "20001", "--labels", "5000")["hash"] != first["hash"]


def test_it_is_printed_for_a_person() -> None:
    result = CliRunner().invoke(app, ["national", *SMALL])
    assert "20,000 decisions in" in result.stdout
    assert "p99.9" in result.stdout


def test_the_comparison_prints_one_object(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Run here: another process would compile the decisions again."""
    program = str(ROOT / "bench" / "national.py")
    monkeypatch.syspath_prepend(str(ROOT / "bench"))
    monkeypatch.setattr(sys, "argv", [program, *SMALL, "--json"])
    run_path(program, run_name="__main__")
    found = json.loads(capsys.readouterr().out)
    assert found["ns_a_decision"] > 0
    assert all(found[f"{name}_number_ns"] > 0 for name in ("duckdb", "polars") if name not in found["absent"])
