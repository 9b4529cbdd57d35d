"""A whole daemon and the twin of a device over a socket: another device is told of, a watchdog is armed anew."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from rig import Serving, until

from hubctl.core.address import Space
from hubctl.core.profile import resolve_profile
from hubctl.core.site import load_site
from hubctl.daemon.service import Service
from hubctl.sim.device_twins import WagoTwin
from hubctl.sim.modbus_twin import TwinFrames

HUB = """
hub = {{ name = "one" }}
belts = [{{ name = "main", kind = "station", length_mm = 1000, speed_mm_s = 1000, end_chute = "END" }}]
links = [
  {{ name = "io", kind = "modbus-tcp", host = "127.0.0.1", port = {io} }},
  {{ name = "top", kind = "scanner-tcp", host = "127.0.0.1", port = {top} }},
]
nodes = [{{ name = "io", link = "io", profile = "wago-750", watchdog_ms = 300, timeout_ms = 50, period_ms = 20 }}]
scanners = [{{ name = "top", belt = "main", at_mm = 500, link = "top", latency_ms = 0 }}]
diverters = [{{ name = "D1", belt = "main", at_mm = 500, latency_ms = 0, commit_ms = 0 }}]
chutes = [
  {{ name = "C1", no = 1, diverter = "D1", output = "io/coil/3" }},
  {{ name = "END", no = 9 }},
]
"""


class Wago:
    """A twin behind a socket, by the clock; a lock, since its watchdog is looked at from the test's thread."""

    def __init__(self) -> None:
        self.twin = WagoTwin(resolve_profile("wago-750"))
        self._lock = threading.Lock()

    def serve(self, peer: socket.socket) -> None:
        frames = TwinFrames({1: self.twin}, rtu=False)
        while data := peer.recv(4096):
            with self._lock:
                answers = frames.receive(data, time.monotonic_ns())
            peer.sendall(answers)

    def status(self) -> int:
        """Of its watchdog, now."""
        with self._lock:
            self.twin.advance(time.monotonic_ns())
            return self.twin.status


def hold(peer: socket.socket) -> None:
    while peer.recv(4096):
        continue


class Daemon:
    """A whole daemon, turned by hand."""

    def __init__(self, file: Path) -> None:
        self.service = Service(load_site(str(file)))
        self.service.start()
        self.said: list[str] = []

    def turn(self) -> None:
        self.service.advance(time.monotonic_ns())
        self.said += self.service.messages()

    def until(self, condition: Callable[[], object], what: str) -> None:
        until(lambda: self.turn() is None and condition(), what)

    @property
    def state(self) -> str:
        """Of its node."""
        return str(self.service.status()["nodes"]["io"])


@contextmanager
def running(directory: Path, wago: Wago) -> Iterator[Daemon]:
    device, top = Serving(wago.serve), Serving(hold)
    file = directory / "one.toml"
    file.write_text(HUB.format(io=device.port, top=top.port))
    daemon = Daemon(file)
    try:
        yield daemon
    finally:
        daemon.service.stop(time.monotonic_ns())
        device.close()
        top.close()


def test_a_device_that_is_another_is_told_in_words_and_gets_no_write(tmp_path: Path) -> None:
    wago = Wago()
    wago.twin.words[Space.HOLDING, 0x2011] = 767
    sentence = (
        "node io: by its profile wago-750, identity: holding 0x2011 must be 750; it says 767 (0x02ff): "
        "it is no device of the series 750"
    )
    with running(tmp_path, wago) as daemon:
        daemon.until(lambda: sentence in daemon.said, "the daemon to say what the device is")
        assert daemon.state == "preparing"
        assert daemon.service.status()["node_faults"] == {"io": sentence}
        wago.twin.words[Space.HOLDING, 0x2011] = 750
        daemon.until(lambda: daemon.state == "up", "the node up once it is the right one")
        assert daemon.service.status()["node_faults"] == {}
        assert daemon.said.count(sentence) == 1


def test_a_watchdog_that_acted_is_armed_anew_and_the_node_is_up_again(tmp_path: Path) -> None:
    wago = Wago()
    with running(tmp_path, wago) as daemon:
        daemon.until(lambda: daemon.state == "up" and wago.status() == WagoTwin.RUNNING, "the watchdog armed")
        wago.twin.is_silent = True
        daemon.until(lambda: wago.status() == WagoTwin.EXHAUSTED, "the watchdog to act")
        wago.twin.is_silent = False
        daemon.until(lambda: wago.status() == WagoTwin.RUNNING, "the watchdog armed anew")
        daemon.until(lambda: daemon.state == "up", "the node up again")
        assert (wago.status(), daemon.state) == (WagoTwin.RUNNING, "up")
