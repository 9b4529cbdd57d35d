"""`hubctl check` draws a right hub, and lists every fault of a wrong one without a traceback."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from hubctl.cli.main import main
from hubctl.core.drawing import WIDTH, draw_belt
from hubctl.core.geometry import unconfirmed
from hubctl.core.hubfile import Hub, hub_path, packaged_names, resolve_hub

Captured = pytest.CaptureFixture[str]


def exit_of(*arguments: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    return int(ended.value.code or 0)


@pytest.fixture
def bad_file(tmp_path: Path) -> Path:
    file = tmp_path / "hub.toml"
    file.write_text('hub = { name = "x" }\nbelts = []\nlinks = 1\nchutes = []\n', encoding="utf-8")
    return file


def test_a_right_hub_is_drawn_and_tabled(capsys: Captured) -> None:
    assert exit_of("check", "demo") == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert "1468 mm, 533 ms to spare" in out
    assert out.endswith("plan demo, version b9ab8e19: lanes 44, groups 0, waves 0\nno faults\n")
    assert max(map(len, out.splitlines())) <= WIDTH


def test_parcels_that_no_chute_eye_could_confirm_are_told(tmp_path: Path, capsys: Captured) -> None:
    """At 1 m/s the middle of a parcel of 1,200 mm is at a chute eye 710 ms after its fire, or later."""
    text = hub_path("demo").read_text("utf-8").replace("speed_mm_s = 2500", "speed_mm_s = 1000")
    file = tmp_path / "slow.toml"
    file.write_text(text, encoding="utf-8")
    assert exit_of("check", str(file)) == 0
    out = capsys.readouterr().out
    assert "remark: parcels longer than 1020 mm come too late to be confirmed" in out
    assert "in C01, C02, C03, C04, C05, C06, C07, C08 and 40 more: their confirm_ms must end with 710" in out
    file.write_text(text.replace("parcel_mm_max = 1200", "parcel_mm_max = 1020"), encoding="utf-8")
    assert exit_of("check", str(file), "--json") == 0
    assert json.loads(capsys.readouterr().out)["remarks"] == []


@pytest.mark.parametrize("name", packaged_names())
def test_packaged_hubs_confirm_every_parcel(name: str) -> None:
    assert list(unconfirmed(resolve_hub(name))) == []


def test_a_wrong_hub_is_all_its_faults_and_exit_2(bad_file: Path, capsys: Captured) -> None:
    assert exit_of("check", str(bad_file)) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert [line.removeprefix(f"{bad_file}:") for line in err.splitlines()] == [
        "2 belts = []: must have 1 to 64 entries (moving surfaces)",
        "3 links = 1: must be a list (connections to devices)",
        "4 chutes = []: must have 1 to 4096 entries (where parcels leave)",
        "3 faults",
    ]


def test_json_is_one_object_and_nothing_else(bad_file: Path, capsys: Captured) -> None:
    assert exit_of("check", str(bad_file), "--json") == 2
    out, err = capsys.readouterr()
    assert err == ""
    assert [fault["line"] for fault in json.loads(out)["faults"]] == [2, 3, 4]


def test_json_of_a_right_hub(capsys: Captured) -> None:
    assert exit_of("check", "demo", "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["hub"], found["faults"], len(found["devices"])) == ("demo", [], 33)
    assert found["devices"][-2] == {
        "belt": "main",
        "at_mm": 27500,
        "device": "diverter",
        "name": "D24",
        "wired": "io4/coil/10 io4/coil/11",
        "chutes": ["C47", "C48"],
        "latency_ms": 60,
        "left_mm": 24468,
    }


def test_a_plan_for_another_hub_is_refused(capsys: Captured) -> None:
    assert exit_of("check", "station", "--plan", "demo") == 2
    assert "the hub has no such chute" in capsys.readouterr().err


def test_schema_is_a_schema(capsys: Captured) -> None:
    assert exit_of("check", "--schema") == 0
    schema = json.loads(capsys.readouterr().out)
    assert {"hub", "belts", "links", "chutes"} <= set(schema["required"])


def test_no_file_is_a_usage_error(capsys: Captured) -> None:
    assert exit_of("check") == 2
    assert "demo" in capsys.readouterr().err


def test_the_installed_way_in_ends_without_a_traceback(bad_file: Path) -> None:
    command = [sys.executable, "-c", "from hubctl.cli.main import main; main()", "check", str(bad_file)]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert "Traceback" not in ended.stderr


def test_the_drawing_of_the_demo_belt() -> None:
    hub = resolve_hub("demo")
    lines = draw_belt(hub, hub.belts[0])
    assert lines[:8] == [
        "                     C01 C03 C05 C07 C09 C11 C13 C15 C17 C19 C21 C23 C25 C27 C29 C31 C33",
        "    ═│══▓▓══│═══════│═╳═══╳═══╳═══╳═══╳═══╳═│═╳═══╳═══╳═══╳═══╳═══╳═│═╳═══╳═══╳═══╳═══╳════▶",
        "                     C02 C04 C06 C08 C10 C12 C14 C16 C18 C20 C22 C24 C26 C28 C30 C32 C34",
        "                     D01 D02 D03 D04 D05 D06 D07 D08 D09 D10 D11 D12 D13 D14 D15 D16 D17",
        "   induct tunnel  group1                  group2                  group3",
        "       top",
        "        side",
        "   0 m     2 m     4 m     6 m     8 m     10 m    12 m    14 m    16 m    18 m    20 m",
    ]


@pytest.mark.parametrize("name", ["demo", "station"])
@pytest.mark.parametrize("width", [60, 100, 140])
def test_every_device_is_drawn_once_within_the_width(name: str, width: int) -> None:
    hub: Hub = resolve_hub(name)
    lines = draw_belt(hub, hub.belts[0], width)
    words = " ".join(lines[:-1]).split()
    for thing in (*hub.eyes, *hub.diverters, *hub.chutes):
        assert words.count(thing.name) == 1, thing.name
    assert max(map(len, lines[:-1])) <= width
