"""Links that are unplugged on purpose, each at a second of the run and for so many seconds."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from hubctl.core.config import nearest

FORM = "must be LINK@SECOND:FOR, like io1@5:2"
SECONDS_MAX = 86_400


class UnplugError(Exception):
    """What is to be unplugged makes no sense; the text says why."""


class Unplug(NamedTuple):
    """One link, from a second after the first parcel on, for so long."""

    link: int
    at_s: int
    for_s: int


def parse_unplugs(texts: Iterable[str], names: Sequence[str]) -> list[Unplug]:
    """What is meant, in order of time.

    Parameters
    ----------
    texts : iterable of str
        `LINK@SECOND:FOR` each.
    names : sequence of str
        Of the hub's links.

    Raises
    ------
    UnplugError
        Another form, or no such link.

    Examples
    --------
    >>> parse_unplugs(["side@5:2", "top@3:1"], ["top", "side"])
    [Unplug(link=0, at_s=3, for_s=1), Unplug(link=1, at_s=5, for_s=2)]
    """
    return sorted((_parsed(text, names) for text in texts), key=lambda unplug: unplug.at_s)


def _parsed(text: str, names: Sequence[str]) -> Unplug:
    found = re.fullmatch(r"(.+)@(\d{1,5}):(\d{1,5})", text)
    if found is None:
        raise UnplugError(f"--unplug {text}: {FORM}")
    name, at_s, for_s = found[1], int(found[2]), int(found[3])
    if name not in names:
        raise UnplugError(f"--unplug {text}: there is no link {name}; {nearest(name, names)}")
    if not 1 <= for_s <= SECONDS_MAX or at_s > SECONDS_MAX:
        raise UnplugError(f"--unplug {text}: must be seconds up to {SECONDS_MAX}, and for 1 at least")
    return Unplug(names.index(name), at_s, for_s)
