"""Virtual time: the world and the kernel in one compiled loop, as fast as the machine allows.

The kernel is called by the address of its C step, exactly as the reactor calls it. Between the two stands the
`joint`: sensors, links and people, with their faults.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numba
import numpy as np
import numpy.typing as npt

from hubctl._kernel import Kernel
from hubctl.core import events
from hubctl.core.address import parse_address
from hubctl.core.events import NO_INDEX, RECORD, ChuteState, Flag, Kind, MachineCommand, Records, empty
from hubctl.core.hubfile import Hub
from hubctl.core.layout import compile_layout
from hubctl.core.plan import SortPlan, compile_plan
from hubctl.core.tables import CompiledPlan, Layout
from hubctl.sim import (
    calls,
    draw,
    heap,
    hostbook,
    inbox,
    joint,
    machine,
    matter,
    mishaps,
    motion,
    places,
    ring,
    watch,
    world,
)
from hubctl.sim.calls import address_of, call_deadline, call_step
from hubctl.sim.hostbook import HostBook, book_of
from hubctl.sim.hub import make_world
from hubctl.sim.inbox import (
    LAST_EVENT,
    LAST_SAMPLE,
    N_IN,
    N_INPUTS,
    N_INPUTS_MAX,
    N_JITTERS,
    N_LOGGED,
    N_POSTED_MAX,
    N_STEPS,
    NEXT_SAMPLE,
    NOW,
    STALLED_UNTIL,
    STATE,
    Joint,
    take_post,
)
from hubctl.sim.injected import Injected, injected
from hubctl.sim.jitable import jitable, register_marked, seldom
from hubctl.sim.joint import (
    COUNTER_START,
    POLL_NS,
    SAMPLE_NS,
    fire,
    is_stalled,
    learn_track,
    next_tell_ns,
    notice,
    obey,
    sample,
    tell_links,
    wake,
)
from hubctl.sim.machine import order
from hubctl.sim.matter import NOT_YET, World
from hubctl.sim.motion import NEVER_NS
from hubctl.sim.parts import Whole
from hubctl.sim.referee import Truth, Wrong, judge
from hubctl.sim.traffic import Traffic
from hubctl.sim.watch import Watch, new_watch, watch_input, watch_record
from hubctl.sim.world import next_ns, run_next

FRESH_NS = 10_000_000  # the encoder is read with every event if the last sample is older
DRAIN_NS = 10_000_000_000  # after the last event, for windows that are still open
N_LOG = 1 << 18
N_OUT = 1 << 14
N_CHUNK = N_OUT // 64  # inputs of one step: the kernel wants room for so many records each
N_TRACKS_SPARE = 4096
SLICE_NS = 20 * 60 * 10**9  # belt time between two reports of progress

KEPT = (
    *(Kind.OPENED, Kind.SEEN, Kind.FIRE_OUTPUT, Kind.CLOSED, Kind.LAPPED),
    *(Kind.WEIGHED, Kind.ANSWERED, Kind.STATE_CHANGED),
)
_FIRE, _OPENED = int(Kind.FIRE_OUTPUT), int(Kind.OPENED)
_HEEDED = (
    *(int(kind) for kind in (Kind.RUN_BELT, Kind.HOLD_INDUCT, Kind.ASK_HOST, Kind.LAUNCH)),
    *(int(kind) for kind in (Kind.ALARM_RAISED, Kind.STATE_CHANGED)),
)
_UNEXPECTED = int(Flag.UNEXPECTED)


@jitable
def _keep(j: Joint, record: Any) -> None:
    if j.s[0]["is_kept"][record["kind"]]:
        j.log[j.s[0]["clock"][N_LOGGED]] = record
        j.s[0]["clock"][N_LOGGED] += 1


@jitable
def _heed(j: Joint, w: World, record: Any, t_ns: int) -> None:
    """Does what the kernel commands, and sees to what it complains of."""
    kind = record["kind"]
    if kind == _FIRE:
        fire(j, w, record, t_ns)
    elif kind in _HEEDED:
        obey(j, w, kind, record, t_ns)


@jitable
def _step(j: Joint, w: World, seen: Watch, t_ns: int) -> None:
    """Feeds the inputs gathered; what the kernel commands is done, and its results are fed in turn."""
    fed = 0
    while True:
        n = min(j.s[0]["clock"][N_IN] - fed, N_CHUNK)
        j.s[0]["clock"][N_STEPS] += 1
        j.s[0]["clock"][N_INPUTS] += n
        for k in range(fed, fed + n):
            watch_input(seen, j.inputs[k], t_ns)
        given = j.inputs.ctypes.data + fed * j.inputs.itemsize
        fed += n
        n_out = call_step(
            j.s[0]["addresses"][1], j.s[0]["addresses"][0], t_ns, given, n, j.out.ctypes.data, len(j.out)
        )
        for k in range(n_out):
            watch_record(seen, j.out[k])
            _keep(j, j.out[k])
            if j.out[k]["kind"] == _OPENED and j.out[k]["flags"] & _UNEXPECTED == 0:
                learn_track(j, w, j.out[k], fed - n, n)
            _heed(j, w, j.out[k], t_ns)
        if j.s[0]["clock"][N_IN] == fed:
            j.s[0]["clock"][N_IN] = 0
            return


@seldom
def _wait(j: Joint, w: World, event_ns: int) -> None:
    """The controller gets no time: things happen, and nobody looks until it wakes."""
    until_ns = j.s[0]["clock"][STALLED_UNTIL]
    j.s[0]["clock"][NOW] = min(event_ns, until_ns)
    if event_ns < until_ns:
        j.s[0]["clock"][LAST_EVENT] = event_ns
    else:
        wake(j, w, until_ns)
        sample(j, w, until_ns)


@jitable
def _look(j: Joint, w: World, t_ns: int, tell_ns: int) -> None:
    """What the controller finds without anything happening."""
    j.s[0]["clock"][NOW] = t_ns
    if t_ns >= min(j.s[0]["clock"][NEXT_SAMPLE], j.s[0]["clock"][LAST_SAMPLE] + FRESH_NS):
        sample(j, w, t_ns)
    if tell_ns <= t_ns:
        take_post(j, t_ns)
        tell_links(j, t_ns)


@jitable
def _run_until(j: Joint, w: World, seen: Watch, stop_ns: int) -> bool:
    """Runs to `stop_ns` or until the log is full; False once nothing more will happen."""
    clock = j.s[0]["clock"]
    while clock[N_LOGGED] < len(j.log) - 4 * len(j.out):
        event_ns = next_ns(w)
        if is_stalled(j, clock[NOW]):
            _wait(j, w, event_ns)
        else:
            due_ns = call_deadline(j.s[0]["addresses"][2], j.s[0]["addresses"][0])
            tell_ns = next_tell_ns(j)
            t_ns = max(min(min(event_ns, tell_ns), min(due_ns, clock[NEXT_SAMPLE])), clock[NOW])
            if event_ns == NEVER_NS and t_ns > clock[LAST_EVENT] + DRAIN_NS:
                return False
            if t_ns > stop_ns:
                return True
            _look(j, w, t_ns, tell_ns)
        if event_ns <= clock[NOW]:
            clock[LAST_EVENT] = event_ns
            for k in range(run_next(w)):
                notice(j, w, w.happened[k])
        if not is_stalled(j, clock[NOW]):
            _step(j, w, seen, clock[NOW])
    return True


def _run_slice(j: Joint, w: World, seen: Watch, stop_ns: int) -> bool:
    return _run_until(j, w, seen, stop_ns)


Loop = Callable[[Joint, World, Watch, int], bool]


@cache
def compiled_loop() -> Loop:
    """The loop, compiled for this machine: up to a minute the first time, then read from the user's cache.

    The cache is kept by what the code says, since Numba's own looks at one file only.
    """
    register_marked()
    folder = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "hubctl"
    vars(numba.config).update(LOOP_VECTORIZE=0, SLP_VECTORIZE=0)  # nothing here is a vector
    vars(numba.config)["CACHE_DIR"] = str(folder / f"sim-{_digest()}")
    try:
        loop: Loop = numba.njit(cache=True, pipeline_class=Whole)(_run_slice)
    except (RuntimeError, OSError):  # nowhere to write: compile each time
        loop = numba.njit(pipeline_class=Whole)(_run_slice)
    return loop


MODULES = (
    events,
    calls,
    heap,
    hostbook,
    inbox,
    joint,
    machine,
    matter,
    mishaps,
    motion,
    places,
    ring,
    watch,
    world,
)  # compiled with this one


def _digest() -> str:
    sources = [Path(module.__file__ or "").read_bytes() for module in MODULES]
    return hashlib.blake2b(b"".join([*sources, Path(__file__).read_bytes()]), digest_size=8).hexdigest()


def _make_joint(
    hub: Hub,
    layout: Layout,
    traffic: Traffic,
    kernel: Kernel,
    plans: Iterable[CompiledPlan],
    book: HostBook,
    kept: Iterable[Kind],
) -> Joint:
    inputs = np.zeros(N_INPUTS_MAX, RECORD)
    asked = np.zeros(1, RECORD)
    state = np.zeros(1, STATE)
    addresses = ("kernel_step", "kernel_next_deadline", "kernel_set_plan")
    _fill(state[0], "addresses", [kernel.address, *map(address_of, addresses)])
    _fill(state[0], "plans", [kernel.own_plan(plan) for plan in plans])
    _fill(state[0], "jitter_ns", draw.between(traffic.seed, "poll", N_JITTERS, -POLL_NS // 2, POLL_NS // 2))
    state[0]["is_kept"][[int(kind) for kind in kept]] = 1
    state[0]["encoder_counts"] = COUNTER_START
    state[0]["inducting"] = -1
    _fill_wires(state[0], hub, layout)
    return Joint(
        s=state,
        inputs=inputs,
        input_bytes=inputs.view(np.uint8).reshape(len(inputs), RECORD.itemsize),
        blank=empty(1),
        out=np.zeros(N_OUT, RECORD),
        log=np.zeros(N_LOG, RECORD),
        posted=np.zeros(N_POSTED_MAX, RECORD),
        labels=np.stack([traffic.labels, traffic.others]).view(np.uint8).reshape(2, -1, 56),
        write_fates=traffic.write_fates,
        row_of_track=np.full(3 * len(traffic.parcels) + N_TRACKS_SPARE, -1, np.int64),
        came=np.full(N_INPUTS_MAX, -1, np.int64),
        came_later=np.full(N_POSTED_MAX, -1, np.int64),
        asked=asked,
        asked_bytes=asked.view(np.uint8),
        book=book,
    )


def _fill(row: np.void, name: str, values: Any) -> None:
    row[name][: len(values)] = values


def _fill_wires(row: np.void, hub: Hub, layout: Layout) -> None:
    """Which node sees and does what, over which link."""
    links, nodes = [link.name for link in hub.links], [node.name for node in hub.nodes]
    row["n_links"], row["n_nodes"], row["n_chutes"] = len(links), len(nodes), len(hub.chutes)
    _fill(row, "link_of_node", [links.index(node.link) for node in hub.nodes])
    _fill(row, "link_of_scanner", [links.index(scanner.link) for scanner in hub.scanners])
    _fill(row, "stamps", layout.scanners["stamp"])
    _fill(row, "stamp_spans", np.maximum(layout.scanners["stamp_span"], 1))
    encoder_node = _or_none(layout.belts["encoder_node"])
    _fill(row, "encoder_node", encoder_node)
    _fill(row, "counts_per_m", layout.belts["counts_per_m"])
    _fill(row, "counter_mask", (np.int64(1) << layout.belts["counter_bits"].astype(np.int64)) - 1)
    _fill(row, "eye_node", layout.eyes["node"])
    _fill(row, "eye_belt", layout.eyes["belt"])
    _fill(row, "eye_latched", layout.eyes["node"] == encoder_node[layout.eyes["belt"]])
    _fill_chutes(row, hub, layout, nodes)


def _fill_chutes(row: np.void, hub: Hub, layout: Layout, nodes: list[str]) -> None:
    chutes = layout.chutes
    fulls = [
        -1 if chute.full is None else nodes.index(parse_address(chute.full).node) for chute in hub.chutes
    ]
    _fill(row, "chute_node", _or_none(chutes["node"]))
    _fill(
        row, "confirm_node", np.where(chutes["has_confirm"] != 0, chutes["confirm_node"].astype(np.int64), -1)
    )
    _fill(row, "level_node", fulls)
    holds_ns = [*layout.diverters["hold_ns"].tolist(), 0]
    _fill(
        row, "chute_hold_ns", [holds_ns[d] if d < len(holds_ns) else 0 for d in chutes["diverter"].tolist()]
    )


def _or_none(indices: npt.NDArray[np.uint16]) -> npt.NDArray[np.int64]:
    """The same indices; -1 for NO_INDEX."""
    return np.where(indices == NO_INDEX, -1, indices.astype(np.int64))


def _book(traffic: Traffic, plan: SortPlan, other: SortPlan) -> HostBook:
    """What the host knows of the labels to come."""
    names = [lane.name for lane in plan.lanes]
    others = {lane.name: k for k, lane in enumerate(other.lanes)}
    in_plan = np.array([range(len(names)), [others[name] for name in names]], np.int64)
    parcels = traffic.parcels
    return book_of(
        np.concatenate([traffic.labels, traffic.others]),
        np.concatenate([parcels["lane"], parcels["other_lane"]]),
        in_plan,
    )


def _closing(chutes: Sequence[int]) -> Records:
    """What a person tells who closes chutes."""
    told = empty(len(chutes))
    told["kind"], told["value"] = Kind.OPERATE, ChuteState.CLOSED
    told["chute"] = chutes
    return told


class Run(NamedTuple):
    """A finished run in virtual time."""

    verdict: dict[str, Any]
    wrong: tuple[Wrong, ...]
    records: Records  # every OPENED, FIRE_OUTPUT and CLOSED, or all
    truth: Truth
    injected: dict[str, Injected]  # by name of the fault, those that came


class Virtual:
    """A hub in virtual time: built once, run to its end.

    Parameters
    ----------
    other_plan : SortPlan or None
        The one that PLAN_SWAP puts into force, and takes out of it again.
    closed : sequence of int
        Chutes, by index, that a person has closed before it begins.
    keep_all : bool
        Keep every record of the kernel, and not only those that the referee needs.
    """

    def __init__(
        self,
        hub: Hub,
        plan: SortPlan,
        traffic: Traffic,
        *,
        n_tracks_max: int = 4096,
        keep_all: bool = False,
        other_plan: SortPlan | None = None,
        closed: Sequence[int] = (),
    ) -> None:
        self._layout = compile_layout(hub)
        self._layout.diverters["is_armed"] = (
            0  # no node stands between: each output is written at its instant
        )
        self._plan: CompiledPlan = compile_plan(plan, hub, traffic.preadvice)
        self._kernel = Kernel(self._layout, self._plan, n_tracks_max=n_tracks_max)
        self._world = make_world(hub, traffic, 0)
        self._traffic = traffic
        plans = (
            self._plan,
            self._plan if other_plan is None else compile_plan(other_plan, hub, traffic.preadvice),
        )
        book = _book(traffic, plan, plan if other_plan is None else other_plan)
        kept = Kind if keep_all else KEPT
        self._joint = _make_joint(hub, self._layout, traffic, self._kernel, plans, book, kept)
        self._watch = new_watch(self._layout, n_open_max=n_tracks_max)
        self._kernel.step(0, _closing(closed))
        if hub.machine is not None:
            order(self._joint, MachineCommand.RESET, 0)

    @property
    def kernel(self) -> Kernel:
        """The kernel in the loop."""
        return self._kernel

    def run(self, progress: Callable[[int], None] = lambda n_entered: None) -> Run:
        """Runs until every parcel has left; `progress` is told how many have come so far."""
        loop = compiled_loop()
        loop(self._joint, self._world, self._watch, -1)
        began = time.perf_counter()
        kept: list[Records] = []
        stop_ns = SLICE_NS
        while loop(self._joint, self._world, self._watch, stop_ns):
            if self._joint.s[0]["clock"][LAST_SAMPLE] + SAMPLE_NS >= stop_ns:
                stop_ns += SLICE_NS
            kept.append(self._take_log())
            progress(int((self._world.progress["landed"] != NOT_YET).sum()))
        kept.append(self._take_log())
        return self._judged(np.concatenate(kept), time.perf_counter() - began)

    def _take_log(self) -> Records:
        n = int(self._joint.s[0]["clock"][N_LOGGED])
        self._joint.s[0]["clock"][N_LOGGED] = 0
        return self._joint.log[:n].copy()

    def _judged(self, records: Records, wall_s: float) -> Run:
        n_taken = int(self._world.core[0]["n_taken"])
        world = self._world
        as_one = world.as_one[: int(world.core[0]["n_as_one"])]
        labels = np.stack([self._traffic.labels, self._traffic.others], axis=1)
        taken = world.taken[:n_taken]
        truth = Truth(self._traffic.parcels, world.progress, taken, world.mishaps, as_one, labels)
        judged = judge(self._layout, self._plan, truth, records, self._watch, n_open=self._kernel.n_open)
        came = injected(world)
        verdict = judged.counts | {
            "evidence_lost": self._kernel.n_evidence_lost,
            "places_kept": int(np.abs(self._kernel.chute_loads()[:, 1:]).sum()),
            "inputs": int(self._joint.s[0]["clock"][N_INPUTS]),
            "steps": int(self._joint.s[0]["clock"][N_STEPS]),
            "belt_s": round(int(self._joint.s[0]["clock"][LAST_EVENT]) / 1e9, 3),
            "state": self._kernel.state_hash(),
            "records": hashlib.blake2b(records.tobytes(), digest_size=16).hexdigest(),
            "wall_s": round(wall_s, 3),
            "recirculated_share": round(judged.counts["recirculated"] / max(judged.counts["inducted"], 1), 5),
            "parcels_per_s": int(judged.counts["inducted"] / wall_s),
            "seed": self._traffic.seed,
            "injected": {name: each.n for name, each in came.items()},
        }
        return Run(verdict, judged.wrong, records, truth, came)
