"""Compiles a checked hub file into the flat tables of kernel and reactor: the one place where units change.

mm become counts, ms become nanoseconds, names become indices. Belts, scanners, chutes, nodes and links keep
the order of the file; eyes and diverters are sorted by belt and position. `hub_names` goes back from index
to name.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from hubctl.core import tables
from hubctl.core.address import NATIVE, Address, Space, parse_address
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
from hubctl.core.hops import find_hops, lead_back
from hubctl.core.hubfile import (
    Belt,
    Chute,
    Diverter,
    Encoder,
    Eye,
    Hub,
    Link,
    Machine,
    Node,
    Scale,
    Scanner,
)
from hubctl.core.natives import belts_of_nodes
from hubctl.core.presets import Preset, presets
from hubctl.core.tables import Answers, BeltKind, EyeRole, Layout, LinkKind, Protocol, Stamp, Table, Wiring

NS_PER_MS = 1_000_000
ML_PER_L = 1000
TIMED_COUNTS_PER_M = 1000  # of a belt without encoder: its counts are mm, from the clock
TIMED_BITS = 32
NEVER_NS = 2**62
N_TIMEOUTS_DOWN = 3  # unanswered requests in a row after which a node is down
HOST_MARGIN_MS = 20
BITS_MAX = 2000  # in one reply (Modbus Application Protocol 1.1b3, 6.1 and 6.2)
FUNCTION_23 = 23  # writes and reads
WRITE_COIL = 5
COIL_ON = 0xFF00
ENCODER_MODES = ("quadrature", "pulse-direction", "pulse")  # as the register map numbers them
REGISTERS_MAX = 125  # in one reply (6.3 and 6.4)

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


class HubNames(NamedTuple):
    """The name behind each index of the compiled tables."""

    belts: tuple[str, ...]
    eyes: tuple[str, ...]
    scanners: tuple[str, ...]
    scales: tuple[str, ...]
    diverters: tuple[str, ...]
    chutes: tuple[str, ...]
    nodes: tuple[str, ...]
    links: tuple[str, ...]


def hub_names(hub: Hub) -> HubNames:
    """Names by index, in the order of the compiled tables."""
    return HubNames(
        _names(hub.belts),
        _names(eyes_in_order(hub)),
        _names(hub.scanners),
        _names(hub.scales),
        _names(diverters_in_order(hub)),
        _names(hub.chutes),
        _names(hub.nodes),
        _names(hub.links),
    )


def eyes_in_order(hub: Hub) -> list[Eye]:
    """The eyes by belt and position: index of an eye in every table and record."""
    belts = _index(hub.belts)
    return sorted(hub.eyes, key=lambda eye: (belts[eye.belt], eye.at_mm))


def debounce_mm(hub: Hub, eye: Eye) -> int:
    """A shorter gap before an eye is none, and a shorter blip no parcel."""
    shortest = {belt.name: belt.parcel_mm_min for belt in hub.belts}
    return shortest[eye.belt] // 5 if eye.debounce_mm is None else eye.debounce_mm


def diverters_in_order(hub: Hub) -> list[Diverter]:
    """The diverters by belt and position: index of a diverter in every table and record."""
    belts = _index(hub.belts)
    return sorted(hub.diverters, key=lambda diverter: (belts[diverter.belt], diverter.at_mm))


def framing_of(scanner: Scanner) -> Preset:
    """How a scanner speaks: as its preset says, with what the site set instead."""
    said = {key: getattr(scanner, key) for key in _SAID_INSTEAD}
    return presets()[scanner.preset].model_copy(update={k: v for k, v in said.items() if v is not None})


def counts_per_m(belt: Belt) -> int:
    """Resolution of the belt's position."""
    return belt.encoder.counts_per_m if belt.encoder else TIMED_COUNTS_PER_M


