"""The Python face of the reactor: starts and stops the loop's thread, and exchanges records with it.

The thread gives up the GIL once and takes it back only to end. Everything between it and Python goes through
two rings and a few words that are read and written whole.
"""

import os
import signal
import threading
import time
from typing import NamedTuple

import numpy as np

from libc.stdint cimport uint8_t, uint32_t, uint64_t

from hubctl._histogram cimport Histogram, quantile_ns
from hubctl._kernel cimport Kernel
from hubctl._loop cimport Loop, loop_free, loop_new, loop_open, loop_run
from hubctl._records cimport Record
from hubctl._ring cimport hub_release, ring_pop, ring_push, ring_used
from hubctl._system cimport hub_ring_bell
from hubctl._tables cimport SCALE, SCANNER, Framing, Gauging
from hubctl._wires cimport Wires

from hubctl._framer import FrameKind, check_framing
from hubctl._gauge import GaugeSaid, check_gauging
from hubctl._wheel import WheelSaid
from hubctl._wire import Refusal
from hubctl.core.events import RECORD as _RECORD
from hubctl.core.events import Kind, LinkFault

NODE_STATES = ("absent", "preparing", "clearing", "checking", "baseline", "up", "safe", "unsafe")


class Spread(NamedTuple):
    """How a duration is spread over its occurrences; ns, to 3 %. The maximum is exact."""

    p50_ns: int
    p99_ns: int
    p999_ns: int
    max_ns: int
    n: int


class LinkStatistics(NamedTuple):
    """One link since the start."""

    is_up: bool
    fault: LinkFault  # why it was last lost
    n_attached: int
    n_bytes: int  # received
    n_frames: int  # replies accepted, or labels and no-reads
    refusals: dict[str, int]  # by kind; kinds that never came are left out
    round_trip: Spread  # Modbus: question to answer
    poll_lateness: Spread = Spread(0, 0, 0, 0, 0)  # Modbus: polls behind their schedule


class Statistics(NamedTuple):
    """The reactor since its start. Each number is whole; together they are a few microseconds apart."""

    links: tuple[LinkStatistics, ...]
    nodes: tuple[str, ...]  # state of each
    read_to_command: Spread  # receipt of a read's bytes to the end of the step and of the writes it caused
    fire_lateness: Spread  # write of a coil after the computed instant
    n_steps: int
    n_fires: int
    n_fires_voided: int
    n_records_lost: int  # the ring to Python was full
    n_inputs_lost: int  # our mistake if not 0


cdef object spread_of(const Histogram* h):
    return Spread(quantile_ns(h, 500), quantile_ns(h, 990), quantile_ns(h, 999), h.max_ns, h.n)


