"""Many questions at once: each is open for its time, and no more are open than are remembered."""

from __future__ import annotations

from typing import Any

import numpy as np
from line_hub import MS, label, layout, nodes_up, plan, records

from hubctl._kernel import Kernel
from hubctl.core.events import Alarm, Flag, Kind, Reason, Records

N_REMEMBERED = 1024
TIMEOUT_NS = 10**15
PITCH_MM, LENGTH_MM = 150, 100


def edge(at_ms: int, value: int) -> list[dict[str, Any]]:
    """The induct eye, on a belt that runs 1 mm a millisecond."""
    t_ns = at_ms * MS
    return [
        {"kind": Kind.ENCODER, "counts": at_ms, "t_ns": t_ns},
        {"kind": Kind.EYE, "value": value, "counts": at_ms, "flags": Flag.LATCHED, "t_ns": t_ns},
    ]


def asked(n_parcels: int) -> tuple[Kernel, Records, int]:
    """A kernel to which so many parcels came whose labels no lane has, its questions, and when the last was asked."""
    tables = layout("dws")
    tables.host["timeout_ns"] = TIMEOUT_NS
    made = Kernel(tables, plan("dws", "dws"), n_tracks_max=64)
    made.step(0, records(*nodes_up(2)))
    said: list[Records] = []
    for k in range(n_parcels):
        at_ms, text = k * PITCH_MM, label("90001", k).encode()
        code = {"kind": Kind.CODE, "parcel": k + 1, "text": text, "n_text": len(text)}
        said.append(made.step(at_ms * MS, records(*edge(at_ms, 1), code)))
        said.append(made.step((at_ms + LENGTH_MM) * MS, records(*edge(at_ms + LENGTH_MM, 0))))
    told = np.concatenate(said)
    return made, told[told["kind"] == Kind.ASK_HOST], (n_parcels - 1) * PITCH_MM * MS


def test_no_more_are_asked_than_are_remembered() -> None:
    made, questions, _ = asked(N_REMEMBERED + 3)
    assert questions["seq"].tolist() == list(range(1, N_REMEMBERED + 1))
    assert (questions["due_ns"] == questions["t_ns"] + TIMEOUT_NS).all()
    assert made.next_deadline() <= TIMEOUT_NS


def test_all_expire_and_one_alarm_is_raised() -> None:
    made, _, last_ns = asked(N_REMEMBERED)
    end_ns = last_ns + TIMEOUT_NS
    said = made.step(end_ns, records())
    assert said["value"][said["kind"] == Kind.ALARM_RAISED].tolist().count(Alarm.HOST_SILENT) == 1
    late = {"kind": Kind.HOST_ANSWER, "seq": 9, "reason": Reason.NOT_FOUND, "t_ns": end_ns}
    answers = made.step(end_ns, records(late))
    assert answers["reason"][answers["kind"] == Kind.ANSWERED].tolist() == [Reason.HOST_TIMEOUT]


def test_answers_in_any_order_leave_no_question_open() -> None:
    made, questions, last_ns = asked(8)
    rows = [
        {"kind": Kind.HOST_ANSWER, "seq": seq, "reason": Reason.NOT_FOUND, "t_ns": last_ns}
        for seq in reversed(questions["seq"].tolist())
    ]
    said = made.step(last_ns + LENGTH_MM * MS, records(*rows))
    assert said["reason"][said["kind"] == Kind.ANSWERED].tolist() == [Reason.OK] * 8
    assert set(said["reason"][said["kind"] == Kind.DECIDED].tolist()) == {Reason.NOT_FOUND}
    late = made.step(last_ns + TIMEOUT_NS, records())
    assert Alarm.HOST_SILENT not in late["value"][late["kind"] == Kind.ALARM_RAISED].tolist()
