"""Outputs that stay as they are told, and inputs of the machine: over sockets, on a node of bytes."""

from __future__ import annotations

from pathlib import Path

from rig import Rig, until

from hubctl.core.events import Alarm, Kind, MachineState

START, RESET, SAFETY, HOME = range(4)
RED, YELLOW, GREEN, RUN = range(10, 14)


def coils(rig: Rig) -> tuple[int, ...]:
    return tuple(rig.nodes[0].coils[RED : RUN + 1])


def until_lit(rig: Rig, *expected: int) -> None:
    until(lambda: coils(rig) == expected, f"coils {expected}, they are {coils(rig)}")


def press(rig: Rig, button: int) -> None:
    rig.nodes[0].discrete[button] = 1


def states(rig: Rig) -> list[MachineState]:
    return [MachineState(record["value"]) for record in rig.records(Kind.STATE_CHANGED)]


def started(rig: Rig) -> None:
    rig.nodes[0].discrete[SAFETY] = rig.nodes[0].discrete[HOME] = 1
    rig.attach_first()
    rig.attach()
    rig.until_up(0, 1)
    until_lit(rig, 1, 0, 0, 0)
    press(rig, RESET)
    until_lit(rig, 0, 1, 0, 0)
    press(rig, START)
    until_lit(rig, 0, 0, 1, 1)


def test_buttons_start_the_belt_and_lamps_follow(tmp_path: Path) -> None:
    with Rig(tmp_path, machine=True) as rig:
        started(rig)
        assert states(rig)[-1] == MachineState.EXECUTE


def test_the_safety_chain_stops_the_belt(tmp_path: Path) -> None:
    with Rig(tmp_path, machine=True) as rig:
        started(rig)
        rig.nodes[0].discrete[SAFETY] = 0
        until_lit(rig, 1, 1, 0, 0)
        assert states(rig)[-1] == MachineState.ABORTED


def test_a_paddle_that_is_out_stops_the_belt(tmp_path: Path) -> None:
    with Rig(tmp_path, machine=True) as rig:
        started(rig)
        rig.nodes[0].discrete[HOME] = 0
        until(lambda: rig.nodes[0].coils[RUN] == 0, "the belt stopped")
        assert Alarm.DIVERTER_STUCK_OUT in [a["value"] for a in rig.until_told(Kind.ALARM_RAISED)]
        assert states(rig)[-1] == MachineState.HELD


def test_after_its_node_was_lost_the_belt_stands_and_the_lamps_are_shown_anew(tmp_path: Path) -> None:
    with Rig(tmp_path, machine=True) as rig:
        started(rig)
        rig.servers[0].hang_up()
        until(lambda: rig.reactor.statistics().nodes[0] != "up", "the node lost")
        rig.attach_first()
        rig.until_up(0)
        until(lambda: rig.nodes[0].coils[YELLOW] == 1, "the yellow lamp")
        assert coils(rig)[2:] == (0, 0)
        assert states(rig)[-1] == MachineState.HELD


def test_what_was_on_is_off_after_the_stop(tmp_path: Path) -> None:
    with Rig(tmp_path, machine=True) as rig:
        started(rig)
        assert rig.reactor.stop(1.0)
        assert coils(rig) == (0, 0, 0, 0)
