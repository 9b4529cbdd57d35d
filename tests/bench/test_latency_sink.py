"""The benchmark's sink is a Modbus node as an independent client knows one, and stamps what it switches."""

from __future__ import annotations

import shutil
import socket
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from pymodbus.client import ModbusTcpClient

sys.path.insert(0, str(Path(__file__).parents[2] / "bench"))

from latency.cells import WRITTEN, Stamps, port_of
from latency.compiled import compiled
from latency.processes import Child

pytestmark = pytest.mark.skipif(shutil.which("cc") is None, reason="needs a C compiler")

COIL_3_ON = bytes.fromhex("0007 0000 0006 01 05 0003 ff00")


@dataclass(frozen=True)
class Sink:
    port: int
    stamps: Stamps

    def written(self) -> list[tuple[int, int]]:
        """Coils written so far, and whether on."""
        return [(int(each["coil"]), int(each["on"])) for each in self.stamps.since(0)]


@pytest.fixture(params=["answers"])
def sink(request: pytest.FixtureRequest) -> Iterator[Sink]:
    with Stamps(WRITTEN, 1000) as stamps, tempfile.TemporaryFile() as errors:
        command = [str(compiled("sink")), str(stamps.fd), "1000", request.param]
        with Child("sink", command, errors, shared_fds=[stamps.fd]) as child:
            yield Sink(port_of(child), stamps)


@pytest.fixture
def client(sink: Sink) -> Iterator[ModbusTcpClient]:
    with ModbusTcpClient("127.0.0.1", port=sink.port, timeout=2, retries=0) as client:
        yield client


@pytest.fixture
def link(sink: Sink) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", sink.port), timeout=2) as link:
        yield link


def receive(link: socket.socket, n_bytes: int) -> bytes:
    data = b""
    while len(data) < n_bytes and (more := link.recv(n_bytes - len(data))):
        data += more
    return data


def test_coils_are_written_and_read_back(sink: Sink, client: ModbusTcpClient) -> None:
    assert not client.write_coil(3, True).isError()
    assert not client.write_coils(8, [True, False, True]).isError()
    assert client.read_coils(0, count=12).bits[:12] == [i in (3, 8, 10) for i in range(12)]
    assert sink.written() == [(3, 1), (8, 1), (9, 0), (10, 1)]


def test_registers_are_written_and_read_back(client: ModbusTcpClient) -> None:
    assert not client.write_register(1, 7).isError()
    assert not client.write_registers(2, [8, 9]).isError()
    assert client.read_holding_registers(0, count=4).registers == [0, 7, 8, 9]


def test_inputs_are_off(client: ModbusTcpClient) -> None:
    assert not any(client.read_discrete_inputs(0, count=16).bits)
    assert client.read_input_registers(0, count=3).registers == [0, 0, 0]


def test_what_it_cannot_do_is_refused(client: ModbusTcpClient) -> None:
    assert client.read_coils(1999, count=2).exception_code == 2
    assert client.write_coil(2000, True).exception_code == 2
    assert client.read_exception_status().exception_code == 1


def test_eight_requests_in_one_segment_have_eight_answers(link: socket.socket) -> None:
    link.sendall(COIL_3_ON * 8)
    assert receive(link, 8 * len(COIL_3_ON)) == COIL_3_ON * 8


def test_a_request_may_come_byte_by_byte(link: socket.socket) -> None:
    link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for byte in COIL_3_ON:
        link.sendall(bytes([byte]))
    assert receive(link, len(COIL_3_ON)) == COIL_3_ON


@pytest.mark.parametrize("sink", ["falls-silent"], indirect=True)
def test_it_falls_silent_at_the_first_coil_on(
    sink: Sink, client: ModbusTcpClient, link: socket.socket
) -> None:
    assert not client.write_coil(3, False).isError()
    link.sendall(COIL_3_ON)
    link.settimeout(0.2)
    with pytest.raises(TimeoutError):
        link.recv(1)
    assert sink.written() == [(3, 0), (3, 1)]
