"""`hubctl plan show` says why, and asks back where it is told nothing that it knows."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from hubctl.cli.plan import app

RUN = CliRunner()


@pytest.mark.parametrize(
    ("key", "reason", "lane"),
    [
        ("zip:10003", "OK", "New-York"),
        ("ZIP:10003", "OK", "New-York"),
        ("zip:00000", "NO_LANE", None),
        ("420100039400111206206406260787", "OK", "New-York"),
        ("label:420100039400111206206406260787", "OK", "New-York"),
        ("NO LABEL", "BAD_LABEL", None),
        ("NO:LABEL", "BAD_LABEL", None),
    ],
)
def test_a_key_or_a_label_has_its_lane(key: str, reason: str, lane: str | None) -> None:
    done = RUN.invoke(app, ["show", "demo", key, "--json"])
    found = json.loads(done.stdout)
    assert (found["reason"], found["lane"], done.exit_code) == (reason, lane, 0 if lane else 1)
    assert found["why"]


@pytest.mark.parametrize(
    ("key", "said"),
    [("zap:1", "unknown namespace 'zap'"), ("", "must be a destination"), ("zip:", "must be a destination")],
)
def test_what_is_neither_is_refused(key: str, said: str) -> None:
    done = RUN.invoke(app, ["show", "demo", key])
    told = " ".join(done.output.replace("│", " ").split())
    assert done.exit_code == 2
    assert said in told
