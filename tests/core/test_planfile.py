"""A compiled plan is the plan that was checked, for its hub alone, and as every byte was written."""

from __future__ import annotations

import hashlib
import json
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from hubctl.cli.plan import app
from hubctl.core.config import ConfigError
from hubctl.core.hubfile import Hub, resolve_hub
from hubctl.core.labels import compose
from hubctl.core.plan import SortPlan, compile_plan, load_plan, save_compiled
from hubctl.core.plananswer import answer
from hubctl.core.planaudit import audited_plan

RUN = CliRunner()
PACK = """
[[formats]]
name = "parcelfox"
carrier = "Parcelfox"
forms = [{ pattern = "PFX d{9}", example = "PFX123456789" }]
"""
PLAN = """
plan = { name = "little" }
labels = { accept = ["usps-impb", "parcelfox"], packs = "packs" }
lanes = [
  { name = "north", keys = ["zip:1"], chutes = ["C1"] },
  { name = "fox", keys = ["partner:PARCELFOX"], chutes = ["C2"] },
]
tables = ["long.csv"]
exceptions = { default = "C8" }
"""


@pytest.fixture(scope="module")
def hub() -> Hub:
    return resolve_hub("station")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, hub: Hub) -> Path:
    """A plan with a table and a pack beside it, and the same compiled; then what was beside it is gone."""
    folder = tmp_path_factory.mktemp("plan")
    (folder / "packs").mkdir()
    (folder / "packs" / "fox.toml").write_text(PACK)
    (folder / "long.csv").write_text("key,lane\nzip:2,north\nzip:204,fox\nzip:3,-\n")
    (folder / "little.plan.toml").write_text(PLAN)
    save_compiled(load_plan(folder / "little.plan.toml", hub), hub, folder / "little.plan")
    return folder


@pytest.fixture(scope="module")
def text(folder: Path, hub: Hub) -> SortPlan:
    return load_plan(folder / "little.plan.toml", hub)


def test_it_decides_as_its_text_does(folder: Path, hub: Hub, text: SortPlan, tmp_path: Path) -> None:
    alone = tmp_path / "alone.plan"
    alone.write_bytes((folder / "little.plan").read_bytes())
    loaded = load_plan(alone, hub)
    keys = [compose("usps-impb", no, key) for no, key in enumerate(["10001", "20001", "20400", "30000"])]
    asked = np.array([text.encode() for text in [*keys, "PFX987654321", "NO LABEL"]])
    one, other = compile_plan(loaded, hub), compile_plan(text, hub)
    assert one.version == other.version
    assert [a.tolist() for a in one.labels.resolve_many(asked)] == [
        a.tolist() for a in other.labels.resolve_many(asked)
    ]
    assert answer(loaded, "zip:204") == answer(text, "zip:204")
    assert load_plan(alone).version == text.version


def test_it_is_refused_for_another_hub(folder: Path, hub: Hub) -> None:
    changed = hub.model_copy(update={"chutes": hub.chutes[:-1]})
    with pytest.raises(ConfigError, match="whose file has changed since"):
        load_plan(folder / "little.plan", changed)
    with pytest.raises(ConfigError, match="for the hub station, not for crossbelt"):
        load_plan(folder / "little.plan", resolve_hub("crossbelt"))


def test_it_is_refused_by_another_program(folder: Path, hub: Hub) -> None:
    """As another program would have written it, with a hash that holds."""
    magic, head, content = (folder / "little.plan").read_bytes().split(b"\n", 2)
    about = {**json.loads(head), "program": "another"}
    told = json.dumps({name: value for name, value in about.items() if name != "hash"}).encode()
    about["hash"] = hashlib.blake2b(told + content, digest_size=16).hexdigest()
    file = folder / "other.plan"
    file.write_bytes(b"\n".join([magic, json.dumps(about).encode(), content]))
    with pytest.raises(ConfigError, match="another version of hubctl"):
        load_plan(file, hub)


@given(st.integers(0, 1 << 20), st.integers(0, 7))
def test_a_changed_or_torn_file_is_refused(folder: Path, hub: Hub, at: int, bit: int) -> None:
    whole = (folder / "little.plan").read_bytes()
    at %= len(whole)
    changed = whole[:at] + bytes([whole[at] ^ 1 << bit]) + whole[at + 1 :]
    file = folder / "bad.plan"
    for content in (changed, whole[:at]):
        file.write_bytes(content)
        with pytest.raises(ConfigError):
            load_plan(file, hub)


def test_its_text_is_what_is_checked(folder: Path, hub: Hub) -> None:
    with pytest.raises(ConfigError, match="check the text"):
        audited_plan(folder / "little.plan", hub, datetime(2031, 1, 1))


def test_the_command_writes_it_and_others_take_it(folder: Path, tmp_path: Path) -> None:
    source, file = str(folder / "little.plan.toml"), tmp_path / "out.plan"
    done = RUN.invoke(app, ["compile", source, "--hub", "station", "-o", str(file)])
    assert done.exit_code == 0, done.output
    assert "for the hub station" in done.output
    assert [path.name for path in tmp_path.iterdir()] == ["out.plan"]
    assert RUN.invoke(app, ["show", str(file), "zip:204"]).output.endswith("lane fox: C2\n")
    assert "0 of" in RUN.invoke(app, ["diff", source, str(file)]).output
    for wrong, said in ((source, "is the plan itself"), (str(tmp_path / "no" / "x"), "cannot be written")):
        refused = RUN.invoke(app, ["compile", source, "--hub", "station", "-o", wrong])
        assert refused.exit_code == 2
        assert said in " ".join(refused.output.replace("│", " ").split())
