"""A hub file's faults come all at once, each with line, section, key, value, range and hint."""

from pathlib import Path

import pytest

from hubctl.core.config import ConfigError, Fault
from hubctl.core.geometry import notices
from hubctl.core.hubfile import (
    hub_path,
    hub_schema,
    load_hub,
    packaged_names,
    plan_beside,
    readdress,
    resolve_hub,
)
from hubctl.core.hubtext import hub_text

DEMO = hub_path("demo").read_text(encoding="utf-8")

Change = tuple[str, str]


def faults_of(tmp_path: Path, *changes: Change) -> tuple[Fault, ...]:
    """The faults of the demo hub with parts of its text replaced."""
    text = DEMO
    for old, new in changes:
        assert text.count(old) == 1, f"{text.count(old)} times in demo.toml: {old}"
        text = text.replace(old, new)
    file = tmp_path / "hub.toml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        load_hub(file)
    return caught.value.faults


def only_fault(tmp_path: Path, *changes: Change) -> str:
    faults = faults_of(tmp_path, *changes)
    assert len(faults) == 1, "\n".join(map(str, faults))
    return str(faults[0]).removeprefix(f"{tmp_path}/")


def line_of(text: str) -> int:
    """The line of demo.toml on which a text begins."""
    assert DEMO.count(text) == 1
    return DEMO[: DEMO.index(text)].count("\n") + 1


TEN_MISTAKES = [
    ("speed_mm_s = 2500", 'speed_mm_s = "fast"'),
    ('"io2", link = "io2", period_ms = 5', '"io2", link = "oi2", period_ms = 5'),
    (
        '"induct", belt = "main", at_mm = 300, role = "induct"',
        '"induct", belt = "main", at_mm = 300, role = "in"',
    ),
    ('input = "io3/discrete/12", window_mm = 80', 'input = "io3/discrete/12", window = 80'),
    ('"D05", belt = "main", at_mm = 8500', '"D05", belt = "main", at_mm = 7500'),
    ('"D24", belt = "main", at_mm = 27500', '"D24", belt = "main", at_mm = 31500'),
    ('void_ms = 15, clear_mm = 160 },\n  { name = "D13"', 'void_ms = 15, clear_mm = 0 },\n  { name = "D13"'),
    ('confirm = "io1/discrete/3"', 'confirm = "io1/discrete/2"'),
    ('"C07", no = 7, diverter', '"C07", no = 6, diverter'),
    ('output = "io4/coil/0", ', ""),
]


def test_ten_mistakes_are_ten_faults(tmp_path: Path) -> None:
    faults = faults_of(tmp_path, *TEN_MISTAKES)
    assert [(fault.where, fault.key) for fault in faults] == [
        ("belts.main", "speed_mm_s"),
        ("nodes.io2", "link"),
        ("eyes.induct", "role"),
        ("eyes.group3", "window"),
        ("diverters.D05", "at_mm"),
        ("diverters.D12", "clear_mm"),
        ("diverters.D24", "at_mm"),
        ("chutes.C04", "confirm"),
        ("chutes.C07", "no"),
        ("chutes.C37", "output"),
    ]


def test_a_fault_names_line_section_key_value_range_and_hint(tmp_path: Path) -> None:
    line = line_of('{ name = "D12"')
    change = (
        'void_ms = 15, clear_mm = 160 },\n  { name = "D13"',
        'void_ms = 15, clear_mm = 0 },\n  { name = "D13"',
    )
    assert only_fault(tmp_path, change) == (
        f"hub.toml:{line} [diverters.D12] clear_mm = 0: must be 1 to 5000 "
        "(belt each side of the parcel's centre that must be free)"
    )


