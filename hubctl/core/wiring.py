"""Compiles a checked hub file into the wiring that the reactor reads: what is polled, written and framed, and where.

Links, nodes, scanners and scales keep the order of the file. What is polled goes together in as few requests as the
devices take; `core/layout.py` has what the kernel knows.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from hubctl.core import tables
from hubctl.core.address import Address, Space, parse_address
from hubctl.core.devices import (
    all_steps,
    drive_row,
    first_coil,
    limit_of,
    node_at,
    node_row,
    on_wire,
    pauses_of,
    pulse_row,
    sections_of,
    shown_at,
    step_row,
    word_order,
)
from hubctl.core.events import NO_INDEX, Kind, MachineCommand, TowerLight
from hubctl.core.gauging import gauging_of
from hubctl.core.hubfile import Encoder, Hub, Link, Machine, Node, Scale, Scanner
from hubctl.core.layout import NS_PER_MS, diverters_in_order, eyes_in_order
from hubctl.core.natives import belts_of_nodes
from hubctl.core.presets import Preset, presets
from hubctl.core.rows import index_of, table_of
from hubctl.core.tables import Answers, LinkKind, Protocol, Stamp, Wiring

BITS_MAX = 2000  # in one reply (Modbus Application Protocol 1.1b3, 6.1 and 6.2)
FUNCTION_23 = 23  # writes and reads
WRITE_COIL = 5
COIL_ON = 0xFF00
ENCODER_MODES = ("quadrature", "pulse-direction", "pulse")  # as the register map numbers them
REGISTERS_MAX = 125  # in one reply (6.3 and 6.4)
ALIVE_MS = 500  # between two polls of a node that is polled for nothing else

# Of a preset, what a scanner of the hub file may say instead.
_SAID_INSTEAD = (
    *("header", "terminator", "no_read", "heartbeat", "code_separator", "field_separator", "label_field"),
    *("group_separator", "greeting", "ask", "ask_ms", "alive_ms", "number_terminator", "silence_ms"),
)

_MARKS = (
    *("header", "terminator", "code_separator", "field_separator"),
    *("greeting", "ask", "number_terminator"),
)

_LINK_KINDS = {
    "modbus-tcp": LinkKind.MODBUS_TCP,
    "modbus-rtu": LinkKind.MODBUS_RTU,
    "modbus-rtu-tcp": LinkKind.MODBUS_RTU_TCP,
    "modbus-tls": LinkKind.MODBUS_TCP,
    "scanner-tcp": LinkKind.SCANNER,
    "scanner-listen": LinkKind.SCANNER,
    "scanner-serial": LinkKind.SCANNER,
    "scale-tcp": LinkKind.SCALE,
    "scale-serial": LinkKind.SCALE,
    "wheel-tcp": LinkKind.WHEEL,
}

_LAMPS = {
    "red": TowerLight.RED | TowerLight.RED_BLINKS,
    "yellow": TowerLight.YELLOW | TowerLight.YELLOW_BLINKS,
    "green": TowerLight.GREEN,
    "buzzer": TowerLight.BUZZER,
}


class _Want(NamedTuple):
    """Something to be polled: `width` bits or registers from an address; what it is for."""

    address: Address
    width: int
    kind: Kind
    row: int  # eye or chute; belt for a counter
    belt: int  # that an eye looks at, a chute takes from, a counter follows
    invert: bool
    which: int = 0  # of a chute's levels


class _Block(NamedTuple):
    """What one poll brings."""

    node: int
    space: Space
    first: int
    n_things: int  # bits or registers
    wants: tuple[_Want, ...]


def compile_wiring(hub: Hub) -> Wiring:
    """The tables the reactor reads: links, nodes, and what is polled where, in as few requests as can be.

    Parameters
    ----------
    hub : Hub
        A checked hub: names in it resolve.

    Returns
    -------
    Wiring
        Row `i` of `links`, `nodes`, `outputs` (by chute) and `framings` (by scanner) is entry `i` there.
    """
    nodes = list(_nodes(hub))
    blocks = _blocks(hub)
    blocks += _alive_blocks(nodes, blocks)
    signals = [row for i, block in enumerate(blocks) for row in _signals(hub, i, block)]
    return Wiring(
        links=table_of((_link(hub, link) for link in hub.links), tables.LINK),
        nodes=table_of(nodes, tables.NODE_WIRE),
        polls=table_of((_poll(hub, block) for block in blocks), tables.POLL),
        signals=table_of(sorted(signals, key=lambda row: (row["poll"], row["offset"])), tables.SIGNAL),
        counters=table_of(
            (row for i, block in enumerate(blocks) for row in _counters(hub, i, block)), tables.COUNTER
        ),
        outputs=table_of(_outputs(hub), tables.OUTPUT),
        framings=table_of(map(_framing, hub.scanners), tables.FRAMING),
        levels=table_of(_levels(hub), tables.LEVEL),
        gaugings=table_of(map(gauging_of, hub.scales), tables.GAUGING),
        steps=table_of(
            (step_row(node, place, step) for node, place, step in all_steps(hub)), tables.DEVICE_STEP
        ),
    )


def _link(hub: Hub, link: Link) -> dict[str, int]:
    scanners = {scanner.link: i for i, scanner in enumerate(hub.scanners)}
    scales = {scale.link: i for i, scale in enumerate(hub.scales) if scale.link is not None}
    return {
        "kind": _LINK_KINDS[link.kind],
        "scanner": (scanners | scales).get(link.name, NO_INDEX),
        "in_flight_max": getattr(link, "in_flight_max", 1),
        "together": getattr(link, "coils_together", False),
        "baud": getattr(link, "baud", 0),
    } | pauses_of(hub, link.name)


def _nodes(hub: Hub) -> Iterator[dict[str, int]]:
    first_step = 0
    for node in hub.nodes:
        sections = sections_of(hub, node)
        yield _node(hub, node) | node_row(node, sections, first_step)
        first_step += sum(map(len, sections.values()))


def _node(hub: Hub, node: Node) -> dict[str, int]:
    coils = [parse_address(chute.output) for chute in hub.chutes if chute.output is not None]
    coils += [parse_address(text) for _, _, text in _level_wants(hub)]
    return {
        "link": index_of(hub.links)[node.link],
        "unit": node.unit,
        "n_outputs": max(
            (
                on_wire(hub, coil).number + 1 - first_coil(node)
                for coil in coils
                if coil.node == node.name and coil.space is not Space.TURN
            ),
            default=0,
        ),
        "timeout_ns": node.timeout_ms * NS_PER_MS,
    } | (_native(hub, node) if node.firmware == "hubctl" else {})


def _native(hub: Hub, node: Node) -> dict[str, int]:
    """What there is to know of a node with our firmware."""
    (belt,) = belts_of_nodes(hub)[node.name]
    encoder = hub.belts[index_of(hub.belts)[belt]].encoder
    assert encoder is not None
    return {
        "is_native": 1,
        "period_ns": node.period_ms * NS_PER_MS,
        "belt": index_of(hub.belts)[belt],
        "leads": parse_address(encoder.address).node == node.name,
        "watchdog_ms": node.watchdog_ms,
        "encoder_mode": ENCODER_MODES.index(node.encoder_mode),
    }


def _blocks(hub: Hub) -> list[_Block]:
    """Every poll: for each node and table, the spans that hold what is wanted."""
    wired = (want._replace(address=on_wire(hub, want.address, want.width)) for want in _wants(hub))
    wants = sorted(wired, key=lambda want: (want.address.number, want.width))
    return [
        block
        for i, node in enumerate(hub.nodes)
        for space in (Space.INPUT, Space.HOLDING, Space.DISCRETE, Space.COIL, Space.EYE)
        for block in _split(i, node, space, [w for w in wants if w.address[:2] == (node.name, space)])
    ]


def _alive_blocks(nodes: list[dict[str, int]], blocks: list[_Block]) -> list[_Block]:
    """A poll of the first output of each node of which nothing else would tell that it is gone."""
    polled = {block.node for block in blocks}
    return [
        _Block(i, Space.COIL, node.get("first_coil", 0), 1, ())
        for i, node in enumerate(nodes)
        if node["n_outputs"] and not node.get("is_native") and not node.get("n_keep") and i not in polled
    ]


def _wants(hub: Hub) -> Iterator[_Want]:
    belts = index_of(hub.belts)
    for i, eye in enumerate(eyes_in_order(hub)):
        yield _Want(parse_address(eye.input), 1, Kind.EYE, i, belts[eye.belt], eye.invert)
    yield from _chute_wants(hub, {diverter.name: belts[diverter.belt] for diverter in hub.diverters})
    for i, diverter in enumerate(diverters_in_order(hub)):
        if diverter.home is not None:
            yield _Want(parse_address(diverter.home), 1, Kind.HOME, i, NO_INDEX, False)
    yield from _machine_wants(hub.machine)
    yield from _scale_wants(hub)
    for i, belt in enumerate(hub.belts):
        if belt.encoder is not None:
            address = parse_address(belt.encoder.address)
            yield _Want(address, _n_registers(belt.encoder), Kind.ENCODER, i, i, False)


def _machine_wants(machine: Machine | None) -> Iterator[_Want]:
    if machine is None:
        return
    for command in (MachineCommand.START, MachineCommand.STOP, MachineCommand.RESET, MachineCommand.CLEAR):
        text = getattr(machine, command.name.lower())
        if text is not None:
            yield _Want(parse_address(text), 1, Kind.MACHINE, command, NO_INDEX, False)
    if machine.safety is not None:
        yield _Want(parse_address(machine.safety), 1, Kind.SAFETY, 0, NO_INDEX, True)


def _scale_wants(hub: Hub) -> Iterator[_Want]:
    """Bit and register of a scale, so that both come in one reply."""
    for i, scale in enumerate(hub.scales):
        if scale.weight is not None and scale.ready is not None:
            places = sorted(
                (parse_address(scale.weight), parse_address(scale.ready)), key=lambda at: at.number
            )
            width = places[1].number - places[0].number + 1
            yield _Want(places[0], width, Kind.WEIGHT, i, NO_INDEX, False)


def _chute_wants(hub: Hub, belt_of_diverter: dict[str, int]) -> Iterator[_Want]:
    for i, chute in enumerate(hub.chutes):
        belt = belt_of_diverter.get(chute.diverter or "", NO_INDEX)
        for text, kind in ((chute.confirm, Kind.CONFIRM), (chute.full, Kind.CHUTE_LEVEL)):
            if text is not None:
                yield _Want(parse_address(text), 1, kind, i, belt, False)
        if chute.nearly_full is not None:
            yield _Want(parse_address(chute.nearly_full), 1, Kind.CHUTE_LEVEL, i, belt, False, 1)


def _n_registers(encoder: Encoder) -> int:
    return 1 if encoder.bits == 16 else 2


def _split(index: int, node: Node, space: Space, wants: Sequence[_Want]) -> Iterator[_Block]:
    """Blocks of at most as many bits or registers as one reply carries; `wants` come by address."""
    if space is Space.EYE and wants:
        yield _Block(index, space, 0, 1, tuple(wants))  # one register, a bit an eye
        return
    limit = limit_of(node, space, BITS_MAX if space in (Space.COIL, Space.DISCRETE) else REGISTERS_MAX)
    first, until = 0, 0
    inside: list[_Want] = []
    for want in wants:
        end = want.address.number + want.width
        if inside and end > until:
            yield _block(index, space, first, inside)
            inside = []
        if not inside:
            first, span_end = limit.first_of(want.address.number)
            until = min(span_end, first + limit.n_things)
        inside.append(want)
    if inside:
        yield _block(index, space, first, inside)


def _block(node: int, space: Space, first: int, wants: Sequence[_Want]) -> _Block:
    end = max(want.address.number + want.width for want in wants)
    return _Block(node, space, first, end - first, tuple(wants))


def _poll(hub: Hub, block: _Block) -> dict[str, int]:
    period_ms = hub.nodes[block.node].period_ms if block.wants else ALIVE_MS
    return {
        "node": block.node,
        "function": FUNCTION_23 if block.space is Space.EYE else block.space,
        "address": shown_at(hub.nodes[block.node], block.space, block.first),
        "count": block.n_things,
        "period_ns": period_ms * NS_PER_MS,
    }


def _signals(hub: Hub, poll: int, block: _Block) -> Iterator[dict[str, int]]:
    counted = {want.row for want in block.wants if want.kind is Kind.ENCODER}
    for want in block.wants:
        if want.kind is not Kind.ENCODER:
            yield {
                "poll": poll,
                "offset": _bit_offset(block, want.address),
                "kind": want.kind,
                "index": want.row,
                "invert": want.invert,
                "belt": want.belt if want.belt in counted else NO_INDEX,
                **(_weight(hub, hub.scales[want.row], block) if want.kind is Kind.WEIGHT else {}),
                "which": want.which,
            }


def _weight(hub: Hub, scale: Scale, block: _Block) -> dict[str, int]:
    """Where a reply has the bit and the register of a scale."""
    assert scale.weight is not None
    assert scale.ready is not None
    return {
        "offset": _bit_offset(block, on_wire(hub, parse_address(scale.ready))),
        "register": on_wire(hub, parse_address(scale.weight)).number - block.first,
        "g_per_count": scale.g_per_count,
    }


def _bit_offset(block: _Block, address: Address) -> int:
    things = address.number - block.first
    return things if address.bit is None else things * 16 + address.bit


def _counters(hub: Hub, poll: int, block: _Block) -> Iterator[dict[str, int]]:
    for want in block.wants:
        if want.kind is Kind.ENCODER:
            encoder = hub.belts[want.row].encoder
            assert encoder is not None
            yield {
                "poll": poll,
                "register": want.address.number - block.first,
                "bits": encoder.bits,
                "low_word_first": word_order(hub, hub.belts[want.row]) == "low_first",
                "belt": want.row,
            }


def _outputs(hub: Hub) -> Iterator[dict[str, int]]:
    hold_ms = {diverter.name: diverter.hold_ms for diverter in hub.diverters}
    nodes = index_of(hub.nodes)
    for chute in hub.chutes:
        if chute.output is None:
            yield {"node": NO_INDEX}
        else:
            coil = on_wire(hub, parse_address(chute.output))
            held_ms = hold_ms[chute.diverter or ""]
            yield {
                "node": nodes[coil.node],
                "coil": coil.number,
                "hold_ns": held_ms * NS_PER_MS,
            } | pulse_row(node_at(hub, coil), coil.number, held_ms)


def _level_wants(hub: Hub) -> Iterator[tuple[Kind, int, str]]:
    """Command, index and address of every output that stays as it is told."""
    for i, eye in enumerate(eyes_in_order(hub)):
        if eye.hold is not None:
            yield Kind.HOLD_INDUCT, i, eye.hold
    for i, belt in enumerate(hub.belts):
        if belt.run is not None:
            yield Kind.RUN_BELT, i, belt.run
    for name, bits in _LAMPS.items():
        text = getattr(hub.machine, name, None)
        if text is not None:
            yield Kind.SHOW_LIGHT, bits, text


def _levels(hub: Hub) -> Iterator[dict[str, int]]:
    nodes = index_of(hub.nodes)
    for kind, index, text in _level_wants(hub):
        coil = on_wire(hub, parse_address(text))
        yield {
            "kind": kind,
            "index": index,
            "node": nodes[coil.node],
            "coil": coil.number,
            "function": WRITE_COIL,
            "on_value": COIL_ON,
        }
    for i, belt in enumerate(hub.belts):
        if belt.drive is not None:
            yield {"kind": Kind.RUN_BELT, "index": i, "node": nodes[belt.drive.node]} | drive_row(hub, belt)


def framing_of(scanner: Scanner) -> Preset:
    """How a scanner speaks: as its preset says, with what the site set instead."""
    said = {key: getattr(scanner, key) for key in _SAID_INSTEAD}
    return presets()[scanner.preset].model_copy(update={k: v for k, v in said.items() if v is not None})


def framing_row(scanner: Scanner) -> np.void:
    """The row of FRAMING of one scanner."""
    row: np.void = table_of([_framing(scanner)], tables.FRAMING)[0]
    return row


def _framing(scanner: Scanner) -> dict[str, int | bytes]:
    preset = framing_of(scanner)
    return {
        "no_read": preset.no_read.encode("ascii"),
        "heartbeat": preset.heartbeat.encode("ascii"),
        "frame_max": scanner.frame_max,
        "silence_ms": preset.silence_ms,
        "protocol": Protocol[preset.protocol.upper()],
        "answers": Answers[preset.answers.upper()],
        "label_field": preset.label_field,
        "group": ord(preset.group_separator or "\0"),
        "ask_ms": preset.ask_ms,
        "alive_ms": preset.alive_ms,
        "is_numbered": scanner.numbered,
        "stamp": Stamp[scanner.stamp.upper()],
        "stamp_digits": scanner.stamp_digits,
        "stamp_last": scanner.stamp_place == "last",
        **_counted("separator", scanner.stamp_separator),
        **{key: value for name in _MARKS for key, value in _counted(name, getattr(preset, name)).items()},
    }


def _counted(name: str, text: str) -> dict[str, int | bytes]:
    """A text and how many bytes it has."""
    return {name: text.encode("ascii"), f"n_{name}": len(text)}
