"""`hubctl plan`: a sort plan checked against its hub and against lists of destinations, asked, and measured."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from time import perf_counter_ns
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hubctl.cli.output import print_json
from hubctl.cli.plan_make import make
from hubctl.cli.plan_try import try_plans
from hubctl.cli.traffic_options import Day, SiteName

if TYPE_CHECKING:
    from hubctl.core.coverage import Coverage, KeyList
    from hubctl.core.hubfile import Hub
    from hubctl.core.plan import SortPlan
    from hubctl.core.plananswer import Answer
    from hubctl.core.plandiff import Change, Comparison

app = typer.Typer(no_args_is_help=True)

EXIT_FELL_THROUGH = 1
EXIT_REFUSED = 1
PATIENCE_S = 120.0  # a large plan is read, checked and compiled meanwhile
GAPS_SHOWN_MAX = 40
NS_PER_MS = 1_000_000

PlanFile = Annotated[
    str, typer.Argument(metavar="PLAN", help="Sort plan, or the name of a packaged one: demo.")
]
HubOption = Annotated[str | None, typer.Option("--hub", help="Hub file; by default the plan's neighbour.")]
ControlSocket = Annotated[
    Path, typer.Argument(metavar="SOCKET", help="Of the running hub: `hubctl run --control SOCKET`.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="One object on standard output.")]


@app.callback()
def plan() -> None:
    """Sort plans: make, check, try, ask, compare, activate."""


@app.command("check")
def check_file(
    file: PlanFile,
    hub: HubOption = None,
    keys: Annotated[
        list[str] | None,
        typer.Option(
            metavar="SPACE=FILE", help="CSV of destinations that must have a lane or no service: key, name."
        ),
    ] = None,
    at: Annotated[
        datetime | None, typer.Option(help="Local time that waves must be after; now by default.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Every fault of a plan at once (exit 2); what falls through of the destinations given (exit 1); remarks."""
    from hubctl.core.coverage import cover
    from hubctl.core.plan import plan_path
    from hubctl.core.planaudit import audited_plan, remarks
    from hubctl.core.planrules import keyed_rules

    lists = [_key_list(text) for text in keys or ()]
    site = _hub_of(file, hub)
    sort_plan, source = audited_plan(plan_path(file), site, at or datetime.now())
    _refuse_unknown(lists, sort_plan)
    coverage = cover(keyed_rules(sort_plan), lists)
    _print_check(sort_plan, remarks(sort_plan, source, site), coverage, as_json)
    if any(one.gaps for one in coverage):
        raise typer.Exit(EXIT_FELL_THROUGH)


def _hub_of(file: str, hub: str | None) -> Hub:
    """The hub that is named, or `site.toml` beside `site.plan.toml`."""
    from hubctl.core.hubfile import PLAN_SUFFIX, resolve_hub
    from hubctl.core.plan import plan_path

    path = plan_path(file)
    beside = path.with_name(path.name.removesuffix(PLAN_SUFFIX) + ".toml")
    if hub is None and (beside == path or not beside.exists()):
        raise typer.BadParameter(f"{file} has no hub file beside it: name one", param_hint="--hub")
    return resolve_hub(hub or str(beside))


def _key_list(text: str) -> KeyList:
    from hubctl.core.coverage import read_keys

    space, equals, file = text.partition("=")
    if not space or not equals or not file:
        raise typer.BadParameter(f"{text!r}: must be like county=areas.csv", param_hint="--keys")
    return read_keys(space, Path(file))


def _refuse_unknown(lists: list[KeyList], sort_plan: SortPlan) -> None:
    from hubctl.core.config import nearest

    spaces = sort_plan.catalogue.namespaces
    for one in lists:
        if one.namespace not in spaces:
            message = f"unknown namespace {one.namespace!r} ({nearest(one.namespace, spaces)})"
            raise typer.BadParameter(message, param_hint="--keys")


