"""Scales that speak: their telegrams become weights and sizes that the kernel is told, over sockets."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from rig import Scanner, connected, until

from hubctl._kernel import Kernel
from hubctl._reactor import Reactor
from hubctl.core.events import Kind
from hubctl.core.hubfile import load_hub
from hubctl.core.layout import compile_layout
from hubctl.core.wiring import compile_wiring
from hubctl.sim.faultlink import Troubles
from hubctl.sim.live_relay import End, Relay
from hubctl.sim.scale_twins import Load, ScaleTwin

DWS = Path(__file__).parents[1] / "kernel" / "dws.toml"
LOAD = Load(1230, 400, 300, 200)
PRESETS = ["mt-sics", "toledo", "sick-master-data", "cubiscan", "csv"]
IN_PIECES = Troubles(split=500_000, glue=300_000, delay=300_000, delay_ms=2, split_ms=1, glue_ms=1)


class Speaking:
    """A reactor on a hub with one scale that speaks."""

    def __init__(self, directory: Path, preset: str) -> None:
        file = directory / "dws.toml"
        text = DWS.read_text(encoding="utf-8")
        text = text.replace('name = "scale",', f'name = "scale", link = "weigher", preset = "{preset}",')
        link = '{ name = "weigher", kind = "scale-tcp", host = "127.0.0.1", port = 15040 },'
        file.write_text(text.replace("links = [", f"links = [\n  {link}", 1), encoding="utf-8")
        hub = load_hub(file)
        self.twin = ScaleTwin(hub.scales[0])
        self.heard = b""
        self.server = Scanner()
        self.reactor = Reactor(Kernel(compile_layout(hub)), compile_wiring(hub))
        self.reactor.start()
        self.told: list[tuple[int, ...]] = []

    def attach(self, port: int) -> None:
        self.reactor.attach(0, connected(port))
        until(lambda: self.reactor.statistics().links[0].is_up, "the scale")
        self.twin.receive(b"SIR\r\n", 0)

    def results(self) -> list[tuple[int, ...]]:
        for record in self.reactor.drain():
            if record["kind"] == Kind.WEIGHED:
                self.told.append((int(record["value"]),))
            elif record["kind"] == Kind.SIZED:
                self.told.append(tuple(int(record[key]) for key in ("value", "limit", "seq")))
        return self.told

    def close(self) -> None:
        self.reactor.stop(1.0)
        self.server.close()


@pytest.fixture(params=PRESETS)
def speaking(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Speaking]:
    made = Speaking(tmp_path, request.param)
    yield made
    made.close()


def test_a_scale_is_heard(speaking: Speaking) -> None:
    speaking.attach(speaking.server.port)
    speaking.server.send(speaking.twin.weigh(LOAD))
    until(lambda: (1230,) in speaking.results(), "the weight")
    speaking.server.send(b"\x02\x03?????\r\n")
    speaking.server.send(speaking.twin.weigh(LOAD._replace(weight_g=2460)))
    until(lambda: (2460,) in speaking.results(), "the next weight")
    assert [told for told in speaking.results() if len(told) == 1] == [(1230,), (2460,)]
    assert {told for told in speaking.results() if len(told) == 3} <= {LOAD[1:]}
    assert speaking.reactor.statistics().links[0].n_frames == 2


def test_a_scale_is_heard_over_a_line_that_cuts_telegrams(speaking: Speaking) -> None:
    far = End("tcp", "127.0.0.1", speaking.server.port)
    with Relay(End("tcp", "127.0.0.1", 0), far, IN_PIECES) as relay:
        speaking.attach(relay.port)
        grams = [100 * i for i in range(1, 21)]
        for weight_g in grams:
            speaking.server.send(speaking.twin.weigh(LOAD._replace(weight_g=weight_g)))
        until(lambda: (grams[-1],) in speaking.results(), "the last weight")
    assert [told[0] for told in speaking.results() if len(told) == 1] == grams


def test_only_mt_sics_is_asked_to_speak(tmp_path: Path) -> None:
    for preset in PRESETS:
        (tmp_path / preset).mkdir()
        speaking = Speaking(tmp_path / preset, preset)
        with socket.create_server(("127.0.0.1", 0)) as listener:
            speaking.attach(listener.getsockname()[1])
            peer, _ = listener.accept()
            with peer:
                peer.settimeout(5)
                speaking.reactor.stop(1.0)
                assert peer.recv(64) == (b"SIR\r\n" if preset == "mt-sics" else b"")
        speaking.server.close()
