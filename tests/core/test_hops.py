"""Which exit leads where: the fewest transfers, by hand on small sets of belts."""

import numpy as np

from hubctl.core import tables
from hubctl.core.events import NO_INDEX
from hubctl.core.hops import find_hops


def hops(ends: list[int], belts_of_diverters: list[int], diverters: list[int], to_belts: list[int]) -> list:
    """The hops of belts with these end chutes and chutes with these diverters; -1 is none."""
    belts = np.zeros(len(ends), tables.BELT)
    belts["end_chute"] = ends
    table = np.zeros(len(belts_of_diverters), tables.DIVERTER)
    table["belt"] = belts_of_diverters
    chutes = np.zeros(len(diverters), tables.CHUTE)
    chutes["diverter"] = np.array(diverters) % 2**16
    chutes["to_belt"] = np.array(to_belts) % 2**16
    return [[-1 if c == NO_INDEX else c for c in row] for row in find_hops(belts, table, chutes).tolist()]


def test_on_one_belt_every_chute_is_its_own_exit() -> None:
    assert hops([2], [0, 0], [0, 1, -1], [-1, -1, -1]) == [[0, 1, 2]]


def test_a_chute_of_another_belt_is_reached_by_the_exit_onto_it() -> None:
    """Belt 0 diverts by chute 1 onto belt 1, whose chutes are 2 and, at its end, 3."""
    assert hops([0, 3], [0, 1], [-1, 0, 1, -1], [-1, 1, -1, -1]) == [[0, 1, 1, 1], [-1, -1, 2, 3]]


def test_fewest_transfers_win() -> None:
    """From belt 0 straight onto belt 2, by its end; not over belt 1, whose exit comes first."""
    found = hops([3, 4, 5], [0, 1, 2], [0, 1, 2, -1, -1, -1], [1, 2, -1, 2, -1, -1])
    assert found[0] == [0, 0, 3, 3, 0, 3]
    assert found[1][2] == 1


def test_an_end_that_leads_back_makes_no_endless_way() -> None:
    assert hops([1], [0], [0, -1], [-1, 0]) == [[0, 1]]
