"""Device profiles: those that come with the program are right, and a wrong one is told all its faults."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from hubctl.core.address import Space
from hubctl.core.config import ConfigError, Source
from hubctl.core.profile import (
    Profile,
    load_profile,
    profile_names,
    profile_path,
    resolve_profile,
    shown_word,
    step_words,
    word_of,
)
from hubctl.core.profilecheck import check_profile
from hubctl.core.shape import read_shape
from hubctl.protocol import registers

PROFILE = """
word_order = "low_first"
profile = { name = "box", device = "a box" }
limits = { functions = [1, 3, 5, 15] }
coils = { n = 4, at = 16 }
holding = [{ n = 8 }]
identity = [{ table = "holding", at = 0, equals = [7] }]
"""


def faults_of(directory: Path, text: str) -> list[str]:
    file = directory / "box.toml"
    file.write_text(text)
    with pytest.raises(ConfigError) as caught:
        load_profile(file)
    return [str(fault).removeprefix(f"{directory}/") for fault in caught.value.faults]


def loaded(directory: Path, text: str = PROFILE) -> Profile:
    file = directory / "box.toml"
    file.write_text(text)
    return load_profile(file)


@pytest.mark.parametrize("name", profile_names())
def test_packaged_profiles_are_right_and_named_as_their_files(name: str) -> None:
    profile = resolve_profile(name)
    assert profile.name == name
    assert all(step_words(step) for _, step in profile.steps())


def test_the_devices_of_hubs_have_profiles() -> None:
    wanted = {
        "wago-750",
        "moxa-e1212",
        "adam-6050",
        "waveshare-relay",
        "zqwl-relay",
        "conveylinx",
        "conveylinx-plc",
    }
    wanted |= {"micronor-mr340", "isma-sfar", "delta-vfd", "abb-drives", "hubctl-node"}
    assert wanted <= set(profile_names())


def test_a_number_of_a_hub_file_is_an_address_on_the_wire(tmp_path: Path) -> None:
    coils = loaded(tmp_path).coils
    assert coils is not None
    assert [coils.wire_of(number) for number in (0, 3, 4)] == [16, 19, None]
    assert coils.wire_of(3, 2) is None
    conveylinx = resolve_profile("conveylinx")
    span = conveylinx.span_of(Space.HOLDING, 1502)
    assert span is not None
    assert (span.wire_of(1502), span.at) == (1501, 1499)


def test_outputs_of_a_wago_are_shown_elsewhere_than_they_are_written() -> None:
    coils = resolve_profile("wago-750").coils
    assert coils is not None
    assert coils.shown_by == 0x200


def test_a_watchdogs_time_is_told_in_its_unit() -> None:
    wago = resolve_profile("wago-750")
    assert word_of("watchdog", wago, 1500) == 15
    assert word_of(7, wago, 1500) == 7
    assert wago.keep_ms(1500, 2) == 250  # two steps, three rounds


def test_words_are_shown_as_people_read_them() -> None:
    steps = [step_words(step) for _, step in resolve_profile("wago-750").steps()]
    assert steps[:3] == [
        "holding 0x2011 must be 750",
        "holding 0x2012 must be one of 352, 362, 842, 881",
        "write 0xaa55 to holding 0x1008",
    ]
    assert shown_word("watchdog") == "watchdog"


def test_every_fault_comes_with_its_line(tmp_path: Path) -> None:
    text = """
