"""Labels for people and the simulated hub: decoded by the kernel's classifier, composed from the same data."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from hubctl._lookup import LaneTable, elements, normalise, number_verdict, set_check_digits
from hubctl.core.catalogue import BUILT_IN, Catalogue
from hubctl.core.formats import (
    LENGTH_MAX,
    NOWHERE,
    STRUCTURES,
    Form,
    Forms,
    compile_form,
    expand,
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

FORMATS = BUILT_IN.formats
FORMAT_NAMES = tuple(BUILT_IN.index)
NAMESPACES = tuple(sorted(BUILT_IN.namespaces))
compile_formats = BUILT_IN.compile


class LabelReading(NamedTuple):
    """One way to read a code."""

    format: str
    carrier: str
    check: CheckVerdict
    destination: str | None  # "zip:10003"
    number: str  # the part that names the parcel
    service: str | None  # "03 Ground", or the code alone where the carrier has published no name


class _Classifier(NamedTuple):
    catalogue: Catalogue
    forms: Forms
    table: LaneTable


@lru_cache(maxsize=8)
def _classifier(catalogue: Catalogue, accepted: tuple[str, ...]) -> _Classifier:
    forms = catalogue.compile(accepted)
    return _Classifier(catalogue, forms, LaneTable(forms, []))


def _key_pieces(form: np.void, n_code: int) -> list[tuple[int, int]]:
    """First position and length of each piece of the destination in a label of `n_code` characters."""
    pieces = [(int(form["key_from"][i]), int(form["key_n"][i])) for i in range(int(form["n_key_pieces"]))]
    return [(start, n or n_code - start) for start, n in pieces]


def _destination(form: np.void, code: str) -> str | None:
    key = "".join(code[start : start + n] for start, n in _key_pieces(form, len(code)))
    return f"{form['space'].decode()}:{key}" if key else None


def _number(form: np.void, code: str) -> str:
    start, n = int(form["number_from"]), int(form["number_n"])
    return code[start : start + n] if n else code


def _service(catalogue: Catalogue, form: np.void, number: str) -> str | None:
    """The code of the service with its name, if it has one."""
    start, n, index = int(form["service_from"]), int(form["service_n"]), int(form["format"])
    if n == 0:
        return None
    code = number[start : start + n]
    name = catalogue.service_name(index, code)
    return f"{code} {name}" if name else code


def _reading(of: _Classifier, row: int, code: str, verdict: CheckVerdict) -> LabelReading:
    form = of.forms[row]
    known = of.catalogue.formats[int(form["format"])]
    service = _service(of.catalogue, form, code)
    return LabelReading(
        known.name, known.carrier, verdict, _destination(form, code), _number(form, code), service
    )


def _told(of: _Classifier, raw: bytes) -> Iterator[tuple[int, LabelReading]]:
    """The reading of a label made of elements, with the row of its form."""
    told = elements(raw)
    structures: list[int] = of.forms["structure"].tolist()
    if told is None or told[0] not in structures:
        return
    row, number = structures.index(told[0]), told[1].decode()
    known = of.catalogue.formats[int(of.forms[row]["format"])]
    verdict = CHECK_VERDICTS[number_verdict(of.forms[row : row + 1], told[1])]
    destination = f"{told[2]}:{told[3].decode()}" if told[2] else None
    service = _service(of.catalogue, of.forms[row], number)
    yield row, LabelReading(known.name, known.carrier, verdict, destination, number, service)


def _plain(of: _Classifier, raw: bytes) -> Iterator[tuple[int, LabelReading]]:
    code = normalise(raw)
    if code is not None:
        for row, check in of.table.fits(code):
            yield row, _reading(of, row, code.decode(), CHECK_VERDICTS[check])


def decode(
    text: str, accepted: Sequence[str] | None = None, catalogue: Catalogue = BUILT_IN
) -> list[LabelReading]:
    """All formats that a code fits, ranked: check character right, none to check, wrong.

    Parameters
    ----------
    text : str
        As scanned; spaces, controls and an AIM identifier are left out, lower case is upper case.
    accepted : sequence of str, optional
        Formats and packs to try, the best first; by default all of the catalogue.
    catalogue : Catalogue

    Returns
    -------
    list of LabelReading
        One for each format, the best first within a rank; empty for what is no label.

    Examples
    --------
    >>> [(reading.format, reading.check) for reading in decode("RB 123 456 785 GB")]
    [('s10', 'ok')]
    """
    raw = text.encode("utf-8", "replace")
    of = _classifier(catalogue, tuple(catalogue.index if accepted is None else accepted))
    found = sorted(
        [*_told(of, raw), *_plain(of, raw)], key=lambda pair: (RANKS.index(pair[1].check), pair[0])
    )
    by_format: dict[str, LabelReading] = {}
    for _, reading in found:
        by_format.setdefault(reading.format, reading)
    return list(by_format.values())


def _format_index(name: str) -> int:
    if name not in FORMAT_NAMES:
        raise ValueError(f"unknown label format {name!r}: must be one of {', '.join(FORMAT_NAMES)}")
    return FORMAT_NAMES.index(name)


def _has_key(form: Form) -> bool:
    """Whether it holds a destination of a length of its own."""
    return form.key is not None and all(n for _, n in form.key.at)


def _form_to_compose(name: str, keyed: bool) -> Form:
    """The first form; if a destination is wanted, the first that holds one."""
    row = FORMATS[_format_index(name)]
    if row.structure != STRUCTURES[0]:
        raise ValueError(f"label format {name} is told by its elements: only patterns can be composed")
    fit = [form for form in row.forms if _has_key(form) or not keyed]
    if not fit:
        raise ValueError(f"label format {name} holds no destination: the key must be None")
    return fit[0]


def _key_positions(row: np.void, n_code: int) -> list[int]:
    return [i for start, n in _key_pieces(row, n_code) for i in range(start, start + n)]


def key_lengths(name: str) -> tuple[str, int] | None:
    """Namespace and length of the destinations that `compose` puts into labels of a format; None: none.

    Examples
    --------
    >>> key_lengths("fedex-34")
    ('zip', 5)
    """
    keys = [form.key for form in FORMATS[_format_index(name)].forms if form.key and _has_key(form)]
    return (keys[0].space, sum(n for _, n in keys[0].at)) if keys else None


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


def _put_keys(out: Bytes, sets: Sequence[int], positions: list[int], keys: Texts) -> None:
    """Writes each key over its positions; what a short key leaves open stays as it is."""
    chars = np.ascontiguousarray(keys).view(np.uint8).reshape(len(keys), keys.dtype.itemsize)
    if chars[:, len(positions) :].any():
        raise ValueError(f"keys of up to {keys.dtype.itemsize} characters: must be at most {len(positions)}")
    for at, column in zip(positions, chars.T, strict=False):
        bad = (column != 0) & ~np.isin(column, _members(sets[at]))
        if bad.any():
            raise ValueError(f"key {keys[bad][0]!r}: its characters do not fit the format")
        out[:, at] = np.where(column, column, out[:, at])


def _example_sets(form: Form) -> tuple[int, ...]:
    """The set of symbols for each position of the example, in the shape that it has."""
    code = form.example
    shapes = [parse_pattern(pattern) for pattern in expand(form.pattern)]
    return next(
        sets[: len(code)]
        for sets, least in shapes
        if least <= len(code) <= len(sets)
        and all(sets[i] >> ord(char) - 32 & 1 for i, char in enumerate(code))
    )


def _free_positions(sets: Sequence[int], row: np.void) -> list[Bytes | None]:
    """For each position of the example, what a serial may put there; None: it is not for a serial."""
    taken = set() if 0 in row["key_n"][: row["n_key_pieces"]] else set(_key_positions(row, len(sets)))
    if row["check_kind"]:
        taken.add(int(row["check_from"]) + int(row["check_n"]))
    if row["issuer_at"] != NOWHERE:
        taken |= {int(row["issuer_at"]), int(row["issuer_at"]) + 1}
    return [None if at in taken else _members(symbols) for at, symbols in enumerate(sets)]


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
    rows = compile_form(FORMATS[_format_index(name)], form, BUILT_IN.packs[0].pack)[:1]
    sets = _example_sets(form)
    out = np.zeros((len(serials), LENGTH_MAX), np.uint8)
    out[:, : len(form.example)] = np.frombuffer(form.example.encode(), np.uint8)
    _put_serials(out, _free_positions(sets, rows[0]), serials)
    if keys is not None:
        _put_keys(out, sets, _key_positions(rows[0], len(sets)), keys)
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
