"""A belt for golden traces: parcels, eyes, scanners, paddles and chutes, a millisecond at a time.

It is slow and obvious on purpose, and has nothing in common with `hubctl.sim`. Lengths are mm, times ms.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from hubctl.core.hubfile import Chute, Diverter, Eye, Hub
from hubctl.core.layout import eyes_in_order

SLIDE_MS = 250  # from the paddle to the chute eye
REACH_MM = 250  # a parcel that is more than so much before its middle is there sooner
PASSES_MS = 200  # the chute eye stays blocked

Event = tuple[
    str, ...
]  # ("eye", name, "blocked"), ("read", scanner, text, stamp), ("confirm", chute, "blocked")


@dataclass
class Parcel:
    """One on a belt; its place is that of its leading edge."""

    name: str
    belt: str
    place_um: int
    length_mm: int
    texts: dict[str, str | None]  # by scanner: a label, "" for a no-read, None for silence
    late_ms: dict[str, int] = field(default_factory=dict)
    came_by: str = ""  # the induct eye that sees it; others see what comes in there
    triggers: dict[str, int] = field(default_factory=dict)  # by scanner: the number of its trigger


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
        self.travel_um = dict.fromkeys((belt.name for belt in hub.belts), 0)
        self.speed_mm_s = {belt.name: belt.speed_mm_s for belt in hub.belts}
        self.parcels: dict[str, Parcel] = {}
        self.landed: dict[str, str] = {}  # chutes, by parcel
        self.dead_chute_eyes: set[str] = set()
        self._eyes = {eye.name: eye for eye in eyes_in_order(hub)}
        self._chutes = {chute.name: chute for chute in hub.chutes}
        self._belts = {belt.name: belt for belt in hub.belts}
        self.n_triggers = {scanner.name: 0 for scanner in hub.scanners}
        self._blocked = dict.fromkeys(self._eyes, False)
        self._paddles = {diverter.name: Paddle() for diverter in hub.diverters}
        self._later: list[tuple[int, Event]] = []
        self._on_slides: list[tuple[int, Parcel, Chute]] = []

    def put(self, name: str, belt: str, at_mm: int, length_mm: int, texts: dict[str, str | None]) -> Parcel:
        self.parcels[name] = Parcel(name, belt, at_mm * 1000, length_mm, texts)
        return self.parcels[name]

    def stick(self, diverter: str, sticks: bool) -> None:
        self._paddles[diverter].sticks = sticks

    def write(self, chute: str, now_ms: int) -> None:
        """Its output goes on, for as long as the hub file says."""
        device = self._diverter_of(chute)
        paddle = self._paddles[device.name]
        if not paddle.sticks:
            paddle.chute = chute
            paddle.from_ms = now_ms + device.latency_ms
            paddle.until_ms = paddle.from_ms + device.hold_ms

    def _chute(self, name: str) -> Chute:
        return self._chutes[name]

    def _diverter_of(self, chute: str) -> Diverter:
        name = self._chute(chute).diverter
        return next(diverter for diverter in self.hub.diverters if diverter.name == name)

    def edges(self) -> list[Event]:
        """What the eyes tell that they have not told yet."""
        edges: list[Event] = []
        blocking = {name for parcel in self.parcels.values() for name in self._seen_by(parcel)}
        for name, eye in self._eyes.items():
            blocked = name in blocking
            if blocked != self._blocked[name]:
                edges.append(("eye", name, "blocked" if blocked else "cleared"))
                self._trigger(eye)
            self._blocked[name] = blocked
        return edges

    def _seen_by(self, parcel: Parcel) -> list[str]:
        """The eyes that it blocks; of induct eyes only the one that it came by."""
        front_mm = parcel.place_um // 1000
        back_mm = front_mm - parcel.length_mm
        return [
            name
            for name, eye in self._eyes.items()
            if back_mm < eye.at_mm <= front_mm
            and eye.belt == parcel.belt
            and (eye.role != "induct" or parcel.came_by == name)
        ]

    def _sees(self, eye: Eye, parcel: Parcel) -> bool:
        return eye.name in self._seen_by(parcel)

    def _trigger(self, eye: Eye) -> None:
        """The scanners that an eye triggers count who blocks it."""
        for scanner in self.hub.scanners:
            for parcel in self.parcels.values():
                if scanner.trigger == eye.name and self._sees(eye, parcel):
                    self.n_triggers[scanner.name] += 1
                    parcel.triggers[scanner.name] = self.n_triggers[scanner.name]

    def advance(self, now_ms: int) -> list[Event]:
        """One millisecond on: what the devices tell at `now_ms`."""
        for belt, speed_mm_s in self.speed_mm_s.items():
            self.travel_um[belt] += speed_mm_s
        for parcel in list(self.parcels.values()):
            self._move(parcel, now_ms)
        for _, parcel, chute in [slide for slide in self._on_slides if slide[0] == now_ms]:
            self._come_down(parcel, chute, 0)
        due = [event for at_ms, event in self._later if at_ms == now_ms]
        return self.edges() + due

    def _move(self, parcel: Parcel, now_ms: int) -> None:
        before_mm = parcel.place_um // 1000
        self._shift(parcel, self.speed_mm_s[parcel.belt], now_ms)
        now_mm = parcel.place_um // 1000
        half = parcel.length_mm // 2
        for diverter in self.hub.diverters:
            paddle = self._paddles[diverter.name]
            is_there = diverter.belt == parcel.belt and before_mm < diverter.at_mm + half <= now_mm
            if is_there and paddle.from_ms <= now_ms <= paddle.until_ms:
                self._divert(parcel, paddle.chute, now_ms)
                return
        self._run_to_end(parcel)

    def _shift(self, parcel: Parcel, by_um: int, now_ms: int) -> None:
        """Its label, in its middle, is read where it passes a scanner."""
        before_mm, half = parcel.place_um // 1000, parcel.length_mm // 2
        parcel.place_um += by_um
        for scanner in self.hub.scanners:
            if scanner.belt == parcel.belt and before_mm < scanner.at_mm + half <= parcel.place_um // 1000:
                self._scan(parcel, scanner.name, now_ms + scanner.latency_ms)

    def slip(self, name: str, by_mm: int, now_ms: int) -> None:
        """Forward, all at once."""
        self._shift(self.parcels[name], by_mm * 1000, now_ms)

    def _run_to_end(self, parcel: Parcel) -> None:
        belt = self._belts[parcel.belt]
        beyond_um = parcel.place_um - belt.length_mm * 1000
        end = self._chute(belt.end_chute)
        if end.to_belt is None and beyond_um > parcel.length_mm * 1000:
            del self.parcels[parcel.name]
            self.landed[parcel.name] = end.name
        elif end.to_belt is not None and beyond_um >= 0:
            self._come_down(parcel, end, beyond_um)

    def _come_down(self, parcel: Parcel, chute: Chute, beyond_um: int) -> None:
        """Onto the belt that an exit leads to, all at once."""
        assert chute.to_belt is not None
        parcel.belt = chute.to_belt
        parcel.came_by = ""
        parcel.place_um = chute.to_mm * 1000 + beyond_um
        self.parcels[parcel.name] = parcel

    def _scan(self, parcel: Parcel, scanner: str, at_ms: int) -> None:
        text = parcel.texts.get(scanner)
        if text is not None:
            event = ("read", scanner, text, self._stamp(parcel, scanner))
            self._later.append((at_ms + parcel.late_ms.get(scanner, 0), event))

    def _stamp(self, parcel: Parcel, name: str) -> str:
        """What the scanner says beside the label: belt travelled, the number of the trigger, or nothing."""
        stamp = next(scanner.stamp for scanner in self.hub.scanners if scanner.name == name)
        if stamp == "encoder":
            return str(self.travel_um[parcel.belt] // 1000)
        return str(parcel.triggers.get(name, 0)) if stamp == "trigger" else ""

    def _slide_ms(self, parcel: Parcel) -> int:
        """Of its leading edge; a loop discharges sideways, so that length makes no difference."""
        belt = self._belts[parcel.belt]
        beyond_mm = max(parcel.length_mm // 2 - REACH_MM, 0) if belt.kind == "line" else 0
        return max(SLIDE_MS - beyond_mm * 1000 // belt.speed_mm_s, 1)

    def _divert(self, parcel: Parcel, chute: str, now_ms: int) -> None:
        there_ms = now_ms + self._slide_ms(parcel)
        del self.parcels[parcel.name]
        self.landed[parcel.name] = chute
        if self._chute(chute).to_belt is not None:
            self._on_slides.append((there_ms, parcel, self._chute(chute)))
        if self._chute(chute).confirm is not None and chute not in self.dead_chute_eyes:
            self._later.append((there_ms, ("confirm", chute, "blocked")))
            self._later.append((there_ms + PASSES_MS, ("confirm", chute, "cleared")))
