"""Compiles the lanes, groups, waves and exceptions of a checked sort plan into chains of chutes.

A chain is a row of steps, tried one after the other; a step is a set of chutes under one policy. What a lane
names chute by chute is a step of its own, "first open".
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from datetime import datetime
from itertools import groupby
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from hubctl.core.events import NO_INDEX, Reason
from hubctl.core.tables import LANE, STEP, WAVE, Policy, Table

if TYPE_CHECKING:
    from hubctl.core.hubfile import Hub
    from hubctl.core.plan import Group, Lane, SortPlan, Wave

N_CHUTES_OF_LANE_MAX = 64  # tried for one parcel, overflow included
N_GROUPS_MAX = 256  # the kernel keeps whose turn it is in each
NS_PER_S = 1_000_000_000
BELT_END = "END"  # as an exception: whatever chute is at the end of the parcel's belt
DEFAULT = "default"


class Chains(NamedTuple):
    """What `CompiledPlan` holds of chutes."""

    first: npt.NDArray[np.int32]
    chutes: npt.NDArray[np.uint16]
    weights: npt.NDArray[np.uint16]
    steps: Table  # STEP
    lanes: Table  # LANE
    waves: Table  # WAVE
    exceptions: npt.NDArray[np.uint16]
    exception_steps: npt.NDArray[np.int32]


class _Step(NamedTuple):
    """Chutes under one policy; the key is what a group is known by from plan to plan."""

    chutes: list[str]
    weights: list[int]
    policy: Policy = Policy.FIRST_OPEN
    slot: int = NO_INDEX
    key: int = 0


def compile_chains(plan: SortPlan, hub: Hub, clock_offset_ns: int) -> Chains:
    """Every chain of a checked plan.

    Parameters
    ----------
    plan : SortPlan
    hub : Hub
    clock_offset_ns : int
        The wall clock less the kernel's, ns.
    """
    maker = _Maker(plan, hub, clock_offset_ns)
    for lane in plan.lanes:
        maker.add_lane(lane)
    exceptions = [maker.exception(plan, reason) for reason in Reason]
    return Chains(
        first=np.array(maker.first, np.int32),
        chutes=np.array(maker.chutes, np.uint16),
        weights=np.array(maker.weights, np.uint16),
        steps=np.array(maker.steps, STEP),
        lanes=np.array(maker.lanes, LANE),
        waves=np.array(maker.waves, WAVE),
        exceptions=np.array([chute for chute, _ in exceptions], np.uint16),
        exception_steps=np.array([step for _, step in exceptions], np.int32),
    )


def plain_chains(first: npt.NDArray[np.int32], chutes: npt.NDArray[np.uint16]) -> Chains:
    """Chains of a plan without groups, waves and exceptions: lane `i` tries chutes[first[i]:first[i + 1]] in order."""
    n_lanes, n_chutes = len(first) - 1, np.diff(first)
    steps, lanes = np.zeros(n_lanes, STEP), np.zeros(n_lanes, LANE)
    steps["first"], steps["n_chutes"], steps["slot"] = first[:-1], n_chutes, NO_INDEX
    lanes["first_step"], lanes["n_steps"] = np.arange(n_lanes), 1
    return Chains(
        first=first,
        chutes=chutes,
        weights=np.ones(len(chutes), np.uint16),
        steps=steps,
        lanes=lanes,
        waves=np.zeros(0, WAVE),
        exceptions=np.full(len(Reason), NO_INDEX, np.uint16),
        exception_steps=np.full(len(Reason), -1, np.int32),
    )


class _Maker:
    """Rows of the tables, one chain after the other."""

    def __init__(self, plan: SortPlan, hub: Hub, clock_offset_ns: int) -> None:
        self.index = {chute.name: i for i, chute in enumerate(hub.chutes)}
        self.groups = dict(_group_steps(plan.groups))
        self.waves_of = _waves_by_lane(plan.waves, clock_offset_ns)
        self.first = [0]
        self.chutes: list[int] = []
        self.weights: list[int] = []
        self.steps: list[tuple[int, ...]] = []
        self.lanes: list[tuple[int, ...]] = []
        self.waves: list[tuple[int, ...]] = []
        self.exception_groups: dict[str, int] = {}

    def add_lane(self, lane: Lane) -> None:
        """A lane's chain, then those of its waves that have chutes of their own."""
        chain = self._add_chain(self._chain_of(lane, lane))
        waves = self.waves_of.get(lane.name, [])
        first_wave = len(self.waves)
        for departs_ns, wave in waves:
            is_own = wave.chutes or wave.group
            way = self._add_chain(self._chain_of(wave, lane)) if is_own else chain
            self.waves.append((departs_ns, *way, 0))
        self.lanes.append((*chain, lane.priority, first_wave, len(waves), 0, lane.lead_s * NS_PER_S))
        self.first.append(len(self.chutes))

    def exception(self, plan: SortPlan, reason: Reason) -> tuple[int, int]:
        """Chute and step of a reason; NO_INDEX and -1: the belt's own end."""
        name = plan.exceptions.get(reason.name, plan.exceptions.get(DEFAULT, BELT_END))
        if name in self.groups:
            if name not in self.exception_groups:
                self.exception_groups[name] = self._add_chain([self.groups[name]])[0]
            return NO_INDEX, self.exception_groups[name]
        return (NO_INDEX if name == BELT_END else self.index[name]), -1

    def _chain_of(self, of: Lane | Wave, lane: Lane) -> list[_Step]:
        main = self.groups[of.group] if of.group else _Step(of.chutes, [1] * len(of.chutes))
        more: list[_Step] = []
        for is_group, names in groupby(lane.overflow, lambda name: name in self.groups):
            run = list(names)
            more += [self.groups[name] for name in run] if is_group else [_Step(run, [1] * len(run))]
        return [main, *more]

    def _add_chain(self, steps: list[_Step]) -> tuple[int, int]:
        """Index of its first step, and how many."""
        at = len(self.steps)
        for step in steps:
            self.steps.append((len(self.chutes), len(step.chutes), step.policy, step.slot, 0, step.key))
            self.chutes += [self.index[name] for name in step.chutes]
            self.weights += step.weights
        return at, len(steps)


