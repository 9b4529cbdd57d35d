"""Nodes to be measured: a process, and the image in QEMU, both with their lines on TCP."""

from __future__ import annotations

import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

BUILD = Path(__file__).parents[2] / "firmware_stubs" / "build"
QEMU = "qemu-system-arm"
DIAL_S = 5


class Node(NamedTuple):
    """Where a node's Modbus and its simulated world can be reached."""

    name: str
    modbus_port: int
    world_port: int
    rtu: bool


def available() -> list[str]:
    """The bodies that this machine can run; the others are left out."""
    return ["host", *(["qemu"] if shutil.which(QEMU) and (BUILD / "node_lm3s.elf").exists() else [])]


def build() -> None:
    """Whatever this machine has the tools for."""
    subprocess.run(["make", "-C", str(BUILD.parent)], check=True, capture_output=True)


@contextmanager
def running(name: str) -> Iterator[Node]:
    """A node for as long as it is used."""
    process, node = start_host() if name == "host" else start_qemu()
    try:
        yield node
    finally:
        process.kill()
        process.wait()


def start_host() -> tuple[subprocess.Popen[str], Node]:
    words = [str(BUILD / "node_host"), "tcp:0", "tcp:0"]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    modbus, world = (int(process.stdout.readline().rpartition(":")[2]) for _ in range(2))
    return process, Node("host", modbus, world, False)


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def start_qemu() -> tuple[subprocess.Popen[str], Node]:
    """Answers its first question when the firmware has started its port."""
    node = Node("qemu", free_port(), free_port(), True)
    words = [QEMU, "-M", "lm3s6965evb", "-display", "none", "-monitor", "none"]
    words += ["-kernel", str(BUILD / "node_lm3s.elf")]
    for port in (node.modbus_port, node.world_port):
        words += ["-serial", f"tcp:127.0.0.1:{port},server=on,wait=off,nodelay=on"]
    process = subprocess.Popen(words, stderr=subprocess.DEVNULL, text=True)
    while process.poll() is None:
        try:
            dial(node.world_port).close()
        except ConnectionRefusedError:
            continue
        break
    return process, node


def dial(port: int) -> socket.socket:
    """A connection to a line."""
    line = socket.create_connection(("127.0.0.1", port), DIAL_S)
    line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return line
