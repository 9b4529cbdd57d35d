"""A sort plan's faults come all at once, and a right plan leads every key to its lane's chutes."""

from datetime import datetime
from pathlib import Path

import pytest

from hubctl.core.config import ConfigError
from hubctl.core.events import NO_INDEX, Reason
from hubctl.core.hubfile import Hub, packaged_names, resolve_hub
from hubctl.core.keys import Key, parse_keys
from hubctl.core.labels import compose
from hubctl.core.plan import SortPlan, compile_plan, lane_prefixes, load_plan, resolve_plan
from hubctl.core.preadvice import load_preadvice
from hubctl.core.site import load_site
from hubctl.core.tables import Policy

GOOD = """
plan = { name = "small" }
labels = { accept = ["usps-impb", "jt"] }

[[lanes]]
name = "north"
keys = ["zip:100..102", "zip:1035"]
chutes = ["C01", "C02"]
overflow = ["C48"]

[[lanes]]
name = "south"
keys = ["zip:103", "plz:20"]
chutes = ["C03"]

[exceptions]
default = "END"
NO_READ = "C47"
"""


@pytest.fixture(scope="module")
def demo() -> Hub:
    return resolve_hub("demo")


def plan_of(tmp_path: Path, text: str, hub: Hub | None = None) -> SortPlan:
    file = tmp_path / "plan.toml"
    file.write_text(text, encoding="utf-8")
    return load_plan(file, hub)


def faults_of(tmp_path: Path, hub: Hub, *changes: tuple[str, str]) -> list[str]:
    text = GOOD
    for old, new in changes:
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    with pytest.raises(ConfigError) as caught:
        plan_of(tmp_path, text, hub)
    return [str(fault).removeprefix(f"{tmp_path}/") for fault in caught.value.faults]


def test_lanes_try_their_chutes_then_their_overflow(tmp_path: Path, demo: Hub) -> None:
    compiled = compile_plan(plan_of(tmp_path, GOOD), demo)
    assert compiled.first.tolist() == [0, 3, 4]
    assert compiled.chutes.tolist() == [0, 1, 47, 2]


def test_the_longest_prefix_decides(tmp_path: Path, demo: Hub) -> None:
    table = compile_plan(plan_of(tmp_path, GOOD), demo).labels
    zips = ("10299", "10349", "10350", "10399", "10499")
    lanes = [table.resolve(compose("usps-impb", 1, zip5).encode())[:2] for zip5 in zips]
    assert lanes == [(Reason.OK, 0), (Reason.OK, 1), (Reason.OK, 0), (Reason.OK, 1), (Reason.NO_LANE, -1)]


def test_exceptions_go_by_reason_and_else_by_default(tmp_path: Path, demo: Hub) -> None:
    exceptions = compile_plan(plan_of(tmp_path, GOOD), demo).exceptions
    assert len(exceptions) == len(Reason)
    assert exceptions[Reason.NO_READ] == 46
    assert exceptions[Reason.BAD_LABEL] == NO_INDEX


def test_without_exceptions_all_runs_to_the_belts_end(tmp_path: Path, demo: Hub) -> None:
    plan = plan_of(tmp_path, GOOD.split("[exceptions]")[0])
    assert set(compile_plan(plan, demo).exceptions.tolist()) == {NO_INDEX}


def test_ten_mistakes_are_ten_faults(tmp_path: Path, demo: Hub) -> None:
    faults = faults_of(
        tmp_path,
        demo,
        ('{ name = "small" }', '{ nam = "small", name = "small" }'),
        ('"jt"]', '"jt", "usps-imbp", "jt"]'),
        ('"zip:100..102"', '"zip:102..100"'),
        ('"zip:1035"', '"zap:1035"'),
        ('overflow = ["C48"]', 'overflow = ["C01", "C84"]'),
        ('"zip:103"', '"zip 103"'),
        ('chutes = ["C03"]', 'chutes = ["END"]'),
        ('NO_READ = "C47"', 'NO_REED = "C47"'),
    )
    assert [fault.split(":", 2)[2] for fault in faults] == [
        ' unknown key (did you mean "name"?)',
        ' unknown label format (did you mean "usps-impb"?)',
        " is accepted already",
        '102..100": a range must rise, by at most 100000',
        '1035": unknown namespace "zap" (did you mean "zip"?)',
        " the lane has it already",
        ' the hub has no such chute (did you mean "C48"?)',
        ' must be like "zip:100" or "zip:100..119"',
        " is a belt's end: no lane can have it (what is not diverted goes there anyway)",
        ' unknown reason (did you mean "NO_READ"?)',
    ]


