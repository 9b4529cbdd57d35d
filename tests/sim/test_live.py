"""Simulated devices against independent peers: pymodbus's clients, a plain socket, a plain terminal."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Coroutine
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pymodbus.client import AsyncModbusSerialClient, AsyncModbusTcpClient
from pymodbus.client.base import ModbusBaseClient
from traffic_by_hand import traffic_of

from hubctl.core.hubfile import resolve_hub
from hubctl.core.preadvice import load_preadvice
from hubctl.core.site import load_site
from hubctl.sim.faults import NONE
from hubctl.sim.live import LiveHub, live_traffic, write_preadvice, write_truth
from hubctl.sim.matter import Outcome
from hubctl.sim.traffic import Traffic

PATIENCE_S = 10
READ_18_COUNTS = bytes.fromhex("0001 0000 0006 01 04 0000 0003")
LINKS = {"head": 0, "io1": 1, "io4": 4, "top": 5, "side": 6}


class Rig:
    """The demo hub, live, with hand-made traffic."""

    def __init__(self, traffic: Traffic) -> None:
        self.live = LiveHub(resolve_hub("demo"), traffic)
        self.addresses: dict[str, Any] = {}

    async def client(self, link: str) -> ModbusBaseClient:
        place = self.addresses[link]
        client: ModbusBaseClient
        if isinstance(place, str):
            client = AsyncModbusSerialClient(place, baudrate=115_200, timeout=1, retries=0)
        else:
            client = AsyncModbusTcpClient(place[0], port=place[1], timeout=1, retries=0)
        assert await client.connect()
        return client


def with_rig(story: Callable[[Rig], Coroutine[Any, Any, None]], traffic: Traffic | None = None) -> None:
    """Runs a story against a live hub, and closes it."""

    async def run() -> None:
        rig = Rig(traffic if traffic is not None else traffic_of())
        rig.addresses = await rig.live.open()
        try:
            await asyncio.wait_for(story(rig), PATIENCE_S)
        finally:
            await rig.live.close()

    asyncio.run(run())


async def until(is_so: Callable[[], Awaitable[bool]]) -> None:
    """Asks until it is so; the caller's patience ends it."""
    while not await is_so():
        await asyncio.to_thread(os.sched_yield)


def test_a_tcp_node_counts_and_shows_clear_eyes() -> None:
    async def story(rig: Rig) -> None:
        head = await rig.client("head")
        first = (await head.read_input_registers(0, count=3, device_id=1)).registers
        assert first[0] == 0xFFFF
        assert first[2] == 0

        async def has_moved() -> bool:
            now = (await head.read_input_registers(0, count=3, device_id=1)).registers
            return bool(now[1] > first[1])

        await until(has_moved)
        head.close()

    with_rig(story)


@pytest.mark.parametrize("link", ["io1", "io4"])
def test_coils_read_back_what_was_written(link: str) -> None:
    async def story(rig: Rig) -> None:
        node = await rig.client(link)
        await node.write_coil(3, True, device_id=1)
        assert (await node.read_coils(0, count=8, device_id=1)).bits == [False] * 3 + [True] + [False] * 4
        await node.write_coils(0, [False] * 12, device_id=1)
        assert not any((await node.read_coils(0, count=16, device_id=1)).bits)
        node.close()

    with_rig(story)


@pytest.mark.parametrize("link", ["io1", "io4"])
def test_what_is_not_there_is_exception_2(link: str) -> None:
    async def story(rig: Rig) -> None:
        node = await rig.client(link)
        answers = [
            await node.read_discrete_inputs(100, count=1, device_id=1),
            await node.read_holding_registers(0, count=1, device_id=1),
            await node.write_coil(16, True, device_id=1),
            await node.write_register(0, 1, device_id=1),
        ]
        assert [answer.exception_code for answer in answers] == [2] * 4
        node.close()

    with_rig(story)


def test_every_request_of_one_segment_is_answered_in_order() -> None:
    async def story(rig: Rig) -> None:
        reader, writer = await asyncio.open_connection(*rig.addresses["head"])
        requests = [number.to_bytes(2, "big") + READ_18_COUNTS[2:] for number in range(1, 9)]
        data = b"".join(requests)
        writer.write(data[:-5])
        answers = [await reader.readexactly(15) for _ in range(7)]
        writer.write(data[-5:])
        answers.append(await reader.readexactly(15))
        assert [int.from_bytes(answer[:2], "big") for answer in answers] == list(range(1, 9))
        writer.close()

    with_rig(story)


def test_another_unit_on_a_line_is_silent() -> None:
    async def story(rig: Rig) -> None:
        node = await rig.client("io4")
        node.comm_params.timeout_connect = 0.1
        with pytest.raises(Exception, match="No response"):
            await node.read_coils(0, count=1, device_id=2)
        node.close()

    with_rig(story)


def test_scanners_frame_labels_and_no_reads_as_the_hub_file_says() -> None:
    async def story(rig: Rig) -> None:
        reader, writer = await asyncio.open_connection(*rig.addresses["top"])
        far = os.open(rig.addresses["side"], os.O_RDWR | os.O_NOCTTY)
        await until(lambda: _is_heard(rig))
        rig.live.plant.begin()
        assert await reader.readuntil(b"\x03") == b"\x02LABEL0\x03"
        assert await reader.readuntil(b"\x03") == b"\x02NoRead\x03"
        assert await asyncio.to_thread(_read, far, 16) == b"\x02LABEL0\x03\x02LABEL1\x03"
        os.close(far)
        writer.close()

    traffic = traffic_of(0, 500)
    traffic.reads["outcome"][1, 0] = Outcome.NO_READ
    with_rig(story, traffic)


