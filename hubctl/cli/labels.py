"""`hubctl labels`: what a code is, and where it says it is going."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from hubctl.core.labels import LabelReading

app = typer.Typer(no_args_is_help=True)

PIPED_COLUMNS = 120  # a table for a file or another program is not squeezed into a terminal's width


@app.callback()
def labels() -> None:
    """Label formats."""


def _shown(code: str) -> str:
    """The code with what a terminal should not be sent as escapes."""
    return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in code)


def _known(readings: list[LabelReading]) -> bool:
    return any(reading.check != "bad" for reading in readings)


def _print_json(found: dict[str, list[LabelReading]]) -> None:
    codes = [
        {"code": code, "readings": [reading._asdict() for reading in readings]}
        for code, readings in found.items()
    ]
    typer.echo(json.dumps({"codes": codes}))


def _print_table(found: dict[str, list[LabelReading]]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table("code", "format", "carrier", "check", "destination", box=None)
    for code, readings in found.items():
        for i, reading in enumerate(readings):
            row = ("" if i else _shown(code), *reading[:3], reading.destination or "-")
            table.add_row(*map(Text, row))
    Console(width=None if sys.stdout.isatty() else PIPED_COLUMNS).print(table)


def _print_unknown(found: dict[str, list[LabelReading]]) -> None:
    for code, readings in found.items():
        if not readings:
            typer.echo(f"{_shown(code)}: no known label format fits", err=True)
        elif not _known(readings):
            typer.echo(f"{_shown(code)}: its check character is wrong for every format that fits", err=True)


@app.command("decode")
def decode_codes(
    codes: Annotated[list[str], typer.Argument(metavar="CODE...", help="Codes as scanned, spaces and all.")],
    as_json: Annotated[bool, typer.Option("--json", help="One object on standard output.")] = False,
) -> None:
    """Say which label formats a code fits, best first; exit 1 if one of the codes is no label."""
    from hubctl.core.labels import decode

    found = {code: decode(code) for code in codes}
    if as_json:
        _print_json(found)
    elif any(found.values()):
        _print_table(found)
    _print_unknown(found)
    if not all(map(_known, found.values())):
        raise typer.Exit(1)
