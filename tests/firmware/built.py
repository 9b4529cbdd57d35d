"""What `make -C firmware_stubs` builds on this machine, and the node in a shared object as a Python object."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
from functools import cache
from pathlib import Path

import pytest

from hubctl._wire import modbus_crc
from hubctl.protocol import registers as r

FIRMWARE = Path(__file__).parents[2] / "firmware_stubs"
BUILD = FIRMWARE / "build"
FRAME_MAX = 260
TCP, RTU_LENGTH, RTU_SILENCE = 0, 1, 2
MS = 1000
SILENCE_TICKS = 1750
GUARD = b"\xa5"


@cache
def made() -> Path:
    """The folder of built things, made once a run."""
    if shutil.which("make") is None or shutil.which("cc") is None:
        pytest.skip("needs make and a C compiler (Debian: build-essential)")
    done = subprocess.run(["make", "-j2", "-C", str(FIRMWARE)], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return BUILD


def built(name: str) -> Path:
    """One built thing; skips if this machine lacks what it is made with."""
    path = made() / name
    if not path.exists():
        pytest.skip(f"{name} was left out: see `make -C firmware_stubs`")
    return path


@cache
def library() -> ctypes.CDLL:
    """The shared object."""
    loaded = ctypes.CDLL(str(built("node.so")))
    u32, pointer, size = ctypes.c_uint32, ctypes.c_void_p, ctypes.c_size_t
    for name in ("node_size", "world_size", "head_size", "node_step", "head_step", "world_take_said"):
        getattr(loaded, name).restype = size
    loaded.node_counts.restype = u32
    loaded.node_outputs.restype = ctypes.c_uint16
    loaded.node_is_broken.restype = ctypes.c_bool
    loaded.head_queue.restype = ctypes.c_bool
    loaded.node_step.argtypes = [pointer, u32, ctypes.c_char_p, size, pointer]
    loaded.head_step.argtypes = [pointer, u32, ctypes.c_char_p, size, pointer]
    loaded.world_receive.argtypes = [pointer, u32, ctypes.c_char_p, size]
    return loaded


class Node:
    """A node on time of our own, ticks of a microsecond."""

    def __init__(self, framing: int = TCP, boot_id: int = 77, now_ticks: int = 0) -> None:
        self.lib = library()
        self.memory = ctypes.create_string_buffer(GUARD * 64, self.lib.node_size() + 64)
        self.memory[self.lib.node_size() :] = GUARD * 64  # type: ignore[call-overload]
        self.framing = framing
        self.now_ticks = now_ticks
        self.boot(boot_id)

    def boot(self, boot_id: int) -> None:
        quiet = SILENCE_TICKS if self.framing == RTU_SILENCE else 50 * MS
        self.lib.node_init(self.memory, self.framing, quiet, boot_id, self.ticks)

    @property
    def ticks(self) -> int:
        return self.now_ticks % 2**32

    def step(self, data: bytes = b"", after_ticks: int = 0) -> bytes:
        """What it answers to bytes that come after so many ticks."""
        self.now_ticks += after_ticks
        out = ctypes.create_string_buffer(FRAME_MAX)
        n = self.lib.node_step(self.memory, self.ticks, data, len(data), out)
        return out.raw[:n]

    def answers(self, data: bytes) -> bytes:
        """All it answers to bytes, one step after another."""
        said = b""
        more = self.step(data)
        while more:
            said += more
            more = self.step()
        return said

    def move(self, by_counts: int, after_ticks: int = 0) -> None:
        """The belt moves, count for count."""
        self.now_ticks += after_ticks
        for _ in range(abs(by_counts)):
            self.lib.node_move(self.memory, self.ticks, 1 if by_counts > 0 else -1)

    def jump(self, by_counts: int) -> None:
        """The belt has moved, all at once."""
        self.lib.node_move(self.memory, self.ticks, by_counts)

    def encoder(self, *lines: int) -> None:
        for line in lines:
            self.lib.node_encoder(self.memory, self.ticks, line)

    def eyes(self, lines: int) -> None:
        self.lib.node_eyes(self.memory, self.ticks, lines)

    @property
    def counts(self) -> int:
        return int(self.lib.node_counts(self.memory))

    @property
    def outputs(self) -> int:
        return int(self.lib.node_outputs(self.memory))

    @property
    def is_broken(self) -> bool:
        return bool(self.lib.node_is_broken(self.memory))

    @property
    def is_within_its_memory(self) -> bool:
        return self.memory.raw.endswith(GUARD * 64)

    # Requests of a host, in the framing of the node

    def framed(self, pdu: bytes, unit: int = r.UNIT, transaction: int = 1) -> bytes:
        if self.framing == TCP:
            return (
                transaction.to_bytes(2, "big")
                + bytes(2)
                + (len(pdu) + 1).to_bytes(2, "big")
                + bytes([unit])
                + pdu
            )
        frame = bytes([unit]) + pdu
        return frame + modbus_crc(frame).to_bytes(2, "little")

    def ask(self, pdu: bytes) -> bytes:
        """The answer's PDU; empty if there is none."""
        said = self.step(self.framed(pdu))
        if self.framing == RTU_SILENCE:
            said += self.step(after_ticks=SILENCE_TICKS)
        return said[7:] if self.framing == TCP else said[1:-2]

    def read(self, block: r.Block) -> list[int]:
        """The registers of a block."""
        pdu = self.ask(bytes([3, *block.address.to_bytes(2, "big"), 0, block.n_words]))
        assert pdu[:2] == bytes([3, 2 * block.n_words])
        return words_of(pdu[2:])

    def get(self, block: r.Block, name: str) -> int:
        return r.get(block, self.read(block), name)

    def write(self, block: r.Block, **values: int | tuple[int, ...]) -> r.Result:
        """Writes a block by function 16; what became of it."""
        data = b"".join(word.to_bytes(2, "big") for word in r.put(block, **values))
        address, n_words = block.address.to_bytes(2, "big"), block.n_words
        pdu = bytes([16, *address, 0, n_words, 2 * n_words]) + data
        assert self.ask(pdu) == pdu[:5]
        return r.Result(self.get(r.STATUS, "result"))

    def command(self, command: r.Command, epoch: int = 1, **values: int) -> r.Result:
        return self.write(r.COMMAND, command=command, epoch=epoch, **values)

    def take(self, epoch: int = 1) -> r.Result:
        return self.command(r.Command.TAKE, epoch, seq=self.get(r.IDENTITY, "boot_id"))

    def configure(self, epoch: int = 1, **values: int | tuple[int, ...]) -> r.Result:
        whole: dict[str, int | tuple[int, ...]] = {
            "watchdog_ms": 1000,
            "confirm_eye": (r.NO_EYE,) * r.N_DIVERTERS,
        }
        return self.write(r.CONFIG, epoch=epoch, **{**whole, **values})

    def arm(self, seq: int, fire_counts: int, epoch: int = 1, **values: int) -> r.Result:
        divert = {"diverter": 0, "action": r.Action.PULSE, "hold": 10, "void_counts": fire_counts + 4}
        return self.command(r.Command.ARM, epoch, seq=seq, fire_counts=fire_counts, **{**divert, **values})

    def edges(self) -> list[tuple[int, bool, int]]:
        """Eye, blocked, count of each edge shown."""
        words = self.read(r.EDGES)
        n = min(r.get(r.EDGES, words, "n_kept"), r.N_EDGES_SHOWN)
        shown = chunks(words[r.EDGES.at("edge") :], r.EDGE_WORDS)[:n]
        return [(what & 0xFF, bool(what & r.EDGE_BLOCKED), high << 16 | low) for what, high, low in shown]

    def outcomes(self) -> list[tuple[int, r.OutcomeKind, r.Result, int]]:
        """Sequence number, kind, why and count of each outcome shown."""
        words = self.read(r.OUTCOMES)
        n = min(r.get(r.OUTCOMES, words, "n_kept"), r.N_OUTCOMES_SHOWN)
        shown = chunks(words[r.OUTCOMES.at("outcome") :], r.OUTCOME_WORDS)[:n]
        return [
            (a << 16 | b, r.OutcomeKind(what >> 8), r.Result(what & 0xFF), c << 16 | d)
            for a, b, what, c, d in shown
        ]


def words_of(data: bytes) -> list[int]:
    return [int.from_bytes(data[at : at + 2], "big") for at in range(0, len(data), 2)]


def chunks(words: list[int], n: int) -> list[list[int]]:
    return [words[at : at + n] for at in range(0, len(words), n)]
