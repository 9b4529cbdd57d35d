"""Wrong answers to a Modbus master, crafted: what a device, a gateway or a line does on a bad day.

Each lies that every input is on, so that an answer which is believed shows at once as an edge.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from rig import NodeModel

from hubctl._wire import modbus_crc

POLL, WRITE = 2, 5  # the functions whose answers are crafted
LIE = bytes.fromhex("01 02 01 0F")


class Exchange(NamedTuple):
    """One question, its true answer, and the true answers withheld before."""

    question: bytes  # unit and PDU
    answer: bytes  # the whole frame
    withheld: list[bytes]
    rtu: bool

    def framed(self, body: bytes, transaction: bytes | None = None) -> bytes:
        """Unit and PDU as the frame that fits this question."""
        if self.rtu:
            return body + modbus_crc(body).to_bytes(2, "little")
        return (transaction or self.answer[:2]) + b"\0\0" + len(body).to_bytes(2, "big") + body


Craft = Callable[[Exchange], bytes]


class Case(NamedTuple):
    """What comes instead of the answers to one question after the other, and what is counted for it."""

    name: str
    rtu: bool
    function: int
    steps: tuple[Craft, ...]
    refused: dict[str, int]
    breaks: bool = False  # the connection has to be made anew


class LyingNode(NodeModel):
    """A node that answers the next questions of one function as crafted, and then as it should."""

    def __init__(self, case: Case) -> None:
        super().__init__(rtu=case.rtu)
        self._case = case
        self.steps: list[Craft] = []
        self._withheld: list[bytes] = []
        self.spoil = self._crafted

    def lie(self) -> None:
        """From the next question on."""
        self.steps = list(self._case.steps)

    def _crafted(self, frame: bytes) -> bytes:
        question = self.requests[-1]
        if not self.steps or question[1] != self._case.function:
            return frame
        crafted = self.steps.pop(0)(Exchange(question, frame, self._withheld, self.rtu))
        self._withheld.append(frame)
        return crafted


def body(text: str) -> Craft:
    """A frame around these bytes."""
    return lambda x: x.framed(bytes.fromhex(text))


def silence(_: Exchange) -> bytes:
    """Nothing."""
    return b""


def late(x: Exchange) -> bytes:
    """The true answer to the question before, and nothing more."""
    return x.withheld[0]


def tcp(text: str) -> Craft:
    """The number of the question, and then these bytes."""
    return lambda x: x.answer[:2] + bytes.fromhex(text)


# To a poll: wrong in the same way on both kinds of line.
WRONG_BODIES = [
    ("another function", "01 01 01 0F", "wrong_function", "wrong_function"),
    ("a register function", "01 04 02 00 0F", "wrong_function", "wrong_length"),
    ("too few bytes", "01 02 00", "wrong_length", "wrong_length"),
    ("too many bytes", "01 02 02 0F 0F", "wrong_length", "wrong_length"),
    ("a byte count too high", "01 02 05 0F", "wrong_length", "wrong_length"),
    ("a byte count too low", "01 02 00 0F", "wrong_length", "bad_crc"),
    ("another unit", "02 02 01 0F", "wrong_unit", "wrong_unit"),
    ("unit 0", "00 02 01 0F", "wrong_unit", "wrong_unit"),
    ("an exception of another function", "01 83 02", "wrong_function", "wrong_function"),
    ("an exception too long", "01 82 02 0F", "wrong_length", "bad_crc"),
    ("an honest exception", "01 82 04", "exception", "exception"),
    ("a function that is none", "01 63 0F 0F 0F 0F", "wrong_function", "garbage"),
]
# To the write of coil 3, on.
WRONG_ECHOES = [
    ("the echo of another coil", "01 05 00 02 FF 00", "wrong_echo", "wrong_echo"),
    ("the echo of another value", "01 05 00 03 00 00", "wrong_echo", "wrong_echo"),
    ("the echo of a value that is none", "01 05 00 03 FF FF", "wrong_echo", "wrong_echo"),
    ("the answer to another write", "01 0F 00 03 FF 00", "wrong_function", "wrong_function"),
    ("the answer to a read", "01 01 01 0F", "wrong_function", "wrong_function"),
]

TCP_ONLY = [
    Case("transaction 0", False, POLL, (lambda x: x.framed(LIE, b"\0\0"),), {"foreign": 1, "timeout": 1}),
    Case(
        "a foreign transaction",
        False,
        POLL,
        (lambda x: x.framed(LIE, b"\x77\x77"),),
        {"foreign": 1, "timeout": 1},
    ),
    Case(
        "the answer before last",
        False,
        POLL,
        (silence, lambda x: late(x) + x.answer),
        {"timeout": 1, "late": 1},
    ),
    Case("a doubled answer", False, POLL, (lambda x: x.answer + x.answer,), {"doubled": 1}),
    Case(
        "one glued to the answer",
        False,
        POLL,
        (lambda x: x.framed(LIE, b"\x77\x77") + x.answer,),
        {"foreign": 1},
    ),
    Case("another protocol", False, POLL, (tcp("00 01 00 04 01 02 01 0F"),), {"garbage": 1, "timeout": 1}),
    Case(
        "a length too small by 1",
        False,
        POLL,
        (tcp("00 00 00 03 01 02 01 0F"),),
        {"wrong_length": 1, "garbage": 1},
        True,
    ),
    Case(
        "a length too great by 1",
        False,
        POLL,
        (tcp("00 00 00 05 01 02 01 0F"),),
        {"timeout": 1, "garbage": 1},
        True,
    ),
    Case("a length of 0", False, POLL, (tcp("00 00 00 00 01 02 01 0F"),), {"garbage": 1}, True),
    Case("a length of 300", False, POLL, (tcp("00 00 01 2C 01 02 01 0F"),), {"garbage": 1}, True),
    Case("half an answer", False, POLL, (lambda x: x.framed(LIE)[:-1],), {"timeout": 1, "garbage": 1}, True),
    Case("noise before", False, POLL, (lambda x: 6 * b"\xff" + x.framed(LIE),), {"garbage": 1}, True),
    Case(
        "another server", False, POLL, (lambda x: b"HTTP/1.1 400 Bad Request\r\n\r\n",), {"garbage": 1}, True
    ),
    Case("an RTU frame", False, POLL, (lambda x: x._replace(rtu=True).framed(LIE),), {"garbage": 1}, True),
    Case("the question itself", False, POLL, (lambda x: x.framed(x.question),), {"wrong_length": 1}),
    Case("nothing", False, POLL, (silence,), {"timeout": 1}),
]
RTU_ONLY = [
    Case("a doubled answer", True, POLL, (lambda x: x.answer + x.answer,), {"doubled": 1}),
    Case("one glued to the answer", True, POLL, (lambda x: x.answer + x.framed(LIE),), {"garbage": 1}),
    Case("half an answer", True, POLL, (lambda x: x.framed(LIE)[:-1],), {"timeout": 1, "garbage": 1}),
    Case(
        "a bit flipped",
        True,
        POLL,
        (lambda x: x.framed(LIE)[:3] + b"\x0d" + x.framed(LIE)[4:],),
        {"bad_crc": 1},
    ),
    Case(
        "a checksum the other way round", True, POLL, (lambda x: LIE + x.framed(LIE)[:3:-1],), {"bad_crc": 1}
    ),
    Case("noise before", True, POLL, (lambda x: b"\x55\x55\x55" + x.framed(LIE),), {"garbage": 1}),
    Case("noise only", True, POLL, (lambda x: 200 * b"\x55",), {"garbage": 1}),
    Case(
        "the line's echo, then the answer",
        True,
        POLL,
        (lambda x: x.framed(x.question) + x.answer,),
        {"echo": 1},
    ),
    Case("the line's echo only", True, POLL, (lambda x: x.framed(x.question),), {"echo": 1, "timeout": 1}),
    Case("a TCP frame", True, POLL, (lambda x: b"\0\1\0\0\0\4" + LIE,), {"bad_crc": 1}),
    Case("nothing", True, POLL, (silence,), {"timeout": 1}),
]
WRONG_ANSWERS = (
    [
        Case(name, rtu, function, (body(text),), {on_rtu if rtu else on_tcp: 1})
        for function, wrong in ((POLL, WRONG_BODIES), (WRITE, WRONG_ECHOES))
        for name, text, on_tcp, on_rtu in wrong
        for rtu in (False, True)
    ]
    + TCP_ONLY
    + RTU_ONLY
)
