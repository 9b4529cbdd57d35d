"""Whether a scale is what its preset says: its twin is, another make is not; over memory, a socket and a line."""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

import pytest
from typer.testing import CliRunner

from hubctl.cli.main import app
from hubctl.cli.twin_lines import TWIN_LOADS, TwinScaleLine
from hubctl.conform.checks import findings
from hubctl.conform.scale import Weigher, plain_scale, scale_checks
from hubctl.core.gauging import PRESETS
from hubctl.core.hubfile import Scale
from hubctl.sim.live_devices import TwinDevice
from hubctl.sim.scale_twins import Load, ScaleTwin

COMMAND = (sys.executable, "-c", "from hubctl.cli.main import main; main()", "conform")
LOADED_NS = 20_000_000


def failed(name: str, twin: Any) -> list[str]:
    return [f.name for f in findings(scale_checks(Weigher(twin, plain_scale(name)))) if not f.passed]


@pytest.mark.parametrize("name", PRESETS)
def test_every_twin_is_what_its_preset_says(name: str) -> None:
    told = list(findings(scale_checks(Weigher(TwinScaleLine(plain_scale(name)), plain_scale(name)))))
    assert len(told) >= 4
    assert [finding for finding in told if not finding.passed] == []


@pytest.mark.parametrize(
    ("twin", "preset"), [(a, b) for a in PRESETS for b in PRESETS if a != b and (a, b) != ("csv", "mt-sics")]
)
def test_a_scale_of_another_make_is_found_out(twin: str, preset: str) -> None:
    assert failed(preset, TwinScaleLine(plain_scale(twin)))


class Cut(TwinScaleLine):
    """Joined in the middle of a telegram, and later one byte is lost."""

    def __init__(self, name: str, lost_at: int | None = None) -> None:
        super().__init__(plain_scale(name))
        self._said: list[bytes] = []
        self._lost_at = lost_at

    def exchange(self, data: bytes, timeout_ms: int, is_enough: Any) -> bytes:
        said = super().exchange(data, timeout_ms, is_enough)
        self._said.append(said)
        if len(self._said) == 1:
            return said[3:]
        return said[:5] + said[6:] if len(self._said) == self._lost_at else said


def test_a_line_joined_in_mid_telegram_is_no_fault_of_the_scale_but_a_lost_byte_is() -> None:
    assert failed("toledo", Cut("toledo")) == []
    assert "says nothing that its preset does not know" in failed("toledo", Cut("toledo", 4))


def test_the_command_tells_each_check() -> None:
    result = CliRunner().invoke(app, ["conform", "mt-sics"])
    assert result.exit_code == 0
    assert "pass  answers a command, and not as if it were a weight\n" in result.output
    assert "10 checks, 0 failed" in result.output


class Loaded(ScaleTwin):
    """Somebody loads it again and again."""

    _loads_ns = 0

    def advance(self, now_ns: int) -> bytes:
        """Another load."""
        self._loads_ns = now_ns + LOADED_NS
        return self.weigh(Load(*TWIN_LOADS[0]))

    def next_deadline(self) -> int:
        """When it is loaded next."""
        return self._loads_ns


@pytest.mark.parametrize("is_serial", [False, True])
def test_a_scale_on_a_socket_or_a_line_is_tried(is_serial: bool) -> None:
    async def story() -> tuple[int | None, str]:
        device = TwinDevice(
            Loaded(Scale(name="s", belt="b", at_mm=0, preset="cubiscan")), is_serial=is_serial
        )
        place = await device.plug()
        way = ["--port", str(place)] if is_serial else ["--link", f"tcp://{place[0]}:{place[1]}"]
        process = await asyncio.create_subprocess_exec(
            *COMMAND,
            "cubiscan",
            *way,
            "--json",
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )
        told, _ = await process.communicate()
        await device.unplug()
        return process.returncode, told.decode()

    code, told = asyncio.run(story())
    assert code == 0, told
    assert json.loads(told) | {"checks": []} == {"preset": "cubiscan", "passed": True, "checks": []}
