"""Four nodes on one encoder: one sees parcels come, each fires its own, and the host stands still at times."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from node_rig import CONFIG, Rig
from targets import start

from hubctl.protocol import node as n
from hubctl.protocol import nodeworld as w
from hubctl.protocol import registers as r
from hubctl.protocol.registers import OutcomeKind

N_NODES = 4
N_PARCELS = 40
PITCH_COUNTS = 150
FIRST_DIVERTER_COUNTS = 900  # behind the eye
DIVERTER_COUNTS = 300  # from one node's diverter to the next one's
STEP_COUNTS = 6  # a millisecond at 3 m/s, as fast as the nodes take it
HOLD = {"hold": 50, "hold_unit": r.HoldUnit.COUNTS}
SHORT_STALL, LONG_STALL = 50, 250  # steps: 300 counts cost nothing, 1,500 cost parcels
STALLS = {60: SHORT_STALL, 200: LONG_STALL, 700: SHORT_STALL}  # by the step they begin at
BOOTED_AT = (0, 1000, 2**32 - 400, 77_777)  # the nodes' counts when the belt starts


class Hub:
    """A belt with nodes; the first has the induct eye."""

    def __init__(self, rigs: list[Rig]) -> None:
        self.rigs = rigs
        for rig, counts in zip(rigs, BOOTED_AT, strict=True):
            rig.tell(w.set_counts(counts))
        self.offsets = [self.measure(rig) for rig in rigs]
        self.n_told = 0

    def measure(self, rig: Rig) -> int:
        """How far the first node's count is ahead of a node's, at standstill."""
        offset = n.CountOffset()
        before, other, after = (one.belt() for one in (self.rigs[0], rig, self.rigs[0]))
        offset.take(before=before, other=other, after=after)
        assert offset.is_exact
        return offset.low

    def place(self, parcel: int) -> tuple[int, int]:
        """The node that a parcel goes to, and where the belt is then, by the first node's count."""
        node = parcel % N_NODES
        return node, (parcel + 1) * PITCH_COUNTS + FIRST_DIVERTER_COUNTS + node * DIVERTER_COUNTS

    def plan_parcels(self) -> Iterator[bytes]:
        for parcel in range(N_PARCELS):
            yield w.plan_edge(0, True, (parcel + 1) * PITCH_COUNTS)
            yield w.plan_edge(0, False, (parcel + 1) * PITCH_COUNTS + PITCH_COUNTS // 2)

    def step(self, is_stalled: bool) -> None:
        """The belt moves; the host, unless it stands still, arms what it has seen come."""
        for rig in self.rigs:
            rig.tell(w.move_belt(STEP_COUNTS))
        if not is_stalled:
            self.talk()

    def talk(self) -> None:
        for rig in self.rigs:
            rig.talk()
        n_seen = sum(edge.is_blocked for edge in self.rigs[0].all(n.EdgeSeen))
        for parcel in range(self.n_told, n_seen):
            node, counts = self.place(parcel)
            self.rigs[node].arm(parcel + 1, counts - self.offsets[node], diverter=node, **HOLD)
        self.n_told = n_seen

    def ends(self) -> list[tuple[int, OutcomeKind, int]]:
        return sorted(end for rig in self.rigs for end in rig.ends())

    def fired(self) -> set[tuple[int, int]]:
        """Node and count, by the first node's, of each output that went on."""
        return {
            (diverter, (counts + self.offsets[node]) % 2**32)
            for node, rig in enumerate(self.rigs)
            for diverter, counts in rig.switched_on()
        }


@pytest.fixture
def hub(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Hub]:
    """Nodes of the kind that `--node` names, if it can be had four times."""
    node = request.config.getoption("--node")
    if node not in {"host", "qemu"}:
        pytest.skip("four nodes can be started of host or qemu only")
    folders = [tmp_path / str(number) for number in range(N_NODES)]
    for folder in folders:
        folder.mkdir()
    targets = [start(node, "tcp", folder) for folder in folders]
    yield Hub([Rig(target, config=CONFIG._replace(watchdog_ms=60_000)).ready() for target in targets])
    for target in targets:
        target.close()


def test_four_nodes_sort_and_a_stall_costs_only_misses(hub: Hub) -> None:
    planned = list(hub.plan_parcels())
    stalled_until = 0
    for step in range(N_PARCELS * PITCH_COUNTS // STEP_COUNTS + 400):
        if planned and step % 10 == 0:
            hub.rigs[0].tell(planned.pop(0))
        stalled_until = step + STALLS[step] if step in STALLS else stalled_until
        hub.step(is_stalled=step < stalled_until)
    while len(hub.ends()) < N_PARCELS:
        hub.talk()
    hub.rigs[0].until(lambda: all(rig.belt() for rig in hub.rigs))
    ends = hub.ends()
    assert [seq for seq, _, _ in ends] == list(range(1, N_PARCELS + 1))
    assert {kind for _, kind, _ in ends} == {OutcomeKind.FIRED, OutcomeKind.REFUSED}
    told = {seq for seq, kind, _ in ends if kind is OutcomeKind.FIRED}
    assert hub.fired() == {hub.place(seq - 1) for seq in told}
    assert len(told) > N_PARCELS // 2
    assert all(
        end.why == r.Result.LATE for rig in hub.rigs for end in rig.all(n.DivertEnded) if end.seq not in told
    )
