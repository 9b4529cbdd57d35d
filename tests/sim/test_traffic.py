"""Parcels to be: what they promise to every reader of the table, whatever the seed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from swarm import site, traffic_of

from hubctl.core.plan import compile_plan
from hubctl.sim.arrivals import Arrivals
from hubctl.sim.faults import NONE, Faults
from hubctl.sim.matter import Outcome
from hubctl.sim.traffic import BESIDE_MM_MIN, GAP_MM_MIN, Traffic, TrafficError, make_traffic

ALL = 1_000_000
SEEDS = [1, 2, 3]


def inducted(traffic: Traffic) -> np.ndarray:
    return traffic.parcels[traffic.parcels["put_um"] < 0]


@pytest.mark.parametrize("seed", SEEDS)
def test_the_induct_keeps_its_gap(seed: int) -> None:
    parcels = inducted(traffic_of(seed, Faults()))
    gaps = parcels["start_um"][1:] - parcels["start_um"][:-1] - parcels["length_um"][:-1]
    assert gaps.min() >= GAP_MM_MIN * 1000


@pytest.mark.parametrize("seed", SEEDS)
def test_the_mean_rate_is_the_one_asked_for(seed: int) -> None:
    starts_um = inducted(traffic_of(seed, NONE, 20_000))["start_um"]
    per_hour = 20_000 * 2_500_000 * 3600 / (starts_um[-1] - starts_um[0])
    assert 11_500 < per_hour < 12_500


@pytest.mark.parametrize("seed", SEEDS)
def test_every_label_leads_to_its_lane(seed: int) -> None:
    """By the label itself, or by what was advised of it."""
    traffic = traffic_of(seed, Faults())
    made = site()
    assert made.plan is not None
    labels = compile_plan(made.plan, made.hub, traffic.preadvice).labels
    _, lanes = labels.resolve_many(traffic.labels)
    assert lanes.tolist() == traffic.parcels["lane"].tolist()
    assert len(np.unique(traffic.labels)) == len(traffic.labels)


@pytest.mark.parametrize("seed", SEEDS)
def test_the_largest_lanes_are_as_large_as_the_real_ones(seed: int) -> None:
    """5.8 % in the largest lane and 41 % in the ten largest, as the module says of the volumes."""
    lanes = np.sort(np.bincount(traffic_of(seed, NONE, 50_000).parcels["lane"]))[::-1] / 50_000
    assert 0.050 < lanes[0] < 0.066
    assert 0.38 < lanes[:10].sum() < 0.44


@pytest.mark.parametrize("seed", SEEDS)
def test_lengths_are_those_of_the_catalogue(seed: int) -> None:
    lengths_mm = inducted(traffic_of(seed, NONE, 50_000))["length_um"] / 1000
    assert 240 <= np.median(lengths_mm) <= 260
    assert 0.06 < (lengths_mm > 600).mean() < 0.10


@pytest.mark.parametrize("seed", SEEDS)
def test_parcels_put_on_find_room(seed: int) -> None:
    traffic = traffic_of(seed, replace(NONE, put_on=50_000), 5000)
    parcels = traffic.parcels
    rows = np.flatnonzero(parcels["put_um"] > 0)
    own = inducted(traffic)
    assert 150 < len(rows) < 350
    for put in parcels[rows]:
        before = own[own["start_um"] < put["start_um"]][-1]
        behind = own[own["start_um"] > put["start_um"]][0]
        assert put["start_um"] - before["start_um"] - before["length_um"] >= BESIDE_MM_MIN * 1000
        assert behind["start_um"] - put["start_um"] - put["length_um"] >= BESIDE_MM_MIN * 1000


def test_rows_are_in_order_of_entry() -> None:
    parcels = traffic_of(1, replace(NONE, put_on=50_000)).parcels
    enters_um = parcels["start_um"] + np.maximum(parcels["put_um"], 0)
    assert (np.diff(enters_um) >= 0).all()


@pytest.mark.parametrize(
    "name", ["no_read", "missed_side", "doubled_read", "late_read", "taken_off", "chute_full"]
)
def test_a_fault_changes_no_other_draw(name: str) -> None:
    """Taking one fault away leaves every other draw where it was."""
    with_it = traffic_of(9, replace(NONE, **{name: 20_000}))
    without = traffic_of(9, NONE)
    for column in ("start_um", "length_um", "label_um", "lane", "slip_ppm"):
        assert with_it.parcels[column].tolist() == without.parcels[column].tolist()
    assert with_it.labels.tolist() == without.labels.tolist()


@pytest.mark.parametrize(
    ("name", "column"),
    [("taken_off", "removed_um"), ("chute_full", "fills_chute"), ("link_drop", "mishap")],
)
def test_what_is_certain_comes_to_all_and_what_is_off_to_none(name: str, column: str) -> None:
    certain = traffic_of(4, replace(NONE, **{name: ALL}), 300).parcels
    off = traffic_of(4, NONE, 300).parcels
    least = 1 if column != "mishap" else 0
    assert (certain[column] >= least).all()
    assert (off[column] < least).all()


def test_scanners_do_as_they_are_told() -> None:
    nobody = traffic_of(4, replace(NONE, no_read=ALL), 300).reads
    assert (nobody["outcome"] == Outcome.NO_READ).all()
    doubled = traffic_of(4, replace(NONE, doubled_read=ALL), 300).reads
    assert (doubled["outcome"] == Outcome.DOUBLED).all()
    late = traffic_of(4, replace(NONE, late_read=ALL), 300).reads
    assert late["delay_ms"].min() >= 240
    assert traffic_of(4, NONE, 300).reads["delay_ms"].max() <= 60


def test_real_volumes_say_what_they_are() -> None:
    made = site()
    assert made.plan is not None
    day = Arrivals(np.array([[90, 10]]), ("A", "B"), np.array([300, 5000, 20]), "100 parcels of S1")
    traffic = make_traffic(
        made.hub, made.plan, seed=1, n=None, parcels_per_hour=6000, faults=NONE, arrivals=day
    )
    assert len(traffic.parcels) == 1000
    assert set(traffic.parcels["length_um"].tolist()) == {300_000, 1_200_000, 100_000}
    assert "scaled so that the busiest ten minutes are 6,000 parcels/h" in traffic.note
    assert "labels generated" in traffic.note


def test_a_hub_that_cannot_be_simulated_is_named() -> None:
    from hubctl.core.site import load_site

    station = load_site("station")
    assert station.plan is not None
    with pytest.raises(TrafficError, match="belt table is a station"):
        make_traffic(station.hub, station.plan, seed=1, n=9, parcels_per_hour=100, faults=NONE)
