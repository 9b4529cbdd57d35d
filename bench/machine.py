"""What a figure was measured on, and with which command."""

from __future__ import annotations

import os
import platform
import shlex
import sys
from pathlib import Path


def machine() -> str:
    """This machine, in a line."""
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    model = models[0] if models else platform.machine()
    return f"{model}, {os.cpu_count()} CPUs, Linux {platform.release()}, Python {platform.python_version()}"


def command() -> str:
    """What was typed, more or less."""
    return shlex.join(["python", *sys.argv])
