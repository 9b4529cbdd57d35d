"""The memory of what stands between a world and a kernel, with the inputs that are on their way.

Nothing happens here: `joint.py` says what the kernel is told, and what is done with what it says.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from hubctl.core.events import TEXT_MAX
from hubctl.sim.heap import pop, push
from hubctl.sim.hostbook import HostBook
from hubctl.sim.jitable import jitable, seldom
from hubctl.sim.matter import (
    N_BELTS_MAX,
    N_CHUTES_MAX,
    N_EYES_MAX,
    N_SCANNERS_MAX,
    Mishap,
    World,
)

Longs = npt.NDArray[np.int64]

N_INPUTS_MAX = 8192  # in one turn of the loop
N_POSTED_MAX = 8192  # under way at once
N_JITTERS = 8191
N_NODES_MAX = 4096  # and links
N_DEVICES_MAX = 4096  # of one sort
N_MISHAPS = len(Mishap)
N_KINDS_MAX = 256
TEXT_AT = 72  # offset of RECORD's text

# Places in `Joint.clock`.
(
    NEXT_SAMPLE,
    LAST_SAMPLE,
    N_EDGES,
    N_IN,
    N_LOGGED,
    N_STEPS,
    LAST_EVENT,
    N_INPUTS,
    NOW,
    N_WRITES,
    N_POSTED,  # so far
    N_WAITING,  # of these, under way
    STALLED_UNTIL,  # the controller gets no time until then
    STALLED_FROM,
    PLAN_NOW,
) = range(15)


# One row, so that a compiled function takes one pointer; -1 is none.
STATE = np.dtype(
    [
        ("n_links", "<i8"),
        ("n_nodes", "<i8"),
        ("n_chutes", "<i8"),
        ("clock", "<i8", (16,)),  # see the places above
        ("addresses", "<i8", (4,)),  # of the state, its step, its next deadline, and what sets its plan
        ("plans", "<i8", (2,)),  # addresses of two compiled plans
        ("jitter_ns", "<i8", (N_JITTERS,)),
        ("inducting", "<i8", (N_EYES_MAX,)),  # the last parcel that came to each eye
        ("eye_now", "<i8", (N_EYES_MAX,)),  # whether something is before it
        ("eye_told", "<i8", (N_EYES_MAX,)),
        ("n_over_chute", "<i8", (N_CHUTES_MAX,)),  # parcels before each chute eye
        ("chute_told", "<i8", (N_CHUTES_MAX,)),
        ("n_filling", "<i8", (N_CHUTES_MAX,)),  # what makes a chute full
        ("level_told", "<i8", (N_CHUTES_MAX,)),
        ("encoder_um", "<i8", (N_BELTS_MAX,)),  # each belt's travel when its counter showed `encoder_counts`
        ("encoder_counts", "<i8", (N_BELTS_MAX,)),
        ("eye_node", "<i8", (N_EYES_MAX,)),
        ("eye_latched", "<i8", (N_EYES_MAX,)),
        ("eye_belt", "<i8", (N_EYES_MAX,)),
        ("chute_node", "<i8", (N_CHUTES_MAX,)),
        ("confirm_node", "<i8", (N_CHUTES_MAX,)),
        ("level_node", "<i8", (N_CHUTES_MAX,)),
        ("chute_hold_ns", "<i8", (N_CHUTES_MAX,)),
        ("link_of_node", "<i8", (N_NODES_MAX,)),
        ("told_ns", "<i8", (N_NODES_MAX,)),  # until then a node keeps what it has seen
        ("link_of_scanner", "<i8", (N_SCANNERS_MAX,)),
        ("machine_state", "<i8"),  # MachineState, as the kernel said it last
        ("stamps", "<i8", (N_SCANNERS_MAX,)),  # Stamp of each scanner
        ("stamp_spans", "<i8", (N_SCANNERS_MAX,)),
        (
            "tell_ns",
            "<i8",
            (N_NODES_MAX,),
        ),  # when the kernel learns of a link's change; NEVER_NS: nothing to tell
        ("counts_per_m", "<i8", (N_BELTS_MAX,)),
        ("counter_mask", "<i8", (N_BELTS_MAX,)),
        ("encoder_node", "<i8", (N_BELTS_MAX,)),  # -1: the belt has no encoder
        ("posted_keys", "<i8", (N_POSTED_MAX,)),  # heap of inputs under way by the time of their coming
        ("posted_payloads", "<i8", (N_POSTED_MAX,)),
        ("is_kept", "<i8", (N_KINDS_MAX,)),  # by kind
        (
            "active",
            "<i8",
            (N_MISHAPS * N_DEVICES_MAX,),
        ),  # how many are under way, by kind of mishap and device
        ("row_of", "<i8", (N_MISHAPS * N_DEVICES_MAX,)),  # the row of the last one
    ]
)


class Joint(NamedTuple):
    """What stands between a world and a kernel."""

    s: npt.NDArray[Any]  # STATE, shape (1,)
    inputs: npt.NDArray[Any]  # RECORD
    input_bytes: npt.NDArray[np.uint8]  # the same memory
    blank: npt.NDArray[Any]  # RECORD, shape (1,)
    out: npt.NDArray[Any]  # RECORD
    log: npt.NDArray[Any]  # RECORD: what the referee keeps
    posted: npt.NDArray[Any]  # RECORD: inputs under way
    labels: npt.NDArray[np.uint8]  # shape (2, n, 56): the label of each parcel, and its other one
    write_fates: Longs  # WriteFate
    row_of_track: Longs  # the parcel behind a track, by its number; -1 not known
    came: Longs  # the parcel that made each of `inputs`, where an eye was blocked
    came_later: Longs  # the same of `posted`
    asked: npt.NDArray[Any]  # RECORD, shape (1,): the question that the host is looking at
    asked_bytes: npt.NDArray[np.uint8]  # the same memory
    book: HostBook


# Inputs


@jitable
def new_input(j: Joint, kind: int, t_ns: int) -> Any:
    """The next input record, cleared."""
    k = j.s[0]["clock"][N_IN]
    j.s[0]["clock"][N_IN] += 1
    j.came[k] = -1
    j.inputs[k] = j.blank[0]
    record = j.inputs[k]
    record["kind"] = kind
    record["t_ns"] = t_ns
    return record


@jitable
def write_text(j: Joint, which: int, p: int) -> None:
    """A parcel's label (0) or its other one (1), into the last input."""
    k = j.s[0]["clock"][N_IN] - 1
    n_text = 0
    while n_text < TEXT_MAX and j.labels[which, p, n_text] != 0:
        j.input_bytes[k, TEXT_AT + n_text] = j.labels[which, p, n_text]
        n_text += 1
    j.inputs[k]["n_text"] = n_text


