"""The demo hub's belt as a SimPy model: what one would write by hand to try a sorter, for comparison.

A process a parcel runs past eyes, scanners and diverters; telegrams, fires, paddles, slides and the encoder are
processes too. The controller is plain Python: it expects parcels at each eye by position, places reads, looks
labels up in a dictionary and fires by the parcel's place. The parcels and their fates (sizes, labels, reads, late
telegrams, parcels taken off and put on, paddles that fail, chutes that fill) are the same as those of
`hubctl sim`. Times are seconds, places mm.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

import simpy

from hubctl.core.hubfile import Belt as BeltOfFile
from hubctl.core.hubfile import Chute, Diverter, Eye, Hub, Scanner
from hubctl.core.layout import diverters_in_order, eyes_in_order
from hubctl.core.plan import SortPlan
from hubctl.sim.traffic import Traffic

Process = Generator[simpy.Event, None, None]

SAMPLE_S = 0.020  # between two looks at the encoder
SLIDE_S = 0.25  # from the paddle to the chute eye
SLIDE_MM_S = 1500
EMPTIED_S = 20.0
UM_PER_MM = 1000
LEAD, TRAIL, SCAN, CENTRE, REMOVE, LEAVE = range(6)  # what a parcel comes to


@dataclass(slots=True)
class Track:
    """What the controller knows of a parcel."""

    origin_mm: float  # belt travel at which its leading edge was at 0 mm
    length_mm: float = 0.0
    chute: int | None = None
    fired: bool = False
    closed: str = ""  # why it is over


@dataclass(slots=True)
class Parcel:
    """A physical parcel, and what fate has in store for it."""

    start_mm: float
    length_mm: float
    label_mm: float
    put_mm: float  # below 0: inducted
    removed_mm: float  # below 0: never
    label: bytes
    lane: int
    fills_chute: bool
    reads: list[tuple[int, float]]  # by scanner: 0 no-read, 1 read, 2 doubled; delay of the telegram, s
    landed: int | None = None  # chute


@dataclass(slots=True)
class Paddle:
    """A diverter: towards which chute it stands, if it does."""

    chute: int | None = None


class Geometry(NamedTuple):
    """Places along the belt, in mm, and what belongs to what."""

    belt: BeltOfFile
    eyes: list[Eye]
    scanners: list[Scanner]
    diverters: list[Diverter]
    chutes: list[Chute]
    diverter_of_chute: list[int | None]


def geometry(hub: Hub) -> Geometry:
    """What the model needs of a hub file."""
    diverters = diverters_in_order(hub)
    index = {diverter.name: i for i, diverter in enumerate(diverters)}
    of_chute = [None if chute.diverter is None else index[chute.diverter] for chute in hub.chutes]
    return Geometry(
        hub.belts[0], eyes_in_order(hub), list(hub.scanners), diverters, list(hub.chutes), of_chute
    )


def parcels_of(traffic: Traffic) -> Iterator[Parcel]:
    """The generated traffic as objects."""
    for row, reads, label in zip(traffic.parcels, traffic.reads, traffic.labels, strict=True):
        yield Parcel(
            start_mm=row["start_um"] / UM_PER_MM,
            length_mm=row["length_um"] / UM_PER_MM,
            label_mm=row["label_um"] / UM_PER_MM,
            put_mm=row["put_um"] / UM_PER_MM,
            removed_mm=row["removed_um"] / UM_PER_MM,
            label=bytes(label),
            lane=int(row["lane"]),
            fills_chute=bool(row["fills_chute"]),
            reads=[(int(read["outcome"]), read["delay_ms"] / 1000) for read in reads],
        )


class Controller:
    """Decides by what the devices tell it."""

    def __init__(self, model: Model, chutes_of_label: dict[bytes, list[int]]) -> None:
        self.model = model
        self.chutes_of_label = chutes_of_label
        self.expected: list[deque[Track]] = [deque() for _ in model.hub.eyes]
        self.under: list[Track | None] = [None for _ in model.hub.eyes]
        self.blocked_mm = [0.0 for _ in model.hub.eyes]
        self.before_scanner: list[deque[Track]] = [deque() for _ in model.hub.scanners]
        self.full = [False for _ in model.hub.chutes]
        self.awaited: list[deque[Track]] = [deque() for _ in model.hub.chutes]
        self.counts: deque[tuple[float, float]] = deque(maxlen=16)
        self.closed: dict[str, int] = {}

    def close(self, track: Track, why: str) -> None:
        if not track.closed:
            track.closed = why
            self.closed[why] = self.closed.get(why, 0) + 1

    def sample(self, now_s: float, travel_mm: float) -> None:
        self.counts.append((now_s, travel_mm))

    def speed_mm_s(self) -> float:
        (first_s, first_mm), (last_s, last_mm) = self.counts[0], self.counts[-1]
        return (
            (last_mm - first_mm) / (last_s - first_s) if last_s > first_s else self.model.hub.belt.speed_mm_s
        )

    def blocked(self, eye: int, travel_mm: float) -> None:
        self.blocked_mm[eye] = travel_mm
        at_mm = self.model.hub.eyes[eye].at_mm
        track = Track(travel_mm - at_mm) if eye == 0 else self.match(eye, travel_mm)
        self.under[eye] = track
        if track is None:
            return
        track.origin_mm = travel_mm - at_mm
        if eye == 0:
            for queue in self.before_scanner:
                queue.append(track)
        if eye + 1 < len(self.expected):
            self.expected[eye + 1].append(track)
        else:
            self.close(track, "end")

    def match(self, eye: int, travel_mm: float) -> Track | None:
        """The track expected about here; those overdue are lost, and a stranger is nobody's."""
        at_mm, window_mm = self.model.hub.eyes[eye].at_mm, self.model.hub.eyes[eye].window_mm
        queue = self.expected[eye]
        while queue and (queue[0].closed or queue[0].origin_mm + at_mm + window_mm < travel_mm):
            late = queue.popleft()
            if not late.fired:
                self.close(late, "lost")
        if queue and queue[0].origin_mm + at_mm - window_mm <= travel_mm:
            return queue.popleft()
        return None

    def cleared(self, eye: int, travel_mm: float) -> None:
        track = self.under[eye]
        if track is not None and track.length_mm == 0.0:
            track.length_mm = travel_mm - self.blocked_mm[eye]

    def telegram(self, scanner: int, label: bytes | None, travel_mm: float) -> None:
        device = self.model.hub.scanners[scanner]
        line_mm = travel_mm - device.latency_ms / 1000 * self.speed_mm_s() - device.at_mm
        queue = self.before_scanner[scanner]
        while queue and queue[0].origin_mm + queue[0].length_mm + device.reach_mm < line_mm:
            queue.popleft()
        if label is None or not queue or queue[0].origin_mm - device.reach_mm > line_mm:
            return
        track = queue[0]
        if track.chute is None and label in self.chutes_of_label:
            self.route(track, self.chutes_of_label[label])

    def route(self, track: Track, chutes: list[int]) -> None:
        for chute in chutes:
            if not self.full[chute]:
                track.chute = chute
                self.model.env.process(self.fire_in_time(track, chute))
                return

    def fire_in_time(self, track: Track, chute: int) -> Process:
        """Waits for the parcel's place, then fires; not if that is over, or the parcel is."""
        d = self.model.hub.diverter_of_chute[chute]
        assert d is not None
        diverter = self.model.hub.diverters[d]
        lead_s = (diverter.latency_ms + diverter.hold_ms / 2) / 1000
        while True:
            place_mm = track.origin_mm + diverter.at_mm + track.length_mm / 2
            wait_s = (place_mm - self.model.travel_mm()) / self.speed_mm_s() - lead_s
            if wait_s < 1e-6:
                break
            yield self.model.env.timeout(wait_s)
        if track.closed or wait_s < -diverter.void_ms / 1000 or self.full[chute]:
            return
        track.fired = True
        self.awaited[chute].append(track)
        self.model.fire(d, chute)

    def confirmed(self, chute: int) -> None:
        if self.awaited[chute]:
            self.close(self.awaited[chute].popleft(), "sorted")


