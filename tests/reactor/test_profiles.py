"""The real master against the twin of each profile, by bytes and times alone: proved, armed, tripped, brought back."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from test_master import UP, Talk, fire_of, kinds, of_kind, reasons

from hubctl._master import ModbusMaster
from hubctl.core.address import Space
from hubctl.core.config import ConfigError
from hubctl.core.devices import all_steps, fault_sentence
from hubctl.core.events import RECORD, Kind
from hubctl.core.hubfile import Hub, load_hub
from hubctl.core.layout import compile_layout
from hubctl.core.profile import profile_names, resolve_profile
from hubctl.core.tables import Wiring
from hubctl.core.wiring import compile_wiring
from hubctl.sim.device_twins import DriveTwin, MoxaTwin, WagoTwin, WaveshareTwin, twin_of
from hubctl.sim.modbus_twin import BareBoard, Twin, TwinFrames

MS = 1_000_000

HUB = """
hub = {{ name = "one" }}
belts = [{{ name = "main", length_mm = 9000, speed_mm_s = 1000, end_chute = "END"{belt} }}]
links = [
  {{ name = "io", kind = "{kind}", {address} }},
  {{ name = "top", kind = "scanner-tcp", host = "h", port = 2112 }},
]
scanners = [{{ name = "top", belt = "main", at_mm = 800, link = "top" }}]
nodes = [{{ name = "io", link = "io", profile = "{profile}", period_ms = 20{node} }}]
eyes = [{{ name = "in", belt = "main", at_mm = 300, role = "induct", input = "{eye}" }}]
{outputs}
"""
OUTPUTS = """
diverters = [{ name = "D1", belt = "main", at_mm = 5000, hold_ms = 200 }]
chutes = [
  { name = "C1", no = 1, diverter = "D1", output = "io/coil/2" },
  { name = "END", no = 9 },
]
"""
NO_OUTPUTS = 'chutes = [{ name = "END", no = 9 }]'
EYES = {
    "conveylinx": "io/holding/1518.4",
    "conveylinx-plc": "io/holding/1701.4",
    "micronor-mr340": "io/holding/3.0",
    "delta-vfd": "io/holding/8449.0",
    "abb-drives": "io/holding/3.2",
    "isma-sfar": "io/holding/0.0",
    "waveshare-relay": "io/coil/7",
}


def hub_of(directory: Path, profile: str, *, rtu: bool = False, belt: str = "", node: str = "") -> Hub:
    kind, address = ("modbus-rtu", 'device = "x"') if rtu else ("modbus-tcp", 'host = "h", port = 502')
    file = directory / "one.toml"
    has_coils = "io/coil" if profile.endswith(".toml") else resolve_profile(profile).coils
    file.write_text(
        HUB.format(
            kind=kind,
            address=address,
            profile=profile,
            belt=belt,
            node=node,
            eye=EYES.get(profile, "io/discrete/1"),
            outputs=OUTPUTS if has_coils else NO_OUTPUTS,
        )
    )
    return load_hub(file)


class Told(Talk):
    """A master and a twin that answer each other."""

    def __init__(self, wiring: Wiring, twin: Twin, *, rtu: bool = False) -> None:
        self.master = ModbusMaster(wiring, 0, RECORD)
        self.twin = twin
        self.frames = TwinFrames({1: twin}, rtu=rtu)
        self.rtu = rtu
        self.round_ns = 2 * MS
        self.now_ns = 1000 * MS
        self.told: list[np.void] = []
        self.asked: list[bytes] = []
        self.spoil: Callable[[bytes], bytes] = lambda answer: answer
        self.master.connect(self.now_ns)

    def round(self) -> list[np.void]:
        sent = self.master.pump(self.now_ns)
        self.now_ns += self.round_ns
        self.twin.advance(self.now_ns)
        if sent:
            self.asked.append(sent[1:-2] if self.rtu else sent[7:])
            answer = self.spoil(self.frames.receive(sent, self.now_ns))
            if answer:
                self.master.receive(answer, self.now_ns)
        news = list(self.master.records())
        self.told += news
        return news

    def until_up(self) -> list[np.void]:
        news: list[np.void] = []
        for _ in range(600):
            if self.master.node_states[0] == UP:
                return news
            news += self.round()
        raise AssertionError(f"not up; the last it was asked is {self.asked[-1].hex()}")

    def until_down(self) -> None:
        for _ in range(600):
            if self.master.node_states[0] != UP:
                return
            self.round()
        raise AssertionError("still up")


def told_of(directory: Path, profile: str, *, rtu: bool = False, **keys: Any) -> Told:
    hub = hub_of(directory, profile, rtu=rtu, **keys)
    return Told(compile_wiring(hub), twin_of(resolve_profile(profile)), rtu=rtu)


WITHOUT_NODES = [name for name in profile_names() if name != "hubctl-node"]


@pytest.mark.parametrize("rtu", [False, True])
@pytest.mark.parametrize("profile", WITHOUT_NODES)
def test_every_profile_comes_up_with_its_twin_and_stays_up(tmp_path: Path, profile: str, rtu: bool) -> None:
    talk = told_of(tmp_path, profile, rtu=rtu)
    assert kinds(talk.until_up())[-1] == "NODE"
    talk.rounds(2000)  # four seconds
    assert talk.master.node_states == [UP]
    assert len(of_kind(talk.told, Kind.NODE)) == 1


@pytest.mark.parametrize("profile", WITHOUT_NODES)
def test_what_it_is_comes_first_and_nothing_is_written_before(tmp_path: Path, profile: str) -> None:
    talk = told_of(tmp_path, profile)
    talk.until_up()
    identity = resolve_profile(profile).identity
    assert [asked[0] for asked in talk.asked[: len(identity)]] == [step.function for step in identity]
    assert all(asked[0] <= 4 for asked in talk.asked[: len(identity)])


@pytest.mark.parametrize("profile", [n for n in WITHOUT_NODES if resolve_profile(n).coils])
def test_a_fire_reaches_the_output_it_is_for_and_is_over_after_its_hold(tmp_path: Path, profile: str) -> None:
    talk = told_of(tmp_path, profile)
    talk.until_up()
    fired_ns = talk.now_ns
    talk.master.fire(fire_of(0, talk.now_ns), talk.now_ns)
    while not talk.twin.outputs.get(2):
        talk.round()
        assert talk.now_ns < fired_ns + 20 * MS
    assert reasons(talk.told) == ["OK"]
    assert [number for number, on in talk.twin.outputs.items() if on] == [2]
    while any(talk.twin.outputs.values()):
        talk.round()
        assert talk.now_ns < fired_ns + 250 * MS
    assert talk.now_ns >= fired_ns + 195 * MS
    talk.rounds(200)
    assert talk.master.node_states == [UP]


def one_bit_in(n: int) -> Callable[[bytes], bytes]:
    """Turns one bit of every n-th answer, another one each time."""
    seen = [0]

    def spoil(answer: bytes) -> bytes:
        seen[0] += bool(answer)
        if not answer or seen[0] % n:
            return answer
        at = seen[0] // n * 13 % (8 * len(answer))
        turned = answer[at // 8] ^ (1 << (at % 8))
        return answer[: at // 8] + bytes([turned]) + answer[at // 8 + 1 :]

    return spoil


@pytest.mark.parametrize("profile", WITHOUT_NODES)
def test_answers_with_a_turned_bit_are_never_believed_on_a_line(tmp_path: Path, profile: str) -> None:
    talk = told_of(tmp_path, profile, rtu=True)
    talk.spoil = one_bit_in(5)
    talk.rounds(3000)
    assert talk.master.node_faults == [None]  # what is wrong by its frame says nothing of the device
    assert not any(talk.twin.outputs.values())
    talk.spoil = lambda answer: answer
    talk.until_up()


@pytest.mark.parametrize("profile", WITHOUT_NODES)
def test_answers_cut_short_are_never_believed(tmp_path: Path, profile: str) -> None:
    talk = told_of(tmp_path, profile, rtu=True)
    talk.spoil = lambda answer: answer[:-1]
    talk.rounds(1000)
    assert talk.master.node_states[0] != UP
    assert len(set(talk.asked)) == 1  # it never gets beyond the first question
    talk.spoil = lambda answer: answer
    talk.until_up()


# Watchdogs


def wago(talk: Told) -> WagoTwin:
    assert isinstance(talk.twin, WagoTwin)
    return talk.twin


def test_a_wagos_watchdog_is_armed_with_the_sites_time_before_any_output_is_written(tmp_path: Path) -> None:
    talk = told_of(tmp_path, "wago-750", node=", watchdog_ms = 700")
    talk.until_up()
    assert wago(talk).words[Space.HOLDING, 0x1000] == 7
    assert wago(talk).status == WagoTwin.RUNNING
    first_output = next(i for i, asked in enumerate(talk.asked) if asked[0] in (5, 15))
    assert bytes.fromhex("0310060001") in talk.asked[:first_output]


def test_outputs_of_a_wago_are_proved_off_where_it_shows_them(tmp_path: Path) -> None:
    talk = told_of(tmp_path, "wago-750")
    talk.until_up()
    assert bytes.fromhex("0102000003") in talk.asked
    talk.twin.outputs[0] = True
    again = told_of(tmp_path, "wago-750")
    again.twin.outputs[2] = True
    again.until_up()
    assert not any(again.twin.outputs.values())


def test_a_wago_that_hears_nobody_lets_go_and_is_armed_anew_when_its_host_is_back(tmp_path: Path) -> None:
    talk = told_of(tmp_path, "wago-750", node=", watchdog_ms = 500")
    talk.until_up()
    talk.master.fire(fire_of(0, talk.now_ns), talk.now_ns)
    talk.round()
    talk.now_ns += 600 * MS  # the host stood still
    talk.twin.advance(talk.now_ns)
    assert wago(talk).status == WagoTwin.EXHAUSTED
    assert not any(talk.twin.outputs.values())
    talk.until_down()
    talk.until_up()
    assert wago(talk).status == WagoTwin.RUNNING
    assert [int(r["value"]) for r in of_kind(talk.told, Kind.NODE)] == [1, 0, 1]


def test_a_wago_that_was_left_tripped_is_brought_back_at_the_first_connection(tmp_path: Path) -> None:
    talk = told_of(tmp_path, "wago-750")
    wago(talk).words[Space.HOLDING, 0x1006] = WagoTwin.EXHAUSTED
    talk.until_up()
    assert [asked[0] for asked in talk.asked[:4]] == [3, 6, 3, 3]


def test_a_watchdog_that_does_not_run_keeps_the_node_down_and_is_told(tmp_path: Path) -> None:
    hub = hub_of(tmp_path, "wago-750")

    class Deaf(WagoTwin):
        """Its watchdog cannot be started."""

        def _trigger(self, now_ns: int) -> None:
            self.words[Space.HOLDING, 0x1006] = 0

    talk = Told(compile_wiring(hub), Deaf(resolve_profile("wago-750")))
    talk.rounds(500)
    assert talk.master.node_states[0] != UP
    assert all(asked[0] not in (5, 15) for asked in talk.asked)
    step, exception, word = talk.master.node_faults[0]
    assert fault_sentence(hub, step, exception, word) == (
        "node io: by its profile wago-750, watchdog.arm: holding 0x1006 must be 1; it says 0 (0x0000): "
        "the watchdog is not running"
    )


def test_another_device_is_not_written_to(tmp_path: Path) -> None:
    talk = told_of(tmp_path, "wago-750")
    talk.twin.words[Space.HOLDING, 0x2012] = 881 + 1
    talk.rounds(1000)
    assert talk.master.node_states[0] != UP
    assert {asked[0] for asked in talk.asked} == {3}
    assert talk.master.node_faults[0][2] == 882
    talk.twin.words[Space.HOLDING, 0x2012] = 352
    talk.until_up()
    assert talk.master.node_faults == [None]


def test_keep_alives_go_on_without_polls_and_change_their_word(tmp_path: Path) -> None:
    talk = told_of(tmp_path, "wago-750")
    talk.until_up()
    talk.twin.words[Space.HOLDING, 0x1001] = 0  # only the trigger counts
    talk.rounds(3000)
    assert talk.master.node_states == [UP]
    written = [asked for asked in talk.asked if asked[:3] == bytes.fromhex("061003")]
    assert all(before != after for before, after in pairwise(written[1:]))


def test_a_moxa_in_its_safe_status_is_brought_out_of_it_before_it_is_used(tmp_path: Path) -> None:
    twin = MoxaTwin(resolve_profile("moxa-e1212"), watchdog_ms=300)
    talk = Told(compile_wiring(hub_of(tmp_path, "moxa-e1212")), twin)
    talk.until_up()
    talk.now_ns += 400 * MS
    talk.until_down()
    talk.until_up()
    assert twin.words[Space.COIL, 4144] == 0


def test_a_stop_leaves_a_wagos_outputs_off_and_proved(tmp_path: Path) -> None:
    talk = told_of(tmp_path, "wago-750")
    talk.until_up()
    talk.master.fire(fire_of(0, talk.now_ns), talk.now_ns)
    talk.round()
    talk.master.make_safe(talk.now_ns)
    while not talk.master.settled:
        talk.round()
    assert not any(talk.twin.outputs.values())


# Pulses


def test_a_relay_board_is_told_the_time_and_switches_off_without_us(tmp_path: Path) -> None:
    talk = told_of(tmp_path, "waveshare-relay")
    talk.until_up()
    talk.master.fire(fire_of(0, talk.now_ns), talk.now_ns)
    talk.round()
    assert bytes.fromhex("0502020002") in talk.asked  # relay 2, twice 100 ms
    assert isinstance(talk.twin, WaveshareTwin)
    talk.twin.advance(talk.now_ns + 200 * MS)  # nobody asks any more
    assert not any(talk.twin.outputs.values())


def test_a_relay_that_stays_on_is_seen_and_switched_off(tmp_path: Path) -> None:
    talk = told_of(tmp_path, "waveshare-relay")
    talk.until_up()
    talk.master.fire(fire_of(0, talk.now_ns), talk.now_ns)
    talk.round()
    talk.twin._off_ns.clear()  # type: ignore[attr-defined] # its own timer fails
    talk.rounds(300)
    assert not any(talk.twin.outputs.values())
    assert bytes.fromhex("0500020000") in talk.asked


def test_a_hold_that_the_device_cannot_time_is_refused(tmp_path: Path) -> None:
    text = OUTPUTS.replace("hold_ms = 200", "hold_ms = 250")
    file = tmp_path / "one.toml"
    keys = {"kind": "modbus-tcp", "address": 'host = "h", port = 502', "belt": "", "node": ""}
    file.write_text(HUB.format(profile="waveshare-relay", eye="io/discrete/1", outputs=text, **keys))
    with pytest.raises(ConfigError) as caught:
        load_hub(file)
    assert "hold_ms = 250: must be a multiple of 100" in str(caught.value)
    assert "has no discrete" in str(caught.value)


# Drives


DRIVE = ', drive = { node = "io", full_mm_s = 2000 }'


@pytest.mark.parametrize(
    ("profile", "half"), [("delta-vfd", 2500), ("abb-drives", 10_000), ("conveylinx-plc", 500)]
)
def test_a_drive_is_stopped_and_told_its_speed_then_runs_when_told(
    tmp_path: Path, profile: str, half: int
) -> None:
    hub = hub_of(tmp_path, profile, belt=DRIVE)
    assert compile_layout(hub).belts["run_node"].tolist() == [0]
    talk = Told(compile_wiring(hub), twin_of(resolve_profile(profile)))
    drive = resolve_profile(profile).drive
    assert drive is not None
    talk.until_up()
    assert talk.twin.words[Space.HOLDING, drive.control] == drive.stop
    assert talk.twin.words[Space.HOLDING, drive.setpoint] == half
    talk.master.set_level(Kind.RUN_BELT, 0, True)
    talk.rounds(2000)
    assert talk.twin.actual == half  # type: ignore[attr-defined]
    talk.rounds(600)
    assert talk.master.node_words == [None if drive.actual is None else half]
    talk.master.make_safe(talk.now_ns)
    while not talk.master.settled:
        talk.round()
    assert talk.twin.words[Space.HOLDING, drive.control] == drive.stop


@pytest.mark.parametrize(("profile", "fault"), [("delta-vfd", 5), ("conveylinx-plc", 0x2000)])
def test_a_drive_with_a_fault_takes_its_node_down(tmp_path: Path, profile: str, fault: int) -> None:
    talk = told_of(tmp_path, profile, belt=DRIVE)
    talk.until_up()
    assert isinstance(talk.twin, DriveTwin)
    talk.twin.fault = fault
    talk.until_down()
    assert talk.master.node_faults[0][2] == fault


# Where things are


def test_a_conveylinx_is_read_from_the_start_of_its_assembly(tmp_path: Path) -> None:
    polls = compile_wiring(hub_of(tmp_path, "conveylinx")).polls
    assert [(p["function"], p["address"], p["count"]) for p in polls] == [(3, 1499, 19)]


def test_a_counter_has_the_word_order_of_its_device(tmp_path: Path) -> None:
    for profile, place, low_first in (("moxa-e1212", "io/input/16", 0), ("adam-6050", "io/holding/0", 1)):
        belt = f', encoder = {{ address = "{place}", counts_per_m = 1000 }}'
        counters = compile_wiring(hub_of(tmp_path, profile, belt=belt)).counters
        assert counters["low_word_first"].tolist() == [low_first]


def test_outputs_of_an_adam_are_where_it_has_them(tmp_path: Path) -> None:
    wiring = compile_wiring(hub_of(tmp_path, "adam-6050"))
    assert wiring.outputs["coil"].tolist()[0] == 18
    assert (wiring.nodes["first_coil"][0], wiring.nodes["n_outputs"][0]) == (16, 3)


def test_an_address_that_a_device_does_not_have_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"a moxa-e1212 has input 16 to 31, 48 to 48, 5000 to 5069"):
        hub_of(tmp_path, "moxa-e1212", belt=', encoder = { address = "io/input/31", counts_per_m = 1000 }')
    file = tmp_path / "one.toml"
    file.write_text(file.read_text().replace("moxa-e1212", "moxa-e1213"))
    with pytest.raises(ConfigError, match=r"there is no such profile \(did you mean"):
        load_hub(file)


def test_a_sites_own_profile_stands_beside_its_hub_file(tmp_path: Path) -> None:
    (tmp_path / "box.toml").write_text(
        'profile = { name = "box", device = "a box" }\n'
        "limits = { functions = [1, 2, 3, 5, 15] }\n"
        "coils = { n = 8, at = 100 }\ndiscrete = { n = 8, at = 200 }\n"
        'identity = [{ table = "coil", at = 100, equals = [0] }]\n'
    )
    hub = hub_of(tmp_path, "box.toml")
    assert compile_wiring(hub).outputs["coil"][0] == 102
    assert [place for _, place, _ in all_steps(hub)] == ["identity"]
    (tmp_path / "box.toml").write_text("nonsense = 1\n")
    resolve_profile.cache_clear()
    with pytest.raises(ConfigError, match=r"box.toml:1 nonsense"):
        hub_of(tmp_path, "box.toml")


def test_a_board_shows_what_is_wired() -> None:
    board = BareBoard()
    board.inputs[Space.DISCRETE, 3] = 1
    twin = twin_of(resolve_profile("wago-750"), board)
    assert twin.answer(bytes.fromhex("0200000004"), 0).hex() == "020108"
    assert twin.answer(bytes.fromhex("0100000004"), 0).hex() == "010108"  # coil 0 read as coil 0 is input 0
