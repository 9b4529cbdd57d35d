"""One case of the swarm: a seed with its hub, plan, traffic and faults, run to its end and judged."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import fields
from typing import Any, NamedTuple

from hubctl.core.hubfile import Hub
from hubctl.core.plan import SortPlan
from hubctl.core.preadvice import PreAdvice
from hubctl.sim import draw
from hubctl.sim.faults import NONE, Faults
from hubctl.sim.matter import Mishap
from hubctl.sim.referee import BAD, Wrong
from hubctl.sim.swarm.calm import calms_of, harmed, misweighed
from hubctl.sim.swarm.drawn import Drawn
from hubctl.sim.swarm.hubs import any_hub, is_loop
from hubctl.sim.swarm.plans import any_plan, reordered
from hubctl.sim.swarm.tally import tally
from hubctl.sim.swarm.traits import TRAITS, traits_of
from hubctl.sim.swarm.uses import uses
from hubctl.sim.traffic import Traffic, make_traffic
from hubctl.sim.virtual import Run, Virtual

N_PARCELS = 2000
SHARE_ON = 60  # of a hundred seeds, those in which a class of faults is on
CHANCE_MAX = 50_000  # per million parcels, of a class that harms one parcel
MISHAP_CHANCE_MAX = 2000  # of one that befalls a device, and so many parcels
OF_LOOPS = ("tilt_fails", "carrier_out", "launch_fails", "carrier_missed", "origin_missed", "origin_doubled")
OF_MACHINES = ("machine_held", "machine_stopped", "safety_tripped")
FEW_CHANCE_MAX = 8000  # of one that befalls a loop or a machine, of which there are few
PITCH_MM = (500, 2500)
NOT_TOLD = 700_000  # of a million labels, those of which the host tells only when it is asked
CALM_SEEDS = 8  # one seed of so many has no faults at all
PHASED = 40  # of a hundred of the others, those in which harm and healing take turns
HARM_S, HEAL_S = (30, 240), (180, 400)
MUST_BE_0 = (*BAD, "in_flight", "evidence_lost", "places_kept", "harmed")
ALL_FAULTS = tuple(field.name for field in fields(Faults))
ASKED_FOR = ("two_carriers",)  # on by name only: not every parcel comes through it well yet
FAULT_NAMES = tuple(name for name in ALL_FAULTS if name not in ASKED_FOR)  # on unless others are asked for
LOOP_NAMES = (  # of these, on loops
    *(
        "no_read",
        "missed_side",
        "doubled_read",
        "late_read",
        "taken_off",
        "put_on",
        "two_labels",
        "same_label",
    ),
    *("garbled_read", "overweight", "divert_fails", "chute_full", "write_lost", "write_refused", "link_drop"),
    *("scanner_silent", "garbage", "divert_unconfirmed", "chute_flaps"),
    *("host_silent", "host_late", "plan_swap", "clock_jump", "tilt_fails", "carrier_out", "launch_fails"),
    *("chute_closed", "bag_change", "intercept", "hold_back", "change", "code"),
    *("carrier_missed", "origin_missed", "origin_doubled", "tell_taken_off", "slow_node"),
    *("belt_stops", "belt_slows", "encoder_stops", "encoder_scale", "encoder_resets"),
    *("eye_chatter", "eye_stuck_on", "eye_stuck_off", "restart", "stall"),
    *OF_MACHINES,
)


class Case(NamedTuple):
    """What repeats a run, with this version of hubctl."""

    seed: int
    n_parcels: int = N_PARCELS
    faults: tuple[str, ...] = FAULT_NAMES  # classes that may be on; the seed decides which are
    traits: tuple[str, ...] = TRAITS  # what its hub may have besides; the seed decides what it has

    @property
    def line(self) -> str:
        """The line to paste."""
        traits = "" if self.traits == TRAITS else f" --traits {','.join(self.traits) or 'none'}"
        faults = "" if self.faults == FAULT_NAMES else f" --faults {' '.join(self.faults) or 'none'}"
        return f"hubctl swarm --seeds 1 --from {self.seed} --parcels {self.n_parcels}{traits}{faults}"


class Outcome(NamedTuple):
    """How a case ended."""

    case: Case
    verdict: dict[str, Any]
    bad: dict[str, int]  # what must be nothing, and is not
    error: str = ""  # why there is no verdict


class Made(NamedTuple):
    """Everything that a case's seed decides."""

    hub: Hub
    plan: SortPlan
    traffic: Traffic
    traits: tuple[str, ...]


