"""`hubctl profile`: the list, one profile, its faults."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from hubctl.cli.main import main
from hubctl.core.profile import profile_names, profile_path


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    with pytest.raises(SystemExit) as ended:
        main(["profile", *arguments])
    captured = capsys.readouterr()
    return int(ended.value.code or 0), captured.out + captured.err


def test_all_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    code, told = run(capsys, "show")
    assert code == 0
    assert [line.split()[0] for line in told.splitlines()] == profile_names()


@pytest.mark.parametrize("name", profile_names())
def test_each_is_shown(capsys: pytest.CaptureFixture[str], name: str) -> None:
    code, told = run(capsys, "show", name)
    assert code == 0
    assert told.startswith(f"{name}: ")
    assert "identity: " in told


def test_one_object_on_request(capsys: pytest.CaptureFixture[str]) -> None:
    _, told = run(capsys, "show", "wago-750", "--json")
    assert json.loads(told)["profiles"][0]["coils"]["shown_at"] == 0x200
    _, told = run(capsys, "show", "--schema")
    assert json.loads(told)["title"] == "hubctl device profile"


def test_a_right_file_has_no_faults(capsys: pytest.CaptureFixture[str]) -> None:
    code, told = run(capsys, "check", str(profile_path("wago-750")))
    assert (code, told.splitlines()[-1]) == (0, "no faults")
    assert run(capsys, "check", "wago-750") == (code, told)
    code, told = run(capsys, "check", str(profile_path("wago-750")), "--json")
    assert json.loads(told) == {"profile": "wago-750", "faults": []}


def test_a_wrong_file_is_told_its_faults(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    file = tmp_path / "box.toml"
    file.write_text('profile = { name = "box" }\n')
    code, told = run(capsys, "check", str(file))
    assert code == 2
    assert "box.toml:1" in told
    assert "identity" in told
