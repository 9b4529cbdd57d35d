"""Scanner presets as data: how a make frames what it says, and what it wants to be told.

`core/scanners.toml` has them. A new make needs no code unless its bytes are packed in a way of its own.
"""

from __future__ import annotations

from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Literal, TypeAlias

from pydantic import AfterValidator, Field

from hubctl.core.config import Source
from hubctl.core.shape import Section, read_shape

PRESETS_MAX = 100
IN_FRAMES = ("plain", "dmcc")  # protocols that need a terminator


def ascii_text(text: str) -> str:
    """The text; ValueError if it cannot be written to a device and compared as C text."""
    if not text.isascii() or "\0" in text:
        raise ValueError("must be ASCII characters other than NUL")
    return text


Marker: TypeAlias = Annotated[str, Field(max_length=4), AfterValidator(ascii_text)]
OneByte: TypeAlias = Annotated[str, Field(max_length=1), AfterValidator(ascii_text)]
Word: TypeAlias = Annotated[str, Field(max_length=16), AfterValidator(ascii_text)]
Greeting: TypeAlias = Annotated[str, Field(max_length=48), AfterValidator(ascii_text)]
Question: TypeAlias = Annotated[str, Field(max_length=32), AfterValidator(ascii_text)]
LabelField: TypeAlias = Annotated[int, Field(ge=1, le=32)]
Span: TypeAlias = Annotated[int, Field(ge=0, le=60_000)]


class Preset(Section):
    """How a make of scanner speaks unless its site has changed it."""

    about: str = Field(min_length=1, max_length=100, description="which scanners these are")
    port: int | None = Field(None, ge=1, le=65_535, description="its usual TCP port")
    baud: int = Field(115_200, ge=1200, le=4_000_000, description="its usual speed on a serial line")
    parity: Literal["none", "even", "odd"] = Field("none", description="its usual parity there")
    protocol: Literal["plain", "dmcc", "ssi", "msgget"] = Field(
        "plain",
        description="plain: text between header and terminator; dmcc: the same, with reads in base64; ssi and msgget: "
        "packets with their length",
    )
    header: Marker = Field("", description="start of a telegram")
    terminator: Marker = Field("", description="end of a telegram")
    no_read: Word = Field(description="text that says no label was read")
    heartbeat: Word = Field("", description="text that only says it is alive")
    answers: Literal["none", "sopas", "keyence"] = Field(
        "none", description="whose answers to commands come between the labels"
    )
    code_separator: Marker = Field("", description="between the codes of one telegram")
    field_separator: Marker = Field("", description="between the fields of a code")
    label_field: LabelField = Field(1, description="which field of a code is the label")
    group_separator: OneByte = Field("", description="what it sends for the group separator of GS1")
    greeting: Greeting = Field("", description="sent to it once it is connected")
    ask: Question = Field("", description="sent to it every ask_ms")
    ask_ms: Span = Field(1000, description="how often it is asked")
    alive_ms: Span = Field(0, description="silent for so long it is gone; 0: it may be silent")
    number_terminator: Marker = Field("\r\n", description="behind the number of a trigger that it is told")
    silence_ms: int = Field(
        200, ge=10, le=60_000, description="half a telegram and then so much silence is garbage"
    )


class _Presets(Section):
    presets: dict[str, Preset] = Field(min_length=1, max_length=PRESETS_MAX, description="by name")


@lru_cache
def presets() -> dict[str, Preset]:
    """Every preset that comes with the program, by name."""
    return load_presets(Path(str(files("hubctl.core").joinpath("scanners.toml"))))


def load_presets(file: Path) -> dict[str, Preset]:
    """The presets of a file; ConfigError with every fault of it."""
    source = Source.read(file)
    found = read_shape(_Presets, source)
    for name, preset in getattr(found, "presets", {}).items():
        if getattr(preset, "protocol", "") in IN_FRAMES and not getattr(preset, "terminator", "missing"):
            source.add(("presets", name, "terminator"), "missing", "text needs an end")
    source.raise_if_faulty()
    return found.presets


def preset_name(name: str) -> str:
    """The name; ValueError if no preset is called so."""
    if name not in presets():
        raise ValueError(f"must be one of {', '.join(presets())}")
    return name
