"""Checks what a pack of label formats says: patterns, positions, names, and whether its examples prove them."""

from __future__ import annotations

import re
from typing import Any

from hubctl._lookup import elements, normalise, number_verdict
from hubctl.core.config import Source, nearest
from hubctl.core.formats import (
    ALPHANUMERIC,
    SERVICE_MAX,
    STRUCTURES,
    CheckRule,
    Form,
    Format,
    Forms,
    Pack,
    compile_form,
    expand,
    parse_pattern,
    symbol_set,
)
from hubctl.core.shape import known
from hubctl.core.where import Path

NUMBER_LENGTH = 18  # of what names a parcel in a label made of elements
VERDICT_BAD = 2

_SPACE = re.compile(r"[a-z][a-z0-9-]{0,15}")
_PLAIN = symbol_set(ALPHANUMERIC)


def check_pack(pack: Pack, base: Pack | None, source: Source, taken: dict[str, str]) -> list[Forms]:
    """Note every fault of a pack; gives its forms, compiled, in order, if it has none.

    Parameters
    ----------
    pack : Pack
        As `read_shape` kept it.
    base : Pack, optional
        Whose checks, services and namespaces it may use beside its own.
    source : Source
    taken : dict
        The pack of each format's name that is taken.
    """
    checker = _Checker(pack, base, source)
    checker.check(taken)
    return checker.rows


class _Checker:
    """A pack, and what it may name."""

    def __init__(self, pack: Pack, base: Pack | None, source: Source) -> None:
        self.pack = pack
        self.source = source
        self.checks = _both("checks", pack, base)
        self.services = _both("services", pack, base)
        self.spaces = _both("namespaces", pack, base)
        self.issuers = getattr(pack, "issuers", "") or (base.issuers if base else "")
        self.joined = pack.model_copy(update={"checks": self.checks, "issuers": self.issuers})
        self.faulty_rules: set[str] = set()
        self.rows: list[Forms] = []

    def check(self, taken: dict[str, str]) -> None:
        """Note every fault."""
        for name, rule in getattr(self.pack, "checks", {}).items():
            if not known(rule, *CheckRule.model_fields) or not self._is_right(("checks", name), rule):
                self.faulty_rules.add(name)
        for space in getattr(self.pack, "namespaces", {}):
            if not _SPACE.fullmatch(space):
                self.source.add(("namespaces", space), "must be small letters, digits, hyphens, 16 at most")
        if any(len(code) != 2 or not code.isalpha() for code in getattr(self.pack, "issuers", "").split()):
            self.source.add(("issuers",), "must be codes of two letters", shown="")
        names = dict(taken)
        for index, label_format in enumerate(getattr(self.pack, "formats", ())):
            self._check_format(("formats", index), label_format, names)

    def _is_right(self, path: Path, rule: CheckRule) -> bool:
        if not rule.weights:
            return True
        if rule.modulus < 2:
            self.source.add((*path, "modulus"), "must be 2 to 37, for weights")
            return False
        if len(rule.answers) != rule.modulus or not set(rule.answers) <= set(ALPHANUMERIC):
            message = f"must be {rule.modulus} digits or capitals, one for each remainder"
            self.source.add((*path, "answers"), message)
            return False
        return True

    def _check_format(self, path: Path, label_format: Format, names: dict[str, str]) -> None:
        if known(label_format, "name"):
            if label_format.name in names:
                message = f"is taken by pack {names[label_format.name]}"
                self.source.add((*path, "name"), message, "each format needs its own")
            names[label_format.name] = "itself"
        if not known(label_format, "name", "structure", "forms"):
            return
        for index, form in enumerate(label_format.forms):
            self._check_form((*path, "forms", index), label_format, form)

    def _check_form(self, path: Path, label_format: Format, form: Form) -> None:
        if not _is_whole(form):
            return
        n_faults = len(self.source.faults)
        self._check_names(path, form)
        if label_format.structure == "plain":
            self._check_positions(path, form)
        else:
            self._check_structure(path, label_format, form)
        if len(self.source.faults) == n_faults and not (form.check and form.check.by in self.faulty_rules):
            self._check_example(path, label_format, form)

    def _check_names(self, path: Path, form: Form) -> None:
        """Checks, namespaces and services that a form names."""
        if form.check and form.check.by not in self.checks:
            self.source.add(
                (*path, "check", "by"), "there is no such check", nearest(form.check.by, self.checks)
            )
        if form.key and form.key.space not in self.spaces:
            hint = nearest(form.key.space, self.spaces)
            self.source.add((*path, "key", "space"), "there is no such namespace", hint)
        if form.service and form.service.names and form.service.names not in self.services:
            hint = nearest(form.service.names, self.services)
            self.source.add((*path, "service", "names"), "there is no such table", hint)
        if form.service and not 1 <= form.service.at[1] <= SERVICE_MAX:
            self.source.add((*path, "service", "at"), f"must be 1 to {SERVICE_MAX} characters long")
        if form.issuer is not None and not self.issuers:
            self.source.add((*path, "issuer"), "needs codes in issuers")

    def _check_positions(self, path: Path, form: Form) -> None:
        """Every part lies inside the shortest label of the pattern."""
        try:
            sets, least = parse_pattern(expand(form.pattern)[0] if form.pattern else "")
        except ValueError as error:
            self.source.add((*path, "pattern"), str(error), shown="")
            return
        for key, start, n in _spans(form):
            if start < 0 or n < 0 or start + n > least or (n == 0 and key != "key"):
                message = f"must lie inside the label, positions 0 to {least - 1}"
                self.source.add((*path, key), message, shown=f"[{start}, {n}]")
            elif key == "check" and not all(_is_plain(s) for s in sets[start : start + n]):
                self.source.add((*path, key), "must check digits and letters only", shown=f"[{start}, {n}]")
        if len(expand(form.pattern)) > 1 and [key for key, start, n in _spans(form) if start or n]:
            message = "only its last part may vary, or its key must be [[0, 0]] and it has no other parts"
            self.source.add((*path, "pattern"), message)

    def _check_structure(self, path: Path, label_format: Format, form: Form) -> None:
        if form.pattern or form.key or form.number or form.issuer is not None:
            self.source.add(
                path, f"a {label_format.structure} label has no pattern, key, number and issuer", shown=""
            )
        for key, start, n in _spans(form):
            if start < 0 or n < 1 or start + n > NUMBER_LENGTH:
                message = f"must lie inside the number, positions 0 to {NUMBER_LENGTH - 1}"
                self.source.add((*path, key), message, shown=f"[{start}, {n}]")

    def _check_example(self, path: Path, label_format: Format, form: Form) -> None:
        """A person's example is the proof of what the person meant."""
        raw = form.example.encode("utf-8", "replace")
        number = _number_told(raw, label_format.structure)
        if number is None or not _fits(number, form, label_format.structure):
            self.source.add((*path, "example"), "does not fit")
            return
        rows = compile_form(label_format, form, self.joined)
        if number_verdict(rows[:1], number) == VERDICT_BAD:
            self.source.add((*path, "example"), "its check character is wrong")
        self.rows.append(rows)


