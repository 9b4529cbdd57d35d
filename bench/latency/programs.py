"""The programs compared: how each is started on a site. One more program is one more row of `PROGRAMS`."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from latency.compiled import compiled
from latency.hub import write_hub

HOLD_MS = 50
HERE = Path(__file__).parent


@dataclass(frozen=True)
class Site:
    """What a program is told: where its scanner and nodes are, its plan and CPU, and what disturbs it."""

    directory: Path
    scanner_port: int
    node_ports: tuple[int, ...]
    cpu: int | None
    disturbance: str | None  # a key of disturbed.DISTURBANCES

    @property
    def labels(self) -> Path:
        """The labels in the order of their reads."""
        return self.directory / "labels.txt"

    @property
    def plan(self) -> Path:
        """Lines "label node coil"."""
        return self.directory / "plan.txt"

    def arguments(self) -> list[str]:
        """What the floor and the ordinary program are given."""
        nodes = ",".join(str(port) for port in self.node_ports)
        return [str(self.scanner_port), nodes, str(self.plan), str(HOLD_MS)]


@dataclass(frozen=True)
class Program:
    """A program: its command on a site, and whether it pins its serving thread by itself."""

    command: Callable[[Site], list[str]]
    pins_itself: bool = False


def launcher(site: Site, name: str, plain: list[str]) -> list[str]:
    """The Python program, with the site's disturbance inside."""
    if site.disturbance is None:
        return [sys.executable, *plain]
    cpu = "none" if site.cpu is None else str(site.cpu)
    return [sys.executable, str(HERE / "disturbed.py"), site.disturbance, cpu, name]


def floor(site: Site) -> list[str]:
    """The minimal C program."""
    return [str(compiled("floor")), *site.arguments()]


def ordinary(site: Site) -> list[str]:
    """asyncio and pymodbus."""
    return [*launcher(site, "ordinary", [str(HERE / "ordinary.py")]), *site.arguments()]


def hubctl(site: Site) -> list[str]:
    """hubctl's daemon on the benchmark's hub, as its console script starts it."""
    hub, plan, preadvice = write_hub(site)
    cpu = [] if site.cpu is None else ["--cpu", str(site.cpu)]
    start = launcher(site, "hubctl", ["-c", "from hubctl.cli.main import main; main()"])
    return [*start, "run", str(hub), "--plan", str(plan), "--preadvice", str(preadvice), *cpu]


PROGRAMS = {
    "floor": Program(floor),
    "hubctl": Program(hubctl, pins_itself=True),
    "ordinary": Program(ordinary),
}
