"""`hubctl swarm` on the command line: its one object, its lines to paste, its refusals."""

from __future__ import annotations

import json
from typing import Any

import pytest
from typer.testing import CliRunner

from hubctl.cli.main import app

CLEAN = ("wrong_chute", "wrong_action", "unaccounted", "misreported", "invariants_broken", "error")


def swarm(*words: str) -> Any:
    return CliRunner().invoke(app, ["swarm", *words])


def test_it_prints_one_object() -> None:
    done = swarm("--seeds", "3", "--parcels", "100", "--jobs", "1", "--faults", "no_read", "put_on", "--json")
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    assert found["seeds"] == 3
    assert found["inducted"] == 300
    assert [found[key] for key in CLEAN] == [0] * len(CLEAN)
    assert found["failures"] == []


def test_it_tells_a_person_too() -> None:
    done = swarm("--seeds", "2", "--parcels", "50", "--jobs", "1", "--faults", "none")
    assert done.exit_code == 0
    assert "2 seeds, 100 parcels" in done.stdout
    assert "wrong chute 0" in done.stdout


def test_no_time_is_no_seeds() -> None:
    done = swarm("--seeds", "5", "--until", "0s", "--jobs", "1", "--json")
    assert json.loads(done.stdout)["seeds"] == 0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--until", "soon"), "must be a whole number and s, m or h"),
        (("--faults", "no_raed"), "no_read"),
        (("--seeds", "0"), "greater than or equal to 1"),
    ],
)
def test_what_it_refuses(words: tuple[str, ...], said: str) -> None:
    done = swarm(*words)
    assert done.exit_code == 2
    assert said in done.output
