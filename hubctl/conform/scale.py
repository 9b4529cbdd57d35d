"""What a scale or a gauge of size must do to be what its preset says. A person loads it, unless it is a twin."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

import numpy as np

from hubctl._gauge import Gauged, GaugeReader, GaugeSaid
from hubctl.conform.checks import Check, Line
from hubctl.core.gauging import PRESETS, gauging_of
from hubctl.core.hubfile import Scale
from hubctl.core.tables import GAUGING, GaugeFormat

N_LOADS = 3
LOADED_MS = 30_000  # for a person to load it
WRONG = (GaugeSaid.MALFORMED, GaugeSaid.BAD_CHECK, GaugeSaid.HALF, GaugeSaid.OVERLONG, GaugeSaid.NOISE)
# What a make answers at any time, and what it does not know.
COMMANDS = {GaugeFormat.MT_SICS: b"I4\r\n", GaugeFormat.CUBISCAN: b"\x02T\x03\r\n"}
UNKNOWN = {GaugeFormat.MT_SICS: b"HUB\r\n", GaugeFormat.CUBISCAN: b"\x02y\x03\r\n"}
EMPTY_BETWEEN = (GaugeFormat.MT_SICS, GaugeFormat.TOLEDO)  # they speak all the time


def plain_scale(preset: str) -> Scale:
    """One that speaks as its preset says."""
    return Scale.model_validate({"name": "scale", "belt": "belt", "at_mm": 0, "preset": preset})


class Weigher:
    """Hears a scale out, as the reactor would.

    Parameters
    ----------
    line : Line
    scale : Scale
        How it speaks.
    timeout_ms : int
        For an answer to a command.
    """

    def __init__(self, line: Line, scale: Scale, timeout_ms: int = 1000) -> None:
        self.scale = scale
        self.format = PRESETS[scale.preset].format
        self.timeout_ms = timeout_ms
        self._line = line
        self._row: np.void = _row_of(self.scale)
        self._reader = GaugeReader(self._row)
        self._before: dict[GaugeSaid, int] | None = None  # what was wrong until it was understood first

    def hear(self, said: bytes, timeout_ms: int, wanted: Callable[[Gauged], bool]) -> list[Gauged]:
        """All that came until what is wanted had come, or the time was over."""
        came = self._line.exchange(said, timeout_ms, lambda data: any(map(wanted, self._said_by(data))))
        told = self._reader.receive(came, 0)
        if self._before is None and any(event.kind not in WRONG for event in told):
            self._before = self._reader.told
        return told

    def _said_by(self, data: bytes) -> list[Gauged]:
        """What bytes say to somebody who has heard nothing before."""
        return GaugeReader(self._row).receive(data, 0)

    def wrong(self) -> dict[str, int]:
        """What was no telegram of its preset, since it was understood first: a line may be joined in mid-telegram."""
        told, before = self._reader.told, self._before or {}
        since = {kind: told.get(kind, 0) - before.get(kind, 0) for kind in WRONG}
        return {kind.name.lower(): n for kind, n in since.items() if n}


def _row_of(scale: Scale) -> np.void:
    row = np.zeros(1, GAUGING)
    for key, value in gauging_of(scale).items():
        row[key] = value
    found: np.void = row[0]
    return found


def scale_checks(weigher: Weigher) -> Iterator[Check]:
    """The checks that apply to a preset, in the order in which they must be run."""
    said, own = weigher.scale.hello, PRESETS[weigher.scale.preset].hello
    hello = own if said is None else said
    if hello:
        yield Check("speaks once it is told to", partial(_hello, weigher, hello.encode("ascii")))
    if weigher.format in COMMANDS:
        yield Check("answers a command, and not as if it were a weight", partial(_answer, weigher))
        yield Check("says that it does not know a command", partial(_unknown, weigher))
    for i in range(N_LOADS):
        yield Check(f"says what load {i + 1} weighs or measures", partial(_load, weigher))
        if weigher.format in EMPTY_BETWEEN:
            yield Check(f"says that load {i + 1} is off", partial(_empty, weigher))
    yield Check("says nothing that its preset does not know", partial(_nothing_else, weigher))


def _hello(weigher: Weigher, hello: bytes) -> tuple[str, str]:
    told = weigher.hear(hello, weigher.timeout_ms, lambda event: event.kind not in WRONG)
    found = [event for event in told if event.kind not in WRONG]
    return "a telegram", "a telegram" if found else _shown(told)


def _answer(weigher: Weigher) -> tuple[str, str]:
    command = COMMANDS[weigher.format]
    told = weigher.hear(command, weigher.timeout_ms, lambda event: event.kind is GaugeSaid.ANSWER)
    found = [event for event in told if event.kind is GaugeSaid.ANSWER]
    return "an answer", "an answer" if found else _shown(told)


def _unknown(weigher: Weigher) -> tuple[str, str]:
    command = UNKNOWN[weigher.format]
    told = weigher.hear(command, weigher.timeout_ms, lambda event: event.kind is GaugeSaid.AT_FAULT)
    found = [event for event in told if event.kind is GaugeSaid.AT_FAULT]
    return "a refusal", "a refusal" if found else _shown(told)


def _load(weigher: Weigher) -> tuple[str, str]:
    told = weigher.hear(b"", LOADED_MS, lambda event: event.kind is GaugeSaid.GAUGED)
    found = [event for event in told if event.kind is GaugeSaid.GAUGED]
    return "a weight or a size", "a weight or a size" if found else _shown(told)


def _empty(weigher: Weigher) -> tuple[str, str]:
    told = weigher.hear(b"", LOADED_MS, lambda event: event.kind is GaugeSaid.NOTHING)
    found = [event for event in told if event.kind is GaugeSaid.NOTHING]
    return "that it is empty", "that it is empty" if found else _shown(told)


def _nothing_else(weigher: Weigher) -> tuple[str, str]:
    wrong = ", ".join(f"{n} {kind}" for kind, n in weigher.wrong().items())
    return "nothing else", wrong or "nothing else"


def _shown(told: list[Gauged]) -> str:
    return ", ".join(event.kind.name.lower() for event in told) or "nothing"
