"""What the tests of the reactor stand on: small wirings, a Modbus node of bytes, waiting by condition."""

from __future__ import annotations

import os
import select
import socket
import threading
import time
import tty
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from hubctl._kernel import Kernel
from hubctl._reactor import Reactor
from hubctl._wire import modbus_crc
from hubctl.core import tables
from hubctl.core.events import Kind
from hubctl.core.labels import compose
from hubctl.core.layout import compile_layout
from hubctl.core.plan import compile_plan
from hubctl.core.site import load_site
from hubctl.core.tables import LinkKind, Table, Wiring
from hubctl.core.wiring import compile_wiring

MS = 1_000_000
NO_INDEX = 0xFFFF
PATIENCE_S = 10.0


def rows(dtype: np.dtype[np.void], *each: dict[str, Any]) -> Table:
    table = np.zeros(len(each), dtype)
    for i, row in enumerate(each):
        for key, value in row.items():
            table[i][key] = value
    return table


def wiring_of(
    *,
    n_outputs: int = 4,
    polls: list[dict[str, Any]] | None = None,
    signals: list[dict[str, Any]] | None = None,
    counters: list[dict[str, Any]] | None = None,
    in_flight_max: int = 1,
    kind: LinkKind = LinkKind.MODBUS_TCP,
    n_nodes: int = 1,
    hold_ms: int = 50,
) -> Wiring:
    """Nodes 0.. on link 0, unit = node + 1, `n_outputs` coils on each, chute i on node i // n_outputs."""
    nodes = [
        {"link": 0, "unit": i + 1, "n_outputs": n_outputs, "timeout_ns": 100 * MS} for i in range(n_nodes)
    ]
    outputs = [
        {"node": i // n_outputs, "coil": i % n_outputs, "hold_ns": hold_ms * MS}
        for i in range(n_nodes * n_outputs)
    ]
    return Wiring(
        links=rows(tables.LINK, {"kind": kind, "in_flight_max": in_flight_max, "baud": 115_200}),
        nodes=rows(tables.NODE_WIRE, *nodes),
        polls=rows(tables.POLL, *(polls or [])),
        signals=rows(tables.SIGNAL, *(signals or [])),
        counters=rows(tables.COUNTER, *(counters or [])),
        outputs=rows(tables.OUTPUT, *outputs),
        framings=rows(tables.FRAMING),
    )


class NodeModel:
    """A Modbus device that answers the bytes of one connection; its faults are attributes."""

    def __init__(self, *, rtu: bool = False, n_coils: int = 64) -> None:
        self.rtu = rtu
        self.coils = bytearray(n_coils)
        self.n_fires = [0] * n_coils  # a pulse may be over before anybody looks at the coil
        self.discrete = bytearray(256)
        self.registers = [0] * 128
        self.requests: list[bytes] = []  # unit and PDU of each
        self.is_silent = False
        self.spoil: Callable[[bytes], bytes] = lambda frame: frame
        self._buffer = b""

    def receive(self, data: bytes) -> bytes:
        self._buffer += data
        return b"".join(self._answers())

    def hang_up(self) -> None:
        """A new connection begins; coils stay as they are."""
        self._buffer = b""

    def _answers(self) -> Iterator[bytes]:
        while len(self._buffer) >= 8:
            size, body, transaction = self._split()
            if len(self._buffer) < size:
                return
            self._buffer = self._buffer[size:]
            self.requests.append(body)
            if not self.is_silent:
                yield self.spoil(self._wrap(body[:1] + self._answer(body[1:]), transaction))

    def _split(self) -> tuple[int, bytes, bytes]:
        if not self.rtu:
            size = 6 + int.from_bytes(self._buffer[4:6], "big")
            return size, self._buffer[6:size], self._buffer[:2]
        size = 9 + self._buffer[6] if self._buffer[1] in (15, 16) else 8
        return size, self._buffer[: size - 2], b""

    def _wrap(self, body: bytes, transaction: bytes) -> bytes:
        if self.rtu:
            return body + modbus_crc(body).to_bytes(2, "little")
        return transaction + b"\0\0" + len(body).to_bytes(2, "big") + body

    def _answer(self, pdu: bytes) -> bytes:
        function, address, count = pdu[0], int.from_bytes(pdu[1:3], "big"), int.from_bytes(pdu[3:5], "big")
        if function in (1, 2):
            space = self.coils if function == 1 else self.discrete
            data = bytearray((count + 7) // 8)
            for i in range(count):
                data[i // 8] |= space[address + i] << (i % 8)
            return bytes([function, len(data)]) + bytes(data)
        if function in (3, 4):
            values = self.registers[address : address + count]
            return bytes([function, 2 * count]) + b"".join(v.to_bytes(2, "big") for v in values)
        if function == 5:
            self.coils[address] = pdu[3] != 0
            self.n_fires[address] += pdu[3] != 0
        elif function == 15:
            for i in range(count):
                self.coils[address + i] = pdu[6 + i // 8] >> (i % 8) & 1
        return pdu[:5]


class Serving:
    """One listening socket whose first connections are each served by a function, on a thread."""

    def __init__(self, serve: Callable[[socket.socket], None]) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._serve = serve
        self._open: list[socket.socket] = []
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while True:
            try:
                peer, _ = self._listener.accept()
            except OSError:
                return
            peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._open.append(peer)
            threading.Thread(target=self._serve_one, args=(peer,), daemon=True).start()

    def _serve_one(self, peer: socket.socket) -> None:
        try:
            self._serve(peer)
        except OSError:
            return

    def hang_up(self) -> None:
        for peer in self._open:
            peer.shutdown(socket.SHUT_RDWR)
            peer.close()
        self._open.clear()

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()
        for peer in self._open:
            peer.close()


def serve_node(node: NodeModel) -> Callable[[socket.socket], None]:
    def serve(peer: socket.socket) -> None:
        while data := peer.recv(4096):
            peer.sendall(node.receive(data))

    return serve


class PtyNode:
    """A Modbus RTU node behind a pty."""

    def __init__(self, node: NodeModel | None = None) -> None:
        self.node = node or NodeModel(rtu=True)
        self._master, slave = os.openpty()
        tty.setraw(self._master)
        tty.setraw(slave)
        self.path = os.ttyname(slave)
        os.set_blocking(slave, False)
        self.fd = slave
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        try:
            while data := os.read(self._master, 256):
                os.write(self._master, self.node.receive(data))
        except OSError:
            return

    def send(self, data: bytes) -> None:
        os.write(self._master, data)

    def close(self) -> None:
        os.close(self._master)


def connected(port: int) -> int:
    """A connected non-blocking descriptor that belongs to whoever takes it."""
    client = socket.create_connection(("127.0.0.1", port))
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    client.setblocking(False)
    return client.detach()


def until(condition: Callable[[], Any], what: str) -> Any:
    """Waits for a condition of another thread, a millisecond at a time; fails after PATIENCE_S."""
    deadline = time.monotonic() + PATIENCE_S
    while not (found := condition()):
        assert time.monotonic() < deadline, f"waited {PATIENCE_S} s in vain for {what}"
        select.select([], [], [], 0.001)
    return found


STATION = """
hub = {{ name = "two" }}
{machine}
belts = [{{ name = "table", kind = "station", length_mm = 1000, speed_mm_s = 1000, end_chute = "END"{run} }}]
links = [
  {{ name = "scanner", kind = "scanner-tcp", host = "127.0.0.1", port = {scanner} }},
  {first},
  {{ name = "io2", kind = "modbus-tcp", host = "127.0.0.1", port = {second} }},
]
nodes = [
  {{ name = "io1", link = "io1", timeout_ms = 100 }},
  {{ name = "io2", link = "io2", timeout_ms = 100 }},
]
scanners = [{{ name = "scanner", belt = "table", at_mm = 500, link = "scanner", latency_ms = 0 }}]
diverters = [
  {{ name = "D1", belt = "table", at_mm = 500, latency_ms = 0, hold_ms = {hold_ms}, commit_ms = 0{home} }},
  {{ name = "D2", belt = "table", at_mm = 500, latency_ms = 0, hold_ms = {hold_ms}, commit_ms = 0 }},
]
chutes = [
  {{ name = "C1", no = 1, diverter = "D1", output = "io1/coil/3" }},
  {{ name = "C2", no = 2, diverter = "D2", output = "io2/coil/0" }},
  {{ name = "END", no = 9 }},
]
"""

MACHINE = (
    'machine = { start_warning_ms = 100, start = "io1/discrete/0", reset = "io1/discrete/1", '
    'safety = "io1/discrete/2", red = "io1/coil/10", yellow = "io1/coil/11", green = "io1/coil/12" }'
)

STATION_PLAN = """
plan = { name = "two" }
labels = { accept = ["usps-impb"] }
lanes = [
  { name = "L1", keys = ["zip:1"], chutes = ["C1"] },
  { name = "L2", keys = ["zip:2"], chutes = ["C2"] },
]
"""

LINK_SCANNER, LINK_FIRST, LINK_SECOND = range(3)


def station_file(
    directory: Path,
    *,
    scanner: int = 15030,
    first: int | str = 15020,
    second: int = 15021,
    hold_ms: int = 50,
    in_flight_max: int = 1,
    machine: bool = False,
    first_kind: str = "modbus-tcp",
) -> Path:
    """A station hub file with its plan: ZIP 1 to coil 3 of io1, ZIP 2 to coil 0 of io2."""
    tcp = f'kind = "{first_kind}", host = "127.0.0.1", port = {first}'
    tcp += f", in_flight_max = {in_flight_max}" if first_kind == "modbus-tcp" else ""
    link = f'kind = "modbus-rtu", device = "{first}"' if isinstance(first, str) else tcp
    file = directory / "two.toml"
    file.write_text(
        STATION.format(
            scanner=scanner,
            first=f'{{ name = "io1", {link} }}',
            second=second,
            hold_ms=hold_ms,
            machine=MACHINE if machine else "",
            run=', run = "io1/coil/13"' if machine else "",
            home=', home = "io1/discrete/3"' if machine else "",
        )
    )
    (directory / "two.plan.toml").write_text(STATION_PLAN)
    return file


def label(serial: int, lane: int) -> bytes:
    """A telegram with a valid label of lane 1 or 2."""
    return b"\x02" + compose("usps-impb", serial, f"{lane}0003").encode() + b"\x03"


class Scanner(Serving):
    """A scanner that is connected to and sends what it is told."""

    def __init__(self) -> None:
        self._peers: list[socket.socket] = []
        super().__init__(self._hold)

    def _hold(self, peer: socket.socket) -> None:
        self._peers.append(peer)
        while peer.recv(4096):
            pass

    def send(self, data: bytes) -> None:
        """To the newest connection, once there is one."""
        until(lambda: self._peers, "a connection to the scanner")
        self._peers[-1].sendall(data)


class Rig:
    """A reactor on a station hub, with its scanner, its two nodes and everything it told."""

    def __init__(
        self,
        directory: Path,
        first: Callable[[socket.socket], None] | str | None = None,
        *,
        n_records: int = 65536,
        hold_ms: int = 50,
        in_flight_max: int = 1,
        framing: dict[str, Any] | None = None,
        machine: bool = False,
        first_kind: str = "modbus-tcp",
    ) -> None:
        self.nodes = NodeModel(), NodeModel()
        self.scanner = Scanner()
        serve_first = first if callable(first) else serve_node(self.nodes[0])
        self.servers = Serving(serve_first), Serving(serve_node(self.nodes[1]))
        device = first if isinstance(first, str) else self.servers[0].port
        file = station_file(
            directory,
            first=device,
            hold_ms=hold_ms,
            in_flight_max=in_flight_max,
            machine=machine,
            first_kind=first_kind,
        )
        self.site = load_site(str(file))
        assert self.site.plan is not None
        kernel = Kernel(compile_layout(self.site.hub), compile_plan(self.site.plan, self.site.hub))
        wiring = compile_wiring(self.site.hub)
        for key, value in (framing or {}).items():
            wiring.framings[key] = value
        self.reactor = Reactor(kernel, wiring, n_records=n_records)
        self.told: list[np.void] = []
        self.reactor.start()

    def __enter__(self) -> Rig:
        return self

    def __exit__(self, *_: object) -> None:
        self.reactor.stop(1.0)
        for server in (self.scanner, *self.servers):
            server.close()

    def attach(self) -> None:
        """Scanner and second node; the first node too if it is a TCP one."""
        self.reactor.attach(LINK_SCANNER, connected(self.scanner.port))
        self.reactor.attach(LINK_SECOND, connected(self.servers[1].port))

    def attach_first(self) -> None:
        self.reactor.attach(LINK_FIRST, connected(self.servers[0].port))

    def until_up(self, *nodes: int) -> None:
        until(lambda: all(self.reactor.statistics().nodes[i] == "up" for i in nodes), f"nodes {nodes}")

    def records(self, kind: Kind) -> list[np.void]:
        """Everything of a kind told so far."""
        self.told += list(self.reactor.drain())
        return [record for record in self.told if record["kind"] == kind]

    def until_told(self, kind: Kind, n: int = 1) -> list[np.void]:
        return until(lambda: (told := self.records(kind)) and len(told) >= n and told, f"{n} {kind.name}")

    def refusals(self, link: int) -> dict[str, int]:
        return self.reactor.statistics().links[link].refusals

    def until_refused(self, link: int, kind: str) -> None:
        until(lambda: self.refusals(link).get(kind), f"{kind} on link {link}")
