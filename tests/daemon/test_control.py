"""The operator's socket: real words to a running daemon, and what becomes of them."""

from __future__ import annotations

import json
import os
import select
import socket
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from rig import until
from test_run import HUBCTL, ROOT, Daemon, Devices, devices, started  # noqa: F401

from hubctl._kernel import Kernel
from hubctl.core.events import NO_INDEX, ChuteState, Flag, Kind, Reason, Records, empty
from hubctl.core.hubfile import resolve_hub
from hubctl.core.labels import compose
from hubctl.core.layout import compile_layout, hub_names
from hubctl.core.plan import compile_plan
from hubctl.core.site import load_site
from hubctl.core.telling import QUESTIONS, USAGE, LaneNames, TellError, wish_of
from hubctl.daemon.control import Control

LABEL = compose("usps-impb", 0, "90001")
KERNEL_TESTS = ROOT / "tests" / "kernel"
NAMES = hub_names(resolve_hub("demo"))


PLAIN = [usage.split() for word, usage in USAGE.items() if word not in ("answer", "send", QUESTIONS)]


@pytest.mark.parametrize("words", PLAIN, ids=lambda words: words[0])
def test_every_word_has_its_input(words: list[str]) -> None:
    first = {"chute": "C12", "change": "7", "code": "7", "off": "7", "diverter": "D03", "eye": "group1"}
    first |= {"node": NAMES.nodes[0]}
    second = {"code": "SF1", "change": "C12"}
    last = second.get(words[0], words[-1].split("|")[0])
    filled = [words[0], *([first[words[0]]] if words[0] in first else []), last][: len(words)]
    if words[0] in ("intercept", "hold", "release"):
        filled = [words[0], "SF1"]
    if words[0] == "off":
        filled = ["off", "7"]
    wish = wish_of(filled, NAMES, 9)
    assert (wish.inputs["seq"] == 9).all()
    assert all(0 < kind < Kind.FIRE_OUTPUT for kind in wish.inputs["kind"])


def test_a_word_becomes_the_record_it_means() -> None:
    (record,) = wish_of(["chute", "C12", "closed"], NAMES, 1).inputs
    assert (record["kind"], NAMES.chutes[record["chute"]], record["value"]) == (
        Kind.OPERATE,
        "C12",
        ChuteState.CLOSED,
    )
    off, on = wish_of(["release", "SF1"], NAMES, 1).inputs, wish_of(["hold", "SF1"], NAMES, 1).inputs
    assert off["reason"].tolist() == [Reason.INTERCEPT, Reason.HELD]
    assert (off["value"].tolist(), on["value"].tolist()) == ([0, 0], [1])


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], 'there is no word ""'),
        (["shute", "C12", "closed"], 'there is no word "shute" (did you mean "chute"?)'),
        (["chute", "C12"], "must be like: chute NAME open|closing|closed|disabled|fault"),
        (["chute", "C1200", "open"], 'there is no chute "C1200"'),
        (["chute", "C12", "full"], '"full" is no state: must be one of open, closing'),
        (["code", "x", "SF1"], '"x" is no parcel'),
        (["code", "0", "SF1"], '"0" is no parcel'),
        (["code", "1", "中"], '"中" is no label: must be 1 to 56 ASCII characters'),
        (["answer", "1", "lane", "six"], 'there is no lane "six"'),
        (["answer", "0", "not-found"], '"0" is no question: must be its number, 1 to 4294967295'),
        (["answer", "1", "lane"], "must be like: answer QUESTION lane|chute NAME, answer QUESTION not-found"),
        (["answer", "1", "lost"], '"lost" is no answer: must be one of not-found, no-data, intercept, hold'),
        (["questions", "all"], "must be like: questions"),
        (["node", "head", "mend"], '"mend" is no word for a node: must be one of clear'),
        (["node", "n9", "clear"], 'there is no node "n9"'),
        (["machine", "fly"], '"fly" is no command: must be one of reset, start'),
    ],
    ids=str,
)
def test_words_that_mean_nothing_say_what_would(words: list[str], said: str) -> None:
    with pytest.raises(TellError) as caught:
        wish_of(words, NAMES, 1)
    assert said in str(caught.value)


def test_a_hosts_answer_becomes_the_record_it_means() -> None:
    lanes = LaneNames(("six", "two"), 77)
    (record,) = wish_of(["answer", "5", "lane", "two"], NAMES, 1, lanes).inputs
    assert (record["seq"], record["value"], record["plan"], record["chute"]) == (5, 1, 77, NO_INDEX)
    (record,) = wish_of(["answer", "5", "chute", "C12"], NAMES, 1, lanes).inputs
    assert (record["value"], NAMES.chutes[record["chute"]], record["reason"]) == (-1, "C12", Reason.OK)
    (record,) = wish_of(["answer", "5", "not-found"], NAMES, 1, lanes).inputs
    assert (record["reason"], record["chute"]) == (Reason.NOT_FOUND, NO_INDEX)


