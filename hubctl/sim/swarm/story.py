"""What happened around the first thing that went wrong, for a person to read."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from hubctl.core.events import NO_COUNTS, NO_INDEX, Kind, Reason, Records
from hubctl.sim.swarm.case import Case, make, run

N_LINES_MAX = 60
N_BESIDE = 1  # tracks before and after the one that went wrong


def story_of(case: Case) -> list[str]:
    """The records of the first track that went wrong and of its neighbours; of the run's end if none did."""
    made = run(make(case), keep_all=True)
    if not made.wrong:
        return list(_lines(made.records[-N_LINES_MAX:]))
    first = min(made.wrong, key=lambda wrong: wrong.t_ns)
    beside = np.abs(made.records["parcel"] - first.parcel) <= N_BESIDE
    head = f"{first.what}: parcel {first.parcel} at {first.t_ns / 1e9:.3f} s"
    return [head, *_lines(made.records[beside & (made.records["parcel"] > 0)][:N_LINES_MAX])]


def _lines(records: Records) -> Iterator[str]:
    for record in records:
        yield f"{record['t_ns'] / 1e9:12.4f} s  {Kind(record['kind']).name:13} {' '.join(_fields(record))}"


def _fields(record: Any) -> Iterator[str]:
    for name in ("parcel", "device", "value", "limit", "error_um", "seq"):
        if record[name] != 0 and Kind(record["kind"]) != Kind.FIRE_OUTPUT:
            yield f"{name}={record[name]}"
    if record["chute"] != NO_INDEX:
        yield f"chute={record['chute']}"
    if record["counts"] != NO_COUNTS:
        yield f"counts={record['counts']}"
    if record["reason"]:
        yield Reason(record["reason"]).name
    if record["n_text"]:
        yield record["text"].decode(errors="replace")
