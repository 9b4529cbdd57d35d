"""A belt for golden traces: parcels, eyes, scanners, paddles and chutes, a millisecond at a time.

It is slow and obvious on purpose, and has nothing in common with `hubctl.sim`. Lengths are mm, times ms.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from hubctl.core.hubfile import Chute, Diverter, Hub
from hubctl.core.layout import eyes_in_order

SLIDE_MS = 250  # from the paddle to the chute eye
PASSES_MS = 200  # the chute eye stays blocked

Event = tuple[str, ...]  # ("eye", name, "blocked"), ("read", scanner, text), ("confirm", chute, "blocked")


@dataclass
class Parcel:
    """One on the belt; its place is that of its leading edge."""

    name: str
    place_um: int
    length_mm: int
    texts: dict[str, str | None]  # by scanner: a label, "" for a no-read, None for silence
    late_ms: dict[str, int] = field(default_factory=dict)

    def covers(self, at_mm: int) -> bool:
        place_mm = self.place_um // 1000
        return place_mm - self.length_mm < at_mm <= place_mm


@dataclass
class Paddle:
    """A diverter's: in the way of chute `chute` from and until an instant."""

    chute: str = ""
    from_ms: int = -1
    until_ms: int = -1
    sticks: bool = False


class LittleBelt:
    """What is physically there."""

    def __init__(self, hub: Hub) -> None:
        self.hub = hub
        self.travel_um = 0
        self.speed_mm_s = hub.belts[0].speed_mm_s
        self.parcels: dict[str, Parcel] = {}
        self.dead_chute_eyes: set[str] = set()
        self._eyes = {eye.name: eye.at_mm for eye in eyes_in_order(hub)}
        self._blocked = dict.fromkeys(self._eyes, False)
        self._paddles = {diverter.name: Paddle() for diverter in hub.diverters}
        self._later: list[tuple[int, Event]] = []

    def put(self, name: str, at_mm: int, length_mm: int, texts: dict[str, str | None]) -> Parcel:
        self.parcels[name] = Parcel(name, at_mm * 1000, length_mm, texts)
        return self.parcels[name]

    def stick(self, diverter: str) -> None:
        self._paddles[diverter].sticks = True

    def write(self, chute: str, now_ms: int) -> None:
        """Its output goes on, for as long as the hub file says."""
        device = self._diverter_of(chute)
        paddle = self._paddles[device.name]
        if not paddle.sticks:
            paddle.chute = chute
            paddle.from_ms = now_ms + device.latency_ms
            paddle.until_ms = paddle.from_ms + device.hold_ms

    def _chute(self, name: str) -> Chute:
        return next(chute for chute in self.hub.chutes if chute.name == name)

    def _diverter_of(self, chute: str) -> Diverter:
        name = self._chute(chute).diverter
        return next(diverter for diverter in self.hub.diverters if diverter.name == name)

    def edges(self) -> list[Event]:
        """What the eyes tell that they have not told yet."""
        edges: list[Event] = []
        for name, at_mm in self._eyes.items():
            blocked = any(parcel.covers(at_mm) for parcel in self.parcels.values())
            if blocked != self._blocked[name]:
                edges.append(("eye", name, "blocked" if blocked else "cleared"))
            self._blocked[name] = blocked
        return edges

    def advance(self, now_ms: int) -> list[Event]:
        """One millisecond on: what the devices tell at `now_ms`."""
        self.travel_um += self.speed_mm_s
        for parcel in list(self.parcels.values()):
            self._move(parcel, now_ms)
        due = [event for at_ms, event in self._later if at_ms == now_ms]
        return self.edges() + due

    def _move(self, parcel: Parcel, now_ms: int) -> None:
        before_mm = parcel.place_um // 1000
        parcel.place_um += self.speed_mm_s
        now_mm = parcel.place_um // 1000
        half = parcel.length_mm // 2
        for scanner in self.hub.scanners:
            if before_mm < scanner.at_mm + half <= now_mm:
                self._scan(parcel, scanner.name, now_ms + scanner.latency_ms)
        for diverter in self.hub.diverters:
            paddle = self._paddles[diverter.name]
            if before_mm < diverter.at_mm + half <= now_mm and paddle.from_ms <= now_ms <= paddle.until_ms:
                self._divert(parcel, paddle.chute, now_ms)
        if now_mm - parcel.length_mm > self.hub.belts[0].length_mm:
            self.parcels.pop(parcel.name, None)

    def _scan(self, parcel: Parcel, scanner: str, at_ms: int) -> None:
        text = parcel.texts.get(scanner)
        if text is not None:
            self._later.append((at_ms + parcel.late_ms.get(scanner, 0), ("read", scanner, text)))

    def _divert(self, parcel: Parcel, chute: str, now_ms: int) -> None:
        del self.parcels[parcel.name]
        if self._chute(chute).confirm is not None and chute not in self.dead_chute_eyes:
            self._later.append((now_ms + SLIDE_MS, ("confirm", chute, "blocked")))
            self._later.append((now_ms + SLIDE_MS + PASSES_MS, ("confirm", chute, "cleared")))