def test_a_parcel_is_sent_by_a_lane_of_the_plan_of_now() -> None:
    lanes = LaneNames(("six", "two"), 77)
    wish = wish_of(["send", "4", "two"], NAMES, 9, lanes)
    (record,) = wish.inputs
    assert (record["kind"], record["seq"], record["parcel"]) == (Kind.CHANGE, 9, 4)
    assert (record["value"], record["plan"], record["chute"]) == (1, 77, NO_INDEX)
    assert wish.answer == Kind.ANSWERED
    with pytest.raises(TellError, match='there is no lane "three"'):
        wish_of(["send", "4", "three"], NAMES, 9, lanes)


class AskingHub:
    """A kernel whose host is asked, behind an operator's socket."""

    def __init__(self, control: Path) -> None:
        site = load_site(str(KERNEL_TESTS / "dws.toml"))
        assert site.plan is not None
        plan = compile_plan(site.plan, site.hub)
        lanes = LaneNames(tuple(lane.name for lane in site.plan.lanes), plan.version)
        self.now_ns = 0
        self.kernel = Kernel(compile_layout(site.hub), plan)
        self.told: list[Records] = []
        self.control = Control(control, hub_names(site.hub), self.told.append, lanes)

    def tell(self, **fields: object) -> None:
        inputs = empty(1)
        inputs["t_ns"] = self.now_ns
        for key, value in fields.items():
            inputs[key] = value
        self.told.append(inputs)

    def advance(self, by_ns: int = 1_000_000) -> None:
        self.now_ns += by_ns
        given, self.told[:] = list(self.told), []
        records = self.kernel.step(self.now_ns, np.concatenate(given) if given else empty(0))
        self.control.advance(records, self.now_ns)

    def ask(self) -> None:
        """A parcel without a lane comes."""
        for node in range(2):
            self.tell(kind=Kind.NODE, device=node, value=1)
        self.tell(kind=Kind.ENCODER, counts=0)
        self.tell(kind=Kind.EYE, device=0, value=1, counts=0, flags=Flag.LATCHED)
        self.tell(kind=Kind.CODE, parcel=1, text=LABEL.encode(), n_text=len(LABEL))
        self.advance()


@pytest.fixture
def asking(tmp_path: Path) -> Iterator[AskingHub]:
    hub = AskingHub(tmp_path / "hub.sock")
    yield hub
    hub.control.close()


def test_the_host_is_asked_and_answers_over_the_socket(asking: AskingHub, tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as peer:
        peer.connect(str(tmp_path / "hub.sock"))
        host = peer.makefile("rwb")
        host.write(b'{"tell": ["questions"]}\n')
        host.flush()
        until(lambda: asking.advance() or select.select([peer], [], [], 0)[0], "the subscription")
        assert json.loads(host.readline()) == {"told": "questions"}
        asking.ask()
        question = json.loads(host.readline())["question"]
        assert question == {"seq": 1, "parcel": 1, "label": LABEL, "left_ms": 500}
        host.write(b'{"tell": ["answer", "1", "lane", "two"]}\n')
        host.flush()
        until(lambda: asking.advance() or select.select([peer], [], [], 0)[0], "the answer")
        answer = json.loads(host.readline())["answer"]
        assert (answer["kind"], answer["parcel"], answer["reason"]) == ("ANSWERED", 1, "OK")


def test_questions_are_printed_as_they_come(asking: AskingHub, tmp_path: Path) -> None:
    command = [*HUBCTL, "tell", str(tmp_path / "hub.sock"), "questions"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        assert process.stdout
        until(lambda: asking.advance() or asking.control.n_asked, "the subscription")
        asking.ask()
        assert process.stdout.readline() == f"question 1: parcel 1, {LABEL}, 500 ms\n"
        asking.control.close()
        assert process.wait(20) == 0


def told(control: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [*HUBCTL, "tell", str(control), *words]
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)


def test_a_running_hub_is_told_and_answers(
    tmp_path: Path,
    devices: Devices,  # noqa: F811
    started: list[Daemon],  # noqa: F811
) -> None:
    control = tmp_path / "hub.sock"
    daemon = Daemon(str(devices.hub_file(tmp_path)), "--control", str(control))
    started.append(daemon)
    until(control.exists, "the socket")
    assert stat.S_IMODE(os.stat(control).st_mode) == 0o600
    done = told(control, "chute", "C1", "closed")
    assert (done.returncode, done.stdout) == (0, "told\n")
    done = told(control, "code", "7", "SF1", "--json")
    assert done.returncode == 1
    assert json.loads(done.stdout)["answer"]["reason"] == "UNEXPECTED"
    done = told(control, "chute", "C9", "closed")
    assert (done.returncode, done.stderr) == (1, 'there is no chute "C9" (did you mean "C2"?)\n')
    with socket.socket(socket.AF_UNIX) as peer:
        peer.connect(str(control))
        peer.sendall(b"nonsense\n")
        assert b"must be a line like" in peer.recv(4096)
    assert daemon.ended()[0] == 0
    assert not control.exists()
    assert "is the hub running?" in told(control, "chute", "C1", "open").stderr
