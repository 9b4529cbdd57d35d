"""The reactor's session with a node that has our firmware: the node's own core, on one virtual time with the host."""

from __future__ import annotations

import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "firmware"))

from built import Node

from hubctl._master import ModbusMaster
from hubctl._node import register_map
from hubctl.core.config import ConfigError
from hubctl.core.events import RECORD, Flag, Kind, Reason, empty
from hubctl.core.hubfile import Hub, load_hub
from hubctl.core.layout import compile_layout
from hubctl.core.wiring import compile_wiring
from hubctl.protocol import registers as r

MS = 1_000_000
COUNTS_PER_MS = 6

HUB = """
hub = { name = "two" }
links = [
  { name = "n1", kind = "modbus-tcp", host = "127.0.0.1", port = 1502 },
  { name = "n2", kind = "modbus-tcp", host = "127.0.0.1", port = 1503 },
  { name = "top", kind = "scanner-tcp", host = "127.0.0.1", port = 1504 },
]
nodes = [
  { name = "n1", link = "n1", firmware = "hubctl", timeout_ms = 20, watchdog_ms = 1000 },
  { name = "n2", link = "n2", firmware = "hubctl", timeout_ms = 20 },
]
eyes = [
  { name = "induct", belt = "main", at_mm = 300, role = "induct", input = "n1/eye/0" },
  { name = "end", belt = "main", at_mm = 19_000, role = "end", input = "n2/eye/1" },
]
scanners = [ { name = "top", belt = "main", at_mm = 1000, link = "top" } ]
diverters = [ { name = "D1", belt = "main", at_mm = 8000, commit_ms = 500 } ]
chutes = [
  { name = "C1", no = 1, diverter = "D1", output = "n2/divert/3", confirm = "n2/eye/4", full = "n2/eye/5" },
  { name = "END", no = 9 },
]

[[belts]]
name = "main"
length_mm = 20_000
speed_mm_s = 3000
end_chute = "END"
encoder = { address = "n1/count", counts_per_m = 2000 }
"""


def hub_from(text: str) -> Hub:
    with TemporaryDirectory() as folder:
        file = Path(folder) / "hub.toml"
        file.write_text(text, encoding="utf-8")
        return load_hub(file)


class Rig:
    """A master and the node of its link, a millisecond at a time."""

    def __init__(self, link: int = 0, epoch: int = 1) -> None:
        self.node = Node()
        self.master = ModbusMaster(compile_wiring(hub_from(HUB)), link, RECORD, epoch=epoch)
        self.now_ns = self.node.now_ticks * 1000
        self.is_stalled = False
        self.is_deaf = False
        self.waiting = b""
        self.told: list[Any] = []
        self.master.connect(self.now_ns)

    def run(self, for_ms: int = 1, counts_per_ms: int = 0) -> list[Any]:
        """What the master told the kernel meanwhile."""
        start = len(self.told)
        for _ in range(for_ms):
            self.now_ns += MS
            self.node.now_ticks += 1000
            self.node.move(counts_per_ms)
            self.node.step()
            if not self.is_stalled:
                self._talk()
        return self.told[start:]

    def _talk(self) -> None:
        asked = self.master.pump(self.now_ns)
        said = self.node.step(asked) if asked and not self.is_deaf else b""
        self.master.receive(said, self.now_ns)
        self.told += list(self.master.records())

    def up(self) -> Rig:
        told = self.run(60, COUNTS_PER_MS)
        assert [row["value"] for row in told if row["kind"] == Kind.NODE] == [1]
        return self

    def arm(self, seq: int, at_counts: int, kind: Kind = Kind.ARM_DIVERT) -> None:
        command = empty(1)
        command["kind"], command["seq"], command["parcel"] = kind, seq, seq
        command["counts"], command["limit"], command["chute"] = at_counts, at_counts + 30, 0
        self.master.arm(command, self.now_ns)

    def results(self) -> list[tuple[int, Reason, int]]:
        return [
            (int(row["seq"]), Reason(row["reason"]), int(row["counts"]))
            for row in self.told
            if row["kind"] == Kind.FIRE_RESULT
        ]


