"""A world by the clock, and what its nodes show of it: driven by a clock of the test's own."""

from __future__ import annotations

import numpy as np
import pytest
from traffic_by_hand import traffic_of

from hubctl.core.address import Space
from hubctl.core.hubfile import Hub, resolve_hub
from hubctl.sim.hub import make_world
from hubctl.sim.matter import NOT_YET, Happens
from hubctl.sim.node_image import NodeImage
from hubctl.sim.plant import HEAD_START_NS, STEP_NS_MAX, Plant
from hubctl.sim.wires import Counter, Wires

MS = 1_000_000
UM = 1000


class Clock:
    """A host's clock that moves when told."""

    def __init__(self) -> None:
        self.now_ns = 1_000_000_000

    def __call__(self) -> int:
        return self.now_ns


def run_for(plant: Plant, clock: Clock, run_ns: int) -> None:
    """Looks as often as a live hub does."""
    for _ in range(run_ns // STEP_NS_MAX):
        clock.now_ns += STEP_NS_MAX
        plant.catch_up()


class Rig:
    """A plant with a clock, and what it told."""

    def __init__(self, *starts_mm: int) -> None:
        self.clock = Clock()
        self.told: list[tuple[int, int, int, int]] = []
        world = make_world(resolve_hub("demo"), traffic_of(*starts_mm), self.clock.now_ns)
        self.plant = Plant(world, self._tell, self.clock)

    def _tell(self, row: np.void) -> None:
        self.told.append((int(row["kind"]), int(row["device"]), int(row["value"]), int(row["t_ns"])))

    def run(self, run_ns: int) -> None:
        run_for(self.plant, self.clock, run_ns)


def test_nobody_comes_before_the_traffic_begins() -> None:
    rig = Rig(0)
    rig.run(5_000 * MS)
    assert rig.told == []
    assert rig.plant.travel_um(rig.plant.catch_up()) == 12_500 * UM


def test_the_first_parcel_comes_a_head_start_after_the_beginning() -> None:
    rig = Rig(7000)
    rig.run(1000 * MS)
    began_ns = rig.clock.now_ns
    rig.plant.begin()
    rig.run(1000 * MS)
    induct_ns = 300 * 1000 * MS // 2500
    assert rig.told[0] == (Happens.EYE, 0, 1, began_ns + HEAD_START_NS + induct_ns)


def test_an_output_takes_the_parcel_into_its_chute() -> None:
    rig = Rig(0)
    rig.plant.begin()
    rig.run(HEAD_START_NS + 4500 * 1000 * MS // 2500 - 50 * MS)
    rig.plant.write_output(0, True)
    rig.run(100 * MS)
    rig.plant.write_output(0, False)
    rig.run(2000 * MS)
    assert rig.plant.world.progress["landed"].tolist() == [0]
    assert [row[:3] for row in rig.told[-2:]] == [(Happens.CONFIRM, 0, 1), (Happens.CONFIRM, 0, 0)]
    assert rig.plant.is_drained()


def test_stopping_lets_nobody_come_any_more() -> None:
    rig = Rig(0, 1000, 60_000)
    rig.plant.begin()
    rig.run(1000 * MS)
    rig.plant.stop_inducting()
    rig.run(20_000 * MS)
    assert rig.plant.is_drained()
    assert rig.plant.n_entered == 2
    assert rig.plant.world.progress["landed"].tolist() == [48, 48, NOT_YET]


def test_a_stall_stops_the_belt_and_is_told() -> None:
    rig = Rig(0)
    rig.plant.begin()
    rig.run(100 * MS)
    before_um = rig.plant.travel_um(rig.plant.catch_up())
    rig.clock.now_ns += 700 * MS
    assert rig.plant.travel_um(rig.plant.catch_up()) - before_um == STEP_NS_MAX // MS * 2500
    assert rig.plant.stalled_ns == 700 * MS - STEP_NS_MAX


def test_times_before_and_after_a_stall_are_given_by_the_hosts_clock() -> None:
    rig = Rig(0)
    rig.run(100 * MS)
    before_ns = rig.clock.now_ns
    rig.clock.now_ns += 700 * MS
    after_ns = rig.plant.catch_up()
    times = np.array([0, before_ns, after_ns])
    assert rig.plant.host_ns(times).tolist() == [0, before_ns, rig.clock.now_ns]


def test_a_failure_of_a_device_is_kept() -> None:
    def fail(row: np.void) -> None:
        raise ValueError("broken")

    clock = Clock()
    plant = Plant(make_world(resolve_hub("demo"), traffic_of(0), clock.now_ns), fail, clock)
    plant.begin()
    with pytest.raises(ValueError, match="broken"):
        run_for(plant, clock, 1000 * MS)
    assert isinstance(plant.failure, ValueError)


def test_an_image_is_as_long_as_what_is_wired() -> None:
    wires = Wires(resolve_hub("demo"))
    io1 = wires.images["io1"]
    assert io1.read(Space.DISCRETE, 0, 32) == [0] * 32
    assert io1.read(Space.DISCRETE, 1, 32) is None
    assert io1.read(Space.HOLDING, 0, 1) is None
    assert len(wires.images["head"].read(Space.INPUT, 0, 3) or []) == 3


def test_eyes_show_in_bits_of_registers_and_in_bits_of_their_own() -> None:
    wires = Wires(resolve_hub("demo"))
    wires.set_eye(1, True)
    wires.set_eye(2, True)
    assert wires.images["head"].read(Space.INPUT, 2, 1) == [2]
    assert (wires.images["io1"].read(Space.DISCRETE, 12, 1)) == [1]
    wires.set_eye(1, False)
    assert wires.images["head"].read(Space.INPUT, 2, 1) == [0]


def test_an_inverted_eye_is_on_while_it_is_clear(inverted_hub: Hub) -> None:
    wires = Wires(inverted_hub)
    assert wires.images["io1"].read(Space.DISCRETE, 12, 1) == [1]
    wires.set_eye(2, True)
    assert wires.images["io1"].read(Space.DISCRETE, 12, 1) == [0]


@pytest.fixture
def inverted_hub() -> Hub:
    hub = resolve_hub("demo")
    eyes = [eye.model_copy(update={"invert": eye.name == "group1"}) for eye in hub.eyes]
    return hub.model_copy(update={"eyes": eyes})


def test_a_chute_eye_is_clear_once_every_parcel_has_passed() -> None:
    wires = Wires(resolve_hub("demo"))
    seen = []
    for blocked in (True, True, False, False):
        wires.set_confirm(13, blocked)
        seen.append(wires.images["io2"].read(Space.DISCRETE, 1, 1))
    assert seen == [[1], [1], [1], [0]]


def test_only_a_change_of_a_coil_is_told_to_its_chute() -> None:
    wires = Wires(resolve_hub("demo"))
    acts = [wires.set_coil("io2", 1, on) for on in (False, True, True, False)]
    assert acts == [None, 13, None, 13]
    assert wires.set_coil("io2", 15, True) is None


@pytest.mark.parametrize(
    ("bits", "low_first", "travel_um", "words"),
    [
        (16, False, 0, [0xFFFF - 25_000 + 1]),
        (16, False, 25_000_000, [0]),
        (32, False, 0, [0xFFFF, 0x10000 - 25_000]),
        (32, True, 24_999_000, [0xFFFF, 0xFFFF]),
        (32, True, 25_001_000, [1, 0]),
        (24, False, 0, [0xFF, 0x10000 - 25_000]),
        (24, False, 25_000_000, [0, 0]),
    ],
)
def test_a_counter_wraps_ten_seconds_after_its_start(
    bits: int, low_first: bool, travel_um: int, words: list[int]
) -> None:
    belt = resolve_hub("demo").belts[0]
    assert belt.encoder is not None
    order = "low_first" if low_first else "high_first"
    encoder = belt.encoder.model_copy(update={"bits": bits, "word_order": order})
    assert Counter.of(belt.model_copy(update={"encoder": encoder})).words(travel_um) == words


def test_an_image_of_nothing_answers_nothing() -> None:
    assert NodeImage([]).read(Space.COIL, 0, 1) is None
