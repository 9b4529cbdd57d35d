"""The reactor over real sockets and ptys: reads to coils, wrong answers, broken streams, lost links."""

from __future__ import annotations

import ctypes
import os
import platform
import socket
import struct
import time
import tty
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from peers import LibmodbusNode, PymodbusNode
from rig import (
    LINK_FIRST,
    LINK_SCANNER,
    LINK_SECOND,
    NodeModel,
    PtyNode,
    Rig,
    connected,
    label,
    serve_node,
    until,
)

from hubctl._kernel import Kernel
from hubctl._reactor import Reactor
from hubctl.core.events import NO_COUNTS, ChuteState, Disposition, Flag, Kind, LinkFault, Reason, empty
from hubctl.core.layout import compile_layout
from hubctl.core.plan import compile_plan
from hubctl.core.site import load_site
from hubctl.core.tables import Stamp
from hubctl.core.wiring import compile_wiring

LINUX = tuple(int(word) for word in platform.release().split("-")[0].split(".")[:2])
SCHED_GETATTR = {"x86_64": 315, "aarch64": 275}.get(platform.machine(), -1)


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    with Rig(tmp_path) as made:
        made.attach()
        made.attach_first()
        made.until_up(0, 1)
        yield made


def reasons(rig: Rig) -> list[str]:
    return [Reason(record["reason"]).name for record in rig.records(Kind.CLOSED)]


def test_a_read_becomes_a_coil_and_the_coil_goes_off_again(rig: Rig) -> None:
    rig.scanner.send(label(1, lane=1))
    until(lambda: rig.nodes[0].n_fires[3], "the coil")
    until(lambda: not rig.nodes[0].coils[3], "the end of the pulse")
    (closed,) = rig.until_told(Kind.CLOSED)
    assert (closed["chute"], Reason(closed["reason"]).name) == (0, "OK_UNCONFIRMED")
    assert not any(rig.nodes[1].coils)
    machine = rig.reactor.statistics()
    assert (machine.n_fires, machine.n_fires_voided, machine.read_to_command.n) == (1, 0, 1)
    assert machine.fire_lateness.n == 1
    assert machine.n_inputs_lost == 0


def test_every_record_of_a_parcel_is_told_in_order(rig: Rig) -> None:
    rig.scanner.send(label(1, lane=2))
    rig.until_told(Kind.CLOSED)
    told = [Kind(record["kind"]).name for record in rig.told if record["kind"] < Kind.LINK]
    wanted = ["READ", "OPENED", "DECIDED", "COMMITTED", "FIRE_OUTPUT", "FIRE_RESULT", "FIRED", "CLOSED"]
    assert [kind for kind in told if kind in wanted] == wanted


def test_a_burst_in_one_segment_is_sorted_parcel_by_parcel(rig: Rig) -> None:
    rig.scanner.send(b"".join(label(i, lane=1 + i % 2) for i in range(2)))
    rig.until_told(Kind.CLOSED, 2)
    assert reasons(rig) == ["OK_UNCONFIRMED"] * 2


@pytest.mark.parametrize(
    ("stamp", "counts", "value", "flag"),
    [(Stamp.ENCODER, 4711, 0, Flag.LATCHED), (Stamp.TRIGGER, NO_COUNTS, 4711, Flag.TRIGGERED)],
)
def test_a_stamp_comes_with_the_read(
    tmp_path: Path, stamp: Stamp, counts: int, value: int, flag: Flag
) -> None:
    framing = {"stamp": stamp, "stamp_digits": 10, "separator": b";", "n_separator": 1}
    with Rig(tmp_path, framing=framing) as rig:
        rig.attach()
        rig.scanner.send(b"\x024711;" + label(1, lane=1)[1:])
        (read,) = rig.until_told(Kind.READ)
        assert (read["counts"], read["value"], read["flags"]) == (counts, value, flag)
        assert read["text"] == label(1, lane=1)[1:-1]


# Against pymodbus, an independent peer


