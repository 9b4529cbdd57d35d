"""The plan desk of a running hub: the plan in force, the one before it, and what the host tells of labels.

A plan is read, checked against the hub and compiled before anything changes; then the reactor takes it whole, between
two steps. Parcels decided by then keep theirs. One that has a fault changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from hubctl.core.config import ConfigError
from hubctl.core.events import TEXT_MAX
from hubctl.core.hubfile import Hub
from hubctl.core.plan import SortPlan, compile_plan, load_plan
from hubctl.core.preadvice import CUSTOMS_WORDS, AdviceBook, Notice, is_key
from hubctl.core.tables import CompiledPlan
from hubctl.core.telling import DESK_USAGE, NO_LANES, LaneNames, TellError
from hubctl.daemon.advising import Answer, end_in, told_faults, told_file

NS_PER_S = 1_000_000_000


class InForce(NamedTuple):
    """A plan that decides, or did."""

    name: str
    plan: CompiledPlan
    lanes: LaneNames


class PlanDesk:
    """Plans and pre-advice of one hub.

    Parameters
    ----------
    hub : Hub
        A checked hub.
    plan : SortPlan or None
        The first plan; None: every parcel goes to the belt's end until one is activated.
    book : AdviceBook
        What the host has told of labels so far.
    clock_offset_ns : callable
        Tells the wall clock less the kernel's, ns.

    Raises
    ------
    ConfigError
        The plan does not fit the hub.
    """

    def __init__(
        self, hub: Hub, plan: SortPlan | None, book: AdviceBook, clock_offset_ns: Callable[[], int]
    ) -> None:
        self._hub = hub
        self._book = book
        self._clock_offset_ns = clock_offset_ns
        self._before: InForce | None = None
        self._now = None if plan is None else self._compiled(plan)
        self._swap: Callable[[CompiledPlan], None] | None = None

    @property
    def plan(self) -> CompiledPlan | None:
        """The plan in force."""
        return None if self._now is None else self._now.plan

    @property
    def lanes(self) -> LaneNames:
        """Its lanes."""
        return NO_LANES if self._now is None else self._now.lanes

    def hand_to(self, swap: Callable[[CompiledPlan], None]) -> None:
        """Whoever puts a plan into force from now on: `Reactor.swap_plan`."""
        self._swap = swap

    def do(self, words: Sequence[str]) -> Answer:
        """What becomes of a person's or the host's words.

        Raises
        ------
        TellError
            The words say nothing that a desk does, or it cannot be done; nothing has changed.
        """
        *_, answer = self.work(words)
        assert answer is not None
        return answer

    def work(self, words: Sequence[str]) -> Iterator[Answer | None]:
        """As `do` in steps, between which the daemon may turn to something else: None, and at last the answer."""
        if words[0] == "plan":
            yield self._do_plan(list(words[1:]))
        elif words[0] == "advise":
            yield from self._advised(*end_in(words[1:]))
        elif words[0] == "forget" and len(words) == 2:
            yield self._forget(words[1])
        else:
            raise TellError(f"must be like: {DESK_USAGE[words[0]]}")

    def advance(self, now_ns: int) -> int:
        """Take out some of the labels that have ended by the clock on the wall; how many."""
        return self._book.expire_some((now_ns + self._clock_offset_ns()) // NS_PER_S)

    def _do_plan(self, words: list[str]) -> Answer:
        if words[:1] == ["activate"] and len(words) == 2:
            return self._activate(Path(words[1]))
        if words == ["rollback"]:
            return self._roll_back()
        raise TellError(f"must be like: {DESK_USAGE['plan']}")

    def _activate(self, file: Path) -> Answer:
        try:
            next_one = self._compiled(load_plan(file, self._hub))
        except ConfigError as error:
            return told_faults(error.faults)
        if self._before is not None:
            self._book.leave(self._before.plan.labels)
        self._before, self._now = self._now, next_one
        return self._put_into_force(next_one)

    def _roll_back(self) -> Answer:
        if self._before is None or self._now is None:
            raise TellError("there is no plan before this one")
        self._book.leave(self._now.plan.labels)
        before = self._before
        self._before, self._now = None, before
        return self._put_into_force(before)

    def _put_into_force(self, now: InForce) -> Answer:
        if self._swap is not None:
            self._swap(now.plan)
        before = None if self._before is None else f"{self._before.plan.version:08x}"
        told = {"name": now.name, "version": f"{now.plan.version:08x}", "n_lanes": len(now.lanes.lanes)}
        return {"told": "plan", "plan": {**told, "rollback_to": before}}

    def _compiled(self, plan: SortPlan) -> InForce:
        compiled = compile_plan(plan, self._hub, self._book, clock_offset_ns=self._clock_offset_ns())
        lanes = LaneNames(tuple(lane.name for lane in plan.lanes), compiled.version)
        return InForce(plan.name, compiled, lanes)

    def _advised(self, words: list[str], ends_h: int) -> Iterator[Answer | None]:
        if len(words) == 1:
            return told_file(self._book, Path(words[0]), ends_h)
        if len(words) in (2, 3):
            return iter([self._advise(ends_h, *words)])
        raise TellError(f"must be like: {DESK_USAGE['advise']}")

    def _advise(self, ends_h: int, label: str, key: str, customs: str = "") -> Answer:
        if not is_key(key.encode()):
            raise TellError(f'"{key}" is no key: must be like zip:10003')
        if customs not in CUSTOMS_WORDS:
            raise TellError(
                f'"{customs}" is no word of customs: must be one of {", ".join(filter(None, CUSTOMS_WORDS))}'
            )
        told = Notice(
            _labels(label),
            np.array([key.encode()]),
            np.array([CUSTOMS_WORDS[customs]], np.uint8),
            np.array([ends_h], np.uint32),
        )
        try:
            n_taken = self._book.tell(told)
        except ValueError as error:
            raise TellError(str(error)) from None
        if n_taken == 0:
            raise TellError(f"there is no room for more than {self._book.table.n_labels_max} labels")
        return {"told": "advise"}

    def _forget(self, label: str) -> Answer:
        try:
            n_taken_out = self._book.remove(_labels(label))
        except ValueError as error:
            raise TellError(str(error)) from None
        if n_taken_out == 0:
            raise TellError(f'nobody told of label "{label}"')
        return {"told": "forget"}


def _labels(label: str) -> Any:
    """One label as an array; TellError: it is too long, or has a character that none has."""
    if not label.isascii() or not 1 <= len(label) <= TEXT_MAX:
        raise TellError(f'"{label}" is no label: must be 1 to {TEXT_MAX} ASCII characters')
    return np.array([label.encode()])
