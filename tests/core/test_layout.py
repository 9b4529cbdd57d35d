"""A hub file becomes the right counts, nanoseconds, indices and polls."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hubctl.core.config import ConfigError
from hubctl.core.events import NO_INDEX, Kind
from hubctl.core.hubfile import Hub, load_hub, resolve_hub
from hubctl.core.layout import compile_layout, counts_of_mm, hub_names
from hubctl.core.tables import BeltKind, EyeRole, LinkKind, Table
from hubctl.core.wiring import compile_wiring

MS = 1_000_000


def row(table: Table, index: int) -> dict[str, object]:
    return {name: table[index][name].item() for name in table.dtype.names or ()}


@pytest.fixture(scope="module")
def demo() -> Hub:
    return resolve_hub("demo")


@pytest.fixture(scope="module")
def station() -> Hub:
    return resolve_hub("station")


def hub_of(tmp_path: Path, demo_text_changes: list[tuple[str, str]]) -> Hub:
    from hubctl.core.hubfile import hub_path

    text = hub_path("demo").read_text(encoding="utf-8")
    for old, new in demo_text_changes:
        assert text.count(old) == 1
        text = text.replace(old, new)
    file = tmp_path / "hub.toml"
    file.write_text(text, encoding="utf-8")
    return load_hub(file)


def test_belt_in_counts(demo: Hub) -> None:
    assert row(compile_layout(demo).belts, 0) == {
        "kind": BeltKind.LINE,
        "end_chute": 48,
        "encoder_node": 0,
        "counter_bits": 32,
        "counts_per_m": 1000,
        "run_node": NO_INDEX,
        "stop_on_jam": 0,
        "length_counts": 30_000,
        "speed_counts_s": 2500,
        "speed_counts_s_min": 1250,
        "speed_counts_s_max": 2750,
        "recirculating_max": 0,
        "laps_max": 0,  # nothing leads back
        "parcel_counts_min": 100,
        "parcel_counts_max": 1200,
        "stale_ns": 100 * MS,
        "jitter_ns": 100 * MS,
        "transfer_window_counts": 150,
        **dict.fromkeys(("weight_g_max", "width_mm_max", "height_mm_max", "weight_required"), 0),
        "told_late_ns": 330 * MS,  # three requests of 100 ms, two polls of 5 ms, 20 ms
    }


def test_other_resolutions_change_every_length(tmp_path: Path) -> None:
    layout = compile_layout(hub_of(tmp_path, [("counts_per_m = 1000", "counts_per_m = 4096")]))
    assert layout.belts["length_counts"][0] == 122_880
    assert layout.eyes["at_counts"][0] == 1229  # 300 mm are 1228.8 counts
    assert layout.diverters["clear_counts"][0] == 655


def test_eyes_and_diverters_come_by_position(tmp_path: Path) -> None:
    hub = hub_of(tmp_path, [('"D02", belt = "main", at_mm = 5500', '"D02", belt = "main", at_mm = 28500')])
    layout, names = compile_layout(hub), hub_names(hub)
    assert (np.diff(layout.eyes["at_counts"]) > 0).all()
    assert (np.diff(layout.diverters["at_counts"]) > 0).all()
    assert names.diverters[-1] == "D02"
    assert layout.chutes["diverter"][names.chutes.index("C03")] == names.diverters.index("D02")


def test_eye_row(demo: Hub) -> None:
    layout, names = compile_layout(demo), hub_names(demo)
    eye = row(layout.eyes, names.eyes.index("end"))
    assert (eye["role"], eye["at_counts"], eye["window_counts"], eye["length_window_counts"]) == (
        EyeRole.END,
        29_500,
        80,
        60,
    )


def test_an_eye_knows_parcels_again(tmp_path: Path, demo: Hub) -> None:
    change = ('"head/input/2.1", window_mm = 80', '"head/input/2.1", realign_mm = 300')
    assert compile_layout(hub_of(tmp_path, [change])).eyes["realign_counts"].tolist() == [0, 300, *[0] * 5]
    assert not compile_layout(demo).eyes["realign_counts"].any()


def test_chute_rows(demo: Hub) -> None:
    layout, names = compile_layout(demo), hub_names(demo)
    assert row(layout.chutes, names.chutes.index("C14")) == {
        "diverter": names.diverters.index("D07"),
        "node": names.nodes.index("io2"),
        "has_confirm": 1,
        "confirm_node": names.nodes.index("io2"),
        "to_belt": NO_INDEX,
        "reserved": 0,
        "reserved2": 0,
        "to_counts": 0,
        "jam_ns": 0,
        "confirm_from_ns": 220 * MS,
        "confirm_until_ns": 620 * MS,
        "full_on_ns": 1000 * MS,
        "full_off_ns": 2000 * MS,
        **dict.fromkeys(("count_max", "weight_g_max", "volume_ml_max", "nearly_full_count", "n_kept"), 0),
        "open_again_percent": 100,
        "rate_parcels": 0,
        "rate_mm": 0,
        "rate_period_ns": 60_000 * MS,
        "full_alarm_ns": 0,
        "door_ns": 0,
    }
    end = row(layout.chutes, names.chutes.index("END"))
    assert (end["diverter"], end["node"], end["has_confirm"]) == (NO_INDEX, NO_INDEX, 0)


LIMITED = (
    '"C14", no = 14',
    '"C14", no = 14, count_max = 50, weight_g_max = 30000, volume_l_max = 200, nearly_full_at = 75,'
    " open_again_at = 60, reserve_for_priority = 5, rate_parcels = 10, rate_mm = 5000, rate_period_ms = 20000,"
    " full_alarm_ms = 600000, door_s = 40",
)


def test_limits_of_a_chute(tmp_path: Path) -> None:
    hub = hub_of(tmp_path, [LIMITED])
    chute = row(compile_layout(hub).chutes, hub_names(hub).chutes.index("C14"))
    assert chute["count_max"] == 50
    assert chute["nearly_full_count"] == 38
    assert chute["volume_ml_max"] == 200_000
    assert (chute["open_again_percent"], chute["n_kept"]) == (60, 5)
    assert (chute["rate_parcels"], chute["rate_mm"], chute["rate_period_ns"]) == (10, 5000, 20_000 * MS)
    assert (chute["full_alarm_ns"], chute["door_ns"]) == (600_000 * MS, 40_000 * MS)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("reserve_for_priority = 3", "needs count_max"),
        ("count_max = 3, reserve_for_priority = 3", "must be below count_max, 3"),
        ("rate_period_ms = 99", "must be 100 to 3600000"),
        ('nearly_full = "nobody/discrete/3"', 'there is no node "nobody"'),
    ],
)
def test_impossible_limits_are_faults(tmp_path: Path, change: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        hub_of(tmp_path, [('"C14", no = 14', f'"C14", no = 14, {change}')])


SCALE = 'scales = [{ name = "dws", belt = "main", at_mm = 1500, latency_ms = 200, reach_mm = 120 }]\n\ndiverters = ['


def test_what_belts_and_diverters_bear(tmp_path: Path) -> None:
    limits = "weight_g_max = 30_000, width_mm_max = 600, height_mm_max = 500, weight_required = true"
    changes = [
        ("diverters = [", SCALE),
        ('end_chute = "END",', f'end_chute = "END", {limits},'),
        ('"D01", belt = "main"', '"D01", belt = "main", weight_g_min = 50, weight_g_max = 5_000'),
    ]
    layout = compile_layout(hub_of(tmp_path, changes))
    scale, belt, diverter = row(layout.scales, 0), row(layout.belts, 0), row(layout.diverters, 0)
    assert (scale["belt"], scale["at_counts"], scale["latency_ns"], scale["reach_counts"]) == (
        0,
        1500,
        200 * MS,
        120,
    )
    assert (belt["weight_g_max"], belt["width_mm_max"], belt["height_mm_max"]) == (30_000, 600, 500)
    assert belt["weight_required"] == 1
    assert (diverter["weight_g_min"], diverter["weight_g_max"]) == (50, 5_000)


def test_bit_and_register_of_a_scale_come_in_one_reply(tmp_path: Path) -> None:
    wired = SCALE.replace(" reach_mm", ' weight = "io1/input/104", ready = "io1/input/3.2", reach_mm')
    wiring = compile_wiring(hub_of(tmp_path, [("diverters = [", wired)]))
    (signal,) = (signal for signal in wiring.signals if signal["kind"] == Kind.WEIGHT)
    poll = wiring.polls[signal["poll"]]
    assert (poll["node"], poll["function"], poll["address"], poll["count"]) == (1, 4, 3, 102)
    assert (signal["offset"], signal["register"], signal["g_per_count"]) == (2, 101, 1)


def test_the_host_is_asked_if_there_is_one(tmp_path: Path, demo: Hub) -> None:
    assert row(compile_layout(demo).host, 0)["is_asked"] == 0
    asked = hub_of(tmp_path, [("belts = [", "host = { timeout_ms = 300, silent_after = 7 }\n\nbelts = [")])
    assert row(compile_layout(asked).host, 0) == {
        "is_asked": 1,
        "silent_after": 7,
        "reserved": 0,
        "timeout_ns": 300 * MS,
    }


def test_a_belt_without_encoder_counts_millimetres(station: Hub) -> None:
    belt = row(compile_layout(station).belts, 0)
    assert (belt["kind"], belt["encoder_node"], belt["counts_per_m"]) == (BeltKind.STATION, NO_INDEX, 1000)


def test_polls_are_one_a_node(demo: Hub) -> None:
    polls = compile_wiring(demo).polls
    fields = ("node", "function", "address", "count", "period_ns")
    assert [tuple(poll[name].item() for name in fields) for poll in polls] == [
        (0, 4, 0, 3, 5 * MS),
        *((node, 2, 0, 28, 5 * MS) for node in (1, 2, 3, 4)),
    ]


def test_a_node_that_nothing_is_read_of_is_asked_whether_it_is_there(station: Hub) -> None:
    (poll,) = compile_wiring(station).polls
    assert (poll["function"], poll["address"], poll["count"], poll["period_ns"]) == (1, 0, 1, 500 * MS)
    (relays,) = (poll for poll in compile_wiring(resolve_hub("depot")).polls if poll["node"] == 3)
    assert (relays["function"], relays["count"]) == (1, 1)


def test_eyes_beside_the_counter_are_latched(demo: Hub) -> None:
    wiring, names = compile_wiring(demo), hub_names(demo)
    latched = [names.eyes[s["index"]] for s in wiring.signals if s["belt"] == 0 and s["kind"] == Kind.EYE]
    assert latched == ["induct", "tunnel", "end"]
    assert wiring.signals["offset"][:3].tolist() == [32, 33, 34]
    assert row(wiring.counters, 0) == {"poll": 0, "register": 0, "bits": 32, "low_word_first": 0, "belt": 0}


def test_signals_are_sorted_and_complete(demo: Hub) -> None:
    signals = compile_wiring(demo).signals
    order = [(s["poll"], s["offset"]) for s in signals]
    assert order == sorted(set(order))
    kinds = [Kind(kind) for kind in signals["kind"]]
    assert (kinds.count(Kind.EYE), kinds.count(Kind.CONFIRM), kinds.count(Kind.CHUTE_LEVEL)) == (7, 48, 48)


def test_a_span_too_long_for_one_reply_is_two_polls(tmp_path: Path) -> None:
    far = [
        ('full = "io1/discrete/16"', 'full = "io1/discrete/1999"'),
        ('full = "io1/discrete/17"', 'full = "io1/discrete/2000"'),
        ('"head/input/2.2"', '"head/input/125.15"'),
    ]
    polls = compile_wiring(hub_of(tmp_path, far)).polls
    blocks = [(poll["node"], poll["function"], poll["address"], poll["count"]) for poll in polls][:4]
    assert blocks == [(0, 4, 0, 3), (0, 4, 125, 1), (1, 2, 0, 2000), (1, 2, 2000, 1)]


def test_a_counter_is_never_cut_in_two(tmp_path: Path) -> None:
    moved = [
        ('address = "head/input/0"', 'address = "head/input/124"'),
        ('"head/input/2.0"', '"head/input/0.0"'),
    ]
    wiring = compile_wiring(hub_of(tmp_path, moved))
    assert [(poll["address"], poll["count"]) for poll in wiring.polls[:2]] == [(0, 3), (124, 2)]
    assert row(wiring.counters, 0)["poll"] == 1
    assert set(wiring.signals["belt"]) == {NO_INDEX}


def test_links_nodes_and_outputs(demo: Hub) -> None:
    wiring, names = compile_wiring(demo), hub_names(demo)
    assert row(wiring.links, names.links.index("io4")) == {
        "kind": LinkKind.MODBUS_RTU,
        "scanner": NO_INDEX,
        "in_flight_max": 1,
        "together": 0,
        "baud": 115_200,
        "gap_ns": 0,
        "settle_ns": 0,
    }
    assert wiring.links["scanner"].tolist()[-2:] == [0, 1]
    assert wiring.nodes["n_outputs"].tolist() == [0, 12, 12, 12, 12]
    assert row(wiring.outputs, 13) == {
        "node": 2,
        "coil": 1,
        "pulse_coil": 0,
        "pulse_value": 0,
        "hold_ns": 100 * MS,
    }
    assert row(wiring.outputs, 48)["node"] == NO_INDEX


def test_framings_take_the_site_before_the_preset(tmp_path: Path) -> None:
    hub = hub_of(
        tmp_path, [('preset = "sick"', 'preset = "sick", terminator = "\\r\\n", heartbeat = "LIFE"')]
    )
    framing = row(compile_wiring(hub).framings, 0)
    assert (framing["header"], framing["terminator"], framing["n_header"], framing["n_terminator"]) == (
        b"\x02",
        b"\r\n",
        1,
        2,
    )
    assert (framing["no_read"], framing["heartbeat"], framing["answers"]) == (b"NoRead", b"LIFE", 1)


@given(st.integers(0, 2_000_000), st.integers(10, 100_000))
def test_counts_are_nearest_and_never_vanish(length_mm: int, per_m: int) -> None:
    counts = counts_of_mm(length_mm, per_m)
    assert abs(counts * 1000 - length_mm * per_m) <= 500 or counts == 1
    assert (counts == 0) == (length_mm == 0)
