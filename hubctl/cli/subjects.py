"""What `hubctl conform` is to check: a profile, a preset, a wheel, or a device of a hub file as it is set up there."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, TypeAlias

import typer

from hubctl.core.config import nearest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hubctl.core.hubfile import Hub, Node, Scale, Scanner
    from hubctl.core.profile import Profile


class Wheel(NamedTuple):
    """A wheel diverter of a link."""

    unit: int


Thing: TypeAlias = "Profile | Scanner | Scale | Wheel"


class Subject(NamedTuple):
    """What is checked."""

    name: str
    thing: Thing
    link: str | None = None  # of the hub file, over which it is reached
    unit: int | None = None


def named_subject(name: str, unit: int) -> Subject:
    """The device of a preset, of a profile, or of a profile's file."""
    from hubctl.conform.scale import plain_scale
    from hubctl.conform.scanner import plain_scanner
    from hubctl.conform.wheel import NAME
    from hubctl.core import gauging
    from hubctl.core.presets import presets
    from hubctl.core.profile import profile_names, resolve_profile

    if name in presets():
        return Subject(name, plain_scanner(name))
    if name in gauging.PRESETS:
        return Subject(name, plain_scale(name))
    if name == NAME:
        return Subject(name, Wheel(unit))
    if not name.endswith(".toml") and name not in profile_names():
        names = [*presets(), *gauging.PRESETS, NAME, *profile_names()]
        raise typer.BadParameter(f"{name}: no profile and no preset has that name; {nearest(name, names)}")
    return Subject(name, resolve_profile(name))


def subject_of_hub(hub: Hub, name: str) -> Subject:
    """A scanner, a scale or a node of a hub file."""
    found = [*_speakers(hub, name), *(_node_subject(hub, node) for node in hub.nodes if node.name == name)]
    if len(found) == 1:
        return found[0]
    names = [thing.name for things in (hub.scanners, hub.scales, hub.nodes) for thing in things]
    what = "more than one thing" if found else "no scanner, scale or node"
    raise typer.BadParameter(f"{name}: {what} of the hub file has that name; {nearest(name, names)}")


def _speakers(hub: Hub, name: str) -> Iterator[Subject]:
    """Scanners and scales of that name."""
    for scanner in hub.scanners:
        if scanner.name == name:
            yield Subject(name, scanner, scanner.link)
    for scale in hub.scales:
        if scale.name == name and scale.link is None:
            raise typer.BadParameter(f"{name}: it is read from a register of a node; check that node")
        if scale.name == name:
            yield Subject(name, scale, scale.link)


def _node_subject(hub: Hub, node: Node) -> Subject:
    from hubctl.core.devices import profile_of
    from hubctl.core.profile import resolve_profile

    (link,) = (link for link in hub.links if link.name == node.link)
    if link.kind == "wheel-tcp":
        return Subject(node.name, Wheel(node.unit), node.link)
    profile = resolve_profile("hubctl-node") if node.firmware == "hubctl" else profile_of(node)
    if profile is None:
        raise typer.BadParameter(
            f"{node.name}: it has no profile in the hub file, so there is nothing to check"
        )
    return Subject(node.name, profile, node.link, node.unit)
