"""What a bad line does to a stream of bytes, by seed: it drops, delays, splits, glues, doubles, corrupts and stalls.

A `FaultStream` is one direction, bytes in and bytes out, without sockets. What befalls the n-th piece is a function
of (seed, direction, n) alone, so that one trouble taken away changes no other. Order is kept, as every line keeps it.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, fields
from typing import NamedTuple

from hubctl.sim.draw import between

MILLION = 1_000_000
NS_PER_MS = 1_000_000
NEVER_NS = 2**63 - 1
BLOCK = 256  # pieces drawn for at once
CHANCES = ("drop", "double", "corrupt", "split", "glue", "delay", "stall", "cut")


@dataclass(frozen=True)
class Troubles:
    """How often each trouble befalls a piece, a millionth each; and how long those take that take time."""

    drop: int = 0  # it is lost
    double: int = 0  # it comes twice
    corrupt: int = 0  # one of its bits is another
    split: int = 0  # it comes in two, `split_ms` apart
    glue: int = 0  # it waits for the next one, `glue_ms` at most, and both come as one
    delay: int = 0  # it comes up to `delay_ms` later, and what follows behind it
    stall: int = 0  # nothing comes through for `stall_ms`, then everything at once
    cut: int = 0  # the connection ends with it
    delay_ms: int = 50
    stall_ms: int = 500
    split_ms: int = 3
    glue_ms: int = 20

    def __post_init__(self) -> None:
        for field in fields(self):
            value, most = getattr(self, field.name), MILLION if field.name in CHANCES else 60_000
            if not 0 <= value <= most:
                raise ValueError(f"{field.name} {value}: must be 0 to {most}")


class Piece(NamedTuple):
    """Bytes that leave together, not before an instant."""

    due_ns: int
    data: bytes


class FaultStream:
    """One direction of a bad line.

    Parameters
    ----------
    troubles : Troubles
    seed : int
    direction : str
        Two directions of one line, and two lines, draw apart.

    Examples
    --------
    >>> stream = FaultStream(Troubles(double=1_000_000), seed=1, direction="there")
    >>> stream.receive(b"abc", 0)
    >>> stream.ready(0)
    [b'abc', b'abc']
    """

    def __init__(self, troubles: Troubles, *, seed: int, direction: str) -> None:
        self._troubles = troubles
        self._seed = seed
        self._direction = direction
        self._drawn: dict[str, str] = {}  # which block of each purpose
        self._draws: dict[str, list[int]] = {}
        self._waiting: deque[Piece] = deque()
        self._glued: Piece | None = None
        self._stalled_until_ns = 0
        self._n = 0
        self.is_cut = False
        self.counts = dict.fromkeys(("pieces", "bytes", *CHANCES), 0)

    def receive(self, data: bytes, now_ns: int) -> None:
        """Takes what came as one piece."""
        if self.is_cut or not data:
            return
        self.counts["pieces"] += 1
        self.counts["bytes"] += len(data)
        for piece in self._befallen(data, now_ns):
            self._put(piece)
        self._n += 1

    def ready(self, now_ns: int) -> list[bytes]:
        """What leaves by now, in order; each is a piece of its own."""
        if self._glued is not None and now_ns >= self._glued.due_ns:
            self._put(self._take_glued(b"", now_ns))
        ready = []
        while self._waiting and self._waiting[0].due_ns <= now_ns and now_ns >= self._stalled_until_ns:
            ready.append(self._waiting.popleft().data)
        return ready

    def next_deadline(self) -> int:
        """When something is ready next, ns; 2**63 - 1: only after more has come."""
        dues = [self._waiting[0].due_ns] if self._waiting else []
        dues += [self._glued.due_ns] if self._glued is not None else []
        return max(min(dues), self._stalled_until_ns) if dues else NEVER_NS

    def _befallen(self, data: bytes, now_ns: int) -> list[Piece]:
        """What becomes of a piece."""
        if self._happens("cut"):
            self.is_cut = True
            return []
        if self._happens("stall"):
            self._stalled_until_ns = now_ns + self._troubles.stall_ms * NS_PER_MS
        if self._happens("drop"):
            return []
        if self._happens("corrupt"):
            data = self._corrupted(data)
        due_ns = now_ns
        if self._happens("delay"):
            due_ns += self._draw("delay_by", 1, self._troubles.delay_ms * NS_PER_MS)
        return self._shaped(data, due_ns) * (2 if self._happens("double") else 1)

    def _shaped(self, data: bytes, due_ns: int) -> list[Piece]:
        """In one, in two, or together with the one before or behind."""
        if self._glued is not None:
            return [self._take_glued(data, due_ns)]
        if len(data) > 1 and self._happens("split"):
            at = self._draw("split_at", 1, len(data) - 1)
            later_ns = due_ns + self._troubles.split_ms * NS_PER_MS
            return [Piece(due_ns, data[:at]), Piece(later_ns, data[at:])]
        if self._happens("glue"):
            self._glued = Piece(due_ns + self._troubles.glue_ms * NS_PER_MS, data)
            return []
        return [Piece(due_ns, data)]

    def _take_glued(self, data: bytes, due_ns: int) -> Piece:
        assert self._glued is not None
        glued, self._glued = self._glued, None
        return Piece(due_ns, glued.data + data)

    def _put(self, piece: Piece) -> None:
        """Nothing overtakes what came before it."""
        last_ns = self._waiting[-1].due_ns if self._waiting else 0
        self._waiting.append(Piece(max(piece.due_ns, last_ns), piece.data))

    def _corrupted(self, data: bytes) -> bytes:
        bit = self._draw("corrupt_at", 0, 8 * len(data) - 1)
        spoilt = bytearray(data)
        spoilt[bit // 8] ^= 1 << bit % 8
        return bytes(spoilt)

    def _happens(self, trouble: str) -> bool:
        chance: int = getattr(self._troubles, trouble)
        is_so = chance > 0 and self._draw(trouble, 0, MILLION - 1) < chance
        self.counts[trouble] += is_so
        return is_so

    def _draw(self, purpose: str, low: int, high: int) -> int:
        """The draw for this piece, `low` to `high`."""
        name = f"{self._direction}:{purpose}:{self._n // BLOCK}"
        if self._drawn.get(purpose) != name:
            self._drawn[purpose] = name
            self._draws[purpose] = between(self._seed, name, BLOCK, 0, 2**31 - 1).tolist()
        return low + self._draws[purpose][self._n % BLOCK] % max(high - low + 1, 1)
