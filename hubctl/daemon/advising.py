"""Files of pre-advice told to a running hub: read and checked to the end before the first label counts.

Nothing here waits for a whole file: a part is read, then another, and between two of them the daemon turns to whatever
else there is. A file with a fault, or with more labels than there is room for, changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from hubctl.core.config import ConfigError, Fault
from hubctl.core.preadvice import AdviceBook, Notice, Prepared, last_hour, notices, prepared
from hubctl.core.telling import EXPIRES, TellError

Answer = dict[str, Any]

N_FAULTS_TOLD = 400  # what a socket takes at once


def told_faults(faults: Sequence[Fault]) -> Answer:
    """The answer to a file that has faults."""
    return {"faults": [fault.as_dict() for fault in faults[:N_FAULTS_TOLD]], "n_faults": len(faults)}


def end_in(words: Sequence[str]) -> tuple[list[str], int]:
    """Words without the date after which they no longer count, and that hour; 0: none was said."""
    ends = [word.removeprefix(EXPIRES) for word in words if word.startswith(EXPIRES)]
    if not ends:
        return list(words), 0
    hour = last_hour(ends[0])
    if len(ends) > 1 or not hour:
        raise TellError(f'"{ends[-1]}" is no end: must be one date, or a date and time, like 2026-11-30')
    return [word for word in words if not word.startswith(EXPIRES)], hour


def told_file(book: AdviceBook, file: Path, ends_h: int) -> Iterator[Answer | None]:
    """Tells a book what a file says, a part each step: None while there is more, then the answer.

    Parameters
    ----------
    book : AdviceBook
    file : Path
        CSV or Parquet, as `load_preadvice` reads it.
    ends_h : int
        The last hour of labels to which the file gives no end; 0: none.

    Raises
    ------
    TellError
        There is no room for so many labels; none was taken.
    """
    faults: list[Fault] = []
    parts: list[Prepared] = []
    try:
        for notice in notices(file, faults):
            parts.append(prepared(_ended(notice, ends_h)))
            yield None
    except ConfigError as error:
        faults.extend(error.faults)
    if faults:
        yield told_faults(faults)
        return
    _refuse_too_many(book, parts)
    for part in parts:
        _take(book, part)
        yield None
    yield {"told": "advise", "n_labels": sum(len(part.labels) for part in parts), "n_advised": len(book)}


def _ended(notice: Notice, ends_h: int) -> Notice:
    """What has no end of its own ends in this hour."""
    if ends_h == 0:
        return notice
    own = np.zeros(len(notice.labels), np.uint32) if notice.ends_h is None else notice.ends_h
    return notice._replace(ends_h=np.where(own, own, np.uint32(ends_h)))


def _refuse_too_many(book: AdviceBook, parts: Sequence[Prepared]) -> None:
    n_new = sum(len(part.labels) - book.table.n_known(part.labels) for part in parts)
    if len(book) + n_new > book.table.n_labels_max:
        raise TellError(
            f"{n_new} labels more beside {len(book)}: there is room for {book.table.n_labels_max} in all"
        )


def _take(book: AdviceBook, part: Prepared) -> None:
    """All of a part; somebody else may have taken the room meanwhile."""
    try:
        n_taken = book.put(part)
    except ValueError as error:
        raise TellError(str(error)) from None
    if n_taken < len(part.labels):
        raise TellError(
            f"there is no room for more than {book.table.n_labels_max} labels: not all were taken"
        )
