"""From compiled Python into the kernel: its C functions by their address, and arrays without their owners."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from llvmlite import ir
from numba import types
from numba.extending import get_cython_function_address, intrinsic

Arrays = TypeVar("Arrays", bound=tuple[Any, ...])


def address_of(name: str) -> int:
    """Address of a C function of the kernel: `kernel_step` or `kernel_next_deadline`."""
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


def _borrowed(typingctx: Any, arrays: Any) -> Any:
    """The same tuple of arrays without their owners: uses are not counted, which would take two thirds of a run."""

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        value = values[0]
        nobody = ir.Constant(ir.IntType(8).as_pointer(), None)
        for k in range(len(arrays)):
            value = builder.insert_value(value, nobody, (k, 0))
        return value

    return arrays(arrays), generate


_compiled: Any = intrinsic  # its type says that calls never return: it means calls that are not compiled
call_step: Callable[[int, int, int, int, int, int, int], int] = _compiled(_call_step)
call_deadline: Callable[[int, int], int] = _compiled(_call_deadline)
borrowed: Callable[[Arrays], Arrays] = _compiled(_borrowed)
