"""`hubctl check`: every fault of a hub file at once, or a drawing and a table of what it describes."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hubctl.cli.output import print_json

if TYPE_CHECKING:
    from hubctl.core.hubfile import Belt, Hub
    from hubctl.core.plan import SortPlan

WIDTH = 100


def check(
    file: Annotated[str | None, typer.Argument(help="Hub file, or the name of an example: demo.")] = None,
    plan: Annotated[str | None, typer.Option(help="Sort plan; by default the hub file's neighbour.")] = None,
    schema: Annotated[bool, typer.Option("--schema", help="Print the hub file's JSON Schema.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One object on standard output.")] = False,
) -> None:
    """Check a hub file and its plan; draw the belt if they are right, exit 2 with every fault if not."""
    if schema:
        _print_schema()
        return
    if file is None:
        raise typer.BadParameter("name a hub file, or an example such as demo", param_hint="FILE")
    _print_site(file, plan, as_json)


def _print_schema() -> None:
    from hubctl.core.hubfile import hub_schema

    print_json(hub_schema())


def _print_site(file: str, plan: str | None, as_json: bool) -> None:
    from hubctl.core.site import load_site

    site = load_site(file, plan)
    if as_json:
        print_json(_as_dict(site.hub, site.plan))
    else:
        _print_drawing(site.hub)
        _print_table(site.hub)
        _print_summary(site.hub, site.plan)


def _as_dict(hub: Hub, plan: SortPlan | None) -> dict[str, Any]:
    return {
        "hub": hub.name,
        "plan": plan and {"name": plan.name, "version": plan.version} | _sizes(plan),
        "faults": [],
        "remarks": _remarks(hub),
        "devices": [row for belt in hub.belts for row in _devices(hub, belt)],
    }


def _sizes(plan: SortPlan) -> dict[str, int]:
    return {f"n_{section}": len(getattr(plan, section)) for section in ("lanes", "groups", "waves")}


def _devices(hub: Hub, belt: Belt) -> list[dict[str, Any]]:
    """What stands along a belt, downstream."""
    rows = [*_looks(hub, belt), *_diverters(hub, belt)]
    return sorted(rows, key=lambda row: int(row["at_mm"]))


def _looks(hub: Hub, belt: Belt) -> list[dict[str, Any]]:
    """Eyes and scanners."""
    eyes = [
        {
            "belt": belt.name,
            "at_mm": eye.at_mm,
            "device": f"{eye.role} eye",
            "name": eye.name,
            "wired": eye.input,
        }
        | {"window_mm": eye.window_mm}
        for eye in hub.eyes
        if eye.belt == belt.name
    ]
    scanners = [
        {
            "belt": belt.name,
            "at_mm": scanner.at_mm,
            "device": "scanner",
            "name": scanner.name,
            "wired": scanner.link,
        }
        | {"latency_ms": scanner.latency_ms}
        for scanner in hub.scanners
        if scanner.belt == belt.name
    ]
    return [*eyes, *scanners]


def _diverters(hub: Hub, belt: Belt) -> list[dict[str, Any]]:
    from hubctl.core.geometry import notices

    left_mm = (
        {notice.diverter: notice.left_mm for _, notice in notices(hub, belt)} if belt.kind == "line" else {}
    )
    return [
        {
            "belt": belt.name,
            "at_mm": diverter.at_mm,
            "device": "diverter",
            "name": diverter.name,
            "wired": " ".join(c.output for c in hub.chutes if c.diverter == diverter.name and c.output),
            "chutes": [c.name for c in hub.chutes if c.diverter == diverter.name],
            "latency_ms": diverter.latency_ms,
            "left_mm": left_mm.get(diverter.name),
        }
        for diverter in hub.diverters
        if diverter.belt == belt.name
    ]


def _print_drawing(hub: Hub) -> None:
    from hubctl.core.drawing import draw_belt

    for belt in hub.belts:
        encoder = (
            f"{belt.encoder.counts_per_m} counts/m"
            if belt.encoder
            else "no encoder: positions from the clock"
        )
        typer.echo(f"{belt.name}: {belt.kind}, {belt.length_mm} mm, {belt.speed_mm_s} mm/s, {encoder}\n")
        typer.echo("\n".join(draw_belt(hub, belt, WIDTH)) + "\n")


def _print_table(hub: Hub) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table("belt", "mm", "device", "name", "wired to", "chutes", "timing", box=None, pad_edge=False)
    table.columns[1].justify = "right"
    for belt in hub.belts:
        for row in _devices(hub, belt):
            cells = (row["belt"], str(row["at_mm"]), row["device"], row["name"], row["wired"])
            table.add_row(*cells, " ".join(row.get("chutes", ())), _timing(row, belt))
    Console(width=None if sys.stdout.isatty() else WIDTH, highlight=False, markup=False).print(table)


def _timing(row: dict[str, Any], belt: Belt) -> str:
    if "window_mm" in row:
        return f"window {row['window_mm']} mm"
    if row.get("left_mm") is None:
        return f"latency {row['latency_ms']} ms"
    left_ms = row["left_mm"] * 1000 // belt.fastest_mm_s
    return f"{row['left_mm']} mm, {left_ms} ms to spare"


def _print_summary(hub: Hub, plan: SortPlan | None) -> None:
    sections = ("belts", "eyes", "scanners", "diverters", "chutes", "nodes", "links")
    typer.echo(f"\nhub {hub.name}: " + ", ".join(f"{name} {len(getattr(hub, name))}" for name in sections))
    if plan is not None:
        sizes = ", ".join(f"{section.removeprefix('n_')} {n}" for section, n in _sizes(plan).items())
        typer.echo(f"plan {plan.name}, version {plan.version:08x}: {sizes}")
    for remark in _remarks(hub):
        typer.echo(f"remark: {remark}")
    typer.echo("no faults")


def _remarks(hub: Hub) -> list[str]:
    """What is not wrong, and may not be meant."""
    from hubctl.core.config import listed
    from hubctl.core.geometry import unconfirmed

    found = list(unconfirmed(hub))
    if not found:
        return []
    length_mm, until_ms = min(one.length_mm for one in found), max(one.until_ms for one in found)
    chutes = listed(one.chute for one in found)
    return [
        f"parcels longer than {length_mm} mm come too late to be confirmed, and end as LOST, in {chutes}: "
        f"their confirm_ms must end with {until_ms} or more"
    ]
