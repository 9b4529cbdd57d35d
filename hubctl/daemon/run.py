"""The daemon's life: advance the service until a signal comes, tell the outlets, stop in order."""

from __future__ import annotations

import os
import select
import signal
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from hubctl.core.events import Records
from hubctl.daemon.control import Control
from hubctl.daemon.outlets import Outlet, StatisticsLine
from hubctl.daemon.service import Service

TURN_S = 0.05
STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)


@contextmanager
def signals_told() -> Iterator[int]:
    """A descriptor that becomes readable when the process is asked to stop."""
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    before = {number: signal.signal(number, _note) for number in STOP_SIGNALS}
    wakeup_before = signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    try:
        yield reader
    finally:
        signal.set_wakeup_fd(wakeup_before)
        for number, handler in before.items():
            signal.signal(number, handler)
        os.close(reader)
        os.close(writer)


def run_service(
    service: Service, line: StatisticsLine, outlets: Sequence[Outlet], control: Control | None = None
) -> dict[str, Any]:
    """Run a started service until SIGTERM or SIGINT, then stop it.

    Returns
    -------
    dict
        The last status, with `outputs_safe`: each coil of a connected node was read back as off.
    """
    with signals_told() as stop_fd:
        while not select.select([stop_fd], [], [], TURN_S)[0]:
            now_ns = time.monotonic_ns()
            records = _turn(service, line, outlets, now_ns)
            if control is not None:
                control.advance(records, now_ns)
        if control is not None:
            control.close()
        return _stop(service, line, outlets)


def _turn(service: Service, line: StatisticsLine, outlets: Sequence[Outlet], now_ns: int) -> Records:
    records = service.advance(now_ns)
    for outlet in outlets:
        outlet.take(records)
    _say(service, line, outlets)
    due = [outlet for outlet in outlets if outlet.next_status_ns() <= now_ns]
    if due:
        status = service.status()
        for outlet in due:
            outlet.show(status, now_ns)
    return records


def _stop(service: Service, line: StatisticsLine, outlets: Sequence[Outlet]) -> dict[str, Any]:
    is_safe, records = service.stop(time.monotonic_ns())
    for outlet in outlets:
        outlet.take(records)
    _say(service, line, outlets)
    status = {**service.status(), "outputs_safe": is_safe}
    for outlet in outlets:
        outlet.show(status, time.monotonic_ns())
    if not is_safe:
        line.say("stopped, but not every coil was proved off: look at the diverters before anyone reaches in")
    return status


def _say(service: Service, line: StatisticsLine, outlets: Sequence[Outlet]) -> None:
    for message in service.messages() + [text for outlet in outlets for text in outlet.messages()]:
        line.say(message)


def _note(number: int, frame: object) -> None:
    """The wake-up descriptor has told already; without a handler the signal would end the process."""