def test_libmodbus_as_the_node(tmp_path: Path) -> None:
    node = LibmodbusNode(tmp_path)
    with Rig(tmp_path, machine=True) as rig:
        rig.attach()
        rig.reactor.attach(LINK_FIRST, connected(node.port))
        rig.until_up(0, 1)
        until(lambda: rig.reactor.statistics().links[LINK_FIRST].n_frames > 20, "answers")
        assert rig.reactor.stop(2.0)
        assert rig.refusals(LINK_FIRST) == {}
    node.close()


def test_libmodbus_on_a_line_as_the_node(tmp_path: Path) -> None:
    """A pty has two ends, and libmodbus opens the one that has a name."""
    near, far = os.openpty()
    tty.setraw(near)
    tty.setraw(far)
    os.set_blocking(near, False)
    node = LibmodbusNode(tmp_path, os.ttyname(far))
    with Rig(tmp_path, os.ttyname(far), machine=True) as rig:
        rig.attach()
        rig.reactor.attach(LINK_FIRST, near)
        rig.until_up(0, 1)
        until(lambda: rig.reactor.statistics().links[LINK_FIRST].n_frames > 20, "answers")
        assert rig.reactor.stop(2.0)
        assert rig.refusals(LINK_FIRST) == {}
    node.close()
    os.close(far)


def test_pymodbus_as_the_node(tmp_path: Path) -> None:
    node = PymodbusNode()
    with Rig(tmp_path, hold_ms=1000) as rig:
        rig.attach()
        rig.reactor.attach(LINK_FIRST, connected(node.port))
        rig.until_up(0, 1)
        rig.scanner.send(label(1, lane=1))
        until(lambda: node.coil(3), "the coil of pymodbus")
        assert rig.reactor.stop(2.0)
        assert not node.coil(3)
        assert rig.refusals(LINK_FIRST) == {}
    node.close()


# Wrong answers


def crafted(spoil: Callable[[bytes], bytes]) -> tuple[NodeModel, Callable[[socket.socket], None]]:
    node = NodeModel()
    node.spoil = spoil
    return node, serve_node(node)


@pytest.mark.parametrize(
    ("spoil", "kind"),
    [
        (lambda frame: frame[:6] + b"\x07" + frame[7:], "wrong_unit"),
        (lambda frame: frame[:7] + b"\x03" + frame[8:], "wrong_function"),
        (lambda frame: frame[:4] + b"\0\7" + frame[6:] + b"\0", "wrong_length"),
        (lambda frame: frame[:8] + b"\x77" + frame[9:], "wrong_echo"),
        (lambda frame: frame[:4] + b"\0\3" + frame[6:7] + bytes([frame[7] | 0x80, 4]), "exception"),
        (lambda frame: frame[:5], "timeout"),
        (lambda frame: b"", "timeout"),
    ],
)
def test_a_wrong_answer_is_counted_by_kind_and_disturbs_nobody_else(
    tmp_path: Path, spoil: Callable[[bytes], bytes], kind: str
) -> None:
    _, serve = crafted(spoil)
    with Rig(tmp_path, serve) as rig:
        rig.attach()
        rig.attach_first()
        rig.until_up(1)
        rig.until_refused(LINK_FIRST, kind)
        rig.scanner.send(label(1, lane=2))
        until(lambda: rig.nodes[1].n_fires[0], "the other node's coil")
        until(lambda: not rig.nodes[1].coils[0], "its end")
        rig.scanner.send(label(2, lane=1))
        rig.until_told(Kind.CLOSED, 2)
        assert reasons(rig) == ["OK_UNCONFIRMED", "NODE_DOWN"]
        assert rig.refusals(LINK_SECOND) == {}
        assert rig.reactor.statistics().nodes[0] != "up"


