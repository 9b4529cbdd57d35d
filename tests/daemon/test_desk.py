"""The plan desk: a plan is put into force whole or not at all, one step back, and labels are told of meanwhile."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from test_control import HUBCTL, ROOT, told
from test_run import Daemon, Devices, devices, started, until  # noqa: F401

from hubctl._kernel import Kernel
from hubctl.core.events import NO_INDEX, Kind, Reason, empty
from hubctl.core.hubfile import Hub, resolve_hub
from hubctl.core.labels import compose
from hubctl.core.layout import compile_layout
from hubctl.core.plan import load_plan, save_compiled
from hubctl.core.preadvice import AdviceBook
from hubctl.core.tables import CompiledPlan
from hubctl.core.telling import TellError
from hubctl.daemon.desk import PlanDesk

PLAN = """
plan = {{ name = "{name}" }}
labels = {{ accept = ["usps-impb", "sf", "s10"], customs = ["s10"] }}
lanes = [
  {{ name = "low", keys = ["zip:0..4"], chutes = ["{low}"] }},
  {{ name = "high", keys = ["zip:5..9"], chutes = ["{high}"] }},
]
"""
SF = "SF1023574470215"


def written(folder: Path, name: str, low: str, high: str) -> Path:
    file = folder / f"{name}.plan.toml"
    file.write_text(PLAN.format(name=name, low=low, high=high), encoding="utf-8")
    return file


@pytest.fixture(scope="module")
def station() -> Hub:
    return resolve_hub("station")


class Desk:
    """A desk whose plans are noted as they come into force."""

    def __init__(self, hub: Hub, folder: Path) -> None:
        self.first = written(folder, "first", "C1", "C2")
        self.second = written(folder, "second", "C3", "C4")
        self.desk = PlanDesk(hub, load_plan(self.first, hub), AdviceBook(10), lambda: 0)
        self.in_force: list[CompiledPlan] = []
        self.desk.hand_to(self.in_force.append)

    def lane_of(self, label: str) -> tuple[Reason, int]:
        assert self.desk.plan is not None
        reason, lane, *_ = self.desk.plan.labels.resolve(label.encode())
        return Reason(reason), lane

    def refused(self, *words: str) -> str:
        with pytest.raises(TellError) as caught:
            self.desk.do(words)
        return str(caught.value)


@pytest.fixture
def desk(station: Hub, tmp_path: Path) -> Desk:
    return Desk(station, tmp_path)


def test_a_plan_comes_into_force_and_one_step_leads_back(desk: Desk) -> None:
    first = desk.desk.plan
    assert first is not None
    answer = desk.desk.do(["plan", "activate", str(desk.second)])
    assert answer["plan"]["name"] == "second"
    assert answer["plan"]["rollback_to"] == f"{first.version:08x}"
    assert desk.desk.lanes.version == desk.in_force[-1].version != first.version
    assert desk.desk.do(["plan", "rollback"])["plan"]["name"] == "first"
    assert desk.in_force[-1] is first
    assert "no plan before" in desk.refused("plan", "rollback")


def test_a_plan_with_faults_changes_nothing(desk: Desk, tmp_path: Path) -> None:
    bad = written(tmp_path, "bad", "C99", "C98")
    answer = desk.desk.do(["plan", "activate", str(bad)])
    assert [fault["value"] for fault in answer["faults"]] == ['"C99"', '"C98"']
    assert answer["n_faults"] == 2
    assert desk.desk.do(["plan", "activate", str(tmp_path / "none.toml")])["faults"]
    assert desk.in_force == []
    assert "no plan before" in desk.refused("plan", "rollback")


def test_a_compiled_plan_is_taken_for_its_own_hub(desk: Desk, station: Hub, tmp_path: Path) -> None:
    file = tmp_path / "second.plan"
    changed = station.model_copy(update={"chutes": station.chutes[:-1]})
    save_compiled(load_plan(desk.second, changed), changed, file)
    assert "since" in desk.desk.do(["plan", "activate", str(file)])["faults"][0]["message"]
    assert desk.in_force == []
    save_compiled(load_plan(desk.second, station), station, file)
    desk.second.unlink()
    assert desk.desk.do(["plan", "activate", str(file)])["plan"]["name"] == "second"


def test_labels_are_told_of_and_forgotten_under_every_plan(desk: Desk) -> None:
    assert desk.lane_of(SF) == (Reason.NO_DATA, -1)
    desk.desk.do(["advise", SF, "zip:7"])
    assert desk.lane_of(SF) == (Reason.OK, 1)
    desk.desk.do(["plan", "activate", str(desk.second)])
    assert desk.lane_of(SF) == (Reason.OK, 1)
    desk.desk.do(["advise", SF, "zip:3"])
    desk.desk.do(["plan", "rollback"])
    assert desk.lane_of(SF) == (Reason.OK, 0)
    desk.desk.do(["forget", SF])
    assert desk.lane_of(SF) == (Reason.NO_DATA, -1)


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        (None, (Reason.HELD, -1)),
        ("advised", (Reason.HELD, -1)),
        ("held", (Reason.HELD, -1)),
        ("seized", (Reason.HELD, -1)),
        ("cleared", (Reason.OK, 1)),
        ("", (Reason.HELD, -1)),
    ],
)
def test_what_needs_customs_is_held_until_it_is_cleared(
    desk: Desk, word: str | None, expected: tuple[Reason, int]
) -> None:
    if word is not None:
        desk.desk.do(["advise", "RB123456785GB", "zip:7", *([word] if word else [])])
    assert desk.lane_of("RB123456785GB") == expected


@pytest.mark.parametrize(
    ("word", "reason"), [("held", Reason.HELD), ("seized", Reason.HELD), ("cleared", Reason.OK)]
)
def test_what_customs_hold_is_held_in_any_format_and_by_any_rule(
    desk: Desk, word: str, reason: Reason
) -> None:
    label = compose("usps-impb", 7, "70000")
    assert desk.lane_of(label) == (Reason.OK, 1)
    desk.desk.do(["advise", label, "zip:7", word])
    assert desk.lane_of(label)[0] == reason


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["plan"], "plan activate FILE"),
        (["plan", "burn"], "plan activate FILE"),
        (["advise"], "advise LABEL KEY"),
        (["advise", SF, "north"], "is no key"),
        (["advise", SF, "zip:1", "lost"], "no word of customs"),
        (["advise", " ", "zip:1"], "must be 1 to 56"),
        (["forget", SF], "nobody told"),
        (["forget", "x" * 57], "is no label"),
        (["forget"], "forget LABEL"),
    ],
)
def test_words_that_cannot_be_done_say_why(desk: Desk, words: Sequence[str], said: str) -> None:
    assert said in desk.refused(*words)


def test_a_full_book_takes_no_more(desk: Desk) -> None:
    for serial in range(10):
        desk.desk.do(["advise", compose("sf", serial), "zip:1"])
    assert "no room for more than 10" in desk.refused("advise", compose("sf", 10), "zip:1")


def test_plans_are_swapped_while_parcels_are_sorted_and_none_is_lost_or_mixed(
    station: Hub, tmp_path: Path
) -> None:
    assert n_decided_as_told(station, tmp_path, 20_000) == 20_000


@pytest.mark.slow
def test_plans_are_swapped_while_a_million_parcels_are_sorted(station: Hub, tmp_path: Path) -> None:
    assert n_decided_as_told(station, tmp_path, 1_000_000) == 1_000_000


def n_decided_as_told(hub: Hub, folder: Path, n_parcels: int) -> int:
    """Every 1,000 parcels another plan: how many parcels were decided by the plan in force, as that one says."""
    desk = Desk(hub, folder)
    assert desk.desk.plan is not None
    kernel = Kernel(compile_layout(hub), desk.desk.plan)
    desk.desk.hand_to(kernel.swap_plan)
    up = empty(1)
    up["kind"], up["value"] = Kind.NODE, 1
    kernel.step(0, up)
    first = {desk.desk.plan.version: 0}
    labels = np.array([compose("usps-impb", no, f"{no}0000").encode() for no in range(10)])
    n_right = 0
    for turn in range(n_parcels // 1000):
        if turn % 2 == 1:
            desk.desk.do(["plan", "activate", str(desk.second)])
        elif turn:
            desk.desk.do(["plan", "rollback"])
        plan = desk.desk.plan
        assert plan is not None
        first.setdefault(plan.version, 2)
        decided = read(kernel, labels, turn)
        expected = first[plan.version] + (np.arange(1000) % 10 >= 5)
        n_right += int(((decided["plan"] == plan.version) & (decided["chute"] == expected)).sum())
    return n_right


def read(kernel: Kernel, labels: Any, turn: int) -> Any:
    """A thousand parcels are read, diverted and over."""
    now_ns = (turn + 1) * 1_000_000_000
    reads = empty(1000)
    reads["kind"], reads["t_ns"] = Kind.READ, now_ns
    reads["text"] = labels[np.arange(1000) % 10]
    reads["n_text"] = len(labels[0])
    said = kernel.step(now_ns, reads)
    fires = said[said["kind"] == Kind.FIRE_OUTPUT]
    done = empty(len(fires))
    done["kind"], done["t_ns"], done["reason"] = Kind.FIRE_RESULT, now_ns, Reason.OK
    for name in ("seq", "parcel", "chute"):
        done[name] = fires[name]
    kernel.step(now_ns, done)
    decided = said[said["kind"] == Kind.DECIDED]
    assert len(decided) == len(fires) == 1000
    assert (decided["chute"] != NO_INDEX).all()
    return decided


def plan_command(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*HUBCTL, "plan", *words], capture_output=True, text=True, cwd=ROOT, check=False)


def test_a_running_hub_takes_a_plan_and_goes_back(
    tmp_path: Path,
    devices: Devices,  # noqa: F811
    started: list[Daemon],  # noqa: F811
) -> None:
    control = tmp_path / "hub.sock"
    daemon = Daemon(str(devices.hub_file(tmp_path)), "--control", str(control))
    started.append(daemon)
    until(control.exists, "the socket")
    file = written(tmp_path, "next", "C1", "C2")
    done = plan_command("activate", str(control), str(file))
    assert (done.returncode, done.stderr) == (0, "")
    assert "plan next, version" in done.stdout
    bad = plan_command("activate", str(control), str(written(tmp_path, "bad", "C77", "C1")))
    assert bad.returncode == 2
    assert "bad.plan.toml" in bad.stderr
    assert "1 fault" in bad.stderr
    assert told(control, "advise", SF, "zip:1").stdout == "told\n"
    assert told(control, "forget", SF).returncode == 0
    back = plan_command("rollback", str(control), "--json")
    assert json.loads(back.stdout)["plan"]["rollback_to"] is None
    assert plan_command("rollback", str(control)).returncode == 1
    assert daemon.ended()[0] == 0
