"""Compiles the loop of virtual time as one whole, of which all other functions are parts.

Numba would optimise each function and make machine code of it, and then once more within each that calls it: with
some 150 small functions that takes minutes. A part is only translated; the whole links all parts, once, and is
optimised. References to arrays are not counted: whoever runs the loop holds them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

import numba
from llvmlite.binding import ModuleRef
from numba.core.codegen import JITCodeLibrary
from numba.core.compiler import CompilerBase, DefaultPassBuilder
from numba.core.compiler_machinery import register_pass
from numba.core.typed_passes import NativeLowering

_numba: Any = numba  # its inner parts have no types
_Lowering: Any = NativeLowering
_builder: Any = DefaultPassBuilder
_Library: Any = JITCodeLibrary
_register: Any = register_pass


class _PartLibrary(_Library):  # type: ignore[misc]
    """Code that waits to be linked."""

    def add_linking_library(self, library: Any) -> None:
        """Remembers what the whole must link too."""
        self._linking_libraries.append(library)

    def _optimize_functions(self, ll_module: ModuleRef) -> None:
        """The whole will be."""
        ll_module.data_layout = self._codegen._data_layout

    def finalize(self) -> None:
        """Nothing is left to do."""
        self._finalize_dynamic_globals()
        self._finalized = True


class _WholeLibrary(_Library):  # type: ignore[misc]
    """Code that links its parts, and theirs."""

    def add_linking_library(self, library: Any) -> None:
        """Links a library with all that it has not linked itself."""
        for each in _with_its_own(library, set()):
            each._ensure_finalized()
            self._linking_libraries.append(each)


def _with_its_own(library: Any, seen: set[int]) -> Iterator[Any]:
    if id(library) in seen:
        return
    seen.add(id(library))
    yield library
    if isinstance(library, _PartLibrary):
        for part in library._linking_libraries:
            yield from _with_its_own(part, seen)


@_register(mutates_CFG=True, analysis_only=False)
class _PartLowering(_Lowering):  # type: ignore[misc]
    """Makes code, but no function that Python could call."""

    _name = "part_lowering"

    def run_pass(self, state: Any) -> bool:
        state.library = _PartLibrary(state.targetctx.codegen(), state.func_id.func_qualname)
        state.flags.no_compile = True
        super().run_pass(state)
        made = state["cr"]
        name = made.fndesc.qualname
        stand_in = _numba._dynfunc.make_function(
            made.fndesc.lookup_module(), name, name, 0, made.env, (state.library,)
        )
        state.targetctx.insert_user_function(stand_in, made.fndesc, [state.library])
        state["cr"] = made._replace(cfunc=stand_in)
        return True


@_register(mutates_CFG=True, analysis_only=False)
class _WholeLowering(_Lowering):  # type: ignore[misc]
    """Makes a function of all parts together."""

    _name = "whole_lowering"

    def run_pass(self, state: Any) -> bool:
        state.library = _WholeLibrary(state.targetctx.codegen(), state.func_id.func_qualname)
        state.library.enable_object_caching()
        return bool(super().run_pass(state))


class Part(CompilerBase):
    """Numba's pipeline for a part."""

    lowering: ClassVar[Any] = _PartLowering

    def define_pipelines(self) -> list[Any]:
        manager = _builder.define_nopython_pipeline(self.state)
        manager.passes = [
            (self.lowering if step is NativeLowering else step, what) for step, what in manager.passes
        ]
        manager.finalize()
        return [manager]


class Whole(Part):
    """The same for the whole."""

    lowering: ClassVar[Any] = _WholeLowering


OPTIONS = {"pipeline_class": Part, "no_cpython_wrapper": True, "no_cfunc_wrapper": True, "_nrt": False}
