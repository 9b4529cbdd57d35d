"""A plan held against its hub: every mistake at once, coverage of every destination, why a key gets its lane."""

import gzip
import json
import os
from datetime import datetime
from pathlib import Path

import pycountry
import pytest
import zipcodes
from typer.testing import CliRunner

from hubctl.cli.plan import app
from hubctl.core.config import ConfigError, Source
from hubctl.core.coverage import KeyList, cover, read_keys
from hubctl.core.events import Reason
from hubctl.core.hubfile import Hub, hub_path, packaged_names, resolve_hub
from hubctl.core.labels import compose
from hubctl.core.plan import SortPlan, compile_plan, load_plan, plan_path, resolve_plan
from hubctl.core.planaudit import audited_plan, remarks
from hubctl.core.plandiff import compare, read_day
from hubctl.core.planrules import keyed_rules
from hubctl.core.shape import read_shape
from hubctl.core.volumes import load_day

DATA = Path(os.environ.get("HUBCTL_DATA", Path(__file__).parents[3] / "shared" / "data"))
NOON = datetime(2026, 11, 22, 12)

PLAN = """
plan = { name = "small" }
labels = { accept = ["usps-impb", "ups-1z", "jt"] }
tables = ["more.csv"]
no_service = ["zip:1007"]

[[lanes]]
name = "north"
keys = ["zip:100", "partner:UPS-1Z"]
chutes = ["C01", "C02"]
overflow = ["C48"]

[[lanes]]
name = "south"
keys = ["zip:103", "partner:UPS-1Z/03", "label:JT1234567890123"]
group = "both"

[[groups]]
name = "both"
chutes = ["C03", "C04"]

[[waves]]
lane = "north"
departs = 2026-11-22T18:30:00

[exceptions]
default = "C47"
"""
TABLE = "key,lane\nzip:20..21,north\nplz:30,south\nzip:209,-\n"


@pytest.fixture(scope="module")
def demo() -> Hub:
    return resolve_hub("demo")


def written(tmp_path: Path, text: str = PLAN, table: str = TABLE) -> Path:
    file = tmp_path / "site.plan.toml"
    file.write_text(text, encoding="utf-8")
    (tmp_path / "more.csv").write_text(table, encoding="utf-8")
    return file


def run(*args: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, list(args))
    return result.exit_code, result.stdout


# Rules


def test_tables_partners_labels_and_no_service_lead_to_their_lanes(tmp_path: Path, demo: Hub) -> None:
    table = compile_plan(load_plan(written(tmp_path), demo), demo).labels
    labels = [compose("usps-impb", 3, key) for key in ("10003", "10079", "20003", "20999", "30303")]
    labels += ["1Z410E7W0392751591", "1ZXX3150YW44070023", "JT1234567890123", "JT1234567890124"]
    north, south = (Reason.OK, 0), (Reason.OK, 1)
    nowhere, unknown = (Reason.NO_LANE, -1), (Reason.NO_DATA, -1)
    found = [table.resolve(label.encode())[:2] for label in labels]
    assert found == [north, nowhere, north, nowhere, nowhere, south, north, south, unknown]


