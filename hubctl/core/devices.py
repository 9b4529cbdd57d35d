"""What the profiles of nodes make of a hub file: addresses on the wire, steps, pulses; and whether all of it fits."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from hubctl.core.address import Address, Space, parse_address
from hubctl.core.config import ConfigError, Source, nearest
from hubctl.core.profile import (
    Profile,
    Step,
    answered,
    profile_names,
    proved,
    resolve_profile,
    step_words,
    word_of,
    written,
)
from hubctl.core.shape import known
from hubctl.core.tables import StepRule
from hubctl.core.where import Path as Place

if TYPE_CHECKING:
    from hubctl.core.hubfile import Belt, Diverter, Hub, Node

NS_PER_MS = 1_000_000
STEP_SECTIONS = ("identity", "clear", "stop", "arm", "keep")
WRITE_REGISTER = 6
DRIVE_SPEED = "drive.actual"  # the step that asks a drive how fast it runs
SIGN = 0x8000


def profile_of(node: Node) -> Profile | None:
    """The profile of a node; None for a plain Modbus device."""
    return None if node.profile is None else resolve_profile(node.profile)


def node_at(hub: Hub, address: Address) -> Node:
    """The node of an address that resolves."""
    return next(node for node in hub.nodes if node.name == address.node)


# On the wire


def on_wire(hub: Hub, address: Address, width: int = 1) -> Address:
    """The address as it is on the wire."""
    profile = profile_of(node_at(hub, address))
    if profile is None:
        return address
    span = profile.span_of(address.space, address.number, width)
    wire = None if span is None else span.wire_of(address.number, width)
    assert wire is not None
    return address._replace(number=wire)


def first_coil(node: Node) -> int:
    """Address on the wire of a node's first output."""
    profile = profile_of(node)
    return profile.coils.at if profile and profile.coils else 0


def shown_at(node: Node, space: Space, wire: int) -> int:
    """Where a poll reads what is at an address: outputs may be shown elsewhere than they are written."""
    profile = profile_of(node)
    if space is not Space.COIL or profile is None or profile.coils is None:
        return wire
    return (wire + profile.coils.shown_by) % 0x10000


def word_order(hub: Hub, belt: Belt) -> str:
    """Which register of a belt's counter comes first: as the hub file says, else as the node's profile does."""
    encoder = belt.encoder
    assert encoder is not None
    profile = profile_of(node_at(hub, parse_address(encoder.address)))
    if profile is None or "word_order" in encoder.model_fields_set:
        return encoder.word_order
    return profile.word_order


class Limit(NamedTuple):
    """How many things one poll of a node may bring, and where the spans are that one poll must not leave."""

    n_things: int
    spans: tuple[
        tuple[int, int, bool], ...
    ]  # first address, the one behind the last, whether read from the first

    def first_of(self, address: int) -> tuple[int, int]:
        """Where the poll of an address must begin at the earliest or exactly, and the end of its span."""
        for first, end, is_whole in self.spans:
            if first <= address < end:
                return (first if is_whole else address), end
        return address, 0x10000


def limit_of(node: Node, space: Space, by_standard: int) -> Limit:
    """What one poll of a node may read from a table."""
    profile = profile_of(node)
    if profile is None:
        return Limit(by_standard, ())
    bits = space in (Space.COIL, Space.DISCRETE)
    most = profile.limits.read_bits if bits else profile.limits.read_registers
    spans = profile.spans(space)
    return Limit(most, tuple((span.at, span.at + span.n, span.whole) for span in spans))


# Rows


def node_row(node: Node, sections: Mapping[str, list[tuple[str, Step]]], first_step: int) -> dict[str, int]:
    """What the table of nodes has of a node's profile."""
    profile = profile_of(node)
    if profile is None:
        return {}
    return {
        "first_coil": first_coil(node),
        "shown_by": (profile.coils.shown_by if profile.coils else 0) % 0x10000,
        "safe_exception": profile.safe.exception,
        "first_step": first_step,
        "keep_ns": profile.keep_ms(node.watchdog_ms, len(sections["keep"])) * NS_PER_MS,
    } | {f"n_{section}": len(sections[section]) for section in STEP_SECTIONS}


