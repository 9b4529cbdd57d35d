"""What the simulated host knows: the lane of every label, found by a number made of its text."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from hubctl.core.events import TEXT_MAX
from hubctl.sim.jitable import seldom

Longs = npt.NDArray[np.int64]

BASE, PRIME = 257, (1 << 54) - 33  # no product of the two exceeds 64 bits


class HostBook(NamedTuple):
    """Sorted by `numbers`."""

    numbers: Longs  # of the labels, shape (n,)
    lanes: Longs  # by the names of the first plan, shape (n,)
    in_plan: Longs  # what each lane is called in each of the two plans, shape (2, n_lanes)


def book_of(labels: npt.NDArray[np.bytes_], lanes: npt.NDArray[np.integer], in_plan: Longs) -> HostBook:
    """The book of labels and their lanes; of a label with two lanes either.

    Parameters
    ----------
    labels : S56 array, shape (n,)
    lanes : int array, shape (n,)
        As in the plan that parcels are drawn for; below 0: nowhere, and unknown to the host.
    in_plan : int64 array, shape (2, n_lanes)
        The same lanes' numbers in each plan.
    """
    known = (lanes >= 0) & (labels != b"")
    texts = np.ascontiguousarray(labels[known]).view(np.uint8).reshape(-1, TEXT_MAX).astype(np.int64)
    numbers = np.zeros(len(texts), np.int64)
    for k in range(TEXT_MAX):
        numbers = np.where(texts[:, k] != 0, (numbers * BASE + texts[:, k]) % PRIME, numbers)
    order = np.argsort(numbers, kind="stable")
    return HostBook(numbers[order], lanes[known][order].astype(np.int64), in_plan)


@seldom
def number_of(text: npt.NDArray[np.uint8], n_text: int) -> int:
    """The number of a label."""
    number = np.int64(0)
    for k in range(n_text):
        number = (number * BASE + np.int64(text[k])) % PRIME
    return int(number)


@seldom
def lane_of(book: HostBook, number: int, plan: int) -> int:
    """The lane of a label as a plan (0 or 1) numbers it; -1 if the host does not know the label."""
    at = np.searchsorted(book.numbers, number)
    if at == len(book.numbers) or book.numbers[at] != number:
        return -1
    return int(book.in_plan[plan, book.lanes[at]])
