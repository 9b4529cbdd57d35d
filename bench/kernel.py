"""Nanoseconds for one step of the kernel, by what it is about, against tracks in flight and rules in the plan.

    python bench/kernel.py                      every pair of 10, 1,000 and 100,000, about two minutes
    python bench/kernel.py --tracks 10,100000 --rules 10

A belt is filled with so many parcels; then each step is timed alone while parcels come, are read, diverted and
confirmed, and leave. A figure is the mean of the middle half of the steps (as robust as a median, and finer
than the clock), of the repeats the quietest; behind it, the ratio to the first line. `bench/README.md` says
what the columns mean.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt

# The parts are beside this file.
sys.path.insert(0, str(Path(__file__).parent))

from kernel_steps.belt import make_rules
from kernel_steps.inputs import What
from kernel_steps.timed import Steps, time_steps
from machine import command, machine

SIZES = (10, 1000, 100_000)
COLUMNS = (
    *(What.TICK, What.ENCODER, What.INDUCT, What.NEAR, What.EYE, What.TRAIL),
    *(What.READ, What.COMMIT, What.FIRE, What.CONFIRM),
)
ANY = "any"  # every step but those that only tell the time or the place

Key = tuple[int, int]  # tracks, rules
Figures = dict[str, float]  # ns, by column
Results = dict[Key, Figures]


class BenchError(Exception):
    """The kernel did not do the work that was to be timed."""


def sizes(text: str) -> tuple[int, ...]:
    """A list of whole numbers from 10 to 400,000, as "10,1000"."""
    values = tuple(int(part) for part in text.split(","))
    if not all(10 <= value <= 400_000 for value in values):
        raise argparse.ArgumentTypeError("each must be 10 to 400000")
    return values


def arguments() -> argparse.Namespace:
    """The options given."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--tracks", type=sizes, default=SIZES, help="in flight (10,1000,100000)")
    parser.add_argument("--rules", type=sizes, default=SIZES, help="in the plan, at most 200000 (as tracks)")
    parser.add_argument("--parcels", type=int, default=10_000, help="timed in each run (10000)")
    parser.add_argument("--repeats", type=int, default=3, help="of each line (3)")
    parser.add_argument("--json", action="store_true", help="one object instead of the table")
    options = parser.parse_args()
    if max(options.rules) > 200_000:
        parser.error("--rules: half of them are ZIP prefixes, of which there are 100,000")
    return options


def middle_mean(values: npt.NDArray[np.int64]) -> float:
    """Mean of the middle half.

    >>> middle_mean(np.array([1, 5, 6, 900]))
    5.5
    """
    ordered = np.sort(values)
    quarter = len(ordered) // 4
    return float(ordered[quarter : len(ordered) - quarter].mean())


def checked(steps: Steps, n_tracks: int, n_parcels: int) -> Steps:
    """The same, if the belt was as full as it should be and every parcel was sorted."""
    if steps.n_closed < 0.98 * n_parcels or steps.n_sorted != steps.n_closed:
        raise BenchError(f"{steps.n_sorted} sorted of {steps.n_closed} closed of {n_parcels} parcels")
    if abs(steps.n_open - n_tracks) > 3 + 0.01 * n_tracks:
        raise BenchError(f"{steps.n_open} tracks in flight instead of {n_tracks}")
    return steps


def figures(steps: Steps) -> Figures:
    """One run in numbers."""
    by_kind = {what.name.lower(): middle_mean(steps.waits_ns[steps.whats == what]) for what in COLUMNS}
    return by_kind | {ANY: middle_mean(steps.waits_ns[steps.whats > What.ENCODER])}


def run_all(options: argparse.Namespace) -> Results:
    """Every line, repeated in turn; the quietest counts."""
    plans = {n_rules: make_rules(n_rules) for n_rules in options.rules}
    results: Results = {}
    for repeat in range(options.repeats):
        for n_tracks in options.tracks:
            for n_rules, rules in plans.items():
                print(f"{repeat + 1}/{options.repeats} {n_tracks} tracks, {n_rules} rules", file=sys.stderr)
                steps = checked(time_steps(n_tracks, rules, options.parcels), n_tracks, options.parcels)
                new, key = figures(steps), (n_tracks, n_rules)
                results[key] = {name: min(new[name], results.get(key, new)[name]) for name in new}
    return results


def ratios(results: Results, key: Key) -> Figures:
    """Each figure over that of the first line."""
    first = next(iter(results.values()))
    return {name: value / max(first[name], 1.0) for name, value in results[key].items()}


def as_object(results: Results) -> dict[str, object]:
    """All of it, for a program."""
    rows = [
        {"tracks": key[0], "rules": key[1], "ns": results[key], "ratio": ratios(results, key)}
        for key in results
    ]
    return {"machine": machine(), "command": command(), "rows": rows}


def table(results: Results) -> Iterator[str]:
    """The table, line by line."""
    names = [*(what.name.lower() for what in COLUMNS), ANY]
    yield f"{'tracks':>7} {'rules':>7}" + "".join(f"{name:>11}" for name in names)
    for key, row in results.items():
        by_name = ratios(results, key)
        cells = [f"{row[name]:.0f} {by_name[name]:>4.1f}x" for name in names]
        yield f"{key[0]:>7} {key[1]:>7}" + "".join(f"{cell:>11}" for cell in cells)


def main() -> int:
    """0, or 1 with a sentence if the kernel did something else."""
    options = arguments()
    try:
        results = run_all(options)
    except BenchError as error:
        print(f"kernel: {error}", file=sys.stderr)
        return 1
    if options.json:
        print(json.dumps(as_object(results)))
    else:
        print(
            "\n".join(
                [machine(), command(), "ns a step, and the ratio to the first line", "", *table(results)]
            )
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
