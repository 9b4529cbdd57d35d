"""A daemon whose every kind of link is unplugged and plugged in again: each is up by itself, and heard as before."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rig import until

from hubctl.core.hubfile import Scale, Scanner
from hubctl.core.site import load_site
from hubctl.daemon.service import Service
from hubctl.sim.device_twins import PLAIN, twin_of
from hubctl.sim.live_devices import CallingDevice, TwinDevice
from hubctl.sim.live_nodes import TwinNodes
from hubctl.sim.scale_twins import Load, ScaleTwin
from hubctl.sim.scanner_twins import scanner_twin
from hubctl.sim.wheel_twins import WheelsTwin

HUB = """
hub = {{ name = "kinds" }}
belts = [{{ name = "main", length_mm = 9000, speed_mm_s = 500, end_chute = "END" }}]
links = [
  {{ name = "io", kind = "modbus-tcp", {io} }},
  {{ name = "line", kind = "modbus-rtu", {line} }},
  {{ name = "gate", kind = "modbus-rtu-tcp", {gate} }},
  {{ name = "wheel", kind = "wheel-tcp", {wheel} }},
  {{ name = "top", kind = "scanner-tcp", {top} }},
  {{ name = "side", kind = "scanner-serial", {side} }},
  {{ name = "back", kind = "scanner-listen", {back} }},
  {{ name = "scale", kind = "scale-tcp", {scale} }},
  {{ name = "gauge", kind = "scale-serial", {gauge} }},
]
nodes = [
  {{ name = "io", link = "io", timeout_ms = 50 }},
  {{ name = "line", link = "line", timeout_ms = 50 }},
  {{ name = "gate", link = "gate", timeout_ms = 50 }},
  {{ name = "wheel", link = "wheel", timeout_ms = 200 }},
]
eyes = [
  {{ name = "induct", belt = "main", at_mm = 300, role = "induct", input = "io/discrete/0" }},
  {{ name = "end", belt = "main", at_mm = 8800, role = "end", input = "io/discrete/1" }},
]
scanners = [
  {{ name = "top", belt = "main", at_mm = 1000, link = "top" }},
  {{ name = "side", belt = "main", at_mm = 1000, link = "side" }},
  {{ name = "back", belt = "main", at_mm = 1000, link = "back" }},
]
scales = [
  {{ name = "scale", belt = "main", at_mm = 2000, link = "scale", preset = "csv" }},
  {{ name = "gauge", belt = "main", at_mm = 2000, link = "gauge", preset = "cubiscan" }},
]
diverters = [
  {{ name = "D1", belt = "main", at_mm = 4000 }},
  {{ name = "D2", belt = "main", at_mm = 5000 }},
  {{ name = "D3", belt = "main", at_mm = 6000 }},
  {{ name = "D4", belt = "main", at_mm = 7000, hold_ms = 250, cycle_ms = 120 }},
]
chutes = [
  {{ name = "C1", no = 1, diverter = "D1", output = "io/coil/0" }},
  {{ name = "C2", no = 2, diverter = "D2", output = "line/coil/0" }},
  {{ name = "C3", no = 3, diverter = "D3", output = "gate/coil/0" }},
  {{ name = "C4", no = 4, diverter = "D4", output = "wheel/turn/left" }},
  {{ name = "END", no = 9 }},
]
"""
ON_A_LINE = {"line", "side", "gauge"}  # a serial port is not connected anew
SPEAKERS = ("top", "side", "back", "scale", "gauge")
LABEL, LOAD = b"SF1234567890123", Load(1200, 300, 200, 100)


class Devices:
    """A twin on each kind of link, on a thread of their own."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self.scanners = {name: scanner_twin(_scanner(name)) for name in ("top", "side", "back")}
        self.scales = {"scale": ScaleTwin(_scale("csv")), "gauge": ScaleTwin(_scale("cubiscan"))}
        self.speakers: dict[str, TwinDevice] = {
            "top": TwinDevice(self.scanners["top"], is_serial=False),
            "side": TwinDevice(self.scanners["side"], is_serial=True),
            "back": CallingDevice(self.scanners["back"]),
            "scale": TwinDevice(self.scales["scale"], is_serial=False),
            "gauge": TwinDevice(self.scales["gauge"], is_serial=True),
        }
        self._all: dict[str, Any] = {
            "io": TwinNodes({1: twin_of(PLAIN)}, "modbus-tcp"),
            "line": TwinNodes({1: twin_of(PLAIN)}, "modbus-rtu"),
            "gate": TwinNodes({1: twin_of(PLAIN)}, "modbus-rtu-tcp"),
            "wheel": TwinDevice(WheelsTwin([1], lambda unit, side: None), is_serial=False),
            **self.speakers,
        }

    def plug(self) -> dict[str, str]:
        """All are there; the keys of their links."""
        return {name: _keys(self._wait(device.plug())) for name, device in self._all.items()}

    def unplug(self) -> None:
        """None is there."""
        for device in self._all.values():
            self._wait(device.unplug())

    def say(self) -> None:
        """Each scanner reads a parcel, each scale weighs it."""
        for name, scanner in self.scanners.items():
            self._say(name, scanner.read(LABEL, 0, made_ns=0))
        for name, scale in self.scales.items():
            self._say(name, scale.weigh(LOAD))

    def _say(self, name: str, data: bytes) -> None:
        self._loop.call_soon_threadsafe(self.speakers[name].say, data)

    def close(self) -> None:
        """Ends them."""
        self.unplug()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    def _wait(self, awaitable: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(awaitable, self._loop).result(10)


def _scanner(name: str) -> Scanner:
    return Scanner(name=name, belt="main", at_mm=1000, link=name)


def _scale(preset: str) -> Scale:
    return Scale.model_validate({"name": "s", "belt": "main", "at_mm": 2000, "preset": preset})


def _keys(place: tuple[str, int] | str) -> str:
    return f'device = "{place}"' if isinstance(place, str) else f'host = "{place[0]}", port = {place[1]}'


class Daemon:
    """A whole daemon, turned by hand."""

    def __init__(self, file: Path) -> None:
        self.service = Service(load_site(str(file)))
        self.service.start()

    def until(self, is_so: Callable[[dict[str, Any]], bool], what: str) -> dict[str, Any]:
        """The status that is so at last."""

        def turned() -> dict[str, Any] | None:
            self.service.advance(time.monotonic_ns())
            status = self.service.status()
            return status if is_so(status) else None

        found: dict[str, Any] = until(turned, what)
        return found


@contextmanager
def running(directory: Path) -> Iterator[tuple[Daemon, Devices]]:
    devices = Devices()
    file = directory / "kinds.toml"
    file.write_text(HUB.format(**devices.plug()))
    daemon = Daemon(file)
    try:
        yield daemon, devices
    finally:
        daemon.service.stop(time.monotonic_ns())
        devices.close()


def is_all_up(status: dict[str, Any]) -> bool:
    return all(link["state"] == "up" for link in status["links"].values()) and set(
        status["nodes"].values()
    ) == {"up"}


def is_all_gone(status: dict[str, Any]) -> bool:
    """Links over TCP are down; of those on a line their node is, or nothing tells."""
    down = [name for name, link in status["links"].items() if link["state"] == "down"]
    return set(down) == set(status["links"]) - ON_A_LINE and "up" not in status["nodes"].values()


def are_heard(n: int) -> Callable[[dict[str, Any]], bool]:
    return lambda status: all(status["links"][name]["frames"] >= n for name in SPEAKERS)


def test_every_kind_of_link_comes_back_by_itself(tmp_path: Path) -> None:
    with running(tmp_path) as (daemon, devices):
        daemon.until(is_all_up, "every link and node")
        devices.say()
        before = daemon.until(are_heard(1), "every device to be heard")
        devices.unplug()
        daemon.until(is_all_gone, "every link to be gone")
        devices.plug()
        daemon.until(is_all_up, "every link and node again")
        devices.say()
        after = daemon.until(are_heard(2), "every device to be heard again")
    assert {name: link["connections"] for name, link in before["links"].items()} == dict.fromkeys(
        before["links"], 1
    )
    anew = {name for name, link in after["links"].items() if link["connections"] >= 2}
    assert anew == set(after["links"]) - ON_A_LINE
