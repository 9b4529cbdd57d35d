"""The parts of the swarm: any hub and plan pass their checks, a failure is repeated and shrunk, nothing gets lost."""

from __future__ import annotations

from collections import Counter

import pytest

from hubctl.core.layout import compile_layout
from hubctl.core.plan import compile_plan
from hubctl.sim.faults import NONE, Faults
from hubctl.sim.swarm.case import FAULT_NAMES, Case, Outcome, cases, faults_of, make, run_case
from hubctl.sim.swarm.hubs import any_hub
from hubctl.sim.swarm.plans import any_plan
from hubctl.sim.swarm.pool import outcomes
from hubctl.sim.swarm.shrink import shrink
from hubctl.sim.swarm.story import story_of
from hubctl.sim.swarm.summary import Summary
from hubctl.sim.swarm.traits import TRAITS, traits_of

N_HUBS = 60


def test_any_hub_and_plan_compile() -> None:
    for seed in range(N_HUBS):
        hub = any_hub(seed)
        plan = any_plan(seed, hub)
        assert len(compile_layout(hub).chutes) == len(hub.chutes)
        assert compile_plan(plan, hub).version == plan.version


def test_hubs_are_of_all_sorts() -> None:
    hubs = [any_hub(seed) for seed in range(N_HUBS)]
    n_chutes = sorted(len(hub.chutes) for hub in hubs)
    assert n_chutes[0] <= 8
    assert n_chutes[-1] >= 200
    assert {len(hub.belts) for hub in hubs} == {1, 2, 3, 4}
    lines = [hub for hub in hubs if hub.belts[0].kind == "line"]
    assert {sum(scanner.belt == "belt0" for scanner in hub.scanners) for hub in lines} == {1, 2, 3, 4, 6, 8}
    assert {belt.encoder.bits for hub in hubs for belt in hub.belts if belt.encoder} == {16, 24, 32}


def test_loops_are_of_all_sorts() -> None:
    loops = [hub for hub in map(any_hub, range(200)) if hub.belts[0].carriers is not None]
    rings = [hub.belts[0].carriers for hub in loops]
    assert min(ring.n for ring in rings) < 80 < 300 < max(ring.n for ring in rings)
    assert {sum(eye.role == "induct" for eye in hub.eyes) for hub in loops} == {1, 2, 3, 4}
    assert {sum(eye.role == "load" for eye in hub.eyes) for hub in loops} == {2, 4}
    assert {chute.side for hub in loops for chute in hub.chutes} == {"left", "right"}
    assert any(hub.belts[0].parcel_mm_max > ring.carrier_mm for hub, ring in zip(loops, rings, strict=True))


def test_a_seed_is_the_same_hub_and_plan_each_time() -> None:
    hub = any_hub(3)
    assert any_hub(3) == hub != any_hub(4)
    assert any_plan(3, hub).version == any_plan(3, hub).version != any_plan(4, hub).version


def test_a_run_is_a_function_of_its_case() -> None:
    case = Case(1, 200)
    first, second = run_case(case), run_case(case)
    for key in ("state", "records"):
        assert first.verdict[key] == second.verdict[key]


def test_each_class_of_faults_is_on_in_some_seeds_and_off_in_others() -> None:
    drawn = [faults_of(Case(seed)) for seed in range(40)]
    for name in FAULT_NAMES:
        assert {getattr(faults, name) > 0 for faults in drawn} == {True, False}


def test_a_class_that_is_not_named_is_off_and_the_others_stay_as_they_are() -> None:
    seed = next(seed for seed in range(99) if faults_of(Case(seed)).no_read and faults_of(Case(seed)).put_on)
    some = faults_of(Case(seed, faults=("no_read",)))
    assert some == Faults(**vars(NONE) | {"no_read": faults_of(Case(seed)).no_read})
    assert faults_of(Case(seed, faults=())) == NONE


