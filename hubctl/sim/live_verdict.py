"""The referee's verdict on a run in real time, from the files that its two sides left."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from hubctl.core.events import RECORD, Kind
from hubctl.core.layout import compile_layout
from hubctl.core.plan import compile_plan
from hubctl.core.preadvice import load_preadvice
from hubctl.core.site import Site
from hubctl.sim.referee import Truth, judge
from hubctl.sim.watch import new_watch, watch_input, watch_record


def live_verdict(
    site: Site, preadvice: Path, truth_file: Path, records_file: Path, *, n_open: int
) -> dict[str, Any]:
    """Judges the daemon's records by what the simulated hub says is true.

    Parameters
    ----------
    n_open : int
        Tracks that the daemon still followed at its end.
    """
    assert site.plan is not None
    records = np.fromfile(records_file, RECORD)
    layout = compile_layout(site.hub)
    watch = new_watch(layout)
    for record in records:
        if record["kind"] == Kind.NODE:  # of an eye whose node was away nothing was to be had
            watch_input(watch, record, record["t_ns"])
        watch_record(watch, record)
    with np.load(truth_file) as arrays:
        truth = Truth(*(arrays[name] for name in Truth._fields))
    plan = compile_plan(site.plan, site.hub, load_preadvice(preadvice))
    return judge(layout, plan, truth, records, watch, n_open=n_open).counts
