"""Every file keeps the house rules, and every rule bites."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from house_rules import (
    CODE,
    COMPILERS,
    MAY_IMPORT,
    ONE_MODULE_EACH,
    File,
    Rule,
    clocks_stay_above,
    compiled_imports_little,
    exceptions_are_not_swallowed,
    few_load_a_compiler,
    files_stay_short,
    functions_stay_short,
    imports_point_down,
    modules_say_what_they_are,
    no_machine_is_named,
    no_test_mocks,
    no_test_sleeps,
    nobody_rolls_dice,
    nothing_is_left_to_do,
    nothing_is_looked_up_by_name,
    one_word_per_thing,
    the_inner_rooms_open_nothing,
    the_library_does_not_print,
    whole_numbers_only,
)

ROOT = Path(__file__).parents[1]
FOLDERS = ("hubctl", "ext", "tests", "bench", "firmware_stubs", ".ci")
TEXT = CODE | {".toml", ".md", ".txt", ".sh", ""}
MADE = {"__pycache__", "bin", "build"}  # folders of what programs make

# Each rule with files that break it.
BITES: list[tuple[Rule, str, str]] = [
    (imports_point_down, "hubctl/core/a.py", "from hubctl.sim.world import World\n"),
    (imports_point_down, "hubctl/core/a.py", "def f():\n    from hubctl import daemon\n"),
    (imports_point_down, "hubctl/core/a.py", "from ..sim import world\n"),
    (imports_point_down, "hubctl/io/a.py", "import hubctl.journal\n"),
    (imports_point_down, "hubctl/sim/a.py", "import hubctl.daemon.service\n"),
    (imports_point_down, "hubctl/daemon/a.py", "from hubctl.sim import world\n"),
    (imports_point_down, "hubctl/daemon/a.py", "from hubctl.cli.output import run\n"),
    (imports_point_down, "hubctl/_a.pyi", "from hubctl.io.ports import Port\n"),
    (compiled_imports_little, "ext/hubctl/_a.pyx", "from hubctl.core.plan import SortPlan\n"),
    (compiled_imports_little, "ext/hubctl/_a.pyx", "from hubctl.core import tables, plan\n"),
    (few_load_a_compiler, "hubctl/io/a.py", "def f():\n    from numba import njit\n"),
    (few_load_a_compiler, "hubctl/core/a.py", "import llvmlite.ir\n"),
    (the_inner_rooms_open_nothing, "hubctl/core/a.py", "import socket\n"),
    (the_inner_rooms_open_nothing, "hubctl/protocol/a.py", "from asyncio import run\n"),
    (nobody_rolls_dice, "hubctl/sim/a.py", "from random import random\n"),
    (nobody_rolls_dice, "hubctl/sim/a.py", "x = np.random.default_rng()\n"),
    (nothing_is_looked_up_by_name, "hubctl/cli/a.py", "importlib.import_module(name)\n"),
    (clocks_stay_above, "hubctl/core/a.py", "import time\nnow_ns = time.monotonic_ns()\n"),
    (clocks_stay_above, "hubctl/sim/world.py", "from time import monotonic_ns\n"),
    (clocks_stay_above, "hubctl/protocol/a.py", "at = datetime.now()\n"),
    (clocks_stay_above, "ext/hubctl/_kernel.pyx", "t_ns = hub_now_ns()\n"),
    (no_test_sleeps, "tests/a.py", "time.sleep(1)\n"),
    (no_test_sleeps, "tests/a.py", "await asyncio.sleep(0.1)\n"),
    (no_test_mocks, "tests/a.py", "from unittest.mock import Mock\n"),
    (the_library_does_not_print, "hubctl/core/a.py", "print(1)\n"),
    (exceptions_are_not_swallowed, "bench/a.py", "try:\n    f()\nexcept OSError:\n    pass\n"),
    (exceptions_are_not_swallowed, "bench/a.py", "try:\n    f()\nexcept:\n    g()\n"),
    (exceptions_are_not_swallowed, "bench/a.py", "with suppress(Exception):\n    f()\n"),
    (whole_numbers_only, "ext/hubctl/_a.pxd", "cdef double x\n"),
    (whole_numbers_only, "ext/hubctl/_a.pyx", "half = length / 2\n"),
    (whole_numbers_only, "hubctl/core/a.py", "half = length * 0.5\n"),
    (whole_numbers_only, "hubctl/sim/draw.py", "x = float(y)\n"),
    (files_stay_short, "hubctl/core/a.py", "x = 1\n" * 801),
    (functions_stay_short, "hubctl/core/a.py", "def f():\n" + "    x = 1\n" * 70),
    (
        functions_stay_short,
        "ext/hubctl/_a.pyx",
        "cdef int f(int a,\n  int b):\n" + "    x = 1\n\n" * 69 + "\ny = 1\n",
    ),
    (functions_stay_short, "bench/a.c", "/* A. */\nint f(void) {\n" + "    g();\n" * 69 + "}\n"),
    (modules_say_what_they_are, "hubctl/core/a.py", "x = 1\n"),
    (modules_say_what_they_are, "ext/hubctl/_a.pxd", "cdef int x\n"),
    (modules_say_what_they_are, "bench/a.c", "int x;\n"),
    (nothing_is_left_to_do, "ext/hubctl/_a.pyx", "x = 1  # {} later\n".format("todo".upper())),
    (nothing_is_left_to_do, "README.md", "fixme\n".upper()),
    (no_machine_is_named, "hubctl/core/a.py", 'x = "/home/me/data"\n'),
    (no_machine_is_named, "README.md", "see ../shared/data\n"),
    (one_word_per_thing, "hubctl/core/a.py", "def infeed_eye(): ...\n"),
    (one_word_per_thing, "tests/a.py", "SensorState = 1\n"),
    (one_word_per_thing, "ext/hubctl/_a.pxd", '"""What a photo-eye sees."""\n'),
]

# What looks like a breach and is none.
FINE: list[tuple[Rule, str, str]] = [
    (imports_point_down, "hubctl/cli/a.py", "from hubctl.sim.world import World\n"),
    (imports_point_down, "hubctl/core/a.py", "from hubctl._lookup import LaneTable\n"),
    (imports_point_down, "hubctl/_a.pyi", "from hubctl.core.tables import Layout\n"),
    (compiled_imports_little, "ext/hubctl/_a.pyx", "from hubctl._state cimport State\n"),
    (compiled_imports_little, "ext/hubctl/_a.pyx", "from hubctl.core import tables as t\n"),
    (few_load_a_compiler, "hubctl/sim/a.py", "import numba\n"),
    (clocks_stay_above, "hubctl/core/a.py", "# time.time() is not read here\ntime_ns = 1\n"),
    (no_test_sleeps, "tests/a.py", "await asyncio.sleep(0)\n"),
    (the_library_does_not_print, "hubctl/core/a.py", "console.print(1)\nfingerprint(2)\n"),
    (exceptions_are_not_swallowed, "bench/a.py", "try:\n    f()\nexcept OSError:\n    return None\n"),
    (whole_numbers_only, "ext/hubctl/_a.pyx", '"""A path a/b, 1.5 mm."""\nx = a // b\n'),
    (functions_stay_short, "hubctl/core/a.py", "def f():\n" + "    x = 1\n" * 69),
    (
        functions_stay_short,
        "ext/hubctl/_a.pyx",
        "def f():\n" + "    x = 1\n" * 69 + "\ndef g():\n    x = 1\n",
    ),
    (no_machine_is_named, "hubctl/core/a.py", 'x = "frames/work/unit"\n'),
    (one_word_per_thing, "hubctl/core/a.py", '"""What no sensor can tell."""\n'),
]

RULES = list(dict.fromkeys(rule for rule, _, _ in BITES))


def house() -> list[File]:
    """Every file that people wrote."""
    places = [path for folder in FOLDERS for path in (ROOT / folder).rglob("*")]
    places += [path for path in ROOT.glob("*") if path.suffix in {".py", ".toml", ".md"}]
    return [
        File(path.relative_to(ROOT).as_posix(), path.read_text(encoding="utf-8"))
        for path in sorted(places)
        if path.is_file() and path.suffix in TEXT and not MADE & set(path.relative_to(ROOT).parts)
    ]


HOUSE = house()


def named(value: object) -> str:
    """A case's name in the report of a test run."""
    return value.__name__ if callable(value) else str(value).splitlines()[0][:40]


