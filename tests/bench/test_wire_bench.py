"""The benchmark of the wire: its programs do the same work, and its table shows what there is."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "bench"))

from wire.decoders import built, framer_rate
from wire.ours import polling

ROOT = Path(__file__).parents[2]
CPU = 0
MS = 1_000_000


def bench():  # type: ignore[no-untyped-def]
    """`bench/wire.py`, whose package has the same name."""
    import importlib.util

    spec = importlib.util.spec_from_file_location("wire_bench", ROOT / "bench" / "wire.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_device_is_polled_and_nothing_refused() -> None:
    with bench().devices(CPU) as port, polling([port] * 3, 2 * MS, None) as ours:
        links = ours.run(0.3)
    assert all(link.n_frames > 0 and link.refusals == {} for link in links)
    assert all(link.poll_lateness.n >= link.n_frames for link in links)


def test_a_device_that_is_not_there_spares_the_others() -> None:
    made = bench()
    with made.devices(CPU) as port, made.bad_devices(CPU) as bad, polling([port, *bad], 5 * MS, None) as ours:
        links = ours.run(0.5)
    assert links[0].n_frames > 0
    assert links[0].refusals == {}
    assert [link.n_frames for link in (links[1], links[3], links[4])] == [0, 0, 0]


@pytest.mark.slow
def test_the_decoders_take_everything() -> None:
    module = built()
    assert module.modbus_ns(False, 10)[1] == 160
    assert module.modbus_ns(True, 10)[1] == 10
    assert framer_rate(module, 100_000) > 0


def test_the_table_shows_every_column() -> None:
    lines = list(bench().table([{"devices": 1, "hubctl": 40000}, {"devices": 64, "libmodbus": 3}]))
    assert [line.split() for line in lines] == [
        ["devices", "hubctl", "libmodbus"],
        ["1", "40,000", "-"],
        ["64", "-", "3"],
    ]
