"""What a swarm found, over all its seeds."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import Any

from hubctl.sim.swarm.case import FAULT_NAMES, MUST_BE_0, Outcome, faults_of
from hubctl.sim.swarm.traits import TRAITS, traits_of

SEEDS_ENOUGH = 50  # in so many, each class of faults must have been on, and each trait there
HUBS, USED = "hubs", "used"


class Summary:
    """Adds up outcomes."""

    def __init__(self) -> None:
        self.n_seeds = 0
        self.failures: list[Outcome] = []
        self._totals: Counter[str] = Counter()
        self._dispositions: Counter[str] = Counter()
        self._reasons: Counter[str] = Counter()
        self._seeds_with: Counter[str] = Counter()
        self._faults: defaultdict[str, Counter[str]] = defaultdict(Counter)
        self._traits: defaultdict[str, Counter[str]] = defaultdict(Counter)

    def add(self, outcome: Outcome) -> None:
        """One more seed."""
        self.n_seeds += 1
        if outcome.bad:
            self.failures.append(outcome)
        verdict = outcome.verdict
        self._totals.update({key: verdict.get(key, 0) for key in ("inducted", "undetectable", *MUST_BE_0)})
        self._totals["error"] += outcome.bad.get("error", 0)
        self._dispositions.update(verdict.get("by_disposition", {}))
        self._reasons.update(verdict.get("by_reason", {}))
        for name, did in verdict.get("by_fault", {}).items():
            self._faults[name].update(did)
        for name in traits_of(outcome.case.seed, outcome.case.traits):
            self._traits[name].update({HUBS: 1, USED: verdict.get("by_trait", {}).get(name, 0)})
        chances = faults_of(outcome.case)
        self._seeds_with.update(name for name in FAULT_NAMES if getattr(chances, name))

    @property
    def never_on(self) -> list[str]:
        """Classes of faults that were on in none of many seeds, and traits that were at work in none."""
        if self.n_seeds < SEEDS_ENOUGH:
            return []
        idle = [name for name in TRAITS if not self._traits[name][USED]]
        return [name for name in FAULT_NAMES if not self._seeds_with[name]] + idle

    def as_dict(self) -> dict[str, Any]:
        """One object; `MUST_BE_0` of it should be 0."""
        return {
            "seeds": self.n_seeds,
            "inducted": self._totals["inducted"],
            **{key: self._totals[key] for key in (*MUST_BE_0, "error")},
            "undetectable": self._totals["undetectable"],
            "by_disposition": dict(self._dispositions.most_common()),
            "by_reason": dict(self._reasons.most_common()),
            "by_fault": {name: dict(self._faults[name]) for name in FAULT_NAMES if name in self._faults},
            "by_trait": {name: dict(self._traits[name]) for name in TRAITS if name in self._traits},
            "seeds_with": {name: self._seeds_with[name] for name in FAULT_NAMES},
            "never_on": self.never_on,
        }


def bad_words(outcome: Outcome) -> str:
    """What is bad, as a person says it."""
    return ", ".join(f"{key.replace('_', ' ')} {n}" for key, n in outcome.bad.items())