def _is_whole(form: Form) -> bool:
    """Whether nothing of a kept form was wrong."""
    parts = [getattr(form, key, None) for key in ("check", "key", "service")]
    whole = known(form, *Form.model_fields) and all(
        known(part, *type(part).model_fields) for part in parts if part is not None
    )
    return whole and all(_is_span(span) for span in _written_spans(form))


def _written_spans(form: Form) -> list[object]:
    """Every [position, length] of a form, as written: an entry of a list is kept though it is wrong."""
    spans: list[object] = list(form.key.at) if form.key else []
    spans += [part.at for part in (form.check, form.service) if part]
    return spans if form.number is None else [*spans, form.number]


def _is_span(span: object) -> bool:
    return isinstance(span, list) and len(span) == 2 and all(type(number) is int for number in span)


def _both(key: str, pack: Pack, base: Pack | None) -> dict[str, Any]:
    return {**(getattr(base, key) if base else {}), **getattr(pack, key, {})}


def _spans(form: Form) -> list[tuple[str, int, int]]:
    """(key, first position, length) of every part of a form; the check character is counted with what it checks."""
    spans = [("key", start, n) for start, n in (form.key.at if form.key else ())]
    if form.check:
        spans.append(("check", form.check.at[0], form.check.at[1] + 1))
    if form.number is not None:
        spans.append(("number", form.number[0], form.number[1]))
    if form.service:
        spans.append(("service", form.service.at[0], form.service.at[1]))
    if form.issuer is not None:
        spans.append(("issuer", form.issuer, 2))
    return spans


def _is_plain(symbols: int) -> bool:
    return symbols & ~_PLAIN == 0


def _number_told(raw: bytes, structure: str) -> bytes | None:
    """What a classifier looks at: the label itself, or the number that its elements tell."""
    if structure == "plain":
        return normalise(raw)
    told = elements(raw)
    return told[1] if told and STRUCTURES[told[0]] == structure else None


def _fits(number: bytes, form: Form, structure: str) -> bool:
    if structure != "plain":
        return True
    return any(_fits_shape(number, pattern) for pattern in expand(form.pattern))


def _fits_shape(number: bytes, pattern: str) -> bool:
    sets, least = parse_pattern(pattern)
    return least <= len(number) <= len(sets) and all(
        sets[i] >> (char - 32) & 1 for i, char in enumerate(number)
    )
