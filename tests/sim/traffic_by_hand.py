"""Traffic of a few parcels, each placed by hand."""

from __future__ import annotations

import numpy as np

from hubctl.core.preadvice import pre_advised
from hubctl.sim.matter import MISHAP, READ, Mishap, Outcome, blank_parcels
from hubctl.sim.traffic import Traffic

UM = 1000
MS = 1_000_000


def traffic_of(*starts_mm: int, length_mm: int = 250) -> Traffic:
    """Parcels that every scanner reads at once."""
    n = len(starts_mm)
    parcels = blank_parcels(n)
    parcels["start_um"] = np.array(starts_mm) * UM
    parcels["length_um"] = length_mm * UM
    parcels["gap_um"] = -length_mm * UM  # no induct keeps them apart
    parcels["label_um"] = length_mm * UM // 2
    reads = np.zeros((n, 2), READ)
    reads["outcome"] = Outcome.READ
    reads["delay_ms"] = 50
    labels = np.array([f"LABEL{k}" for k in range(n)], "S56")
    return Traffic(
        parcels=parcels,
        reads=reads,
        labels=labels,
        fire_fails=np.zeros(1, np.bool_),
        preadvice=pre_advised([]),
        seed=0,
        note="by hand",
        mishaps=np.zeros(0, MISHAP),
        others=np.zeros(n, "S56"),
        write_fates=np.zeros(1, np.int64),
    )


def with_mishap(traffic: Traffic, kind: Mishap, device: int, *, value: int = 0, for_ms: int = 0) -> Traffic:
    """The same parcels, and something that befalls a device as the first of them is inducted."""
    mishaps = np.zeros(1, MISHAP)
    mishaps["kind"], mishaps["device"], mishaps["value"], mishaps["for_ns"] = kind, device, value, for_ms * MS
    traffic.parcels["mishap"][0] = 0
    return traffic._replace(mishaps=mishaps)
