"""Fire accuracy while the host's process is stopped and goes on, again and again."""

from __future__ import annotations

import json
import select
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from hubctl.protocol import nodeworld as w
from node_stories.bodies import Node, dial

SPEED = 6000  # counts a second: 3 m/s at 0.5 mm a count
PITCH_COUNTS = 1200  # a parcel each 0.6 m
AHEAD_COUNTS = 1800  # its route is firm 0.9 m before its diverter
SETTLE_COUNTS = 4 * SPEED  # the host starts meanwhile
N_DIVERTERS = 16
STOP_MS_MAX = 500
RUN_MS_MIN, RUN_MS_MAX = 200, 1500
WITHIN_COUNTS = 1
TICKS_PER_S = 1_000_000


class StopsError(Exception):
    """The node and its host do not tell the same."""


class On(NamedTuple):
    """An output switched on."""

    diverter: int
    counts: int
    ticks: int


@dataclass(frozen=True)
class Accuracy:
    """What was fired, by the node's count and by the clock."""

    body: str
    n_parcels: int
    n_stops: int
    stopped_ms: int
    n_fired: int
    n_missed: int
    n_wrong: int  # outputs switched on that were not due within one count
    error_counts_max: int
    late_us_p50: int  # from the instant at which the belt was there to the output
    late_us_p99: int
    late_us_max: int


class World:
    """The node's simulated world, and what it said."""

    def __init__(self, port: int) -> None:
        self.line: socket.socket = dial(port)
        self.words = w.WorldLine()
        self.said: list[w.WorldEvent] = []

    def tell(self, data: bytes) -> None:
        self.line.sendall(data)

    def listen(self, for_ns: int) -> None:
        """What comes within a while."""
        until_ns = time.monotonic_ns() + for_ns
        while (left_ns := until_ns - time.monotonic_ns()) > 0:
            if select.select([self.line], [], [], left_ns / 1e9)[0]:
                self.said += self.words.receive(self.line.recv(65536))

    def belt(self) -> int:
        """Where the belt is, for the first time."""
        self.tell(w.ask_belt())
        while not (places := [event for event in self.said if isinstance(event, w.BeltIsAt)]):
            self.listen(1_000_000)
        return places[0].counts


def draws(seed: int) -> list[int]:
    """Numbers below 2**16, by the generator of the C standard's example: the same each time."""
    state, drawn = seed, []
    for _ in range(4096):
        state = (state * 1103515245 + 12345) % 2**31
        drawn.append(state >> 15)
    return drawn


def measure(node: Node, n_parcels: int, seed: int) -> Accuracy:
    """Lets a host sort on a node, and stops it at random."""
    world = World(node.world_port)
    world.tell(w.run_belt(SPEED))
    start = world.belt() + SETTLE_COUNTS
    words = [node.modbus_port, int(node.rtu), 1, start, n_parcels, PITCH_COUNTS, AHEAD_COUNTS]
    program = [sys.executable, str(Path(__file__).parent / "host.py"), *(str(word) for word in words)]
    host = subprocess.Popen(program, stdout=subprocess.PIPE, text=True)
    n_stops, stopped_ms = disturb(host, world, draws(seed))
    told, _ = host.communicate()
    changes = [event for event in world.said if isinstance(event, w.OutputChanged)]
    ons = [On(change.diverter, change.counts, change.ticks) for change in changes if change.is_on]
    if len(ons) != json.loads(told)["kinds"].count("FIRED"):
        raise StopsError(f"{len(ons)} outputs were switched on, and told were {told}")
    late_us = lateness(ons)
    return Accuracy(
        *(node.name, n_parcels, n_stops, stopped_ms, len(ons), n_parcels - len(ons)),
        *judge(ons, start, n_parcels),
        *(late_us[len(late_us) // 2], late_us[len(late_us) * 99 // 100], late_us[-1]),
    )


def disturb(host: subprocess.Popen[str], world: World, drawn: list[int]) -> tuple[int, int]:
    """Runs and stops in turn until the host has ended."""
    n_stops = stopped_ms = 0
    while host.poll() is None:
        run_ms = RUN_MS_MIN + drawn.pop() % (RUN_MS_MAX - RUN_MS_MIN)
        stop_ms = 1 + drawn.pop() % STOP_MS_MAX
        world.listen(run_ms * 1_000_000)
        if host.poll() is not None:
            break
        host.send_signal(signal.SIGSTOP)
        world.listen(stop_ms * 1_000_000)
        host.send_signal(signal.SIGCONT)
        n_stops, stopped_ms = n_stops + 1, stopped_ms + stop_ms
    return n_stops, stopped_ms


def judge(ons: list[On], start: int, n_parcels: int) -> tuple[int, int]:
    """Of the outputs switched on: how many belong to no parcel there, and the largest error in counts."""
    n_wrong = error_counts_max = 0
    for on in ons:
        parcel = (on.counts - start + WITHIN_COUNTS) // PITCH_COUNTS
        error_counts = abs(on.counts - start - parcel * PITCH_COUNTS)
        is_there = 0 <= parcel < n_parcels and error_counts <= WITHIN_COUNTS
        n_wrong += not is_there or (parcel + 1) % N_DIVERTERS != on.diverter
        error_counts_max = max(error_counts_max, error_counts)
    return n_wrong, error_counts_max


def lateness(ons: list[On]) -> list[int]:
    """How long after the belt was there each output was switched on, in order, us; the promptest is the measure."""
    late_us = [on.ticks - on.counts * TICKS_PER_S // SPEED for on in ons]
    return sorted(late - min(late_us) for late in late_us)
