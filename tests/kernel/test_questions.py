"""Many questions at once: each is open for its time, and no more are open than are remembered."""

from __future__ import annotations

from line_hub import MS, label, layout, nodes_up, plan, records

from hubctl._kernel import Kernel
from hubctl.core.events import Alarm, Flag, Kind, Reason, Records

N_REMEMBERED = 1024
TIMEOUT_NS = 500 * MS


def asked(n_parcels: int) -> tuple[Kernel, Records]:
    """A kernel in which so many parcels have come whose labels no lane has, and what it said."""
    made = Kernel(layout("dws"), plan("dws", "dws"), n_tracks_max=n_parcels)
    rows = nodes_up(2)
    for k in range(n_parcels):
        text = label("90001", k).encode()
        rows.append({"kind": Kind.EYE, "value": 1, "counts": 2 * k, "flags": Flag.LATCHED})
        rows.append({"kind": Kind.EYE, "value": 0, "counts": 2 * k + 1, "flags": Flag.LATCHED})
        rows.append({"kind": Kind.CODE, "parcel": k + 1, "text": text, "n_text": len(text)})
    said = made.step(0, records(*rows))
    return made, said[said["kind"] == Kind.ASK_HOST]


def test_no_more_are_asked_than_are_remembered() -> None:
    made, questions = asked(N_REMEMBERED + 3)
    assert questions["seq"].tolist() == list(range(1, N_REMEMBERED + 1))
    assert set(questions["due_ns"].tolist()) == {TIMEOUT_NS}
    assert made.next_deadline() <= TIMEOUT_NS


def test_all_expire_at_once_and_one_alarm_is_raised() -> None:
    made, _ = asked(N_REMEMBERED)
    said = made.step(TIMEOUT_NS, records())
    assert said["value"][said["kind"] == Kind.ALARM_RAISED].tolist().count(Alarm.HOST_SILENT) == 1
    answers = made.step(TIMEOUT_NS, records({"kind": Kind.HOST_ANSWER, "seq": 9, "reason": Reason.NOT_FOUND}))
    assert answers["reason"][answers["kind"] == Kind.ANSWERED].tolist() == [Reason.HOST_TIMEOUT]


def test_answers_in_any_order_leave_no_question_open() -> None:
    made, questions = asked(8)
    rows = [
        {"kind": Kind.HOST_ANSWER, "seq": seq, "reason": Reason.NOT_FOUND}
        for seq in reversed(questions["seq"].tolist())
    ]
    said = made.step(MS, records(*rows))
    assert said["reason"][said["kind"] == Kind.ANSWERED].tolist() == [Reason.OK] * 8
    assert set(said["reason"][said["kind"] == Kind.DECIDED].tolist()) == {Reason.NOT_FOUND}
    late = made.step(TIMEOUT_NS, records())
    assert Alarm.HOST_SILENT not in late["value"][late["kind"] == Kind.ALARM_RAISED].tolist()
