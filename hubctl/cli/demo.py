"""`hubctl demo`: a simulated hub, the daemon that sorts it, and the referee's verdict."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hubctl.cli.output import print_json
from hubctl.cli.traffic_options import ArrivalsFile, Day, FaultSettings, MoreFaults, Rate, Seed, SiteName

if TYPE_CHECKING:
    from rich.console import RenderableType

    from hubctl.cli.demo_run import Demo, Options, View

EXIT_FAILED = 1
EXIT_INTERRUPTED = 130
LINE_S = 5.0
MUST_BE_0 = ("wrong_chute", "wrong_action", "unaccounted", "misreported", "invariants_broken")
STOPPING = "waiting for the belt to empty; Ctrl-C again to end at once"
STALLED_MS_MAX = 500
FROM_THE_DAEMON = (
    "fires",
    "fires_voided",
    "records_lost",
    "outputs_safe",
    "read_to_command_us",
    "fire_lateness_us",
)


def demo(
    more: MoreFaults = None,
    hub: Annotated[str, typer.Option(help="Hub file, or the name of an example.")] = "demo",
    plan: Annotated[str | None, typer.Option(help="Sort plan; by default the hub file's neighbour.")] = None,
    seconds: Annotated[
        int | None, typer.Option(min=1, help="Induct for so long; by default until Ctrl-C.")
    ] = None,
    rate: Rate = 12_000,
    seed: Seed = 1,
    faults: FaultSettings = None,
    arrivals: ArrivalsFile = None,
    site: SiteName = None,
    date: Day = None,
    cpu: Annotated[
        int | None, typer.Option(min=0, help="Run the daemon's reactor on this CPU alone.")
    ] = None,
    stall: Annotated[
        int, typer.Option(min=0, max=2000, help="Stop the daemon every few seconds, for so many ms at most.")
    ] = 0,
    unplug: Annotated[
        list[str] | None,
        typer.Option(help="Unplug a link for a while: LINK@SECOND:FOR, like io1@5:2. May be repeated."),
    ] = None,
    qemu: Annotated[
        bool, typer.Option("--qemu", help="Run nodes with our firmware on boards that QEMU plays.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One object on standard output.")] = False,
) -> None:
    """Sort simulated parcels on a simulated hub, through real sockets and protocols, until Ctrl-C."""
    from hubctl.cli.demo_run import Options

    began_s = time.monotonic()
    options = Options(
        hub=hub,
        plan=plan,
        seconds=seconds,
        parcels_per_hour=rate,
        seed=seed,
        faults=_checked([*(faults or []), *(more or [])]),
        arrivals=_arrivals(arrivals, site, date),
        cpu=cpu,
        is_qemu=qemu,
        unplugs=unplug or [],
        stall_ms=stall,
    )
    verdict = _performed(options) | {"seed": seed, "wall_s": round(time.monotonic() - began_s, 3)}
    if as_json:
        print_json(verdict)
    else:
        _print_summary(verdict)
    if not all(verdict[key] == 0 for key in MUST_BE_0):
        raise typer.Exit(EXIT_FAILED)


def _checked(faults: list[str]) -> list[str]:
    from hubctl.sim.faults import FaultError, Faults, parse_faults

    try:
        parse_faults(faults, Faults())
    except FaultError as error:
        raise typer.BadParameter(str(error)) from None
    return faults


def _arrivals(file: Path | None, site: str | None, date: datetime | None) -> list[str]:
    if file is None and site is None and date is None:
        return []
    if file is None or site is None or date is None:
        raise typer.BadParameter("go together", param_hint="--arrivals, --site and --date")
    return ["--arrivals", str(file), "--site", site, "--date", str(date.date())]


def _performed(options: Options) -> dict[str, Any]:
    """Runs it to its verdict; whatever else may happen is said in a sentence."""
    from hubctl.cli.child import ChildDiedError
    from hubctl.cli.demo_run import Demo, FailedError, RefusedError, StoppedError

    try:
        with (
            TemporaryDirectory(prefix="hubctl-demo-") as directory,
            Demo(options, Path(directory)) as running,
        ):
            return _watched(running, options)
    except RefusedError as error:
        raise typer.BadParameter(str(error)) from None
    except (ChildDiedError, FailedError) as error:
        typer.echo(f"demo: {error}", err=True)
        raise typer.Exit(EXIT_FAILED) from None
    except StoppedError:
        typer.echo("demo: stopped before the first parcel", err=True)
        raise typer.Exit(EXIT_INTERRUPTED) from None


def _watched(running: Demo, options: Options) -> dict[str, Any]:
    running.start()
    with _shown(f"hubctl demo: hub {options.hub}, seed {options.seed}") as show:
        running.watch(show)
    verdict, final = running.finish()
    kept = {key: final[key] for key in FROM_THE_DAEMON}
    rate = round(verdict["inducted"] / verdict["belt_s"], 3)
    kept |= _unplugged(options.unplugs, final)
    return verdict | kept | {"parcels_per_s": rate, "note": running.note}


def _unplugged(unplugs: Sequence[str], final: dict[str, Any]) -> dict[str, Any]:
    """Of each link that was unplugged, how often it was connected in all."""
    names = [text.partition("@")[0] for text in unplugs]
    return {"connections": {name: final["links"][name]["connections"] for name in names}} if names else {}


@contextmanager
def _shown(title: str) -> Iterator[Callable[[View], None]]:
    """Something to show views with: a table redrawn in place, or a line now and then for a file."""
    if not sys.stderr.isatty():
        yield _Lines()
        return
    from rich.console import Console
    from rich.live import Live

    with Live(console=Console(stderr=True), auto_refresh=False, transient=True) as live:
        yield lambda view: live.update(_table(title, view), refresh=True)


def _table(title: str, view: View) -> RenderableType:
    from hubctl.cli.livetable import live_table

    return live_table(title, view.status, view.belt_s, STOPPING if view.is_stopping else "Ctrl-C to stop")


class _Lines:
    """A line at the start, one each LINE_S, and one when it is asked to stop."""

    def __init__(self) -> None:
        self._due_s = 0.0
        self._is_stopping = False

    def __call__(self, view: View) -> None:
        from hubctl.daemon.outlets import line_of

        if view.belt_s >= self._due_s:
            self._due_s += LINE_S
            typer.echo(f"{view.belt_s:.0f} s: {line_of(view.status)}", err=True)
        if view.is_stopping and not self._is_stopping:
            self._is_stopping = True
            typer.echo(STOPPING, err=True)


def _print_summary(verdict: dict[str, Any]) -> None:
    from hubctl.cli.livetable import summary

    typer.echo(summary(verdict, MUST_BE_0))
    typer.echo(f"seed {verdict['seed']}, {verdict['note']}")
    if verdict["stalled_ms"] > STALLED_MS_MAX:
        typer.echo(
            f"this machine is busy: the simulated belt stood still for {verdict['stalled_ms']:,} ms in all"
        )
