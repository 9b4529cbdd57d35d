"""`hubctl faultlink`: a bad line between any two ends, by seed, until Ctrl-C."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hubctl.cli.output import print_json

if TYPE_CHECKING:
    from hubctl.sim.live_relay import Relay

MILLION = 1_000_000
Chance = Annotated[float, typer.Option(min=0.0, max=1.0, help="Chance for each piece of bytes.")]
Ms = Annotated[int, typer.Option(min=0, max=60_000, help="Milliseconds.")]


def faultlink(
    listen: Annotated[
        str, typer.Argument(help="Near end: tcp://HOST:PORT (port 0: any), pty, or a serial port.")
    ],
    target: Annotated[str, typer.Argument(help="Far end: tcp://HOST:PORT, or a serial port, PATH@BAUD.")],
    seed: Annotated[int, typer.Option(min=0, help="The same seed does the same to the same pieces.")] = 1,
    drop: Chance = 0.0,
    double: Chance = 0.0,
    corrupt: Chance = 0.0,
    split: Chance = 0.0,
    glue: Chance = 0.0,
    delay: Chance = 0.0,
    stall: Chance = 0.0,
    cut: Chance = 0.0,
    delay_ms: Ms = 50,
    stall_ms: Ms = 500,
    split_ms: Ms = 3,
    glue_ms: Ms = 20,
    as_json: Annotated[bool, typer.Option("--json", help="One object on standard output.")] = False,
) -> None:
    """Relay bytes over a bad line; at the end say what was done to them."""
    from hubctl.sim.faultlink import Troubles
    from hubctl.sim.live_relay import EndError, Relay, parse_end

    chances = {
        "drop": drop,
        "double": double,
        "corrupt": corrupt,
        "split": split,
        "glue": glue,
        "delay": delay,
        "stall": stall,
        "cut": cut,
    }
    millionths = {name: round(chance * MILLION) for name, chance in chances.items()}
    times = {"delay_ms": delay_ms, "stall_ms": stall_ms, "split_ms": split_ms, "glue_ms": glue_ms}
    try:
        relay = Relay(parse_end(listen), parse_end(target), Troubles(**millionths, **times), seed=seed)
    except EndError as error:
        raise typer.BadParameter(str(error)) from None
    typer.echo(f"faultlink: {relay.address} leads to {target}, seed {seed}; Ctrl-C to stop", err=True)
    _until_stopped(relay)
    told = {"seed": seed, "connections": relay.n_connections, "fault": relay.fault, **relay.counts()}
    print_json(told) if as_json else _print_lines(told)


def _until_stopped(relay: Relay) -> None:
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: relay.end())
    relay.run()


def _print_lines(told: dict[str, Any]) -> None:
    typer.echo(f"{told['connections']} connections, seed {told['seed']}")
    if told["fault"]:
        typer.echo(f"the far end could not be reached at last: {told['fault']}")
    for way in ("to_far", "to_near"):
        counts = ", ".join(f"{name} {n:,}" for name, n in told.get(way, {}).items())
        typer.echo(f"{way.replace('_', ' ')}: {counts or 'nothing'}")
