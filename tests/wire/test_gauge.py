"""Scales and gauges of size against whole, split, glued and broken streams, each kind of telegram."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hubctl._gauge import Gauged, GaugeReader, GaugeSaid, check_gauging
from hubctl.core.events import NO_INDEX
from hubctl.core.tables import GAUGING, GaugeFormat

MS = 1_000_000
G, KG, LB, OZ, MM, CM, M, IN = range(1, 9)
COLUMNS = {"n_columns": 6, "weight_column": 2, "length_column": 3, "width_column": 4, "height_column": 5}

SICS = b"S S     100.00 g\r\n"
TOLEDO = bytes.fromhex("02 2C 30 20 20 31 32 33 34 35 30 30 30 30 30 30 0D 36")
SICK = b"\x020145;1JVGL0012345;000081212;g;0;0321;0150;0087;mm;0000;4189050\x03"
CUBISCAN = b"\x02MAC000000,L012.0,W008.0,H006.0,E,K005.00,D003.47,E,F0166,D\x03\r\n"
CSV = b"4711,SF123,12.34,32.1,15.0,8.7\r\n"


def gauging(kind: GaugeFormat, **keys: int) -> np.void:
    row = np.zeros((), GAUGING)
    row["format"], row["silence_ms"], row["delimiter"] = kind, 200, ord(",")
    row["weight_unit"], row["size_unit"] = KG, CM
    for key, value in keys.items():
        row[key] = value
    return row[()]


def reader(kind: GaugeFormat, **keys: int) -> GaugeReader:
    defaults: dict[str, Any] = {"has_check": 1} if kind is GaugeFormat.TOLEDO else {}
    defaults |= COLUMNS if kind is GaugeFormat.CSV else {}
    return GaugeReader(gauging(kind, **(defaults | keys)))


EXAMPLES = [
    (GaugeFormat.MT_SICS, SICS, 100, None),
    (GaugeFormat.TOLEDO, TOLEDO, 123_450, None),
    (GaugeFormat.SICK, SICK, 81_212, (321, 150, 87)),
    (GaugeFormat.CUBISCAN, CUBISCAN, 2268, (305, 203, 152)),
    (GaugeFormat.CSV, CSV, 12_340, (321, 150, 87)),
]
IDS = [kind.name for kind, *_ in EXAMPLES]
each = pytest.mark.parametrize(("kind", "frame", "weight_g", "size_mm"), EXAMPLES, ids=IDS)


def said(reader: GaugeReader, data: bytes) -> list[str]:
    return [event.kind.name for event in reader.receive(data, 0)]


def toledo(weight: str = " 12345", a: int = 0x2C, b: int = 0x30, c: int = 0x20) -> bytes:
    body = b"\x02" + bytes([a, b, c]) + weight.encode() + b"000000\r"
    return body + bytes([-sum(body) & 0x7F])


@each
def test_whole(kind: GaugeFormat, frame: bytes, weight_g: int, size_mm: Any) -> None:
    assert reader(kind).receive(frame, 0) == [Gauged(GaugeSaid.GAUGED, weight_g, size_mm)]


@each
def test_byte_by_byte(kind: GaugeFormat, frame: bytes, weight_g: int, size_mm: Any) -> None:
    ours = reader(kind)
    told = [event for byte in frame for event in ours.receive(bytes([byte]), 0)]
    assert told == [Gauged(GaugeSaid.GAUGED, weight_g, size_mm)]


@each
def test_glued_with_half_of_the_next(kind: GaugeFormat, frame: bytes, weight_g: int, size_mm: Any) -> None:
    ours = reader(kind)
    told = ours.receive(2 * frame + frame[:9], 0)
    again = GaugeSaid.REPEATED if size_mm is None else GaugeSaid.GAUGED
    assert [event.kind for event in told] == [GaugeSaid.GAUGED, again]
    assert [event.kind for event in ours.receive(frame[9:], 0)] == [again]


@each
def test_half_and_then_silence(kind: GaugeFormat, frame: bytes, weight_g: int, size_mm: Any) -> None:
    ours = reader(kind)
    assert ours.receive(frame[:9], 0) == []
    assert ours.next_deadline() == 200 * MS
    assert [event.kind for event in ours.receive(b"", 200 * MS)] == [GaugeSaid.HALF]
    assert ours.next_deadline() == 2**63 - 1
    assert [event.kind for event in ours.receive(frame, 201 * MS)] == [GaugeSaid.GAUGED]


@each
@given(data=st.data())
def test_one_bit_flipped_is_never_more_than_one_telegram(
    kind: GaugeFormat, frame: bytes, weight_g: int, size_mm: Any, data: Any
) -> None:
    bit = data.draw(st.integers(0, 8 * len(frame) - 1))
    spoilt = bytearray(frame)
    spoilt[bit // 8] ^= 1 << bit % 8
    ours = reader(kind)
    told = ours.receive(bytes(spoilt) + 2 * frame, 0)
    assert told[-1].kind in (GaugeSaid.GAUGED, GaugeSaid.REPEATED)
    assert sum(event.kind is GaugeSaid.GAUGED for event in told) <= 3


@given(st.integers(0, 8 * len(TOLEDO) - 1))
def test_a_checked_telegram_with_a_flipped_bit_is_no_weight(bit: int) -> None:
    spoilt = bytearray(TOLEDO)
    spoilt[bit // 8] ^= 1 << bit % 8
    told = reader(GaugeFormat.TOLEDO).receive(bytes(spoilt), 0)
    is_high_bit = bit % 8 == 7  # the check is over seven bits
    assert is_high_bit or all(event.kind is not GaugeSaid.GAUGED for event in told)


@each
@given(noise=st.binary(max_size=600))
def test_garbage_is_never_fatal(
    kind: GaugeFormat, frame: bytes, weight_g: int, size_mm: Any, noise: bytes
) -> None:
    ours = reader(kind)
    ours.receive(noise, 0)
    ours.receive(b"", 10**9)
    told = ours.receive(frame, 10**9)
    assert told[-1].kind in (GaugeSaid.GAUGED, GaugeSaid.REPEATED)


@given(
    st.lists(
        st.sampled_from([SICS, TOLEDO, SICK, CUBISCAN, CSV, b"\x02", b"\r\n", b"S ", b";;"]), max_size=12
    )
)
def test_another_kind_of_telegram_is_never_fatal(parts: list[bytes]) -> None:
    for kind in GaugeFormat:
        for event in reader(kind).receive(b"".join(parts), 0):
            assert event.weight_g is None or 0 < event.weight_g <= 10_000_000


@pytest.mark.parametrize(
    ("line", "kind"),
    [
        (b"S D     100.00 g", "MOVING"),
        (b"S I", "AT_FAULT"),
        (b"S +", "TOO_MUCH"),
        (b"S -", "TOO_LITTLE"),
        (b"ES", "AT_FAULT"),
        (b"ET", "AT_FAULT"),
        (b"EL", "AT_FAULT"),
        (b'I4 A "B021002593"', "ANSWER"),
        (b"S S       0.00 g", "NOTHING"),
        (b"S S      -1.00 g", "TOO_LITTLE"),
        (b"S S     100.00 stone", "MALFORMED"),
        (b"S S     1x0.00 g", "MALFORMED"),
        (b"S S     10 0.00 g", "MALFORMED"),
        (b"S S            g", "MALFORMED"),
        (b"S S g", "MALFORMED"),
        (b"S S  99999.99 kg", "TOO_MUCH"),
        (b"S Sx    100.00 g", "MALFORMED"),
    ],
)
def test_mt_sics_says_more_than_weights(line: bytes, kind: str) -> None:
    assert said(reader(GaugeFormat.MT_SICS), line + b"\r\n") == [kind]


@pytest.mark.parametrize(
    ("text", "weight_g"),
    [
        (b"S S     1.2345 kg", 1235),
        (b"S S      2.000 lb", 907),
        (b"S S       32.0 oz", 907),
        (b"S S          7 g", 7),
    ],
)
def test_units_become_grams(text: bytes, weight_g: int) -> None:
    assert reader(GaugeFormat.MT_SICS).receive(text + b"\r\n", 0)[0].weight_g == weight_g


def test_a_scale_that_speaks_all_the_time_is_heard_once_a_parcel() -> None:
    ours = reader(GaugeFormat.MT_SICS)
    moving, empty = b"S D      55.00 g\r\n", b"S S       0.00 g\r\n"
    told = said(ours, empty + moving + SICS + SICS + moving + SICS + SICS + empty + SICS)
    assert told == [
        *("NOTHING", "MOVING", "GAUGED", "REPEATED", "MOVING", "GAUGED", "REPEATED", "NOTHING", "GAUGED"),
    ]


@pytest.mark.parametrize(
    ("frame", "kind"),
    [
        (toledo(b=0x38), "MOVING"),
        (toledo(b=0x34), "TOO_MUCH"),
        (toledo(b=0x32), "TOO_LITTLE"),
        (toledo(b=0x70), "AT_FAULT"),
        (toledo("     0"), "NOTHING"),
        (toledo("12 345"), "MALFORMED"),
        (toledo("123.45"), "MALFORMED"),
        (toledo("      "), "MALFORMED"),
        (TOLEDO[:-1] + b"\x37", "BAD_CHECK"),
        (toledo("1234"), "MALFORMED"),
    ],
)
def test_toledo_says_more_than_weights(frame: bytes, kind: str) -> None:
    assert said(reader(GaugeFormat.TOLEDO), frame) == [kind]


@pytest.mark.parametrize(
    ("a", "b", "c", "weight_g"),
    [
        (0x28, 0x30, 0x20, None),
        (0x2A, 0x30, 0x21, 12_345),
        (0x2B, 0x30, 0x20, 1_234_500),
        (0x2D, 0x30, 0x20, 12_345),
        (0x2E, 0x30, 0x20, 1235),
        (0x2F, 0x30, 0x20, 123),
        (0x2C, 0x20, 0x20, 55_996),
        (0x0C, 0x10, 0x00, 123_450),
    ],
)
def test_toledo_places_and_units(a: int, b: int, c: int, weight_g: int | None) -> None:
    (told,) = reader(GaugeFormat.TOLEDO).receive(toledo(a=a, b=b, c=c), 0)
    assert told.weight_g == weight_g


def test_toledo_short_and_without_check() -> None:
    frame = b"\x02" + bytes([0x2C, 0x30, 0x20]) + b" 12345\r"
    assert reader(GaugeFormat.TOLEDO, has_check=0).receive(frame, 0)[0].weight_g == 123_450


def sick(**fields: str) -> bytes:
    names = (
        "no",
        "code",
        "weight",
        "unit",
        "error",
        "length",
        "width",
        "height",
        "size_unit",
        "where",
        "volume",
    )
    values = ("0145", "NoRead", "000001212", "g", "0", "0321", "0150", "0087", "mm", "0000", "4189050")
    return b"\x02" + ";".join((dict(zip(names, values, strict=True)) | fields).values()).encode() + b"\x03"


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({}, Gauged(GaugeSaid.GAUGED, 1212, (321, 150, 87))),
        ({"error": "1", "weight": "000000000"}, Gauged(GaugeSaid.GAUGED, None, (321, 150, 87))),
        ({"error": "1", "where": "0001"}, Gauged(GaugeSaid.AT_FAULT)),
        ({"where": "0001"}, Gauged(GaugeSaid.GAUGED, 1212, None)),
        ({"length": "0000", "width": "0000", "height": "0000"}, Gauged(GaugeSaid.GAUGED, 1212, None)),
        ({"weight": "000000000", "length": "0000"}, Gauged(GaugeSaid.NOTHING)),
        ({"unit": "q"}, Gauged(GaugeSaid.MALFORMED)),
        ({"size_unit": "kg"}, Gauged(GaugeSaid.MALFORMED)),
        ({"width": "01x0"}, Gauged(GaugeSaid.MALFORMED)),
        ({"error": "2"}, Gauged(GaugeSaid.MALFORMED)),
        ({"code": "a;b"}, Gauged(GaugeSaid.MALFORMED)),
        ({"length": "999999999"}, Gauged(GaugeSaid.TOO_MUCH)),
    ],
)
def test_sick_says_what_it_does_not_know(fields: dict[str, str], told: Gauged) -> None:
    assert reader(GaugeFormat.SICK).receive(sick(**fields), 0) == [told]


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"mAC000000,L012.0,W008.0,H006.0,M,K005.00,D003.47,M,F0166,D", "GAUGED"),
        (b"MNC000000,L012.0,W008.0,H006.0,E,K005.00,D003.47,E,F0166,D", "AT_FAULT"),
        (b"MAC000000,L~~~~~,W008.0,H006.0,E,K005.00,D003.47,E,F0166,D", "MALFORMED"),
        (b"MAC000000,L012.0,W008.0,H006.0,X,K005.00,D003.47,E,F0166,D", "MALFORMED"),
        (b"MAC000000,L012.0,W008.0,H006.0,E,K005.00", "MALFORMED"),
        (b"TA00", "ANSWER"),
        (b"?N", "AT_FAULT"),
    ],
)
def test_cubiscan_says_more_than_sizes(body: bytes, kind: str) -> None:
    assert said(reader(GaugeFormat.CUBISCAN), b"\x02" + body + b"\x03\r\n") == [kind]


@pytest.mark.parametrize(
    ("line", "told"),
    [
        (b"1,x,0.5,,,", Gauged(GaugeSaid.GAUGED, 500, None)),
        (b"1,x,,30,20,10", Gauged(GaugeSaid.GAUGED, None, (300, 200, 100))),
        (b"1,x,,30,20,", Gauged(GaugeSaid.NOTHING)),
        (b"1,x,0.5,30,20", Gauged(GaugeSaid.MALFORMED)),
        (b"1,x,-0.5,30,20,10", Gauged(GaugeSaid.MALFORMED)),
        (b"1,x,0.5e1,30,20,10", Gauged(GaugeSaid.MALFORMED)),
        (b"1,x,1.,30,20,10", Gauged(GaugeSaid.MALFORMED)),
        (b"1,x,0000000001.5,30,20,10", Gauged(GaugeSaid.MALFORMED)),
    ],
)
def test_a_line_of_fields(line: bytes, told: Gauged) -> None:
    assert reader(GaugeFormat.CSV).receive(line + b"\n", 0) == [told]


def test_an_overlong_telegram_is_told_once() -> None:
    for kind, start, end in ((GaugeFormat.CSV, b"", b"\n"), (GaugeFormat.SICK, b"\x02", b"\x03")):
        ours = reader(kind)
        assert said(ours, start + b"7" * 5000 + end) == ["OVERLONG"]
        assert ours.told == {GaugeSaid.OVERLONG: 1}


def test_noise_between_telegrams_is_told_once_a_run() -> None:
    assert said(reader(GaugeFormat.SICK), b"xyz" + SICK + b"\r\nabc" + SICK) == [
        *("NOISE", "GAUGED", "NOISE", "GAUGED"),
    ]


@pytest.mark.parametrize("key", ["weight_column", "height_column"])
def test_a_column_outside_the_line_is_refused(key: str) -> None:
    row = gauging(GaugeFormat.CSV, **(COLUMNS | {key: 6}))
    with pytest.raises(ValueError, match=f"{key} 6: must be below n_columns"):
        check_gauging(row)
    check_gauging(gauging(GaugeFormat.CSV, **(COLUMNS | {key: NO_INDEX})))
