"""Label formats: the data, decoding for people, composing for the simulated hub, and the command."""

import doctest
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

import hubctl._lookup
import hubctl.core.formats
import hubctl.core.labels
from hubctl.cli.labels import app
from hubctl.core.formats import expand, parse_pattern
from hubctl.core.labels import (
    FORMAT_NAMES,
    FORMATS,
    NAMESPACES,
    compile_formats,
    compose,
    compose_many,
    decode,
    key_lengths,
)

FORMS = [(row.name, form) for row in FORMATS for form in row.forms]
PLAIN = [row.name for row in FORMATS if row.structure == "plain"]
MOD10 = ["420787459400111206206406260787", "00376130321109103420", "568283610012000"]
MOD10_FROM = {30: 8, 20: 2, 15: 0}
KEYED = [name for name in FORMAT_NAMES if key_lengths(name)]


def reading_as(name, text):
    return next((reading for reading in decode(text) if reading.format == name), None)


@pytest.mark.parametrize(("name", "form"), FORMS, ids=[form.example for _, form in FORMS])
def test_each_example_is_a_label_of_its_format(name, form):
    reading = reading_as(name, form.example)
    assert reading is not None
    assert reading.check == ("ok" if form.check else "none")
    if form.key:
        assert reading.destination.startswith(form.key.space + ":")


@pytest.mark.parametrize(
    ("text", "name", "destination"),
    [
        ("420787459400111206206406260787", "usps-impb", "zip:78745"),
        ("4201002334249200190132607600833457", "usps-impb", "zip:100233424"),
        ("]C14207874594\x1d00111206206406260787", "usps-impb", "zip:78745"),
        ("1001921334250001000300779017972697", "fedex-34", "zip:10003"),
        ("21348075016401", "dp-leitcode", "plz:21348"),
        ("0081827 0998 0000 0200 28 101 276 B", "dpd-28", "plz:81827"),
        ("1z5r89390357567127", "ups-1z", None),
        ("RB123456785GB", "s10", None),
        ("SF1023574470215", "sf", None),
        ("00123456789012345675", "sscc-18", None),
        ("563102430313", "dp-identcode", None),
        ("3318810025", "dhl-express", None),
    ],
)
def test_destination_is_what_the_label_says(text, name, destination):
    reading = reading_as(name, text)
    assert reading is not None
    assert reading.check != "bad"
    assert reading.destination == destination


@pytest.mark.parametrize("issuer", ["GB", "US", "CN", "DE"])
def test_the_country_of_an_s10_number_is_never_its_destination(issuer):
    assert [reading.destination for reading in decode(f"RB123456785{issuer}")] == [None]


def test_an_s10_number_needs_an_issuer_that_exists():
    assert decode("RB123456785XX") == []


def test_a_code_of_two_carriers_is_read_both_ways():
    readings = decode("4201028200009261290113185417468510")
    assert [(reading.format, reading.check) for reading in readings[:2]] == [
        ("usps-impb", "ok"),
        ("fedex-34", "ok"),
    ]


def test_right_checks_come_before_none_and_wrong_ones_last():
    ranks = [["ok", "none", "bad"].index(reading.check) for reading in decode("986578788855")]
    assert ranks == sorted(ranks)
    assert decode("986578788855")[0].format == "fedex-12"


@pytest.mark.parametrize("text", ["", " ", "]C1", "hello", "四二零", "\udcff", "9" * 57, "9" * 500, "1Z\x7f"])
def test_what_is_no_label_has_no_reading(text):
    assert decode(text) == []


@pytest.mark.parametrize("label", MOD10)
def test_any_single_digit_change_breaks_a_mod10_check(label):
    name = next(reading.format for reading in decode(label) if reading.check == "ok")
    for at in range(MOD10_FROM[len(label)], len(label)):
        for digit in "0123456789".replace(label[at], ""):
            changed = reading_as(name, label[:at] + digit + label[at + 1 :])
            assert changed is None or changed.check == "bad"


@pytest.mark.parametrize("name", PLAIN)
def test_serial_0_is_the_example(name):
    first = next(row.forms[0] for row in FORMATS if row.name == name)
    assert compose(name, 0) == first.example


