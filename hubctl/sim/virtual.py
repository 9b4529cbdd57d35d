"""Virtual time: the world and the kernel in one compiled loop, as fast as the machine allows.

The kernel is called by the address of its C step, exactly as the reactor calls it. Between the two stand
the faults of sensors and links: edges are told up to half a poll early or late, a link that drops takes its
node's edges and writes with it, and the kernel learns of that only when the reactor would.
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
from hubctl.core.events import NO_INDEX, RECORD, TEXT_MAX, ChuteState, Kind, Reason, Records, empty
from hubctl.core.hubfile import Hub
from hubctl.core.layout import compile_layout
from hubctl.core.plan import SortPlan, compile_plan
from hubctl.core.tables import CompiledPlan, Layout
from hubctl.sim import calls, draw, heap, matter, mishaps, motion, places, ring, watch, world
from hubctl.sim.calls import address_of, call_deadline, call_step
from hubctl.sim.hub import make_world
from hubctl.sim.jitable import jitable, register_marked
from hubctl.sim.matter import NOT_YET, Happens, World
from hubctl.sim.motion import NEVER_NS
from hubctl.sim.places import travel_at
from hubctl.sim.referee import Truth, Wrong, judge
from hubctl.sim.ring import is_ring, launch
from hubctl.sim.traffic import Traffic
from hubctl.sim.watch import Watch, new_watch, watch_input, watch_record
from hubctl.sim.world import next_ns, run_next, write_output

SAMPLE_NS = 20_000_000  # the encoder is read at least so often
FRESH_NS = 10_000_000  # and with every event if the last sample is older
POLL_NS = 5_000_000  # edges are seen by polls: told half a poll early to half a poll late
TOLD_DOWN_NS = (
    320_000_000  # from a link's drop to the reactor giving the node up: three timeouts and a little
)
TOLD_UP_NS = 50_000_000  # from its return to the end of re-synchronisation
DRAIN_NS = 10_000_000_000  # after the last event, for windows that are still open
COUNTER_START = 0xFFFF0000  # so that a 32-bit counter wraps on the way
N_JITTERS = 8191
N_LOG = 1 << 18
N_KINDS_MAX = 256
SLICE_NS = 20 * 60 * 10**9  # belt time between two reports of progress

KEPT = (Kind.OPENED, Kind.FIRE_OUTPUT, Kind.CLOSED, Kind.LAPPED)
_FIRE, _LAUNCH, _OPENED = int(Kind.FIRE_OUTPUT), int(Kind.LAUNCH), int(Kind.OPENED)
_ENCODER, _EYE, _READ, _CONFIRM = int(Kind.ENCODER), int(Kind.EYE), int(Kind.READ), int(Kind.CONFIRM)
_LEVEL, _NODE, _FIRE_RESULT = int(Kind.CHUTE_LEVEL), int(Kind.NODE), int(Kind.FIRE_RESULT)
_OK = int(Reason.OK)
_TEXT_AT = 72  # offset of RECORD's text

# Places in `Joint.clock`.
NEXT_SAMPLE, LAST_SAMPLE, N_EDGES, N_IN, N_LOGGED, N_STEPS, LAST_EVENT, N_INPUTS, NOW = range(9)


class Joint(NamedTuple):
    """What stands between a world and a kernel."""

    clock: npt.NDArray[np.int64]
    addresses: npt.NDArray[np.int64]  # of the state, its step and its next deadline
    inputs: npt.NDArray[Any]  # RECORD
    input_bytes: npt.NDArray[np.uint8]  # the same memory
    blank: npt.NDArray[Any]  # RECORD, shape (1,)
    out: npt.NDArray[Any]  # RECORD
    log: npt.NDArray[Any]  # RECORD: what the referee keeps
    is_kept: npt.NDArray[np.bool_]  # by kind
    labels: npt.NDArray[np.uint8]  # shape (n, 56)
    label_lengths: npt.NDArray[np.int64]
    jitter_ns: npt.NDArray[np.int64]
    eye_node: npt.NDArray[np.int64]
    eye_latched: npt.NDArray[np.bool_]
    chute_node: npt.NDArray[np.int64]
    confirm_node: npt.NDArray[np.int64]
    chute_hold_ns: npt.NDArray[np.int64]
    link_of_node: npt.NDArray[np.int64]
    link_of_scanner: npt.NDArray[np.int64]
    drops: npt.NDArray[np.int64]  # drops under way on each link
    tell_ns: npt.NDArray[np.int64]  # when the kernel learns of a link's change; NEVER_NS: nothing to tell
    counts_per_m: npt.NDArray[np.int64]  # of each belt
    counter_mask: npt.NDArray[np.int64]
    encoder_node: npt.NDArray[np.int64]  # -1: the belt has no encoder
    eye_belt: npt.NDArray[np.int64]


@jitable
def _input(j: Joint, kind: int, t_ns: int) -> Any:
    """The next input record, cleared."""
    k = j.clock[N_IN]
    j.clock[N_IN] += 1
    j.inputs[k] = j.blank[0]
    record = j.inputs[k]
    record["kind"] = kind
    record["t_ns"] = t_ns
    return record


@jitable
def _raw_counter(j: Joint, w: World, b: int, t_ns: int) -> int:
    counts = travel_at(w, b, t_ns) * j.counts_per_m[b] // 1_000_000
    return int((COUNTER_START + counts) & j.counter_mask[b])


@jitable
def _is_dead(j: Joint, node: int) -> bool:
    return node >= 0 and j.drops[j.link_of_node[node]] > 0


@jitable
def _sample(j: Joint, w: World, t_ns: int) -> None:
    """The count of each encoder whose node answers."""
    j.clock[NEXT_SAMPLE] = t_ns + SAMPLE_NS
    j.clock[LAST_SAMPLE] = t_ns
    for b in range(len(j.encoder_node)):
        if j.encoder_node[b] >= 0 and not _is_dead(j, j.encoder_node[b]):
            record = _input(j, _ENCODER, t_ns)
            record["device"] = b
            record["counts"] = _raw_counter(j, w, b, t_ns)


@jitable
def _edge(j: Joint, w: World, eye: int, value: int, parcel: int, t_ns: int) -> None:
    if _is_dead(j, j.eye_node[eye]):
        return
    k = j.clock[N_EDGES] % len(j.jitter_ns)
    j.clock[N_EDGES] += 1
    told_ns = t_ns + j.jitter_ns[k]
    record = _input(j, _EYE, told_ns)
    record["device"] = eye
    record["value"] = value
    if value and w.core[0]["eye_source"][eye] >= 0 and is_ring(w, j.eye_belt[eye]):
        record["limit"] = w.parcels[parcel]["length_um"] // 1000
    if j.eye_latched[eye]:
        record["counts"] = _raw_counter(j, w, j.eye_belt[eye], told_ns)
        record["flags"] = 1


@jitable
def _telegram(j: Joint, scanner: int, value: int, parcel: int, t_ns: int) -> None:
    if j.drops[j.link_of_scanner[scanner]] > 0:
        return
    record = _input(j, _READ, t_ns)
    record["device"] = scanner
    if value:
        record["n_text"] = j.label_lengths[parcel]
        for k in range(TEXT_MAX):
            j.input_bytes[j.clock[N_IN] - 1, _TEXT_AT + k] = j.labels[parcel, k]


@jitable
def _chute_input(j: Joint, kind: int, chute: int, value: int, t_ns: int) -> None:
    if _is_dead(j, j.confirm_node[chute]):
        return
    record = _input(j, kind, t_ns)
    record["chute"] = chute
    record["value"] = value


@jitable
def _link(j: Joint, link: int, value: int, t_ns: int) -> None:
    j.drops[link] += 1 if value == 0 else -1
    if value == 0 and j.drops[link] == 1:
        j.tell_ns[link] = t_ns + TOLD_DOWN_NS
    elif value == 1 and j.drops[link] == 0:
        j.tell_ns[link] = t_ns + TOLD_UP_NS


@jitable
def _tell(j: Joint, t_ns: int) -> None:
    """What the reactor has found out about links by now."""
    for link in range(len(j.tell_ns)):
        if j.tell_ns[link] <= t_ns:
            j.tell_ns[link] = NEVER_NS
            for node in range(len(j.link_of_node)):
                if j.link_of_node[node] == link:
                    record = _input(j, _NODE, t_ns)
                    record["device"] = node
                    record["value"] = 1 if j.drops[link] == 0 else 0


@jitable
def _notice(j: Joint, w: World, row: Any) -> None:
    kind, device, value, t_ns = row["kind"], row["device"], row["value"], row["t_ns"]
    if kind == Happens.EYE:
        _edge(j, w, device, value, row["parcel"], t_ns)
    elif kind == Happens.TELEGRAM:
        _telegram(j, device, value, row["parcel"], t_ns)
    elif kind == Happens.CONFIRM:
        _chute_input(j, _CONFIRM, device, value, t_ns)
    elif kind == Happens.LEVEL:
        _chute_input(j, _LEVEL, device, value, t_ns)
    elif kind == Happens.LINK:
        _link(j, device, value, t_ns)


@jitable
def _know_track(w: World, record: Any) -> None:
    """Of a loop's induction it is known whom a new track is for: who stands there."""
    eye = record["device"]
    source = w.core[0]["eye_source"][eye] if eye < w.core[0]["n_eyes"] else -1
    if source >= 0 and is_ring(w, w.core[0]["source_belt"][source]):
        p = w.core[0]["source_waits"][source]
        if p >= 0 and w.progress[p]["track"] == 0:
            w.progress[p]["track"] = record["parcel"]


