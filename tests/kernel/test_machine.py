"""The machine's table is PackML's: what each command does in each state, and what is refused."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from line_hub import MS, layout, nodes_up, nothing, records

from hubctl._kernel import Kernel
from hubctl.core.events import Kind, Records
from hubctl.core.events import MachineCommand as Do
from hubctl.core.events import MachineState as Is

WARNING_MS = 1000
STANDING = {Is.CLEARING, Is.STOPPED, Is.STARTING, Is.IDLE, Is.ABORTING, Is.ABORTED, Is.HOLDING, Is.HELD}
STANDING |= {Is.UNHOLDING, Is.RESETTING}
ACTS = {  # state: what each command leads to at last, given time
    Is.STOPPED: {Do.RESET: Is.IDLE, Do.ABORT: Is.ABORTED},
    Is.IDLE: {Do.START: Is.EXECUTE, Do.STOP: Is.STOPPED, Do.ABORT: Is.ABORTED},
    Is.EXECUTE: {
        Do.STOP: Is.STOPPED,
        Do.HOLD: Is.HELD,
        Do.SUSPEND: Is.SUSPENDED,
        Do.ABORT: Is.ABORTED,
    },
    Is.HELD: {Do.UNHOLD: Is.EXECUTE, Do.STOP: Is.STOPPED, Do.ABORT: Is.ABORTED},
    Is.SUSPENDED: {Do.UNSUSPEND: Is.EXECUTE, Do.STOP: Is.STOPPED, Do.ABORT: Is.ABORTED},
    Is.ABORTED: {Do.CLEAR: Is.STOPPED},
}
WAYS = {
    Is.STOPPED: [],
    Is.IDLE: [Do.RESET],
    Is.EXECUTE: [Do.RESET, Do.START],
    Is.HELD: [Do.RESET, Do.START, Do.HOLD],
    Is.SUSPENDED: [Do.RESET, Do.START, Do.SUSPEND],
    Is.ABORTED: [Do.ABORT],
}


class Operator:
    """A kernel without belts that move, and a person at its buttons."""

    def __init__(self) -> None:
        self.kernel = Kernel(layout("stopgo"))
        self.now_ms = 0
        self.state = Is.STOPPED
        self.speed_mm_s: int | None = None
        self.take(self.kernel.step(0, records(*nodes_up(2))))

    def take(self, said: Records) -> None:
        for record in said:
            if record["kind"] == Kind.STATE_CHANGED:
                assert record["limit"] == self.state
                self.state = Is(record["value"])
            if record["kind"] == Kind.RUN_BELT:
                self.speed_mm_s = int(record["value"])

    def tell(self, **fields: int) -> None:
        self.now_ms += 1
        self.take(self.kernel.step(self.now_ms * MS, records({**fields, "t_ns": self.now_ms * MS})))

    def do(self, command: Do) -> None:
        self.tell(kind=Kind.MACHINE, value=command)

    def wait(self) -> None:
        self.now_ms += WARNING_MS
        self.take(self.kernel.step(self.now_ms * MS, nothing()))


@pytest.mark.parametrize("command", Do, ids=lambda command: command.name)
@pytest.mark.parametrize("state", ACTS, ids=lambda state: state.name)
def test_each_command_in_each_state_does_what_packml_says_or_is_refused(state: Is, command: Do) -> None:
    operator = Operator()
    for step in WAYS[state]:
        operator.do(step)
        operator.wait()
    assert operator.state == state
    operator.do(command)
    operator.wait()
    assert operator.state == ACTS[state].get(command, state)
    assert operator.kernel.n_inputs_refused == (command not in ACTS[state])


@given(st.lists(st.one_of(st.sampled_from(Do), st.sampled_from(["trips", "closes", "wait"])), max_size=40))
@settings(max_examples=100, deadline=None)
def test_belts_run_only_where_they_may_and_never_while_the_chain_is_open(acts: list[Do | str]) -> None:
    operator = Operator()
    is_tripped = False
    for act in acts:
        if isinstance(act, Do):
            operator.do(act)
        elif act == "wait":
            operator.wait()
        else:
            is_tripped = act == "trips"
            operator.tell(kind=Kind.SAFETY, value=is_tripped)
        assert (operator.speed_mm_s == 0) == (operator.state in STANDING | {Is.STOPPED})
        assert operator.state in (Is.ABORTED, Is.ABORTING) or not is_tripped


def test_a_command_without_a_machine_is_refused() -> None:
    made = Kernel(layout())
    said = made.step(MS, records({"kind": Kind.MACHINE, "value": Do.START, "t_ns": MS}))
    assert len(said) == 0
    assert made.n_inputs_refused == 1
