"""Wheel diverters: what a hub file may wire to one, and the time it needs between two commands."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hubctl.core.address import SIDES, Address, Space, parse_address
from hubctl.core.config import Source
from hubctl.core.shape import known
from hubctl.core.where import Path

if TYPE_CHECKING:
    from hubctl.core.hubfile import Hub

SPACING_MS = 100  # between two commands to a wheel; a closer one is lost
UNITS_MAX = 99
WHEELS_MAX = 16  # of one link


def check_wheels(hub: Hub, source: Source, addresses: list[tuple[Path, str]]) -> None:
    """Note every fault of nodes on wheel links and of what is wired to them."""
    if not all(known(hub, section) for section in ("links", "nodes", "diverters", "chutes")):
        return
    links = {link.name for link in hub.links if known(link, "name", "kind") and link.kind == "wheel-tcp"}
    nodes = [(i, node) for i, node in enumerate(hub.nodes) if known(node, "name", "link")]
    wheels = {node.name for _, node in nodes if node.link in links}
    for path, text in addresses:
        _check_address(source, path, parse_address(text), wheels, {node.name for _, node in nodes})
    for index, node in nodes:
        if node.link in links and known(node, "unit", "firmware"):
            _check_node(source, index, node.unit, node.firmware)
    for link in links:
        _refuse_many(source, [i for i, node in nodes if node.link == link])
    _check_chutes(hub, source, wheels)


def _check_address(source: Source, path: Path, address: Address, wheels: set[str], nodes: set[str]) -> None:
    if address.node in nodes and (address.node in wheels) != (address.space is Space.TURN):
        if address.node in wheels:
            message = f"node {address.node} is a wheel diverter: it has only turns"
            source.add(path, message, f'like "{address.node}/turn/left", of a chute')
        else:
            source.add(path, f"node {address.node} is no wheel diverter", "a wheel is a node on a wheel link")


def _check_node(source: Source, index: int, unit: int, firmware: str) -> None:
    if not 1 <= unit <= UNITS_MAX:
        source.add(("nodes", index, "unit"), f"must be 1 to {UNITS_MAX} on a wheel link", "which wheel it is")
    if firmware != "modbus":
        source.add(("nodes", index, "firmware"), "must be absent: it is a wheel diverter")


def _refuse_many(source: Source, indices: list[int]) -> None:
    if len(indices) > WHEELS_MAX:
        message = f"its link must have {WHEELS_MAX} wheels or fewer"
        source.add(("nodes", indices[WHEELS_MAX], "link"), message)


def _check_chutes(hub: Hub, source: Source, wheels: set[str]) -> None:
    """A wheel turns to the chute's side, and has time to come back before it is told again."""
    diverters = {
        d.name: (i, d) for i, d in enumerate(hub.diverters) if known(d, "name", "hold_ms", "cycle_ms")
    }
    for index, chute in enumerate(hub.chutes):
        if not known(chute, "output", "side", "diverter") or chute.output is None:
            continue
        address = parse_address(chute.output)
        if address.node not in wheels or address.space is not Space.TURN:
            continue
        if SIDES[address.number] != chute.side:
            source.add(("chutes", index, "output"), f"must turn to the {chute.side}: the chute is there")
        if chute.diverter in diverters:
            _check_times(source, *diverters.pop(chute.diverter))


def _check_times(source: Source, index: int, diverter: object) -> None:
    for key in ("hold_ms", "cycle_ms"):
        if getattr(diverter, key) < SPACING_MS:
            hint = "a wheel loses commands that come closer"
            source.add(("diverters", index, key), f"must be {SPACING_MS} or more", hint)
