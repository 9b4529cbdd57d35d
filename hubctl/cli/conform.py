"""`hubctl conform`: whether a device is what its profile says, check by check."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from hubctl.cli.output import print_json
from hubctl.cli.subjects import Wheel, named_subject, subject_of_hub
from hubctl.cli.twin_lines import TwinLine, TwinScaleLine, TwinScannerLine, TwinWheelLine

if TYPE_CHECKING:
    from hubctl.cli.subjects import Subject, Thing
    from hubctl.cli.targets import Keys, Line, Target
    from hubctl.conform.checks import Check, Finding
    from hubctl.conform.checks import Line as Way
    from hubctl.core.hubfile import Link, Scale, Scanner
    from hubctl.core.profile import Profile
    from hubctl.io.exchange import Exchange

EXIT_FAILED = 1
EXIT_NO_ANSWER = 2
NS_PER_MS = 1_000_000
DIAL_S = 0.01


def conform(
    name: Annotated[
        str,
        typer.Argument(
            help="A profile, the preset of a scanner or a scale, or shudiniao; a profile's TOML file; "
            "with --hub a scanner, a scale or a node."
        ),
    ],
    link: Annotated[
        str | None,
        typer.Option(
            help="tcp://HOST:PORT, rtu+tcp://HOST:PORT or tls://HOST:PORT; without a device, its twin is tried."
        ),
    ] = None,
    port: Annotated[str | None, typer.Option(help="Serial port of the device.")] = None,
    hub: Annotated[
        str | None, typer.Option(help="Hub file: the device is set up and reached as it says.")
    ] = None,
    twin: Annotated[bool, typer.Option("--twin", help="With --hub: try the twin all the same.")] = False,
    baud: Annotated[int, typer.Option(help="Of the serial port.")] = 9600,
    parity: Annotated[str, typer.Option(help="Of the serial port: none, even or odd.")] = "none",
    unit: Annotated[int, typer.Option(min=0, max=255, help="Modbus unit, or which wheel.")] = 1,
    timeout_ms: Annotated[int, typer.Option(min=1, max=60_000, help="For each answer.")] = 1000,
    outputs: Annotated[
        bool, typer.Option("--outputs", help="Switch outputs and let the watchdog act: nothing may move.")
    ] = False,
    ca: Annotated[str, typer.Option(help="TLS: PEM file of the authority to trust.")] = "",
    cert: Annotated[str, typer.Option(help="TLS: PEM file of our certificate.")] = "",
    key: Annotated[str, typer.Option(help="TLS: PEM file of its private key.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="One object on standard output.")] = False,
) -> None:
    """Check that a device does what its profile or preset says; exit 1 if it does not, 2 if it cannot be reached."""
    from hubctl.cli.targets import Keys, Line

    if link is not None and port is not None:
        raise typer.BadParameter("name a link or a port, not both", param_hint="--port")
    if hub is not None:
        subject, target = _of_hub(hub, name, timeout_ms)
    else:
        subject, target = named_subject(name, unit), None
    if link is not None or port is not None:
        line = Line(baud, parity)
        target = _target(link or port or "", line, subject.unit or unit, timeout_ms, Keys(ca, cert, key))
    _conform(subject.thing, Asked(None if twin else target, timeout_ms, outputs, as_json))


class Asked(NamedTuple):
    """How a device is to be checked."""

    target: Target | None  # None: its twin
    timeout_ms: int
    outputs: bool
    as_json: bool

    @property
    def with_outputs(self) -> bool:
        """A twin moves nothing."""
        return self.outputs or self.target is None


def _of_hub(hub_file: str, name: str, timeout_ms: int) -> tuple[Subject, Target]:
    """A device of a hub file, and how it is reached."""
    from hubctl.cli.targets import Target
    from hubctl.core.hubfile import resolve_hub

    hub = resolve_hub(hub_file)
    subject = subject_of_hub(hub, name)
    (link,) = (link for link in hub.links if link.name == subject.link)
    return subject, Target(link, subject.unit or 1, timeout_ms)


def _conform(thing: Thing, asked: Asked) -> None:
    from hubctl.core.hubfile import Scale, Scanner

    if isinstance(thing, Scanner):
        _conform_scanner(thing, asked)
    elif isinstance(thing, Scale):
        _conform_scale(thing, asked)
    elif isinstance(thing, Wheel):
        _conform_wheel(thing, asked)
    else:
        _conform_modbus(thing, asked)


def _conform_modbus(profile: Profile, asked: Asked) -> None:
    with _line_to(asked.target, profile.limits.settle_ms, partial(TwinLine, profile, rtu=False)) as line:
        told = list(_told(_checks(profile, line, asked), asked.as_json))
    _conclude({"profile": profile.name}, told, asked.as_json)


def _conform_scanner(scanner: Scanner, asked: Asked) -> None:
    from hubctl.conform.scanner import Hearer, scanner_checks

    if asked.target is not None:
        typer.echo("show the scanner a label whenever it is asked what it makes of a parcel", err=True)
    with _line_to(asked.target, 0, partial(TwinScannerLine, scanner)) as line:
        told = list(_told(scanner_checks(Hearer(line, scanner, asked.timeout_ms)), asked.as_json))
    _conclude({"preset": scanner.preset}, told, asked.as_json)


def _conform_scale(scale: Scale, asked: Asked) -> None:
    from hubctl.conform.scale import Weigher, scale_checks

    if asked.target is not None:
        typer.echo(
            "load the scale whenever it is asked what it makes of a load, and take it off again", err=True
        )
    with _line_to(asked.target, 0, partial(TwinScaleLine, scale)) as line:
        told = list(_told(scale_checks(Weigher(line, scale, asked.timeout_ms)), asked.as_json))
    _conclude({"preset": scale.preset}, told, asked.as_json)


def _conform_wheel(wheel: Wheel, asked: Asked) -> None:
    from hubctl.conform.wheel import NAME, Turner, wheel_checks

    with _line_to(asked.target, 0, partial(TwinWheelLine, wheel.unit)) as line:
        checks = wheel_checks(Turner(line, wheel.unit), with_outputs=asked.with_outputs)
        told = list(_told(checks, asked.as_json))
    _conclude({"wheel": NAME}, told, asked.as_json)


def _conclude(subject: dict[str, str], told: list[Finding], as_json: bool) -> None:
    failed = [finding for finding in told if not finding.passed]
    if as_json:
        print_json({**subject, "passed": not failed, "checks": [each.as_dict() for each in told]})
    else:
        typer.echo(f"{len(told)} checks, {len(failed)} failed")
    if failed:
        raise typer.Exit(EXIT_FAILED)


def _target(text: str, line: Line, unit: int, timeout_ms: int, keys: Keys) -> Target:
    from hubctl.cli.targets import target_of

    return target_of(text, unit=unit, timeout_ms=timeout_ms, hub=None, line=line, keys=keys)


def _checks(profile: Profile, line: Way, asked: Asked) -> Iterator[Check]:
    from hubctl.conform.modbus import Asker, modbus_checks

    target = asked.target
    if target is None:
        return modbus_checks(Asker(line, profile, rtu=False), with_outputs=True)
    rtu = target.link.kind.startswith("modbus-rtu")
    asker = Asker(line, profile, rtu=rtu, unit=target.unit, timeout_ms=target.timeout_ms)
    return modbus_checks(asker, with_outputs=asked.outputs)


def _told(checks: Iterator[Check], as_json: bool) -> Iterator[Finding]:
    from hubctl.conform.checks import findings

    for finding in findings(checks):
        if not as_json:
            typer.echo(f"{'pass' if finding.passed else 'FAIL'}  {finding.name}")
            if not finding.passed:
                typer.echo(f"      expected {finding.expected}; came {finding.came}")
        yield finding


@contextmanager
def _line_to(target: Target | None, settle_ms: int, twin: Callable[[], Way]) -> Iterator[Way]:
    if target is None:
        yield twin()
        return
    try:
        line = _dialled(target.link, target.timeout_ms)
        try:
            line.pause(settle_ms)
            yield line
        finally:
            line.close()
    except OSError as failure:
        typer.echo(f"the device cannot be reached: {failure}", err=True)
        raise typer.Exit(EXIT_NO_ANSWER) from None


def _dialled(link: Link, timeout_ms: int) -> Exchange:
    """A connection, within the time that an answer may take and a second more; OSError if there is none."""
    from hubctl.io.exchange import Exchange
    from hubctl.io.links import DialError, dial_of

    dial = dial_of(link)
    until_ns = time.monotonic_ns() + (timeout_ms + 1000) * NS_PER_MS
    try:
        dial.begin(time.monotonic_ns())
        while (fd := dial.finish(time.monotonic_ns())) is None:
            if time.monotonic_ns() > until_ns:
                raise TimeoutError("it does not answer the connection")
            time.sleep(DIAL_S)
    except DialError as failure:
        raise OSError(str(failure)) from None
    return Exchange(fd)
