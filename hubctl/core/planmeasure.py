"""What a plan comes to: its busiest group, and the bound that no plan goes below; and a plan by daily volumes."""

from __future__ import annotations

import numpy as np

from hubctl.core.volumes import Ints

NOBODY = -1  # the group of what has none


def group_loads(parcels: Ints, group: Ints, n_groups: int) -> Ints:
    """Parcels of each group, shape (n_groups, ...), of `parcels` of shape (n_units, ...)."""
    loads = np.zeros((n_groups, *parcels.shape[1:]), np.int64)
    np.add.at(loads, group, parcels)
    return loads


def busiest(parcels: Ints, group: Ints, n_groups: int) -> Ints:
    """The busiest group's busiest ten minutes, of `parcels` of shape (n_units, ..., n_slots); shape (...)."""
    peaks: Ints = group_loads(parcels, group, n_groups).max(axis=(0, -1))
    return peaks


def bound(parcels: Ints, n_groups: int) -> Ints:
    """What no plan goes below: the site's busiest ten minutes over all groups, or one unit's; as `busiest`."""
    site = -(-parcels.sum(axis=0).max(axis=-1) // n_groups)
    least: Ints = np.maximum(site, parcels.max(axis=(0, -1)))
    return least


def by_volume(volumes: Ints, n_groups: int) -> Ints:
    """The plan of one who knows daily volumes only: the largest unit first, each to the group with the least.

    Parameters
    ----------
    volumes : int64 array, shape (n_units,)

    Returns
    -------
    int64 array, shape (n_units,)
        The group of each.
    """
    group = np.zeros(len(volumes), np.int64)
    filled = np.zeros(n_groups, np.int64)
    for unit in np.argsort(-volumes, kind="stable"):
        group[unit] = filled.argmin()
        filled[group[unit]] += volumes[unit]
    return group
