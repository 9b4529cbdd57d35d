"""Nodes in the states that stories begin with."""

from __future__ import annotations

import pytest
from built import Node

from hubctl.protocol import registers as r


@pytest.fixture
def node() -> Node:
    """Just booted."""
    return Node()


@pytest.fixture
def ready() -> Node:
    """Taken for epoch 1, its watchdog armed at 1,000 ms."""
    node = Node()
    assert node.take() is r.Result.OK
    assert node.configure() is r.Result.OK
    return node
