"""Faults of a file that a person wrote: all of them at once, each with line, value, range and hint."""

from __future__ import annotations

import difflib
import json
import tomllib
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NoReturn

from hubctl.core.where import Path as Place
from hubctl.core.where import line_of, places_of

VALUE_SHOWN_MAX = 40
ALIKE_MIN = 0.5  # share of letters in common from which a word may be a slip for another


@dataclass(frozen=True, slots=True)
class Fault:
    """One mistake in a file."""

    file: str
    line: int
    where: str  # section and name: "chutes.C12"; empty for the file itself
    key: str
    value: str  # as written; empty where there is none
    message: str  # what is allowed instead
    hint: str = ""

    def __str__(self) -> str:
        """`hub.toml:41 [diverters.D12] clear_mm = 0: must be 1 to 5000 (hint)`."""
        section = f" [{self.where}]" if self.where else ""
        key = f" {self.key}" if self.key else ""
        value = f" = {self.value}" if self.value else ""
        hint = f" ({self.hint})" if self.hint else ""
        return printable(f"{self.file}:{self.line}{section}{key}{value}: {self.message}{hint}")

    def as_dict(self) -> dict[str, Any]:
        """For `--json`."""
        return asdict(self)


class ConfigError(Exception):
    """A hub file or a plan is wrong; carries every fault found."""

    def __init__(self, faults: Iterable[Fault]) -> None:
        self.faults = tuple(faults)
        super().__init__("\n".join(str(fault) for fault in self.faults))


class Source:
    """A TOML file as written, and the faults found in it so far.

    Parameters
    ----------
    file : Path
        Shown in every fault.
    text : str
        Its content.
    """

    def __init__(self, file: Path, text: str) -> None:
        self.file = str(file)
        self.faults: list[Fault] = []
        self._places: dict[Place, int] | None = None
        self.text = text
        self.data: dict[str, Any] = {}

    @classmethod
    def read(cls, file: Path) -> Source:
        """Open and parse; ConfigError where there is no such file, or it is not TOML."""
        return cls.parsed(file, text_of(file))

    @classmethod
    def parsed(cls, file: Path, text: str) -> Source:
        """The content of a file that has been read already; ConfigError where it is not TOML."""
        source = cls(file, text)
        try:
            source.data = tomllib.loads(source.text)
        except tomllib.TOMLDecodeError as error:
            source._refuse_syntax(error)
        return source

    @classmethod
    def of_data(cls, file: Path, data: dict[str, Any]) -> Source:
        """A source that was never text: all its faults are on line 1."""
        source = cls(file, "")
        source.data = data
        return source

    def add(self, path: Place, message: str, hint: str = "", *, shown: str | None = None) -> None:
        """Note a fault of the value at `path`; `shown` replaces the value in the text."""
        where, key = self._section(path)
        value = self._shown(path) if shown is None else shown
        self.faults.append(Fault(self.file, self.line(path), where, key, value, message, hint))

    def line(self, path: Place) -> int:
        """The line, from 1, of the value at `path`."""
        if self._places is None:
            self._places = places_of(self.text)
        return line_of(self._places, path)

    def raise_if_faulty(self) -> None:
        """ConfigError with all faults, by line, if there is one."""
        if self.faults:
            raise ConfigError(sorted(self.faults, key=lambda fault: fault.line))

    def _section(self, path: Place) -> tuple[str, str]:
        """("chutes.C12", "clear_mm") of a path: an entry of a list of tables goes by its name."""
        names: list[str] = []
        node: Any = self.data
        n_section = 0
        for depth, key in enumerate(path):
            node = _child(node, key)
            names.append(_entry_name(node, key))
            if isinstance(node, dict):
                n_section = depth + 1
        return ".".join(names[:n_section]), ".".join(names[n_section:])

    def _shown(self, path: Place) -> str:
        node: Any = self.data
        for key in path:
            node = _child(node, key)
        return "" if node is None or isinstance(node, dict) else shown_value(node)

    def _refuse_syntax(self, error: tomllib.TOMLDecodeError) -> NoReturn:
        # Python tells the position only inside the sentence until 3.14 gives it as a number.
        sentence, _, position = str(error).partition(" (at ")
        words = position.replace(",", " ").split()
        end = self.text.count("\n") + 1
        line = int(words[1]) if words[:1] == ["line"] else end
        raise ConfigError(
            [Fault(self.file, line, "", "", "", f"not TOML: {sentence}", "see https://toml.io")]
        )


def nearest(word: str, known: Iterable[str]) -> str:
    """A hint that names the known word most like this one, or lists them where none is alike.

    >>> nearest("outptu", ["output", "confirm"])
    'did you mean "output"?'
    """
    words = list(known)
    alike = difflib.get_close_matches(word, words, n=1, cutoff=ALIKE_MIN)
    if alike:
        return f'did you mean "{alike[0]}"?'
    return f"there is {listed(words)}" if words else "there is none"


def listed(words: Iterable[str], n_max: int = 8) -> str:
    """`a, b, c` and how many more."""
    every = list(words)
    more = f" and {len(every) - n_max} more" if len(every) > n_max else ""
    return ", ".join(every[:n_max]) + more


def printable(text: str) -> str:
    """The text with what a terminal should not be sent as escapes."""
    return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in text)


def shown_value(value: object) -> str:
    """A value as TOML has it, cut short."""
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= VALUE_SHOWN_MAX else text[: VALUE_SHOWN_MAX - 3] + "..."


def text_of(file: Path) -> str:
    """The text of a file; ConfigError where there is none, or it is not UTF-8."""
    try:
        return file.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        fault = Fault(str(file), line, "", "", "", "not UTF-8 text", "save the file as UTF-8")
        raise ConfigError([fault]) from None
    except OSError as error:
        fault = Fault(str(file), 1, "", "", "", f"cannot be read: {error.strerror}", "check the path")
        raise ConfigError([fault]) from None


def _child(node: Any, key: str | int) -> Any:
    if isinstance(node, dict):
        return node.get(key)
    if isinstance(node, list) and isinstance(key, int) and key < len(node):
        return node[key]
    return None


def _entry_name(node: Any, key: str | int) -> str:
    if isinstance(key, str):
        return key
    name = node.get("name") if isinstance(node, dict) else None
    return name if isinstance(name, str) else f"#{key + 1}"