@pytest.mark.parametrize(
    ("spoil", "fault"),
    [
        (lambda frame: 8 * (b"\x77\x77" + frame[2:]), LinkFault.FOREIGN),
        (lambda frame: b"HTTP/1.1 400 Bad Request\r\n\r\n", LinkFault.GARBAGE),
    ],
)
def test_what_breaks_a_stream_ends_the_connection(
    tmp_path: Path, spoil: Callable[[bytes], bytes], fault: LinkFault
) -> None:
    _, serve = crafted(spoil)
    with Rig(tmp_path, serve) as rig:
        rig.attach_first()
        told = rig.until_told(Kind.LINK, 2)
        assert [(record["device"], record["value"], record["reason"]) for record in told] == [
            (LINK_FIRST, 1, LinkFault.NONE),
            (LINK_FIRST, 0, fault),
        ]


def test_a_node_that_falls_silent_is_down_and_the_other_goes_on(rig: Rig) -> None:
    rig.nodes[0].is_silent = True
    for i in range(3):
        rig.scanner.send(label(i, lane=1))
        rig.until_told(Kind.CLOSED, i + 1)
    until(lambda: rig.reactor.statistics().nodes[0] != "up", "the breaker")
    rig.scanner.send(label(10, lane=1) + label(11, lane=2))
    rig.until_told(Kind.CLOSED, 5)
    assert reasons(rig)[-2:] == ["NODE_DOWN", "OK_UNCONFIRMED"]
    rig.nodes[0].is_silent = False
    rig.until_up(0)


def test_a_connection_that_brings_nothing_any_more_is_given_up(rig: Rig) -> None:
    """A device that was switched off and on knows nothing of the connection: it has to be dialled anew."""
    rig.nodes[0].is_silent = True
    rig.scanner.send(label(1, lane=1))
    lost = until(lambda: [r for r in rig.records(Kind.LINK) if r["value"] == 0], "LINK")
    assert [(record["device"], record["reason"]) for record in lost] == [(LINK_FIRST, LinkFault.SILENT)]
    rig.nodes[0].is_silent = False
    rig.attach_first()
    rig.until_up(0)


def test_rtu_frames_over_tcp_sort(tmp_path: Path) -> None:
    """A gateway that only passes bytes on."""
    node = NodeModel(rtu=True)
    with Rig(tmp_path, serve_node(node), first_kind="modbus-rtu-tcp") as rig:
        rig.attach()
        rig.attach_first()
        rig.until_up(0)
        rig.scanner.send(label(1, lane=1))
        until(lambda: node.n_fires[3], "the coil")
        until(lambda: not node.coils[3], "the end of the pulse")
        assert rig.refusals(LINK_FIRST) == {}


# RTU on a pty


def test_rtu_on_a_pty_sorts_and_a_late_answer_is_never_the_next_ones(tmp_path: Path) -> None:
    line = PtyNode()
    with Rig(tmp_path, line.path) as rig:
        rig.attach()
        rig.reactor.attach(LINK_FIRST, line.fd)
        rig.until_up(0, 1)
        held: list[bytes] = []
        line.node.spoil = lambda frame: held.append(frame) or b""  # type: ignore[func-returns-value]
        rig.scanner.send(label(1, lane=1))
        rig.until_refused(LINK_FIRST, "timeout")
        line.node.spoil = lambda frame: frame
        line.send(held[0])
        rig.until_refused(LINK_FIRST, "late")
        until(lambda: not line.node.coils[3], "the coil's end")
        assert rig.reactor.statistics().nodes[0] == "up"
        n_fires = line.node.n_fires[3]
        rig.scanner.send(label(2, lane=1))
        until(lambda: line.node.n_fires[3] > n_fires, "the next coil")
        assert not rig.refusals(LINK_FIRST).keys() & {"wrong_echo", "garbage", "bad_crc"}
    line.close()


# Scanners


def test_a_megabyte_without_terminator_then_a_label(rig: Rig) -> None:
    for _ in range(256):
        rig.scanner.send(b"\x02" + b"7" * 4095)
    rig.scanner.send(b"\x03" + label(1, lane=1))
    rig.until_told(Kind.CLOSED)
    assert reasons(rig) == ["OK_UNCONFIRMED"]
    assert rig.refusals(LINK_SCANNER)["overlong"] >= 1


