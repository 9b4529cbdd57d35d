"""Label formats as data: the rows of `labels.toml`, compiled into the form that the look-up reads.

A new format needs no code. `ext/hubctl/_lookup.pyx` holds the layout of `FORM` for compiled code and refuses
another.
"""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

import numpy as np
import numpy.typing as npt

from hubctl._lookup import FORMS_MAX

LENGTH_MAX = 56
N_SYMBOLS = 64  # the characters from space to underscore; lower case is upper case
NOWHERE = 0xFF  # a position that a form does not have

FORM = np.dtype(
    [
        ("format", "<u2"),  # index in FORMATS
        ("priority", "<u2"),  # rank of the format at this site, 0 first
        ("length_min", "u1"),
        ("length_max", "u1"),
        ("check_kind", "u1"),  # CheckKind
        ("check_from", "u1"),
        ("check_n", "u1"),  # the check character stands at check_from + check_n
        ("modulus", "u1"),
        ("number_from", "u1"),
        ("number_n", "u1"),  # 0: the whole label is its number
        ("issuer_at", "u1"),  # NOWHERE: none
        ("n_key_pieces", "u1"),
        ("key_from", "u1", (2,)),
        ("key_n", "u1", (2,)),
        ("space", "S16"),  # namespace of the key
        ("answers", "S38"),
        ("weights", "u1", (LENGTH_MAX,)),
        ("classes", "<u8", (LENGTH_MAX,)),  # bit s: symbol s may stand here
        ("issuers", "<u8", (N_SYMBOLS,)),  # by first symbol, the set of second symbols
    ]
)

CHECK_NONE, CHECK_WEIGHTED, CHECK_RECURSIVE = 0, 1, 2

Forms = npt.NDArray[np.void]


@dataclass(frozen=True, slots=True)
class Check:
    """How a check character comes from the characters before it."""

    weights: tuple[int, ...] = ()
    modulus: int = 0
    answers: str = ""
    from_right: bool = False


@dataclass(frozen=True, slots=True)
class Form:
    """One shape of a format, as `labels.toml` writes it."""

    pattern: str
    example: str
    check: dict[str, Any] | None = None
    key: dict[str, Any] | None = None
    number: Sequence[int] = (0, 0)
    issuer: int = NOWHERE


@dataclass(frozen=True, slots=True)
class Format:
    """A label format: a name, whose it is, and the forms it takes."""

    name: str
    carrier: str
    forms: tuple[Form, ...]


def _load() -> dict[str, Any]:
    return tomllib.loads(files("hubctl.core").joinpath("labels.toml").read_text("utf-8"))


def _format(table: dict[str, Any]) -> Format:
    return Format(table["name"], table["carrier"], tuple(Form(**form) for form in table["forms"]))


_DATA = _load()
FORMATS: tuple[Format, ...] = tuple(_format(table) for table in _DATA["formats"])
FORMAT_NAMES: tuple[str, ...] = tuple(form.name for form in FORMATS)
CHECKS: dict[str, Check] = {name: Check(**table) for name, table in _DATA["checks"].items()}
NAMESPACES: tuple[str, ...] = tuple(
    sorted({form.key["space"] for row in FORMATS for form in row.forms if form.key})
)


# Patterns


_DIGITS = "0123456789"
_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_CLASSES = {"d": _DIGITS, "a": _LETTERS, "x": _DIGITS + _LETTERS}


def _symbol(char: str) -> int:
    return ord(char) - 32


def _set(chars: str) -> int:
    return sum(1 << _symbol(char) for char in set(chars))


def _members(body: str) -> str:
    """The characters that `2-5AC` stands for."""
    if len(body) > 2 and body[1] == "-":
        return "".join(map(chr, range(ord(body[0]), ord(body[2]) + 1))) + _members(body[3:])
    return body[:1] + _members(body[1:]) if body else ""


def _atom(text: str) -> tuple[str, str]:
    """The characters that may stand first, and the rest of the pattern."""
    if text[0] == "[":
        body, _, rest = text[1:].partition("]")
        return _members(body), rest
    return _CLASSES.get(text[0], text[0]), text[1:]


def _repeats(text: str) -> tuple[int, int, str]:
    """How often at least and at most, and the rest of the pattern."""
    if not text.startswith("{"):
        return 1, 1, text
    body, _, rest = text[1:].partition("}")
    least, _, most = body.partition("-")
    return int(least), int(most or least), rest


