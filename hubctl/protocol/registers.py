"""The register map of our node, as one table; the header and the manual page of the firmware are made from it.

    python -m hubctl.protocol.registers firmware_stubs    writes registers.h and the map in README.md there

Every register can be read by functions 3 and 4, but those of blocks that are only written. A block is written
whole, by function 16 or 23, or not at all. A value of two registers has its high word first.
"""

from __future__ import annotations

import struct
import sys
from collections.abc import Mapping
from enum import IntEnum
from pathlib import Path
from typing import NamedTuple

MAGIC = 0x4855424E  # "HUBN"
MAP_VERSION = 1
FIRMWARE_VERSION = 0x0100  # major, minor
TICKS_PER_S = 1_000_000
UNIT = 1

N_EYES = 16
N_DIVERTERS = 16
N_ARMED_MAX = 32
N_EDGES_MAX = 64
N_OUTCOMES_MAX = 64
N_WATCHES_MAX = 16
N_EDGES_SHOWN = 16
N_OUTCOMES_SHOWN = 8
EDGE_WORDS = 3
OUTCOME_WORDS = 5
NO_EYE = 0xFFFF
EDGE_BLOCKED = 0x0100

WATCHDOG_MS_MIN = 10
WATCHDOG_MS_MAX = 60_000
FIRE_AHEAD_COUNTS_MAX = 1 << 24
VOID_COUNTS_MAX = (1 << 16) - 1

START = "<!-- made from the table -->"
END = "<!-- end of what is made -->"


class NodeState(IntEnum):
    """What the node is ready for."""

    IDLE = 0  # since its boot no host has taken it: coils may be written by hand
    TAKEN = 1  # a host has taken it, and its watchdog is not armed yet: nothing is armed
    READY = 2  # diverts are armed and fired
    SAFE = 3  # its outputs are at their safe values until a host clears it; it goes on counting


class SafeReason(IntEnum):
    """Why the node is in its safe state."""

    NONE = 0
    HOST_SILENT = 1  # the host wrote nothing for as long as the watchdog waits
    ASKED = 2  # the host asked for it


class Command(IntEnum):
    """What the command block asks for."""

    TAKE = 1  # seq=boot id: from now on only this epoch commands; what was armed is cancelled
    ARM = 2  # a divert; the sequence number of one that is armed replaces it
    CANCEL = 3  # seq: the divert with that number
    CLEAR = 4  # leave the safe state
    MAKE_SAFE = 5  # enter it


class Action(IntEnum):
    """What a divert does with its output."""

    PULSE = 1  # on, and off again after the hold
    ON = 2  # on until told otherwise
    OFF = 3


class HoldUnit(IntEnum):
    """In what the hold of a pulse is given."""

    COUNTS = 0
    MS = 1


class EncoderMode(IntEnum):
    """What the encoder's lines A and B mean."""

    QUADRATURE = 0  # each change of either line is one count
    PULSE_DIRECTION = 1  # A rises: one count, backward while B is high
    PULSE = 2  # A rises: one count


class Result(IntEnum):
    """What became of the block written last: OK, or why nothing of it was done."""

    NONE = 0
    OK = 1
    OLD_EPOCH = 2  # another host has taken the node since
    NOT_TAKEN = 3  # nobody has taken the node for this epoch since its boot
    WRONG_BOOT = 4  # the node has booted since its boot id was read
    IS_SAFE = 5  # in its safe state nothing is armed
    NO_WATCHDOG = 6  # before the watchdog is armed, nothing else is
    BAD_DIVERTER = 7
    BAD_ACTION = 8
    BAD_HOLD = 9
    BAD_COUNTS = 10  # void before the fire, or further away than is sensible
    LATE = 11  # the count after which it is void has passed
    FULL = 12  # the armed ring is
    OLD_SEQ = 13  # a sequence number not above the last one, and not armed
    NOT_ARMED = 14  # no divert of that sequence number is armed
    BAD_CONFIG = 15
    BAD_COMMAND = 16


class OutcomeKind(IntEnum):
    """What became of an armed divert."""

    FIRED = 1  # counts=where
    VOID = 2  # the belt was past its void count when the node looked; not fired
    REFUSED = 3  # why=Result
    CANCELLED = 4  # by command, by another epoch or by the safe state
    CONFIRMED = 5  # counts=where its eye was blocked


