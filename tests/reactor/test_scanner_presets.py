"""Every scanner preset through the real reactor: what is said becomes the kernel's reads, what is owed is answered."""

from __future__ import annotations

import socket
import sys
from pathlib import Path

import pytest
from rig import LINK_SCANNER, PATIENCE_S, Rig

from hubctl.core.events import Kind
from hubctl.core.presets import presets
from hubctl.core.tables import FRAMING

sys.path.append(str(Path(__file__).parents[1] / "wire"))

from spoken import LABEL, SPEAKERS, framing

SCAN_ENABLE = bytes.fromhex("04 E9 04 00 FF 0F")
ACK = bytes.fromhex("04 D0 04 00 FF 28")


@pytest.mark.parametrize("preset", presets())
def test_what_a_scanner_says_is_what_the_kernel_reads(tmp_path: Path, preset: str) -> None:
    row = framing(preset)
    assert FRAMING.names is not None
    with Rig(tmp_path, framing={name: row[name] for name in FRAMING.names}) as rig:
        rig.attach()
        for label in (LABEL, None):
            rig.scanner.send(SPEAKERS[preset](label))
        reads = rig.until_told(Kind.READ, 2)
        assert [bytes(read["text"][: read["n_text"]]) for read in reads] == [LABEL, b""]


def test_packets_are_acknowledged_by_the_reactor(tmp_path: Path) -> None:
    row = framing("zebra-ssi")
    assert FRAMING.names is not None
    with Rig(tmp_path, framing={name: row[name] for name in FRAMING.names}) as rig:
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        rig.reactor.attach(LINK_SCANNER, ours.detach())
        with theirs:
            theirs.settimeout(PATIENCE_S)
            assert theirs.recv(64) == SCAN_ENABLE
            theirs.sendall(SPEAKERS["zebra-ssi"](LABEL))
            assert theirs.recv(64) == ACK
            rig.until_told(Kind.READ)
