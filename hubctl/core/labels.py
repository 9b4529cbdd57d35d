"""Labels for people and the simulated hub: decoded by the kernel's classifier, composed from the same data."""

from __future__ import annotations

from functools import cache
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from hubctl._lookup import FORMS_MAX, LaneTable, normalise, set_check_digits
from hubctl.core.formats import (
    FORMAT_NAMES,
    FORMATS,
    LENGTH_MAX,
    NAMESPACES,
    NOWHERE,
    Form,
    Forms,
    compile_form,
    compile_format,
    compile_formats,
    parse_pattern,
)

__all__ = [
    "FORMATS",
    "FORMAT_NAMES",
    "NAMESPACES",
    "LabelReading",
    "compile_formats",
    "compose",
    "compose_many",
    "decode",
    "key_lengths",
]

Texts = npt.NDArray[np.bytes_]
Bytes = npt.NDArray[np.uint8]
CheckVerdict = Literal["none", "ok", "bad"]

CHECK_VERDICTS: tuple[CheckVerdict, ...] = ("none", "ok", "bad")
RANKS: tuple[CheckVerdict, ...] = ("ok", "none", "bad")


class LabelReading(NamedTuple):
    """One way to read a code."""

    format: str
    carrier: str
    check: CheckVerdict
    destination: str | None  # "zip:10003"
    number: str  # the part that names the parcel


class _Classifier(NamedTuple):
    forms: Forms
    table: LaneTable


@cache
def _classifiers() -> list[_Classifier]:
    """All forms of all formats, as many at a time as one table holds."""
    rows = np.concatenate([row for i in range(len(FORMATS)) for row in compile_format(i, i)])
    parts = [rows[i : i + FORMS_MAX] for i in range(0, len(rows), FORMS_MAX)]
    return [_Classifier(part, LaneTable(part, [])) for part in parts]


def _key_pieces(form: np.void) -> list[tuple[int, int]]:
    n_pieces = int(form["n_key_pieces"])
    return [(int(form["key_from"][i]), int(form["key_n"][i])) for i in range(n_pieces)]


def _destination(form: np.void, code: str) -> str | None:
    key = "".join(code[start : start + n] for start, n in _key_pieces(form))
    return f"{form['space'].decode()}:{key}" if key else None


def _number(form: np.void, code: str) -> str:
    start, n = int(form["number_from"]), int(form["number_n"])
    return code[start : start + n] if n else code


def _reading(form: np.void, code: str, verdict: CheckVerdict) -> LabelReading:
    name, carrier = FORMATS[form["format"]].name, FORMATS[form["format"]].carrier
    return LabelReading(name, carrier, verdict, _destination(form, code), _number(form, code))


def _readings(code: str) -> list[LabelReading]:
    return [
        _reading(part.forms[i], code, CHECK_VERDICTS[check])
        for part in _classifiers()
        for i, check in part.table.fits(code.encode())
    ]


def decode(text: str) -> list[LabelReading]:
    """All formats that a code fits, ranked: check character right, none to check, wrong.

    Parameters
    ----------
    text : str
        As scanned; spaces, controls and an AIM identifier are left out, lower case is upper case.

    Returns
    -------
    list of LabelReading
        One for each format, in the order of `labels.toml` within a rank; empty for what is no label.

    Examples
    --------
    >>> [(reading.format, reading.check) for reading in decode("RB 123 456 785 GB")]
    [('s10', 'ok')]
    """
    code = normalise(text.encode("utf-8", "replace"))
    if code is None:
        return []
    by_format: dict[str, LabelReading] = {}
    for reading in sorted(_readings(code.decode()), key=lambda reading: RANKS.index(reading.check)):
        by_format.setdefault(reading.format, reading)
    return list(by_format.values())


def _format_index(name: str) -> int:
    if name not in FORMAT_NAMES:
        raise ValueError(f"unknown label format {name!r}: must be one of {', '.join(FORMAT_NAMES)}")
    return FORMAT_NAMES.index(name)


def _form_to_compose(name: str, keyed: bool) -> Form:
    """The first form; if a destination is wanted, the first that holds one."""
    forms = FORMATS[_format_index(name)].forms
    fit = [form for form in forms if form.key or not keyed]
    if not fit:
        raise ValueError(f"label format {name} holds no destination: the key must be None")
    return fit[0]


