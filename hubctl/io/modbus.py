"""A Modbus client for a person who commissions a device: one question at a time, and only true answers.

It frames and judges with the daemon's own channel, so that what it takes the daemon takes too, and what it refuses is
refused by the same name. It blocks, each question no longer than its deadline; nothing hot goes through here.
"""

from __future__ import annotations

import os
import select
import time
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from hubctl._wire import ModbusChannel, ModbusReply, Refusal
from hubctl.core.address import Space
from hubctl.core.hubfile import Link
from hubctl.io.links import Dial, DialError, dial_of

READ_MAX = {Space.COIL: 2000, Space.DISCRETE: 2000, Space.HOLDING: 125, Space.INPUT: 125}
WRITE_MAX = {Space.COIL: 1968, Space.HOLDING: 123}
COIL_ON = 0xFF00
DIAL_S = 0.002  # between two looks at a connection that is being made
CHUNK = 4096
IDENTIFY = 43

EXCEPTIONS = {
    1: "it does not have function {function}, or does not let us use it",
    2: "it has not all of the addresses asked for",
    3: "it does not take this value or this many at once",
    4: "it failed; a tripped watchdog may be the cause",
    5: "it has begun, and needs more time",
    6: "it is busy",
    8: "its memory is damaged",
    10: "the gateway has no way to it",
    11: "it does not answer the gateway; is the unit right?",
}
REFUSALS = {
    Refusal.TIMEOUT: "does not answer; is the unit right?",
    Refusal.WRONG_UNIT: "was answered for by another unit",
    Refusal.WRONG_FUNCTION: "answered another function",
    Refusal.WRONG_LENGTH: "answered with too few or too many bytes",
    Refusal.WRONG_ECHO: "confirmed another address or value than was written",
    Refusal.BAD_CRC: "answered with a wrong checksum; check baud rate, parity and wiring",
    Refusal.GARBAGE: "answered with bytes that are no frame; check baud rate, parity and the kind of line",
}


class ModbusError(Exception):
    """There is no true answer; the text says what came instead."""

    def __init__(self, unit: int, refusal: Refusal, exception: int = 0, function: int = 0) -> None:
        self.refusal = refusal
        self.exception = exception
        text = REFUSALS.get(refusal, f"was not answered: {refusal.name.lower()}")
        if refusal is Refusal.EXCEPTION:
            why = EXCEPTIONS.get(exception, "for a reason of its own").format(function=function)
            text = f"says no with exception {exception}: {why}"
        super().__init__(f"unit {unit} {text}")


class Identity(NamedTuple):
    """What a device says of itself, by function 43."""

    objects: dict[int, str]  # 0 vendor, 1 product, 2 revision, and more


