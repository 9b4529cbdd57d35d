"""The swarm catches a kernel with one rule broken within a few seeds, whichever rule it is."""

from __future__ import annotations

from concurrent.futures import Future
from pathlib import Path

import pytest
from broken_kernels import BREAKS, ROOT, Break, first_failure, patched

OFTEN = {"whoever comes is the one expected"}  # built and run each time; the others with -m slow

PARAMETERS = [
    pytest.param(each, id=each.name, marks=[] if each.name in OFTEN else [pytest.mark.slow])
    for each in BREAKS
]


@pytest.mark.timeout(600)
@pytest.mark.parametrize("each", PARAMETERS)
def test_a_broken_kernel_is_caught(each: Break, broken: dict[str, Future[Path]]) -> None:
    found = first_failure(broken[each.name].result(), each.n_seeds)
    assert found, f"{each.name}: not caught in {each.n_seeds} seeds"
    assert not found["error"], found


@pytest.mark.parametrize("each", BREAKS, ids=[each.name for each in BREAKS])
def test_each_rule_to_be_broken_still_stands(each: Break) -> None:
    source = (ROOT / "ext" / "hubctl" / each.file).read_text(encoding="utf-8")
    assert patched(source, each) != source


def test_a_patch_that_no_longer_fits_is_refused() -> None:
    with pytest.raises(AssertionError, match="stands 0 times"):
        patched("another text", BREAKS[0])