@given(st.sampled_from(PLAIN), st.integers(0, 10**5))
def test_what_is_composed_decodes(name, serial):
    reading = reading_as(name, compose(name, serial))
    assert reading is not None
    assert reading.check != "bad"


@given(st.sampled_from(KEYED), st.integers(0, 10**6), st.data())
def test_a_composed_destination_comes_back(name, serial, data):
    space, n = key_lengths(name)
    key = data.draw(st.text("0123456789", min_size=n, max_size=n))
    assert reading_as(name, compose(name, serial, key)).destination == f"{space}:{key}"


def test_a_short_key_leaves_the_rest_as_it_is():
    label = compose("usps-impb", 5, "100")
    assert decode(label)[0].destination == "zip:10045"


@pytest.mark.parametrize("name", ["usps-impb", "dp-leitcode", "fedex-34", "ups-1z", "sf", "yto", "s10", "jt"])
def test_many_labels_are_all_different_and_all_as_composed_one_by_one(name):
    labels = compose_many(name, np.arange(2000))
    assert len(set(labels.tolist())) == 2000
    assert [label.decode() for label in labels[[0, 7, 1999]]] == [compose(name, i) for i in (0, 7, 1999)]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: compose("usps", 0), "unknown label format 'usps'"),
        (lambda: compose("sf", 0, "10003"), "sf holds no destination"),
        (lambda: compose("usps-impb", 0, "1000x"), "do not fit"),
        (lambda: compose("usps-impb", 0, "100030"), "at most 5"),
        (lambda: compose("jt", 10**13), "more than this format has room for"),
        (lambda: compose("jt", -1), "below 0"),
        (lambda: compile_formats(["sf", "usps", "fedx"]), "usps, fedx"),
        (lambda: compile_formats(["sf", "sf"]), "twice"),
        (lambda: parse_pattern("d{2-3}a"), "only the last part"),
        (lambda: parse_pattern("d{57}"), "1 to 56"),
        (lambda: parse_pattern(""), "1 to 56"),
        (lambda: parse_pattern("[2-5"), r"must be like \[2-5AC\]"),
        (lambda: parse_pattern("d{4"), "must be like|characters that labels have"),
        (lambda: parse_pattern("d{9-4}"), "must be like"),
        (lambda: parse_pattern("é"), "characters that labels have"),
        (lambda: expand("d{1-30}a{1-30}x{1-2}"), "more than 256"),
        (lambda: compose("gs1-128", 0), "told by its elements"),
    ],
)
def test_bad_requests_name_the_thing(call, message):
    with pytest.raises(ValueError, match=message):
        call()


@pytest.mark.parametrize("module", [hubctl._lookup, hubctl.core.formats, hubctl.core.labels])
def test_examples_in_docstrings_run(module):
    results = doctest.testmod(module)
    assert results.attempted > 0
    assert results.failed == 0


def test_namespaces_are_those_of_the_keys():
    assert {"zip", "plz"} <= set(NAMESPACES)


def run(*args):
    return CliRunner().invoke(app, ["decode", *args])


def test_the_command_ranks_readings_in_a_table():
    result = run("420787459400111206206406260787")
    assert result.exit_code == 0
    assert "usps-impb" in result.stdout
    assert "zip:78745" in result.stdout


def test_the_command_prints_one_object():
    result = run("--json", "1001921334250001000300779017972697", "RB123456785GB")
    codes = json.loads(result.stdout)["codes"]
    assert [code["readings"][0]["format"] for code in codes] == ["fedex-34", "s10"]
    assert codes[0]["readings"][0]["destination"] == "zip:10003"
    assert codes[1]["readings"][0]["destination"] is None


@pytest.mark.parametrize("code", ["nonsense", "[bold]", "\udcff\x1b", "RB123456786GB"])
def test_the_command_says_what_is_no_label(code):
    result = run(code)
    assert result.exit_code == 1
    assert result.exception is None or isinstance(result.exception, SystemExit)
    assert "no known label format" in result.stderr or "check character is wrong" in result.stderr


def test_an_unknown_code_among_known_ones_is_told_in_the_object_too():
    result = run("--json", "nonsense", "RB123456785GB")
    assert result.exit_code == 1
    assert [len(code["readings"]) for code in json.loads(result.stdout)["codes"]] == [0, 1]
