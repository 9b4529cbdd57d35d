"""Published tracking numbers, valid and invalid, against the formats that know them."""

import csv
import os
from pathlib import Path

import pytest

from hubctl.core.formats import CHECKS, FORMATS, compile_form
from hubctl.core.labels import compose, decode

DATA = Path(os.environ.get("HUBCTL_DATA", Path(__file__).parents[3] / "shared" / "data"))
VECTORS = DATA / "label_vectors.csv"
ISSUERS = DATA / "s10_countries.csv"

# What the vectors call a format, and what it is called here.
NAMES = {
    "Amazon Logistics": "amazon",
    "DHL Express": "dhl-express",
    "DHL Express (Piece ID)": "dhl-piece",
    "DPD (14)": "dpd-14",
    "DPD (28)": "dpd-28",
    "FedEx Express (12)": "fedex-12",
    "FedEx Express (34)": "fedex-34",
    "FedEx Ground": "fedex-15",
    "FedEx Ground (SSCC-18)": "sscc-18",
    "FedEx Ground 96 (22)": "fedex-ground-96",
    "S10": "s10",
    "UPS": "ups-1z",
    "USPS IMpb C": "usps-impb",
    "USPS IMpb N": "usps-impb",
    "Yodel": "yodel",
    "YunExpress": "yunexpress",
}


def vectors():
    if not VECTORS.exists():
        return []
    with VECTORS.open() as lines:
        return [row for row in csv.DictReader(lines) if row["format"] in NAMES]


def issuers():
    if not ISSUERS.exists():
        return []
    with ISSUERS.open() as lines:
        return [row["iso2"] for row in csv.DictReader(lines)]


@pytest.mark.skipif(not VECTORS.exists(), reason=f"{VECTORS} is not here")
@pytest.mark.parametrize("row", vectors(), ids=lambda row: f"{row['kind']} {row['format']} {row['number']}")
def test_vector(row):
    verdicts = [reading.check for reading in decode(row["number"]) if reading.format == NAMES[row["format"]]]
    assert (verdicts in (["ok"], ["none"])) == (row["kind"] == "valid")


@pytest.mark.skipif(not ISSUERS.exists(), reason=f"{ISSUERS} is not here")
def test_every_issuing_country_is_known():
    assert [code for code in issuers() if not decode(f"RB123456785{code}")] == []


def s10_digit(digits):
    """UPU S10-12, clause 4.3, in plain Python."""
    total = sum(weight * int(digit) for weight, digit in zip((8, 6, 4, 2, 3, 5, 9, 7), digits, strict=True))
    return {10: "0", 11: "5"}.get(11 - total % 11, str(11 - total % 11))


def mod10_digit(digits):
    """GS1 General Specifications, clause 7.9, in plain Python."""
    total = sum(int(digit) * (3 if i % 2 == 0 else 1) for i, digit in enumerate(reversed(digits)))
    return str(-total % 10)


def mod_37_36_character(text):
    """ISO/IEC 7064 MOD 37,36: search for the character that makes the whole congruent to 1."""
    alphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    product = 36
    for char in text:
        product = ((product + alphabet.index(char)) % 36 or 36) * 2 % 37
    return next(char for char in alphabet if (product + alphabet.index(char)) % 36 == 1)


@pytest.mark.parametrize("serial", range(0, 5000, 113))
@pytest.mark.parametrize(
    ("name", "start", "n", "model"),
    [
        ("s10", 2, 8, s10_digit),
        ("usps-impb", 8, 21, mod10_digit),
        ("sscc-18", 2, 17, mod10_digit),
        ("dpd-28", 0, 27, mod_37_36_character),
        ("dhl-express", 0, 9, lambda digits: str(int(digits) % 7)),
    ],
)
def test_check_characters_agree_with_the_standard(name, start, n, model, serial):
    label = compose(name, serial)
    assert label[start + n] == model(label[start : start + n])


@pytest.mark.parametrize("name", [name for name, check in CHECKS.items() if check.weights])
def test_a_check_answers_every_remainder(name):
    assert len(CHECKS[name].answers) == CHECKS[name].modulus


def test_every_form_compiles_with_its_check_inside_the_label():
    for row in FORMATS:
        for form in row.forms:
            compiled = compile_form(form, 0, 0)[0]
            last = int(compiled["check_from"]) + int(compiled["check_n"])
            assert last < compiled["length_min"] == len(form.example) or not form.check
