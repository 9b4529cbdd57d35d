"""The house rules: what may import what, how long things get, which words and clocks are used where.

A rule is a function from a file to its breaches, each told as "line: what". `test_tidy.py` holds every file to
them, and holds them to bad samples, so that none falls asleep.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator
from fnmatch import fnmatch
from functools import cached_property
from pathlib import Path

CODE = {".py", ".pyx", ".pxd", ".pyi", ".c", ".h"}
CYTHON = {".pyx", ".pxd"}

N_LINES_MAX = 800
N_FUNCTION_LINES_MAX = 70

# Which rooms each room may import, itself included; compiled modules and third parties are open to all.
MAY_IMPORT = {
    "core": {"core"},
    "protocol": {"core", "protocol"},
    "io": {"core", "protocol", "io"},
    "journal": {"core", "protocol", "journal"},
    "sim": {"core", "protocol", "io", "journal", "sim"},
    "daemon": {"core", "protocol", "io", "journal", "daemon"},
    "conform": {"core", "protocol", "conform"},
    "cli": {"core", "protocol", "io", "journal", "conform", "sim", "daemon", "cli"},
    "hubs": set(),
    "profiles": set(),
    "": set(),
}
COMPILED_MAY_IMPORT = {"hubctl.core.events", "hubctl.core.tables"}  # the shared record and tables
COMPILERS = {"numba", "llvmlite"}
MAY_COMPILE = ("hubctl/sim/*", "hubctl/core/assign.py", "hubctl/core/planner.py")
ONE_MODULE_EACH = ("pymodbus", "serial")
MAY_READ_CLOCK = (
    *("hubctl/daemon/*", "hubctl/cli/*", "hubctl/io/*", "hubctl/sim/live*", "hubctl/sim/plant.py"),
    *("hubctl/sim/virtual.py", "ext/hubctl/_system.pxd", "ext/hubctl/_reactor.pyx", "ext/hubctl/_loop.p*"),
    *("bench/*", "tests/*", ".ci/*", "firmware_stubs/body_*"),
)
NEVER_OPENS = ("hubctl/core/*", "hubctl/protocol/*", "hubctl/journal/*", "hubctl/conform/*")
OPENERS = {"asyncio", "select", "selectors", "socket", "socketserver", "ssl", "subprocess"}
DICE = {"random", "secrets", "uuid"}
WHOLE_NUMBERS = ("hubctl/core/*", "hubctl/sim/world.py", "hubctl/sim/draw.py", "hubctl/sim/faults.py")
MAY_HAVE_FRACTIONS = (
    "ext/hubctl/_reactor.pyx",  # a person gives its deadline in seconds
    "hubctl/core/config.py",  # how alike two names are
    "hubctl/core/planbound.py",  # what a solver is told, and answers
)
OUTPUT_IS_THE_JOB = ("hubctl/sim/live.py",)  # a program of its own, that answers on standard output

STRINGS = re.compile(
    r"'''.*?'''|\"\"\".*?\"\"\"|'(?:\\.|[^'\\\n])*'|\"(?:\\.|[^\"\\\n])*\"|#[^\n]*", re.DOTALL
)
CLOCKS = re.compile(
    r"\btime\.(time|monotonic|perf_counter|process_time|thread_time|clock_gettime|sleep)|from time import"
    r"|\b(datetime|date)\.(now|utcnow|today)\b|\bclock_gettime\b|\bhub_now_ns\b"
)
UNDONE = re.compile("|".join(rf"\b{word.upper()}\b" for word in ("todo", "fixme", "xxx")))
MACHINE = re.compile(r"(?<![\w.])/(?:work|root|home|tmp)/|\.\./shared")
SYNONYMS = re.compile(r"\w*(?:infeed|sensor|photo_?eye|lane_exit)\w*", re.IGNORECASE)
PROSE_SYNONYMS = re.compile(r"\b(?:infeed|photo-?eyes?|lane exit)\b", re.IGNORECASE)
CYTHON_FUNCTION = re.compile(r"^( *)(?:cdef|cpdef|def)\b[^=\n]*\(")


class File:
    """A file of the house: its place from the root, and what it says."""

    def __init__(self, place: str, text: str) -> None:
        self.place = place
        self.text = text
        self.kind = Path(place).suffix

    @cached_property
    def tree(self) -> ast.Module:
        """The parsed text; nothing for what is not Python."""
        return ast.parse(self.text if self.kind in {".py", ".pyi"} else "")

    @cached_property
    def code(self) -> str:
        """The text without strings and comments, line for line."""
        return STRINGS.sub(lambda match: "\n" * match.group().count("\n"), self.text)

    @cached_property
    def imports(self) -> list[tuple[int, str]]:
        """Line and dotted name of everything imported, inside functions too."""
        return list(python_imports(self.tree)) + list(cython_imports(self))

    def is_in(self, places: tuple[str, ...]) -> bool:
        """Whether one of the patterns fits its place."""
        return any(fnmatch(self.place, place) for place in places)

    def lines_with(self, pattern: re.Pattern[str], text: str) -> Iterator[str]:
        """A breach for each line of a text in which a pattern is found."""
        for number, line in enumerate(text.splitlines(), 1):
            if found := pattern.search(line):
                yield f"{number}: {found.group()}"


Rule = Callable[[File], Iterator[str]]


def python_imports(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Of `from a import b` both `a` and `a.b`, since `b` may be a module."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = "." * node.level + (node.module or "")
            yield node.lineno, base
            yield from ((node.lineno, f"{base}.{alias.name}") for alias in node.names)


def cython_imports(file: File) -> Iterator[tuple[int, str]]:
    """Modules; of `from hubctl.room import a` it is `a` that is the module."""
    if file.kind not in CYTHON:
        return
    for number, line in enumerate(file.code.splitlines(), 1):
        if found := re.match(r"\s*from +(hubctl\.\w+) +import +(.+)", line):
            names = found.group(2).strip("()").split(",")
            yield from ((number, f"{found.group(1)}.{name.split()[0]}") for name in names if name.strip())
        elif found := re.match(r"\s*(?:from|c?import) +([\w.]+)", line):
            yield number, found.group(1)


def room_of(module: str) -> str | None:
    """The room of `hubctl.room.module`; None for what is open to all."""
    parts = module.split(".")
    if parts[0] != "hubctl" or len(parts) < 2 or parts[1].startswith("_"):
        return None
    return parts[1] if parts[1] in MAY_IMPORT else None


# The rules


def imports_point_down(file: File) -> Iterator[str]:
    """Each room imports itself and what lies below; the simulated hub and the daemon never meet."""
    parts = file.place.split("/")
    if parts[0] != "hubctl" or file.kind not in {".py", ".pyi"}:
        return
    compiled = file.kind == ".pyi" and len(parts) == 2
    allowed = {"core"} if compiled else MAY_IMPORT[parts[1] if len(parts) > 2 else ""]
    for line, module in file.imports:
        room = room_of(module)
        if module.startswith(".") or (room is not None and room not in allowed):
            yield f"{line}: imports {module}"


def compiled_imports_little(file: File) -> Iterator[str]:
    """Of the package's Python, compiled modules know the shared record and tables only."""
    if file.kind not in CYTHON:
        return
    for line, module in file.imports:
        if room_of(module) is not None and module not in COMPILED_MAY_IMPORT:
            yield f"{line}: imports {module}"


