"""A nation's parcels: full decisions beside what general programs need for a part of the same work, in one run.

    python bench/national.py                      20 million decisions, 5 million advised labels, about two minutes
    python bench/national.py --decisions 1000000 --labels 100000

DuckDB and Polars, one thread each, do the join alone: label to lane, once by the label's text, once by a number.
zen-engine evaluates a decision table with one row a county rule. All of them come with `pip install '.[bench]'`; one
that is absent is left out and named. `bench/README.md` says what the figures mean.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from time import process_time_ns
from typing import Any

os.environ["POLARS_MAX_THREADS"] = "1"  # read when it is loaded

import numpy as np

# The parts are beside this file.
sys.path.insert(0, str(Path(__file__).parent))

from machine import command, machine

from hubctl.cli.bench import run_national
from hubctl.core.assign import Assigner
from hubctl.core.events import Reason
from hubctl.core.national import advised, nation, parcels
from hubctl.core.plan import compile_plan
from hubctl.core.planrules import keyed_rules

N_ZEN = 300


class BenchError(Exception):
    """The work that was to be timed was not done."""


def arguments() -> argparse.Namespace:
    """The options given."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--decisions", type=int, default=20_000_000)
    parser.add_argument("--labels", type=int, default=5_000_000)
    parser.add_argument("--json", action="store_true", help="one object instead of the table")
    return parser.parse_args()


class Work:
    """The same parcels as tables: labels and lanes that are known, labels that come."""

    def __init__(self, n_decisions: int, n_labels: int) -> None:
        site = nation(n_labels)
        plan = compile_plan(site.plan, site.hub, advised(site))
        self.labels = site.labels
        self.lanes = Assigner(site.hub, plan).assign_lanes(
            plan.labels.resolve_many(site.labels)[1], np.zeros(n_labels, np.int64)
        )["lane"]
        self.asked = np.concatenate([labels for labels, _ in parcels(site, n_decisions)])
        self.numbers, self.asked_numbers = _numbers(self.labels), _numbers(self.asked)
        reasons, lanes = plan.labels.resolve_many(self.asked)
        self.expected = int(lanes[reasons == Reason.OK].astype(np.int64).sum())


def _numbers(labels: Any) -> Any:
    """The digits of a label as a number, as an ordinary program might key it."""
    digits = labels.view(np.uint8).reshape(len(labels), -1)[:, 2:15].astype(np.int64) - ord("0")
    return digits @ (10 ** np.arange(12, -1, -1, dtype=np.int64))


def timed(work: Callable[[], int], expected: int, n: int) -> float:
    """ns a row of processor time; the work must find what is expected."""
    begun_ns = process_time_ns()
    found = work()
    spent_ns = process_time_ns() - begun_ns
    if found != expected:
        raise BenchError(f"the sum of all lanes is {found}, and must be {expected}")
    return spent_ns / n


def time_duckdb(work: Work) -> dict[str, float]:
    """The join, its table of labels built in the same query."""
    import duckdb
    import pyarrow

    base = duckdb.connect(config={"threads": 1})
    tables = {"text": (work.labels, work.asked), "number": (work.numbers, work.asked_numbers)}
    found = {}
    for name, (known, asked) in tables.items():
        base.register("k", pyarrow.table({"label": _column(known), "lane": work.lanes}))
        base.register("a", pyarrow.table({"label": _column(asked)}))
        base.execute("create or replace table known as select * from k").fetchall()
        base.execute("create or replace table asked as select * from a").fetchall()
        query = "select sum(lane) from asked join known using (label)"
        found[f"duckdb_{name}_ns"] = timed(
            lambda query=query: int(base.execute(query).fetchall()[0][0]), work.expected, len(asked)
        )
    return found


def _column(values: Any) -> Any:
    """Bytes as text; numbers as they are."""
    import pyarrow

    return pyarrow.array(values).cast(pyarrow.string()) if values.dtype.kind == "S" else values


