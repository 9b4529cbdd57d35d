"""One question to a running hub over its socket, and its answer."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import Any

import typer

PATIENCE_S = 5.0
ANSWER_MAX = 262_144


def told(control: Path, words: list[str], patience_s: float = PATIENCE_S) -> socket.socket:
    """A connection to the hub, which has been told some words."""
    peer = socket.socket(socket.AF_UNIX)
    peer.settimeout(patience_s)
    try:
        peer.connect(str(control))
        peer.sendall(json.dumps({"tell": words}).encode() + b"\n")
    except OSError as failure:
        peer.close()
        raise typer.BadParameter(f"{control}: {failure.strerror or failure}; is the hub running?") from None
    return peer


def asked(control: Path, words: list[str], patience_s: float = PATIENCE_S) -> dict[str, Any]:
    """What a running hub answers to some words."""
    with told(control, words, patience_s) as peer:
        try:
            line = peer.makefile("rb").readline(ANSWER_MAX)
        except OSError as failure:
            raise typer.BadParameter(
                f"{control}: {failure.strerror or failure}; does the hub hang?"
            ) from None
    if not line:
        raise typer.BadParameter(f"{control}: the hub hung up; has it just stopped?")
    answer: dict[str, Any] = json.loads(line)
    return answer