def breaches(rule: Rule, file: File) -> list[str]:
    return [f"{file.place}:{breach}" for breach in rule(file)]


@pytest.mark.parametrize("rule", RULES, ids=named)
def test_the_house_keeps(rule: Rule) -> None:
    found = [breach for file in HOUSE for breach in breaches(rule, file)]
    assert not found, "\n".join([str(rule.__doc__), *found])


@pytest.mark.parametrize(("rule", "place", "text"), BITES, ids=named)
def test_bites(rule: Rule, place: str, text: str) -> None:
    assert breaches(rule, File(place, text))


@pytest.mark.parametrize(("rule", "place", "text"), FINE, ids=named)
def test_lets_pass(rule: Rule, place: str, text: str) -> None:
    assert not breaches(rule, File(place, text))


def test_the_whole_house_was_seen() -> None:
    seen = Counter(file.kind for file in HOUSE)
    assert seen[".py"] > 50
    assert seen[".pyx"] > 5
    assert "ext/hubctl/_kernel.pyx" in {file.place for file in HOUSE}


def test_every_room_has_its_floor() -> None:
    rooms = {path.parent.name for path in (ROOT / "hubctl").glob("*/__init__.py")}
    assert rooms <= MAY_IMPORT.keys()


def importers(library: str, files: list[File]) -> list[str]:
    """The modules of the package that import a library."""
    modules = [file for file in files if file.place.startswith("hubctl/")]
    return [file.place for file in modules if library in {name.split(".")[0] for _, name in file.imports}]


@pytest.mark.parametrize("library", ONE_MODULE_EACH)
def test_one_module_meets_the_library(library: str) -> None:
    assert len(importers(library, HOUSE)) == 1


def test_a_second_module_would_be_found() -> None:
    second = File("hubctl/io/second.py", "def f():\n    import serial.tools\n")
    assert len(importers("serial", [*HOUSE, second])) == 2


def test_test_modules_have_names_of_their_own() -> None:
    names = Counter(Path(file.place).name for file in HOUSE if Path(file.place).name.startswith("test_"))
    assert [name for name, n in names.items() if n > 1] == []


def loaded_by(*modules: str) -> set[str]:
    """The top-level libraries that a fresh process has loaded after importing modules."""
    program = f"import sys, {', '.join(modules)}\nprint(*sys.modules)"
    command = [sys.executable, "-c", program]
    shown = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return {name.split(".")[0] for name in shown.split()}


def daemon_modules() -> list[str]:
    places = [file.place for file in HOUSE if file.place.startswith("hubctl/daemon/")]
    return [place.removesuffix(".py").removesuffix("/__init__").replace("/", ".") for place in places]


def test_the_daemon_loads_no_compiler_and_no_second_master() -> None:
    loaded = loaded_by(*daemon_modules(), "hubctl.cli.main", "hubctl.cli.run")
    assert not loaded & {*COMPILERS, "pymodbus"}


def test_a_loaded_compiler_would_be_seen() -> None:
    assert "numba" in loaded_by("hubctl.sim.virtual")
