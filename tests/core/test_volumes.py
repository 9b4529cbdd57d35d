"""Volumes, forecasts and distances as sites keep them, and every fault of a file with its line."""

from __future__ import annotations

import gzip
from datetime import date
from pathlib import Path

import pytest

from hubctl.core.config import ConfigError
from hubctl.core.volumes import Unit, load_distances, load_forecast, load_volumes

TWO_DAYS = """site,dest,wave,date,slot,parcels
A,north,0600,2031-05-01,05:40,7
A,north,0600,2031-05-03,05:50,9
A,south,1400,2031-05-01,13:00,4
B,north,0600,2031-05-01,05:40,99
"""


def written(folder: Path, text: str) -> Path:
    file = folder / "file.csv"
    file.write_text(text, encoding="utf-8")
    return file


def faults_of(file: Path) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load_volumes(file, "A")
    return [str(fault).removeprefix(f"{file}:") for fault in caught.value.faults]


def test_days_of_one_site_are_a_table(tmp_path: Path) -> None:
    volumes = load_volumes(written(tmp_path, TWO_DAYS), "A")
    assert volumes.units == (Unit("north", "0600"), Unit("south", "1400"))
    assert volumes.days == (date(2031, 5, 1), date(2031, 5, 2), date(2031, 5, 3))
    assert volumes.parcels.sum(axis=2).tolist() == [[7, 4], [0, 0], [9, 0]]
    assert volumes.parcels[2, 0, 5 * 6 + 5] == 9


def test_the_days_before_a_day_are_not_the_day(tmp_path: Path) -> None:
    volumes = load_volumes(written(tmp_path, TWO_DAYS), "A")
    assert volumes.before(date(2031, 5, 3), 1).sum() == 0
    assert volumes.before(date(2031, 5, 3), 7).sum() == 11
    assert volumes.before(date(2031, 5, 9), 7).sum() == 20
    assert volumes.before(date(2031, 4, 1), 7).sum() == 0
    assert volumes.on(date(2031, 5, 4)) is None


def test_a_packed_file_is_read_too(tmp_path: Path) -> None:
    file = tmp_path / "file.csv.gz"
    file.write_bytes(gzip.compress(TWO_DAYS.encode()))
    assert load_volumes(file, "B").parcels.sum() == 99


def test_lanes_without_departures_are_units_too(tmp_path: Path) -> None:
    file = written(tmp_path, "site,dest,date,slot,parcels\nA,north,2031-05-01,05:40,7\n")
    assert load_volumes(file, "A").units == (Unit("north", ""),)


def test_every_fault_has_its_line(tmp_path: Path) -> None:
    text = TWO_DAYS + "A,,2500,2031-05-32,05:45,-1\nA,east,0600,2031-05-01,24:00,x\n"
    assert faults_of(written(tmp_path, text)) == [
        "6 date = 2031-05-32: must be a date like 2024-12-09",
        "6 slot = 05:45: must be ten minutes of the clock, like 05:50",
        "6 parcels = -1: must be a whole number from 0 to 1000000000",
        "6 dest: must be the name of a lane",
        "6 wave = 2500: must be a departure like 0600",
        "7 slot = 24:00: must be ten minutes of the clock, like 05:50",
        "7 parcels = x: must be a whole number from 0 to 1000000000",
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("site,dest\n", "1: has no column date, parcels, slot"),
        ("site,dest,date,slot,parcels\nC,n,2031-05-01,05:40,7\n", "1: has no site 'A'; it has C"),
        ("site,dest,date,slot,parcels\n", "1: has no row"),
    ],
)
def test_a_file_of_something_else_is_refused(tmp_path: Path, text: str, said: str) -> None:
    assert faults_of(written(tmp_path, text)) == [said]


def test_what_is_not_there_is_said(tmp_path: Path) -> None:
    assert "cannot be read" in faults_of(tmp_path / "nothing.csv")[0]
    (tmp_path / "bad.csv.gz").write_bytes(b"no gzip")
    assert "cannot be read" in faults_of(tmp_path / "bad.csv.gz")[0]


def test_a_forecast_is_in_thousandths(tmp_path: Path) -> None:
    text = "date,parcels_preknown,site,dest,wave\n2031-05-01,202.25,A,north,0600\n"
    known = load_forecast(written(tmp_path, text), "A")
    assert known.of(date(2031, 5, 1), [Unit("north", "0600"), Unit("north", "1400")]).tolist() == [
        202_250,
        -1,
    ]


def test_a_wrong_forecast_is_refused(tmp_path: Path) -> None:
    text = "date,parcels_preknown,site,dest,wave\n2031-05-01,nan,A,north,0600\n2031-05-01,1e99,A,north,0600\n"
    with pytest.raises(ConfigError) as caught:
        load_forecast(written(tmp_path, text), "A")
    assert [fault.line for fault in caught.value.faults] == [2, 3]


def test_a_lane_may_have_a_distance_of_its_own(tmp_path: Path) -> None:
    distances = load_distances(written(tmp_path, "chute,lane,metres\nC01,,12.5\nC01,north,3\n"))
    assert [distances.of("C01", lane) for lane in ("north", "south")] == [3000, 12_500]
    assert distances.of("C02", "north") is None
