"""What a scanner must do to be what its preset says. A person shows it labels, unless it is a twin."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

import numpy as np

from hubctl._dialogue import ScannerDialogue
from hubctl._framer import FrameEventTold, FrameKind
from hubctl.conform.checks import Check, Line
from hubctl.core.hubfile import Scanner
from hubctl.core.presets import Preset, presets
from hubctl.core.wiring import framing_row

GOOD = (FrameKind.LABEL, FrameKind.NO_READ, FrameKind.HEARTBEAT, FrameKind.ANSWER)
READS = (FrameKind.LABEL, FrameKind.NO_READ)
N_READS = 3
SHOWN_MS = 30_000  # for a person to show a label
# By whose answers, or how packed, they are: what a scanner answers at any time.
COMMANDS = {
    "sopas": b"\x02sRN DeviceIdent\x03",
    "keyence": b"LON\r",
    "dmcc": b"||>GET DEVICE.TYPE\r\n",
    "ssi": bytes.fromhex("04 A3 04 00 FF 55"),
}


def plain_scanner(preset: str) -> Scanner:
    """One that speaks as its preset says."""
    place = {"name": "scanner", "belt": "belt", "at_mm": 0, "link": "link"}
    return Scanner.model_validate({**place, "preset": preset})


class Hearer:
    """Hears a scanner out, as the reactor would.

    Parameters
    ----------
    line : Line
    scanner : Scanner
        How it speaks.
    timeout_ms : int
        For an answer to a command.
    """

    def __init__(self, line: Line, scanner: Scanner, timeout_ms: int = 1000) -> None:
        self.preset: Preset = presets()[scanner.preset]
        self.timeout_ms = timeout_ms
        self._line = line
        self._framing: np.void = framing_row(scanner)
        self._now_ns = 0
        self._is_numbered = scanner.numbered
        self.dialogue = ScannerDialogue(self._framing, 0)

    def hear(
        self, said: bytes, timeout_ms: int, wanted: Callable[[FrameEventTold], bool]
    ) -> list[FrameEventTold]:
        """All that came until what is wanted had come, or the time was over; what is owed to the scanner is sent."""
        came = self._line.exchange(said, timeout_ms, lambda data: any(map(wanted, self._said_by(data))))
        self._now_ns += timeout_ms * 1_000_000
        told = self.dialogue.receive(came, self._now_ns)
        self._send_owed()
        return told

    def _said_by(self, data: bytes) -> list[FrameEventTold]:
        """What bytes say to somebody who has heard nothing before."""
        return ScannerDialogue(self._framing, 0).receive(data, 0)

    def greet(self) -> list[FrameEventTold]:
        """Sends the greeting; what came of it."""
        greeting = self.dialogue.to_send()
        return self.hear(greeting, self.timeout_ms, lambda event: True) if greeting else []

    def tell_number(self, number: int) -> None:
        """Of the trigger of the next parcel, to a scanner that is told."""
        if self._is_numbered:
            self.dialogue.tell_number(number)
            self._send_owed()

    def _send_owed(self) -> None:
        if owed := self.dialogue.to_send():
            self._line.exchange(owed, 1, lambda data: True)


def scanner_checks(hearer: Hearer) -> Iterator[Check]:
    """The checks that apply to a preset, in the order in which they must be run."""
    yield Check("takes the greeting", partial(_greeting, hearer))
    command = COMMANDS.get(hearer.preset.answers) or COMMANDS.get(hearer.preset.protocol)
    if command is not None:
        yield Check("answers a command, and not as if it were a label", partial(_answer, hearer, command))
    for i in range(N_READS):
        yield Check(f"says what it makes of parcel {i + 1}", partial(_read, hearer, i + 1))
    yield Check("says nothing that its preset does not know", partial(_nothing_else, hearer))


def _greeting(hearer: Hearer) -> tuple[str, str]:
    bad = [event for event in hearer.greet() if event.kind in (FrameKind.DAMAGED, FrameKind.UNPRINTABLE)]
    return "nothing damaged", "nothing damaged" if not bad else _shown(bad)


def _answer(hearer: Hearer, command: bytes) -> tuple[str, str]:
    told = hearer.hear(command, hearer.timeout_ms, lambda event: event.kind is FrameKind.ANSWER)
    found = [event for event in told if event.kind is FrameKind.ANSWER]
    return "an answer", "an answer" if found else _shown(told)


def _read(hearer: Hearer, number: int) -> tuple[str, str]:
    hearer.tell_number(number)
    told = hearer.hear(b"", SHOWN_MS, lambda event: event.kind in READS)
    found = [event for event in told if event.kind in READS]
    return "a label or a no-read", "a label or a no-read" if found else _shown(told)


def _nothing_else(hearer: Hearer) -> tuple[str, str]:
    other = {kind.name.lower(): n for kind, n in hearer.dialogue.told.items() if kind not in GOOD}
    return "nothing else", ", ".join(f"{n} {kind}" for kind, n in other.items()) or "nothing else"


def _shown(events: list[FrameEventTold]) -> str:
    return ", ".join(event.kind.name.lower() for event in events) or "nothing"
