"""Pre-advice: what the host told of parcels before they came: a destination, and the word of customs.

An advice book holds it for tens of millions of labels in 32 bytes each, whatever plan is in force: of each label
stands the number of its destination's key, and each plan has a lane for each key. So a plan is swapped without
touching the labels, and labels come and go while parcels are sorted.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from enum import IntEnum
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from hubctl._advice import ENDS_MAX, AdviceTable, are_labels, split_lines
from hubctl._lookup import LaneTable
from hubctl.core.config import ConfigError, Fault
from hubctl.core.events import TEXT_MAX

HEADER = ["label", "key"]
MORE = ["customs", "expires"]  # columns that may follow
KEY_MAX = 56
N_KEYS_MAX = 1 << 18
N_CHUNK = 1 << 22  # bytes of a file that are looked at together
N_LINES_SWEPT = 1 << 15  # of the table, 2 MB: what has ended is looked for in so many at once
S_PER_HOUR = 3600
DATE_SIZE = 10  # characters of a date without a time
PARQUET = ".parquet"

Texts = npt.NDArray[np.bytes_]


class Customs(IntEnum):
    """What customs said of a parcel."""

    NONE = 0
    ADVISED = 1  # they know of it, and have not decided
    CLEARED = 2
    HELD = 3
    SEIZED = 4


CUSTOMS_WORDS = {word.name.lower() if word else "": int(word) for word in Customs}


class PreAdvice(NamedTuple):
    """Labels and their destinations; of a label given twice the last counts."""

    labels: Texts  # S56, shape (n,)
    keys: Texts  # S56, shape (n,): b"zip:10003"


class Notice(NamedTuple):
    """Labels, their destinations, and what else may be told of them."""

    labels: Texts
    keys: Texts
    customs: npt.NDArray[np.uint8] | None = None  # Customs, shape (n,); None: nothing was said
    ends_h: npt.NDArray[np.uint32] | None = None  # last hour since 1970 in which it counts; 0: no end


class Prepared(NamedTuple):
    """A notice in a third of its room, which has no number for its keys yet."""

    labels: Texts
    keys: Texts  # each different one once
    places: npt.NDArray[np.uint32]  # which of them each label has, shape (n,)
    customs: npt.NDArray[np.uint8] | None
    ends_h: npt.NDArray[np.uint32] | None


def prepared(notice: PreAdvice | Notice) -> Prepared:
    """A notice as a book keeps it."""
    labels, keys, customs, ends_h = Notice(*notice)
    unique, places = _unique(keys)
    size = max(int(np.char.str_len(labels).max(initial=0)), 1)
    own = np.ascontiguousarray(labels, f"S{size}")
    return Prepared(own, _texts(unique), places.astype(np.uint32), customs, ends_h)


def pre_advised(rows: list[list[str]]) -> PreAdvice:
    """Pre-advice of (label, key) rows in memory."""
    labels = np.array([row[0] for row in rows], f"S{TEXT_MAX}")
    return PreAdvice(labels, np.array([row[1] for row in rows], f"S{KEY_MAX}"))


class AdviceBook:
    """What was told of labels, for every plan that is in force now or may come.

    Parameters
    ----------
    n_labels_max : int
        At most so many labels at once.

    Examples
    --------
    >>> book = AdviceBook(100)
    >>> book.tell(pre_advised([["SF1023574470215", "county:440106"]]))
    1
    >>> len(book), book.remove(np.array([b"SF1023574470215"])), len(book)
    (1, 1, 0)
    """

    def __init__(self, n_labels_max: int) -> None:
        self.table = AdviceTable(max(n_labels_max, 1))
        self._numbers: dict[bytes, int] = {}
        self._plans: list[LaneTable] = []
        self._swept_h = -1  # the hour whose sweep has begun
        self._next_line = self.table.n_lines  # where it goes on; behind the last: it is over

    @classmethod
    def of(cls, preadvice: PreAdvice | Notice) -> AdviceBook:
        """A book of just this pre-advice."""
        book = cls(len(preadvice.labels))
        book.tell(preadvice)
        return book

    def __len__(self) -> int:
        """Labels that it has."""
        return len(self.table)

    def tell(self, preadvice: PreAdvice | Notice) -> int:
        """Tells of labels, instead of what was told of them before.

        Returns
        -------
        int
            How many were taken, from the first on: fewer than there are when there is no room for the next.

        Raises
        ------
        ValueError
            An impossible label, or more different keys than N_KEYS_MAX; nothing is taken.
        """
        return self.put(prepared(preadvice))

    def put(self, notice: Prepared) -> int:
        """As `tell` for what is prepared."""
        numbers = self._numbered(notice.keys.tolist())[notice.places]
        if notice.ends_h is not None and notice.ends_h.any():
            self._swept_h = -1
        return self.table.put(notice.labels, numbers, notice.customs, notice.ends_h)

    def remove(self, labels: Texts) -> int:
        """How many of some labels had been told of; they no longer are."""
        return self.table.remove(np.ascontiguousarray(labels))

    def expire(self, now_s: int) -> int:
        """How many labels had ended before a time, in seconds since 1970; they are taken out."""
        return self.table.expire(now_s // S_PER_HOUR)

    def expire_some(self, now_s: int) -> int:
        """As `expire`, a part of the table a call: once for each hour, and again after labels with an end were told."""
        if self._next_line >= self.table.n_lines:
            if now_s // S_PER_HOUR <= self._swept_h:
                return 0
            self._swept_h, self._next_line = now_s // S_PER_HOUR, 0
        first = self._next_line
        self._next_line += N_LINES_SWEPT
        return self.table.expire(now_s // S_PER_HOUR, first, N_LINES_SWEPT)

    def serve(self, plan: LaneTable) -> None:
        """Gives a plan's table a lane for each key, now and whenever a key comes; made with `table` and N_KEYS_MAX."""
        plan.set_key_lanes(0, lanes_of(_texts(list(self._numbers)), plan))
        self._plans.append(plan)

    def leave(self, plan: LaneTable) -> None:
        """A plan's table is used no more."""
        self._plans = [one for one in self._plans if one is not plan]

    def _numbered(self, keys: list[bytes]) -> npt.NDArray[np.uint32]:
        """The number of each of different keys; plans know a new one's lane before any label has it."""
        new = [key for key in keys if key not in self._numbers]
        first = len(self._numbers)
        if first + len(new) > N_KEYS_MAX:
            raise ValueError(f"{first + len(new)} different keys: must be {N_KEYS_MAX} or fewer")
        for plan in self._plans:
            plan.set_key_lanes(first, lanes_of(_texts(new), plan))
        self._numbers.update((key, first + at) for at, key in enumerate(new))
        return np.array([self._numbers[key] for key in keys], np.uint32)


