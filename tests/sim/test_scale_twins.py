"""What the simulated scales say is what the compiled reader hears, whatever the preset and the parcel."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hubctl._gauge import GaugeReader, GaugeSaid
from hubctl.core.gauging import PRESETS, gauging_of
from hubctl.core.hubfile import Scale
from hubctl.core.tables import GAUGING
from hubctl.sim.scale_twins import NEVER_NS, PERIOD_NS, Load, ScaleTwin

LOADS = st.builds(Load, *(st.integers(1, n) for n in (99_999, 1500, 900, 900)))
SETUPS: list[dict[str, Any]] = [
    *({"preset": preset} for preset in PRESETS),
    {"preset": "toledo", "check": False},
    {"preset": "csv", "columns": ["-", "height", "-", "length", "width", "weight"], "delimiter": ";"},
    {"preset": "csv", "columns": ["weight"], "weight_unit": "lb"},
    {"preset": "csv", "columns": ["length", "width", "height"], "size_unit": "in"},
]
each = pytest.mark.parametrize("setup", SETUPS, ids=lambda setup: "-".join(map(str, setup.values()))[:40])


def scale(**keys: Any) -> Scale:
    return Scale(name="s", belt="b", at_mm=0, **keys)


def reader(scale: Scale) -> GaugeReader:
    row = np.zeros((), GAUGING)
    for key, value in gauging_of(scale).items():
        row[key] = value
    return GaugeReader(row)


def awake(setup: dict[str, Any]) -> ScaleTwin:
    twin = ScaleTwin(scale(**setup))
    twin.receive(b"SIR\r\n", 0)
    return twin


@each
@given(load=LOADS)
def test_what_it_says_is_what_is_heard(setup: dict[str, Any], load: Load) -> None:
    told = reader(scale(**setup)).receive(awake(setup).weigh(load), 0)
    (gauged,) = (event for event in told if event.kind is GaugeSaid.GAUGED)
    if gauged.weight_g is not None:
        assert abs(gauged.weight_g - load.weight_g) <= 10
    if gauged.size_mm is not None:
        assert max(abs(a - b) for a, b in zip(gauged.size_mm, load[1:], strict=True)) <= 1
    assert gauged.weight_g is not None or gauged.size_mm is not None


@each
def test_two_equal_parcels_are_heard_twice(setup: dict[str, Any]) -> None:
    twin, ours = awake(setup), reader(scale(**setup))
    heard = ours.receive(2 * twin.weigh(Load(500, 300, 200, 100)), 0)
    assert sum(event.kind is GaugeSaid.GAUGED for event in heard) == 2


def test_mt_sics_speaks_once_it_is_asked_to() -> None:
    twin = ScaleTwin(scale())
    assert twin.weigh(Load(500, 1, 1, 1)) == b""
    assert twin.receive(b"SI", 0) + twin.receive(b"R\r\n", 0) == b"S S          0 g\r\n"
    assert twin.weigh(Load(500, 1, 1, 1)).endswith(b"S S        500 g\r\nS S          0 g\r\n")
    assert twin.receive(b"what?\r\n", 0) == b"ES\r\n"
    assert twin.receive(b"@\r\n", 0).startswith(b"I4 A ")
    assert twin.weigh(Load(500, 1, 1, 1)) == b""


def test_toledo_speaks_seven_times_a_second() -> None:
    twin, ours = awake({"preset": "toledo"}), reader(scale(preset="toledo"))
    assert ours.receive(twin.advance(0), 0)[0].kind is GaugeSaid.NOTHING
    assert twin.advance(PERIOD_NS - 1) == b""
    assert twin.next_deadline() == PERIOD_NS
    assert twin.advance(PERIOD_NS) != b""
    assert ScaleTwin(scale()).next_deadline() == NEVER_NS
