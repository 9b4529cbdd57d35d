"""Published tracking numbers, valid and invalid, against the formats that know them."""

import csv
import os
from pathlib import Path

import pytest

from hubctl.core.catalogue import BUILT_IN
from hubctl.core.labels import compose, decode

DATA = Path(os.environ.get("HUBCTL_DATA", Path(__file__).parents[3] / "shared" / "data"))
VECTORS = DATA / "label_vectors.csv"
ISSUERS = DATA / "s10_countries.csv"

# What the vectors call a format, and what it is called here.
NAMES = {
    "Amazon International": "amazon-international",
    "Amazon Logistics": "amazon",
    "Canada Post (16)": "canada-post",
    "Canpar (22)": "canpar",
    "DHL E-Commerce": "dhl-ecommerce",
    "DHL E-Commerce (14)": "dhl-ecommerce-14",
    "DHL Express": "dhl-express",
    "DHL Express (Piece ID)": "dhl-piece",
    "DPD (14)": "dpd-14",
    "DPD (28)": "dpd-28",
    "FedEx ASTRA (32)": "fedex-astra-32",
    "FedEx Express (12)": "fedex-12",
    "FedEx Express (34)": "fedex-34",
    "FedEx Ground": "fedex-15",
    "FedEx Ground (SSCC-18)": "sscc-18",
    "FedEx Ground 96 (22)": "fedex-ground-96",
    "FedEx Ground GSN": "fedex-ground-gsn",
    "GOFO Express (US)": "gofo",
    "Landmark Global LTN": "landmark",
    "LaserShip 1LS7 (15)": "lasership-1ls7-15",
    "LaserShip 1LS7 (18)": "lasership-1ls7-18",
    "LaserShip 1LSCX (15)": "lasership-1lscx",
    "LaserShip LX": "lasership-lx",
    "Old Dominion": "old-dominion",
    "Old Dominion Guaranteed Shipment": "old-dominion-guaranteed",
    "OnTrac": "ontrac-c",
    "OnTrac D": "ontrac-d",
    "Purolator (12)": "purolator-12",
    "Purolator (alpha + 9)": "purolator-alpha",
    "S10": "s10",
    "Spee-Dee (20)": "speedee",
    "UPS": "ups-1z",
    "UPS Waybill": "ups-waybill",
    "USPS 20": "usps-20",
    "USPS IMpb C": "usps-impb",
    "USPS IMpb N": "usps-impb",
    "USPS Legacy": "usps-legacy",
    "Yodel": "yodel",
    "YunExpress": "yunexpress",
}


def vectors():
    if not VECTORS.exists():
        return []
    with VECTORS.open() as lines:
        return list(csv.DictReader(lines))


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


def luhn_digit(digits):
    """ISO/IEC 7812-1, annex B, in plain Python."""
    doubled = [int(digit) * (2 if i % 2 == 0 else 1) for i, digit in enumerate(reversed(digits))]
    return str(-sum(value // 10 + value % 10 for value in doubled) % 10)


@pytest.mark.parametrize("serial", range(0, 5000, 113))
@pytest.mark.parametrize("name", ["purolator-12", "old-dominion", "old-dominion-guaranteed"])
def test_luhn_agrees_with_the_standard(name, serial):
    digits = compose(name, serial)
    assert digits[-1] == luhn_digit(digits[:-1])


def alternate_digit(digits):
    """Weights 1 and 2 from the left, in plain Python."""
    return str(-sum(int(digit) * (1 + i % 2) for i, digit in enumerate(digits)) % 10)


@pytest.mark.parametrize("serial", range(0, 5000, 113))
@pytest.mark.parametrize(
    ("name", "head", "before", "model"),
    [
        ("usps-legacy", "71", "91", mod10_digit),
        ("ontrac-c", "C", "4", alternate_digit),
        ("ontrac-d", "D", "5", alternate_digit),
    ],
)
def test_digits_that_a_label_leaves_out_are_checked_too(name, head, before, model, serial):
    body = f"{serial:0{17 if name == 'usps-legacy' else 13}d}"
    right = [digit for digit in "0123456789" if reads(name, head + body + digit) == "ok"]
    assert right == [model(before + head.strip("CD") + body)]


def reads(name, label):
    return next((reading.check for reading in decode(label) if reading.format == name), None)


def test_every_form_has_its_check_inside_the_label():
    rows = BUILT_IN.forms[BUILT_IN.forms["structure"] == 0]
    last = rows["check_from"].astype(int) + rows["check_n"]
    assert (last < rows["length_min"]).all()
