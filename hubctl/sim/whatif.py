"""What if: a day of real volumes through a hub with a sort plan, in virtual time, and what it would come to.

A day is taken by its clock: departures that a plan gives a date are put onto this day and the next by their time of
day, so that plans made for different days can be compared on one. Parcels go to the lane of their destination's name.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from hubctl.core.events import Disposition, Flag, Kind
from hubctl.core.hubfile import Eye, Hub
from hubctl.core.layout import eyes_in_order
from hubctl.core.plan import Lane, SortPlan, Wave
from hubctl.core.volumes import N_SLOTS, Ints, Volumes
from hubctl.sim.arrivals import SLOT_S, Arrivals, lengths_beside, parcels_of
from hubctl.sim.faults import Faults
from hubctl.sim.traffic import N_TURNS_BEFORE, NS_PER_S, TrafficError, lanes_with_labels, make_traffic
from hubctl.sim.virtual import Run, Virtual

DAY_S = 86_400


class WhatIf(NamedTuple):
    """What a day would come to with one plan."""

    plan: str
    verdict: dict[str, Any]
    loads: Ints  # shape (n_chutes, N_SLOTS): parcels that landed, by the day's clock
    n_due: int  # parcels scanned in time for a departure of their lane
    n_made: int  # those of them that were in its chute in time
    n_too_late: int  # sorted into a chute from which no truck of their lane was still to depart
    n_day: int  # parcels of the site on that day
    n_left_out: int  # those of them for which the plan has no lane with a key that a label can carry


class Trial(NamedTuple):
    """A day to be tried."""

    hub: Hub
    volumes: Volumes
    day: date
    file: Path  # of the volumes: sizes may lie beside it
    parcels_per_hour: int
    seed: int
    faults: Faults


def try_plan(
    trial: Trial, plan: SortPlan, progress: Callable[[int], None] = lambda n_entered: None
) -> WhatIf:
    """Runs the day.

    Raises
    ------
    ArrivalsError
        The site has no parcels then.
    TrafficError
        The plan has no lane for any of them.
    """
    arrivals = _arrivals(trial, plan)
    clock = _Clock(trial.hub)
    timed = plan.model_copy(update={"waves": clock.waves(plan)})
    traffic = make_traffic(
        trial.hub,
        timed,
        seed=trial.seed,
        n=None,
        parcels_per_hour=trial.parcels_per_hour,
        faults=trial.faults,
        arrivals=arrivals,
    )
    run = Virtual(trial.hub, timed, traffic).run(progress)
    n_day = int(parcels_of(trial.volumes, trial.day).sum())
    counted = _Counted(trial.hub, timed, run)
    return WhatIf(
        plan.name,
        run.verdict,
        _loads(len(trial.hub.chutes), run, clock.start_s),
        *counted.waves(),
        n_day=n_day,
        n_left_out=n_day - int(arrivals.volumes.sum()),
    )


def _arrivals(trial: Trial, plan: SortPlan) -> Arrivals:
    """The day in the order of the plan's lanes that labels can be made for."""
    day, usable = parcels_of(trial.volumes, trial.day), lanes_with_labels(plan)
    column = {plan.lanes[lane].name: k for k, lane in enumerate(usable.tolist())}
    volumes = np.zeros((N_SLOTS, len(usable)), np.int64)
    for unit, slots in zip(trial.volumes.units, day, strict=True):
        if unit.lane in column:
            volumes[:, column[unit.lane]] += slots
    if volumes.sum() == 0:
        lanes = ", ".join(sorted({unit.lane for unit in trial.volumes.units})[:5])
        raise TrafficError(
            f"plan {plan.name} has no lane, with a zip or plz key, of any destination's name, like {lanes}"
        )
    return Arrivals(volumes, tuple(column), lengths_beside(trial.file), f"{volumes.sum():,} parcels")


