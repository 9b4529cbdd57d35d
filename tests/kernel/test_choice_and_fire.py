"""The compiled choice and fire arithmetic against a slow model."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from line_hub import MS, label, layout, names, nodes_up, plan, read, records
from slow_model import ChuteModel, choose, fire_counts

from hubctl._kernel import Kernel
from hubctl.core.events import ChuteState, Flag, Kind, Reason, Records

CHAIN = ["C1", "C2", "C3"]
READ_MS = 1600
chutes = st.fixed_dictionaries(
    {
        name: st.builds(
            ChuteModel,
            levels=st.lists(st.tuples(st.integers(1, READ_MS - 1), st.booleans()), max_size=5).map(
                lambda levels: sorted(levels, key=lambda level: level[0])
            ),
            state=st.sampled_from([state.name for state in ChuteState]),
        )
        for name in CHAIN
    }
)


def index(chute: str) -> int:
    return names().chutes.index(chute)


def sample(counts: int, t_ns: int) -> dict[str, Any]:
    return {"kind": Kind.ENCODER, "counts": counts, "t_ns": t_ns}


def edge(value: int, counts: int, t_ns: int) -> dict[str, Any]:
    return {"kind": Kind.EYE, "value": value, "counts": counts, "flags": Flag.LATCHED, "t_ns": t_ns}


def told(made: dict[str, ChuteModel], node_up: bool) -> list[dict[str, Any]]:
    """Everything about the chutes, in order of time."""
    rows: list[dict[str, Any]] = [{"kind": Kind.NODE, "device": 1, "value": node_up, "t_ns": MS}]
    for name, chute in made.items():
        rows.append(
            {"kind": Kind.OPERATE, "chute": index(name), "value": ChuteState[chute.state], "t_ns": MS}
        )
        for at_ms, level in chute.levels:
            rows.append({"kind": Kind.CHUTE_LEVEL, "chute": index(name), "value": level, "t_ns": at_ms * MS})
    return sorted(rows, key=lambda row: int(row["t_ns"]))


@given(chutes, st.booleans())
@settings(max_examples=300, deadline=None)
def test_the_first_chute_that_takes_it_and_a_reason_for_each_before(
    made: dict[str, ChuteModel], node_up: bool
) -> None:
    kernel = Kernel(layout(), plan())
    kernel.step(0, records(*nodes_up(2), sample(0, 0)))
    for row in told(made, node_up):
        kernel.step(row["t_ns"], records(row))
    for chute in made.values():
        chute.node_up = node_up
    kernel.step(
        READ_MS * MS, records(sample(1600, READ_MS * MS), edge(1, 1000, 1000 * MS), edge(0, 1300, 1300 * MS))
    )
    said = kernel.step(READ_MS * MS, records(read(0, label("1"), READ_MS * MS)))
    skipped, taken, reason = choose(CHAIN, made, READ_MS)
    assert pairs(said, Kind.SKIPPED) == skipped
    assert pairs(said, Kind.DECIDED) == [(taken, reason)]


def pairs(said: Records, kind: Kind) -> list[tuple[str, str]]:
    rows = said[said["kind"] == kind]
    return [(names().chutes[row["chute"]], Reason(row["reason"]).name) for row in rows]


def life(start: int, speed: int, length: int) -> dict[int, list[dict[str, Any]]]:
    """Inputs by time, ms, of a parcel for C4 whose leading edge is at the induct eye after 500 ms."""
    origin = start + speed // 2 - 100

    def at_ms(counts: int) -> int:
        return (counts - start) * 1000 // speed // 10 * 10 + 10

    def eye(device: int, value: int, counts: int) -> tuple[int, dict[str, Any]]:
        now_ms = at_ms(counts)
        return now_ms, {**edge(value, counts % 2**32, now_ms * MS), "device": device}

    told = [eye(e, 1, origin + at) for e, at in enumerate((100, 1400, 3000))]
    told += [eye(e, 0, origin + at + length) for e, at in enumerate((100, 1400, 3000))]
    seen = origin + 500 + length // 2
    told.append((at_ms(seen), {**read(0, label("4"), at_ms(seen) * MS), "counts": seen % 2**32}))
    rows: dict[int, list[dict[str, Any]]] = {}
    for now_ms, row in told:
        rows.setdefault(now_ms, []).append(row)
    return rows


@given(
    st.integers(5, 15),
    st.integers(100, 800),
    st.integers(0, 200),
    st.integers(1, 300),
    st.integers(0, 2**32 - 1),
)
@settings(max_examples=60, deadline=None)
def test_the_paddle_meets_the_parcels_middle(
    counts_in_10_ms: int, length: int, latency_ms: int, hold_ms: int, start: int
) -> None:
    """At any speed at which the belt may divert, for any parcel, from any count."""
    speed = counts_in_10_ms * 100
    made = layout(speed_counts_s_max=1500)
    made.diverters["latency_ns"], made.diverters["hold_ns"] = latency_ms * MS, hold_ms * MS
    kernel = Kernel(made, plan())
    kernel.step(0, records(*nodes_up(2)))
    rows, said = life(start, speed, length), []
    for now_ms in range(0, 5000 * 1000 // speed, 10):
        run = sample((start + now_ms * speed // 1000) % 2**32, now_ms * MS)
        said.append(kernel.step(now_ms * MS, records(*rows.get(now_ms, []), run)))
    told = np.concatenate(said)
    expected = fire_counts(start + speed // 2 - 100, length, 3600, speed, latency_ms, hold_ms)
    fires = told[told["kind"] == Kind.FIRE_OUTPUT]
    assert told["limit"][told["kind"] == Kind.COMMITTED].tolist() == [expected]
    assert fires["counts"].tolist() == [expected]
    assert abs(int(fires["due_ns"][0]) - (expected - start) * 1_000_000_000 // speed) <= 1


PITCH = 300
acts = st.lists(
    st.tuples(st.integers(1000, 7000), st.sampled_from(["C3", "C4"]), st.booleans()), max_size=8
).map(lambda acts: {at_ms // 10 * 10: (chute, opens) for at_ms, chute, opens in acts})


@given(st.lists(st.sampled_from(["3", "4"]), min_size=1, max_size=12), acts)
@settings(max_examples=40, deadline=None)
def test_fires_come_in_the_order_of_their_counts(lanes: list[str], acts: dict[int, tuple[str, bool]]) -> None:
    """Many are committed at once, and some are taken back out of the middle: a closed chute gets nobody."""
    made = layout()
    made.diverters["commit_ns"] = 1200 * MS
    made.diverters["fails_max"] = 0  # nobody arrives, and that is no matter here
    kernel = Kernel(made, plan())
    kernel.step(0, records(*nodes_up(2)))
    rows: dict[int, list[dict[str, Any]]] = {}
    for k, lane in enumerate(lanes):
        for now_ms, each in life(k * PITCH, 1000, 100).items():
            lane_rows = [
                {**row, "text": label(lane, k).encode()} if row["kind"] == Kind.READ else row for row in each
            ]
            rows.setdefault(now_ms + k * PITCH, []).extend(later(row, k * PITCH) for row in lane_rows)
    closed: set[int] = set()
    last, said = -1, []
    for now_ms in range(0, 9000, 10):
        if now_ms in acts:
            chute, opens = acts[now_ms]
            (closed.discard if opens else closed.add)(index(chute))
            state = ChuteState.OPEN if opens else ChuteState.CLOSED
            rows.setdefault(now_ms, []).append({"kind": Kind.OPERATE, "chute": index(chute), "value": state})
        told = kernel.step(now_ms * MS, records(*rows.get(now_ms, []), sample(now_ms, now_ms * MS)))
        for fire in told[told["kind"] == Kind.FIRE_OUTPUT]:
            assert fire["counts"] >= last
            assert fire["chute"] not in closed
            last = fire["counts"]
        said.append(told)
    everything = np.concatenate(said)
    fires = everything[everything["kind"] == Kind.FIRE_OUTPUT]
    commits = everything[everything["kind"] == Kind.COMMITTED]
    assert set(fires["seq"].tolist()) <= set(commits["seq"].tolist())
    assert acts or len(fires) == len(lanes)


def later(row: dict[str, Any], by_ms: int) -> dict[str, Any]:
    return {**row, "t_ns": row["t_ns"] + by_ms * MS}
