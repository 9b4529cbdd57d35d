import numpy as np
import numpy.typing as npt

def common_label(forms: npt.NDArray[np.void], length: int) -> bytes | None: ...
