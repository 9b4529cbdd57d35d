"""Packs of label formats that partners bring: faults all at once, many of them, and every overlap with a sample."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from hubctl._lookup import LaneTable
from hubctl._overlaps import common_label
from hubctl.cli.labels import app
from hubctl.core.catalogue import BUILT_IN, Catalogue, load_packs
from hubctl.core.config import ConfigError
from hubctl.core.events import Reason
from hubctl.core.hubfile import resolve_hub
from hubctl.core.labels import compose, decode
from hubctl.core.overlaps import overlaps
from hubctl.core.plan import compile_plan, load_plan

ACME = """
[namespaces]
acme-hub = "two letters of a hub"

[checks]
acme = { weights = [2, 1], modulus = 10, answers = "0987654321", folds = true, from_right = true }

[services.acme]
E = "express"

[[formats]]
name = "acme-parcel"
carrier = "Acme"
forms = [
  { pattern = "AC [EN] aa d{8}", example = "ACEXY00000000", check = { by = "acme", at = [5, 7] }, \
key = { space = "acme-hub", at = [[3, 2]] }, number = [5, 8], service = { at = [2, 1], names = "acme" } },
]

[[formats]]
name = "acme-bag"
carrier = "Acme"
forms = [{ pattern = "ACBAG d{4-8}", example = "ACBAG1234" }]
"""
BETA = """
[[formats]]
name = "beta"
carrier = "Beta"
forms = [{ pattern = "AC x{11}", example = "AC12345678901" }]
"""


def packs(tmp_path: Path, **texts: str) -> Path:
    for name, text in texts.items():
        (tmp_path / f"{name}.toml").write_text(text, encoding="utf-8")
    return tmp_path


@pytest.fixture
def catalogue(tmp_path: Path) -> Catalogue:
    return load_packs(packs(tmp_path, acme=ACME, beta=BETA))


def test_a_pack_brings_formats_checks_services_and_namespaces(catalogue: Catalogue) -> None:
    (reading,) = decode("AC E XY 0000 0000", ["acme-parcel"], catalogue)
    assert reading == ("acme-parcel", "Acme", "ok", "acme-hub:XY", "00000000", "E express")
    assert "acme-hub" in catalogue.namespaces


def test_a_packs_name_stands_for_its_formats_in_the_sites_order(catalogue: Catalogue) -> None:
    forms = catalogue.compile(["beta", "s10", "acme"])
    names = [catalogue.formats[index].name for index in forms["format"]]
    assert names == ["beta", "s10", "acme-parcel", "acme-bag"]
    assert forms["priority"].tolist() == [0, 1, 2, 3]


def test_of_two_partners_the_site_prefers_one(catalogue: Catalogue) -> None:
    label = b"ACEXY00000000"
    first = LaneTable(catalogue.compile(["acme", "beta"]), [("partner", "BETA/", 2), ("acme-hub", "X", 1)])
    assert first.resolve(label)[:2] == (Reason.OK, 1)
    other = LaneTable(catalogue.compile(["beta", "acme"]), [("partner", "BETA/", 2), ("acme-hub", "X", 1)])
    assert other.resolve(label)[:2] == (Reason.OK, 2)


def test_the_built_in_formats_keep_their_index(catalogue: Catalogue) -> None:
    assert [row.name for row in catalogue.formats[: len(BUILT_IN.formats)]] == list(BUILT_IN.index)


MISTAKES = [
    ('by = "acme"', 'by = "acne"', 'there is no such check (did you mean "acme"?)'),
    ("at = [5, 7]", "at = [5, 9]", "must lie inside the label, positions 0 to 12"),
    ("at = [5, 7]", "at = [5, -1]", "must lie inside the label"),
    ("ACEXY00000000", "ACEXY00000001", "its check character is wrong"),
    ("ACEXY00000000", "ACFXY00000000", "does not fit"),
    ('pattern = "AC [EN] aa d{8}"', 'pattern = "AC [EN aa d{8}"', "must be like [2-5AC]"),
    (
        'pattern = "AC [EN] aa d{8}"',
        'pattern = "AC [EN] aa d{8}", keys = 3',
        'unknown key (did you mean "key"?)',
    ),
    ("modulus = 10", 'modulus = "10"', "must be a whole number, 0 to 37"),
    ('space = "acme-hub"', 'space = "acme-bub"', 'there is no such namespace (did you mean "acme-hub"?)'),
    ('by = "acme", ', "", "missing"),
    ('space = "acme-hub", at', "at", "missing"),
    ("at = [5, 7]", 'at = [5, "7"]', "must be a whole number"),
    ('names = "acme"', 'names = "amce"', 'there is no such table (did you mean "acme"?)'),
    ("service = { at = [2, 1]", "service = { at = [2, 9]", "must be 1 to 8 characters long"),
    ('answers = "0987654321"', 'answers = "098765432"', "must be 10 digits or capitals"),
    ("modulus = 10", "modulus = 1", "must be 2 to 37"),
    ('name = "acme-bag"', 'name = "acme-parcel"', "is taken by pack itself"),
    ('name = "acme-bag"', 'name = "s10"', "is taken by pack hubctl"),
    ('name = "acme-bag"', 'name = "Acme Bag"', "small letters, digits, hyphens"),
    ('acme-hub = "two', 'Acme = "x"\nacme-hub = "two', "must be small letters"),
    ('example = "ACBAG1234"', 'example = "ACBAG1234", issuer = 14', "must lie inside the label"),
    ('carrier = "Acme"\nforms = [{', 'carrier = "Acme"\nstructure = "gs1"\nforms = [{', "has no pattern"),
]


@pytest.mark.parametrize(("old", "new", "words"), MISTAKES)
def test_one_mistake_is_one_fault(tmp_path: Path, old: str, new: str, words: str) -> None:
    assert old in ACME
    with pytest.raises(ConfigError) as caught:
        load_packs(packs(tmp_path, acme=ACME.replace(old, new, 1)))
    assert words in "\n".join(map(str, caught.value.faults))
    assert all(fault.line > 1 for fault in caught.value.faults)


def test_faults_of_all_packs_come_together(tmp_path: Path) -> None:
    place = packs(
        tmp_path,
        acme=ACME.replace("acne", "x").replace('by = "acme"', 'by = "x"'),
        beta=BETA.replace("x{11}", "x{99}"),
    )
    with pytest.raises(ConfigError) as caught:
        load_packs(place)
    assert {Path(fault.file).name for fault in caught.value.faults} == {"acme.toml", "beta.toml"}


def test_a_place_without_packs_is_a_fault(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="has 0 label packs"):
        load_packs(tmp_path)
    with pytest.raises(ConfigError, match="cannot be read"):
        load_packs(tmp_path / "none.toml")


def partner(no: int, prefix: str) -> str:
    forms = f'forms = [{{ pattern = "{prefix} d{{9}}", example = "{prefix}123456789" }}]'
    return f'[[formats]]\nname = "p{no}"\ncarrier = "Partner {no}"\n{forms}\n'


def letters(no: int) -> str:
    return "".join("QWERTYUIOPASDFGHJKLZXCVBNM"[no // step % 26] for step in (676, 26, 1))


def test_hundreds_of_packs_are_told_apart_and_their_overlaps_found(tmp_path: Path) -> None:
    """Three partners share a prefix with another one; nobody else meets."""
    prefixes = [letters(no) for no in range(300)]
    prefixes[100], prefixes[200], prefixes[299] = prefixes[7], prefixes[8], prefixes[9]
    catalogue = load_packs(
        packs(tmp_path, **{f"p{no}": partner(no, prefix) for no, prefix in enumerate(prefixes)})
    )
    names = [f"p{no}" for no in range(300)]
    found = overlaps(catalogue, names)
    assert [overlap[:2] for overlap in found] == [("p7", "p100"), ("p8", "p200"), ("p9", "p299")]
    assert found[0].sample == letters(7) + "000000000"
    table = LaneTable(catalogue.compile(names), [])
    formats = [table.resolve(f"{prefix}987654321".encode())[2] for prefix in prefixes]
    expected = [7 if no == 100 else 8 if no == 200 else 9 if no == 299 else no for no in range(300)]
    assert [catalogue.formats[index].name for index in formats] == [f"p{no}" for no in expected]


@pytest.mark.parametrize(
    "overlap", overlaps(BUILT_IN, list(BUILT_IN.index)), ids=lambda overlap: "-".join(overlap[:2])
)
def test_each_sample_is_a_label_of_both(overlap: tuple[str, str, str]) -> None:
    checks = {reading.format: reading.check for reading in decode(overlap[2])}
    assert {checks[overlap[0]], checks[overlap[1]]} <= {"ok", "none"}


def test_the_known_overlaps_of_published_formats_are_found() -> None:
    pairs = {frozenset(overlap[:2]) for overlap in overlaps(BUILT_IN, list(BUILT_IN.index))}
    known = [
        ("dhl-express", "old-dominion"),
        ("fedex-12", "purolator-12"),
        ("dhl-piece", "purolator-alpha"),
        ("fedex-34", "usps-impb"),
    ]
    assert {frozenset(pair) for pair in known} <= pairs


def test_formats_whose_check_characters_never_agree_do_not_overlap() -> None:
    assert overlaps(BUILT_IN, ["usps-20", "usps-legacy"]) == []
    assert len(LaneTable(BUILT_IN.compile(["usps-20", "usps-legacy"]), []).alike()) == 1


@given(st.sampled_from(list(BUILT_IN.index)), st.integers(0, 10**5), st.data())
def test_no_label_of_two_formats_is_without_an_overlap(name: str, serial: int, data: st.DataObject) -> None:
    """Any label that two formats accept is of a pair that is told."""
    if BUILT_IN.formats[BUILT_IN.index[name]].structure != "plain":
        return
    fit = [reading.format for reading in decode(compose(name, serial)) if reading.check != "bad"]
    pairs = {frozenset(overlap[:2]) for overlap in overlaps(BUILT_IN, fit)}
    assert {frozenset((a, b)) for a in fit for b in fit if a != b} == pairs


def test_issuers_are_minded() -> None:
    posts = load_packs_of('forms = [{ pattern = "RB d{9} X[XT]", example = "RB123456785XX" }]')
    assert overlaps(posts, ["s10", "twin"]) == []
    posts = load_packs_of('forms = [{ pattern = "RB d{9} [GX][XB]", example = "RB123456785XX" }]')
    assert overlaps(posts, ["s10", "twin"]) == [("s10", "twin", "RB000000005GB")]


def load_packs_of(forms: str) -> Catalogue:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        return load_packs(packs(Path(folder), twin=f'[[formats]]\nname = "twin"\ncarrier = "T"\n{forms}\n'))


@pytest.mark.parametrize(("rows", "length"), [([0], 12), ([0, 0], 13), ([0, 0], 0)])
def test_a_bad_request_for_a_common_label_is_refused(rows: list[int], length: int) -> None:
    forms = BUILT_IN.compile(["fedex-12"])
    with pytest.raises(ValueError, match="must be 2 forms"):
        common_label(forms[np.array(rows)], length)


def test_the_command_lists_packs_and_overlaps(tmp_path: Path) -> None:
    packs(tmp_path, acme=ACME, beta=BETA)
    result = CliRunner().invoke(app, ["packs", str(tmp_path)])
    assert result.exit_code == 0
    assert "2 packs, 3 formats" in result.stdout
    assert "ACEAA00000000" in result.stdout
    told = json.loads(CliRunner().invoke(app, ["packs", str(tmp_path), "--json"]).stdout)
    assert [pack["pack"] for pack in told["packs"]] == ["acme", "beta"]
    assert {"first": "acme-parcel", "second": "beta", "sample": "ACEAA00000000"} in told["overlaps"]


def test_the_command_decodes_by_packs_too(tmp_path: Path) -> None:
    packs(tmp_path, acme=ACME)
    result = CliRunner().invoke(app, ["decode", "ACEXY00000000", "--packs", str(tmp_path), "--json"])
    assert json.loads(result.stdout)["codes"][0]["readings"][0]["format"] == "acme-parcel"


PLAN = """
plan = { name = "small" }
labels = { accept = ["beta", "acme"], packs = "partners" }

