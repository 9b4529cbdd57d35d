"""The node that `--node` names, fresh for each story."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from node_rig import Rig
from targets import HOST_LINES, Target, start


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """The process runs each story on every kind of line."""
    if "line" in metafunc.fixturenames:
        lines = HOST_LINES if metafunc.config.getoption("--node") == "host" else ("",)
        metafunc.parametrize("line", lines)


@pytest.fixture
def target(request: pytest.FixtureRequest, line: str, tmp_path: Path) -> Iterator[Target]:
    """The node, ended afterwards if it was ours."""
    started = start(request.config.getoption("--node"), line, tmp_path)
    started.refresh()
    yield started
    started.close()


@pytest.fixture
def rig(target: Target) -> Rig:
    """A host that has taken the node."""
    return Rig(target).ready()


@pytest.fixture
def host(target: Target) -> Callable[..., Rig]:
    """More hosts, and others."""
    return lambda **options: Rig(target, **options)
