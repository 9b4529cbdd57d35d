"""Compiles the benchmark's C programs into `bench/bin` when their source is newer."""

from __future__ import annotations

import subprocess
from pathlib import Path

SOURCES = Path(__file__).parent
BINARIES = SOURCES.parent / "bin"
C_FLAGS = ("-O2", "-Wall", "-Wextra")


def is_fresh(binary: Path) -> bool:
    """Whether no source, shared header included, is newer than the binary."""
    sources = (SOURCES / f"{binary.name}.c", SOURCES / "net.h")
    return binary.exists() and binary.stat().st_mtime_ns > max(path.stat().st_mtime_ns for path in sources)


def compiled(name: str) -> Path:
    """The program `name`, compiled with `cc`.

    Raises
    ------
    CalledProcessError
        The compiler refused it; its own words are on standard error.
    """
    binary = BINARIES / name
    if not is_fresh(binary):
        BINARIES.mkdir(exist_ok=True)
        subprocess.run(["cc", *C_FLAGS, "-o", str(binary), str(SOURCES / f"{name}.c")], check=True)
    return binary
