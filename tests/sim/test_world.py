"""The physics on a few parcels placed by hand, worked by hand: 2.5 m/s is 0.4 ms a millimetre."""

from __future__ import annotations

import heapq
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from swarm import site
from traffic_by_hand import traffic_of, with_mishap

from hubctl.sim.heap import pop, push
from hubctl.sim.hub import make_world
from hubctl.sim.matter import ON_BELT, TAKEN_OFF, Happens, Mishap, Outcome, World
from hubctl.sim.motion import NEVER_NS
from hubctl.sim.places import travel_at
from hubctl.sim.traffic import Traffic
from hubctl.sim.world import EMPTIED_NS, next_ns, run_next, write_output

MS = 1_000_000
SLIDE_MS = 310  # of the demo hub: expected 420 ms after the fire, which is 110 ms before the paddle
INDUCT_MM, TUNNEL_MM = 300, 2000
C01, END = 0, 48
D01_MM = 4500


def at_ms(mm: float) -> float:
    """When the belt has run so far."""
    return mm * 0.4


def world_of(traffic: Traffic) -> World:
    return make_world(site().hub, traffic, 0)


def life(
    world: World, fires: dict[int, list[tuple[int, bool]]] | None = None
) -> list[tuple[str, int, int, float]]:
    """Everything that the devices notice: what, device, value, ms. `fires` are writes (chute, on) by ms."""
    noticed = []
    writes = sorted((at * MS, chute, on) for at, each in (fires or {}).items() for chute, on in each)
    while next_ns(world) < NEVER_NS:
        while writes and writes[0][0] <= next_ns(world):
            now_ns, chute, on = writes.pop(0)
            write_output(world, chute, on, now_ns)
        for row in world.happened[: run_next(world)]:
            noticed.append(
                (Happens(row["kind"]).name, int(row["device"]), int(row["value"]), row["t_ns"] / MS)
            )
    return noticed


def of_kind(noticed: list[Any], kind: str, device: int) -> list[tuple[int, float]]:
    return [(value, round(ms, 3)) for what, which, value, ms in noticed if (what, which) == (kind, device)]


def test_an_eye_is_blocked_for_as_long_as_the_parcel() -> None:
    noticed = life(world_of(traffic_of(1000)))
    assert of_kind(noticed, "EYE", 0) == [(1, at_ms(1300)), (0, at_ms(1550))]
    assert of_kind(noticed, "EYE", 1) == [(1, at_ms(3000)), (0, at_ms(3250))]


def test_touching_parcels_are_one_to_an_eye() -> None:
    noticed = life(world_of(traffic_of(1000, 1240)))
    assert of_kind(noticed, "EYE", 0) == [(1, at_ms(1300)), (0, at_ms(1790))]


def test_slip_adds_up_on_the_way() -> None:
    traffic = traffic_of(1000)
    traffic.parcels["slip_ppm"] = 1000
    noticed = life(world_of(traffic))
    assert of_kind(noticed, "EYE", 1)[0] == (1, at_ms(1000 + 2002))


def test_nobody_fires_and_it_runs_to_the_end() -> None:
    world = world_of(traffic_of(1000))
    life(world)
    assert world.progress["landed"].tolist() == [END]
    assert world.progress["landed_ns"][0] / MS == at_ms(1000 + 30_000 + 250)


def test_a_paddle_in_the_way_of_its_centre_takes_it() -> None:
    """Written 110 ms before the centre (60 ms to move, and half of its 100 ms in the way)."""
    world = world_of(traffic_of(1000))
    centre = at_ms(1000 + D01_MM + 125)
    fire = int(centre) - 110
    noticed = life(world, {fire: [(C01, True)], fire + 100: [(C01, False)]})
    assert world.progress["landed"].tolist() == [C01]
    confirms = of_kind(noticed, "CONFIRM", C01)
    assert confirms == [(1, centre + SLIDE_MS - at_ms(125)), (0, centre + SLIDE_MS + at_ms(125))]
    assert of_kind(noticed, "EYE", 3) == []


@pytest.mark.parametrize("off_ms", [-60, 60])
def test_a_paddle_too_soon_or_too_late_takes_nobody(off_ms: int) -> None:
    world = world_of(traffic_of(1000))
    fire = int(at_ms(1000 + D01_MM + 125)) - 110 + off_ms
    life(world, {fire: [(C01, True)], fire + 100: [(C01, False)]})
    assert world.progress["landed"].tolist() == [END]


