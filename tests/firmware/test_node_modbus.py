"""The node's Modbus server: pymodbus as the other side, frames in pieces, and everything that is no frame."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from built import MS, RTU_LENGTH, RTU_SILENCE, SILENCE_TICKS, TCP, Node
from hypothesis import given
from hypothesis import strategies as st
from pymodbus.framer import FramerRTU, FramerSocket
from pymodbus.pdu import DecodePDU, ModbusPDU
from pymodbus.pdu import bit_message as bits_of
from pymodbus.pdu import register_message as registers_of
from pymodbus.pdu.mei_message import ReadDeviceInformationRequest

from hubctl.protocol import registers as r

FRAMINGS = pytest.mark.parametrize("framing", [TCP, RTU_LENGTH, RTU_SILENCE])
POLL = r.put(r.POLL, host_seq=7)
COMMAND = r.put(r.COMMAND, host_seq=8, epoch=1, command=r.Command.TAKE, seq=77)


def exchange(node: Node, request: ModbusPDU) -> ModbusPDU:
    """The answer as pymodbus understands it."""
    framer = FramerSocket if node.framing == TCP else FramerRTU
    request.dev_id, request.transaction_id = 1, 5
    said = node.step(framer(DecodePDU(True)).buildFrame(request))
    if node.framing == RTU_SILENCE:
        said = node.step(after_ticks=SILENCE_TICKS)
    used, answer = framer(DecodePDU(False)).handleFrame(said, 1, 5 if node.framing == TCP else 0)
    assert used == len(said)
    assert answer is not None
    return answer


REQUESTS: list[tuple[Callable[[], ModbusPDU], list[int] | list[bool]]] = [
    (lambda: bits_of.ReadCoilsRequest(address=0, count=3), [False] * 8),
    (lambda: bits_of.ReadDiscreteInputsRequest(address=4, count=9), [False] * 16),
    (lambda: registers_of.ReadHoldingRegistersRequest(address=0, count=4), [0x4855, 0x424E, 1, 0x0100]),
    (lambda: registers_of.ReadInputRegistersRequest(address=11, count=2), [0, 77]),
]


@FRAMINGS
@pytest.mark.parametrize(("request_of", "expected"), REQUESTS)
def test_reads(framing: int, request_of: Callable[[], ModbusPDU], expected: list[int]) -> None:
    answer = exchange(Node(framing), request_of())
    assert (answer.bits or answer.registers) == expected


@FRAMINGS
def test_coils_by_hand(framing: int) -> None:
    node = Node(framing)
    assert exchange(node, bits_of.WriteSingleCoilRequest(address=3, bits=[True])).address == 3
    assert node.outputs == 0b1000
    exchange(node, bits_of.WriteMultipleCoilsRequest(address=0, bits=[True, False, True, False, True]))
    assert node.outputs == 0b10101
    assert exchange(node, bits_of.ReadCoilsRequest(address=0, count=5)).bits[:5] == [
        True,
        False,
        True,
        False,
        True,
    ]


def test_coils_are_not_for_whoever_comes_once_it_is_taken(ready: Node) -> None:
    answer = exchange(ready, bits_of.WriteSingleCoilRequest(address=3, bits=[True]))
    assert (answer.isError(), answer.exception_code) == (True, 4)


@FRAMINGS
def test_registers_are_written_and_exchanged(framing: int) -> None:
    node = Node(framing)
    exchange(node, registers_of.WriteMultipleRegistersRequest(address=r.COMMAND.address, registers=COMMAND))
    assert node.get(r.STATUS, "state") == r.NodeState.TAKEN
    exchange(node, registers_of.WriteSingleRegisterRequest(address=r.POLL.address, registers=[99]))
    assert node.get(r.STATUS, "host_seq") == 99
    answer = exchange(
        node,
        registers_of.ReadWriteMultipleRegistersRequest(
            read_address=r.RESULT.address, read_count=2, write_address=r.POLL.address, write_registers=POLL
        ),
    )
    assert answer.registers == [7, r.Result.OLD_EPOCH]


@FRAMINGS
@pytest.mark.parametrize("block", [r.RESULT, r.STATUS, r.EDGES, r.OUTCOMES], ids=lambda block: block.name)
def test_each_block_echoes_the_host(framing: int, block: r.Block) -> None:
    node = Node(framing)
    node.write(r.POLL, host_seq=4711)
    assert node.get(block, "host_seq") == 4711


def test_identification() -> None:
    answer = exchange(Node(), ReadDeviceInformationRequest(read_code=1, object_id=0))
    assert answer.information == {0: b"hubctl", 1: b"hub node", 2: b"1.0"}


def pdu(text: str) -> bytes:
    return bytes.fromhex(text)


@FRAMINGS
@pytest.mark.parametrize(
    ("asked", "exception"),
    [
        ("07", 1),
        ("14 0000", 1),
        ("2b 0d 01 00", 1),
        ("2b 0e 05 00", 3),
        ("2b 0e 04 03", 2),
        ("03 0000 0000", 3),
        ("03 0000 007e", 3),
        ("03 000c 0002", 2),
        ("03 0064 0078", 2),
        ("03 012c 0001", 2),
        ("01 0000 0011", 2),
        ("01 0000 07d1", 3),
        ("02 ffff 0001", 2),
        ("05 0000 0001", 3),
        ("05 0010 ff00", 2),
        ("06 0000 0001", 2),
        ("0f 0000 0000 00", 3),
        ("0f 0000 0001 02 0000", 3),
        ("0f 0000 0011 03 000000", 2),
        ("10 012c 0004 08" + "00" * 8, 2),
        ("10 012d 0005 0a" + "00" * 10, 2),
        ("10 012c 0005 08" + "00" * 8, 3),
        ("17 0064 0001 012c 0004 08" + "00" * 8, 2),
        ("17 0064 007e 012c 0005 0a" + "00" * 10, 3),
        ("17 0000 0064 012c 0005 0a" + "00" * 10, 2),
    ],
)
def test_refusals(framing: int, asked: str, exception: int) -> None:
    node = Node(framing)
    request = pdu(asked)
    said = node.step(node.framed(request))
    if not said:
        said = node.step(after_ticks=50 * MS)
    answer = said[7:] if framing == TCP else said[1:-2]
    assert answer == bytes([request[0] | 0x80, exception])
    assert node.get(r.STATUS, "host_seq") == 0


# The stream

IDENTITY_PDU = bytes([3, 0, 0, 0, 13])


@pytest.mark.parametrize("framing", [TCP, RTU_LENGTH])
def test_whole_and_byte_by_byte(framing: int) -> None:
    node = Node(framing)
    frame = node.framed(IDENTITY_PDU)
    whole = node.step(frame)
    pieces = [node.step(frame[at : at + 1], after_ticks=100) for at in range(len(frame))]
    assert pieces == [b""] * (len(frame) - 1) + [whole]


def test_requests_in_one_segment_are_answered_one_by_one() -> None:
    node = Node()
    frames = [node.framed(IDENTITY_PDU, transaction=i) for i in range(1, 9)]
    assert node.answers(b"".join(frames))[:2] == b"\0\1"
    node = Node()
    assert len(node.answers(b"".join(frames))) == 8 * len(Node().step(frames[0]))


def test_a_frame_ends_with_silence() -> None:
    node = Node(RTU_SILENCE)
    frame = node.framed(IDENTITY_PDU)
    assert node.step(frame[:4]) == b""
    assert node.step(frame[4:], after_ticks=SILENCE_TICKS - 1) == b""
    assert node.step(after_ticks=SILENCE_TICKS - 1) == b""
    assert len(node.step(after_ticks=1)) == 3 + 26 + 2


def test_silence_within_a_frame_ends_it() -> None:
    node = Node(RTU_SILENCE)
    frame = node.framed(IDENTITY_PDU)
    node.step(frame[:4])
    node.step(frame[4:], after_ticks=SILENCE_TICKS)
    assert node.step(after_ticks=SILENCE_TICKS) == b""
    assert node.get(r.STATUS, "bad_frames") == 2


def test_noise_is_forgotten_after_silence() -> None:
    node = Node(RTU_LENGTH)
    assert node.step(b"\x01\x03\xff\xff\xff\xff\xff\xff") == b""
    assert node.step(node.framed(IDENTITY_PDU), after_ticks=1 * MS) == b""
    assert node.step(node.framed(IDENTITY_PDU), after_ticks=50 * MS) != b""


def test_of_a_broken_tcp_stream_nothing_more_is_believed() -> None:
    node = Node()
    assert node.step(bytes([0, 1, 0, 9, 0, 6, 1, 3, 0, 0, 0, 13])) == b""
    assert node.is_broken
    assert node.step(node.framed(IDENTITY_PDU)) == b""


@FRAMINGS
def test_other_units(framing: int) -> None:
    node = Node(framing)
    said = node.step(node.framed(IDENTITY_PDU, unit=9)) + node.step(after_ticks=50 * MS)
    assert said == (bytes([0, 1, 0, 0, 0, 3, 9, 0x83, 0x0B]) if framing == TCP else b"")


def test_a_broadcast_is_done_and_not_answered() -> None:
    node = Node(RTU_LENGTH)
    assert node.step(node.framed(bytes([5, 0, 2, 0xFF, 0]), unit=0)) == b""
    assert node.outputs == 0b100


@given(st.integers(0, 36), st.integers(1, 255))
def test_one_wrong_byte_in_a_serial_frame_does_nothing(at: int, change: int) -> None:
    node = Node(RTU_LENGTH)
    frame = bytearray(
        node.framed(bytes([16, 1, 64, 0, 14, 28]) + b"".join(w.to_bytes(2, "big") for w in COMMAND))
    )
    frame[at % len(frame)] ^= change
    assert node.step(bytes(frame)) + node.step(after_ticks=50 * MS) == b""
    assert node.get(r.STATUS, "epoch") == 0


@given(st.sampled_from([TCP, RTU_LENGTH, RTU_SILENCE]), st.lists(st.binary(max_size=300), max_size=8))
def test_nothing_that_comes_is_too_much(framing: int, pieces: list[bytes]) -> None:
    node = Node(framing)
    for piece in pieces:
        node.step(piece, after_ticks=10 * MS)
    assert node.is_within_its_memory