def test_the_register_map_is_the_table() -> None:
    for name, block in (("IDENTITY", r.IDENTITY), ("RESULT", r.RESULT), ("STATUS", r.STATUS)):
        assert register_map()[f"{name}_AT"] == block.address
        assert register_map()[f"{name}_WORDS"] == block.n_words
    for name, block in (("POLL", r.POLL), ("COMMAND", r.COMMAND), ("CONFIG", r.CONFIG)):
        assert register_map()[f"{name}_AT"] == block.address
        assert register_map()[f"{name}_WORDS"] == block.n_words
    assert register_map()["EDGES_AT"] == r.EDGES.address
    assert register_map()["OUTCOMES_AT"] == r.OUTCOMES.address
    assert register_map()["SHOWN_WORDS"] == r.STATUS.n_words + r.EDGES.n_words + r.OUTCOMES.n_words
    assert (register_map()["MAGIC"], register_map()["MAP_VERSION"]) == (r.MAGIC, r.MAP_VERSION)


def test_it_is_taken_and_its_belt_followed() -> None:
    rig = Rig().up()
    told = rig.run(100, COUNTS_PER_MS)
    samples = [row for row in told if row["kind"] == Kind.ENCODER]
    assert len(samples) > 15
    for row in samples:
        assert abs(int(row["counts"]) - int(row["t_ns"]) * COUNTS_PER_MS // MS) <= COUNTS_PER_MS


def test_an_edge_carries_its_count_and_its_time() -> None:
    rig = Rig().up()
    rig.node.eyes(1)
    counts, at_ns = rig.node.counts, rig.now_ns
    (edge,) = [row for row in rig.run(20, COUNTS_PER_MS) if row["kind"] == Kind.EYE]
    assert (edge["device"], edge["value"], edge["counts"], edge["flags"]) == (0, 1, counts, Flag.LATCHED)
    assert abs(int(edge["t_ns"]) - at_ns) <= 2 * MS


def test_after_a_stall_everything_is_told_with_its_own_time() -> None:
    rig = Rig().up()
    rig.is_stalled = True
    rig.run(200, COUNTS_PER_MS)
    rig.node.eyes(1)
    counts, at_ns = rig.node.counts, rig.now_ns
    rig.run(200, COUNTS_PER_MS)
    assert rig.now_ns - rig.master.told_ns > 390 * MS
    rig.is_stalled = False
    told = rig.run(30, COUNTS_PER_MS)
    (edge,) = [row for row in told if row["kind"] == Kind.EYE]
    assert edge["counts"] == counts
    assert abs(int(edge["t_ns"]) - at_ns) <= 8 * MS
    times = [int(row["t_ns"]) for row in told if row["kind"] == Kind.ENCODER]
    assert max(np.diff(times)) <= 12 * MS
    assert not any(row["kind"] == Kind.NODE for row in told)


def test_a_count_that_no_belt_can_reach_has_its_time_too() -> None:
    rig = Rig().up()
    start_ns = rig.now_ns
    rig.now_ns += 60_000 * MS
    rig.node.jump(1_000_000_000)
    rig.node.eyes(1)
    rig.node.step()
    rig.node.jump(1_000_000_000)
    (edge,) = [row for row in rig.run(20) if row["kind"] == Kind.EYE]
    assert abs(int(edge["t_ns"]) - start_ns - 30_000 * MS) <= 10 * MS


def test_a_divert_is_fired_at_its_count() -> None:
    rig = Rig().up()
    at = rig.node.counts + 600
    rig.arm(5, at)
    rig.run(150, COUNTS_PER_MS)
    assert rig.results() == [(5, Reason.OK, at)]


def test_what_comes_too_late_is_missed_without_a_word() -> None:
    rig = Rig().up()
    rig.arm(5, rig.node.counts - 100)
    rig.run(1)
    assert rig.results() == [(5, Reason.MISSED_WINDOW, -(2**63))]


def test_a_cancelled_divert_does_not_fire() -> None:
    rig = Rig().up()
    rig.arm(5, rig.node.counts + 600)
    rig.run(10, COUNTS_PER_MS)
    rig.arm(5, 0, Kind.CANCEL_DIVERT)
    rig.run(150, COUNTS_PER_MS)
    assert [reason for _, reason, _ in rig.results()] == [Reason.NONE]
    assert rig.node.outputs == 0


def test_an_arm_that_got_no_answer_is_told_again() -> None:
    rig = Rig().up()
    at = rig.node.counts + 600
    rig.is_deaf = True
    rig.arm(5, at)
    rig.run(25, COUNTS_PER_MS)
    rig.is_deaf = False
    rig.run(150, COUNTS_PER_MS)
    assert rig.results() == [(5, Reason.OK, at)]


def test_what_was_never_told_is_taken_back_at_once() -> None:
    rig = Rig().up()
    rig.arm(5, rig.node.counts + 600)
    rig.arm(5, 0, Kind.CANCEL_DIVERT)
    rig.run(150, COUNTS_PER_MS)
    assert [reason for _, reason, _ in rig.results()] == [Reason.NONE]
    assert rig.node.get(r.STATUS, "last_seq") == 0


def test_what_has_fired_is_not_missed_by_a_kernel_that_is_behind() -> None:
    rig = Rig().up()
    at = rig.node.counts + 600
    rig.arm(5, at)
    rig.run(150, COUNTS_PER_MS)
    rig.arm(5, at - 1)
    rig.arm(5, 0, Kind.CANCEL_DIVERT)
    rig.run(10, COUNTS_PER_MS)
    assert rig.results() == [(5, Reason.OK, at)]


def test_places_are_free_again_after_all_that_was_taken_back() -> None:
    rig = Rig().up()
    for seq in range(1, 100):
        rig.arm(seq, rig.node.counts + 6000)
        rig.run(seq % 3, COUNTS_PER_MS)
        rig.arm(seq, 0, Kind.CANCEL_DIVERT)
        rig.run(7, COUNTS_PER_MS)
    at = rig.node.counts + 600
    rig.arm(100, at)
    rig.run(150, COUNTS_PER_MS)
    assert rig.results()[-1] == (100, Reason.OK, at)
    assert len(rig.results()) == 100


def test_a_node_out_of_reach_fires_and_says_so_later() -> None:
    rig = Rig().up()
    at = rig.node.counts + 600
    rig.arm(5, at)
    rig.run(10, COUNTS_PER_MS)
    rig.is_deaf = True
    rig.run(150, COUNTS_PER_MS)
    rig.is_deaf = False
    rig.run(700, COUNTS_PER_MS)
    assert [row["value"] for row in rig.told if row["kind"] == Kind.NODE] == [1, 0, 1]
    assert rig.results() == [(5, Reason.OK, at)]


def test_what_is_taken_back_out_of_reach_is_taken_back_once_it_can_be() -> None:
    rig = Rig().up()
    rig.arm(5, rig.node.counts + 12_000)
    rig.run(10, COUNTS_PER_MS)
    rig.is_deaf = True
    rig.run(150, COUNTS_PER_MS)
    rig.arm(5, 0, Kind.CANCEL_DIVERT)
    rig.is_deaf = False
    rig.run(2500, COUNTS_PER_MS)
    assert [reason for _, reason, _ in rig.results()] == [Reason.NONE]
    assert rig.node.get(r.STATUS, "n_armed") == 0


def test_a_silent_node_goes_down_and_comes_up_again() -> None:
    rig = Rig().up()
    rig.is_deaf = True
    rig.run(150, COUNTS_PER_MS)
    rig.is_deaf = False
    rig.run(700, COUNTS_PER_MS)
    assert [row["value"] for row in rig.told if row["kind"] == Kind.NODE] == [1, 0, 1]


def test_a_boot_is_noticed_and_what_was_armed_has_no_result() -> None:
    rig = Rig().up()
    rig.arm(5, rig.node.counts + 6000)
    rig.run(10, COUNTS_PER_MS)
    rig.node.boot(78)
    rig.run(100, COUNTS_PER_MS)
    assert [row["value"] for row in rig.told if row["kind"] == Kind.NODE] == [1, 0, 1]
    assert rig.results() == []


def test_a_stop_makes_it_safe_and_the_next_host_clears_it() -> None:
    rig = Rig().up()
    rig.master.make_safe(rig.now_ns)
    rig.run(20)
    assert rig.master.settled
    assert rig.node.get(r.STATUS, "state") == r.NodeState.SAFE
    other = Rig(epoch=2)
    other.node = rig.node
    other.now_ns = rig.now_ns
    other.up()


def fallen_silent() -> Rig:
    """A rig whose host said nothing for so long that its node made itself safe, with a divert armed."""
    rig = Rig().up()
    rig.arm(5, rig.node.counts + 200_000)
    rig.run(10, COUNTS_PER_MS)
    rig.is_stalled = True
    rig.run(1100, COUNTS_PER_MS)
    rig.is_stalled = False
    rig.run(100, COUNTS_PER_MS)
    return rig


def states(rig: Rig) -> list[int]:
    return [int(row["value"]) for row in rig.told if row["kind"] == Kind.NODE]


def test_a_node_that_made_itself_safe_is_watched_and_waits_for_a_person() -> None:
    rig = fallen_silent()
    assert rig.node.get(r.STATUS, "state") == r.NodeState.SAFE
    assert states(rig) == [1, 2]
    assert rig.results() == [(5, Reason.NODE_DOWN, -(2**63))]
    rig.node.eyes(1)
    told = rig.run(20, COUNTS_PER_MS)
    assert {row["kind"] for row in told} == {Kind.ENCODER, Kind.EYE}
    rig.arm(6, rig.node.counts + 600)
    rig.run(150, COUNTS_PER_MS)
    assert rig.results()[1:] == [(6, Reason.NODE_DOWN, -(2**63))]
    rig.master.clear()
    rig.run(20, COUNTS_PER_MS)
    assert states(rig) == [1, 2, 1]
    at = rig.node.counts + 600
    rig.arm(7, at)
    rig.run(150, COUNTS_PER_MS)
    assert rig.results()[2:] == [(7, Reason.OK, at)]


def test_a_node_that_had_no_room_for_its_edges_was_blind() -> None:
    rig = Rig().up()
    rig.is_stalled = True
    for edge in range(r.N_EDGES_MAX + 6):
        rig.node.eyes(edge % 2)
        rig.run(1, COUNTS_PER_MS)
    rig.is_stalled = False
    rig.run(50, COUNTS_PER_MS)
    assert states(rig) == [1, 0, 1]
    kinds = [row["kind"] for row in rig.told]
    assert kinds.count(Kind.EYE) == r.N_EDGES_MAX
    assert kinds.index(Kind.EYE) > max(k for k, kind in enumerate(kinds) if kind == Kind.NODE)


def test_the_next_host_does_not_clear_what_made_itself_safe() -> None:
    rig = fallen_silent()
    other = Rig(epoch=2)
    other.node, other.now_ns = rig.node, rig.now_ns
    other.run(100, COUNTS_PER_MS)
    assert states(other) == [2]
    assert other.node.get(r.STATUS, "safe_reason") == r.SafeReason.HOST_SILENT
    other.master.clear()
    other.run(20, COUNTS_PER_MS)
    assert states(other) == [2, 1]


WRONG = [
    ('input = "n1/eye/0"', 'input = "n1/discrete/0"', "node n1 has our firmware"),
    ('firmware = "hubctl", timeout_ms = 20 },\n]', "timeout_ms = 20 },\n]", "is a Modbus device"),
    ('"n1/count", counts', '"n1/count", bits = 24, counts', "must have 32 bits"),
    ("n2/divert/3", "n2/divert/16", "must have a number of 0 to 15"),
    ("timeout_ms = 20 },\n]", "watchdog_ms = 50, timeout_ms = 20 },\n]", "must be 80 or more"),
    ('"n2", link = "n2"', '"n2", unit = 2, link = "n1"', "has another node"),
]


@pytest.mark.parametrize(("right", "wrong", "words"), WRONG)
def test_what_is_wrong_in_a_hub_file_is_said(right: str, wrong: str, words: str) -> None:
    assert right in HUB
    with pytest.raises(ConfigError, match=words):
        hub_from(HUB.replace(right, wrong))


def test_diverters_are_armed_and_counts_led() -> None:
    hub = hub_from(HUB)
    assert list(compile_layout(hub).diverters["is_armed"]) == [1]
    assert list(compile_wiring(hub).nodes["leads"]) == [1, 0]
