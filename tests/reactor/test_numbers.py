"""Numbers that compiled code and Python share are the same."""

from __future__ import annotations

import re
from pathlib import Path

from hubctl._framer import FrameKind
from hubctl._wire import Refusal
from hubctl.core.events import LinkFault

EXT = Path(__file__).parents[2] / "ext" / "hubctl"


def c_enum(file: str, name: str, prefix: str = "") -> dict[str, int]:
    body = re.search(rf"cdef enum {name}:\n((?:    .*\n)+)", (EXT / file).read_text())
    assert body
    rows = re.findall(rf"{prefix}(\w+) = (\d+)", body[1])
    return {key: int(number) for key, number in rows}


def test_link_faults_are_numbered_alike() -> None:
    assert c_enum("_loop.pxd", "Fault", "FAULT_") == {fault.name: fault.value for fault in LinkFault}


def test_refusals_are_numbered_alike() -> None:
    assert c_enum("_wire.pxd", "RefusalKind") == {kind.name: kind.value for kind in Refusal}


def test_frame_kinds_are_numbered_alike() -> None:
    ours = c_enum("_telegram.pxd", "EventKind")
    ours["NO_READ"] = ours.pop("NO_READ_TEXT")
    assert ours == {kind.name: kind.value for kind in FrameKind}