def faults_of(case: Case) -> Faults:
    """The chances that a seed gives to each class of faults; 0 for those that are off."""
    drawn = Drawn(case.seed)
    if drawn.one("calm", 0, CALM_SEEDS - 1) == 0:
        return NONE
    names = set(case.faults)
    if is_loop(case.seed):
        names &= {*LOOP_NAMES, *ASKED_FOR}
    return Faults(**{name: _chance(drawn, name) if name in names else 0 for name in ALL_FAULTS})


def _chance(drawn: Drawn, name: str) -> int:
    most = drawn.one(f"chance of {name}", 1, _chance_max(name))
    return most if drawn.happens(f"{name} is on", SHARE_ON) else 0


def _chance_max(name: str) -> int:
    if name in (*OF_LOOPS, *OF_MACHINES):
        return FEW_CHANCE_MAX
    return MISHAP_CHANCE_MAX if name.upper() in Mishap.__members__ else CHANCE_MAX


def make(case: Case) -> Made:
    """The hub, the plan and the traffic of a case."""
    hub = any_hub(case.seed, case.traits)
    plan = any_plan(case.seed, hub)
    pitch_mm = Drawn(case.seed).one("pitch", *PITCH_MM)
    faults = faults_of(case)
    phases = _phases(case.seed)
    traffic = make_traffic(
        hub,
        plan,
        seed=case.seed,
        n=case.n_parcels,
        parcels_per_hour=hub.belts[0].speed_mm_s * 3600 // pitch_mm,
        faults=faults,
        harm_s=phases.harm_s,
        heal_s=phases.heal_s,
    )
    if hub.host is not None:
        traffic = traffic._replace(preadvice=_forgotten(case.seed, traffic.preadvice))
    return Made(hub, plan, traffic, traits_of(case.seed, case.traits))


def _forgotten(seed: int, advice: PreAdvice) -> PreAdvice:
    """What a host has told of labels beforehand, if it left most of them out."""
    told = ~draw.happens(seed, "not told", len(advice.labels), NOT_TOLD)
    return PreAdvice(advice.labels[told], advice.keys[told])


class _Phases(NamedTuple):
    """Faults come for so long, then for so long none does, and so on; 0: always."""

    harm_s: int
    heal_s: int


def _phases(seed: int) -> _Phases:
    drawn = Drawn(seed)
    if not drawn.happens("harm and healing take turns", PHASED):
        return _Phases(0, 0)
    return _Phases(drawn.one("harm", *HARM_S), drawn.one("healing", *HEAL_S))


def run(made: Made, *, keep_all: bool = False) -> Run:
    """Runs a made case to its end; who came to harm in calm is added to what went wrong."""
    other = reordered(made.plan)
    done = Virtual(made.hub, made.plan, made.traffic, other_plan=other, keep_all=keep_all).run()
    found = () if made.hub.belts[0].kind == "loop" else tuple(_in_calm(done))
    by_trait = uses(made.traits, made.hub, made.traffic, done.records)
    verdict = done.verdict | {"harmed": len(found), "by_fault": tally(done), "by_trait": by_trait}
    return done._replace(verdict=verdict, wrong=(*done.wrong, *found))


def _in_calm(done: Run) -> Iterator[Wrong]:
    """What went wrong while nothing was wrong."""
    yield from harmed(done.records, calms_of(done.truth))
    yield from misweighed(done.records, done.truth, calms_of(done.truth))


def run_case(case: Case) -> Outcome:
    """Runs and judges a case; a program that breaks is an outcome too, since its seed is worth having."""
    try:
        verdict = run(make(case)).verdict
    except Exception as error:
        return Outcome(case, {}, {"error": 1}, f"{type(error).__name__}: {error}")
    return Outcome(case, verdict, {key: verdict[key] for key in MUST_BE_0 if verdict[key] != 0})


def cases(
    first_seed: int, n_seeds: int, n_parcels: int, faults: Iterable[str], traits: Iterable[str] = TRAITS
) -> list[Case]:
    """One case a seed."""
    every, some = tuple(faults), tuple(traits)
    return [Case(seed, n_parcels, every, some) for seed in range(first_seed, first_seed + n_seeds)]