[[lanes]]
name = "north"
keys = ["acme-hub:X"]
chutes = ["C01"]
"""


def test_a_plan_names_the_packs_beside_it(tmp_path: Path) -> None:
    (tmp_path / "partners").mkdir()
    packs(tmp_path / "partners", acme=ACME, beta=BETA)
    (tmp_path / "site.plan.toml").write_text(PLAN, encoding="utf-8")
    plan = load_plan(tmp_path / "site.plan.toml", resolve_hub("demo"))
    compiled = compile_plan(plan, resolve_hub("demo"))
    assert compiled.labels.resolve(b"ACBAG1234")[0] == Reason.NO_DATA
    before = plan.version
    packs(tmp_path / "partners", beta=BETA.replace("x{11}", "x{2}d{9}"))
    assert load_plan(tmp_path / "site.plan.toml").version != before


def test_faults_of_plan_and_packs_come_together(tmp_path: Path) -> None:
    (tmp_path / "partners").mkdir()
    packs(tmp_path / "partners", acme=ACME.replace('by = "acme"', 'by = "x"'))
    (tmp_path / "site.plan.toml").write_text(PLAN.replace('"C01"', '"C99"'), encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        load_plan(tmp_path / "site.plan.toml", resolve_hub("demo"))
    assert {Path(fault.file).name for fault in caught.value.faults} == {"acme.toml", "site.plan.toml"}
    assert "unknown label format" not in str(caught.value)