class ModbusClient:
    """Asks the devices behind one link, one question at a time.

    Parameters
    ----------
    link : Link
        A Modbus link, as in a hub file.
    timeout_ms : int
        For each answer.
    gap_ms : int
        Quiet that the device needs between an answer and the next question.

    Raises
    ------
    DialError
        It cannot be reached.

    Examples
    --------
    ::

        with ModbusClient(link, timeout_ms=500) as client:
            client.read(1, Space.HOLDING, 0, count=4)
    """

    def __init__(self, link: Link, *, timeout_ms: int, gap_ms: int = 0) -> None:
        self._dial = dial_of(link)
        self._fd = connected(self._dial)
        self._timeout_ns = timeout_ms * 1_000_000
        rtu = link.kind.startswith("modbus-rtu")
        quiet_ns = max(quiet_ns_of(getattr(link, "baud", 0)), gap_ms * 1_000_000)
        self._channel = ModbusChannel(rtu=rtu, quiet_ns=quiet_ns)
        self._tag = 0
        self.round_trips_ns: list[int] = []
        self.exceptions: Counter[int] = Counter()

    def __enter__(self) -> ModbusClient:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._fd)

    @property
    def refused(self) -> dict[Refusal, int]:
        """How many answers were refused, by kind."""
        return self._channel.refused

    def read(self, unit: int, space: Space, number: int, count: int = 1, *, block_max: int = 0) -> list[int]:
        """Bits or registers from `number` on, in as many questions as it takes."""
        most = min(block_max or READ_MAX[space], READ_MAX[space])
        values: list[int] = []
        for first in range(number, number + count, most):
            n = min(most, number + count - first)
            values += unpacked(space, self.ask(unit, space, first, count=n), n)
        return values

    def write(self, unit: int, space: Space, number: int, values: Sequence[int]) -> None:
        """Coils or holding registers: one by function 5 or 6, several by 15 or 16. Nothing is written twice."""
        if len(values) == 1:
            function, value = (5, COIL_ON * bool(values[0])) if space is Space.COIL else (6, values[0])
            self.ask(unit, function, number, value=value)
            return
        function = 15 if space is Space.COIL else 16
        self.ask(unit, function, number, count=len(values), data=packed(space, values))

    def write_raw(self, unit: int, number: int, value: int) -> None:
        """Function 5 with any value, as some relays take it for the length of a pulse."""
        self.ask(unit, 5, number, value=value, custom=True)

    def identify(self, unit: int) -> Identity:
        """Everything that the device says of itself, question by question while more follows."""
        objects: dict[int, str] = {}
        code, at, more = 1, 0, True
        while more:
            told = self.ask(unit, IDENTIFY, at, value=code)
            objects |= objects_of(told)
            more, at = told[1] == 0xFF and told[2] > at, told[2]
            if not more and code == 1 and told[0] & 0x7F > 1:
                code, at, more = 2, 3, True  # it has the regular ones too
        return Identity(objects)

    def ask(
        self,
        unit: int,
        function: int,
        address: int,
        *,
        count: int = 1,
        value: int = 0,
        data: bytes = b"",
        custom: bool = False,
    ) -> bytes:
        """The data of a true answer.

        Raises
        ------
        ModbusError
            There is none within the deadline, it is refused, or the device says no.
        DialError
            The connection ended.
        LocalError
            Modbus does not allow the question.
        """
        self._wait_until_ready()
        self._tag += 1
        sent_ns = time.monotonic_ns()
        question = self._channel.send(
            sent_ns,
            unit=unit,
            function=function,
            address=address,
            count=count,
            value=value,
            data=data,
            custom=custom,
            timeout_ns=self._timeout_ns,
            tag=self._tag,
        )
        os.write(self._fd, question)
        reply = self._reply()
        self.round_trips_ns.append(time.monotonic_ns() - sent_ns)
        if reply.refusal is not Refusal.ACCEPTED:
            self.exceptions[reply.exception] += reply.refusal is Refusal.EXCEPTION
            raise ModbusError(unit, reply.refusal, reply.exception, function)
        return reply.data

    def _reply(self) -> ModbusReply:
        """What became of the question that is open."""
        while True:
            for reply in self._heard():
                if reply.tag == self._tag:
                    return reply
            if self._channel.broken:
                raise DialError(
                    "sent bytes that are no Modbus frames; is this its port, and the right kind of line?"
                )

    def _wait_until_ready(self) -> None:
        while not self._channel.ready(time.monotonic_ns()):
            self._heard()

    def _heard(self) -> list[ModbusReply]:
        """What the next bytes, or the next deadline, bring."""
        now_ns = time.monotonic_ns()
        wait_ns = self._channel.next_deadline(now_ns) - now_ns
        if not select.select([self._fd], [], [], max(0, min(wait_ns, self._timeout_ns)) / 1e9)[0]:
            return self._channel.expire(time.monotonic_ns())
        return self._channel.receive(self._received(), time.monotonic_ns())

    def _received(self) -> bytes:
        try:
            data = os.read(self._fd, CHUNK)
        except OSError:
            data = b""
        if not data:
            # A dial may know why.
            self._dial.begin(time.monotonic_ns())
            self._dial.give_up()
            raise DialError("closed the connection; does it take another one?")
        return data


def connected(dial: Dial) -> int:
    """A connected descriptor; DialError if there is none within the dial's own deadline."""
    dial.begin(time.monotonic_ns())
    while (fd := dial.finish(time.monotonic_ns())) is None:
        select.select([], [], [], DIAL_S)
    return fd


def quiet_ns_of(baud: int) -> int:
    """Silence between RTU frames: 3.5 characters of 11 bits; above 19,200 Bd 1.75 ms (serial line guide, 2.5.1.1)."""
    return 1_750_000 if baud > 19200 or baud <= 0 else 38_500_000_000 // baud


def unpacked(space: Space, data: bytes, n: int) -> list[int]:
    """Bits, the first one lowest, or registers, high byte first."""
    if space in (Space.COIL, Space.DISCRETE):
        return [data[i // 8] >> i % 8 & 1 for i in range(n)]
    return [int.from_bytes(data[i : i + 2], "big") for i in range(0, 2 * n, 2)]


def packed(space: Space, values: Sequence[int]) -> bytes:
    """The way back."""
    if space is not Space.COIL:
        return b"".join(value.to_bytes(2, "big") for value in values)
    data = bytearray((len(values) + 7) // 8)
    for i, value in enumerate(values):
        data[i // 8] |= bool(value) << i % 8
    return bytes(data)


def objects_of(told: bytes) -> dict[int, str]:
    """The objects of one identification: after conformity, more, next and their number, each id, length and text."""
    objects, at = {}, 4
    for _ in range(told[3]):
        end = at + 2 + told[at + 1]
        objects[told[at]] = told[at + 2 : end].decode("ascii", "replace")
        at = end
    return objects