class _Clock:
    """The day's clock on the kernel's, which begins with the run."""

    def __init__(self, hub: Hub) -> None:
        belt = hub.belts[0]
        turns_mm = N_TURNS_BEFORE * belt.length_mm if belt.kind == "loop" else 0
        self.start_s = -(-turns_mm // belt.speed_mm_s)  # of the run, before midnight

    def waves(self, plan: SortPlan) -> list[Wave]:
        """Its waves on this day and the next, in seconds of the kernel's clock."""
        of_day: dict[tuple[str, int], Wave] = {}
        for wave in plan.waves:
            if isinstance(wave.departs, datetime):
                of_day[wave.lane, _seconds(wave.departs)] = wave
        return [
            wave.model_copy(update={"departs": self.start_s + day * DAY_S + second})
            for (_, second), wave in of_day.items()
            for day in (0, 1)
        ]


def _seconds(at: datetime) -> int:
    return at.hour * 3600 + at.minute * 60 + at.second


def _loads(n_chutes: int, run: Run, start_s: int) -> Ints:
    landed, landed_ns = run.truth.progress["landed"], run.truth.progress["landed_ns"]
    is_in = landed >= 0
    slots = (landed_ns[is_in] // NS_PER_S - start_s) // SLOT_S
    loads = np.zeros((n_chutes, N_SLOTS), np.int64)
    np.add.at(loads, (landed[is_in], np.clip(slots, 0, N_SLOTS - 1)), 1)
    return loads


class _Departures(NamedTuple):
    """A lane's departures, rising, and the chutes of each."""

    ns: Ints
    chutes: list[set[int]]
    lead_ns: int


class _Counted:
    """Parcels that were scanned and closed, against the departures of their lanes."""

    def __init__(self, hub: Hub, plan: SortPlan, run: Run) -> None:
        self.index = {chute.name: k for k, chute in enumerate(hub.chutes)}
        self.departures = [self._departures(plan, lane) for lane in plan.lanes]
        self.scan_ns = _scan_ns(hub)
        self.truth = run.truth
        closed = run.records[run.records["kind"] == Kind.CLOSED]
        self.closed = closed[(closed["flags"] & Flag.UNEXPECTED == 0) & (closed["text"] != b"")]
        rows = np.flatnonzero(run.truth.progress["track"] > 0)
        self.row_of = dict(zip(run.truth.progress["track"][rows].tolist(), rows.tolist(), strict=True))

    def waves(self) -> tuple[int, int, int]:
        """Parcels due for a departure, those that made it, and those sorted when all trucks were gone."""
        n_due = n_made = n_too_late = 0
        for record in self.closed:
            row = self.row_of.get(int(record["parcel"]), -1)
            lane = int(self.truth.parcels["lane"][row]) if row >= 0 else -1
            if lane < 0 or len(self.departures[lane].ns) == 0:
                continue
            is_due, is_made, is_too_late = self._judge(record, row, self.departures[lane])
            n_due, n_made, n_too_late = n_due + is_due, n_made + is_made, n_too_late + is_too_late
        return n_due, n_made, n_too_late

    def _judge(self, record: Any, row: int, lane: _Departures) -> tuple[bool, bool, bool]:
        parcel, progress = self.truth.parcels[row], self.truth.progress[row]
        scanned_ns = int(progress["inducted_ns"]) + self.scan_ns[int(parcel["source"])]
        due = int(np.searchsorted(lane.ns, scanned_ns + lane.lead_ns))
        if record["value"] != Disposition.SORTED:
            return due < len(lane.ns), False, False
        at_ns, chute = int(record["t_ns"]), int(record["chute"])
        left = [chute in chutes for chutes in lane.chutes[int(np.searchsorted(lane.ns, at_ns)) :]]
        is_made = (
            due < len(lane.ns) and chute in lane.chutes[due] and at_ns + lane.lead_ns <= int(lane.ns[due])
        )
        return due < len(lane.ns), is_made, not any(left)

    def _departures(self, plan: SortPlan, lane: Lane) -> _Departures:
        groups = {group.name: group.chutes for group in plan.groups}
        waves = sorted(
            (wave for wave in plan.waves if wave.lane == lane.name), key=lambda wave: int(str(wave.departs))
        )
        more = [chute for name in lane.overflow for chute in groups.get(name, [name])]
        chutes = [groups.get(wave.group or "", wave.chutes) or plan.chutes_of(lane) for wave in waves]
        return _Departures(
            np.array([int(str(wave.departs)) * NS_PER_S for wave in waves], np.int64),
            [{self.index[name] for name in [*own, *more]} for own in chutes],
            lane.lead_s * NS_PER_S,
        )


def _scan_ns(hub: Hub) -> list[int]:
    """From each induct eye to the next scanner down its belt, at the belt's speed."""
    return [_to_scanner_ns(hub, eye) for eye in eyes_in_order(hub) if eye.role == "induct"]


def _to_scanner_ns(hub: Hub, eye: Eye) -> int:
    belt = next(belt for belt in hub.belts if belt.name == eye.belt)
    ways_mm = [
        (scanner.at_mm - eye.at_mm) % belt.length_mm for scanner in hub.scanners if scanner.belt == belt.name
    ]
    return min(ways_mm, default=0) * NS_PER_S // belt.speed_mm_s


def exceptions(found: WhatIf) -> dict[str, int]:
    """Parcels that did not end where their lane's do, by reason, the most first."""
    fine = {"OK", "OK_UNCONFIRMED"}
    reasons = {name: n for name, n in found.verdict["by_reason"].items() if name not in fine}
    return dict(sorted(reasons.items(), key=lambda pair: (-pair[1], pair[0])))


def busiest_chutes(loads: Ints, names: Sequence[str]) -> list[tuple[str, int, int]]:
    """Chute, parcels, and those of its busiest ten minutes; the busiest first."""
    totals, peaks = loads.sum(axis=1), loads.max(axis=1)
    order: npt.NDArray[np.int64] = np.lexsort((np.arange(len(names)), -totals, -peaks))
    return [(names[k], int(totals[k]), int(peaks[k])) for k in order.tolist() if totals[k]]
