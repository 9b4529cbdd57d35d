"""A Modbus channel against fixed frames, pymodbus as independent oracle, and wrong answers."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pymodbus.framer import FramerRTU, FramerSocket
from pymodbus.pdu import DecodePDU, ExceptionResponse, ModbusPDU
from pymodbus.pdu import bit_message as bits_of
from pymodbus.pdu import register_message as registers_of
from pymodbus.pdu.mei_message import ReadDeviceInformationRequest, ReadDeviceInformationResponse

from hubctl._wire import LocalError, ModbusChannel, ModbusReply, Refusal, modbus_crc

MS = 1_000_000
TIMEOUT_NS = 100 * MS
QUIET_NS = 2 * MS
READS: dict[int, tuple[type[ModbusPDU], type[ModbusPDU]]] = {
    1: (bits_of.ReadCoilsRequest, bits_of.ReadCoilsResponse),
    2: (bits_of.ReadDiscreteInputsRequest, bits_of.ReadDiscreteInputsResponse),
    3: (registers_of.ReadHoldingRegistersRequest, registers_of.ReadHoldingRegistersResponse),
    4: (registers_of.ReadInputRegistersRequest, registers_of.ReadInputRegistersResponse),
}
WRITES: dict[int, tuple[type[ModbusPDU], type[ModbusPDU]]] = {
    5: (bits_of.WriteSingleCoilRequest, bits_of.WriteSingleCoilResponse),
    6: (registers_of.WriteSingleRegisterRequest, registers_of.WriteSingleRegisterResponse),
    15: (bits_of.WriteMultipleCoilsRequest, bits_of.WriteMultipleCoilsResponse),
    16: (registers_of.WriteMultipleRegistersRequest, registers_of.WriteMultipleRegistersResponse),
}


def channel(rtu: bool, in_flight_max: int = 1) -> ModbusChannel:
    return ModbusChannel(rtu=rtu, in_flight_max=in_flight_max, quiet_ns=QUIET_NS)


def encoded(rtu: bool, pdu: ModbusPDU) -> bytes:
    return (FramerRTU if rtu else FramerSocket)(DecodePDU(True)).buildFrame(pdu)


def rtu_frame(text: str) -> bytes:
    body = bytes.fromhex(text)
    return body + modbus_crc(body).to_bytes(2, "little")


def packed(bits: Sequence[bool]) -> bytes:
    data = bytearray((len(bits) + 7) // 8)
    for i, bit in enumerate(bits):
        data[i // 8] |= bit << (i % 8)
    return bytes(data)


def refusals(replies: list[ModbusReply]) -> list[Refusal]:
    return [reply.refusal for reply in replies]


def test_crc_of_the_catalogue_check_string() -> None:
    assert modbus_crc(b"123456789") == 0x4B37


@given(data=st.binary(max_size=64))
def test_crc_is_pymodbuss(data: bytes) -> None:
    assert modbus_crc(data).to_bytes(2, "little") == FramerRTU.compute_CRC(data).to_bytes(2, "big")


@pytest.mark.parametrize(
    ("frame", "wanted"),
    [
        ("01 05 00 00 FF 00 8C 3A", {"unit": 1, "function": 5, "address": 0, "value": 0xFF00}),
        ("01 05 00 FF FF 00 BC 0A", {"unit": 1, "function": 5, "address": 0xFF, "value": 0xFF00}),
        (
            "01 0F 00 00 00 08 01 FF BE D5",
            {"unit": 1, "function": 15, "address": 0, "count": 8, "data": b"\xff"},
        ),
        ("01 01 00 00 00 08 3D CC", {"unit": 1, "function": 1, "address": 0, "count": 8}),
        ("01 03 21 02 00 02 6F F7", {"unit": 1, "function": 3, "address": 0x2102, "count": 2}),
    ],
)
def test_rtu_requests_of_real_devices(frame: str, wanted: dict[str, int]) -> None:
    assert channel(True).send(0, timeout_ns=TIMEOUT_NS, **wanted) == bytes.fromhex(frame)  # type: ignore[arg-type]


def test_drive_answers_its_frequency() -> None:
    drive = channel(True)
    drive.send(0, unit=1, function=3, address=0x2102, count=2, timeout_ns=TIMEOUT_NS, tag=7)
    (reply,) = drive.receive(bytes.fromhex("01 03 04 17 70 00 00 FE 5C"), MS)
    assert reply == ModbusReply(7, Refusal.ACCEPTED, bytes.fromhex("1770 0000"), 0)


@given(
    rtu=st.booleans(),
    unit=st.integers(1, 247),
    function=st.sampled_from(sorted(READS)),
    address=st.integers(0, 60000),
    values=st.lists(st.integers(0, 65535), min_size=1, max_size=125),
)
def test_reads_agree_with_pymodbus(
    rtu: bool, unit: int, function: int, address: int, values: list[int]
) -> None:
    asked, answered = READS[function]
    ours = channel(rtu)
    frame = ours.send(
        0, unit=unit, function=function, address=address, count=len(values), timeout_ns=TIMEOUT_NS
    )
    request = asked(dev_id=unit, transaction_id=1, address=address, count=len(values))
    assert frame == encoded(rtu, request)
    bits = [value % 2 == 1 for value in values]
    reply = (
        answered(dev_id=unit, transaction_id=1, bits=bits)
        if function <= 2
        else answered(dev_id=unit, transaction_id=1, registers=values)
    )
    (told,) = ours.receive(encoded(rtu, reply), MS)
    assert told.refusal == Refusal.ACCEPTED
    assert told.data == (packed(bits) if function <= 2 else b"".join(v.to_bytes(2, "big") for v in values))


@given(
    rtu=st.booleans(),
    write_address=st.integers(0, 60000),
    written=st.lists(st.integers(0, 65535), min_size=1, max_size=121),
    read_address=st.integers(0, 60000),
    values=st.lists(st.integers(0, 65535), min_size=1, max_size=125),
)
def test_exchanges_agree_with_pymodbus(
    rtu: bool, write_address: int, written: list[int], read_address: int, values: list[int]
) -> None:
    ours = channel(rtu)
    frame = ours.send(
        0,
        unit=1,
        function=23,
        address=write_address,
        count=len(written),
        data=b"".join(v.to_bytes(2, "big") for v in written),
        read_address=read_address,
        read_count=len(values),
        timeout_ns=TIMEOUT_NS,
    )
    request = registers_of.ReadWriteMultipleRegistersRequest(
        dev_id=1,
        transaction_id=1,
        read_address=read_address,
        read_count=len(values),
        write_address=write_address,
        write_registers=written,
    )
    assert frame == encoded(rtu, request)
    answer = registers_of.ReadWriteMultipleRegistersResponse(dev_id=1, transaction_id=1, registers=values)
    (told,) = ours.receive(encoded(rtu, answer), MS)
    assert (told.refusal, told.data) == (Refusal.ACCEPTED, b"".join(v.to_bytes(2, "big") for v in values))


def test_an_exchange_reads_between_1_and_125() -> None:
    with pytest.raises(LocalError, match="read_count 126"):
        channel(False).send(
            0, unit=1, function=23, address=0, data=b"\0\0", read_count=126, timeout_ns=TIMEOUT_NS
        )
    with pytest.raises(LocalError, match="read_count 1 for function 3"):
        channel(False).send(0, unit=1, function=3, address=0, read_count=1, timeout_ns=TIMEOUT_NS)


@given(
    rtu=st.booleans(),
    unit=st.integers(1, 247),
    function=st.sampled_from(sorted(WRITES)),
    address=st.integers(0, 60000),
    values=st.lists(st.integers(0, 65535), min_size=1, max_size=123),
)
def test_writes_agree_with_pymodbus(
    rtu: bool, unit: int, function: int, address: int, values: list[int]
) -> None:
    asked, answered = WRITES[function]
    ours = channel(rtu)
    bits = [value % 2 == 1 for value in values]
    count = len(values) if function >= 15 else 1
    value = {5: 0xFF00 if bits[0] else 0, 6: values[0]}.get(function, 0)
    data = {15: packed(bits), 16: b"".join(v.to_bytes(2, "big") for v in values)}.get(function, b"")
    frame = ours.send(
        0,
        unit=unit,
        function=function,
        address=address,
        count=count,
        value=value,
        data=data,
        timeout_ns=TIMEOUT_NS,
    )
    content = {
        5: {"bits": bits[:1]},
        6: {"registers": values[:1]},
        15: {"bits": bits},
        16: {"registers": values},
    }[function]
    common = {"dev_id": unit, "transaction_id": 1, "address": address}
    if function == 16:
        content = {**content, "count": count}
    assert frame == encoded(rtu, asked(**common, **content))
    echo = content if function <= 6 else {"count": count}
    if function == 15:
        echo = {"count": count}
    (told,) = ours.receive(encoded(rtu, answered(**common, **echo)), MS)
    assert told.refusal == Refusal.ACCEPTED


@pytest.mark.parametrize("rtu", [False, True])
@pytest.mark.parametrize("code", [1, 2, 3, 4, 5, 6, 8, 10, 11])
def test_exceptions_carry_their_code(rtu: bool, code: int) -> None:
    ours = channel(rtu)
    ours.send(0, unit=3, function=3, address=9, count=2, timeout_ns=TIMEOUT_NS)
    no = ExceptionResponse(3, exception_code=code, device_id=3, transaction=1)
    (told,) = ours.receive(encoded(rtu, no), MS)
    assert (told.refusal, told.exception) == (Refusal.EXCEPTION, code)


def answer(rtu: bool, tid: int = 1, text: str = "01 03 04 00 01 00 02") -> bytes:
    body = bytes.fromhex(text)
    if rtu:
        return rtu_frame(text)
    return tid.to_bytes(2, "big") + b"\0\0" + len(body).to_bytes(2, "big") + body


def asked(rtu: bool) -> ModbusChannel:
    ours = channel(rtu)
    ours.send(0, unit=1, function=3, address=9, count=2, timeout_ns=TIMEOUT_NS, tag=5)
    return ours


@pytest.mark.parametrize("rtu", [False, True])
def test_byte_by_byte_is_the_same_as_whole(rtu: bool) -> None:
    ours = asked(rtu)
    told = [reply for byte in answer(rtu) for reply in ours.receive(bytes([byte]), MS)]
    assert told == asked(rtu).receive(answer(rtu), MS)
    assert refusals(told) == [Refusal.ACCEPTED]


@pytest.mark.parametrize("rtu", [False, True])
def test_each_bit_of_an_answer_matters(rtu: bool) -> None:
    good = answer(rtu)
    first_data_byte = 3 if rtu else 9
    for at in range(len(good)):
        for bit in range(8):
            bad = bytearray(good)
            bad[at] ^= 1 << bit
            ours = asked(rtu)
            told = refusals(ours.receive(bytes(bad), MS)) + refusals(ours.expire(TIMEOUT_NS))
            if not rtu and at >= first_data_byte:
                continue  # TCP leaves the content to its own checksum
            assert Refusal.ACCEPTED not in told, (at, bit)
            assert told, (at, bit)


def test_glued_answers_find_their_questions_in_any_order() -> None:
    ours = channel(False, in_flight_max=2)
    for tag in (10, 20):
        ours.send(0, unit=1, function=3, address=tag, count=2, timeout_ns=TIMEOUT_NS, tag=tag)
    glued = answer(False, 2) + answer(False, 1) + answer(False, 3)[:5]
    assert [reply.tag for reply in ours.receive(glued, MS)] == [20, 10]


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("02 03 04 00 01 00 02", Refusal.WRONG_UNIT),
        ("01 01 01 05", Refusal.WRONG_FUNCTION),
        ("01 03 02 00 01", Refusal.WRONG_LENGTH),
        ("01 03 06 00 01 00 02 00 03", Refusal.WRONG_LENGTH),
        ("01 83 02", Refusal.EXCEPTION),
    ],
)
@pytest.mark.parametrize("rtu", [False, True])
def test_wrong_answers_to_a_read_are_refused_by_kind(rtu: bool, text: str, kind: Refusal) -> None:
    ours = asked(rtu)
    (told,) = ours.receive(answer(rtu, text=text), MS)
    assert (told.tag, told.refusal) == (5, kind)
    assert ours.refused == {kind: 1}


@pytest.mark.parametrize("rtu", [False, True])
@pytest.mark.parametrize("text", ["01 05 00 11 FF 00", "01 05 00 10 00 00"])
def test_an_echo_for_another_coil_or_value_is_refused(rtu: bool, text: str) -> None:
    ours = channel(rtu)
    ours.send(0, unit=1, function=5, address=16, value=0xFF00, timeout_ns=TIMEOUT_NS)
    assert refusals(ours.receive(answer(rtu, text=text), MS)) == [Refusal.WRONG_ECHO]


def test_a_foreign_transaction_is_dropped_and_the_answer_still_taken() -> None:
    ours = asked(False)
    assert refusals(ours.receive(answer(False, 77) + answer(False), MS)) == [
        Refusal.FOREIGN,
        Refusal.ACCEPTED,
    ]
    assert not ours.broken


def test_nothing_but_foreign_transactions_breaks_the_connection() -> None:
    ours = asked(False)
    assert refusals(ours.receive(8 * answer(False, 77), MS)) == [Refusal.FOREIGN] * 8
    assert ours.broken
    assert not ours.ready(MS)


def test_a_doubled_answer_is_known_as_such() -> None:
    ours = asked(False)
    assert refusals(ours.receive(2 * answer(False), MS)) == [Refusal.ACCEPTED, Refusal.DOUBLED]
    assert ours.ready(MS)


def test_the_true_tcp_answer_after_a_wrong_one_is_late() -> None:
    ours = asked(False)
    told = ours.receive(answer(False, text="02 03 04 00 01 00 02") + answer(False), MS)
    assert refusals(told) == [Refusal.WRONG_UNIT, Refusal.LATE]


def test_half_a_frame_at_the_deadline_breaks_the_connection() -> None:
    ours = asked(False)
    ours.receive(answer(False)[:-1], MS)
    assert refusals(ours.expire(TIMEOUT_NS)) == [Refusal.TIMEOUT]
    assert ours.broken
    assert ours.refused == {Refusal.TIMEOUT: 1, Refusal.GARBAGE: 1}


def test_a_number_whose_answer_is_late_is_not_given_again() -> None:
    ours = asked(False)
    ours.expire(TIMEOUT_NS)
    for i in range(2, 0x10000):
        ours.send(TIMEOUT_NS, unit=1, function=3, address=9, count=2, timeout_ns=TIMEOUT_NS)
        ours.receive(answer(False, i), TIMEOUT_NS)
    frame = ours.send(TIMEOUT_NS, unit=1, function=3, address=9, count=2, timeout_ns=TIMEOUT_NS)
    assert frame[:2] == b"\0\2"


def test_transaction_zero_is_foreign() -> None:
    assert refusals(asked(False).receive(answer(False, 0), MS)) == [Refusal.FOREIGN]


def test_another_protocol_in_a_frame_is_dropped() -> None:
    ours = asked(False)
    other = answer(False)[:2] + b"\0\1" + answer(False)[4:]
    assert refusals(ours.receive(other + answer(False), MS)) == [Refusal.GARBAGE, Refusal.ACCEPTED]


def test_what_is_no_frame_breaks_the_connection() -> None:
    ours = asked(False)
    assert refusals(ours.receive(b"HTTP/1.1 400 Bad Request\r\n", MS)) == [Refusal.GARBAGE]
    assert ours.broken


def test_a_late_tcp_answer_is_known_as_late_once() -> None:
    ours = asked(False)
    assert refusals(ours.expire(TIMEOUT_NS)) == [Refusal.TIMEOUT]
    ours.send(TIMEOUT_NS, unit=1, function=3, address=50, count=2, timeout_ns=TIMEOUT_NS, tag=6)
    told = ours.receive(answer(False, 1) + answer(False, 2, "01 03 04 00 07 00 08"), TIMEOUT_NS + MS)
    assert [(reply.tag, reply.refusal) for reply in told] == [(None, Refusal.LATE), (6, Refusal.ACCEPTED)]
    assert refusals(ours.receive(answer(False, 1), TIMEOUT_NS + MS)) == [Refusal.FOREIGN]


def test_a_late_rtu_answer_is_never_the_next_ones() -> None:
    ours = asked(True)
    assert refusals(ours.expire(TIMEOUT_NS)) == [Refusal.TIMEOUT]
    assert not ours.ready(TIMEOUT_NS + 50 * MS)
    late_ns = TIMEOUT_NS + 60 * MS
    assert refusals(ours.receive(answer(True), late_ns)) == [Refusal.LATE]
    assert not ours.ready(late_ns + QUIET_NS - 1)
    assert ours.ready(late_ns + QUIET_NS)


def test_an_rtu_line_that_stays_silent_is_free_after_the_drain() -> None:
    ours = asked(True)
    ours.expire(TIMEOUT_NS)
    assert ours.next_deadline(TIMEOUT_NS) == 2 * TIMEOUT_NS
    assert ours.ready(2 * TIMEOUT_NS)


def test_the_true_answer_after_a_wrong_one_is_late() -> None:
    ours = asked(True)
    assert refusals(ours.receive(answer(True, text="02 03 04 00 01 00 02"), MS)) == [Refusal.WRONG_UNIT]
    assert refusals(ours.receive(answer(True), 20 * MS)) == [Refusal.LATE]
    assert ours.ready(20 * MS + QUIET_NS)


def test_a_tail_after_an_rtu_answer_is_drained() -> None:
    ours = asked(True)
    assert refusals(ours.receive(answer(True) + b"\x55", MS)) == [Refusal.ACCEPTED]
    assert ours.refused == {Refusal.GARBAGE: 1}
    assert not ours.ready(MS + QUIET_NS - 1)


def test_noise_on_an_idle_rtu_line_is_told_once() -> None:
    ours = channel(True)
    told = [reply for byte in b"noise" for reply in ours.receive(bytes([byte]), MS)]
    assert refusals(told) == [Refusal.GARBAGE]
    assert ours.ready(MS + QUIET_NS)


READ = {"unit": 1, "function": 1, "address": 0x0355, "count": 20}  # an echo of it would fit as its answer
WRITE = {"unit": 1, "function": 5, "address": 16, "value": 0xFF00}


def told_by(
    ours: ModbusChannel, request: dict[str, int], back: Callable[[bytes], bytes], now_ns: int
) -> list[Refusal]:
    """What is told when a request is sent and, byte by byte, what the line makes of it comes back."""
    sent = ours.send(now_ns, timeout_ns=TIMEOUT_NS, **request)  # type: ignore[arg-type]
    told = [reply for byte in back(sent) for reply in ours.receive(bytes([byte]), now_ns)]
    return refusals(told + ours.expire(now_ns + TIMEOUT_NS))


def test_a_line_that_echoes_is_noticed_and_its_echoes_are_skipped() -> None:
    ours = channel(True)
    state = rtu_frame("01 01 03 01 02 03")
    assert told_by(ours, READ, lambda sent: sent + state, 0) == [Refusal.ECHO, Refusal.ACCEPTED]
    second = 10 * MS
    assert told_by(ours, WRITE, lambda sent: sent + sent, second) == [Refusal.ECHO, Refusal.ACCEPTED]
    third = 20 * MS
    assert told_by(ours, WRITE, lambda sent: sent, third) == [Refusal.ECHO, Refusal.TIMEOUT]


def test_a_line_that_echoes_no_more_is_believed_after_a_read() -> None:
    ours = channel(True)
    state = rtu_frame("01 01 03 01 02 03")
    told_by(ours, READ, lambda sent: sent + state, 0)
    assert told_by(ours, READ, lambda sent: state, 10 * MS) == [Refusal.ACCEPTED]
    assert told_by(ours, WRITE, lambda sent: sent, 20 * MS) == [Refusal.ACCEPTED]


def test_an_echo_alone_is_no_answer() -> None:
    assert told_by(channel(True), READ, lambda sent: sent, 0) == [Refusal.ECHO, Refusal.TIMEOUT]


IDENTITY = "2B 0E 01 81 00 00 03 00 04 57 41 47 4F 01 07 37 35 30 2D 38 38 31 02 02 31 30"


@pytest.mark.parametrize("rtu", [False, True])
def test_a_device_says_who_it_is(rtu: bool) -> None:
    ours = channel(rtu)
    frame = ours.send(0, unit=1, function=43, value=1, address=0, timeout_ns=TIMEOUT_NS)
    question = ReadDeviceInformationRequest(read_code=1, object_id=0, dev_id=1, transaction_id=1)
    assert frame == encoded(rtu, question)
    objects = {0: "WAGO", 1: "750-881", 2: "10"}
    reply = ReadDeviceInformationResponse(read_code=1, information=objects, dev_id=1, transaction_id=1)
    told = [one for byte in encoded(rtu, reply) for one in ours.receive(bytes([byte]), MS)]
    assert refusals(told) == [Refusal.ACCEPTED]
    assert told[0].data.endswith(bytes.fromhex(IDENTITY)[7:])


@pytest.mark.parametrize("rtu", [False, True])
@pytest.mark.parametrize(
    ("text", "kind"),
    [
        (IDENTITY.replace("2B 0E 01", "2B 0E 02"), Refusal.WRONG_ECHO),
        (IDENTITY.replace("2B 0E 01", "2B 0D 01"), Refusal.WRONG_ECHO),
        (IDENTITY.replace("03 00 04", "02 00 04"), Refusal.WRONG_LENGTH),
        (IDENTITY.replace("02 02 31", "02 03 31"), Refusal.WRONG_LENGTH),
        ("AB 01", Refusal.EXCEPTION),
    ],
)
def test_a_wrong_identification_is_refused(rtu: bool, text: str, kind: Refusal) -> None:
    ours = channel(rtu)
    ours.send(0, unit=1, function=43, value=1, address=0, timeout_ns=TIMEOUT_NS)
    told = refusals(ours.receive(answer(rtu, text="01 " + text), MS) + ours.expire(TIMEOUT_NS))
    assert told in ([kind], [Refusal.BAD_CRC], [Refusal.TIMEOUT])
    assert rtu or told == [kind]


def test_a_relay_takes_the_length_of_its_pulse_instead_of_a_coil_value() -> None:
    ours = channel(True)
    request = {"unit": 1, "function": 5, "address": 0x0200, "value": 7}
    with pytest.raises(LocalError, match="coil value"):
        ours.send(0, timeout_ns=TIMEOUT_NS, **request)  # type: ignore[arg-type]
    frame = ours.send(0, timeout_ns=TIMEOUT_NS, custom=True, **request)  # type: ignore[arg-type]
    assert frame == bytes.fromhex("01 05 02 00 00 07 8D B0")
    assert refusals(ours.receive(frame, MS)) == [Refusal.ACCEPTED]


@pytest.mark.parametrize("rtu", [False, True])
def test_an_answer_that_stops_in_the_middle_is_a_timeout(rtu: bool) -> None:
    ours = asked(rtu)
    assert ours.receive(answer(rtu)[:-3], MS) == []
    assert ours.next_deadline(MS + QUIET_NS) == TIMEOUT_NS
    assert refusals(ours.expire(TIMEOUT_NS)) == [Refusal.TIMEOUT]


def test_two_wait_and_a_third_must_not() -> None:
    ours = channel(False, in_flight_max=2)
    for _ in range(2):
        ours.send(0, unit=1, function=1, address=0, timeout_ns=TIMEOUT_NS)
    assert not ours.ready(0)
    with pytest.raises(LocalError, match="not ready"):
        ours.send(0, unit=1, function=1, address=0, timeout_ns=TIMEOUT_NS)


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        ({"function": 7, "address": 0}, "function 7: must be"),
        ({"function": 43, "address": 0, "value": 5}, "identification 5"),
        ({"function": 3, "address": 0, "count": 126}, "count 126"),
        ({"function": 3, "address": 65535, "count": 2}, "address 65535"),
        ({"function": 5, "address": 0, "value": 1}, "coil value"),
        ({"function": 15, "address": 0, "count": 9, "data": b"\0"}, "must be 2"),
        ({"function": 1, "address": 0, "unit": 256}, "unit 256"),
    ],
)
def test_what_modbus_forbids_never_leaves(request_: dict[str, int], message: str) -> None:
    with pytest.raises(LocalError, match=message):
        channel(False).send(0, timeout_ns=TIMEOUT_NS, **{"unit": 1, **request_})  # type: ignore[arg-type]


@given(chunks=st.lists(st.binary(max_size=40), max_size=20), rtu=st.booleans())
def test_random_bytes_are_never_an_answer(chunks: list[bytes], rtu: bool) -> None:
    ours = channel(rtu)
    ours.send(0, unit=1, function=15, address=7, count=9, data=b"\1\1", timeout_ns=TIMEOUT_NS)
    told = [reply for chunk in chunks for reply in ours.receive(chunk, MS)]
    assert Refusal.ACCEPTED not in refusals(told)
