"""A small slow model of choice and fire, plain and obviously right, that judges the compiled kernel."""

from __future__ import annotations

from dataclasses import dataclass

N_TRIED_MAX = 16
FULL_ON_MS, FULL_OFF_MS = 1000, 2000


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
