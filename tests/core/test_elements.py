"""Labels that say what is what in them: GS1 elements against an independent reader, the MaxiCode of UPS by hand."""

import biip
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hubctl._lookup import LaneTable, elements
from hubctl.core.events import Reason
from hubctl.core.labels import FORMAT_NAMES, compile_formats, compose, decode

SSCC = "376130321109103420"
GS = "\x1d"
MAXI = (
    "[)>\x1e01\x1d96{postcode}\x1d{country}\x1d{service}\x1d1Z12345675\x1dUPSN\x1d12345E\x1d089{more}\x1e\x04"
)
RULES = [
    ("plz", "20", 1),
    ("zip", "100", 2),
    ("postal", "20", 3),
    ("post", "04010", 4),
    ("partner", "UPS-MAXICODE/01", 5),
]
ACCEPTED = ["gs1-128", "sscc-18", "ups-maxicode", "ups-1z", "usps-impb"]


def maxicode(
    postcode="100010000", country="840", service="001", more="\x1d\x1d1/1\x1d10\x1dN\x1d\x1dNY\x1dNY"
):
    return MAXI.format(postcode=postcode, country=country, service=service, more=more)


def told(text):
    return elements(text.encode())


def resolved(text, rules=RULES, accepted=ACCEPTED):
    reason, lane, *_ = LaneTable(compile_formats(accepted), rules).resolve(text.encode())
    return Reason(reason), lane


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"]C100{SSCC}", (1, SSCC.encode(), "", b"")),
        (f"]C100{SSCC}42020095", (1, SSCC.encode(), "postal", b"20095")),
        (f"]C100{SSCC}42127620095", (1, SSCC.encode(), "plz", b"20095")),
        (f"]C100{SSCC}42184010001", (1, SSCC.encode(), "zip", b"10001")),
        (f"]C100{SSCC}4210401010", (1, SSCC.encode(), "post", b"0401010")),
        (f"]C142127620095{GS}00{SSCC}", (1, SSCC.encode(), "plz", b"20095")),
        (f"]d200{SSCC}10ab{GS}421826ec1a 1bb".replace(" ", ""), (1, SSCC.encode(), "post", b"826EC1A1BB")),
        (f"00{SSCC}{GS}42020095", (1, SSCC.encode(), "postal", b"20095")),
    ],
)
def test_elements_say_number_and_destination(text, expected):
    assert told(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "]C1",
        f"]C1{GS}",
        f"00{SSCC}",  # nothing says that these are elements
        "]C142020095",  # nothing names the parcel
        f"]C100{SSCC}420",
        f"]C100{SSCC}421276",
        f"]C100{SSCC}42120095{GS}42020095",  # two destinations
        f"]C100{SSCC}00{SSCC}",
        f"]C100{SSCC[:-1]}",
        f"]C100{SSCC}AB",
        f"]C100{SSCC}420" + "1" * 21,
        f"]C100{SSCC}42012é",
        "]C10037613032110910342X42012345",
    ],
)
def test_what_contradicts_itself_says_nothing(text):
    assert told(text) is None


values = st.text("0123456789ABCDEFG-/", min_size=1, max_size=15)
fixed = st.sampled_from([("15", "261231"), ("20", "17"), ("3103", "001250"), ("410", "4012345000009")])
varying = st.tuples(st.sampled_from(["10", "21", "240", "400", "403", "91"]), values)
destination = st.one_of(
    st.tuples(st.just("420"), st.text("0123456789AB", min_size=1, max_size=9)),
    st.tuples(st.just("421"), st.text("0123456789", min_size=1, max_size=9).map(lambda code: "276" + code)),
    st.none(),
)


