"""What one may say of the traffic of a simulated hub, for the commands that have one."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

MoreFaults = Annotated[list[str] | None, typer.Argument(metavar="[NAME=CHANCE]...", hidden=True)]
Rate = Annotated[int, typer.Option(min=1, max=100_000, help="Parcels an hour.")]
Seed = Annotated[int, typer.Option(min=0, help="Everything is drawn from it.")]
FaultSettings = Annotated[
    list[str] | None,
    typer.Option(metavar="NAME=CHANCE...", help="Chances per parcel, like no_read=0.05; none: no faults."),
]
ArrivalsFile = Annotated[Path | None, typer.Option(help="Real ten-minute volumes; needs --site and --date.")]
SiteName = Annotated[str | None, typer.Option(help="Site of the volumes.")]
Day = Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d"], help="Day of the volumes.")]
