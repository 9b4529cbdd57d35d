"""`hubctl run`: the daemon, on whatever the hub file names."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from hubctl.cli.output import print_json

if TYPE_CHECKING:
    from hubctl.daemon.control import Control
    from hubctl.daemon.outlets import Outlet, StatisticsLine
    from hubctl.daemon.service import Service

T = TypeVar("T")


def run(
    file: Annotated[str, typer.Argument(help="Hub file, or the name of an example: station.")],
    plan: Annotated[str | None, typer.Option(help="Sort plan; by default the hub file's neighbour.")] = None,
    preadvice: Annotated[
        Path | None,
        typer.Option(help="CSV or Parquet file of labels and keys that the host told beforehand."),
    ] = None,
    labels_max: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=1 << 30,
            help="Room for so many advised labels, 32 bytes each; default 1,000,000 or more.",
        ),
    ] = None,
    cpu: Annotated[int | None, typer.Option(min=0, help="Run the reactor on this CPU alone.")] = None,
    fifo: Annotated[
        int | None,
        typer.Option(
            min=1, max=99, help="Real-time priority of the reactor; this user needs the right to it."
        ),
    ] = None,
    records: Annotated[Path | None, typer.Option(help="Append every record to this file.")] = None,
    status_fd: Annotated[
        int | None, typer.Option(min=0, help="Write a JSON status line to this descriptor each 200 ms.")
    ] = None,
    control: Annotated[
        Path | None, typer.Option(help="Listen for `hubctl tell` on this Unix socket.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One final object on standard output.")] = False,
) -> None:
    """Run a hub until SIGTERM or Ctrl-C; then every coil is switched off, and the exit code is 0."""
    from hubctl.daemon.outlets import StatisticsLine
    from hubctl.daemon.run import run_service

    line = StatisticsLine(sys.stderr)
    outlets = _outlets(line, records, status_fd)
    service = _built(file, plan, preadvice, labels_max)
    operator = None if control is None else _opened("--control", lambda: _control(control, service))
    _start(service, cpu, fifo)
    status = run_service(service, line, outlets, operator)
    if as_json:
        print_json(status)


def _built(file: str, plan: str | None, preadvice: Path | None, labels_max: int | None) -> Service:
    from hubctl.core.preadvice import load_preadvice
    from hubctl.core.site import load_site
    from hubctl.daemon.service import Service

    site = load_site(file, plan)
    return Service(site, None if preadvice is None else load_preadvice(preadvice), labels_max)


def _outlets(line: StatisticsLine, records: Path | None, status_fd: int | None) -> list[Outlet]:
    from hubctl.daemon.outlets import RecordFile, StatusPipe

    outlets: list[Outlet] = [line]
    if records is not None:
        outlets.append(_opened("--records", lambda: RecordFile(records)))
    if status_fd is not None:
        outlets.append(_opened("--status-fd", lambda: StatusPipe(status_fd)))
    return outlets


def _control(path: Path, service: Service) -> Control:
    from hubctl.daemon.control import Control

    return Control(path, service.names, service.post, desk=service.desk)


def _opened(option: str, make: Callable[[], T]) -> T:
    try:
        return make()
    except OSError as failure:
        raise typer.BadParameter(f"cannot be written: {failure.strerror}", param_hint=option) from None


def _start(service: Service, cpu: int | None, fifo: int | None) -> None:
    try:
        service.start(cpu=cpu, fifo_priority=fifo)
    except PermissionError as failure:
        raise typer.BadParameter(f"priority {fifo}: {failure.strerror}", param_hint="--fifo") from None
    except OSError as failure:
        raise typer.BadParameter(f"CPU {cpu}: {failure.strerror}", param_hint="--cpu") from None
