"""What befalls parcels, belts and paddles, worked by hand: 2.5 m/s is 0.4 ms a millimetre."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from swarm import site
from traffic_by_hand import traffic_of, with_mishap

from hubctl.core.hubfile import Hub, load_hub
from hubctl.sim.faults import bit_of
from hubctl.sim.hub import make_world
from hubctl.sim.matter import HAND, NOT_PUT, ON_BELT, TAKEN_OFF, Cause, Happens, Mishap, World
from hubctl.sim.motion import NEVER_NS
from hubctl.sim.places import PRESS_UM, travel_at
from hubctl.sim.traffic import Traffic
from hubctl.sim.world import hold_induct, next_ns, run_belt, run_next, write_output

MS = 1_000_000
UM = 1000
INDUCT_MS, TUNNEL_MS = 520.0, 1200.0  # a parcel that starts at 1000 mm is at these eyes
C01, END = 0, 48
D01_MM = 4500
MAIN, SIDE = 0, 1  # belts of the hub of two belts
OVER, C3, ROUND, REST = 1, 3, 5, 6  # its chutes
INDUCT, SECOND, MID, OUT = 0, 1, 2, 5  # and eyes


@pytest.fixture(scope="module")
def two(request: pytest.FixtureRequest) -> Hub:
    """The main belt at 1 mm/ms leads back onto itself; the side belt at half of that is reached by a diverter."""
    return load_hub(request.config.rootpath / "tests" / "kernel" / "two.toml")


def world_of(traffic: Traffic, hub: Hub | None = None) -> World:
    return make_world(hub or site().hub, traffic, 0)


def run_until(world: World, until_ms: float) -> list[tuple[str, int, int, float]]:
    """What the devices notice until then: what, device, value, ms."""
    noticed = []
    while next_ns(world) <= min(until_ms * MS, NEVER_NS - 1):
        for row in world.happened[: run_next(world)]:
            what = (Happens(row["kind"]).name, int(row["device"]), int(row["value"]))
            noticed.append((*what, row["t_ns"] / MS))
    return noticed


def edges(noticed: list[Any], eye: int) -> list[tuple[int, float]]:
    return [(value, round(ms, 3)) for what, device, value, ms in noticed if (what, device) == ("EYE", eye)]


def test_a_belt_that_stops_takes_its_events_with_it() -> None:
    noticed = run_until(world_of(with_mishap(traffic_of(1000), Mishap.BELT_STOPS, 0, for_ms=3000)), 20_000)
    assert edges(noticed, 0) == [(1, INDUCT_MS), (0, INDUCT_MS + 3000 + 100)]
    assert edges(noticed, 1)[0] == (1, TUNNEL_MS + 3000)


def test_a_belt_that_slows_down_takes_longer_and_recovers() -> None:
    traffic = with_mishap(traffic_of(1000), Mishap.BELT_SLOWS, 0, value=1_250_000, for_ms=400)
    noticed = run_until(world_of(traffic), 20_000)
    assert edges(noticed, 0)[1] == (0, INDUCT_MS + 200)
    assert edges(noticed, 1)[0] == (1, TUNNEL_MS + 200)


def test_a_jog_shows_an_edge_three_times() -> None:
    """Back 100 mm at 0.2 mm/ms: the leading edge is past the eye, before it, and past it again."""
    noticed = run_until(world_of(with_mishap(traffic_of(1000), Mishap.BELT_JOGS, 0, value=100 * UM)), 20_000)
    assert edges(noticed, 0) == [
        (1, INDUCT_MS),
        (0, INDUCT_MS),
        (1, INDUCT_MS + 500 + 40),
        (0, INDUCT_MS + 500 + 40 + 100),
    ]
    assert edges(noticed, 1)[0] == (1, TUNNEL_MS + 500 + 40)


def test_a_short_jog_leaves_no_eye_confused() -> None:
    world = world_of(traffic_of(1000, 1500, 2000, 2600))
    with_jog = with_mishap(traffic_of(1000, 1500, 2000, 2600), Mishap.BELT_JOGS, 0, value=333 * UM)
    jogged = world_of(with_jog)
    run_until(world, 60_000)
    run_until(jogged, 60_000)
    assert jogged.core[0]["over_eye"].tolist() == world.core[0]["over_eye"].tolist()
    assert jogged.progress["landed"].tolist() == [END] * 4


def test_a_slip_is_seen_from_the_next_eye_on() -> None:
    traffic = traffic_of(1000)
    traffic.parcels["slip_at_um"], traffic.parcels["slip_um"] = 1000 * UM, 250 * UM
    noticed = run_until(world_of(traffic), 20_000)
    assert edges(noticed, 0) == [(1, INDUCT_MS), (0, INDUCT_MS + 100)]
    assert edges(noticed, 1)[0] == (1, TUNNEL_MS + 100)


def test_a_slip_ends_at_the_next_parcel() -> None:
    traffic = traffic_of(1000, 1400)
    traffic.parcels["slip_at_um"], traffic.parcels["slip_um"] = 1000 * UM, [500 * UM, 0]
    noticed = run_until(world_of(traffic), 20_000)
    pressed_ms = (150 * UM + PRESS_UM) / 2500
    assert edges(noticed, 1) == [(1, TUNNEL_MS + pressed_ms), (0, 1200 + (400 + 250) * 0.4)]


def test_whoever_stands_stops_those_behind_and_all_run_on_together() -> None:
    traffic = traffic_of(1000, 2000)
    traffic.parcels["stands_at_um"], traffic.parcels["stands_ns"] = 1500 * UM, [2000 * MS, 0]
    noticed = run_until(world_of(traffic), 20_000)
    free_ms = (1000 + 1500) * 0.4 + 2000
    last_ms = free_ms + (500 + 500 - PRESS_UM / UM) * 0.4
    assert edges(noticed, 1) == [(1, free_ms + 200), (0, pytest.approx(last_ms, abs=0.01))]


def test_one_that_stands_at_an_eye_blocks_it_until_it_is_taken_off_or_freed() -> None:
    traffic = traffic_of(1000)
    traffic.parcels["stands_at_um"], traffic.parcels["stands_ns"] = 2030 * UM, 4000 * MS
    noticed = run_until(world_of(traffic), 20_000)
    assert edges(noticed, 1) == [(1, TUNNEL_MS), (0, TUNNEL_MS + 4000 + 100)]


def test_a_paddle_that_stays_out_sweeps_whoever_comes() -> None:
    traffic = with_mishap(traffic_of(1000, 2000), Mishap.DIVERTER_STUCK_OUT, 0, for_ms=8000)
    world = world_of(traffic)
    fire_ms = int((1000 + D01_MM + 125) * 0.4) - 110
    run_until(world, fire_ms)
    write_output(world, C01, True, fire_ms * MS)
    write_output(world, C01, False, (fire_ms + 100) * MS)
    run_until(world, 20_000)
    assert world.progress["landed"].tolist() == [C01, C01]
    assert world.progress["cause"].tolist() == [Cause.FIRED, Cause.SWEPT]
    assert world.taken["parcel"][: world.core[0]["n_taken"]].tolist() == [0, 1]


def test_two_fires_to_one_side_keep_the_paddle_out_between_them() -> None:
    """The second is written while the paddle is out for the first: a parcel that comes between is taken."""
    world = world_of(traffic_of(1000))
    centre_ms = int((1000 + D01_MM + 125) * 0.4)
    for fire_ms in (centre_ms - 150, centre_ms - 55):
        write_output(world, C01, True, fire_ms * MS)
        write_output(world, C01, False, (fire_ms + 100) * MS)
    run_until(world, 20_000)
    assert world.progress["landed"].tolist() == [C01]


def test_a_full_eye_that_flaps_is_clear_in_the_end() -> None:
    traffic = with_mishap(traffic_of(1000), Mishap.CHUTE_FLAPS, 3, value=700 * MS, for_ms=2000)
    noticed = run_until(world_of(traffic), 20_000)
    levels = [(value, ms) for what, device, value, ms in noticed if (what, device) == ("LEVEL", 3)]
    assert levels == [(1, 520), (0, 1220), (1, 1920), (0, 2620)]


def test_what_befalls_a_scanner_is_told_to_whoever_stands_between() -> None:
    traffic = with_mishap(traffic_of(1000), Mishap.SCANNER_SILENT, 1, for_ms=900)
    noticed = run_until(world_of(traffic), 20_000)
    told = [(what, device, value, ms) for what, device, value, ms in noticed if what in ("BEGINS", "ENDS")]
    kind = int(Mishap.SCANNER_SILENT)
    assert told == [("BEGINS", kind, 0, INDUCT_MS), ("ENDS", kind, 0, INDUCT_MS + 900)]


def test_nobody_is_put_where_another_lies() -> None:
    traffic = traffic_of(1000, 1000)
    traffic.parcels["put_um"][1] = 1100 * UM
    traffic.parcels["start_um"][1] = 900 * UM
    world = world_of(traffic)
    run_until(world, 60_000)
    assert world.progress["landed"].tolist() == [END, NOT_PUT]


def test_an_induct_that_is_held_keeps_its_parcels_and_their_gaps() -> None:
    traffic = traffic_of(1000, 1500)
    traffic.parcels["gap_um"] = 200 * UM
    world = world_of(traffic)
    hold_induct(world, 0, True, 0)
    assert run_until(world, 5000) == []
    hold_induct(world, 0, False, 5000 * MS)
    noticed = run_until(world, 20_000)
    came_ms = 5000 + 300 * 0.4
    assert edges(noticed, 0)[0] == (1, came_ms)
    assert edges(noticed, 0)[2] == (1, came_ms + 450 * 0.4)


def test_a_belt_obeys() -> None:
    world = world_of(traffic_of(1000))
    run_belt(world, 0, 0, 400 * MS)
    assert run_until(world, 5000) == []
    run_belt(world, 0, 2_500_000, 5000 * MS)
    assert edges(run_until(world, 6000), 0)[0] == (1, 5000 + 300 * 0.4)


# Two belts


def to_side(world: World) -> None:
    """Fires for the one parcel on the main belt, whose centre is at D1 when the belt has run 2425 mm."""
    write_output(world, OVER, True, (2425 - 110) * MS)
    write_output(world, OVER, False, (2425 - 10) * MS)


def test_a_diverter_onto_another_belt_passes_parcels_on(two: Hub) -> None:
    world = world_of(traffic_of(0), two)
    to_side(world)
    noticed = run_until(world, 60_000)
    down_ms = 2425 + 310 - 125  # its leading edge is at the exit's eye, and at 200 mm of the side belt
    assert edges(noticed, 4)[0] == (1, down_ms + (700 - 200) * 2)
    assert edges(noticed, OUT)[0] == (1, down_ms + (2500 - 200) * 2)
    assert world.progress["landed"].tolist() == [REST]
    assert world.progress["via"].tolist() == [SIDE + 1]
    assert world.taken["chute"][:1].tolist() == [OVER]


def test_one_that_falls_off_was_seen_to_leave_and_does_not_arrive(two: Hub) -> None:
    traffic = traffic_of(0)
    traffic.parcels["falls_off"] = 1
    world = world_of(traffic, two)
    to_side(world)
    noticed = run_until(world, 60_000)
    assert ("CONFIRM", OVER, 1) in [row[:3] for row in noticed]
    assert edges(noticed, 4) == []
    assert world.progress["landed"].tolist() == [TAKEN_OFF]
    assert world.progress["fates"].tolist() == [bit_of("falls_off")]


def test_the_end_of_a_belt_leads_on_and_the_rear_still_blocks_its_last_eye(two: Hub) -> None:
    world = world_of(traffic_of(0, length_mm=600), two)
    noticed = run_until(world, 8000)
    assert edges(noticed, 3)[:2] == [(1, 4200.0), (0, 4800.0)]
    again_ms = 4700 + 1700 - 200
    assert edges(noticed, MID)[2] == (1, again_ms)
    assert edges(noticed, INDUCT) == [(1, 100.0), (0, 700.0)]
    assert world.progress["via"].tolist() == [MAIN + 1]


def test_an_induct_eye_sees_only_who_comes_by_it(two: Hub) -> None:
    traffic = traffic_of(0, 500)
    traffic.parcels["source"] = [0, 1]
    noticed = run_until(world_of(traffic, two), 4000)
    assert [value for value, _ in edges(noticed, INDUCT)] == [1, 0]
    assert edges(noticed, SECOND)[0] == (1, 500.0 + 1000)


def test_an_induct_waits_for_room_on_its_belt(two: Hub) -> None:
    """Its parcel would come down at 950 mm while the other lies from 800 to 1050 mm there."""
    traffic = traffic_of(0, 100)
    traffic.parcels["source"] = [0, 1]
    traffic.parcels["gap_um"] = 205 * UM
    noticed = run_until(world_of(traffic, two), 4000)
    wanted_ms, wait_ms = 100 + 1000, (950 + 200) - (1050 - 250)
    assert edges(noticed, SECOND)[0] == (1, wanted_ms + wait_ms)


def test_nobody_goes_round_for_ever(two: Hub) -> None:
    world = world_of(traffic_of(0), two)
    run_until(world, 10_000_000)
    assert world.progress["landed"].tolist() == [TAKEN_OFF]
    assert world.progress["cause"].tolist() == [Cause.HAND]


def test_each_belt_has_its_own_travel(two: Hub) -> None:
    world = world_of(traffic_of(0), two)
    assert (travel_at(world, MAIN, 7000 * MS), travel_at(world, SIDE, 7000 * MS)) == (7000 * UM, 3500 * UM)
    assert world.core[0]["source_belt"][HAND + 1] == SIDE
    assert (world.progress["landed"] != ON_BELT).all()
    assert np.all(world.belts["first"] == -1)
