"""The benchmark's hub as hubctl reads it: hub file, sort plan and pre-advice, with this run's ports."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from latency.programs import Site

HERE = Path(__file__).parent
HUB, PLAN = HERE / "station.toml", HERE / "station.plan.toml"
PORTS = ("port = 15000", "port = 15001", "port = 15002")  # in station.toml: scanner, first node, second node


def write_hub(site: Site) -> tuple[Path, Path, Path]:
    """Hub file, plan and pre-advice of all labels, in the site's directory."""
    text = HUB.read_text()
    for placeholder, port in zip(PORTS, (site.scanner_port, *site.node_ports), strict=True):
        text = text.replace(placeholder, f"port = {port}")
    hub, preadvice = site.directory / HUB.name, site.directory / "preadvice.csv"
    hub.write_text(text)
    preadvice.write_text("".join(["label,key\n", *map(preadvice_line, site.labels.read_text().split())]))
    return hub, PLAN, preadvice


def preadvice_line(label: str) -> str:
    """What the host would tell of a label: the key of its lane, here its ZIP code."""
    return f"{label},zip:{label[3:8]}\n"