def sections_of(hub: Hub, node: Node) -> dict[str, list[tuple[str, Step]]]:
    """A node's steps by when they are done, each with the section of the profile that has it."""
    profile = profile_of(node)
    sections: dict[str, list[tuple[str, Step]]] = {section: [] for section in STEP_SECTIONS}
    for place, step in profile.steps() if profile else ():
        sections["keep" if place == "watch" else place.split(".")[-1]].append((place, step))
    for belt in hub.belts:
        if belt.drive is not None and belt.drive.node == node.name and profile is not None:
            _add_drive(belt, profile, sections)
    return sections


def _add_drive(belt: Belt, profile: Profile, sections: dict[str, list[tuple[str, Step]]]) -> None:
    """A drive is stopped, and told its speed, before it is up."""
    drive = profile.drive
    assert drive is not None
    speed = setpoint_of(belt, profile)
    sections["stop"].append(("drive", written(drive.control, drive.stop, "the drive cannot be stopped")))
    sections["arm"].append(("drive", written(drive.setpoint, speed, "the drive takes no setpoint")))
    sections["arm"].append(("drive", proved(drive.setpoint, speed, "the drive has another setpoint")))
    if drive.actual is not None:
        sections["keep"].append((DRIVE_SPEED, answered(drive.actual, "the drive does not tell its speed")))


def setpoint_of(belt: Belt, profile: Profile) -> int:
    """What a drive is told so that its belt runs at its design speed."""
    assert belt.drive is not None
    assert profile.drive is not None
    return belt.speed_mm_s * profile.drive.full // belt.drive.full_mm_s


def speed_told(belt: Belt, profile: Profile, word: int) -> int:
    """Speed of a belt, mm/s, by the word in which its drive tells it; below zero: backward."""
    assert belt.drive is not None
    assert profile.drive is not None
    is_signed = profile.drive.setpoint_max < SIGN
    value = word - 2 * SIGN if is_signed and word >= SIGN else word
    return value * belt.drive.full_mm_s // profile.drive.full


def all_steps(hub: Hub) -> list[tuple[Node, str, Step]]:
    """Every step of every node, in the order of the compiled table, with its node and section."""
    return [
        (node, place, step)
        for node in hub.nodes
        for section in sections_of(hub, node).values()
        for place, step in section
    ]


def step_row(node: Node, place: str, step: Step) -> dict[str, int | bytes]:
    """One step as the reactor does it."""
    profile = profile_of(node)
    assert profile is not None
    data, mask = _bytes_of(step, profile, node.watchdog_ms)
    return {
        "rule": StepRule.TELL if place == DRIVE_SPEED else _rule_of(step),
        "function": step.function,
        "address": step.at,
        "count": step.n_things,
        "skip_bytes": 2 * step.skip,
        "n_bytes": len(data),
        "optional": step.optional,
        "data": data,
        "mask": mask,
    }


def _rule_of(step: Step) -> StepRule:
    rules = {
        StepRule.WRITE: step.write,
        StepRule.TURN: step.turns,
        StepRule.EQUAL: step.equals,
        StepRule.ONE_OF: step.one_of,
        StepRule.CONTAIN: step.contains,
    }
    return next((rule for rule, said in rules.items() if said is not None), StepRule.ANSWER)


def _bytes_of(step: Step, profile: Profile, watchdog_ms: int) -> tuple[bytes, bytes]:
    """What is written or compared, as it travels, and which bits of it count."""
    if step.contains is not None:
        return step.contains.encode("ascii"), b""
    said = step.write or step.turns or step.equals or step.one_of or []
    words = [word_of(word, profile, watchdog_ms) for word in said]
    masks = step.mask or [0xFFFF] * len(words)
    if step.table in ("coil", "discrete"):
        return _packed_bits(words), _packed_bits([1] * len(words))
    return _packed(words), _packed(masks)


def _packed(words: Iterable[int]) -> bytes:
    return b"".join(word.to_bytes(2, "big") for word in words)


