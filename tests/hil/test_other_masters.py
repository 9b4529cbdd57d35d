"""Masters that know nothing of us read and arm a node by the documented map."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from pymodbus.client import ModbusTcpClient
from targets import BOOT_ID, Process, start_host

from hubctl.protocol import registers as r
from hubctl.protocol.registers import Command, NodeState, OutcomeKind, Result

FIRE = Result.OK | OutcomeKind.FIRED << 8
CONFIG = {"watchdog_ms": 60_000, "confirm_eye": (r.NO_EYE,) * r.N_DIVERTERS}
ARM = {"action": r.Action.PULSE, "hold": 100, "hold_unit": r.HoldUnit.MS}


@pytest.fixture
def process(tmp_path: Path) -> Iterator[Process]:
    """A node in a process, on TCP."""
    started = start_host("tcp", tmp_path)
    assert isinstance(started, Process)
    yield started
    started.close()


def port_of(process: Process) -> int:
    return int(process.modbus_address.removeprefix("tcp:"))


def writes() -> list[tuple[r.Block, list[int]]]:
    """What a master writes, one after another, to have a divert fired at once."""
    return [
        (r.COMMAND, r.put(r.COMMAND, host_seq=1, epoch=1, command=Command.TAKE, seq=BOOT_ID)),
        (r.CONFIG, r.put(r.CONFIG, host_seq=2, epoch=1, **CONFIG)),
        (r.COMMAND, r.put(r.COMMAND, host_seq=3, epoch=1, command=Command.ARM, seq=1, diverter=2, **ARM)),
    ]


def test_pymodbus(process: Process) -> None:
    with ModbusTcpClient("127.0.0.1", port=port_of(process)) as client:
        identity = client.read_holding_registers(r.IDENTITY.address, count=r.IDENTITY.n_words).registers
        assert r.get(r.IDENTITY, identity, "boot_id") == BOOT_ID
        for block, words in writes():
            assert not client.write_registers(block.address, words).isError()
        outcomes = client.read_input_registers(r.OUTCOMES.address, count=r.OUTCOMES.n_words).registers
        assert outcomes[4:9] == [0, 1, FIRE, 0, 0]
        assert client.read_coils(0, count=16).bits[:4] == [False, False, True, False]
        poll = r.put(r.POLL, host_seq=9, epoch=1)
        answer = client.readwrite_registers(
            read_address=r.RESULT.address,
            read_count=r.RESULT.n_words,
            write_address=r.POLL.address,
            values=poll,
        )
        assert answer.registers[:3] == [9, Result.OK, NodeState.READY]


def mbpoll(process: Process, *words: str | int) -> list[int]:
    """The registers that one call of mbpoll reads."""
    options = ["-m", "tcp", "-p", str(port_of(process)), "-a", "1", "-0", "-1", "-t", "4", "-q"]
    command = ["mbpoll", *options, *(str(word) for word in words)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=True)
    rows = [line.split() for line in done.stdout.splitlines() if line.startswith("[")]
    return [int(row[1]) for row in rows]


def test_mbpoll(process: Process) -> None:
    if shutil.which("mbpoll") is None:
        pytest.skip("needs mbpoll (Debian: mbpoll)")
    identity = mbpoll(process, "-r", r.IDENTITY.address, "-c", r.IDENTITY.n_words, "127.0.0.1")
    assert r.get(r.IDENTITY, identity, "boot_id") == BOOT_ID
    for block, words in writes():
        mbpoll(process, "-r", block.address, "127.0.0.1", "--", *words)
    outcomes = mbpoll(process, "-r", r.OUTCOMES.address, "-c", 9, "127.0.0.1")
    assert outcomes[4:] == [0, 1, FIRE, 0, 0]
