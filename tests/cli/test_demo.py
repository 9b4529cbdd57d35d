"""The whole demo on a short belt: to its end, stopped by Ctrl-C, with a child that dies, with wrong options."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from typer.testing import CliRunner

from hubctl.cli.livetable import live_table
from hubctl.cli.main import app
from hubctl.sim import live

ROOT = Path(__file__).parents[2]
VOLUMES = Path(os.environ.get("HUBCTL_DATA", ROOT.parent / "shared" / "data")) / "lane_10min.csv.gz"
COMMAND = (sys.executable, "-c", "from hubctl.cli.main import main; main()", "demo")
MUST_BE_0 = ("wrong_chute", "wrong_action", "unaccounted", "misreported", "invariants_broken", "records_lost")

HUB = """
hub = { name = "short" }
links = [
  { name = "head", kind = "modbus-tcp", host = "127.0.0.1", port = 15020 },
  { name = "io", kind = "modbus-rtu", device = "/dev/ttyS4" },
  { name = "top", kind = "scanner-tcp", host = "127.0.0.1", port = 15030 },
  { name = "side", kind = "scanner-serial", device = "/dev/ttyS5" },
]
nodes = [{ name = "head", link = "head" }, { name = "io", link = "io" }]
eyes = [
  { name = "induct", belt = "main", at_mm = 300, role = "induct", input = "head/input/2.0" },
  { name = "tunnel", belt = "main", at_mm = 2000, input = "head/input/2.1" },
  { name = "end", belt = "main", at_mm = 5700, role = "end", input = "head/input/2.2" },
]
scanners = [
  { name = "top", belt = "main", at_mm = 1200, link = "top", preset = "sick" },
  { name = "side", belt = "main", at_mm = 1250, link = "side", preset = "stx-etx" },
]
diverters = [{ name = "D1", belt = "main", at_mm = 4200 }, { name = "D2", belt = "main", at_mm = 5000 }]
chutes = [
  { name = "C1", no = 1, diverter = "D1", output = "io/coil/0", confirm = "io/discrete/0", full = "io/discrete/16" },
  { name = "C2", no = 2, diverter = "D2", output = "io/coil/1", confirm = "io/discrete/1", full = "io/discrete/17" },
  { name = "END", no = 3 },
]
[[belts]]
name = "main"
length_mm = 6000
speed_mm_s = 2500
end_chute = "END"
encoder = { address = "head/input/0", counts_per_m = 1000 }
"""
PLAN = """
plan = { name = "short" }
labels = { accept = ["usps-impb", "sf"] }
lanes = [
  { name = "East", keys = ["zip:0..4"], chutes = ["C1"] },
  { name = "West", keys = ["zip:5..9"], chutes = ["C2"] },
]
"""


def write_hub(directory: Path) -> Path:
    (directory / "short.plan.toml").write_text(PLAN, encoding="utf-8")
    file = directory / "short.toml"
    file.write_text(HUB, encoding="utf-8")
    return file


@pytest.fixture
def hub_file(tmp_path: Path) -> Path:
    return write_hub(tmp_path)


class Running:
    """A demo in a process group of its own, as a terminal would have it."""

    def __init__(self, *arguments: str) -> None:
        self._process = subprocess.Popen(
            [*COMMAND, *arguments, "--json"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=ROOT,
            text=True,
            start_new_session=True,
        )

    def await_line(self, said: str) -> None:
        """Until it says so, on standard error."""
        assert self._process.stderr is not None
        assert said in self._process.stderr.readline()

    def press_ctrl_c(self) -> None:
        os.killpg(self._process.pid, signal.SIGINT)

    def terminate(self) -> None:
        self._process.terminate()

    def kill_child(self, index: int) -> None:
        pid = self._process.pid
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()
        os.kill(int(children[index]), signal.SIGKILL)

    def give_up(self) -> None:
        """Ends it, if nobody has seen it to its end."""
        if self._process.returncode is None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.communicate()

    def end(self) -> tuple[int, str, str]:
        out, err = self._process.communicate()
        return self._process.returncode, out, err


@pytest.fixture(scope="module")
def demos(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Running]]:
    """Demos that run at once, since they mostly wait: to their end, or until they are stopped or lose a child."""
    hub = ("--hub", str(write_hub(tmp_path_factory.mktemp("demos"))))
    day = ("--arrivals", str(VOLUMES), "--site", "S3", "--date", "2024-12-09")
    made = {
        "loses the simulated hub": Running(*hub),
        "loses the daemon": Running(*hub),
        "stopped": Running(*hub),
        "stopped twice": Running(*hub),
        "sorts": Running(*hub, "--seconds", "8", "--seed", "7", "--rate", "6000"),
    }
    if VOLUMES.exists():
        made["volumes"] = Running(*hub, "--seconds", "3", *day)
    yield made
    for running in made.values():
        running.give_up()


def verdict_of(out: str) -> dict[str, Any]:
    """The one object on standard output; nothing in it is wrong."""
    verdict: dict[str, Any] = json.loads(out)
    assert {key: verdict[key] for key in MUST_BE_0} == dict.fromkeys(MUST_BE_0, 0)
    assert verdict["closed"] + verdict["in_flight"] == verdict["inducted"]
    assert verdict["outputs_safe"]
    return verdict


def refusal_of(*arguments: str) -> str:
    """What is said by a demo that is refused."""
    ended = subprocess.run([*COMMAND, *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    assert ended.returncode == 2
    assert ended.stdout == ""
    assert "Traceback" not in ended.stderr
    return " ".join(ended.stderr.replace("│", " ").split())


@pytest.mark.parametrize(("index", "name"), [(0, "the simulated hub"), (1, "the daemon")])
def test_a_child_that_dies_is_named_with_its_last_words(
    demos: dict[str, Running], index: int, name: str
) -> None:
    running = demos[f"loses {name}"]
    running.await_line("0 s:")
    running.kill_child(index)
    code, out, err = running.end()
    assert (code, out) == (1, "")
    assert f"demo: {name} ended with exit code -9; its last words:" in err
    assert "Traceback" not in err


def test_asked_a_second_time_it_ends_at_once(demos: dict[str, Running]) -> None:
    running = demos["stopped twice"]
    running.await_line("0 s:")
    running.terminate()
    running.await_line("Ctrl-C again")
    running.press_ctrl_c()
    code, out, _ = running.end()
    assert code == 0
    verdict_of(out)


def test_ctrl_c_empties_the_belt_and_judges(demos: dict[str, Running]) -> None:
    running = demos["stopped"]
    running.await_line("0 s:")
    running.await_line("5 s:")
    running.press_ctrl_c()
    code, out, _ = running.end()
    assert code == 0
    verdict = verdict_of(out)
    assert verdict["in_flight"] == 0
    assert verdict["closed"] > 0


def test_a_demo_sorts_and_is_judged(demos: dict[str, Running]) -> None:
    code, out, err = demos["sorts"].end()
    assert (code, "Traceback" in err) == (0, False)
    verdict = verdict_of(out)
    assert verdict["by_disposition"]["SORTED"] > 0
    assert verdict["seed"] == 7
    assert verdict["note"] == "generated traffic"
    assert verdict["wall_s"] > verdict["belt_s"] > 8
    for key in ("read_to_command_us", "fire_lateness_us"):
        assert set(verdict[key]) == {"p50", "p99", "p999", "max", "n"}
        assert verdict[key]["n"] > 0


def test_real_volumes_drive_it(demos: dict[str, Running]) -> None:
    if "volumes" not in demos:
        pytest.skip(f"{VOLUMES} is not here")
    code, out, _ = demos["volumes"].end()
    assert code == 0
    assert "S3 on 2024-12-09" in verdict_of(out)["note"]


def test_a_day_that_is_not_in_the_file_is_refused(hub_file: Path, tmp_path: Path) -> None:
    volumes = tmp_path / "volumes.csv"
    volumes.write_text("site,dest,wave,date,slot,parcels\nS1,D1,1,2024-12-09,08:00,10\n", encoding="utf-8")
    day = ("--arrivals", str(volumes), "--site", "S9", "--date", "2024-12-09")
    assert "no site 'S9'; it has S1" in refusal_of("--hub", str(hub_file), *day)


def test_wrong_options_are_refused_with_what_would_be_right(hub_file: Path) -> None:
    hub_file.with_name("short.plan.toml").unlink()
    for words, said in (
        (("--faults", "no_reed=0.1"), "no fault is called 'no_reed'"),
        (("--faults", "no_read=7"), "from 0 to 1"),
        (("--site", "S3"), "go together"),
        (("--hub", "crossbelt"), "virtual time only: hubctl sim crossbelt"),
        (("--hub", str(hub_file)), "name one with --plan"),
    ):
        told = CliRunner().invoke(app, ["demo", *words])
        assert (told.exit_code, told.stdout) == (2, "")
        assert said in " ".join(told.stderr.replace("│", " ").split())


def test_what_the_simulated_hub_refuses_it_says_on_standard_output(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    files = [f"--truth={tmp_path / 'truth.npz'}", f"--preadvice={tmp_path / 'preadvice.csv'}"]
    for hub, said in (("station", "the simulated hub runs lines and loops"), ("nowhere", "no such file")):
        with pytest.raises(SystemExit, match="2"):
            live.main(["--hub", hub, *files])
        assert said in json.loads(capsys.readouterr().out)["error"]


STATUS = {
    "inducted": 143,
    "closed": 105,
    "in_flight": 38,
    "rate_per_h": 12_010,
    "by_disposition": {"SORTED": 96, "REJECTED": 9},
    "by_reason": {"OK": 96, "NO_READ": 9},
    "by_chute": {"C01": 12, "C02": 6, "END": 9},
    "links": {"head": {"state": "up"}, "io1": {"state": "down"}},
    "read_to_command_us": {"p50": 12.0, "p99": 31.0, "p999": 40.0, "max": 41.5, "n": 210},
    "fire_lateness_us": {"p50": 96.0, "p99": 396.0, "p999": 400.0, "max": 4251.6, "n": 97},
}


def test_the_table_shows_what_matters() -> None:
    console = Console(width=110, height=40, record=True, file=open(os.devnull, "w"))  # noqa: SIM115
    console.print(live_table("hubctl demo", STATUS, 83.4, "Ctrl-C to stop"))
    text = console.export_text()
    for part in ("belt 1:23", "143 inducted", "12,010 parcels/h", "38 in flight", "NO_READ", "4,252", "io1"):
        assert part in text
    assert text.index("C01") < text.index("END") < text.index("C02")


@pytest.mark.slow
def test_devices_of_several_makes_in_one_hub_sort_without_a_wrong_divert() -> None:
    hub = ROOT / "tests" / "sim" / "hubs" / "mixed.toml"
    told = subprocess.run(
        [*COMMAND, "--hub", str(hub), "--seconds", "20", "--seed", "7", "--json"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=100,
        check=True,
    )
    verdict = json.loads(told.stdout.splitlines()[-1])
    assert {key: verdict[key] for key in MUST_BE_0} == dict.fromkeys(MUST_BE_0, 0)
    assert verdict["by_disposition"]["SORTED"] >= 5
    assert verdict["outputs_safe"]
