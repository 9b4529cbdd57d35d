"""A scanner framer against whole, split, glued and broken streams."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hubctl._framer import FrameEventTold, FrameKind, ScannerFramer
from hubctl.core.tables import FRAMING

MS = 1_000_000
LABEL = b"420941059405511899223197428490"


def framer(header: bytes = b"\x02", terminator: bytes = b"\x03", answers: int = 0) -> ScannerFramer:
    row = np.zeros((), FRAMING)
    row["header"], row["n_header"] = header, len(header)
    row["terminator"], row["n_terminator"] = terminator, len(terminator)
    row["no_read"], row["heartbeat"] = b"NoRead", b"HB"
    row["frame_max"], row["silence_ms"], row["answers"] = 64, 50, answers
    return ScannerFramer(row)


def kinds(events: list[FrameEventTold]) -> list[str]:
    return [event.kind.name for event in events]


SHAPES = [(b"\x02", b"\x03"), (b"", b"\r\n"), (b"\x02", b"\r\n"), (b"\x02\x02", b"\x03\r\n"), (b"$", b"#")]


@pytest.mark.parametrize(("header", "terminator"), SHAPES)
def test_frames_whole_glued_and_byte_by_byte(header: bytes, terminator: bytes) -> None:
    stream = b"".join(header + text + terminator for text in (LABEL, b"NoRead", b"HB", b"SF1234567890123"))
    whole = framer(header, terminator).receive(stream, 0)
    assert kinds(whole) == ["LABEL", "NO_READ", "HEARTBEAT", "LABEL"]
    assert [event.text for event in whole] == [LABEL, b"", b"", b"SF1234567890123"]
    slow = framer(header, terminator)
    assert [event for byte in stream for event in slow.receive(bytes([byte]), 0)] == whole


@pytest.mark.parametrize(("header", "terminator"), SHAPES)
def test_half_a_frame_then_silence(header: bytes, terminator: bytes) -> None:
    ours = framer(header, terminator)
    assert ours.receive(header + b"4209410", 0) == []
    assert ours.next_deadline() == 50 * MS
    assert kinds(ours.receive(b"", 50 * MS)) == ["HALF_FRAME"]
    assert kinds(ours.receive(header + LABEL + terminator, 60 * MS)) == ["LABEL"]


def test_the_next_frame_does_not_join_an_old_half() -> None:
    ours = framer(b"", b"\r\n")
    ours.receive(b"42094", 0)
    told = ours.receive(LABEL + b"\r\n", 80 * MS)
    assert kinds(told) == ["HALF_FRAME", "LABEL"]
    assert told[1].text == LABEL


def test_a_header_within_a_frame_begins_anew() -> None:
    told = framer().receive(b"\x0242094\x02" + LABEL + b"\x03", 0)
    assert kinds(told) == ["HALF_FRAME", "LABEL"]
    assert told[1].text == LABEL


def test_noise_between_frames_is_told_once_a_run() -> None:
    told = framer().receive(b"xyz\x02" + LABEL + b"\x03abc\x02" + LABEL + b"\x03", 0)
    assert kinds(told) == ["NOISE", "LABEL", "NOISE", "LABEL"]


@pytest.mark.parametrize(("header", "terminator"), SHAPES)
def test_a_megabyte_without_terminator_is_one_overlong(header: bytes, terminator: bytes) -> None:
    ours = framer(header, terminator)
    told = [event for _ in range(256) for event in ours.receive(header + b"7" * 4096, 0)]
    assert set(kinds(told)) <= {"OVERLONG", "HALF_FRAME"}
    assert ours.told[FrameKind.OVERLONG] <= 256
    after = ours.receive(terminator + header + LABEL + terminator, 0)
    assert kinds(after) == ["LABEL"]
    assert after[0].text == LABEL


def test_a_flood_without_header_is_told_once() -> None:
    ours = framer()
    assert kinds([event for _ in range(256) for event in ours.receive(b"7" * 4096, 0)]) == ["NOISE"]


def test_a_flood_after_one_header_is_told_once() -> None:
    ours = framer()
    ours.receive(b"\x02", 0)
    assert kinds([event for _ in range(256) for event in ours.receive(b"7" * 4096, 0)]) == ["OVERLONG"]


@pytest.mark.parametrize("byte", [0, 7, 0x1B, 0x7F, 0x80, 0xFF])
def test_bytes_no_label_holds_are_refused(byte: int) -> None:
    told = framer().receive(b"\x024209" + bytes([byte]) + b"4105\x03\x02" + LABEL + b"\x03", 0)
    assert kinds(told) == ["UNPRINTABLE", "LABEL"]


def test_a_group_separator_belongs_to_a_label() -> None:
    assert framer().receive(b"\x02]C1420\x1d94105\x03", 0)[0].text == b"]C1420\x1d94105"


def test_command_answers_are_no_labels_where_the_scanner_has_them() -> None:
    stream = b"\x02sAN mTCgateon 1\x03\x02sFA 1\x03\x02sRA DeviceIdent\x03\x02" + LABEL + b"\x03"
    assert kinds(framer(answers=1).receive(stream, 0)) == ["ANSWER", "ANSWER", "ANSWER", "LABEL"]
    assert kinds(framer().receive(stream, 0)) == ["LABEL"] * 4


def test_a_label_longer_than_a_record_holds_is_overlong() -> None:
    assert kinds(framer().receive(b"\x02" + b"8" * 57 + b"\x03", 0)) == ["OVERLONG"]
    assert kinds(framer().receive(b"\x02" + b"8" * 56 + b"\x03", 0)) == ["LABEL"]


def test_an_empty_frame_is_no_label() -> None:
    assert kinds(framer().receive(b"\x02\x03", 0)) == ["EMPTY"]


def test_each_byte_corrupted_disturbs_only_its_frame() -> None:
    frame = b"\x02" + LABEL + b"\x03"
    for at in range(len(frame)):
        for wrong in (0x00, 0x02, 0x03, 0x37, 0xFF):
            stream = bytearray(frame * 3)
            stream[len(frame) + at] = wrong
            told = [
                event.text for event in framer().receive(bytes(stream), 0) if event.kind == FrameKind.LABEL
            ]
            assert told[0] == LABEL
            if wrong != 0x37 or at != len(frame) - 1:
                assert told[-1] == LABEL


@given(
    texts=st.lists(st.text("0123456789ABC", min_size=1, max_size=56), max_size=10),
    cuts=st.lists(st.integers(0, 400), max_size=8),
    shape=st.sampled_from(SHAPES[:4]),
)
def test_labels_come_out_as_they_went_in_however_the_stream_is_cut(
    texts: list[str], cuts: list[int], shape: tuple[bytes, bytes]
) -> None:
    header, terminator = shape
    stream = b"".join(header + text.encode() + terminator for text in texts)
    ours = framer(header, terminator)
    edges = [0, *sorted(min(cut, len(stream)) for cut in cuts), len(stream)]
    told = [e for a, b in pairwise(edges) for e in ours.receive(stream[a:b], 0)]
    assert [event.text for event in told] == [text.encode() for text in texts]


@given(st.lists(st.binary(max_size=300), max_size=20), st.sampled_from(SHAPES))
def test_any_bytes_leave_the_framer_able_to_read_the_next_label(
    chunks: list[bytes], shape: tuple[bytes, bytes]
) -> None:
    header, terminator = shape
    ours = framer(header, terminator)
    for chunk in chunks:
        ours.receive(chunk, 0)
    told = ours.receive(header + LABEL + terminator, 1000 * MS)
    assert told[-1] == FrameEventTold(FrameKind.LABEL, LABEL)


@pytest.mark.parametrize(("key", "value"), [("n_terminator", 0), ("n_header", 5), ("frame_max", 5000)])
def test_a_framing_beyond_the_limits_is_refused(key: str, value: int) -> None:
    row = np.zeros((), FRAMING)
    row["n_terminator"], row["frame_max"] = 1, 64
    row[key] = value
    with pytest.raises(ValueError, match=f"{key} {value}: must be"):
        ScannerFramer(row)


# Stamps


def stamped(separator: bytes = b";", digits: int = 6, *, last: bool = False) -> ScannerFramer:
    row = np.zeros((), FRAMING)
    row["header"], row["n_header"] = b"\x02", 1
    row["terminator"], row["n_terminator"] = b"\x03", 1
    row["no_read"], row["heartbeat"], row["frame_max"] = b"NoRead", b"HB", 64
    row["separator"], row["n_separator"] = separator, len(separator)
    row["stamp"], row["stamp_digits"], row["stamp_last"] = 1, digits, last
    return ScannerFramer(row)


@pytest.mark.parametrize(
    ("framer", "said", "stamp", "text"),
    [
        (stamped(), b"000017;" + LABEL, 17, LABEL),
        (stamped(), b"17;" + LABEL, 17, LABEL),
        (stamped(b""), b"000017" + LABEL, 17, LABEL),
        (stamped(b"", last=True), LABEL + b"999999", 999999, LABEL),
        (stamped(b"||", 10, last=True), LABEL + b"||4294967295", 4294967295, LABEL),
        (stamped(), b"5;NoRead", 5, b""),
        (stamped(b"", 1), b"5NoRead", 5, b""),
    ],
)
def test_a_stamp_is_taken_off(framer: ScannerFramer, said: bytes, stamp: int, text: bytes) -> None:
    (event,) = framer.receive(b"\x02" + said + b"\x03", 0)
    assert (event.kind, event.stamp, event.text) == (
        FrameKind.LABEL if text else FrameKind.NO_READ,
        stamp,
        text,
    )


@pytest.mark.parametrize(
    ("framer", "said", "kind"),
    [
        (stamped(), LABEL, "UNSTAMPED"),
        (stamped(), b"NoRead", "UNSTAMPED"),
        (stamped(), b";" + LABEL, "UNSTAMPED"),
        (stamped(), b"12x;" + LABEL, "UNSTAMPED"),
        (stamped(), b"1234567;" + LABEL, "UNSTAMPED"),
        (stamped(b""), b"12345", "UNSTAMPED"),
        (stamped(), b"12;", "EMPTY"),
        (stamped(), b"HB", "HEARTBEAT"),
    ],
)
def test_a_telegram_without_its_stamp_is_no_read_of_anybody(
    framer: ScannerFramer, said: bytes, kind: str
) -> None:
    (event,) = framer.receive(b"\x02" + said + b"\x03", 0)
    assert (event.kind.name, event.stamp) == (kind, None)
