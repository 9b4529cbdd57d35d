"""Modbus frames of a tester, who must be able to send what is wrong: any PDU, in TCP or RTU; the answer as it came."""

from __future__ import annotations

from hubctl._wire import modbus_crc

TRANSACTION = 0x2A17


def framed(pdu: bytes, *, rtu: bool, unit: int, transaction: int = TRANSACTION) -> bytes:
    """A request as it travels."""
    body = bytes([unit]) + pdu
    if rtu:
        return body + modbus_crc(body).to_bytes(2, "little")
    return transaction.to_bytes(2, "big") + b"\0\0" + len(body).to_bytes(2, "big") + body


def frame_size(data: bytes, *, rtu: bool) -> int:
    """Size of the answer that begins here by its own words; 0: not known yet."""
    if not rtu:
        return 6 + int.from_bytes(data[4:6], "big") if len(data) >= 6 else 0
    if len(data) < 3:
        return 0
    if data[1] & 0x80:
        return 5
    return 5 + data[2] if data[1] in (1, 2, 3, 4, 23) else 8


def answers(data: bytes, *, rtu: bool, unit: int) -> list[bytes]:
    """The PDUs of whole and right answers among bytes that came; anything else ends the list with its bytes, marked."""
    found: list[bytes] = []
    while data:
        size = frame_size(data, rtu=rtu)
        if not 0 < size <= len(data) or not _is_right(data[:size], rtu=rtu, unit=unit):
            return [*found, b"\0" + data]
        found.append(data[1 : size - 2] if rtu else data[7:size])
        data = data[size:]
    return found


def _is_right(frame: bytes, *, rtu: bool, unit: int) -> bool:
    if rtu:
        return frame[0] == unit and modbus_crc(frame) == 0
    return frame[:4] == TRANSACTION.to_bytes(2, "big") + b"\0\0" and frame[6] == unit


def shown(pdu: bytes) -> str:
    """An answer for a person."""
    if not pdu:
        return "no answer"
    if pdu[0] == 0:
        return f"no whole and right frame: {pdu[1:].hex(' ')}"
    if pdu[0] & 0x80:
        return f"exception {pdu[1] if len(pdu) > 1 else 0} to function {pdu[0] & 0x7F}"
    return f"{pdu.hex(' ')}"