@given(
    st.lists(st.one_of(fixed, varying), max_size=4, unique_by=lambda pair: pair[0]), destination, st.randoms()
)
def test_elements_agree_with_an_independent_reader(others, destination, order):
    pairs = [("00", SSCC), *others, *([destination] if destination else [])]
    order.shuffle(pairs)
    text = "]C1" + "".join(
        ai + value + (GS if ai not in ("00", "15", "20", "3103", "410") else "") for ai, value in pairs
    )
    read = biip.parse(text.rstrip(GS)).gs1_message
    said = {one.ai.ai: one.value for one in read.element_strings}
    structure, number, space, key = told(text.rstrip(GS))
    assert (structure, number.decode()) == (1, said["00"])
    wanted = said.get("420", said.get("421", "")[3:])
    assert key.decode() == wanted
    assert space == ({"420": "postal", "421": "plz"}[destination[0]] if destination else "")


@given(st.binary(max_size=80).map(lambda tail: b"]C100" + SSCC.encode() + tail))
def test_any_bytes_are_read_without_harm(raw):
    found = elements(raw)
    assert found is None or found[1] == SSCC.encode()


@given(st.binary(max_size=120).map(lambda tail: b"[)>\x1e01\x1d96" + tail))
def test_any_bytes_after_the_head_of_a_maxicode_are_read_without_harm(raw):
    found = elements(raw)
    assert found is None or (found[0], found[1][:2]) == (2, b"1Z")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"]C100{SSCC}42127620095", (Reason.OK, 1)),
        (f"]C100{SSCC}42184010001", (Reason.OK, 2)),
        (f"]C100{SSCC}42020095", (Reason.OK, 3)),
        (f"]C100{SSCC}4210401010", (Reason.OK, 4)),
        (f"]C100{SSCC}42130075001", (Reason.NO_LANE, -1)),
        (f"]C100{SSCC}", (Reason.NO_DATA, -1)),
        (f"]C100{SSCC[:-1]}142127620095", (Reason.BAD_LABEL, -1)),
        (maxicode(), (Reason.OK, 2)),
        (maxicode(postcode="999990000"), (Reason.OK, 5)),
        (maxicode(postcode="999990000", service="003"), (Reason.BAD_LABEL, -1)),
    ],
)
def test_the_classifier_goes_by_what_they_say(text, expected):
    assert resolved(text) == expected


def test_what_is_not_accepted_is_a_bad_label():
    assert resolved(maxicode(), accepted=["ups-1z", "gs1-128"]) == (Reason.BAD_LABEL, -1)
    assert resolved(f"]C100{SSCC}42127620095", accepted=["ups-1z"]) == (Reason.BAD_LABEL, -1)


def test_a_parcel_is_one_whichever_of_its_labels_is_read():
    table = LaneTable(compile_formats(ACCEPTED), [])
    identities = [table.resolve(text.encode())[4] for text in (f"]C100{SSCC}42020095", f"00{SSCC}", SSCC)]
    assert len(set(identities)) == 1
    ups = [table.resolve(text.encode())[4] for text in (maxicode(), "1Z12345E0112345675")]
    assert ups[0] == ups[1] != 0


def test_pre_advice_of_the_number_comes_before_the_postcode():
    table = LaneTable(compile_formats(ACCEPTED), RULES, np.array([SSCC.encode()]), np.array([9], np.int32))
    assert table.resolve(f"]C100{SSCC}42020095".encode())[:2] == (Reason.OK, 9)


def test_an_impb_in_elements_is_an_impb():
    text = "]C1" + compose("usps-impb", 5, "10003")
    text = text[:11] + GS + text[11:]
    assert resolved(text, accepted=["gs1-128", "usps-impb"]) == (Reason.OK, 2)


def test_readings_for_people_name_service_and_destination():
    (reading,) = [reading for reading in decode(maxicode()) if reading.format == "ups-maxicode"]
    assert reading[2:] == ("ok", "zip:100010000", "1Z12345E0112345675", "01 Next Day Air")
    assert decode(maxicode(country="826", postcode="EC1A1B"))[0].destination == "post:826EC1A1B"
    assert decode(f"]C100{SSCC[:-1]}1")[0].check == "bad"


def test_structures_have_names():
    assert {"gs1-128", "ups-maxicode"} <= set(FORMAT_NAMES)
