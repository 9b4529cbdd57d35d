"""A little site of our own: lanes with an early and a late departure, whose volumes swing from day to day."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import numpy as np

from hubctl.core.volumes import N_SLOTS, Ints, Unit, Volumes

FIRST = date(2031, 5, 1)
HEADER = "site,dest,wave,date,slot,parcels"


def little_site(n_lanes: int = 14, n_days: int = 9, seed: int = 5) -> Volumes:
    """Volumes with a morning and an evening departure; the last day is like the others."""
    dice = np.random.default_rng(seed)
    units = tuple(Unit(f"T{k:02}", wave) for k in range(n_lanes) for wave in ("0700", "1900"))
    size = 4000 // (np.arange(len(units)) // 2 + 6)
    parcels = np.zeros((n_days, len(units), N_SLOTS), np.int64)
    for k, unit in enumerate(units):
        last = unit.departs_min // 10
        shape = np.arange(12) * (1 + k % 3) + 5
        for day in range(n_days):
            parcels[day, k, last - 12 : last] = dice.poisson(size[k] * shape / shape.sum())
    return Volumes("T", units, tuple(FIRST + timedelta(days=k) for k in range(n_days)), parcels)


def days_of(volumes: Volumes) -> Ints:
    """All its days as days that could come, shape (n_units, n_days, N_SLOTS)."""
    return np.ascontiguousarray(volumes.parcels.transpose(1, 0, 2))


def write_volumes(volumes: Volumes, file: Path) -> None:
    """As a site keeps them."""
    lines = [
        f"{volumes.site},{volumes.units[k].lane},{volumes.units[k].wave},{volumes.days[day]},"
        f"{slot // 6:02}:{slot % 6}0,{volumes.parcels[day, k, slot]}"
        for day, k, slot in np.argwhere(volumes.parcels)
    ]
    file.write_text("\n".join([HEADER, *lines, ""]), encoding="utf-8")
