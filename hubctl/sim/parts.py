"""Compiles functions that are only ever part of another one: they are linked into it, and never finished alone.

Numba would optimise each function and make machine code of it, and then once more as part of each that calls it.
With some 150 small functions that takes minutes; so takes half a minute. References to arrays are not counted:
whoever runs the loop holds them.
"""

from __future__ import annotations

from typing import Any

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

    def _optimize_functions(self, ll_module: ModuleRef) -> None:
        """Whoever links it will."""
        ll_module.data_layout = self._codegen._data_layout

    def _optimize_final_module(self) -> None:
        """Whoever links it will."""

    def _finalize_final_module(self) -> None:
        self._finalize_dynamic_globals()
        self._finalized = True


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


class Part(CompilerBase):
    """Numba's pipeline for such a function."""

    def define_pipelines(self) -> list[Any]:
        manager = _builder.define_nopython_pipeline(self.state)
        manager.passes = [
            (_PartLowering if step is NativeLowering else step, what) for step, what in manager.passes
        ]
        manager.finalize()
        return [manager]


OPTIONS = {"pipeline_class": Part, "no_cpython_wrapper": True, "no_cfunc_wrapper": True, "_nrt": False}