MISTAKES = [
    (
        ('"plz:20"', '"zip:101"'),
        'keys.#2 = "zip:101": zip:101 is taken by lane north (one destination, one lane)',
    ),
    (('name = "south"', 'name = "north"'), "is taken (line 6)"),
    (('chutes = ["C03"]', "chutes = []"), "must have 1 to 64 entries"),
    (('chutes = ["C03"]', 'chutes = ["C03"]\noverflow = 3'), "must be a list"),
    (('"plz:20"', '"plz:20..3"'), "a range must have two ends of as many digits"),
    (('"plz:20"', "20"), "must be text in quotes"),
    (('default = "END"', 'default = "C99"'), "hub demo has no such chute"),
    (('"usps-impb", "jt"', ""), "must have 1 to 20000 entries"),
]


@pytest.mark.parametrize(("change", "words"), MISTAKES)
def test_one_mistake_is_one_fault(tmp_path: Path, demo: Hub, change: tuple[str, str], words: str) -> None:
    (fault,) = faults_of(tmp_path, demo, change)
    assert words in fault


def test_a_chain_longer_than_is_ever_tried_is_a_fault(tmp_path: Path, demo: Hub) -> None:
    many = ", ".join(f'"C{4 + k % 44:02}"' for k in range(63))
    *twice, fault = faults_of(tmp_path, demo, ('overflow = ["C48"]', f"overflow = [\n{many}]"))
    assert "must have 62 entries or fewer" in twice[0]
    assert "the lane has it already" in fault


SHARED = GOOD.replace('chutes = ["C01", "C02"]', 'group = "both"\nlead_s = 60').replace(
    "[exceptions]",
    """
[[groups]]
name = "both"
chutes = ["C01", "C02"]
policy = "balance"
weights = [3, 1]

[[groups]]
name = "last"
chutes = ["C45", "C46"]
policy = "round-robin"

[[waves]]
lane = "north"
departs = 2026-11-22T18:30:00

[[waves]]
lane = "north"
departs = 600
group = "last"

[lists]
intercept = ["JT1234567890123"]
held = ["JT1234567890124", "JT1234567890123"]

[exceptions]
BAD_LABEL = 'last'""",
)


def test_groups_and_waves_are_chains_of_steps(tmp_path: Path, demo: Hub) -> None:
    made = compile_plan(plan_of(tmp_path, SHARED), demo, clock_offset_ns=10**18)
    assert made.first.tolist() == [0, 6, 7]
    assert made.chutes.tolist() == [0, 1, 47, 44, 45, 47, 2, 44, 45]
    assert made.weights.tolist()[:3] == [3, 1, 1]
    assert made.steps["policy"].tolist() == [
        Policy.BALANCE,
        Policy.FIRST_OPEN,
        Policy.ROUND_ROBIN,
        Policy.FIRST_OPEN,
        Policy.FIRST_OPEN,
        Policy.ROUND_ROBIN,
    ]
    assert made.steps["slot"][2] == made.steps["slot"][5] != made.steps["slot"][0]
    assert made.lanes[["first_step", "n_steps", "first_wave", "n_waves"]].tolist() == [
        (0, 2, 0, 2),
        (4, 1, 2, 0),
    ]
    assert made.waves["first_step"].tolist() == [2, 0]
    assert made.waves["departs_ns"][0] == 600 * 10**9
    assert made.lanes["lead_ns"][0] == 60 * 10**9
    assert made.exception_steps[Reason.BAD_LABEL] == 5


def test_a_wave_departs_by_the_clock_on_the_wall(tmp_path: Path, demo: Hub) -> None:
    plan = plan_of(tmp_path, SHARED)
    offsets = [compile_plan(plan, demo, clock_offset_ns=k).waves["departs_ns"].max() for k in (0, 1000)]
    assert offsets[0] == int(datetime(2026, 11, 22, 18, 30).timestamp()) * 10**9
    assert offsets[0] - offsets[1] == 1000


def test_an_intercepted_label_that_is_held_too_is_intercepted(tmp_path: Path, demo: Hub) -> None:
    made = compile_plan(plan_of(tmp_path, SHARED), demo)
    identities = [made.labels.resolve(text)[4] for text in (b"JT1234567890123", b"JT1234567890124")]
    reasons = dict(zip(made.listed.tolist(), made.listed_reasons.tolist(), strict=True))
    assert [reasons[identity] for identity in identities] == [Reason.INTERCEPT, Reason.HELD]
    assert made.listed.tolist() == sorted(made.listed.tolist())


SHARED_MISTAKES = [
    (('group = "both"', 'group = "boht"'), 'there is no such group (did you mean "both"?)'),
    (('group = "both"', 'group = "both"\nchutes = ["C07"]'), "needs either chutes or a group"),
    (('group = "both"', ""), "needs either chutes or a group"),
    (('policy = "balance"', 'policy = "fair"'), "must be 'first-open', 'nearest'"),
    (("weights = [3, 1]", "weights = [3]"), "must have 2 entries, one a chute"),
    (('policy = "round-robin"', "weights = [1, 1]"), "only a group with the policy balance has weights"),
    (('name = "last"', 'name = "both"'), "is taken (line"),
    (('name = "both"', 'name = "C09"'), "is a chute's name"),
    (('chutes = ["C45", "C46"]', 'chutes = ["C45", "END"]'), "is a belt's end: no group can have it"),
    (('overflow = ["C48"]', 'overflow = ["both"]'), "the lane has it already"),
    (("departs = 600", "departs = -1"), "departs"),
    (('"JT1234567890124"', '"JT123"'), "is no label that the plan accepts"),
    (("lead_s = 60", "lead_s = 86_401"), "must be 0 to 86400"),
]


