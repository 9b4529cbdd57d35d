"""Devices on a bad day: one takes bytes and never answers, one answers 50 ms late, one talks garbage all the time.

Prints their three ports.
"""

from __future__ import annotations

import asyncio

SLOW_S = 0.05
GARBAGE_PERIOD_S = 0.01
GARBAGE = bytes(range(1, 256))
N_REGISTERS = 16


async def swallow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """A black hole."""
    while await reader.read(4096):
        continue


async def dawdle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Right, and late."""
    while True:
        head = await reader.readexactly(12)
        await asyncio.sleep(SLOW_S)
        answer = bytes([1, 3, 2 * N_REGISTERS]) + bytes(2 * N_REGISTERS)
        writer.write(head[:2] + b"\0\0" + len(answer).to_bytes(2, "big") + answer)


async def babble(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Anything but an answer."""
    while not writer.is_closing():
        writer.write(GARBAGE)
        await asyncio.sleep(GARBAGE_PERIOD_S)


async def main() -> None:
    """Serves until it is ended."""
    servers = [await asyncio.start_server(manner, "127.0.0.1", 0) for manner in (swallow, dawdle, babble)]
    print(*(server.sockets[0].getsockname()[1] for server in servers), flush=True)
    await asyncio.gather(*(server.serve_forever() for server in servers))


if __name__ == "__main__":
    asyncio.run(main())
