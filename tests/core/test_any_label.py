"""Other valid numbers than the published ones: labels drawn from every form of the grammar, against a slow model."""

from __future__ import annotations

from functools import cache
from random import Random

import pytest
from test_label_vectors import mod_37_36_character

from hubctl._lookup import LaneTable
from hubctl.core.catalogue import BUILT_IN
from hubctl.core.events import Reason
from hubctl.core.formats import CheckRule, Form, expand, parse_pattern
from hubctl.core.labels import FORMAT_NAMES, FORMATS, compile_formats, decode

SEED = 20_241_208
N_OF_FORM = 25
PACK = BUILT_IN.packs[0].pack
ISSUERS = PACK.issuers.split()
GS = "\x1d"
MAXICODE = (
    "[)>\x1e01\x1d96{postcode}\x1d{country}\x1d{service}\x1d1Z{serial}\x1dUPSN\x1d{shipper}\x1d123\x1d\x1d1/1"
)


def members(symbols: int) -> str:
    """The characters of a set."""
    return "".join(chr(32 + i) for i in range(64) if symbols >> i & 1)


def value(char: str) -> int:
    return int(char) if char.isdigit() else (ord(char) - 3) % 10


def weighted(rule: CheckRule, text: str) -> str:
    """The check character of a weighted sum, in plain Python."""
    order = text[::-1] if rule.from_right else text
    products = [rule.weights[i % len(rule.weights)] * value(char) for i, char in enumerate(order)]
    return rule.answers[sum(p // 10 + p % 10 if rule.folds else p for p in products) % rule.modulus]


def right_check(form: Form, text: str) -> str:
    """The character that belongs behind what is checked."""
    assert form.check is not None
    rule, (start, n) = PACK.checks[form.check.by], form.check.at
    checked = text[start : start + n]
    return weighted(rule, checked) if rule.weights else mod_37_36_character(checked)


@cache
def shapes(pattern: str) -> list[list[str]]:
    """The characters that may stand at each position, for every length that a pattern has."""
    parsed = [parse_pattern(one) for one in expand(pattern)]
    return [
        [members(symbols) for symbols in sets[:n]]
        for sets, least in parsed
        for n in range(least, len(sets) + 1)
    ]


def fits(form: Form, text: str) -> bool:
    of_length = [shape for shape in shapes(form.pattern) if len(shape) == len(text)]
    if not any(all(char in chars for char, chars in zip(text, shape, strict=True)) for shape in of_length):
        return False
    return form.issuer is None or text[form.issuer : form.issuer + 2] in ISSUERS


def verdict(name: str, text: str) -> str | None:
    """What a format's forms say of a text, the best of them; None: it is none of theirs."""
    fitting = [form for form in FORMATS[FORMAT_NAMES.index(name)].forms if fits(form, text)]
    said = {
        "none"
        if form.check is None
        else "ok"
        if text[sum(form.check.at)] == right_check(form, text)
        else "bad"
        for form in fitting
    }
    return next((word for word in ("ok", "none", "bad") if word in said), None)


def drawn(form: Form, random: Random) -> str:
    """A valid label of a form."""
    chars = [random.choice(some) for some in random.choice(shapes(form.pattern))]
    if form.issuer is not None:
        chars[form.issuer : form.issuer + 2] = random.choice(ISSUERS)
    if form.check is not None:
        chars[sum(form.check.at)] = right_check(form, "".join(chars))
    return "".join(chars)


def spoilt(form: Form, text: str, random: Random) -> str:
    """The same with another check character."""
    if form.check is None:
        return text
    at = sum(form.check.at)
    others = next(shape[at] for shape in shapes(form.pattern) if len(shape) == len(text)).replace(
        text[at], ""
    )
    return text[:at] + random.choice(others) + text[at + 1 :]


def read_as(name: str, text: str) -> str | None:
    return next((reading.check for reading in decode(text) if reading.format == name), None)


@pytest.mark.parametrize("name", [row.name for row in FORMATS if row.structure == "plain"])
def test_every_form_reads_any_valid_number_and_none_with_a_wrong_check(name: str) -> None:
    random = Random(f"{SEED} {name}")
    table = LaneTable(compile_formats([name]), [])
    for form in FORMATS[FORMAT_NAMES.index(name)].forms:
        for _ in range(N_OF_FORM):
            good = drawn(form, random)
            bad = spoilt(form, good, random)
            assert verdict(name, good) in ("ok", "none"), good
            for text in (good, bad):
                assert read_as(name, text) == verdict(name, text), text
                is_bad = table.resolve(text.encode())[0] == Reason.BAD_LABEL
                assert is_bad == (verdict(name, text) == "bad"), text


def digits(random: Random, n: int) -> str:
    return "".join(random.choices("0123456789", k=n))


def gs1(random: Random, is_good: bool) -> tuple[str, str]:
    """A label made of elements in any order, and the destination that it tells."""
    body = digits(random, 17)
    check = weighted(PACK.checks["mod10"], body)
    sscc = body + (check if is_good else str((int(check) + 1) % 10))
    code = digits(random, 5)
    pairs = [("00" + sscc, ""), ("421276" + code, GS), ("10" + digits(random, 6), GS), ("15261231", "")]
    random.shuffle(pairs)
    return "]C1" + "".join(text + end for text, end in pairs).rstrip(GS), f"plz:{code}"


def maxicode(random: Random, is_good: bool) -> tuple[str, str]:
    """What UPS writes, with the fields behind the shipper; and its destination."""
    shipper, service, serial = digits(random, 5) + random.choice("AEWX"), digits(random, 2), digits(random, 7)
    check = weighted(PACK.checks["ups-1z"], shipper + service + serial)
    last = check if is_good else str((int(check) + 1) % 10)
    code = digits(random, 9)
    fields = {"postcode": code, "country": "840", "service": "0" + service}
    return MAXICODE.format(**fields, serial=serial + last, shipper=shipper), f"zip:{code}"


@pytest.mark.parametrize(("name", "make"), [("gs1-128", gs1), ("ups-maxicode", maxicode)])
def test_labels_made_of_elements_are_read_with_any_valid_number(name: str, make: object) -> None:
    random = Random(f"{SEED} {name}")
    assert callable(make)
    table = LaneTable(compile_formats([name]), [("plz", "", 1), ("zip", "", 1)])
    for turn in range(4 * N_OF_FORM):
        text, destination = make(random, turn % 2 == 0)
        found = {reading.format: reading for reading in decode(text)}[name]
        assert (found.check, found.destination) == ("bad" if turn % 2 else "ok", destination), text
        assert table.resolve(text.encode())[0] == (Reason.BAD_LABEL if turn % 2 else Reason.OK), text


def test_no_format_is_left_out() -> None:
    assert {row.structure for row in FORMATS} == {"plain", "gs1", "maxicode"}