profile = { name = "Box", device = "a box" }
limits = { functions = [1, 99] }
coils = { n = 4000 }
identity = [{ table = "holding", at = 0, write = [7] }]
watchdog = { unit_ms = 1, ms_min = 9, ms_max = 5, arm = [ONE, ONE] }
speed = 5
""".replace("ONE", '{ table = "holding", at = 1, write = [1] }')
    told = "\n".join(faults_of(tmp_path, text))
    for part in (
        "box.toml:2",
        "box.toml:3 [limits]",
        "99",
        "box.toml:4",
        "needs function 6",
        "must not write",
        "must read back",
        "ms_max",
        "box.toml:7 speed = 5: unknown key",
    ):
        assert part in told


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ('{ table = "input", at = 0, equals = [7] }', "needs function 4"),
        ('{ table = "holding", at = 0, equals = [7], contains = "x" }', "must be absent beside"),
        ('{ table = "holding", at = 0, equals = [7], mask = [1, 2] }', "a word for each"),
        ('{ table = "holding", at = 0, n = 1, skip = 2, equals = [7] }', "must be 3 or more"),
        ('{ table = "holding", at = 0, n = 200 }', "must be 1 to 125"),
        ('{ table = "holding", at = 0, equals = ["watchdog"] }', "only in the section watchdog"),
        ('{ table = "holding", at = 0, contains = "box" }', "must be given"),
        ('{ table = "coil", at = 0, equals = [7] }', "must be 0 or 1"),
        ('{ table = "holding", at = 0, turns = [1, 2] }', "must not write"),
    ],
)
def test_a_step_that_cannot_be_asked_is_refused(tmp_path: Path, change: str, message: str) -> None:
    text = PROFILE.replace('{ table = "holding", at = 0, equals = [7] }', change)
    assert message in "\n".join(faults_of(tmp_path, text))


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ('counters = [{ name = "c", table = "holding", number = 7, bits = 32 }]', "must be a number of the"),
        ("pulse = { at = 1, unit_ms = 100, units_max = 9 }", ""),
        (
            "drive = { control = 0, run = 1, stop = 0, setpoint = 1, full = 9, setpoint_max = 5, actual = 2 }",
            "1 to 5",
        ),
    ],
)
def test_what_does_not_fit_together_is_refused(tmp_path: Path, more: str, message: str) -> None:
    if not message:
        assert loaded(tmp_path, PROFILE + more).pulse is not None
        return
    assert message in "\n".join(faults_of(tmp_path, PROFILE + more))


def test_spans_that_overlap_are_refused(tmp_path: Path) -> None:
    text = PROFILE.replace("holding = [{ n = 8 }]", "holding = [{ n = 8 }, { first = 7, n = 2, at = 50 }]")
    assert "lies inside the span" in "\n".join(faults_of(tmp_path, text))


def test_an_unknown_name_gets_the_nearest() -> None:
    with pytest.raises(ConfigError, match="wago-750"):
        profile_path("wago-705")


def places_in(data: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The path of every value."""
    pairs = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    for key, value in pairs:
        yield (*path, key)
        yield from places_in(value, (*path, key))


def changed(data: Any, path: tuple[Any, ...], value: Any) -> Any:
    """The same with one value another, or gone."""
    copied = deepcopy(data)
    inside = copied
    for key in path[:-1]:
        inside = inside[key]
    if value is None:
        del inside[path[-1]]
    else:
        inside[path[-1]] = value
    return copied


@pytest.mark.parametrize("name", profile_names())
def test_whatever_is_wrong_in_a_profile_is_a_fault_and_no_accident(name: str) -> None:
    data = tomllib.loads(profile_path(name).read_text())
    for path in places_in(data):
        faults = []
        for value in (None, -1, "x", [1], {}):
            source = Source.of_data(Path("box.toml"), changed(data, path, value))
            check_profile(read_shape(Profile, source), source)
            faults += source.faults
        assert len(faults) >= 3, path


def test_our_nodes_profile_is_the_register_map() -> None:
    profile = resolve_profile("hubctl-node")
    read = [block for block in registers.BLOCKS if not block.is_written]
    assert [(span.at, span.n) for span in profile.holding] == [(b.address, b.n_words) for b in read]
    assert profile.identity[0].equals == [registers.MAGIC >> 16, registers.MAGIC & 0xFFFF]
    assert profile.identity[1].at == registers.IDENTITY.at("map_version")
    assert profile.identity[1].equals == [registers.MAP_VERSION]
    assert profile.coils is not None
    assert profile.coils.n == registers.N_DIVERTERS
    assert profile.discrete is not None
    assert profile.discrete.n == registers.N_EYES
    counter = profile.counters[0]
    assert counter.number == registers.STATUS.address + registers.STATUS.at("counts")