@jitable
def _fire(j: Joint, w: World, record: Any, t_ns: int) -> None:
    """Writes an output and answers as the reactor would; a dead node's write is lost, and nobody knows yet."""
    chute = record["chute"]
    if not _is_dead(j, j.chute_node[chute]):
        write_output(w, chute, True, t_ns)
        write_output(w, chute, False, t_ns + j.chute_hold_ns[chute])
    result = _input(j, _FIRE_RESULT, t_ns)
    result["parcel"] = record["parcel"]
    result["seq"] = record["seq"]
    result["chute"] = chute
    result["reason"] = _OK
    result["due_ns"] = record["due_ns"]


@jitable
def _keep(j: Joint, record: Any) -> None:
    if j.is_kept[record["kind"]]:
        j.log[j.clock[N_LOGGED]] = record
        j.clock[N_LOGGED] += 1


@jitable
def _step(j: Joint, w: World, seen: Watch, t_ns: int) -> None:
    """Feeds the inputs gathered; what the kernel fires is done, and its results fed in turn."""
    while True:
        n = j.clock[N_IN]
        j.clock[N_IN] = 0
        j.clock[N_STEPS] += 1
        j.clock[N_INPUTS] += n
        for k in range(n):
            watch_input(seen, j.inputs[k], t_ns)
        n_out = call_step(
            j.addresses[1], j.addresses[0], t_ns, j.inputs.ctypes.data, n, j.out.ctypes.data, len(j.out)
        )
        for k in range(n_out):
            record = j.out[k]
            watch_record(seen, record)
            _keep(j, record)
            if record["kind"] == _FIRE:
                _fire(j, w, record, t_ns)
            elif record["kind"] == _LAUNCH:
                launch(w, record["device"], record["due_ns"], t_ns)
            elif record["kind"] == _OPENED:
                _know_track(w, record)
        if j.clock[N_IN] == 0:
            return


