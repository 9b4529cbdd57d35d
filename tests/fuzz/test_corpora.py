"""The corpora of the fuzzer through the decoders as they are built for use; and the fuzzer itself, for a moment."""

from __future__ import annotations

import shutil
import subprocess
import sys
from io import BytesIO
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from hubctl._dialogue import ScannerDialogue
from hubctl._framer import FrameKind
from hubctl._gauge import GaugeReader, GaugeSaid
from hubctl._wheel import WheelLink
from hubctl.core.events import RECORD
from hubctl.core.tables import FRAMING, GAUGING, Wiring

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


def inputs_of(name: str) -> list[bytes]:
    return [path.read_bytes() for path in sorted((HERE / "corpora" / name).iterdir())]


@pytest.mark.parametrize("name", TARGETS)
def test_every_target_has_a_corpus_and_is_set_up(name: str) -> None:
    assert any(inputs_of(name))
    assert setting(name)


@pytest.mark.parametrize("name", [name for name in TARGETS if name.startswith("scale")])
def test_every_input_of_a_scales_corpus_is_heard_out(name: str) -> None:
    for said in inputs_of(name):
        told = GaugeReader(np.frombuffer(setting(name), GAUGING)[0]).receive(said, 0)
        assert all(event.weight_g or event.size_mm for event in told if event.kind is GaugeSaid.GAUGED)


def test_every_input_of_the_wheels_corpus_is_heard_out() -> None:
    wiring = Wiring(**np.load(BytesIO(setting("wheel"))))
    for said in inputs_of("wheel"):
        ours = WheelLink(wiring, 0, RECORD)
        ours.connect(0)
        ours.receive(said, 0)
        assert sum(ours.told.values()) > 0


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("clang") is None, reason="clang is not installed")
def test_the_fuzzer_finds_nothing_in_a_moment() -> None:
    command = [sys.executable, "-m", "tests.fuzz.run", "--executions", "2000", "scanner-sick"]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert run.returncode == 0, run.stdout + run.stderr
    assert "scanner-sick: 2,000 inputs" in run.stdout
