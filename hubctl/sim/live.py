"""The simulated hub in real time: its devices on sockets and pseudo-terminals, its world by the clock.

`python -m hubctl.sim.live` says on standard output where its devices listen, and obeys lines on standard
input: `go` starts the traffic, `stop` ends it; once the belt is empty it writes the truth and says so. At the
end of its input, or on SIGTERM, it writes what is true by then and leaves.
"""

from __future__ import annotations

import argparse
import asyncio
import csv
import gc
import json
import signal
import sys
import time
from collections.abc import Iterator
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from hubctl.core.address import Address
from hubctl.core.config import ConfigError
from hubctl.core.devices import profile_of
from hubctl.core.hubfile import Hub, Link, Node
from hubctl.core.plan import SortPlan
from hubctl.core.preadvice import HEADER, PreAdvice
from hubctl.core.site import load_site
from hubctl.sim.arrivals import Arrivals, ArrivalsError, load_arrivals
from hubctl.sim.device_twins import PLAIN, twin_of
from hubctl.sim.faults import FaultError, Faults, parse_faults
from hubctl.sim.hub import NS_PER_MS, make_world
from hubctl.sim.live_devices import CallingDevice, TwinDevice
from hubctl.sim.live_nodes import TwinNodes, WiredBoard
from hubctl.sim.matter import Happens, Outcome
from hubctl.sim.modbus_devices import SerialNodes, TcpNodes, Units
from hubctl.sim.modbus_twin import Twin
from hubctl.sim.node_processes import (
    COUNTS_SPAN,
    HOST,
    IMAGE,
    NodeBoard,
    NodeProcess,
    NodesError,
    ToldImage,
    emulator,
    firmware,
)
from hubctl.sim.plant import Plant
from hubctl.sim.scale_twins import Load, ScaleTwin
from hubctl.sim.scanner_twins import scanner_twin
from hubctl.sim.traffic import UM_PER_MM, Traffic, TrafficError, make_traffic, rows_of
from hubctl.sim.unplug import Unplug, UnplugError, parse_unplugs
from hubctl.sim.wheel_twins import WheelsTwin
from hubctl.sim.wires import Wires

Device = TcpNodes | SerialNodes | TwinNodes | NodeProcess | TwinDevice

PARCELS_MAX = 100_000  # of one run: 8 hours of the demo
NS_PER_S = 1_000_000_000
N_FIRST = 50
FAR_MM = 10_000_000
LOOK_NS = 2_000_000  # between two looks at the world
LOOK_S = 0.1  # between two looks whether the belt is empty
SAFE_AFTER_S = 0.2  # from a cut link to outputs that go off by themselves
EXIT_REFUSED = 2
WRAPS_AFTER_S = 10  # of running: the first node's count starts so far from its end
APART_COUNTS = 1_000_003  # one node's from the next one's


