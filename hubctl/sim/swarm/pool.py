"""Runs cases side by side: one process a job, each with the loop compiled beforehand."""

from __future__ import annotations

import multiprocessing
import signal
from collections.abc import Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from itertools import islice

from hubctl.sim.swarm.case import Case, Outcome, run_case

N_AHEAD = 4  # cases that wait for each process


def warm_up() -> None:
    """Compiles the simulated hub, once on a machine: else each process would."""
    run_case(Case(0, 1, ()))


def outcomes(cases: Iterable[Case], n_jobs: int) -> Iterator[Outcome]:
    """Each case's outcome as it comes; in order with one job.

    A case that ends its process (a crash of compiled code) is an outcome with an error.
    """
    if n_jobs == 1:
        yield from map(run_case, cases)
        return
    with ProcessPoolExecutor(n_jobs, multiprocessing.get_context("spawn"), initializer=_begin) as pool:
        try:
            yield from _side_by_side(pool, iter(cases), n_jobs * N_AHEAD)
        finally:
            pool.shutdown(cancel_futures=True)


def _begin() -> None:
    """Ctrl-C is for the parent, which then asks for no more."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _side_by_side(pool: ProcessPoolExecutor, cases: Iterator[Case], n_ahead: int) -> Iterator[Outcome]:
    pending: dict[Future[Outcome], Case] = {}
    while True:
        for case in islice(cases, n_ahead - len(pending)):
            pending[pool.submit(run_case, case)] = case
        if not pending:
            return
        for future in wait(pending, return_when=FIRST_COMPLETED).done:
            yield _outcome_of(future, pending.pop(future))


def _outcome_of(future: Future[Outcome], case: Case) -> Outcome:
    try:
        return future.result()
    except BrokenProcessPool:
        return Outcome(case, {}, {"error": 1}, "the process ended: this case or one that ran beside it")