@jitable
def _next_tell_ns(j: Joint) -> int:
    at = NEVER_NS
    for link in range(len(j.tell_ns)):
        at = min(at, j.tell_ns[link])
    return at


@jitable
def _run_until(j: Joint, w: World, seen: Watch, stop_ns: int) -> bool:
    """Runs to `stop_ns` or until the log is full; False once nothing more will happen."""
    while j.clock[N_LOGGED] < len(j.log) - len(j.out):
        event_ns = next_ns(w)
        due_ns = max(call_deadline(j.addresses[2], j.addresses[0]), j.clock[NOW])
        t_ns = min(event_ns, min(due_ns, j.clock[NEXT_SAMPLE]))
        tell_ns = _next_tell_ns(j)
        t_ns = min(t_ns, tell_ns)
        if event_ns == NEVER_NS and t_ns > j.clock[LAST_EVENT] + DRAIN_NS:
            return False
        if t_ns > stop_ns:
            return True
        j.clock[NOW] = t_ns
        if t_ns >= min(j.clock[NEXT_SAMPLE], j.clock[LAST_SAMPLE] + FRESH_NS):
            _sample(j, w, t_ns)
        if tell_ns <= t_ns:
            _tell(j, t_ns)
        if event_ns <= t_ns:
            j.clock[LAST_EVENT] = t_ns
            for k in range(run_next(w)):
                _notice(j, w, w.happened[k])
        _step(j, w, seen, t_ns)
    return True


def _run_slice(j: Joint, w: World, seen: Watch, stop_ns: int) -> bool:
    return _run_until(j, w, seen, stop_ns)


Loop = Callable[[Joint, World, Watch, int], bool]


@cache
def compiled_loop() -> Loop:
    """The loop, compiled for this machine: some 20 s the first time, then read from the user's cache.

    The cache is kept by what the code says, since Numba's own looks at one file only.
    """
    register_marked()
    folder = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "hubctl"
    vars(numba.config)["CACHE_DIR"] = str(folder / f"sim-{_digest()}")
    try:
        loop: Loop = numba.njit(cache=True)(_run_slice)
    except (RuntimeError, OSError):  # nowhere to write: compile each time
        loop = numba.njit(_run_slice)
    return loop


MODULES = (events, calls, heap, matter, mishaps, motion, places, ring, watch, world)  # compiled with this one


def _digest() -> str:
    sources = [Path(module.__file__ or "").read_bytes() for module in MODULES]
    return hashlib.blake2b(b"".join([*sources, Path(__file__).read_bytes()]), digest_size=8).hexdigest()


