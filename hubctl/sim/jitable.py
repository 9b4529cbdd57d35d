"""Marks functions that virtual time compiles and real time runs as they stand, without loading a compiler."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

Marked = TypeVar("Marked", bound=Callable[..., Any])

_MARKED: list[Callable[..., Any]] = []


def jitable(function: Marked) -> Marked:
    """The same function; after `register_marked` compiled code can call it."""
    _MARKED.append(function)
    return function


def register_marked() -> None:
    """Lets compiled code call what was marked."""
    from numba.extending import register_jitable

    for function in _MARKED:
        register_jitable(forceinline=True)(function)