def few_load_a_compiler(file: File) -> Iterator[str]:
    """Numba is for the simulated hub, batch assignment and the planner."""
    if not file.place.startswith("hubctl/") or file.is_in(MAY_COMPILE):
        return
    yield from (f"{line}: imports {name}" for line, name in file.imports if name.split(".")[0] in COMPILERS)


def the_inner_rooms_open_nothing(file: File) -> Iterator[str]:
    """No socket, pipe or process below the daemon, but in `io`."""
    if file.is_in(NEVER_OPENS):
        yield from (f"{line}: imports {name}" for line, name in file.imports if name.split(".")[0] in OPENERS)


def nobody_rolls_dice(file: File) -> Iterator[str]:
    """Draws are functions of a seed, made by `sim/draw.py`."""
    if not file.place.startswith(("hubctl/", "ext/")):
        return
    yield from (f"{line}: imports {name}" for line, name in file.imports if name.split(".")[0] in DICE)
    yield from file.lines_with(re.compile(r"\b(?:np|numpy)\.random\b|\burandom\b"), file.code)


def nothing_is_looked_up_by_name(file: File) -> Iterator[str]:
    """Objects meet by argument: no module is found by a string."""
    if file.place.startswith("hubctl/"):
        pattern = r"\bimport_module\b|__import__|\bentry_points\b|\bglobals\(\)"
        yield from file.lines_with(re.compile(pattern), file.code)


def clocks_stay_above(file: File) -> Iterator[str]:
    """Below the daemon time is an argument."""
    if not file.is_in(MAY_READ_CLOCK):
        yield from file.lines_with(CLOCKS, file.code)


def no_test_sleeps(file: File) -> Iterator[str]:
    """A test waits for something, never for a while."""
    if file.place.startswith("tests/"):
        yield from file.lines_with(re.compile(r"\bsleep\((?!0\))"), file.code)


def no_test_mocks(file: File) -> Iterator[str]:
    """Fakes that pass the tests of the real thing, not mocks of our own code."""
    if file.place.startswith("tests/"):
        yield from (f"{line}: imports {name}" for line, name in file.imports if "mock" in name.split("."))


