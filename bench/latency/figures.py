"""From stamps to figures: matches coil writes with the reads that caused them, and sums up their latency.

A read that was not answered counts with the time it had waited when the run ended, so that a program cannot
look better by leaving the slow ones out. Figures of repeats are combined by their median, since a stall of
the machine hits now one program and now another; `max_us` is the largest of all.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Times = npt.NDArray[np.int64]

GRACE_NS = 20_000_000  # so long after the last read, nearly all must be answered
BACKLOG_SHARE = 0.02  # else the program is saturated
BACKLOG_LEAST = 5


@dataclass(frozen=True)
class Figures:
    """One program on one load."""

    n_sent: int
    n_answered: int
    n_wrong: int
    n_off: int  # coils switched off meanwhile: the same work for all programs
    p50_us: float
    p99_us: float
    p999_us: float
    max_us: float
    cpu_us_per_read: float
    done_per_s: float
    saturated: bool


@dataclass(frozen=True)
class Run:
    """The stamps of one run: reads sent and coils switched on, with the lane of each."""

    sent_ns: Times
    sent_lanes: Times
    on_ns: Times
    on_lanes: Times
    n_off: int
    end_ns: int
    cpu_ns: int


def match_lane(sent_ns: Times, on_ns: Times, end_ns: int) -> tuple[list[int], int, int]:
    """Waits of one lane's reads, ns; how many were answered; how many writes no read had asked for.

    >>> match_lane(np.array([10, 20, 30]), np.array([5, 12, 26]), 100)
    ([2, 6, 70], 2, 1)
    """
    waits_ns: list[int] = []
    reads = sent_ns.tolist()
    for t_ns in on_ns.tolist():
        if len(waits_ns) < len(reads) and reads[len(waits_ns)] <= t_ns:
            waits_ns.append(t_ns - reads[len(waits_ns)])
    n_answered = len(waits_ns)
    waits_ns += [end_ns - t_ns for t_ns in reads[n_answered:]]
    return waits_ns, n_answered, len(on_ns) - n_answered


def n_done_by(run: Run, t_ns: int) -> int:
    """Coils switched on by then."""
    return int(np.count_nonzero(run.on_ns <= t_ns))


def saturated(run: Run) -> bool:
    """Whether many reads are unanswered shortly after the last was sent."""
    n_sent = len(run.sent_ns)
    backlog = n_sent - n_done_by(run, int(run.sent_ns[-1]) + GRACE_NS)
    return backlog > max(BACKLOG_LEAST, BACKLOG_SHARE * n_sent)


def done_per_s(run: Run) -> float:
    """Coils switched on a second while reads were sent."""
    until_ns = int(run.sent_ns[-1]) + GRACE_NS
    return n_done_by(run, until_ns) * 1e9 / (until_ns - int(run.sent_ns[0]))


def figures(run: Run) -> Figures:
    """The figures of one run of at least one read."""
    waits_ns: list[int] = []
    n_answered = n_wrong = 0
    for lane in np.union1d(run.sent_lanes, run.on_lanes):
        reads, writes = run.sent_ns[run.sent_lanes == lane], run.on_ns[run.on_lanes == lane]
        lane_waits_ns, n_lane_answered, n_lane_wrong = match_lane(reads, writes, run.end_ns)
        waits_ns += lane_waits_ns
        n_answered += n_lane_answered
        n_wrong += n_lane_wrong
    p50_us, p99_us, p999_us, max_us = np.percentile(waits_ns, (50, 99, 99.9, 100), method="higher") / 1000
    return Figures(
        n_sent=len(run.sent_ns),
        n_answered=n_answered,
        n_wrong=n_wrong,
        n_off=run.n_off,
        p50_us=float(p50_us),
        p99_us=float(p99_us),
        p999_us=float(p999_us),
        max_us=float(max_us),
        cpu_us_per_read=run.cpu_ns / 1000 / max(1, n_answered),
        done_per_s=done_per_s(run),
        saturated=saturated(run),
    )


def combined(repeats: Sequence[Figures]) -> Figures:
    """The repeats of one cell in one: counts added, times by their median, the largest maximum."""

    def median(name: str) -> float:
        values: list[float] = [getattr(each, name) for each in repeats]
        return statistics.median(values)

    return Figures(
        n_sent=sum(each.n_sent for each in repeats),
        n_answered=sum(each.n_answered for each in repeats),
        n_wrong=sum(each.n_wrong for each in repeats),
        n_off=sum(each.n_off for each in repeats),
        p50_us=median("p50_us"),
        p99_us=median("p99_us"),
        p999_us=median("p999_us"),
        max_us=max(each.max_us for each in repeats),
        cpu_us_per_read=median("cpu_us_per_read"),
        done_per_s=median("done_per_s"),
        saturated=sum(each.saturated for each in repeats) * 2 > len(repeats),
    )