def _key_positions(row: np.void) -> list[int]:
    return [i for start, n in _key_pieces(row) for i in range(start, start + n)]


def key_lengths(name: str) -> tuple[str, int] | None:
    """Namespace and length of the destinations that `compose` puts into labels of a format; None: none.

    Examples
    --------
    >>> key_lengths("fedex-34")
    ('zip', 5)
    """
    forms = [form for form in FORMATS[_format_index(name)].forms if form.key]
    if not forms or not forms[0].key:
        return None
    return forms[0].key["space"], sum(n for _, n in forms[0].key["at"])


def _members(symbols: int) -> Bytes:
    return np.array([32 + i for i in range(64) if symbols >> i & 1], np.uint8)


def _put_serials(out: Bytes, free: list[Bytes | None], serials: npt.NDArray[np.int64]) -> None:
    """Counts each row on by its serial, in the mixed radix of its free positions, the last one fastest."""
    left = serials.copy()
    for at in reversed(range(len(free))):
        members = free[at]
        if members is not None:
            first = int(np.searchsorted(members, out[0, at])) if len(out) else 0
            out[:, at] = members[(first + left % len(members)) % len(members)]
            left //= len(members)
    if left.any():
        raise ValueError(f"serial {serials[left != 0][0]}: more than this format has room for, or below 0")


def _put_keys(out: Bytes, sets: list[int], positions: list[int], keys: Texts) -> None:
    """Writes each key over its positions; what a short key leaves open stays as it is."""
    chars = np.ascontiguousarray(keys).view(np.uint8).reshape(len(keys), keys.dtype.itemsize)
    if chars[:, len(positions) :].any():
        raise ValueError(f"keys of up to {keys.dtype.itemsize} characters: must be at most {len(positions)}")
    for at, column in zip(positions, chars.T, strict=False):
        bad = (column != 0) & ~np.isin(column, _members(sets[at]))
        if bad.any():
            raise ValueError(f"key {keys[bad][0]!r}: its characters do not fit the format")
        out[:, at] = np.where(column, column, out[:, at])


def _free_positions(form: Form, row: np.void) -> list[Bytes | None]:
    """For each position of the example, what a serial may put there; None: it is not for a serial."""
    sets, _ = parse_pattern(form.pattern)
    taken = set(_key_positions(row))
    if row["check_kind"]:
        taken.add(int(row["check_from"]) + int(row["check_n"]))
    if row["issuer_at"] != NOWHERE:
        taken |= {int(row["issuer_at"]), int(row["issuer_at"]) + 1}
    return [None if at in taken else _members(sets[at]) for at in range(len(form.example))]


def compose_many(name: str, serials: npt.NDArray[np.int64], keys: Texts | None = None) -> Texts:
    """Valid labels of one format, one for each serial.

    Parameters
    ----------
    name : str
        Of the format.
    serials : int64 array, shape (n,)
        From 0; different serials make different labels. Serial 0 without a key is the format's example.
    keys : bytes array, shape (n,), optional
        Destinations, such as five ZIP digits. A shorter one leaves the rest as in the example.

    Returns
    -------
    S56 array, shape (n,)

    Raises
    ------
    ValueError
        The format is unknown or holds no destination, a serial has no room, or a key does not fit.

    Examples
    --------
    >>> compose_many("usps-impb", np.array([0]), np.array([b"10003"]))
    array([b'420100039400111206206406260787'], dtype='|S56')
    """
    form = _form_to_compose(name, keys is not None)
    rows = compile_form(form, _format_index(name), 0)
    out = np.zeros((len(serials), LENGTH_MAX), np.uint8)
    out[:, : len(form.example)] = np.frombuffer(form.example.encode(), np.uint8)
    _put_serials(out, _free_positions(form, rows[0]), serials)
    if keys is not None:
        _put_keys(out, parse_pattern(form.pattern)[0], _key_positions(rows[0]), keys)
    texts: Texts = out.reshape(-1).view(f"S{LENGTH_MAX}")
    set_check_digits(rows, texts)
    return texts


def compose(name: str, serial: int, key: str | None = None) -> str:
    """A valid label of one format; `compose_many` for one.

    Examples
    --------
    >>> compose("usps-impb", 1, "10003")
    '420100039400111206206406260794'
    """
    keys = None if key is None else np.array([key.encode()])
    label: bytes = compose_many(name, np.array([serial], np.int64), keys)[0]
    return label.decode()
