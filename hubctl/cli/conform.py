"""`hubctl conform`: whether a device is what its profile says, check by check."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from hubctl.cli.output import print_json
from hubctl.cli.twin_lines import TwinLine, TwinScaleLine, TwinScannerLine, TwinWheelLine

if TYPE_CHECKING:
    from hubctl.cli.targets import Target
    from hubctl.conform.checks import Check, Finding, Line
    from hubctl.core.hubfile import Link
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
            help="A profile, the preset of a scanner or a scale, or shudiniao; or a profile's TOML file."
        ),
    ],
    link: Annotated[
        str | None,
        typer.Option(help="tcp://HOST:PORT or rtu+tcp://HOST:PORT; without a device, its twin is tried."),
    ] = None,
    port: Annotated[str | None, typer.Option(help="Serial port of the device.")] = None,
    baud: Annotated[int, typer.Option(help="Of the serial port.")] = 9600,
    parity: Annotated[str, typer.Option(help="Of the serial port: none, even or odd.")] = "none",
    unit: Annotated[int, typer.Option(min=0, max=255, help="Modbus unit, or which wheel.")] = 1,
    timeout_ms: Annotated[int, typer.Option(min=1, max=60_000, help="For each answer.")] = 1000,
    outputs: Annotated[
        bool, typer.Option("--outputs", help="Switch outputs and let the watchdog act: nothing may move.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One object on standard output.")] = False,
) -> None:
    """Check that a device does what its profile or preset says; exit 1 if it does not, 2 if it cannot be reached."""
    from hubctl.conform.wheel import NAME
    from hubctl.core import gauging
    from hubctl.core.presets import presets

    if link is not None and port is not None:
        raise typer.BadParameter("name a link or a port, not both", param_hint="--port")
    target = _target(link or port, baud, parity, unit, timeout_ms)
    if name in presets():
        _conform_scanner(name, target, timeout_ms, as_json)
    elif name in gauging.PRESETS:
        _conform_scale(name, target, timeout_ms, as_json)
    elif name == NAME:
        _conform_wheel(unit, target, outputs, as_json)
    else:
        _conform_modbus(name, target, outputs, as_json)


def _conform_modbus(name: str, target: Target | None, outputs: bool, as_json: bool) -> None:
    from hubctl.core.profile import resolve_profile

    profile = resolve_profile(name)
    with _line_to(target, profile.limits.settle_ms, partial(TwinLine, profile, rtu=False)) as line:
        told = list(_told(_checks(profile, line, target, outputs or target is None), as_json))
    _conclude({"profile": profile.name}, told, as_json)


def _conform_scanner(name: str, target: Target | None, timeout_ms: int, as_json: bool) -> None:
    from hubctl.conform.scanner import Hearer, scanner_checks

    if target is not None:
        typer.echo("show the scanner a label whenever it is asked what it makes of a parcel", err=True)
    with _line_to(target, 0, partial(TwinScannerLine, name)) as line:
        told = list(_told(scanner_checks(Hearer(line, name, timeout_ms)), as_json))
    _conclude({"preset": name}, told, as_json)


def _conform_scale(name: str, target: Target | None, timeout_ms: int, as_json: bool) -> None:
    from hubctl.conform.scale import Weigher, scale_checks

    if target is not None:
        typer.echo(
            "load the scale whenever it is asked what it makes of a load, and take it off again", err=True
        )
    with _line_to(target, 0, partial(TwinScaleLine, name)) as line:
        told = list(_told(scale_checks(Weigher(line, name, timeout_ms)), as_json))
    _conclude({"preset": name}, told, as_json)


def _conform_wheel(unit: int, target: Target | None, outputs: bool, as_json: bool) -> None:
    from hubctl.conform.wheel import NAME, Turner, wheel_checks

    with _line_to(target, 0, partial(TwinWheelLine, unit)) as line:
        checks = wheel_checks(Turner(line, unit), with_outputs=outputs or target is None)
        told = list(_told(checks, as_json))
    _conclude({"wheel": NAME}, told, as_json)


def _conclude(subject: dict[str, str], told: list[Finding], as_json: bool) -> None:
    failed = [finding for finding in told if not finding.passed]
    if as_json:
        print_json({**subject, "passed": not failed, "checks": [each.as_dict() for each in told]})
    else:
        typer.echo(f"{len(told)} checks, {len(failed)} failed")
    if failed:
        raise typer.Exit(EXIT_FAILED)


def _target(text: str | None, baud: int, parity: str, unit: int, timeout_ms: int) -> Target | None:
    """The device that is meant; None: the twin."""
    from hubctl.cli import targets

    if text is None:
        return None
    line = targets.Line(baud, parity)
    return targets.target_of(text, unit=unit, timeout_ms=timeout_ms, hub=None, line=line, keys=targets.Keys())


def _checks(profile: Profile, line: Line, target: Target | None, with_outputs: bool) -> Iterator[Check]:
    from hubctl.conform.modbus import Asker, modbus_checks

    if target is None:
        return modbus_checks(Asker(line, profile, rtu=False), with_outputs=with_outputs)
    rtu = target.link.kind != "modbus-tcp"
    asker = Asker(line, profile, rtu=rtu, unit=target.unit, timeout_ms=target.timeout_ms)
    return modbus_checks(asker, with_outputs=with_outputs)


def _told(checks: Iterator[Check], as_json: bool) -> Iterator[Finding]:
    from hubctl.conform.checks import findings

    for finding in findings(checks):
        if not as_json:
            typer.echo(f"{'pass' if finding.passed else 'FAIL'}  {finding.name}")
            if not finding.passed:
                typer.echo(f"      expected {finding.expected}; came {finding.came}")
        yield finding


@contextmanager
def _line_to(target: Target | None, settle_ms: int, twin: Callable[[], Line]) -> Iterator[Line]:
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
