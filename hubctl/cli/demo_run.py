"""One demo: the simulated hub and the daemon, two processes joined by sockets and ptys, and judged here."""

from __future__ import annotations

import json
import os
import select
import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hubctl.cli.child import Child
from hubctl.cli.stalls import Stalls

if TYPE_CHECKING:
    from hubctl.core.site import Site

START_S_MAX = 30.0
SETTLE_S_MAX = 3.0  # for the last tracks to be closed once the belt is empty
LOOK_S = 0.2
HUB = ("-m", "hubctl.sim.live")
DAEMON = ("-c", "from hubctl.cli.main import main; main()", "run")


class RefusedError(Exception):
    """The simulated hub cannot be made of these options; the text says why."""


class StoppedError(Exception):
    """Ctrl-C before the traffic began."""


class FailedError(Exception):
    """It could not be brought to run; the text says what was missing."""


@dataclass(frozen=True)
class Options:
    """What to show."""

    hub: str
    plan: str | None
    seconds: int | None
    parcels_per_hour: int
    seed: int
    faults: Sequence[str]
    arrivals: Sequence[str]  # arguments of the simulated hub
    cpu: int | None
    is_qemu: bool = False  # nodes with our firmware run in QEMU
    unplugs: Sequence[str] = ()  # links that are unplugged for a while
    stall_ms: int = 0  # the daemon is stopped every few seconds, for so long at most


@dataclass(frozen=True)
class View:
    """What there is to show at one moment."""

    status: dict[str, Any]
    belt_s: float
    is_stopping: bool