def counts_of_mm(length_mm: int, per_m: int) -> int:
    """A length in counts, to the nearest; no length in mm vanishes into 0 counts.

    >>> counts_of_mm(1500, 1000), counts_of_mm(1, 100)
    (1500, 1)
    """
    return max((length_mm * per_m + 500) // 1000, min(length_mm, 1))


# What the kernel knows


def compile_layout(hub: Hub) -> Layout:
    """The tables the kernel reads.

    Parameters
    ----------
    hub : Hub
        A checked hub: names in it resolve.

    Returns
    -------
    Layout
        One row a thing; lengths in counts, times in ns.
    """
    maker = _LayoutMaker(hub)
    belts = _table(map(maker.belt, hub.belts), tables.BELT)
    diverters = _table(map(maker.diverter, diverters_in_order(hub)), tables.DIVERTER)
    chutes = _table(map(maker.chute, hub.chutes), tables.CHUTE)
    belts["laps_max"][(belts["kind"] != BeltKind.LOOP) & ~lead_back(belts, chutes)] = 0
    return Layout(
        belts=belts,
        eyes=_table(map(maker.eye, eyes_in_order(hub)), tables.EYE),
        scanners=_table(map(maker.scanner, hub.scanners), tables.SCANNER),
        diverters=diverters,
        chutes=chutes,
        n_nodes=len(hub.nodes),
        hops=find_hops(belts, diverters, chutes),
        machine=_table([_machine(hub)], tables.MACHINE),
        rings=_table(map(maker.ring, hub.belts), tables.RING),
        host=_table([_host(hub)], tables.HOST),
        scales=_table(map(maker.scale, hub.scales), tables.SCALE),
    )


class _LayoutMaker:
    """One row of each table from one entry of the file."""

    def __init__(self, hub: Hub) -> None:
        self.belts = _index(hub.belts)
        self.nodes = _index(hub.nodes)
        self.chutes = _index(hub.chutes)
        self.diverters = {diverter.name: i for i, diverter in enumerate(diverters_in_order(hub))}
        self.eyes = {eye.name: i for i, eye in enumerate(eyes_in_order(hub))}
        self.scanners = _index(hub.scanners)
        self.per_m = {belt.name: counts_per_m(belt) for belt in hub.belts}
        self.debounce_mm = {eye.name: debounce_mm(hub, eye) for eye in hub.eyes}
        self.jam_mm = {belt.name: 2 * belt.parcel_mm_max for belt in hub.belts}
        self.timeout_ms = {node.name: node.timeout_ms for node in hub.nodes}
        self.told_late_ms = max((_detected_ms(node) for node in hub.nodes), default=0)
        self.outputs = {chute.diverter: chute.output for chute in reversed(hub.chutes)}
        self.ordered_eyes = eyes_in_order(hub)
        self.first_carriers = _first_carriers(hub)

    def belt(self, belt: Belt) -> dict[str, int]:
        counts = self._counts(belt.name)
        encoder = belt.encoder
        return {
            "kind": BeltKind[belt.kind.upper()],
            "end_chute": self.chutes[belt.end_chute],
            "encoder_node": self._node(encoder.address if encoder else None),
            "counter_bits": encoder.bits if encoder else TIMED_BITS,
            "counts_per_m": self.per_m[belt.name],
            "run_node": self.nodes[belt.drive.node] if belt.drive else self._node(belt.run),
            "stop_on_jam": belt.stop_on_jam,
            "length_counts": counts(belt.length_mm),
            "speed_counts_s": counts(belt.speed_mm_s),
            "speed_counts_s_min": counts(belt.slowest_mm_s),
            "speed_counts_s_max": counts(belt.fastest_mm_s),
            "recirculating_max": belt.recirculating_max or 0,
            "laps_max": belt.laps_max,
            "parcel_counts_min": counts(belt.parcel_mm_min),
            "parcel_counts_max": counts(belt.parcel_mm_max),
            "stale_ns": encoder.stale_ms * NS_PER_MS if encoder else NEVER_NS,
            "told_late_ns": self.told_late_ms * NS_PER_MS,
            "jitter_ns": self._timeout_ms(encoder) * NS_PER_MS,
            "transfer_window_counts": counts(belt.transfer_window_mm),
            "weight_g_max": belt.weight_g_max or 0,
            "width_mm_max": belt.width_mm_max or 0,
            "height_mm_max": belt.height_mm_max or 0,
            "weight_required": belt.weight_required,
        }

    def ring(self, belt: Belt) -> dict[str, int]:
        if belt.carriers is None:
            return {}
        counts = self._counts(belt.name)
        roles = [eye.role for eye in self.ordered_eyes if eye.belt == belt.name]
        first_eye = next((i for i, eye in enumerate(self.ordered_eyes) if eye.belt == belt.name), 0)
        return {
            "n_carriers": belt.carriers.n,
            "first_carrier": self.first_carriers[belt.name],
            "first_eye": first_eye,
            "n_eyes": len(roles),
            "carrier_eye": first_eye + roles.index("carrier") if "carrier" in roles else NO_INDEX,
            "failures_max": belt.carriers.failures_max,
            "carrier_counts": counts(belt.carriers.carrier_mm),
            "pair_counts": counts(belt.carriers.carrier_mm + belt.carriers.pitch_mm),
        }

    def eye(self, eye: Eye) -> dict[str, int]:
        counts = self._counts(eye.belt)
        return {
            "belt": self.belts[eye.belt],
            "node": self._node(eye.input),
            "role": EyeRole[eye.role.upper()],
            "has_hold": eye.hold is not None,
            "merge_counts": counts(eye.merge_mm),
            "merge_gap_counts": counts(eye.merge_gap_mm),
            "at_counts": counts(eye.at_mm),
            "window_counts": counts(eye.latest_mm),
            "window_before_counts": counts(eye.earliest_mm),
            "length_window_counts": counts(eye.length_window_mm),
            "realign_counts": counts(eye.realign_mm),
            "debounce_counts": counts(self.debounce_mm[eye.name]),
            "jam_counts": counts(self.jam_mm[eye.belt] if eye.jam_mm is None else eye.jam_mm),
            "launch_ns": eye.launch_ms * NS_PER_MS,
        }

    def scanner(self, scanner: Scanner) -> dict[str, int]:
        counts = self._counts(scanner.belt)
        return {
            "belt": self.belts[scanner.belt],
            "stamp": Stamp[scanner.stamp.upper()],
            "trigger": NO_INDEX if scanner.trigger is None else self.eyes[scanner.trigger],
            "stamp_span": 10**scanner.stamp_digits,
            "repeat_counts": counts(scanner.repeat_mm),
            "silent_after": scanner.silent_after,
            "at_counts": counts(scanner.at_mm),
            "latency_ns": scanner.latency_ms * NS_PER_MS,
            "reach_counts": counts(scanner.reach_mm),
        }

    def scale(self, scale: Scale) -> dict[str, int]:
        counts = self._counts(scale.belt)
        return {
            "belt": self.belts[scale.belt],
            "at_counts": counts(scale.at_mm),
            "latency_ns": scale.latency_ms * NS_PER_MS,
            "reach_counts": counts(scale.reach_mm),
        }

    def diverter(self, diverter: Diverter) -> dict[str, int]:
        counts = self._counts(diverter.belt)
        return {
            "belt": self.belts[diverter.belt],
            "node": self._node(self.outputs[diverter.name]),
            "at_counts": counts(diverter.at_mm),
            "latency_ns": diverter.latency_ms * NS_PER_MS,
            "hold_ns": diverter.hold_ms * NS_PER_MS,
            "commit_ns": diverter.commit_ms * NS_PER_MS,
            "void_ns": diverter.void_ms * NS_PER_MS,
            "is_armed": parse_address(self.outputs[diverter.name] or "").space in NATIVE,
            "has_home": diverter.home is not None,
            "fails_max": diverter.fails_max,
            "cycle_ns": diverter.cycle_ms * NS_PER_MS,
            "home_ns": diverter.home_ms * NS_PER_MS,
            "weight_g_min": diverter.weight_g_min or 0,
            "weight_g_max": diverter.weight_g_max or 0,
            "clear_counts": counts(diverter.clear_mm),
        }

    def chute(self, chute: Chute) -> dict[str, int]:
        from_ms, until_ms = chute.confirm_ms
        return {
            "diverter": NO_INDEX if chute.diverter is None else self.diverters[chute.diverter],
            "node": self._node(chute.output),
            "has_confirm": chute.confirm is not None,
            "confirm_node": self._node(chute.confirm),
            "to_belt": NO_INDEX if chute.to_belt is None else self.belts[chute.to_belt],
            "to_counts": 0 if chute.to_belt is None else self._counts(chute.to_belt)(chute.to_mm),
            "confirm_from_ns": from_ms * NS_PER_MS,
            "confirm_until_ns": until_ms * NS_PER_MS,
            "jam_ns": chute.jam_ms * NS_PER_MS,
            "full_on_ns": chute.full_on_ms * NS_PER_MS,
            "full_off_ns": chute.full_off_ms * NS_PER_MS,
            **_limits(chute),
        }

    def _counts(self, belt: str) -> Any:
        per_m = self.per_m[belt]
        return lambda length_mm: counts_of_mm(length_mm, per_m)

    def _timeout_ms(self, encoder: Encoder | None) -> int:
        """A count was taken at some time since it was asked for."""
        return self.timeout_ms[parse_address(encoder.address).node] if encoder else 0

    def _node(self, address: str | None) -> int:
        return NO_INDEX if address is None else self.nodes[parse_address(address).node]


def _machine(hub: Hub) -> dict[str, int]:
    if hub.machine is None:
        return {}
    return {
        "is_there": 1,
        "warning_ns": hub.machine.start_warning_ms * NS_PER_MS,
        "drain_ns": hub.machine.drain_ms * NS_PER_MS,
    }


def _first_carriers(hub: Hub) -> dict[str, int]:
    """Where each belt's carriers begin among those of all loops."""
    n_carriers = [belt.carriers.n if belt.carriers else 0 for belt in hub.belts]
    return {belt.name: sum(n_carriers[:i]) for i, belt in enumerate(hub.belts)}


def _limits(chute: Chute) -> dict[str, int]:
    """What a chute holds and takes; 0 where it has no limit."""
    count_max = chute.count_max or 0
    return {
        "count_max": count_max,
        "weight_g_max": chute.weight_g_max or 0,
        "volume_ml_max": (chute.volume_l_max or 0) * ML_PER_L,
        "nearly_full_count": -(-count_max * chute.nearly_full_at // 100),
        "open_again_percent": chute.open_again_at,
        "n_kept": chute.reserve_for_priority,
        "rate_parcels": chute.rate_parcels or 0,
        "rate_mm": chute.rate_mm or 0,
        "rate_period_ns": chute.rate_period_ms * NS_PER_MS,
        "full_alarm_ns": (chute.full_alarm_ms or 0) * NS_PER_MS,
        "door_ns": chute.door_s * 1000 * NS_PER_MS,
    }


def _host(hub: Hub) -> dict[str, int]:
    if hub.host is None:
        return {}
    return {
        "is_asked": hub.host.ask,
        "silent_after": hub.host.silent_after,
        "timeout_ns": hub.host.timeout_ms * NS_PER_MS,
    }


def _detected_ms(node: Node) -> int:
    """How long a node may be silent before it is known to be down, and a margin for the host."""
    return N_TIMEOUTS_DOWN * node.timeout_ms + 2 * node.period_ms + HOST_MARGIN_MS


# What the reactor knows


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
    blocks = _blocks(hub)
    signals = [row for i, block in enumerate(blocks) for row in _signals(hub, i, block)]
    return Wiring(
        links=_table((_link(hub, link) for link in hub.links), tables.LINK),
        nodes=_table(_nodes(hub), tables.NODE_WIRE),
        polls=_table((_poll(hub, block) for block in blocks), tables.POLL),
        signals=_table(sorted(signals, key=lambda row: (row["poll"], row["offset"])), tables.SIGNAL),
        counters=_table(
            (row for i, block in enumerate(blocks) for row in _counters(hub, i, block)), tables.COUNTER
        ),
        outputs=_table(_outputs(hub), tables.OUTPUT),
        framings=_table(map(_framing, hub.scanners), tables.FRAMING),
        levels=_table(_levels(hub), tables.LEVEL),
        gaugings=_table(map(gauging_of, hub.scales), tables.GAUGING),
        steps=_table((step_row(node, step) for node, _, step in all_steps(hub)), tables.DEVICE_STEP),
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
        "link": _index(hub.links)[node.link],
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
    encoder = hub.belts[_index(hub.belts)[belt]].encoder
    assert encoder is not None
    return {
        "is_native": 1,
        "period_ns": node.period_ms * NS_PER_MS,
        "belt": _index(hub.belts)[belt],
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


def _wants(hub: Hub) -> Iterator[_Want]:
    belts = _index(hub.belts)
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
    return {
        "node": block.node,
        "function": FUNCTION_23 if block.space is Space.EYE else block.space,
        "address": shown_at(hub.nodes[block.node], block.space, block.first),
        "count": block.n_things,
        "period_ns": hub.nodes[block.node].period_ms * NS_PER_MS,
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
    nodes = _index(hub.nodes)
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
    nodes = _index(hub.nodes)
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


def framing_row(scanner: Scanner) -> np.void:
    """The row of FRAMING of one scanner."""
    row: np.void = _table([_framing(scanner)], tables.FRAMING)[0]
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


# Tables


def _table(rows: Iterable[dict[str, Any]], dtype: np.dtype[np.void]) -> Table:
    """The rows as one array; keys that a row lacks are zero."""
    every = list(rows)
    table = np.zeros(len(every), dtype)
    for i, row in enumerate(every):
        for key, value in row.items():
            table[i][key] = value
    return table


def _names(things: Iterable[Any]) -> tuple[str, ...]:
    return tuple(thing.name for thing in things)


def _index(things: Iterable[Any]) -> dict[str, int]:
    return {thing.name: i for i, thing in enumerate(things)}
