"""Label formats as data: what a pack of them may say, and the form that the look-up reads.

A new format needs no code. `ext/hubctl/_forms.pxd` holds the layout of `FORM` for compiled code, which refuses another.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import product
from math import prod
from typing import Annotated, Literal, TypeAlias

import numpy as np
import numpy.typing as npt
from pydantic import Field

from hubctl.core.shape import Section

LENGTH_MAX = 56
N_SYMBOLS = 64  # the characters from space to underscore; lower case is upper case
NOWHERE = 0xFF  # a position that a form does not have
NAME_MAX = 38
ANSWERS_MAX = 38
SERVICE_MAX = 8
EXPANDED_MAX = 256  # shapes of one pattern whose parts vary

FORM = np.dtype(
    [
        ("format", "<u2"),  # index in the catalogue
        ("priority", "<u2"),  # rank of the format at this site, 0 first
        ("length_min", "u1"),
        ("length_max", "u1"),  # 0: a structure, not a shape
        ("check_kind", "u1"),  # CheckKind
        ("check_from", "u1"),
        ("check_n", "u1"),  # the check character stands at check_from + check_n
        ("modulus", "u1"),
        ("folds", "u1"),  # of a product both digits count
        ("number_from", "u1"),
        ("number_n", "u1"),  # 0: the whole label is its number
        ("issuer_at", "u1"),  # NOWHERE: none
        ("service_from", "u1"),
        ("service_n", "u1"),
        ("structure", "u1"),  # index in STRUCTURES
        ("n_partner", "u1"),
        ("n_key_pieces", "u1"),
        ("key_from", "u1", (2,)),
        ("key_n", "u1", (2,)),
        ("partner", "S40"),  # what a rule for its carrier begins with: "UPS-1Z/"
        ("space", "S16"),  # namespace of the key
        ("answers", "S38"),
        ("weights", "u1", (LENGTH_MAX,)),
        ("classes", "<u8", (LENGTH_MAX,)),  # bit s: symbol s may stand here
        ("issuers", "<u8", (N_SYMBOLS,)),  # by first symbol, the set of second symbols
    ]
)

CHECK_NONE, CHECK_WEIGHTED, CHECK_RECURSIVE = 0, 1, 2
STRUCTURES = ("plain", "gs1", "maxicode")

Forms = npt.NDArray[np.void]
Position: TypeAlias = Annotated[int, Field(ge=0, le=LENGTH_MAX - 1)]
Span: TypeAlias = Annotated[list[int], Field(min_length=2, max_length=2)]


class CheckRule(Section):
    """How a check character comes from the characters before it; without weights, ISO 7064 MOD 37,36."""

    weights: list[Annotated[int, Field(ge=0, le=99)]] = Field(
        default=[], max_length=LENGTH_MAX, description="repeat over the checked positions"
    )
    from_right: bool = Field(False, description="they begin at the last checked position")
    modulus: int = Field(0, ge=0, le=ANSWERS_MAX - 1, description="of the weighted sum")
    answers: str = Field("", max_length=ANSWERS_MAX - 1, description="the check character of each remainder")
    folds: bool = Field(False, description="of a product both digits count, as Luhn has it")


class CheckOf(Section):
    """What is checked, and how."""

    by: str = Field(description="name of a check")
    at: Span = Field(description="first position and number of characters; the check character follows them")


class KeyOf(Section):
    """Where a destination stands."""

    space: str = Field(description="namespace of the destination")
    at: list[Span] = Field(min_length=1, max_length=2, description="its pieces, joined; n = 0: to the end")


class ServiceOf(Section):
    """Where the carrier's code of the service stands."""

    at: Span = Field(description="first position and number of characters")
    names: str | None = Field(None, description="table of [services] with the names of its codes")


