"""Whether a wheel diverter does what it must: its twin does; one that turns, tells or obeys otherwise is found out."""

from __future__ import annotations

import asyncio
import sys

import pytest
from typer.testing import CliRunner

from hubctl.cli.main import app
from hubctl.cli.twin_lines import TwinWheelLine
from hubctl.conform.checks import findings
from hubctl.conform.wheel import Turner, wheel_checks
from hubctl.sim import wheel_twins
from hubctl.sim.live_devices import TwinDevice
from hubctl.sim.wheel_twins import WheelState, WheelsTwin

COMMAND = (sys.executable, "-c", "from hubctl.cli.main import main; main()", "conform")


def failed(line: TwinWheelLine, *, with_outputs: bool = True) -> list[str]:
    checks = wheel_checks(Turner(line, 1), with_outputs=with_outputs)
    return [finding.name for finding in findings(checks) if not finding.passed]


def test_the_twin_does_all_of_it_and_ends_in_the_middle() -> None:
    line = TwinWheelLine(1)
    assert failed(line) == []
    assert line.turns == [None, "left", None, "right", None, "left", None]


def test_without_outputs_it_is_not_commanded() -> None:
    line = TwinWheelLine(1)
    assert failed(line, with_outputs=False) == []
    assert line.turns == []


class Wrong(TwinWheelLine):
    """Answers are others than they should be."""

    def __init__(self, wrong: bytes, instead: bytes) -> None:
        super().__init__(1)
        self._wrong, self._instead = wrong, instead

    def exchange(self, data, timeout_ms, is_enough):  # type: ignore[no-untyped-def]
        came = super().exchange(data, timeout_ms, lambda came: is_enough(self._spoilt(came)))
        return self._spoilt(came)

    def _spoilt(self, data: bytes) -> bytes:
        return data.replace(self._wrong, self._instead)


def said(kind: int, code: int) -> bytes:
    return wheel_twins.frame(1, kind, code)


@pytest.mark.parametrize(
    ("wrong", "instead", "check"),
    [
        (said(0x53, 0x56), b"", "turns to the left"),  # never says that it is there
        (said(0x53, 0x55), said(0x53, 0x53), "turns to the right"),
        (said(0x51, 0x51), said(0x51, 0x50), "starts when"),
        (said(0x51, 0x50), b"", "tells its state"),
        (said(0x51, 0x50), said(0x51, 0x59), "tells its state"),
        (said(0x53, 0x57), said(0x53, 0x57) + b"\0", "says nothing but frames"),
    ],
)
def test_one_that_says_otherwise_is_found_out(wrong: bytes, instead: bytes, check: str) -> None:
    assert any(check in name for name in failed(Wrong(wrong, instead)))


def test_one_that_lies_still_is_found_out() -> None:
    line = TwinWheelLine(1)
    line._twin.put(1, WheelState.STOPPED)
    assert "starts when it is told to" in failed(line)
    assert failed(line, with_outputs=False) == []


def test_the_command_tells_each_check() -> None:
    result = CliRunner().invoke(app, ["conform", "shudiniao", "--unit", "3"])
    assert result.exit_code == 0
    assert "pass  turns to the left, and says when it is there\n" in result.output
    assert "11 checks, 0 failed" in result.output


def test_a_wheel_on_a_socket_is_tried_without_being_turned() -> None:
    async def story() -> tuple[int | None, str, list[str | None]]:
        turns: list[str | None] = []
        device = TwinDevice(WheelsTwin([1, 2], lambda unit, side: turns.append(side)), is_serial=False)
        place = await device.plug()
        process = await asyncio.create_subprocess_exec(
            *COMMAND, "shudiniao", "--link", f"tcp://{place[0]}:{place[1]}", stdout=asyncio.subprocess.PIPE
        )
        told, _ = await process.communicate()
        await device.unplug()
        return process.returncode, told.decode(), turns

    code, told, turns = asyncio.run(story())
    assert (code, turns) == (0, []), told