def _unique(keys: Texts) -> tuple[list[bytes], npt.NDArray[np.intp]]:
    """Different keys, and which of them each is: by a dictionary, since sorting long texts takes ten times as long."""
    numbers: dict[bytes, int] = {}
    places = np.fromiter((numbers.setdefault(key, len(numbers)) for key in keys.tolist()), np.intp, len(keys))
    return list(numbers), places


def _texts(keys: Sequence[bytes]) -> Texts:
    return np.array(keys, f"S{KEY_MAX}")


def lanes_of(keys: Texts, table: LaneTable) -> npt.NDArray[np.int32]:
    """Lane of each destination key by its longest prefix; -1 where the plan has none."""
    lanes = np.full(len(keys), -1, np.int32)
    if len(keys) == 0:  # numpy's partition refuses an empty array
        return lanes
    parts = np.char.partition(keys, b":")
    for namespace in np.unique(parts[:, 0]):
        chosen = parts[:, 0] == namespace
        lanes[chosen] = table.lanes_of_keys(namespace.decode(), parts[chosen, 2])
    return lanes


# Files


class _Rows(NamedTuple):
    """Some rows of a file, and where the first stands."""

    file: Path
    line: int
    columns: Sequence[str]
    fields: Texts  # S56, shape (n, n_columns)
    is_bad: npt.NDArray[np.bool_]


def load_preadvice(file: Path) -> Notice:
    """Read a CSV or Parquet file with the columns `label` and `key`, and perhaps `customs` and `expires`.

    Raises
    ------
    ConfigError
        With every line that is not a label and a key, or holds another word.
    """
    faults: list[Fault] = []
    parts = list(notices(file, faults))
    if faults:
        raise ConfigError(sorted(faults, key=lambda fault: fault.line))
    return _joined(parts)


def notices(file: Path, faults: list[Fault]) -> Iterator[Notice]:
    """As `load_preadvice`, part by part; the faults of lines are noted.

    Raises
    ------
    ConfigError
        The file cannot be read, or has not the columns.
    """
    return (_notice(rows, faults) for rows in _rows_of(file))


def read_preadvice(stream: IO[bytes], name: str) -> Iterator[Notice]:
    """As `load_preadvice` for CSV lines as they come, part by part.

    Raises
    ------
    ConfigError
        With the faults of one part; those before it were told.
    """
    for rows in _csv_rows(stream, Path(name)):
        faults: list[Fault] = []
        notice = _notice(rows, faults)
        if faults:
            raise ConfigError(faults)
        yield notice


def _rows_of(file: Path) -> Iterator[_Rows]:
    try:
        if file.suffix == PARQUET:
            yield from _parquet_rows(file)
            return
        with file.open("rb") as stream:
            yield from _csv_rows(stream, file)
    except (OSError, UnicodeDecodeError, csv.Error, ImportError) as error:
        raise ConfigError([_fault(file, 1, "", f"cannot be read: {error}")]) from None


def _csv_rows(stream: IO[bytes], file: Path) -> Iterator[_Rows]:
    columns = stream.readline().decode().strip().split(",")
    if columns != [*HEADER, *(name for name in MORE if name in columns)]:
        message = f"the first line must be {','.join(HEADER)}, and perhaps {','.join(MORE)}"
        raise ConfigError([_fault(file, 1, ",".join(columns), message)])
    line = 2
    while chunk := b"".join(stream.readlines(N_CHUNK)):
        fields, is_bad = _split(chunk, len(columns))
        yield _Rows(file, line, columns, fields, is_bad)
        line += len(fields)


