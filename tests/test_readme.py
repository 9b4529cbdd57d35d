"""What README.md shows can be typed: its commands are found as `.ci/run` finds them, and exist."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Any

import pytest
import typer.main

from hubctl.cli.main import app

sys.path.insert(0, str(Path(__file__).parents[1] / ".ci"))

from readme import Command, command_that_tests, commands

ROOT = Path(__file__).parents[1]
FIRST = "python3 -m venv .venv && .venv/bin/pip install -e . && .venv/bin/hubctl demo"
TESTS = "python3 -m venv .venv && .venv/bin/pip install -e '.[test]' && .venv/bin/pytest"
SAMPLE = """\
```sh
one --a
# a remark
two \\
  --b
```

<!-- not run: needs a device -->
```sh
three
```

<!-- stopped after 20 s: it runs until Ctrl-C -->
```console
$ four
what it prints
```

```toml
five = 5
```
"""


def readme() -> str:
    return (ROOT / "README.md").read_text(encoding="utf-8")


def test_commands_are_found() -> None:
    assert list(commands(SAMPLE)) == [
        Command("one --a", 0, True),
        Command("two    --b", 0, True),
        Command("three", 0, False),
        Command("four", 20, True),
    ]


def test_a_readme_without_tests_is_refused() -> None:
    with pytest.raises(SystemExit, match="no command that ends with"):
        command_that_tests(SAMPLE)


def test_two_commands_are_enough() -> None:
    assert command_that_tests(readme()) == TESTS
    assert FIRST in [command.line for command in commands(readme())]


def faults(line: str) -> list[str]:
    """What a shell line asks of hubctl that it does not have."""
    found = []
    for part in line.replace("|", "&&").split("&&"):
        words = shlex.split(part, comments=True)
        if words and Path(words[0]).name == "hubctl":
            found += faults_of(typer.main.get_command(app), words[1:])
    return found


def faults_of(command: Any, words: list[str]) -> list[str]:
    """Unknown verbs and options, down to the command that is meant."""
    verbs = getattr(command, "commands", {})
    if words and verbs and not words[0].startswith("-"):
        verb = verbs.get(words[0])
        return [f"no verb {words[0]}"] if verb is None else faults_of(verb, words[1:])
    known = {option for parameter in command.params for option in parameter.opts} | {"--help"}
    options = [word.partition("=")[0] for word in words if word.startswith("--")]
    return [f"no option {option}" for option in options if option not in known]


def test_what_it_shows_exists() -> None:
    assert {c.line: faults(c.line) for c in commands(readme()) if faults(c.line)} == {}


@pytest.mark.parametrize(
    ("line", "found"),
    [
        (".venv/bin/hubctl check demo --json", []),
        ("hubctl labels decode 1Z", []),
        ("hubctl chekc demo", ["no verb chekc"]),
        ("cd x && hubctl check demo --colour=red | head", ["no option --colour"]),
    ],
)
def test_unknown_verbs_and_options_are_seen(line: str, found: list[str]) -> None:
    assert faults(line) == found
