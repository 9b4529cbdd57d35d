"""From compiled Python into the kernel: its C functions by their address."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import get_cython_function_address, intrinsic


def address_of(name: str) -> int:
    """Address of a C function of the kernel: `kernel_step`, `kernel_next_deadline` or `kernel_set_plan`."""
    return int(get_cython_function_address("hubctl._kernel", name))


def _call_step(
    typingctx: Any, function: Any, state: Any, now_ns: Any, inputs: Any, n: Any, out: Any, n_out_max: Any
) -> Any:
    """Calls kernel_step(state, now_ns, inputs, n, out, n_out_max) at an address."""
    signature = types.int32(*[types.int64] * 7)
    long, short = ir.IntType(64), ir.IntType(32)
    kinds = [long, long, long, short, long, short]

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        pointer = builder.inttoptr(values[0], ir.FunctionType(short, kinds).as_pointer())
        pairs = zip(values[1:], kinds, strict=True)
        given = [builder.trunc(value, kind) if kind is short else value for value, kind in pairs]
        return builder.call(pointer, given)

    return signature, generate


def _call_deadline(typingctx: Any, function: Any, state: Any) -> Any:
    """Calls kernel_next_deadline(state) at an address."""
    signature = types.int64(types.int64, types.int64)

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        kind = ir.FunctionType(ir.IntType(64), [ir.IntType(64)])
        return builder.call(builder.inttoptr(values[0], kind.as_pointer()), [values[1]])

    return signature, generate


def _call_set_plan(typingctx: Any, function: Any, state: Any, plan: Any) -> Any:
    """Calls kernel_set_plan(state, plan) at an address."""
    signature = types.void(types.int64, types.int64, types.int64)

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        kind = ir.FunctionType(ir.VoidType(), [ir.IntType(64), ir.IntType(64)])
        builder.call(builder.inttoptr(values[0], kind.as_pointer()), values[1:])
        return context.get_dummy_value()

    return signature, generate


_compiled: Any = intrinsic  # its type says that calls never return: it means calls that are not compiled
call_step: Callable[[int, int, int, int, int, int, int], int] = _compiled(_call_step)
call_deadline: Callable[[int, int], int] = _compiled(_call_deadline)
call_set_plan: Callable[[int, int, int], None] = _compiled(_call_set_plan)
