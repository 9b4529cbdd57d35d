"""Checks positions and times of a hub file: all lies on its belt, and can act in time where it lies."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

from hubctl.core.address import parse_address
from hubctl.core.config import Source
from hubctl.core.loops import check_loop, refuse_loop_things
from hubctl.core.references import entries, resolves
from hubctl.core.shape import known
from hubctl.core.transfers import check_transfers, led_on_mm

if TYPE_CHECKING:
    from hubctl.core.hubfile import Belt, Chute, Diverter, Hub, Scanner

PLACED = ("eyes", "scanners", "scales", "diverters")

_WINDOWS = ("window_mm", "window_before_mm", "window_after_mm")
_DIVERTER_TIMES = ("name", "belt", "at_mm", "commit_ms", "latency_ms")
_SCANNER_TIMES = ("name", "belt", "at_mm", "latency_ms", "reach_mm")


class Notice(NamedTuple):
    """How much belt there is to tell a diverter where the last read sends a parcel."""

    diverter: str
    scanner: str
    have_mm: int  # from the latest a read may be placed to the diverter
    need_mm: int  # travelled at top speed while scanner, decision and diverter take their time

    @property
    def left_mm(self) -> int:
        """What remains; the divert can be told in time if it is above 0."""
        return self.have_mm - self.need_mm


class Unconfirmed(NamedTuple):
    """A chute whose eye sees long parcels when it is too late to confirm them."""

    chute: str
    length_mm: int  # longer ones would be LOST
    until_ms: int  # what confirm_ms must end with


def unconfirmed(hub: Hub) -> Iterator[Unconfirmed]:
    """Chutes of a checked hub that could not confirm the longest parcels of their belt.

    A parcel's leading edge is not at the chute eye before the paddle meets its middle; by then its middle is half its
    length away.
    """
    belts = {belt.name: belt for belt in hub.belts if belt.kind == "line"}
    diverters = {diverter.name: diverter for diverter in hub.diverters}
    for chute in hub.chutes:
        diverter = diverters.get(chute.diverter or "")
        if chute.confirm is None or diverter is None or diverter.belt not in belts:
            continue
        belt = belts[diverter.belt]
        met_ms = diverter.latency_ms + diverter.hold_ms // 2
        until_ms = met_ms + -(-belt.parcel_mm_max * 500 // belt.speed_mm_s)
        if chute.confirm_ms[1] < until_ms:
            length_mm = max(chute.confirm_ms[1] - met_ms, 0) * belt.speed_mm_s // 500
            yield Unconfirmed(chute.name, length_mm, until_ms)


def check_geometry(hub: Hub, source: Source) -> None:
    """Note every fault of positions, sizes and times."""
    for index, belt in entries(hub, "belts"):
        _check_ranges(source, index, belt)
        if known(belt, "name", "kind"):
            _check_belt(hub, source, index, belt)
    check_transfers(hub, source)
    _check_holds(hub, source)
    for index, chute in entries(hub, "chutes", "count_max", "reserve_for_priority"):
        _check_reserve(source, index, chute)
    for index, chute in entries(hub, "chutes", "confirm_ms"):
        if chute.confirm_ms[0] >= chute.confirm_ms[1]:
            source.add(("chutes", index, "confirm_ms"), "must be [from, until] with from before until")


def _check_holds(hub: Hub, source: Source) -> None:
    """Only an induct is held, and only one that is held needs to know its merge."""
    for index, eye in entries(hub, "eyes", "role", "hold"):
        if eye.hold is not None and eye.role != "induct":
            source.add(("eyes", index, "hold"), "is for induct eyes", f"this eye's role is {eye.role}")
        for key in ("merge_mm", "merge_gap_mm"):
            if eye.hold is None and key in eye.model_fields_set:
                source.add(
                    ("eyes", index, key), "has no use without hold", "name the coil that holds the induct"
                )


def _check_reserve(source: Source, index: int, chute: Chute) -> None:
    path = ("chutes", index, "reserve_for_priority")
    if chute.reserve_for_priority and chute.count_max is None:
        source.add(path, "needs count_max", "without it nobody knows which places are the last")
    elif chute.count_max is not None and chute.reserve_for_priority >= chute.count_max:
        source.add(path, f"must be below count_max, {chute.count_max}", "else other lanes never get a place")


def notices(hub: Hub, belt: Belt) -> Iterator[tuple[int, Notice]]:
    """Index and notice of each of the belt's diverters that has a scanner upstream."""
    for index, diverter in _on(hub, belt, "diverters", *_DIVERTER_TIMES):
        scanner = _last_scanner(hub, belt, diverter)
        if scanner is not None and known(belt, "speed_mm_s", "speed_mm_s_max", "parcel_mm_max"):
            yield index, _notice(hub, belt, diverter, scanner)