cdef class Reactor:
    """Joins a kernel to its devices on a thread of its own.

    Parameters
    ----------
    kernel : Kernel
        Belongs to the reactor from `start` to `stop`; nobody else may step it meanwhile.
    wiring : hubctl.core.tables.Wiring
    n_records : int
        Size of the ring to Python, a power of two. What finds it full is lost, and counted.
    epoch : int or None
        Of this host, for nodes with our firmware: 1 to 2**32 - 1, above that of every host before; None for the
        seconds of the calendar.

    Examples
    --------
    ::

        reactor = Reactor(kernel, wiring)
        reactor.start(cpu=1)
        reactor.attach(0, fd)  # the reactor owns and closes it from here
        records = reactor.drain()
        reactor.stop(timeout_s=1.0)
    """

    cdef Loop* loop
    cdef Kernel kernel
    cdef Wires wires
    cdef object _keep
    cdef object _thread
    cdef object _started
    cdef object _failure

    def __init__(self, kernel: Kernel, wiring, *, n_records: int = 65536, epoch: int | None = None):
        cdef const uint8_t[::1] framings, gaugings
        if n_records < 2 or n_records & (n_records - 1):
            raise ValueError(f"n_records {n_records}: must be a power of two from 2")
        self.kernel = kernel
        self.wires = Wires(wiring)
        self.wires.field.epoch = <uint32_t>(int(time.time()) if epoch is None else epoch)
        _check_scanners(wiring)
        # One row more, since an empty array has no address.
        framings = np.frombuffer(wiring.framings.tobytes() + bytes(sizeof(Framing)), np.uint8)
        gaugings = np.frombuffer(wiring.gaugings.tobytes() + bytes(sizeof(Gauging)), np.uint8)
        self._keep = framings, gaugings
        self.loop = loop_new(
            &self.wires.field, <const Framing*>&framings[0], <const Gauging*>&gaugings[0], n_records
        )
        if self.loop is NULL:
            raise MemoryError("no memory for the reactor")
        self.loop.kernel = kernel.state
        self._started = threading.Event()

    def __dealloc__(self):
        loop_free(self.loop)

    def start(self, *, cpu: int | None = None, fifo_priority: int | None = None) -> None:
        """Starts the thread, on one CPU and with a real-time priority if asked for.

        Raises
        ------
        OSError
            No descriptors left, no such CPU, or no right to a real-time priority.
        """
        if self._thread is not None:
            raise RuntimeError("the reactor was started before; make a new one")
        if not loop_open(self.loop):
            raise OSError("the reactor finds no descriptor for its timer")
        self._thread = threading.Thread(target=self._run, args=(cpu, fifo_priority), name="reactor", daemon=True)
        self._thread.start()
        self._started.wait()
        if self._failure is not None:
            raise self._failure

    def _run(self, cpu, fifo_priority):
        try:
            _prepare_thread(cpu, fifo_priority)
        except OSError as failure:
            self._failure = failure
            return
        finally:
            self._started.set()
        with nogil:
            loop_run(self.loop)

    def attach(self, link: int, fd: int) -> None:
        """Hands over a connected, non-blocking descriptor; the reactor owns and closes it from here.

        A descriptor that the link had before is closed. LINK records tell when the link is up and when it is lost.
        """
        if not 0 <= link < self.loop.n_links:
            raise ValueError(f"link {link}: must be 0 to {self.loop.n_links - 1}")
        record = np.zeros(1, _RECORD)
        record["kind"], record["device"], record["value"] = Kind.LINK, link, fd
        self._push(record)

    def post(self, records: np.ndarray) -> None:
        """What people, hosts and time tell the kernel: inputs of any kind, shape (n,); t_ns 0 becomes that of arrival.

        The kernel refuses, and counts, what names a device or chute that the hub does not have.

        Raises
        ------
        ValueError
            A kind that is no input, or the reactor's own; nothing is taken.
        BufferError
            The ring is full; the records before that one were taken.
        """
        if records.dtype != _RECORD:
            raise ValueError(f"records of dtype {records.dtype}: must be RECORD")
        for kind in records["kind"]:
            if not 0 < kind < Kind.FIRE_OUTPUT or kind == Kind.FIRE_RESULT:
                raise ValueError(f"kind {kind}: must be an input's, and not the reactor's own")
        self._push(np.ascontiguousarray(records))

    cdef _push(self, records):
        cdef const uint8_t[::1] memory
        cdef Py_ssize_t i
        if len(records) == 0:
            return
        memory = records.view(np.uint8)
        for i in range(memory.shape[0] // <Py_ssize_t>sizeof(Record)):
            if not ring_push(&self.loop.inputs, <const Record*>&memory[i * <Py_ssize_t>sizeof(Record)]):
                raise BufferError(f"the reactor's input ring is full at record {i}")
        hub_ring_bell(self.loop.bell_fd)

    def node_faults(self) -> list[tuple[int, int, int] | None]:
        """For each node: the step of its profile that keeps it down, the exception it was answered by, or the word."""
        return self.wires.faults()

    def node_words(self) -> list[int | None]:
        """For each node: the word that its profile wants shown to people; None: it has none, or it is not up."""
        return self.wires.told()

    def drain(self) -> np.ndarray:
        """Everything that was told since the last call, in order, shape (n,)."""
        cdef uint8_t[::1] memory
        cdef uint64_t n = ring_used(&self.loop.records)
        cdef uint64_t i
        records = np.zeros(n, _RECORD)
        if n:
            memory = records.view(np.uint8)
            for i in range(n):
                ring_pop(&self.loop.records, <Record*>&memory[i * sizeof(Record)])
        return records

    def swap_plan(self, plan) -> None:
        """Decides by `plan` from the next step on. Parcels already decided keep theirs."""
        hub_release(&self.loop.plan_next, <uint64_t>self.kernel.own_plan(plan))
        hub_ring_bell(self.loop.bell_fd)

    def stop(self, timeout_s: float = 2.0) -> bool:
        """Closes every track, switches every coil off, and ends the thread.

        Returns whether all coils of connected nodes were read back as off; never waits longer than the timeout
        and a moment.
        """
        if self._thread is None or not self._thread.is_alive():
            return bool(self.loop.is_safe)
        hub_release(&self.loop.stop_by_ns, time.monotonic_ns() + int(timeout_s * 1e9))
        hub_ring_bell(self.loop.bell_fd)
        self._thread.join()
        return bool(self.loop.is_safe)

    def statistics(self) -> Statistics:
        """A snapshot of the counts."""
        return Statistics(
            links=tuple(self._link(i) for i in range(self.loop.n_links)),
            nodes=tuple(NODE_STATES[self.wires.field.node_status[i].state] for i in range(self.wires.field.n_nodes)),
            read_to_command=spread_of(&self.loop.read_to_command),
            fire_lateness=spread_of(&self.loop.fire_lateness),
            n_steps=self.loop.n_steps,
            n_fires=self.loop.n_fires,
            n_fires_voided=self.loop.n_voided,
            n_records_lost=self.loop.records.n_lost,
            n_inputs_lost=self.loop.batch.n_lost + self.loop.spare.n_lost,
        )

    def _link(self, i: int):
        cdef int k = i
        common = {
            "is_up": self.loop.links[k].fd >= 0,
            "fault": LinkFault(self.loop.links[k].fault),
            "n_attached": self.loop.links[k].n_attached,
            "n_bytes": self.loop.links[k].n_bytes,
        }
        if self.loop.links[k].wheels is not NULL:
            return LinkStatistics(**common, **self._wheels(k))
        if self.loop.links[k].master is NULL:
            said = self._scale(k) if self.loop.links[k].scale >= 0 else self._scanner(k)
            return LinkStatistics(**common, **said)
        return LinkStatistics(**common, **self._modbus(k))

    def _scanner(self, k: int):
        cdef uint64_t* told = self.loop.links[<int>k].dialogue.framer.told
        counts = {kind: told[<int>kind] for kind in FrameKind}
        n_frames = counts.pop(FrameKind.LABEL) + counts.pop(FrameKind.NO_READ)
        refusals = {kind.name.lower(): n for kind, n in counts.items() if n}
        return {"n_frames": n_frames, "refusals": refusals, "round_trip": Spread(0, 0, 0, 0, 0)}

    def _wheels(self, k: int):
        cdef uint64_t* told = self.loop.links[<int>k].wheels.told
        counts = {kind: told[<int>kind] for kind in WheelSaid}
        n_frames = sum(counts.pop(kind) for kind in (WheelSaid.STATUS, WheelSaid.ACK, WheelSaid.DONE, WheelSaid.SPEED))
        refusals = {kind.name.lower(): n for kind, n in counts.items() if n}
        return {"n_frames": n_frames, "refusals": refusals, "round_trip": Spread(0, 0, 0, 0, 0)}

    def _scale(self, k: int):
        cdef uint64_t* told = self.loop.links[<int>k].gauge.told
        counts = {kind: told[<int>kind] for kind in GaugeSaid}
        n_frames = counts.pop(GaugeSaid.GAUGED)
        refusals = {kind.name.lower(): n for kind, n in counts.items() if n}
        return {"n_frames": n_frames, "refusals": refusals, "round_trip": Spread(0, 0, 0, 0, 0)}

    def _modbus(self, k: int):
        cdef uint64_t* refused = self.loop.links[<int>k].master.channel.refused
        refusals = {kind.name.lower(): refused[<int>kind] for kind in Refusal if refused[<int>kind]}
        return {
            "n_frames": self.loop.links[<int>k].master.channel.n_accepted,
            "refusals": refusals,
            "round_trip": spread_of(&self.loop.links[<int>k].master.round_trip),
            "poll_lateness": spread_of(&self.loop.links[<int>k].master.poll_lateness),
        }


def _prepare_thread(cpu: int | None, fifo_priority: int | None) -> None:
    # Signals are the main thread's: none may interrupt the loop.
    signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    if cpu is not None:
        os.sched_setaffinity(0, {cpu})
    if fifo_priority is not None:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(fifo_priority))


def _check_scanners(wiring) -> None:
    for framing in wiring.framings:
        check_framing(framing)
    for gauging in wiring.gaugings:
        check_gauging(gauging)
    for name, kind, rows in (("scanner", SCANNER, wiring.framings), ("scale", SCALE, wiring.gaugings)):
        speaks = wiring.links["scanner"][wiring.links["kind"] == kind]
        if len(speaks) and speaks.max() >= len(rows):
            raise ValueError(f"a link of {name} {speaks.max()}: must be below {len(rows)}")