@dataclass
class Model:
    """The belt with everything along it."""

    hub: Geometry
    fire_fails: list[bool]  # by fire, used round and round
    chutes_of_label: dict[bytes, list[int]]
    env: simpy.Environment = field(default_factory=simpy.Environment)
    n_fires: int = 0

    def __post_init__(self) -> None:
        self.paddles = [Paddle() for _ in self.hub.diverters]
        self.over_eye = [0 for _ in self.hub.eyes]
        self.last_telegram_s = [0.0 for _ in self.hub.scanners]
        self.controller = Controller(self, self.chutes_of_label)

    def travel_mm(self) -> float:
        return float(self.env.now * self.hub.belt.speed_mm_s)

    def encoder(self, until_s: float) -> Process:
        while self.env.now < until_s:
            self.controller.sample(self.env.now, self.travel_mm())
            yield self.env.timeout(SAMPLE_S)

    def arrivals(self, parcels: Iterable[Parcel]) -> Process:
        for parcel in parcels:
            enter_mm = parcel.start_mm + max(parcel.put_mm, 0.0)
            yield self.env.timeout(max(enter_mm - self.travel_mm(), 0.0) / self.hub.belt.speed_mm_s)
            self.env.process(self.ride(parcel))

    def way(self, parcel: Parcel) -> list[tuple[float, int, int]]:
        """(place of the leading edge, what, device) of everything that it will come to."""
        from_mm, length_mm = max(parcel.put_mm, 0.0), parcel.length_mm
        stops = [(eye.at_mm, LEAD, i) for i, eye in enumerate(self.hub.eyes)]
        stops += [(place_mm + length_mm, TRAIL, i) for place_mm, _, i in stops]
        for i, scanner in enumerate(self.hub.scanners):
            seen_mm = parcel.label_mm if parcel.reads[i][0] else length_mm
            stops.append((scanner.at_mm + seen_mm, SCAN, i))
        stops += [(d.at_mm + length_mm / 2, CENTRE, i) for i, d in enumerate(self.hub.diverters)]
        if parcel.removed_mm > 0:
            stops.append((parcel.removed_mm, REMOVE, 0))
        stops.append((self.hub.belt.length_mm + length_mm, LEAVE, 0))
        return sorted(stop for stop in stops if stop[0] > from_mm)

    def ride(self, parcel: Parcel) -> Process:
        at_mm = max(parcel.put_mm, 0.0)
        blocks: set[int] = set()
        for place_mm, what, device in self.way(parcel):
            yield self.env.timeout((place_mm - at_mm) / self.hub.belt.speed_mm_s)
            at_mm = place_mm
            if what == LEAD:
                self.lead(device, blocks)
            elif what == TRAIL:
                self.trail(device, blocks)
            elif what == SCAN:
                self.scan(device, parcel)
            elif what != CENTRE or self.paddles[device].chute is not None:
                self.leave(parcel, what, device, blocks)
                return

    def lead(self, eye: int, blocks: set[int]) -> None:
        blocks.add(eye)
        self.over_eye[eye] += 1
        if self.over_eye[eye] == 1:
            self.controller.blocked(eye, self.travel_mm())

    def trail(self, eye: int, blocks: set[int]) -> None:
        if eye not in blocks:
            return
        blocks.discard(eye)
        self.over_eye[eye] -= 1
        if self.over_eye[eye] == 0:
            self.controller.cleared(eye, self.travel_mm())

    def scan(self, scanner: int, parcel: Parcel) -> None:
        outcome, delay_s = parcel.reads[scanner]
        for _ in range(2 if outcome == 2 else 1):
            at_s = max(self.env.now + delay_s, self.last_telegram_s[scanner])
            self.last_telegram_s[scanner] = at_s
            self.env.process(self.deliver(scanner, parcel.label if outcome else None, at_s - self.env.now))

    def deliver(self, scanner: int, label: bytes | None, delay_s: float) -> Process:
        yield self.env.timeout(delay_s)
        self.controller.telegram(scanner, label, self.travel_mm())

    def leave(self, parcel: Parcel, what: int, device: int, blocks: set[int]) -> None:
        for eye in list(blocks):
            self.trail(eye, blocks)
        if what == CENTRE:
            parcel.landed = self.paddles[device].chute
            self.env.process(self.slide(parcel))

    def slide(self, parcel: Parcel) -> Process:
        assert parcel.landed is not None
        yield self.env.timeout(SLIDE_S)
        self.controller.confirmed(parcel.landed)
        if parcel.fills_chute:
            self.controller.full[parcel.landed] = True
            yield self.env.timeout(EMPTIED_S)
            self.controller.full[parcel.landed] = False
        else:
            yield self.env.timeout(parcel.length_mm / SLIDE_MM_S)

    def fire(self, d: int, chute: int) -> None:
        fails = self.fire_fails[self.n_fires % len(self.fire_fails)]
        self.n_fires += 1
        if not fails:
            self.env.process(self.swing(d, chute))

    def swing(self, d: int, chute: int) -> Process:
        yield self.env.timeout(self.hub.diverters[d].latency_ms / 1000)
        self.paddles[d].chute = chute
        yield self.env.timeout(self.hub.diverters[d].hold_ms / 1000)
        if self.paddles[d].chute == chute:
            self.paddles[d].chute = None


class Outcome(NamedTuple):
    """What became of the parcels."""

    n_parcels: int
    n_in_right_chute: int
    n_in_wrong_chute: int


def run_model(hub: Hub, plan: SortPlan, traffic: Traffic) -> Outcome:
    """Runs the model until every parcel has left."""
    index = {chute.name: i for i, chute in enumerate(hub.chutes)}
    chains = [[index[name] for name in plan.chain_of(lane)] for lane in plan.lanes]
    parcels = list(parcels_of(traffic))
    chutes_of_label = {parcel.label: chains[parcel.lane] for parcel in parcels}
    model = Model(geometry(hub), traffic.fire_fails.tolist(), chutes_of_label)
    end_mm = parcels[-1].start_mm + 2 * model.hub.belt.length_mm
    model.env.process(model.encoder(end_mm / model.hub.belt.speed_mm_s))
    model.env.process(model.arrivals(parcels))
    model.env.run()
    landed = [parcel for parcel in parcels if parcel.landed is not None]
    right = sum(parcel.landed in chains[parcel.lane] for parcel in landed)
    return Outcome(len(parcels), right, len(landed) - right)
