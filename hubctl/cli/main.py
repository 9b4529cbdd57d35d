"""The `hubctl` command: one file a verb group, joined here."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import typer

from hubctl.cli.bench import app as bench_app
from hubctl.cli.check import check
from hubctl.cli.conform import conform
from hubctl.cli.demo import demo
from hubctl.cli.faultlink import faultlink
from hubctl.cli.labels import app as labels_app
from hubctl.cli.modbus import app as modbus_app
from hubctl.cli.output import run as run_guarded
from hubctl.cli.plan import app as plan_app
from hubctl.cli.profile import app as profile_app
from hubctl.cli.run import run
from hubctl.cli.sim import sim
from hubctl.cli.swarm import swarm
from hubctl.cli.tell import tell

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    help="Control a parcel sorting hub: scan, follow, decide and fire at conveyor speed.",
    pretty_exceptions_enable=False,
)
app.command("check")(check)
app.command("conform")(conform)
app.command("demo")(demo)
app.command("faultlink")(faultlink)
app.command("run")(run)
app.command("sim")(sim)
app.command("tell")(tell)
app.command("swarm")(swarm)
app.add_typer(bench_app, name="bench")
app.add_typer(labels_app, name="labels")
app.add_typer(modbus_app, name="modbus")
app.add_typer(plan_app, name="plan")
app.add_typer(profile_app, name="profile")


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line of this process, or the given arguments."""
    run_guarded(app, sys.argv[1:] if arguments is None else arguments)
