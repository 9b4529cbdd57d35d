"""What stands: alarms by name, once each, and the machine's state."""

from __future__ import annotations

from typing import Any

import pytest

from hubctl.core.events import Alarm, Kind, MachineState, empty
from hubctl.core.hubfile import resolve_hub
from hubctl.core.layout import hub_names
from hubctl.daemon.alarms import AlarmBoard


def told(kind: Kind, value: int, device: int = 0) -> Any:
    records = empty(1)
    records["kind"], records["value"], records["device"] = kind, value, device
    return records


@pytest.fixture
def board() -> AlarmBoard:
    return AlarmBoard(hub_names(resolve_hub("demo")))


def test_an_alarm_stands_until_it_is_cleared(board: AlarmBoard) -> None:
    for _ in range(2):
        board.take(told(Kind.ALARM_RAISED, Alarm.DIVERTER_FAILS, 2))
    assert [(row["alarm"], row["about"]) for row in board.standing] == [("DIVERTER_FAILS", "D03")]
    assert board.messages() == ["alarm: D03: failed so often in a row that it is out of use"]
    board.take(told(Kind.ALARM_CLEARED, Alarm.DIVERTER_FAILS, 2))
    assert board.standing == []
    assert board.messages() == ["alarm over: D03: failed so often in a row that it is out of use"]


def test_what_was_never_raised_is_not_said_to_be_over(board: AlarmBoard) -> None:
    board.take(told(Kind.ALARM_CLEARED, Alarm.NODE_DOWN, 1))
    assert (board.standing, board.messages()) == ([], [])


def test_an_alarm_of_the_whole_hub_names_nothing(board: AlarmBoard) -> None:
    board.take(told(Kind.ALARM_RAISED, Alarm.SAFETY_TRIPPED))
    assert board.messages() == ["alarm: the safety chain has tripped"]


def test_a_jam_at_a_chute_names_the_chute(board: AlarmBoard) -> None:
    record = told(Kind.ALARM_RAISED, Alarm.JAM, 0xFFFF)
    record["chute"] = 4
    board.take(record)
    assert board.standing[0]["about"] == "C05"


def test_the_machine_is_in_the_state_said_last(board: AlarmBoard) -> None:
    assert board.machine is None
    board.take(told(Kind.STATE_CHANGED, MachineState.STARTING))
    board.take(told(Kind.STATE_CHANGED, MachineState.EXECUTE))
    assert board.machine is MachineState.EXECUTE
    assert board.messages() == ["machine: STARTING", "machine: EXECUTE"]


@pytest.mark.parametrize("alarm", Alarm)
def test_every_alarm_has_words(board: AlarmBoard, alarm: Alarm) -> None:
    board.take(told(Kind.ALARM_RAISED, alarm))
    assert len(board.messages()) == 1