def _print_check(sort_plan: SortPlan, said: list[str], coverage: list[Coverage], as_json: bool) -> None:
    if as_json:
        rows = [{**one._asdict(), "gaps": [gap._asdict() for gap in one.gaps]} for one in coverage]
        print_json({**_about(sort_plan), "faults": [], "remarks": said, "coverage": rows})
        return
    about = _about(sort_plan)
    typer.echo(
        f"plan {about['plan']}, version {about['version']}: {about['n_lanes']} lanes, {about['n_rules']} rules"
    )
    for remark in said:
        typer.echo(f"remark: {remark}")
    for one in coverage:
        _print_coverage(one)
    n_lost = sum(gap.n_keys for one in coverage for gap in one.gaps)
    typer.echo(f"no faults, but {n_lost:,} keys fall through" if n_lost else "no faults")


def _about(sort_plan: SortPlan) -> dict[str, Any]:
    from hubctl.core.planrules import rules_of

    return {
        "plan": sort_plan.name,
        "version": f"{sort_plan.version:08x}",
        "n_lanes": len(sort_plan.lanes),
        "n_rules": sum(1 for _ in rules_of(sort_plan)),
    }


def _print_coverage(one: Coverage) -> None:
    n_lost = one.n_keys - one.n_served - one.n_no_service
    typer.echo(
        f"{one.namespace}: {one.n_keys:,} keys, {one.n_served:,} have a lane, "
        f"{one.n_no_service:,} no service, {n_lost:,} fall through"
    )
    for gap in one.gaps[:GAPS_SHOWN_MAX]:
        more = f", {gap.n_keys:,} keys" if gap.n_keys > 1 else ""
        typer.echo(f"  {gap.namespace}:{gap.key} {gap.name}{more}")
    if len(one.gaps) > GAPS_SHOWN_MAX:
        typer.echo(f"  and {len(one.gaps) - GAPS_SHOWN_MAX:,} more")


@app.command("show")
def show(
    file: PlanFile,
    key: Annotated[
        str, typer.Argument(metavar="KEY", help='A destination, "zip:10003", or a label as scanned.')
    ],
    as_json: JsonOption = False,
) -> None:
    """Say which lane and chutes a destination or a label gets, and by which rule; exit 1 if none."""
    from hubctl.core.plan import resolve_plan
    from hubctl.core.plananswer import answer

    sort_plan = resolve_plan(file)
    try:
        found = answer(sort_plan, key)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="KEY") from None
    if as_json:
        print_json(found._asdict())
    else:
        _print_answer(found)
    if found.lane is None:
        raise typer.Exit(EXIT_FELL_THROUGH)


def _print_answer(found: Answer) -> None:
    for line in found.why:
        typer.echo(line)
    if found.lane is None:
        typer.echo(f"{found.reason}: goes where the plan sends {found.reason}, {found.exception}")
        return
    typer.echo(
        f"lane {found.lane}: {' '.join(found.chutes)}" + (f", group {found.group}" if found.group else "")
    )
    if found.overflow:
        typer.echo(f"overflow: {' '.join(found.overflow)}")
    for departs in found.waves:
        typer.echo(f"departs {departs}")


