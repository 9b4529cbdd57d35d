"""The daemon's counts and outlets."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np

from hubctl.core.events import NO_INDEX, RECORD, Disposition, Kind, Reason, empty
from hubctl.daemon.outlets import NEVER_NS, STATUS_NS, Outlet, RecordFile, StatusPipe
from hubctl.daemon.status import Tally

S = 1_000_000_000


def closed(*rows: tuple[Disposition, Reason, int]) -> Any:
    records = empty(2 * len(rows))
    records["kind"][: len(rows)] = Kind.OPENED
    for record, (disposition, reason, chute) in zip(records[len(rows) :], rows, strict=True):
        record["kind"], record["value"], record["reason"], record["chute"] = (
            Kind.CLOSED,
            disposition,
            reason,
            chute,
        )
    return records


def test_parcels_are_counted_by_how_why_and_where() -> None:
    tally = Tally(("C1", "C2"))
    tally.take(
        closed(
            (Disposition.SORTED, Reason.OK, 0),
            (Disposition.SORTED, Reason.OK_UNCONFIRMED, 1),
            (Disposition.LOST, Reason.LOST, NO_INDEX),
        ),
        0,
    )
    tally.take(closed()[:0], 1)
    assert (tally.inducted, tally.closed) == (3, 3)
    assert tally.by_disposition == {"SORTED": 2, "LOST": 1}
    assert tally.by_reason == {"OK": 1, "OK_UNCONFIRMED": 1, "LOST": 1}
    assert tally.by_chute == {"C1": 1, "C2": 1, "none": 1}


def test_the_rate_is_that_of_the_last_ten_seconds() -> None:
    tally = Tally(())
    for second in range(30):
        records = empty(2 if second < 15 else 1)
        records["kind"] = Kind.OPENED
        tally.take(records, second * S)
    assert tally.rate_per_h == 3600
    assert Tally(()).rate_per_h == 0


def test_records_are_appended_as_they_stand(tmp_path: Path) -> None:
    for _ in range(2):
        RecordFile(tmp_path / "records").take(closed((Disposition.SORTED, Reason.OK, 0)))
    again = np.fromfile(tmp_path / "records", RECORD)
    assert again["kind"].tolist() == [Kind.OPENED, Kind.CLOSED] * 2


def test_a_full_disk_ends_the_recording_with_one_message() -> None:
    outlet = RecordFile(Path("/dev/full"))
    for _ in range(3):
        outlet.take(closed((Disposition.SORTED, Reason.OK, 0)))
    assert outlet.messages() == ["recording ended: /dev/full: No space left on device"]
    assert outlet.messages() == []


def test_status_lines_are_whole_and_late_ones_left_out() -> None:
    reader, writer = os.pipe()
    pipe = StatusPipe(writer)
    big = {"text": "x" * 50_000}
    for i in range(10):
        pipe.show({**big, "i": i}, i * STATUS_NS)
    assert pipe.next_status_ns() == 10 * STATUS_NS
    told = os.read(reader, 1_000_000)
    pipe.show({**big, "i": 99}, 0)
    told += os.read(reader, 1_000_000)
    lines = [json.loads(line) for line in told.split(b"\n")[:-1]]
    assert [line["i"] for line in lines] == [0, 1]
    os.close(reader)
    os.close(writer)


def test_a_reader_that_is_gone_is_told_no_more() -> None:
    reader, writer = os.pipe()
    pipe = StatusPipe(writer)
    os.close(reader)
    pipe.show({}, 0)
    assert pipe.next_status_ns() == NEVER_NS
    os.close(writer)


def test_an_outlet_by_itself_tells_nobody() -> None:
    outlet = Outlet()
    outlet.take(empty(1))
    outlet.show({}, 0)
    assert (outlet.next_status_ns(), outlet.messages()) == (NEVER_NS, [])
