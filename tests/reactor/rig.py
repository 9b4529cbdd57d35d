"""What the tests of the reactor stand on: small wirings, a Modbus node of bytes, waiting by condition."""

from __future__ import annotations

import select
import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from hubctl._wire import modbus_crc
from hubctl.core import tables
from hubctl.core.tables import LinkKind, Table, Wiring

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
        self.discrete = bytearray(256)
        self.registers = [0] * 128
        self.requests: list[bytes] = []  # unit and PDU of each
        self.is_silent = False
        self.spoil: Callable[[bytes], bytes] = lambda frame: frame
        self._buffer = b""

    def receive(self, data: bytes) -> bytes:
        self._buffer += data
        return b"".join(self._answers())

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
