"""What a plan comes to: its busiest group, and the bound that no plan goes below; and a plan by daily volumes."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from hubctl.core.volumes import Ints

NOBODY = -1  # the group of what has none


class Sizes(NamedTuple):
    """How many chutes groups have: one of three takes half as much again as one of two, and is as busy."""

    chutes: Ints  # shape (n_groups,)
    n_all: int  # of all groups, with those that have failed

    def evened(self, loads: Ints) -> Ints:
        """Loads, shape (n_groups, ...), as if every group had as many chutes as they have on the average."""
        each = np.maximum(self.chutes * len(self.chutes), 1).reshape(-1, *[1] * (loads.ndim - 1))
        even: Ints = -(-loads * self.n_all // each)
        return even


def of_one_size(n_groups: int) -> Sizes:
    """Groups that are alike."""
    return Sizes(np.ones(n_groups, np.int64), n_groups)


def group_loads(parcels: Ints, group: Ints, n_groups: int) -> Ints:
    """Parcels of each group, shape (n_groups, ...), of `parcels` of shape (n_units, ...)."""
    loads = np.zeros((n_groups, *parcels.shape[1:]), np.int64)
    for own, of_unit in zip(group.tolist(), parcels, strict=True):
        loads[own] += of_unit
    return loads


def busiest(parcels: Ints, group: Ints, n_groups: int, sizes: Sizes | None = None) -> Ints:
    """The busiest group's busiest ten minutes, of `parcels` of shape (n_units, ..., n_slots); shape (...).

    Of groups that are not alike: as if they were.
    """
    loads = (sizes or of_one_size(n_groups)).evened(group_loads(parcels, group, n_groups))
    peaks: Ints = loads.max(axis=(0, -1))
    return peaks


def bound(parcels: Ints, n_groups: int, sizes: Sizes | None = None) -> Ints:
    """What no plan goes below: the site's busiest ten minutes over all groups, or one unit's; as `busiest`."""
    size = sizes or of_one_size(n_groups)
    site = -(-parcels.sum(axis=0).max(axis=-1) // n_groups)
    unit = parcels.max(axis=(0, -1)) * size.n_all // (n_groups * int(size.chutes.max()))
    least: Ints = np.maximum(site, unit)
    return least


def by_volume(volumes: Ints, n_groups: int, sizes: Sizes | None = None) -> Ints:
    """The plan of one who knows daily volumes only: the largest unit first, each to the group with the least.

    Parameters
    ----------
    volumes : int64 array, shape (n_units,)
    n_groups : int
    sizes : Sizes, optional
        Of the groups; by default they are alike.

    Returns
    -------
    int64 array, shape (n_units,)
        The group of each.
    """
    size, group = sizes or of_one_size(n_groups), np.zeros(len(volumes), np.int64)
    filled = np.zeros(n_groups, np.int64)
    for unit in np.argsort(-volumes, kind="stable"):
        group[unit] = size.evened(filled).argmin()
        filled[group[unit]] += volumes[unit]
    return group
