"""The corpora of the fuzzer through the decoders as they are built for use; and the fuzzer itself, for a moment."""

from __future__ import annotations

import shutil
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from hubctl._dialogue import ScannerDialogue
from hubctl._framer import FrameKind
from hubctl.core.tables import FRAMING

sys.path.append(str(Path(__file__).parents[2]))

from tests.fuzz.run import ROOT
from tests.fuzz.targets import HERE, TARGETS, setting


@pytest.mark.parametrize("name", [name for name in TARGETS if name.startswith("scanner")])
def test_every_input_of_a_corpus_is_heard_out(name: str) -> None:
    inputs = [path.read_bytes() for path in sorted((HERE / "corpora" / name).iterdir())]
    assert inputs
    for said in inputs:
        ours = ScannerDialogue(np.frombuffer(setting(name), FRAMING)[0], 0)
        edges = [*range(0, len(said), 7), len(said)]
        told = [event for a, b in pairwise(edges) for event in ours.receive(said[a:b], a * 1_000_000)]
        assert all(event.text for event in told if event.kind is FrameKind.LABEL)


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("clang") is None, reason="clang is not installed")
def test_the_fuzzer_finds_nothing_in_a_moment() -> None:
    command = [sys.executable, "-m", "tests.fuzz.run", "--executions", "2000", "scanner-sick"]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert run.returncode == 0, run.stdout + run.stderr
    assert "scanner-sick: 2,000 inputs" in run.stdout