@pytest.mark.parametrize(
    ("case", "line"),
    [
        (Case(7, 500), "hubctl swarm --seeds 1 --from 7 --parcels 500"),
        (
            Case(7, 500, ("no_read", "put_on")),
            "hubctl swarm --seeds 1 --from 7 --parcels 500 --faults no_read put_on",
        ),
        (Case(7, 500, ()), "hubctl swarm --seeds 1 --from 7 --parcels 500 --faults none"),
        (
            Case(7, 500, ("no_read",), ("stamps", "scales")),
            "hubctl swarm --seeds 1 --from 7 --parcels 500 --traits stamps,scales --faults no_read",
        ),
        (Case(7, 500, traits=()), "hubctl swarm --seeds 1 --from 7 --parcels 500 --traits none"),
    ],
)
def test_the_line_to_paste(case: Case, line: str) -> None:
    assert case.line == line


def test_a_program_that_breaks_is_an_outcome() -> None:
    outcome = run_case(Case(1, 0))
    assert outcome.bad == {"error": 1}
    assert outcome.error


# Shrinking, with runs that fail by rule.


def fails_if(n_parcels: int, *needs: str) -> tuple[Counter[str], object]:
    """A run that fails with so many parcels and these faults and traits; and how often it was asked."""
    asked: Counter[str] = Counter()

    def run(case: Case) -> Outcome:
        asked["runs"] += 1
        is_bad = case.n_parcels >= n_parcels and set(needs) <= {*case.faults, *case.traits}
        return Outcome(case, {}, {"wrong_chute": 1} if is_bad else {})

    return asked, run


@pytest.mark.parametrize(("n_parcels", "needs"), [(1, ()), (37, ("put_on",)), (1500, ("no_read", "put_on"))])
def test_a_failure_is_shrunk_to_what_it_needs(n_parcels: int, needs: tuple[str, ...]) -> None:
    asked, run = fails_if(n_parcels, *needs)
    smallest = shrink(run(Case(1, 2000)), run).case
    assert smallest.faults == needs
    assert smallest.traits == ()
    assert n_parcels <= smallest.n_parcels <= n_parcels + 1 + n_parcels // 40
    assert asked["runs"] < 80


def test_a_trait_that_a_failure_needs_stays() -> None:
    seed = next(seed for seed in range(999) if len(traits_of(seed, TRAITS)) == len(TRAITS))
    _, run = fails_if(100, "scales")
    assert shrink(run(Case(seed, 400)), run).case.traits == ("scales",)


def test_what_fails_once_only_stays_as_it_was() -> None:
    case = Case(1, 2000)
    assert shrink(Outcome(case, {}, {"error": 1}), lambda case: Outcome(case, {}, {})).case == case


# Many seeds.


def test_two_processes_find_the_same_as_one() -> None:
    every = cases(0, 4, 100, FAULT_NAMES)
    alone = {outcome.case.seed: outcome.verdict["records"] for outcome in outcomes(every, 1)}
    beside = {outcome.case.seed: outcome.verdict["records"] for outcome in outcomes(every, 2)}
    assert alone == beside
    assert len(alone) == 4


def test_the_summary_adds_up() -> None:
    summary = Summary()
    found = list(outcomes(cases(0, 3, 100, FAULT_NAMES), 1))
    for outcome in found:
        summary.add(outcome)
    summary.add(Outcome(Case(9), {}, {"error": 1}, "broke"))
    told = summary.as_dict()
    assert told["seeds"] == 4
    assert told["inducted"] == sum(outcome.verdict["inducted"] for outcome in found)
    assert told["error"] == 1
    assert [failed.case.seed for failed in summary.failures][-1] == 9


def test_a_class_that_is_never_on_is_named_after_many_seeds() -> None:
    summary = Summary()
    for seed in range(50):
        assert summary.never_on == []
        summary.add(Outcome(Case(seed, faults=("no_read",)), {}, {}))
    assert summary.never_on == [*(name for name in FAULT_NAMES if name != "no_read"), *TRAITS]


def test_a_story_tells_the_records_of_a_run() -> None:
    lines = story_of(Case(1, 5, ()))
    assert any("OPENED" in line for line in lines)
    assert any("CLOSED" in line and "OK" in line for line in lines)


def test_a_made_case_has_what_its_seed_says() -> None:
    made = make(Case(5, 50))
    assert made.hub == any_hub(5)
    assert made.traffic.seed == 5
