"""The commands that README.md shows, for whoever runs them.

A command is a line of a block fenced as `sh` or `console` (there only lines after a `$`); a line that ends
with a backslash goes on. A comment `<!-- not run: why -->` before a block keeps it from being run, and
`<!-- stopped after 20 s: why -->` ends each of its commands as Ctrl-C would.

    python .ci/readme.py tests README.md        the command that runs the tests
    python .ci/readme.py others README.md       all others: seconds until stopped (0: never), a tab, the command
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

BLOCK = re.compile(r"^```(?P<kind>\w*)[^\n]*\n(?P<body>.*?)^```", re.MULTILINE | re.DOTALL)
NOT_RUN = re.compile(r"<!-- not run: [^>]+ -->\s*$")
STOPPED = re.compile(r"<!-- stopped after (\d+) s: [^>]+ -->\s*$")
TESTS = ".venv/bin/pytest"


class Command(NamedTuple):
    """One command for a shell."""

    line: str
    stop_s: int  # 0: it ends by itself
    runs: bool


def commands(text: str) -> Iterator[Command]:
    """Every command shown, in order."""
    for block in BLOCK.finditer(text):
        before = text[: block.start()]
        stopped = STOPPED.search(before)
        for line in lines_of(block["kind"], block["body"].replace("\\\n", " ")):
            yield Command(line, int(stopped.group(1)) if stopped else 0, not NOT_RUN.search(before))


def lines_of(kind: str, body: str) -> list[str]:
    """The commands of a block, without prompts and remarks."""
    if kind == "console":
        return [line.removeprefix("$ ").strip() for line in body.splitlines() if line.startswith("$ ")]
    if kind == "sh":
        return [line.strip() for line in body.splitlines() if line.strip() and not line.startswith("#")]
    return []


def command_that_tests(text: str) -> str:
    """The one that installs the package and runs its tests."""
    found = [command.line for command in commands(text) if command.line.endswith(TESTS)]
    if not found:
        raise SystemExit(f"README.md shows no command that ends with {TESTS}")
    return found[0]


def main(what: str, readme: str) -> None:
    """Prints what was asked for."""
    text = Path(readme).read_text(encoding="utf-8")
    if what == "tests":
        print(command_that_tests(text))
        return
    for command in commands(text):
        if command.runs and not command.line.endswith(TESTS):
            print(f"{command.stop_s}\t{command.line}")


if __name__ == "__main__":
    main(*sys.argv[1:])
