"""Hub, plan and pre-advice of the benchmark send each label to the coil that the other programs fire."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "bench"))

from latency.hub import write_hub
from latency.load import Load, address_of, make_load, write_labels
from latency.programs import Site

from hubctl.core.events import Reason
from hubctl.core.hubfile import Hub, load_hub
from hubctl.core.plan import compile_plan, load_plan
from hubctl.core.preadvice import load_preadvice
from hubctl.core.tables import CompiledPlan
from hubctl.core.wiring import compile_wiring


@pytest.fixture(scope="module")
def load() -> Load:
    return make_load(with_silent=True, n_labels=2000)


@pytest.fixture(scope="module")
def hub_and_plan(load: Load, tmp_path_factory: pytest.TempPathFactory) -> tuple[Hub, CompiledPlan]:
    site = Site(tmp_path_factory.mktemp("site"), 4001, (4002, 4003), cpu=None, disturbance=None)
    write_labels(load, site.labels)
    hub_file, plan_file, preadvice_file = write_hub(site)
    hub = load_hub(hub_file)
    return hub, compile_plan(load_plan(plan_file, hub), hub, load_preadvice(preadvice_file))


def test_links_have_the_ports_of_the_run(hub_and_plan: tuple[Hub, CompiledPlan]) -> None:
    assert [link.port for link in hub_and_plan[0].links] == [4001, 4002, 4003]


def test_every_label_is_accepted_and_has_its_lane(load: Load, hub_and_plan: tuple[Hub, CompiledPlan]) -> None:
    reasons, lanes = hub_and_plan[1].labels.resolve_many(np.array(load.labels, "S56"))
    assert set(reasons.tolist()) == {Reason.OK}
    assert lanes.tolist() == load.lanes.tolist()


def test_every_lane_has_its_coil(hub_and_plan: tuple[Hub, CompiledPlan]) -> None:
    hub, plan = hub_and_plan
    outputs = compile_wiring(hub).outputs[plan.chutes]
    lanes = range(len(plan.first) - 1)
    assert [(int(each["node"]), int(each["coil"])) for each in outputs] == [
        address_of(lane) for lane in lanes
    ]
