"""`hubctl swarm`: random hubs, plans, traffic and faults, a seed each; what fails is shrunk to a line to paste."""

from __future__ import annotations

import os
import re
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hubctl.cli.output import print_json

if TYPE_CHECKING:
    from hubctl.sim.swarm.case import Outcome
    from hubctl.sim.swarm.summary import Summary

EXIT_FAILED = 1
N_SEEDS = 20
N_PARCELS = 2000
N_SHRUNK_MAX = 3  # failures that are shrunk; the others are told as they came
SECONDS = {"s": 1, "m": 60, "h": 3600}

Names = Annotated[
    list[str] | None, typer.Option(metavar="NAME...", help="Only these classes of faults; none: no faults.")
]
Traits = Annotated[
    str | None,
    typer.Option(metavar="NAME,...", help="What hubs may have besides, these only; none: nothing."),
]
MoreNames = Annotated[list[str] | None, typer.Argument(metavar="[NAME]...", hidden=True)]


def swarm(
    more: MoreNames = None,
    seeds: Annotated[int, typer.Option(min=1, max=10_000_000, help="How many.")] = N_SEEDS,
    first: Annotated[int, typer.Option("--from", min=0, help="The first seed.")] = 0,
    jobs: Annotated[
        int | None, typer.Option(min=1, max=1024, help="Processes; by default one a CPU.")
    ] = None,
    until: Annotated[
        str | None, typer.Option(help="Begin no more seeds after so long, like 90s or 10m.")
    ] = None,
    parcels: Annotated[int, typer.Option(min=1, max=1_000_000, help="Parcels a seed.")] = N_PARCELS,
    traits: Traits = None,
    faults: Names = None,
    as_json: Annotated[bool, typer.Option("--json", help="One object on standard output.")] = False,
) -> None:
    """Run random hubs under random faults; exit 1 if a parcel went wrong, with the smallest line that repeats it."""
    from hubctl.sim.swarm.case import cases
    from hubctl.sim.swarm.pool import outcomes, warm_up

    names = _names([*(faults or []), *(more or [])])
    hubs_have = _traits(traits)
    limit_s = _seconds(until)
    with _progress(seeds) as (say, advance):
        say("compiling (once on a machine, under a minute)")
        warm_up()
        say("running")
        began = time.monotonic()
        every = cases(first, seeds, parcels, names, hubs_have)
        some = _begun_before(every, lambda: time.monotonic() - began < limit_s)
        summary = _add_up(outcomes(some, jobs or os.cpu_count() or 1), advance)
        wall_s = time.monotonic() - began
        say("shrinking")
        told = [_told(outcome) for outcome in summary.failures[:N_SHRUNK_MAX]]
    found = summary.as_dict() | {"from": first, "wall_s": round(wall_s, 1), "failures": told}
    found["lines"] = [outcome.case.line for outcome in summary.failures]
    if as_json:
        print_json(found)
    else:
        _print_summary(found)
    if summary.failures:
        raise typer.Exit(EXIT_FAILED)


def _names(given: list[str]) -> tuple[str, ...]:
    from hubctl.core.config import nearest
    from hubctl.sim.swarm.case import ALL_FAULTS, FAULT_NAMES

    if not given:
        return FAULT_NAMES
    for name in given:
        if name not in (*ALL_FAULTS, "none"):
            raise typer.BadParameter(f"{name}: {nearest(name, ALL_FAULTS)}", param_hint="--faults")
    return tuple(name for name in ALL_FAULTS if name in given)


def _traits(given: str | None) -> tuple[str, ...]:
    from hubctl.core.config import nearest
    from hubctl.sim.swarm.traits import TRAITS

    if given is None:
        return TRAITS
    names = given.split(",")
    for name in names:
        if name not in (*TRAITS, "none"):
            hint = nearest(name, TRAITS) or f"one of {', '.join(TRAITS)}, or none"
            raise typer.BadParameter(f"{name}: {hint}", param_hint="--traits")
    return tuple(name for name in TRAITS if name in names)


