"""A compiled plan in a file: what was checked for a hub, whole and as it was, with the hash of it and of the hub.

It holds the plan's text, its tables and its label packs, so that nothing lies beside it and nothing is checked twice.
Two lines of text stand in front of the content: what kind of file it is, and a head that says what it is of. It is
taken for the hub and by the program that it was made for and by, and as every byte was written; else not at all.
"""

from __future__ import annotations

import hashlib
import json
import os
import zlib
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

from hubctl.core.config import ConfigError, Fault
from hubctl.core.hubfile import Hub
from hubctl.core.planrules import Row

MAGIC = b"hubctl compiled plan 1\n"
HEAD = {"version": str, "hub": str, "hub_hash": str, "program": str, "n_bytes": int, "hash": str}
HEAD_MAX = 4096  # bytes
AGAIN = "compile it again: hubctl plan compile PLAN --hub HUB -o FILE"


class Compiled(NamedTuple):
    """The content of a compiled plan."""

    file: str  # that it was made of
    text: str
    rows: list[Row]  # of its tables
    packs: dict[str, str]  # text of each label pack by its file


def is_compiled(file: Path) -> bool:
    """Whether a file is a compiled plan, be it whole or not."""
    try:
        with file.open("rb") as stream:
            return stream.read(len(MAGIC)) == MAGIC
    except OSError:
        return False


def write_compiled(file: Path, compiled: Compiled, hub: Hub, version: int) -> None:
    """Write a plan that was checked for a hub: the whole file, or none of it.

    Raises
    ------
    OSError
        It cannot be written.
    """
    content = zlib.compress(json.dumps(compiled._asdict(), ensure_ascii=False).encode())
    about: dict[str, Any] = {
        "version": f"{version:08x}",
        "hub": hub.hub.name,
        "hub_hash": hub_hash(hub),
        "program": program_hash(),
        "n_bytes": len(content),
    }
    about["hash"] = _hash(_said(about) + content)
    beside = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        with beside.open("wb") as stream:
            stream.write(MAGIC + json.dumps(about).encode() + b"\n" + content)
            stream.flush()
            os.fsync(stream.fileno())
        beside.replace(file)
    finally:
        beside.unlink(missing_ok=True)


def read_compiled(file: Path, hub: Hub | None = None) -> tuple[Compiled, int]:
    """The content of a compiled plan, and its version.

    Parameters
    ----------
    file : Path
    hub : Hub, optional
        The hub that it must have been compiled for; if none is given, any.

    Raises
    ------
    ConfigError
        It is torn or changed, of another hub, or by another program.
    """
    head, content = _parts(file)
    about = _about(file, head)
    if len(content) != about["n_bytes"]:
        _refuse(file, f"has {len(content)} bytes of content, and must have {about['n_bytes']}: it is torn")
    if _hash(_said(about) + content) != about["hash"]:
        _refuse(file, "is not as it was written: its hash is another")
    if about["program"] != program_hash():
        _refuse(file, "was compiled by another version of hubctl")
    if hub is not None and about["hub_hash"] != hub_hash(hub):
        was = about["hub"]
        other = f"not for {hub.hub.name}" if was != hub.hub.name else "whose file has changed since"
        _refuse(file, f"was compiled for the hub {was}, {other}")
    told = json.loads(zlib.decompress(content))
    rows = [Row(*row) for row in told["rows"]]
    return Compiled(told["file"], told["text"], rows, told["packs"]), int(about["version"], 16)


def hub_hash(hub: Hub) -> str:
    """Equal for hubs whose files say the same, however laid out."""
    said = hub.model_dump(exclude_defaults=True)
    return _hash(json.dumps(said, sort_keys=True, default=str).encode())


@cache
def program_hash() -> str:
    """Of everything that has a say in what a plan means: this room, and the label formats in it."""
    room = files("hubctl.core")
    parts = sorted(part.name for part in room.iterdir() if part.name.endswith((".py", ".toml")))
    return _hash(b"".join((room / name).read_bytes() for name in parts))


def _said(about: dict[str, Any]) -> bytes:
    """What a head says, apart from the hash."""
    return json.dumps({name: about[name] for name in HEAD if name != "hash"}).encode()


def _hash(content: bytes) -> str:
    return hashlib.blake2b(content, digest_size=16).hexdigest()


def _parts(file: Path) -> tuple[bytes, bytes]:
    """The head of a compiled plan, and what follows."""
    try:
        whole = file.read_bytes()
    except OSError as error:
        _refuse(file, f"cannot be read: {error.strerror}", "check the path")
    head, _, content = whole.removeprefix(MAGIC).partition(b"\n")
    return head, content


def _about(file: Path, head: bytes) -> dict[str, Any]:
    try:
        about = json.loads(head[:HEAD_MAX])
        is_head = all(type(about[name]) is kind for name, kind in HEAD.items())
        int(about["version"], 16)
    except (ValueError, TypeError, KeyError):
        is_head = False
    if not is_head:
        _refuse(file, "has no head: it is torn, or changed")
    return dict(about)


def _refuse(file: Path, message: str, hint: str = AGAIN) -> NoReturn:
    raise ConfigError([Fault(str(file), 1, "", "", "", message, hint)])
