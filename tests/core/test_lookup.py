"""The compiled look-up: against a plain model for prefixes and pre-advice, with bytes of every kind."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hubctl._lookup import LaneTable, normalise
from hubctl.core.events import Reason
from hubctl.core.labels import FORMAT_NAMES, FORMATS, compile_formats, compose, compose_many, decode

ACCEPTED = ["usps-impb", "fedex-34", "dp-leitcode", "ups-1z", "s10", "sf"]
FORMS = compile_formats(ACCEPTED)
IMPB = b"420100039400111206206406260787"
PLAIN = [row.name for row in FORMATS if row.structure == "plain"]
RULES = [("zip", "1", 1), ("zip", "100", 2), ("zip", "10003", 3), ("plz", "2", 4)]

prefixes = st.text("0123", min_size=0, max_size=6)
keys = st.text("0123", min_size=5, max_size=5)


def table(prefixes=RULES, labels=None, lanes=None, accepted=ACCEPTED):
    advice = None if labels is None else np.array(labels, "S56")
    targets = None if lanes is None else np.array(lanes, np.int32)
    return LaneTable(compile_formats(accepted), prefixes, advice, targets)


def verdict(lanes, text):
    reason, lane, *_ = lanes.resolve(text)
    return Reason(reason), lane


def longest(rules, key):
    """The lane of the longest prefix of `key`, obviously right."""
    lengths = [n for n in range(len(key) + 1) if key[:n] in rules]
    return rules[key[: max(lengths)]] if lengths else -1


@given(st.dictionaries(prefixes, st.integers(0, 99), max_size=30), keys)
def test_prefixes_agree_with_a_plain_dictionary(rules, key):
    lanes = table([("zip", prefix, lane) for prefix, lane in rules.items()])
    expected = longest(rules, key)
    assert lanes.lane_of_key("zip", key) == expected
    reason = Reason.OK if expected >= 0 else Reason.NO_LANE
    assert verdict(lanes, compose("usps-impb", 7, key).encode()) == (reason, expected)


def test_a_namespace_does_not_see_another():
    lanes = table([("plz", "10003", 5)])
    assert verdict(lanes, IMPB) == (Reason.NO_LANE, -1)
    assert verdict(lanes, compose("dp-leitcode", 0, "10003").encode()) == (Reason.OK, 5)
    assert lanes.lane_of_key("nowhere", "10003") == -1


def test_pre_advice_comes_before_what_the_label_says():
    assert verdict(table(), IMPB) == (Reason.OK, 3)
    assert verdict(table(labels=[IMPB], lanes=[9]), IMPB) == (Reason.OK, 9)


def test_pre_advice_may_name_the_number_alone():
    assert verdict(table(labels=[IMPB[8:]], lanes=[9]), IMPB) == (Reason.OK, 9)
    both = table(labels=[IMPB[8:], IMPB], lanes=[9, 10])
    assert verdict(both, IMPB) == (Reason.OK, 10)


def test_an_advised_label_without_a_lane_has_no_lane():
    assert verdict(table(labels=[b"SF1023574470215"], lanes=[-1]), b"SF1023574470215") == (Reason.NO_LANE, -1)


def test_a_label_that_says_nothing_has_no_data():
    assert verdict(table(), b"SF1023574470215") == (Reason.NO_DATA, -1)


def test_an_s10_number_has_no_data_whatever_the_rules():
    every = [(space, code, 1) for space in ("zip", "plz", "country") for code in ("", "GB", "US")]
    assert verdict(table(every), b"RB123456785GB") == (Reason.NO_DATA, -1)


@pytest.mark.parametrize(
    "text",
    [b"", b"\x00", b"]C1", b"\xff" * 30, IMPB[:-1] + b"0", IMPB + b"0", b"9" * 300, b"YT1234567890123"],
)
def test_what_the_site_does_not_accept_is_a_bad_label(text):
    assert table().resolve(text) == (Reason.BAD_LABEL, -1, 0, 0, 0)


def test_of_two_formats_that_fit_the_site_says_which():
    text = b"4201028200009261290113185417468510"
    usps, fedex = table(accepted=["usps-impb", "fedex-34"]), table(accepted=["fedex-34", "usps-impb"])
    assert FORMAT_NAMES[usps.resolve(text)[2]] == "usps-impb"
    assert FORMAT_NAMES[fedex.resolve(text)[2]] == "fedex-34"
    assert usps.resolve(text)[3] == fedex.resolve(text)[3] == 0


def test_priority_is_the_rank_at_the_site():
    assert table().resolve(b"SF1023574470215")[3] == ACCEPTED.index("sf")


def test_identity_is_the_number_in_the_label():
    spaced, bare, other = b"]C1420 10003\x1d" + IMPB[8:], IMPB[8:], compose("usps-impb", 1).encode()
    identities = [table().resolve(text)[4] for text in (IMPB, spaced, bare, other)]
    assert identities[0] == identities[1] == identities[2] != identities[3]
    assert 0 not in identities


@given(st.binary(max_size=300))
def test_any_bytes_are_answered(text):
    reason, lane, *_ = table([("zip", "", 1), ("plz", "", 2)]).resolve(text)
    assert reason in (Reason.OK, Reason.BAD_LABEL, Reason.NO_DATA)
    assert (lane >= 0) == (reason == Reason.OK)


@given(st.lists(st.binary(max_size=56), max_size=20))
def test_many_at_once_agree_with_one_by_one(texts):
    texts = [text.rstrip(b"\x00") for text in [*texts, IMPB]]
    reasons, lanes = table().resolve_many(np.array(texts, "S56"))
    assert list(zip(reasons.tolist(), lanes.tolist(), strict=True)) == [
        table().resolve(text)[:2] for text in texts
    ]


@given(st.sampled_from(PLAIN), st.integers(0, 10**5), st.integers(0, 55), st.sampled_from("0179AXZ- "))
def test_a_person_is_told_what_the_kernel_thinks(name, serial, at, char):
    label = compose(name, serial)
    text = label[:at] + char + label[at + 1 :]
    valid = [reading.format for reading in decode(text) if reading.check != "bad"]
    best = next((name for name in ACCEPTED if name in valid), None)
    reason, _, format_index, *_ = table().resolve(text.encode())
    assert (None if reason == Reason.BAD_LABEL else FORMAT_NAMES[format_index]) == best


def test_a_full_pre_advice_finds_each_label_and_no_other():
    serials = np.arange(50_000)
    labels = compose_many("sf", serials)
    lanes = LaneTable(FORMS, [], labels, (serials % 44).astype(np.int32))
    reasons, found = lanes.resolve_many(labels)
    assert (reasons == Reason.OK).all()
    assert (found == serials % 44).all()
    reasons, found = lanes.resolve_many(compose_many("sf", serials + 50_000))
    assert (reasons == Reason.NO_DATA).all()
    assert (found == -1).all()


def test_of_a_label_advised_twice_the_last_counts():
    assert verdict(table(labels=[IMPB, IMPB], lanes=[1, 2]), IMPB) == (Reason.OK, 2)


def test_pre_advice_is_normalised_as_reads_are():
    lanes = table(labels=[b"sf 1023574470215"], lanes=[4])
    assert verdict(lanes, b"SF1023574470215") == (Reason.OK, 4)


def test_the_empty_prefix_takes_all_of_its_namespace():
    assert verdict(table([("zip", "", 6)]), IMPB) == (Reason.OK, 6)


def test_keys_have_lanes_too():
    got = table().lanes_of_keys("zip", np.array([b"10003", b"10099", b"19999", b"20000", b""]))
    assert got.tolist() == [3, 2, 1, -1, -1]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: table([("zip", "1", 1), ("zip", "1", 2)]), "given twice"),
        (lambda: table([("zip", "1", -2)]), "lane -2"),
        (lambda: table([("zip", "1" * 57, 1)]), "at most 56"),
        (lambda: table([("zip", "é", 1)]), "ASCII"),
        (lambda: table([(f"n{i}", "1", 1) for i in range(40)]), "at most 32"),
        (lambda: table(labels=[b"A", b" "], lanes=[1, 1]), r"labels\[1\]"),
        (lambda: table(labels=[b"A"], lanes=[1, 1]), "must be as many"),
        (lambda: table(labels=[b"A"]), "must be as many"),
        (lambda: table(labels=[b"A"], lanes=[-2]), "lane -2"),
        (lambda: LaneTable(FORMS, [], np.array([b"A" * 57]), np.zeros(1, np.int32)), "must be S56"),
        (lambda: LaneTable(np.tile(FORMS, 2000), []), "must be 0 to 16384"),
        (lambda: LaneTable(np.zeros(1, "i4"), []), "dtype"),
        (lambda: table().resolve_many(np.zeros((2, 2), "S56")), "1 axis"),
    ],
)
def test_bad_tables_name_the_thing(call, message):
    with pytest.raises(ValueError, match=message):
        call()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b"]C1 ab 1", b"AB1"),
        (b"]", b"]"),
        (b"a\x1db", b"AB"),
        (b"\x80", None),
        (b"x" * 57, None),
        (b"{", None),
    ],
)
def test_normalise(text, expected):
    assert normalise(text) == expected


EVERY_SPACE = ["zip", "plz", "dpd", "post", "postal", "seg", "county", "country", "office"]


@pytest.mark.parametrize("issuer", ["GB", "US", "CN", "DE", "FR", "JP"])
def test_no_rule_whatever_takes_the_issuer_of_an_s10_number_for_its_destination(issuer):
    rules = [
        (space, key, 1) for space in EVERY_SPACE for key in ("", issuer, issuer[0], f"RB123456785{issuer}")
    ]
    assert verdict(table(rules), f"RB123456785{issuer}".encode()) == (Reason.NO_DATA, -1)
    by_service = table([*rules, ("partner", "S10/R", 2)])
    assert verdict(by_service, f"RB123456785{issuer}".encode()) == (Reason.OK, 2)
    assert verdict(by_service, f"CB123456785{issuer}".encode()) == (Reason.NO_DATA, -1)


def test_a_partner_and_its_service_have_a_lane_when_the_label_says_no_destination():
    lanes = table(
        [("partner", "UPS-1Z/", 1), ("partner", "UPS-1Z/03", 2), ("partner", "USPS-IMPB/", 3), *RULES]
    )
    assert verdict(lanes, b"1Z5R89390357567127") == (Reason.OK, 2)
    assert verdict(lanes, b"1Z879E930346834440") == (Reason.OK, 2)
    assert verdict(lanes, b"1Z410E7W0392751591") == (Reason.OK, 2)
    assert verdict(lanes, b"1Z8V92A70367203024") == (Reason.OK, 2)
    assert verdict(lanes, b"1ZXX3150YW44070023") == (Reason.OK, 1)


def test_a_destination_goes_before_its_partner():
    lanes = table([("partner", "USPS-IMPB/", 9), *RULES])
    assert verdict(lanes, IMPB) == (Reason.OK, 3)
    assert verdict(lanes, compose("usps-impb", 0, "99999").encode()) == (Reason.OK, 9)


def test_no_service_is_a_rule_that_takes_its_keys_from_a_shorter_one():
    lanes = table([*RULES, ("zip", "1000", -1)])
    assert verdict(lanes, compose("usps-impb", 0, "10009").encode()) == (Reason.NO_LANE, -1)
    assert verdict(lanes, compose("usps-impb", 0, "10099").encode()) == (Reason.OK, 2)
    assert verdict(lanes, IMPB) == (Reason.OK, 3)
