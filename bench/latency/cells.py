"""One cell of the table: a program on a load at a rate, between a source and sinks that stamp."""

from __future__ import annotations

import mmap
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from latency.compiled import compiled
from latency.figures import Figures, Run, figures
from latency.load import SILENT_LANE, Load, write_labels, write_plan
from latency.processes import Child, ChildError
from latency.programs import PROGRAMS, Program, Site

SENT = np.dtype("<i8")  # as source.c writes it
WRITTEN = np.dtype([("t_ns", "<i8"), ("coil", "<u4"), ("on", "<u4")])  # as sink.c writes it

START_S = 30.0
PROBE_PERIOD_S = 0.1
N_PROBES_MAX = 100
SETTLE_S = 0.2  # longer than the hold, so that no coil of the probes is still on
N_WARM_UP = 20
WARM_UP_NS = 5_000_000
QUIET_S = 0.8  # longer than a program stops for a collection; some probes are never answered
DRAIN_S = 1.0
POLL_S = 0.005


@dataclass(frozen=True)
class Cell:
    """What to run: the program by name, reads a second, for how long, on which CPU, and disturbed by what."""

    program: str
    rate: int
    seconds: float
    cpu: int | None = None
    disturbance: str | None = None  # inside the program
    one_silent: bool = False  # the second node falls silent
    cores_loaded: bool = False  # a busy process on each CPU

    @property
    def n_reads(self) -> int:
        """Reads in the run."""
        return max(1, round(self.rate * self.seconds))


class Stamps:
    """Shared memory that a C program fills with stamps: their number, then the stamps."""

    def __init__(self, dtype: np.dtype[Any], capacity: int) -> None:
        self.capacity = capacity
        self.fd = os.memfd_create("stamps")
        os.ftruncate(self.fd, 8 + capacity * dtype.itemsize)
        memory = mmap.mmap(self.fd, 0)
        self._n = np.frombuffer(memory, "<u8", 1)
        self._stamps = np.frombuffer(memory, dtype, capacity, 8)

    def __enter__(self) -> Stamps:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self.fd)

    def count(self) -> int:
        """Stamps so far."""
        return int(self._n[0])

    def since(self, first: int) -> npt.NDArray[Any]:
        """A copy of the stamps from number `first` on."""
        return self._stamps[first : self.count()].copy()


@dataclass(frozen=True)
class Bench:
    """Everything of one cell, running."""

    load: Load
    source: Child
    program: Child
    reads: Stamps
    writes: tuple[Stamps, ...]  # one for each node


def wait_until(what: Callable[[], bool], timeout_s: float) -> bool:
    """Whether it came true in time."""
    deadline_s = time.monotonic() + timeout_s
    while not what():
        if time.monotonic() > deadline_s:
            return False
        time.sleep(POLL_S)
    return True


def port_of(child: Child) -> int:
    """The port that a source or sink says it listens on."""
    return int(child.hear(START_S).removeprefix("port "))


def errors_of(stack: ExitStack) -> Any:
    """A file for a child's standard error."""
    return stack.enter_context(tempfile.TemporaryFile())


def pinned(cell: Cell) -> tuple[int, ...] | None:
    """The CPUs of the source, the sinks and a program that does not pin itself."""
    return None if cell.cpu is None else (cell.cpu,)


def start_source(stack: ExitStack, cell: Cell, labels: Path, reads: Stamps) -> Child:
    """The scanner, not yet connected."""
    command = [str(compiled("source")), str(labels), str(reads.fd), str(reads.capacity)]
    child = Child("source", command, errors_of(stack), cpus=pinned(cell), shared_fds=[reads.fd])
    return stack.enter_context(child)


def start_sink(stack: ExitStack, cell: Cell, writes: Stamps, manner: str) -> Child:
    """One node; `manner` is as sink.c takes it."""
    command = [str(compiled("sink")), str(writes.fd), str(writes.capacity), manner]
    child = Child("sink", command, errors_of(stack), cpus=pinned(cell), shared_fds=[writes.fd])
    return stack.enter_context(child)


def start_program(stack: ExitStack, cell: Cell, program: Program, site: Site) -> Child:
    """The program measured, connecting by itself."""
    cpus = None if program.pins_itself else pinned(cell)
    return stack.enter_context(Child(cell.program, program.command(site), errors_of(stack), cpus=cpus))


def load_cores(stack: ExitStack) -> None:
    """A busy process on each CPU."""
    command = [sys.executable, "-c", "while True: pass"]
    for cpu in os.sched_getaffinity(0):
        stack.enter_context(Child("busy process", command, errors_of(stack), cpus=(cpu,)))


