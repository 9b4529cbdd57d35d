from enum import IntEnum
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

class GaugeSaid(IntEnum):
    GAUGED = 0
    NOTHING = 1
    MOVING = 2
    REPEATED = 3
    TOO_MUCH = 4
    TOO_LITTLE = 5
    AT_FAULT = 6
    ANSWER = 7
    MALFORMED = 8
    BAD_CHECK = 9
    HALF = 10
    OVERLONG = 11
    NOISE = 12

def check_gauging(gauging: np.void) -> None: ...

class Gauged(NamedTuple):
    kind: GaugeSaid
    weight_g: int | None = ...
    size_mm: tuple[int, int, int] | None = ...

class GaugeReader:
    def __init__(self, gauging: np.void | npt.NDArray[np.void]) -> None: ...
    def receive(self, data: bytes, now_ns: int) -> list[Gauged]: ...
    def next_deadline(self) -> int: ...
    @property
    def told(self) -> dict[GaugeSaid, int]: ...
