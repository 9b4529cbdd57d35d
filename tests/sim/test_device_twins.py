"""The twins of devices: answers to whole, split, glued and corrupted requests, and the quirks of each make."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from pymodbus.client import AsyncModbusTcpClient

from hubctl._wire import modbus_crc
from hubctl.core.address import Space
from hubctl.core.profile import profile_names, resolve_profile
from hubctl.sim.device_twins import (
    AbbTwin,
    ConveylinxTwin,
    DeltaTwin,
    DriveTwin,
    MoxaTwin,
    WagoTwin,
    WaveshareTwin,
    ZqwlTwin,
    twin_of,
)
from hubctl.sim.live_nodes import TwinNodes
from hubctl.sim.modbus_twin import BareBoard, Twin, TwinFrames

MS = 1_000_000
H, C, D, I = Space.HOLDING, Space.COIL, Space.DISCRETE, Space.INPUT  # noqa: E741


def made(name: str) -> Twin:
    return twin_of(resolve_profile(name))


def asked(twin: Twin, pdu: str, now_ns: int = 0) -> str:
    return twin.answer(bytes.fromhex(pdu), now_ns).hex()


def first_request(name: str) -> bytes:
    step = resolve_profile(name).identity[0]
    return bytes([step.function]) + step.at.to_bytes(2, "big") + step.n_things.to_bytes(2, "big")


def framed(pdu: bytes, *, rtu: bool, number: int = 7, unit: int = 1) -> bytes:
    body = bytes([unit]) + pdu
    if rtu:
        return body + modbus_crc(body).to_bytes(2, "little")
    return number.to_bytes(2, "big") + b"\0\0" + len(body).to_bytes(2, "big") + body


# Frames


@pytest.mark.parametrize("rtu", [False, True])
@pytest.mark.parametrize("name", profile_names())
def test_whole_in_pieces_and_glued_are_answered_alike(name: str, rtu: bool) -> None:
    request = framed(first_request(name), rtu=rtu)
    whole = TwinFrames({1: made(name)}, rtu=rtu).receive(request, 0)
    assert whole
    assert whole[1 if rtu else 7] == first_request(name)[0]
    pieces = TwinFrames({1: made(name)}, rtu=rtu)
    assert b"".join(pieces.receive(bytes([byte]), 0) for byte in request) == whole
    assert TwinFrames({1: made(name)}, rtu=rtu).receive(3 * request, 0) == 3 * whole
    tail = TwinFrames({1: made(name)}, rtu=rtu)
    assert tail.receive(request + request[:3], 0) == whole
    assert tail.receive(request[3:], 0) == whole


@pytest.mark.parametrize("name", profile_names())
def test_a_corrupted_request_on_a_line_gets_no_answer_and_the_next_one_does(name: str) -> None:
    request = framed(first_request(name), rtu=True)
    for at in range(len(request)):
        frames = TwinFrames({1: made(name)}, rtu=True)
        spoilt = request[:at] + bytes([request[at] ^ 0x40]) + request[at + 1 :]
        assert frames.receive(spoilt, 0) == b""
        assert frames.receive(request, 100 * MS) != b""


@pytest.mark.parametrize("name", profile_names())
def test_a_corrupted_request_over_tcp_breaks_nothing(name: str) -> None:
    request = framed(first_request(name), rtu=False)
    for at in range(len(request)):
        frames = TwinFrames({1: made(name)}, rtu=False)
        frames.receive(request[:at] + bytes([request[at] ^ 0xFF]) + request[at + 1 :], 0)
        assert frames.is_broken or frames.receive(request, 0) is not None


def test_another_units_request_is_not_answered() -> None:
    frames = TwinFrames({1: made("wago-750")}, rtu=False)
    assert frames.receive(framed(first_request("wago-750"), rtu=False, unit=2), 0) == b""
    assert frames.receive(framed(first_request("wago-750"), rtu=False), 0) != b""


# Exceptions


@pytest.mark.parametrize("name", profile_names())
def test_a_function_it_does_not_know_is_exception_1(name: str) -> None:
    for function in set(range(1, 25)) - set(resolve_profile(name).limits.functions):
        assert asked(made(name), f"{function:02x}00000001") == f"{function | 0x80:02x}01"


@pytest.mark.parametrize("name", profile_names())
def test_too_many_is_exception_3_and_outside_exception_2(name: str) -> None:
    limits = resolve_profile(name).limits
    assert asked(made(name), f"030000{limits.read_registers + 1:04x}") == "8303"
    assert asked(made(name), "03ffff0001") == "8302"
    assert asked(made(name), "0300000000") == "8303"


# Makes


def test_a_wago_reads_inputs_where_outputs_are_written() -> None:
    twin = made("wago-750")
    assert asked(twin, "050003ff00") == "050003ff00"
    assert asked(twin, "0100000008") == "010100"
    assert asked(twin, "0102000008") == "010108"
    assert asked(twin, "050203ff00") == "050203ff00"  # outputs can be written there too
    assert asked(twin, "0504000000") == "8502"


def test_a_wagos_watchdog_wants_another_word_each_time() -> None:
    twin = made("wago-750")
    assert isinstance(twin, WagoTwin)
    for pdu in ("0610000005", "0610030001"):
        asked(twin, pdu)
    assert twin.status == WagoTwin.RUNNING
    assert asked(twin, "0610000006") == "8604"  # not while it runs
    asked(twin, "0610030001", 400 * MS)  # the same word: not heard
    asked(twin, "050000ff00", 400 * MS)
    twin.advance(500 * MS)
    assert twin.status == WagoTwin.EXHAUSTED
    assert twin.outputs == {0: False}
    for pdu in ("0320110001", "0100000001", "050000ff00"):
        assert asked(twin, pdu, 600 * MS).endswith("04")
    assert asked(twin, "061008aa55", 600 * MS) == "061008aa55"
    assert asked(twin, "0320110001", 600 * MS) == "030202ee"


def test_a_moxa_has_its_high_word_first_and_clears_counters_by_1_only() -> None:
    twin = made("moxa-e1212")
    assert isinstance(twin.board, BareBoard)
    twin.board.inputs |= {(I, 16): 1, (I, 17): 2, (D, 0): 1}
    assert asked(twin, "0400100002") == "040400010002"
    assert asked(twin, "0400300001") == "04020001"
    twin.board.inputs[I, 0x30] = 4  # wired as a bit of the word
    assert asked(twin, "0400300001") == "04020005"
    assert asked(twin, "0501100000") == "8503"
    assert asked(twin, "050110ff00") == "050110ff00"
    assert bytes.fromhex(asked(twin, "041388000a"))[2:].startswith(b"E1212")


def test_a_moxa_whose_host_was_silent_does_not_obey_until_it_is_cleared() -> None:
    twin = MoxaTwin(resolve_profile("moxa-e1212"), watchdog_ms=100)
    asked(twin, "050000ff00", 0)
    asked(twin, "050000ff00", 200 * MS)
    assert twin.outputs[0] is False
    assert asked(twin, "0110300001", 210 * MS) == "010101"
    asked(twin, "051030ff00", 220 * MS)
    asked(twin, "050000ff00", 230 * MS)
    assert twin.outputs[0] is True


def test_an_adam_shows_inputs_to_function_1_and_has_its_outputs_at_16() -> None:
    twin = made("adam-6050")
    assert isinstance(twin.board, BareBoard)
    twin.board.inputs[D, 2] = 1
    assert asked(twin, "010000000c") == "01020400"
    assert asked(twin, "050012ff00") == "050012ff00"
    assert asked(twin, "03012e0001") == "03020004"
    assert asked(twin, "050006ff00") == "8502"


def test_a_waveshare_times_its_pulse_without_being_asked() -> None:
    twin = made("waveshare-relay")
    assert isinstance(twin, WaveshareTwin)
    assert asked(twin, "0502000007", 0) == "0502000007"
    assert twin.next_deadline() == 700 * MS
    twin.advance(699 * MS)
    assert twin.outputs[0]
    twin.advance(700 * MS)
    assert not twin.outputs[0]


def test_a_waveshares_frames_are_those_of_its_wiki() -> None:
    frames = TwinFrames({1: made("waveshare-relay")}, rtu=True)
    for frame in (
        "0105020000078db0",
        "0105020100089c74",
        "01050000ff008c3a",
        "010500ffff00bc0a",
        "010500005500f29a",
    ):
        data = bytes.fromhex(frame)
        assert frames.receive(data, 0) == data
    assert frames.receive(bytes.fromhex("010f0000000801ffbed5"), 0)[:6].hex() == "010f00000008"
    assert frames.receive(bytes.fromhex("0101000000083dcc"), 0)[:3].hex() == "010101"


def test_a_new_pulse_of_a_waveshare_cancels_the_one_before_and_odd_values_are_refused() -> None:
    twin = made("waveshare-relay")
    asked(twin, "0502000002", 0)
    asked(twin, "0502000005", 100 * MS)
    twin.advance(250 * MS)
    assert twin.outputs[0]
    twin.advance(600 * MS)
    assert not twin.outputs[0]
    assert asked(twin, "0500001234", 0) == "8503"
    assert asked(twin, "0502008000", 0) == "8503"
    assert asked(twin, "0500015500", 0) == "0500015500"
    assert twin.outputs[1]


def test_a_zqwl_speaks_three_protocols_on_one_socket() -> None:
    twin = made("zqwl-relay")
    assert isinstance(twin, ZqwlTwin)
    frames = TwinFrames({1: twin}, rtu=False)
    assert frames.receive(b"zq 1 set y02 1 200 qzzq 1 get y qz", 0).startswith(
        b"zq 1 ret y02 1 qzzq 1 ret y 0 1 0"
    )
    assert twin.outputs[1]
    twin.advance(200 * MS)
    assert not twin.outputs[1]
    single = bytes.fromhex("483a017005010000") + b"\x45\x44"
    assert frames.receive(single + framed(bytes.fromhex("0310440001"), rtu=False), 0).endswith(
        b"\x03\x02\0\1"
    )


def test_a_conveylinx_releases_on_a_change_only_and_beats() -> None:
    twin = made("conveylinx")
    assert isinstance(twin, ConveylinxTwin)
    for value in (1, 1, 2):
        assert asked(twin, f"060647{value:04x}") == f"060647{value:04x}"
    assert twin.departed == [2, 0]
    assert asked(twin, "0305dc0001") == "8302"  # not from the middle
    assert asked(twin, "0305db002e") == "8303"
    assert asked(twin, "0305db0015", 0) != asked(twin, "0305db0015", 2000 * MS)
    twin.jams[0] = True
    asked(twin, "0606530001")
    assert not twin.jams[0]


def test_a_conveylinx_in_plc_mode_runs_by_bit_0_and_beats() -> None:
    twin = made("conveylinx-plc")
    assert isinstance(twin, DriveTwin)
    for pdu, runs in (("0601030001", True), ("0601030101", True), ("0601030000", False)):
        assert asked(twin, pdu) == pdu
        assert twin.is_running == runs
    assert asked(twin, "0306a40001") == "8302"  # not from the middle
    assert asked(twin, "0306a30010", 0) != asked(twin, "0306a30010", 2000 * MS)


@pytest.mark.parametrize(("name", "kind"), [("delta-vfd", DeltaTwin), ("abb-drives", AbbTwin)])
def test_a_drives_speed_lags_behind_its_setpoint(name: str, kind: type[DriveTwin]) -> None:
    twin = made(name)
    assert isinstance(twin, kind)
    drive = twin.drive
    for at, word in ((drive.control, drive.stop), (drive.setpoint, drive.full), (drive.control, drive.run)):
        asked(twin, f"06{at:04x}{word:04x}")
    assert asked(twin, f"03{drive.actual:04x}0001", 1000 * MS) == f"0302{drive.full // 2:04x}"
    assert asked(twin, f"03{drive.actual:04x}0001", 2000 * MS) == f"0302{drive.full:04x}"


def test_an_abb_drive_runs_only_from_ready() -> None:
    twin = made("abb-drives")
    assert isinstance(twin, AbbTwin)
    asked(twin, "060000047f")
    assert not twin.is_running
    asked(twin, "060000047e")
    asked(twin, "060000047f")
    assert twin.is_running
    twin.fault = 1
    assert int(asked(twin, "0300030001")[4:], 16) & AbbTwin.TRIPPED


# Other masters


def served(name: str, story: Callable[[str, int], Awaitable[Any]]) -> Any:
    async def run() -> Any:
        nodes = TwinNodes({1: made(name)})
        address = await nodes.plug()
        assert not isinstance(address, str)
        try:
            return await story(*address)
        finally:
            await nodes.unplug()

    return asyncio.run(run())


@pytest.mark.parametrize("name", profile_names())
def test_pymodbus_is_answered(name: str) -> None:
    step = resolve_profile(name).identity[0]

    async def story(host: str, port: int) -> Any:
        client = AsyncModbusTcpClient(host, port=port, timeout=2, retries=0)
        assert await client.connect()
        read = {3: client.read_holding_registers, 4: client.read_input_registers}[step.function]
        answer = await read(step.at, count=step.n_things, device_id=1)
        client.close()
        return answer

    answer = served(name, story)
    assert not answer.isError()
    assert len(answer.registers) == step.n_things


@pytest.mark.skipif(shutil.which("mbpoll") is None, reason="mbpoll is not installed")
@pytest.mark.parametrize("name", profile_names())
def test_mbpoll_is_answered(name: str) -> None:
    step = resolve_profile(name).identity[0]
    table = {3: "4", 4: "3"}[step.function]

    async def story(host: str, port: int) -> Any:
        words = [
            "mbpoll",
            "-1",
            "-0",
            "-q",
            "-a",
            "1",
            "-t",
            table,
            "-r",
            str(step.at),
            "-c",
            str(step.n_things),
        ]
        process = await asyncio.create_subprocess_exec(
            *words, "-p", str(port), host, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        told, _ = await process.communicate()
        return process.returncode, told.decode()

    code, told = served(name, story)
    assert code == 0, told
    assert f"[{step.at}]:" in told
