"""Each compiled module has a typed stub with the same public names, and docstrings of its own."""

from __future__ import annotations

import ast
import importlib
import inspect
import re
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[1]
COMPILED = sorted(path.stem for path in (ROOT / "ext" / "hubctl").glob("*.pyx"))
IMPORTED = re.compile(r"^(?:from \S+ )?import (\([^)]*\)|[^(\n]*)$", re.MULTILINE)


def stub_of(name: str) -> ast.Module:
    return ast.parse((ROOT / "hubctl" / f"{name}.pyi").read_text(encoding="utf-8"))


def module_of(name: str) -> ModuleType:
    return importlib.import_module(f"hubctl.{name}")


def names_in(body: list[ast.stmt]) -> set[str]:
    """What a stub's statements define."""
    names = {node.name for node in body if isinstance(node, ast.ClassDef | ast.FunctionDef)}
    names |= {
        node.target.id
        for node in body
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)
    }
    return names | {target.id for node in body if isinstance(node, ast.Assign) for target in node.targets}


def public(names: set[str]) -> set[str]:
    return {name for name in names if not name.startswith("_")}


def imported_by(source: str) -> set[str]:
    """The names that a source's imports of Python bind at its top."""
    lists = [found.group(1).strip("()") for found in IMPORTED.finditer(source)]
    parts = [part.strip() for names in lists for part in names.split(",") if part.strip()]
    return {part.split(" as ")[-1].split(".")[0].strip() for part in parts}


def defined_in(name: str) -> set[str]:
    """The public names of a compiled module that it did not import."""
    source = (ROOT / "ext" / "hubctl" / f"{name}.pyx").read_text(encoding="utf-8")
    return public(set(dir(module_of(name)))) - imported_by(source)


def says_more_than_its_signature(thing: object) -> bool:
    lines = (inspect.getdoc(thing) or "").splitlines()
    return any(line and not re.match(r"[\w.]+\(.*\)", line) for line in lines)


def test_there_are_compiled_modules() -> None:
    assert "_kernel" in COMPILED


@pytest.mark.parametrize("name", COMPILED)
def test_the_stub_names_what_the_module_has(name: str) -> None:
    assert public(names_in(stub_of(name).body)) == defined_in(name)


@pytest.mark.parametrize("name", COMPILED)
def test_the_stub_names_what_its_classes_have(name: str) -> None:
    for node in stub_of(name).body:
        if isinstance(node, ast.ClassDef) and node.bases == []:
            thing = getattr(module_of(name), node.name)
            assert public(names_in(node.body)) == public(set(vars(thing))), f"{name}.{node.name}"


@pytest.mark.parametrize("name", COMPILED)
def test_what_is_public_says_what_it_is(name: str) -> None:
    things = {key: getattr(module_of(name), key) for key in defined_in(name)}
    mute = [
        key for key, thing in things.items() if callable(thing) and not says_more_than_its_signature(thing)
    ]
    assert mute == []


@pytest.mark.parametrize("name", COMPILED)
def test_the_module_says_what_it_is(name: str) -> None:
    assert module_of(name).__doc__


def test_no_stub_stands_alone() -> None:
    assert sorted(path.stem for path in (ROOT / "hubctl").glob("*.pyi")) == COMPILED


def test_a_name_missing_from_a_stub_is_seen() -> None:
    stub = ast.parse("class Kernel:\n    def step(self) -> None: ...\nN_MAX: int\n")
    assert public(names_in(stub.body)) == {"Kernel", "N_MAX"} != defined_in("_kernel")


def test_imports_are_told_from_definitions() -> None:
    source = "import numpy as np\nfrom a.b import (\n    C,\n    d as e,\n)\nfrom libc cimport f\n"
    assert imported_by(source) == {"np", "C", "e"}


def test_a_signature_alone_is_no_docstring() -> None:
    def mute() -> None:
        """mute(int a) -> None"""

    def clear() -> None:
        """clear(int a)\n\nWhat it does."""

    assert not says_more_than_its_signature(mute)
    assert says_more_than_its_signature(clear)
