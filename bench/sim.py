"""Parcels a second in virtual time: `hubctl sim` with the kernel in the loop, beside a SimPy model of the same belt.

    python bench/sim.py                 200,000 parcels and 2,000 in turn, three times, about a minute

Both run the demo hub with the same generated traffic and faults on one core; a parcel costs the same whether many
or few come, so the slower one gets fewer. hubctl's loop is compiled before the clock starts. The verdict of
each run of hubctl must be clean, and the model must sort as many, or nothing is printed.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from hubctl.core.site import Site, load_site
from hubctl.sim.faults import Faults
from hubctl.sim.referee import is_clean
from hubctl.sim.traffic import Traffic, make_traffic
from hubctl.sim.virtual import Virtual

sys.path.insert(0, str(Path(__file__).parent))

from machine import command, machine
from simpy_belt import run_model

PARCELS_PER_HOUR = 12_000
SORTED_SHARE_MIN = 0.9  # the faults leave more than that
WRONG_SHARE_MAX = 0.03  # the model takes a late telegram for the next parcel's


class BenchError(Exception):
    """A run did not do the work that was to be timed."""


@dataclass(frozen=True)
class Figures:
    """One program, all repeats."""

    program: str
    n_parcels: int
    sorted_share: float
    parcels_per_s: float  # median of the repeats
    lowest_per_s: float
    highest_per_s: float


@dataclass(frozen=True)
class Run:
    """One repeat of one program."""

    sorted_share: float
    parcels_per_s: float


def arguments() -> argparse.Namespace:
    """The options given."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--parcels", type=int, default=200_000, help="for hubctl (200000)")
    parser.add_argument("--simpy-parcels", type=int, default=2000, help="for the SimPy model (2000)")
    parser.add_argument("--seed", type=int, default=7, help="of the traffic (7)")
    parser.add_argument("--repeats", type=int, default=3, help="of both (3)")
    parser.add_argument("--json", action="store_true", help="one object instead of the table")
    return parser.parse_args()


def traffic_of(site: Site, n: int, seed: int) -> Traffic:
    """The default traffic of `hubctl sim`."""
    assert site.plan is not None
    return make_traffic(
        site.hub, site.plan, seed=seed, n=n, parcels_per_hour=PARCELS_PER_HOUR, faults=Faults()
    )


def run_hubctl(site: Site, traffic: Traffic) -> Run:
    """One run in virtual time."""
    assert site.plan is not None
    verdict = Virtual(site.hub, site.plan, traffic).run().verdict
    if not is_clean(verdict):
        raise BenchError(f"hubctl's verdict is not clean: {verdict}")
    share = verdict["by_disposition"]["SORTED"] / verdict["inducted"]
    return Run(share, verdict["inducted"] / verdict["wall_s"])


def run_simpy(site: Site, traffic: Traffic) -> Run:
    """One run of the model."""
    assert site.plan is not None
    began_s = time.perf_counter()
    outcome = run_model(site.hub, site.plan, traffic)
    wall_s = time.perf_counter() - began_s
    if outcome.n_in_wrong_chute > WRONG_SHARE_MAX * outcome.n_parcels:
        raise BenchError(f"the SimPy model put {outcome.n_in_wrong_chute} parcels into wrong chutes")
    return Run(outcome.n_in_right_chute / outcome.n_parcels, outcome.n_parcels / wall_s)


def combined(program: str, n_parcels: int, runs: list[Run]) -> Figures:
    """The repeats of one program."""
    speeds = [run.parcels_per_s for run in runs]
    share = min(run.sorted_share for run in runs)
    if share < SORTED_SHARE_MIN:
        raise BenchError(f"{program} sorted only {share:.1%}")
    return Figures(program, n_parcels, share, statistics.median(speeds), min(speeds), max(speeds))


def run_all(options: argparse.Namespace) -> list[Figures]:
    """Both programs in turn, repeated."""
    site = load_site("demo")
    many = traffic_of(site, options.parcels, options.seed)
    few = traffic_of(site, options.simpy_parcels, options.seed)
    ours, models = [], []
    for repeat in range(options.repeats):
        print(f"{repeat + 1}/{options.repeats}", file=sys.stderr)
        ours.append(run_hubctl(site, many))
        models.append(run_simpy(site, few))
    return [
        combined("hubctl sim", options.parcels, ours),
        combined("SimPy model", options.simpy_parcels, models),
    ]


def table(results: list[Figures]) -> Iterator[str]:
    """The table, line by line."""
    yield f"{'program':<12} {'parcels':>8} {'sorted':>7} {'parcels/s':>10} {'lowest':>9} {'highest':>9} {'ratio':>7}"
    slowest = results[-1].parcels_per_s
    for f in results:
        speeds = f"{f.parcels_per_s:>10,.0f} {f.lowest_per_s:>9,.0f} {f.highest_per_s:>9,.0f}"
        ratio = f"{f.parcels_per_s / slowest:>6,.1f}x"
        yield f"{f.program:<12} {f.n_parcels:>8} {f.sorted_share:>7.1%} {speeds} {ratio}"


def main() -> int:
    """0, or 1 with a sentence if something else was done than what was to be timed."""
    options = arguments()
    try:
        results = run_all(options)
    except BenchError as error:
        print(f"sim: {error}", file=sys.stderr)
        return 1
    if options.json:
        print(json.dumps({"machine": machine(), "command": command(), "rows": [asdict(f) for f in results]}))
    else:
        print("\n".join([machine(), command(), "", *table(results)]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