ENUMS: tuple[type[IntEnum], ...] = (
    *(NodeState, SafeReason, Command, Action, HoldUnit, EncoderMode, Result, OutcomeKind),
)


class Field(NamedTuple):
    """One value of a block, or as many equal ones as `n_times`."""

    name: str
    about: str
    n_words: int = 1
    n_times: int = 1


class Block(NamedTuple):
    """Registers that belong together, from an address on."""

    name: str
    address: int
    is_written: bool
    about: str
    fields: tuple[Field, ...]

    @property
    def n_words(self) -> int:
        """Registers of the whole block."""
        return sum(field.n_words * field.n_times for field in self.fields)

    def at(self, name: str) -> int:
        """Offset of a field's first register within the block; KeyError if it has none of that name."""
        offset = 0
        for field in self.fields:
            if field.name == name:
                return offset
            offset += field.n_words * field.n_times
        raise KeyError(f"{self.name} has no {name}")


HOST_SEQ = Field("host_seq", "the host's sequence number, as it wrote it last")
EPOCH = Field("epoch", "whose command it is: a number that each new host makes larger", 2)

IDENTITY = Block(
    *("identity", 0, False, "What it is: the same until the next boot."),
    (
        Field("magic", f"{MAGIC:#010x}, the letters HUBN", 2),
        Field("map_version", f"{MAP_VERSION}: the version of this table"),
        Field("firmware_version", "high byte major, low byte minor"),
        Field("n_eyes", "eyes it watches"),
        Field("n_diverters", "diverters it drives"),
        Field("n_armed_max", "diverts that can be armed at once"),
        Field("n_edges_max", "edges it keeps until the host has taken them"),
        Field("n_outcomes_max", "outcomes it keeps until the host has taken them"),
        Field("ticks_per_s", "of its clock", 2),
        Field("boot_id", "another one after each boot", 2),
    ),
)
RESULT = Block(
    *("result", 92, False, "The answer to the block written last; read it in the same function 23."),
    (
        HOST_SEQ,
        Field("result", "Result of the block written last"),
        Field("state", "NodeState"),
        Field("n_armed", "diverts that are armed now"),
        Field("counts", "encoder count now", 2),
        Field("boot_id", "as in the identity", 2),
    ),
)
STATUS = Block(
    *("status", 100, False, "How it is now, taken in one piece."),
    (
        HOST_SEQ,
        Field("result", "Result of the block written last"),
        Field("state", "NodeState"),
        Field("safe_reason", "SafeReason"),
        Field("boot_id", "as in the identity", 2),
        Field("epoch", "of the host that has taken it; 0: none", 2),
        Field("counts", "encoder count, modulo 2**32", 2),
        Field("ticks", "its clock when this was taken, microseconds modulo 2**32", 2),
        Field("speed", "counts a second, two's complement", 2),
        Field("eyes", "bit an eye: blocked, debounced"),
        Field("outputs", "bit a diverter: on"),
        Field("n_armed", "diverts that are armed now"),
        Field("encoder_faults", "changes of both lines at once, modulo 2**16"),
        Field("bad_frames", "frames refused by length or CRC, modulo 2**16"),
        Field("n_edges", "edges kept, to see whether to ask for more of them"),
        Field("n_outcomes", "outcomes kept"),
        Field("last_seq", "highest sequence number armed since it was taken", 2),
    ),
)
EDGES = Block(
    *("edges", 123, False, "Edges of the eyes, oldest first, from the first not taken."),
    (
        HOST_SEQ,
        Field("first", "running number of the first edge shown, modulo 2**16"),
        Field("n_kept", "edges kept, shown or not"),
        Field("n_lost", "edges lost because nobody took them in time, modulo 2**16"),
        Field("edge", "eye (+ 256 if blocked), then the count of the edge", EDGE_WORDS, N_EDGES_SHOWN),
    ),
)
OUTCOMES = Block(
    *("outcomes", 175, False, "What became of armed diverts, oldest first, from the first not taken."),
    (
        HOST_SEQ,
        Field("first", "running number of the first outcome shown, modulo 2**16"),
        Field("n_kept", "outcomes kept, shown or not"),
        Field("n_lost", "outcomes lost because nobody took them in time, modulo 2**16"),
        Field(
            *("outcome", "sequence number (2), OutcomeKind * 256 + Result, count (2)"),
            *(OUTCOME_WORDS, N_OUTCOMES_SHOWN),
        ),
    ),
)
POLL = Block(
    *("poll", 300, True, "Heartbeat; what is taken is shown no more."),
    (
        HOST_SEQ,
        EPOCH,
        Field("edges_taken", "running number of the first edge not taken yet"),
        Field("outcomes_taken", "running number of the first outcome not taken yet"),
    ),
)
COMMAND = Block(
    *("command", 320, True, "One command; each is a heartbeat too. What a command does not use is 0."),
    (
        HOST_SEQ,
        EPOCH,
        Field("command", "Command"),
        Field("diverter", f"0 to {N_DIVERTERS - 1}"),
        Field("action", "Action"),
        Field("seq", "sequence number of the divert, or the boot id to TAKE", 2),
        Field("fire_counts", "fire when the belt is here", 2),
        Field("void_counts", f"never fire past here; at most {VOID_COUNTS_MAX} behind", 2),
        Field("hold", "of a pulse: at least 1"),
        Field("hold_unit", "HoldUnit"),
    ),
)
CONFIG = Block(
    *("config", 340, True, "Arms the watchdog; can be read back."),
    (
        HOST_SEQ,
        EPOCH,
        Field(
            "watchdog_ms", f"{WATCHDOG_MS_MIN} to {WATCHDOG_MS_MAX}: silence after which it makes itself safe"
        ),
        Field("safe_outputs", "bit a diverter: on in the safe state"),
        Field("encoder_mode", "EncoderMode"),
        Field("debounce_counts", "for each eye: an edge counts if it lasts so long", 1, N_EYES),
        Field("confirm_eye", f"for each diverter: the eye that proves it; {NO_EYE}: none", 1, N_DIVERTERS),
        Field("confirm_counts", "for each diverter: proved within so many counts", 1, N_DIVERTERS),
    ),
)
BLOCKS = (IDENTITY, RESULT, STATUS, EDGES, OUTCOMES, POLL, COMMAND, CONFIG)