def _split(chunk: bytes, n_columns: int) -> tuple[Texts, npt.NDArray[np.bool_]]:
    """The fields of whole lines; those of a chunk with a quotation mark by the slower reader that knows them."""
    if b'"' not in chunk:
        return split_lines(chunk, n_columns)
    rows = list(csv.reader(chunk.decode().splitlines()))
    is_bad = [len(row) != n_columns or any(len(text) > TEXT_MAX for text in row) for row in rows]
    texts = [
        [b""] * n_columns if bad else [text.encode() for text in row]
        for row, bad in zip(rows, is_bad, strict=True)
    ]
    return np.array(texts, f"S{TEXT_MAX}").reshape(-1, n_columns), np.array(is_bad)


def _parquet_rows(file: Path) -> Iterator[_Rows]:
    """Row groups of a Parquet file; it needs pyarrow, which is an extra."""
    from pyarrow import parquet

    with parquet.ParquetFile(file) as whole:
        columns = [*HEADER, *(name for name in MORE if name in whole.schema_arrow.names)]
        missing = [name for name in HEADER if name not in whole.schema_arrow.names]
        if missing:
            raise ConfigError([_fault(file, 1, ",".join(missing), "there is no such column")])
        line = 1
        for batch in whole.iter_batches(columns=columns):
            texts = [[str(v or "").encode() for v in batch.column(name).to_pylist()] for name in columns]
            is_bad = np.array([any(len(text) > TEXT_MAX for text in row) for row in zip(*texts, strict=True)])
            fields = np.array(texts, f"S{TEXT_MAX}").reshape(len(columns), -1).T
            yield _Rows(file, line, columns, fields, is_bad.astype(np.bool_))
            line += len(fields)


def _notice(rows: _Rows, faults: list[Fault]) -> Notice:
    """What some rows tell; faults are noted."""
    labels, keys = (np.ascontiguousarray(rows.fields[:, at]) for at in (0, 1))
    known_keys, places = _unique(keys)
    are_keys = np.array([is_key(key) for key in known_keys], np.bool_)
    _note(
        rows,
        ~are_labels(labels) | ~are_keys[places] | rows.is_bad,
        "must be a label and a key such as zip:10003",
        faults,
    )
    more = {name: _words(rows, name, faults) for name in rows.columns[len(HEADER) :]}
    return Notice(labels, keys, more.get("customs"), more.get("expires"))


def is_key(key: bytes) -> bool:
    """Whether a text is a destination key such as `zip:10003`."""
    namespace, colon, prefix = key.partition(b":")
    return bool(namespace and colon and prefix) and key.isascii() and len(key) <= KEY_MAX


def _words(rows: _Rows, name: str, faults: list[Fault]) -> Any:
    """The numbers of a column's words."""
    words, places = _unique(np.ascontiguousarray(rows.fields[:, rows.columns.index(name)]))
    number, message, dtype = _MEANINGS[name]
    numbers = [number(word.decode("utf-8", "replace")) for word in words]
    is_bad = np.array([one is None for one in numbers], np.bool_)
    _note(rows, is_bad[places] & ~rows.is_bad, message, faults)
    return np.array([one or 0 for one in numbers], dtype)[places]


def _customs(word: str) -> int | None:
    return CUSTOMS_WORDS.get(word)


def last_hour(word: str) -> int | None:
    """The hour since 1970 in which a local date (its last) or time lies; 0 for none."""
    try:
        at = datetime.fromisoformat(word) if word else datetime.fromtimestamp(0)
    except ValueError:
        return None
    hour = int(at.timestamp()) // S_PER_HOUR + (23 if len(word) == DATE_SIZE else 0)
    return 0 if not word else hour if 0 < hour <= ENDS_MAX else None


_MEANINGS: dict[str, tuple[Callable[[str], int | None], str, Any]] = {
    "customs": (_customs, f"must be one of {', '.join(filter(None, CUSTOMS_WORDS))}, or empty", np.uint8),
    "expires": (last_hour, "must be a date or a date and time, like 2026-11-30, or empty", np.uint32),
}


def _note(rows: _Rows, is_bad: npt.NDArray[np.bool_], message: str, faults: list[Fault]) -> None:
    for at in np.flatnonzero(is_bad).tolist():
        shown = ",".join(text.decode("utf-8", "replace") for text in rows.fields[at])
        faults.append(_fault(rows.file, rows.line + at, shown, message))


def _joined(parts: Sequence[Notice]) -> Notice:
    if not parts:
        return Notice(*pre_advised([]))
    columns: list[Any] = [list(column) for column in zip(*parts, strict=True)]
    return Notice(*(_whole(column) for column in columns))


def _whole(column: list[Any]) -> Any:
    return None if column[0] is None else np.concatenate(column)


def _fault(file: Path, line: int, value: str, message: str) -> Fault:
    return Fault(str(file), line, "", "", value, message)
