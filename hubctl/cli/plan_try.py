"""`hubctl plan try`: a day of volumes through the hub in virtual time with one plan, or with two side by side."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hubctl.cli.output import print_json
from hubctl.cli.plan_make import AsJson
from hubctl.cli.sim import EXIT_FAILED, MUST_BE_0, parsed_faults, progress_bar
from hubctl.cli.traffic_options import FaultSettings, Rate, Seed

if TYPE_CHECKING:
    from hubctl.core.plan import SortPlan
    from hubctl.sim.whatif import Trial, WhatIf

N_CHUTES_SHOWN = 12
N_REASONS_SHOWN = 8
WIDTH = 26

PlanFile = Annotated[str, typer.Argument(metavar="PLAN", help="Sort plan.")]
OtherFile = Annotated[
    str | None, typer.Argument(metavar="[PLAN2]", help="Another one, to be tried beside it.")
]
HubFile = Annotated[str, typer.Option("--hub", help="Hub file, or the name of an example.")]
Volumes = Annotated[Path, typer.Option("--arrivals", help="CSV: site,dest,wave,date,slot,parcels.")]
SiteName = Annotated[str, typer.Option(help="Site of the volumes.")]
Day = Annotated[datetime, typer.Option(formats=["%Y-%m-%d"], help="Day of the volumes.")]
Picture = Annotated[Path | None, typer.Option(help="Load by chute and ten minutes.")]


def try_plans(
    plan: PlanFile,
    arrivals: Volumes,
    site: SiteName,
    date: Day,
    hub: HubFile,
    other: OtherFile = None,
    rate: Rate = 12_000,
    seed: Seed = 1,
    faults: FaultSettings = None,
    picture: Picture = None,
    as_json: AsJson = False,
) -> None:
    """Try a day with a plan: load by chute, laps, missed departures, exceptions. Exit 1 if a parcel went wrong."""
    from hubctl.core.hubfile import resolve_hub
    from hubctl.core.plan import resolve_plan
    from hubctl.core.volumes import load_volumes
    from hubctl.sim.whatif import Trial

    at_hub = resolve_hub(hub)
    plans = [resolve_plan(file, at_hub) for file in (plan, other) if file is not None]
    volumes = load_volumes(arrivals, site)
    trial = Trial(at_hub, volumes, date.date(), arrivals, rate, seed, parsed_faults(faults or []))
    found = [_tried(trial, one) for one in plans]
    names = [chute.name for chute in at_hub.chutes]
    if picture is not None:
        _draw(found, names, picture)
    if as_json:
        print_json({"site": site, "day": str(date.date()), "plans": [_told(one, names) for one in found]})
    else:
        for line in _lines(trial, found, names):
            typer.echo(line)
    if any(one.verdict[key] for one in found for key in MUST_BE_0):
        raise typer.Exit(EXIT_FAILED)


def _tried(trial: Trial, plan: SortPlan) -> WhatIf:
    from hubctl.sim.arrivals import ArrivalsError
    from hubctl.sim.traffic import TrafficError
    from hubctl.sim.virtual import compiled_loop
    from hubctl.sim.whatif import try_plan

    with progress_bar(None) as (say, advance):
        say("compiling (once on a machine, about 20 s)")
        compiled_loop()
        say(f"trying {plan.name}")
        try:
            return try_plan(trial, plan, advance)
        except (ArrivalsError, TrafficError) as error:
            raise typer.BadParameter(str(error)) from None


def _told(found: WhatIf, names: Sequence[str]) -> dict[str, Any]:
    from hubctl.sim.whatif import busiest_chutes, exceptions

    return {
        "plan": found.plan,
        "parcels_of_day": found.n_day,
        "left_out": found.n_left_out,
        "inducted": found.verdict["inducted"],
        "sorted": found.verdict["by_disposition"].get("SORTED", 0),
        "recirculated": found.verdict["recirculated"],
        "due_for_wave": found.n_due,
        "made_wave": found.n_made,
        "missed_wave": found.n_due - found.n_made,
        "in_time_per_million": found.n_made * 1_000_000 // found.n_due if found.n_due else None,
        "sorted_too_late": found.n_too_late,
        "exceptions": exceptions(found),
        "busiest_ten_minutes": int(found.loads.max()),
        "chutes": [
            {"chute": chute, "parcels": n, "busiest_ten_minutes": peak}
            for chute, n, peak in busiest_chutes(found.loads, names)
        ],
        "verdict": found.verdict,
    }


def _lines(trial: Trial, found: Sequence[WhatIf], names: Sequence[str]) -> Iterator[str]:
    told = [_told(one, names) for one in found]
    yield (
        f"{trial.volumes.site} on {trial.day} at hub {trial.hub.hub.name}: {found[0].n_day:,} parcels, run as "
        f"{told[0]['inducted']:,}, so that the busiest ten minutes are {trial.parcels_per_hour:,} parcels/h (--rate)"
    )
    yield _row("", [one["plan"] for one in told])
    for title, key in (
        ("left out: no lane", "left_out"),
        ("inducted", "inducted"),
        ("sorted", "sorted"),
        ("went round again", "recirculated"),
        ("for a departed truck", "sorted_too_late"),
        ("scanned in time", "due_for_wave"),
        ("  made their departure", "made_wave"),
        ("  missed it", "missed_wave"),
    ):
        yield _row(title, [f"{one[key]:,}" for one in told])
    yield _row("  made it, of those", [_share(one["made_wave"], one["due_for_wave"]) for one in told])
    yield _row("not in a chute of theirs", [f"{sum(one['exceptions'].values()):,}" for one in told])
    reasons = list(dict.fromkeys(reason for one in told for reason in one["exceptions"]))
    for reason in reasons[:N_REASONS_SHOWN]:
        yield _row(f"  {reason}", [f"{one['exceptions'].get(reason, 0):,}" for one in told])
    yield _row("busiest chutes", ["parcels, in ten minutes" for _ in told])
    for rank in range(N_CHUTES_SHOWN):
        yield from _chute_row([one["chutes"][rank] if rank < len(one["chutes"]) else None for one in told])
    for key in MUST_BE_0:
        yield _row(key, [f"{one['verdict'][key]:,}" for one in told])


def _chute_row(chutes: Sequence[dict[str, Any] | None]) -> Iterator[str]:
    if any(chutes):
        cells = [
            f"{one['chute']} {one['parcels']:,}, {one['busiest_ten_minutes']:,}" if one else ""
            for one in chutes
        ]
        yield _row("", cells)


def _row(title: str, cells: Sequence[str]) -> str:
    return f"{title:<24}" + "".join(f"{cell:>{WIDTH}}" for cell in cells)


def _share(n: int, of: int) -> str:
    return f"{n * 10_000 // of / 100:.2f} %" if of else "no departures"


def _draw(found: Sequence[WhatIf], names: Sequence[str], file: Path) -> None:
    from hubctl.cli.pictures import PictureError, draw_loads

    used = [k for k in range(len(names)) if any(one.loads[k].any() for one in found)]
    try:
        draw_loads(
            [one.loads[used] for one in found], [one.plan for one in found], [names[k] for k in used], file
        )
    except PictureError as error:
        raise typer.BadParameter(str(error), param_hint="--picture") from None
