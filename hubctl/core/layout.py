"""Compiles a checked hub file into the kernel's flat tables: here, and in `core/wiring.py`, is where units change.

mm become counts, ms become nanoseconds, names become indices. Belts, scanners, chutes, nodes and links keep
the order of the file; eyes and diverters are sorted by belt and position. `hub_names` goes back from index
to name.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from hubctl.core import tables
from hubctl.core.address import NATIVE, parse_address
from hubctl.core.events import NO_INDEX
from hubctl.core.hops import find_hops, lead_back
from hubctl.core.hubfile import Belt, Chute, Diverter, Encoder, Eye, Hub, Node, Scale, Scanner
from hubctl.core.rows import index_of, names_of, table_of
from hubctl.core.tables import BeltKind, EyeRole, Layout, Stamp

NS_PER_MS = 1_000_000
ML_PER_L = 1000
TIMED_COUNTS_PER_M = 1000  # of a belt without encoder: its counts are mm, from the clock
TIMED_BITS = 32
NEVER_NS = 2**62
N_TIMEOUTS_DOWN = 3  # unanswered requests in a row after which a node is down
HOST_MARGIN_MS = 20


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
        names_of(hub.belts),
        names_of(eyes_in_order(hub)),
        names_of(hub.scanners),
        names_of(hub.scales),
        names_of(diverters_in_order(hub)),
        names_of(hub.chutes),
        names_of(hub.nodes),
        names_of(hub.links),
    )


def eyes_in_order(hub: Hub) -> list[Eye]:
    """The eyes by belt and position: index of an eye in every table and record."""
    belts = index_of(hub.belts)
    return sorted(hub.eyes, key=lambda eye: (belts[eye.belt], eye.at_mm))


def debounce_mm(hub: Hub, eye: Eye) -> int:
    """A shorter gap before an eye is none, and a shorter blip no parcel."""
    shortest = {belt.name: belt.parcel_mm_min for belt in hub.belts}
    return shortest[eye.belt] // 5 if eye.debounce_mm is None else eye.debounce_mm


def diverters_in_order(hub: Hub) -> list[Diverter]:
    """The diverters by belt and position: index of a diverter in every table and record."""
    belts = index_of(hub.belts)
    return sorted(hub.diverters, key=lambda diverter: (belts[diverter.belt], diverter.at_mm))


def counts_per_m(belt: Belt) -> int:
    """Resolution of the belt's position."""
    return belt.encoder.counts_per_m if belt.encoder else TIMED_COUNTS_PER_M


def counts_of_mm(length_mm: int, per_m: int) -> int:
    """A length in counts, to the nearest; no length in mm vanishes into 0 counts.

    >>> counts_of_mm(1500, 1000), counts_of_mm(1, 100)
    (1500, 1)
    """
    return max((length_mm * per_m + 500) // 1000, min(length_mm, 1))


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
    belts = table_of(map(maker.belt, hub.belts), tables.BELT)
    diverters = table_of(map(maker.diverter, diverters_in_order(hub)), tables.DIVERTER)
    chutes = table_of(map(maker.chute, hub.chutes), tables.CHUTE)
    belts["laps_max"][(belts["kind"] != BeltKind.LOOP) & ~lead_back(belts, chutes)] = 0
    return Layout(
        belts=belts,
        eyes=table_of(map(maker.eye, eyes_in_order(hub)), tables.EYE),
        scanners=table_of(map(maker.scanner, hub.scanners), tables.SCANNER),
        diverters=diverters,
        chutes=chutes,
        n_nodes=len(hub.nodes),
        hops=find_hops(belts, diverters, chutes),
        machine=table_of([_machine(hub)], tables.MACHINE),
        rings=table_of(map(maker.ring, hub.belts), tables.RING),
        host=table_of([_host(hub)], tables.HOST),
        scales=table_of(map(maker.scale, hub.scales), tables.SCALE),
    )


class _LayoutMaker:
    """One row of each table from one entry of the file."""

    def __init__(self, hub: Hub) -> None:
        self.belts = index_of(hub.belts)
        self.nodes = index_of(hub.nodes)
        self.chutes = index_of(hub.chutes)
        self.diverters = {diverter.name: i for i, diverter in enumerate(diverters_in_order(hub))}
        self.eyes = {eye.name: i for i, eye in enumerate(eyes_in_order(hub))}
        self.scanners = index_of(hub.scanners)
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
