"""How often each trait of a hub was at work in a run, so that one that never is can be seen."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from hubctl.core.events import Kind, MachineState, Reason, Records
from hubctl.core.hubfile import Hub
from hubctl.core.layout import eyes_in_order
from hubctl.sim.traffic import Traffic

UM_PER_MM = 1000


def uses(names: Iterable[str], hub: Hub, traffic: Traffic, records: Records) -> dict[str, int]:
    """For each trait named how often it was at work.

    Parameters
    ----------
    traffic : Traffic
        After the run: its reads say what stamps scanners have given.
    records : Records
        Of the run, with every kind of `virtual.KEPT`.
    """
    found = {
        "stamps": int(((traffic.reads["counts"] != 0) | (traffic.reads["trigger"] != 0)).sum()),
        "scales": _n_fine(records, Kind.WEIGHED),
        "host": _n_fine(records, Kind.ANSWERED),
        "realign": _n_known_again(hub, records),
        "machine": int(
            (records["value"][records["kind"] == Kind.STATE_CHANGED] == MachineState.EXECUTE).sum()
        ),
    }
    return {name: found[name] for name in names}


def _n_fine(records: Records, kind: Kind) -> int:
    return int(((records["kind"] == kind) & (records["reason"] == Reason.OK)).sum())


def _n_known_again(hub: Hub, records: Records) -> int:
    """How many parcels an eye has seen beyond its window."""
    windows_um = np.array([max(eye.earliest_mm, eye.latest_mm) * UM_PER_MM for eye in eyes_in_order(hub)])
    seen = records[records["kind"] == Kind.SEEN]
    return int((np.abs(seen["error_um"]) > windows_um[seen["device"]]).sum())
