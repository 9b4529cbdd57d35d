"""Real volumes: read, refused with a reason, scaled to a belt."""

from __future__ import annotations

import gzip
import os
from datetime import date
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hubctl.core.config import ConfigError
from hubctl.sim.arrivals import Arrivals, ArrivalsError, load_arrivals, scaled

HEADER = "site,dest,wave,date,slot,parcels"
ROWS = """S1,A,0600,2024-12-09,00:00,10
S1,B,0600,2024-12-09,00:00,30
S1,A,0600,2024-12-09,05:10,5
S1,B,0600,2024-12-09,05:10,9
S1,B,1400,2024-12-09,05:10,6
S1,A,0600,2024-12-10,00:00,0
S2,A,0600,2024-12-09,00:00,7
"""
DAY, NEXT, AFTER = (date(2024, 12, k) for k in (9, 10, 11))
DATA = Path(os.environ.get("HUBCTL_DATA", Path(__file__).resolve().parents[3] / "shared" / "data"))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "lane.csv"
    path.write_text(f"{HEADER}\n{ROWS}")
    return path


def test_a_day_of_a_site_busiest_destination_first(file: Path) -> None:
    day = load_arrivals(file, "S1", DAY)
    assert day.dests == ("B", "A")
    assert day.volumes[[0, 31]].tolist() == [[30, 10], [15, 5]]
    assert day.note == "60 parcels of S1 on 2024-12-09 to 2 destinations, generated lengths"


def test_packed_or_not_is_the_same(file: Path, tmp_path: Path) -> None:
    packed = tmp_path / "lane.csv.gz"
    packed.write_bytes(gzip.compress(file.read_bytes()))
    assert (
        load_arrivals(packed, "S1", DAY).volumes.tolist() == load_arrivals(file, "S1", DAY).volumes.tolist()
    )


def test_ten_minutes_without_parcels_pass_too(file: Path) -> None:
    """Those that a file leaves out are no shorter than the others."""
    day = load_arrivals(file, "S1", DAY)
    assert day.volumes.any(axis=1).nonzero()[0].tolist() == [0, 31]
    wanted_s = set((scaled(day, 240, None, False).wanted_ns // 1_000_000_000).tolist())
    assert {second // 600 for second in wanted_s} == {0, 31}


def test_lengths_lie_beside(file: Path, tmp_path: Path) -> None:
    dims = "product_length_cm\n16\n\n105.0\n"
    (tmp_path / "parcel_dims.csv.gz").write_bytes(gzip.compress(dims.encode()))
    assert load_arrivals(file, "S1", DAY).lengths_mm.tolist() == [160, 1050]


def test_a_site_that_the_file_does_not_hold_is_named(file: Path) -> None:
    with pytest.raises(ConfigError, match="no site 'S9'; it has S1, S2"):
        load_arrivals(file, "S9", DAY)


@pytest.mark.parametrize("day", [NEXT, AFTER])
def test_a_day_without_parcels_is_named(file: Path, day: date) -> None:
    said = f"site S1 had no parcels on {day}; its days are 2024-12-09 to 2024-12-10"
    with pytest.raises(ArrivalsError, match=said):
        load_arrivals(file, "S1", day)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "has no column date, dest, parcels, site, slot"),
        (b"site,dest\nS1,A\n", "has no column date, parcels, slot"),
        (f"{HEADER}\nS1,A,0600,2024-12-09,00:00,many\n".encode(), "parcels = many: must be a whole number"),
        (f"{HEADER}\nS1,A,0600,2024-12-09,00:00,-3\n".encode(), "parcels = -3: must be a whole number"),
        (f"{HEADER}\nS1,A,0600,2024-12-09,00:05,3\n".encode(), "slot = 00:05: must be ten minutes"),
        (b"\xff\xfe\x00", "cannot be read"),
    ],
)
def test_a_file_that_holds_no_volumes_is_refused(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "bad.csv"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=said):
        load_arrivals(path, "S1", DAY)


@pytest.mark.parametrize("name", ["absent.csv", "absent.csv.gz"])
def test_a_file_that_is_not_there_is_named(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigError, match=rf"{name}:1: cannot be read"):
        load_arrivals(tmp_path / name, "S1", DAY)


def test_a_cut_off_packed_file_is_refused(file: Path, tmp_path: Path) -> None:
    packed = tmp_path / "cut.csv.gz"
    packed.write_bytes(gzip.compress(file.read_bytes())[:-9])
    with pytest.raises(ConfigError, match="cannot be read"):
        load_arrivals(packed, "S1", DAY)


volumes = st.lists(st.lists(st.integers(0, 500), min_size=3, max_size=3), min_size=1, max_size=8).filter(
    lambda rows: sum(map(sum, rows)) > 0
)


@given(volumes, st.integers(600, 20_000), st.booleans())
@settings(max_examples=100, deadline=None)
def test_the_busiest_slot_runs_at_the_belts_rate(
    rows: list[list[int]], rate: int, from_busiest: bool
) -> None:
    demand = scaled(
        Arrivals(np.array(rows), ("a", "b", "c"), np.zeros(0, np.int64), ""), rate, None, from_busiest
    )
    slots = np.bincount(demand.wanted_ns // 600_000_000_000, minlength=len(rows))
    totals = np.array(rows).sum(axis=1)
    order = np.roll(totals, -int(totals.argmax())) if from_busiest else totals
    assert slots.tolist() == (order * (rate * 600 // 3600) // totals.max()).tolist()
    assert (np.diff(demand.wanted_ns) >= 0).all()
    assert ((demand.dest >= 0) & (demand.dest < 3)).all()


def test_destinations_come_in_their_proportions() -> None:
    day = Arrivals(np.array([[700, 200, 100]]), ("a", "b", "c"), np.zeros(0, np.int64), "")
    shares = np.bincount(scaled(day, 6000, None, False).dest, minlength=3)
    assert shares.sum() == 1000
    assert np.abs(shares - [700, 200, 100]).max() <= 3


def test_the_real_volumes_are_read() -> None:
    if not (DATA / "lane_10min.csv.gz").exists():
        pytest.skip(f"no real volumes in {DATA}; set HUBCTL_DATA")
    day = load_arrivals(DATA / "lane_10min.csv.gz", "S3", DAY)
    assert day.volumes.sum() > 1000
    assert len(day.lengths_mm) > 30_000
