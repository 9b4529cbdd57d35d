"""Marks functions that virtual time compiles and real time runs as they stand, without loading a compiler."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

Marked = TypeVar("Marked", bound=Callable[..., Any])

_MARKED: list[Callable[..., Any]] = []
_SELDOM: list[Callable[..., Any]] = []


def jitable(function: Marked) -> Marked:
    """The same function; after `register_marked` compiled code can call it, and takes it in whole."""
    _MARKED.append(function)
    return function


def seldom(function: Marked) -> Marked:
    """The same for one that is seldom called: it stays apart, so that the loop stays small."""
    _SELDOM.append(function)
    return function


def register_marked() -> None:
    """Lets compiled code call what was marked."""
    from numba.extending import register_jitable

    from hubctl.sim.parts import OPTIONS

    for function in _MARKED:
        register_jitable(forceinline=True, **OPTIONS)(function)
    for function in _SELDOM:
        register_jitable(**OPTIONS)(function)
