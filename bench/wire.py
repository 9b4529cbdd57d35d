"""The Modbus master beside others, and the decoders: how many, how late, and how well neighbours are spared.

    python bench/wire.py                 all of it, about two minutes
    python bench/wire.py --only rate     one part: rate, lateness, neighbours, decoders

The devices are one C server; everything runs on one CPU. Absolute figures are this machine's: the ratios within one run
can be compared. `bench/README.md` says what each part does.
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

# The package of the same name, beside this file, holds the parts.
sys.path.insert(0, str(Path(__file__).parent))

from latency.compiled import BINARIES, compiled
from latency.processes import Child, on_cpus
from machine import command, machine
from wire.decoders import rates
from wire.ours import polling

from hubctl._reactor import LinkStatistics

HERE = Path(__file__).parent / "wire"
DEVICES = (1, 64)
AS_FAST_AS_CAN_BE_NS = 1000
LATENESS_PERIOD_NS = 2_000_000
NEIGHBOURS_PERIOD_NS = 5_000_000
N_NEIGHBOURS, N_BAD = 12, 4
N_ROUNDS_A_REPEAT = 5
N_LATE = 64
SETTLE_S = 0.5
PARTS = ("rate", "lateness", "neighbours", "decoders")


def arguments() -> argparse.Namespace:
    """The options."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", choices=PARTS, help="one part")
    parser.add_argument("--seconds", type=float, default=2.0, help="of each run (2)")
    parser.add_argument("--repeats", type=int, default=3, help="of each run (3)")
    parser.add_argument("--pin", type=int, default=max(os.sched_getaffinity(0)), help="CPU of everything")
    parser.add_argument("--json", action="store_true", help="one object instead of the tables")
    return parser.parse_args()


# Peers


@contextmanager
def devices(cpu: int) -> Iterator[int]:
    """A server that is as many devices as one connects to; its port."""
    with ExitStack() as stack:
        stamps = os.memfd_create("stamps")
        stack.callback(os.close, stamps)
        os.ftruncate(stamps, 1 << 16)
        errors = stack.enter_context(tempfile.TemporaryFile())
        command = [str(compiled("sink")), str(stamps), "1000", "answers"]
        child = stack.enter_context(Child("devices", command, errors, cpus=(cpu,), shared_fds=[stamps]))
        yield int(child.hear(10).split()[1])


@contextmanager
def bad_devices(cpu: int) -> Iterator[tuple[int, ...]]:
    """A black hole, a slow one, one that talks garbage, and a port where nobody is; on other CPUs than this."""
    others = os.sched_getaffinity(0) - {cpu} or None
    with ExitStack() as stack:
        errors = stack.enter_context(tempfile.TemporaryFile())
        program = [sys.executable, str(HERE / "bad_devices.py")]
        child = stack.enter_context(Child("bad devices", program, errors, cpus=others))
        ports = tuple(int(port) for port in child.hear(20).split())
        with socket.create_server(("127.0.0.1", 0)) as listener:
            nobody: int = listener.getsockname()[1]
        yield (*ports, nobody)


def client_program() -> Path | None:
    """libmodbus's client, compiled; None without the library."""
    program = BINARIES / "libmodbus_client"
    BINARIES.mkdir(exist_ok=True)
    build = [
        "cc",
        "-O2",
        "-Wall",
        "-Wextra",
        "-o",
        str(program),
        str(HERE / "libmodbus_client.c"),
        "-lmodbus",
    ]
    done = subprocess.run(build, capture_output=True, text=True, check=False)
    if done.returncode:
        print("libmodbus is left out (Debian: libmodbus-dev)", file=sys.stderr)
        return None
    return program


def told(command: Sequence[str], cpu: int) -> list[float]:
    """The numbers that a program prints."""
    with on_cpus((cpu,)):
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    return [float(word) for word in done.stdout.split()]


def rate_of(command: Sequence[str], cpu: int) -> float:
    """Answers a second of a program that prints how many, and how long it took."""
    n_answers, took_s = told(command, cpu)
    return n_answers / took_s


# Parts


def our_rate(port: int, n: int, options: argparse.Namespace) -> float:
    """Answers a second of the reactor with so many devices."""
    with polling([port] * n, AS_FAST_AS_CAN_BE_NS, options.pin) as ours:
        before = sum(link.n_frames for link in ours.run(SETTLE_S))
        return (sum(link.n_frames for link in ours.run(options.seconds)) - before) / options.seconds


def rate(options: argparse.Namespace) -> list[dict[str, Any]]:
    """Questions answered a second, by each program in turn."""
    library = client_program()
    ordinary = [sys.executable, str(HERE / "ordinary.py"), "rate"]
    rows = []
    with devices(options.pin) as port:
        for n in DEVICES:
            found: dict[str, list[float]] = {}
            for _ in range(options.repeats):
                found.setdefault("hubctl", []).append(our_rate(port, n, options))
                words = [str(port), str(n), str(options.seconds)]
                if library is not None:
                    found.setdefault("libmodbus", []).append(rate_of([str(library), *words], options.pin))
                found.setdefault("pymodbus", []).append(rate_of([*ordinary, *words], options.pin))
            rows.append(
                {"devices": n} | {name: round(statistics.median(each)) for name, each in found.items()}
            )
    return rows


def lateness(options: argparse.Namespace) -> list[dict[str, Any]]:
    """How far polls of 64 devices, each 2 ms, are behind their schedule; with the devices here, and elsewhere."""
    others = sorted(os.sched_getaffinity(0) - {options.pin})
    places = {"the same": options.pin, **({"another": others[0]} if others else {})}
    return [{"CPU of the devices": where, **lateness_beside(cpu, options)} for where, cpu in places.items()]


