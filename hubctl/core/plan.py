"""The sort plan: which destinations go to which lane, which chutes a lane has, where the rest goes.

A plan is a file of its own, so that operations load another without touching the hub file. Lanes, groups and
chutes go by name; `core/plancheck.py` finds its faults, `compile_plan` makes the tables that the kernel reads.
"""

from __future__ import annotations

import hashlib
import json
from datetime import datetime
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import numpy.typing as npt
from pydantic import ConfigDict, Field, PrivateAttr

from hubctl._lookup import LaneTable
from hubctl.core.catalogue import BUILT_IN, Catalogue, load_packs, pack_files, packs_of
from hubctl.core.chains import N_CHUTES_OF_LANE_MAX, N_GROUPS_MAX, compile_chains
from hubctl.core.config import ConfigError, Source, text_of
from hubctl.core.events import TEXT_MAX, Reason
from hubctl.core.formats import Forms
from hubctl.core.hubfile import PLAN_SUFFIX, Hub, Name, packaged_path
from hubctl.core.keys import LABEL, parse_keys
from hubctl.core.plancheck import check_plan
from hubctl.core.planfile import Compiled, is_compiled, read_compiled, write_compiled
from hubctl.core.planrules import Row, read_tables, rules_of
from hubctl.core.preadvice import N_KEYS_MAX, AdviceBook, Notice, PreAdvice
from hubctl.core.shape import Section, read_shape
from hubctl.core.tables import CompiledPlan

N_LANES_MAX = 65_000
N_LISTED_MAX = 100_000


class PlanSection(Section):
    """The plan as a whole."""

    name: Name = Field(description="what people call the plan")


class Labels(Section):
    """What counts as a shipping label here."""

    accept: list[str] = Field(
        min_length=1, max_length=20_000, description="label formats, or packs of them, the best first"
    )
    packs: str | None = Field(
        None,
        min_length=1,
        description="label packs of partners beside this file: a file, or a directory of them",
    )
    customs: list[str] = Field(
        default=[],
        max_length=20_000,
        description="of those accepted, formats whose parcels are HELD until customs have cleared them",
    )


class Group(Section):
    """Chutes that share their lanes' parcels."""

    name: Name = Field(description="unique among groups and chutes")
    chutes: list[str] = Field(
        min_length=1, max_length=N_CHUTES_OF_LANE_MAX, description="of equal right, in the order of ties"
    )
    policy: Literal["first-open", "nearest", "round-robin", "least-filled", "balance"] = Field(
        "first-open",
        description="which is tried first: in this order; next down the belt; each in turn; with the fewest"
        " parcels in it and on their way; the same by weights",
    )
    weights: list[Annotated[int, Field(ge=1, le=1000)]] = Field(
        default=[], max_length=N_CHUTES_OF_LANE_MAX, description="for balance: share of each chute"
    )


class Lane(Section):
    """An outbound relation."""

    name: Name = Field(description="unique among lanes")
    keys: list[str] = Field(max_length=1_000_000, description='destinations: "zip:100", "plz:20..22"')
    chutes: list[str] = Field(
        default=[], min_length=1, max_length=N_CHUTES_OF_LANE_MAX, description="tried in this order"
    )
    group: Name | None = Field(None, description="a group of chutes, instead of chutes")
    overflow: list[str] = Field(
        default=[],
        max_length=N_CHUTES_OF_LANE_MAX,
        description="chutes and groups tried when none of its chutes will do",
    )
    priority: int = Field(0, ge=0, le=9, description="9 may take the places that a chute keeps back, 0 none")
    lead_s: int = Field(0, ge=0, le=86_400, description="from a parcel's chute to the door, for its waves")


class Wave(Section):
    """One departure of a lane."""

    lane: Name = Field(description="the lane that departs")
    departs: Annotated[int, Field(ge=0, le=4_000_000_000)] | datetime = Field(
        description="local date and time, like 2026-11-22T18:30:00; or seconds of the kernel's clock"
    )
    chutes: list[str] = Field(
        default=[],
        min_length=1,
        max_length=N_CHUTES_OF_LANE_MAX,
        description="instead of the lane's: a bag for each wave",
    )
    group: Name | None = Field(None, description="a group of chutes, instead of chutes")


class Lists(Section):
    """Labels that are not to be sorted, whatever their destination."""

    intercept: list[str] = Field(default=[], max_length=N_LISTED_MAX, description="called back: INTERCEPT")
    held: list[str] = Field(default=[], max_length=N_LISTED_MAX, description="held by order: HELD")


