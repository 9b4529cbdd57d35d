"""Pre-advice: what the host told of parcels before they came, one destination key a label."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from hubctl._lookup import LaneTable, normalise
from hubctl.core.config import ConfigError, Fault
from hubctl.core.events import TEXT_MAX

HEADER = ["label", "key"]
KEY_MAX = 56


class PreAdvice(NamedTuple):
    """Labels and their destinations; of a label given twice the last counts."""

    labels: npt.NDArray[np.bytes_]  # S56, shape (n,)
    keys: npt.NDArray[np.bytes_]  # S56, shape (n,): b"zip:10003"


def load_preadvice(file: Path) -> PreAdvice:
    """Read a CSV file with the columns `label` and `key`.

    Raises
    ------
    ConfigError
        With every line that is not a label and a key.
    """
    try:
        with file.open(encoding="utf-8", newline="") as stream:
            rows = list(csv.reader(stream))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ConfigError([_fault(file, 1, "", f"cannot be read: {error}")]) from None
    faults = list(_faults(file, rows))
    if faults:
        raise ConfigError(faults)
    return pre_advised(rows[1:])


def pre_advised(rows: list[list[str]]) -> PreAdvice:
    """Pre-advice of (label, key) rows in memory."""
    labels = np.array([row[0] for row in rows], f"S{TEXT_MAX}")
    return PreAdvice(labels, np.array([row[1] for row in rows], f"S{KEY_MAX}"))


def lanes_of(preadvice: PreAdvice, table: LaneTable) -> npt.NDArray[np.int32]:
    """Lane of each pre-advised label by its key's longest prefix; -1 where the plan has none."""
    if len(preadvice.keys) == 0:  # numpy's partition refuses an empty array
        return np.zeros(0, np.int32)
    keys, places = np.unique(preadvice.keys, return_inverse=True)
    parts = np.char.partition(keys, b":")
    lanes = np.full(len(keys), -1, np.int32)
    for namespace in np.unique(parts[:, 0]):
        chosen = parts[:, 0] == namespace
        lanes[chosen] = table.lanes_of_keys(namespace.decode(), parts[chosen, 2])
    found: npt.NDArray[np.int32] = lanes[places]
    return found


def _faults(file: Path, rows: list[list[str]]) -> list[Fault]:
    if rows[:1] != [HEADER]:
        return [_fault(file, 1, ",".join(rows[0]) if rows else "", "the first line must be label,key")]
    bad = ((line, row) for line, row in enumerate(rows[1:], 2) if not _is_advice(row))
    return [
        _fault(file, line, ",".join(row), "must be a label and a key such as zip:10003") for line, row in bad
    ]


def _is_advice(row: list[str]) -> bool:
    if len(row) != 2 or not normalise(row[0].encode()):
        return False
    namespace, colon, key = row[1].partition(":")
    return bool(namespace and colon and key) and row[1].isascii() and len(row[1]) <= KEY_MAX


def _fault(file: Path, line: int, value: str, message: str) -> Fault:
    return Fault(str(file), line, "", "", value, message)
