"""Protocols that are more than text between marks: Zebra SSI, Cognex DMCC, Honeywell's decode header."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st
from spoken import LABEL, MS, dmcc, framing, listening, msgget, ssi, zebra

from hubctl._dialogue import ScannerDialogue
from hubctl._framer import FrameEventTold, FrameKind

ACK = bytes.fromhex("04 D0 04 00 FF 28")
NAK = bytes.fromhex("05 D1 04 00 01 FF 25")
RESENT = 1
GOES_ON = 2
SILENCE = 20 * MS
OTHER = b"SF1234567890123"


def kinds(events: list[FrameEventTold]) -> list[str]:
    return [event.kind.name for event in events]


# SSI


def test_frames_of_the_manual() -> None:
    ours = ScannerDialogue(framing("zebra-ssi"), 0)
    assert ours.to_send() == bytes.fromhex("04 E9 04 00 FF 0F")
    told = ours.receive(bytes.fromhex("0A F3 00 00 03 31 32 33 34 35 FE 01"), 5)
    assert told == [FrameEventTold(FrameKind.LABEL, b"12345", None, 5)]
    assert ours.to_send() == ACK


def test_each_read_is_acknowledged_once() -> None:
    ours = listening("zebra-ssi")
    ours.receive(zebra(LABEL) + zebra(None) + ssi(0xF6, b"\x0a") + ssi(0xC6, b"\x00\x8a\x08"), 0)
    assert ours.to_send() == 4 * ACK
    ours.receive(ssi(0xD0, b"") + ssi(0xA4, b"REV"), 0)
    assert ours.to_send() == b""


def test_a_damaged_packet_is_asked_for_again_and_counts_as_read_when_it_first_came() -> None:
    ours = listening("zebra-ssi")
    damaged = bytearray(zebra(LABEL))
    damaged[9] ^= 4
    assert kinds(ours.receive(bytes(damaged), 100 * MS)) == ["DAMAGED"]
    assert ours.to_send() == b""
    assert ours.next_deadline() == 100 * MS + SILENCE
    assert ours.expire(100 * MS + SILENCE) == []
    assert ours.to_send() == NAK
    (read,) = ours.receive(zebra(LABEL, RESENT), 140 * MS)
    assert (read.text, read.made_ns) == (LABEL, 100 * MS)
    assert ours.to_send() == ACK


def test_half_a_packet_is_asked_for_again_and_counts_as_read_when_it_first_came() -> None:
    ours = listening("zebra-ssi")
    ours.receive(zebra(LABEL)[:9], 100 * MS)
    assert kinds(ours.expire(100 * MS + SILENCE)) == ["HALF_FRAME"]
    assert ours.to_send() == NAK
    (read,) = ours.receive(zebra(LABEL, RESENT), 150 * MS)
    assert (read.text, read.made_ns) == (LABEL, 100 * MS)


def test_a_packet_whose_acknowledgement_was_lost_is_told_once() -> None:
    ours = listening("zebra-ssi")
    assert kinds(ours.receive(zebra(LABEL), 0)) == ["LABEL"]
    assert kinds(ours.receive(zebra(LABEL, RESENT), 500 * MS)) == ["RESENT"]
    assert ours.to_send() == 2 * ACK
    assert kinds(ours.receive(zebra(LABEL), 900 * MS)) == ["LABEL"]


def test_a_packet_of_unknown_age_is_nobodys() -> None:
    ours = listening("zebra-ssi")
    assert kinds(ours.receive(zebra(LABEL, RESENT), 0)) == ["RESENT"]
    assert ours.to_send() == ACK
    ours.receive(b"\x00", 1000 * MS)
    ours.expire(1000 * MS + SILENCE)
    assert kinds(ours.receive(zebra(LABEL + b"1", RESENT), 2100 * MS)) == ["RESENT"]


def test_a_message_in_several_packets_is_one_label() -> None:
    ours = listening("zebra-ssi")
    assert ours.receive(zebra(LABEL[:10], GOES_ON), 0) == []
    assert ours.to_send() == ACK
    assert ours.receive(zebra(LABEL[10:20], GOES_ON), 10 * MS) == []
    assert ours.receive(zebra(LABEL[10:20], GOES_ON | RESENT), 300 * MS)[0].kind == FrameKind.RESENT
    (read,) = ours.receive(zebra(LABEL[20:]), 310 * MS)
    assert (read.text, read.made_ns) == (LABEL, 0)


def test_a_message_without_its_end_is_not_joined_to_the_next() -> None:
    ours = listening("zebra-ssi")
    ours.receive(zebra(b"420941", GOES_ON), 0)
    assert ours.receive(zebra(LABEL), 1500 * MS)[0].text == LABEL
    ours.receive(zebra(b"420941", GOES_ON), 2000 * MS)
    assert kinds(ours.receive(zebra(LABEL, kind=1), 2100 * MS)) == ["MALFORMED"]
    assert ours.receive(zebra(LABEL), 2200 * MS)[0].text == LABEL


def test_a_message_longer_than_a_label_is_acknowledged_and_counted() -> None:
    ours = listening("zebra-ssi")
    told = [e for _ in range(6) for e in ours.receive(zebra(b"7" * 240, GOES_ON), 0)]
    assert kinds([*told, *ours.receive(zebra(b"7"), 0)]) == ["OVERLONG"]
    assert ours.to_send() == 7 * ACK
    segments = [ssi(0x73, bytes([i]) + b"\xf3" + b"7" * 240) for i in range(3)]
    assert kinds(ours.receive(b"".join(segments), 0)) == ["OVERLONG"]
    assert ours.to_send() == 3 * bytes.fromhex("04 74 04 00 FF 84")


@pytest.mark.parametrize(("kind", "text"), [(3, LABEL), (0x0F, b"]C1" + LABEL), (0x32, b"]e0" + LABEL)])
def test_elements_are_told_from_plain_text_by_the_symbol(kind: int, text: bytes) -> None:
    assert listening("zebra-ssi").receive(zebra(LABEL + b"\r\n", kind=kind), 0)[0].text == text


def test_our_own_echo_is_nothing_a_scanner_said() -> None:
    ours = listening("zebra-ssi")
    assert kinds(ours.receive(ssi(0xF3, b"\x03" + LABEL, source=4), 0)) == ["MALFORMED"]
    assert ours.to_send() == b""


@given(
    edits=st.lists(
        st.tuples(st.integers(0, 80), st.integers(0, 255), st.sampled_from("sid")), min_size=1, max_size=4
    ),
)
def test_no_wrong_label_comes_out_of_a_damaged_packet(edits: list[tuple[int, int, str]]) -> None:
    """Bytes changed, put in and left out; two changes that undo each other in the sum are what it cannot see."""
    frame = bytearray(zebra(LABEL))
    total = sum(frame)
    for at, byte, what in edits:
        if what == "s":
            frame[at % len(frame)] = byte
        elif what == "i":
            frame.insert(at % len(frame), byte)
        elif len(frame) > 1:
            del frame[at % len(frame)]
    ours = listening("zebra-ssi")
    told = ours.receive(bytes(frame) + zebra(OTHER), 0)
    labels = {event.text for event in told if event.kind == FrameKind.LABEL}
    if (sum(frame) - total) & 0xFFFF or len(frame) != len(zebra(LABEL)):
        assert labels <= {LABEL, OTHER}


# DMCC


def test_a_read_with_a_checksum() -> None:
    body = b"||1:7[1]" + base64.b64encode(LABEL)
    checksum = 0
    for byte in body:
        checksum ^= byte
    good = listening("cognex-extended").receive(body + bytes([checksum]) + b"\r\n", 0)
    assert good[0].text == LABEL
    wrong = listening("cognex-extended").receive(body + bytes([checksum ^ 1]) + b"\r\n", 0)
    assert kinds(wrong) == ["DAMAGED"]


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        (b"[1]QUJD", "LABEL"),
        (b"0:12[1]QUI=", "LABEL"),
        (b"12[1]QQ==", "LABEL"),
        (b"[0]ON", "ANSWER"),
        (b"0:123[101]", "ANSWER"),
        (b"[1]QUJ", "MALFORMED"),
        (b"[1]QU=D", "MALFORMED"),
        (b"[1]QUJ*", "MALFORMED"),
        (b"[1]QUF=", "MALFORMED"),
        (b"[1]QR==", "MALFORMED"),
        (b"1]QUJD", "MALFORMED"),
        (b"[x]QUJD", "MALFORMED"),
        (b"[]QUJD", "MALFORMED"),
        (b"", "MALFORMED"),
        (b"[1]", "EMPTY"),
        (b"[1]" + b"QUJD" * 19, "OVERLONG"),
        (b"[1]" + b"QUJD" * 20, "OVERLONG"),
    ],
)
def test_telegrams_of_the_extended_mode(said: bytes, kind: str) -> None:
    assert kinds(listening("cognex-extended").receive(b"||" + said + b"\r\n", 0)) == [kind]


def test_a_read_that_broke_off_does_not_spoil_the_next() -> None:
    told = listening("cognex-extended").receive(dmcc(LABEL)[:12] + dmcc(OTHER), 0)
    assert kinds(told) == ["HALF_FRAME", "LABEL"]
    assert told[1].text == OTHER


@given(st.binary(min_size=1, max_size=56))
def test_base64_is_that_of_the_standard(text: bytes) -> None:
    (event,) = listening("cognex-extended").receive(dmcc(text), 0)
    assert event.kind in (FrameKind.LABEL, FrameKind.UNPRINTABLE)
    if event.kind == FrameKind.LABEL:
        assert event.text == text


# Honeywell's decode header


def test_only_the_symbologies_that_matter_are_kept() -> None:
    told = listening("honeywell-header").receive(msgget(LABEL, b"C0") + msgget(LABEL, b"C1"), 0)
    assert [event.text for event in told] == [LABEL, b"]C1" + LABEL]


@pytest.mark.parametrize(
    ("frame", "kind"),
    [
        (msgget(LABEL).replace(b"0031", b"0030"), "MALFORMED"),
        (msgget(LABEL).replace(b"0031", b"00x1"), "MALFORMED"),
        (msgget(LABEL).replace(b"\x1d", b"!"), "MALFORMED"),
        (b"\x16\xfe\x05\0\0\0\rHELLO", "ANSWER"),
        (b"\x16\xfe\0\0\0\0\r!", "MALFORMED"),
        (b"\x16\xfe\xff\xff\xff\xff\r", "OVERLONG"),
        (b"\x16\xfe\x05\0\0\0!", "MALFORMED"),
    ],
)
def test_frames_that_are_no_reads(frame: bytes, kind: str) -> None:
    ours = listening("honeywell-header")
    assert kind in kinds(ours.receive(frame, 0))
    ours.expire(500 * MS)
    assert ours.receive(msgget(LABEL), 500 * MS)[-1].text == LABEL


def test_a_frame_that_broke_off_does_not_spoil_the_next() -> None:
    told = listening("honeywell-header").receive(msgget(LABEL)[:25] + msgget(OTHER), 0)
    assert kinds(told) == ["HALF_FRAME", "LABEL"]
    assert told[1].text == OTHER