def _packed_bits(bits: list[int]) -> bytes:
    number = sum(bit << i for i, bit in enumerate(bits))
    return number.to_bytes((len(bits) + 7) // 8, "little")


def pauses_of(hub: Hub, link: str) -> dict[str, int]:
    """The quiet that the slowest device on a link needs."""
    profiles = [profile_of(node) for node in hub.nodes if node.link == link]
    limits = [profile.limits for profile in profiles if profile is not None]
    return {
        "gap_ns": max((limit.gap_ms for limit in limits), default=0) * NS_PER_MS,
        "settle_ns": max((limit.settle_ms for limit in limits), default=0) * NS_PER_MS,
    }


def drive_row(hub: Hub, belt: Belt) -> dict[str, int]:
    """How the drive of a belt is told to run and to stop."""
    assert belt.drive is not None
    (profile,) = (profile_of(node) for node in hub.nodes if node.name == belt.drive.node)
    assert profile is not None
    assert profile.drive is not None
    drive = profile.drive
    return {"coil": drive.control, "function": WRITE_REGISTER, "on_value": drive.run, "off_value": drive.stop}


def pulse_row(node: Node, coil: int, hold_ms: int) -> dict[str, int]:
    """Where and what a node that times its pulses is told, for the output at an address on the wire."""
    profile = profile_of(node)
    if profile is None or profile.pulse is None:
        return {}
    pulse = profile.pulse
    return {"pulse_coil": pulse.at + coil - first_coil(node), "pulse_value": hold_ms // pulse.unit_ms}


def fault_sentence(hub: Hub, step_index: int, exception: int, word: int) -> str:
    """Why a node stays down, for a person."""
    node, place, step = all_steps(hub)[step_index]
    found = f"exception {exception}" if exception else f"{word} ({word:#06x})"
    why = f": {step.why}" if step.why else ""
    return (
        f"node {node.name}: by its profile {node.profile}, {place}: {step_words(step)}; it says {found}{why}"
    )


# Faults


def check_devices(hub: Hub, source: Source, addresses: Iterable[tuple[Place, str]]) -> None:
    """Note every fault of profiles, and of what does not fit them."""
    if not known(hub, "nodes"):
        return
    profiles = dict(_profiles(hub, source))
    for path, text in addresses:
        if (profile := profiles.get(parse_address(text).node)) is not None:
            _check_address(hub, source, path, parse_address(text), profile)
    for index, node in enumerate(hub.nodes):
        if known(node, "name", "profile", "watchdog_ms", "firmware") and node.name in profiles:
            _check_node(hub, source, index, node, profiles[node.name])
    _check_pulses(hub, source, profiles)
    _check_drives(hub, source, profiles)


def absolute(path_or_name: str, hub_file: str) -> str:
    """A profile's file beside the hub file as a path from the root; a name stays one."""
    if not path_or_name.endswith(".toml"):
        return path_or_name
    return str((Path(hub_file).parent / path_or_name).absolute())


def _profiles(hub: Hub, source: Source) -> Iterator[tuple[str, Profile]]:
    for index, node in enumerate(hub.nodes):
        if not known(node, "name", "profile") or node.profile is None:
            continue
        path = ("nodes", index, "profile")
        if not node.profile.endswith(".toml") and node.profile not in profile_names():
            source.add(path, "there is no such profile", nearest(node.profile, profile_names()))
            continue
        try:
            yield node.name, resolve_profile(node.profile)
        except ConfigError as error:
            source.faults += [fault for fault in error.faults if fault not in source.faults]


def _check_address(hub: Hub, source: Source, path: Place, address: Address, profile: Profile) -> None:
    spans = profile.spans(address.space)
    table = address.space.name.lower()
    if not spans:
        source.add(path, f"a {profile.name} has no {table}", f"hubctl profile show {profile.name}")
        return
    width = _width(hub, path)
    if profile.span_of(address.space, address.number, width) is None:
        ranges = ", ".join(f"{span.first} to {span.first + span.n - 1}" for span in spans)
        source.add(path, f"a {profile.name} has {table} {ranges}", f"hubctl profile show {profile.name}")
    counter = profile.counter_at(address.space, address.number)
    if path[-1] == "address" and counter is not None:
        _check_counter(hub, source, path, profile, counter.bits)


def _width(hub: Hub, path: Place) -> int:
    if path[-1] != "address":
        return 1
    assert isinstance(path[1], int)
    encoder = hub.belts[path[1]].encoder
    return 1 if getattr(encoder, "bits", 16) == 16 else 2


def _check_counter(hub: Hub, source: Source, path: Place, profile: Profile, bits: int) -> None:
    assert isinstance(path[1], int)
    if getattr(hub.belts[path[1]].encoder, "bits", bits) != bits:
        message = f"this counter of a {profile.name} has {bits}"
        source.add((*path[:-1], "bits"), message, shown=str(getattr(hub.belts[path[1]].encoder, "bits", "")))


def _check_node(hub: Hub, source: Source, index: int, node: Node, profile: Profile) -> None:
    if node.firmware == "hubctl":
        source.add(("nodes", index, "profile"), "must be absent for a node with our firmware")
    watchdog = profile.watchdog
    if watchdog is not None and not watchdog.ms_min <= node.watchdog_ms <= watchdog.ms_max:
        message = f"must be {watchdog.ms_min} to {watchdog.ms_max} for a {profile.name}"
        source.add(("nodes", index, "watchdog_ms"), message)
    if watchdog is not None and node.watchdog_ms % watchdog.unit_ms:
        message = f"must be a multiple of {watchdog.unit_ms} for a {profile.name}"
        source.add(("nodes", index, "watchdog_ms"), message)
    for at, link in enumerate(hub.links if known(hub, "links") and known(node, "link") else ()):
        if getattr(link, "name", None) == node.link:
            in_flight_max = getattr(link, "in_flight_max", 1)
            if in_flight_max > profile.limits.in_flight:
                message = f"must be at most {profile.limits.in_flight}, since {node.name} is a {profile.name}"
                source.add(("links", at, "in_flight_max"), message)


def _check_pulses(hub: Hub, source: Source, profiles: Mapping[str, Profile]) -> None:
    """A device that times its pulses does so in units of its own."""
    if not known(hub, "chutes", "diverters"):
        return
    diverters = {d.name: (i, d) for i, d in enumerate(hub.diverters) if known(d, "name", "hold_ms")}
    seen: set[str] = set()
    for chute in hub.chutes:
        if not known(chute, "diverter", "output") or chute.output is None or chute.diverter not in diverters:
            continue
        profile = profiles.get(parse_address(chute.output).node)
        if profile is not None and profile.pulse is not None and chute.diverter not in seen:
            seen.add(chute.diverter)
            _check_hold(source, *diverters[chute.diverter], profile)


def _check_hold(source: Source, index: int, diverter: Diverter, profile: Profile) -> None:
    pulse = profile.pulse
    assert pulse is not None
    units, rest = divmod(diverter.hold_ms, pulse.unit_ms)
    if rest or not 1 <= units <= pulse.units_max:
        message = f"must be a multiple of {pulse.unit_ms}, up to {pulse.unit_ms * pulse.units_max}"
        hint = f"a {profile.name} times its pulses itself"
        source.add(("diverters", index, "hold_ms"), message, hint, shown=str(diverter.hold_ms))


def _check_drives(hub: Hub, source: Source, profiles: Mapping[str, Profile]) -> None:
    nodes = {node.name for node in hub.nodes if known(node, "name")}
    seen: dict[str, int] = {}
    for index, belt in enumerate(hub.belts if known(hub, "belts") else ()):
        if not known(belt, "drive") or belt.drive is None or not known(belt.drive, "node", "full_mm_s"):
            continue
        path = ("belts", index, "drive")
        if known(belt, "run") and belt.run is not None:
            source.add(("belts", index, "run"), "must be absent beside drive", "the drive is told to run")
        if belt.drive.node not in nodes:
            source.add(
                (*path, "node"), f'there is no node "{belt.drive.node}"', nearest(belt.drive.node, nodes)
            )
            continue
        if belt.drive.node in seen:
            source.add((*path, "node"), "drives another belt", "each belt has a drive of its own")
        seen.setdefault(belt.drive.node, index)
        _check_setpoint(source, path, belt, profiles.get(belt.drive.node))


def _check_setpoint(source: Source, path: Place, belt: Belt, profile: Profile | None) -> None:
    if profile is None or profile.drive is None:
        source.add((*path, "node"), "must be a drive by its profile", "like delta-vfd or abb-drives")
        return
    if known(belt, "speed_mm_s") and not 1 <= setpoint_of(belt, profile) <= profile.drive.setpoint_max:
        message = (
            f"makes a setpoint of {setpoint_of(belt, profile)}: must be 1 to {profile.drive.setpoint_max}"
        )
        source.add((*path, "full_mm_s"), message)