class Form(Section):
    """One shape of a format."""

    pattern: str = Field("", max_length=200, description="one character a position")
    example: str = Field(min_length=1, max_length=255, description="a valid label of this form")
    check: CheckOf | None = Field(None, description="its check character")
    key: KeyOf | None = Field(None, description="its destination")
    number: Span | None = Field(None, description="the part that names the parcel; absent: the whole label")
    issuer: Position | None = Field(None, description="where a code of [issuers] stands")
    service: ServiceOf | None = Field(None, description="its service")


class Format(Section):
    """A label format: a name, whose it is, and the forms it takes."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]*$", max_length=NAME_MAX)] = Field(
        description="unique among formats: small letters, digits, hyphens"
    )
    carrier: str = Field(min_length=1, max_length=64, description="whose label it is")
    structure: Literal["plain", "gs1", "maxicode"] = Field(
        "plain", description="gs1, maxicode: told by its elements; checks and services count in its number"
    )
    forms: list[Form] = Field(min_length=1, max_length=64, description="the first that fits counts")


class Pack(Section):
    """A file of label formats."""

    issuers: str = Field("", description="two-letter codes of those who may have numbered a label")
    namespaces: dict[str, str] = Field(default={}, description="namespaces of destinations, each explained")
    checks: dict[str, CheckRule] = Field(default={}, description="ways to make a check character")
    services: dict[str, dict[str, str]] = Field(default={}, description="names of services by their code")
    formats: list[Format] = Field(min_length=1, max_length=1000, description="label formats, the best first")


# Patterns


_DIGITS = "0123456789"
_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
ALPHANUMERIC = _DIGITS + _LETTERS
_CLASSES = {"d": _DIGITS, "a": _LETTERS, "x": ALPHANUMERIC}


def _symbol(char: str) -> int:
    return ord(char) - 32


@lru_cache(maxsize=4096)
def symbol_set(chars: str) -> int:
    """The characters as bits: bit s is the character with ASCII code 32 + s."""
    if any(not 0 < _symbol(char) < N_SYMBOLS for char in chars):
        raise ValueError(f"{chars!r}: must be characters that labels have, letters as capitals")
    return sum(1 << _symbol(char) for char in set(chars))


def _members(body: str) -> str:
    """The characters that `2-5AC` stands for."""
    if len(body) > 2 and body[1] == "-":
        return "".join(map(chr, range(ord(body[0]), ord(body[2]) + 1))) + _members(body[3:])
    return body[:1] + _members(body[1:]) if body else ""


def _atom(text: str) -> tuple[str, str]:
    """The characters that may stand first, and the rest of the pattern."""
    if text[0] == "[":
        body, closed, rest = text[1:].partition("]")
        if not body or not closed:
            raise ValueError(f"pattern part {text!r}: must be like [2-5AC]")
        return _members(body), rest
    return _CLASSES.get(text[0], text[0]), text[1:]


def _repeats(text: str) -> tuple[int, int, str]:
    """How often at least and at most, and the rest of the pattern."""
    if not text.startswith("{"):
        return 1, 1, text
    body, closed, rest = text[1:].partition("}")
    least, _, most = body.partition("-")
    if (
        not closed
        or not least.isdigit()
        or not (most or least).isdigit()
        or not 1 <= int(least) <= int(most or least)
    ):
        raise ValueError(f"pattern part {text!r}: must be like {{4}} or {{4-9}}")
    return int(least), int(most or least), rest


@lru_cache(maxsize=65536)
def parse_pattern(pattern: str) -> tuple[tuple[int, ...], int]:
    """Set of symbols for each position, and the least length, of a pattern of which only the last part varies.

    Parameters
    ----------
    pattern : str
        In the notation at the head of `labels.toml`.

    Returns
    -------
    (tuple of int, int)
        Bit s of item i: the character with ASCII code 32 + s may stand at position i. There are as many as the
        longest label has positions.

    Raises
    ------
    ValueError
        A part is not of the notation, a repeat that may vary is not the last, or there are too many positions.

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
        sets += [symbol_set(chars)] * min(most, LENGTH_MAX + 1)
        slack = most - least
    if not 1 <= len(sets) <= LENGTH_MAX:
        raise ValueError(f"pattern {pattern!r}: {len(sets)} characters, must be 1 to {LENGTH_MAX}")
    return tuple(sets), len(sets) - slack


