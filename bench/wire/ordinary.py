"""The ordinary programs: asyncio and pymodbus, as a good Python programmer writes them first.

    ordinary.py rate PORT N SECONDS                     a task a connection, each reads again and again
    ordinary.py in-turn SECONDS PERIOD_MS N PORT...     one loop reads each device in turn, each period

The first prints how many answers came and the seconds it took; the second how long it was, us, from one answer to the
next of each of the first N devices: the median, the 99th percentile, the longest, and how many. A round that has
begun is finished.
"""

from __future__ import annotations

import asyncio
import sys
import time

from pymodbus.client import AsyncModbusTcpClient
from pymodbus.exceptions import ModbusException

N_REGISTERS = 16


async def connected(port: int) -> AsyncModbusTcpClient:
    """A client with the library's own time limits; it goes on to connect by itself."""
    client = AsyncModbusTcpClient("127.0.0.1", port=port)
    await client.connect()
    return client


async def read_on(client: AsyncModbusTcpClient, end_s: float) -> int:
    """How many answers come until then."""
    n_answers = 0
    while time.monotonic() < end_s:
        answer = await client.read_holding_registers(0, count=N_REGISTERS, device_id=1)
        n_answers += not answer.isError()
    return n_answers


async def rate(port: int, n: int, seconds: float) -> None:
    """Answers of n connections."""
    clients = [await connected(port) for _ in range(n)]
    start_s = time.monotonic()
    counts = await asyncio.gather(*(read_on(client, start_s + seconds) for client in clients))
    print(sum(counts), time.monotonic() - start_s)


async def is_answered(client: AsyncModbusTcpClient) -> bool:
    """Whether a device answers as it should."""
    try:
        return not (await client.read_holding_registers(0, count=N_REGISTERS, device_id=1)).isError()
    except ModbusException:
        return False


async def in_turn(seconds: float, period_s: float, n: int, ports: list[int]) -> None:
    """How long the first n devices are not heard of."""
    clients = [await connected(port) for port in ports]
    waits_s: list[float] = []
    due_s = time.monotonic()
    heard_s = [due_s] * n
    end_s = due_s + seconds
    while time.monotonic() < end_s:
        await asyncio.sleep(max(0.0, due_s - time.monotonic()))
        for i, client in enumerate(clients):
            if await is_answered(client) and i < n:
                waits_s.append(time.monotonic() - heard_s[i])
                heard_s[i] = time.monotonic()
        due_s = max(due_s + period_s, time.monotonic())
    n_answers = len(waits_s)
    waits_s += [time.monotonic() - each_s for each_s in heard_s]
    waits_s.sort()
    shown = (waits_s[len(waits_s) // 2], waits_s[len(waits_s) * 99 // 100], waits_s[-1])
    print(*(round(wait_s * 1e6) for wait_s in shown), n_answers)


def main() -> None:
    """What the command line asks for."""
    what, *numbers = sys.argv[1:]
    if what == "rate":
        asyncio.run(rate(int(numbers[0]), int(numbers[1]), float(numbers[2])))
    else:
        ports = [int(port) for port in numbers[3:]]
        asyncio.run(in_turn(float(numbers[0]), float(numbers[1]) / 1000, int(numbers[2]), ports))


if __name__ == "__main__":
    main()
