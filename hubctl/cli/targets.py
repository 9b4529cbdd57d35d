"""What a person names on the command line as one Modbus device: a URL, a serial port, or a node of a hub file."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import typer
from pydantic import TypeAdapter, ValidationError

from hubctl.core.devices import profile_of
from hubctl.core.hubfile import Hub, Link, resolve_hub
from hubctl.core.profile import Profile

FORM = "must be tcp://HOST:PORT, rtu+tcp://HOST:PORT, tls://HOST:PORT, a serial port, or with --hub the name of a node"
_KINDS = {"tcp": "modbus-tcp", "rtu+tcp": "modbus-rtu-tcp", "tls": "modbus-tls"}
_PORTS = {"tcp": 502, "rtu+tcp": 502, "tls": 802}
_LINK: TypeAdapter[Link] = TypeAdapter(Link)


class Line(NamedTuple):
    """How a serial port is set up."""

    baud: int = 115_200
    parity: str = "none"
    stop_bits: int = 1


class Keys(NamedTuple):
    """Files for TLS; empty where it is not spoken."""

    ca: str = ""
    certificate: str = ""
    key: str = ""
    server_name: str = ""


class Target(NamedTuple):
    """One device."""

    link: Link
    unit: int
    timeout_ms: int
    profile: Profile | None = None  # of a node whose places are those of the hub file


def target_of(
    text: str, *, unit: int | None, timeout_ms: int | None, hub: str | None, line: Line, keys: Keys
) -> Target:
    """The device that is meant; a usage error if there is none such."""
    if hub is not None:
        return _node_of(resolve_hub(hub), text, unit, timeout_ms)
    scheme, _, rest = text.partition("://")
    described = _over_tcp(text, scheme, keys) if rest else _serial(text, line)
    return Target(_link_of(text, described), 1 if unit is None else unit, timeout_ms or 1000)


def _node_of(hub: Hub, name: str, unit: int | None, timeout_ms: int | None) -> Target:
    nodes = {node.name: node for node in hub.nodes}
    if name not in nodes:
        raise typer.BadParameter(f"no node {name} in the hub file; it has {', '.join(nodes) or 'none'}")
    node = nodes[name]
    (link,) = (link for link in hub.links if link.name == node.link)
    if not link.kind.startswith("modbus"):
        raise typer.BadParameter(
            f"node {name} is reached over {link.name}, a {link.kind} link: must be Modbus"
        )
    return Target(link, node.unit if unit is None else unit, timeout_ms or node.timeout_ms, profile_of(node))


def _over_tcp(text: str, scheme: str, keys: Keys) -> dict[str, Any]:
    if scheme not in _KINDS:
        raise typer.BadParameter(f"{text}: {FORM}")
    try:
        place = urlsplit(text)
        host, port = place.hostname, place.port
    except ValueError as failure:
        raise typer.BadParameter(f"{text}: {failure}; {FORM}") from None
    described = {"kind": _KINDS[scheme], "host": host or "", "port": port or _PORTS[scheme]}
    return described | (_tls(text, keys) if scheme == "tls" else {})


def _tls(text: str, keys: Keys) -> dict[str, Any]:
    missing = [f"--{name}" for name, file in zip(("ca", "cert", "key"), keys, strict=False) if not file]
    if missing:
        raise typer.BadParameter(f"{text}: TLS needs {', '.join(missing)}")
    return keys._asdict()


def _serial(text: str, line: Line) -> dict[str, Any]:
    if not Path(text).is_absolute():
        raise typer.BadParameter(f"{text}: {FORM}")
    return {"kind": "modbus-rtu", "device": text, **line._asdict()}


def _link_of(text: str, described: dict[str, Any]) -> Link:
    try:
        return _LINK.validate_python({"name": "device", **described})
    except ValidationError as failure:
        first = failure.errors()[0]
        raise typer.BadParameter(f"{text}: {first['loc'][-1]}: {first['msg']}") from None
