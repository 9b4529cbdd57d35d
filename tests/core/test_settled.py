"""A batch decided in one go, where choices are kept that stand, is what its parcels come to one by one."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from hubctl.core.assign import Assigner
from hubctl.core.config import Source
from hubctl.core.events import ChuteState, Kind, Reason, Records, empty
from hubctl.core.hubfile import Hub, resolve_hub
from hubctl.core.labels import compose
from hubctl.core.plan import compile_plan, plan_of
from hubctl.core.preadvice import Customs, Notice
from hubctl.core.tables import CompiledPlan

N_SITES = 40
N_PARCELS = 250
NS_PER_S = 1_000_000_000
CHUTES = [f"C{no}" for no in range(1, 9)]
ZIPS = ["10001", "20002", "30003", "40004", "50005"]
POLICIES = ["first-open", "first-open", "first-open", "nearest", "round-robin", "least-filled", "balance"]
LISTED = [compose("usps-impb", no, "10001") for no in (90, 91)]
ADVISED = [compose("sf", no) for no in range(40)]
ALL_REASONS = {
    Reason.OK,
    Reason.NO_READ,
    Reason.BAD_LABEL,
    Reason.NO_DATA,
    Reason.NO_LANE,
    Reason.WAVE_MISSED,
    Reason.INTERCEPT,
    Reason.HELD,
    Reason.CHUTE_FULL,
    Reason.CHUTE_CLOSED,
    Reason.CHUTE_FAULT,
    Reason.RATE_LIMIT,
    Reason.NODE_DOWN,
}


class Day(NamedTuple):
    """A site, and what comes to it."""

    hub: Hub
    plan: CompiledPlan
    texts: Any
    times_ns: Any
    inputs: Records


@cache
def station() -> Hub:
    return resolve_hub("station")


def any_hub(rng: np.random.Generator) -> Hub:
    def limits() -> dict[str, Any]:
        return {
            "count_max": None if rng.random() < 0.2 else int(rng.integers(1, 80)),
            "nearly_full_at": int(rng.integers(1, 101)),
            "open_again_at": int(rng.integers(50, 101)),
            "reserve_for_priority": int(rng.integers(0, 4)),
            "rate_parcels": int(rng.integers(1, 30)) if rng.random() < 0.15 else None,
            "door_s": int(rng.integers(0, 20)),
            "full_alarm_ms": 5000 if rng.random() < 0.3 else None,
        }

    chutes = [chute.model_copy(update=limits()) for chute in station().chutes]
    return station().model_copy(update={"chutes": chutes})


def any_plan(rng: np.random.Generator, hub: Hub) -> CompiledPlan:
    groups, lanes, waves = [], [], []
    for no, zip_code in enumerate(ZIPS[:4]):
        policy = str(rng.choice(POLICIES))
        chutes = rng.permutation(CHUTES)[: rng.integers(1, 5)].tolist()
        weights = list(range(1, len(chutes) + 1)) if policy == "balance" else []
        groups.append({"name": f"g{no}", "chutes": chutes, "policy": policy, "weights": weights})
        lane = {"name": f"L{no}", "keys": [f"zip:{zip_code[:3]}"], "group": f"g{no}"}
        lane |= {"priority": int(rng.integers(0, 10)), "lead_s": int(rng.integers(0, 20))}
        others = [name for name in rng.permutation(CHUTES)[:3].tolist() if name not in chutes]
        lanes.append(lane | {"overflow": others[: rng.integers(0, 4)]})
        departures = sorted(set(rng.integers(0, N_PARCELS, rng.integers(0, 5)).tolist()))
        own = {"chutes": rng.permutation(CHUTES)[:2].tolist()}
        waves += [
            {"lane": f"L{no}", "departs": at_s} | (own if rng.random() < 0.3 else {}) for at_s in departures
        ]
    text = {
        "plan": {"name": "any"},
        "labels": {"accept": ["usps-impb", "sf", "s10"], "customs": ["s10"]},
        "groups": groups,
        "lanes": lanes,
        "waves": waves,
        "lists": {"intercept": LISTED[:1], "held": LISTED[1:]},
        "exceptions": {"default": "C8", "NO_LANE": "END", "WAVE_MISSED": "g0"},
    }
    return compile_plan(plan_of(Source.of_data(Path("any.plan.toml"), text), hub), hub, any_advice(rng))


def any_advice(rng: np.random.Generator) -> Notice:
    keys = np.array([f"zip:{zip_code}".encode() for zip_code in rng.choice(ZIPS, len(ADVISED))])
    customs = rng.choice(list(Customs), len(ADVISED), p=[0.6, 0.05, 0.25, 0.05, 0.05]).astype(np.uint8)
    return Notice(np.array([label.encode() for label in ADVISED]), keys, customs)


def any_texts(rng: np.random.Generator) -> Any:
    several = [
        *(compose("usps-impb", int(no), str(rng.choice(ZIPS))) for no in rng.integers(0, 60, 8)),
        *rng.choice(ADVISED, 8).tolist(),
        *(compose("sf", 100), compose("s10", 5), "NO LABEL", "", " sf 000000000017 ", "SF0", *LISTED),
    ]
    size = max(map(len, several)) + int(rng.integers(0, 12))
    return np.array([text.encode() for text in rng.choice(several, N_PARCELS)], f"S{size}")


def any_inputs(rng: np.random.Generator) -> Records:
    """Chutes closed, emptied and out of order, their eyes blocked, the node down for a while."""
    n = 24
    inputs = empty(n)
    inputs["t_ns"] = np.sort(rng.integers(0, N_PARCELS, n)) * NS_PER_S
    inputs["kind"] = rng.choice([Kind.OPERATE, Kind.CHUTE_LEVEL, Kind.NODE], n, p=[0.35, 0.6, 0.05])
    is_level = inputs["kind"] == Kind.CHUTE_LEVEL
    inputs["chute"] = np.where(is_level, rng.integers(0, 3, n), rng.integers(0, 9, n))
    inputs["value"] = rng.integers(0, 2, n)
    states = [ChuteState.OPEN, ChuteState.OPEN, ChuteState.CLOSING, ChuteState.CLOSED, ChuteState.FAULT]
    told = inputs["kind"] == Kind.OPERATE
    inputs["value"][told] = rng.choice(states, told.sum())
    inputs["device"] = np.where(is_level, rng.random(n) < 0.2, 0)
    return inputs


def any_day(seed: int) -> Day:
    rng = np.random.default_rng(seed)
    hub = any_hub(rng)
    times_ns = np.sort(rng.integers(0, N_PARCELS, N_PARCELS)) * NS_PER_S
    return Day(hub, any_plan(rng, hub), any_texts(rng), times_ns, any_inputs(rng))


def one_by_one(assigner: Assigner, day: Day) -> list[tuple[int, ...]]:
    found, told = [], 0
    for at, t_ns in enumerate(day.times_ns):
        until = int(np.searchsorted(day.inputs["t_ns"], t_ns, "right"))
        one = slice(at, at + 1)
        found += assigner.assign_labels(day.texts[one], day.times_ns[one], day.inputs[told:until]).tolist()
        told = until
    return found


def test_what_stands_for_a_batch_is_what_each_comes_to_alone() -> None:
    reasons = set()
    for seed in range(N_SITES):
        day = any_day(seed)
        together, alone = Assigner(day.hub, day.plan), Assigner(day.hub, day.plan)
        found = together.assign_labels(day.texts, day.times_ns, day.inputs)
        assert found.tolist() == one_by_one(alone, day), f"any_day({seed})"
        assert together.kernel.state_hash() == alone.kernel.state_hash(), f"any_day({seed})"
        reasons |= set(found["reason"].tolist())
    assert reasons == ALL_REASONS


def test_a_chute_whose_eye_has_cleared_opens_in_the_midst_of_a_batch() -> None:
    """Its full eye is blocked until 5 s, and clear for long enough at 7 s."""
    hub = station()
    lanes = [{"name": "L", "keys": ["zip:1"], "chutes": ["C1", "C2"]}]
    text = {"plan": {"name": "eye"}, "labels": {"accept": ["usps-impb"]}, "lanes": lanes}
    plan = compile_plan(plan_of(Source.of_data(Path("eye.plan.toml"), text), hub), hub)
    inputs = empty(2)
    inputs["kind"], inputs["chute"] = Kind.CHUTE_LEVEL, CHUTES.index("C1")
    inputs["value"], inputs["t_ns"] = [1, 0], [0, 5 * NS_PER_S]
    texts = np.array([compose("usps-impb", no, "10001").encode() for no in range(10)])
    day = Day(hub, plan, texts, np.arange(1, 11) * NS_PER_S, inputs)
    found = Assigner(hub, plan).assign_labels(day.texts, day.times_ns, inputs)
    assert found["chute"].tolist() == [1] * 6 + [0] * 4
    assert found.tolist() == one_by_one(Assigner(hub, plan), day)


@pytest.mark.parametrize("lanes_in_use", [4, 500])
def test_lanes_that_share_a_place_are_not_mixed_up(lanes_in_use: int) -> None:
    """More lanes than choices are kept for at a time."""
    hub = resolve_hub("crossbelt")
    names = [chute.name for chute in hub.chutes if chute.diverter][:100]
    lanes = [
        {"name": f"L{no}", "keys": [f"zip:{no:05}"], "chutes": [names[no % 100], names[(no + 1) % 100]]}
        for no in range(lanes_in_use)
    ]
    text = {"plan": {"name": "wide"}, "labels": {"accept": ["usps-impb"]}, "lanes": lanes}
    plan = compile_plan(plan_of(Source.of_data(Path("wide.plan.toml"), text), hub), hub)
    asked = np.random.default_rng(1).integers(-1, lanes_in_use, 5000).astype(np.int32)
    together, alone = Assigner(hub, plan), Assigner(hub, plan)
    found = together.assign_lanes(asked, np.zeros(len(asked), np.int64))
    pieces = [alone.assign_lanes(asked[at : at + 1], np.zeros(1, np.int64)) for at in range(len(asked))]
    assert found.tolist() == np.concatenate(pieces).tolist()
    assert found["lane"].tolist() == asked.tolist()
