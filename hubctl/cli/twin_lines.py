"""The ways to simulated twins for `hubctl conform`: bytes in and out, and a time that passes when it is told."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hubctl.core.hubfile import Scale, Scanner
    from hubctl.core.profile import Profile

NS_PER_MS = 1_000_000
START_NS = 1000 * NS_PER_MS
TWIN_LABEL = b"SF1234567890123"
TWIN_LOADS = ((1230, 400, 300, 200), (845, 250, 180, 120))  # g, then mm
PERIOD_MS = 100  # of whoever speaks by itself


class TwinScannerLine:
    """The way to a scanner's twin, past which a parcel comes whenever nothing is said to it."""

    def __init__(self, scanner: Scanner) -> None:
        from hubctl.sim.scanner_twins import scanner_twin

        self._twin = scanner_twin(scanner)
        stamp = "1".zfill(scanner.stamp_digits) + scanner.stamp_separator
        self._stamp = b"" if scanner.stamp == "none" else stamp.encode("ascii")
        self._now_ns = START_NS

    def exchange(self, data: bytes, timeout_ms: int, is_enough: Callable[[bytes], bool]) -> bytes:
        """What the twin answers, or says of the parcel."""
        self._now_ns += timeout_ms * NS_PER_MS
        if data:
            return self._twin.receive(data, self._now_ns)
        return self._twin.read(TWIN_LABEL, self._now_ns, made_ns=self._now_ns, stamp=self._stamp)

    def pause(self, ms: int) -> None:
        """Time passes."""
        self._now_ns += ms * NS_PER_MS


class TwinScaleLine:
    """The way to a scale's twin, onto which a parcel comes, and off again, whenever nothing is said to it."""

    def __init__(self, scale: Scale) -> None:
        from hubctl.sim.scale_twins import ScaleTwin

        self._twin = ScaleTwin(scale)
        self._now_ns = START_NS
        self._n_loads = 0

    def exchange(self, data: bytes, timeout_ms: int, is_enough: Callable[[bytes], bool]) -> bytes:
        """What the twin answers; or what it says by itself, and of the parcel if that is not enough."""
        from hubctl.sim.scale_twins import Load

        if data:
            return self._twin.receive(data, self._now_ns)
        self._now_ns += PERIOD_MS * NS_PER_MS
        came = self._twin.advance(self._now_ns)
        if came and is_enough(came):
            return came
        self._n_loads += 1
        return came + self._twin.weigh(Load(*TWIN_LOADS[self._n_loads % len(TWIN_LOADS)]))

    def pause(self, ms: int) -> None:
        """Time passes."""
        self._now_ns += ms * NS_PER_MS


class TwinWheelLine:
    """The way to the twin of a wheel diverter."""

    def __init__(self, unit: int) -> None:
        from hubctl.sim.wheel_twins import WheelsTwin

        self.turns: list[str | None] = []
        self._twin = WheelsTwin([unit], lambda unit, side: self.turns.append(side))
        self._now_ns = START_NS

    def exchange(self, data: bytes, timeout_ms: int, is_enough: Callable[[bytes], bool]) -> bytes:
        """What the twin answers, and says by itself in the time."""
        until_ns = self._now_ns + timeout_ms * NS_PER_MS
        came = self._twin.receive(data, self._now_ns)
        while not (came and is_enough(came)) and self._now_ns < until_ns:
            self._now_ns = min(max(self._twin.next_deadline(), self._now_ns), until_ns)
            came += self._twin.advance(self._now_ns)
        return came

    def pause(self, ms: int) -> None:
        """Time passes, and what is said meanwhile is not heard."""
        self.exchange(b"", ms, lambda came: False)


class TwinLine:
    """The way to the twin of a Modbus device."""

    def __init__(self, profile: Profile, *, rtu: bool) -> None:
        from hubctl.sim.device_twins import twin_of
        from hubctl.sim.modbus_twin import TwinFrames

        self._twin = twin_of(profile)
        self._frames = TwinFrames({1: self._twin}, rtu=rtu)
        self._now_ns = START_NS

    def exchange(self, data: bytes, timeout_ms: int, is_enough: Callable[[bytes], bool]) -> bytes:
        """What the twin answers; nothing comes later than at once."""
        self._now_ns += NS_PER_MS
        self._twin.advance(self._now_ns)
        return self._frames.receive(data, self._now_ns)

    def pause(self, ms: int) -> None:
        """Time passes."""
        self._now_ns += ms * NS_PER_MS
        self._twin.advance(self._now_ns)
