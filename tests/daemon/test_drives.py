"""Drives of belts: how fast they run is asked and shown, and told once when it is not what they were told."""

from __future__ import annotations

import numpy as np
import pytest

from hubctl.core.devices import speed_told
from hubctl.core.events import RECORD, Kind, Records
from hubctl.core.hubfile import Hub, resolve_hub
from hubctl.core.profile import resolve_profile
from hubctl.daemon.drives import OFF_NS, DriveBoard

S = 1_000_000_000
NODE = 4  # of the drive, in the depot


@pytest.fixture
def board() -> DriveBoard:
    return DriveBoard(resolve_hub("depot"))


def told_to_run(mm_s: int, belt: int = 0) -> Records:
    record = np.zeros(1, RECORD)
    record["kind"], record["device"], record["value"] = Kind.RUN_BELT, belt, mm_s
    return record


def words(word: int | None) -> list[int | None]:
    return [None] * NODE + [word]


def test_a_hub_without_drives_has_none() -> None:
    board = DriveBoard(resolve_hub("demo"))
    board.take(told_to_run(2500))
    assert board.is_empty
    assert board.status == {}


def test_how_fast_a_belt_runs_and_should_is_shown(board: DriveBoard) -> None:
    assert board.status == {"main": {"node": "vfd", "mm_s": None, "wanted_mm_s": 0}}
    board.take(told_to_run(1600))
    board.look(words(3000), S)
    assert board.status == {"main": {"node": "vfd", "mm_s": 1200, "wanted_mm_s": 1600}}
    board.look(words(None), S)
    assert board.status["main"]["mm_s"] is None


def test_a_ramp_is_no_news_and_a_wrong_speed_is_told_once(board: DriveBoard) -> None:
    board.take(told_to_run(1600))
    for second, word in ((0, 0), (2, 2000), (4, 4000), (20, 4000)):
        board.look(words(word), second * S)
    assert board.messages() == []
    for now_ns in (21 * S, 21 * S + OFF_NS - 1, 20 * S + OFF_NS, 40 * S):
        board.look(words(3000), now_ns)
    assert board.messages() == ["belt main: its drive vfd runs at 1200 mm/s instead of 1600"]
    board.look(words(3990), 50 * S)
    assert board.messages() == ["belt main: its drive vfd runs at 1596 mm/s"]


def test_one_that_stops_telling_is_not_judged(board: DriveBoard) -> None:
    board.take(told_to_run(1600))
    board.look(words(0), 0)
    board.look(words(None), 10 * S)
    board.look(words(0), 11 * S)
    assert board.messages() == []


@pytest.mark.parametrize(
    ("profile", "word", "mm_s"), [("abb-drives", 0xFFFF - 9999, -1000), ("delta-vfd", 40_000, 16_000)]
)
def test_a_speed_backward_is_below_zero_where_the_drive_has_a_sign(
    profile: str, word: int, mm_s: int
) -> None:
    belt = resolve_hub("depot").belts[0]
    assert speed_told(belt, resolve_profile(profile), word) == mm_s


def test_two_belts_are_kept_apart() -> None:
    hub = resolve_hub("depot")
    other = hub.belts[0].model_copy(update={"name": "other", "drive": None})
    board = DriveBoard(Hub.model_construct(**{**hub.__dict__, "belts": [other, hub.belts[0]]}))
    board.take(told_to_run(900, belt=0))
    board.take(told_to_run(1600, belt=1))
    assert board.status == {"main": {"node": "vfd", "mm_s": None, "wanted_mm_s": 1600}}
