"""Pre-advice against a plain dictionary: told, changed, taken out, ended, looked up by a plan, read from files."""

from __future__ import annotations

import io
from datetime import datetime
from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hubctl._advice import AdviceTable, split_lines
from hubctl._lookup import LaneTable
from hubctl.core.config import ConfigError
from hubctl.core.events import Reason
from hubctl.core.labels import compile_formats, compose_many
from hubctl.core.preadvice import (
    N_KEYS_MAX,
    AdviceBook,
    Customs,
    Notice,
    load_preadvice,
    pre_advised,
    read_preadvice,
)

FORMS = compile_formats(["sf"])
LABELS = compose_many("sf", np.arange(40, dtype=np.int64)).astype("S15")
HOURS_PER_DAY = 24

acts = st.lists(
    st.tuples(
        st.sampled_from(["put", "put", "remove", "expire"]),
        st.integers(0, 39),
        st.integers(0, 9),
        st.integers(0, 5),
    ),
    max_size=120,
)


@given(acts, st.integers(1, 40))
@settings(max_examples=100, deadline=None)
def test_a_table_is_a_dictionary_with_a_limit(acts: list[tuple[str, int, int, int]], n_max: int) -> None:
    table, known = AdviceTable(n_max), {}
    for what, at, key, ends in acts:
        label = LABELS[at : at + 1]
        if what == "put":
            taken = at in known or len(known) < n_max
            assert table.put(label, np.array([key], np.uint32), None, np.array([ends], np.uint32)) == taken
            known |= {at: (key, 0, ends)} if taken else {}
        elif what == "remove":
            assert table.remove(label) == (known.pop(at, None) is not None)
        else:
            over = [k for k, (_, _, last) in known.items() if 0 < last < ends]
            assert table.expire(ends) == len(over)
            known = {k: told for k, told in known.items() if k not in over}
        assert len(table) == len(known)
    assert [table.find(label) for label in LABELS.tolist()] == [known.get(at) for at in range(40)]


def test_a_label_takes_32_bytes() -> None:
    assert 32 * 10_000 <= AdviceTable(10_000).n_bytes <= 32 * 10_000 + 64


def test_a_full_table_finds_each_label_and_no_other() -> None:
    labels = compose_many("sf", np.arange(100_000, dtype=np.int64))
    table = AdviceTable(50_000)
    assert table.put(labels, np.arange(100_000, dtype=np.uint32)) == 50_000
    plan = LaneTable(FORMS, [], None, None, table, 50_000)
    plan.set_key_lanes(0, np.arange(50_000, dtype=np.int32))
    reasons, lanes = plan.resolve_many(labels)
    assert lanes[:50_000].tolist() == list(range(50_000))
    assert set(reasons[50_000:].tolist()) == {Reason.NO_DATA}


def test_whoever_looks_up_while_labels_change_sees_no_others_lane() -> None:
    """Even labels have lane 1 and come and go; odd ones have lane 2 or 3 and always are there."""
    labels = compose_many("sf", np.arange(3000, dtype=np.int64))
    book = AdviceBook(3000)
    plan = LaneTable(
        FORMS, [("zip", "1", 1), ("zip", "2", 2), ("zip", "3", 3)], None, None, book.table, N_KEYS_MAX
    )
    book.serve(plan)
    even, odd = labels[::2], labels[1::2]
    book.tell(told(odd, "zip:2"))
    stop: list[bool] = []
    writer = Thread(target=change, args=(book, even, odd, stop))
    writer.start()
    seen = [plan.resolve_many(labels)[1] for _ in range(300)]
    stop.append(True)
    writer.join()
    assert {lane for row in seen for lane in row[::2].tolist()} <= {-1, 1}
    assert {lane for row in seen for lane in row[1::2].tolist()} <= {2, 3}


def change(book: AdviceBook, even: Any, odd: Any, stop: list[bool]) -> None:
    while not stop:
        book.tell(told(even, "zip:1"))
        book.tell(told(odd, "zip:3"))
        book.remove(even)
        book.tell(told(odd, "zip:2"))


def told(labels: Any, key: str) -> Notice:
    return Notice(labels, np.array([key.encode()] * len(labels)))


