"""Simulated scanners against the dialogue that the reactor has with them, and what each make does besides."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from hubctl._dialogue import ScannerDialogue
from hubctl._framer import FrameEventTold, FrameKind
from hubctl.core.hubfile import Scanner
from hubctl.core.presets import presets
from hubctl.sim.scanner_twins import FORGETS_NS, N_SENT_MAX, RESENDS_NS, ScannerTwin, scanner_twin

sys.path.append(str(Path(__file__).parents[1] / "wire"))

from spoken import framing

MS = 1_000_000
LABEL = b"420941059405511899223197428490"
SAID = [LABEL, None, b"SF1234567890123", b"7" * 56]


def scanner(preset: str, **keys: Any) -> Scanner:
    return Scanner.model_validate(
        {"name": "s", "belt": "b", "at_mm": 0, "link": "l", "preset": preset} | keys
    )


class Talk:
    """A twin and our dialogue, with nothing between them."""

    def __init__(self, preset: str, **keys: Any) -> None:
        self.twin: ScannerTwin = scanner_twin(scanner(preset, **keys))
        self.ours = ScannerDialogue(framing(preset, **keys), 0)
        self.told: list[FrameEventTold] = []
        self.exchange(b"", 0)

    def exchange(self, said: bytes, now_ns: int) -> None:
        """Passes bytes on until neither has anything to say."""
        while True:
            self.told += self.ours.receive(said, now_ns) if said else []
            if not (heard := self.ours.to_send()):
                return
            said = self.twin.receive(heard, now_ns)

    def read(self, label: bytes | None, now_ns: int) -> None:
        self.exchange(self.twin.read(label, now_ns, made_ns=now_ns), now_ns)

    def reads(self) -> list[bytes | None]:
        told = [event for event in self.told if event.kind in (FrameKind.LABEL, FrameKind.NO_READ)]
        return [event.text if event.kind == FrameKind.LABEL else None for event in told]


@pytest.mark.parametrize("preset", presets())
def test_what_a_twin_says_is_understood(preset: str) -> None:
    talk = Talk(preset)
    for i, label in enumerate(SAID):
        talk.read(label, 100 * MS * (i + 1))
    assert talk.reads() == SAID


@pytest.mark.parametrize("preset", [name for name, preset in presets().items() if preset.protocol == "plain"])
def test_several_codes_fields_and_replaced_separators_are_understood(preset: str) -> None:
    keys = {"code_separator": ",", "field_separator": "!", "label_field": 2, "group_separator": "~"}
    talk = Talk(preset, **keys)
    for i in range(3):
        talk.read(b"]C1420\x1d4210", 100 * MS * i)
    assert talk.reads() == [b"]C1420\x1d4210"] * 4


def test_a_number_comes_back_with_the_read_that_was_made_after_it() -> None:
    talk = Talk("datalogic", stamp="trigger", trigger="e", numbered=True, stamp_separator=";")
    for number, at_ns in ((41, 100 * MS), (42, 200 * MS)):
        talk.ours.tell_number(number)
        talk.exchange(b"", at_ns)
    said = talk.twin.read(LABEL, 250 * MS, made_ns=150 * MS) + talk.twin.read(
        None, 260 * MS, made_ns=210 * MS
    )
    assert [event.stamp for event in talk.ours.receive(said, 260 * MS)] == [41, 42]


def test_a_heartbeat_waits_until_nothing_was_said_for_a_while() -> None:
    twin = scanner_twin(scanner("sick", heartbeat="HB"))
    twin.read(LABEL, 500 * MS, made_ns=0)
    assert twin.next_deadline() == 1500 * MS
    assert twin.advance(1499 * MS) == b""
    assert twin.advance(1500 * MS) == b"\x02HB\x03"


def test_sick_refuses_a_method_that_comes_too_early() -> None:
    twin = scanner_twin(scanner("sick"))
    gate = b"\x02sMN mTCgateon\x03\x02sMN mTCgateoff\x03"
    assert twin.receive(gate, 0) == b"\x02sAN mTCgateon 1\x03\x02sFA D\x03"
    assert twin.receive(b"\x02sRN Foo\x03", 0) == b"\x02sFA B\x03"


def test_cognex_is_silent_until_the_extended_mode_is_asked_for() -> None:
    twin = scanner_twin(scanner("cognex"))
    assert twin.receive(b"||>TRIGGER ON\r\n||0:1>FOO\r\n", 0) == b""
    assert twin.receive(b"||>GET DEVICE.TYPE\r\n", 0) == b"DM262\r\n"
    assert twin.receive(b"||0:123>SET COM.DMCC-RESPONSE 1\r\n", 0) == b"||0:123[0]\r\n"
    assert twin.receive(b"||0:123>GET DEVICE.TYPE\r\n||>FOO\r\n", 0) == b"||0:123[0]DM262\r\n||[100]\r\n"


def test_keyence_answers_and_forgets() -> None:
    twin = scanner_twin(scanner("keyence"))
    assert twin.receive(b"LON\r\nLON\r", 0) == b"OK,LON\rER,LON,05\r"
    twin.read(LABEL, 0, made_ns=0)
    assert twin.receive(b"LOFF\r", 0) == b"ER,LOFF,05\r"
    assert twin.receive(b"LON\rLOFF\r", 0) == b"OK,LON\rOK,LOFF\rERROR\r"
    assert twin.receive(b"FO\x1bLON\r", 0) == b"OK,LON\r"
    twin.receive(b"LO", 0)
    assert twin.receive(b"FF\r", FORGETS_NS + 1) == b"ER,FF,00\r"


def test_zebra_says_it_again_until_it_is_acknowledged_and_gives_up() -> None:
    talk = Talk("zebra-ssi")
    first = talk.twin.read(b"SF1234", 0, made_ns=0)
    assert talk.twin.read(b"SF1235", 10 * MS, made_ns=0) == b""
    again = [talk.twin.advance(i * RESENDS_NS) for i in range(1, N_SENT_MAX)]
    assert all(packet[3] == 1 and packet[4:-2] == first[4:-2] for packet in again)
    assert talk.twin.advance(N_SENT_MAX * RESENDS_NS) == b""
    assert talk.twin.read(b"SF1236", 2000 * MS, made_ns=0) != b""


def test_a_lost_acknowledgement_is_made_good_without_a_second_read() -> None:
    talk = Talk("zebra-ssi")
    talk.told += talk.ours.receive(talk.twin.read(b"SF1234", 0, made_ns=0), 0)
    talk.ours.to_send()
    talk.exchange(talk.twin.advance(RESENDS_NS), RESENDS_NS)
    talk.read(b"SF1235", 400 * MS)
    assert talk.reads() == [b"SF1234", b"SF1235"]


def test_zebra_refuses_what_is_damaged() -> None:
    twin = scanner_twin(scanner("zebra-ssi"))
    assert twin.receive(bytes.fromhex("04 E9 04 00 FF 0E"), 0)[1] == 0xD1


def test_honeywell_refuses_what_it_does_not_know() -> None:
    assert scanner_twin(scanner("honeywell")).receive(b"\x16M\rFOOBAR1.", 0) == b"FOOBAR1\x05."