# Offset and width of each field, by block and name.
PLACES = {
    block.name: {field.name: (block.at(field.name), field.n_words) for field in block.fields}
    for block in BLOCKS
}

# How each block travels: high byte first, high word first.
PACKED = {
    block.name: struct.Struct(
        ">" + "".join("HI"[field.n_words - 1] * field.n_times for field in block.fields)
    )
    for block in BLOCKS
    if block.is_written
}

NUMBERS = {
    "MAGIC": MAGIC,
    "MAP_VERSION": MAP_VERSION,
    "FIRMWARE_VERSION": FIRMWARE_VERSION,
    "TICKS_PER_S": TICKS_PER_S,
    "UNIT": UNIT,
    "N_EYES": N_EYES,
    "N_DIVERTERS": N_DIVERTERS,
    "N_ARMED_MAX": N_ARMED_MAX,
    "N_EDGES_MAX": N_EDGES_MAX,
    "N_OUTCOMES_MAX": N_OUTCOMES_MAX,
    "N_WATCHES_MAX": N_WATCHES_MAX,
    "N_EDGES_SHOWN": N_EDGES_SHOWN,
    "N_OUTCOMES_SHOWN": N_OUTCOMES_SHOWN,
    "EDGE_WORDS": EDGE_WORDS,
    "OUTCOME_WORDS": OUTCOME_WORDS,
    "NO_EYE": NO_EYE,
    "EDGE_BLOCKED": EDGE_BLOCKED,
    "WATCHDOG_MS_MIN": WATCHDOG_MS_MIN,
    "WATCHDOG_MS_MAX": WATCHDOG_MS_MAX,
    "FIRE_AHEAD_COUNTS_MAX": FIRE_AHEAD_COUNTS_MAX,
    "VOID_COUNTS_MAX": VOID_COUNTS_MAX,
}


# Words


def pack(block: Block, values: Mapping[str, int | tuple[int, ...]]) -> bytes:
    """The registers of a block that is written, as they travel; fields that are not named are 0."""
    assert values.keys() <= PLACES[block.name].keys(), f"{block.name} has no such field: {[*values]}"
    flat: list[int] = []
    for field in block.fields:
        flat += flattened(field, values.get(field.name, 0))
    return PACKED[block.name].pack(*flat)


