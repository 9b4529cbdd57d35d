"""Batch assignment against the kernel itself, which reads the same labels at a real station, one by one."""

from __future__ import annotations

import ctypes
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numba.extending import get_cython_function_address

from hubctl._kernel import Kernel
from hubctl.core.assign import Assigner, station_layout
from hubctl.core.config import Source
from hubctl.core.events import RECORD, ChuteState, Kind, Reason, Records, empty
from hubctl.core.hubfile import Hub, resolve_hub
from hubctl.core.labels import compose
from hubctl.core.layout import compile_layout
from hubctl.core.plan import compile_plan, plan_of
from hubctl.core.site import load_site
from hubctl.core.tables import ASSIGNMENT, BATCH, CompiledPlan, Table

NS_PER_S = 1_000_000_000
CHUTES = [f"C{no}" for no in range(1, 9)]
POLICIES = ["first-open", "nearest", "round-robin", "least-filled", "balance"]
ZIPS = ["10001", "20002", "30003", "40004"]

limits = st.fixed_dictionaries(
    {
        "count_max": st.none() | st.integers(1, 6),
        "reserve_for_priority": st.integers(0, 2),
        "rate_parcels": st.none() | st.integers(1, 4),
        "door_s": st.integers(0, 3),
    }
)
some_chutes = st.lists(st.sampled_from(CHUTES), min_size=1, max_size=4, unique=True)
lane_of = st.tuples(some_chutes, st.sampled_from(POLICIES), st.integers(0, 9), st.integers(0, 2))
waves = st.lists(st.integers(0, 60), max_size=3, unique=True)
labels = st.lists(
    st.tuples(st.sampled_from([*ZIPS, "50005", "", "?", "listed"]), st.integers(0, 3)),
    min_size=1,
    max_size=40,
)
closed = st.lists(
    st.tuples(
        st.integers(0, 60), st.sampled_from(CHUTES), st.sampled_from([ChuteState.OPEN, ChuteState.CLOSED])
    ),
    max_size=4,
)
LISTED = compose("usps-impb", 99, "10001")


@cache
def station() -> Hub:
    return resolve_hub("station")


def hub_with(rooms: list[dict[str, Any]]) -> Hub:
    chutes = [
        chute.model_copy(update=room) for chute, room in zip(station().chutes, [*rooms, {}], strict=True)
    ]
    return station().model_copy(update={"chutes": chutes})


def plan_text(lanes: list[Any], departures: list[list[int]]) -> dict[str, Any]:
    """A plan with a lane a ZIP, each with a group of its own."""
    groups = [
        {"name": f"g{no}", "chutes": own, "policy": policy}
        | ({"weights": list(range(1, len(own) + 1))} if policy == "balance" else {})
        for no, (own, policy, *_) in enumerate(lanes)
    ]
    rows = [
        {
            "name": f"L{no}",
            "keys": [f"zip:{ZIPS[no][:3]}"],
            "group": f"g{no}",
            "priority": rank,
            "lead_s": lead_s,
        }
        for no, (_, _, rank, lead_s) in enumerate(lanes)
    ]
    return {
        "plan": {"name": "any"},
        "labels": {"accept": ["usps-impb"]},
        "lanes": rows,
        "groups": groups,
        "waves": [
            {"lane": f"L{no}", "departs": at_s} for no, some in enumerate(departures) for at_s in sorted(some)
        ],
        "lists": {"intercept": [LISTED]},
        "exceptions": {"default": "C8", "CHUTE_FULL": "END", "WAVE_MISSED": "g0"},
    }


def text_of(what: str, serial: int) -> bytes:
    special = {"": "", "?": "NO LABEL", "listed": LISTED}
    return (special[what] if what in special else compose("usps-impb", serial, what)).encode()


def inputs_of(closings: list[tuple[int, str, ChuteState]]) -> Records:
    inputs = empty(len(closings))
    inputs["kind"] = Kind.OPERATE
    for row, (at_s, chute, state) in zip(inputs, sorted(closings), strict=True):
        row["t_ns"], row["chute"], row["value"] = at_s * NS_PER_S, CHUTES.index(chute), state
    return inputs


