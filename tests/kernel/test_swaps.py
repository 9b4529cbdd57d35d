"""Plans swapped in mid-flight: each parcel is decided by exactly one at a time, and every record says by which."""

from __future__ import annotations

from typing import Any

from golden import Stage, Story
from hypothesis import given, settings
from hypothesis import strategies as st
from line_hub import MS, names, plan

from hubctl.core.events import Kind, Reason

CHAINS = {"line": {"1": {"C1", "C2", "C3"}, "2": {"C2"}}, "other": {"1": {"C4"}, "2": {"C3"}}}
EXCEPTIONS = {"line": {"END"}, "other": {"END", "BARE"}}
VERSIONS = {plan(name).version: name for name in CHAINS}
PITCH_MS = 500
SPOKEN = (Kind.DECIDED, Kind.COMMITTED, Kind.FIRE_OUTPUT, Kind.CLOSED)

swaps = st.lists(st.tuples(st.integers(1000, 6000), st.sampled_from(list(CHAINS))), min_size=1, max_size=5)
closings = st.lists(
    st.tuples(st.integers(1000, 6000), st.sampled_from(["C1", "C2", "C3", "C4"]), st.booleans()), max_size=5
)


def told(lanes: list[str], swapped: list[tuple[int, str]], closed: list[tuple[int, str, bool]]) -> list[Any]:
    """What a kernel says of parcels for some lanes while plans are swapped, chutes closed and opened."""
    script: list[tuple[int, list[str]]] = [
        (1000 + k * PITCH_MS, ["parcel", f"P{k}", "200", f"zip:{lane}#{k}"]) for k, lane in enumerate(lanes)
    ]
    script += [(at_ms, ["plan", name]) for at_ms, name in swapped]
    script += [(at_ms, ["operate", chute, "OPEN" if opens else "CLOSED"]) for at_ms, chute, opens in closed]
    script.append((1000 + len(lanes) * PITCH_MS + 5500, ["end"]))
    stage = Stage(Story("", {"hub": ["line"], "plan": ["line"]}, script, ""))
    stage.perform(script)
    return stage.said


def plan_at(swapped: list[tuple[int, str]], t_ns: int) -> str:
    """The last that was swapped in."""
    past = [(at_ms, k) for k, (at_ms, _) in enumerate(swapped) if at_ms * MS <= t_ns]
    return swapped[max(past)[1]][1] if past else "line"


@given(st.lists(st.sampled_from("12"), min_size=1, max_size=4), swaps, closings)
@settings(max_examples=15, deadline=None)
def test_no_record_mixes_two_plans(
    lanes: list[str], swapped: list[tuple[int, str]], closed: list[tuple[int, str, bool]]
) -> None:
    said = told(lanes, swapped, closed)
    decided: dict[int, int] = {}
    for record in said:
        parcel, version = int(record["parcel"]), int(record["plan"])
        if record["kind"] == Kind.DECIDED:
            assert VERSIONS[version] == plan_at(swapped, int(record["t_ns"]))
            decided[parcel] = version
        elif record["kind"] in SPOKEN:
            assert version == decided[parcel]
        if record["kind"] in (Kind.DECIDED, Kind.SKIPPED):
            assert_of_one_plan(record, VERSIONS[version], lanes[parcel - 1])


def assert_of_one_plan(record: Any, name: str, lane: str) -> None:
    chute = names().chutes[record["chute"]]
    own = CHAINS[name][lane]
    if record["kind"] == Kind.SKIPPED:
        assert chute in own | EXCEPTIONS[name]
    else:
        assert chute in (own if record["reason"] == Reason.OK else EXCEPTIONS[name])


def test_a_swap_changes_nothing_for_those_who_are_decided() -> None:
    said = told(["1"], [(2000, "other")], [])
    spoken = [record for record in said if record["kind"] in SPOKEN]
    assert {VERSIONS[int(record["plan"])] for record in spoken} == {"line"}
    assert names().chutes[spoken[-1]["chute"]] == "C1"
