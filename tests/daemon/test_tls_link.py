"""A Modbus link over TLS: dialled, carried, lost, and refused with the reason."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from peers import ROLE, Papers, PymodbusNode, make_papers
from rig import LINK_FIRST, Rig, label, until

from hubctl.core.events import LinkFault
from hubctl.core.hubfile import ModbusTlsLink, load_hub
from hubctl.io.links import RETRY_NS_MIN, Connector
from hubctl.io.tls import role_in, role_of


@pytest.fixture(scope="module")
def papers(tmp_path_factory: pytest.TempPathFactory) -> Papers:
    return make_papers(tmp_path_factory.mktemp("papers"))


@pytest.fixture
def node(papers: Papers) -> Iterator[PymodbusNode]:
    started = PymodbusNode(tls=papers.context())
    yield started
    started.close()


def link_to(port: int, papers: Papers, **more: str) -> ModbusTlsLink:
    files = {
        "ca": str(papers.ca),
        "certificate": str(papers.client),
        "key": str(papers.client.with_suffix(".key")),
    }
    return ModbusTlsLink.model_validate(
        {"name": "drive", "kind": "modbus-tls", "host": "127.0.0.1", "port": port, **files, **more}
    )


def dialled(connector: Connector) -> int:
    fd = until(lambda: connector.advance(0), "a connection")
    assert isinstance(fd, int)
    return fd


def test_a_parcel_is_sorted_over_tls(tmp_path: Path, node: PymodbusNode, papers: Papers) -> None:
    with Rig(tmp_path, hold_ms=1000) as rig:
        rig.attach()
        rig.reactor.attach(LINK_FIRST, dialled(Connector(link_to(node.port, papers), 1)))
        rig.until_up(0, 1)
        rig.scanner.send(label(1, lane=1))
        until(lambda: node.coil(3), "the coil of pymodbus")
        assert rig.reactor.stop(2.0)
        assert not node.coil(3)
        assert rig.refusals(LINK_FIRST) == {}


def test_the_end_of_either_side_is_the_end_of_the_other(papers: Papers) -> None:
    node = PymodbusNode(tls=papers.context())
    fd = dialled(Connector(link_to(node.port, papers), 1))
    node.close()
    peer = socket.socket(fileno=fd)
    peer.settimeout(10)
    assert peer.recv(1) == b""
    peer.close()


def test_a_server_that_does_not_know_our_certificate_says_so(papers: Papers, tmp_path: Path) -> None:
    others = make_papers(tmp_path)
    node = PymodbusNode(tls=others.context())
    stranger = link_to(node.port, papers, ca=str(others.ca))
    connector = Connector(stranger, 1)
    peer = socket.socket(fileno=dialled(connector))
    peer.settimeout(10)
    assert peer.recv(1) == b""  # with TLS 1.3 the refusal comes after the handshake
    peer.close()
    connector.lost(LinkFault.CLOSED, 0)
    assert connector.advance(2 * RETRY_NS_MIN) is None
    assert "does it know our certificate?" in connector.messages()[-1]
    node.close()


def test_the_role_is_read_from_our_certificate(papers: Papers) -> None:
    assert role_of(str(papers.client)) == ROLE
    assert role_of(str(papers.nobody)) is None
    assert role_of("absent.pem") is None
    assert role_in(b"\x06\x0b" + bytes.fromhex("2B0601040183890C862201") + b"\x04") is None


def test_files_are_found_beside_the_hub_file(tmp_path: Path) -> None:
    (tmp_path / "hub.toml").write_text(
        """
hub = { name = "bench" }
belts = [{ name = "table", kind = "station", length_mm = 1000, speed_mm_s = 1000, end_chute = "END" }]
links = [
  { name = "drive", kind = "modbus-tls", host = "h", ca = "ca.pem", certificate = "us.pem", key = "/etc/us.key" },
  { name = "scanner", kind = "scanner-tcp", host = "127.0.0.1", port = 2112 },
]
nodes = [{ name = "drive", link = "drive" }]
scanners = [{ name = "scanner", belt = "table", at_mm = 500, link = "scanner", latency_ms = 0 }]
chutes = [{ name = "END", no = 9 }]
"""
    )
    link = load_hub(tmp_path / "hub.toml").links[0]
    assert isinstance(link, ModbusTlsLink)
    assert (link.ca, link.key, link.port) == (str(tmp_path / "ca.pem"), "/etc/us.key", 802)
