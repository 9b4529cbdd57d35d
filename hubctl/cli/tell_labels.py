"""Files and streams of pre-advice told to a running hub: `hubctl tell SOCKET advise FILE`, `-` for standard input."""

from __future__ import annotations

import os
import select
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any, NamedTuple

from hubctl.cli.asking import asked
from hubctl.core.telling import EXPIRES

Answer = dict[str, Any]

PATIENCE_S = 600.0  # tens of millions of labels are read meanwhile
STANDARD_INPUT = "-"
N_CHUNK = 1 << 22  # bytes of a stream that are told together


class LabelFile(NamedTuple):
    """A file of labels that is to be told."""

    name: str
    more: list[str]  # words behind it


def label_file(words: Sequence[str]) -> LabelFile | None:
    """The file that some words tell of; None: they tell of something else."""
    plain = [word for word in words if not word.startswith(EXPIRES)]
    if plain[:1] != ["advise"] or len(plain) != 2:
        return None
    return LabelFile(plain[1], [word for word in words if word.startswith(EXPIRES)])


def tell_labels(control: Path, file: LabelFile) -> Answer:
    """What a hub answers to a file, or to a stream told part by part up to the first part that it refuses."""
    if file.name != STANDARD_INPUT:
        return asked(control, ["advise", str(Path(file.name).resolve()), *file.more], PATIENCE_S)
    return _tell_stream(control, file.more, sys.stdin.fileno())


def _tell_stream(control: Path, more: list[str], source: int) -> Answer:
    answer: Answer = {"told": "advise", "n_labels": 0}
    parts = _parts(source)
    header = next(parts, b"")
    n_labels, line = 0, 1
    for part in parts:
        answer = _tell_part(control, more, header, part)
        if "told" not in answer:
            return _placed(answer, line)
        n_labels += answer["n_labels"]
        line += part.count(b"\n")
    return answer | {"n_labels": n_labels}


def _tell_part(control: Path, more: list[str], header: bytes, part: bytes) -> Answer:
    """By a file beside the socket: there, if anywhere, both of us can read."""
    with NamedTemporaryFile(dir=control.resolve().parent, prefix="advise-", suffix=".csv") as file:
        file.write(header + part)
        file.flush()
        return asked(control, ["advise", file.name, *more], PATIENCE_S)


def _parts(source: int) -> Iterator[bytes]:
    """The first line; then whole lines, as many as there are, at most about N_CHUNK bytes together."""
    rest, is_first = b"", True
    while data := _what_is_there(source):
        lines = (rest + data).splitlines(keepends=True)
        rest = b"" if lines[-1].endswith(b"\n") else lines.pop()
        if is_first and lines:
            is_first = False
            yield lines.pop(0)
        if lines:
            yield b"".join(lines)
    if rest:
        yield rest


def _what_is_there(source: int) -> bytes:
    """What a stream has for us now, waiting for the first byte of it; nothing at its end."""
    data = os.read(source, N_CHUNK)
    while 0 < len(data) < N_CHUNK and select.select([source], [], [], 0)[0]:
        piece = os.read(source, N_CHUNK)
        if not piece:
            break
        data += piece
    return data


def _placed(answer: Answer, n_lines_before: int) -> Answer:
    """Faults where they stand in the whole stream."""
    faults = [
        fault | {"file": "standard input", "line": fault["line"] + n_lines_before - 1}
        for fault in answer.get("faults", [])
    ]
    return answer | ({"faults": faults} if faults else {})
