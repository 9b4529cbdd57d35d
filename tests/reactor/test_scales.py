"""A scale's register and its ready bit become weights that the kernel is told: over a socket, from a node of bytes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from rig import NodeModel, Serving, connected, serve_node, until

from hubctl._kernel import Kernel
from hubctl._reactor import Reactor
from hubctl.core.events import Kind
from hubctl.core.hubfile import load_hub
from hubctl.core.layout import compile_layout
from hubctl.core.wiring import compile_wiring

DWS = Path(__file__).parents[1] / "kernel" / "dws.toml"
WEIGHT, READY = 4, 5
BIT = 1 << 3


class Scale:
    """A reactor on a hub with a scale of 10 g a count, on a node of its own."""

    def __init__(self, directory: Path) -> None:
        file = directory / "dws.toml"
        wired = 'name = "scale", weight = "io1/input/4", ready = "io1/input/5.3", g_per_count = 10,'
        file.write_text(DWS.read_text(encoding="utf-8").replace('name = "scale",', wired), encoding="utf-8")
        hub = load_hub(file)
        self.node = NodeModel()
        self.server = Serving(serve_node(self.node))
        self.reactor = Reactor(Kernel(compile_layout(hub)), compile_wiring(hub))
        self.told: list[np.void] = []
        self.reactor.start()
        self.link = [link.name for link in hub.links].index("io1")
        self.reactor.attach(self.link, connected(self.server.port))
        until(lambda: self.reactor.statistics().nodes[1] == "up", "the node")

    def show(self, weight: int, *, is_ready: bool) -> None:
        self.node.registers[WEIGHT] = weight
        self.node.registers[READY] = BIT if is_ready else 0

    def weights(self) -> list[int]:
        self.told += list(self.reactor.drain())
        return [int(record["value"]) for record in self.told if record["kind"] == Kind.WEIGHED]

    def until_polled(self) -> None:
        """Until the node has answered two more polls."""
        n_before = len(self.node.requests)
        until(lambda: len(self.node.requests) > n_before + 4, "polls")

    def close(self) -> None:
        self.reactor.stop(1.0)
        self.server.close()


@pytest.fixture
def scale(tmp_path: Path) -> Iterator[Scale]:
    made = Scale(tmp_path)
    yield made
    made.close()


def test_a_weight_is_told_when_it_is_ready_and_once(scale: Scale) -> None:
    scale.show(123, is_ready=True)
    until(lambda: scale.weights() == [1230], "the weight")
    scale.node.registers[WEIGHT] = 999
    scale.until_polled()
    assert scale.weights() == [1230]
    scale.show(999, is_ready=False)
    scale.until_polled()
    scale.show(50, is_ready=True)
    until(lambda: scale.weights() == [1230, 500], "the next weight")


def test_an_empty_scale_is_not_told(scale: Scale) -> None:
    scale.show(0, is_ready=True)
    scale.until_polled()
    assert scale.weights() == []
