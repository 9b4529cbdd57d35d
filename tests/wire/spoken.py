"""What each make of scanner says, byte by byte, written here from the manuals and not by our own code."""

from __future__ import annotations

import base64
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np

from hubctl._dialogue import ScannerDialogue
from hubctl.core.hubfile import Hub
from hubctl.core.site import load_site
from hubctl.core.wiring import compile_wiring

LABEL = b"420941059405511899223197428490"
MS = 1_000_000

Speaker = Callable[[bytes | None], bytes]


def between(header: bytes, terminator: bytes, no_read: bytes) -> Speaker:
    return lambda label: header + (no_read if label is None else label) + terminator


def ssi(opcode: int, data: bytes, status: int = 0, source: int = 0) -> bytes:
    """A packet: length, opcode, source, status, data, and the checksum that makes the sum zero."""
    body = bytes([4 + len(data), opcode, source, status]) + data
    return body + (-sum(body) & 0xFFFF).to_bytes(2, "big")


def zebra(label: bytes | None, status: int = 0, kind: int = 3) -> bytes:
    return ssi(0xF3, bytes([kind]) + (b"NR" if label is None else label), status)


def dmcc(label: bytes | None) -> bytes:
    return b"||[1]" + base64.b64encode(b"NO-READ" if label is None else label) + b"\r\n"


def msgget(label: bytes | None, aim: bytes = b"C0") -> bytes:
    data = (b"NR" if label is None else label) + b"\r"
    payload = b"MSGGET%04dj" % len(data) + aim + b"\x1d" + data
    return b"\x16\xfe" + len(payload).to_bytes(4, "little") + b"\r" + payload


SPEAKERS: dict[str, Speaker] = {
    "stx-etx": between(b"\x02", b"\x03", b"NoRead"),
    "line": between(b"", b"\r\n", b"NoRead"),
    "sick": between(b"\x02", b"\x03", b"NoRead"),
    "cognex": between(b"", b"\r\n", b"NO-READ"),
    "cognex-extended": dmcc,
    "datalogic": between(b"\x02", b"\r\n", b"\x18"),
    "keyence": between(b"", b"\r", b"ERROR"),
    "zebra-ssi": zebra,
    "honeywell": between(b"", b"\r", b"NR"),
    "honeywell-header": msgget,
    "leuze": between(b"\x02", b"\r\n", b"?"),
    "hikrobot": between(b"", b"\r\n", b"NoRead"),
}


@lru_cache
def _station() -> Hub:
    return load_site("station").hub


def framing(preset: str, **keys: Any) -> np.void:
    """The row of FRAMING that a hub file with one scanner of a preset compiles to."""
    hub = _station()
    first = hub.scanners[0].model_validate(
        {"name": "s", "belt": hub.belts[0].name, "at_mm": 500, "link": hub.scanners[0].link, "preset": preset}
        | keys
    )
    row: np.void = compile_wiring(hub.model_copy(update={"scanners": [first]})).framings[0]
    return row


def listening(preset: str, **keys: Any) -> ScannerDialogue:
    """A dialogue that has greeted its scanner."""
    made = ScannerDialogue(framing(preset, **keys), 0)
    made.to_send()
    return made
