"""A ring of carriers for golden traces: inductions, eyes, a scanner and chutes, a millisecond at a time.

Slow and obvious as `little_belt.py` is. A parcel lies where it was put: its middle keeps its place on the ring.
Lengths are mm, times ms; at 0 ms the middle of carrier 0 is at 0 mm, and carrier 1 follows it.
"""

from __future__ import annotations

from little_belt import Event, LittleBelt, Parcel

from hubctl.core.hubfile import Eye, Hub

FLAG_MM = 40  # what origin and carrier eyes see of a carrier, from its middle on
LEAVES_MS = 100  # a launched parcel has left its induction so long before it lies on the ring


class LittleRing(LittleBelt):
    """What is physically there."""

    def __init__(self, hub: Hub) -> None:
        super().__init__(hub)
        self.belt = hub.belts[0]
        assert self.belt.carriers is not None
        self.pitch_mm = self.belt.carriers.pitch_mm
        self.waiting: dict[str, Parcel] = {}  # by induct eye
        self.spoiled: set[int] = set()  # carriers that do not discharge
        self.stuck: set[str] = set()  # inductions that do not launch
        self.unseen: set[str] = set()  # eyes that see nothing
        self.stuck_on: set[str] = set()  # eyes that are blocked by nothing
        self._leaving: list[tuple[int, str]] = []  # when, and the induct eye
        self._landing: list[tuple[int, Parcel]] = []

    @property
    def _run_um(self) -> int:
        return self.travel_um[self.belt.name]

    def stand(self, eye: str, parcel: Parcel) -> None:
        """A parcel comes to an induction."""
        self.waiting[eye] = parcel

    def lay(self, parcel: Parcel, n_halves: int) -> None:
        """Somebody lays a parcel so many half carriers behind carrier 0."""
        parcel.place_um = -n_halves * self.pitch_mm * 500
        self.parcels[parcel.name] = parcel

    def launch(self, eye: str, due_ms: int) -> None:
        """The induction puts its parcel onto what is there at an instant."""
        if eye in self.waiting and eye not in self.stuck:
            self._leaving.append((due_ms - LEAVES_MS, eye))

    def _at_mm(self, parcel: Parcel) -> int:
        """Where its middle is on the ring."""
        return (self._run_um + parcel.place_um) // 1000 % self.belt.length_mm

    def carrier_under(self, parcel: Parcel) -> int:
        """The carrier whose middle is nearest to the parcel's."""
        behind_mm = -parcel.place_um // 1000
        return (2 * behind_mm + self.pitch_mm) // (2 * self.pitch_mm) % (self.belt.length_mm // self.pitch_mm)

    def _sees(self, eye: Eye, parcel: Parcel) -> bool:
        past_mm = (self._at_mm(parcel) + parcel.length_mm // 2 - eye.at_mm) % self.belt.length_mm
        return past_mm < parcel.length_mm

    def _is_blocked(self, eye: Eye) -> bool:
        run_mm = self._run_um // 1000
        if eye.name in self.unseen or eye.name in self.stuck_on:
            return eye.name in self.stuck_on
        if eye.role == "induct":
            return eye.name in self.waiting
        if eye.role == "origin":
            return (run_mm - eye.at_mm) % self.belt.length_mm < FLAG_MM
        if eye.role == "carrier":
            return (run_mm - eye.at_mm) % self.pitch_mm < FLAG_MM
        return any(self._sees(eye, parcel) for parcel in self.parcels.values())

    def edges(self) -> list[Event]:
        edges: list[Event] = []
        for name, eye in self._eyes.items():
            blocked = self._is_blocked(eye)
            if blocked != self._blocked[name]:
                edges.append(("eye", name, "blocked" if blocked else "cleared"))
            self._blocked[name] = blocked
        return edges

    def advance(self, now_ms: int) -> list[Event]:
        for belt, speed_mm_s in self.speed_mm_s.items():
            self.travel_um[belt] += speed_mm_s
        for parcel in list(self.parcels.values()):
            self._ride(parcel, now_ms)
        self._run_launches(now_ms)
        due = [event for at_ms, event in self._later if at_ms == now_ms]
        return self.edges() + due

    def _run_launches(self, now_ms: int) -> None:
        for _, eye in [leaving for leaving in self._leaving if leaving[0] == now_ms]:
            if eye in self.waiting:
                parcel = self.waiting.pop(eye)
                parcel.came_by = eye
                self._landing.append((now_ms + LEAVES_MS, parcel))
        for _, parcel in [landing for landing in self._landing if landing[0] == now_ms]:
            parcel.place_um = self._eyes[parcel.came_by].at_mm * 1000 - self._run_um
            self.parcels[parcel.name] = parcel

    def _ride(self, parcel: Parcel, now_ms: int) -> None:
        now_um = self._run_um + parcel.place_um
        for scanner in self.hub.scanners:
            if self._passes(now_um, scanner.at_mm):
                self._scan(parcel, scanner.name, now_ms + scanner.latency_ms)
        for diverter in self.hub.diverters:
            paddle = self._paddles[diverter.name]
            tilts = (
                paddle.from_ms <= now_ms <= paddle.until_ms and self.carrier_under(parcel) not in self.spoiled
            )
            if self._passes(now_um, diverter.at_mm) and tilts:
                self._divert(parcel, paddle.chute, now_ms)

    def _passes(self, now_um: int, at_mm: int) -> bool:
        """Whether what is at `now_um` along the ring came to a place in this millisecond."""
        return (now_um - at_mm * 1000) % (self.belt.length_mm * 1000) < self.speed_mm_s[self.belt.name]
