"""The watch lets a right story pass, and each of its invariants bites when one record is forged."""

from __future__ import annotations

from typing import Any

import pytest
from records_by_hand import S, closed, opened, story
from swarm import site

from hubctl.core.events import Alarm, ChuteState, Disposition, Kind, Reason
from hubctl.core.layout import compile_layout
from hubctl.sim.watch import (
    ALARMS_BALANCED,
    CHUTE_TAKES,
    CLOSES_ONCE,
    COMMITTED_FIRST,
    FIRES_ONCE,
    IN_TIME,
    INVARIANTS,
    LIMITED,
    MONOTONE,
    MOVED,
    NEVER_LATE,
    ONE_FIRE_A_LAP,
    ONE_REASON,
    OPENS_ONCE,
    PROVED,
    Watch,
    new_watch,
    watch_input,
    watch_record,
)

C01, C02, C03 = 0, 1, 2
PLAN = 7
IO1 = 1  # the node of C01


def watch_of(n_open_max: int = 100) -> Watch:
    return new_watch(compile_layout(site().hub), n_tracks=16, n_open_max=n_open_max)


def right_story() -> list[dict[str, Any]]:
    """Opened at the induct eye, decided, seen behind the tunnel, committed, fired, closed."""
    commit = {"kind": Kind.COMMITTED, "parcel": 1, "chute": C01, "seq": 1, "t_ns": 3 * S, "plan": PLAN}
    fires = {"kind": Kind.FIRE_OUTPUT, "parcel": 1, "chute": C01, "seq": 1, "t_ns": 4 * S, "plan": PLAN}
    return [
        opened(1, 1),
        {"kind": Kind.DECIDED, "parcel": 1, "chute": C01, "t_ns": 2 * S},
        {"kind": Kind.SEEN, "parcel": 1, "device": 1, "counts": 2000, "t_ns": 2 * S},
        {"kind": Kind.SEEN, "parcel": 1, "device": 2, "counts": 4000, "t_ns": 3 * S},
        commit | {"counts": 4300, "limit": 4400},
        fires | {"counts": 4400, "limit": 4440, "value": 5 * S},
        closed(1, C01, Reason.OK, Disposition.SORTED, 5),
    ]


def broken_by(rows: list[dict[str, Any]], watch: Watch | None = None) -> list[str]:
    watch = watch or watch_of()
    for record in story(*rows):
        watch_record(watch, record)
    return [name for name, n in zip(INVARIANTS, watch.broken, strict=True) if n]


def names(*which: int) -> list[str]:
    return [INVARIANTS[k] for k in which]


def forged(at: int, **fields: Any) -> list[dict[str, Any]]:
    rows = right_story()
    rows[at] = rows[at] | fields
    return rows


def told(*rows: dict[str, Any]) -> Watch:
    watch = watch_of()
    for record in story(*rows):
        watch_input(watch, record, int(record["t_ns"]))
    return watch


def test_a_right_story_breaks_nothing() -> None:
    assert broken_by(right_story()) == []


OPEN, DECIDE, SEEN_1, SEEN_2, COMMIT, FIRE, CLOSE = range(7)
FIRED_AGAIN = right_story()[FIRE] | {"seq": 2}
RAISED = {"kind": Kind.ALARM_RAISED, "value": Alarm.JAM, "device": 3, "t_ns": S}


@pytest.mark.parametrize(
    ("rows", "broken"),
    [
        ([right_story()[OPEN], *right_story()], [OPENS_ONCE]),
        (right_story() + right_story()[CLOSE:], [CLOSES_ONCE]),
        ([*right_story(), right_story()[DECIDE] | {"t_ns": 9 * S}], [CLOSES_ONCE]),
        (forged(CLOSE, parcel=2), [CLOSES_ONCE]),
        (forged(FIRE, chute=C02), [COMMITTED_FIRST]),
        (forged(FIRE, seq=7), [COMMITTED_FIRST]),
        (forged(FIRE, plan=PLAN + 1), [COMMITTED_FIRST]),
        (right_story()[:CLOSE] + right_story()[FIRE:], [FIRES_ONCE]),
        ([*right_story()[:CLOSE], right_story()[COMMIT] | {"seq": 2, "t_ns": 4 * S}, FIRED_AGAIN], [ONE_FIRE_A_LAP]),
        (forged(FIRE, counts=4441), [NEVER_LATE]),
        (forged(FIRE, value=3 * S), [NEVER_LATE]),
        (forged(DECIDE, t_ns=0), [MONOTONE]),
        (forged(COMMIT, counts=4401), [IN_TIME]),
        (forged(CLOSE, reason=Reason.NONE), [ONE_REASON]),
        (forged(CLOSE, reason=Reason.LOST), [ONE_REASON]),
        (forged(CLOSE, value=Disposition.LOST), [ONE_REASON]),
        ([RAISED, RAISED], [ALARMS_BALANCED]),
        ([RAISED | {"kind": Kind.ALARM_CLEARED}], [ALARMS_BALANCED]),
        ([RAISED, RAISED | {"device": 4}, RAISED | {"kind": Kind.ALARM_CLEARED}], []),
    ],
    ids=["opened twice", "closed twice", "said after the end", "closed and never opened", "fired elsewhere",
         "fired by another number", "fired by another plan", "fired twice", "two diverts by one diverter",
         "late by counts", "late by time", "back in time", "committed after its fire", "no reason",
         "sorted and lost", "lost and fine", "raised twice", "cleared and never raised", "two eyes' alarms"],
)  # fmt: skip
def test_each_invariant_bites(rows: list[dict[str, Any]], broken: list[int]) -> None:
    assert broken_by(rows) == names(*broken)


