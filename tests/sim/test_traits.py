"""What hubs of the swarm may have besides: drawn each by itself, at work where it is, nowhere else."""

from __future__ import annotations

import numpy as np
import pytest
from records_by_hand import S, opened, story
from swarm import bad_of

from hubctl.core.events import Kind, Reason
from hubctl.sim.hostbook import book_of, lane_of, number_of
from hubctl.sim.matter import PARCEL, PROGRESS
from hubctl.sim.referee import Truth
from hubctl.sim.swarm.calm import Calm, misweighed
from hubctl.sim.swarm.case import Case, make, run
from hubctl.sim.swarm.hubs import any_hub
from hubctl.sim.swarm.traits import TRAITS, traits_of

N_PARCELS = 60
KNOWS_AGAIN = 109  # a seed in which somebody slips far before an eye that re-aligns
STOPPED_OFTEN = 9  # one in which people stop the machine, and the safety chain does


def first_with(trait: str) -> int:
    """The first seed of a hub of belts that has one trait, and a tunnel where it can work."""
    seeds = (seed for seed in range(999) if traits_of(seed, [trait]))
    return next(seed for seed in seeds if any_hub(seed).belts[0].kind == "line")


@pytest.mark.parametrize("trait", TRAITS)
def test_a_seed_without_a_trait_is_the_hub_it_was(trait: str) -> None:
    with_it = first_with(trait)
    without = next(seed for seed in range(999) if not traits_of(seed, [trait]))
    assert any_hub(without, (trait,)) == any_hub(without, ())
    assert any_hub(with_it, (trait,)) != any_hub(with_it, ())
    assert any_hub(with_it, (trait,)).diverters[0].at_mm == any_hub(with_it, ()).diverters[0].at_mm


@pytest.mark.parametrize("trait", [name for name in TRAITS if name != "realign"])
def test_each_is_at_work(trait: str) -> None:
    made = make(Case(first_with(trait), N_PARCELS, (), (trait,)))
    done = run(made)
    assert done.verdict["by_trait"][trait] > 0
    assert bad_of(done.verdict) == {}


def test_parcels_that_slip_are_known_again() -> None:
    made = make(Case(KNOWS_AGAIN, 200, ("slip",), ("realign",)))
    assert run(made).verdict["by_trait"]["realign"] > 0


def test_a_machine_that_is_held_stopped_and_tripped_goes_on_each_time() -> None:
    names = ("machine_held", "machine_stopped", "safety_tripped")
    made = make(Case(STOPPED_OFTEN, 800, names, ("machine",)))
    done = run(made)
    came = sum(done.verdict["injected"].get(name, 0) for name in names)
    assert came >= 3
    assert 2 <= done.verdict["by_trait"]["machine"] <= came + 1
    assert bad_of(done.verdict) == {}


# Stamps.


def test_numbers_of_triggers_and_counters_are_as_the_eyes_and_belts_had_them() -> None:
    made = make(Case(first_with("stamps"), N_PARCELS, (), ("stamps",)))
    run(made)
    stamps = [scanner.stamp for scanner in made.hub.scanners]
    on_first = [scanner.belt == "belt0" for scanner in made.hub.scanners]
    for k, (stamp, is_first) in enumerate(zip(stamps, on_first, strict=True)):
        if stamp == "trigger" and is_first:
            assert made.traffic.reads["trigger"][:, k].tolist() == list(range(1, N_PARCELS + 1))
        elif stamp == "none":
            assert not made.traffic.reads["counts"][:, k].any()
            assert not made.traffic.reads["trigger"][:, k].any()


# The host.


def test_the_host_knows_the_lane_of_a_label_in_either_plan() -> None:
    labels = np.array([b"A1", b"B22", b"", b"C"], "S56")
    book = book_of(labels, np.array([0, 2, 1, -1]), np.array([[0, 1, 2], [2, 1, 0]]))
    found = {
        text: [lane_of(book, number_of(np.frombuffer(text, np.uint8), len(text)), plan) for plan in (0, 1)]
        for text in (b"A1", b"B22", b"C", b"A", b"1A")
    }
    assert found == {b"A1": [0, 2], b"B22": [2, 0], b"C": [-1, -1], b"A": [-1, -1], b"1A": [-1, -1]}


# Scales.


def weighed_truth() -> Truth:
    """One parcel of 4 kg, behind track 1."""
    parcels, progress = np.zeros(1, PARCEL), np.zeros(1, PROGRESS)
    parcels["weight_g"], progress["track"], progress["inducted_ns"] = 4000, 1, S
    none = np.zeros(0, PARCEL)
    return Truth(parcels, progress, none, none, none, np.zeros((1, 2), "S56"))


@pytest.mark.parametrize(
    ("weight_g", "reason", "n_wrong"),
    [(4000, Reason.OK, 0), (5000, Reason.OK, 1), (5000, Reason.AMBIGUOUS_READ, 0)],
)
def test_a_weight_of_another_parcel_is_seen_in_calm(weight_g: int, reason: Reason, n_wrong: int) -> None:
    said = {"kind": Kind.WEIGHED, "parcel": 1, "value": weight_g, "reason": reason, "t_ns": 2 * S}
    records = story(opened(1, 1), said)
    assert len(list(misweighed(records, weighed_truth(), [Calm(0, 9 * S)]))) == n_wrong
    assert list(misweighed(records, weighed_truth(), [Calm(int(1.5 * S), 9 * S)])) == []
