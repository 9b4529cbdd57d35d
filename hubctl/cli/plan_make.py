"""`hubctl plan make`: a sort plan for a day to come from volumes of past days, or one mended without some chutes."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import date, datetime, timedelta
from pathlib import Path
from time import perf_counter_ns
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hubctl.cli.output import print_json

if TYPE_CHECKING:
    from hubctl.core.hubfile import Hub
    from hubctl.core.plan import SortPlan
    from hubctl.core.plangroups import ChuteGroup
    from hubctl.core.plannew import NewPlan, Wish, Worth
    from hubctl.core.volumes import Distances

NS_PER_S = 1_000_000_000
NS_PER_MS = 1_000_000
PER_MILLE = 1000

Volumes = Annotated[Path, typer.Option(help="CSV: site,dest,wave,date,slot,parcels; a row each ten minutes.")]
SiteName = Annotated[str, typer.Option(help="Site of the volumes.")]
Until = Annotated[
    datetime, typer.Option(formats=["%Y-%m-%d"], help="The last of the past days; the plan is for the next.")
]
NChutes = Annotated[
    int | None, typer.Option(min=1, max=65_000, help="How many, or with --hub how many groups of them.")
]
HubFile = Annotated[
    str | None, typer.Option(help="Hub file: its chutes, and how far down the belt they are.")
]
Out = Annotated[Path | None, typer.Option(help="File to write; by default SITE-DAY.plan.toml.")]
Before = Annotated[
    str | None, typer.Option("--yesterday", "--from", metavar="PLAN", help="The plan that is.")
]
Frame = Annotated[
    str | None,
    typer.Option(metavar="PLAN", help="Whose keys, labels and exceptions; by default yesterday's."),
]
Failed = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NAME,...", help="Chutes or diverters that fail: mend yesterday's plan, move nothing else."
    ),
]
NDays = Annotated[int, typer.Option(min=1, max=366, help="Past days to look at.")]
ForecastFile = Annotated[
    Path | None, typer.Option(help="CSV of what was known beforehand: site,dest,wave,date,parcels_preknown.")
]
DistancesFile = Annotated[
    Path | None, typer.Option(help="CSV of metres from each chute: chute,metres or chute,lane,metres.")
]
Lead = Annotated[int, typer.Option(min=0, max=86_400, help="Seconds from a chute to the departure.")]
Give = Annotated[
    int,
    typer.Option(
        min=0, max=1000, help="Per mille to give of peaks for fewer metres, of both for fewer changes."
    ),
]
Limit = Annotated[int, typer.Option(min=1, max=3600, help="Seconds.")]
Seed = Annotated[int, typer.Option(min=0, max=2**31, help="Another one makes another plan as good.")]
Bound = Annotated[
    int | None,
    typer.Option(
        min=1, max=86_400, help="Seconds for HiGHS to prove what no plan goes below; else by arithmetic."
    ),
]
Picture = Annotated[Path | None, typer.Option(help="Peak load by chute and ten minutes, before and after.")]
AsJson = Annotated[bool, typer.Option("--json", help="One object on standard output.")]


def make(
    volumes: Volumes,
    site: SiteName,
    until: Until,
    chutes: NChutes = None,
    hub: HubFile = None,
    out: Out = None,
    yesterday: Before = None,
    keys: Frame = None,
    without: Failed = None,
    days: NDays = 7,
    forecast: ForecastFile = None,
    distances: DistancesFile = None,
    lead: Lead = 600,
    give: Give = 10,
    time_limit: Limit = 10,
    seed: Seed = 1,
    bound: Bound = None,
    picture: Picture = None,
    as_json: AsJson = False,
) -> None:
    """Make a plan: peaks balanced first, then fewer metres, then few changes. The numbers are before and after."""
    from hubctl.core.plannew import PlanError, Wish
    from hubctl.core.volumes import load_distances, load_forecast, load_volumes

    day = until.date() + timedelta(days=1)
    site_hub, before, frame = _hub(hub), _plan(yesterday), _plan(keys or yesterday)
    past = load_volumes(volumes, site)
    if until.date() > past.days[-1]:
        message = (
            f"{until.date()}: must be {past.days[0]} to {past.days[-1]}, the days of {site} in {volumes}"
        )
        raise typer.BadParameter(message, param_hint="--until")
    wish = Wish(
        volumes=past,
        day=day,
        groups=(),
        n_days=days,
        preknown=load_forecast(forecast, site) if forecast else None,
        distances=load_distances(distances) if distances else None,
        before=before,
        lead_s=lead,
        give=give,
        seed=seed,
    )
    _compile()
    begun_ns = perf_counter_ns()
    try:
        wish = _complete(wish, frame, site_hub, chutes)
        made = _made(wish, site_hub, _names(without or []), time_limit)
    except PlanError as error:
        raise typer.BadParameter(str(error)) from None
    took_ms = (perf_counter_ns() - begun_ns) // NS_PER_MS
    if bound is not None:
        made = _bounded(made, wish, bound)
    file = out or Path(f"{site}-{day}.plan.toml")
    _write(made, frame, file, site_hub)
    if picture is not None:
        _draw(made, picture)
    _print(made.worth, file, day, took_ms, as_json)


def _compile() -> None:
    """Compiles the search before time counts; told, since it takes a while where it was never done."""
    from hubctl.core.planmaker import warm_up

    if sys.stderr.isatty():
        typer.echo("compiling (once on a machine, some 10 s) ...", err=True)
    warm_up()


def _hub(hub: str | None) -> Hub | None:
    from hubctl.core.hubfile import resolve_hub

    return resolve_hub(hub) if hub else None


def _plan(file: str | None) -> SortPlan | None:
    from hubctl.core.plan import resolve_plan

    return resolve_plan(file) if file else None


def _complete(wish: Wish, frame: SortPlan | None, hub: Hub | None, n: int | None) -> Wish:
    """The wish with every lane of its frame, with chutes, and with distances where the hub has some."""
    from hubctl.core.plangroups import along_belts
    from hubctl.core.plannew import every_lane

    wish = wish._replace(volumes=every_lane(wish.volumes, frame)) if frame else wish
    wish = wish._replace(groups=_groups(wish, frame, hub, n))
    if wish.distances is not None:
        _refuse_silent(wish.distances, wish)
    elif hub is not None:
        wish = wish._replace(distances=along_belts(hub))
    return wish


def _refuse_silent(distances: Distances, wish: Wish) -> None:
    """A chute whose distance is not told is not near."""
    from hubctl.core.config import listed

    chutes = [chute for group in wish.groups for chute in group.chutes]
    lanes = sorted({unit.lane for unit in wish.volumes.units})
    silent = [chute for chute in chutes if any(distances.of(chute, lane) is None for lane in lanes)]
    if silent:
        message = f"does not tell how far {len(silent)} of {len(chutes)} chutes are: {listed(silent)}"
        raise typer.BadParameter(message, param_hint="--distances")


def _groups(wish: Wish, frame: SortPlan | None, hub: Hub | None, n: int | None) -> tuple[ChuteGroup, ...]:
    from hubctl.core.plangroups import exception_chutes, grouped, numbered_chutes, sorting_chutes
    from hubctl.core.plannew import PlanError

    if hub is None and n is None:
        raise typer.BadParameter("one of them is needed", param_hint="--chutes or --hub")
    kept = exception_chutes(frame) if frame else set()
    names = sorting_chutes(hub, kept) if hub is not None else numbered_chutes(n or 1)
    n_lanes = len({unit.lane for unit in wish.volumes.units})
    try:
        return grouped(names, n or min(len(names), n_lanes))
    except ValueError as error:
        raise PlanError(str(error)) from None


def _made(wish: Wish, hub: Hub | None, without: Sequence[str], limit_s: int) -> NewPlan:
    from hubctl.core.planmaker import Effort
    from hubctl.core.plannew import mended_plan, new_plan

    if without:
        if wish.before is None:
            raise typer.BadParameter("needs the plan that is to be mended: --from", param_hint="--without")
        return mended_plan(wish, _failed(wish, hub, without))
    with _progress() as tell:
        begun_ns = perf_counter_ns()
        spent = lambda: (perf_counter_ns() - begun_ns) * PER_MILLE // (limit_s * NS_PER_S)  # noqa: E731
        return new_plan(wish, Effort(spent, tell))


def _names(told: Sequence[str]) -> list[str]:
    """Each name once, of lists with commas."""
    return list(dict.fromkeys(name for names in told for name in names.split(",") if name))


def _failed(wish: Wish, hub: Hub | None, names: Sequence[str]) -> list[str]:
    """The chutes that are meant: by their names, or all of a diverter."""
    known = [chute for group in wish.groups for chute in group.chutes]
    beside = {name: [c.name for c in hub.chutes if c.diverter == name] for name in names} if hub else {}
    for name in names:
        if name not in known and not beside.get(name):
            message = f"{name!r} is no chute of the plan, nor a diverter of --hub"
            raise typer.BadParameter(message, param_hint="--without")
    return [chute for name in names for chute in (beside.get(name) or [name])]


@contextmanager
def _progress() -> Iterator[Callable[[int], None]]:
    """A bar on standard error when a person watches, told per mille."""
    if not sys.stderr.isatty():
        yield lambda done: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("planning"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=PER_MILLE)
        yield lambda done: bar.update(task, completed=done)


def _write(made: NewPlan, frame: SortPlan | None, file: Path, hub: Hub | None) -> None:
    """Writes the file, and reads it again as whoever uses it will."""
    from hubctl.core.plan import load_plan
    from hubctl.core.plantext import plan_text

    try:
        packs = _unpacked(frame, file)
        file.write_text(plan_text(made.made, frame, file.parent, packs), encoding="utf-8")
    except OSError as error:
        raise typer.BadParameter(f"{file}: cannot be written: {error.strerror}", param_hint="--out") from None
    load_plan(file, hub)


def _unpacked(frame: SortPlan | None, file: Path) -> Path | None:
    """Label packs that are in a compiled frame, written beside the plan; None: there are none in it."""
    from hubctl.core.hubfile import PLAN_SUFFIX

    if frame is None or not frame.is_compiled or not frame.packs:
        return None
    folder = file.with_name(f"{file.name.removesuffix(PLAN_SUFFIX)}.packs")
    folder.mkdir(exist_ok=True)
    texts = {Path(name).name: text for name, text in frame.packs.items()}
    others = sorted(found.name for found in folder.glob("*.toml") if found.name not in texts)
    if others:
        message = f"{folder} has packs that are not of the plan: {', '.join(others)}"
        raise typer.BadParameter(message, param_hint="--keys")
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8")
    return folder


def _bounded(made: NewPlan, wish: Wish, limit_s: int) -> NewPlan:
    """Held against bounds that the solver has proved within the limit."""
    from hubctl.core.planbound import BoundError
    from hubctl.core.plannew import bounded

    if sys.stderr.isatty():
        typer.echo(f"proving bounds for {limit_s} s ...", err=True)
    until_ns = perf_counter_ns() + limit_s * NS_PER_S
    try:
        return bounded(made, wish.volumes.on(wish.day), lambda: -((perf_counter_ns() - until_ns) // NS_PER_S))
    except BoundError as error:
        raise typer.BadParameter(str(error), param_hint="--bound") from None


def _draw(made: NewPlan, file: Path) -> None:
    from hubctl.cli.pictures import PictureError, draw_plan

    try:
        draw_plan(made, file)
    except PictureError as error:
        raise typer.BadParameter(str(error), param_hint="--picture") from None


def _print(worth: Worth, file: Path, day: date, took_ms: int, as_json: bool) -> None:
    if as_json:
        print_json({"plan": str(file), "day": str(day), "took_ms": took_ms, **worth._asdict()})
        return
    typer.echo(
        f"{file}: {worth.n_units} waves of lanes on {worth.n_groups} chute groups for {day}, {took_ms} ms"
    )
    for line in _lines(worth):
        typer.echo(line)


def _lines(worth: Worth) -> Iterator[str]:
    alike = ", as if all had as many chutes" if worth.is_evened else ""
    yield f"parcels in the busiest ten minutes of the busiest group{alike}; before is {worth.before_is}"
    yield f"{'':<16}{'bound':>8}{'before':>8}{'after':>8}"
    rows: list[tuple[str, Any]] = [
        ("expected", (worth.expected_bound, worth.expected_before, worth.expected_after)),
        ("on the day", (worth.day_bound, worth.day_before, worth.day_after)),
    ]
    for name, values in rows:
        if values[0] is not None:
            yield f"{name:<16}" + "".join(f"{value:>8,}" for value in values)
    if worth.km_before or worth.km_after:
        yield f"{'km a day':<16}{'':>8}{worth.km_before:>8,}{worth.km_after:>8,}"
    if worth.n_proved:
        yield f"no plan goes below the bound; some plan reaches it on {worth.n_proved} of {worth.n_days} days (HiGHS)"
    yield f"changes: {worth.n_changes} of {worth.n_units}"
