"""Arrays and compiled functions by address, for the compiled driver alone (docs/decisions/0006-driver-by-address.md).

A call from Python that hands over two dozen arrays costs more than computing a row of a hundred symbols. So the driver
gets one table of integers and makes its arrays from addresses in it. :class:`qmtl.core.flow.book.Book` owns the arrays
for as long as their addresses stand in its tables.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Any

import numba
import numpy as np
from numba import carray, types
from numba.core import cgutils
from numba.extending import intrinsic

from qmtl.core.compiled import njit

options = {"cache": True, "error_model": "numpy", "nogil": True}
within = options | {"forceinline": True}  # small and hot: passing a few arrays costs more than the work


@intrinsic
def _pointer(typing: Any, address: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.inttoptr(args[0], context.get_value_type(types.voidptr))

    return types.voidptr(types.int64), generate


@njit(**within)
def f64_1(address, n):
    return carray(_pointer(address), (n,), np.float64)


@njit(**within)
def f64_2(address, rows, width):
    return carray(_pointer(address), (rows, width), np.float64)


@njit(**within)
def i64_1(address, n):
    return carray(_pointer(address), (n,), np.int64)


@njit(**within)
def i64_2(address, rows, width):
    return carray(_pointer(address), (rows, width), np.int64)


@njit(**within)
def i32_2(address, rows, width):
    return carray(_pointer(address), (rows, width), np.int32)


@njit(**within)
def i32_1(address, n):
    return carray(_pointer(address), (n,), np.int32)


@njit(**within)
def u8_1(address, n):
    return carray(_pointer(address), (n,), np.uint8)


@njit(**within)
def u8_2(address, rows, width):
    return carray(_pointer(address), (rows, width), np.uint8)


_F2, _F1 = types.Array(types.float64, 2, "C"), types.Array(types.float64, 1, "C")
_U2, _N2 = types.Array(types.uint8, 2, "C"), types.Array(types.int32, 2, "C")
_I1, _I = types.Array(types.int64, 1, "C"), types.int64
MAP = types.void(_F2, _U2, _I1, _I1, _F1, _I, _I, _I, _I)
WINDOW = types.void(_F2, _U2, _N2, _I1, _I, _I1, _I1, _F1, _F2, _I, _I, _I, _I)
SCAN = types.void(_F2, _U2, _I1, _I1, _F2, _I1, _F1, _I, _I, _I, _I)
CROSS = types.void(_F2, _U2, _I1, _I1, _F1, _I, _I, _I)


def _caller(kernel: Any) -> Any:
    """A compiled call, by address, of a function of this signature; its arguments are a tuple."""

    @intrinsic
    def call(typing: Any, address: Any, args: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
            form = context.call_conv.get_function_type(kernel.return_type, kernel.args)
            target = builder.inttoptr(values[0], form.as_pointer())
            given = zip(cgutils.unpack_tuple(builder, values[1]), args.types, kernel.args, strict=True)
            cast = [context.cast(builder, value, have, want) for value, have, want in given]
            status, _ = context.call_conv.call_function(
                builder, target, kernel.return_type, kernel.args, cast
            )
            with cgutils.if_unlikely(builder, status.is_error):
                context.call_conv.return_status_propagate(builder, status)
            return context.get_dummy_value()

        return types.void(types.int64, args), generate

    return call


call_map, call_window, call_scan, call_cross = map(_caller, (MAP, WINDOW, SCAN, CROSS))


def address_of(function: Callable[..., Any], signature: Any) -> int:
    """Compiles a kernel for `signature` (or takes it from numba's cache); where its machine code begins."""
    function.compile(signature)  # type: ignore[attr-defined]
    compiled = function.overloads[signature.args]  # type: ignore[attr-defined]
    return int(compiled.library.get_pointer_to_function(compiled.fndesc.llvm_func_name))


if numba.config.DISABLE_JIT:  # the same by Python alone: slow, and easy to step through
    _known: dict[int, Callable[..., Any]] = {}

    def _view(dtype: Any) -> Callable[..., np.ndarray]:
        def view(address: int, *shape: int) -> np.ndarray:
            size = int(np.prod(shape)) * np.dtype(dtype).itemsize
            if size == 0:
                return np.zeros(shape, dtype)
            return np.frombuffer((ctypes.c_char * size).from_address(int(address)), dtype).reshape(shape)

        return view

    f64_1 = f64_2 = _view(np.float64)
    i64_1 = i64_2 = _view(np.int64)
    u8_1 = u8_2 = _view(np.uint8)
    i32_1 = i32_2 = _view(np.int32)

    def address_of(function: Callable[..., Any], signature: Any) -> int:
        _known[id(function)] = function
        return id(function)

    def _call(address: int, args: tuple[Any, ...]) -> None:
        _known[int(address)](*args)

    call_map = call_window = call_scan = call_cross = _call