def test_too_many_tracks_are_seen() -> None:
    rows = [opened(1, 1), opened(2, 1), opened(3, 1)]
    assert broken_by(rows, watch_of(3)) == []
    assert broken_by(rows, watch_of(2)) == names(LIMITED)


# An eye on the way that said nothing.


def far_away() -> list[dict[str, Any]]:
    """Fired 10 m down the belt, and last seen behind the tunnel: two eyes have been passed since."""
    far = {"counts": 11_100, "limit": 11_140}
    rows = right_story()
    rows[COMMIT], rows[FIRE] = rows[COMMIT] | {"limit": 11_100}, rows[FIRE] | far
    return rows[:SEEN_2] + rows[COMMIT:]


def test_a_fire_for_a_parcel_missed_on_its_way_is_seen() -> None:
    assert broken_by(far_away()) == names(PROVED)


def test_an_eye_whose_node_is_down_proves_nothing_against_a_parcel() -> None:
    down = told({"kind": Kind.NODE, "device": 2, "value": 0, "t_ns": 2 * S})
    rows = far_away()
    assert broken_by(rows, down) == names(PROVED)
    down = told(
        {"kind": Kind.NODE, "device": 2, "value": 0, "t_ns": 2 * S},
        {"kind": Kind.NODE, "device": IO1, "value": 0, "t_ns": 2 * S},
        {"kind": Kind.NODE, "device": IO1, "value": 1, "t_ns": 2 * S + 1},
    )
    assert broken_by(rows, down) == []


def test_nor_does_an_eye_with_an_alarm() -> None:
    blind = [RAISED | {"value": Alarm.EYE_BLIND, "device": eye} for eye in (2, 3)]
    assert broken_by(blind + far_away()) == []
    assert broken_by(blind[:1] + far_away()) == names(PROVED)


# A chute that takes nothing.


@pytest.mark.parametrize("state", [ChuteState.CLOSED, ChuteState.DISABLED, ChuteState.FAULT])
def test_a_fire_into_a_chute_that_a_person_closed_is_seen(state: ChuteState) -> None:
    closes = {"kind": Kind.OPERATE, "chute": C01, "value": state}
    assert broken_by(right_story(), told(closes | {"t_ns": 3 * S})) == names(CHUTE_TAKES)
    assert broken_by(right_story(), told(closes | {"t_ns": 4 * S})) == []
    opens = closes | {"t_ns": 3 * S + 1, "value": ChuteState.OPEN}
    assert broken_by(right_story(), told(closes | {"t_ns": 3 * S}, opens)) == []


def test_a_fire_into_a_full_chute_is_seen_once_it_has_been_full_for_long_enough() -> None:
    full = {"kind": Kind.CHUTE_LEVEL, "chute": C01, "value": 1}
    assert broken_by(right_story(), told(full | {"t_ns": int(2.9 * S)})) == names(CHUTE_TAKES)
    assert broken_by(right_story(), told(full | {"t_ns": int(3.1 * S)})) == []


def test_a_fire_over_a_node_that_is_down_is_seen() -> None:
    down = {"kind": Kind.NODE, "device": IO1, "value": 0, "t_ns": int(3.9 * S)}
    assert broken_by(right_story(), told(down)) == names(CHUTE_TAKES)
    up = down | {"value": 1, "t_ns": int(3.95 * S)}
    assert broken_by(right_story(), told(down, up)) == []


# A parcel too heavy or too light for a diverter.


def heavy_watch(**limits: int) -> Watch:
    """A watch of a hub whose every diverter moves so much and no more."""
    layout = compile_layout(site().hub)
    for name, value in limits.items():
        layout.diverters[name] = value
    return new_watch(layout, n_tracks=16)


def weighed(parcel: int, weight_g: int, reason: Reason = Reason.OK) -> list[dict[str, Any]]:
    """The right story, in which a scale speaks before the commit."""
    said = {"kind": Kind.WEIGHED, "parcel": parcel, "value": weight_g, "reason": reason, "t_ns": 2 * S}
    return [*right_story()[:SEEN_2], said, *right_story()[SEEN_2:]]


@pytest.mark.parametrize(("weight_g", "is_moved"), [(499, False), (500, True), (5000, True), (5001, False)])
def test_a_divert_of_who_is_too_heavy_or_too_light_is_seen(weight_g: int, is_moved: bool) -> None:
    watch = heavy_watch(weight_g_min=500, weight_g_max=5000)
    assert broken_by(weighed(1, weight_g), watch) == ([] if is_moved else names(MOVED))


def test_what_is_not_known_of_a_weight_breaks_nothing_unless_it_is_required() -> None:
    for rows in (right_story(), weighed(1, 9000, Reason.AMBIGUOUS_READ), weighed(0, 9000)):
        assert broken_by(rows, heavy_watch(weight_g_max=5000)) == []
        strict = heavy_watch(weight_g_max=5000)
        strict.belts["weight_required"] = 1
        assert broken_by(rows, strict) == names(MOVED)


def test_the_first_breach_is_kept() -> None:
    watch = watch_of()
    broken_by(right_story() + right_story()[CLOSE:] * 2, watch)
    assert watch.first[CLOSES_ONCE].tolist() == [1, 5 * S]
    assert watch.broken[CLOSES_ONCE] == 2
