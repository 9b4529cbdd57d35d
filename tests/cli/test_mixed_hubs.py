"""The example hubs that mix makes of devices: each sorts without a wrong parcel, also while links are unplugged."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any, get_args

import pytest

from hubctl.core.gauging import PRESETS
from hubctl.core.hubfile import Link, packaged_names, resolve_hub
from hubctl.core.presets import presets
from hubctl.core.profile import profile_names
from hubctl.core.site import load_site
from hubctl.sim.live import check_bodies
from hubctl.sim.node_processes import NodesError
from hubctl.sim.unplug import Unplug, UnplugError, parse_unplugs

ROOT = Path(__file__).parents[2]
COMMAND = (sys.executable, "-c", "from hubctl.cli.main import main; main()", "demo", "--json")
MUST_BE_0 = ("wrong_chute", "wrong_action", "unaccounted", "misreported", "invariants_broken", "records_lost")
HUBS = ["shoes", "wheels", "lab", "depot", "annex"]
UNPLUGS = {
    "demo": [
        "io1@2:2",
        "io4@3:2",
        "top@5:1",
        "side@7:1",
    ],  # Modbus TCP and RTU, scanners over TCP and on a line
    "shoes": ["w1@2:2", "head@5:1", "dws@3:2", "side@7:1"],
    "wheels": ["w1@2:2", "w2@3:1", "weigher@3:2", "top@6:1", "io@8:1"],
    "lab": ["board@4:1", "reader@7:1"],
    "depot": ["io2@2:1", "count@4:1", "relays@6:1", "left@3:2", "right@5:1", "scale@7:1"],
    "annex": ["io@2:1", "count@4:1", "front@6:1", "top@3:1", "below@5:2", "cube@7:1"],
    "nodes": ["n1@3:1", "n3@5:2", "top@7:1"],
}


def started(*arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*COMMAND, *arguments], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def verdict(demo: subprocess.Popen[str]) -> dict[str, Any]:
    out, err = demo.communicate()
    assert demo.returncode == 0, err
    told: dict[str, Any] = json.loads(out)
    assert {key: told[key] for key in MUST_BE_0} == dict.fromkeys(MUST_BE_0, 0)
    assert told["outputs_safe"]
    return told


def side_by_side(arguments: dict[str, list[str]]) -> dict[str, dict[str, Any]]:
    """The verdicts of demos that run at once, since they mostly wait."""
    demos = {name: started("--hub", name, *words) for name, words in arguments.items()}
    return {name: verdict(demo) for name, demo in demos.items()}


@pytest.mark.parametrize("hub", HUBS)
def test_it_is_there_with_its_plan(hub: str) -> None:
    assert hub in packaged_names()
    assert load_site(hub).plan is not None


def test_every_make_and_every_kind_of_link_is_in_some_hub() -> None:
    hubs = [resolve_hub(name) for name in packaged_names()]
    nodes = [node for hub in hubs for node in hub.nodes]
    natives = {"hubctl-node" for node in nodes if node.firmware == "hubctl"}
    assert {scanner.preset for hub in hubs for scanner in hub.scanners} == set(presets())
    assert {scale.preset for hub in hubs for scale in hub.scales if scale.link} == set(PRESETS)
    assert {node.profile for node in nodes if node.profile} | natives == set(profile_names())
    kinds = {member.model_fields["kind"].annotation for member in get_args(get_args(Link)[0])}
    assert {link.kind for hub in hubs for link in hub.links} == {get_args(kind)[0] for kind in kinds}


@pytest.mark.slow
@pytest.mark.parametrize("hubs", [HUBS[:3], HUBS[3:]])
def test_each_sorts(hubs: list[str]) -> None:
    for told in side_by_side({hub: ["--seconds", "20"] for hub in hubs}).values():
        assert told["by_disposition"]["SORTED"] > told["inducted"] // 2


def unplugged(hub: str) -> list[str]:
    return ["--seconds", "15", "--rate", "8000", *(f"--unplug={text}" for text in UNPLUGS[hub])]


@pytest.mark.slow
@pytest.mark.parametrize("hubs", [("demo", "shoes", "wheels"), ("depot", "annex", "lab"), ("nodes",)])
def test_unplugged_and_plugged_in_again_it_goes_on(hubs: tuple[str, ...]) -> None:
    try:
        for hub in hubs:
            check_bodies(resolve_hub(hub), is_qemu=False)
    except NodesError as missing:
        pytest.skip(str(missing))
    for hub, told in side_by_side({hub: unplugged(hub) for hub in hubs}).items():
        assert told["by_disposition"]["SORTED"] > 0
        # A serial port is not connected anew.
        on_a_line = {link.name for link in resolve_hub(hub).links if hasattr(link, "device")}
        for name, n in told["connections"].items():
            assert n >= (1 if name in on_a_line else 2)


def test_what_is_to_be_unplugged_is_checked() -> None:
    assert parse_unplugs(["b@3:1", "a@2:5"], ["a", "b"]) == [Unplug(0, 2, 5), Unplug(1, 3, 1)]
    for text, said in (
        ("a", "must be LINK@SECOND:FOR"),
        ("a@2", "must be LINK@SECOND:FOR"),
        ("top2@2:1", 'did you mean "top"'),
        ("a@2:0", "for 1 at least"),
    ):
        with pytest.raises(UnplugError, match=said):
            parse_unplugs([text], ["a", "top"])


def test_a_link_that_is_not_there_is_refused_before_anything_runs() -> None:
    ended = subprocess.run(
        [*COMMAND, "--unplug", "nowhere@1:1"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 2
    assert "there is no link nowhere" in " ".join(ended.stderr.replace("│", " ").split())