class Demo:
    """The two processes from start to verdict. Used as a context: leaving it ends both."""

    def __init__(self, options: Options, directory: Path) -> None:
        self._options = options
        self._directory = directory
        self._told: dict[str, Any] = {}
        self._status: dict[str, Any] = {}
        self._n_interrupts = 0
        self._daemon: Child | None = None
        self._stalls: Stalls | None = None
        self._stalls_of_run: dict[str, int] = {}

    def __enter__(self) -> Demo:
        stops = (signal.SIGINT, signal.SIGTERM)
        self._handlers = {number: signal.signal(number, self._interrupted) for number in stops}
        self._began_ns = time.monotonic_ns()
        self._hub = Child("the simulated hub", (*HUB, *self._hub_arguments()), self._file("hub.log"))
        return self

    def __exit__(self, *error: object) -> None:
        for child in self._children:
            child.kill()
        for number, handler in self._handlers.items():
            signal.signal(number, handler)

    def _interrupted(self, number: int, frame: object) -> None:
        self._n_interrupts += 1

    @property
    def _children(self) -> list[Child]:
        return [self._hub] if self._daemon is None else [self._hub, self._daemon]

    def _file(self, name: str) -> Path:
        return self._directory / name

    def _hub_arguments(self) -> list[str]:
        options = self._options
        arguments = ["--hub", options.hub, "--seed", str(options.seed)]
        arguments += [] if options.plan is None else ["--plan", options.plan]
        arguments += ["--rate", str(options.parcels_per_hour), *options.arrivals]
        arguments += [f"--fault={fault}" for fault in options.faults]
        arguments += [f"--unplug={unplug}" for unplug in options.unplugs]
        arguments += ["--qemu"] if options.is_qemu else []
        arguments += [] if options.seconds is None else ["--seconds", str(options.seconds)]
        files = ("--truth", self._file("truth.npz"), "--preadvice", self._file("preadvice.csv"))
        return [*arguments, *map(str, files)]

    def _daemon_arguments(self, status_fd: int) -> list[str]:
        files = ("--preadvice", self._file("preadvice.csv"), "--records", self._file("records"))
        arguments = [str(self._file("hub.toml")), "--plan", self._plan_file(), *map(str, files)]
        arguments += [] if self._options.cpu is None else ["--cpu", str(self._options.cpu)]
        return [*arguments, "--status-fd", str(status_fd), "--json"]

    def _plan_file(self) -> str:
        from hubctl.core.hubfile import hub_path, plan_beside

        return self._options.plan or str(plan_beside(hub_path(self._options.hub)))

    def _load_site(self) -> Site:
        from hubctl.core.site import load_site

        return load_site(self._options.hub, self._options.plan)

    def start(self) -> None:
        """Starts both, and the traffic once every link is up."""
        self._site = self._load_site()
        self._await("the simulated hub's addresses", lambda: bool(self._told))
        self._write_hub_file(self._told["addresses"])
        listen, say = os.pipe()
        arguments = (*DAEMON, *self._daemon_arguments(say))
        self._daemon = Child("the daemon", arguments, self._file("daemon.log"), (listen, say))
        self._await("every link and node to be up", lambda: _all_up(self._status))
        self._hub.tell("go")
        self._began_ns = time.monotonic_ns()

    def _write_hub_file(self, told: dict[str, Any]) -> None:
        from hubctl.core.hubfile import readdress
        from hubctl.core.hubtext import hub_text

        addresses = {name: place if isinstance(place, str) else tuple(place) for name, place in told.items()}
        text = hub_text(readdress(self._site.hub, addresses))
        self._file("hub.toml").write_text(text, encoding="utf-8")

    def _await(self, what: str, is_there: Callable[[], bool]) -> None:
        until = time.monotonic() + START_S_MAX
        while not is_there():
            if self._n_interrupts:
                raise StoppedError
            if time.monotonic() > until:
                raise FailedError(f"waited {START_S_MAX:.0f} s for {what}, in vain")
            self._listen()

    def _listen(self) -> None:
        """Hears what the two say, or nothing for a while."""
        ready = select.select(self._children, [], [], min(LOOK_S, self._stalls_in_s()))[0]
        for child in ready:
            for line in child.lines():
                self._heard(child, line)

    def _stalls_in_s(self) -> float:
        return LOOK_S if self._stalls is None else self._stalls.wait_s()

    def _heard(self, child: Child, line: dict[str, Any]) -> None:
        if child is self._daemon:
            self._status = line
        elif "error" in line:
            raise RefusedError(line["error"])
        else:
            self._told |= line

    @property
    def note(self) -> str:
        """What the traffic is."""
        return str(self._told.get("note", ""))

    @property
    def belt_s(self) -> float:
        """Since the traffic began."""
        return (time.monotonic_ns() - self._began_ns) / 1e9

    def watch(self, show: Callable[[View], None]) -> None:
        """Lets it run until the belt is empty; Ctrl-C stops the traffic, a second one everything."""
        is_stopping = False
        assert self._daemon is not None
        self._stalls = Stalls(self._options.seed, self._options.stall_ms)
        while "drained" not in self._told and self._n_interrupts < 2:
            self._listen()
            self._stalls.serve(self._daemon)
            if self._n_interrupts and not is_stopping:
                self._hub.tell("stop")
                is_stopping = True
            show(View(self._status, self.belt_s, is_stopping))
        self._stalls.end(self._daemon)
        self._stalls_of_run = {"stalls": self._stalls.n_stalls, "daemon_stalled_ms": self._stalls.stalled_ms}
        self._stalls = None
        self._settle()

    def _settle(self) -> None:
        until = time.monotonic() + SETTLE_S_MAX
        while self._status["in_flight"] and self._n_interrupts < 2 and time.monotonic() < until:
            self._listen()

    def finish(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """Ends the daemon, then the simulated hub.

        Returns
        -------
        dict, dict
            The referee's verdict, and the last status of the daemon.
        """
        assert self._daemon is not None
        belt_s = self.belt_s
        final = json.loads(self._daemon.stop())
        self._hub.stop()
        verdict = self._judged(final["in_flight"])
        verdict |= {"belt_s": round(belt_s, 3), "stalled_ms": self._told.get("stalled_ms", 0)}
        return verdict | (self._stalls_of_run if self._options.stall_ms else {}), final

    def _judged(self, n_open: int) -> dict[str, Any]:
        from hubctl.sim.live_verdict import live_verdict

        files = [self._file(name) for name in ("preadvice.csv", "truth.npz", "records")]
        return live_verdict(self._site, *files, n_open=n_open)


def _all_up(status: dict[str, Any]) -> bool:
    if not status:
        return False
    return all(link["state"] == "up" for link in status["links"].values()) and all(
        state == "up" for state in status["nodes"].values()
    )