def _seconds(text: str | None) -> float:
    if text is None:
        return float("inf")
    match = re.fullmatch(r"(\d+)([smh])", text)
    if match is None:
        raise typer.BadParameter(
            f"{text}: must be a whole number and s, m or h, like 10m", param_hint="--until"
        )
    return int(match[1]) * SECONDS[match[2]]


def _begun_before(every: list[Any], is_time: Callable[[], bool]) -> Iterator[Any]:
    for case in every:
        if not is_time():
            return
        yield case


def _add_up(found: Iterator[Outcome], advance: Callable[[int, int], None]) -> Summary:
    """All outcomes, or those until Ctrl-C."""
    from hubctl.sim.swarm.summary import Summary

    summary = Summary()
    try:
        for outcome in found:
            summary.add(outcome)
            advance(summary.n_seeds, len(summary.failures))
    except KeyboardInterrupt:
        typer.echo("stopped", err=True)
    return summary


def _told(failed: Outcome) -> dict[str, Any]:
    """A failure: the line that repeats it, the smallest one that still fails, and what happened there."""
    from hubctl.sim.swarm.case import run_case
    from hubctl.sim.swarm.shrink import shrink
    from hubctl.sim.swarm.story import story_of
    from hubctl.sim.swarm.summary import bad_words

    told = {"line": failed.case.line, "bad": failed.bad, "error": failed.error}
    if failed.error:
        return told
    smallest = shrink(failed, run_case)
    story = story_of(smallest.case)
    return told | {"smallest": smallest.case.line, "what": bad_words(smallest), "story": story}


@contextmanager
def _progress(n_seeds: int) -> Iterator[tuple[Callable[[str], None], Callable[[int, int], None]]]:
    """A bar on standard error when a person watches: what is done, seeds run and failures found."""
    if not sys.stderr.isatty():
        yield (lambda text: None), (lambda n_run, n_failed: None)
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=n_seeds)

        def advance(n_run: int, n_failed: int) -> None:
            bar.update(task, completed=n_run, description=f"{n_failed} failed" if n_failed else "running")

        yield (lambda text: bar.update(task, description=text)), advance


def _print_summary(found: dict[str, Any]) -> None:
    from hubctl.sim.swarm.case import MUST_BE_0

    rate = int(found["inducted"] / max(found["wall_s"], 0.1))
    typer.echo(
        f"{found['seeds']:,} seeds, {found['inducted']:,} parcels in {found['wall_s']:.0f} s ({rate:,}/s)"
    )
    for what in ("by_disposition", "by_reason"):
        typer.echo(", ".join(f"{name} {n:,}" for name, n in found[what].items()))
    typer.echo("referee: " + ", ".join(f"{key.replace('_', ' ')} {found[key]}" for key in MUST_BE_0))
    for name, did in found["by_fault"].items():
        ends = ", ".join(f"{end} {n:,}" for end, n in did.items() if end.isupper())
        typer.echo(f"  {name:18} {did['injected']:>7,} times, {did['parcels']:>8,} parcels: {ends}")
    for name, did in found["by_trait"].items():
        typer.echo(f"  {name:18} {did['used']:>7,} times, in {did['hubs']:,} hubs")
    if found["never_on"]:
        typer.echo(f"never on in so many seeds: {', '.join(found['never_on'])}")
    for line in found["lines"][N_SHRUNK_MAX:]:
        typer.echo(f"failed: {line}")
    for told in found["failures"]:
        _print_failure(told)


def _print_failure(told: dict[str, Any]) -> None:
    bad = ", ".join(f"{key.replace('_', ' ')} {n}" for key, n in told["bad"].items())
    typer.echo(f"\nfailed: {told['line']}\n  {told['error'] or bad}")
    if "smallest" in told:
        typer.echo(f"smallest: {told['smallest']}\n  {told['what']}")
        typer.echo("\n".join(f"  {line}" for line in told["story"]))
