from enum import IntEnum
from typing import NamedTuple

class Refusal(IntEnum):
    ACCEPTED = 0
    LATE = 1
    FOREIGN = 2
    WRONG_UNIT = 3
    WRONG_FUNCTION = 4
    WRONG_LENGTH = 5
    WRONG_ECHO = 6
    BAD_CRC = 7
    EXCEPTION = 8
    GARBAGE = 9
    TIMEOUT = 10
    ECHO = 11
    DOUBLED = 12

class LocalError(ValueError): ...

class ModbusReply(NamedTuple):
    tag: int | None
    refusal: Refusal
    data: bytes
    exception: int

def modbus_crc(data: bytes) -> int: ...

class ModbusChannel:
    def __init__(self, rtu: bool, *, in_flight_max: int = 1, quiet_ns: int = 1_750_000) -> None: ...
    def send(
        self,
        now_ns: int,
        *,
        unit: int,
        function: int,
        address: int,
        count: int = 1,
        value: int = 0,
        data: bytes = b"",
        read_address: int = 0,
        read_count: int = 0,
        timeout_ns: int,
        tag: int = 0,
        custom: bool = False,
    ) -> bytes: ...
    def receive(self, data: bytes, now_ns: int) -> list[ModbusReply]: ...
    def expire(self, now_ns: int) -> list[ModbusReply]: ...
    def ready(self, now_ns: int) -> bool: ...
    def next_deadline(self, now_ns: int) -> int: ...
    @property
    def broken(self) -> bool: ...
    @property
    def refused(self) -> dict[Refusal, int]: ...