def test_a_paddle_takes_whoever_is_there() -> None:
    """The world knows of no intentions."""
    world = world_of(traffic_of(1000, 1500))
    fire = int(at_ms(1500 + D01_MM + 125)) - 110
    life(world, {fire: [(C01, True)], fire + 100: [(C01, False)]})
    assert world.progress["landed"].tolist() == [END, C01]


def test_a_failed_fire_moves_nothing() -> None:
    traffic = traffic_of(1000)
    traffic.fire_fails[:] = True
    world = world_of(traffic)
    fire = int(at_ms(1000 + D01_MM + 125)) - 110
    life(world, {fire: [(C01, True)]})
    assert world.progress["landed"].tolist() == [END]


def test_one_taken_off_is_gone_and_an_eye_it_blocked_is_clear() -> None:
    traffic = traffic_of(1000)
    traffic.parcels["removed_um"] = 2100 * 1000
    world = world_of(traffic)
    noticed = life(world)
    assert world.progress["landed"].tolist() == [TAKEN_OFF]
    assert of_kind(noticed, "EYE", 1) == [(1, at_ms(3000)), (0, at_ms(3100))]
    assert of_kind(noticed, "EYE", 2) == []


def test_one_put_on_is_seen_from_there_on() -> None:
    traffic = traffic_of(1000)
    traffic.parcels["put_um"] = 1500 * 1000
    world = world_of(traffic)
    noticed = life(world)
    assert of_kind(noticed, "EYE", 0) == []
    assert of_kind(noticed, "TELEGRAM", 0) == []
    assert of_kind(noticed, "EYE", 1) == [(1, at_ms(3000)), (0, at_ms(3250))]
    assert world.progress["inducted_ns"].tolist() == [0]


def test_telegrams_come_in_order_and_a_late_one_holds_up_the_rest() -> None:
    traffic = traffic_of(1000, 1500, 3000)
    traffic.reads["delay_ms"][0, 0] = 500
    traffic.reads["outcome"][1, 0] = Outcome.DOUBLED
    traffic.reads["outcome"][2, 0] = Outcome.NO_READ
    telegrams = of_kind(life(world_of(traffic)), "TELEGRAM", 0)
    late = at_ms(1000 + 1200 + 125) + 500
    assert telegrams[:3] == [(1, late), (1, round(late + 0.001, 3)), (1, round(late + 0.002, 3))]
    assert telegrams[3] == (0, at_ms(3000 + 1200 + 250) + 50)


def test_a_full_chute_is_emptied_in_time() -> None:
    traffic = traffic_of(1000)
    traffic.parcels["fills_chute"] = 1
    fire = int(at_ms(1000 + D01_MM + 125)) - 110
    levels = of_kind(life(world_of(traffic), {fire: [(C01, True)]}), "LEVEL", C01)
    assert [value for value, _ in levels] == [1, 0]
    assert levels[1][1] - levels[0][1] == EMPTIED_NS / MS


def test_a_dropped_link_comes_back() -> None:
    traffic = traffic_of(1000)
    links = of_kind(life(world_of(with_mishap(traffic, Mishap.LINK_DROP, 3, for_ms=2000))), "LINK", 3)
    assert links == [(0, at_ms(1300)), (1, at_ms(1300) + 2000)]


def test_travel_is_exact_after_days() -> None:
    world = world_of(traffic_of(1000))
    life(world)
    days_ns = 5 * 86_400 * 10**9
    assert travel_at(world, 0, days_ns) == 5 * 86_400 * 2_500_000
    assert travel_at(world, 0, days_ns + 400) == 5 * 86_400 * 2_500_000 + 1


def test_before_the_first_parcel_nobody_is_on_the_belt() -> None:
    world = world_of(traffic_of(1000))
    assert (world.progress["landed"] != ON_BELT).all()
    assert next_ns(world) == at_ms(1000) * MS


@given(st.lists(st.tuples(st.integers(-50, 50), st.integers(0, 9)), max_size=80))
@settings(max_examples=200, deadline=None)
def test_the_heap_of_events_is_a_heap(pairs: list[tuple[int, int]]) -> None:
    keys, payloads = np.zeros(100, np.int64), np.zeros(100, np.int64)
    model: list[tuple[int, int]] = []
    n = 0
    for k, pair in enumerate(pairs):
        push(keys, payloads, n, *pair)
        heapq.heappush(model, pair)
        n += 1
        if k % 3 == 2:
            assert (keys[0], payloads[0]) == heapq.heappop(model)
            n -= 1
            pop(keys, payloads, n)
    while model:
        assert (keys[0], payloads[0]) == heapq.heappop(model)
        n -= 1
        pop(keys, payloads, n)