def test_a_key_that_comes_later_has_its_lane_in_every_plan() -> None:
    book = AdviceBook(10)
    book.tell(pre_advised([[LABELS[0].decode(), "zip:1"]]))
    plans = [
        LaneTable(FORMS, [("zip", "1", a), ("zip", "2", b)], None, None, book.table, N_KEYS_MAX)
        for a, b in ((0, 1), (1, 0))
    ]
    for plan in plans:
        book.serve(plan)
    book.tell(pre_advised([[LABELS[1].decode(), "zip:23"]]))
    assert [plan.resolve(label.tobytes())[1] for plan in plans for label in LABELS[:2]] == [0, 1, 1, 0]
    book.leave(plans[0])
    book.tell(pre_advised([[LABELS[2].decode(), "zip:24"]]))
    assert [plan.resolve(LABELS[2].tobytes())[:2] for plan in plans] == [(Reason.NO_LANE, -1), (Reason.OK, 0)]


# Files


def written(tmp_path: Path, text: str) -> Path:
    file = tmp_path / "advice.csv"
    file.write_text(text, encoding="utf-8", newline="")
    return file


FULL = (
    'label,key,customs,expires\r\nSF1023574470215,zip:1,cleared,2026-11-30\r\n"sf 1023574470216",plz:2,,\r\n'
)


def test_a_file_may_tell_of_customs_and_of_an_end(tmp_path: Path) -> None:
    notice = load_preadvice(written(tmp_path, FULL))
    assert notice.keys.tolist() == [b"zip:1", b"plz:2"]
    assert notice.customs is not None
    assert notice.customs.tolist() == [Customs.CLEARED, Customs.NONE]
    last = int(datetime(2026, 11, 30, 23).timestamp()) // 3600
    assert notice.ends_h is not None
    assert notice.ends_h.tolist() == [last, 0]
    book = AdviceBook.of(notice)
    assert book.table.find(b"SF1023574470216") == (1, 0, 0)
    assert book.expire(last * 3600) == 0
    assert book.expire((last + 1) * 3600) == 1


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("label,key,expires\nSF1023574470215,zip:1,tomorrow\nSF1023574470215,zip:1,\n", [2]),
        ("label,key,customs\nSF1,zip:1,maybe\nSF2,zip:1,held\nSF3,zip,held\n", [2, 4]),
        ("label,key\nSF1,zip:1,held\n", [2]),
        ("label,keys\n", [1]),
    ],
)
def test_every_bad_line_is_told(tmp_path: Path, text: str, lines: list[int]) -> None:
    with pytest.raises(ConfigError) as caught:
        load_preadvice(written(tmp_path, text))
    assert [fault.line for fault in caught.value.faults] == lines


def test_a_stream_is_read_part_by_part() -> None:
    rows = "".join(f"SF{no},zip:{no % 7}\n" for no in range(1000))
    parts = list(read_preadvice(io.BytesIO(f"label,key\n{rows}".encode()), "standard input"))
    assert sum(len(part.labels) for part in parts) == 1000


def test_a_parquet_file_is_read(tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    table = pyarrow.table({"key": ["zip:1", "zip:2"], "label": ["SF1", "SF2"], "customs": ["held", None]})
    parquet.write_table(table, tmp_path / "advice.parquet")
    notice = load_preadvice(tmp_path / "advice.parquet")
    assert notice.labels.tolist() == [b"SF1", b"SF2"]
    assert notice.customs is not None
    assert notice.customs.tolist() == [Customs.HELD, Customs.NONE]


@given(
    st.lists(
        st.lists(st.text("ab ,", max_size=4).filter(lambda text: "," not in text), min_size=1, max_size=4),
        min_size=1,
    )
)
def test_lines_are_split_as_by_hand(rows: list[list[str]]) -> None:
    text = "".join(",".join(row) + "\n" for row in rows).encode()
    fields, is_bad = split_lines(text, 3)
    assert is_bad.tolist() == [len(row) > 3 for row in rows]
    good = [[one.encode() for one in row] + [b""] * (3 - len(row)) for row in rows if len(row) <= 3]
    assert fields[~is_bad].tolist() == good


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: AdviceTable(0), "must be 1 to"),
        (lambda: AdviceTable(5).put(np.array([b""]), np.zeros(1, np.uint32)), r"labels\[0\]"),
        (lambda: AdviceTable(5).put(LABELS[:2], np.zeros(1, np.uint32)), "must be as many"),
        (lambda: AdviceTable(5).put(LABELS[:1], np.zeros(1, np.uint32), np.array([9])), "at most"),
        (lambda: AdviceTable(5).put(np.array(["A"]), np.zeros(1, np.uint32)), "must be bytes"),
        (lambda: LaneTable(FORMS, []).set_key_lanes(0, np.zeros(1, np.int32)), "this table has 0"),
        (lambda: LaneTable(FORMS, []).need_customs([99]), "form 99"),
        (lambda: split_lines(b"a", 9), "1 to 8"),
    ],
)
def test_bad_calls_name_the_thing(call: Any, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        call()
