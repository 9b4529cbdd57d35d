"""The ordinary program: what a good Python programmer writes first, with asyncio streams and pymodbus.

    ordinary.py SCANNER_PORT NODE_PORT[,NODE_PORT] PLAN HOLD_MS

Reads <STX>label<ETX>, looks the label up in a dict of the plan's lines "label node coil", awaits the coil's
write and switches it off HOLD_MS later. A coil fired again meanwhile stays on from then.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from pymodbus.client import AsyncModbusTcpClient
from pymodbus.exceptions import ModbusException

STX, ETX = b"\x02", b"\x03"
Address = tuple[int, int]  # node and coil


def load_plan(path: Path) -> dict[str, Address]:
    """The plan as a dict."""
    rows = (line.split() for line in path.read_text().splitlines())
    return {label: (int(node), int(coil)) for label, node, coil in rows}


class Outputs:
    """The coils of the nodes, and what is to be switched off when."""

    def __init__(self, clients: list[AsyncModbusTcpClient], hold_s: float) -> None:
        self._clients = clients
        self._hold_s = hold_s
        self._holds: dict[Address, asyncio.TimerHandle] = {}
        self._releases: set[asyncio.Task[None]] = set()

    async def fire(self, address: Address) -> None:
        """Switches the coil on, and off after the hold."""
        await self._write(address, True)
        if address in self._holds:
            self._holds[address].cancel()
        self._holds[address] = asyncio.get_running_loop().call_later(self._hold_s, self._release, address)

    def _release(self, address: Address) -> None:
        del self._holds[address]
        task = asyncio.create_task(self._write(address, False))
        self._releases.add(task)
        task.add_done_callback(self._releases.discard)

    async def _write(self, address: Address, on: bool) -> None:
        node, coil = address
        try:
            await self._clients[node].write_coil(coil, on, device_id=1)
        except ModbusException as error:
            print(f"node {node} coil {coil}: {error}", file=sys.stderr)


async def connect(port: int) -> AsyncModbusTcpClient:
    """A connected client."""
    client = AsyncModbusTcpClient("127.0.0.1", port=port)
    if not await client.connect():
        raise SystemExit(f"no node answers at port {port}")
    return client


async def serve(scanner_port: int, node_ports: list[int], plan: dict[str, Address], hold_s: float) -> None:
    """Fires a coil for each read until the scanner hangs up."""
    outputs = Outputs([await connect(port) for port in node_ports], hold_s)
    reader, _ = await asyncio.open_connection("127.0.0.1", scanner_port)
    while True:
        frame = await reader.readuntil(ETX)
        address = plan.get(frame.strip(STX + ETX).decode())
        if address is not None:
            await outputs.fire(address)


def main() -> None:
    """Runs until ended."""
    scanner_port, node_ports, plan, hold_ms = sys.argv[1:]
    ports = [int(port) for port in node_ports.split(",")]
    asyncio.run(serve(int(scanner_port), ports, load_plan(Path(plan)), int(hold_ms) / 1000))


if __name__ == "__main__":
    main()
