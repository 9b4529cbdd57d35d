"""`hubctl plan make` writes a plan that passes every check, and says what it is worth; or mends one."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from typer.testing import CliRunner

sys.path.insert(0, str(Path(__file__).parents[1] / "core"))

from site_by_hand import little_site, write_volumes

from hubctl.cli.plan import app
from hubctl.core.hubfile import resolve_hub
from hubctl.core.plan import load_plan

RUN = CliRunner()
CHECK_AT = ("--at", "2031-05-07T20:00:00")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    write_volumes(little_site(), folder / "volumes.csv")
    return folder


def make(folder: Path, *options: str, until: str = "2031-05-07") -> Any:
    volumes = str(folder / "volumes.csv")
    return RUN.invoke(app, ["make", "--volumes", volumes, "--site", "T", "--until", until, *options])


def told(folder: Path, *options: str, until: str = "2031-05-07") -> dict[str, Any]:
    done = make(folder, "--json", *options, until=until)
    assert done.exit_code == 0, done.output
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.fixture(scope="module")
def plain(folder: Path) -> Path:
    """A plan of twelve groups on the demo hub."""
    file = folder / "plain.plan.toml"
    told(folder, "--hub", "demo", "--chutes", "12", "--out", str(file))
    return file


class Five(NamedTuple):
    """A plan of five numbered chutes, and what was told of it."""

    file: str
    found: dict[str, Any]
    picture: Path


@pytest.fixture(scope="module")
def five(folder: Path) -> Five:
    file, picture = str(folder / "five.plan.toml"), folder / "five.png"
    return Five(file, told(folder, "--chutes", "5", "--out", file, "--picture", str(picture)), picture)


def test_the_plan_passes_its_check(plain: Path) -> None:
    checked = RUN.invoke(app, ["check", str(plain), "--hub", "demo", *CHECK_AT])
    assert checked.exit_code == 0, checked.output
    assert "14 lanes" in checked.output


def test_each_wave_has_chutes_of_its_own(plain: Path) -> None:
    plan = load_plan(plain, resolve_hub("demo"))
    assert len(plan.groups) == 12
    assert sum(len(group.chutes) for group in plan.groups) == 48
    assert [(wave.lane, str(wave.departs)) for wave in plan.waves[:2]] == [
        ("T00", "2031-05-08 07:00:00"),
        ("T00", "2031-05-08 19:00:00"),
    ]
    assert all(lane.lead_s == 600 for lane in plan.lanes)


def test_it_says_what_a_plan_is_worth(five: Five) -> None:
    found = five.found
    assert found["expected_bound"] <= found["expected_after"] < found["expected_before"]
    assert found["day_bound"] <= found["day_after"] < found["day_before"]


def test_its_bound_can_be_proved(folder: Path, five: Five) -> None:
    options = ("--chutes", "5", "--out", str(folder / "bound.plan.toml"), "--from", five.file)
    found = told(folder, *options, "--without", "C05", "--bound", "1")
    assert (five.found["n_proved"], found["n_days"]) == (0, 33)
    assert five.found["day_bound"] <= found["day_bound"] <= five.found["day_after"]
    assert five.found["expected_bound"] <= found["expected_bound"] <= five.found["expected_after"]


def test_a_plan_of_numbered_chutes_fits_a_hub_that_has_them(five: Five) -> None:
    assert RUN.invoke(app, ["check", five.file, "--hub", "demo", *CHECK_AT]).exit_code == 0


def test_a_picture_is_drawn(five: Five) -> None:
    assert five.picture.read_bytes().startswith(b"\x89PNG")


def test_the_next_day_changes_little(folder: Path, five: Five) -> None:
    second = str(folder / "two.plan.toml")
    found = told(folder, "--chutes", "5", "--out", second, "--yesterday", five.file, until="2031-05-08")
    assert found["before_is"] == "T-2031-05-08"
    assert found["n_changes"] <= 8


def test_keys_labels_and_lists_are_yesterdays(folder: Path) -> None:
    frame = folder / "frame.plan.toml"
    frame.write_text(
        'plan = { name = "frame" }\nlabels = { accept = ["usps-impb", "ups-1z"] }\nno_service = ["zip:9"]\n'
        'exceptions = { NO_READ = "C12" }\nlists = { intercept = ["1Z5R89390357567127"] }\nlanes = [\n'
        '  { name = "T00", keys = ["zip:1", "partner:UPS-1Z"], chutes = ["C01"], priority = 3 },\n'
        '  { name = "other", keys = ["zip:2"], chutes = ["C02"] },\n]\n',
        encoding="utf-8",
    )
    file = folder / "framed.plan.toml"
    told(folder, "--hub", "demo", "--keys", str(frame), "--out", str(file))
    plan = load_plan(file, resolve_hub("demo"))
    lanes = {lane.name: lane for lane in plan.lanes}
    assert lanes["T00"].keys == ["zip:1", "partner:UPS-1Z"]
    assert lanes["T00"].priority == 3
    assert lanes["other"].keys == ["zip:2"]
    assert lanes["T01"].keys == []
    assert plan.no_service == ["zip:9"]
    assert plan.exceptions == {"NO_READ": "C12"}
    assert plan.lists.intercept == ["1Z5R89390357567127"]
    assert "C12" not in {chute for lane in plan.lanes for chute in plan.chutes_of(lane)}


PACK = """
[[formats]]
name = "parcelfox"
carrier = "Parcelfox"
forms = [{ pattern = "PFX d{9}", example = "PFX123456789" }]
"""
FRAME = """
plan = { name = "frame" }
labels = { accept = ["parcelfox"], packs = "packs" }
lanes = [{ name = "T00", keys = ["partner:PARCELFOX"], chutes = ["C01"] }]
"""


def test_a_compiled_plan_brings_its_label_packs(folder: Path, tmp_path: Path) -> None:
    """What lay beside the plan that was compiled is gone; what is not its own is not mixed with it."""
    packs = tmp_path / "site" / "packs"
    packs.mkdir(parents=True)
    (packs / "fox.toml").write_text(PACK)
    frame = tmp_path / "site" / "frame.plan.toml"
    frame.write_text(FRAME)
    compiled, out = tmp_path / "frame.plan", tmp_path / "new.plan.toml"
    done = RUN.invoke(app, ["compile", str(frame), "--hub", "demo", "-o", str(compiled)])
    assert done.exit_code == 0, done.output
    (tmp_path / "site").rename(tmp_path / "elsewhere")
    options = ("--hub", "demo", "--chutes", "12", "--keys", str(compiled), "--out", str(out))
    told(folder, *options)
    plan = load_plan(out, resolve_hub("demo"))
    assert (plan.labels.accept, plan.labels.packs) == (["parcelfox"], "new.packs")
    assert {lane.name: lane.keys for lane in plan.lanes}["T00"] == ["partner:PARCELFOX"]
    (tmp_path / "new.packs" / "owl.toml").write_text(PACK)
    done = make(folder, *options)
    assert done.exit_code != 0
    assert "not of the plan: owl.toml" in " ".join(done.output.replace("│", " ").split())


@pytest.mark.parametrize("failed", [("--without", "C03,C05"), ("--without", "C03", "--without", "C05")])
def test_several_chutes_fail_at_once(folder: Path, five: Five, failed: tuple[str, ...]) -> None:
    second = folder / "both.plan.toml"
    told(folder, "--chutes", "5", "--from", five.file, *failed, "--out", str(second))
    plan = load_plan(second)
    used = {chute for lane in plan.lanes for chute in plan.chutes_of(lane)}
    used |= {chute for wave in plan.waves for chute in wave.chutes}
    assert used == {"C01", "C02", "C04"}


def test_a_failed_chute_moves_only_what_it_had(folder: Path, five: Five) -> None:
    second = folder / "mended.plan.toml"
    options = ("--chutes", "5", "--from", five.file, "--without", "C03", "--out", str(second))
    shown = make(folder, *options).output
    plans = [load_plan(file) for file in (Path(five.file), second)]
    waves = [{(wave.lane, wave.departs): wave.chutes for wave in plan.waves} for plan in plans]
    moved = {key for key in waves[0] if waves[0][key] != waves[1][key]}
    assert moved == {key for key in waves[0] if waves[0][key] == ["C03"]}
    assert f"changes: {len(moved)} of 28" in shown
    assert "on the day" in shown


def test_a_failed_diverter_is_all_its_chutes(folder: Path, plain: Path) -> None:
    second = folder / "mended.plan.toml"
    told(
        folder,
        "--hub",
        "demo",
        "--chutes",
        "12",
        "--from",
        str(plain),
        "--without",
        "D01",
        "--out",
        str(second),
    )
    plan = load_plan(second, resolve_hub("demo"))
    beside = {chute.name for chute in resolve_hub("demo").chutes if chute.diverter == "D01"}
    groups = {name for group in plan.groups for name in group.chutes}
    assert not beside & groups


def test_near_chutes_are_preferred(folder: Path) -> None:
    near = folder / "metres.csv"
    near.write_text(
        "chute,metres\n" + "".join(f"C{no:02},{no * 40}\n" for no in range(1, 6)), encoding="utf-8"
    )
    options = ("--chutes", "5", "--out", str(folder / "near.plan.toml"), "--distances", str(near))
    found = told(folder, *options, "--give", "30")
    assert 0 < found["km_after"] < found["km_before"]


def test_a_forecast_is_heeded(folder: Path) -> None:
    """A lane that will have nine times its parcels gets a chute for itself."""
    rows = [
        f"{day},{10_000 if unit.lane == 'T05' and day.day == 8 else 1000},T,{unit.lane},{unit.wave}"
        for day in little_site().days
        for unit in little_site().units
    ]
    file, out = folder / "forecast.csv", folder / "forecast.plan.toml"
    file.write_text("\n".join(["date,parcels_preknown,site,dest,wave", *rows, ""]), encoding="utf-8")
    told(folder, "--chutes", "5", "--forecast", str(file), "--out", str(out))
    chutes = [wave.chutes for wave in load_plan(out).waves if f"{wave.departs:%H}" == "07"]
    own = next(wave.chutes for wave in load_plan(out).waves if wave.lane == "T05")
    assert chutes.count(own) == 1


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ((), "one of them is needed"),
        (("--chutes", "5", "--site", "U"), "has no site"),
        (("--chutes", "99", "--hub", "demo"), "must be 1 to 48"),
        (("--chutes", "5", "--without", "C01"), "needs the plan"),
        (("--chutes", "5", "--until", "2031-04-01"), "there is no parcel of T"),
        (
            ("--chutes", "5", "--until", "2031-05-10"),
            "2031-05-10: must be 2031-05-01 to 2031-05-09, the days of T",
        ),
        (("--chutes", "5", "--distances", "far.csv"), "does not tell how far 2 of 5 chutes are: C02, C05"),
        (("--chutes", "5", "--out", "no/such/folder/x.plan.toml"), "cannot be written"),
        (("--chutes", "5", "--picture", "x.nonsense"), "cannot be drawn"),
    ],
)
def test_what_cannot_be_is_said(
    folder: Path, options: tuple[str, ...], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    Path("far.csv").write_text("chute,lane,metres\nC01,,1\nC02,T00,1\nC03,,1\nC04,,1\n", encoding="utf-8")
    done = make(folder, *options)
    assert done.exit_code != 0
    assert said in " ".join(done.output.replace("│", " ").split()) + str(done.exception)


def test_a_chute_that_is_not_there_cannot_fail(folder: Path, five: Five) -> None:
    done = make(folder, "--chutes", "5", "--from", five.file, "--without", "C99")
    assert done.exit_code != 0
    assert "'C99' is no chute" in " ".join(done.output.replace("│", " ").split())