@seldom
def post(j: Joint, at_ns: int) -> None:
    """The last input comes only then."""
    j.s[0]["clock"][N_IN] -= 1
    slot = j.s[0]["clock"][N_POSTED] % len(j.posted)
    j.posted[slot] = j.inputs[j.s[0]["clock"][N_IN]]
    j.came_later[slot] = j.came[j.s[0]["clock"][N_IN]]
    push(
        j.s[0]["posted_keys"],
        j.s[0]["posted_payloads"],
        j.s[0]["clock"][N_WAITING],
        at_ns,
        j.s[0]["clock"][N_POSTED],
    )
    j.s[0]["clock"][N_POSTED] += 1
    j.s[0]["clock"][N_WAITING] += 1


@seldom
def take_post(j: Joint, t_ns: int) -> None:
    """What was under way and has come."""
    while j.s[0]["clock"][N_WAITING] > 0 and j.s[0]["posted_keys"][0] <= t_ns:
        slot = j.s[0]["posted_payloads"][0] % len(j.posted)
        j.inputs[j.s[0]["clock"][N_IN]] = j.posted[slot]
        j.came[j.s[0]["clock"][N_IN]] = j.came_later[slot]
        j.s[0]["clock"][N_IN] += 1
        j.s[0]["clock"][N_WAITING] -= 1
        pop(j.s[0]["posted_keys"], j.s[0]["posted_payloads"], j.s[0]["clock"][N_WAITING])


@jitable
def is_on(j: Joint, kind: int, device: int) -> bool:
    return bool(j.s[0]["active"][kind * N_DEVICES_MAX + device] > 0)


@jitable
def amount(j: Joint, w: World, kind: int, device: int) -> int:
    return int(w.mishaps[j.s[0]["row_of"][kind * N_DEVICES_MAX + device]]["value"])
