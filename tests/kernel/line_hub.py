"""The tests' own hub: `line.toml` with its plans, its names, and records made by hand."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from hubctl.core.events import RECORD, Kind, Records, empty
from hubctl.core.hubfile import Hub, load_hub, resolve_hub
from hubctl.core.labels import compose
from hubctl.core.layout import HubNames, compile_layout, hub_names
from hubctl.core.plan import compile_plan, load_plan, resolve_plan
from hubctl.core.tables import CompiledPlan, Layout
from hubctl.core.telling import LaneNames

HERE = Path(__file__).parent
MS = 1_000_000


@cache
def hub(name: str = "line") -> Hub:
    """A hub of this folder, or a packaged one."""
    file = HERE / f"{name}.toml"
    return load_hub(file) if file.exists() else resolve_hub(name)


@cache
def plan(name: str = "line", hub_name: str = "line") -> CompiledPlan:
    """A plan of this folder, or a packaged one."""
    file = HERE / f"{name}.plan.toml"
    sort_plan = load_plan(file, hub(hub_name)) if file.exists() else resolve_plan(name, hub(hub_name))
    return compile_plan(sort_plan, hub(hub_name))


def lanes(name: str = "line", hub_name: str = "line") -> LaneNames:
    """The lanes of a plan of this folder."""
    file = HERE / f"{name}.plan.toml"
    return LaneNames(
        tuple(lane.name for lane in load_plan(file, hub(hub_name)).lanes), plan(name, hub_name).version
    )


def layout(name: str = "line", **belt: int) -> Layout:
    """The hub's tables, with fields of its belt set otherwise."""
    made = compile_layout(hub(name))
    for key, value in belt.items():
        made.belts[key] = value
    return made


@cache
def names(name: str = "line") -> HubNames:
    return hub_names(hub(name))


def label(zip_code: str, serial: int = 0) -> str:
    return compose("usps-impb", serial, zip_code.ljust(5, "0"))


def records(*rows: dict[str, Any]) -> Records:
    """Records with the fields named, in order."""
    made = empty(len(rows))
    for record, row in zip(made, rows, strict=True):
        for key, value in row.items():
            record[key] = value
    return made


def read(scanner: int, text: str, t_ns: int) -> dict[str, Any]:
    code = text.encode()
    return {"kind": Kind.READ, "device": scanner, "text": code, "n_text": len(code), "t_ns": t_ns}


def nothing() -> Records:
    return np.zeros(0, RECORD)


def nodes_up(n_nodes: int, t_ns: int = 0) -> list[dict[str, Any]]:
    return [{"kind": Kind.NODE, "device": node, "value": 1, "t_ns": t_ns} for node in range(n_nodes)]
