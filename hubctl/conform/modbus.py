"""What a Modbus device must do to be what its profile says.

Some checks switch outputs, let the watchdog act and write the speed of a drive: they are asked for by `with_outputs`,
and are for a device that moves nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from hubctl.conform.checks import Check, Line
from hubctl.conform.frames import answers, frame_size, framed, shown
from hubctl.core.address import Space
from hubctl.core.profile import Profile, Span, Step, step_words, word_of

COIL_ON = 0xFF00
READS = (1, 2, 3, 4)
UNKNOWN = 99
LATEST_MS = 500  # after its time a watchdog must have acted
QUIET_MS = 50  # after which half a frame on a line is forgotten
OUTPUT_WAIT_MS = 100


class Asker:
    """Asks a device one thing after the other.

    Parameters
    ----------
    line : Line
    profile : Profile
    rtu : bool
        Frames of RTU, else of TCP.
    unit : int
    timeout_ms : int
    watchdog_ms : int
        To arm its watchdog with.
    """

    def __init__(
        self,
        line: Line,
        profile: Profile,
        *,
        rtu: bool,
        unit: int = 1,
        timeout_ms: int = 1000,
        watchdog_ms: int = 500,
    ) -> None:
        self.line = line
        self.profile = profile
        self.rtu = rtu
        self.unit = unit
        self.timeout_ms = timeout_ms
        self.watchdog_ms = watchdog_ms

    def ask(self, pdu: bytes) -> bytes:
        """The answer to one request; empty: none came."""
        self.line.pause(self.profile.limits.gap_ms)
        came = self.send(framed(pdu, rtu=self.rtu, unit=self.unit))
        found = answers(came, rtu=self.rtu, unit=self.unit)
        return found[0] if found else b""

    def send(self, data: bytes, n_answers: int = 1) -> bytes:
        """What came to bytes as they are."""
        return self.line.exchange(data, self.timeout_ms, lambda came: self._n_whole(came) >= n_answers)

    def _n_whole(self, data: bytes) -> int:
        n = 0
        while 0 < (size := frame_size(data, rtu=self.rtu)) <= len(data):
            data = data[size:]
            n += 1
        return n

    def read(self, space: Space, wire: int, n: int) -> bytes:
        """The answer to a read."""
        return self.ask(bytes([space]) + wire.to_bytes(2, "big") + n.to_bytes(2, "big"))

    def words(self, space: Space, wire: int, n: int) -> list[int] | None:
        """Registers or bits; None: it did not give them."""
        pdu = self.read(space, wire, n)
        n_data = (n + 7) // 8 if space in (Space.COIL, Space.DISCRETE) else 2 * n
        if len(pdu) != 2 + n_data or pdu[:2] != bytes([space, n_data]):
            return None
        if space in (Space.COIL, Space.DISCRETE):
            return [pdu[2 + i // 8] >> (i % 8) & 1 for i in range(n)]
        return [int.from_bytes(pdu[2 + 2 * i : 4 + 2 * i], "big") for i in range(n)]

    def write(self, function: int, wire: int, value: int) -> bytes:
        """The answer to a write of one coil or register."""
        return self.ask(bytes([function]) + wire.to_bytes(2, "big") + value.to_bytes(2, "big"))

    def do(self, step: Step) -> str:
        """What a step finds; its own words if that is right."""
        if step.writes:
            return self._do_write(step)
        words = self.words(Space[step.table.upper()], step.at, step.n_things)
        if words is None:
            return "no such answer"
        return (
            step_words(step)
            if self._is_right(step, words)
            else f"{step.table} {step.at:#06x} is {words[step.skip]}"
        )

    def _do_write(self, step: Step) -> str:
        values = [word_of(word, self.profile, self.watchdog_ms) for word in (step.write or step.turns or [])]
        if step.function in (5, 6):
            value = values[0] if step.function == 6 else COIL_ON * (values[0] & 1)
            request = bytes([step.function]) + step.at.to_bytes(2, "big") + value.to_bytes(2, "big")
        else:
            data = b"".join(value.to_bytes(2, "big") for value in values)
            head = step.at.to_bytes(2, "big") + len(values).to_bytes(2, "big")
            request = bytes([16]) + head + bytes([len(data)]) + data
        answer = self.ask(request)
        is_done = answer[:5] == request[:5] or (step.optional and answer[:1] == bytes([step.function | 0x80]))
        return step_words(step) if is_done else shown(answer)

    def _is_right(self, step: Step, words: list[int]) -> bool:
        compared = words[step.skip :]
        if step.contains is not None:
            return step.contains.encode("ascii") in b"".join(word.to_bytes(2, "big") for word in compared)
        if step.one_of is not None:
            return compared[0] in step.one_of
        wanted = [word_of(word, self.profile, self.watchdog_ms) for word in step.equals or []]
        masks = step.mask or [0xFFFF] * len(wanted)
        return all((a ^ b) & mask == 0 for a, b, mask in zip(compared, wanted, masks, strict=False))


def modbus_checks(asker: Asker, *, with_outputs: bool) -> Iterator[Check]:
    """Every check that a profile gives reason for, in the order in which they are to be run."""
    profile = asker.profile
    if with_outputs and profile.safe.clear:
        yield Check("leaves its safe state", partial(_steps, asker, profile.safe.clear))
    yield from _identity(asker)
    yield from _places(asker)
    yield from _refusals(asker)
    yield from _limits(asker)
    yield from _framing(asker)
    if with_outputs:
        yield from _outputs(asker)
        yield from _watchdog(asker)
        yield from _drive(asker)


def _steps(asker: Asker, steps: list[Step]) -> tuple[str, str]:
    """All steps as they should be, or the first that is not."""
    for step in steps:
        found = asker.do(step)
        if found != step_words(step):
            return step_words(step), found
    return "as the profile says", "as the profile says"


def _identity(asker: Asker) -> Iterator[Check]:
    for step in asker.profile.identity:
        yield Check(f"is what it should be: {step_words(step)}", partial(_steps, asker, [step]))
    for step in asker.profile.watch if asker.profile.watchdog is None else ():
        yield Check(f"is well: {step_words(step)}", partial(_steps, asker, [step]))


# Where things are


def _places(asker: Asker) -> Iterator[Check]:
    for space in (Space.COIL, Space.DISCRETE, Space.HOLDING, Space.INPUT):
        for span in asker.profile.spans(space):
            name = f"{space.name.lower()} {span.first} to {span.first + span.n - 1} can be read"
            yield Check(name, partial(_readable, asker, space, _ends(asker.profile, space, span)))
    for counter in asker.profile.counters:
        space = Space[counter.table.upper()]
        found = asker.profile.span_of(space, counter.number)
        assert found is not None
        wire = found.at if found.whole else found.at + counter.number - found.first
        n = counter.number - found.first + 2 if found.whole else (1 if counter.bits == 16 else 2)
        name = f"counter {counter.name} comes in one answer"
        yield Check(name, partial(_readable, asker, space, ((wire, n),)))


def _ends(profile: Profile, space: Space, span: Span) -> tuple[tuple[int, int], tuple[int, int]]:
    """First and last of a span, each as address and number; a span that is read whole is read from its first."""
    at = span.at + (profile.coils.shown_by if profile.coils and space is Space.COIL else 0)
    if span.whole:
        return (at, 1), (at, min(span.n, profile.limits.read_registers))
    return (at, 1), (at + span.n - 1, 1)


def _readable(asker: Asker, space: Space, places: tuple[tuple[int, int], ...]) -> tuple[str, str]:
    for wire, n in places:
        pdu = asker.read(space, wire, n)
        n_data = (n + 7) // 8 if space in (Space.COIL, Space.DISCRETE) else 2 * n
        if len(pdu) != 2 + n_data or pdu[0] != space or pdu[1] != n_data:
            return f"{n_data} bytes from {wire:#06x}", shown(pdu)
    return "an answer", "an answer"


# What it must refuse


def _refusals(asker: Asker) -> Iterator[Check]:
    functions = asker.profile.limits.functions
    # On a line the length of an unknown request is told by the silence behind it, which not every adapter keeps.
    for function in [f for f in READS if f not in functions] + [UNKNOWN] * (not asker.rtu):
        yield Check(f"refuses function {function}", partial(_unknown, asker, function))
    spaces = [s for s in (Space.HOLDING, Space.INPUT, Space.DISCRETE, Space.COIL) if s in functions]
    for space in spaces[:1]:
        if all(span.at + span.n < 0x10000 for span in asker.profile.spans(space)):
            yield Check("refuses what it does not have", partial(_outside, asker, space))


def _unknown(asker: Asker, function: int) -> tuple[str, str]:
    return f"exception 1 to function {function}", shown(asker.ask(bytes([function, 0, 0, 0, 1])))


def _outside(asker: Asker, space: Space) -> tuple[str, str]:
    return f"exception 2 to function {int(space)}", shown(asker.read(space, 0xFFFF, 1))


def _limits(asker: Asker) -> Iterator[Check]:
    limits = asker.profile.limits
    for space in (Space.HOLDING, Space.INPUT):
        spans = [span for span in asker.profile.spans(space) if span.n >= limits.read_registers]
        if not spans or space not in limits.functions:
            continue
        most = limits.read_registers
        name = f"{most} {space.name.lower()} registers come in one answer"
        yield Check(name, partial(_readable, asker, space, ((spans[0].at, most),)))
        if most < 125:
            more = f"{most + 1} {space.name.lower()} registers are refused"
            yield Check(more, partial(_too_many, asker, space, spans[0].at, most + 1))


def _too_many(asker: Asker, space: Space, at: int, n: int) -> tuple[str, str]:
    pdu = asker.read(space, at, n)
    is_refused = len(pdu) == 2 and pdu[0] == space | 0x80
    return "an exception", "an exception" if is_refused else shown(pdu)


# Frames


def _framing(asker: Asker) -> Iterator[Check]:
    step = asker.profile.identity[-1]
    space = Space[step.table.upper()]
    request = bytes([space]) + step.at.to_bytes(2, "big") + step.n_things.to_bytes(2, "big")
    whole = framed(request, rtu=asker.rtu, unit=asker.unit)
    if asker.rtu:
        yield Check("does not answer a frame with a bad CRC", partial(_spoilt, asker, whole))
        yield Check("answers the next one", partial(_answered, asker, request))
        return
    yield Check("answers a request that comes in pieces", partial(_pieces, asker, whole, request))
    yield Check("answers with the transaction it was asked by", partial(_answered, asker, request))
    if asker.profile.limits.in_flight > 1:
        yield Check("answers two requests of one segment", partial(_glued, asker, whole))


def _spoilt(asker: Asker, whole: bytes) -> tuple[str, str]:
    came = asker.send(whole[:-1] + bytes([whole[-1] ^ 0x55]))
    asker.line.pause(QUIET_MS)
    return "nothing", came.hex(" ") or "nothing"


def _answered(asker: Asker, request: bytes) -> tuple[str, str]:
    pdu = asker.ask(request)
    return "an answer", "an answer" if pdu[:1] == request[:1] else shown(pdu)


def _pieces(asker: Asker, whole: bytes, request: bytes) -> tuple[str, str]:
    early = asker.line.exchange(whole[:5], 20, bool)
    if early:
        return "nothing to half a request", early.hex(" ")
    found = answers(asker.send(whole[5:]), rtu=False, unit=asker.unit)
    return "an answer", "an answer" if found and found[0][:1] == request[:1] else shown(
        found[0] if found else b""
    )


def _glued(asker: Asker, whole: bytes) -> tuple[str, str]:
    found = answers(asker.send(2 * whole, 2), rtu=False, unit=asker.unit)
    return "2 answers", f"{len(found)} answers"


# Outputs


def _outputs(asker: Asker) -> Iterator[Check]:
    coils = asker.profile.coils
    if coils is None:
        return
    yield Check("all outputs go off by one write", partial(_all_off, asker))
    for number in sorted({0, coils.n - 1}):
        name = f"output {coils.first + number} goes on and off, and shows it"
        yield Check(name, partial(_on_and_off, asker, number))
    if asker.profile.pulse is not None:
        yield Check("an output that it times goes off by itself", partial(_pulse, asker))


def _all_off(asker: Asker) -> tuple[str, str]:
    coils = asker.profile.coils
    assert coils is not None
    data = bytes((coils.n + 7) // 8)
    head = coils.at.to_bytes(2, "big") + coils.n.to_bytes(2, "big")
    answer = asker.ask(bytes([15]) + head + bytes([len(data)]) + data)
    if answer != bytes([15]) + head:
        return f"{coils.n} outputs written", shown(answer)
    shown_bits = asker.words(Space.COIL, coils.at + coils.shown_by, coils.n)
    return "all off", "all off" if shown_bits is not None and not any(shown_bits) else f"{shown_bits}"


def _on_and_off(asker: Asker, number: int) -> tuple[str, str]:
    coils = asker.profile.coils
    assert coils is not None
    seen = []
    for value in (COIL_ON, 0):
        answer = asker.write(5, coils.at + number, value)
        if answer[:1] != b"\5":
            return "a coil written", shown(answer)
        asker.line.pause(OUTPUT_WAIT_MS)
        seen.append(asker.words(Space.COIL, coils.at + coils.shown_by + number, 1))
    return "on, then off", "on, then off" if seen == [[1], [0]] else f"{seen[0]}, then {seen[1]}"


def _pulse(asker: Asker) -> tuple[str, str]:
    coils, pulse = asker.profile.coils, asker.profile.pulse
    assert coils is not None
    assert pulse is not None
    answer = asker.write(5, pulse.at, 3)
    if answer[:1] != b"\5":
        return "a time taken", shown(answer)
    during = asker.words(Space.COIL, coils.at + coils.shown_by, 1)
    asker.line.pause(3 * pulse.unit_ms + LATEST_MS)
    after = asker.words(Space.COIL, coils.at + coils.shown_by, 1)
    return "on, then off", "on, then off" if (during, after) == ([1], [0]) else f"{during}, then {after}"


# The watchdog


def _watchdog(asker: Asker) -> Iterator[Check]:
    watchdog = asker.profile.watchdog
    if watchdog is None:
        return
    yield Check("its watchdog is armed, and says so", partial(_steps, asker, watchdog.arm))
    yield Check("it stays armed while it is kept", partial(_kept, asker))
    yield Check("it acts when nobody speaks, and outputs go off", partial(_acts, asker))
    yield Check("it is brought back", partial(_brought_back, asker))


def _kept(asker: Asker) -> tuple[str, str]:
    """Twice its time, with what keeps it."""
    watchdog = asker.profile.watchdog
    assert watchdog is not None
    for turn in range(6):
        for step in watchdog.keep:
            asker.do(step if step.turns is None else _in_turn(step, turn))
        asker.line.pause(asker.watchdog_ms // 3)
    return _steps(asker, watchdog.arm[-1:])


def _in_turn(step: Step, turn: int) -> Step:
    assert step.turns is not None
    word = step.turns[(turn + 1) % len(step.turns)]
    return step.model_copy(update={"turns": None, "write": [word]})


def _acts(asker: Asker) -> tuple[str, str]:
    watchdog, coils = asker.profile.watchdog, asker.profile.coils
    assert watchdog is not None
    if coils is not None:
        asker.write(5, coils.at, COIL_ON)
    asker.line.pause(asker.watchdog_ms + LATEST_MS)
    proof = watchdog.arm[-1]
    if asker.profile.safe.exception:
        answer = asker.read(Space[proof.table.upper()], proof.at, proof.n_things)
        return f"exception {asker.profile.safe.exception} to function {proof.function}", shown(answer)
    return "not armed any more", step_words(proof) if asker.do(proof) == step_words(
        proof
    ) else "not armed any more"


def _brought_back(asker: Asker) -> tuple[str, str]:
    expected, came = _steps(asker, [*asker.profile.safe.clear, *asker.profile.identity])
    coils = asker.profile.coils
    if expected != came or coils is None:
        return expected, came
    shown_bits = asker.words(Space.COIL, coils.at + coils.shown_by, 1)
    return "outputs off", "outputs off" if shown_bits == [0] else f"first output {shown_bits}"


# Drives


def _drive(asker: Asker) -> Iterator[Check]:
    drive = asker.profile.drive
    if drive is None:
        return
    yield Check("the drive stops", partial(_written, asker, drive.control, drive.stop))
    yield Check(
        "it takes a setpoint, and shows it", partial(_written, asker, drive.setpoint, drive.full // 2)
    )
    if drive.actual is not None:
        speed = ((drive.actual, 1),)
        yield Check("it tells the speed it runs at", partial(_readable, asker, Space.HOLDING, speed))


def _written(asker: Asker, wire: int, word: int) -> tuple[str, str]:
    answer = asker.write(6, wire, word)
    if answer[:1] != b"\6":
        return "a register written", shown(answer)
    return f"{word:#06x}", ", ".join(f"{value:#06x}" for value in asker.words(Space.HOLDING, wire, 1) or [])
