"""`hubctl conform` with a hub file: devices are as the site has set them up, and reached where it says."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from hubctl.cli.main import app
from hubctl.core.hubfile import Scale
from hubctl.sim.live_devices import TwinDevice
from hubctl.sim.scale_twins import Load, ScaleTwin

COMMAND = (sys.executable, "-c", "from hubctl.cli.main import main; main()", "conform")
HUB = """
hub = {{ name = "bench" }}
belts = [{{ name = "table", length_mm = 3000, speed_mm_s = 500, end_chute = "END" }}]
links = [
  {{ name = "scale", kind = "scale-tcp", host = "127.0.0.1", port = {port} }},
  {{ name = "io", kind = "modbus-tcp", host = "127.0.0.1", port = 15020 }},
  {{ name = "top", kind = "scanner-tcp", host = "127.0.0.1", port = 15030 }},
]
nodes = [{{ name = "io", link = "io" }}]
eyes = [{{ name = "in", belt = "table", at_mm = 300, role = "induct", input = "io/discrete/0" }}]
scanners = [{{ name = "top", belt = "table", at_mm = 600, link = "top" }}]
chutes = [{{ name = "END", no = 9 }}]
[[scales]]
name = "dws"
belt = "table"
at_mm = 900
link = "scale"
preset = "csv"
columns = ["-", "-", "weight"]
delimiter = ";"
[[scales]]
name = "plate"
belt = "table"
at_mm = 1500
weight = "io/input/0"
ready = "io/input/1.0"
"""


def conform(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["conform", *arguments])


# One whose telegrams are stamped by counts, one that is told the numbers of triggers, one with columns of its own, ...
@pytest.mark.parametrize(
    ("hub", "name"),
    [
        ("nodes", "top"),
        ("depot", "top"),
        ("annex", "scale"),
        ("wheels", "w2"),
        ("shoes", "w1"),
        ("nodes", "n1"),
    ],
)
def test_the_twin_of_a_device_is_as_the_hub_file_sets_it_up(hub: str, name: str) -> None:
    told = conform(name, "--hub", hub, "--twin", "--json")
    assert json.loads(told.output)["passed"], told.output


def test_a_scale_with_columns_of_its_own_is_reached_where_the_hub_file_says(tmp_path: Path) -> None:
    file = tmp_path / "bench.toml"

    async def story() -> tuple[int | None, str]:
        place = {"name": "s", "belt": "b", "at_mm": 0}
        speaks = {"preset": "csv", "columns": ["-", "-", "weight"], "delimiter": ";"}
        twin = ScaleTwin(Scale.model_validate(place | speaks))
        device = TwinDevice(twin, is_serial=False)
        file.write_text(HUB.format(port=(await device.plug())[1]))
        process = await asyncio.create_subprocess_exec(
            *(*COMMAND, "dws", "--hub", str(file), "--json"),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )
        told = asyncio.create_task(process.communicate())
        while not told.done():
            device.say(twin.weigh(Load(1200, 300, 200, 100)))
            await asyncio.wait([told], timeout=0.02)
        await device.unplug()
        return process.returncode, told.result()[0].decode()

    code, told = asyncio.run(story())
    assert code == 0, told
    assert json.loads(told)["passed"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["nix", "--hub", "shoes"], "no scanner, scale or node of the hub file has that name"),
        (["io1", "--hub", "demo"], "it has no profile in the hub file"),
        (["zbra"], 'no profile and no preset has that name; did you mean "zebra-ssi"?'),
        (["wago-750", "--link", "tls://127.0.0.1:1"], "TLS needs --ca, --cert, --key"),
    ],
)
def test_what_cannot_be_checked_is_told(words: list[str], said: str) -> None:
    told = conform(*words)
    assert told.exit_code == 2
    assert said in " ".join(told.output.replace("│", " ").split())


def test_a_scale_that_is_only_registers_is_no_device(tmp_path: Path) -> None:
    file = tmp_path / "bench.toml"
    file.write_text(HUB.format(port=1))
    told = conform("plate", "--hub", str(file), "--twin")
    assert told.exit_code == 2
    assert "check that node" in " ".join(told.output.replace("│", " ").split())
