"""What a hub file may wire to a wheel diverter."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from hubctl.core.config import ConfigError
from hubctl.core.hubfile import Hub, load_hub
from hubctl.core.tables import LinkKind
from hubctl.core.wiring import compile_wiring

HUB = """
hub = { name = "wheel" }
links = [
  { name = "head", kind = "modbus-tcp", host = "127.0.0.1", port = 15020 },
  { name = "top", kind = "scanner-tcp", host = "127.0.0.1", port = 15030 },
  { name = "w", kind = "wheel-tcp", host = "127.0.0.1", port = 8888 },
]
nodes = [{ name = "head", link = "head" }, { name = "w1", link = "w", unit = 1 }, { name = "w2", link = "w", unit = 2 }]
eyes = [
  { name = "induct", belt = "main", at_mm = 300, role = "induct", input = "head/input/2.0" },
  { name = "end", belt = "main", at_mm = 5700, role = "end", input = "head/input/2.2" },
]
diverters = [
  { name = "D1", belt = "main", at_mm = 3000, hold_ms = 300, cycle_ms = 150 },
  { name = "D2", belt = "main", at_mm = 4000, hold_ms = 300, cycle_ms = 150 },
]
chutes = [
  { name = "C1", no = 1, diverter = "D1", side = "left", output = "w1/turn/left" },
  { name = "C2", no = 2, diverter = "D1", side = "right", output = "w1/turn/right" },
  { name = "C3", no = 3, diverter = "D2", side = "right", output = "w2/turn/right" },
  { name = "END", no = 9 },
]
scanners = [{ name = "top", belt = "main", at_mm = 900, link = "top" }]
[[belts]]
name = "main"
length_mm = 6000
speed_mm_s = 1000
end_chute = "END"
encoder = { address = "head/input/0", counts_per_m = 1000 }
"""


def loaded(directory: Path, old: str = "", new: str = "") -> Hub:
    assert old in HUB
    file = directory / "wheel.toml"
    file.write_text(HUB.replace(old, new) if old else HUB, encoding="utf-8")
    return load_hub(file)


def test_a_wheel_is_a_node_with_two_outputs_and_no_coils(tmp_path: Path) -> None:
    wiring = compile_wiring(loaded(tmp_path))
    assert list(wiring.links["kind"]) == [LinkKind.MODBUS_TCP, LinkKind.SCANNER, LinkKind.WHEEL]
    assert list(wiring.nodes["n_outputs"]) == [0, 0, 0]
    assert wiring.outputs[["node", "coil"]][:3].tolist() == [(1, 0), (1, 1), (2, 1)]
    assert np.array_equal(wiring.outputs["hold_ns"][:3], [300_000_000] * 3)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('link = "w", unit = 2', 'link = "w", unit = 100', "must be 1 to 99 on a wheel link"),
        ('link = "w", unit = 2', 'link = "w", unit = 1', "is taken by another of the nodes"),
        ("unit = 2 }", 'unit = 2, firmware = "hubctl" }', "must be absent: it is a wheel diverter"),
        ('output = "w1/turn/left"', 'output = "w1/coil/0"', "node w1 is a wheel diverter: it has only turns"),
        ('input = "head/input/2.2"', 'input = "w1/turn/left"', "the address is taken"),
        ('"right", output = "w2/turn/right"', '"left", output = "w2/turn/right"', "must turn to the left"),
        ("at_mm = 4000, hold_ms = 300", "at_mm = 4000, hold_ms = 90", "must be 100 or more (a wheel loses"),
        ("at_mm = 3000, hold_ms = 300, cycle_ms = 150", "at_mm = 3000", "must be 100 or more (a wheel loses"),
    ],
)
def test_what_cannot_be_is_refused(old: str, new: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as refused:
        loaded(tmp_path, old, new)
    assert said in str(refused.value)


def test_a_link_has_a_limit(tmp_path: Path) -> None:
    more = ", ".join(f'{{ name = "x{i}", link = "w", unit = {i} }}' for i in range(3, 18))
    with pytest.raises(ConfigError, match="must have 16 wheels or fewer"):
        loaded(tmp_path, "unit = 2 }]", f"unit = 2 }}, {more}]")
