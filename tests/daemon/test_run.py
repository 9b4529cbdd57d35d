"""`hubctl run` as a process: sorts over sockets and ptys, tells, and stops in order."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TextIO

import numpy as np
import pytest
from rig import NodeModel, Scanner, Serving, label, serve_node, station_file, until

from hubctl.core.events import RECORD, Kind

HUBCTL = [sys.executable, "-c", "from hubctl.cli.main import main; main()"]
ROOT = Path(__file__).parents[2]


class Devices:
    """A scanner and two nodes for a station."""

    def __init__(self) -> None:
        self.nodes = NodeModel(), NodeModel()
        self.scanner = Scanner()
        self.servers = [Serving(serve_node(node)) for node in self.nodes]

    def hub_file(self, directory: Path, **more: Any) -> Path:
        ports = {"scanner": self.scanner.port, "first": self.servers[0].port, "second": self.servers[1].port}
        return station_file(directory, **{**ports, **more})

    def close(self) -> None:
        for server in (self.scanner, *self.servers):
            server.close()


class Daemon:
    """The process, with what it says on standard error as it says it."""

    def __init__(self, *arguments: str, pass_fds: tuple[int, ...] = ()) -> None:
        self._process = subprocess.Popen(
            [*HUBCTL, "run", *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            pass_fds=pass_fds,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
        self.said = ""
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()

    def _listen(self) -> None:
        assert self._process.stderr
        for line in self._process.stderr:
            self.said += line.decode()

    def until_said(self, text: str) -> None:
        until(lambda: text in self.said, repr(text))

    def ended(self, number: signal.Signals = signal.SIGTERM) -> tuple[int, str]:
        """Exit code and standard output after a signal."""
        self._process.send_signal(number)
        out, _ = self._process.communicate(timeout=20)
        self._listener.join(20)
        return self._process.returncode, out.decode()

    def kill(self) -> None:
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()


@pytest.fixture
def devices() -> Iterator[Devices]:
    made = Devices()
    yield made
    made.close()


@pytest.fixture
def started() -> Iterator[list[Daemon]]:
    daemons: list[Daemon] = []
    yield daemons
    for daemon in daemons:
        daemon.kill()


def until_status(lines: TextIO, wanted: Callable[[dict[str, Any]], bool]) -> None:
    """Reads status lines until one is as wanted."""
    until(lambda: wanted(json.loads(lines.readline())), "a status line")


def send_until_on(devices: Devices, lane: int, n_fires: list[int], coil: int) -> None:
    """A label again and again, for the node may just be coming up."""
    until(lambda: devices.scanner.send(label(1, lane)) or n_fires[coil], "the coil")


def test_it_sorts_tells_and_stops_with_every_coil_off(
    tmp_path: Path, devices: Devices, started: list[Daemon]
) -> None:
    reader, writer = os.pipe()
    records = tmp_path / "records"
    file = devices.hub_file(tmp_path, hold_ms=5000)
    options = ["--json", "--records", str(records), "--status-fd", str(writer)]
    daemon = Daemon(str(file), *options, pass_fds=(writer,))
    started.append(daemon)
    os.close(writer)
    with os.fdopen(reader) as lines:
        until_status(lines, lambda status: set(status["nodes"].values()) == {"up"})
        devices.scanner.send(label(1, lane=1))
        until_status(lines, lambda status: bool(status["closed"] == 1))
    assert devices.nodes[0].coils[3]
    code, out = daemon.ended()
    assert code == 0
    assert not any(devices.nodes[0].coils)
    status = json.loads(out)
    assert (status["inducted"], status["closed"], status["in_flight"]) == (1, 1, 0)
    assert status["by_reason"] == {"OK_UNCONFIRMED": 1}
    assert status["by_chute"] == {"C1": 1}
    assert (status["fires"], status["fires_voided"], status["records_lost"]) == (1, 0, 0)
    assert status["outputs_safe"] is True
    assert status["read_to_command_us"]["n"] == status["fire_lateness_us"]["n"] == 1
    assert set(status["links"]) == {"scanner", "io1", "io2"}
    kinds = np.fromfile(records, RECORD)["kind"].tolist()
    assert {Kind.READ, Kind.FIRED, Kind.CLOSED, Kind.FLUSH} <= set(kinds)


@pytest.mark.parametrize(
    ("departs", "reason"), [("2020-01-01T06:00:00", "WAVE_MISSED"), ("2120-01-01T06:00:00", "OK_UNCONFIRMED")]
)
def test_departures_are_told_by_the_clock_on_the_wall(
    tmp_path: Path, devices: Devices, started: list[Daemon], departs: str, reason: str
) -> None:
    reader, writer = os.pipe()
    file = devices.hub_file(tmp_path)
    plan = file.with_name("two.plan.toml")
    plan.write_text(f'{plan.read_text()}\nwaves = [{{ lane = "L1", departs = {departs} }}]\n')
    daemon = Daemon(str(file), "--json", "--status-fd", str(writer), pass_fds=(writer,))
    started.append(daemon)
    os.close(writer)
    with os.fdopen(reader) as lines:
        until_status(lines, lambda status: set(status["nodes"].values()) == {"up"})
        devices.scanner.send(label(1, lane=1))
        until_status(lines, lambda status: bool(status["closed"] == 1))
    assert json.loads(daemon.ended()[1])["by_reason"] == {reason: 1}


def test_ctrl_c_ends_it_as_well_and_without_json_nothing_is_on_standard_output(
    tmp_path: Path, devices: Devices, started: list[Daemon]
) -> None:
    daemon = Daemon(str(devices.hub_file(tmp_path)))
    started.append(daemon)
    daemon.until_said("parcels/h")
    assert daemon.ended(signal.SIGINT) == (0, "")
    assert "Traceback" not in daemon.said


def test_an_absent_device_is_named_and_joins_when_it_comes(tmp_path: Path, started: list[Daemon]) -> None:
    devices = Devices()
    port = devices.servers[1].port
    devices.servers[1].close()
    daemon = Daemon(str(devices.hub_file(tmp_path)))
    started.append(daemon)
    daemon.until_said(f"Modbus io2: 127.0.0.1:{port} refused the connection; is it switched on")
    send_until_on(devices, 1, devices.nodes[0].n_fires, 3)
    assert daemon.ended()[0] == 0
    for server in (devices.scanner, devices.servers[0]):
        server.close()


def test_a_serial_port_that_vanishes_is_named_and_tried_again(
    tmp_path: Path, devices: Devices, started: list[Daemon]
) -> None:
    master, slave = os.openpty()
    path = os.ttyname(slave)
    os.close(slave)
    daemon = Daemon(str(devices.hub_file(tmp_path, first=path)))
    started.append(daemon)
    daemon.until_said(f"Modbus io1: {path} is connected.")
    os.close(master)
    daemon.until_said(f"Modbus io1: {path} ")
    until(lambda: re.search(rf"io1: {path} (closed|lost) the connection", daemon.said), "the loss")
    send_until_on(devices, 2, devices.nodes[1].n_fires, 0)
    assert daemon.ended()[0] == 0
    assert "Traceback" not in daemon.said


def test_a_wrong_hub_file_ends_it_with_every_fault_and_exit_2(tmp_path: Path) -> None:
    file = station_file(tmp_path)
    file.write_text(file.read_text().replace("hold_ms = 50", "hold_ms = -1"))
    done = subprocess.run([*HUBCTL, "run", str(file)], capture_output=True, cwd=ROOT, check=False)
    assert done.returncode == 2
    assert done.stderr.count(b"hold_ms") == 2
    assert b"Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("--cpu", "4000"),
        ("--fifo", "100"),
        ("--status-fd", "250"),
        ("--records", "/no/such/directory/records"),
    ],
)
def test_an_option_that_cannot_be_had_ends_it_with_exit_2(tmp_path: Path, option: str, value: str) -> None:
    command = [*HUBCTL, "run", str(station_file(tmp_path)), option, value]
    done = subprocess.run(command, capture_output=True, cwd=ROOT, check=False)
    assert done.returncode == 2
    assert option.encode() in done.stderr
    assert b"Traceback" not in done.stderr


def test_the_daemon_imports_no_compiler() -> None:
    code = "import sys, hubctl.cli.run, hubctl.daemon.run; print(sorted(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    assert "'hubctl._reactor'" in done.stdout
    assert "'numba'" not in done.stdout
