"""Checks exits that lead onto other belts: each is proved by an eye, and comes down where tracks are proved anew."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hubctl.core.config import Source
from hubctl.core.references import entries
from hubctl.core.shape import known

if TYPE_CHECKING:
    from hubctl.core.hubfile import Belt, Hub


def led_on_mm(hub: Hub, belt: Belt) -> list[int]:
    """Where exits lead onto a belt, mm from its start."""
    return [
        int(chute.to_mm)
        for _, chute in entries(hub, "chutes", "to_belt", "to_mm")
        if chute.to_belt == belt.name
    ]


def check_transfers(hub: Hub, source: Source) -> None:
    """Note every fault of the exits that lead onto a belt."""
    belts = {belt.name: belt for _, belt in entries(hub, "belts", "name", "kind", "length_mm")}
    for index, chute in entries(hub, "chutes", "name", "to_belt", "to_mm", "diverter"):
        if chute.to_belt is not None and chute.to_belt in belts:
            _check_landing(hub, source, index, chute, belts[chute.to_belt])
            _check_proof(hub, source, index, chute)


def _check_landing(hub: Hub, source: Source, index: int, chute: Any, belt: Belt) -> None:
    if belt.kind != "line":
        source.add(("chutes", index, "to_belt"), "must be a line belt", f"belt {belt.name} is a {belt.kind}")
    elif chute.to_mm >= belt.length_mm:
        message = f"must be below {belt.length_mm}, the length of belt {belt.name}"
        source.add(("chutes", index, "to_mm"), message)
    for _, eye in entries(hub, "eyes", "belt", "at_mm", "role", "window_mm"):
        far_mm = max(int(eye.window_mm), belt.transfer_window_mm) if known(belt, "transfer_window_mm") else 0
        if eye.belt == belt.name and eye.role != "induct" and chute.to_mm < eye.at_mm <= chute.to_mm + far_mm:
            message = f"must be below {eye.at_mm - far_mm}: eye {eye.name} is at {eye.at_mm}"
            source.add(("chutes", index, "to_mm"), message, "else it may see a parcel before it is expected")


def _check_proof(hub: Hub, source: Source, index: int, chute: Any) -> None:
    """A divert is proved by the exit's eye, the end of a belt by an eye there."""
    if chute.diverter is not None:
        if known(chute, "confirm") and chute.confirm is None:
            hint = "a parcel is on the other belt once it is seen to arrive"
            source.add(("chutes", index, "confirm"), "missing: the exit leads onto a belt", hint)
        return
    eyes_known = all(known(eye, "belt", "role") for _, eye in entries(hub, "eyes"))
    proved = {eye.belt for _, eye in entries(hub, "eyes", "belt", "role") if eye.role == "end"}
    for _, belt in entries(hub, "belts", "name", "end_chute"):
        if belt.end_chute == chute.name and eyes_known and belt.name not in proved:
            hint = 'give the last of its eyes role = "end"'
            source.add(
                ("chutes", index, "to_belt"), f"belt {belt.name} has no end eye to prove who leaves it", hint
            )
