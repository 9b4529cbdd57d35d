"""The firmware as built: small, without floating point or allocation, and nothing found by those who look."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from built import FIRMWARE, built

FLASH_BYTES_MAX = 16 * 1024
RAM_BYTES_MAX = 4 * 1024
NM = "arm-none-eabi-nm"
SIZE = "arm-none-eabi-size"


def told_by(program: str, package: str, *words: str | Path) -> str:
    """What a program prints; skips where there is none."""
    if shutil.which(program) is None:
        pytest.skip(f"needs {program} (Debian: {package})")
    done = subprocess.run([program, *words], cwd=FIRMWARE, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_image_is_small() -> None:
    text, data, bss, *_ = (
        told_by(SIZE, "binutils-arm-none-eabi", built("node_lm3s.elf")).splitlines()[1].split()
    )
    assert int(text) + int(data) < FLASH_BYTES_MAX
    assert int(data) + int(bss) < RAM_BYTES_MAX


def test_the_image_needs_no_library() -> None:
    """Of gcc's helpers only those that divide whole numbers; a soft float would bring its own."""
    shown = told_by(NM, "binutils-arm-none-eabi", "--defined-only", built("node_lm3s.elf"))
    names = {line.split()[-1] for line in shown.splitlines()}
    helpers = {name for name in names if name.startswith("__aeabi_")}
    assert all("div" in name for name in helpers)
    assert not names & {"malloc", "free", "printf"}


def test_cppcheck_finds_nothing() -> None:
    if shutil.which("cppcheck") is None:
        pytest.skip("needs cppcheck (Debian: cppcheck)")
    assert "--error-exitcode=1" in told_by("make", "make", "check")  # quiet, and an error if there is one


@pytest.mark.parametrize("seed", [1, 20261122])
def test_drawn_inputs_find_nothing_under_the_sanitizers(seed: int) -> None:
    assert "no finding" in told_by(str(built("node_fuzz")), "gcc", "100000", str(seed))


def test_the_fuzzer_is_a_function_of_its_seed() -> None:
    runs = [told_by(str(built("node_fuzz")), "gcc", "20000", "5") for _ in range(2)]
    assert runs[0] == runs[1]


def test_what_is_missing_is_said() -> None:
    shown = told_by("make", "make", "-n", "ARM=no-such-compiler", "all")
    assert "left out: node_lm3s.elf, for want of no-such-compiler" in shown
