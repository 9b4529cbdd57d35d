from enum import IntEnum
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

class FrameKind(IntEnum):
    LABEL = 0
    NO_READ = 1
    HEARTBEAT = 2
    ANSWER = 3
    NOISE = 4
    OVERLONG = 5
    UNPRINTABLE = 6
    HALF_FRAME = 7
    EMPTY = 8
    UNSTAMPED = 9
    DAMAGED = 10
    MALFORMED = 11
    RESENT = 12

def check_framing(framing: np.void) -> None: ...

class FrameEventTold(NamedTuple):
    kind: FrameKind
    text: bytes
    stamp: int | None = ...
    made_ns: int | None = ...

class ScannerFramer:
    def __init__(self, framing: np.void | npt.NDArray[np.void]) -> None: ...
    def receive(self, data: bytes, now_ns: int) -> list[FrameEventTold]: ...
    def next_deadline(self) -> int: ...
    @property
    def told(self) -> dict[FrameKind, int]: ...
