"""Writes a hub back as the text of a hub file, so that another program can be given it."""

from __future__ import annotations

import json
from typing import Any

from hubctl.core.hubfile import Hub


def hub_text(hub: Hub) -> str:
    """TOML text that `load_hub` reads as the same hub; keys at their default are left out."""
    data = hub.model_dump(exclude_defaults=True)
    head = f"[hub]\n{_pairs(data.pop('hub'), chr(10))}\n"
    return head + "".join(_list_of_tables(name, entries) for name, entries in data.items())


def _list_of_tables(name: str, entries: list[dict[str, Any]]) -> str:
    return f"\n[[{name}]]\n".join(["", *(_pairs(entry, "\n") + "\n" for entry in entries)])


def _pairs(table: dict[str, Any], between: str) -> str:
    return between.join(f"{key} = {_value(value)}" for key, value in table.items())


def _value(value: Any) -> str:
    if isinstance(value, dict):
        return "{ " + _pairs(value, ", ") + " }"
    if isinstance(value, list):
        return "[" + ", ".join(map(_value, value)) + "]"
    # JSON writes text, numbers and truth as TOML does; DEL alone must be escaped besides.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