def test_noise_and_nul_bytes_are_counted(rig: Rig) -> None:
    rig.scanner.send(b"\0\0\0xyz\x02abc\0def\x03" + label(1, lane=1))
    rig.until_told(Kind.CLOSED)
    assert rig.refusals(LINK_SCANNER) == {"noise": 1, "unprintable": 1}


def test_half_a_frame_then_silence_is_counted_without_another_byte(rig: Rig) -> None:
    rig.scanner.send(label(1, lane=1)[:10])
    rig.until_refused(LINK_SCANNER, "half_frame")
    rig.scanner.send(label(1, lane=1))
    rig.until_told(Kind.CLOSED)
    assert reasons(rig) == ["OK_UNCONFIRMED"]


def test_a_frame_a_byte_at_a_time(rig: Rig) -> None:
    for byte in label(1, lane=1):
        rig.scanner.send(bytes([byte]))
    rig.until_told(Kind.CLOSED)
    assert reasons(rig) == ["OK_UNCONFIRMED"]
    assert rig.refusals(LINK_SCANNER) == {}


def test_a_no_read_goes_to_the_exception(rig: Rig) -> None:
    rig.scanner.send(b"\x02NoRead\x03")
    rig.until_told(Kind.CLOSED)
    assert reasons(rig) == ["NO_READ"]


# Links that come and go


def test_a_link_that_is_hung_up_is_told_and_can_be_attached_again(rig: Rig) -> None:
    rig.servers[0].hang_up()
    until(lambda: any(r["value"] == 0 and r["device"] == LINK_FIRST for r in rig.records(Kind.LINK)), "LINK")
    rig.scanner.send(label(1, lane=1))
    rig.until_told(Kind.CLOSED)
    assert reasons(rig) == ["NODE_DOWN"]
    rig.attach_first()
    rig.until_up(0)
    rig.scanner.send(label(2, lane=1))
    rig.until_told(Kind.CLOSED, 2)
    assert reasons(rig)[-1] == "OK_UNCONFIRMED"
    assert rig.reactor.statistics().links[LINK_FIRST].n_attached == 2


def test_a_second_connection_takes_the_place_of_the_first(rig: Rig) -> None:
    rig.reactor.attach(LINK_SCANNER, connected(rig.scanner.port))
    lost = until(lambda: [r for r in rig.records(Kind.LINK) if r["value"] == 0], "LINK")
    assert lost[0]["reason"] == LinkFault.REPLACED
    assert rig.reactor.statistics().links[LINK_SCANNER].is_up


def test_a_descriptor_that_cannot_be_watched_is_a_lost_link(rig: Rig, tmp_path: Path) -> None:
    file = os.open(tmp_path / "file", os.O_CREAT | os.O_RDWR)
    rig.reactor.attach(LINK_SCANNER, file)
    told = until(
        lambda: [r["reason"] for r in rig.records(Kind.LINK) if r["value"] == 0][1:], "a second LINK"
    )
    assert told == [LinkFault.BROKEN]


# From Python


def test_a_closed_chute_is_passed_over_and_a_swapped_plan_decides(rig: Rig) -> None:
    close = empty(1)
    close["kind"], close["chute"], close["value"] = Kind.OPERATE, 0, ChuteState.CLOSED
    rig.reactor.post(close)
    rig.until_told(Kind.OPERATE)
    rig.scanner.send(label(1, lane=1))
    rig.until_told(Kind.CLOSED)
    assert reasons(rig) == ["CHUTE_CLOSED"]
    assert rig.site.plan is not None
    lanes = [lane.model_copy(update={"chutes": ["C2"]}) for lane in rig.site.plan.lanes]
    other = rig.site.plan.model_copy(update={"lanes": lanes})
    rig.reactor.swap_plan(compile_plan(other, rig.site.hub))
    rig.scanner.send(label(2, lane=1))
    until(lambda: rig.nodes[1].n_fires[0], "the coil by the new plan")


def test_records_that_find_the_ring_full_are_counted_and_the_sorting_goes_on(tmp_path: Path) -> None:
    with Rig(tmp_path, n_records=4) as rig:
        rig.attach()
        rig.until_up(1)
        rig.scanner.send(label(1, lane=2))
        until(lambda: rig.nodes[1].n_fires[0], "the coil")
        assert rig.reactor.statistics().n_records_lost > 0
        assert len(rig.reactor.drain()) == 4


