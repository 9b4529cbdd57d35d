"""The register map is one table: what is made from it is fresh, and the table is sound."""

from __future__ import annotations

from itertools import pairwise

import pytest
from built import FIRMWARE

from hubctl.protocol import registers as r

REMEDY = "run `make -C firmware_stubs registers`"


def test_the_header_is_fresh() -> None:
    assert (FIRMWARE / "registers.h").read_text(encoding="utf-8") == r.header(), REMEDY


def test_the_page_shows_the_map_as_it_is() -> None:
    page = (FIRMWARE / "README.md").read_text(encoding="utf-8")
    assert page == r.with_manual(page), REMEDY


def test_blocks_do_not_overlap() -> None:
    for one, other in pairwise(r.BLOCKS):
        assert one.address + one.n_words <= other.address


def test_a_poll_is_one_exchange() -> None:
    assert r.STATUS.address + r.STATUS.n_words == r.EDGES.address
    assert r.EDGES.address + r.EDGES.n_words == r.OUTCOMES.address
    assert r.STATUS.n_words + r.EDGES.n_words + r.OUTCOMES.n_words <= 125  # function 23 reads no more
    assert all(block.n_words <= 121 for block in r.BLOCKS if block.is_written)  # and writes no more


def test_the_page_names_what_a_plain_master_reads() -> None:
    page = (FIRMWARE / "README.md").read_text(encoding="utf-8")
    counts, eyes = (r.STATUS.address + r.STATUS.at(name) for name in ("counts", "eyes"))
    assert f"`n1/input/{counts}`" in page
    assert f"`n1/input/{eyes}.3`" in page
    assert f"-r {r.COMMAND.address} " in page
    assert f"-r {r.CONFIG.address} " in page
    assert f"-r {r.OUTCOMES.address} " in page
    assert f"up to {r.OUTCOMES.address + r.OUTCOMES.n_words - 1}" in page


def test_blocks_that_are_written_begin_alike() -> None:
    for block in r.BLOCKS:
        if block.is_written:
            assert (block.at("host_seq"), block.at("epoch")) == (0, 1)


def test_words_there_and_back() -> None:
    words = r.put(r.COMMAND, seq=0xFEDCBA98, hold=7)
    assert (r.get(r.COMMAND, words, "seq"), r.get(r.COMMAND, words, "hold")) == (0xFEDCBA98, 7)


def test_what_a_block_has_not_is_refused() -> None:
    with pytest.raises(AssertionError, match="poll has no such field"):
        r.put(r.POLL, hold=1)
    with pytest.raises(KeyError, match="poll has no hold"):
        r.POLL.at("hold")


def test_the_rings_number_through_the_wrap() -> None:
    """Slots are numbers modulo the size, so that has to divide 2**16."""
    assert 2**16 % r.N_EDGES_MAX == 2**16 % r.N_OUTCOMES_MAX == 0
