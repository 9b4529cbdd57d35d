"""Makes a plan of chute groups for a day to come: peaks balanced first, then fewer metres, then few changes.

Waves that share no ten minutes are planned apart: a group that is busy for one may be as busy for the other. Within
a limit of what an earlier goal could reach, the later ones decide.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from hubctl.core.planmeasure import NOBODY, Sizes, bound, group_loads, of_one_size
from hubctl.core.planner import (
    N_MEASURES,
    N_SQUARINGS,
    PER_MILLE,
    Board,
    Goal,
    compiled_search,
)
from hubctl.core.volumes import Ints, Unit

N_SLOTS_SEEN_MAX = 24  # ten minutes of a wave, the busiest
N_STARTS = 3
N_ROUNDS = 50
N_TRIALS_MIN, N_TRIALS_MAX = 60_000, 4_000_000  # of a goal and start
N_TRIALS_A_PLACE = 40
HEAT = 30_000  # at first a plan is taken that is worse by so many millionths
GIVE = 10  # per mille of peak, and of metres, that may be given for a later goal
NO_CAP = 2**62
MENDED_TRIALS = 5_000  # of a wave, where a chute has failed
MENDING_TRIALS = 200  # between two looks whether a limit is kept


class Task(NamedTuple):
    """What is to be planned."""

    units: tuple[Unit, ...]
    days: Ints  # shape (n_units, n_days, N_SLOTS): days that could come
    n_groups: int
    metres: Ints  # shape (n_units, n_groups), distance times volume; all 0: they do not matter
    before: Ints  # shape (n_units,): group of the plan that is, or NOBODY
    give: int = GIVE
    seed: int = 1
    sizes: Sizes | None = None  # of the groups; None: they are alike


class Effort:
    """How far the work has come, and how far its time has.

    Parameters
    ----------
    spent : callable
        Per mille of the time that may be taken which are over.
    tell : callable
        Is told per mille of the work that are done.
    """

    def __init__(
        self, spent: Callable[[], int] = lambda: 0, tell: Callable[[int], None] = lambda done: None
    ) -> None:
        self._spent = spent
        self._tell = tell
        self.n_parts = 1
        self.part = 0

    def cooled(self, round_no: int) -> int:
        """Per mille of the present part that are over, by rounds or by time, whichever is further."""
        by_time = self._spent() * self.n_parts - self.part * PER_MILLE
        over = min(max(round_no * PER_MILLE // N_ROUNDS, by_time), PER_MILLE)
        self._tell((self.part * PER_MILLE + over) // self.n_parts)
        return over


def make_groups(task: Task, effort: Effort) -> Ints:
    """The group of each unit, shape (n_units,).

    Parameters
    ----------
    task : Task
        With at least one unit and one group.
    effort : Effort
        The result depends on it only if time runs out.
    """
    group = np.zeros(len(task.units), np.int64)
    parts = list(wave_parts(task.units, task.days))
    n_more = int(task.metres.any()) + int((task.before != NOBODY).any())
    effort.n_parts = len(parts) * (N_STARTS + n_more)
    for rows in parts:
        group[rows] = _Part(task, rows, effort).planned()
    return group


def mend_groups(
    task: Task, is_open: npt.NDArray[np.uint8], is_hurt: npt.NDArray[np.bool_] | None = None
) -> Ints:
    """The plan `task.before` with other groups for what was in closed ones; nothing else moves.

    Parameters
    ----------
    task : Task
        Each unit has a group before.
    is_open : uint8 array, shape (n_groups,)
        At least one.
    is_hurt : bool array, shape (n_groups,), optional
        Groups that have lost some of their chutes: what is too much for the others moves too.

    Returns
    -------
    int64 array, shape (n_units,)
    """
    group = task.before.copy()
    for rows in wave_parts(task.units, task.days):
        days, metres = task.days[rows], np.ascontiguousarray(task.metres[rows])
        is_lost = is_open[group[rows]] == 0
        is_pressed = np.zeros(len(rows), np.bool_) if is_hurt is None else is_hurt[group[rows]] & ~is_lost
        placed = _placed(days, group[rows], is_lost, is_open, task.sizes or of_one_size(task.n_groups))
        board = new_board(days, placed, metres, task.before[rows], task.seed, is_open, task.sizes)
        board.may_move[:] = is_lost | is_pressed
        refill(board)
        if is_lost.any() or is_pressed.any():
            _mend_for(board, Goal.PEAKS)
        if is_pressed.any():
            board.caps[Goal.PEAKS] = raised(int(board.now[Goal.PEAKS]), task.give, 1 << N_SQUARINGS)
            _mend_for(board, Goal.CHANGES)
        group[rows] = board.group
    return group


def _mend_for(board: Board, goal: Goal) -> None:
    """The best for one goal of what may move."""
    board.reached[0] = board.now[goal]
    compiled_search()[0](board, MENDED_TRIALS, goal, 0)
    board.group[:] = board.best
    refill(board)


def _placed(
    days: Ints, group: Ints, is_lost: npt.NDArray[np.bool_], is_open: npt.NDArray[np.uint8], sizes: Sizes
) -> Ints:
    """What has no group gets one, the largest first: where the peak of an ordinary day is least."""
    placed, mean = group.copy(), days.sum(axis=1)
    loads = group_loads(np.where(is_lost[:, None], 0, mean), group, len(is_open))
    for unit in sorted(np.flatnonzero(is_lost), key=lambda unit: -mean[unit].max()):
        peaks = np.where(is_open, sizes.evened(loads + mean[unit]).max(axis=1), NO_CAP)
        placed[unit] = peaks.argmin()
        loads[placed[unit]] += mean[unit]
    return placed


def wave_parts(units: tuple[Unit, ...], days: Ints) -> Iterator[Ints]:
    """Rows of units whose waves share ten minutes with each other, and with no others."""
    waves = sorted({unit.wave for unit in units})
    wave_of = np.array([waves.index(unit.wave) for unit in units])
    busy = np.array([days[wave_of == k].any(axis=(0, 1)) for k in range(len(waves))])
    part = np.arange(len(waves))
    for k in range(1, len(waves)):
        joined = [part[j] for j in range(k) if (busy[j] & busy[k]).any()]
        part[np.isin(part, joined)] = part[k]
    for k in np.unique(part):
        yield np.flatnonzero(part[wave_of] == k)


def _busiest_slots(days: Ints) -> Ints:
    order = np.argsort(-days.sum(axis=(0, 1)), kind="stable")[:N_SLOTS_SEEN_MAX]
    return np.sort(order)


def new_board(
    days: Ints,
    group: Ints,
    metres: Ints,
    before: Ints,
    seed: int,
    is_open: npt.NDArray[np.uint8] | None = None,
    sizes: Sizes | None = None,
) -> Board:
    """A board with a plan on it, which every unit may leave."""
    n_units, n_groups = metres.shape
    size = sizes or of_one_size(n_groups)
    shares = np.maximum(bound(days, n_groups), 1) * size.chutes[:, None] * n_groups // size.n_all
    parcels = np.ascontiguousarray(days[:, :, _busiest_slots(days)], np.int32)
    shape = parcels.shape[1:]
    return Board(
        parcels=parcels,
        bounds=np.maximum(shares, 1),
        sizes=size.chutes,
        metres=metres,
        before=before,
        may_move=np.ones(n_units, np.uint8),
        is_open=np.ones(n_groups, np.uint8) if is_open is None else is_open,
        group=group.copy(),
        best=group.copy(),
        load=np.zeros((n_groups, *shape), np.int32),
        price=np.zeros((n_groups, shape[0]), np.int64),
        trial_load=np.zeros((2, *shape), np.int32),
        trial_price=np.zeros((2, shape[0]), np.int64),
        now=np.zeros(N_MEASURES, np.int64),
        trial=np.zeros(N_MEASURES, np.int64),
        caps=np.full(N_MEASURES, NO_CAP, np.int64),
        reached=np.full(1, NO_CAP, np.int64),
        dice=np.full(1, seed * 2 + 0x9E3779B97F4A7C15, np.uint64),
    )


def refill(board: Board) -> None:
    """Works out what the plan on a board comes to."""
    board.load[:] = group_loads(board.parcels.astype(np.int64), board.group, len(board.load))
    compiled_search()[1](board)


def warm_up() -> None:
    """Compiles what is compiled, or reads it from the cache."""
    one = np.zeros(1, np.int64)
    board = new_board(np.ones((1, 1, 1), np.int64), one, np.zeros((1, 1), np.int64), one, 1)
    refill(board)
    compiled_search()[0](board, 1, Goal.PEAKS, 0)


class _Part:
    """Waves that are planned together."""

    def __init__(self, task: Task, rows: Ints, effort: Effort) -> None:
        self.task = task
        self.effort = effort
        self.before = task.before[rows]
        self.days = task.days[rows]
        self.metres = np.ascontiguousarray(task.metres[rows])
        self.by_size = np.argsort(-self.days.max(axis=(1, 2)), kind="stable")
        self.search = compiled_search()[0]
        n_trials = N_TRIALS_A_PLACE * len(rows) * task.n_groups
        self.n_trials = min(max(n_trials, N_TRIALS_MIN), N_TRIALS_MAX) // N_ROUNDS
        self.board = self._board(self._dealt(), task.seed)

    def planned(self) -> Ints:
        """The group of each unit."""
        for start in range(N_STARTS):
            self._improve(self._board(self._dealt(), self.task.seed + start), Goal.PEAKS)
        self.board.caps[Goal.PEAKS] = raised(
            int(self.board.now[Goal.PEAKS]), self.task.give, 1 << N_SQUARINGS
        )
        if self.metres.any():
            self._improve(self.board, Goal.METRES)
            self.board.caps[Goal.METRES] = raised(int(self.board.now[Goal.METRES]), self.task.give, 1)
        if (self.before != NOBODY).any():
            self._change_little()
        return self.board.group

    def _dealt(self) -> Ints:
        group = np.zeros(len(self.days), np.int64)
        group[self.by_size] = np.arange(len(self.days)) % self.task.n_groups
        return group

    def _board(self, group: Ints, seed: int) -> Board:
        board = new_board(self.days, group, self.metres, self.before, seed, sizes=self.task.sizes)
        refill(board)
        return board

    def _improve(self, board: Board, goal: Goal) -> None:
        """Searches from a board; the better of its best and what was there is what is there."""
        board.reached[0] = board.now[goal] if _is_kept(board) else NO_CAP
        board.best[:] = board.group
        for round_no in range(N_ROUNDS):
            left = PER_MILLE - self.effort.cooled(round_no)
            if left == 0:
                break
            heat = HEAT * left * left // PER_MILLE**2
            self.search(board, self.n_trials, goal, heat)
        board.group[:] = board.best
        refill(board)
        self.effort.part += 1
        if _is_kept(board) and (goal > Goal.PEAKS or board.now[goal] < self.board.now[goal]):
            self.board = board

    def _change_little(self) -> None:
        """Fewer changes, from the plan that was found and from the one that is, mended until it keeps the limits."""
        self._improve(self.board, Goal.CHANGES)
        kept = np.where(self.before == NOBODY, self.board.group, self.before)
        mended = self._board(kept, self.task.seed)
        mended.caps[:] = NO_CAP
        for goal in (Goal.PEAKS, Goal.METRES):
            self._mend(mended, goal)
        if _is_kept(mended) and mended.now[Goal.CHANGES] < self.board.now[Goal.CHANGES]:
            self.effort.part -= 1
            self._improve(mended, Goal.CHANGES)

    def _mend(self, board: Board, goal: Goal) -> None:
        """Moves what must be moved for one limit, and keeps it from then on."""
        cap = int(self.board.caps[goal])
        for _ in range(N_ROUNDS * self.n_trials // MENDING_TRIALS):
            if board.now[goal] <= cap:
                break
            self.search(board, MENDING_TRIALS, goal, 0)
        board.caps[goal] = cap


def _is_kept(board: Board) -> bool:
    return bool((board.now <= board.caps).all())


def raised(value: int, per_mille: int, power: int) -> int:
    """A value of so high a power, if what it is a power of may grow so much."""
    grown: int = value * (PER_MILLE + per_mille) ** power // PER_MILLE**power
    return min(grown, NO_CAP)
