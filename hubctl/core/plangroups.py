"""The chutes that a plan is made for: one each, or neighbours that share their lanes' parcels."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from hubctl.core.chains import BELT_END, N_CHUTES_OF_LANE_MAX, N_GROUPS_MAX
from hubctl.core.hubfile import Hub
from hubctl.core.plan import SortPlan
from hubctl.core.planmeasure import NOBODY
from hubctl.core.volumes import Distances, Ints, Unit

MM_PER_M = 1000


class ChuteGroup(NamedTuple):
    """Chutes that a unit gets as one."""

    name: str  # of its chute, if it has one only
    chutes: tuple[str, ...]


def numbered_chutes(n: int) -> list[str]:
    """Names for chutes of a hub that nobody has described: C01, C02 and so on."""
    width = max(len(str(n)), 2)
    return [f"C{no:0{width}}" for no in range(1, n + 1)]


def sorting_chutes(hub: Hub, kept: Iterable[str] = ()) -> list[str]:
    """Chutes of a hub that a lane can have, in their order: no exits, no ends of belts, none kept for others."""
    ends = {belt.end_chute for belt in hub.belts}
    apart = {*kept, *ends}
    return [
        c.name for c in hub.chutes if c.to_belt is None and c.diverter is not None and c.name not in apart
    ]


def exception_chutes(plan: SortPlan) -> set[str]:
    """Chutes where a plan sends what has no lane."""
    groups = {group.name: group.chutes for group in plan.groups}
    names = [chute for name in plan.exceptions.values() for chute in groups.get(name, [name])]
    return set(names) - {BELT_END}


def grouped(chutes: Sequence[str], n_groups: int) -> tuple[ChuteGroup, ...]:
    """Neighbours in so many groups, as even as can be.

    Raises
    ------
    ValueError
        There are not as many chutes, or the kernel does not know groups as large or as many.
    """
    if not 1 <= n_groups <= len(chutes):
        raise ValueError(f"{n_groups} groups: must be 1 to {len(chutes)}, as many as there are chutes")
    parts = [tuple(part.tolist()) for part in np.array_split(np.array(chutes, object), n_groups)]
    n_large = max(len(part) for part in parts)
    if n_large > N_CHUTES_OF_LANE_MAX or (n_large > 1 and n_groups > N_GROUPS_MAX):
        raise ValueError(
            f"{len(chutes)} chutes in {n_groups} groups: must be {N_CHUTES_OF_LANE_MAX} to a group or fewer, "
            f"and {N_GROUPS_MAX} groups of several chutes or fewer"
        )
    return tuple(
        ChuteGroup(part[0] if len(part) == 1 else f"G{no:0{len(str(n_groups))}}", part)
        for no, part in enumerate(parts, 1)
    )


def chutes_of_unit(plan: SortPlan, unit: Unit) -> list[str]:
    """The chutes that a plan has for a wave of a lane, or for the lane; none: it does not know the lane."""
    groups = {group.name: group.chutes for group in plan.groups}
    for wave in plan.waves:
        departs = wave.departs
        if wave.lane == unit.lane and not isinstance(departs, int) and f"{departs:%H%M}" == unit.wave:
            own = groups.get(wave.group or "", wave.chutes)
            if own:
                return own
    return next((plan.chutes_of(lane) for lane in plan.lanes if lane.name == unit.lane), [])


def groups_in(plan: SortPlan, units: Iterable[Unit], groups: Sequence[ChuteGroup]) -> Ints:
    """The group that each unit has in a plan, shape (n_units,); NOBODY: none of these."""
    of_chute = {chute: k for k, group in enumerate(groups) for chute in group.chutes}
    chutes = [chutes_of_unit(plan, unit) for unit in units]
    return np.array([of_chute.get(own[0], NOBODY) if own else NOBODY for own in chutes], np.int64)


def metres_by(
    distances: Distances, units: Sequence[Unit], groups: Sequence[ChuteGroup], volumes: Ints
) -> Ints:
    """Metres that the parcels of each unit make from each group, shape (n_units, n_groups); where not told, none."""
    mm = [
        [
            sum(distances.of(chute, unit.lane) or 0 for chute in group.chutes) // len(group.chutes)
            for group in groups
        ]
        for unit in units
    ]
    return np.array(mm, np.int64) * volumes[:, None] // MM_PER_M


def along_belts(hub: Hub) -> Distances:
    """How far each chute lies down its belt: what a parcel rides, where nobody has told how far it is carried."""
    at_mm = {diverter.name: diverter.at_mm for diverter in hub.diverters}
    return Distances({(chute.name, ""): at_mm.get(chute.diverter or "", 0) for chute in hub.chutes})