def lateness_beside(cpu: int, options: argparse.Namespace) -> dict[str, Any]:
    """Lateness of polls, the devices on one CPU."""
    with devices(cpu) as port, polling([port] * N_LATE, LATENESS_PERIOD_NS, options.pin) as ours:
        ours.run(SETTLE_S)
        before = [link.poll_lateness.n for link in ours.run(SETTLE_S)]
        links = ours.run(options.seconds * options.repeats)
    wanted = options.seconds * options.repeats * 1e9 / LATENESS_PERIOD_NS
    done = [link.poll_lateness.n - n for link, n in zip(links, before, strict=True)]
    return {
        "devices": N_LATE,
        "polls/s": round(sum(done) / options.seconds / options.repeats),
        "of those wanted": round(sum(done) / (wanted * N_LATE), 4),
        "p50 us": round(statistics.median(link.poll_lateness.p50_ns for link in links) / 1000),
        "p99 us": round(statistics.median(link.poll_lateness.p99_ns for link in links) / 1000),
        "worst p99 us": round(max(link.poll_lateness.p99_ns for link in links) / 1000),
    }


def our_neighbours(ports: Sequence[int], options: argparse.Namespace) -> dict[str, Any]:
    """Round trips and lateness of the first devices."""
    with polling(ports, NEIGHBOURS_PERIOD_NS, options.pin) as ours:
        links = ours.run(SETTLE_S + options.seconds)[:N_NEIGHBOURS]
    return {
        "p50 us": round(statistics.median(link.round_trip.p50_ns for link in links) / 1000),
        "p99 us": round(statistics.median(link.round_trip.p99_ns for link in links) / 1000),
        "late p99 us": round(statistics.median(link.poll_lateness.p99_ns for link in links) / 1000),
        "longest gap us": round(max(gap_ns(link) for link in links) / 1000),
        "answers": sum(link.n_frames for link in links),
    }


def gap_ns(link: LinkStatistics) -> int:
    """No two answers of a device were further apart: its period, the latest poll and the longest round trip."""
    return NEIGHBOURS_PERIOD_NS + link.poll_lateness.max_ns + link.round_trip.max_ns


def ordinary_neighbours(ports: Sequence[int], options: argparse.Namespace) -> dict[str, Any]:
    """How long an ordinary program does not hear of the first devices."""
    program = [sys.executable, str(HERE / "ordinary.py"), "in-turn"]
    words = [options.seconds, NEIGHBOURS_PERIOD_NS / 1e6, N_NEIGHBOURS, *ports]
    _, _, longest, n = told([*program, *map(str, words)], options.pin)
    return {"longest gap us": round(longest), "answers": round(n)}


def neighbour_rounds(options: argparse.Namespace) -> Iterator[dict[str, dict[str, Any]]]:
    """Short runs, in another order each round: beside four healthy ones, four bad ones, and healthy ones again."""
    with devices(options.pin) as port, bad_devices(options.pin) as bad:
        good = [port] * N_NEIGHBOURS
        others = {"healthy": [port] * N_BAD, "bad": list(bad), "healthy again": [port] * N_BAD}
        for number in range(N_ROUNDS_A_REPEAT * options.repeats):
            names = list(others)
            turned = names[number % len(names) :] + names[: number % len(names)]
            yield {name: our_neighbours([*good, *others[name]], options) for name in turned}


def neighbours(options: argparse.Namespace) -> list[dict[str, Any]]:
    """Twelve healthy devices beside four more, and beside four on a bad day."""
    rounds = list(neighbour_rounds(options))
    rows: list[dict[str, Any]] = []
    for name in ("healthy", "bad", "healthy again"):
        ratios = [each[name]["p99 us"] / each["healthy"]["p99 us"] for each in rounds]
        row = {key: round(statistics.median(each[name][key] for each in rounds)) for key in rounds[0][name]}
        rows.append({"program": "hubctl", "the other four": name, **row})
        rows[-1]["p99/healthy"] = round(statistics.median(ratios), 2)
    return rows + ordinary_rows(options)


def ordinary_rows(options: argparse.Namespace) -> list[dict[str, Any]]:
    """The same for the program that asks in turn: once each, since it waits for seconds."""
    with devices(options.pin) as port, bad_devices(options.pin) as bad:
        good = [port] * N_NEIGHBOURS
        return [
            {
                "program": "in turn",
                "the other four": name,
                **ordinary_neighbours([*good, *others], options),
            }
            for name, others in (("healthy", [port] * N_BAD), ("bad", list(bad)))
        ]


def decoders(_: argparse.Namespace) -> list[dict[str, Any]]:
    """Each decoder alone."""
    return [{"decoder": name, "a second": round(value, 1)} for name, value in rates().items()]


# Showing


def table(rows: list[dict[str, Any]]) -> Iterator[str]:
    """Rows of one part, line by line."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    cells = [[shown(row.get(name, "-")) for name in names] for row in rows]
    widths = [max(len(cell) for cell in column) for column in zip(names, *cells, strict=True)]
    for line in (names, *cells):
        yield "  ".join(cell.rjust(width) for cell, width in zip(line, widths, strict=True))


def shown(value: Any) -> str:
    """A number with commas, or a word."""
    return f"{value:,}" if isinstance(value, int | float) else str(value)


def main() -> int:
    """0 once everything is shown."""
    options = arguments()
    parts = {"rate": rate, "lateness": lateness, "neighbours": neighbours, "decoders": decoders}
    found = {name: part(options) for name, part in parts.items() if options.only in (None, name)}
    if options.json:
        print(json.dumps({"machine": machine(), "command": command(), **found}))
        return 0
    print(machine(), command(), sep="\n")
    for name, rows in found.items():
        print("", name, *table(rows), sep="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