class SortPlan(Section):
    """A whole plan file."""

    model_config = ConfigDict(title="hubctl sort plan")

    plan: PlanSection = Field(description="the plan as a whole")
    labels: Labels = Field(description="what counts as a shipping label here")
    lanes: list[Lane] = Field(min_length=1, max_length=N_LANES_MAX, description="outbound relations")
    groups: list[Group] = Field(
        default=[], max_length=N_GROUPS_MAX, description="chutes that share their lanes' parcels"
    )
    waves: list[Wave] = Field(default=[], max_length=N_LANES_MAX, description="departures of lanes")
    lists: Lists = Field(default=Lists(), description="labels that are not to be sorted")
    tables: list[str] = Field(
        default=[],
        max_length=100,
        description='CSV files beside this one, columns key and lane; lane "-" is no service',
    )
    no_service: list[str] = Field(
        default=[], max_length=1_000_000, description="destinations that nobody serves: NO_LANE, on purpose"
    )
    exceptions: dict[str, str] = Field(
        default={},
        description='chute or group for what has no lane: "default", and by reason; "END" is the belt\'s end',
    )

    _source: Source | None = PrivateAttr(None)
    _catalogue: Catalogue = PrivateAttr(BUILT_IN)
    _rows: list[Row] = PrivateAttr([])
    _checked_for: Hub | None = PrivateAttr(None)
    _packs: dict[str, str] = PrivateAttr({})
    _is_compiled: bool = PrivateAttr(False)

    @property
    def name(self) -> str:
        """What people call the plan."""
        return self.plan.name

    @property
    def catalogue(self) -> Catalogue:
        """The label formats it may accept."""
        return self._catalogue

    @property
    def source(self) -> Source | None:
        """What it was read from; None: it never was text."""
        return self._source

    @property
    def rows(self) -> list[Row]:
        """What its tables say."""
        return self._rows

    @property
    def packs(self) -> dict[str, str]:
        """The text of each of its label packs, by file."""
        return self._packs

    @property
    def is_compiled(self) -> bool:
        """Whether it was read from a compiled file, which has its label packs in it."""
        return self._is_compiled

    @property
    def version(self) -> int:
        """First 32 bits of the content's hash, never 0: equal for equal plans, however laid out."""
        said = self.model_dump(exclude_defaults=True)
        content = json.dumps(said, sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=str)
        digest = hashlib.blake2b(content.encode(), digest_size=4)
        if self.labels.packs is not None:
            digest.update(self.catalogue.compile(self.labels.accept).tobytes())
        for row in self.rows:
            digest.update(f"{row.key},{row.lane}\n".encode())
        return int.from_bytes(digest.digest(), "big") or 1

    def chutes_of(self, lane: Lane) -> list[str]:
        """The chutes that a lane tries before its overflow: its own, or its group's."""
        return lane.chutes if lane.group is None else self._group(lane.group).chutes

    def chain_of(self, lane: Lane) -> list[str]:
        """Every chute of a lane, its overflow included."""
        groups = {group.name: group.chutes for group in self.groups}
        more = [chute for name in lane.overflow for chute in groups.get(name, [name])]
        return [*self.chutes_of(lane), *more]

    def _group(self, name: str) -> Group:
        return next(group for group in self.groups if group.name == name)

    def check(self, hub: Hub | None = None) -> None:
        """ConfigError with every fault of the plan, and of what it says of this hub."""
        source = self._source or Source.of_data(Path(self.name), self.model_dump(exclude_defaults=True))
        source.faults.clear()
        check_plan(self, source, hub)
        source.raise_if_faulty()


def load_plan(file: Path, hub: Hub | None = None) -> SortPlan:
    """Read and check a sort plan.

    Parameters
    ----------
    file : Path
        TOML, or a plan that `save_compiled` wrote.
    hub : Hub, optional
        The hub it is meant for; its chutes are looked up if given.

    Raises
    ------
    ConfigError
        With every fault of the file.
    """
    return _load_compiled(file, hub) if is_compiled(file) else plan_of(Source.read(file), hub)


def save_compiled(plan: SortPlan, hub: Hub, file: Path) -> None:
    """Write a plan that was read from a file, checked for a hub, into a file with all that belongs to it.

    Raises
    ------
    ConfigError
        The plan does not fit the hub.
    OSError
        The file cannot be written.
    """
    if plan._checked_for is not hub:
        plan.check(hub)
    assert plan.source is not None  # it was read from a file
    content = Compiled(plan.source.file, plan.source.text, list(plan.rows), plan.packs)
    write_compiled(file, content, hub, plan.version)


def _load_compiled(file: Path, hub: Hub | None) -> SortPlan:
    """What was checked when it was compiled is not checked again, but that it comes to the same plan."""
    content, version = read_compiled(file, hub)
    source = Source.parsed(Path(content.file), content.text)
    plan = read_shape(SortPlan, source)
    plan._source, plan._packs = source, content.packs
    plan._rows, plan._is_compiled = content.rows, True
    if content.packs:
        plan._catalogue = packs_of(content.packs)
    assert plan.version == version  # the same text and tables, read by the same program
    plan._checked_for = hub
    return plan


def plan_of(source: Source, hub: Hub | None = None) -> SortPlan:
    """The plan that a file's content describes; ConfigError with every fault of it."""
    plan = noted_plan(source, hub)
    source.raise_if_faulty()
    plan._checked_for = hub
    return plan


