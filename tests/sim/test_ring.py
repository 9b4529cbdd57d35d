"""The cross-belt loop in virtual time: every parcel in its chute, few go round again, one fault harms one parcel."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from swarm import bad_of

from hubctl.core.site import Site, load_site
from hubctl.sim.faults import NONE, Faults
from hubctl.sim.matter import NOT_PUT, TAKEN_OFF
from hubctl.sim.traffic import Traffic, make_traffic
from hubctl.sim.virtual import Run, Virtual

PER_HOUR = 20_000  # four fifths of what the loop carries
BAD_DAY = Faults(taken_off=10_000, put_on=10_000, divert_fails=20_000, chute_full=2_000, late_read=5_000)


@cache
def site() -> Site:
    return load_site("crossbelt")


def traffic_of(seed: int, n: int, faults: Faults) -> Traffic:
    made = site()
    assert made.plan is not None
    return make_traffic(made.hub, made.plan, seed=seed, n=n, parcels_per_hour=PER_HOUR, faults=faults)


def run(traffic: Traffic, closed: range = range(0)) -> Run:
    made = site()
    assert made.plan is not None
    return Virtual(made.hub, made.plan, traffic, closed=closed).run()


def test_without_faults_every_parcel_is_sorted_in_its_first_lap() -> None:
    verdict = run(traffic_of(1, 2000, NONE)).verdict
    assert bad_of(verdict) == {}
    assert verdict["by_reason"] == {"OK": 2000}
    assert (verdict["unexpected"], verdict["recirculated"]) == (0, 0)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_few_go_round_again(seed: int) -> None:
    verdict = run(traffic_of(seed, 4000, Faults())).verdict
    assert bad_of(verdict) == {}
    assert verdict["recirculated_share"] < 0.01


def test_with_one_chute_in_twenty_closed_few_go_round_again() -> None:
    made = run(traffic_of(4, 4000, Faults()), closed=range(19, 300, 20))
    assert bad_of(made.verdict) == {}
    assert made.verdict["recirculated_share"] < 0.05
    assert not np.isin(made.truth.progress["landed"], list(range(19, 300, 20))).any()


@pytest.mark.slow
@pytest.mark.parametrize("closed", [range(0), range(19, 300, 20)])
def test_a_fifth_of_a_day_at_four_fifths_of_what_it_takes(closed: range) -> None:
    """Nobody waits at the inductions for long: from the first to the last the day is as long as its parcels want it.

    Turns of the empty ring before and after, 560 s, are no part of it.
    """
    made = run(traffic_of(11, 96_000, Faults()), closed=closed)
    assert bad_of(made.verdict) == {}
    assert made.verdict["recirculated_share"] < (0.05 if closed else 0.01)
    came_ns = made.truth.progress["inducted_ns"]
    came_ns = came_ns[came_ns > 0]
    assert int(np.ptp(came_ns)) < 1.02 * 96_000 * 3600 / PER_HOUR * 1_000_000_000


@pytest.mark.parametrize("seed", [5, 6, 7])
def test_on_a_bad_day_nobody_goes_wrong(seed: int) -> None:
    made = run(traffic_of(seed, 3000, BAD_DAY))
    assert bad_of(made.verdict) == {}
    assert made.verdict["unexpected"] > 0
    assert made.verdict["taken_off"] > 0
    assert made.verdict["recirculated"] > 0


def test_what_is_too_long_is_taken_away_from_its_induction() -> None:
    traffic = traffic_of(10, 300, NONE)
    parcels = traffic.parcels.copy()
    parcels["length_um"][50] = 1_100_000
    verdict = run(traffic._replace(parcels=parcels)).verdict
    assert bad_of(verdict) == {}
    assert verdict["by_reason"] == {"OK": 299, "OVERSIZE": 1}


def test_a_carrier_that_fails_is_cleared_and_used_again() -> None:
    """Two discharges of three fail: carriers go out of use, and a person puts them into use again."""
    verdict = run(traffic_of(12, 500, Faults(**{**vars(NONE), "divert_fails": 650_000}))).verdict
    assert bad_of(verdict) == {}
    assert verdict["taken_off"] > 0
    assert verdict["in_flight"] == 0
    assert verdict["by_disposition"]["REMOVED"] > 0


@pytest.mark.parametrize(
    ("fault", "chance"),
    [
        ("carrier_missed", 5_000),
        ("origin_missed", 5_000),
        ("origin_doubled", 5_000),
        ("tilt_fails", 20_000),
        ("carrier_out", 20_000),
        ("launch_fails", 5_000),
    ],
)
def test_what_befalls_the_loop_sends_nobody_astray(fault: str, chance: int) -> None:
    made = run(traffic_of(13, 800, Faults(**{**vars(NONE), fault: chance})))
    assert bad_of(made.verdict) == {}
    assert made.verdict["injected"][fault] > 0
    assert made.verdict["in_flight"] == 0


def taken_off(traffic: Traffic, row: int, ridden_mm: int) -> Run:
    """One parcel is taken off when it has ridden so far."""
    parcels = traffic.parcels.copy()
    parcels["removed_um"][row] = ridden_mm * 1000
    made = run(traffic._replace(parcels=parcels))
    assert made.truth.progress["landed"][row] == TAKEN_OFF
    return made


@pytest.mark.parametrize("place", [0, 1])
def test_one_taken_off_harms_no_other(place: int) -> None:
    traffic = traffic_of(8, 600, NONE)
    truth = run(traffic).truth.progress
    rides_long = truth["landed_ns"] - truth["inducted_ns"] > 30 * 10**9
    row = np.flatnonzero(rides_long)[10 + 150 * place]
    after = taken_off(traffic, row, 40_000).truth.progress["landed"]
    others = np.arange(600) != row
    assert after[others].tolist() == truth["landed"][others].tolist()


def test_one_taken_off_before_the_scanners_sends_nobody_astray() -> None:
    """The scanners owe an answer: those behind it may have to go round once more, and are sorted then."""
    made = taken_off(traffic_of(8, 600, NONE), 40, 2500)
    assert bad_of(made.verdict) == {}
    assert made.verdict["by_reason"] == {"OK": 599, "LOST": 1}


def test_one_laid_on_harms_no_other() -> None:
    traffic = traffic_of(9, 600, Faults(**{**vars(NONE), "put_on": 20_000}))
    made = run(traffic)
    laid = traffic.parcels["put_um"] >= 0
    assert bad_of(made.verdict) == {}
    assert laid.sum() > 0
    assert made.verdict["unexpected"] == (made.truth.progress["landed"][laid] != NOT_PUT).sum()
    assert made.verdict["by_reason"] == {"OK": 600}
