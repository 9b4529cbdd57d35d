"""`hubctl modbus` against servers that are not ours: over TCP, serial lines, RTU over TCP and TLS."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
from collections.abc import Coroutine, Iterator
from pathlib import Path
from typing import Any

import pytest
from peers import ROLE, LibmodbusNode, Papers, PymodbusNode, make_papers
from pymodbus.framer import FramerType
from rig import NodeModel, PtyNode, Serving, serve_node

from hubctl.cli.main import main
from hubctl.core.profile import resolve_profile
from hubctl.sim.device_twins import twin_of
from hubctl.sim.live_nodes import TwinNodes

HUB = """
hub = { name = "bench" }
belts = [{ name = "table", kind = "station", length_mm = 1000, speed_mm_s = 1000, end_chute = "END" }]
links = [
  { name = "io1", kind = "modbus-tcp", host = "127.0.0.1", port = PORT },
  { name = "scanner", kind = "scanner-tcp", host = "127.0.0.1", port = 2112 },
]
nodes = [{ name = "io1", link = "io1" }]
scanners = [{ name = "scanner", belt = "table", at_mm = 500, link = "scanner", latency_ms = 0 }]
chutes = [{ name = "END", no = 9 }]
"""


@pytest.fixture(scope="module")
def node() -> Iterator[PymodbusNode]:
    started = PymodbusNode()
    yield started
    started.close()


@pytest.fixture
def target(node: PymodbusNode) -> str:
    return f"tcp://127.0.0.1:{node.port}"


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    with pytest.raises(SystemExit) as ended:
        main(["modbus", *arguments])
    captured = capsys.readouterr()
    return int(ended.value.code or 0), captured.out + captured.err


# Against pymodbus


def test_registers_are_read(capsys: pytest.CaptureFixture[str], target: str) -> None:
    code, told = run(capsys, "read", target, "input/4", "--count", "2")
    assert (code, told.split()) == (0, ["input/4", "12", "12", "0x000c", "input/5", "15", "15", "0x000f"])


def test_many_are_read_in_several_requests(capsys: pytest.CaptureFixture[str], target: str) -> None:
    code, told = run(capsys, "read", target, "holding/2", "--count", "30", "--block", "7", "--json")
    assert (code, json.loads(told)["values"]) == (0, [3 * i for i in range(2, 32)])


@pytest.mark.parametrize(
    ("place", "values", "read_back"),
    [
        ("coil/3", ["on"], [1]),
        ("coil/3", ["off", "on", "on"], [0, 1, 1]),
        ("holding/20", ["-2"], [0xFFFE]),
        ("holding/0x14", ["7", "0x1234"], [7, 0x1234]),
    ],
)
def test_what_is_written_is_read_back(
    capsys: pytest.CaptureFixture[str], target: str, place: str, values: list[str], read_back: list[int]
) -> None:
    code, told = run(capsys, "write", "--json", target, place, "--", *values)
    assert code == 0
    assert json.loads(told)["read_back"] == read_back


def test_a_device_that_says_no_is_told_with_the_reason(
    capsys: pytest.CaptureFixture[str], target: str
) -> None:
    code, told = run(capsys, "read", target, "holding/30", "--count", "5")
    assert code == 1
    assert f"{target}: unit 1 says no with exception 2: it has not all of the addresses" in told


def test_who_it_is(capsys: pytest.CaptureFixture[str], target: str) -> None:
    code, told = run(capsys, "identify", target)
    assert code == 0
    assert [line.split()[-1] for line in told.splitlines()] == ["WAGO", "750-881", "1.0", "M"]


def test_units_are_found(capsys: pytest.CaptureFixture[str]) -> None:
    node = NodeModel()
    node.spoil = lambda frame: {1: frame, 3: frame[:4] + b"\0\3\3\x83\2"}.get(frame[6], b"")
    server = Serving(serve_node(node))
    target = f"tcp://127.0.0.1:{server.port}"
    code, told = run(capsys, "scan", target, "--units", "1-4", "--timeout-ms", "50", "--json")
    assert code == 0
    assert [row["what"] for row in json.loads(told)["found"]] == ["unit 1", "unit 3"]
    assert json.loads(told)["found"][1]["says"].startswith("says no with exception 2")
    server.close()


def test_places_are_found(capsys: pytest.CaptureFixture[str], target: str) -> None:
    code, told = run(capsys, "scan", target, "--places", "input/29-40")
    assert code == 0
    assert [line.split()[0] for line in told.splitlines()] == ["input/29", "input/30", "input/31"]


def test_changes_are_watched(capsys: pytest.CaptureFixture[str], target: str) -> None:
    words = ("input/1", "--period-ms", "1", "--seconds", "0.05")
    code, told = run(capsys, "watch", target, *words)
    first, *_, last = told.splitlines()
    assert (code, first.split()[2:4], last) == (0, ["input/1", "3"], "refused: none")
    code, told = run(capsys, "watch", target, *words, "--json")
    assert json.loads(told)["answers"] > 0


def test_a_node_of_a_hub_file(capsys: pytest.CaptureFixture[str], node: PymodbusNode, tmp_path: Path) -> None:
    hub = tmp_path / "hub.toml"
    hub.write_text(HUB.replace("PORT", str(node.port)))
    assert run(capsys, "read", "io1", "input/2", "--hub", str(hub))[0] == 0
    code, told = run(capsys, "read", "io2", "input/2", "--hub", str(hub))
    assert code == 2
    assert "no node io2" in told


class Wago:
    """The twin of a WAGO coupler on a thread of its own."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self.twin = twin_of(resolve_profile("wago-750"))
        self._nodes = TwinNodes({1: self.twin})
        self.port = self._wait(self._nodes.plug())[1]

    def _wait(self, awaitable: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(awaitable, self._loop).result(10)

    def close(self) -> None:
        self._wait(self._nodes.unplug())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()


def test_places_of_a_node_with_a_profile_are_those_of_the_hub_file(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    wago, hub = Wago(), tmp_path / "hub.toml"
    hub.write_text(
        HUB.replace("PORT", str(wago.port)).replace('link = "io1" }', 'link = "io1", profile = "wago-750" }')
    )
    # Coil 3 is read back 512 further up than it is written; read as coil 3 it would be an input.
    assert run(capsys, "write", "io1", "coil/3", "on", "--hub", str(hub))[0] == 0
    assert wago.twin.outputs == {3: True}
    code, told = run(capsys, "read", "io1", "coil/2", "--count", "2", "--hub", str(hub))
    assert (code, told.split()) == (0, ["coil/2", "off", "coil/3", "on"])
    code, told = run(capsys, "read", "io1", "coil/512", "--hub", str(hub))
    assert (code, "coil 0 to 511, as a hub file" in " ".join(told.replace("│", " ").split())) == (2, True)
    wago.close()


# Other lines


def test_a_serial_port(capsys: pytest.CaptureFixture[str]) -> None:
    line = PtyNode()
    line.node.registers[1] = 7
    code, told = run(capsys, "read", line.path, "holding/1", "--baud", "9600", "--json")
    assert (code, json.loads(told)["values"]) == (0, [7])
    line.close()


def test_rtu_over_tcp(capsys: pytest.CaptureFixture[str]) -> None:
    node = PymodbusNode(framer=FramerType.RTU)
    code, told = run(capsys, "read", f"rtu+tcp://127.0.0.1:{node.port}", "input/4", "--json")
    assert (code, json.loads(told)["values"]) == (0, [12])
    node.close()


def test_libmodbus(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    node = LibmodbusNode(tmp_path)
    target = f"tcp://127.0.0.1:{node.port}"
    assert run(capsys, "write", target, "coil/60", "on", "off", "on", "on")[0] == 0
    code, told = run(capsys, "read", target, "coil/59", "--count", "5", "--json")
    assert (code, json.loads(told)["values"]) == (0, [0, 1, 0, 1, 1])
    node.close()


@pytest.fixture(scope="module")
def papers(tmp_path_factory: pytest.TempPathFactory) -> Papers:
    return make_papers(tmp_path_factory.mktemp("papers"))


@pytest.fixture(scope="module")
def secure(papers: Papers) -> Iterator[str]:
    node = PymodbusNode(tls=papers.context())
    yield f"tls://127.0.0.1:{node.port}"
    node.close()


def shown(papers: Papers, client: Path, ca: Path | None = None) -> list[str]:
    return ["--ca", str(ca or papers.ca), "--cert", str(client), "--key", str(client.with_suffix(".key"))]


def test_tls_with_a_role(capsys: pytest.CaptureFixture[str], secure: str, papers: Papers) -> None:
    code, told = run(capsys, "identify", secure, *shown(papers, papers.client), "--json")
    assert code == 0
    assert json.loads(told)["role"] == ROLE
    assert json.loads(told)["objects"]["0"] == "WAGO"


def test_tls_without_a_role(capsys: pytest.CaptureFixture[str], secure: str, papers: Papers) -> None:
    code, told = run(capsys, "identify", secure, *shown(papers, papers.nobody))
    assert code == 0
    assert "none in our certificate" in told


def test_a_server_nobody_vouches_for_is_refused(
    capsys: pytest.CaptureFixture[str], secure: str, papers: Papers
) -> None:
    code, told = run(capsys, "identify", secure, *shown(papers, papers.client, ca=papers.client))
    assert code == 1
    assert "its certificate is not good" in told


def test_tls_needs_its_files(capsys: pytest.CaptureFixture[str], secure: str, papers: Papers) -> None:
    code, told = run(capsys, "identify", secure)
    assert code == 2
    assert "--ca, --cert, --key" in told.replace("\n", " ")
    code, told = run(capsys, "identify", secure, *shown(papers, papers.ca.with_name("absent.pem")))
    assert code == 1
    assert "check the files" in told


def test_a_server_that_speaks_no_tls(capsys: pytest.CaptureFixture[str], target: str, papers: Papers) -> None:
    plain = target.replace("tcp", "tls")
    code, told = run(capsys, "identify", plain, *shown(papers, papers.client))
    assert code == 1
    assert "TLS" in told


# What goes wrong


def test_an_answer_that_the_daemon_would_refuse_is_none(capsys: pytest.CaptureFixture[str]) -> None:
    node = NodeModel()
    node.spoil = lambda frame: frame[:6] + b"\x07" + frame[7:]
    server = Serving(serve_node(node))
    code, told = run(capsys, "read", f"tcp://127.0.0.1:{server.port}", "holding/0")
    assert (code, told.split(": ")[1]) == (1, "unit 1 was answered for by another unit\n")
    server.close()


def test_a_write_that_was_not_done_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    node = NodeModel()
    node.spoil = lambda frame: frame[:9] + b"\0" if frame[7] == 1 else frame
    server = Serving(serve_node(node))
    code, told = run(capsys, "write", f"tcp://127.0.0.1:{server.port}", "coil/2", "on")
    assert (code, told) == (1, "coil/2: written [1], read back [0]\n")
    server.close()


def test_a_relay_is_given_the_length_of_its_pulse(capsys: pytest.CaptureFixture[str]) -> None:
    node = NodeModel(n_coils=1024)
    server = Serving(serve_node(node))
    assert run(capsys, "write", "--raw", f"tcp://127.0.0.1:{server.port}", "coil/0x200", "7")[0] == 0
    assert node.requests[-1].hex() == "010502000007"
    server.close()


def test_silence_a_closed_door_and_nobody(capsys: pytest.CaptureFixture[str]) -> None:
    node = NodeModel()
    node.is_silent = True
    silent, closing = Serving(serve_node(node)), Serving(lambda peer: peer.close())
    with socket.create_server(("127.0.0.1", 0)) as listener:
        free: int = listener.getsockname()[1]
    for port, said in (
        (silent.port, "does not answer"),
        (closing.port, "closed the connection"),
        (free, "refused the connection"),
    ):
        code, told = run(capsys, "read", f"tcp://127.0.0.1:{port}", "coil/0", "--timeout-ms", "50")
        assert code == 1
        assert said in told
    silent.close()
    closing.close()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["read", "udp://x", "coil/0"], "must be tcp://HOST:PORT"),
        (["read", "tcp://x:99999", "coil/0"], "Port out of range"),
        (["read", "io1", "coil/0"], "must be tcp://HOST:PORT"),
        (["read", "tcp://127.0.0.1", "relay/0"], "coil, discrete, holding, input"),
        (["write", "tcp://127.0.0.1", "coil/0", "7"], "must be on or off"),
        (["write", "tcp://127.0.0.1", "input/0", "7"], "only coils and holding registers"),
        (["write", "tcp://127.0.0.1", "holding/0", "70000"], "must be -32768 to 65535"),
        (["write", "tcp://127.0.0.1", "coil/0", "7", "8", "--raw"], "--raw writes one number"),
        (["scan", "tcp://127.0.0.1", "--units", "9-3"], "span up to 255"),
        (["scan", "tcp://127.0.0.1", "--places", "relay/1-3"], "coil, discrete, holding, input"),
        (["read", "w1", "coil/0", "--hub", "wheels"], "a wheel-tcp link: must be Modbus"),
        (["read", "/dev/none", "coil/0", "--baud", "5"], "baud"),
    ],
)
def test_what_makes_no_sense_is_told(capsys: pytest.CaptureFixture[str], words: list[str], said: str) -> None:
    code, told = run(capsys, *words)
    assert code == 2 or (code == 1 and "refused" in told)
    assert said in " ".join(told.replace("│", " ").split()) or code == 1
