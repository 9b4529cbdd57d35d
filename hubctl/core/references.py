"""Checks what a hub file's names and addresses refer to: all exist, none is taken twice or left over."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from hubctl.core.address import parse_address
from hubctl.core.config import Source, nearest
from hubctl.core.devices import check_devices
from hubctl.core.natives import check_natives
from hubctl.core.shape import known
from hubctl.core.wheels import check_wheels
from hubctl.core.where import Path

if TYPE_CHECKING:
    from hubctl.core.hubfile import Hub

SECTIONS = ("belts", "links", "nodes", "eyes", "scanners", "scales", "diverters", "chutes")
REFERENCES = (  # section, its key, the section that has the name
    ("belts", "end_chute", "chutes"),
    ("nodes", "link", "links"),
    ("eyes", "belt", "belts"),
    ("scanners", "belt", "belts"),
    ("scanners", "link", "links"),
    ("scales", "belt", "belts"),
    ("scales", "link", "links"),
    ("scanners", "trigger", "eyes"),
    ("diverters", "belt", "belts"),
    ("chutes", "diverter", "diverters"),
    ("chutes", "to_belt", "belts"),
)
RTU_UNIT_MAX = 247
N_REGISTERS_MAX = 125  # in one reply (Modbus Application Protocol 1.1b3, 6.3 and 6.4)
SIZES = {"length", "width", "height"}
N_TUNNEL_MAX = 8  # scanners of one tunnel
SIGNALS = (
    ("chutes", "output"),
    ("eyes", "input"),
    ("chutes", "confirm"),
    ("chutes", "full"),
    ("diverters", "home"),
    ("eyes", "hold"),
    ("belts", "run"),
    ("chutes", "nearly_full"),
    ("scales", "ready"),
    ("scales", "weight"),
)
MACHINE_SIGNALS = ("start", "stop", "reset", "clear", "safety", "red", "yellow", "green", "buzzer")


def check_references(hub: Hub, source: Source) -> None:
    """Note every fault of names, numbers and addresses."""
    for section in SECTIONS:
        _refuse_twice(source, section, "name", entries(hub, section, "name"))
    _refuse_twice(source, "chutes", "no", entries(hub, "chutes", "no"))
    for section, key, target in REFERENCES:
        _refuse_dangling(hub, source, section, key, target)
    for path, address in _addresses(hub):
        _refuse_unknown_node(source, path, address)
    check_natives(hub, source, list(_addresses(hub)))
    check_devices(hub, source, list(_addresses(hub)))
    check_wheels(hub, source, list(_addresses(hub)))
    _check_links(hub, source)
    _check_signals(hub, source)
    _check_chutes(hub, source)
    _check_tunnels(hub, source)
    _check_scales(hub, source)


def entries(hub: Hub, section: str, *keys: str) -> Iterator[tuple[int, Any]]:
    """Index and entry of each entry of a section that has all of these keys, and has them right."""
    for index, entry in enumerate(getattr(hub, section, ())):
        if known(entry, *keys):
            yield index, entry


def resolves(hub: Hub, source: Source, section: str, key: str, target: str) -> bool:
    """Whether every entry of the section names one that exists: else what is left over is no news."""
    if not known(hub, section):
        return False
    every = getattr(hub, section)
    named = [getattr(entry, key) for _, entry in entries(hub, section, key)]
    return len(named) == len(every) and {name for name in named if name is not None} <= set(
        names(source, target)
    )


def names(source: Source, section: str) -> list[str]:
    """All names that a section gives, also those of entries with faults."""
    every = source.data.get(section)
    found = (
        [entry.get("name") for entry in every if isinstance(entry, dict)] if isinstance(every, list) else []
    )
    return [name for name in found if isinstance(name, str)]


def _refuse_twice(source: Source, section: str, key: str, found: Iterator[tuple[int, Any]]) -> None:
    seen: dict[object, int] = {}
    for index, entry in found:
        value = getattr(entry, key)
        if value in seen:
            line = source.line((section, seen[value], key))
            source.add(
                (section, index, key), f"is taken (line {line})", f"each of the {section} needs its own"
            )
        seen.setdefault(value, index)


def _refuse_dangling(hub: Hub, source: Source, section: str, key: str, target: str) -> None:
    there = names(source, target)
    for index, entry in entries(hub, section, key):
        name = getattr(entry, key)
        if name is not None and name not in there:
            source.add((section, index, key), f"there is no such entry in {target}", nearest(name, there))


def _refuse_unknown_node(source: Source, path: Path, address: str) -> None:
    node, there = parse_address(address).node, names(source, "nodes")
    if node not in there:
        source.add(path, f'there is no node "{node}"', nearest(node, there))


def _addresses(hub: Hub) -> Iterator[tuple[Path, str]]:
    """Path and text of every address in the file, counters last."""
    for section, key in SIGNALS:
        for index, entry in entries(hub, section, key):
            if getattr(entry, key) is not None:
                yield (section, index, key), getattr(entry, key)
    for key in MACHINE_SIGNALS if known(hub, "machine") and hub.machine is not None else ():
        if known(hub.machine, key) and getattr(hub.machine, key) is not None:
            yield ("machine", key), getattr(hub.machine, key)
    for index, address, _ in _counters(hub):
        yield ("belts", index, "encoder", "address"), address


def _counters(hub: Hub) -> Iterator[tuple[int, str, int]]:
    """Belt index, address and registers taken of each counter."""
    for index, belt in entries(hub, "belts", "encoder"):
        if belt.encoder is not None and known(belt.encoder, "address", "bits"):
            yield index, belt.encoder.address, 1 if belt.encoder.bits == 16 else 2


# Links


def _check_links(hub: Hub, source: Source) -> None:
    kinds = {link.name: link.kind for _, link in entries(hub, "links", "name", "kind")}
    for section, *fitting in (("nodes", "modbus", "wheel"), ("scanners", "scanner"), ("scales", "scale")):
        for index, entry in entries(hub, section, "link"):
            if entry.link is not None and not kinds.get(entry.link, fitting[0]).startswith(tuple(fitting)):
                message = f"must be a {' or '.join(fitting)} link"
                source.add((section, index, "link"), message, f"it is {kinds[entry.link]}")
    _refuse_broadcast(hub, source, kinds)
    _refuse_shared(source, "links", entries(hub, "links", "device"), lambda link: (link.device,), "device")
    _refuse_shared(
        source, "links", entries(hub, "links", "host", "port"), lambda link: (link.host, link.port), "port"
    )
    _refuse_shared(
        source, "nodes", entries(hub, "nodes", "link", "unit"), lambda node: (node.link, node.unit), "unit"
    )
    _refuse_shared(
        source, "scanners", entries(hub, "scanners", "link"), lambda scanner: (scanner.link,), "link"
    )
    spoken = ((i, scale) for i, scale in entries(hub, "scales", "link") if scale.link is not None)
    _refuse_shared(source, "scales", spoken, lambda scale: (scale.link,), "link")
    for section, kind in (("scanners", "scanner"), ("scales", "scale")):
        if resolves(hub, source, section, "link", "links"):
            _refuse_idle_links(hub, source, section, kind)


def _refuse_broadcast(hub: Hub, source: Source, kinds: dict[str, str]) -> None:
    for index, node in entries(hub, "nodes", "link", "unit"):
        if kinds.get(node.link, "").startswith("modbus-rtu") and not 1 <= node.unit <= RTU_UNIT_MAX:
            message = f"must be 1 to {RTU_UNIT_MAX} on a serial line"
            source.add(("nodes", index, "unit"), message, "0 speaks to all of them, and none answers")


def _refuse_shared(
    source: Source,
    section: str,
    found: Iterator[tuple[int, Any]],
    place: Callable[[Any], tuple[object, ...]],
    key: str,
) -> None:
    """Two entries at one place, which the key ends."""
    first: dict[tuple[object, ...], int] = {}
    for index, entry in found:
        other = first.setdefault(place(entry), index)
        if other != index:
            line = source.line((section, other, key))
            source.add((section, index, key), f"is taken by another of the {section} (line {line})")


def _refuse_idle_links(hub: Hub, source: Source, section: str, kind: str) -> None:
    used = {entry.link for entry in getattr(hub, section)}
    for index, link in entries(hub, "links", "name", "kind"):
        if link.kind.startswith(kind) and link.name not in used:
            hint = f"name it in a {kind}, or remove it"
            source.add(("links", index, "name"), f"no {kind} speaks on it", hint)


# Signals


def _check_signals(hub: Hub, source: Source) -> None:
    first: dict[tuple[object, ...], Path] = {}
    registers = set()
    for path, text in _addresses(hub):
        address = parse_address(text)
        other = first.setdefault(tuple(address), path)
        if other != path:
            source.add(path, f"the address is taken (line {source.line(other)})", "each signal needs its own")
        registers.add((address[:3], path))
    for index, text, n_registers in _counters(hub):
        _refuse_overlap(source, ("belts", index, "encoder", "address"), text, n_registers, registers)


def _refuse_overlap(
    source: Source, path: Path, text: str, n_registers: int, registers: set[tuple[tuple[Any, ...], Path]]
) -> None:
    node, space, number, _ = parse_address(text)
    taken = {(node, space, number + i) for i in range(n_registers)}
    for place, other in sorted(registers, key=lambda pair: source.line(pair[1])):
        if place in taken and other != path and other[0] != "belts":
            source.add(other, f"lies inside the counter of line {source.line(path)}", "take another register")


# Chutes


def _check_chutes(hub: Hub, source: Source) -> None:
    _refuse_side_twice(hub, source)
    ends = {belt.end_chute for _, belt in entries(hub, "belts", "end_chute", "kind") if belt.kind != "loop"}
    ends_known = resolves(hub, source, "belts", "end_chute", "chutes")
    for index, chute in entries(hub, "chutes", "name", "diverter"):
        if chute.diverter is None and ends_known and chute.name not in ends:
            hint = "name its diverter, or name it as the end_chute of a belt"
            source.add(("chutes", index, "diverter"), "no diverter serves it", hint)
        if chute.diverter is not None and chute.name in ends:
            source.add(("chutes", index, "diverter"), "must be absent: it is the chute at a belt's end")
        _check_output(source, index, chute)
    if resolves(hub, source, "chutes", "diverter", "diverters"):
        _refuse_idle_diverters(hub, source)


def _check_output(source: Source, index: int, chute: Any) -> None:
    if not known(chute, "output"):
        return
    if chute.diverter is not None and chute.output is None:
        source.add(("chutes", index, "output"), "missing", 'coil that diverts into it, like "io1/coil/0"')
    if chute.diverter is None and chute.output is not None:
        source.add(("chutes", index, "output"), "must be absent: nothing diverts into it")


def _refuse_side_twice(hub: Hub, source: Source) -> None:
    found = (
        (i, chute) for i, chute in entries(hub, "chutes", "diverter", "side") if chute.diverter is not None
    )
    first: dict[tuple[str, str], int] = {}
    for index, chute in found:
        other = first.setdefault((chute.diverter, chute.side), index)
        if other != index:
            line = source.line(("chutes", other))
            message = f"the {chute.side} of diverter {chute.diverter} is taken (line {line})"
            source.add(("chutes", index, "side"), message, shown=f'"{chute.side}"')


def _refuse_idle_diverters(hub: Hub, source: Source) -> None:
    served = {chute.diverter for chute in hub.chutes}
    for index, diverter in entries(hub, "diverters", "name"):
        if diverter.name not in served:
            source.add(("diverters", index, "name"), "it serves no chute", "name it in a chute, or remove it")


# Tunnels


def _check_tunnels(hub: Hub, source: Source) -> None:
    """A tunnel is of one belt, and of as many scanners as a parcel has sides."""
    inside: dict[str, list[Any]] = {}
    for index, scanner in entries(hub, "scanners", "tunnel", "belt"):
        if scanner.tunnel is None:
            continue
        others = inside.setdefault(scanner.tunnel, [])
        if others and others[0].belt != scanner.belt:
            message = f"tunnel {scanner.tunnel} is on belt {others[0].belt}"
            source.add(("scanners", index, "tunnel"), message, "one tunnel, one belt")
        others.append(scanner)
        if len(others) == N_TUNNEL_MAX + 1:
            source.add(("scanners", index, "tunnel"), f"must have {N_TUNNEL_MAX} scanners or fewer")


# Scales


def _check_scales(hub: Hub, source: Source) -> None:
    """A weight and the bit that says that it is new come in one reply; a scale speaks in one way."""
    for index, scale in entries(hub, "scales", "weight", "link"):
        if scale.weight is not None and scale.link is not None:
            source.add(("scales", index, "weight"), "must be absent: it speaks on a link", "one of the two")
    for index, scale in entries(hub, "scales", "columns"):
        _check_columns(source, index, scale.columns)
    for index, scale in entries(hub, "scales", "weight", "ready"):
        if (scale.weight is None) != (scale.ready is None):
            key = "ready" if scale.ready is None else "weight"
            source.add(
                ("scales", index, key), "missing", "the weight's register, and the bit that says it is new"
            )
        elif scale.weight is not None:
            weight, ready = parse_address(scale.weight), parse_address(scale.ready)
            if weight[:2] != ready[:2] or abs(weight.number - ready.number) >= N_REGISTERS_MAX:
                message = (
                    f"must be a bit of {weight.node}/{weight.space.name.lower()} near the weight's register"
                )
                source.add(("scales", index, "ready"), message, "both must come in one reply")


def _check_columns(source: Source, index: int, columns: Sequence[str]) -> None:
    """Each is there once, and they say something."""
    told = [column for column in columns if column != "-"]
    if len(set(told)) < len(told):
        source.add(("scales", index, "columns"), "must have each of weight, length, width and height once")
    elif not told:
        source.add(("scales", index, "columns"), "must have a weight, or length, width and height")
    elif len(SIZES & set(told)) not in (0, len(SIZES)):
        source.add(("scales", index, "columns"), "must have all of length, width and height, or none")
