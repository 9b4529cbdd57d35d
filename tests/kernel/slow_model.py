"""A small slow model of choice, windows and fire, plain and obviously right, that judges the compiled kernel."""

from __future__ import annotations

from dataclasses import dataclass, field

N_TRIED_MAX = 16
FULL_ON_MS, FULL_OFF_MS = 1000, 2000
N_RATE_PARTS = 8


@dataclass
class ChuteModel:
    """What the kernel may know of a chute: changes of its full eye, a person's word, its node."""

    levels: list[tuple[int, bool]]  # (ms, blocked), in order of time
    state: str = "OPEN"
    node_up: bool = True

    def is_full(self, now_ms: int) -> bool:
        """Full after 1,000 ms blocked, free after 2,000 ms clear, as it was in between."""
        full, level, since = False, False, -(10**9)
        for at_ms, blocked in [*self.levels, (now_ms, None)]:
            stood_ms = at_ms - since
            if level and stood_ms >= FULL_ON_MS:
                full = True
            if not level and stood_ms >= FULL_OFF_MS:
                full = False
            if blocked is not None and blocked != level:
                level, since = blocked, at_ms
        return full

    def refusal(self, now_ms: int) -> str | None:
        if self.state == "FAULT":
            return "CHUTE_FAULT"
        if self.state in ("CLOSING", "CLOSED", "DISABLED"):
            return "CHUTE_CLOSED"
        if self.is_full(now_ms):
            return "CHUTE_FULL"
        return None if self.node_up else "NODE_DOWN"


def choose(
    chain: list[str], chutes: dict[str, ChuteModel], now_ms: int
) -> tuple[list[tuple[str, str]], str, str]:
    """Skipped chutes with their reasons, and the chute taken with its reason; nobody is too late."""
    skipped: list[tuple[str, str]] = []
    for name in chain[:N_TRIED_MAX]:
        refusal = chutes[name].refusal(now_ms)
        if refusal is None:
            return skipped, name, "OK"
        skipped.append((name, refusal))
    return skipped, "END", skipped[0][1]


def fire_counts(origin: int, length: int, at: int, speed: int, latency_ms: int, hold_ms: int) -> int:
    """The middle of the paddle's time in the way falls on the parcel's middle.

    The parcel's middle is at the paddle at count `origin + at + length / 2`. The paddle is in the way from
    `latency` to `latency + hold` after the write; its middle comes `latency + hold / 2` after the write.
    """
    lead_ns = latency_ms * 1_000_000 + hold_ms * 1_000_000 // 2
    return origin + at + length // 2 - speed * lead_ns // 1_000_000_000


def window(parcels: list[tuple[int, int]], k: int, error: int, before: int, after: int) -> int:
    """How far off the k-th of some parcels (place, length) may come, on the side of an error: at most half a gap."""
    at, length = parcels[k]
    gaps = [parcels[k + 1][0] - at - length] if k + 1 < len(parcels) else []
    gaps += [at - parcels[k - 1][0] - parcels[k - 1][1]] if k > 0 else []
    return min([after if error >= 0 else before, *(gap // 2 for gap in gaps)])


@dataclass
class RoomModel:
    """A chute with limits: who is on the way to it, and what was sent to it when."""

    n_max: int = 0  # 0: no limit
    n_kept: int = 0
    again_percent: int = 100
    rate_n: int = 0
    rate_mm: int = 0
    period_ms: int = 8000
    is_open: bool = True
    is_crowded: bool = False
    going: list[int] = field(default_factory=list)  # parcels
    sent: list[tuple[int, int, int]] = field(default_factory=list)  # (part of the period, mm, parcel)

    def refusal(self, now_ms: int, priority: int, length_mm: int) -> str | None:
        kept = self.n_kept * (9 - priority) // 9
        if not self.is_open:
            return "CHUTE_CLOSED"
        if self.is_crowded or (self.n_max and len(self.going) + 1 + kept > self.n_max):
            return "CHUTE_FULL"
        recent = [mm for part, mm, _ in self.sent if self._part(now_ms) - part <= N_RATE_PARTS]
        if self.rate_n and len(recent) + 1 > self.rate_n:
            return "RATE_LIMIT"
        return "RATE_LIMIT" if self.rate_mm and sum(recent) + length_mm > self.rate_mm else None

    def take(self, now_ms: int, parcel: int, length_mm: int) -> None:
        self.going.append(parcel)
        self.sent.append((self._part(now_ms), length_mm, parcel))
        self._note_crowd()

    def lose(self, parcel: int) -> None:
        """It was taken off on the way: nothing has been sent."""
        self.going.remove(parcel)
        self.sent = [each for each in self.sent if each[2] != parcel]
        self._note_crowd()

    def _part(self, now_ms: int) -> int:
        return now_ms // (self.period_ms // N_RATE_PARTS)

    def _note_crowd(self) -> None:
        n = len(self.going)
        if self.n_max and self.is_crowded:
            self.is_crowded = n >= self.n_max or n * 100 > self.n_max * self.again_percent
        elif self.n_max:
            self.is_crowded = n + 1 > self.n_max


@dataclass
class GroupModel:
    """Chutes under a policy."""

    policy: str
    chutes: list[str]
    weights: dict[str, int] = field(default_factory=dict)
    turn: int = 0

    def in_order(self, rooms: dict[str, RoomModel], at_mm: dict[str, int]) -> list[str]:
        """In which order they are tried."""
        if self.policy == "round-robin":
            return self.chutes[self.turn :] + self.chutes[: self.turn]
        if self.policy == "nearest":
            return sorted(self.chutes, key=lambda name: at_mm[name])
        if self.policy == "first-open":
            return self.chutes
        weights = self.weights if self.policy == "balance" else {}
        return sorted(
            self.chutes, key=lambda name: len(rooms[name].going) * 1_048_576 // weights.get(name, 1)
        )

    def take(self, name: str) -> None:
        if self.policy == "round-robin":
            self.turn = (self.chutes.index(name) + 1) % len(self.chutes)


def choose_room(
    chain: list[GroupModel],
    rooms: dict[str, RoomModel],
    at_mm: dict[str, int],
    now_ms: int,
    priority: int,
    mm: int,
) -> tuple[list[tuple[str, str]], str, str]:
    """Skipped chutes with their reasons, and the chute taken with its reason, by every group of a chain in turn."""
    skipped: list[tuple[str, str]] = []
    for group in chain:
        for name in group.in_order(rooms, at_mm):
            refusal = rooms[name].refusal(now_ms, priority, mm)
            if refusal is None:
                group.take(name)
                return skipped, name, "OK"
            skipped.append((name, refusal))
    return skipped, "END", skipped[0][1]