def noted_plan(source: Source, hub: Hub | None) -> SortPlan:
    """What can be used of a file's content; its faults are noted in `source`."""
    plan = read_shape(SortPlan, source)
    plan._source = source
    plan._rows = read_tables(getattr(plan, "tables", ()), source)
    has_packs = _takes_packs(plan, source)
    check_plan(plan, source, hub, has_packs)
    return plan


def _takes_packs(plan: SortPlan, source: Source) -> bool:
    """Loads the plan's packs beside the formats that come with the program; False: they are faulty, as is noted."""
    packs = getattr(getattr(plan, "labels", None), "packs", None)
    if packs is None:
        return True
    try:
        place = Path(source.file).parent / packs
        plan._catalogue = load_packs(place)
        plan._packs = {str(file): text_of(file) for file in pack_files(place)}
    except ConfigError as error:
        source.faults.extend(error.faults)
        return False
    return True


def plan_path(name_or_path: str) -> Path:
    """The file that is meant: a path, or the name of a packaged plan such as `demo`."""
    return packaged_path(name_or_path, PLAN_SUFFIX)


def resolve_plan(name_or_path: str, hub: Hub | None = None) -> SortPlan:
    """The plan of a file, or the packaged one of that name."""
    return load_plan(plan_path(name_or_path), hub)


# Compilation


def compile_plan(
    plan: SortPlan,
    hub: Hub,
    preadvice: PreAdvice | Notice | AdviceBook | None = None,
    *,
    clock_offset_ns: int = 0,
) -> CompiledPlan:
    """The tables the kernel decides by.

    Parameters
    ----------
    plan : SortPlan
    hub : Hub
        A checked hub.
    preadvice : PreAdvice, Notice or AdviceBook, optional
        Labels whose destination was told beforehand; a book may change afterwards.
    clock_offset_ns : int
        The wall clock less the kernel's, ns: waves that depart at a date and time are told by it.

    Raises
    ------
    ConfigError
        The plan does not fit the hub; with every fault.
    """
    if plan._checked_for is not hub:
        plan.check(hub)
    chains = compile_chains(plan, hub, clock_offset_ns)
    labels = lane_table(plan, preadvice)
    listed, listed_reasons = _listed(plan, labels)
    return CompiledPlan(
        version=plan.version,
        labels=labels,
        first=chains.first,
        chutes=chains.chutes,
        exceptions=chains.exceptions,
        weights=chains.weights,
        steps=chains.steps,
        lanes=chains.lanes,
        waves=chains.waves,
        exception_steps=chains.exception_steps,
        listed=listed,
        listed_reasons=listed_reasons,
    )


def lane_prefixes(plan: SortPlan) -> list[tuple[str, str, int]]:
    """(namespace, prefix, lane index) of every key of the plan but single labels; lane -1 is no service."""
    return [row for row in _keyed_lanes(plan) if row[0] != LABEL]


def _keyed_lanes(plan: SortPlan) -> list[tuple[str, str, int]]:
    index: dict[str | None, int] = {lane.name: i for i, lane in enumerate(plan.lanes)}
    index[None] = -1
    return [
        (key.namespace, key.prefix, index[rule.lane])
        for rule in rules_of(plan)
        for key in parse_keys(rule.text)
    ]


def lane_table(plan: SortPlan, preadvice: PreAdvice | Notice | AdviceBook | None = None) -> LaneTable:
    """The table that finds the lanes of a plan's labels; the plan's word goes before the host's."""
    formats, rows = plan.catalogue.compile(plan.labels.accept), _keyed_lanes(plan)
    prefixes = [row for row in rows if row[0] != LABEL]
    exact = [row for row in rows if row[0] == LABEL]
    labels = np.array([label for _, label, _ in exact], f"S{TEXT_MAX}")
    lanes = np.array([lane for *_, lane in exact], np.int32)
    if preadvice is None:
        table = LaneTable(formats, prefixes, labels, lanes)
    else:
        book = preadvice if isinstance(preadvice, AdviceBook) else AdviceBook.of(preadvice)
        table = LaneTable(formats, prefixes, labels, lanes, book.table, N_KEYS_MAX)
        book.serve(table)
    table.need_customs(_rows_of(plan, formats).tolist())
    return table


def _rows_of(plan: SortPlan, formats: Forms) -> npt.NDArray[np.intp]:
    """The forms of the formats that need customs' clearance."""
    names = plan.catalogue.accepted(plan.labels.customs)
    return np.flatnonzero(np.isin(formats["format"], [plan.catalogue.index[name] for name in names]))


def _listed(plan: SortPlan, labels: LaneTable) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.uint16]]:
    """Identities of the labels listed, rising, and the reason of each; an intercept goes before a hold."""
    reasons = {
        labels.resolve(text.encode())[4]: reason
        for reason, texts in ((Reason.HELD, plan.lists.held), (Reason.INTERCEPT, plan.lists.intercept))
        for text in texts
    }
    identities = sorted(reasons)
    return np.array(identities, np.uint64), np.array([reasons[i] for i in identities], np.uint16)
