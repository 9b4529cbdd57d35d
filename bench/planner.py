"""The planner out of sample: each day's plan is made from the days before it, and judged on the day.

    python bench/planner.py --volumes FILE --sites S1=20,S2=12,S3=24 --first 2024-12-08 [--forecast FILE]
    python bench/planner.py               a small generated site, some seconds
    python bench/planner.py --on-time     each plan tried on its day through the kernel: who makes the departure

`bench/README.md` says what the columns mean.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter_ns
from typing import Any, NamedTuple

import numpy as np

# The parts are beside this file.
sys.path.insert(0, str(Path(__file__).parent))

from machine import command, machine

from hubctl.core.forecast import scenarios
from hubctl.core.hubfile import Hub, resolve_hub
from hubctl.core.plan import SortPlan, load_plan
from hubctl.core.planbound import proved_bound
from hubctl.core.plangroups import grouped, sorting_chutes
from hubctl.core.planmaker import Effort, Task, make_groups, mend_groups, warm_up
from hubctl.core.planmeasure import NOBODY, bound, busiest, by_volume
from hubctl.core.plannew import Wish, new_plan
from hubctl.core.plantext import plan_text
from hubctl.core.volumes import N_SLOTS, Ints, Preknown, Unit, Volumes, load_forecast, load_volumes
from hubctl.sim.faults import Faults
from hubctl.sim.referee import is_clean
from hubctl.sim.whatif import Trial, WhatIf, try_plan

N_PAST = 7
LIMIT_S = 10
NS_PER_S = 1_000_000_000
SMALL = date(2031, 5, 8)
LEAD_S = 600
TRIED_COLUMNS = ("site", "groups", "inducted", "due", "made", "in time %", "worst %", "departed", "clean")
COLUMNS = ("site", "groups", "ratio", "kept", "changes", "by volume", "below %", "plan s", "mend ms")


class BenchError(Exception):
    """There is nothing to measure."""


class Case(NamedTuple):
    """A site with its chute groups."""

    volumes: Volumes
    preknown: Preknown | None
    n_groups: int


class Day(NamedTuple):
    """What became of one day."""

    bound: int
    made: int
    kept: int
    by_volume: int
    n_changes: int
    plan_ns: int
    mend_ns: int


def arguments() -> argparse.Namespace:
    """The options given."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--volumes", type=Path, help="CSV of ten-minute volumes; none: a generated site")
    parser.add_argument("--forecast", type=Path, help="CSV of what was known beforehand")
    parser.add_argument("--sites", default="", help="with their numbers of groups, like S1=20,S2=12")
    parser.add_argument("--first", type=date.fromisoformat, default=SMALL, help="the first day judged")
    parser.add_argument("--days", type=int, default=7, help="how many")
    parser.add_argument("--give", type=int, default=10, help="per mille of peak to give for fewer changes")
    parser.add_argument("--bound", type=int, help="seconds a day for HiGHS to prove what no plan goes below")
    parser.add_argument("--on-time", action="store_true", help="try each plan on its day, through the kernel")
    parser.add_argument("--hub", default="demo", help="with --on-time: the hub that it is tried on")
    parser.add_argument("--rate", type=int, default=12_000, help="its parcels/h in the busiest ten minutes")
    parser.add_argument("--json", action="store_true", help="one object instead of the table")
    return parser.parse_args()


