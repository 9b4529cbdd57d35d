"""What a person sees while a demo runs: one table that is redrawn in place."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.columns import Columns
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

N_CHUTES = 12
BAR_WIDTH = 24
SPREADS = {"read to command": "read_to_command_us", "fire lateness": "fire_lateness_us"}


def live_table(title: str, status: dict[str, Any], belt_s: float, hint: str) -> RenderableType:
    """The table of one moment.

    Parameters
    ----------
    status : dict
        A status object of the daemon.
    hint : str
        What the person can do.
    """
    tables = [_counts("disposition", status["by_disposition"]), _counts("reason", status["by_reason"])]
    return Group(
        _head(title, status, belt_s, hint),
        "",
        Columns([*tables, _chutes(status["by_chute"])], padding=(0, 4)),
        "",
        _latencies(status),
        "",
        _links(status["links"]),
    )


def clock(seconds: float) -> str:
    """Minutes and seconds."""
    return f"{int(seconds) // 60}:{int(seconds) % 60:02}"


def _head(title: str, status: dict[str, Any], belt_s: float, hint: str) -> RenderableType:
    line = Text.assemble((title, "bold"), f"   belt {clock(belt_s)}   ", (hint, "dim"))
    numbers = Text.assemble(
        (f"{status['inducted']:,}", "bold"),
        " inducted   ",
        (f"{status['rate_per_h']:,}", "bold"),
        " parcels/h now   ",
        (f"{status['in_flight']:,}", "bold"),
        " in flight",
    )
    return Group(line, numbers)


def _counts(what: str, counts: dict[str, int]) -> RenderableType:
    table = Table(what, "parcels", box=None, pad_edge=False)
    table.columns[1].justify = "right"
    for name, n in sorted(counts.items(), key=_most_first):
        table.add_row(name, f"{n:,}")
    return table


def _chutes(counts: dict[str, int]) -> RenderableType:
    table = Table("busiest chutes", "", "", box=None, pad_edge=False)
    busiest = sorted(counts.items(), key=_most_first)[:N_CHUTES]
    for name, n in busiest:
        table.add_row(name, f"{n:,}", "█" * (n * BAR_WIDTH // busiest[0][1]))
    return table


def _latencies(status: dict[str, Any]) -> RenderableType:
    table = Table("microseconds", "p50", "p99", "max", "of", box=None, pad_edge=False)
    for column in table.columns[1:]:
        column.justify = "right"
    for name, key in SPREADS.items():
        spread = status[key]
        table.add_row(name, *(f"{spread[part]:,.0f}" for part in ("p50", "p99", "max")), f"{spread['n']:,}")
    return table


def _links(links: dict[str, Any]) -> RenderableType:
    states = [(name, "green" if link["state"] == "up" else "bold red") for name, link in links.items()]
    return Text.assemble("links  ", *((f"{name} ", style) for name, style in states))


def summary(verdict: dict[str, Any], must_be_0: Sequence[str]) -> str:
    """The verdict in a few lines of text."""
    ways = ", ".join(f"{n:,} {name.lower()}" for name, n in verdict["by_disposition"].items())
    reasons = ", ".join(f"{name} {n:,}" for name, n in sorted(verdict["by_reason"].items(), key=_most_first))
    lines = [
        f"{verdict['inducted']:,} inducted in {verdict['belt_s']:.0f} s of belt: {ways}",
        f"reasons: {reasons}",
        *(f"{name}: {_spread(verdict[key])}" for name, key in SPREADS.items() if key in verdict),
        "referee: " + ", ".join(f"{key.replace('_', ' ')} {verdict[key]}" for key in must_be_0),
    ]
    return "\n".join(lines)


def _spread(spread: dict[str, float]) -> str:
    parts = ", ".join(f"{part} {spread[part]:,.0f}" for part in ("p50", "p99", "p999", "max"))
    return f"{parts} us of {spread['n']:,}"


def _most_first(item: tuple[str, int]) -> int:
    return -item[1]
