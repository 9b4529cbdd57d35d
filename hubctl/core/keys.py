"""Destination keys of a sort plan: a namespace with a prefix or a range of them, as one short text.

`zip:100` is every destination of namespace `zip` that begins with 100; `zip:100..119` is twenty such. A partner is a
label format, `partner:UPS-1Z`, or one of its services, `partner:UPS-1Z/03`; `label:1Z5R89390357567127` is one label.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

N_RANGE_MAX = 100_000
FORM = 'must be like "zip:100" or "zip:100..119"'

PARTNER, LABEL = "partner", "label"

NAMESPACE = re.compile(r"[a-z][a-z0-9-]{0,15}")
_KEY = re.compile(rf"({NAMESPACE.pattern}):([0-9A-Z/%-]{{1,56}})(?:\.\.([0-9A-Z-]{{1,56}}))?")


class Key(NamedTuple):
    """One prefix in one namespace."""

    namespace: str
    prefix: str


def parse_keys(text: str) -> list[Key]:
    """The keys that a text stands for; ValueError says what it must look like.

    >>> parse_keys("plz:08..10")
    [Key(namespace='plz', prefix='08'), Key(namespace='plz', prefix='09'), Key(namespace='plz', prefix='10')]
    """
    return list(_parsed(text))


@lru_cache(maxsize=1 << 18)
def _parsed(text: str) -> tuple[Key, ...]:
    match = _KEY.fullmatch(text)
    if match is None:
        raise ValueError(FORM)
    namespace, first, last = match.groups()
    if last is None:
        return (Key(namespace, _partner(first) if namespace == PARTNER else first),)
    return tuple(Key(namespace, prefix) for prefix in _range(first, last))


def _partner(name: str) -> str:
    """With the mark that ends a format's name, so that UPS-1Z is not the beginning of UPS-1ZX."""
    return name if "/" in name else name + "/"


def _range(first: str, last: str) -> list[str]:
    if not (first.isdigit() and last.isdigit() and len(first) == len(last)):
        raise ValueError("a range must have two ends of as many digits")
    n_keys = int(last) - int(first) + 1
    if not 2 <= n_keys <= N_RANGE_MAX:
        raise ValueError(f"a range must rise, by at most {N_RANGE_MAX}")
    return [f"{number:0{len(first)}}" for number in range(int(first), int(last) + 1)]
