"""What a node of ours does: round trip of an armed divert, fire accuracy while its host stands still, and size.

    python bench/node.py                    host process and QEMU, about three minutes
    python bench/node.py --parcels 1000     longer under stops

Bodies that this machine cannot run are left out. `bench/README.md` says what the columns mean.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from machine import command, machine
from node_stories.bodies import BUILD, available, build, running
from node_stories.stops import Accuracy, measure
from node_stories.trips import Trips, by_pymodbus, by_session

SIZE = "arm-none-eabi-size"


@dataclass(frozen=True)
class Results:
    """All that was measured."""

    trips: list[Trips]
    accuracy: list[Accuracy]
    flash_bytes: int
    ram_bytes: int


def arguments() -> argparse.Namespace:
    """The options given."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--trips", type=int, default=5000, help="of each program on each body (5000)")
    parser.add_argument(
        "--parcels", type=int, default=300, help="under stops of the host, on each body (300)"
    )
    parser.add_argument("--seed", type=int, default=1, help="of the stops (1)")
    parser.add_argument("--json", action="store_true", help="one object instead of the tables")
    return parser.parse_args()


def sizes() -> tuple[int, int]:
    """Bytes of flash and of RAM of the Cortex-M3 image; 0 without its tools."""
    image = BUILD / "node_lm3s.elf"
    if shutil.which(SIZE) is None or not image.exists():
        return 0, 0
    shown = subprocess.run([SIZE, str(image)], capture_output=True, text=True, check=True).stdout
    text, data, bss, *_ = (int(word) for word in shown.splitlines()[1].split()[:3])
    return text + data, data + bss


def run(options: argparse.Namespace) -> Results:
    """Each body gets a node of its own for each measurement."""
    build()
    trips, accuracy = [], []
    for body in available():
        for program in (by_session, by_pymodbus):
            with running(body) as node:
                trips.append(program(node, options.trips))
        with running(body) as node:
            accuracy.append(measure(node, options.parcels, options.seed))
    return Results(trips, accuracy, *sizes())


def lines(results: Results) -> Iterator[str]:
    """The tables."""
    yield f"{'body':<6}{'program':<16}{'trips':>7}{'p50 us':>9}{'p99 us':>9}{'max us':>9}"
    for t in results.trips:
        figures = f"{t.p50_us:>9.0f}{t.p99_us:>9.0f}{t.max_us:>9.0f}"
        yield f"{t.body:<6}{t.program:<16}{t.n_trips:>7}{figures}"
    yield ""
    yield (
        f"{'body':<6}{'parcels':>8}{'stops':>7}{'of ms':>8}{'fired':>7}{'missed':>8}{'wrong':>7}"
        f"{'off counts':>12}{'late p50':>10}{'p99':>7}{'max us':>8}"
    )
    for a in results.accuracy:
        yield (
            f"{a.body:<6}{a.n_parcels:>8}{a.n_stops:>7}{a.stopped_ms:>8}{a.n_fired:>7}{a.n_missed:>8}"
            f"{a.n_wrong:>7}{a.error_counts_max:>12}{a.late_us_p50:>10}{a.late_us_p99:>7}{a.late_us_max:>8}"
        )
    yield ""
    yield f"Cortex-M3 image: {results.flash_bytes} bytes of flash, {results.ram_bytes} of RAM and its stack"


def main() -> None:
    """Measures and prints."""
    options = arguments()
    results = run(options)
    if options.json:
        print(json.dumps({"machine": machine(), "command": command(), **asdict(results)}))
        return
    print(f"{machine()}\n{command()}\n")
    print("\n".join(lines(results)))


if __name__ == "__main__":
    main()
