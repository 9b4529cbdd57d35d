"""A simulated day on the cross-belt loop: what it can take, and how many go round again at four fifths of it."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass

import numpy as np
from machine import command, machine

from hubctl.core.site import Site, load_site
from hubctl.sim.faults import Faults
from hubctl.sim.referee import is_clean
from hubctl.sim.traffic import make_traffic
from hubctl.sim.virtual import Run, Virtual

TOO_MANY = 2  # times the rate wanted, so that no induction ever waits for a parcel
SETTLED = (10, 60)  # per cent of the parcels, between which the rate is taken
NS_PER_H = 3600 * 10**9
NAME_WIDTH = 11


class BenchError(Exception):
    """Not what was to be shown; the text says what went wrong instead."""


@dataclass(frozen=True)
class Row:
    """One run."""

    run: str
    offered_per_h: int
    n_parcels: int
    inducted_per_h: float
    load: float  # part of what the loop can take
    recirculated_share: float
    sorted_share: float
    belt_h: float
    parcels_per_s: int


def arguments() -> argparse.Namespace:
    """What is on the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--parcels", type=int, default=480_000, help="of the day (480000)")
    parser.add_argument("--rate", type=int, default=20_000, help="parcels an hour (20000)")
    parser.add_argument("--full-parcels", type=int, default=20_000, help="to find out what it takes (20000)")
    parser.add_argument("--closed", type=int, default=20, help="every so many-th chute is closed (20)")
    parser.add_argument("--seed", type=int, default=1, help="of the traffic (1)")
    parser.add_argument("--json", action="store_true", help="one object instead of the table")
    return parser.parse_args()


def run_once(site: Site, n: int, rate: int, seed: int, closed: Sequence[int]) -> Run:
    """One run in virtual time with the default faults; its verdict must be clean."""
    assert site.plan is not None
    traffic = make_traffic(site.hub, site.plan, seed=seed, n=n, parcels_per_hour=rate, faults=Faults())
    run = Virtual(site.hub, site.plan, traffic, closed=closed).run()
    if not is_clean(run.verdict):
        raise BenchError(f"the verdict is not clean: {run.verdict}")
    return run


def inducted_per_h(run: Run) -> float:
    """Parcels an hour that came to the inductions, once the loop had settled and before the last came."""
    times_ns = np.sort(run.truth.progress["inducted_ns"][run.truth.progress["inducted_ns"] > 0])
    first, last = (len(times_ns) * per_cent // 100 for per_cent in SETTLED)
    return float((last - first) * NS_PER_H / (times_ns[last] - times_ns[first]))


def row_of(name: str, offered: int, run: Run, most_per_h: float) -> Row:
    """What a run says."""
    verdict, rate = run.verdict, inducted_per_h(run)
    return Row(
        run=name,
        offered_per_h=offered,
        n_parcels=verdict["inducted"],
        inducted_per_h=rate,
        load=rate / most_per_h,
        recirculated_share=verdict["recirculated_share"],
        sorted_share=verdict["by_disposition"]["SORTED"] / verdict["inducted"],
        belt_h=verdict["belt_s"] / 3600,
        parcels_per_s=verdict["parcels_per_s"],
    )


def run_all(options: argparse.Namespace) -> list[Row]:
    """What it takes, the day, and the day with chutes closed."""
    site = load_site("crossbelt")
    too_many = TOO_MANY * options.rate
    full = run_once(site, options.full_parcels, too_many, options.seed, ())
    most_per_h = inducted_per_h(full)
    rows = [row_of("full", too_many, full, most_per_h)]
    closed = range(options.closed - 1, len(site.hub.chutes), options.closed)
    for name, chutes in (("day", ()), ("day, closed", closed)):
        print(name, file=sys.stderr)
        run = run_once(site, options.parcels, options.rate, options.seed, chutes)
        rows.append(row_of(name, options.rate, run, most_per_h))
    return rows


def table(rows: list[Row]) -> Iterator[str]:
    """The table, line by line."""
    columns = f"{'offered/h':>9} {'parcels':>8} {'inducted/h':>10} {'load':>6} {'again':>6} {'sorted':>7}"
    yield f"{'run':<{NAME_WIDTH}} {columns} {'belt h':>7} {'parcels/s':>9}"
    for r in rows:
        come = f"{r.offered_per_h:>9,} {r.n_parcels:>8} {r.inducted_per_h:>10,.0f} {r.load:>6.1%}"
        ends = f"{r.recirculated_share:>6.2%} {r.sorted_share:>7.2%} {r.belt_h:>7.2f} {r.parcels_per_s:>9,}"
        yield f"{r.run:<{NAME_WIDTH}} {come} {ends}"


def main() -> int:
    """0, or 1 with a sentence if a parcel went wrong."""
    options = arguments()
    try:
        rows = run_all(options)
    except BenchError as error:
        print(f"loop: {error}", file=sys.stderr)
        return 1
    if options.json:
        print(json.dumps({"machine": machine(), "command": command(), "rows": [asdict(row) for row in rows]}))
    else:
        print("\n".join([machine(), command(), "", *table(rows)]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
