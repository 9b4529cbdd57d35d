"""Nodes with our firmware: which belt each one counts, and whether all that is wired to it can be.

Such a node counts one encoder, so everything on it is of one belt. Its link is its own, since it is asked in another
way; and either all diverters of a hub are fired by such nodes, or none is: for the kernel then follows the belts as
far as all nodes have told, which is a little behind the time at which a plain output would have to be written.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from hubctl.core.address import NATIVE, Space, parse_address
from hubctl.core.config import Source
from hubctl.core.shape import known
from hubctl.core.where import Path

if TYPE_CHECKING:
    from hubctl.core.hubfile import Hub, Node

WATCHDOG_TIMEOUTS = 4  # so many unanswered polls, and then it is right to be safe


def belts_of_nodes(hub: Hub) -> dict[str, set[str]]:
    """The belts of which something is wired to each node."""
    belts: dict[str, set[str]] = {}
    for belt, text in _wired(hub):
        belts.setdefault(parse_address(text).node, set()).add(belt)
    return belts


def _wired(hub: Hub) -> Iterator[tuple[str, str]]:
    """Belt and address of everything by which a belt is followed or left."""
    for eye in hub.eyes:
        yield eye.belt, eye.input
    for belt in hub.belts:
        if belt.encoder is not None:
            yield belt.name, belt.encoder.address
    diverters = {diverter.name: diverter.belt for diverter in hub.diverters}
    for chute in hub.chutes:
        if chute.diverter in diverters and chute.output is not None:
            yield diverters[chute.diverter], chute.output


def check_natives(hub: Hub, source: Source, addresses: list[tuple[Path, str]]) -> None:
    """Note every fault of nodes with our firmware and of what is wired to them."""
    if not all(known(hub, section) for section in ("nodes", "eyes", "belts", "diverters", "chutes")):
        return
    firmware = {node.name: node.firmware for node in hub.nodes if known(node, "name", "firmware")}
    for path, text in addresses:
        _check_space(source, path, text, firmware)
    if "hubctl" not in firmware.values():
        return
    _check_outputs(hub, source, firmware)
    if all(_is_whole(hub, section) for section in ("eyes", "belts", "diverters", "chutes")):
        _check_belts(hub, source)
    _check_links(hub, source)


def _is_whole(hub: Hub, section: str) -> bool:
    keys = {
        "eyes": ("belt", "input"),
        "belts": ("name", "encoder"),
        "diverters": ("name", "belt"),
        "chutes": ("diverter", "output"),
    }[section]
    if section == "belts" and not all(
        belt.encoder is None or known(belt.encoder, "address") for belt in hub.belts if known(belt, "encoder")
    ):
        return False
    return all(known(entry, *keys) for entry in getattr(hub, section))


def _check_space(source: Source, path: Path, text: str, firmware: Mapping[str, str]) -> None:
    address = parse_address(text)
    is_ours = firmware.get(address.node) == "hubctl"
    if address.node not in firmware or is_ours == (address.space in NATIVE):
        return
    if is_ours:
        hint = 'like "n1/eye/3", "n1/divert/5" or "n1/count"'
        source.add(
            path, f"node {address.node} has our firmware: it has no {address.space.name.lower()}", hint
        )
    else:
        source.add(path, f"node {address.node} is a Modbus device", 'say firmware = "hubctl" if it has ours')


def _check_outputs(hub: Hub, source: Source, firmware: Mapping[str, str]) -> None:
    for index, chute in enumerate(hub.chutes):
        if known(chute, "output") and chute.output is not None:
            address = parse_address(chute.output)
            if address.space is Space.COIL and firmware.get(address.node) == "modbus":
                message = "must be fired by a node with our firmware, as others of this hub are"
                source.add(("chutes", index, "output"), message, 'like "n1/divert/5"')


def _check_belts(hub: Hub, source: Source) -> None:
    belts = belts_of_nodes(hub)
    kinds = {belt.name: belt for belt in hub.belts}
    for index, node in enumerate(hub.nodes):
        if not known(node, "name", "firmware") or node.firmware != "hubctl":
            continue
        on = sorted(belts.get(node.name, ()))
        if len(on) != 1:
            message = f"things of {len(on)} belts are wired to it: must be of one"
            source.add(("nodes", index, "name"), message, "it counts one encoder")
        elif on[0] in kinds:
            _check_belt(source, index, node, kinds[on[0]])


def _check_belt(source: Source, index: int, node: Node, belt: object) -> None:
    encoder = getattr(belt, "encoder", None)
    if encoder is None or parse_address(encoder.address).space is not Space.COUNT:
        message = "the encoder of its belt must be a node's with our firmware"
        source.add(("nodes", index, "name"), message, 'like address = "n1/count"')
    elif known(encoder, "bits") and encoder.bits != 32:
        source.add(("nodes", index, "name"), "the encoder of its belt must have 32 bits")
    if known(node, "watchdog_ms", "timeout_ms") and node.watchdog_ms < WATCHDOG_TIMEOUTS * node.timeout_ms:
        message = f"must be {WATCHDOG_TIMEOUTS * node.timeout_ms} or more"
        source.add(("nodes", index, "watchdog_ms"), message, f"{WATCHDOG_TIMEOUTS} times timeout_ms")


def _check_links(hub: Hub, source: Source) -> None:
    ours = {node.link for node in hub.nodes if known(node, "link", "firmware") and node.firmware == "hubctl"}
    seen: set[str] = set()
    for index, node in enumerate(hub.nodes):
        if not known(node, "link"):
            continue
        if node.link in seen and node.link in ours:
            message = f"link {node.link} has another node"
            source.add(("nodes", index, "link"), message, "a node with our firmware has a link of its own")
        seen.add(node.link)
