"""What every command prints the same way: its one JSON object, and the faults of a file."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from typing import Any

import typer

from hubctl.core.config import ConfigError

EXIT_BAD_FILE = 2
JSON_OPTION = "--json"


def print_json(thing: dict[str, Any]) -> None:
    """One object on standard output."""
    typer.echo(json.dumps(thing, ensure_ascii=False))


def run(app: typer.Typer, arguments: Sequence[str]) -> None:
    """Run a command line; a wrong hub file or plan ends it with all faults and exit 2, never a traceback."""
    try:
        app(args=list(arguments), prog_name="hubctl")
    except ConfigError as error:
        _print_faults(error, as_json=JSON_OPTION in arguments)
        sys.exit(EXIT_BAD_FILE)


def _print_faults(error: ConfigError, *, as_json: bool) -> None:
    if as_json:
        print_json({"faults": [fault.as_dict() for fault in error.faults]})
        return
    for fault in error.faults:
        typer.echo(str(fault), err=True)
    typer.echo(f"{len(error.faults)} fault{'s' * (len(error.faults) != 1)}", err=True)