async def _is_heard(rig: Rig) -> bool:
    return bool(rig.live.devices["top"].listeners)


def _read(fd: int, n_bytes: int) -> bytes:
    data = b""
    while len(data) < n_bytes:
        data += os.read(fd, n_bytes - len(data))
    return data


def test_a_parcel_is_seen_diverted_and_confirmed() -> None:
    async def story(rig: Rig) -> None:
        io1 = await rig.client("io1")

        async def inputs() -> list[bool]:
            return (await io1.read_discrete_inputs(0, count=32, device_id=1)).bits

        async def is_at_group1() -> bool:
            return (await inputs())[12]

        async def is_in_chute() -> bool:
            return (await inputs())[4]

        rig.live.plant.begin()
        await until(is_at_group1)
        await io1.write_coil(4, True, device_id=1)
        await until(is_in_chute)
        assert rig.live.plant.world.progress["landed"].tolist() == [4]
        io1.close()

    with_rig(story, traffic_of(0))


def test_a_full_chute_is_told() -> None:
    async def story(rig: Rig) -> None:
        io1 = await rig.client("io1")
        await io1.write_coil(0, True, device_id=1)

        async def is_full() -> bool:
            return bool((await io1.read_discrete_inputs(16, count=1, device_id=1)).bits[0])

        rig.live.plant.begin()
        await until(is_full)
        assert rig.live.plant.world.progress["landed"].tolist() == [0]
        io1.close()

    traffic = traffic_of(0)
    traffic.parcels["fills_chute"] = 1
    with_rig(story, traffic)


def test_a_dropped_tcp_link_refuses_until_it_is_back_on_the_same_port() -> None:
    async def story(rig: Rig) -> None:
        host, port = rig.addresses["io1"]
        reader, writer = await asyncio.open_connection(host, port)
        rig.live.set_link(LINKS["io1"], False)
        assert await reader.read() == b""
        writer.close()
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection(host, port)
        rig.live.set_link(LINKS["io1"], True)

        async def answers() -> bool:
            client = AsyncModbusTcpClient(host, port=port, timeout=1, retries=0)
            return bool(await client.connect() and (await client.read_coils(0, count=1, device_id=1)).bits)

        await until(answers)

    with_rig(story)


def test_a_dropped_scanner_refuses_until_it_is_back() -> None:
    async def story(rig: Rig) -> None:
        reader, writer = await asyncio.open_connection(*rig.addresses["top"])
        await until(lambda: _is_heard(rig))
        rig.live.set_link(LINKS["top"], False)
        assert await reader.read() == b""
        writer.close()
        rig.live.set_link(LINKS["top"], True)
        await rig.live.devices["top"].plug()
        assert await asyncio.open_connection(*rig.addresses["top"])

    with_rig(story)


def test_a_dropped_line_is_silent_until_it_is_back() -> None:
    async def story(rig: Rig) -> None:
        node = await rig.client("io4")
        node.comm_params.timeout_connect = 0.1
        rig.live.set_link(LINKS["io4"], False)
        await rig.live.devices["io4"].unplug()
        with pytest.raises(Exception, match="No response"):
            await node.read_coils(0, count=1, device_id=1)
        rig.live.set_link(LINKS["io4"], True)
        await rig.live.devices["io4"].plug()
        node.comm_params.timeout_connect = 5
        assert (await node.read_coils(0, count=1, device_id=1)).bits
        node.close()

    with_rig(story)


@pytest.mark.parametrize("link", ["io1", "io4"])
def test_a_dropped_link_leaves_no_output_on(link: str) -> None:
    async def story(rig: Rig) -> None:
        node = await rig.client(link)
        await node.write_coil(3, True, device_id=1)
        image = rig.live._wires.images[link]
        assert image.coils()[3] == 1
        rig.live.set_link(LINKS[link], False)

        async def are_off() -> bool:
            return not any(image.coils())

        await until(are_off)
        node.close()

    with_rig(story)


def test_two_drops_at_once_end_with_the_later() -> None:
    async def story(rig: Rig) -> None:
        host, port = rig.addresses["io1"]
        for up in (False, False, True):
            rig.live.set_link(LINKS["io1"], up)
        await rig.live.devices["io1"].unplug()
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection(host, port)

    with_rig(story)


def test_live_traffic_begins_near_and_ends_in_time() -> None:
    site = load_site("demo")
    assert site.plan is not None
    traffic = live_traffic(
        site.hub,
        site.plan,
        seconds=30,
        parcels_per_hour=12_000,
        seed=3,
        faults=NONE,
        arrivals=None,
    )
    starts_um = traffic.parcels["start_um"]
    assert 90 <= len(starts_um) <= 110
    assert starts_um[-1] - starts_um[0] < 30 * 2_500_000
    assert traffic.parcels["lane"][0] < 4
    assert len(traffic.labels) == len(traffic.reads) == len(starts_um)


def test_truth_and_preadvice_are_files(tmp_path: Path) -> None:
    site = load_site("demo")
    assert site.plan is not None
    traffic = live_traffic(
        site.hub, site.plan, seconds=5, parcels_per_hour=12_000, seed=3, faults=NONE, arrivals=None
    )

    async def story(rig: Rig) -> None:
        write_truth(tmp_path / "truth", rig.live, traffic)
        write_preadvice(tmp_path / "preadvice", traffic.preadvice)

    with_rig(story, traffic)
    with np.load(tmp_path / "truth") as arrays:
        names = ("parcels", "progress", "taken", "mishaps", "as_one", "labels")
        assert {name: len(arrays[name]) for name in arrays} == dict.fromkeys(names, 0)
    assert load_preadvice(tmp_path / "preadvice").labels.tolist() == traffic.preadvice.labels.tolist()
