"""The sort plan: which destinations go to which lane, which chutes a lane has, where the rest goes.

A plan is a file of its own, so that operations load another without touching the hub file. Lanes and chutes
go by name; `compile_plan` makes the tables that the kernel reads.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
from pydantic import ConfigDict, Field, PrivateAttr

from hubctl._lookup import LaneTable
from hubctl.core.config import Source, nearest
from hubctl.core.events import NO_INDEX, Reason
from hubctl.core.hubfile import PLAN_SUFFIX, Hub, Name, Section, packaged_path
from hubctl.core.keys import Key, parse_keys
from hubctl.core.labels import FORMAT_NAMES, NAMESPACES, compile_formats
from hubctl.core.preadvice import PreAdvice, lanes_of
from hubctl.core.shape import known, read_shape
from hubctl.core.tables import CompiledPlan

N_LANES_MAX = 65_000
N_CHUTES_OF_LANE_MAX = 16  # tried for one parcel, overflow included
BELT_END = "END"  # as an exception: whatever chute is at the end of the parcel's belt
DEFAULT = "default"
ROUTED_REASONS = tuple(reason.name for reason in Reason if reason not in (Reason.NONE, Reason.OK))


class PlanSection(Section):
    """The plan as a whole."""

    name: Name = Field(description="what people call the plan")


class Labels(Section):
    """What counts as a shipping label here."""

    accept: list[str] = Field(min_length=1, max_length=64, description="label formats, the best first")


class Lane(Section):
    """An outbound relation."""

    name: Name = Field(description="unique among lanes")
    keys: list[str] = Field(max_length=1_000_000, description='destinations: "zip:100", "plz:20..22"')
    chutes: list[str] = Field(
        min_length=1, max_length=N_CHUTES_OF_LANE_MAX, description="tried in this order"
    )
    overflow: list[str] = Field(
        default=[], max_length=N_CHUTES_OF_LANE_MAX, description="tried when none of its chutes will do"
    )

    @property
    def chain(self) -> list[str]:
        """Every chute of the lane in the order they are tried."""
        return [*self.chutes, *self.overflow]


class SortPlan(Section):
    """A whole plan file."""

    model_config = ConfigDict(title="hubctl sort plan")

    plan: PlanSection = Field(description="the plan as a whole")
    labels: Labels = Field(description="what counts as a shipping label here")
    lanes: list[Lane] = Field(min_length=1, max_length=N_LANES_MAX, description="outbound relations")
    exceptions: dict[str, str] = Field(
        default={},
        description='chute for what has no lane: "default", and by reason; "END" is the belt\'s end',
    )

    _source: Source | None = PrivateAttr(None)

    @property
    def name(self) -> str:
        """What people call the plan."""
        return self.plan.name

    @property
    def version(self) -> int:
        """First 32 bits of the content's hash, never 0: equal for equal plans, however laid out."""
        content = json.dumps(self.model_dump(), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        digest = hashlib.blake2b(content.encode(), digest_size=4).digest()
        return int.from_bytes(digest, "big") or 1

    def check(self, hub: Hub | None = None) -> None:
        """ConfigError with every fault of the plan, and of what it says of this hub."""
        source = self._source or Source.of_data(Path(self.name), self.model_dump())
        source.faults.clear()
        _check(self, source, hub)
        source.raise_if_faulty()


def load_plan(file: Path, hub: Hub | None = None) -> SortPlan:
    """Read and check a sort plan.

    Parameters
    ----------
    file : Path
        TOML.
    hub : Hub, optional
        The hub it is meant for; its chutes are looked up if given.

    Raises
    ------
    ConfigError
        With every fault of the file.
    """
    return plan_of(Source.read(file), hub)


def plan_of(source: Source, hub: Hub | None = None) -> SortPlan:
    """The plan that a file's content describes; ConfigError with every fault of it."""
    plan = read_shape(SortPlan, source)
    _check(plan, source, hub)
    source.raise_if_faulty()
    plan._source = source
    return plan


def plan_path(name_or_path: str) -> Path:
    """The file that is meant: a path, or the name of a packaged plan such as `demo`."""
    return packaged_path(name_or_path, PLAN_SUFFIX)


def resolve_plan(name_or_path: str, hub: Hub | None = None) -> SortPlan:
    """The plan of a file, or the packaged one of that name."""
    return load_plan(plan_path(name_or_path), hub)


# Checks


def _check(plan: SortPlan, source: Source, hub: Hub | None) -> None:
    if known(plan, "labels") and known(plan.labels, "accept"):
        _check_formats(plan.labels.accept, source)
    _check_keys(plan, source)
    _check_names(plan, source)
    _check_exceptions(plan, source)
    if hub is not None:
        _check_chutes(plan, source, hub)


def _lanes(plan: SortPlan, *keys: str) -> Iterator[tuple[int, Lane]]:
    return ((i, lane) for i, lane in enumerate(getattr(plan, "lanes", ())) if known(lane, *keys))


def _check_formats(accept: list[str], source: Source) -> None:
    n_faults = len(source.faults)
    for index, name in enumerate(accept):
        path = ("labels", "accept", index)
        if name not in FORMAT_NAMES:
            source.add(path, "unknown label format", nearest(name, FORMAT_NAMES))
        elif name in accept[:index]:
            source.add(path, "is accepted already")
    if len(source.faults) == n_faults:
        _check_forms(accept, source)


def _check_forms(accept: list[str], source: Source) -> None:
    try:
        compile_formats(accept)
    except ValueError as error:
        source.add(("labels", "accept"), str(error), "accept fewer formats", shown="")


def _check_keys(plan: SortPlan, source: Source) -> None:
    taken: dict[Key, str] = {}
    for index, lane in _lanes(plan, "name", "keys"):
        for at, text in enumerate(lane.keys):
            _check_key(source, ("lanes", index, "keys", at), text, lane.name, taken)


def _check_key(
    source: Source, path: tuple[str | int, ...], text: str, lane: str, taken: dict[Key, str]
) -> None:
    try:
        keys = parse_keys(text)
    except ValueError as error:
        source.add(path, str(error))
        return
    if keys[0].namespace not in NAMESPACES:
        source.add(path, f'unknown namespace "{keys[0].namespace}"', nearest(keys[0].namespace, NAMESPACES))
        return
    twice = next((key for key in keys if key in taken), None)
    if twice is not None:
        source.add(path, f"{':'.join(twice)} is taken by lane {taken[twice]}", "one destination, one lane")
    taken.update((key, lane) for key in keys if key not in taken)


def _check_names(plan: SortPlan, source: Source) -> None:
    first: dict[str, int] = {}
    for index, lane in _lanes(plan, "name"):
        if first.setdefault(lane.name, index) != index:
            line = source.line(("lanes", first[lane.name], "name"))
            source.add(("lanes", index, "name"), f"is taken (line {line})", "each lane needs its own")


def _check_exceptions(plan: SortPlan, source: Source) -> None:
    for reason in getattr(plan, "exceptions", {}):
        if reason != DEFAULT and reason not in ROUTED_REASONS:
            source.add(("exceptions", reason), "unknown reason", nearest(reason, (DEFAULT, *ROUTED_REASONS)))


def _check_chutes(plan: SortPlan, source: Source, hub: Hub) -> None:
    names = [chute.name for chute in hub.chutes]
    ends = {chute.name for chute in hub.chutes if chute.diverter is None}
    for index, lane in _lanes(plan, "chutes", "overflow"):
        _check_chain(source, index, lane, names, ends)
    for reason, chute in getattr(plan, "exceptions", {}).items():
        if chute not in (BELT_END, *names):
            source.add(("exceptions", reason), f"hub {hub.name} has no such chute", nearest(chute, names))


def _check_chain(source: Source, index: int, lane: Lane, names: list[str], ends: set[str]) -> None:
    seen: set[str] = set()
    for key in ("chutes", "overflow"):
        for at, chute in enumerate(getattr(lane, key)):
            path = ("lanes", index, key, at)
            if chute not in names:
                source.add(path, "the hub has no such chute", nearest(chute, names))
            elif chute in ends:
                source.add(
                    path, "is a belt's end: no lane can have it", "what is not diverted goes there anyway"
                )
            elif chute in seen:
                source.add(path, "the lane has it already")
            seen.add(chute)
    if len(lane.chain) > N_CHUTES_OF_LANE_MAX:
        message = (
            f"must have {N_CHUTES_OF_LANE_MAX - len(lane.chutes)} entries or fewer, beside the lane's chutes"
        )
        source.add(("lanes", index, "overflow"), message)


# Compilation


def compile_plan(plan: SortPlan, hub: Hub, preadvice: PreAdvice | None = None) -> CompiledPlan:
    """The tables the kernel decides by.

    Parameters
    ----------
    plan : SortPlan
    hub : Hub
        A checked hub.
    preadvice : PreAdvice, optional
        Labels whose destination was told beforehand.

    Raises
    ------
    ConfigError
        The plan does not fit the hub; with every fault.
    """
    plan.check(hub)
    index = {chute.name: i for i, chute in enumerate(hub.chutes)}
    chains = [[index[name] for name in lane.chain] for lane in plan.lanes]
    return CompiledPlan(
        version=plan.version,
        labels=_lane_table(plan, preadvice),
        first=np.cumsum([0, *map(len, chains)], dtype=np.int32),
        chutes=np.array([chute for chain in chains for chute in chain], np.uint16),
        exceptions=_exceptions(plan, hub),
    )


def lane_prefixes(plan: SortPlan) -> list[tuple[str, str, int]]:
    """(namespace, prefix, lane index) of every key of the plan."""
    return [(*key, i) for i, lane in enumerate(plan.lanes) for text in lane.keys for key in parse_keys(text)]


def _lane_table(plan: SortPlan, preadvice: PreAdvice | None) -> LaneTable:
    formats, prefixes = compile_formats(plan.labels.accept), lane_prefixes(plan)
    keyed = LaneTable(formats, prefixes)
    if preadvice is None:
        return keyed
    return LaneTable(formats, prefixes, preadvice.labels, lanes_of(preadvice, keyed))


def _exceptions(plan: SortPlan, hub: Hub) -> npt.NDArray[np.uint16]:
    """Where a parcel goes by reason; the belt's own end for what is not named."""
    index = {chute.name: NO_INDEX if chute.diverter is None else i for i, chute in enumerate(hub.chutes)}
    index.setdefault(BELT_END, NO_INDEX)
    default = plan.exceptions.get(DEFAULT, BELT_END)
    chutes = [index[plan.exceptions.get(reason.name, default)] for reason in Reason]
    return np.array(chutes, np.uint16)
