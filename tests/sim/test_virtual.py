"""Virtual time: one fault harms one parcel, and the same seed gives the same bytes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import traffic_by_hand
from swarm import bad_of, run, traffic_of

from hubctl.core.events import Kind
from hubctl.sim.faults import NONE, Faults
from hubctl.sim.matter import TAKEN_OFF, Mishap
from hubctl.sim.traffic import Traffic

N_PARCELS = 400
QUIET = Faults(taken_off=0, put_on=0, divert_fails=0, chute_full=0)  # labels and scanners are as bad as ever
PLACES_MM = [400, 700, 1230, 1900, 2500, 4100]
SIDE_BY_SIDE = """
import json, sys
sys.path[:0] = sys.argv[1:]
from swarm import run, traffic_of
from hubctl.sim.faults import Faults
verdict = run(traffic_of(11, Faults(link_drop=500), n=3000)).verdict
print(json.dumps({key: verdict[key] for key in sorted(verdict) if key not in ("wall_s", "parcels_per_s")}))
"""


def landings(traffic: Traffic) -> list[int]:
    made = run(traffic)
    assert bad_of(made.verdict) == {}
    landed: list[int] = made.truth.progress["landed"].tolist()
    return landed


def with_one_taken_off(traffic: Traffic, row: int, at_mm: int) -> Traffic:
    parcels = traffic.parcels.copy()
    parcels["removed_um"][row] = at_mm * 1000
    return traffic._replace(parcels=parcels)


@pytest.mark.parametrize("at_mm", PLACES_MM)
@pytest.mark.parametrize("row", [50, 121, 333])
def test_one_taken_off_harms_no_other(at_mm: int, row: int) -> None:
    traffic = traffic_of(5, QUIET, N_PARCELS)
    before = landings(traffic)
    after = landings(with_one_taken_off(traffic, row, at_mm))
    assert after[row] == TAKEN_OFF
    assert after[:row] + after[row + 1 :] == before[:row] + before[row + 1 :]


def test_a_node_that_was_slow_tells_in_the_order_of_what_it_saw() -> None:
    """The next leading edge comes 32 ms behind a trailing edge that is told 90 ms late, nothing being late then."""
    by_hand = traffic_by_hand.traffic_of(1000, 1330)
    slow = traffic_by_hand.with_mishap(by_hand, Mishap.SLOW_NODE, 0, value=90_000_000, for_ms=110)
    records = run(slow, keep_all=True).records
    told = records[np.isin(records["kind"], [Kind.OPENED, Kind.MEASURED])]
    assert told["kind"].tolist() == [Kind.OPENED, Kind.MEASURED] * 2
    assert told["parcel"].tolist() == [1, 1, 2, 2]
    assert told["t_ns"][1] >= 710_000_000


def without(traffic: Traffic, row: int) -> Traffic:
    return traffic._replace(
        parcels=np.delete(traffic.parcels, row),
        reads=np.delete(traffic.reads, row, axis=0),
        labels=np.delete(traffic.labels, row),
        others=np.delete(traffic.others, row),
    )


def test_one_put_on_harms_no_other() -> None:
    traffic = traffic_of(6, Faults(**{**vars(QUIET), "put_on": 30_000}), N_PARCELS)
    rows = np.flatnonzero(traffic.parcels["put_um"] > 0)
    assert len(rows) >= 5
    for row in reversed(rows.tolist()):
        fewer = without(traffic, row)
        others = landings(traffic)
        del others[row]
        assert others == landings(fewer)
        traffic = fewer


@pytest.mark.parametrize("fire", [0, 17, 200])
def test_one_failed_divert_harms_no_other(fire: int) -> None:
    traffic = traffic_of(7, QUIET, N_PARCELS)
    before = landings(traffic)
    fails = traffic.fire_fails.copy()
    fails[fire] = True
    after = landings(traffic._replace(fire_fails=fails))
    assert sum(a != b for a, b in zip(before, after, strict=True)) == 1


def test_without_faults_every_parcel_is_sorted() -> None:
    verdict = run(traffic_of(8, NONE, N_PARCELS)).verdict
    assert bad_of(verdict) == {}
    assert verdict["by_reason"] == {"OK": N_PARCELS}


def test_two_processes_say_the_same_bytes() -> None:
    """Hashes of text differ between them; nothing that they compute does."""
    said = [side(hash_seed) for hash_seed in ("1", "2")]
    assert said[0] == said[1]
    assert json.loads(said[0])["inducted"] > 2900


def side(hash_seed: str) -> str:
    here = Path(__file__).resolve().parent
    command = [sys.executable, "-c", SIDE_BY_SIDE, str(here), str(here.parents[1])]
    done = subprocess.run(
        command, env={**os.environ, "PYTHONHASHSEED": hash_seed}, capture_output=True, text=True, check=True
    )
    return done.stdout
