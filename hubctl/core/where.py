"""Finds the line on which a TOML text says each thing, since `tomllib` forgets.

The text has been read by `tomllib` before, so the walk below may trust its grammar. A place is the path of
keys and list indices that leads to a value: `("chutes", 11, "clear_mm")`.
"""

from __future__ import annotations

import re
import tomllib

Path = tuple[str | int, ...]

_BLANK = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_STRING = re.compile(
    r'"""(?:[^"\\]|\\.|"{1,2}(?!"))*"{3,5}'
    r"|'''(?:[^']|'{1,2}(?!'))*'{3,5}"
    r'|"(?:[^"\\\n]|\\.)*"'
    r"|'[^'\n]*'",
    re.DOTALL,
)
_PLAIN = re.compile(r"[^,\]\}#\n]+")
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_SPACE = re.compile(r"[ \t]*")


def places_of(text: str) -> dict[Path, int]:
    """The line, from 1, of each table, key and list entry of a valid TOML text.

    >>> places_of('[hub]\\nname = "x"')
    {('hub',): 1, ('hub', 'name'): 2}
    """
    walk = _Walk(text)
    walk.document()
    return walk.places


def line_of(places: dict[Path, int], path: Path) -> int:
    """The line of the path, or of the nearest thing that contains it; 1 where nothing does."""
    for n_keys in range(len(path), 0, -1):
        if path[:n_keys] in places:
            return places[path[:n_keys]]
    return 1


class _Walk:
    """One pass over the text; `at` is where it stands."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.places: dict[Path, int] = {}
        self._n_entries: dict[Path, int] = {}
        self._line, self._line_at = 1, 0

    def document(self) -> None:
        table: Path = ()
        while self._skip_blank() < len(self.text):
            if self.text[self.at] == "[":
                table = self._header()
            else:
                self._pair(table)

    def _header(self) -> Path:
        """`[a.b]` or `[[a.b]]`: the path of the table that follows."""
        brackets = 2 if self.text.startswith("[[", self.at) else 1
        line = self._line_here()
        self.at += brackets
        path = self._key()
        self.at += brackets
        table = self._inside_lists(path[:-1]) + path[-1:]
        if brackets == 2:
            self._n_entries[table] = self._n_entries.get(table, 0) + 1
        table = self._inside_lists(path)
        self.places.setdefault(table, line)
        return table

    def _inside_lists(self, path: Path) -> Path:
        """The path with the index of the newest entry put after each list of tables on it."""
        full: Path = ()
        for key in path:
            full += (key,)
            if full in self._n_entries:
                full += (self._n_entries[full] - 1,)
        return full

    def _pair(self, table: Path) -> None:
        """`key = value`."""
        self._skip_blank()
        line = self._line_here()
        path = table + self._key()
        for n_keys in range(len(table) + 1, len(path) + 1):
            self.places.setdefault(path[:n_keys], line)
        self.at += 1  # the equals sign
        self._value(path)

    def _key(self) -> Path:
        """A dotted key, with the blanks around it."""
        parts: list[str] = []
        while True:
            self._skip_space()
            parts.append(self._key_part())
            self._skip_space()
            if not self.text.startswith(".", self.at):
                return tuple(parts)
            self.at += 1

    def _key_part(self) -> str:
        if self.text[self.at] in "\"'":
            return next(iter(tomllib.loads(self._take(_STRING) + " = 0")))
        return self._take(_BARE_KEY)

    def _value(self, path: Path) -> None:
        self._skip_blank()
        first = self.text[self.at]
        if first == "[":
            self._list(path)
        elif first == "{":
            self._inline_table(path)
        else:
            self._take(_STRING if first in "\"'" else _PLAIN)

    def _list(self, path: Path) -> None:
        index = 0
        while self._next_item("]"):
            self.places[(*path, index)] = self._line_here()
            self._value((*path, index))
            index += 1

    def _inline_table(self, path: Path) -> None:
        while self._next_item("}"):
            self._pair(path)

    def _next_item(self, closing: str) -> bool:
        """Step past the opening bracket or the comma; False, and past it, at the closing bracket."""
        self._skip_blank()
        if self.text[self.at] != closing:
            self.at += 1
            self._skip_blank()
        if self.text[self.at] == closing:
            self.at += 1
            return False
        return True

    def _take(self, pattern: re.Pattern[str]) -> str:
        found = pattern.match(self.text, self.at)
        assert found is not None, f"no TOML at offset {self.at}"
        self.at = found.end()
        return found.group()

    def _skip_blank(self) -> int:
        self._take(_BLANK)
        return self.at

    def _skip_space(self) -> None:
        self._take(_SPACE)

    def _line_here(self) -> int:
        self._line += self.text.count("\n", self._line_at, self.at)
        self._line_at = self.at
        return self._line
