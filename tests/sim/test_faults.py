"""Faults as they are written on the command line."""

from dataclasses import asdict, fields

import pytest

from hubctl.sim.faults import NONE, FaultError, Faults, parse_faults


def test_settings_apply_in_order() -> None:
    assert parse_faults(["none", "no_read=0.02", "put_on=1", "no_read=0.03"], Faults()) == Faults(
        **{**asdict(NONE), "no_read": 30_000, "put_on": 1_000_000}
    )
    assert parse_faults([], Faults()) == Faults()
    assert parse_faults(["link_drop=0.000001"], NONE).link_drop == 1


def test_none_is_none() -> None:
    assert set(asdict(NONE).values()) == {0}


@pytest.mark.parametrize("field", fields(Faults), ids=lambda field: field.name)
def test_each_fault_can_be_set(field: object) -> None:
    name = field.name  # type: ignore[attr-defined]
    assert getattr(parse_faults([f"{name}=0.5"], NONE), name) == 500_000


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("no_reed=0.1", "no fault is called 'no_reed'.*no_read"),
        ("no_read", "must be a number from 0 to 1"),
        ("no_read=", "must be a number from 0 to 1"),
        ("no_read=2", "must be a number from 0 to 1"),
        ("no_read=-0.1", "must be a number from 0 to 1"),
        ("no_read=nan", "must be a number from 0 to 1"),
        ("no_read=1e999999999", "must be a number from 0 to 1"),
        ("", "no fault is called ''"),
    ],
)
def test_a_wrong_setting_is_named(setting: str, said: str) -> None:
    with pytest.raises(FaultError, match=said):
        parse_faults([setting], Faults())