class LiveHub:
    """A hub whose devices answer with the state of its world at the instant they are asked."""

    def __init__(
        self, hub: Hub, traffic: Traffic, body: type[NodeProcess] = NodeProcess, *, is_unplugged: bool = False
    ) -> None:
        self._traffic = traffic
        self._body = partial(body, is_unplugged=is_unplugged)
        self._wires = Wires(hub)
        self._nodes: list[NodeProcess] = []
        self._counts_per_m = 0
        self._scanners = [scanner_twin(scanner) for scanner in hub.scanners]
        self._scanner_names = [scanner.link for scanner in hub.scanners]
        self._scales = {i: ScaleTwin(scale) for i, scale in enumerate(hub.scales) if scale.link is not None}
        self._scale_names = [scale.link for scale in hub.scales]
        self.devices = {link.name: self._device(hub, link) for link in hub.links}
        self._by_link = list(self.devices.values())
        self._n_drops = [0] * len(hub.links)
        self._digits = [scanner.stamp_digits if scanner.stamp == "encoder" else 0 for scanner in hub.scanners]
        self._tasks: set[asyncio.Task[Any]] = set()
        self.plant = Plant(make_world(hub, traffic, time.monotonic_ns()), self._happened)

    def _device(self, hub: Hub, link: Link) -> Device:
        native = [node.name for node in hub.nodes if node.link == link.name and node.firmware == "hubctl"]
        if native:
            return self._native(hub, native[0])
        if any(node.link == link.name and node.profile is not None for node in hub.nodes):
            return self._twins(hub, link)
        if link.kind == "modbus-rtu":
            return SerialNodes(self._units(hub, link))
        if link.kind in ("modbus-tcp", "modbus-rtu-tcp", "modbus-tls"):
            return TcpNodes(self._units(hub, link), rtu=link.kind == "modbus-rtu-tcp")
        if link.kind == "wheel-tcp":
            return TwinDevice(self._wheels(hub, link), is_serial=False)
        if link.kind in ("scale-tcp", "scale-serial"):
            twin = self._scales[self._scale_names.index(link.name)]
            return TwinDevice(twin, is_serial=link.kind == "scale-serial")
        scanner = self._scanners[self._scanner_names.index(link.name)]
        if link.kind == "scanner-listen":
            return CallingDevice(scanner)
        return TwinDevice(scanner, is_serial=link.kind == "scanner-serial")

    def _native(self, hub: Hub, name: str) -> NodeProcess:
        encoder = hub.belts[0].encoder
        assert encoder is not None
        self._counts_per_m = encoder.counts_per_m
        image = self._wires.images[name]
        assert isinstance(image, ToldImage)
        away = WRAPS_AFTER_S * hub.belts[0].speed_mm_s * self._counts_per_m // 1000
        start_counts = (len(self._nodes) * APART_COUNTS - away) % COUNTS_SPAN
        self._nodes.append(self._body(name, image, start_counts, self._switched))
        return self._nodes[-1]

    def _switched(self, output: Address, on: bool, ran_counts: int) -> None:
        chute = self._wires.chute_of(output)
        if chute is not None:
            at_ns = self.plant.time_of(ran_counts * 1_000_000 // self._counts_per_m)
            self.plant.write_output(chute, on, at_ns)

    def _ran_counts(self, at_ns: int) -> int:
        return self.plant.travel_um(at_ns) * self._counts_per_m // 1_000_000

    def _wheels(self, hub: Hub, link: Link) -> WheelsTwin:
        names = {node.unit: node.name for node in hub.nodes if node.link == link.name}
        return WheelsTwin(names, lambda unit, side: self._turned(names[unit], side))

    def _turned(self, node: str, side: str | None) -> None:
        """A wheel turns to a side; None: to the middle."""
        for chute, on in self._wires.turn(node, side):
            self.plant.write_output(chute, on)

    def _units(self, hub: Hub, link: Link) -> Units:
        names = {node.unit: node.name for node in hub.nodes if node.link == link.name}
        images = {unit: self._wires.images[name] for unit, name in names.items()}
        return Units(images, self._refresh, lambda unit, coil, on: self._set_coil(names[unit], coil, on))

    def _twins(self, hub: Hub, link: Link) -> TwinNodes:
        """The nodes of a link of which one at least has a profile."""
        twins = {node.unit: self._twin(node) for node in hub.nodes if node.link == link.name}
        return TwinNodes(twins, link.kind, self._refresh)

    def _twin(self, node: Node) -> Twin:
        image = self._wires.images[node.name]
        board = WiredBoard(image, lambda coil, on: self._set_coil(node.name, coil, on))
        return twin_of(profile_of(node) or PLAIN, board)

    def _refresh(self) -> None:
        self._wires.set_travel(self.plant.travel_um(self.plant.catch_up()))

    def _set_coil(self, node: str, coil: int, on: bool) -> None:
        chute = self._wires.set_coil(node, coil, on)
        if chute is not None:
            self.plant.write_output(chute, on)

    async def open(self) -> dict[str, tuple[str, int] | str]:
        """Plugs everything in; the address of each link."""
        addresses = {name: await device.plug() for name, device in self.devices.items()}
        self._wake()
        return addresses

    async def close(self) -> None:
        """Unplugs everything."""
        for device in self._by_link:
            await (device.end() if isinstance(device, NodeProcess) else device.unplug())

    def _wake(self) -> None:
        """Does what is due, and comes back for the next; it looks often, so that no stall goes unnoticed."""
        now_ns = self.plant.catch_up()
        for node in self._nodes:
            node.move_to(self._ran_counts(now_ns))
        wait_ns = min(self.plant.next_ns - now_ns, LOOK_NS)
        asyncio.get_running_loop().call_later(wait_ns / NS_PER_S, self._wake)

    def _happened(self, row: Any) -> None:
        kind, device, value = int(row["kind"]), int(row["device"]), bool(row["value"])
        if kind == Happens.EYE:
            self._wires.set_eye(device, value)
        elif kind == Happens.TELEGRAM:
            self._read(device, row)
        elif kind == Happens.WEIGHED and device in self._scales:
            self._weigh(device, int(row["parcel"]))
        elif kind == Happens.CONFIRM:
            self._wires.set_confirm(device, value)
        elif kind == Happens.LEVEL:
            self._wires.set_full(device, value)
        elif kind == Happens.LINK:
            self.set_link(device, value)
        for node in self._nodes:
            node.tell_edges(self._ran_counts(int(row["t_ns"])))

    def _read(self, scanner: int, row: Any) -> None:
        """A scanner says what it made of a parcel."""
        label = bytes(self._traffic.labels[row["parcel"]]) if row["value"] else None
        now_ns = time.monotonic_ns()
        delay_ns = int(self._traffic.reads[row["parcel"], scanner]["delay_ms"]) * NS_PER_MS
        said = self._scanners[scanner].read(
            label, now_ns, made_ns=now_ns - delay_ns, stamp=self._stamp(scanner, row)
        )
        device = self.devices[self._scanner_names[scanner]]
        assert isinstance(device, TwinDevice)
        device.say(said)
        device.look()

    def _weigh(self, scale: int, p: int) -> None:
        """A parcel lies on a scale that speaks."""
        parcel = self._traffic.parcels[p]
        load = Load(
            int(parcel["weight_g"]),
            int(parcel["length_um"]) // UM_PER_MM,
            int(parcel["width_mm"]),
            int(parcel["height_mm"]),
        )
        device = self.devices[self._scale_names[scale] or ""]
        assert isinstance(device, TwinDevice)
        device.say(self._scales[scale].weigh(load))

    def _stamp(self, scanner: int, row: Any) -> bytes:
        """The first node's count when a scanner that says it read a parcel."""
        if not self._digits[scanner] or not self._nodes:
            return b""
        delay_ns = int(self._traffic.reads[row["parcel"], scanner]["delay_ms"]) * NS_PER_MS
        counts = self._nodes[0].start_counts + self._ran_counts(int(row["t_ns"]) - delay_ns)
        return b"%0*d" % (self._digits[scanner], counts % COUNTS_SPAN)

    def set_link(self, link: int, up: bool) -> None:
        """Drops a link, or ends a drop; it is up again once every drop has ended."""
        self._n_drops[link] += -1 if up else 1
        device = self._by_link[link]
        if self._n_drops[link] == 1 and not up:
            self._do(device.unplug())
            asyncio.get_running_loop().call_later(SAFE_AFTER_S, self._make_safe, link)
        elif self._n_drops[link] == 0:
            self._do(device.plug())

    def _make_safe(self, link: int) -> None:
        """Modbus blocks are set up as a site should have them: silent hosts leave no output on."""
        device = self._by_link[link]
        if self._n_drops[link] and isinstance(device, TcpNodes | SerialNodes | TwinNodes):
            device.switch_off()

    def unplug_at(self, unplugs: list[Unplug]) -> None:
        """From now on these links are unplugged, each when and for as long as it says."""
        loop = asyncio.get_running_loop()
        for unplug in unplugs:
            loop.call_later(unplug.at_s, self.set_link, unplug.link, False)
            loop.call_later(unplug.at_s + unplug.for_s, self.set_link, unplug.link, True)

    def _do(self, act: Any) -> None:
        task = asyncio.ensure_future(act)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def live_traffic(
    hub: Hub,
    plan: SortPlan,
    *,
    seconds: int | None,
    parcels_per_hour: int,
    seed: int,
    faults: Faults,
    arrivals: Arrivals | None,
) -> Traffic:
    """The traffic of so many seconds of belt time, or of as long as a run may take.

    Parameters
    ----------
    seconds : int or None
        Parcels that would come later are left out; None for PARCELS_MAX parcels.
    """
    wanted = PARCELS_MAX if seconds is None else 2 * seconds * parcels_per_hour // 3600 + 100
    traffic = make_traffic(
        hub,
        plan,
        seed=seed,
        n=min(wanted, PARCELS_MAX),
        parcels_per_hour=parcels_per_hour,
        faults=faults,
        arrivals=arrivals,
        live=True,
    )
    if len(traffic.parcels) == 0:
        return traffic
    traffic = rows_of(traffic, slice(_soon_sorted(hub, plan, traffic), None))
    return traffic if seconds is None else _cut(traffic, seconds * hub.belts[0].speed_mm_s * UM_PER_MM)


def _soon_sorted(hub: Hub, plan: SortPlan, traffic: Traffic) -> int:
    """Of the first parcels the one with the shortest way to its chute: who starts a demo need not wait."""
    at_mm = {diverter.name: diverter.at_mm for diverter in hub.diverters}
    diverters = {chute.name: chute.diverter for chute in hub.chutes}
    ways = [at_mm.get(diverters[plan.chutes_of(lane)[0]] or "", FAR_MM) for lane in plan.lanes]
    first = traffic.parcels[:N_FIRST]
    is_plain = (first["put_um"] < 0) & (first["removed_um"] < 0) & (first["lane"] >= 0)
    is_plain &= (traffic.reads[:N_FIRST]["outcome"] == Outcome.READ).all(axis=1)
    return int(np.argmin(np.where(is_plain, np.array(ways)[first["lane"]], FAR_MM)))


def _cut(traffic: Traffic, run_um: int) -> Traffic:
    """The parcels that come while the belt runs so far, from the first one on."""
    comes_um = traffic.parcels["start_um"] + np.maximum(traffic.parcels["put_um"], 0)
    return rows_of(traffic, slice(int(np.searchsorted(comes_um, comes_um[0] + run_um))))


def write_truth(file: Path, live: LiveHub, traffic: Traffic) -> None:
    """Writes what happened to every parcel that came."""
    world, n = live.plant.world, live.plant.n_entered
    progress = world.progress[:n].copy()
    for key in ("inducted_ns", "landed_ns"):
        progress[key] = live.plant.host_ns(progress[key])
    with file.open("wb") as stream:
        np.savez(
            stream,
            parcels=world.parcels[:n],
            progress=progress,
            taken=_taken(live),
            mishaps=traffic.mishaps,
            as_one=world.as_one[: world.core[0]["n_as_one"]],
            labels=np.stack([traffic.labels[:n], traffic.others[:n]], axis=1),
        )


def _taken(live: LiveHub) -> npt.NDArray[np.void]:
    """What the paddles did, by the host's clock."""
    taken = live.plant.world.taken[: live.plant.world.core[0]["n_taken"]].copy()
    taken["t_ns"] = live.plant.host_ns(taken["t_ns"])
    return taken


def write_preadvice(file: Path, preadvice: PreAdvice) -> None:
    """Writes what the host would have told before."""
    with file.open("w", encoding="ascii", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(HEADER)
        writer.writerows(_advices(preadvice))


def _advices(preadvice: PreAdvice) -> Iterator[tuple[str, str]]:
    for label, key in zip(preadvice.labels, preadvice.keys, strict=True):
        yield label.decode("ascii"), key.decode("ascii")


def _say(thing: dict[str, Any]) -> None:
    print(json.dumps(thing), flush=True)


async def _obey(
    live: LiveHub, reader: asyncio.StreamReader, began: asyncio.Event, unplugs: list[Unplug]
) -> None:
    """Follows the lines on standard input to their end."""
    while line := await reader.readline():
        if line == b"go\n":
            live.plant.begin()
            live.unplug_at(unplugs)
            began.set()
        elif line == b"stop\n":
            live.plant.stop_inducting()


async def _watch(live: LiveHub, began: asyncio.Event, truth: Path, traffic: Traffic) -> None:
    """Tells when the belt is empty. It ends by failing, if the world has."""
    await began.wait()
    is_told = False
    while live.plant.failure is None:
        await asyncio.sleep(LOOK_S)
        if not is_told and live.plant.is_drained():
            write_truth(truth, live, traffic)
            _say({"drained": True, "stalled_ms": live.plant.stalled_ns // NS_PER_MS})
            is_told = True
    raise live.plant.failure


async def run(options: argparse.Namespace, hub: Hub, traffic: Traffic) -> None:
    """Serves the hub until the end of standard input or SIGTERM."""
    body = NodeBoard if options.qemu else NodeProcess
    live = LiveHub(hub, traffic, body, is_unplugged=_drops_links(options))
    write_preadvice(options.preadvice, traffic.preadvice)
    _say({"addresses": await live.open(), "preadvice": str(options.preadvice), "note": traffic.note})
    loop, reader, began = asyncio.get_running_loop(), asyncio.StreamReader(), asyncio.Event()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    watching = asyncio.create_task(_watch(live, began, options.truth, traffic))
    obeying = asyncio.create_task(_obey(live, reader, began, _unplugs(options, hub)))
    loop.add_signal_handler(signal.SIGTERM, reader.feed_eof)
    gc.freeze()
    await asyncio.wait([watching, obeying], return_when=asyncio.FIRST_COMPLETED)
    if watching.done():
        watching.result()
    watching.cancel()
    write_truth(options.truth, live, traffic)
    await live.close()


def _options(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser("hubctl.sim.live", description="A simulated hub in real time.")
    parser.add_argument("--hub", required=True)
    parser.add_argument("--plan")
    parser.add_argument("--seconds", type=int)
    parser.add_argument("--rate", type=int, default=12_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--fault", action="append", default=[])
    parser.add_argument("--unplug", action="append", default=[])
    parser.add_argument("--qemu", action="store_true")
    parser.add_argument("--arrivals", type=Path)
    parser.add_argument("--site")
    parser.add_argument("--date", type=date.fromisoformat)
    parser.add_argument("--truth", type=Path, required=True)
    parser.add_argument("--preadvice", type=Path, required=True)
    return parser.parse_args(arguments)


def _prepared(options: argparse.Namespace) -> tuple[Hub, Traffic]:
    hub, plan = load_site(options.hub, options.plan)
    if plan is None:
        raise TrafficError(f"no sort plan lies beside hub {options.hub}; name one with --plan")
    for belt in hub.belts:
        if belt.kind == "loop":
            raise TrafficError(
                f"belt {belt.name} is a loop, which runs in virtual time only: hubctl sim {options.hub}"
            )
    arrivals = load_arrivals(options.arrivals, options.site, options.date) if options.arrivals else None
    traffic = live_traffic(
        hub,
        plan,
        seconds=options.seconds,
        parcels_per_hour=options.rate,
        seed=options.seed,
        faults=parse_faults(options.fault, Faults()),
        arrivals=arrivals,
    )
    return hub, traffic


def _unplugs(options: argparse.Namespace, hub: Hub) -> list[Unplug]:
    return parse_unplugs(options.unplug, [link.name for link in hub.links])


def _drops_links(options: argparse.Namespace) -> bool:
    """Whether links go and come back."""
    return bool(options.unplug) or parse_faults(options.fault, Faults()).link_drop > 0


def check_bodies(hub: Hub, is_qemu: bool, drops_links: bool = False) -> None:
    """Whether there is what the hub's nodes with our firmware run on; NodesError if not."""
    if is_qemu and drops_links:
        raise NodesError(
            "a board that QEMU plays cannot be unplugged: leave out --qemu, or --unplug and link_drop"
        )
    is_native = any(node.firmware == "hubctl" for node in hub.nodes)
    if is_qemu and not is_native:
        raise NodesError(
            f"no node of hub {hub.hub.name} has our firmware: QEMU has nothing to run (try --hub nodes)"
        )
    if is_qemu:
        emulator()
    if is_native:
        firmware(IMAGE if is_qemu else HOST)


def main(arguments: list[str]) -> None:
    """Runs a simulated hub; what is wrong with the options is said on standard output too."""
    options = _options(arguments)
    try:
        hub, traffic = _prepared(options)
        check_bodies(hub, options.qemu, _drops_links(options))
        _unplugs(options, hub)
    except (ArrivalsError, FaultError, NodesError, TrafficError, UnplugError, ConfigError) as error:
        _say({"error": str(error)})
        sys.exit(EXIT_REFUSED)
    asyncio.run(run(options, hub, traffic))


if __name__ == "__main__":
    main(sys.argv[1:])