def test_the_version_is_of_the_tables_too(tmp_path: Path) -> None:
    before = load_plan(written(tmp_path)).version
    assert load_plan(written(tmp_path)).version == before
    assert load_plan(written(tmp_path, table=TABLE.replace("plz:30", "plz:31"))).version != before


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ("lane,key\n", "the first line must be key,lane"),
        ("", "the first line must be key,lane"),
        ("key,lane\nzip:9\n", "more.csv:2 = zip:9: must be a key and a lane"),
        (
            "key,lane\nzip:9,nroth\n",
            'more.csv:2 key = zip:9: there is no lane "nroth" (did you mean "north"?)',
        ),
        ("key,lane\nzip 9,north\n", "more.csv:2 key = zip 9: must be like"),
        (
            "key,lane\nplz:1,north\nzip:103,north\n",
            "more.csv:3 key = zip:103: zip:103 is taken by lane south",
        ),
        ("key,lane\nzip:1007,north\n", "zip:1007 is without service"),
        ("key,lane\npartner:UPSS,north\n", 'there is no label format "upss"'),
        ("key,lane\nlabel:JT1,north\n", "is no label that the plan accepts"),
    ],
)
def test_a_mistake_in_a_table_has_its_line(tmp_path: Path, table: str, words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_plan(written(tmp_path, table=table))
    assert words in str(caught.value)


def test_a_table_that_is_not_there_is_a_fault(tmp_path: Path) -> None:
    file = written(tmp_path)
    (tmp_path / "more.csv").unlink()
    with pytest.raises(ConfigError, match=r"more\.csv:1: cannot be read"):
        load_plan(file)


# Mistakes

TWENTY = """
plan = { nmae = "x", name = "twenty" }
labels = { accept = ["usps-impb", "upz-1z", "usps-impb"] }
tables = ["more.csv"]
no_service = ["zip:100..090"]

[[lanes]]
name = "one"
keys = ["zip:20", "zip:200..209", "zap:1"]
chutes = ["C01", "C99"]
overflow = ["C01"]

[[lanes]]
name = "one"
keys = ["zip:205", "partner:dhl-exprss"]
chutes = ["C02"]

[[lanes]]
name = "two"
keys = ["partner:DHL-EXPRSS"]

[[lanes]]
name = "three"
keys = []
group = "both"
lead_s = 3600

[[groups]]
name = "pair"
chutes = ["C03", "END"]
weights = [1, 2]

[[waves]]
lane = "three"
departs = 2026-11-22T12:30:00

[[waves]]
lane = "four"
departs = 100

[[waves]]
lane = "one"
departs = 100

[[waves]]
lane = "one"
departs = 100

[exceptions]
NO_REED = "C47"
default = "C98"
"""
PLANTED = [
    "unknown key",
    "unknown label format",
    "is accepted already",
    "a range must rise",
    "decides nothing: longer rules have all of its keys",
    'unknown namespace "zap"',
    "the hub has no such chute",
    "the lane has it already",
    "is taken (line 8)",
    "zip:205 is taken by lane one",
    "must be like",
    'there is no label format "dhl-exprss"',
    "needs either chutes or a group",
    "there is no such group",
    "is a belt's end: no group can have it",
    "only a group with the policy balance has weights",
    "is over: no parcel of 2026-11-22 12:00 comes to it",
    "there is no such lane",
    "lane one departs then already",
    "unknown reason",
    "hub demo has no such chute",
    'there is no lane "fife"',
]


def test_twenty_planted_faults_and_two_more_are_all_reported(tmp_path: Path, demo: Hub) -> None:
    with pytest.raises(ConfigError) as caught:
        audited_plan(written(tmp_path, TWENTY, "key,lane\nzip:77,fife\n"), demo, NOON)
    told = [str(fault) for fault in caught.value.faults]
    assert [words for words in PLANTED if not any(words in fault for fault in told)] == []
    assert len(told) == len(PLANTED)


def changed(tmp_path: Path, hub: Hub, old: str, new: str) -> list[str]:
    assert PLAN.count(old) == 1
    with pytest.raises(ConfigError) as caught:
        audited_plan(written(tmp_path, PLAN.replace(old, new)), hub, NOON)
    return [fault.message for fault in caught.value.faults]


def test_a_wave_is_over_by_its_lead_time(tmp_path: Path, demo: Hub) -> None:
    audited_plan(written(tmp_path), demo, NOON)
    (message,) = changed(tmp_path, demo, 'overflow = ["C48"]', 'overflow = ["C48"]\nlead_s = 23400')
    assert "is over" in message
    audited_plan(written(tmp_path, PLAN.replace('["C48"]', '["C48"]\nlead_s = 23399')), demo, NOON)


def test_a_rule_of_which_longer_ones_have_every_key_decides_nothing(tmp_path: Path, demo: Hub) -> None:
    (message,) = changed(tmp_path, demo, '"zip:103"', '"zip:103", "zip:1030..1039"')
    assert "decides nothing" in message
    audited_plan(written(tmp_path, PLAN.replace('"zip:103"', '"zip:103", "zip:1030..1038"')), demo, NOON)


def test_a_lane_whose_chutes_keep_every_place_back_has_no_room(tmp_path: Path, demo: Hub) -> None:
    full = [
        chute.model_copy(update={"count_max": 5, "reserve_for_priority": 5})
        if chute.name in ("C03", "C04")
        else chute
        for chute in demo.chutes
    ]
    hub = demo.model_copy(update={"chutes": full})
    with pytest.raises(ConfigError, match="no chute of it ever has a place for priority 0"):
        audited_plan(written(tmp_path), hub, NOON)
    audited_plan(written(tmp_path, PLAN.replace('group = "both"', 'group = "both"\npriority = 1')), hub, NOON)


def test_a_group_that_takes_no_parcel_has_no_room_whatever_its_lanes_have_besides(
    tmp_path: Path, demo: Hub
) -> None:
    """A chute whose rate is below the shortest parcel."""
    slow = [
        chute.model_copy(update={"rate_mm": 99}) if chute.name in ("C03", "C04", "C05") else chute
        for chute in demo.chutes
    ]
    hub = demo.model_copy(update={"chutes": slow})
    text = PLAN.replace('group = "both"', 'group = "both"\noverflow = ["C07"]').replace(
        "18:30:00", '18:30:00\nchutes = ["C05"]'
    )
    with pytest.raises(ConfigError) as caught:
        audited_plan(written(tmp_path, text), hub, NOON)
    assert [(fault.where, fault.key) for fault in caught.value.faults] == [
        ("groups.both", "name"),
        ("waves.#1", "chutes"),
    ]


def test_a_chute_at_a_belt_that_no_parcel_comes_to_is_named(tmp_path: Path, demo: Hub) -> None:
    side = demo.belts[0].model_copy(update={"name": "side", "end_chute": "C49"})
    chutes = [*demo.chutes, demo.chutes[-1].model_copy(update={"name": "C49", "diverter": None})]
    hub = demo.model_copy(update={"belts": [*demo.belts, side], "chutes": chutes})
    plan = PLAN.replace('overflow = ["C48"]', 'overflow = ["C49"]')
    with pytest.raises(ConfigError, match="no way leads there from where parcels are inducted"):
        audited_plan(written(tmp_path, plan), hub, NOON)


EVERY_KIND = """
plan = { name = "kinds" }
labels = { accept = ["usps-impb"] }

[[lanes]]
name = "one"
keys = ["zip:20", "zip:200..209", "zip:31"]
chutes = ["C9"]

[[lanes]]
name = "two"
keys = ["zip:30..32"]
chutes = ["C3"]

[[lanes]]
name = "three"
keys = ["zip:4"]

[[lanes]]
name = "four"
keys = ["zip:5"]
group = "slow"

[[groups]]
name = "slow"
chutes = ["C2"]

[[waves]]
lane = "four"
departs = 2026-11-22T11:30:00

[exceptions]
NO_READ = "C1"
"""
TWO_BELTS = Path(__file__).parents[1] / "kernel" / "two.toml"
APART = (
    ('to_belt = "side"', 'to_belt = "main"'),
    ('end_chute = "ROUND"', 'end_chute = "ROUND", laps_max = 0'),
    ('full = "io1/discrete/18"', "rate_mm = 50"),
)


def test_each_kind_of_mistake_is_found_in_one_plan(tmp_path: Path) -> None:
    """On a hub whose first belt leads back onto itself, and whose second belt no parcel comes to."""
    text = TWO_BELTS.read_text("utf-8")
    for old, new in APART:
        assert text.count(old) == 1
        text = text.replace(old, new)
    (tmp_path / "hub.toml").write_text(text, encoding="utf-8")
    hub = read_shape(Hub, Source.read(tmp_path / "hub.toml"))
    with pytest.raises(ConfigError) as caught:
        audited_plan(written(tmp_path, EVERY_KIND), hub, NOON)
    expected = [
        (7, "decides nothing"),
        (8, "the hub has no such chute"),
        (12, "zip"),
        (13, "no way leads there from where parcels are inducted"),
        (16, "needs either chutes or a group"),
        (25, "no chute of it ever has a place for priority 0"),
        (30, "is over"),
        (32, "no exception chute for OK_UNCONFIRMED, MULTI_LABEL, BAD_LABEL, AMBIGUOUS_READ"),
    ]
    faults = caught.value.faults
    assert [fault.line for fault in faults] == [line for line, _ in expected]
    for fault, (_, words) in zip(faults, expected, strict=True):
        assert fault.message.startswith(words)


def test_remarks_say_what_may_have_been_meant(tmp_path: Path, demo: Hub) -> None:
    text = PLAN.replace('"zip:103"', '"zip:103", "zip:10301"').replace(
        '["usps-impb",', '["usps-impb", "fedex-34",'
    )
    text = text.replace(
        "[exceptions]", '[[lanes]]\nname = "idle"\nkeys = []\nchutes = ["C05"]\n\n[exceptions]'
    )
    plan, source = audited_plan(written(tmp_path, text), demo, NOON)
    said = "\n".join(remarks(plan, source, demo))
    assert "no parcel goes to 41 chutes: C06, C07" in said
    assert "only the host leads to 1 lane: idle" in said
    assert f"a shorter rule says the same as 1 rule: zip:10301 ({tmp_path}/site.plan.toml:15)" in said
    assert "fits usps-impb and fedex-34: it is read as usps-impb" in said


@pytest.mark.parametrize("name", packaged_names())
def test_packaged_plans_have_no_mistakes(name: str) -> None:
    plan, _ = audited_plan(plan_path(name), resolve_hub(name), NOON)  # mistakes are raised, all at once
    assert plan.lanes


# Coverage


@pytest.fixture(scope="module")
def national() -> SortPlan:
    return resolve_plan("national", resolve_hub("crossbelt"))


def test_every_postcode_of_the_united_states_is_covered(national: SortPlan) -> None:
    codes = KeyList("zip", {row["zip_code"]: row["city"] for row in zipcodes.list_all()})
    (found,) = cover(keyed_rules(national), [codes])
    assert found.n_keys > 40_000
    assert found.gaps == []
    assert 0 < found.n_no_service < 100


def test_every_country_is_covered(national: SortPlan) -> None:
    (found,) = cover(
        keyed_rules(national), [KeyList("country", {c.alpha_2: c.name for c in pycountry.countries})]
    )
    assert (found.n_keys, found.n_served, found.gaps) == (249, 249, [])


@pytest.mark.skipif(not DATA.exists(), reason=f"{DATA} is not here")
@pytest.mark.parametrize(
    ("space", "file", "n_keys"),
    [
        ("county", "cn_areas.csv", 2978),
        ("county", "cn_streets.csv.gz", 41352),
        ("zip", "us_zip3.csv", 912),
        ("office", "impc.csv", 1869),
        ("country", "s10_countries.csv", 191),
    ],
)
def test_the_national_plan_covers_every_table(national: SortPlan, space: str, file: str, n_keys: int) -> None:
    (found,) = cover(keyed_rules(national), [read_keys(space, DATA / file)])
    assert (found.n_keys, found.gaps) == (n_keys, [])


REGIONS = {"44": "South", "4401": "", "4402": "", "33": "East", "3301": "", "3302": ""}


def test_a_province_taken_out_is_reported_by_name(national: SortPlan) -> None:
    rules = {key: rule for key, rule in keyed_rules(national).items() if key != ("county", "44")}
    (found,) = cover(rules, [KeyList("county", REGIONS)])
    assert [gap[1:] for gap in found.gaps] == [("44", "South", 2)]
    assert (found.n_keys, found.n_served) == (4, 2)


def test_a_region_served_in_part_is_reported_key_by_key(tmp_path: Path, demo: Hub) -> None:
    rules = keyed_rules(
        load_plan(written(tmp_path, table="key,lane\ncounty:4401,north\ncounty:33,-\n"), demo)
    )
    (found,) = cover(rules, [KeyList("county", REGIONS)])
    assert [gap.key for gap in found.gaps] == ["4402"]
    assert (found.n_served, found.n_no_service) == (1, 2)


def test_lists_may_be_compressed(tmp_path: Path) -> None:
    with gzip.open(tmp_path / "a.csv.gz", "wt", encoding="utf-8") as stream:
        stream.write("code,name\n1101,东城区\n")
    assert read_keys("county", tmp_path / "a.csv.gz").names == {"1101": "东城区"}
    (tmp_path / "b.csv").write_text("code,name\n", encoding="utf-8")
    for name in ("b.csv", "c.csv"):
        with pytest.raises(ConfigError, match=r"must have a head line|cannot be read"):
            read_keys("county", tmp_path / name)


# The commands


def test_check_prints_what_falls_through(tmp_path: Path) -> None:
    (tmp_path / "codes.csv").write_text(
        "code,place\n10003,New York\n40404,Nowhere\n10070,None\n", encoding="utf-8"
    )
    asked = [str(written(tmp_path)), "--hub", "demo", "--at", "2026-11-22T12:00:00"]
    code, shown = run("check", *asked, "--keys", f"zip={tmp_path}/codes.csv")
    assert code == 1
    assert "zip: 3 keys, 1 have a lane, 1 no service, 1 fall through\n  zip:40404 Nowhere\n" in shown
    code, shown = run("check", *asked, "--keys", f"zip={tmp_path}/codes.csv", "--json")
    assert json.loads(shown)["coverage"][0]["gaps"][0]["name"] == "Nowhere"
    assert run("check", *asked)[0] == 0
    assert run("check", *asked, "--keys", "zip")[0] == 2
    assert run("check", *asked, "--keys", f"zap={tmp_path}/codes.csv")[0] == 2


def test_check_takes_the_hub_beside_the_plan(tmp_path: Path) -> None:
    assert run("check", "demo")[0] == 0
    assert run("check", str(written(tmp_path)))[0] == 2
    (tmp_path / "site.toml").write_text(hub_path("demo").read_text("utf-8"), encoding="utf-8")
    assert run("check", str(written(tmp_path)), "--at", "2026-11-22T12:00:00")[0] == 0


SHOWN = [
    ("zip:10003", 0, "rule zip:100 ("),
    ("zip:20903", 1, "no service"),
    ("zip:9", 1, "zip:9: no rule has it"),
    ("plz:30159", 0, "more.csv:3) by plz:30: lane south"),
    (compose("usps-impb", 3, "10003"), 0, "destination zip:10003"),
    ("1Z410E7W0392751591", 0, "rule partner:UPS-1Z/03"),
    ("1ZXX3150YW44070023", 0, "by partner:UPS-1Z/: lane north"),
    ("JT1234567890123", 0, "rule label:JT1234567890123"),
    ("label:JT1234567890123", 0, "lane south: C03 C04, group both"),
    ("JT1234567890124", 1, "NO_DATA: goes where the plan sends NO_DATA, C47"),
    ("nonsense", 1, "no label format that the plan accepts fits"),
]


@pytest.mark.parametrize(("key", "code", "words"), SHOWN)
def test_show_says_why(tmp_path: Path, key: str, code: int, words: str) -> None:
    found, shown = run("show", str(written(tmp_path)), key)
    assert (found, words in shown) == (code, True), shown
    assert json.loads(run("show", str(written(tmp_path)), key, "--json")[1])["lane"] is None or code == 0


def test_show_and_the_kernel_agree(tmp_path: Path, demo: Hub) -> None:
    plan = load_plan(written(tmp_path), demo)
    table = compile_plan(plan, demo).labels
    for serial, key in enumerate(("10003", "10079", "20003", "20999", "30303", "10300")):
        label = compose("usps-impb", serial, key)
        lane = table.resolve(label.encode())[1]
        told = json.loads(run("show", str(written(tmp_path)), label, "--json")[1])
        assert told["lane"] == (plan.lanes[lane].name if lane >= 0 else None)


def test_compile_tells_version_and_size(tmp_path: Path) -> None:
    told = json.loads(run("compile", str(written(tmp_path)), "--hub", "demo", "--json")[1])
    assert told["n_rules"] == 9
    assert told["version"] == f"{load_plan(written(tmp_path)).version:08x}"


def other(tmp_path: Path) -> Path:
    (tmp_path / "other").mkdir(exist_ok=True)
    return written(tmp_path / "other", PLAN.replace('"zip:103"', '"zip:104"').replace('["C48"]', '["C46"]'))


def test_diff_counts_parcels_of_a_day(tmp_path: Path) -> None:
    day = tmp_path / "day.csv"
    day.write_text("key,parcels\nzip:10301,50\nzip:10002,7\nzip:10070,1000\nzip:30301,9\n", encoding="utf-8")
    found = compare(load_plan(written(tmp_path)), load_plan(other(tmp_path)), read_day(day))
    assert (found.of, found.n_all, found.n_moved, found.n_to_other_lanes) == ("parcels", 1066, 57, 50)
    assert [(str(one.before), str(one.after), one.n, one.sample) for one in found.changes] == [
        ("south (C03 C04)", "no rule", 50, "zip:10301"),
        ("north (C01 C02 C48)", "north (C01 C02 C46)", 7, "zip:10002"),
    ]
    packed = tmp_path / "day.csv.gz"
    packed.write_bytes(gzip.compress(day.read_bytes()))
    code, shown = run("diff", str(written(tmp_path)), str(other(tmp_path)), "--day", str(packed))
    assert code == 0
    assert "57 of 1,066 parcels go elsewhere (5.3 %)\n50 to another lane, 7 to other chutes" in shown


RECORDED = """site,dest,wave,date,slot,parcels
T,north,1830,2026-11-22,17:00,40
T,north,1830,2026-11-22,17:10,2
T,north,0600,2026-11-22,05:00,8
T,south,0600,2026-11-22,05:00,5
T,west,0600,2026-11-22,05:00,3
T,north,1830,2026-11-21,17:00,99
"""
FORECAST = """site,dest,wave,date,parcels_preknown
T,north,1830,2026-11-22,42.5
T,south,0600,2026-11-22,5
"""
OWN = PLAN.replace("departs = 2026-11-22T18:30:00", 'departs = 2026-11-22T18:30:00\nchutes = ["C05", "C06"]')


@pytest.mark.parametrize(("text", "n_all"), [(RECORDED, 58), (FORECAST, 47)])
def test_diff_by_departure_sees_its_own_chutes(tmp_path: Path, text: str, n_all: int) -> None:
    day, own = tmp_path / "day.csv", tmp_path / "own"
    own.mkdir()
    day.write_text(text, encoding="utf-8")
    line = ["diff", str(written(tmp_path)), str(written(own, OWN)), "--day", str(day)]
    told = json.loads(run(*line, "--site", "T", "--date", "2026-11-22", "--json")[1])
    assert (told["n_all"], told["n_moved"], told["n_to_other_lanes"]) == (n_all, 42, 0)
    (change,) = told["changes"]
    assert (change["before"]["lane"], change["before"]["departs"]) == ("north", "1830")
    assert (change["before"]["chutes"], change["after"]["chutes"]) == (
        ["C01", "C02", "C48"],
        ["C05", "C06", "C48"],
    )


def test_diff_by_key_sees_that_a_departure_has_other_chutes(tmp_path: Path) -> None:
    (tmp_path / "own").mkdir()
    found = compare(load_plan(written(tmp_path)), load_plan(written(tmp_path / "own", OWN)), None)
    assert {str(one.after) for one in found.changes} == {"north (C01 C02 C48 18:30=C05+C06)"}


def test_a_day_needs_its_site_and_date(tmp_path: Path) -> None:
    day = tmp_path / "day.csv"
    day.write_text(RECORDED, encoding="utf-8")
    assert run("diff", "demo", "demo", "--day", str(day), "--site", "T")[0] == 2
    for site, date in (("U", "2026-11-22"), ("T", "2026-11-23")):
        with pytest.raises(
            ConfigError, match=r"has no site 'U'; it has T|has no row of site T on 2026-11-23"
        ):
            load_day(day, site, datetime.fromisoformat(date).date())


def test_diff_of_equal_plans_is_nothing(tmp_path: Path) -> None:
    told = json.loads(run("diff", "demo", "demo", "--json")[1])
    assert (told["of"], told["n_moved"], told["changes"]) == ("keys", 0, [])


@pytest.mark.parametrize(
    ("text", "lines"),
    [("", [1]), ("key,n\n", [1]), ("key,parcels\nzip:1,2\nzip:1,-2\nzip,3\nzip:1\n", [3, 4, 5])],
)
def test_a_bad_day_tells_every_line(tmp_path: Path, text: str, lines: list[int]) -> None:
    file = tmp_path / "day.csv"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        read_day(file)
    assert [fault.line for fault in caught.value.faults] == lines
