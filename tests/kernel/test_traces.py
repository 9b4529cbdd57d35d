"""Every golden trace is told again, and the kernel says what it said."""

from pathlib import Path

import pytest
from golden import CUT, TRACES, load
from golden_ring import perform

from hubctl.core.events import Reason

FILES = sorted(TRACES.glob("*.txt"))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_the_kernel_says_what_it_said(file: Path, bless: bool) -> None:
    story = load(file)
    stage = perform(story)
    told = "\n".join(stage.lines) + "\n"
    if bless:
        file.write_text(story.text + CUT + told, encoding="utf-8")
    else:
        assert told.splitlines() == story.said.splitlines()
    assert stage.kernel.n_evidence_lost == 0


NO_STORY = {"NONE", "REMOVED"}  # a disposition, not a reason, is what a story calls REMOVED


def test_every_reason_has_a_story() -> None:
    said = " ".join(load(file).said for file in FILES).split()
    assert {reason.name for reason in Reason} - NO_STORY - set(said) == set()


def test_a_changed_word_is_noticed() -> None:
    story = load(TRACES / "sorted_into_its_chute.txt")
    changed = story._replace(script=[*story.script, (2500, ["operate", "C3", "CLOSED"])])
    assert perform(changed).lines != story.said.splitlines()
