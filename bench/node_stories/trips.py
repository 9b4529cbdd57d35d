"""Round trips of one armed divert: our session beside pymodbus, on the same node."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from pymodbus import FramerType
from pymodbus.client import ModbusTcpClient

from hubctl.protocol import registers as r
from hubctl.protocol.node import Divert, NodeConfig, NodeReady, NodeSession
from node_stories.bodies import Node, dial

NS_PER_S = 1_000_000_000
FAR_COUNTS = 1_000_000
CONFIG = NodeConfig(watchdog_ms=60_000)


class TripError(Exception):
    """An answer that does not say that the divert is armed."""


@dataclass(frozen=True)
class Trips:
    """Round trips by one program on one body, us."""

    body: str
    program: str
    n_trips: int
    p50_us: float
    p99_us: float
    max_us: float


def summed(node: Node, program: str, trips_ns: list[int]) -> Trips:
    """The figures of many trips."""
    trips_us = [trip_ns / 1000 for trip_ns in sorted(trips_ns)]
    n = len(trips_us)
    return Trips(node.name, program, n, trips_us[n // 2], trips_us[n * 99 // 100], trips_us[-1])


def timed(n_trips: int, trip: Callable[[], None]) -> list[int]:
    """How long each took, ns."""
    trips_ns = []
    for _ in range(n_trips):
        start_ns = time.perf_counter_ns()
        trip()
        trips_ns.append(time.perf_counter_ns() - start_ns)
    return trips_ns


def by_session(node: Node, n_trips: int) -> Trips:
    """Our session: the same divert is armed anew each time."""
    line = dial(node.modbus_port)
    session = NodeSession(1, CONFIG, rtu=node.rtu, poll_ns=3600 * NS_PER_S, timeout_ns=NS_PER_S, quiet_ns=0)

    def talk() -> None:
        now_ns = time.monotonic_ns()
        out = session.advance(now_ns)
        if not out:
            return
        line.sendall(out)
        while session.waiting:
            session.receive(line.recv(4096), time.monotonic_ns())

    while not any(isinstance(event, NodeReady) for event in session.events()):
        talk()
    talk()

    def trip() -> None:
        session.arm(Divert(1, 0, FAR_COUNTS, FAR_COUNTS + 4, hold=20))
        while session.n_commands:
            talk()

    trips_ns = timed(n_trips, trip)
    if len(session.events()) != n_trips:
        raise TripError("not every divert was armed")
    line.close()
    return summed(node, "hubctl session", trips_ns)


def by_pymodbus(node: Node, n_trips: int) -> Trips:
    """pymodbus's synchronous client, the same registers in the same function 23."""
    framer = FramerType.RTU if node.rtu else FramerType.SOCKET
    with ModbusTcpClient("127.0.0.1", port=node.modbus_port, framer=framer) as client:
        identity = client.read_holding_registers(r.IDENTITY.address, count=r.IDENTITY.n_words).registers
        take = {"command": r.Command.TAKE, "seq": r.get(r.IDENTITY, identity, "boot_id")}
        exchange(client, r.COMMAND, **take)
        exchange(client, r.CONFIG, **CONFIG._asdict())
        arm = {"command": r.Command.ARM, "seq": 1, "action": r.Action.PULSE, "hold": 20, "hold_unit": 1}
        counts = {"fire_counts": FAR_COUNTS, "void_counts": FAR_COUNTS + 4}
        trips_ns = timed(n_trips, lambda: exchange(client, r.COMMAND, **arm, **counts))
    return summed(node, "pymodbus", trips_ns)


def exchange(client: ModbusTcpClient, block: r.Block, **values: int | tuple[int, ...]) -> None:
    """Writes a block and reads the result."""
    answer = client.readwrite_registers(
        read_address=r.RESULT.address,
        read_count=r.RESULT.n_words,
        write_address=block.address,
        values=r.put(block, epoch=2, **values),
    )
    if answer.isError() or answer.registers[1] != r.Result.OK:
        raise TripError(str(answer))