@app.command("compile")
def compile_file(
    file: PlanFile,
    hub: HubOption = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            "-o",
            help="File to write: the plan with its tables and packs, checked for this hub; any command takes it"
            " instead of the text.",
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Check a plan and compile it into what the kernel decides by: its version, sizes, time; or one file of it all."""
    from hubctl.core.plan import compile_plan, plan_path, resolve_plan, save_compiled

    site = _hub_of(file, hub)
    if out is not None and out.exists() and out.samefile(plan_path(file)):
        raise typer.BadParameter(f"{out} is the plan itself", param_hint="--out")
    begun_ns = perf_counter_ns()
    sort_plan = resolve_plan(file, site)
    read_ns = perf_counter_ns()
    compiled = compile_plan(sort_plan, site)
    told = {
        **_about(sort_plan),
        "n_chains": len(compiled.steps),
        "n_waves": len(compiled.waves),
        "read_ms": (read_ns - begun_ns) // NS_PER_MS,
        "compile_ms": (perf_counter_ns() - read_ns) // NS_PER_MS,
    }
    if out is not None:
        try:
            save_compiled(sort_plan, site, out)
        except OSError as error:
            raise typer.BadParameter(
                f"{out}: cannot be written: {error.strerror}", param_hint="--out"
            ) from None
        told["file"] = str(out)
    if as_json:
        print_json(told)
    else:
        typer.echo("plan {plan}, version {version}: {n_lanes} lanes, {n_rules} rules".format(**told))
        typer.echo("read in {read_ms} ms, compiled in {compile_ms} ms".format(**told))
        if out is not None:
            typer.echo(f"{out}: for the hub {site.hub.name} and this version of hubctl alone")


@app.command("diff")
def diff(
    before: Annotated[str, typer.Argument(metavar="BEFORE", help="The plan that is.")],
    after: Annotated[str, typer.Argument(metavar="AFTER", help="The plan that may come.")],
    day: Annotated[
        Path | None,
        typer.Option(
            help="CSV of a day: key,parcels; with --site and --date recorded volumes or a forecast, by lane and"
            " departure. Else keys are counted."
        ),
    ] = None,
    site: SiteName = None,
    date: Day = None,
    as_json: JsonOption = False,
) -> None:
    """Say how many parcels of a day another plan would send elsewhere, and from where to where."""
    from hubctl.core.plan import resolve_plan

    found = _compared(resolve_plan(before), resolve_plan(after), day, site, date)
    if as_json:
        print_json({**found._asdict(), "changes": [_told_change(change) for change in found.changes]})
        return
    share = found.n_moved * 1000 // max(found.n_all, 1)
    typer.echo(f"{found.n_moved:,} of {found.n_all:,} {found.of} go elsewhere ({share // 10}.{share % 10} %)")
    if found.n_moved:
        n_kept = found.n_moved - found.n_to_other_lanes
        typer.echo(f"{found.n_to_other_lanes:,} to another lane, {n_kept:,} to other chutes of their lane")
    _print_changes(found.changes)


def _compared(
    old: SortPlan, new: SortPlan, day: Path | None, site: str | None, date: datetime | None
) -> Comparison:
    from hubctl.core.plandiff import compare, compare_departures, read_day
    from hubctl.core.volumes import load_day

    if site is None and date is None:
        return compare(old, new, read_day(day) if day else None)
    if day is None or site is None or date is None:
        raise typer.BadParameter("go together", param_hint="--day, --site and --date")
    return compare_departures(old, new, load_day(day, site, date.date()))


def _told_change(change: Change) -> dict[str, Any]:
    return {
        "before": change.before._asdict(),
        "after": change.after._asdict(),
        "n": change.n,
        "sample": change.sample,
    }


def _print_changes(changes: list[Change]) -> None:
    for change in changes[:GAPS_SHOWN_MAX]:
        typer.echo(f"{change.n:>12,}  {change.before} -> {change.after}  (e.g. {change.sample})")
    if len(changes) > GAPS_SHOWN_MAX:
        typer.echo(f"and {len(changes) - GAPS_SHOWN_MAX:,} more ways")


app.command("make")(make)
app.command("try")(try_plans)


@app.command("activate")
def activate(control: ControlSocket, file: PlanFile, as_json: JsonOption = False) -> None:
    """Put a plan into force on a running hub; with a fault (exit 2) the plan before stays in force."""
    from hubctl.core.plan import plan_path

    _put_into_force(control, ["plan", "activate", str(plan_path(file).resolve())], as_json)


@app.command("rollback")
def rollback(control: ControlSocket, as_json: JsonOption = False) -> None:
    """Put the plan before into force again, one step; exit code 1 if there is none."""
    _put_into_force(control, ["plan", "rollback"], as_json)


def _put_into_force(control: Path, words: list[str], as_json: bool) -> None:
    from hubctl.cli.asking import asked
    from hubctl.core.config import ConfigError, Fault

    answer = asked(control, words, PATIENCE_S)
    if "faults" in answer:
        raise ConfigError(Fault(**fault) for fault in answer["faults"])
    if as_json:
        print_json(answer)
    else:
        typer.echo(_sentence(answer), err="error" in answer)
    if "error" in answer:
        raise typer.Exit(EXIT_REFUSED)


def _sentence(answer: dict[str, Any]) -> str:
    if "error" in answer:
        return str(answer["error"])
    return "plan {name}, version {version}, is in force: {n_lanes} lanes".format(**answer["plan"])
