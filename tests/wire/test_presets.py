"""Every preset against what its scanner says: whole, byte by byte, glued, cut and corrupted."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from spoken import LABEL, MS, SPEAKERS, framing, listening, ssi

from hubctl._dialogue import ScannerDialogue
from hubctl._framer import FrameEventTold, FrameKind
from hubctl.core.config import ConfigError
from hubctl.core.labels import decode
from hubctl.core.presets import load_presets, presets

OTHER = b"SF1234567890123"
MAXICODE_HEAD = b"[)>\x1e01\x1d96841706672\x1d840\x1d001\x1d1Z12345675\x1dUPSN\x1d12345E"
MAXICODE = MAXICODE_HEAD + b"\x1d089\x1d\x1d1/1\x1d10\x1dY\x1d12 LONG STREET\x1dSALT LAKE CITY\x1dUT\x1e\x04"
LATER = 5000 * MS


def reads(events: list[FrameEventTold]) -> list[bytes | None]:
    """Labels, and None for each no-read."""
    told = [event for event in events if event.kind in (FrameKind.LABEL, FrameKind.NO_READ)]
    return [event.text if event.kind == FrameKind.LABEL else None for event in told]


def rest(ours: ScannerDialogue, now_ns: int) -> None:
    """The line is silent until then."""
    ours.expire(now_ns)
    ours.to_send()


def test_every_preset_has_a_speaker() -> None:
    assert set(SPEAKERS) == set(presets())


@pytest.mark.parametrize("preset", SPEAKERS)
@pytest.mark.parametrize("identifier", [b"", b"]U1"])
def test_of_a_long_maxicode_is_kept_what_names_parcel_and_destination(preset: str, identifier: bytes) -> None:
    heard = listening(preset).receive(SPEAKERS[preset](identifier + MAXICODE), 0)
    assert reads(heard) == [identifier + MAXICODE_HEAD]
    (reading,) = (one for one in decode(reads(heard)[0].decode()) if one.format == "ups-maxicode")
    assert (reading.check, reading.destination) == ("ok", "zip:841706672")


@pytest.mark.parametrize(
    "spoilt",
    [
        MAXICODE_HEAD[:-8],
        MAXICODE.replace(b"12345E", b"1\x0034E"),
        b"x" + MAXICODE,
        b"]U\xff" + MAXICODE,
        b"]U\xffA",
    ],
)
def test_what_is_no_whole_maxicode_is_no_label(spoilt: bytes) -> None:
    (event,) = listening("stx-etx").receive(SPEAKERS["stx-etx"](spoilt), 0)
    assert event.kind == FrameKind.UNPRINTABLE


@pytest.mark.parametrize("preset", SPEAKERS)
def test_whole_glued_and_byte_by_byte(preset: str) -> None:
    said = [LABEL, None, OTHER, LABEL]
    stream = b"".join(map(SPEAKERS[preset], said))
    whole = listening(preset).receive(stream, 0)
    assert reads(whole) == said
    assert len(whole) == len(said)
    slow = listening(preset)
    assert [event for byte in stream for event in slow.receive(bytes([byte]), 0)] == whole


@pytest.mark.parametrize("preset", SPEAKERS)
@settings(max_examples=20)
@given(
    said=st.lists(st.none() | st.text("0123456789ABC", min_size=1, max_size=56).map(str.encode), max_size=8),
    cuts=st.lists(st.integers(0, 600), max_size=8),
)
def test_labels_come_out_as_they_went_in_however_the_stream_is_cut(
    preset: str, said: list[bytes | None], cuts: list[int]
) -> None:
    stream = b"".join(map(SPEAKERS[preset], said))
    ours = listening(preset)
    edges = [0, *sorted(min(cut, len(stream)) for cut in cuts), len(stream)]
    assert reads([e for a, b in pairwise(edges) for e in ours.receive(stream[a:b], 0)]) == said


@pytest.mark.parametrize("preset", SPEAKERS)
def test_each_byte_corrupted_disturbs_only_its_telegram(preset: str) -> None:
    first, second, third = (SPEAKERS[preset](label) for label in (LABEL, OTHER, LABEL))
    for at in range(len(second)):
        for flipped in (0x01, 0x80, 0xFF):
            wrong = second[:at] + bytes([second[at] ^ flipped]) + second[at + 1 :]
            ours = listening(preset)
            assert reads(ours.receive(first, 0)) == [LABEL]
            ours.receive(wrong, MS)
            rest(ours, LATER)
            # Where text has no header, what follows a terminator that was lost is the rest of the same line.
            assert reads(ours.receive(third, LATER)) == [LABEL]


@pytest.mark.parametrize("preset", SPEAKERS)
@settings(max_examples=20)
@given(chunks=st.lists(st.binary(max_size=300), max_size=12))
@example(chunks=[b"|"])
def test_any_bytes_leave_it_able_to_hear_the_next_label(preset: str, chunks: list[bytes]) -> None:
    ours = listening(preset)
    for chunk in chunks:
        ours.receive(chunk, 0)
    rest(ours, LATER)
    told = ours.receive(SPEAKERS[preset](LABEL), LATER)
    assert told[-1][:2] == (FrameKind.LABEL, LABEL)


@pytest.mark.parametrize("preset", SPEAKERS)
def test_half_a_telegram_then_silence(preset: str) -> None:
    ours = listening(preset)
    frame = SPEAKERS[preset](LABEL)
    assert ours.receive(frame[: len(frame) // 2], 0) == []
    due_ns = ours.next_deadline()
    assert due_ns == presets()[preset].silence_ms * MS
    assert [event.kind for event in ours.expire(due_ns)] == [FrameKind.HALF_FRAME]
    ours.to_send()
    assert reads(ours.receive(frame, LATER)) == [LABEL]


# Several codes, fields, the group separator


@pytest.mark.parametrize(
    ("preset", "keys", "said", "told"),
    [
        ("sick", {"code_separator": ";"}, b"A1;B2;C3", [b"A1", b"B2", b"C3"]),
        ("sick", {"code_separator": ";"}, b"A1;NoRead;C3", [b"A1", b"C3"]),
        ("sick", {"code_separator": ";"}, b"NoRead;NoRead", [None]),
        ("sick", {"code_separator": ";"}, b"NoRead", [None]),
        ("sick", {"code_separator": ";"}, b"A1;", [b"A1"]),
        ("datalogic", {"code_separator": "\r"}, b"A1\rB2", [b"A1", b"B2"]),
        ("cognex-extended", {"code_separator": "||"}, b"A1||B2", [b"A1", b"B2"]),
        ("zebra-ssi", {"code_separator": "|"}, b"A1|B2", [b"A1", b"B2"]),
        (
            "keyence",
            {"code_separator": ",", "field_separator": "!"},
            b"A1!66/999,B2!330/959",
            [b"A1", b"B2"],
        ),
        ("keyence", {"code_separator": ",", "field_separator": "!"}, b"ERROR", [None]),
        ("sick", {"field_separator": ";", "label_field": 2}, b"0145;1JVGL0012345;0812;g", [b"1JVGL0012345"]),
        ("sick", {"field_separator": ";", "label_field": 2}, b"0145;NoRead;0000;g", [None]),
        ("sick", {"field_separator": ";", "label_field": 3}, b"0145;77", []),
        ("sick", {"group_separator": "~"}, b"]C142012345~4210", [b"]C142012345\x1d4210"]),
        ("sick", {"group_separator": "\x1e"}, b"]C1420\x1e42", [b"]C1420\x1d42"]),
    ],
)
def test_what_a_telegram_holds(
    preset: str, keys: dict[str, str], said: bytes, told: list[bytes | None]
) -> None:
    assert reads(listening(preset, **keys).receive(SPEAKERS[preset](said), 0)) == told


def test_the_codes_of_a_telegram_have_one_stamp() -> None:
    keys = {"stamp": "trigger", "stamp_separator": ";", "code_separator": ";"}
    told = listening("datalogic", **keys).receive(SPEAKERS["datalogic"](b"000017;A1;B2"), 0)
    assert [(event.text, event.stamp) for event in told] == [(b"A1", 17), (b"B2", 17)]


@pytest.mark.parametrize(
    ("preset", "said"),
    [
        ("sick", b"\x02sAN mTCgateon 1\x03\x02sFA D\x03"),
        ("keyence", b"OK,LON\rER,LOFF,31\r"),
        ("keyence", b"OVER\rERR91\r"),
        ("cognex-extended", b"||0:123[0]DM262\r\n||[100]\r\n"),
        ("zebra-ssi", ssi(0xD0, b"") + ssi(0xF6, b"\x01") + ssi(0xA4, b"PAABS00")),
    ],
)
def test_answers_to_commands_are_no_labels(preset: str, said: bytes) -> None:
    told = listening(preset).receive(said, 0)
    assert {event.kind for event in told} == {FrameKind.ANSWER}


# What is said to a scanner


def test_a_scanner_is_greeted() -> None:
    extended = ScannerDialogue(framing("cognex-extended"), 0)
    assert extended.to_send() == b"||>SET COM.DMCC-RESPONSE 1\r\n"
    assert extended.to_send() == b""


def test_a_scanner_is_asked_every_so_often_and_is_gone_when_it_is_silent() -> None:
    ours = listening("sick", ask="\x02sRN DeviceIdent\x03", ask_ms=500, alive_ms=1200)
    assert ours.next_deadline() == 500 * MS
    ours.expire(499 * MS)
    assert ours.to_send() == b""
    ours.expire(500 * MS)
    assert ours.to_send() == b"\x02sRN DeviceIdent\x03"
    assert ours.next_deadline() == 1000 * MS
    ours.receive(b"\x02sRA DeviceIdent\x03", 600 * MS)
    assert not ours.is_gone(1799 * MS)
    assert ours.is_gone(1800 * MS)


def test_a_scanner_is_told_the_numbers_of_its_triggers() -> None:
    ours = listening("datalogic", stamp="trigger", trigger="e", numbered=True, stamp_digits=4)
    ours.tell_number(7)
    ours.tell_number(123456)
    assert ours.to_send() == b"0007\r\n3456\r\n"


# Presets are data


def test_the_faults_of_a_file_of_presets_are_told_together(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(
        "[presets.a]\nabout = 'a'\nno_read = 'x'\n\n[presets.b]\nabout = 'b'\nno_read = 'x'\nprotocol = 'foo'\n"
        "[presets.c]\nabout = ''\nno_read = 'x'\nterminator = 'abcde'\nwhat = 1\n"
    )
    with pytest.raises(ConfigError) as caught:
        load_presets(file)
    told = [(fault.line, fault.key) for fault in caught.value.faults]
    assert [key for _, key in sorted(told)] == ["terminator", "protocol", "about", "terminator", "what"]
