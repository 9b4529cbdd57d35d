"""A plan that would leave parcels on a belt for ever is refused, and says where it would."""

from pathlib import Path

import pytest

from hubctl.core.config import ConfigError
from hubctl.core.hubfile import load_hub
from hubctl.core.plan import load_plan

PLAN = """
plan = { name = "laps" }
labels = { accept = ["usps-impb"] }
lanes = [{ name = "one", keys = ["zip:1"], chutes = ["C1"] }]
groups = [{ name = "G", chutes = ["C3", "C4"] }]
"""
TWO = Path(__file__).parent.parent / "kernel" / "two.toml"
NO_LAPS = ('end_chute = "ROUND"', 'end_chute = "ROUND", laps_max = 0')
APART = (
    ('to_belt = "side"', 'to_belt = "main"'),
    ('"first", belt = "side", at_mm = 700', '"first", belt = "side", at_mm = 100, role = "induct"'),
    ('"second", belt = "main", at_mm = 1000', '"second", belt = "main", at_mm = 300'),
    ('"low", belt = "main", at_mm = 1200', '"low", belt = "side", at_mm = 400'),
)


def faults_of(tmp_path: Path, exceptions: str, *changes: tuple[str, str]) -> list[str]:
    """Faults of a plan for the hub of two belts, whose first leads back onto itself."""
    hub, plan = tmp_path / "hub.toml", tmp_path / "plan.toml"
    text = TWO.read_text(encoding="utf-8")
    for old, new in changes:
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    hub.write_text(text, encoding="utf-8")
    plan.write_text(PLAN + exceptions, encoding="utf-8")
    try:
        load_plan(plan, load_hub(hub))
    except ConfigError as error:
        return [str(fault).removeprefix(f"{tmp_path}/") for fault in error.faults]
    return []


@pytest.mark.parametrize(
    "exceptions",
    [
        'exceptions = { default = "REST" }',
        'exceptions = { default = "END", MAX_LAPS = "REST" }',
        'exceptions = { default = "END", MAX_LAPS = "G" }',
        'exceptions = { default = "C1", NO_READ = "END" }',
    ],
)
def test_what_ends_somewhere_is_right(tmp_path: Path, exceptions: str) -> None:
    assert faults_of(tmp_path, exceptions) == []


def test_after_its_laps_a_parcel_must_go_somewhere(tmp_path: Path) -> None:
    sentence = "what had its 3 laps would stay on belt main for ever: its end leads back"
    hint = "(name a chute that belt main leads to)"
    none = "no exception chute for MAX_LAPS"
    assert faults_of(tmp_path, "") == [f"plan.toml:1 exceptions: {none}: {sentence} {hint}"]
    assert faults_of(tmp_path, 'exceptions = { default = "END" }') == [
        f'plan.toml:6 [exceptions] default = "END": {sentence} {hint}'
    ]
    assert faults_of(tmp_path, 'exceptions = { default = "REST", MAX_LAPS = "END" }') == [
        f'plan.toml:6 [exceptions] MAX_LAPS = "END": {sentence} {hint}'
    ]


def test_a_chute_that_no_way_leads_to_is_no_end(tmp_path: Path) -> None:
    assert faults_of(tmp_path, 'exceptions = { MAX_LAPS = "REST" }', *APART) == [
        'plan.toml:6 [exceptions] MAX_LAPS = "REST": what had its 3 laps would stay on belt main for ever: '
        "no way leads there (name a chute that belt main leads to)"
    ]


def test_without_laps_every_reason_must_have_a_chute(tmp_path: Path) -> None:
    assert faults_of(tmp_path, 'exceptions = { default = "REST" }', NO_LAPS) == []
    (fault,) = faults_of(tmp_path, 'exceptions = { NO_READ = "REST" }', NO_LAPS)
    assert "no exception chute for OK_UNCONFIRMED, MULTI_LABEL, BAD_LABEL, AMBIGUOUS_READ" in fault
    exceptions = 'exceptions = { default = "REST", NO_READ = "END", NO_LANE = "END" }'
    faults = faults_of(tmp_path, exceptions, NO_LAPS)
    assert [fault.split(":")[1] for fault in faults] == [
        '6 [exceptions] NO_READ = "END"',
        '6 [exceptions] NO_LANE = "END"',
    ]


def test_a_chute_that_is_not_there_is_one_fault(tmp_path: Path) -> None:
    faults = faults_of(tmp_path, 'exceptions = { default = "C9" }')
    assert len(faults) == 1
    assert "has no such chute" in faults[0]
