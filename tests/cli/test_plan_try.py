"""`hubctl plan try` runs a day with one plan or two, and says what it comes to."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

sys.path.insert(0, str(Path(__file__).parents[1] / "core"))

from site_by_hand import little_site, write_volumes

from hubctl.cli.plan import app

RUN = CliRunner()
FAULTS = ("--faults", "none", "--rate", "600")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    write_volumes(little_site(), folder / "volumes.csv")
    for n in (4, 8):
        file = str(folder / f"of{n}.plan.toml")
        run("make", folder, "--site", "T", "--until", "2031-05-08", "--chutes", str(n), "--out", file)
    return folder


def run(verb: str, folder: Path, *options: str) -> Any:
    name = "--volumes" if verb == "make" else "--arrivals"
    done = RUN.invoke(app, [verb, name, str(folder / "volumes.csv"), *options])
    assert done.exit_code == 0, done.output
    return done


def tried(folder: Path, *options: str) -> Any:
    return run("try", folder, "--site", "T", "--date", "2031-05-09", "--hub", "demo", *FAULTS, *options)


def test_two_plans_stand_side_by_side(folder: Path) -> None:
    picture = folder / "both.png"
    plans = (str(folder / "of4.plan.toml"), str(folder / "of8.plan.toml"))
    found = json.loads(tried(folder, *plans, "--json", "--picture", str(picture)).stdout)
    few, many = found["plans"]
    assert few["inducted"] == many["inducted"] > 100
    assert few["busiest_ten_minutes"] > many["busiest_ten_minutes"]
    assert len(few["chutes"]) < len(many["chutes"])
    assert all(one["sorted_too_late"] == 0 and one["made_wave"] > 0 for one in found["plans"])
    assert all(one["in_time_per_million"] >= 995_000 for one in found["plans"])
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_a_person_sees_what_it_comes_to(folder: Path) -> None:
    shown = tried(folder, str(folder / "of4.plan.toml")).output
    for words in ("made their departure", "busiest chutes", "for a departed truck", "wrong_chute"):
        assert words in shown


def test_a_day_that_is_not_there_is_refused(folder: Path) -> None:
    line = ["try", "--arrivals", str(folder / "volumes.csv"), "--site", "T", "--date", "2031-06-09"]
    done = RUN.invoke(app, [*line, "--hub", "demo", str(folder / "of4.plan.toml")])
    assert done.exit_code == 2
    assert "had no parcels on 2031-06-09" in " ".join(done.output.replace("│", " ").split())
