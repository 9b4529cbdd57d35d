"""The demo hub's tables, for who judges by hand, and broken kernels, built while other tests run."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest
from broken_kernels import build
from swarm import site

from hubctl.core.layout import compile_layout
from hubctl.core.plan import compile_plan
from hubctl.core.tables import CompiledPlan, Layout

BITES = "test_a_broken_kernel_is_caught"


@pytest.fixture(scope="session")
def layout() -> Layout:
    return compile_layout(site().hub)


@pytest.fixture(scope="session")
def plan() -> CompiledPlan:
    made = site()
    assert made.plan is not None
    return compile_plan(made.plan, made.hub)


@pytest.fixture(scope="session", autouse=True)
def broken(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, Future[Path]]]:
    """The shared object of each broken kernel that a test will run, by name: one takes a core 17 s to compile."""
    names = [getattr(item, "originalname", "") for item in request.session.items]
    runs = [item for item, name in zip(request.session.items, names, strict=True) if name == BITES]
    wanted = [run.callspec.params["each"] for run in runs if isinstance(run, pytest.Function)]
    pool = ThreadPoolExecutor(1)
    yield {each.name: pool.submit(build, each, tmp_path_factory.mktemp("broken")) for each in wanted}
    pool.shutdown(cancel_futures=True)
