"""The loop that times the kernel's steps one by one, compiled, so that no interpreter stands in the way.

Each step is called by the address of its C function, as the reactor calls it, between two looks at
CLOCK_MONOTONIC; what two looks with nothing between them take is measured in the same way and taken off.
The record is written into one place beforehand, where the reactor too would have just written it.
"""

from __future__ import annotations

import ctypes
from typing import Any, NamedTuple

import numba
import numpy as np
import numpy.typing as npt
from numba.extending import get_cython_function_address

from hubctl._kernel import Kernel
from hubctl.core.events import RECORD, Disposition, Kind, Reason, empty
from kernel_steps.belt import PITCH_COUNTS, Rules, make_layout
from kernel_steps.inputs import Stream, What

N_OUT = 4096
CHUNK_PARCELS = 1000
MARGIN_PARCELS = 50  # after the belt is full, before anything is measured
N_LOOKS = 100_000
_COMMITTED, _FIRE, _CLOSED = int(Kind.COMMITTED), int(Kind.FIRE_OUTPUT), int(Kind.CLOSED)
_COMMIT_STEP, _FIRE_STEP = int(What.COMMIT), int(What.FIRE)
_SORTED, _OK = int(Disposition.SORTED), int(Reason.OK)
_MONOTONIC = 1

_Void, _Long, _Int = ctypes.c_void_p, ctypes.c_int64, ctypes.c_int
_step = ctypes.CFUNCTYPE(_Int, _Void, _Long, _Void, _Int, _Void, _Int)(
    get_cython_function_address("hubctl._kernel", "kernel_step")
)
_clock_gettime = ctypes.CDLL(None).clock_gettime
_clock_gettime.argtypes = [_Int, _Void]
_clock_gettime.restype = _Int


class Memory(NamedTuple):
    """What the loop reads and writes."""

    inputs: npt.NDArray[Any]  # RECORD, shape (1,)
    input_bytes: npt.NDArray[np.uint8]  # the same memory
    blank: npt.NDArray[Any]  # RECORD, shape (1,)
    out: npt.NDArray[Any]  # RECORD
    clock: npt.NDArray[np.int64]  # seconds, nanoseconds
    labels: npt.NDArray[np.uint8]  # shape (N_LABELS, 56)
    label_lengths: npt.NDArray[np.int64]
    closed: npt.NDArray[np.int64]  # [tracks closed, of these sorted with proof]


@numba.njit(inline="always")  # type: ignore[untyped-decorator]
def _now_ns(clock: Any) -> Any:
    _clock_gettime(_MONOTONIC, clock.ctypes.data)
    return clock[0] * 1_000_000_000 + clock[1]


@numba.njit(inline="always")  # type: ignore[untyped-decorator]
def _write(m: Any, event: Any) -> None:
    m.inputs[0] = m.blank[0]
    record = m.inputs[0]
    record["t_ns"] = event["t_ns"]
    record["counts"] = event["counts"]
    record["kind"] = event["kind"]
    record["device"] = event["device"]
    record["chute"] = event["chute"]
    record["value"] = event["value"]
    if event["what"] == 5:
        record["n_text"] = m.label_lengths[event["label"]]
        m.input_bytes[0, 72:] = m.labels[event["label"]]


@numba.njit(inline="always")  # type: ignore[untyped-decorator]
def _look_back(m: Any, what: Any, n_out: Any) -> Any:
    """What the step was about, given what came out; counts what was closed."""
    for k in range(n_out):
        kind = m.out[k]["kind"]
        if kind == _COMMITTED:
            what = _COMMIT_STEP
        elif kind == _FIRE:
            what = _FIRE_STEP
        elif kind == _CLOSED:
            m.closed[0] += 1
            m.closed[1] += m.out[k]["value"] == _SORTED and m.out[k]["reason"] == _OK
    return what


@numba.njit  # type: ignore[untyped-decorator]
def _run(state: Any, m: Any, events: Any, waits_ns: Any, whats: Any) -> None:
    """Steps the kernel by each event; how long each took, and what it was about."""
    for i in range(len(events)):
        _write(m, events[i])
        began_ns = _now_ns(m.clock)
        n_out = _step(
            state, events[i]["t_ns"], m.inputs.ctypes.data, events[i]["n"], m.out.ctypes.data, N_OUT
        )
        waits_ns[i] = _now_ns(m.clock) - began_ns
        whats[i] = _look_back(m, events[i]["what"], n_out)


@numba.njit  # type: ignore[untyped-decorator]
def _looks(clock: Any, waits_ns: Any) -> None:
    for i in range(len(waits_ns)):
        began_ns = _now_ns(clock)
        waits_ns[i] = _now_ns(clock) - began_ns


def look_ns() -> int:
    """What two looks at the clock take, median."""
    waits_ns = np.zeros(N_LOOKS, np.int64)
    _looks(np.zeros(2, np.int64), waits_ns)
    return int(np.median(waits_ns))


class Steps(NamedTuple):
    """Steps of a kernel whose belt was full."""

    waits_ns: npt.NDArray[np.int64]  # the looks at the clock taken off
    whats: npt.NDArray[np.int64]
    n_open: int
    n_closed: int
    n_sorted: int


def _memory(rules: Rules) -> Memory:
    inputs = np.zeros(1, RECORD)
    return Memory(
        inputs=inputs,
        input_bytes=inputs.view(np.uint8).reshape(1, RECORD.itemsize),
        blank=empty(1),
        out=np.zeros(N_OUT, RECORD),
        clock=np.zeros(2, np.int64),
        labels=rules.labels.view(np.uint8).reshape(len(rules.labels), -1),
        label_lengths=np.char.str_len(rules.labels).astype(np.int64),
        closed=np.zeros(2, np.int64),
    )


def time_steps(n_tracks: int, rules: Rules, n_parcels: int) -> Steps:
    """Fills a belt with parcels, then times every step until so many more have come."""
    kernel = Kernel(make_layout(n_tracks), rules.plan, n_tracks_max=2 * n_tracks + 1000)
    kernel.step(0, _nodes_up())
    memory = _memory(rules)
    stream = Stream(n_tracks, rules.lanes)
    _advance(kernel, memory, stream, 0, n_tracks + MARGIN_PARCELS)
    memory.closed[:] = 0
    waits_ns, whats = _advance(
        kernel, memory, stream, n_tracks + MARGIN_PARCELS, n_tracks + MARGIN_PARCELS + n_parcels
    )
    n_closed, n_sorted = memory.closed.tolist()
    return Steps(waits_ns - look_ns(), whats, kernel.n_open, n_closed, n_sorted)


def _nodes_up() -> npt.NDArray[np.void]:
    up = empty(1)
    up["kind"] = Kind.NODE
    up["value"] = 1
    return up


def _advance(
    kernel: Kernel, memory: Memory, stream: Stream, first: int, last: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Runs the belt from parcel `first` to parcel `last` at the induct, a chunk at a time."""
    waits, whats = [], []
    for parcel in range(first, last, CHUNK_PARCELS):
        until = min(parcel + CHUNK_PARCELS, last)
        events = stream.between(parcel * PITCH_COUNTS, until * PITCH_COUNTS)
        waits.append(np.zeros(len(events), np.int64))
        whats.append(np.zeros(len(events), np.int64))
        _run(kernel.address, memory, events, waits[-1], whats[-1])
    return np.concatenate(waits), np.concatenate(whats)
