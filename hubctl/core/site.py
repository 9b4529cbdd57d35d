"""A hub file and the sort plan that goes with it, read together, with the faults of both."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from hubctl.core.config import ConfigError, Fault
from hubctl.core.hubfile import Hub, hub_path, load_hub, plan_beside
from hubctl.core.plan import SortPlan, load_plan, plan_path


class Site(NamedTuple):
    """What a program needs to run a hub."""

    hub: Hub
    plan: SortPlan | None  # None: no plan was named, and none lies beside the hub file


def load_site(hub: str, plan: str | None = None) -> Site:
    """Read a hub file and a plan, each a path or the name of a packaged one.

    Parameters
    ----------
    hub : str
    plan : str, optional
        By default the hub file's neighbour: `demo.plan.toml` beside `demo.toml`.

    Raises
    ------
    ConfigError
        With the faults of both files.
    """
    hub_file = hub_path(hub)
    plan_file = _plan_file(hub_file, plan)
    faults: list[Fault] = []
    loaded = _hub(hub_file, faults)
    sort_plan = _plan(plan_file, loaded, faults) if plan_file else None
    if faults or loaded is None:
        raise ConfigError(faults)
    return Site(loaded, sort_plan)


def _plan_file(hub_file: Path, plan: str | None) -> Path | None:
    if plan is not None:
        return plan_path(plan)
    beside = plan_beside(hub_file)
    return beside if beside.exists() else None


def _hub(file: Path, faults: list[Fault]) -> Hub | None:
    try:
        return load_hub(file)
    except ConfigError as error:
        faults.extend(error.faults)
        return None


def _plan(file: Path, hub: Hub | None, faults: list[Fault]) -> SortPlan | None:
    try:
        return load_plan(file, hub)
    except ConfigError as error:
        faults.extend(error.faults)
        return None
