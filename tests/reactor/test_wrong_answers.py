"""Wrong answers: none is believed, each is counted by its kind, and the link is of use again within one deadline."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from rig import LINK_FIRST, MS, NodeModel, PtyNode, Rig, label, until
from wrong_answers import POLL, WRITE, WRONG_ANSWERS, Case, LyingNode

from hubctl._wire import ModbusChannel, Refusal
from hubctl.core.events import Kind

TIMEOUT_NS = 100 * MS
QUESTIONS = {
    POLL: {"unit": 1, "function": 2, "address": 0, "count": 4},
    WRITE: {"unit": 1, "function": 5, "address": 3, "value": 0xFF00},
}


def named(case: Case) -> str:
    return f"{'rtu' if case.rtu else 'tcp'}-{case.function}-{case.name}".replace(" ", "_")


def test_there_are_at_least_twenty_on_each_line() -> None:
    assert min(sum(case.rtu == rtu for case in WRONG_ANSWERS) for rtu in (False, True)) >= 20
    assert len(set(map(named, WRONG_ANSWERS))) == len(WRONG_ANSWERS)


# By bytes and times alone


class Asker:
    """A channel that asks one question after the other, a millisecond an answer."""

    def __init__(self, case: Case) -> None:
        self.channel = ModbusChannel(rtu=case.rtu)
        self.node = LyingNode(case)
        self.node.lie()
        self.now_ns = 0

    def ask(self, function: int, glued: bool) -> tuple[list[Refusal], list[bytes]]:
        """What is told, and the data believed, of an answer that comes whole or byte by byte."""
        question = self.channel.send(self.now_ns, timeout_ns=TIMEOUT_NS, **QUESTIONS[function])  # type: ignore[arg-type]
        self.now_ns += MS
        answer = self.node.receive(question)
        told = []
        for part in [answer] if glued else [answer[i : i + 1] for i in range(len(answer))]:
            told += self.channel.receive(part, self.now_ns)
        if not any(reply.tag is not None for reply in told) and not self.channel.broken:
            self.now_ns += TIMEOUT_NS
            told += self.channel.expire(self.now_ns)
        return [reply.refusal for reply in told], [reply.data for reply in told if reply.data]


@pytest.mark.parametrize("glued", [True, False], ids=["whole", "bytes"])
@pytest.mark.parametrize("case", WRONG_ANSWERS, ids=named)
def test_the_channel_is_of_use_again_within_one_deadline(case: Case, glued: bool) -> None:
    asker = Asker(case)
    believed: list[bytes] = []
    while asker.node.steps:
        believed += asker.ask(case.function, glued)[1]
        asker.now_ns += TIMEOUT_NS
        assert asker.channel.broken or asker.channel.ready(asker.now_ns)
    if not asker.channel.broken:
        told, data = asker.ask(case.function, glued)
        believed += data
        assert Refusal.ACCEPTED in told or asker.channel.broken
    assert set(believed) <= {b"\0"}
    assert asker.channel.broken == case.breaks


def test_the_rtu_answer_to_the_question_before_is_late() -> None:
    """It comes while the line is drained, and the next question is not asked before."""
    channel = ModbusChannel(rtu=True)
    node = NodeModel(rtu=True)
    withheld = node.receive(channel.send(0, timeout_ns=TIMEOUT_NS, **QUESTIONS[POLL]))  # type: ignore[arg-type]
    assert [reply.refusal for reply in channel.expire(TIMEOUT_NS)] == [Refusal.TIMEOUT]
    assert not channel.ready(2 * TIMEOUT_NS - 1)
    assert [reply.refusal for reply in channel.receive(withheld, 2 * TIMEOUT_NS - 1)] == [Refusal.LATE]
    assert channel.ready(2 * TIMEOUT_NS + 2 * MS)


# Through the reactor, over sockets and ptys


class Bad:
    """A rig whose first node lies."""

    def __init__(self, directory: Path, case: Case) -> None:
        self.node = LyingNode(case)
        self.line = PtyNode(self.node) if case.rtu else None
        first = self.line.path if self.line else serving(self.node)
        self.rig = Rig(directory, first, machine=case.function == POLL)
        self.rig.attach()
        self.attach()

    def attach(self) -> None:
        if self.line is None:
            self.rig.attach_first()
        else:
            self.rig.reactor.attach(LINK_FIRST, self.line.fd)
        self.rig.until_up(0)

    def n_accepted(self) -> int:
        return self.rig.reactor.statistics().links[LINK_FIRST].n_frames

    def provoke(self, case: Case) -> None:
        """Polls come by themselves, writes when a parcel does."""
        self.node.lie()
        if case.function == WRITE:
            self.rig.scanner.send(label(1, lane=1))

    def close(self) -> None:
        self.rig.__exit__()
        if self.line is not None:
            self.line.close()


def serving(node: NodeModel) -> Callable[[socket.socket], None]:
    def serve(peer: socket.socket) -> None:
        node.hang_up()
        while data := peer.recv(4096):
            peer.sendall(node.receive(data))

    return serve


@pytest.fixture
def bad(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Bad]:
    made = Bad(tmp_path, request.param)
    yield made
    made.close()


@pytest.mark.parametrize(
    ("bad", "case"), [(case, case) for case in WRONG_ANSWERS], ids=map(named, WRONG_ANSWERS), indirect=["bad"]
)
def test_the_reactor_believes_none_counts_each_and_goes_on(bad: Bad, case: Case) -> None:
    rig = bad.rig
    bad.provoke(case)
    until(lambda: rig.refusals(LINK_FIRST) == case.refused, f"{case.refused}, not {rig.refusals(LINK_FIRST)}")
    if case.breaks:
        until(lambda: not rig.reactor.statistics().links[LINK_FIRST].is_up, "the end of the connection")
        bad.attach()
    n_before = bad.n_accepted()
    if case.function == WRITE:
        until(lambda: not bad.node.coils[3], "the end of the pulse")
        rig.scanner.send(label(2, lane=1))
        until(lambda: bad.node.n_fires[3] == 2, "another pulse")
    until(lambda: bad.n_accepted() >= n_before + 2, "answers that are believed again")
    assert rig.refusals(LINK_FIRST) == case.refused
    assert rig.reactor.statistics().nodes[0] == "up"
    assert not any(record["value"] for kind in (Kind.MACHINE, Kind.HOME) for record in rig.records(kind))