def flattened(field: Field, value: int | tuple[int, ...]) -> list[int]:
    """Values modulo their width; one alone stands for as many as the field has."""
    most = 0xFFFFFFFF if field.n_words == 2 else 0xFFFF
    if isinstance(value, int):
        return [value & most] * field.n_times
    assert len(value) == field.n_times, field.name
    return [one & most for one in value]


def words_of(data: bytes) -> list[int]:
    """Registers as they travelled.

    >>> words_of(bytes([0, 7, 1, 0]))
    [7, 256]
    """
    return list(struct.unpack(f">{len(data) // 2}H", data))


def put(block: Block, **values: int | tuple[int, ...]) -> list[int]:
    """The registers of a block that is written; fields that are not named are 0.

    >>> put(POLL, host_seq=7, epoch=0x10002)
    [7, 1, 2, 0, 0]
    """
    return words_of(pack(block, values))


def get(block: Block, words: list[int], name: str) -> int:
    """One value of one or two registers out of a block that was read.

    >>> get(POLL, [7, 1, 2, 0, 0], "epoch")
    65538
    """
    at, n_words = PLACES[block.name][name]
    return words[at] << 16 | words[at + 1] if n_words == 2 else words[at]


# What is made from the table


def header() -> str:
    """The text of registers.h."""
    lines = [
        "/* The node's register map. Made by `python -m hubctl.protocol.registers`: never edited by hand. */"
    ]
    lines += ["#ifndef HUB_REGISTERS_H", "#define HUB_REGISTERS_H", ""]
    lines += [f"#define HUB_{name} {value:#x}u" for name, value in NUMBERS.items()]
    for block in BLOCKS:
        lines += ["", f"/* {block.about} */", *block_lines(block)]
    for enum in ENUMS:
        lines += ["", *enum_lines(enum)]
    return "\n".join([*lines, "", "#endif", ""])


def block_lines(block: Block) -> list[str]:
    """Address, size and offsets of a block."""
    name = f"HUB_{block.name.upper()}"
    lines = [f"#define {name}_ADDRESS {block.address}u", f"#define {name}_WORDS {block.n_words}u"]
    at = f"HUB_AT_{block.name.upper()}"
    return lines + [f"#define {at}_{field.name.upper()} {block.at(field.name)}u" for field in block.fields]


def enum_lines(enum: type[IntEnum]) -> list[str]:
    """An enumeration, its members named after it."""
    prefix = "HUB_" + "".join("_" + c if c.isupper() else c.upper() for c in enum.__name__).lstrip("_")
    return ["enum {", *(f"    {prefix}_{member.name} = {member.value}," for member in enum), "};"]


def manual() -> str:
    """The map for a person, in Markdown."""
    lines: list[str] = []
    for block in BLOCKS:
        last = block.address + block.n_words - 1
        way = "written" if block.is_written else "read"
        lines += [f"**{block.name}**, {block.address} to {last}, {way}. {block.about}", ""]
        lines += ["| register | words | name | meaning |", "|---|---|---|---|", *map_rows(block), ""]
    for enum in ENUMS:
        members = ", ".join(f"{member.value} {member.name}" for member in enum)
        lines += [f"**{enum.__name__}**: {members}.", ""]
    return "\n".join(lines)


def map_rows(block: Block) -> list[str]:
    """A table row for each field."""
    rows = []
    for field in block.fields:
        words = f"{field.n_words} x {field.n_times}" if field.n_times > 1 else str(field.n_words)
        rows.append(f"| {block.address + block.at(field.name)} | {words} | {field.name} | {field.about} |")
    return rows


def with_manual(text: str) -> str:
    """A page with the map put between its two marks."""
    before, _, rest = text.partition(START)
    _, _, after = rest.partition(END)
    return f"{before}{START}\n\n{manual()}\n{END}{after}"


def main(folder: Path) -> None:
    """Writes the header and the map in the page of a firmware folder."""
    (folder / "registers.h").write_text(header(), encoding="utf-8")
    page = folder / "README.md"
    page.write_text(with_manual(page.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
