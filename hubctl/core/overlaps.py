"""Labels that two accepted formats have in common: the site's order decides there, and a person should know."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from hubctl._lookup import LaneTable
from hubctl._overlaps import common_label
from hubctl.core.catalogue import BUILT_IN_PACK, Catalogue


class Overlap(NamedTuple):
    """Two formats that one label fits."""

    first: str  # the one that the site prefers
    second: str
    sample: str


def overlaps(catalogue: Catalogue, accepted: Sequence[str]) -> list[Overlap]:
    """Every two formats, of packs that differ, that a label fits; of those that come with the program, any two.

    Parameters
    ----------
    catalogue : Catalogue
    accepted : sequence of str
        Formats and packs, the best first.

    Returns
    -------
    list of Overlap
        In the order of `accepted`, each pair once, with a label that fits both and whose check characters hold.

    Examples
    --------
    >>> from hubctl.core.catalogue import BUILT_IN
    >>> overlaps(BUILT_IN, ["fedex-12", "purolator-12", "s10"])
    [Overlap(first='fedex-12', second='purolator-12', sample='000000000000')]
    """
    forms = catalogue.compile(accepted)
    found: dict[tuple[int, int], str] = {}
    for row, other, length in LaneTable(forms, []).alike().tolist():
        pair = int(forms["format"][row]), int(forms["format"][other])
        if pair not in found and _are_strangers(catalogue, pair):
            label = common_label(forms[np.array([row, other])], length)
            if label is not None:
                found[pair] = label.decode()
    rank = {catalogue.index[name]: i for i, name in enumerate(catalogue.accepted(accepted))}
    names = [row.name for row in catalogue.formats]
    pairs = sorted(found, key=lambda pair: (rank[pair[0]], rank[pair[1]]))
    return [Overlap(names[first], names[second], found[first, second]) for first, second in pairs]


def _are_strangers(catalogue: Catalogue, pair: tuple[int, int]) -> bool:
    first, second = (catalogue.owners[index] for index in pair)
    return first != second or first == BUILT_IN_PACK
