"""The operator's socket: real words to a running daemon, and what becomes of them."""

from __future__ import annotations

import json
import os
import socket
import stat
import subprocess
from pathlib import Path

import pytest
from rig import until
from test_run import HUBCTL, ROOT, Daemon, Devices, devices, started  # noqa: F401

from hubctl.core.events import ChuteState, Kind, Reason
from hubctl.core.hubfile import resolve_hub
from hubctl.core.layout import hub_names
from hubctl.core.telling import USAGE, TellError, wish_of

NAMES = hub_names(resolve_hub("demo"))


@pytest.mark.parametrize("words", [usage.split() for usage in USAGE.values()], ids=lambda words: words[0])
def test_every_word_has_its_input(words: list[str]) -> None:
    first = {"chute": "C12", "change": "7", "code": "7", "off": "7", "diverter": "D03", "eye": "group1"}
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
        (["machine", "fly"], '"fly" is no command: must be one of reset, start'),
    ],
    ids=str,
)
def test_words_that_mean_nothing_say_what_would(words: list[str], said: str) -> None:
    with pytest.raises(TellError) as caught:
        wish_of(words, NAMES, 1)
    assert said in str(caught.value)


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
