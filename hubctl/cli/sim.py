"""`hubctl sim`: a hub in virtual time, the kernel in the loop, as fast as the machine allows."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hubctl.cli.output import print_json
from hubctl.cli.traffic_options import ArrivalsFile, Day, FaultSettings, MoreFaults, Rate, Seed, SiteName

if TYPE_CHECKING:
    from hubctl.core.site import Site
    from hubctl.sim.arrivals import Arrivals
    from hubctl.sim.faults import Faults

EXIT_FAILED = 1
N_PARCELS = 10_000
MUST_BE_0 = ("wrong_chute", "wrong_action", "unaccounted", "misreported", "invariants_broken")


def sim(
    file: Annotated[str, typer.Argument(help="Hub file, or the name of an example: demo.")],
    more: MoreFaults = None,
    plan: Annotated[str | None, typer.Option(help="Sort plan; by default the hub file's neighbour.")] = None,
    parcels: Annotated[
        int | None, typer.Option(min=1, max=10_000_000, help="Default 10,000; with --arrivals the whole day.")
    ] = None,
    rate: Rate = 12_000,
    seed: Seed = 1,
    faults: FaultSettings = None,
    arrivals: ArrivalsFile = None,
    site: SiteName = None,
    date: Day = None,
    closed: Annotated[
        int | None, typer.Option(min=2, help="Every so many-th chute is closed from the start.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One object on standard output.")] = False,
) -> None:
    """Run a hub in virtual time; exit 1 if a parcel went wrong. The same seed gives the same bytes."""
    from hubctl.core.site import load_site

    chances = parsed_faults([*(faults or []), *(more or [])])
    volumes = _arrivals(arrivals, site, date)
    n = parcels if parcels is not None or volumes is not None else N_PARCELS
    verdict = _run(load_site(file, plan), n, rate, seed, chances, volumes, closed)
    if as_json:
        print_json(verdict)
    else:
        _print_summary(verdict)
    if not all(verdict[key] == 0 for key in MUST_BE_0):
        raise typer.Exit(EXIT_FAILED)


def parsed_faults(settings: list[str]) -> Faults:
    """The chances that settings like no_read=0.05 say."""
    from hubctl.sim.faults import FaultError, Faults, parse_faults

    try:
        return parse_faults(settings, Faults())
    except FaultError as error:
        raise typer.BadParameter(str(error)) from None


def _arrivals(file: Path | None, site: str | None, date: datetime | None) -> Arrivals | None:
    from hubctl.sim.arrivals import ArrivalsError, load_arrivals

    if file is None and site is None and date is None:
        return None
    if file is None or site is None or date is None:
        raise typer.BadParameter("go together", param_hint="--arrivals, --site and --date")
    try:
        return load_arrivals(file, site, date.date())
    except ArrivalsError as error:
        raise typer.BadParameter(str(error)) from None


def _run(
    site: Site,
    n: int | None,
    rate: int,
    seed: int,
    faults: Faults,
    arrivals: Arrivals | None,
    closed_every: int | None,
) -> dict[str, Any]:
    from hubctl.sim.traffic import TrafficError, make_traffic
    from hubctl.sim.virtual import Virtual, compiled_loop

    if site.plan is None:
        raise typer.BadParameter("no plan lies beside the hub file; name one", param_hint="--plan")
    try:
        traffic = make_traffic(
            site.hub, site.plan, seed=seed, n=n, parcels_per_hour=rate, faults=faults, arrivals=arrivals
        )
    except TrafficError as error:
        raise typer.BadParameter(str(error)) from None
    with progress_bar(len(traffic.parcels)) as (say, advance):
        say("compiling (once on a machine, about 20 s)")
        compiled_loop()
        say("running")
        closed = range(closed_every - 1, len(site.hub.chutes), closed_every) if closed_every else ()
        verdict = Virtual(site.hub, site.plan, traffic, closed=closed).run(advance).verdict
    return verdict | {"note": traffic.note}


@contextmanager
def progress_bar(n: int | None) -> Iterator[tuple[Callable[[str], None], Callable[[int], None]]]:
    """A bar on standard error when a person watches: what is done, and how many parcels have come."""
    if not sys.stderr.isatty():
        yield (lambda text: None), (lambda n_entered: None)
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=n)
        yield (
            lambda text: bar.update(task, description=text),
            lambda n_entered: bar.update(task, completed=n_entered),
        )


def _print_summary(verdict: dict[str, Any]) -> None:
    from hubctl.cli.livetable import summary

    typer.echo(summary(verdict, MUST_BE_0))
    typer.echo(
        f"{verdict['parcels_per_s']:,} parcels/s: {verdict['belt_s']:,.0f} s of belt in {verdict['wall_s']:.1f} s, "
        f"seed {verdict['seed']}, {verdict['note']}; {verdict['recirculated_share']:.2%} went round again"
    )