def at_a_station(
    hub: Hub, plan: CompiledPlan, texts: list[bytes], times_ns: list[int], inputs: Records
) -> list[tuple[int, int, int, int]]:
    """What the kernel decides that reads the labels one by one; every output is written at once."""
    kernel = Kernel(compile_layout(hub), plan)
    up = empty(1)
    up["kind"], up["value"] = Kind.NODE, 1
    kernel.step(0, up)
    found = []
    for text, t_ns in zip(texts, times_ns, strict=True):
        while len(inputs) and inputs[0]["t_ns"] <= t_ns:
            kernel.step(int(inputs[0]["t_ns"]), inputs[:1])
            inputs = inputs[1:]
        read = empty(1)
        read["kind"], read["t_ns"], read["text"], read["n_text"] = Kind.READ, t_ns, text, len(text)
        said = kernel.step(t_ns, read)
        (row,) = said[said["kind"] == Kind.DECIDED]
        found.append((int(row["value"]), int(row["limit"]), int(row["chute"]), int(row["reason"])))
        for fire in said[said["kind"] == Kind.FIRE_OUTPUT]:
            done = empty(1)
            done["kind"], done["t_ns"], done["reason"] = Kind.FIRE_RESULT, t_ns, Reason.OK
            for name in ("seq", "parcel", "chute"):
                done[name] = fire[name]
            kernel.step(t_ns, done)
    return found


def rows(found: Table) -> list[tuple[int, int, int, int]]:
    return [(int(r["lane"]), int(r["wave"]), int(r["chute"]), int(r["reason"])) for r in found]


@given(
    st.lists(limits, min_size=8, max_size=8),
    st.lists(lane_of, min_size=4, max_size=4),
    st.lists(waves, min_size=4, max_size=4),
    labels,
    closed,
)
@settings(max_examples=25, deadline=None)
def test_a_batch_is_decided_as_the_kernel_decides(
    rooms: list[dict[str, Any]], lanes: list[Any], departures: list[list[int]], parcels: Any, closings: Any
) -> None:
    hub = hub_with(rooms)
    plan = compile_plan(
        plan_of(Source.of_data(Path("any.plan.toml"), plan_text(lanes, departures)), hub), hub
    )
    texts = [text_of(what, serial) for what, serial in parcels]
    times_ns = [2 * no * NS_PER_S for no in range(len(texts))]
    inputs = inputs_of(closings)
    found = Assigner(hub, plan).assign_labels(np.array(texts, "S56"), np.array(times_ns), inputs)
    assert rows(found) == at_a_station(hub, plan, texts, times_ns, inputs)


@pytest.fixture(scope="module")
def demo() -> tuple[Hub, CompiledPlan]:
    hub, plan = load_site("demo")
    assert plan is not None
    return hub, compile_plan(plan, hub)


def some_labels(n: int) -> tuple[Any, Any]:
    texts = [compose("usps-impb", no, f"{no * 7919 % 100_000:05}").encode() for no in range(n)]
    return np.array(texts, "S56"), np.arange(n, dtype=np.int64)


def test_in_one_go_or_in_pieces_is_the_same(demo: tuple[Hub, CompiledPlan]) -> None:
    texts, times_ns = some_labels(200)
    whole = Assigner(*demo).assign_labels(texts, times_ns)
    pieces = Assigner(*demo)
    parts = [pieces.assign_labels(texts[at : at + 7], times_ns[at : at + 7]) for at in range(0, 200, 7)]
    assert np.concatenate(parts).tolist() == whole.tolist()
    narrow = Assigner(*demo).assign_labels(texts.astype("S30"), times_ns)
    assert narrow.tolist() == whole.tolist()


def test_lanes_lead_where_their_labels_lead(demo: tuple[Hub, CompiledPlan]) -> None:
    texts, times_ns = some_labels(200)
    by_label = Assigner(*demo).assign_labels(texts, times_ns)
    by_lane = Assigner(*demo).assign_lanes(by_label["lane"].copy(), times_ns)
    assert by_lane["chute"].tolist() == by_label["chute"].tolist()
    assert by_lane["reason"].tolist() == by_label["reason"].tolist()


