"""Records of a kernel written by hand, for the referee and the watch to judge."""

from __future__ import annotations

from typing import Any

from hubctl.core.events import Disposition, Kind, Reason, Records, empty

S = 1_000_000_000


def story(*rows: dict[str, Any]) -> Records:
    records = empty(len(rows))
    for record, row in zip(records, rows, strict=True):
        for key, value in row.items():
            record[key] = value
    return records


def opened(parcel: int, at_s: float, flags: int = 0) -> dict[str, Any]:
    """Its leading edge came to the first eye, which lies 300 counts down the belt."""
    return {"kind": Kind.OPENED, "parcel": parcel, "t_ns": int(at_s * S), "flags": flags, "counts": 300}


def seen(parcel: int, eye: int, at_s: float) -> dict[str, Any]:
    return {"kind": Kind.SEEN, "parcel": parcel, "device": eye, "t_ns": int(at_s * S)}


def fire(parcel: int, chute: int, at_s: float) -> dict[str, Any]:
    return {"kind": Kind.FIRE_OUTPUT, "parcel": parcel, "chute": chute, "t_ns": int(at_s * S)}


def closed(
    parcel: int, chute: int, reason: Reason, how: Disposition, at_s: float, flags: int = 0
) -> dict[str, Any]:
    return {
        "kind": Kind.CLOSED,
        "parcel": parcel,
        "chute": chute,
        "reason": reason,
        "value": how,
        "t_ns": int(at_s * S),
        "flags": flags,
    }
