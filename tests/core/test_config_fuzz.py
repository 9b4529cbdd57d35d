"""However a hub file or a plan is damaged, what comes is a list of faults: never a crash, never silence."""

import copy
import tomllib
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from hubctl.core.catalogue import BUILT_IN
from hubctl.core.config import ConfigError, Source
from hubctl.core.formats import Pack
from hubctl.core.hubfile import hub_of, hub_path, resolve_hub
from hubctl.core.layout import compile_layout
from hubctl.core.packcheck import check_pack
from hubctl.core.plan import compile_plan, noted_plan, plan_of, plan_path
from hubctl.core.planaudit import audit_plan
from hubctl.core.shape import read_shape
from hubctl.core.where import places_of
from hubctl.core.wiring import compile_wiring

HUB_TEXT = hub_path("demo").read_text(encoding="utf-8")
PLAN_TEXT = plan_path("demo").read_text(encoding="utf-8")
HUB_PLACES = sorted(places_of(HUB_TEXT), key=str)
PLAN_PLACES = sorted(places_of(PLAN_TEXT), key=str)
HUB, PLAN = tomllib.loads(HUB_TEXT), tomllib.loads(PLAN_TEXT)
DEMO = resolve_hub("demo")
PACK_TEXT = """
[namespaces]
acme-hub = "two letters of a hub"

[checks]
acme = { weights = [2, 1], modulus = 10, answers = "0987654321", folds = true }

[services.acme]
E = "express"

[[formats]]
name = "acme-parcel"
carrier = "Acme"

[[formats.forms]]
pattern = "AC [EN] aa d{8}"
example = "ACEXY00000000"
check = { by = "acme", at = [5, 7] }
key = { space = "acme-hub", at = [[3, 2]] }
number = [5, 8]
service = { at = [2, 1], names = "acme" }
"""
PACK, PACK_PLACES = tomllib.loads(PACK_TEXT), sorted(places_of(PACK_TEXT), key=str)
PARTS = st.sampled_from(["d{", "[", "{4}", "d{0}", "[]", "x{57}"]) | st.lists(
    st.integers(-3, 300), max_size=3
)
NOON = datetime(2026, 11, 22, 12)

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats() | st.text(max_size=70),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=4,
)


def damaged(data: dict[str, Any], path: tuple[str | int, ...], value: object) -> dict[str, Any]:
    """The data with one place replaced; None takes it out."""
    changed = copy.deepcopy(data)
    node: Any = changed
    for key in path[:-1]:
        node = node[key]
    if value is None:
        del node[path[-1]]
    else:
        node[path[-1]] = value
    return changed


def test_places_cover_the_whole_file() -> None:
    for places, data in ((HUB_PLACES, HUB), (PLAN_PLACES, PLAN)):
        for path in places:
            assert damaged(data, path, None) != data, path


def faults_of(build: Callable[[], object]) -> str:
    """The faults that building something finds, as a person reads them."""
    try:
        build()
    except ConfigError as error:
        return str(error)
    return ""


def build_hub(data: dict[str, Any]) -> None:
    hub = hub_of(Source.of_data(Path("hub.toml"), data))
    compile_layout(hub)
    compile_wiring(hub)


def build_plan(data: dict[str, Any]) -> None:
    compile_plan(plan_of(Source.of_data(Path("plan.toml"), data), DEMO), DEMO)


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(HUB_PLACES), VALUES)
def test_a_damaged_hub_is_faults_or_a_hub(path: tuple[str | int, ...], value: object) -> None:
    faults = faults_of(lambda: build_hub(damaged(HUB, path, value)))
    assert all(line.startswith("hub.toml:1") for line in faults.splitlines())


@settings(max_examples=100, deadline=None)
@given(st.sampled_from(PLAN_PLACES), VALUES)
def test_a_damaged_plan_is_faults_or_a_plan(path: tuple[str | int, ...], value: object) -> None:
    faults = faults_of(lambda: build_plan(damaged(PLAN, path, value)))
    assert all(line.startswith("plan.toml:1") for line in faults.splitlines())


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(PACK_PLACES), VALUES | PARTS)
def test_a_damaged_pack_is_faults_or_a_pack(path: tuple[str | int, ...], value: object) -> None:
    source = Source.of_data(Path("acme.toml"), damaged(PACK, path, value))
    rows = check_pack(read_shape(Pack, source), BUILT_IN.packs[0].pack, source, {})
    assert source.faults or len(rows) == 1


@settings(max_examples=100, deadline=None)
@given(st.sampled_from(PLAN_PLACES), VALUES)
def test_a_damaged_plan_can_be_audited(path: tuple[str | int, ...], value: object) -> None:
    source = Source.of_data(Path("plan.toml"), damaged(PLAN, path, value))
    audit_plan(noted_plan(source, DEMO), source, DEMO, NOON)
    assert all(fault.line == 1 for fault in source.faults)