def parse_pattern(pattern: str) -> tuple[list[int], int]:
    """Set of symbols for each position, and the least length.

    Parameters
    ----------
    pattern : str
        In the notation at the head of `labels.toml`.

    Returns
    -------
    (list of int, int)
        Bit s of item i: the character with ASCII code 32 + s may stand at position i. The list is as long as
        the longest label.

    Raises
    ------
    ValueError
        A repeat that may vary is not the last, or the pattern is longer than a label can be.

    Examples
    --------
    >>> sets, least = parse_pattern("YT d{2-4}")
    >>> len(sets), least
    (6, 4)
    """
    sets: list[int] = []
    slack, rest = 0, pattern.replace(" ", "")
    while rest:
        if slack:
            raise ValueError(f"pattern {pattern!r}: only the last part may vary in length")
        chars, rest = _atom(rest)
        least, most, rest = _repeats(rest)
        sets += [_set(chars)] * most
        slack = most - least
    if len(sets) > LENGTH_MAX:
        raise ValueError(f"pattern {pattern!r}: {len(sets)} characters, must be 1 to {LENGTH_MAX}")
    return sets, len(sets) - slack


# Forms for the look-up


def _put_pattern(row: np.void, form: Form) -> None:
    sets, row["length_min"] = parse_pattern(form.pattern)
    row["length_max"] = len(sets)
    row["classes"][: len(sets)] = sets


def _put_check(row: np.void, form: Form) -> None:
    if form.check is None:
        return
    check, n = CHECKS[form.check["by"]], form.check["n"]
    row["check_kind"] = CHECK_WEIGHTED if check.weights else CHECK_RECURSIVE
    row["check_from"], row["check_n"] = form.check["from"], n
    row["modulus"], row["answers"] = check.modulus, check.answers.encode()
    if check.weights:
        weights = [check.weights[i % len(check.weights)] for i in range(n)]
        row["weights"][:n] = weights[::-1] if check.from_right else weights


def _put_key(row: np.void, form: Form) -> None:
    if form.key is None:
        return
    pieces = form.key["at"]
    row["space"], row["n_key_pieces"] = form.key["space"].encode(), len(pieces)
    for i, (start, n) in enumerate(pieces):
        row["key_from"][i], row["key_n"][i] = start, n


def _put_issuer(row: np.void, form: Form) -> None:
    row["issuer_at"] = form.issuer
    if form.issuer == NOWHERE:
        return
    for first, second in _DATA["issuers"].split():
        row["issuers"][_symbol(first)] |= np.uint64(1 << _symbol(second))


def compile_form(form: Form, format_index: int, priority: int) -> Forms:
    """One form, shape (1,)."""
    rows = np.zeros(1, FORM)
    row = rows[0]
    row["format"], row["priority"] = format_index, priority
    row["number_from"], row["number_n"] = form.number
    for put in (_put_pattern, _put_check, _put_key, _put_issuer):
        put(row, form)
    return rows


def compile_formats(accepted: Sequence[str]) -> Forms:
    """The forms of the accepted formats, as `LaneTable` takes them.

    Parameters
    ----------
    accepted : sequence of str
        Names of formats, the best first.

    Returns
    -------
    FORM array, shape (n_forms,)
        Sorted by priority.

    Raises
    ------
    ValueError
        An unknown name, a name given twice, or more than FORMS_MAX forms in all.
    """
    unknown = [name for name in accepted if name not in FORMAT_NAMES]
    if unknown:
        raise ValueError(f"unknown label formats {', '.join(unknown)}: must be of {', '.join(FORMAT_NAMES)}")
    if len(set(accepted)) < len(accepted):
        raise ValueError(f"label formats {', '.join(accepted)}: one is given twice")
    rows = [
        row for rank, name in enumerate(accepted) for row in compile_format(FORMAT_NAMES.index(name), rank)
    ]
    if len(rows) > FORMS_MAX:
        raise ValueError(f"label formats have {len(rows)} forms together: must be 0 to {FORMS_MAX}")
    return np.concatenate(rows) if rows else np.zeros(0, FORM)


def compile_format(format_index: int, priority: int) -> list[Forms]:
    """The forms of one format, each of shape (1,)."""
    return [compile_form(form, format_index, priority) for form in FORMATS[format_index].forms]
