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


@pytest.mark.parametrize("seed", [5, 6, 7])
def test_on_a_bad_day_nobody_goes_wrong(seed: int) -> None:
    made = run(traffic_of(seed, 3000, BAD_DAY))
    assert bad_of(made.verdict) == {}
    assert made.verdict["unexpected"] > 0
    assert made.verdict["taken_off"] > 0
    assert made.verdict["recirculated"] > 0


@pytest.mark.parametrize("row", [40, 333])
def test_one_taken_off_harms_no_other(row: int) -> None:
    traffic = traffic_of(8, 600, NONE)
    before = run(traffic).truth.progress["landed"].tolist()
    parcels = traffic.parcels.copy()
    parcels["removed_um"][row] = 2_500_000
    after = run(traffic._replace(parcels=parcels)).truth.progress["landed"].tolist()
    assert after[row] == TAKEN_OFF
    assert after[:row] + after[row + 1 :] == before[:row] + before[row + 1 :]


def test_one_laid_on_harms_no_other() -> None:
    traffic = traffic_of(9, 600, Faults(**{**vars(NONE), "put_on": 20_000}))
    made = run(traffic)
    laid = traffic.parcels["put_um"] >= 0
    assert bad_of(made.verdict) == {}
    assert laid.sum() > 0
    assert made.verdict["unexpected"] == (made.truth.progress["landed"][laid] != NOT_PUT).sum()
    assert made.verdict["by_reason"] == {"OK": 600}
