"""A day tried with a plan: what lands where and when, who makes the departures, and what is left out."""

from __future__ import annotations

import sys
from datetime import timedelta
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "core"))

from site_by_hand import FIRST, little_site

from hubctl.core.hubfile import resolve_hub
from hubctl.core.plan import SortPlan, load_plan
from hubctl.core.plangroups import grouped, numbered_chutes
from hubctl.core.planmaker import Effort
from hubctl.core.plannew import Wish, new_plan
from hubctl.core.plantext import plan_text
from hubctl.core.volumes import Unit, Volumes
from hubctl.sim.arrivals import ArrivalsError
from hubctl.sim.faults import Faults, parse_faults
from hubctl.sim.referee import is_clean
from hubctl.sim.traffic import TrafficError
from hubctl.sim.whatif import Trial, WhatIf, busiest_chutes, exceptions, try_plan

DAY = FIRST + timedelta(days=8)
HUB = resolve_hub("demo")
NOTHING = parse_faults(["none"], Faults())


def trial(volumes: Volumes, faults: Faults = NOTHING) -> Trial:
    return Trial(HUB, volumes, DAY, Path("volumes.csv"), 1200, 3, faults)


def plan_in(folder: Path, volumes: Volumes, lead_s: int = 600) -> SortPlan:
    groups = grouped(numbered_chutes(6), 6)
    made = new_plan(Wish(volumes, DAY - timedelta(days=1), groups, lead_s=lead_s), Effort()).made
    file = folder / "made.plan.toml"
    file.write_text(plan_text(made, None, folder), encoding="utf-8")
    return load_plan(file, HUB)


@pytest.fixture(scope="module")
def plan(tmp_path_factory: pytest.TempPathFactory) -> SortPlan:
    return plan_in(tmp_path_factory.mktemp("plan"), little_site())


@pytest.fixture(scope="module")
def found(plan: SortPlan) -> WhatIf:
    """The plan was made for the day before: its departures are taken by their time of day."""
    return try_plan(trial(little_site()), plan)


def test_every_parcel_is_sorted_into_the_chute_of_its_lane(found: WhatIf) -> None:
    assert is_clean(found.verdict)
    assert found.n_left_out == 0
    assert set(exceptions(found)) <= {"WAVE_MISSED"}
    used = {name for name, *_ in busiest_chutes(found.loads, [chute.name for chute in HUB.chutes])}
    assert used - {"END"} == set(numbered_chutes(6))


def test_who_is_scanned_in_time_makes_the_departure(found: WhatIf) -> None:
    assert found.n_due > 200
    assert found.n_made * 1000 >= found.n_due * 995
    assert found.n_too_late == 0


def test_loads_are_by_the_clock_of_the_day(found: WhatIf) -> None:
    busy = set(found.loads.any(axis=0).nonzero()[0].tolist())
    assert busy <= {*range(5 * 6, 7 * 6 + 1), *range(17 * 6, 19 * 6 + 1)}
    assert found.loads.sum() == found.verdict["inducted"]


def test_lanes_that_a_plan_has_not_are_left_out(plan: SortPlan) -> None:
    """Of four lanes the trucks leave at six alone: who comes later is for those of the next day."""
    early = [
        wave.model_copy(update={"departs": wave.departs.replace(hour=6)})
        for wave in plan.waves
        if not isinstance(wave.departs, int) and wave.departs.hour == 7
    ]
    one = plan.model_copy(update={"waves": early, "lanes": plan.lanes[:4]})
    told = try_plan(trial(little_site()), one)
    assert told.n_left_out > 0
    assert told.n_made * 1000 >= told.n_due * 995


def test_a_plan_without_keys_is_refused(plan: SortPlan) -> None:
    wrong = plan.model_copy(
        update={"waves": [], "lanes": [lane.model_copy(update={"keys": []}) for lane in plan.lanes]}
    )
    with pytest.raises(TrafficError, match="has no lane, with a zip or plz key"):
        try_plan(trial(little_site()), wrong)


def test_a_day_without_parcels_is_refused(plan: SortPlan) -> None:
    with pytest.raises(ArrivalsError, match="its days are 2031-05-01 to 2031-05-09"):
        try_plan(trial(little_site())._replace(day=DAY + timedelta(days=9)), plan)


def test_lanes_without_departures_are_tried_too(tmp_path: Path) -> None:
    site = little_site(n_lanes=6)
    plain = site._replace(units=tuple(Unit(f"{unit.lane}-{unit.wave}", "") for unit in site.units))
    told = try_plan(trial(plain), plan_in(tmp_path, plain, lead_s=0))
    assert (told.n_due, told.n_made, told.n_too_late) == (0, 0, 0)
    assert set(told.verdict["by_disposition"]) == {"SORTED"}