def generated_site() -> Volumes:
    """Twenty lanes with an early and a late departure, fourteen days."""
    dice = np.random.default_rng(1)
    units = tuple(Unit(f"T{k:02}", wave) for k in range(20) for wave in ("0700", "1900"))
    days = tuple(SMALL + timedelta(days=k - N_PAST) for k in range(2 * N_PAST))
    parcels = np.zeros((len(days), len(units), N_SLOTS), np.int64)
    for k, unit in enumerate(units):
        last, shape = unit.departs_min // 10, np.arange(18) * (1 + k % 4) + 9
        for day in range(len(days)):
            parcels[day, k, last - 18 : last] = dice.poisson(9000 // (k // 2 + 8) * shape / shape.sum())
    return Volumes("T", units, days, parcels)


def cases(options: argparse.Namespace) -> list[Case]:
    """The sites asked for."""
    if options.volumes is None:
        return [Case(generated_site(), None, 6)]
    pairs = [pair.partition("=")[::2] for pair in options.sites.split(",") if pair]
    if not pairs:
        raise BenchError("--volumes needs --sites, like S1=20,S2=12")
    return [
        Case(
            load_volumes(options.volumes, site),
            load_forecast(options.forecast, site) if options.forecast else None,
            int(n),
        )
        for site, n in pairs
    ]


def limited() -> Effort:
    """So long as a person waits."""
    begun_ns = perf_counter_ns()
    return Effort(lambda: (perf_counter_ns() - begun_ns) * 1000 // (LIMIT_S * NS_PER_S))


def timed(work: Callable[[], Ints]) -> tuple[Ints, int]:
    """What it makes, and ns."""
    begun_ns = perf_counter_ns()
    return work(), perf_counter_ns() - begun_ns


def judged(case: Case, day: date, before: Ints, give: int) -> tuple[Day, Ints]:
    """One day, and the plan that was kept from the day before it as far as was good."""
    volumes, n = case.volumes, case.n_groups
    truth = volumes.on(day)
    if truth is None:
        raise BenchError(f"site {volumes.site} has no day {day}")

    def planned(earlier: Ints) -> Ints:
        days = scenarios(volumes, day, n_days=N_PAST, preknown=case.preknown)
        metres = np.zeros((len(volumes.units), n), np.int64)
        return make_groups(Task(volumes.units, days, n, metres, earlier, give), limited())

    made, plan_ns = timed(lambda: planned(np.full(len(volumes.units), NOBODY, np.int64)))
    kept = planned(before) if (before != NOBODY).all() else made
    plain = by_volume(volumes.before(day, N_PAST).sum(axis=(0, 2)), n)
    peaks = [int(busiest(truth, group, n)) for group in (made, kept, plain)]
    n_changes = int(((kept != before) & (before != NOBODY)).sum())
    return Day(int(bound(truth, n)), *peaks, n_changes, plan_ns, mend_ns(case, day, made)), kept


def mend_ns(case: Case, day: date, group: Ints) -> int:
    """How long the plan without its busiest group takes, the past days being at hand."""
    n = case.n_groups
    days = scenarios(case.volumes, day, n_days=N_PAST, preknown=case.preknown)
    is_open = np.ones(n, np.uint8)
    is_open[np.bincount(group, weights=days.sum(axis=(1, 2)), minlength=n).argmax()] = 0
    task = Task(case.volumes.units, days, n, np.zeros((len(group), n), np.int64), group)
    return timed(lambda: mend_groups(task, is_open))[1]


def proved(case: Case, options: argparse.Namespace) -> dict[str, Any]:
    """What the best plan of one who knows each day comes to, over the arithmetic bound."""
    days = [case.volumes.on(options.first + timedelta(days=k)) for k in range(options.days)]
    known = [day for day in days if day is not None]
    proofs = [proved_bound(case.volumes.units, day, case.n_groups, options.bound) for day in known]
    least = sum(int(bound(day, case.n_groups)) for day in known)
    return {
        "best": round(sum(proof.least for proof in proofs) / least, 3),
        "reached": f"{sum(proof.is_reached for proof in proofs)} of {len(proofs)}",
    }


def row(case: Case, first: date, n_days: int, give: int) -> dict[str, Any]:
    """All days of a site."""
    before = np.full(len(case.volumes.units), NOBODY, np.int64)
    found: list[Day] = []
    for k in range(n_days):
        day, before = judged(case, first + timedelta(days=k), before, give)
        found.append(day)
    least, plain = sum(day.bound for day in found), sum(day.by_volume for day in found)
    made, kept = sum(day.made for day in found), sum(day.kept for day in found)
    figures = (
        case.volumes.site,
        case.n_groups,
        round(made / least, 3),
        round(kept / least, 3),
        round(sum(day.n_changes for day in found) / max(n_days - 1, 1), 1),
        round(plain / least, 3),
        round(100 - 100 * max(made, kept) / plain, 1),
        round(max(day.plan_ns for day in found) / NS_PER_S, 1),
        round(max(day.mend_ns for day in found) / 1_000_000),
    )
    return dict(zip(COLUMNS, figures, strict=True))


def plan_for(case: Case, day: date, hub: Hub, folder: Path) -> SortPlan:
    """The plan for a day, from the days before it, written and read as by `hubctl plan make`."""
    groups = grouped(sorting_chutes(hub), case.n_groups)
    wish = Wish(case.volumes, day, groups, N_PAST, case.preknown, lead_s=LEAD_S)
    file = folder / f"{day}.plan.toml"
    file.write_text(plan_text(new_plan(wish, limited()).made, None, folder), encoding="utf-8")
    return load_plan(file, hub)


def tried_row(case: Case, options: argparse.Namespace) -> dict[str, Any]:
    """All days of a site, each tried with the plan for it."""
    hub, found = resolve_hub(options.hub), list[WhatIf]()
    with TemporaryDirectory() as folder:
        for k in range(options.days):
            day = options.first + timedelta(days=k)
            plan = plan_for(case, day, hub, Path(folder))
            file = options.volumes or Path(folder)
            trial = Trial(hub, case.volumes, day, file, options.rate, 1, Faults())
            found.append(try_plan(trial, plan))
    n_due, n_made = sum(one.n_due for one in found), sum(one.n_made for one in found)
    figures = (
        case.volumes.site,
        case.n_groups,
        sum(one.verdict["inducted"] for one in found),
        n_due,
        n_made,
        round(100 * n_made / n_due, 2),
        round(min(100 * one.n_made / one.n_due for one in found), 2),
        sum(one.n_too_late for one in found),
        all(is_clean(one.verdict) for one in found),
    )
    return dict(zip(TRIED_COLUMNS, figures, strict=True))


def main() -> None:
    """Measure every site, and print it."""
    options = arguments()
    warm_up()
    if options.on_time:
        rows = [tried_row(case, options) for case in cases(options)]
    else:
        rows = [
            row(case, options.first, options.days, options.give)
            | (proved(case, options) if options.bound else {})
            for case in cases(options)
        ]
    if options.json:
        print(json.dumps({"machine": machine(), "command": command(), "sites": rows}))
        return
    print(f"{machine()}\n{command()}\n")
    print("".join(f"{name:>11}" for name in rows[0]))
    for found in rows:
        print("".join(f"{found[name]!s:>11}" for name in found))


if __name__ == "__main__":
    main()
