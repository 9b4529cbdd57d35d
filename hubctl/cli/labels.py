"""`hubctl labels`: what a code is, and where it says it is going."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hubctl.cli.output import print_json

if TYPE_CHECKING:
    from hubctl.core.catalogue import Catalogue
    from hubctl.core.labels import LabelReading
    from hubctl.core.overlaps import Overlap

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

    table = Table("code", "format", "carrier", "check", "destination", "service", box=None)
    for code, readings in found.items():
        for i, reading in enumerate(readings):
            row = (
                "" if i else _shown(code),
                *reading[:3],
                reading.destination or "-",
                reading.service or "-",
            )
            table.add_row(*map(Text, row))
    Console(width=None if sys.stdout.isatty() else PIPED_COLUMNS).print(table)


def _print_unknown(found: dict[str, list[LabelReading]]) -> None:
    for code, readings in found.items():
        if not readings:
            typer.echo(f"{_shown(code)}: no known label format fits", err=True)
        elif not _known(readings):
            typer.echo(f"{_shown(code)}: its check character is wrong for every format that fits", err=True)


def _accepted(packs: Path | None, plan: str | None) -> tuple[list[str] | None, Catalogue]:
    """The formats to try, and where they are from."""
    from hubctl.core.catalogue import BUILT_IN, load_packs

    if plan is not None:
        from hubctl.core.plan import resolve_plan

        sort_plan = resolve_plan(plan)
        return sort_plan.labels.accept, sort_plan.catalogue
    return None, load_packs(packs) if packs else BUILT_IN


@app.command("decode")
def decode_codes(
    codes: Annotated[list[str], typer.Argument(metavar="CODE...", help="Codes as scanned, spaces and all.")],
    packs: Annotated[
        Path | None, typer.Option(help="Label packs of partners: a file, or a directory.")
    ] = None,
    plan: Annotated[str | None, typer.Option(help="Only what this sort plan accepts, in its order.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One object on standard output.")] = False,
) -> None:
    """Say which label formats a code fits, best first; exit 1 if one of the codes is no label."""
    from hubctl.core.labels import decode

    accepted, catalogue = _accepted(packs, plan)
    found = {code: decode(code, accepted, catalogue) for code in codes}
    if as_json:
        _print_json(found)
    elif any(found.values()):
        _print_table(found)
    _print_unknown(found)
    if not all(map(_known, found.values())):
        raise typer.Exit(1)


@app.command("packs")
def list_packs(
    place: Annotated[Path, typer.Argument(metavar="PLACE", help="A label pack, or a directory of them.")],
    as_json: Annotated[bool, typer.Option("--json", help="One object on standard output.")] = False,
) -> None:
    """Check label packs; list their formats, and every two formats that one label fits, with such a label."""
    from hubctl.core.catalogue import load_packs
    from hubctl.core.overlaps import overlaps

    catalogue = load_packs(place)
    found = overlaps(catalogue, list(catalogue.index))
    ours = [overlap for overlap in found if _is_brought(catalogue, overlap)]
    if as_json:
        rows = [{"pack": name, "formats": formats} for name, formats in catalogue.of_pack.items()]
        print_json({"packs": rows, "overlaps": [overlap._asdict() for overlap in ours]})
    else:
        _print_packs(catalogue, ours)


def _is_brought(catalogue: Catalogue, overlap: Overlap) -> bool:
    """Whether one of the two is of a pack that is looked at."""
    return any(catalogue.index[name] >= len(catalogue.packs[0].pack.formats) for name in overlap[:2])


def _print_packs(catalogue: Catalogue, found: list[Overlap]) -> None:
    n_formats = sum(map(len, catalogue.of_pack.values()))
    typer.echo(f"{len(catalogue.of_pack)} packs, {n_formats} formats, {len(found)} overlaps")
    for overlap in found:
        typer.echo(f"{overlap.first} and {overlap.second}: {overlap.sample} fits both")
