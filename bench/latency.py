"""Read to diverter command, over sockets: hubctl, an ordinary asyncio program and a minimal C one compared.

    python bench/latency.py                     the programs at 50 to 10,000 reads/s
    python bench/latency.py --disturb           hubctl and the ordinary program again, disturbed

A load source plays the scanner, sinks play the nodes; they are C programs outside those measured and stamp
with CLOCK_MONOTONIC. Programs take turns at each rate, all of it is repeated, and the median of the repeats
is shown. Absolute figures are this machine's: the ratio to the floor in the same run is what can be compared.
`bench/README.md` says what each column means.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shlex
import sys
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

# The package of the same name, beside this file, holds the parts.
sys.path.insert(0, str(Path(__file__).parent))

from latency.cells import Cell, run_cell
from latency.figures import Figures, combined
from latency.load import make_load
from latency.processes import ChildError
from latency.programs import PROGRAMS

RATES = (50, 300, 1000, 3000, 10_000)
DISTURBED_RATES = (300, 1000)
DISTURBED_PROGRAMS = ("hubctl", "ordinary")
CALM = "-"
DISTURBANCES: dict[str, dict[str, Any]] = {
    CALM: {},
    "busy thread": {"disturbance": "busy"},
    "collections": {"disturbance": "collections"},
    "silent node": {"one_silent": True},
    "cores loaded": {"cores_loaded": True},
}

Key = tuple[str, int, str]  # program, rate, disturbance
Results = dict[Key, Figures]


def numbers(text: str) -> tuple[int, ...]:
    """A list of whole numbers above 0, as "50,300"."""
    values = tuple(int(part) for part in text.split(","))
    if min(values) < 1:
        raise argparse.ArgumentTypeError("rates must be 1 or more")
    return values


def names(text: str) -> tuple[str, ...]:
    """A list of known programs, as "floor,ordinary"."""
    found = tuple(text.split(","))
    if unknown := set(found) - PROGRAMS.keys():
        raise argparse.ArgumentTypeError(f"unknown: {', '.join(unknown)}; there are {', '.join(PROGRAMS)}")
    return found


def processor(text: str) -> int | None:
    """A CPU of this machine, or "none"."""
    if text == "none":
        return None
    if not text.isdigit() or int(text) not in os.sched_getaffinity(0):
        raise argparse.ArgumentTypeError(f"must be none or one of {sorted(os.sched_getaffinity(0))}")
    return int(text)


def parser() -> argparse.ArgumentParser:
    """The options."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    last_cpu = str(max(os.sched_getaffinity(0)))
    parser.add_argument("--seconds", type=float, default=2.0, help="of load in each cell (2)")
    parser.add_argument("--repeats", type=int, default=3, help="of each cell (3)")
    parser.add_argument("--rates", type=numbers, help="reads/s (50,300,1000,3000,10000; disturbed 300,1000)")
    parser.add_argument("--programs", type=names, help="some of floor,hubctl,ordinary")
    parser.add_argument("--pin", type=processor, default=last_cpu, help=f"CPU of all, or none ({last_cpu})")
    parser.add_argument("--disturb", action="store_true", help="the second table: disturbed programs")
    parser.add_argument("--json", action="store_true", help="one object instead of the table")
    return parser


def arguments() -> argparse.Namespace:
    """The options given, if they make sense together."""
    options = parser().parse_args()
    if options.disturb and "floor" in (options.programs or ()):
        parser().error("--disturb is for hubctl and ordinary: the floor has no Python inside")
    return options


def keys(options: argparse.Namespace) -> list[Key]:
    """The cells of the table, programs next to each other at each rate."""
    programs = options.programs or (DISTURBED_PROGRAMS if options.disturb else tuple(PROGRAMS))
    rates = options.rates or (DISTURBED_RATES if options.disturb else RATES)
    disturbances = tuple(DISTURBANCES) if options.disturb else (CALM,)
    return [(program, rate, name) for rate in rates for name in disturbances for program in programs]


