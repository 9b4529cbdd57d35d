"""The country in an S10 number says who numbered the parcel, never where it goes: what sorts by it is caught."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pytest

from hubctl.core.assign import Assigner
from hubctl.core.catalogue import BUILT_IN, Catalogue, Loaded
from hubctl.core.config import Source
from hubctl.core.events import Reason
from hubctl.core.formats import Pack
from hubctl.core.hubfile import Hub, resolve_hub
from hubctl.core.labels import compose, decode
from hubctl.core.packcheck import check_pack
from hubctl.core.plan import compile_plan, resolve_plan
from hubctl.core.preadvice import PreAdvice, pre_advised
from hubctl.core.shape import read_shape

LABELS = Path(__file__).parents[2] / "hubctl" / "core" / "labels.toml"
ISSUERS = BUILT_IN.packs[0].pack.issuers.split()
SOUND = 'issuer = 11, service = { at = [0, 1], names = "s10" }'

# How a grammar would go wrong that takes the issuer for a destination.
MUTANTS = {
    "as the country of destination": f'key = {{ space = "country", at = [[11, 2]] }}, {SOUND}',
    "as the exchange office of destination": f'key = {{ space = "office", at = [[11, 2]] }}, {SOUND}',
    "as a country, without its service": 'issuer = 11, key = { space = "country", at = [[11, 0]] }',
}


@cache
def hub() -> Hub:
    return resolve_hub("crossbelt")


def numbers() -> list[str]:
    """The same number of every issuer."""
    serial = compose("s10", 5)[:11]
    return [serial + issuer for issuer in ISSUERS]


def catalogue(folder: Path, written: str = SOUND) -> Catalogue:
    """The label formats with another text in the place of what is said of S10."""
    text = LABELS.read_text(encoding="utf-8")
    assert text.count(SOUND) == 1
    file = folder / LABELS.name
    file.write_text(text.replace(SOUND, written), encoding="utf-8")
    source = Source.read(file)
    pack = read_shape(Pack, source)
    forms = check_pack(pack, None, source, {})
    source.raise_if_faulty()
    return Catalogue([Loaded("hubctl", pack, forms)])


def decided(formats: Catalogue, preadvice: PreAdvice | None = None) -> set[tuple[int, Reason]]:
    """Lanes and reasons of the numbers of all issuers, by the whole decision under the national plan."""
    plan = resolve_plan("national", hub())
    plan._catalogue = formats
    labels = np.array([number.encode() for number in numbers()])
    found = Assigner(hub(), compile_plan(plan, hub(), preadvice)).assign_labels(
        labels, np.zeros(len(labels), np.int64)
    )
    return {(int(row["lane"]), Reason(row["reason"])) for row in found}


def destinations(formats: Catalogue) -> set[str | None]:
    """What a person is told of where they go."""
    return {
        reading.destination
        for number in numbers()
        for reading in decode(number, catalogue=formats)
        if reading.format == "s10"
    }


def test_the_issuer_decides_nothing(tmp_path: Path) -> None:
    sound = catalogue(tmp_path)
    assert decided(sound) == {(-1, Reason.NO_DATA)}
    assert destinations(sound) == {None}


def test_what_is_advised_decides_whoever_numbered_it(tmp_path: Path) -> None:
    preadvice = pre_advised([[number, "country:GB"] for number in numbers()])
    found = decided(catalogue(tmp_path), preadvice)
    assert len(found) == 1
    assert {reason for _, reason in found} == {Reason.OK}


@pytest.mark.parametrize("written", MUTANTS.values(), ids=MUTANTS)
def test_a_grammar_that_sorts_by_the_issuer_is_caught(written: str, tmp_path: Path) -> None:
    mutant = catalogue(tmp_path, written)
    assert decided(mutant) != {(-1, Reason.NO_DATA)}
    assert destinations(mutant) != {None}
