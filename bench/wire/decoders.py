"""The decoders' throughput: `decode.pyx` is built against the installed package's declarations, and called."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from setuptools import Distribution, Extension

HERE = Path(__file__).parent
DECLARATIONS = HERE.parents[1] / "ext"
DIRECTIVES = {"language_level": "3", "boundscheck": False, "wraparound": False, "cdivision": True}
C_FLAGS = ["-O3", "-g0", "-fno-strict-aliasing"]
TELEGRAM = b"\x02420100039400111206206406260787\x03"
SEGMENT = 4096  # as much as the reactor reads at once
N_BYTES = 400_000_000
N_FRAMES = 8_000_000


def built() -> Any:
    """The module of the loops, compiled for this run."""
    from Cython.Build import cythonize

    with tempfile.TemporaryDirectory() as place:
        source = Path(place) / "decode.pyx"
        source.write_bytes((HERE / "decode.pyx").read_bytes())
        extension = Extension("decode", [str(source)], extra_compile_args=C_FLAGS)
        modules = cythonize(
            [extension], include_path=[str(DECLARATIONS)], compiler_directives=DIRECTIVES, quiet=True
        )
        made = Distribution({"ext_modules": modules})
        command = made.get_command_obj("build_ext")
        command.build_lib = command.build_temp = place
        command.ensure_finalized()
        command.run()
        sys.path.insert(0, place)
        import decode

        return decode


def rates() -> dict[str, float]:
    """Frames and bytes a second, each of the best of three."""
    module = built()
    return {
        "Modbus TCP, million frames/s": max(modbus_rate(module, False) for _ in range(3)),
        "Modbus RTU, million frames/s": max(modbus_rate(module, True) for _ in range(3)),
        "scanner telegrams, MB/s": max(framer_rate(module) for _ in range(3)),
    }


def modbus_rate(module: Any, rtu: bool) -> float:
    """Million answers a second of 16 registers each."""
    took_ns, n_taken = module.modbus_ns(rtu, N_FRAMES if rtu else N_FRAMES // 16)
    assert n_taken == N_FRAMES, f"{n_taken} of {N_FRAMES} answers were taken"
    return float(n_taken * 1000 / took_ns)


def framer_rate(module: Any, n_bytes: int = N_BYTES) -> float:
    """MB a second of telegrams between STX and ETX."""
    from hubctl.core.site import load_site
    from hubctl.core.wiring import compile_wiring

    framing = compile_wiring(load_site("station").hub).framings[:1]
    stream = TELEGRAM * (SEGMENT // len(TELEGRAM))
    n_rounds = n_bytes // len(stream)
    took_ns, n_labels = module.framer_ns(framing.view(np.uint8), np.frombuffer(stream, np.uint8), n_rounds)
    assert n_labels == n_rounds * (len(stream) // len(TELEGRAM)), "not every telegram was a label"
    return float(n_rounds * len(stream) * 1000 / took_ns)
