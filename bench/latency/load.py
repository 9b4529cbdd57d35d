"""What the scanner reads in the benchmark: valid USPS labels, and the coil that each must fire.

The labels are IMpb with a ZIP code in front (420 + ZIP5 + 22 digits, the last a GS1 mod-10 check digit), so
that a program that checks labels accepts them. The first three digits of the ZIP decide the lane; lane i
fires coil i of the first node. The one lane of the second node is used only where that node falls silent.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

N_LABELS = 100_000
ZIP3_OF_LANE = ("100", "200", "300", "331", "606", "750", "850", "900")
ZIP3_SILENT = "970"
SILENT_LANE = len(ZIP3_OF_LANE)
SILENT_EVERY = 50  # one read in so many goes to the node that falls silent
N_WITHOUT_SILENT = 200  # the first reads find out whether the program is ready: none for the silent node


@dataclass(frozen=True)
class Load:
    """Labels in the order in which they are read, and the lane of each, shape (n_labels,)."""

    labels: list[str]
    lanes: npt.NDArray[np.int64]


def gs1_check_digit(digits: str) -> int:
    """GS1 mod 10: weights 3, 1, 3 ... from the right.

    >>> gs1_check_digit("940011120620640626078")
    7
    """
    total = sum(int(digit) * (1 if i % 2 else 3) for i, digit in enumerate(reversed(digits)))
    return -total % 10


def label(serial: int, zip5: str) -> str:
    """A valid label with this serial number, 0 to 9,999,999, for this ZIP code."""
    digits = f"92055901234567{serial:07d}"
    return f"420{zip5}{digits}{gs1_check_digit(digits)}"


def shuffled(i: int) -> int:
    """A number without pattern for each `i`, 32 bits: the finaliser of MurmurHash3."""
    i = (i ^ (i >> 16)) * 0x85EBCA6B & 0xFFFFFFFF
    i = (i ^ (i >> 13)) * 0xC2B2AE35 & 0xFFFFFFFF
    return i ^ (i >> 16)


def lane_of(i: int, with_silent: bool) -> int:
    """The lane of the i-th read."""
    if with_silent and i >= N_WITHOUT_SILENT and i % SILENT_EVERY == 0:
        return SILENT_LANE
    return shuffled(i) % len(ZIP3_OF_LANE)


def make_load(*, with_silent: bool, n_labels: int = N_LABELS) -> Load:
    """The same load each time; `with_silent` sends one read in 50 to the second node."""
    lanes = [lane_of(i, with_silent) for i in range(n_labels)]
    zip3 = (*ZIP3_OF_LANE, ZIP3_SILENT)
    labels = [label(i, f"{zip3[lane]}{shuffled(i) % 100:02d}") for i, lane in enumerate(lanes)]
    return Load(labels, np.array(lanes))


def address_of(lane: int) -> tuple[int, int]:
    """Node and coil of a lane."""
    return (1, 0) if lane == SILENT_LANE else (0, lane)


def write_labels(load: Load, path: Path) -> None:
    """One label a line, as the source sends them."""
    path.write_text("\n".join(load.labels) + "\n")


def write_plan(load: Load, path: Path) -> None:
    """Lines "label node coil", as the floor and the ordinary program look them up."""
    rows = zip(load.labels, load.lanes.tolist(), strict=True)
    path.write_text("".join("{} {} {}\n".format(text, *address_of(lane)) for text, lane in rows))
