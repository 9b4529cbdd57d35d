"""Labels told to a running hub by the file: all of it or nothing, part by part, until they end by themselves."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from test_control import HUBCTL, ROOT, told
from test_desk import Desk, written
from test_run import Daemon, Devices, devices, started, until  # noqa: F401

from hubctl.core.events import Reason
from hubctl.core.hubfile import resolve_hub
from hubctl.core.labels import compose, compose_many
from hubctl.core.plan import load_plan
from hubctl.core.preadvice import N_LINES_SWEPT, AdviceBook, Notice, last_hour
from hubctl.core.telling import TellError
from hubctl.daemon.advising import told_file
from hubctl.daemon.desk import PlanDesk

SF = "SF1023574470215"
NS_PER_HOUR = 3_600_000_000_000
DAY = "2026-11-30"
DAY_H = last_hour(DAY) or 0


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(resolve_hub("station"), tmp_path)


def labels_file(folder: Path, *lines: str, header: str = "label,key") -> Path:
    file = folder / "labels.csv"
    file.write_text("".join(f"{line}\n" for line in (header, *lines)), encoding="utf-8")
    return file


def test_a_file_is_told_whole(desk: Desk, tmp_path: Path) -> None:
    file = labels_file(tmp_path, *(f"{compose('sf', no)},zip:{no}" for no in range(10)))
    assert desk.desk.do(["advise", str(file)]) == {"told": "advise", "n_labels": 10, "n_advised": 10}
    assert [desk.lane_of(compose("sf", no))[1] for no in (0, 4, 5, 9)] == [0, 0, 1, 1]
    assert desk.desk.do(["advise", str(file)])["n_advised"] == 10


def test_a_file_with_a_fault_changes_nothing(desk: Desk, tmp_path: Path) -> None:
    file = labels_file(tmp_path, f"{SF},zip:7", "SF1,north", ",zip:1")
    answer = desk.desk.do(["advise", str(file)])
    assert [fault["line"] for fault in answer["faults"]] == [3, 4]
    assert desk.lane_of(SF) == (Reason.NO_DATA, -1)
    assert desk.desk.do(["advise", str(tmp_path / "none.csv")])["n_faults"] == 1


def test_a_file_for_which_there_is_no_room_changes_nothing(desk: Desk, tmp_path: Path) -> None:
    desk.desk.do(["advise", compose("sf", 0), "zip:1"])
    lines = [f"{compose('sf', no)},zip:7" for no in range(11)]
    assert "10 labels more beside 1: there is room for 10" in desk.refused(
        "advise", str(labels_file(tmp_path, *lines))
    )
    assert desk.lane_of(compose("sf", 0)) == (Reason.OK, 0)
    assert desk.desk.do(["advise", str(labels_file(tmp_path, *lines[:10]))])["n_advised"] == 10


def test_plans_that_come_meanwhile_know_what_is_told(desk: Desk, tmp_path: Path) -> None:
    file = labels_file(tmp_path, f"{SF},zip:7")
    work = desk.desk.work(["advise", str(file)])
    assert next(work) is None
    desk.desk.do(["plan", "activate", str(desk.second)])
    assert desk.lane_of(SF) == (Reason.NO_DATA, -1)
    assert [answer is None for answer in work] == [True, False]
    assert desk.lane_of(SF) == (Reason.OK, 1)
    desk.desk.do(["plan", "rollback"])
    assert desk.lane_of(SF) == (Reason.OK, 1)


def test_what_is_told_by_two_at_once_never_goes_beyond_the_room(tmp_path: Path) -> None:
    book = AdviceBook(10)
    first, second = tmp_path / "first", tmp_path / "second"
    for folder, start in ((first, 0), (second, 100)):
        folder.mkdir()
        labels_file(folder, *(f"{compose('sf', start + no)},zip:7" for no in range(8)))
    works = [told_file(book, folder / "labels.csv", 0) for folder in (first, second)]
    assert [next(work) for work in works] == [None, None]
    assert list(works[0])[-1] == {"told": "advise", "n_labels": 8, "n_advised": 8}
    with pytest.raises(TellError, match="there is room for 10"):
        list(works[1])


# What ends


def test_labels_are_forgotten_by_themselves(tmp_path: Path) -> None:
    offset_ns = [(DAY_H - 1) * NS_PER_HOUR]
    hub = resolve_hub("station")
    plan = load_plan(written(tmp_path, "first", "C1", "C2"), hub)
    book = AdviceBook(10)
    desk = PlanDesk(hub, plan, book, lambda: offset_ns[0])
    desk.do(["advise", SF, "zip:7", f"expires={DAY}"])
    desk.do(["advise", compose("sf", 3), "zip:7"])
    file = labels_file(
        tmp_path,
        f"{compose('sf', 1)},zip:1,",
        f"{compose('sf', 2)},zip:1,2026-11-29",
        header="label,key,expires",
    )
    desk.do(["advise", str(file), f"expires={DAY}"])
    assert desk.advance(0) == 1
    assert [desk.advance(0), desk.advance(NS_PER_HOUR)] == [0, 0]
    assert desk.advance(2 * NS_PER_HOUR) == 2
    assert len(book) == 1


def test_a_large_table_is_swept_part_by_part() -> None:
    n = 3 * N_LINES_SWEPT
    book = AdviceBook(n)
    labels = compose_many("sf", np.arange(n, dtype=np.int64))
    book.tell(Notice(labels, np.full(n, b"zip:7"), None, np.full(n, 5, np.uint32)))
    taken_out = []
    while len(book):
        taken_out.append(book.expire_some(6 * 3600))
    assert len(taken_out) == 2
    assert max(taken_out) < n
    assert book.expire_some(6 * 3600) == 0


def test_what_ended_before_it_was_told_goes_at_once() -> None:
    book = AdviceBook(10)
    assert book.expire_some(100 * 3600) == 0
    book.tell(Notice(np.array([SF.encode()]), np.array([b"zip:7"]), None, np.array([99], np.uint32)))
    assert book.expire_some(100 * 3600) == 1


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["advise", SF, "zip:1", "expires=tomorrow"], '"tomorrow" is no end'),
        (["advise", SF, "zip:1", "expires="], '"" is no end'),
        (["advise", SF, "zip:1", "expires=2026-11-30", "expires=2026-12-01"], "must be one date"),
        (["advise", "expires=2026-11-30"], "advise FILE"),
    ],
)
def test_ends_that_are_none_say_why(desk: Desk, words: list[str], said: str) -> None:
    assert said in desk.refused(*words)


# A running daemon


@pytest.fixture
def running(
    tmp_path: Path,
    devices: Devices,  # noqa: F811
    started: list[Daemon],  # noqa: F811
) -> Callable[..., Path]:
    """Starts a daemon with some options; where its socket is."""

    def start(*options: str) -> Path:
        control = tmp_path / "hub.sock"
        started.append(Daemon(str(devices.hub_file(tmp_path)), "--control", str(control), *options))
        until(control.exists, "the socket")
        return control

    return start


def piped(control: Path, text: str, *words: str) -> subprocess.CompletedProcess[str]:
    command = [*HUBCTL, "tell", str(control), "advise", "-", *words]
    return subprocess.run(command, input=text, capture_output=True, text=True, cwd=ROOT, check=False)


def test_a_running_hub_is_told_files_and_streams_of_labels(
    running: Callable[..., Path], tmp_path: Path
) -> None:
    control = running("--labels-max", "1000")
    file = labels_file(tmp_path, *(f"{compose('sf', no)},zip:1" for no in range(900)))
    done = told(control, "advise", str(file), "--json")
    assert json.loads(done.stdout) == {"told": "advise", "n_labels": 900, "n_advised": 900}
    assert told(control, "forget", compose("sf", 899)).returncode == 0
    assert told(control, "forget", compose("sf", 900)).returncode == 1
    done = piped(
        control, f"label,key\n{compose('sf', 950)},zip:1\n{compose('sf', 951)},zip:2", "expires=2120-01-01"
    )
    assert (done.returncode, done.stdout) == (0, "told of 2 labels\n")
    done = piped(control, f"label,key\n{compose('sf', 950)},north\n")
    assert done.returncode == 2
    assert "standard input:2" in done.stderr
    done = told(
        control,
        "advise",
        str(labels_file(tmp_path, *(f"{compose('sf', no)},zip:1" for no in range(901, 1100)))),
    )
    assert done.returncode == 1
    assert "there is room for 1000 in all" in done.stderr
    assert list(tmp_path.glob("advise-*")) == []
