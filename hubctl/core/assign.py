"""Batch assignment: where many parcels go, by the kernel's own choice, without a belt.

An assigner holds a kernel whose one belt is a station with every chute of a hub: each label is decided as soon as it
is read, and its parcel lies in its chute at once. Chutes fill up, take their turns and miss their waves as on the belt;
what travel adds (gaps, speed, commit points, laps) is left out. What people do meanwhile is told between the labels
by the kernel's ordinary inputs.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numba
import numpy as np
import numpy.typing as npt
from llvmlite import ir
from numba import types
from numba.extending import get_cython_function_address, intrinsic

from hubctl._kernel import Kernel
from hubctl.core.events import NO_INDEX, RECORD, Kind, Records, empty
from hubctl.core.hubfile import Hub
from hubctl.core.layout import compile_layout
from hubctl.core.tables import (
    ASSIGNMENT,
    BATCH,
    DIVERTER,
    EYE,
    HOST,
    MACHINE,
    RING,
    SCALE,
    SCANNER,
    BeltKind,
    CompiledPlan,
    Layout,
    Table,
)

N_SAID_MAX = 512  # records that one input may bring, with a margin
LANE_BYTES, TIME_BYTES, ASSIGNMENT_BYTES = 4, 8, ASSIGNMENT.itemsize
MONOTONIC = 1
NS_PER_S = 1_000_000_000
NO_INPUTS = np.zeros(0, RECORD)


def station_layout(hub: Hub) -> Layout:
    """The tables of a hub as if all of its chutes stood around one table.

    The chute at the end of the first belt is the table's; what leads onto another belt is no chute of it.

    Parameters
    ----------
    hub : Hub
        A checked hub.
    """
    layout = compile_layout(hub)
    belts = layout.belts[:1].copy()
    for name, value in (("kind", BeltKind.STATION), ("encoder_node", NO_INDEX), ("run_node", NO_INDEX)):
        belts[name] = value
    belts["laps_max"] = belts["weight_required"] = 0
    chutes = _around(layout.chutes, int(belts["end_chute"][0]))
    diverters = np.zeros(len(chutes) - 1, DIVERTER)
    leads_on = layout.chutes["to_belt"] != NO_INDEX
    hops = np.where(leads_on, NO_INDEX, np.arange(len(chutes))).astype(np.uint16)[np.newaxis]
    return Layout(
        belts=belts,
        eyes=np.zeros(0, EYE),
        scanners=np.zeros(0, SCANNER),
        diverters=diverters,
        chutes=chutes,
        n_nodes=1,
        hops=hops,
        machine=np.zeros(1, MACHINE),
        rings=np.zeros(1, RING),
        scales=np.zeros(0, SCALE),
        host=np.zeros(1, HOST),
    )


def _around(chutes: Table, end: int) -> Table:
    """The chutes with their limits; each but one has a diverter of its own, and none an eye that could be late."""
    around = chutes.copy()
    around["node"] = around["confirm_node"] = around["has_confirm"] = 0
    around["to_belt"] = NO_INDEX
    index = np.arange(len(chutes))
    around["diverter"] = np.where(index == end, NO_INDEX, index - (index > end))
    return around


# The loop


def _caller(sizes: tuple[int, ...]) -> Any:
    """Makes the code that calls a C function at an address with integers of so many bits, and heeds no answer."""

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        kinds = [ir.IntType(size) for size in sizes]
        function = builder.inttoptr(values[0], ir.FunctionType(ir.VoidType(), kinds).as_pointer())
        pairs = zip(values[1:], kinds, strict=True)
        builder.call(function, [v if kind.width == 64 else builder.trunc(v, kind) for v, kind in pairs])
        return context.get_dummy_value()

    return generate


def _call_assign(typingctx: Any, function: Any, state: Any, batch: Any) -> Any:
    """Calls kernel_assign(state, batch) at an address."""
    return types.void(*[types.int64] * 3), _caller((64, 64))


def _call_step(
    typingctx: Any, function: Any, state: Any, now_ns: Any, inputs: Any, n: Any, out: Any, n_out_max: Any
) -> Any:
    """Calls kernel_step(state, now_ns, inputs, n, out, n_out_max) at an address."""
    return types.void(*[types.int64] * 7), _caller((64, 64, 64, 32, 64, 32))


def _call_clock(typingctx: Any, function: Any, which: Any, to: Any) -> Any:
    """Calls a clock(which, to) at an address, which writes seconds and nanoseconds."""
    return types.void(*[types.int64] * 3), _caller((32, 64))


_compiled: Any = intrinsic  # its type says that calls never return: it means calls that are not compiled
call_assign: Callable[[int, int, int], None] = _compiled(_call_assign)
call_step: Callable[[int, int, int, int, int, int, int], None] = _compiled(_call_step)
call_clock: Callable[[int, int, int], None] = _compiled(_call_clock)


@numba.njit
def _advance(batch: Any, n_rows: int) -> None:
    """The batch begins so many rows later."""
    batch["labels"] += n_rows * batch["label_size"]
    batch["lanes"] += n_rows * LANE_BYTES
    batch["times_ns"] += n_rows * TIME_BYTES
    batch["assignments"] += n_rows * ASSIGNMENT_BYTES


@numba.njit
def _rises(times_ns: Any) -> Any:
    """Whether no time comes before the one in front of it."""
    n_before = 0
    for row in range(1, len(times_ns)):
        n_before += times_ns[row] < times_ns[row - 1]
    return n_before == 0


def _run(addresses: Any, batches: Any, times_ns: Any, inputs: Any, said: Any) -> None:
    """Feeds each input before the first parcel that comes no sooner, and assigns those between two of them."""
    kernel, assign, step = addresses
    first, row = 0, 0
    while first < len(times_ns):
        while row < len(inputs) and inputs[row]["t_ns"] <= times_ns[first]:
            given = inputs.ctypes.data + row * inputs.itemsize
            call_step(step, kernel, inputs[row]["t_ns"], given, 1, said.ctypes.data, len(said))
            row += 1
        last = len(times_ns)
        if row < len(inputs):
            last = first + np.searchsorted(times_ns[first:], inputs[row]["t_ns"])
        batches[0]["n"] = last - first
        call_assign(assign, kernel, batches.ctypes.data)
        _advance(batches[0], last - first)
        first = last


def _run_timed(addresses: Any, clock: int, batches: Any, waits_ns: Any) -> None:
    """Assigns one by one, and looks at a clock before and behind each."""
    kernel, assign, _ = addresses
    looks = np.zeros(4, np.int64)
    batches[0]["n"] = 1
    for row in range(len(waits_ns)):
        call_clock(clock, MONOTONIC, looks.ctypes.data)
        call_assign(assign, kernel, batches.ctypes.data)
        call_clock(clock, MONOTONIC, looks.ctypes.data + 2 * TIME_BYTES)
        waits_ns[row] = (looks[2] - looks[0]) * NS_PER_S + looks[3] - looks[1]
        _advance(batches[0], 1)


@cache
def _loops() -> tuple[Callable[..., None], Callable[..., None]]:
    """The loops, compiled for this machine."""
    return numba.njit(_run), numba.njit(_run_timed)


class Assigner:
    """Assigns parcels by one plan; chutes remember what they hold from call to call.

    Parameters
    ----------
    hub : Hub
        A checked hub.
    plan : CompiledPlan
        Compiled for this hub. With `clock_offset_ns=0` times are those of the wall clock: ns since 1970.

    Examples
    --------
    >>> from hubctl.core.site import load_site
    >>> from hubctl.core.plan import compile_plan
    >>> hub, plan = load_site("station")
    >>> assigner = Assigner(hub, compile_plan(plan, hub))
    >>> assigner.assign_labels(np.array([b"420100039400111206206406260787"]), np.array([10**9])).tolist()
    [(0, -1, 0, 1)]
    """

    def __init__(self, hub: Hub, plan: CompiledPlan) -> None:
        self._kernel = Kernel(station_layout(hub), plan, n_tracks_max=1)
        names = ("kernel_assign", "kernel_step")
        found = [int(get_cython_function_address("hubctl._kernel", name)) for name in names]
        self._addresses = (self._kernel.address, *found)
        self._said = np.zeros(N_SAID_MAX, RECORD)
        up = empty(1)
        up["kind"], up["value"] = Kind.NODE, 1
        self._kernel.step(0, up)

    @property
    def kernel(self) -> Kernel:
        """The kernel that decides; it takes inputs and plans as any other."""
        return self._kernel

    def assign_labels(
        self,
        labels: npt.NDArray[np.bytes_],
        times_ns: npt.NDArray[np.int64],
        inputs: Records = NO_INPUTS,
        out: Table | None = None,
    ) -> Table:
        """Where the parcels with some labels go.

        Parameters
        ----------
        labels : bytes array, shape (n,), contiguous
            As scanned; an empty one is NO_READ.
        times_ns : int64 array, shape (n,), rising
            When each is read, by the clock that the plan was compiled for.
        inputs : Records, rising in `t_ns`, optional
            What people do meanwhile: chutes that are closed, or opened because they have been emptied.
        out : ASSIGNMENT array, shape (n,), contiguous, optional
            Where to write; a new array by default.

        Returns
        -------
        ASSIGNMENT array, shape (n,)

        Raises
        ------
        ValueError
            Arrays of other shapes, or times that do not rise.
        """
        batches, found = self._batch(labels, "S", times_ns, out)
        self._go(batches, times_ns, inputs)
        return found

    def assign_lanes(
        self, lanes: npt.NDArray[np.int32], times_ns: npt.NDArray[np.int64], inputs: Records = NO_INPUTS
    ) -> Table:
        """As `assign_labels` for parcels whose lanes are known already; -1 is none.

        The lanes of destination keys are `plan.labels.lanes_of_keys`.
        """
        batches, found = self._batch(lanes, "i", times_ns)
        self._go(batches, times_ns, inputs)
        return found

    def time_labels(
        self, labels: npt.NDArray[np.bytes_], times_ns: npt.NDArray[np.int64], clock: int
    ) -> tuple[Table, npt.NDArray[np.int64]]:
        """As `assign_labels`, one call a label, and how long each took in ns.

        Parameters
        ----------
        clock : int
            Address of a C function like POSIX's, which is given 1 and writes seconds and nanoseconds.
        """
        batches, found = self._batch(labels, "S", times_ns)
        waits_ns = np.zeros(len(times_ns), np.int64)
        _loops()[1](self._addresses, clock, batches, waits_ns)
        return found, waits_ns

    def _go(self, batches: Table, times_ns: npt.NDArray[np.int64], inputs: Records) -> None:
        if (np.diff(inputs["t_ns"]) < 0).any():
            raise ValueError("inputs: their times must rise")
        _loops()[0](self._addresses, batches, times_ns, inputs, self._said)

    def _batch(
        self, given: Any, kind: str, times_ns: npt.NDArray[np.int64], out: Table | None = None
    ) -> tuple[Table, Table]:
        """Where everything lies, and room for what is found."""
        _check(given, times_ns, kind)
        found = np.zeros(len(times_ns), ASSIGNMENT) if out is None else out
        if found.shape != times_ns.shape or found.dtype != ASSIGNMENT or not found.flags.c_contiguous:
            raise ValueError(f"out of {found.dtype}, {found.shape}: must be ASSIGNMENT, {times_ns.shape}")
        batches = np.zeros(1, BATCH)
        batches["labels" if kind == "S" else "lanes"] = given.ctypes.data
        batches["label_size"] = given.itemsize if kind == "S" else 0
        batches["times_ns"], batches["assignments"] = times_ns.ctypes.data, found.ctypes.data
        batches["said"], batches["n_said_max"] = self._said.ctypes.data, len(self._said)
        return batches, found


def _check(given: Any, times_ns: Any, kind: str) -> None:
    if given.shape != times_ns.shape or given.ndim != 1:
        raise ValueError(f"{given.shape} parcels at {times_ns.shape} times: must be as many, 1 axis")
    if given.dtype.kind != kind or (kind == "i" and given.dtype != np.int32) or times_ns.dtype != np.int64:
        raise ValueError(f"{given.dtype} at {times_ns.dtype}: must be bytes or int32, at int64")
    if not given.flags.c_contiguous or not times_ns.flags.c_contiguous:
        raise ValueError("arrays must be contiguous")
    if len(times_ns) and (times_ns[0] < 0 or not _rises(times_ns)):
        raise ValueError("times_ns: must be 0 or more, and rise")
