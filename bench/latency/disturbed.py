"""Runs a Python program with a disturbance inside its process, which the program knows nothing of.

    disturbed.py busy|collections SERVING_CPU hubctl|ordinary ARGUMENT...

`busy` is a thread that always has Python to run; `collections` a thread that forces a full garbage collection
over a million live objects each 250 ms. The thread keeps off SERVING_CPU ("none": runs anywhere), so that
what is measured is the interpreter's lock and not the sharing of a processor.
"""

from __future__ import annotations

import gc
import os
import runpy
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

N_OBJECTS = 1_000_000
PERIOD_S = 0.25


def keep_off(cpu: str) -> None:
    """Moves the calling thread to the other CPUs, if there are any."""
    if cpu != "none" and (os.cpu_count() or 1) > 1:
        os.sched_setaffinity(0, set(range(os.cpu_count() or 1)) - {int(cpu)})


def stay_busy(cpu: str) -> None:
    """Runs Python for ever."""
    keep_off(cpu)
    while True:
        sum(range(1000))


def collect_for_ever(cpu: str) -> None:
    """Collects all generations over a million objects, those that the program has frozen too."""
    keep_off(cpu)
    objects = [[i] for i in range(N_OBJECTS)]
    while objects:
        gc.unfreeze()
        gc.collect()
        time.sleep(PERIOD_S)


DISTURBANCES: dict[str, Callable[[str], None]] = {"busy": stay_busy, "collections": collect_for_ever}


def run_hubctl() -> None:
    """The command line, as its console script calls it."""
    from hubctl.cli.main import main

    main()


def run_ordinary() -> None:
    """The ordinary program, as a script."""
    runpy.run_path(str(Path(__file__).with_name("ordinary.py")), run_name="__main__")


PROGRAMS = {"hubctl": run_hubctl, "ordinary": run_ordinary}


def main() -> None:
    """Starts the disturbance, then the program in this thread."""
    disturbance, cpu, program = sys.argv[1:4]
    sys.argv = [program, *sys.argv[4:]]
    threading.Thread(target=DISTURBANCES[disturbance], args=(cpu,), daemon=True).start()
    PROGRAMS[program]()


if __name__ == "__main__":
    main()
