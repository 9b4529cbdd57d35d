from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

N_ROWS_MAX: int
N_NAMESPACES_MAX: int
FORM: np.dtype[np.void]

class LaneTable:
    def __init__(
        self,
        formats: npt.NDArray[np.void],
        prefixes: Sequence[tuple[str, str, int]],
        labels: npt.NDArray[np.bytes_] | None = None,
        lanes: npt.NDArray[np.int32] | None = None,
    ) -> None: ...
    def resolve(self, text: bytes) -> tuple[int, int, int, int, int]: ...
    def resolve_many(
        self, texts: npt.NDArray[np.bytes_]
    ) -> tuple[npt.NDArray[np.uint16], npt.NDArray[np.int32]]: ...
    def lane_of_key(self, namespace: str, key: str) -> int: ...
    def lanes_of_keys(self, namespace: str, keys: npt.NDArray[np.bytes_]) -> npt.NDArray[np.int32]: ...
    def fits(self, text: bytes) -> list[tuple[int, int]]: ...

def normalise(text: bytes) -> bytes | None: ...
def set_check_digits(form: npt.NDArray[np.void], texts: npt.NDArray[np.bytes_]) -> None: ...