def the_library_does_not_print(file: File) -> Iterator[str]:
    """Only the command line and programs of their own write to standard output."""
    if file.place.startswith("hubctl/") and not file.is_in(("hubctl/cli/*", *OUTPUT_IS_THE_JOB)):
        yield from file.lines_with(re.compile(r"(?<![\w.])print\("), file.code)


def exceptions_are_not_swallowed(file: File) -> Iterator[str]:
    """Whoever catches something does something about it, and says what it catches."""
    for node in ast.walk(file.tree):
        if isinstance(node, ast.ExceptHandler) and does_nothing(node.body):
            yield f"{node.lineno}: swallows what it catches"
        elif isinstance(node, ast.ExceptHandler) and node.type is None:
            yield f"{node.lineno}: catches everything"
    yield from file.lines_with(re.compile(r"\bsuppress\((?:Base)?Exception\)"), file.code)


def does_nothing(body: list[ast.stmt]) -> bool:
    return all(
        isinstance(statement, ast.Pass)
        or (isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant))
        for statement in body
    )


def whole_numbers_only(file: File) -> Iterator[str]:
    """Time, counts, length and weight are integers; in compiled code `/` would make a fraction."""
    if file.is_in(MAY_HAVE_FRACTIONS):
        return
    if file.kind in CYTHON:
        yield from file.lines_with(re.compile(r"\b(?:double|float)\b|(?<!/)/(?![/=])"), file.code)
    if file.is_in(WHOLE_NUMBERS):
        yield from python_fractions(file.tree)


def python_fractions(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, float):
            yield f"{node.lineno}: {node.value}"
        elif isinstance(node, ast.Name) and node.id == "float":
            yield f"{node.lineno}: float"


def files_stay_short(file: File) -> Iterator[str]:
    """A file past the limit holds two ideas."""
    n_lines = file.text.count("\n")
    if file.kind in CODE and n_lines > N_LINES_MAX:
        yield f"1: {n_lines} lines"


def functions_stay_short(file: File) -> Iterator[str]:
    """A function past the limit does two things."""
    for line, n_lines in function_lengths(file):
        if n_lines > N_FUNCTION_LINES_MAX:
            yield f"{line}: a function of {n_lines} lines"


def function_lengths(file: File) -> Iterator[tuple[int, int]]:
    """First line and number of lines of each function."""
    if file.kind in CYTHON:
        yield from cython_lengths(file.code.splitlines())
    elif file.kind in {".c", ".h"}:
        yield from c_lengths(file.text.splitlines())
    for node in ast.walk(file.tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert node.end_lineno is not None
            yield node.lineno, node.end_lineno - node.lineno + 1


def cython_lengths(lines: list[str]) -> Iterator[tuple[int, int]]:
    """From the head to the last line that is further in."""
    for first, line in enumerate(lines):
        if not (head := CYTHON_FUNCTION.match(line)):
            continue
        last = first
        for at in range(first + 1, len(lines)):
            indent = len(lines[at]) - len(lines[at].lstrip())
            if lines[at].strip() and indent <= len(head.group(1)) and not lines[at].lstrip().startswith(")"):
                break
            last = at if lines[at].strip() else last
        yield first + 1, last - first + 1


def c_lengths(lines: list[str]) -> Iterator[tuple[int, int]]:
    """From the line before a brace at the left edge, or the head that ends with one, to the brace that closes."""
    first = 0
    for at, line in enumerate(lines):
        if line == "{":
            first = at - 1
        elif line.endswith("{") and not line.startswith((" ", "\t")):
            first = at
        elif line.startswith("}"):
            yield first + 1, at - first + 1


def modules_say_what_they_are(file: File) -> Iterator[str]:
    """A module opens with a sentence."""
    if file.kind == ".py" and not ast.get_docstring(file.tree):
        yield "1: no docstring"
    if file.kind in CYTHON and file.text and not file.text.startswith('"""'):
        yield "1: no docstring"
    if file.kind in {".c", ".h"} and not file.text.startswith(("/*", "//")):
        yield "1: no opening comment"


def nothing_is_left_to_do(file: File) -> Iterator[str]:
    """What is to be done stands in the tracker, not in the code."""
    yield from file.lines_with(UNDONE, file.text)


def no_machine_is_named(file: File) -> Iterator[str]:
    """Nothing in the package knows where it was written."""
    if not file.place.startswith("tests/"):
        yield from file.lines_with(MACHINE, file.text)


def one_word_per_thing(file: File) -> Iterator[str]:
    """Induct, eye and chute have no second names."""
    if file.kind in CODE:
        yield from file.lines_with(SYNONYMS, file.code)
    if file.kind in CODE and not file.place.startswith("tests/"):
        yield from file.lines_with(PROSE_SYNONYMS, file.text)
