"""The machine as people run it: they hold it, stop it, and bring it back to work, one button after the other."""

from __future__ import annotations

from hubctl.core.events import Kind, MachineCommand, MachineState
from hubctl.sim.inbox import Joint, is_on, new_input, post
from hubctl.sim.jitable import seldom
from hubctl.sim.matter import Mishap, World
from hubctl.sim.world import run_belt

PERSON_NS = 500_000_000  # from what a person sees of the machine to the next button

_MACHINE, _SAFETY = int(Kind.MACHINE), int(Kind.SAFETY)
_RESET, _START, _STOP, _HOLD, _UNHOLD, _CLEAR = (
    *(int(MachineCommand.RESET), int(MachineCommand.START), int(MachineCommand.STOP)),
    *(int(MachineCommand.HOLD), int(MachineCommand.UNHOLD), int(MachineCommand.CLEAR)),
)
_STOPPED, _IDLE, _HELD, _ABORTED = (
    *(int(MachineState.STOPPED), int(MachineState.IDLE)),
    *(int(MachineState.HELD), int(MachineState.ABORTED)),
)


@seldom
def follow_machine(j: Joint, w: World, kind: int, is_begun: bool, t_ns: int) -> None:
    """A person holds or stops the machine, or the safety chain does; and then it may run again."""
    if kind == Mishap.SAFETY_TRIPPED:
        new_input(j, _SAFETY, t_ns)["value"] = 1 if is_begun else 0
        for b in range(len(w.belts)):
            if is_begun:
                run_belt(w, b, 0, t_ns)
    elif is_begun:
        order(j, _HOLD if kind == Mishap.MACHINE_HELD else _STOP, t_ns)
    go_on(j, t_ns)


@seldom
def order(j: Joint, command: int, t_ns: int) -> None:
    """A person presses a button of the machine."""
    new_input(j, _MACHINE, t_ns)["value"] = command


@seldom
def _button(state: int) -> int:
    """What a person presses who wants the machine to run again; 0: nothing."""
    if state == _STOPPED:
        return _RESET
    if state == _IDLE:
        return _START
    if state == _HELD:
        return _UNHOLD
    return _CLEAR if state == _ABORTED else 0


@seldom
def go_on(j: Joint, t_ns: int) -> None:
    """Unless something keeps the machine from running, a person brings it on by one state."""
    for kind in (Mishap.MACHINE_HELD, Mishap.MACHINE_STOPPED, Mishap.SAFETY_TRIPPED):
        if is_on(j, kind, 0):
            return
    button = _button(j.s[0]["machine_state"])
    if button != 0:
        order(j, button, t_ns + PERSON_NS)
        post(j, t_ns + PERSON_NS)
