"""Simulated Modbus nodes: pymodbus servers, over TCP and on a line, that answer with the world as it is now."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

from pymodbus.constants import ExcCodes
from pymodbus.exceptions import NoSuchIdException
from pymodbus.framer import FramerType
from pymodbus.server import ModbusSerialServer, ModbusTcpServer
from pymodbus.server.requesthandler import ServerRequestHandler
from pymodbus.simulator import DataType, SimData, SimDevice

from hubctl.core.address import Space
from hubctl.sim.line import Line
from hubctl.sim.node_image import NodeImage

LOCALHOST = "127.0.0.1"

_SPACES = {
    1: Space.COIL,
    5: Space.COIL,
    15: Space.COIL,
    2: Space.DISCRETE,
    3: Space.HOLDING,
    6: Space.HOLDING,
    16: Space.HOLDING,
    22: Space.HOLDING,
    23: Space.HOLDING,
    4: Space.INPUT,
}


class Units:
    """The nodes behind one link, by unit, in the shape in which pymodbus asks for data.

    Parameters
    ----------
    nodes : mapping
        Image of each unit.
    refresh : callable
        Brings the images up to now.
    set_coil : callable
        Takes (unit, coil, on).
    """

    def __init__(
        self,
        nodes: Mapping[int, NodeImage],
        refresh: Callable[[], None],
        set_coil: Callable[[int, int, bool], None],
    ) -> None:
        self._nodes = nodes
        self._refresh = refresh
        self._set_coil = set_coil

    async def async_getValues(  # noqa: N802 - pymodbus calls it so
        self, device_id: int, func_code: int, address: int, count: int = 1
    ) -> list[int] | ExcCodes:
        """Answers a read; exception 2 where there is nothing."""
        node = self._node(device_id)
        self._refresh()
        values = node.read(_SPACES[func_code], address, count)
        return ExcCodes.ILLEGAL_ADDRESS if values is None else values

    async def async_setValues(  # noqa: N802 - pymodbus calls it so
        self, device_id: int, func_code: int, address: int, values: list[int]
    ) -> ExcCodes | None:
        """Writes coils; registers cannot be written."""
        node = self._node(device_id)
        if _SPACES[func_code] is not Space.COIL:
            return ExcCodes.ILLEGAL_ADDRESS
        if node.read(Space.COIL, address, len(values)) is None:
            return ExcCodes.ILLEGAL_ADDRESS
        for number, value in enumerate(values, address):
            self._set_coil(device_id, number, bool(value))
        return None

    def switch_off(self) -> None:
        """Every coil goes off."""
        self._refresh()
        for unit, node in self._nodes.items():
            for coil, is_on in enumerate(node.coils()):
                if is_on:
                    self._set_coil(unit, coil, False)

    def _node(self, unit: int) -> NodeImage:
        if unit not in self._nodes:
            raise NoSuchIdException(f"no unit {unit} here")
        return self._nodes[unit]


class _Prompt(ServerRequestHandler):
    """Answers every request of a segment, in order and at once.

    pymodbus's own handler answers one of them, two turns of the loop later; real devices answer all.
    """

    def __init__(self, server: Any) -> None:
        super().__init__(server, None, None, None)  # type: ignore[no-untyped-call]

    def callback_data(self, data: bytes, addr: Any = None) -> int:
        used = 0
        while n_bytes := super().callback_data(data[used:], addr):
            used += n_bytes
            self._answer()
        return used

    def _answer(self) -> None:
        with suppress(StopIteration):  # `Units` never waits: the first step is the last
            self.handle_request().send(None)  # type: ignore[no-untyped-call]
        self.last_pdu = None

    def handle_later(self) -> None:
        """Too late: it is answered."""

    def send(self, data: bytes, addr: Any = None) -> None:
        """Sends an answer, and does not forget what came behind its request."""
        behind = self.recv_buffer
        super().send(data, addr)
        self.recv_buffer = behind


class _TcpServer(ModbusTcpServer):
    def callback_new_connection(self) -> ServerRequestHandler:
        return _Prompt(self)


class _SerialServer(ModbusSerialServer):
    def callback_new_connection(self) -> ServerRequestHandler:
        return _Prompt(self)


class TcpNodes:
    """The nodes of a Modbus link over TCP, with frames of TCP or of RTU."""

    def __init__(self, units: Units, *, rtu: bool = False) -> None:
        self._units: Any = units
        self._framer = FramerType.RTU if rtu else FramerType.SOCKET
        self._address = (LOCALHOST, 0)
        self._server: ModbusTcpServer | None = None

    def switch_off(self) -> None:
        """Every output goes off."""
        self._units.switch_off()

    async def plug(self) -> tuple[str, int]:
        """Listens: the first time on a port the system chooses, after that on the same one."""
        if self._server is None:
            self._server = _TcpServer(_nothing(), framer=self._framer, address=self._address)
            self._server.context = self._units
            await self._server.serve_forever(background=True)
            listener: Any = self._server.transport
            self._address = listener.sockets[0].getsockname()
        return self._address

    async def unplug(self) -> None:
        """Cuts every connection and refuses new ones."""
        if self._server is not None:
            server, self._server = self._server, None
            await server.shutdown()  # type: ignore[no-untyped-call]


class SerialNodes:
    """The nodes of a Modbus RTU link."""

    def __init__(self, units: Units) -> None:
        self._line = Line()
        self._units: Any = units
        self._server: ModbusSerialServer | None = None

    def switch_off(self) -> None:
        """Every output goes off."""
        self._units.switch_off()

    async def plug(self) -> str:
        """Answers on the line; its path."""
        if self._server is None:
            self._server = _SerialServer(_nothing(), ignore_missing_devices=True)
            self._server.context = self._units
            self._server.call_create = self._serve
            await self._server.serve_forever(background=True)
        self._line.is_muted = False
        return self._line.path

    async def _serve(self) -> tuple[asyncio.BaseTransport, asyncio.BaseProtocol]:
        """pymodbus would open a port by its name; the near end of a pseudo-terminal has none."""
        assert self._server is not None
        protocol: Any = self._server.handle_new_connection()
        self._line.serve(protocol)
        return self._line, protocol

    async def unplug(self) -> None:
        """Falls silent."""
        self._line.is_muted = True


def _nothing() -> SimDevice:
    """pymodbus wants a device before it can be given `Units`."""
    return SimDevice(0, simdata=[SimData(0, values=0, datatype=DataType.REGISTERS)])
