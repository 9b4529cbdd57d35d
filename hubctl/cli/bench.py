"""`hubctl bench`: how fast decisions are on this machine."""

from __future__ import annotations

import ctypes
import hashlib
import resource
from time import perf_counter_ns, process_time_ns
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hubctl.cli.output import JSON_OPTION, print_json

if TYPE_CHECKING:
    from hubctl.core.assign import Assigner
    from hubctl.core.national import Nation

app = typer.Typer(no_args_is_help=True)

N_WARM = 1000
N_SINGLE_MAX = 1_000_000
KB_PER_MB = 1024
NS_PER_S = 1_000_000_000


@app.callback()
def bench() -> None:
    """Benchmarks of this machine."""


@app.command("national")
def national(
    decisions: Annotated[int, typer.Option(min=1, help="Full decisions, on one core.")] = 100_000_000,
    labels: Annotated[int, typer.Option(min=1, max=100_000_000, help="Labels advised.")] = 5_000_000,
    as_json: Annotated[bool, typer.Option(JSON_OPTION, help="One object on standard output.")] = False,
) -> None:
    """A nation's parcels: label to lane, wave and chute with its capacity, by the kernel's own choice."""
    found = run_national(decisions, labels)
    if as_json:
        print_json(found)
    else:
        _print(found)


def run_national(n_decisions: int, n_labels: int) -> dict[str, Any]:
    """Time everything; figures of time are processor time, those of single calls wall-clock time."""
    from hubctl.core.assign import Assigner
    from hubctl.core.national import advised, nation, parcels
    from hubctl.core.plan import compile_plan

    site = nation(n_labels)
    begun_ns = process_time_ns()
    book = advised(site)
    load_ns = process_time_ns() - begun_ns
    plan = compile_plan(site.plan, site.hub, book)
    warm, times_ns = next(parcels(site, N_WARM))
    Assigner(site.hub, plan).assign_labels(warm, times_ns)
    singles = _singles(Assigner(site.hub, plan), site, min(n_decisions, N_SINGLE_MAX))
    return {
        "decisions": n_decisions,
        "labels": n_labels,
        "bytes_a_label": round(book.table.n_bytes / n_labels, 1),
        "load_ns_a_label": round(load_ns / n_labels, 1),
        **_many(Assigner(site.hub, plan), site, n_decisions),
        **singles,
        "memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // KB_PER_MB,
    }


def _many(assigner: Assigner, site: Nation, n_decisions: int) -> dict[str, Any]:
    """The decisions in batches; drawing the labels is not timed."""
    import numpy as np

    from hubctl.core.national import N_CHUNK, emptyings, parcels
    from hubctl.core.tables import ASSIGNMENT

    digest, room = hashlib.blake2b(digest_size=16), np.zeros(N_CHUNK, ASSIGNMENT)
    room.fill(room[0])  # so that its pages are there
    spent_ns = wall_ns = n_sorted = 0
    for labels, times_ns in parcels(site, n_decisions):
        inputs = emptyings(len(site.hub.chutes), times_ns)
        begun_ns, wall_begun_ns = process_time_ns(), perf_counter_ns()
        found = assigner.assign_labels(labels, times_ns, inputs, room[: len(labels)])
        spent_ns += process_time_ns() - begun_ns
        wall_ns += perf_counter_ns() - wall_begun_ns
        digest.update(found.tobytes())
        n_sorted += int((found["reason"] == 1).sum())
    return {
        "seconds": round(spent_ns / NS_PER_S, 2),
        "wall_seconds": round(wall_ns / NS_PER_S, 2),
        "ns_a_decision": round(spent_ns / n_decisions, 1),
        "decisions_per_s": n_decisions * NS_PER_S // max(spent_ns, 1),
        "sorted": n_sorted,
        "hash": digest.hexdigest(),
    }


def _singles(assigner: Assigner, site: Nation, n: int) -> dict[str, Any]:
    """Calls one by one, two looks at the clock included; nothing is fetched ahead."""
    import numpy as np

    from hubctl.core.national import parcels

    clock = ctypes.cast(ctypes.CDLL(None).clock_gettime, ctypes.c_void_p).value or 0
    labels, times_ns = next(parcels(site, n))
    _, waits_ns = assigner.time_labels(labels, times_ns, clock)
    p50, p99, p999 = np.percentile(waits_ns, (50, 99, 99.9)).astype(int).tolist()
    return {"single_p50_ns": p50, "single_p99_ns": p99, "single_p999_ns": p999}


def _print(found: dict[str, Any]) -> None:
    lines = [
        "{decisions:,} decisions in {seconds} s on one core: {ns_a_decision} ns each, {decisions_per_s:,} a second",
        "{sorted:,} of them into a chute of their lane; hash {hash}",
        "{labels:,} advised labels of {bytes_a_label} bytes, loaded in {load_ns_a_label} ns each",
        "a single call: p50 {single_p50_ns} ns, p99 {single_p99_ns} ns, p99.9 {single_p999_ns} ns",
        "{memory_mb:,} MB in all",
    ]
    typer.echo("\n".join(lines).format(**found))
