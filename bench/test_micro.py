"""Micro figures of the compiled parts by their Python faces: a step, a look-up, a frame of each protocol.

    pytest bench/test_micro.py --benchmark-enable

A call from Python adds some 100 ns and its arrays; `bench/kernel.py` times steps without.
"""

from __future__ import annotations

import numpy as np
from pytest_benchmark.fixture import BenchmarkFixture

from hubctl._framer import FrameKind, ScannerFramer
from hubctl._kernel import Kernel
from hubctl._lookup import LaneTable
from hubctl._wire import ModbusChannel
from hubctl.core.events import Kind, empty
from hubctl.core.labels import compile_formats, compose_many
from hubctl.core.layout import compile_layout
from hubctl.core.plan import compile_plan, lane_prefixes
from hubctl.core.site import load_site
from hubctl.core.wiring import compile_wiring

N_LABELS = 10_000
LABEL = b"420100039400111206206406260787"
MS = 1_000_000


def demo_table() -> LaneTable:
    plan = load_site("demo").plan
    assert plan is not None
    return LaneTable(compile_formats(plan.labels.accept), lane_prefixes(plan))


def test_kernel_step(benchmark: BenchmarkFixture) -> None:
    """An encoder sample on the demo hub."""
    hub, plan = load_site("demo")
    assert plan is not None
    kernel = Kernel(compile_layout(hub), compile_plan(plan, hub))
    sample = empty(1)
    sample["kind"] = Kind.ENCODER
    out = benchmark(kernel.step, 5 * MS, sample)
    assert len(out) == 0


def test_resolve(benchmark: BenchmarkFixture) -> None:
    """One label, from text to lane."""
    table = demo_table()
    assert benchmark(table.resolve, LABEL)[0] >= 0


def test_resolve_many(benchmark: BenchmarkFixture) -> None:
    """Ten thousand labels in one call."""
    serials = np.arange(N_LABELS, dtype=np.int64)
    labels = compose_many(
        "usps-impb", serials, np.array([b"%05d" % (serial * 7 + 501) for serial in serials])
    )
    _, lanes = benchmark(demo_table().resolve_many, labels)
    assert (lanes >= 0).all()


def test_scanner_frame(benchmark: BenchmarkFixture) -> None:
    """One telegram in one piece."""
    framer = ScannerFramer(compile_wiring(load_site("demo").hub).framings[0])
    told = benchmark(framer.receive, b"\x02" + LABEL + b"\x03", 0)
    assert [(event.kind, event.text) for event in told] == [(FrameKind.LABEL, LABEL)]


def test_modbus_exchange(benchmark: BenchmarkFixture) -> None:
    """One poll of 28 discrete inputs over TCP: request built, reply checked."""
    channel = ModbusChannel(rtu=False)

    def exchange() -> bytes:
        request = channel.send(0, unit=1, function=2, address=0, count=28, timeout_ns=100 * MS)
        reply = request[:4] + b"\x00\x07\x01\x02\x04\x01\x02\x03\x04"
        return channel.receive(reply, 0)[0].data

    assert benchmark(exchange) == b"\x01\x02\x03\x04"