def _make_joint(hub: Hub, layout: Layout, traffic: Traffic, kernel: Kernel, kept: Iterable[Kind]) -> Joint:
    links = [link.name for link in hub.links]
    clock = np.zeros(16, np.int64)
    inputs = np.zeros(256, RECORD)
    belts, eyes = layout.belts, layout.eyes
    encoder_node = np.where(belts["encoder_node"] == NO_INDEX, -1, belts["encoder_node"].astype(np.int64))
    chute_node = np.where(layout.chutes["node"] == 0xFFFF, -1, layout.chutes["node"].astype(np.int64))
    confirm = np.where(layout.chutes["has_confirm"] == 0, -1, layout.chutes["confirm_node"].astype(np.int64))
    diverter = np.where(layout.chutes["diverter"] == 0xFFFF, 0, layout.chutes["diverter"])
    return Joint(
        clock=clock,
        addresses=np.array(
            [kernel.address, address_of("kernel_step"), address_of("kernel_next_deadline")], np.int64
        ),
        inputs=inputs,
        input_bytes=inputs.view(np.uint8).reshape(len(inputs), RECORD.itemsize),
        blank=empty(1),
        out=np.zeros(1 << 14, RECORD),
        log=np.zeros(N_LOG, RECORD),
        is_kept=np.isin(np.arange(N_KINDS_MAX), [int(kind) for kind in kept]),
        labels=traffic.labels.view(np.uint8).reshape(-1, 56),
        label_lengths=np.char.str_len(traffic.labels).astype(np.int64),
        jitter_ns=draw.between(traffic.seed, "poll", N_JITTERS, -POLL_NS // 2, POLL_NS // 2),
        eye_node=eyes["node"].astype(np.int64),
        eye_latched=eyes["node"] == encoder_node[eyes["belt"]],
        chute_node=chute_node,
        confirm_node=confirm,
        chute_hold_ns=layout.diverters["hold_ns"][diverter],
        link_of_node=np.array([links.index(node.link) for node in hub.nodes], np.int64),
        link_of_scanner=np.array([links.index(scanner.link) for scanner in hub.scanners], np.int64),
        drops=np.zeros(len(links), np.int64),
        tell_ns=np.zeros(len(links), np.int64),
        counts_per_m=belts["counts_per_m"].astype(np.int64),
        counter_mask=(np.int64(1) << belts["counter_bits"].astype(np.int64)) - 1,
        encoder_node=encoder_node,
        eye_belt=eyes["belt"].astype(np.int64),
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


class Virtual:
    """A hub in virtual time: built once, run to its end.

    Parameters
    ----------
    keep_all : bool
        Keep every record of the kernel, and not only those that the referee needs.
    closed : sequence of int
        Chutes, by index, that a person has closed before it begins.
    """

    def __init__(
        self,
        hub: Hub,
        plan: SortPlan,
        traffic: Traffic,
        *,
        n_tracks_max: int = 4096,
        keep_all: bool = False,
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
        self._joint = _make_joint(hub, self._layout, traffic, self._kernel, Kind if keep_all else KEPT)
        self._watch = new_watch(self._layout, n_open_max=n_tracks_max)
        self._kernel.step(0, _closing(closed))

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
            if self._joint.clock[LAST_SAMPLE] + SAMPLE_NS >= stop_ns:
                stop_ns += SLICE_NS
            kept.append(self._take_log())
            progress(int((self._world.progress["landed"] != NOT_YET).sum()))
        kept.append(self._take_log())
        return self._judged(np.concatenate(kept), time.perf_counter() - began)

    def _take_log(self) -> Records:
        n = int(self._joint.clock[N_LOGGED])
        self._joint.clock[N_LOGGED] = 0
        return self._joint.log[:n].copy()

    def _judged(self, records: Records, wall_s: float) -> Run:
        n_taken = int(self._world.core[0]["n_taken"])
        world = self._world
        truth = Truth(self._traffic.parcels, world.progress, world.taken[:n_taken], self._traffic.mishaps)
        judged = judge(self._layout, self._plan, truth, records, self._watch, n_open=self._kernel.n_open)
        verdict = judged.counts | {
            "evidence_lost": self._kernel.n_evidence_lost,
            "places_kept": int(np.abs(self._kernel.chute_loads()[:, 1:]).sum()),
            "inputs": int(self._joint.clock[N_INPUTS]),
            "steps": int(self._joint.clock[N_STEPS]),
            "belt_s": round(int(self._joint.clock[LAST_EVENT]) / 1e9, 3),
            "state": self._kernel.state_hash(),
            "records": hashlib.blake2b(records.tobytes(), digest_size=16).hexdigest(),
            "wall_s": round(wall_s, 3),
            "recirculated_share": round(judged.counts["recirculated"] / max(judged.counts["inducted"], 1), 5),
            "parcels_per_s": int(judged.counts["inducted"] / wall_s),
            "seed": self._traffic.seed,
        }
        return Run(verdict, judged.wrong, records, truth)