def start_sinks(stack: ExitStack, cell: Cell, capacity: int) -> tuple[tuple[Stamps, ...], tuple[int, ...]]:
    """The two nodes: their stamps and their ports."""
    manners = ("answers", "falls-silent" if cell.one_silent else "answers")
    writes = tuple(stack.enter_context(Stamps(WRITTEN, capacity)) for _ in manners)
    sinks = [start_sink(stack, cell, *each) for each in zip(writes, manners, strict=True)]
    return writes, tuple(port_of(sink) for sink in sinks)


@contextmanager
def started(cell: Cell, load: Load) -> Iterator[Bench]:
    """Source, sinks and program, ended with the `with` block."""
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="hubctl-latency-")))
        write_labels(load, directory / "labels.txt")
        write_plan(load, directory / "plan.txt")
        capacity = 4 * (cell.n_reads + N_PROBES_MAX + N_WARM_UP)
        reads = stack.enter_context(Stamps(SENT, capacity))
        source = start_source(stack, cell, directory / "labels.txt", reads)
        writes, node_ports = start_sinks(stack, cell, capacity)
        site = Site(directory, port_of(source), node_ports, cell.cpu, cell.disturbance)
        program = start_program(stack, cell, PROGRAMS[cell.program], site)
        yield Bench(load, source, program, reads, writes)


def send(bench: Bench, n_reads: int, interval_ns: int) -> None:
    """Sends reads to their schedule and waits for the last to be sent."""
    bench.source.say(f"{n_reads} {interval_ns}")
    bench.source.hear(START_S + n_reads * interval_ns / 1e9)


def wait_connected(bench: Bench) -> None:
    """Waits for the program to connect to its scanner, and no longer if it has ended."""
    try:
        bench.source.hear(START_S)
    except ChildError as error:
        raise ChildError(f"{bench.program.name} did not connect: {bench.program.last_words()}") from error


def probe(bench: Bench) -> None:
    """Sends a read now and then until one is answered: the program is ready."""
    for _ in range(N_PROBES_MAX):
        bench.program.check_alive()
        send(bench, 1, 0)
        if wait_until(lambda: bench.writes[0].count() > 0, PROBE_PERIOD_S):
            return
    raise ChildError(f"{bench.program.name} fires nothing: {bench.program.last_words()}")


def settle(bench: Bench) -> None:
    """Waits until every read is answered, or nothing has been written for a while; then all coils go off."""
    quiet_from_s, n_written = time.monotonic(), -1
    while sum(n_switched_on(writes, 0) for writes in bench.writes) < bench.reads.count():
        if n_written != sum(writes.count() for writes in bench.writes):
            quiet_from_s, n_written = time.monotonic(), sum(writes.count() for writes in bench.writes)
        elif time.monotonic() - quiet_from_s > QUIET_S:
            break
        time.sleep(POLL_S)
    time.sleep(SETTLE_S)


def warm_up(bench: Bench) -> None:
    """A few reads that are not counted, once the probes are done with."""
    settle(bench)
    send(bench, N_WARM_UP, WARM_UP_NS)
    settle(bench)


def n_switched_on(writes: Stamps, first: int) -> int:
    """How many of the stamps from number `first` on are of coils switched on."""
    return int(np.count_nonzero(writes.since(first)["on"]))


def measure(bench: Bench, cell: Cell) -> Run:
    """Sends the cell's reads and gathers the stamps of those for the first node, and of its coils."""
    first_read, first_write = bench.reads.count(), bench.writes[0].count()
    before_ns = bench.program.cpu_ns()
    send(bench, cell.n_reads, round(1e9 / cell.rate))
    lanes = bench.load.lanes[np.arange(first_read, bench.reads.count()) % len(bench.load.lanes)]
    healthy = lanes != SILENT_LANE
    n_healthy = int(np.count_nonzero(healthy))
    wait_until(lambda: n_switched_on(bench.writes[0], first_write) >= n_healthy, DRAIN_S)
    end_ns = time.monotonic_ns()
    writes = bench.writes[0].since(first_write)
    on = writes[writes["on"] == 1]
    return Run(
        sent_ns=bench.reads.since(first_read)[healthy],
        sent_lanes=lanes[healthy],
        on_ns=on["t_ns"],
        on_lanes=on["coil"].astype(np.int64),
        n_off=len(writes) - len(on),
        end_ns=end_ns,
        cpu_ns=bench.program.cpu_ns() - before_ns,
    )


def run_cell(cell: Cell, load: Load) -> Figures:
    """Starts everything, measures, ends everything.

    Raises
    ------
    ChildError
        The program ended, or never fired a coil; with its last words.
    """
    with ExitStack() as stack:
        bench = stack.enter_context(started(cell, load))
        wait_connected(bench)
        probe(bench)
        warm_up(bench)
        if cell.cores_loaded:
            load_cores(stack)
        return figures(measure(bench, cell))
