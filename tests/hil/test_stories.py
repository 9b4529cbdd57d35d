"""What a node does, told against whatever node there is: a process, a Cortex-M3 in QEMU, a board."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from node_rig import CONFIG, Rig
from targets import BOOT_ID

from hubctl.protocol import node as n
from hubctl.protocol import nodeworld as w
from hubctl.protocol import registers as r
from hubctl.protocol.registers import NodeState, OutcomeKind, SafeReason

SPEED = 6000  # counts a second: 3 m/s at 0.5 mm a count
NOISE = bytes(range(7, 60))


def test_identity(rig: Rig, request: pytest.FixtureRequest) -> None:
    assert rig.session.state is NodeState.READY
    if request.config.getoption("--node") in {"host", "qemu"}:
        assert rig.session.boot_id == BOOT_ID


def test_edges_are_latched_with_their_counts(rig: Rig) -> None:
    start = rig.belt() + SPEED // 2
    planned = [(at % 16, at % 32 < 16, start + 37 * at) for at in range(30)]
    rig.tell(w.run_belt(SPEED), *(w.plan_edge(*edge) for edge in planned))
    rig.until_event(n.EdgeSeen, len(planned))
    assert rig.edges() == planned
    assert rig.heard(w.EdgeWasLate) == []


def test_diverts_fire_at_their_counts(rig: Rig) -> None:
    rig.tell(w.run_belt(SPEED))
    start = rig.belt() + SPEED
    for seq in range(1, 25):
        rig.arm(seq, start + 97 * seq, diverter=seq % 16)
    rig.until_event(n.DivertEnded, 24)
    assert rig.ends() == [(seq, OutcomeKind.FIRED, start + 97 * seq) for seq in range(1, 25)]
    rig.until(lambda: len(rig.heard(w.OutputChanged)) >= 48)
    assert rig.switched_on() == [(seq % 16, start + 97 * seq) for seq in range(1, 25)]


def test_a_host_that_stalls_misses_no_divert(rig: Rig) -> None:
    rig.tell(w.run_belt(SPEED))
    start = rig.belt() + SPEED
    for seq in range(1, 9):
        rig.arm(seq, start + 300 * seq)
    rig.until_event(n.DivertArmed, 8)
    rig.world_runs_to(start + 300 * 8 + 10)
    rig.until_event(n.DivertEnded, 8)
    assert rig.ends() == [(seq, OutcomeKind.FIRED, start + 300 * seq) for seq in range(1, 9)]


def test_what_is_told_too_late_is_not_done(rig: Rig) -> None:
    rig.tell(w.move_belt(1000))
    assert rig.belt() == 1000
    rig.arm(1, 990)
    rig.until_event(n.DivertEnded)
    assert rig.ends() == [(1, OutcomeKind.REFUSED, 1000)]
    rig.tell(w.move_belt(100))
    assert rig.belt() == 1100
    assert rig.heard(w.OutputChanged) == []


def test_a_cancelled_divert_does_not_fire(rig: Rig) -> None:
    rig.arm(1, 500)
    rig.arm(2, 500, diverter=1)
    rig.until_event(n.DivertArmed, 2)
    rig.session.cancel(1)
    rig.until_event(n.DivertEnded)
    rig.tell(w.move_belt(600))
    rig.until_event(n.DivertEnded, 2)
    assert rig.ends() == [(1, OutcomeKind.CANCELLED, 0), (2, OutcomeKind.FIRED, 500)]
    rig.until(rig.switched_on)
    assert rig.switched_on() == [(1, 500)]


def test_a_changed_divert_fires_where_it_was_told_last(rig: Rig) -> None:
    rig.arm(1, 500)
    rig.until_event(n.DivertArmed)
    rig.arm(1, 700, diverter=3)
    rig.until_event(n.DivertArmed, 2)
    rig.tell(w.move_belt(800))
    rig.until_event(n.DivertEnded)
    assert rig.ends() == [(1, OutcomeKind.FIRED, 700)]


def test_a_second_host_ends_the_first(rig: Rig, host: Callable[..., Rig]) -> None:
    rig.arm(1, 500)
    rig.until_event(n.DivertArmed)
    rig.modbus.close()
    second = host(epoch=2).ready()
    second.tell(w.move_belt(600))
    second.arm(1, 700)
    second.until_event(n.DivertArmed)
    assert second.belt() == 600
    assert second.heard(w.OutputChanged) == []
    second.modbus.close()
    late = host(epoch=1)
    late.until_event(n.Superseded)


def test_the_watchdog_bites_and_is_cleared(host: Callable[..., Rig]) -> None:
    rig = host(config=CONFIG._replace(watchdog_ms=300, safe_outputs=0b100)).ready()
    rig.tell(w.run_belt(SPEED))
    start = rig.belt()
    rig.arm(1, start + 2 * SPEED)
    rig.until_event(n.DivertArmed)
    rig.world_runs_to(start + SPEED)
    rig.until_event(n.NodeWentSafe)
    assert rig.all(n.NodeWentSafe) == [n.NodeWentSafe(SafeReason.HOST_SILENT)]
    rig.until_event(n.DivertEnded)
    assert [(seq, kind) for seq, kind, _ in rig.ends()] == [(1, OutcomeKind.CANCELLED)]
    assert [diverter for diverter, _ in rig.switched_on()] == [2]
    rig.session.clear()
    rig.until_event(n.NodeCleared)
    rig.arm(2, rig.belt() + SPEED)
    rig.until(lambda: (2, OutcomeKind.FIRED) in [end[:2] for end in rig.ends()])


def test_a_boot_in_mid_flight(rig: Rig) -> None:
    rig.tell(w.move_belt(100))
    rig.arm(1, 500)
    rig.until_event(n.DivertArmed)
    rig.tell(w.cut_power())
    rig.until_event(n.NodeReady, 2)
    assert rig.all(n.DivertForgotten) == [n.DivertForgotten(1)]
    (booted,) = rig.all(n.NodeBooted)
    assert booted.boot_id != booted.old_boot_id
    rig.tell(w.move_belt(600))
    assert rig.belt() == 600
    assert rig.heard(w.OutputChanged) == []
    rig.arm(2, 700)
    rig.until_event(n.DivertArmed, 2)


def test_noise_on_the_line(rig: Rig) -> None:
    for seq in range(1, 6):
        rig.disturb(NOISE)
        rig.until_event(n.DivertArmed, seq - 1)
        rig.until(lambda: rig.session.phase is n.Phase.RUN)
        rig.arm(seq, 1000 * seq)
        rig.until_event(n.DivertArmed, seq)
    rig.tell(w.move_belt(6000))
    rig.until_event(n.DivertEnded, 5)
    assert rig.ends() == [(seq, OutcomeKind.FIRED, 1000 * seq) for seq in range(1, 6)]


def test_edges_that_nobody_takes(rig: Rig) -> None:
    start = rig.belt()
    n_edges = 2 * r.N_EDGES_MAX
    for at in range(n_edges):
        rig.tell(w.set_eye(3, at % 2 == 0), w.move_belt(10))
    rig.world_runs_to(start + 10 * n_edges)
    rig.until(lambda: rig.edges() and rig.edges()[-1][2] == start + 10 * (n_edges - 1))
    n_lost = sum(lost.n_edges for lost in rig.all(n.EdgesLost))
    assert n_lost > r.N_EDGES_MAX // 2
    assert n_lost + len(rig.edges()) == n_edges


def test_the_counter_wraps(rig: Rig) -> None:
    start = 2**32 - 1000
    rig.tell(w.set_counts(start), w.plan_edge(2, True, 2**32 - 1), w.plan_edge(2, False, 5))
    assert rig.belt() == start
    rig.arm(1, start + 900)
    rig.arm(2, 100, diverter=1)
    rig.until_event(n.DivertArmed, 2)
    rig.tell(w.move_belt(1200))
    rig.until_event(n.DivertEnded, 2)
    rig.until_event(n.EdgeSeen, 2)
    assert rig.ends() == [(1, OutcomeKind.FIRED, start + 900), (2, OutcomeKind.FIRED, 100)]
    assert rig.edges() == [(2, True, 2**32 - 1), (2, False, 5)]
