"""Kernels with one rule broken each, for the swarm to catch: a patch of the source, built aside and run alone.

python tests/sim/broken_kernels.py SHARED_OBJECT N_SEEDS     runs seeds on a kernel until one fails; prints it
"""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
N_PARCELS = 2000

SETUP = """
from Cython.Build import cythonize
from setuptools import Extension, setup
from setup_of_hubctl import DIRECTIVES

flags = ["-O1", "-g0", "-fno-strict-aliasing", "-Wno-unreachable-code", "-w"]
kernel = Extension("hubctl._kernel", ["ext/hubctl/_kernel.pyx"], extra_compile_args=flags)
setup(ext_modules=cythonize([kernel], include_path=["ext"], compiler_directives=DIRECTIVES))
"""


class Break(NamedTuple):
    """One rule broken: a text of a source file that stands there once, and what takes its place."""

    name: str
    file: str
    sound: str
    broken: str
    n_seeds: int = 20  # in which it must be caught


BREAKS = (
    Break(
        "the match is off by one",
        "_tracking.pxd",
        "    t = s.eyes[e].expected\n    if t != NOBODY and is_in_window(s, t, e, counts):",
        "    t = s.eyes[e].expected\n    if t != NOBODY and s.tracks[t].behind != NOBODY:\n"
        "        t = s.tracks[t].behind\n    if t != NOBODY and is_in_window(s, t, e, counts):",
    ),
    Break(
        "whoever comes is the one expected",
        "_window.pxd",
        "    return (error if error >= 0 else -error) <= window_for(s, t, e, error)",
        "    return True",
    ),
    Break(
        "a window is not half the gap at most",
        "_window.pxd",
        "    return gap // 2 if gap > 0 else 0",
        "    return <int64_t>1 << 62",
    ),
    Break(
        "neighbours are not spared",
        "_schedule.pxd",
        "    if clear_counts < held:\n        clear_counts = held\n",
        "    clear_counts = -held - (<int64_t>1 << 40)\n",
    ),
    Break(
        "a fire after its void count",
        "_schedule.pxd",
        "    if s.now_ns > due_ns + diverter.void_ns:",
        "    if s.now_ns > due_ns + diverter.void_ns + 2000000000:",
    ),
    Break(
        "a confirm is given to another parcel",
        "_schedule.pxd",
        "        if 0 <= error_ns < best_ns:\n            best = t",
        "        if s.tracks[t].chute_next == NOBODY:\n            best = t",
    ),
    Break(
        "a read is given to the parcel behind",
        "_reading.pxd",
        "\n    place_read(s, t, n, input, counts, is_stamped)",
        "\n    place_read(s, s.tracks[t].behind if s.tracks[t].behind != NOBODY else t, n, input, counts, is_stamped)",
    ),
    Break(
        "a late answer is never doubted",
        "_doubt.pxd",
        "    return s.now_ns < s.scanners[n].doubt_until_ns\n",
        "    return False\n",
        n_seeds=60,  # two faults must meet: an answer that is late, and none for the parcel behind
    ),
    Break(
        "a counter wraps at 32 bits, whatever its width",
        "_motion.pxd",
        "    cdef int64_t span = <int64_t>1 << bits",
        "    cdef int64_t span = <int64_t>1 << 32",
    ),
    Break(
        "a full chute takes parcels",
        "_choice.pxd",
        "    if is_full(s, c):\n        return CHUTE_FULL",
        "    if False:\n        return CHUTE_FULL",
    ),
    Break(
        "a place kept is not given back",
        "_chutes.pxd",
        "    track.booked = NO_INDEX\n    add_load(&s.chutes[c].booked, &track.booked_load, -1)\n",
        "    track.booked = NO_INDEX\n",
    ),
    Break(
        "a plan swap mixes two plans",
        "_choice.pxd",
        "    if s.plan.version and track.plan != s.plan.version:\n        renew(s, t)\n",
        "",
    ),
    Break(
        "a node that is down is fired over",
        "_choice.pxd",
        "not s.nodes[s.chute_table[c].node].up or",
        "False and",
    ),
)


def patched(source: str, each: Break) -> str:
    """The source with its rule broken; AssertionError if the rule no longer stands there."""
    found = source.count(each.sound)
    assert found == 1, (
        f"{each.name}: its text stands {found} times in {each.file}; bring the patch up to date"
    )
    return source.replace(each.sound, each.broken)


def build(each: Break, folder: Path) -> Path:
    """The shared object of a broken kernel, made in an empty folder."""
    shutil.copytree(ROOT / "ext", folder / "ext")
    file = folder / "ext" / "hubctl" / each.file
    file.write_text(patched(file.read_text(encoding="utf-8"), each), encoding="utf-8")
    sound = (ROOT / "setup.py").read_text(encoding="utf-8").partition("extensions =")[0]
    (folder / "setup_of_hubctl.py").write_text(sound, encoding="utf-8")
    (folder / "setup.py").write_text(SETUP, encoding="utf-8")
    (folder / "hubctl").mkdir()
    _run([sys.executable, "setup.py", "-q", "build_ext", "--inplace"], folder)
    return next((folder / "hubctl").glob("_kernel*.so"))


def first_failure(shared_object: Path, n_seeds: int) -> dict[str, object]:
    """The first seed that fails on a kernel, in a process of its own; empty if none of so many does."""
    told = _run([sys.executable, __file__, str(shared_object), str(n_seeds)], ROOT)
    found: dict[str, object] = json.loads(told)
    return found


def _run(command: list[str], folder: Path) -> str:
    env = os.environ | {"PYTHONPATH": str(folder)}
    done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def _load_instead(shared_object: Path) -> None:
    """Takes a kernel in place of the installed one; everything else is as it is."""
    spec = importlib.util.spec_from_file_location("hubctl._kernel", shared_object)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["hubctl._kernel"] = module
    spec.loader.exec_module(module)


def main(shared_object: str, n_seeds: str) -> None:
    """Runs seeds on a broken kernel until one fails."""
    _load_instead(Path(shared_object))
    from hubctl.sim.swarm.case import Case, run_case

    for seed in range(int(n_seeds)):
        outcome = run_case(Case(seed, N_PARCELS))
        if outcome.bad:
            print(json.dumps({"line": outcome.case.line, "bad": outcome.bad, "error": outcome.error}))
            return
    print("{}")


if __name__ == "__main__":
    main(*sys.argv[1:])