def time_polars(work: Work) -> dict[str, float]:
    """The same join."""
    import polars

    tables = {"text": (work.labels, work.asked), "number": (work.numbers, work.asked_numbers)}
    found = {}
    for name, (known, asked) in tables.items():
        left = polars.DataFrame({"label": polars.Series(_column(asked))})
        right = polars.DataFrame(
            {"label": polars.Series(_column(known)), "lane": work.lanes.astype(np.int64)}
        )
        found[f"polars_{name}_ns"] = timed(
            lambda left=left, right=right: left.join(right, on="label")["lane"].sum(),
            work.expected,
            len(asked),
        )
    return found


def time_zen(work: Work) -> dict[str, float]:
    """A decision table with a row for each rule of the plan by county; the destination is known already."""
    import zen

    rules = [
        (key.prefix, rule.lane)
        for key, rule in keyed_rules(nation(1).plan).items()
        if key.namespace == "county"
    ]
    columns = (
        [{"id": "i", "name": "county", "field": "county"}],
        [{"id": "o", "name": "lane", "field": "lane"}],
    )
    rows = [{"_id": prefix, "i": f"startsWith($, '{prefix}')", "o": f"'{lane}'"} for prefix, lane in rules]
    table = {"hitPolicy": "first", "inputs": columns[0], "outputs": columns[1], "rules": rows}
    nodes = [
        {"id": "in", "type": "inputNode", "name": "in", "position": {"x": 0, "y": 0}},
        {
            "id": "table",
            "type": "decisionTableNode",
            "name": "t",
            "position": {"x": 1, "y": 0},
            "content": table,
        },
        {"id": "out", "type": "outputNode", "name": "out", "position": {"x": 2, "y": 0}},
    ]
    edges = [
        {"id": "a", "type": "edge", "sourceId": "in", "targetId": "table"},
        {"id": "b", "type": "edge", "sourceId": "table", "targetId": "out"},
    ]
    decision = zen.ZenEngine().create_decision(json.dumps({"nodes": nodes, "edges": edges}))
    asked = [rules[no % len(rules)] for no in range(N_ZEN)]
    begun_ns = process_time_ns()
    lanes = [decision.evaluate({"county": f"{prefix}0100"})["result"]["lane"] for prefix, _ in asked]
    spent_ns = process_time_ns() - begun_ns
    if lanes != [lane for _, lane in asked]:
        raise BenchError("zen-engine decides otherwise")
    return {"zen_ns": spent_ns / N_ZEN, "zen_rules": len(rules)}


def compared(n_decisions: int, n_labels: int) -> dict[str, Any]:
    """Every program in turn, on the same parcels."""
    found: dict[str, Any] = run_national(n_decisions, n_labels)
    work = Work(n_decisions, n_labels)
    found["absent"] = []
    for time_one in (time_duckdb, time_polars, time_zen):
        try:
            found |= time_one(work)
        except ImportError as absent:
            found["absent"].append(str(absent.name))
    return found


def printed(found: dict[str, Any]) -> str:
    """The figures as a person reads them, each beside ours."""
    own = found["ns_a_decision"]
    lines = [
        f"full decision         {own:10.1f} ns   {found['decisions']:,} in {found['seconds']} s, "
        f"{found['labels']:,} labels of {found['bytes_a_label']} bytes, hash {found['hash']}",
        f"single call           {found['single_p50_ns']:10,} ns p50, {found['single_p99_ns']:,} p99, "
        f"{found['single_p999_ns']:,} p99.9",
    ]
    for name in ("duckdb_number", "duckdb_text", "polars_number", "polars_text", "zen"):
        if f"{name}_ns" in found:
            ns, what = found[f"{name}_ns"], name.replace("_", ", join by ")
            lines.append(f"{what:22}{ns:10.1f} ns   {ns / own:,.2f} times ours")
    return "\n".join([*lines, *(f"absent: {name}" for name in found["absent"])])


def main() -> None:
    """Time everything, and print it."""
    options = arguments()
    found = compared(options.decisions, options.labels)
    if options.json:
        print(json.dumps({"machine": machine(), "command": command(), **found}))
    else:
        print(f"{machine()}, load {os.getloadavg()[0]:.1f}\n{command()}\n\n{printed(found)}")


if __name__ == "__main__":
    main()
