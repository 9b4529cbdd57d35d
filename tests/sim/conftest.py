"""The demo hub's tables, for who judges by hand."""

from __future__ import annotations

import pytest
from swarm import site

from hubctl.core.layout import compile_layout
from hubctl.core.plan import compile_plan
from hubctl.core.tables import CompiledPlan, Layout


@pytest.fixture(scope="session")
def layout() -> Layout:
    return compile_layout(site().hub)


@pytest.fixture(scope="session")
def plan() -> CompiledPlan:
    made = site()
    assert made.plan is not None
    return compile_plan(made.plan, made.hub)
