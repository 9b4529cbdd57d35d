"""`hubctl conform`: every twin is what its profile says, over memory, sockets and lines; one that is not is told."""

from __future__ import annotations

import asyncio
import json
import sys

import pytest

from hubctl.cli.main import main
from hubctl.cli.twin_lines import TwinLine
from hubctl.conform.checks import Finding, findings
from hubctl.conform.frames import answers, framed, shown
from hubctl.conform.modbus import Asker, modbus_checks
from hubctl.core.address import Space
from hubctl.core.profile import profile_names, resolve_profile
from hubctl.sim.device_twins import WagoTwin, WaveshareTwin, twin_of
from hubctl.sim.live_nodes import TwinNodes
from hubctl.sim.modbus_twin import Twin, TwinFrames

COMMAND = (sys.executable, "-c", "from hubctl.cli.main import main; main()", "conform")


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    with pytest.raises(SystemExit) as ended:
        main(["conform", *arguments])
    captured = capsys.readouterr()
    return int(ended.value.code or 0), captured.out + captured.err


@pytest.mark.parametrize("rtu", [False, True])
@pytest.mark.parametrize("name", profile_names())
def test_every_twin_is_what_its_profile_says(name: str, rtu: bool) -> None:
    profile = resolve_profile(name)
    asker = Asker(TwinLine(profile, rtu=rtu), profile, rtu=rtu)
    told = list(findings(modbus_checks(asker, with_outputs=True)))
    assert [finding for finding in told if not finding.passed] == []
    assert len(told) >= 7


def test_the_command_tries_the_twin_and_says_pass(capsys: pytest.CaptureFixture[str]) -> None:
    code, told = run(capsys, "wago-750")
    assert code == 0
    assert told.splitlines()[-1] == "22 checks, 0 failed"
    code, told = run(capsys, "moxa-e1212", "--json")
    assert json.loads(told)["passed"] is True


def test_an_unknown_name_and_two_ways_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, "wago-705")[0] == 2
    assert run(capsys, "wago-750", "--link", "tcp://127.0.0.1:1", "--port", "/dev/null")[0] == 2


def test_a_device_that_is_not_there_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    code, told = run(capsys, "wago-750", "--link", "tcp://127.0.0.1:1", "--timeout-ms", "50")
    assert code == 2
    assert "cannot be reached" in told


@pytest.mark.parametrize("kind", ["modbus-tcp", "modbus-rtu-tcp", "modbus-rtu"])
def test_a_device_on_a_socket_or_a_line_is_tried(kind: str) -> None:
    async def story() -> tuple[int | None, str]:
        nodes = TwinNodes({1: twin_of(resolve_profile("waveshare-relay"))}, kind)
        address = await nodes.plug()
        scheme = {"modbus-tcp": "tcp", "modbus-rtu-tcp": "rtu+tcp"}.get(kind)
        way = (
            ["--port", str(address)]
            if scheme is None
            else ["--link", f"{scheme}://{address[0]}:{address[1]}"]
        )
        process = await asyncio.create_subprocess_exec(
            *COMMAND, "waveshare-relay", *way, "--timeout-ms", "200", stdout=asyncio.subprocess.PIPE
        )
        told, _ = await process.communicate()
        await nodes.unplug()
        return process.returncode, told.decode()

    code, told = asyncio.run(story())
    assert code == 0, told
    assert "0 failed" in told


# Devices that are not what they should be


class Short(Twin):
    """Gives fewer registers than it was asked for."""

    def answer(self, pdu: bytes, now_ns: int) -> bytes:
        answer = super().answer(pdu, now_ns)
        return answer[:1] + bytes([len(answer) - 4]) + answer[2:-2] if answer[0] == 3 else answer


class Deaf(WagoTwin):
    """Its watchdog never acts."""

    def advance(self, now_ns: int) -> None:
        self._due_ns = 2**62


class Straight(WagoTwin):
    """Shows outputs where they are written."""

    def read(self, space: Space, wire: int, now_ns: int) -> int | None:
        return (
            super().read(space, wire, now_ns)
            if space is not Space.COIL
            else int(self.outputs.get(wire, False))
        )


class Stuck(WaveshareTwin):
    """Forgets to switch a pulse off."""

    def advance(self, now_ns: int) -> None:
        self._off_ns.clear()


class Knowing(Twin):
    """Answers functions that it should not know."""

    def answer(self, pdu: bytes, now_ns: int) -> bytes:
        return pdu[:2] + b"\0" if pdu[0] == 99 else super().answer(pdu, now_ns)


def failed(name: str, kind: type[Twin]) -> list[Finding]:
    profile = resolve_profile(name)
    line = TwinLine(profile, rtu=False)
    line._twin = kind(profile)
    line._frames = TwinFrames({1: line._twin}, rtu=False)
    checks = modbus_checks(Asker(line, profile, rtu=False), with_outputs=True)
    return [finding for finding in findings(checks) if not finding.passed]


@pytest.mark.parametrize(
    ("name", "kind", "check"),
    [
        ("isma-sfar", Short, "is what it should be"),
        ("wago-750", Deaf, "it acts when nobody speaks"),
        ("wago-750", Straight, "goes on and off"),
        ("waveshare-relay", Stuck, "goes off by itself"),
        ("isma-sfar", Knowing, "refuses function 99"),
    ],
)
def test_one_that_is_otherwise_fails_and_says_what_came(name: str, kind: type[Twin], check: str) -> None:
    found = [finding for finding in failed(name, kind) if check in finding.name]
    assert found
    assert all(finding.expected != finding.came for finding in found)


# Frames


@pytest.mark.parametrize("rtu", [False, True])
def test_answers_are_told_from_noise(rtu: bool) -> None:
    pdu = bytes.fromhex("03020007")
    frame = framed(pdu, rtu=rtu, unit=1)
    assert answers(2 * frame, rtu=rtu, unit=1) == [pdu, pdu]
    assert answers(frame, rtu=rtu, unit=2)[0][:1] == b"\0"
    assert answers(frame + b"\x55", rtu=rtu, unit=1) == [pdu, b"\0\x55"]
    assert answers(b"", rtu=rtu, unit=1) == []


@pytest.mark.parametrize(
    ("pdu", "words"),
    [
        ("", "no answer"),
        ("8302", "exception 2 to function 3"),
        ("0001", "no whole and right frame: 01"),
        ("0300", "03 00"),
    ],
)
def test_an_answer_is_shown_to_people(pdu: str, words: str) -> None:
    assert shown(bytes.fromhex(pdu)) == words