def slice_ns_of(thread: str) -> int:
    """How long a thread runs before others, as it has asked for or by default."""
    told = ctypes.create_string_buffer(56)
    assert ctypes.CDLL(None).syscall(SCHED_GETATTR, int(thread), told, len(told), 0) == 0
    return int(struct.unpack_from("=Q", told, 24)[0])


@pytest.mark.skipif(
    LINUX < (6, 12) or SCHED_GETATTR < 0, reason="before Linux 6.12 nobody can ask for a slice"
)
def test_it_asks_to_run_as_soon_as_it_wakes(tmp_path: Path) -> None:
    def slices_ns() -> set[int]:
        return set(map(slice_ns_of, os.listdir("/proc/self/task")))

    with Rig(tmp_path):
        until(lambda: slices_ns() & {100_000}, "a thread with short slices")
        assert 100_000 in slices_ns()
    assert 100_000 not in slices_ns()


def test_a_read_is_answered_while_python_holds_the_gil(rig: Rig) -> None:
    rig.scanner.send(label(1, lane=1))
    pow(7, 1_500_000)  # a second or so inside one C call, which no other Python thread interrupts
    released_ns = time.monotonic_ns()
    (fired,) = rig.until_told(Kind.FIRED)
    assert fired["t_ns"] < released_ns


def test_stopping_closes_every_parcel_and_every_coil(tmp_path: Path) -> None:
    with Rig(tmp_path, hold_ms=5000) as rig:
        rig.attach()
        rig.attach_first()
        rig.until_up(0, 1)
        rig.scanner.send(label(1, lane=1))
        until(lambda: rig.nodes[0].n_fires[3], "the coil")
        assert rig.reactor.stop(2.0)
        assert not any(rig.nodes[0].coils)
        assert [record["value"] for record in rig.records(Kind.CLOSED)] == [Disposition.SORTED]
        assert rig.reactor.stop(2.0)


def test_stopping_tells_when_a_coil_was_not_proved_off(rig: Rig) -> None:
    rig.nodes[0].is_silent = True
    assert not rig.reactor.stop(2.0)
    assert rig.records(Kind.FLUSH)


def test_an_unstarted_reactor_stops_and_one_starts_only_once(tmp_path: Path) -> None:
    site = load_site("station")
    assert site.plan is not None
    kernel = Kernel(compile_layout(site.hub), compile_plan(site.plan, site.hub))
    wiring = compile_wiring(site.hub)
    assert not Reactor(kernel, wiring).stop()
    reactor = Reactor(kernel, wiring)
    reactor.start()
    with pytest.raises(RuntimeError, match="started before"):
        reactor.start()
    with pytest.raises(ValueError, match="link 9"):
        reactor.attach(9, 0)
    with pytest.raises(ValueError, match="dtype"):
        reactor.post(np.zeros(1))
    posted = empty(1)
    with pytest.raises(ValueError, match="kind 0"):
        reactor.post(posted)
    for kind in (Kind.FIRE_RESULT, Kind.FIRE_OUTPUT, Kind.LINK):
        posted["kind"] = kind
        with pytest.raises(ValueError, match=f"kind {kind}"):
            reactor.post(posted)
    assert reactor.stop()


def test_a_cpu_that_is_not_there_is_told(tmp_path: Path) -> None:
    site = load_site("station")
    reactor = Reactor(Kernel(compile_layout(site.hub), None), compile_wiring(site.hub))
    with pytest.raises(OSError, match="argument"):
        reactor.start(cpu=4000)


@pytest.mark.parametrize("n_records", [0, 1, 3, 1000])
def test_a_ring_that_is_no_power_of_two_is_refused(n_records: int) -> None:
    site = load_site("station")
    with pytest.raises(ValueError, match="power of two"):
        Reactor(Kernel(compile_layout(site.hub), None), compile_wiring(site.hub), n_records=n_records)
