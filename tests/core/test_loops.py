"""Loops of the hub file: each mistake is one fault, and the tables know the ring."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from hubctl.core.config import ConfigError
from hubctl.core.events import NO_INDEX
from hubctl.core.hubfile import load_hub
from hubctl.core.layout import compile_layout, hub_names
from hubctl.core.tables import BeltKind, EyeRole

LOOP = Path(__file__).parents[1] / "kernel" / "loop.toml"
LINE = LOOP.with_name("line.toml")
CARRIERS = "carriers = { n = 12, pitch_mm = 500, carrier_mm = 450, failures_max = 2 }"
ENCODER = ', encoder = { address = "head/input/0", counts_per_m = 1000 }'

ONE_MISTAKE = [
    (CARRIERS, CARRIERS.replace("n = 12", "n = 11"), "11 carriers make 5500 mm, not 6000"),
    (CARRIERS, CARRIERS.replace("450", "501"), "must be at most pitch_mm, 500"),
    (f", {CARRIERS}", "", "carriers: missing (how many, and how far apart)"),
    (ENCODER, "", "encoder: missing (carriers are not followed by the clock)"),
    ('role = "origin"', 'role = "carrier"', "has an eye of role carrier already"),
    (
        'role = "load", input = "head/input/2.2"',
        'role = "track", input = "head/input/2.2"',
        "must be induct, origin",
    ),
    ('end_chute = "REJECT"', 'end_chute = "REJEKT"', 'did you mean "REJECT"?'),
    ("at_mm = 1800", "at_mm = 1500", "must be a pitch or more from the induct eye in2, 1200"),
    (
        'name = "D1", belt = "ring", at_mm = 3200',
        'name = "D1", belt = "ring", at_mm = 700',
        "a pitch or more from",
    ),
    (
        'name = "D1", belt = "ring", at_mm = 3200',
        'name = "D1", belt = "ring", at_mm = 3200, hold_ms = 500',
        "550 mm of carriers pass meanwhile: must be less than their pitch",
    ),
    ("at_mm = 200", "at_mm = 600", "must be 62 or more off the origin eye, 100"),
    ('no = 1, diverter = "D1"', 'no = 1, to_belt = "ring", diverter = "D1"', "must not be a loop"),
]


def faults_of(tmp_path: Path, text: str) -> list[str]:
    file = tmp_path / "hub.toml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        load_hub(file)
    return [str(fault) for fault in caught.value.faults]


@pytest.mark.parametrize(("old", "new", "words"), ONE_MISTAKE, ids=[words for *_, words in ONE_MISTAKE])
def test_one_mistake_is_told(tmp_path: Path, old: str, new: str, words: str) -> None:
    text = LOOP.read_text(encoding="utf-8")
    assert old in text
    assert any(words in fault for fault in faults_of(tmp_path, text.replace(old, new, 1)))


@pytest.mark.parametrize("role", ["origin", "load", "induct"])
def test_a_loop_needs_its_eyes(tmp_path: Path, role: str) -> None:
    lines = LOOP.read_text(encoding="utf-8").splitlines()
    left = "\n".join(line for line in lines if f'role = "{role}"' not in line)
    assert any(f"the loop has no eye of role {role}" in fault for fault in faults_of(tmp_path, left))


def test_a_line_has_nothing_of_a_loop(tmp_path: Path) -> None:
    text = LINE.read_text(encoding="utf-8").replace('end_chute = "END"', f'end_chute = "END", {CARRIERS}')
    text = text.replace("at_mm = 1400, input", 'at_mm = 1400, role = "load", input')
    told = faults_of(tmp_path, text)
    assert ["must be absent" in fault or "is no loop" in fault for fault in told] == [True, True]


def test_the_end_of_a_loop_is_a_chute_beside_it(tmp_path: Path) -> None:
    text = LOOP.read_text(encoding="utf-8").replace('no = 9, diverter = "DX", side = "left"', "no = 9")
    assert any("a loop has no end" in fault for fault in faults_of(tmp_path, text))


def test_the_ring_in_tables() -> None:
    hub = load_hub(LOOP)
    layout, names = compile_layout(hub), hub_names(hub)
    ring = layout.rings[0]
    assert layout.belts["kind"].tolist() == [BeltKind.LOOP]
    assert (ring["n_carriers"], ring["first_eye"], ring["n_eyes"], ring["failures_max"]) == (12, 0, 6, 2)
    assert (ring["carrier_counts"], ring["pair_counts"]) == (450, 950)
    assert names.eyes[ring["carrier_eye"]] == "carrier"
    loads = np.flatnonzero(layout.eyes["role"] == EyeRole.LOAD)
    assert [names.eyes[k] for k in loads] == ["after", "before"]
    assert layout.eyes["launch_ns"][names.eyes.index("in1")] == 200_000_000


def test_a_line_has_no_ring() -> None:
    ring = compile_layout(load_hub(LINE)).rings[0]
    assert ring["n_carriers"] == 0


def test_no_carrier_eye_is_none(tmp_path: Path) -> None:
    lines = [line for line in LOOP.read_text(encoding="utf-8").splitlines() if 'name = "carrier"' not in line]
    file = tmp_path / "hub.toml"
    file.write_text("\n".join(lines), encoding="utf-8")
    assert compile_layout(load_hub(file)).rings["carrier_eye"].tolist() == [NO_INDEX]
