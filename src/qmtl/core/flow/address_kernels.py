"""Arrays and compiled functions by address, for the compiled driver alone (docs/decisions/0006-driver-by-address.md).

A call from Python that hands over two dozen arrays costs more than computing a row of a hundred symbols. So the driver
gets one table of integers and makes its arrays from addresses in it. :class:`qmtl.core.flow.book.Book` owns the arrays
for as long as their addresses stand in its tables.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from functools import cache
from typing import Any

import numba
import numpy as np
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic
from numba.np.arrayobj import populate_array

options = {
    "cache": True,
    "error_model": "numpy",
    "nogil": True,
    "_nrt": False,
}  # nothing is allocated or counted
inner = options | {"no_cpython_wrapper": True, "no_cfunc_wrapper": True}  # called by compiled code alone
within = inner | {"forceinline": True}  # small and hot: passing a few arrays costs more than the work
array = options | {"inline": "always"}  # what answers an array
allocating = options | {"_nrt": True}


def _array(dtype: Any, dimensions: int) -> Any:
    """A compiled function of an address and a shape: the array in C order that stands there. It owns nothing."""
    kind = types.Array(dtype, dimensions, "C")

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        made = context.make_array(kind)(context, builder)
        size = context.get_constant(types.intp, context.get_abi_sizeof(context.get_data_type(dtype)))
        strides = [size] if dimensions == 1 else [builder.mul(args[2], size), size]
        data = builder.inttoptr(args[0], made.data.type)
        populate_array(made, data=data, shape=args[1:], strides=strides, itemsize=size, meminfo=None)
        return made._getvalue()

    @intrinsic
    def vector(typing: Any, address: Any, n: Any) -> Any:
        return kind(types.int64, types.int64), generate

    @intrinsic
    def matrix(typing: Any, address: Any, rows: Any, width: Any) -> Any:
        return kind(types.int64, types.int64, types.int64), generate

    return vector if dimensions == 1 else matrix


f64_1, f64_2 = _array(types.float64, 1), _array(types.float64, 2)
i64_1, i64_2 = _array(types.int64, 1), _array(types.int64, 2)
i32_1, i32_2 = _array(types.int32, 1), _array(types.int32, 2)
u8_1, u8_2 = _array(types.uint8, 1), _array(types.uint8, 2)


_F2, _F1 = types.Array(types.float64, 2, "C"), types.Array(types.float64, 1, "C")
_U2, _N2 = types.Array(types.uint8, 2, "C"), types.Array(types.int32, 2, "C")
_I1, _I = types.Array(types.int64, 1, "C"), types.int64
MAP = types.void(_F2, _U2, _I1, _I1, _F1, _I, _I, _I, _I)
WINDOW = types.void(_F2, _U2, _N2, _I1, _I, _I1, _I1, _F1, _F2, _I, _I, _I, _I)
SCAN = types.void(_F2, _U2, _I1, _I1, _F2, _I1, _F1, _I, _I, _I, _I)
CORRECT = types.boolean(_I1, _I)
PART = types.void(_I1, _I, _I, _I, _I, _I)
CROSS = types.void(_F2, _U2, _I1, _I1, _F1, _I, _I, _I)
_U1, _N1, _I2 = (
    types.Array(kind, n, "C") for kind, n in ((types.uint8, 1), (types.int32, 1), (types.int64, 2))
)
DRIVE = (_I1, _U1, _N1, _I1, _I1, _I1, _I2, _U1, _I, _I)  # of `drive_kernels.drive`


def _caller(kernel: Any) -> Any:
    """A compiled call, by address, of a function of this signature; its arguments are a tuple."""

    @intrinsic
    def call(typing: Any, address: Any, args: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
            form = context.call_conv.get_function_type(kernel.return_type, kernel.args)
            target = builder.inttoptr(values[0], form.as_pointer())
            given = zip(cgutils.unpack_tuple(builder, values[1]), args.types, kernel.args, strict=True)
            cast = [context.cast(builder, value, have, want) for value, have, want in given]
            status, answer = context.call_conv.call_function(
                builder, target, kernel.return_type, kernel.args, cast
            )
            with cgutils.if_unlikely(builder, status.is_error):
                context.call_conv.return_status_propagate(builder, status)
            return context.get_dummy_value() if kernel.return_type == types.void else answer

        return kernel.return_type(types.int64, args), generate

    return call


call_map, call_window, call_scan, call_cross = map(_caller, (MAP, WINDOW, SCAN, CROSS))
call_correct, call_part = map(_caller, (CORRECT, PART))


@cache
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

    @cache
    def address_of(function: Callable[..., Any], signature: Any) -> int:
        _known[id(function)] = function
        return id(function)

    def _call(address: int, args: tuple[Any, ...]) -> Any:
        return _known[int(address)](*args)

    call_map = call_window = call_scan = call_cross = call_correct = call_part = _call
