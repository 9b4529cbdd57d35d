"""Shrinks a case that fails: fewer parcels, then fewer traits and faults, as long as it fails in some way."""

from __future__ import annotations

from collections.abc import Callable

from hubctl.sim.swarm.case import Case, Outcome
from hubctl.sim.swarm.traits import traits_of

N_TRIES_MAX = 80  # runs spent on one case
COARSE = 50  # the number of parcels is found to a fiftieth

Run = Callable[[Case], Outcome]


def shrink(failed: Outcome, run: Run) -> Outcome:
    """The smallest outcome found that still fails.

    Parameters
    ----------
    failed : Outcome
        With something bad.
    run : callable
        Runs a case and judges it.
    """
    tries = _Tries(run)
    smallest = _fewer_parcels(failed, tries)
    smallest = _fewer_faults(_fewer_traits(smallest, tries), tries)
    return _fewer_parcels(smallest, tries)


class _Tries:
    """Runs cases until so many have been run; a case that is not run any more counts as one that does well."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._n_left = N_TRIES_MAX

    def fails(self, case: Case) -> Outcome | None:
        """The outcome if it is bad."""
        if self._n_left == 0:
            return None
        self._n_left -= 1
        outcome = self._run(case)
        return outcome if outcome.bad else None


def _fewer_parcels(failed: Outcome, tries: _Tries) -> Outcome:
    """Bisects: a run's first parcels are the same however many follow."""
    enough = 0
    while failed.case.n_parcels - enough > 1 + failed.case.n_parcels // COARSE:
        middle = (enough + failed.case.n_parcels) // 2
        smaller = tries.fails(failed.case._replace(n_parcels=middle))
        if smaller is None:
            enough = middle
        else:
            failed = smaller
    return failed


def _fewer_traits(failed: Outcome, tries: _Tries) -> Outcome:
    """Drops each trait of the hub whose absence changes nothing, once all together and then in turn."""
    if failed.case.traits:
        failed = tries.fails(failed.case._replace(traits=())) or failed
    for name in traits_of(failed.case.seed, failed.case.traits):
        rest = tuple(other for other in failed.case.traits if other != name)
        failed = tries.fails(failed.case._replace(traits=rest)) or failed
    return failed


def _fewer_faults(failed: Outcome, tries: _Tries) -> Outcome:
    """Drops each class in turn whose absence changes nothing."""
    for name in failed.case.faults:
        rest = tuple(other for other in failed.case.faults if other != name)
        failed = tries.fails(failed.case._replace(faults=rest)) or failed
    return failed