ONE_MISTAKE = [
    (("port = 15022", "port = 70000"), "port = 70000: must be 1 to 65535"),
    (("port = 15022", "port = 15021"), "port = 15021: is taken by another of the links (line"),
    (("port = 15022", "port = 15022.5"), "must be a whole number, 1 to 65535"),
    (
        ('kind = "modbus-rtu"', 'kind = "modbus"'),
        "kind = \"modbus\": must be one of 'modbus-tcp', 'modbus-rtu'",
    ),
    (('"io3", link = "io3"', '"io3", link = "top"'), "must be a modbus or wheel link (it is scanner-tcp)"),
    (('at_mm = 1250, link = "side"', 'at_mm = 1250, link = "sied"'), 'did you mean "side"?'),
    (('name = "io1", link = "io1"', 'name = "io1", link = "io1", unit = 300'), "must be 0 to 255"),
    (('name = "io1", link = "io1"', 'name = "io1", link = "io2"'), "is taken by another of the nodes"),
    (('name = "group2", belt = "main"', 'name = "group1", belt = "main"'), 'name = "group1": is taken (line'),
    (('name = "group2", belt = "main"', 'name = "group2", belt = "mian"'), 'did you mean "main"?'),
    (('"io2/discrete/12"', '"io2/discrete"'), 'must be like "io1/discrete/16" or "head/input/2.0"'),
    (('"io2/discrete/12"', '"io2/input/12"'), "must name a bit of the register"),
    (('"io2/discrete/12"', '"io2/discrete/3.1"'), "must have no bit"),
    (('"io2/discrete/12"', '"io9/discrete/12"'), 'there is no node "io9" (did you mean'),
    (('"head/input/2.1"', '"head/input/1.1"'), "lies inside the counter of line"),
    (('"io1/coil/0"', '"io1/discrete/40"'), "must be a coil"),
    (
        ('at_mm = 29_500, role = "end"', 'at_mm = 30_500, role = "end"'),
        "must be 0 to 30000, the length of belt main",
    ),
    (
        ('at_mm = 29_500, role = "end"', 'at_mm = 22_100, role = "end"'),
        "its window reaches into that of group4",
    ),
    (('at_mm = 29_500, role = "end"', 'at_mm = 15_000, role = "end"'), "must be upstream of the end eye end"),
    (('at_mm = 300, role = "induct"', "at_mm = 300"), "the belt has no induct eye"),
    (
        ("diverters = [", 'scales = [{ name = "dws", belt = "main", at_mm = 30_500 }]\ndiverters = ['),
        "must be 0 to 30000, the length of belt main",
    ),
    (
        ("diverters = [", 'scales = [{ name = "dws", belt = "mian", at_mm = 1500 }]\ndiverters = ['),
        'did you mean "main"?',
    ),
    (
        ("diverters = [", 'scales = [{ name = "dws", belt = "main", at_mm = 200 }]\ndiverters = ['),
        "must be downstream of the induct eye induct, 300",
    ),
    (
        (
            "diverters = [",
            'scales = [{ name = "dws", belt = "main", at_mm = 1500, weight = "io1/input/4" }]\ndiverters = [',
        ),
        "missing (the weight's register, and the bit that says it is new)",
    ),
    (
        (
            "diverters = [",
            'scales = [{ name = "dws", belt = "main", at_mm = 1500, weight = "io1/input/4",'
            ' ready = "io1/discrete/99" }]\ndiverters = [',
        ),
        "must be a bit of io1/input near the weight's register",
    ),
    (
        (
            "diverters = [",
            'scales = [{ name = "dws", belt = "main", at_mm = 1500, link = "top" }]\ndiverters = [',
        ),
        "must be a scale link (it is scanner-tcp)",
    ),
    (
        (
            "diverters = [",
            'scales = [{ name = "dws", belt = "main", at_mm = 1500, link = "tpo" }]\ndiverters = [',
        ),
        'there is no such entry in links (did you mean "top"?)',
    ),
    (
        ("links = [", 'links = [\n  { name = "dws", kind = "scale-serial", device = "/dev/ttyS9" },'),
        "no scale speaks on it",
    ),
    (
        (
            "diverters = [",
            'scales = [{ name = "dws", belt = "main", at_mm = 1500, columns = ["weight", "width"] }]\ndiverters = [',
        ),
        "must have all of length, width and height, or none",
    ),
    (
        ('output = "io1/coil/0"', 'output = "io1/turn/left"'),
        "node io1 is no wheel diverter",
    ),
    (
        ('output = "io1/coil/0"', 'output = "io1/turn/up"'),
        'must be like "io1/discrete/16"',
    ),
    (
        ('"D01", belt = "main"', '"D01", belt = "main", weight_g_min = 51, weight_g_max = 50'),
        "must be at most weight_g_max, 50",
    ),
    (("at_mm = 2000, input", 'at_mm = 2000, role = "induct", input'), "no scanner reads what comes in here"),
    (('"END", no = 99', '"END", no = 99, to_belt = "mian"'), 'did you mean "main"?'),
    (('"END", no = 99', '"END", no = 99, to_belt = "main", to_mm = 30_000'), "must be below 30000"),
    (
        ('"END", no = 99', '"END", no = 99, to_belt = "main", to_mm = 1900'),
        "must be below 1850: eye tunnel is at 2000",
    ),
    (('confirm = "io1/discrete/3"', 'to_belt = "main"'), "missing: the exit leads onto a belt"),
    (("at_mm = 2000, input", "at_mm = 200, input"), "must be downstream of the induct eye induct, 300"),
    (('"head/input/2.1", window_mm = 80', '"head/input/2.1", window_mm = 100'), "must be below 100"),
    (('"head/input/2.1", window_mm = 80', '"head/input/2.1", realign_mm = 80'), "must be 0, or 81 to 1200"),
    (
        ('at_mm = 29_500, role = "end"', 'at_mm = 29_500, role = "end", realign_mm = 300'),
        "must be 0: only eyes",
    ),
    (
        ('name = "D01", belt = "main", at_mm = 4500', 'name = "D01", belt = "main", at_mm = 3000'),
        "cannot be told",
    ),
    (
        ('name = "D01", belt = "main", at_mm = 4500', 'name = "D01", belt = "main", at_mm = 1100'),
        "first scanner",
    ),
    (
        ('"D02", belt = "main", at_mm = 5500', '"D02", belt = "main", at_mm = 4600'),
        "must be 4660 or more: diverter D01",
    ),
    (
        ('"C02", no = 2, diverter = "D01", side = "right"', '"C02", no = 2, diverter = "D01", side = "left"'),
        "is taken",
    ),
    (('end_chute = "END"', 'end_chute = "EMD"'), 'did you mean "END"?'),
    (('end_chute = "END", ', ""), "end_chute: missing (the chute at the belt's end;"),
    (
        ('{ name = "END", no = 99 },', '{ name = "END", no = 99 }, { name = "X", no = 9999 },'),
        "no diverter serves it",
    ),
    (
        ("clear_mm = 160 },\n]", 'clear_mm = 160 },\n { name = "D25", belt = "main", at_mm = 28500 } ]'),
        "serves no chute",
    ),
    (("parcel_mm_max = 1200", "parcel_mm_max = 90"), "must be at most parcel_mm_max, 90"),
    (("parcel_mm_max = 1200", "parcel_mm_max = 1200, speed_mm_s_min = 2600"), "must be 1 to 2500"),
    (("parcel_mm_max = 1200", "parcel_mm_max = 1200, speed_mm_s_max = 2400"), "must be 2500 or more"),
    (('full = "io1/discrete/16"', 'full = "io1/discrete/16", confirm_ms = [5, 1]'), "with from before until"),
    (('full = "io1/discrete/16"', 'full = "io1/discrete/16", confirm_ms = [5]'), "must have 2 to 2 entries"),
    (('full = "io1/discrete/16"', 'full = "io1/discrete/16", confirm_ms = [5, -1]'), "must be 0 to 60000"),
    (('full = "io1/discrete/16"', "full = 16"), "must be text in quotes"),
    (
        ('preset = "sick"', 'preset = "sick", no_read = "no read text too long"'),
        "must have 0 to 16 characters",
    ),
    (('preset = "sick"', 'preset = "sick", no_read = "无"'), "must be ASCII"),
    (('preset = "sick"', 'preset = "sick", terminator = ""'), "must have 1 to 4 characters"),
    (('"io4", link = "io4"', '"io4", link = "io4", unit = 0'), "must be 1 to 247 on a serial line"),
    (('"io1/coil/0"', '"io1/coil/1968"'), "must have a coil of 0 to 1967"),
    (('preset = "sick"', 'preset = "sick", stamp = "trigger"'), "trigger: missing (the eye whose edges"),
    (
        ('preset = "sick"', 'preset = "sick", stamp = "trigger", trigger = "inductt"'),
        'no such entry in eyes (did you mean "induct"?)',
    ),
    (
        ('preset = "sick"', 'preset = "sick", stamp = "trigger", trigger = "end"'),
        "must be an eye of its belt, at the scan line or upstream",
    ),
    (('preset = "sick"', 'preset = "sick", trigger = "induct"'), "must be absent: only stamp"),
    (
        ('preset = "sick"', 'preset = "sick", stamp = "encoder", stamp_digits = 9'),
        "must be 10 to 10: the belt's counter has 32 bits",
    ),
    (
        (
            'at_mm = 2000, input = "head/input/2.1"',
            'at_mm = 2000, input = "head/input/2.1", hold = "io1/coil/30"',
        ),
        "is for induct eyes (this eye's role is track)",
    ),
    (('role = "induct",', 'role = "induct", merge_mm = 300,'), "has no use without hold"),
]