@pytest.mark.parametrize("name", ["demo", "crossbelt", "station", "nodes"])
def test_every_hub_is_a_station(name: str) -> None:
    hub, plan = load_site(name)
    assert plan is not None
    compiled = compile_plan(plan, hub)
    lanes = np.arange(len(plan.lanes), dtype=np.int32)
    found = Assigner(hub, compiled).assign_lanes(lanes, np.zeros(len(lanes), np.int64))
    first = [compiled.chutes[at] for at in compiled.first[:-1]]
    assert found["chute"].tolist() == first


def test_what_it_holds_is_its_kernels(demo: tuple[Hub, CompiledPlan]) -> None:
    assigner = Assigner(*demo)
    assigner.assign_labels(*some_labels(100))
    loads = assigner.kernel.chute_loads()
    assert loads[:, 0].sum() == 100
    assert not loads[:, 1:].any()
    assert assigner.kernel.n_open == 0


def test_a_station_has_every_chute_with_its_limits() -> None:
    hub = hub_with([{"count_max": no} for no in range(1, 9)])
    made, real = station_layout(hub), compile_layout(hub)
    assert made.chutes["count_max"].tolist() == real.chutes["count_max"].tolist()
    assert made.belts["end_chute"].tolist() == [8]


@pytest.mark.parametrize(
    ("texts", "times_ns", "said"),
    [
        (np.array([b"A"]), np.zeros(2, np.int64), "must be as many"),
        (np.array(["A"]), np.zeros(1, np.int64), "must be bytes"),
        (np.array([b"A"]), np.zeros(1, np.int32), "at int64"),
        (np.array([b"A", b"B"]), np.array([1, 0]), "rise"),
        (np.array([b"A"] * 4)[::2], np.zeros(2, np.int64), "contiguous"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(
    demo: tuple[Hub, CompiledPlan], texts: Any, times_ns: Any, said: str
) -> None:
    with pytest.raises(ValueError, match=said):
        Assigner(*demo).assign_labels(texts, times_ns)


HEAP = [
    "arena",
    "ordblks",
    "smblks",
    "hblks",
    "hblkhd",
    "usmblks",
    "fsmblks",
    "uordblks",
    "fordblks",
    "keepcost",
]


class Heap(ctypes.Structure):
    """glibc's `struct mallinfo2`."""

    _fields_ = [(name, ctypes.c_size_t) for name in HEAP]


@pytest.fixture
def libc() -> ctypes.CDLL:
    """The C library, if it tells what is taken from it."""
    library = ctypes.CDLL(None)
    if not hasattr(library, "mallinfo2"):
        pytest.skip("no mallinfo2 in this C library")
    library.mallinfo2.restype = Heap
    return library


def test_a_million_decisions_take_no_memory(libc: ctypes.CDLL, demo: tuple[Hub, CompiledPlan]) -> None:
    """Behind the call nothing is taken from the C library that was not before, and nothing given back."""
    texts, times_ns = (np.tile(part, 500) for part in some_labels(1000))
    times_ns.sort()
    out, said = np.zeros(len(texts), ASSIGNMENT), np.zeros(512, RECORD)
    batch = np.zeros(1, BATCH)
    batch["labels"], batch["label_size"], batch["n"] = texts.ctypes.data, texts.itemsize, len(texts)
    batch["times_ns"], batch["assignments"] = times_ns.ctypes.data, out.ctypes.data
    batch["said"], batch["n_said_max"] = said.ctypes.data, len(said)
    assigner = Assigner(*demo)
    address = get_cython_function_address("hubctl._kernel", "kernel_assign")
    assign = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p)(address)
    state, rows = ctypes.c_void_p(assigner.kernel.address), ctypes.c_void_p(batch.ctypes.data)
    for _ in range(2):  # what the calls themselves need is there the second time
        before = libc.mallinfo2()
        assign(state, rows)
        after = libc.mallinfo2()
    assert [getattr(after, name) for name in HEAP] == [getattr(before, name) for name in HEAP]
    assert (out["reason"] != Reason.NONE).all()