def _group_steps(groups: Iterable[Group]) -> Iterator[tuple[str, _Step]]:
    """Each group's step; one that takes turns has a place where the kernel keeps whose turn it is."""
    taken: set[int] = set()
    for group in sorted(groups, key=lambda group: group.name):
        weights = group.weights or [1] * len(group.chutes)
        policy = Policy[group.policy.upper().replace("-", "_")]
        key = _key_of(group)
        slot = next(slot for k in range(N_GROUPS_MAX) if (slot := (key + k) % N_GROUPS_MAX) not in taken)
        taken.add(slot)
        yield group.name, _Step(group.chutes, weights, policy, slot, key)


def _key_of(group: Group) -> int:
    """Equal in two plans if the group is: a changed one begins anew."""
    content = "\0".join([group.name, group.policy, *group.chutes])
    return int.from_bytes(hashlib.blake2b(content.encode(), digest_size=4).digest(), "big") or 1


def _waves_by_lane(waves: Iterable[Wave], clock_offset_ns: int) -> dict[str, list[tuple[int, Wave]]]:
    """The waves of each lane with the kernel's time of their departures, in that order."""
    found: dict[str, list[tuple[int, Wave]]] = {}
    for wave in waves:
        found.setdefault(wave.lane, []).append((_departs_ns(wave, clock_offset_ns), wave))
    return {lane: sorted(timed, key=lambda pair: pair[0]) for lane, timed in found.items()}


def _departs_ns(wave: Wave, clock_offset_ns: int) -> int:
    if isinstance(wave.departs, datetime):
        return int(wave.departs.timestamp()) * NS_PER_S - clock_offset_ns
    return wave.departs * NS_PER_S