@pytest.mark.parametrize(("change", "words"), ONE_MISTAKE)
def test_one_mistake_is_one_fault(tmp_path: Path, change: Change, words: str) -> None:
    assert words in only_fault(tmp_path, change)


def test_an_unknown_key_brings_the_nearest_known_one(tmp_path: Path) -> None:
    faults = faults_of(tmp_path, ('"C12", no = 12,', '"C12", mo = 12,'))
    told = [str(fault).split(": ", 1)[1] for fault in faults]
    assert told == ["missing (number painted on the wall)", 'unknown key (did you mean "no"?)']


def test_not_toml_is_one_fault_with_its_line(tmp_path: Path) -> None:
    line = line_of('{ name = "D12"')
    fault = only_fault(tmp_path, ('{ name = "D12", belt = "main"', '{ name = "D12", belt = main'))
    assert fault.startswith(f"hub.toml:{line}: not TOML: ")


def test_an_unfinished_file_is_one_fault(tmp_path: Path) -> None:
    file = tmp_path / "hub.toml"
    file.write_text("belts = [\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"hub.toml:2: not TOML"):
        load_hub(file)


def test_sections_of_the_wrong_type_are_faults_too(tmp_path: Path) -> None:
    file = tmp_path / "hub.toml"
    file.write_text(
        'hub = 1\nbelts = "b"\nlinks = [1]\neyes = 2\nscanners = 3\nchutes = []\n', encoding="utf-8"
    )
    with pytest.raises(ConfigError) as caught:
        load_hub(file)
    assert [fault.line for fault in caught.value.faults] == [1, 2, 3, 4, 5, 6]


def test_an_empty_file_lacks_its_sections(tmp_path: Path) -> None:
    file = tmp_path / "hub.toml"
    file.write_text("", encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        load_hub(file)
    assert {fault.key for fault in caught.value.faults} == {"hub", "belts", "links", "chutes"}


def test_a_file_that_is_not_there_is_one_fault(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read: No such file"):
        resolve_hub(str(tmp_path / "none.toml"))


def test_an_unknown_example_brings_the_known_ones() -> None:
    with pytest.raises(ConfigError, match='did you mean "demo"'):
        resolve_hub("demmo")


def test_a_file_that_is_not_text_is_one_fault(tmp_path: Path) -> None:
    file = tmp_path / "hub.toml"
    file.write_bytes(b"# fine\nname = '\xff'\n")
    with pytest.raises(ConfigError, match=r"hub.toml:2: not UTF-8"):
        load_hub(file)


@pytest.mark.parametrize("name", packaged_names())
def test_packaged_hubs_are_right_and_come_back_from_their_text(name: str, tmp_path: Path) -> None:
    hub = resolve_hub(name)
    file = tmp_path / "again.toml"
    file.write_text(hub_text(hub), encoding="utf-8")
    assert load_hub(file) == hub
    assert plan_beside(hub_path(name)).exists()


def test_links_take_other_addresses() -> None:
    hub = readdress(resolve_hub("demo"), {"io1": ("10.0.0.1", 502), "io4": "/dev/ttyUSB9"})
    links = {link.name: link for link in hub.links}
    assert (links["io1"].host, links["io1"].port, links["io4"].device) == ("10.0.0.1", 502, "/dev/ttyUSB9")


def test_notice_is_the_belt_left_at_top_speed() -> None:
    hub = resolve_hub("demo")
    _, first = next(notices(hub, hub.belts[0]))
    # Scanner side at 1250, reach 100, longest parcel 1200: 4500 - 2550. 50 + 60 + 60 + 5 ms at 2750 mm/s.
    assert (first.diverter, first.scanner, first.have_mm, first.need_mm) == ("D01", "side", 1950, 482)


def test_a_scale_weighs_nothing_at_a_station(tmp_path: Path) -> None:
    text = hub_path("station").read_text(encoding="utf-8")
    table = resolve_hub("station").belts[0].name
    file = tmp_path / "hub.toml"
    file.write_text(text + f'\n[[scales]]\nname = "dws"\nbelt = "{table}"\nat_mm = 500\n', encoding="utf-8")
    with pytest.raises(ConfigError, match="it is a station"):
        load_hub(file)


def test_schema_describes_every_key() -> None:
    for section in hub_schema()["$defs"].values():
        for key, field in section["properties"].items():
            assert field.get("description"), key


def test_a_tunnel_has_eight_scanners_of_one_belt(tmp_path: Path) -> None:
    links = "".join(
        f'{{ name = "s{i}", kind = "scanner-tcp", host = "10.0.0.{i}", port = 1 }},\n' for i in range(9)
    )
    more = "".join(
        f'{{ name = "s{i}", belt = "main", at_mm = 1250, link = "s{i}", tunnel = "T" }},\n' for i in range(9)
    )
    text = hub_path("demo").read_text(encoding="utf-8")
    text = text.replace("links = [\n", "links = [\n" + links).replace(
        "scanners = [\n", "scanners = [\n" + more
    )
    file = tmp_path / "hub.toml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match="must have 8 scanners or fewer"):
        load_hub(file)