def _notice(hub: Hub, belt: Belt, diverter: Diverter, scanner: Scanner) -> Notice:
    need_ms = scanner.latency_ms + diverter.commit_ms + diverter.latency_ms + _period_ms(hub, belt)
    have_mm = diverter.at_mm - scanner.at_mm - scanner.reach_mm - belt.parcel_mm_max
    return Notice(diverter.name, scanner.name, have_mm, -(-need_ms * belt.fastest_mm_s // 1000))


def _last_scanner(hub: Hub, belt: Belt, diverter: Diverter) -> Scanner | None:
    """The last scanner upstream, where its times are known."""
    upstream = [s for _, s in _on(hub, belt, "scanners", *_SCANNER_TIMES) if s.at_mm < diverter.at_mm]
    return max(upstream, key=lambda scanner: int(scanner.at_mm), default=None)


def _period_ms(hub: Hub, belt: Belt) -> int:
    """Between two looks at where parcels of this belt are."""
    periods = {node.name: node.period_ms for _, node in entries(hub, "nodes", "name", "period_ms")}
    looks = [parse_address(eye.input).node for _, eye in _on(hub, belt, "eyes", "belt", "input")]
    if known(belt, "encoder") and belt.encoder is not None and known(belt.encoder, "address"):
        looks.append(parse_address(belt.encoder.address).node)
    return max((periods[node] for node in looks if node in periods), default=0)


def _on(hub: Hub, belt: Belt, section: str, *keys: str) -> Iterator[tuple[int, Any]]:
    """Index and entry of each thing of a section on this belt that has these keys right."""
    return ((i, entry) for i, entry in entries(hub, section, "belt", *keys) if entry.belt == belt.name)


# A belt by itself


def _check_ranges(source: Source, index: int, belt: Belt) -> None:
    path = ("belts", index)
    if known(belt, "speed_mm_s", "speed_mm_s_min") and belt.slowest_mm_s > belt.speed_mm_s:
        source.add(
            (*path, "speed_mm_s_min"), f"must be 1 to {belt.speed_mm_s}", "the design speed is above it"
        )
    if known(belt, "speed_mm_s", "speed_mm_s_max") and belt.fastest_mm_s < belt.speed_mm_s:
        source.add(
            (*path, "speed_mm_s_max"), f"must be {belt.speed_mm_s} or more", "the design speed is below it"
        )
    if known(belt, "parcel_mm_min", "parcel_mm_max") and belt.parcel_mm_min > belt.parcel_mm_max:
        source.add((*path, "parcel_mm_min"), f"must be at most parcel_mm_max, {belt.parcel_mm_max}")
    if (
        known(belt, "kind", "parcel_mm_max", "length_mm")
        and belt.kind == "line"
        and belt.parcel_mm_max > belt.length_mm
    ):
        source.add((*path, "parcel_mm_max"), f"must be at most the belt's length_mm, {belt.length_mm}")


def _check_belt(hub: Hub, source: Source, index: int, belt: Belt) -> None:
    if known(belt, "length_mm"):
        _refuse_beyond(hub, source, belt)
    if belt.kind == "line":
        _check_induct(hub, source, index, belt)
        _check_eyes(hub, source, belt)
        _check_pitch(hub, source, belt)
        _check_stamps(hub, source, belt)
        _check_notices(hub, source, index, belt)
    if belt.kind == "loop":
        check_loop(hub, source, index, belt)
    else:
        refuse_loop_things(hub, source, index, belt)
    if belt.kind == "station":
        _refuse_scales(hub, source, belt)
    _check_weights(hub, source, belt)


def _refuse_scales(hub: Hub, source: Source, belt: Belt) -> None:
    for index, _ in _on(hub, belt, "scales", "at_mm"):
        message = f"must not be on belt {belt.name}: it is a station"
        source.add(("scales", index, "at_mm"), message, "its parcels are gone when they are read")


def _check_weights(hub: Hub, source: Source, belt: Belt) -> None:
    for index, diverter in _on(hub, belt, "diverters", "weight_g_min", "weight_g_max"):
        if (diverter.weight_g_min or 0) > (diverter.weight_g_max or diverter.weight_g_min or 0):
            message = f"must be at most weight_g_max, {diverter.weight_g_max}"
            source.add(("diverters", index, "weight_g_min"), message)


def _refuse_beyond(hub: Hub, source: Source, belt: Belt) -> None:
    for section in PLACED:
        for index, entry in _on(hub, belt, section, "at_mm"):
            if entry.at_mm > belt.length_mm:
                message = f"must be 0 to {belt.length_mm}, the length of belt {belt.name}"
                source.add((section, index, "at_mm"), message)


# Eyes


def _check_induct(hub: Hub, source: Source, index: int, belt: Belt) -> None:
    inducts = list(_inducts(hub, belt))
    every_known = all(known(eye, "role") for _, eye in entries(hub, "eyes"))
    led_on = led_on_mm(hub, belt)
    if not inducts and not led_on and every_known and resolves(hub, source, "eyes", "belt", "belts"):
        source.add(
            ("belts", index, "name"),
            "the belt has no induct eye",
            'give one of its eyes role = "induct", or lead a chute onto it',
        )
    if inducts and all(known(eye, "at_mm") for _, eye in inducts) and not led_on:
        _refuse_upstream(hub, source, belt, min((eye for _, eye in inducts), key=lambda eye: int(eye.at_mm)))
    _refuse_beyond_scanners(hub, source, belt, inducts)


def _inducts(hub: Hub, belt: Belt) -> Iterator[tuple[int, Any]]:
    return ((i, eye) for i, eye in _on(hub, belt, "eyes", "role") if eye.role == "induct")


def _refuse_upstream(hub: Hub, source: Source, belt: Belt, induct: Any) -> None:
    for section in PLACED:
        for index, entry in _on(hub, belt, section, "at_mm"):
            if entry.at_mm < induct.at_mm:
                message = f"must be downstream of the induct eye {induct.name}, {induct.at_mm}"
                source.add((section, index, "at_mm"), message, "no track is open before it")


def _refuse_beyond_scanners(hub: Hub, source: Source, belt: Belt, inducts: list[tuple[int, Any]]) -> None:
    """A parcel that comes in beyond the last scanner is read by none."""
    scanners = [int(scanner.at_mm) for _, scanner in _on(hub, belt, "scanners", "at_mm")]
    placed = sorted((int(eye.at_mm), index) for index, eye in inducts if known(eye, "at_mm"))
    for at_mm, index in placed[1:] if scanners else ():
        if at_mm >= max(scanners):
            message = f"must be upstream of the last scanner of belt {belt.name}, {max(scanners)}"
            source.add(("eyes", index, "at_mm"), message, "no scanner reads what comes in here")


def _check_eyes(hub: Hub, source: Source, belt: Belt) -> None:
    placed = sorted(_on(hub, belt, "eyes", "name", "at_mm"), key=lambda pair: int(pair[1].at_mm))
    for (_, eye), (index, following) in pairwise(placed):
        _check_distance(source, eye, index, following)
        if known(eye, "role") and eye.role == "end":
            source.add(("eyes", index, "at_mm"), f"must be upstream of the end eye {eye.name}, {eye.at_mm}")
    if known(belt, "parcel_mm_min"):
        _check_windows(hub, source, belt)
    if known(belt, "parcel_mm_max"):
        _check_realign(hub, source, belt)


def _check_windows(hub: Hub, source: Source, belt: Belt) -> None:
    """No window is as wide as the shortest parcel is long."""
    for key in ("window_mm", "window_before_mm", "window_after_mm", "debounce_mm"):
        for index, eye in _on(hub, belt, "eyes", key):
            if (getattr(eye, key) or 0) >= belt.parcel_mm_min:
                message = f"must be below {belt.parcel_mm_min}, the shortest parcel of belt {belt.name}"
                source.add(("eyes", index, key), message, "else one parcel is taken for the next")


def _check_realign(hub: Hub, source: Source, belt: Belt) -> None:
    """Where parcels are known again beyond their window."""
    for index, eye in _on(hub, belt, "eyes", "realign_mm", *_WINDOWS, "role"):
        window_mm = max(eye.earliest_mm, eye.latest_mm)
        if eye.realign_mm and eye.role != "track":
            source.add(("eyes", index, "realign_mm"), "must be 0: only eyes that track know parcels again")
        elif eye.realign_mm and not window_mm < eye.realign_mm <= belt.parcel_mm_max:
            message = f"must be 0, or {window_mm + 1} to {belt.parcel_mm_max}"
            source.add(("eyes", index, "realign_mm"), message, "from the eye's window to the longest parcel")


def _check_distance(source: Source, eye: Any, index: int, following: Any) -> None:
    if not (known(eye, *_WINDOWS) and known(following, *_WINDOWS, "role")):
        return
    if following.role == "induct" or (known(eye, "role") and eye.role == "induct"):
        return  # it sees only what comes in there
    nearest_mm = eye.at_mm + eye.latest_mm + following.earliest_mm
    if following.at_mm < nearest_mm:
        message = f"must be {nearest_mm} or more: its window reaches into that of {eye.name}, {eye.at_mm}"
        source.add(("eyes", index, "at_mm"), message)


# Scanners


def _check_stamps(hub: Hub, source: Source, belt: Belt) -> None:
    for index, scanner in _on(hub, belt, "scanners", "stamp", "trigger", "stamp_digits", "at_mm"):
        if scanner.stamp == "trigger":
            _check_trigger(hub, source, belt, index, scanner)
        elif scanner.trigger is not None:
            message = 'must be absent: only stamp = "trigger" has one'
            source.add(("scanners", index, "trigger"), message)
        if scanner.stamp == "encoder" and known(belt, "encoder"):
            _check_counter(source, belt, index, scanner)
        if scanner.stamp != "trigger" and getattr(scanner, "numbered", False):
            message = 'must be false: only stamp = "trigger" has numbers'
            source.add(("scanners", index, "numbered"), message)
        if belt.kind == "station" and getattr(scanner, "code_separator", None):
            message = f"must be empty: belt {belt.name} is a station"
            hint = "there every read is a parcel, so a telegram must be one label"
            source.add(("scanners", index, "code_separator"), message, hint)


def _check_trigger(hub: Hub, source: Source, belt: Belt, index: int, scanner: Scanner) -> None:
    if scanner.trigger is None:
        source.add(("scanners", index, "trigger"), "missing", "the eye whose edges trigger the scanner")
        return
    for _, eye in entries(hub, "eyes", "name", "belt", "at_mm"):
        if eye.name == scanner.trigger and (eye.belt != belt.name or eye.at_mm > scanner.at_mm):
            message = "must be an eye of its belt, at the scan line or upstream"
            source.add(("scanners", index, "trigger"), message)


def _check_counter(source: Source, belt: Belt, index: int, scanner: Scanner) -> None:
    """A counter that is cut to fewer digits wraps where no counter of bits does."""
    if belt.encoder is None:
        message = f"belt {belt.name} has no encoder"
        source.add(("scanners", index, "stamp"), message, "its positions are guessed from the clock")
    elif known(belt.encoder, "bits") and scanner.stamp_digits < len(str(2**belt.encoder.bits - 1)):
        least = len(str(2**belt.encoder.bits - 1))
        message = f"must be {least} to 10: the belt's counter has {belt.encoder.bits} bits"
        source.add(("scanners", index, "stamp_digits"), message)


# Diverters


def _check_pitch(hub: Hub, source: Source, belt: Belt) -> None:
    found = _on(hub, belt, "diverters", "name", "at_mm", "clear_mm")
    placed = sorted(found, key=lambda pair: int(pair[1].at_mm))
    for (_, diverter), (index, following) in pairwise(placed):
        nearest_mm = diverter.at_mm + max(diverter.clear_mm, following.clear_mm)
        if following.at_mm < nearest_mm:
            message = f"must be {nearest_mm} or more: diverter {diverter.name} is at {diverter.at_mm}"
            source.add(
                ("diverters", index, "at_mm"), message, "the larger clear_mm must lie between two diverters"
            )


def _check_notices(hub: Hub, source: Source, index: int, belt: Belt) -> None:
    if led_on_mm(hub, belt) and not list(_inducts(hub, belt)):
        return  # what comes onto it has been read
    scanners = list(_on(hub, belt, "scanners", "at_mm"))
    every_known = resolves(hub, source, "scanners", "belt", "belts")
    if every_known and not scanners and all(known(s, "at_mm") for _, s in entries(hub, "scanners")):
        source.add(("belts", index, "name"), "the belt has no scanner", "without reads nothing can be sorted")
    if every_known and scanners:
        _refuse_before_scanners(hub, source, belt, min(int(scanner.at_mm) for _, scanner in scanners))
    for at, notice in notices(hub, belt):
        if notice.left_mm <= 0:
            _refuse_late(source, at, belt, notice)


def _refuse_before_scanners(hub: Hub, source: Source, belt: Belt, first_mm: int) -> None:
    for index, diverter in _on(hub, belt, "diverters", "at_mm"):
        if diverter.at_mm <= first_mm:
            source.add(("diverters", index, "at_mm"), f"must be downstream of the first scanner, {first_mm}")


def _refuse_late(source: Source, index: int, belt: Belt, notice: Notice) -> None:
    message = f"cannot be told in time after scanner {notice.scanner}: {1 - notice.left_mm} mm short"
    hint = f"at {belt.fastest_mm_s} mm/s it needs {notice.need_mm} mm, and has {notice.have_mm} mm"
    source.add(("diverters", index, "at_mm"), message, hint)
