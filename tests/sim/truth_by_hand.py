"""Truths of a simulated hub written by hand: who was there, where they landed, whom a paddle took."""

from __future__ import annotations

from typing import Any

import numpy as np
from records_by_hand import S

from hubctl.sim.matter import AS_ONE, MISHAP, ON_BELT, PROGRESS, TAKEN, Cause, blank_parcels
from hubctl.sim.referee import Truth

C01, C02, C45, END = 0, 1, 44, 48


def truth_of(*lives: dict[str, Any]) -> Truth:
    """A parcel a second; `lane`, `landed`, `put` and what else its row shall say."""
    parcels, progress = blank_parcels(len(lives)), np.zeros(len(lives), PROGRESS)
    for k, life in enumerate(lives):
        parcels[k]["put_um"] = 1 if life.get("put") else -1
        parcels[k]["lane"] = life["lane"]
        parcels[k]["length_um"] = life.get("length_mm", 300) * 1000
        parcels[k]["beside"] = -1
        progress[k]["inducted_ns"] = 0 if life.get("put") else (k + 1) * S
        progress[k]["landed"] = life["landed"]
        progress[k]["landed_ns"] = 0 if life["landed"] == ON_BELT else (k + 4) * S
    labels = np.array([[f"L{k}".encode(), b""] for k in range(len(lives))], "S56")
    return Truth(parcels, progress, taken_of(progress), np.zeros(0, MISHAP), np.zeros(0, AS_ONE), labels)


def taken_of(progress: Any) -> Any:
    """A paddle took each who landed beside a diverter, far from all others."""
    rows = np.flatnonzero((progress["landed"] >= 0) & (progress["landed"] < END))
    taken = np.zeros(len(rows), TAKEN)
    taken["t_ns"] = progress["landed_ns"][rows]
    taken["parcel"], taken["chute"] = rows, progress["landed"][rows]
    taken["cause"] = Cause.FIRED
    taken["neighbour"] = -1
    return taken


def links(*rows: tuple[int, int, int, int]) -> Any:
    """Who was taken for one with whom ahead, how long the two looked in um, and by which eye."""
    as_one = np.zeros(len(rows), AS_ONE)
    for k, row in enumerate(rows):
        as_one[k] = row
    return as_one