@pytest.mark.parametrize(("change", "words"), SHARED_MISTAKES)
def test_a_mistake_of_groups_or_waves_is_named(
    tmp_path: Path, demo: Hub, change: tuple[str, str], words: str
) -> None:
    old, new = change
    assert SHARED.count(old) == 1
    with pytest.raises(ConfigError) as caught:
        plan_of(tmp_path, SHARED.replace(old, new), demo)
    assert words in str(caught.value)


def test_a_wave_of_no_lane_is_named(tmp_path: Path, demo: Hub) -> None:
    with pytest.raises(ConfigError, match="there is no such lane"):
        plan_of(
            tmp_path, SHARED.replace('lane = "north"\ndeparts = 600', 'lane = "nroth"\ndeparts = 600'), demo
        )


def test_a_right_plan_is_checked_again_for_another_hub(tmp_path: Path, demo: Hub) -> None:
    plan = plan_of(tmp_path, GOOD, demo)
    with pytest.raises(ConfigError, match="no such chute"):
        plan.check(resolve_hub("station"))


def test_version_is_of_the_content(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, GOOD)
    spaced = plan_of(tmp_path, GOOD.replace(" = ", "   =   "))
    other = plan_of(tmp_path, GOOD.replace("plz:20", "plz:21"))
    assert plan.version == spaced.version != other.version
    assert 0 < plan.version < 2**32


def test_preadvice_leads_a_label_to_its_keys_lane(tmp_path: Path, demo: Hub) -> None:
    file = tmp_path / "advice.csv"
    file.write_text("label,key\nJT1234567890123,plz:20095\nJT1234567890124,plz:99999\n", encoding="utf-8")
    table = compile_plan(plan_of(tmp_path, GOOD), demo, load_preadvice(file)).labels
    labels = (b"JT1234567890123", b"JT1234567890124", b"JT1234567890125")
    assert [table.resolve(label)[:2] for label in labels] == [
        (Reason.OK, 1),
        (Reason.NO_LANE, -1),
        (Reason.NO_DATA, -1),
    ]


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("", [1]),
        ("number,key\n", [1]),
        ("label,key\nA1,zip:1\nB2\nC3,zip\n,zip:2\nD4,zip:3,4\n", [3, 4, 5, 6]),
    ],
)
def test_bad_preadvice_tells_every_line(tmp_path: Path, text: str, lines: list[int]) -> None:
    file = tmp_path / "advice.csv"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        load_preadvice(file)
    assert [fault.line for fault in caught.value.faults] == lines


def test_absent_preadvice_is_a_fault(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        load_preadvice(tmp_path / "none.csv")


def test_the_packaged_evening_fits_the_demo_hub(demo: Hub) -> None:
    plan = resolve_plan("waves", demo)
    assert (len(plan.groups), len(plan.waves), len(plan.lists.held)) == (7, 3, 1)
    assert {group.policy for group in plan.groups} == {
        policy.name.lower().replace("_", "-") for policy in Policy
    }
    assert len(compile_plan(plan, demo).waves) == 3


@pytest.mark.parametrize("name", packaged_names())
def test_packaged_plans_fit_their_hubs(name: str) -> None:
    site = load_site(name)
    assert site.plan is not None
    assert len(compile_plan(site.plan, site.hub).first) == len(site.plan.lanes) + 1


def test_the_demo_plan_has_a_lane_for_every_zip_and_postcode() -> None:
    keys = {(namespace, prefix) for namespace, prefix, _ in lane_prefixes(resolve_plan("demo"))}
    assert keys == {("zip", f"{no:03}") for no in range(5, 1000)} | {("plz", f"{no:02}") for no in range(100)}


def test_faults_of_hub_and_plan_come_together(tmp_path: Path) -> None:
    (tmp_path / "site.toml").write_text('hub = { name = "x y" }\n', encoding="utf-8")
    (tmp_path / "site.plan.toml").write_text('plan = { name = "x y" }\n', encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        load_site(str(tmp_path / "site.toml"))
    assert {Path(fault.file).name for fault in caught.value.faults} == {"site.toml", "site.plan.toml"}


def test_ranges_keep_their_leading_zeros() -> None:
    assert parse_keys("zip:098..101") == [Key("zip", prefix) for prefix in ("098", "099", "100", "101")]
