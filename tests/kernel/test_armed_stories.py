"""Diverts told ahead and taken back at any time, in time or too late: each parcel ends where the kernel says."""

from __future__ import annotations

from typing import Any

from golden import CUT, Story
from golden_ring import perform
from hypothesis import given, settings
from hypothesis import strategies as st

from hubctl.core.events import NO_INDEX, Disposition, Kind

APART_MS = 700
N_PARCELS_MAX = 5
RUNS_MS = 6000
WISHES = (
    "chute {chute} blocked",
    "chute {chute} cleared",
    "operate {chute} CLOSED",
    "operate {chute} CLOSING",
    "operate {chute} OPEN",
    "diverter D1 out",
    "diverter D1 in",
    "tell CHANGE parcel={parcel} chute={chute} value=-1 seq=9",
    "tell LIST reason=INTERCEPT value=1 text={label}",
    "node io1 down",
    "node io1 up",
    "belt 930",
    "belt 1000",
    "reactor crosses",
    "reactor writes",
)

zips = st.lists(st.integers(1, 5), min_size=1, max_size=N_PARCELS_MAX)
wishes = st.lists(
    st.tuples(
        st.integers(1300, RUNS_MS),
        st.sampled_from(WISHES),
        st.sampled_from(["C1", "C2", "C3", "C4", "BARE"]),
        st.integers(1, N_PARCELS_MAX),
    ),
    max_size=8,
)


def story_of(lanes: list[int], wished: list[tuple[int, str, str, int]], commit_ms: int) -> Story:
    head = {"hub": ["line", "armed=1", f"commit_ms={commit_ms}"], "plan": ["line"]}
    script = []
    for k, lane in enumerate(lanes):
        script.append((1000 + k * APART_MS, f"parcel P{k} 300 zip:{lane}0001".split()))
    for at_ms, words, chute, parcel in wished:
        lane = lanes[(parcel - 1) % len(lanes)]
        text = f"zip:{lane}0001#{sum(f'P{(parcel - 1) % len(lanes)}'.encode())}"
        script.append((at_ms, words.format(chute=chute, parcel=parcel, label=text).split()))
    script.append((RUNS_MS + N_PARCELS_MAX * APART_MS, ["end"]))
    return Story(CUT, head, sorted(script, key=lambda line: line[0]), "")


@given(zips, wishes, st.sampled_from([60, 500]))
@settings(max_examples=40, deadline=None)
def test_each_parcel_ends_where_the_kernel_says(
    lanes: list[int], wished: list[tuple[int, str, str, int]], commit_ms: int
) -> None:
    stage = perform(story_of(lanes, wished, commit_ms))
    closed = [record for record in stage.said if record["kind"] == Kind.CLOSED]
    assert sorted(int(record["parcel"]) for record in closed) == list(range(1, len(lanes) + 1))
    assert {int(record["parcel"]): said_end(stage, record) for record in closed} == {
        k + 1: stage.belt.landed.get(f"P{k}", "END") for k in range(len(lanes))
    }
    assert stage.armed == {}


def said_end(stage: Any, record: Any) -> str:
    assert record["value"] in (Disposition.SORTED, Disposition.REJECTED)
    assert record["chute"] != NO_INDEX
    return str(stage.names.chutes[record["chute"]])
