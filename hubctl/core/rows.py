"""Tables as arrays, made of rows that are made of the entries of a file; and the entries by name."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from hubctl.core.tables import Table


def table_of(rows: Iterable[dict[str, Any]], dtype: np.dtype[np.void]) -> Table:
    """The rows as one array; keys that a row lacks are zero."""
    every = list(rows)
    table = np.zeros(len(every), dtype)
    for i, row in enumerate(every):
        for key, value in row.items():
            table[i][key] = value
    return table


def names_of(things: Iterable[Any]) -> tuple[str, ...]:
    """The names of entries, in their order."""
    return tuple(thing.name for thing in things)


def index_of(things: Iterable[Any]) -> dict[str, int]:
    """The place of each entry, by its name."""
    return {thing.name: i for i, thing in enumerate(things)}
