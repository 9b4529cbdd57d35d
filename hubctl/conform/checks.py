"""Checks of a device, one by one: each has a name and tells what was expected and what came."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple, Protocol


class Line(Protocol):
    """The way to the device, with a deadline for everything."""

    def exchange(self, data: bytes, timeout_ms: int, is_enough: Callable[[bytes], bool]) -> bytes:
        """Send bytes, and return what came: as soon as it is enough, else all that came in time."""

    def pause(self, ms: int) -> None:
        """Let time pass in which nothing is said."""


class Finding(NamedTuple):
    """What one check found."""

    name: str
    passed: bool
    expected: str
    came: str

    def as_dict(self) -> dict[str, Any]:
        """For `--json`."""
        return self._asdict()


class Check(NamedTuple):
    """One thing that a device must do. `run` gives what was expected, and what came: the same text if it is right."""

    name: str
    run: Callable[[], tuple[str, str]]


class LineLostError(Exception):
    """The device cannot be reached any more."""


def findings(checks: Iterable[Check]) -> Iterator[Finding]:
    """Runs checks in order. One that fails does not keep the others from being run; a lost line does."""
    for check in checks:
        expected, came = check.run()
        yield Finding(check.name, expected == came, expected, came)