def _varying_parts(pattern: str) -> list[tuple[str, int, int]]:
    """The parts of a pattern, each with how often at least and at most."""
    parts, rest = [], pattern.replace(" ", "")
    while rest:
        _, after = _atom(rest)
        least, most, behind = _repeats(after)
        parts.append((rest[: len(rest) - len(after)], least, most))
        rest = behind
    return parts


@lru_cache(maxsize=65536)
def expand(pattern: str) -> tuple[str, ...]:
    """The patterns of which only the last part varies that a pattern stands for, the shortest first.

    >>> expand("a{1-2} d{3-5}")
    ('a{1}d{3-5}', 'a{2}d{3-5}')
    """
    *parts, last = _varying_parts(pattern)
    runs = [[f"{chars}{{{n}}}" for n in range(least, most + 1)] for chars, least, most in parts]
    tail = f"{last[0]}{{{last[1]}-{last[2]}}}"
    if prod(map(len, runs)) > EXPANDED_MAX:
        raise ValueError(f"pattern {pattern!r}: stands for more than {EXPANDED_MAX} shapes")
    return tuple("".join(run) + tail for run in product(*runs))


# Forms for the look-up


def _put_pattern(row: np.void, pattern: str) -> None:
    sets, row["length_min"] = parse_pattern(pattern)
    row["length_max"] = len(sets)
    row["classes"][: len(sets)] = sets


def _put_check(row: np.void, form: Form, pack: Pack) -> None:
    if form.check is None:
        return
    rule, (start, n) = pack.checks[form.check.by], form.check.at
    row["check_kind"] = CHECK_WEIGHTED if rule.weights else CHECK_RECURSIVE
    row["check_from"], row["check_n"] = start, n
    row["modulus"], row["answers"], row["folds"] = rule.modulus, rule.answers.encode(), rule.folds
    if rule.weights:
        weights = [rule.weights[i % len(rule.weights)] for i in range(n)]
        row["weights"][:n] = weights[::-1] if rule.from_right else weights


def _put_key(row: np.void, form: Form) -> None:
    if form.key is None:
        return
    pieces = form.key.at
    row["space"], row["n_key_pieces"] = form.key.space.encode(), len(pieces)
    for i, (start, n) in enumerate(pieces):
        row["key_from"][i], row["key_n"][i] = start, n


@lru_cache(maxsize=64)
def _issuer_sets(issuers: str) -> npt.NDArray[np.uint64]:
    sets = np.zeros(N_SYMBOLS, np.uint64)
    for code in issuers.split():
        sets[_symbol(code[0])] |= np.uint64(1 << _symbol(code[1]))
    return sets


def _put_parts(row: np.void, form: Form, pack: Pack) -> None:
    """Number, issuer and service."""
    row["issuer_at"] = NOWHERE if form.issuer is None else form.issuer
    if form.number is not None:
        row["number_from"], row["number_n"] = form.number
    if form.issuer is not None:
        row["issuers"] = _issuer_sets(pack.issuers)
    if form.service is not None:
        row["service_from"], row["service_n"] = form.service.at


def compile_form(label_format: Format, form: Form, pack: Pack) -> Forms:
    """A checked form as rows of FORM: one, or as many as its pattern stands for."""
    patterns = expand(form.pattern) if label_format.structure == "plain" else ("",)
    rows = np.zeros(len(patterns), FORM)
    row, partner = rows[0], label_format.name.upper() + "/"
    row["partner"], row["n_partner"] = partner.encode(), len(partner)
    row["structure"] = STRUCTURES.index(label_format.structure)
    _put_check(row, form, pack)
    _put_key(row, form)
    _put_parts(row, form, pack)
    rows[1:] = row
    for i, pattern in enumerate(patterns):
        if pattern:
            _put_pattern(rows[i], pattern)
    return rows
