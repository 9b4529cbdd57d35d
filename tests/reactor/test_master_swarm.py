"""A Modbus master under drawn faults: what must hold whatever the device and the line do."""

from __future__ import annotations

from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st
from rig import MS, NodeModel, wiring_of
from test_master import DISCRETE, fire_of, signal

from hubctl._master import ModbusMaster
from hubctl.core.events import RECORD, Kind, Reason
from hubctl.core.tables import LinkKind

HOLD_MS = 30
N_CHUTES = 4

faults = st.one_of(
    st.just(("good", 0)),
    st.just(("silent", 0)),
    st.tuples(st.just("late"), st.integers(1, 120)),
    st.tuples(st.just("flip"), st.integers(0, 400)),
    st.tuples(st.just("cut"), st.integers(0, 12)),
    st.tuples(st.just("noise"), st.integers(0, 255)),
    st.just(("hang up", 0)),
)
steps = st.lists(
    st.tuples(faults, st.lists(st.integers(0, N_CHUTES - 1), max_size=2), st.integers(1, 40)), max_size=40
)


class Line:
    """A master, a node and a line between them that is faulty a step at a time."""

    def __init__(self, kind: LinkKind, in_flight_max: int) -> None:
        rtu = kind == LinkKind.MODBUS_RTU
        wiring = wiring_of(
            kind=kind,
            in_flight_max=in_flight_max,
            hold_ms=HOLD_MS,
            polls=[DISCRETE],
            signals=[signal(0, Kind.EYE)],
        )
        self.master = ModbusMaster(wiring, 0, RECORD)
        self.node = NodeModel(rtu=rtu)
        self.now_ns = 1000 * MS
        self.late: list[tuple[int, bytes]] = []
        self.results: Counter[int] = Counter()
        self.written: list[int] = []
        self.n_fires = 0
        self.master.connect(self.now_ns)

    def fire(self, chute: int) -> None:
        self.n_fires += 1
        self.master.fire(fire_of(chute, self.now_ns, void_in_ms=15, seq=self.n_fires), self.now_ns)

    def turn(self, fault: tuple[str, int] = ("good", 0), step_ns: int = MS) -> None:
        """One step of time, and what the line makes of it."""
        self.now_ns += step_ns
        name, number = fault
        if name == "hang up" or self.master.broken:
            self.connect_anew()
        answer = self.node.receive(self.master.pump(self.now_ns))
        self.note()
        if answer and name != "silent":
            due_ns = self.now_ns + (number * MS if name == "late" else 0)
            self.late.append((due_ns, spoilt(answer, name, number)))
        elif name == "noise":
            self.late.append((self.now_ns, bytes([number])))
        for due in [late for late in self.late if late[0] <= self.now_ns]:
            self.late.remove(due)
            self.master.receive(due[1], self.now_ns)
            self.note()

    def connect_anew(self) -> None:
        """Its coils stay as they are."""
        self.master.disconnect(self.now_ns)
        self.late.clear()
        self.node.hang_up()
        self.master.connect(self.now_ns)

    def note(self) -> None:
        for record in self.master.records():
            if record["kind"] == Kind.FIRE_RESULT:
                self.results[int(record["seq"])] += 1
                if record["reason"] == Reason.OK:
                    self.written.append(int(record["seq"]))


def spoilt(answer: bytes, name: str, number: int) -> bytes:
    if name == "cut":
        return answer[:number]
    if name != "flip":
        return answer
    at = number // 8 % len(answer)
    return answer[:at] + bytes([answer[at] ^ (1 << number % 8)]) + answer[at + 1 :]


@settings(max_examples=80, deadline=None)
@given(script=steps, kind=st.sampled_from(list(LinkKind)[:2]), in_flight_max=st.integers(1, 4))
def test_whatever_happens_each_fire_has_one_result_and_no_coil_stays_on(
    script: list[tuple[tuple[str, int], list[int], int]], kind: LinkKind, in_flight_max: int
) -> None:
    line = Line(kind, in_flight_max)
    for fault, chutes, n_turns in script:
        for chute in chutes:
            line.fire(chute)
        for _ in range(n_turns):
            line.turn(fault)
    for _ in range(500):
        line.turn(step_ns=5 * MS)
    assert all(n == 1 for n in line.results.values())
    assert len(line.results) == line.n_fires
    assert not any(line.node.coils)
    ons = sum(request[1] == 5 and request[4] == 0xFF for request in line.node.requests)
    assert ons <= len(line.written)