def run_all(options: argparse.Namespace) -> Results:
    """Every cell, repeated, the repeats of one cell far apart."""
    loads = {with_silent: make_load(with_silent=with_silent) for with_silent in (False, True)}
    results: dict[Key, list[Figures]] = defaultdict(list)
    for repeat in range(options.repeats):
        for key in keys(options):
            program, rate, name = key
            print(f"{repeat + 1}/{options.repeats} {program} {rate}/s {name}", file=sys.stderr)
            cell = replace(Cell(program, rate, options.seconds, options.pin), **DISTURBANCES[name])
            results[key].append(run_cell(cell, loads[cell.one_silent]))
    return {key: combined(repeats) for key, repeats in results.items()}


def machine() -> str:
    """This machine, in a line."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    model = models[0] if models else platform.machine()
    return f"{model}, {os.cpu_count()} CPUs, Linux {platform.release()}, Python {platform.python_version()}"


def p50_to_floor(results: Results, key: Key) -> float | None:
    """p50 against the floor's at the same rate, if both keep up."""
    one, floor = results[key], results.get(("floor", key[1], key[2]))
    if floor is None or one.saturated or floor.saturated:
        return None
    return one.p50_us / floor.p50_us


def p99_to_calm(results: Results, key: Key) -> float | None:
    """p99 against the same program's undisturbed; a lower bound where reads were left unanswered."""
    one, calm = results[key], results.get((key[0], key[1], CALM))
    return None if calm is None else one.p99_us / calm.p99_us


def as_object(results: Results) -> dict[str, object]:
    """All of it, for a program."""
    rows = []
    for key, figures in results.items():
        program, rate, name = key
        head = {"program": program, "rate": rate, "disturbance": None if name == CALM else name}
        ratios = {"p50_to_floor": p50_to_floor(results, key), "p99_to_calm": p99_to_calm(results, key)}
        rows.append({**head, **asdict(figures), **ratios})
    return {"machine": machine(), "command": command(), "rows": rows}


def command() -> str:
    """What was typed, more or less."""
    return shlex.join(["python", *sys.argv])


def times(value: float | None) -> str:
    """A ratio, for a person."""
    return "-" if value is None else f"{value:.2f}"


def note(figures: Figures) -> str:
    """What the figures do not say by themselves."""
    n_missing = figures.n_sent - figures.n_answered
    saturated = [f"saturated: {figures.done_per_s:,.0f}/s done"] if figures.saturated else []
    missing = [f"{n_missing} not answered: times are lower bounds"] if n_missing else []
    return "; ".join(saturated + missing)


def row(results: Results, key: Key, last: float | None) -> str:
    """One line of the table."""
    f = results[key]
    program, rate, name = key
    counts = f"{rate:>6} {program:<9} {name:<12} {f.n_sent:>7} {f.n_answered:>8} {f.n_wrong:>5} {f.n_off:>6}"
    waits = f"{f.p50_us:>9.0f} {f.p99_us:>9.0f} {f.p999_us:>9.0f} {f.max_us:>9.0f}"
    return f"{counts} {waits} {times(last):>7} {f.cpu_us_per_read:>8.1f}  {note(f)}".rstrip()


def table(results: Results, disturbed: bool) -> Iterator[str]:
    """The table, line by line."""
    column = "p99/-" if disturbed else "p50/fl."
    yield (
        f"{'rate/s':>6} {'program':<9} {'disturbed by':<12} {'sent':>7} {'answered':>8} {'wrong':>5}"
        f" {'off':>6} {'p50 us':>9} {'p99 us':>9} {'p99.9 us':>9} {'max us':>9} {column:>7} {'CPU us':>8}"
    )
    for key in results:
        yield row(results, key, p99_to_calm(results, key) if disturbed else p50_to_floor(results, key))


def show(lines: Sequence[str]) -> None:
    """To standard output."""
    print("\n".join(lines))


def main() -> int:
    """0, or 1 with a sentence if a program could not be measured."""
    options = arguments()
    try:
        results = run_all(options)
    except ChildError as error:
        print(f"latency: {error}", file=sys.stderr)
        return 1
    if options.json:
        show([json.dumps(as_object(results))])
    else:
        show([machine(), command(), "", *table(results, options.disturb)])
    return 0


if __name__ == "__main__":
    sys.exit(main())
