"""Arithmetic, comparisons and logic, element by element (IEEE 754; NaN in, NaN out)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from qmtl.core.flow.kernel import Kernel
from qmtl.ops.loading import elementwise
from qmtl.ops.registry import Operator, Param

IEEE = "IEEE 754-2019"
VALUE = Param("value", float, doc="a number")

_BINARY = {
    "add": ("x + y", 0),
    "sub": ("x − y", 1),
    "mul": ("x · y", 2),
    "div": ("x / y; x/0 is ±inf, 0/0 NaN", 3),
    "pow": ("x to the power y", 4),
    "mod": ("x modulo y, with the sign of y; x mod 0 is NaN", 5),
    "minimum": ("the lesser of x and y", 6),
    "maximum": ("the greater of x and y", 7),
    "and": ("1 where both are not 0, else 0", 8),
    "or": ("1 where either is not 0, else 0", 9),
}
_COMPARISON = {
    "gt": ("x > y", 0),
    "ge": ("x ≥ y", 1),
    "lt": ("x < y", 2),
    "le": ("x ≤ y", 3),
    "eq": ("x = y", 4),
    "ne": ("x ≠ y", 5),
}
_UNARY = {
    "neg": ("−x", 0),
    "abs": ("|x|", 1),
    "sign": ("1, 0 or −1 as x is positive, zero or negative", 2),
    "log": ("natural logarithm; NaN for x ≤ 0", 3),
    "exp": ("e to the power x", 4),
    "sqrt": ("square root; NaN for x < 0", 5),
    "invert": ("1 where x is 0, else 0", 6),
}
_ONE_SIDED = ("sub", "div", "pow", "mod")  # where the side of a constant matters


def _two(name: str, doc: str, path: str, code: int) -> list[Operator]:
    """The operator over two series, and with a constant on a side."""

    def of(inputs: tuple[str, ...], suffix: str, params: tuple[Param, ...], side: int, said: str) -> Operator:
        def kernel(given: Mapping[str, Any]) -> Kernel:
            return elementwise(path, code, side, given.get("value", 0.0))

        return Operator(name + suffix, inputs, ("value",), params, said, IEEE, "arithmetic", kernel)

    made = [
        of(("x", "y"), "", (), 0, doc),
        of(("x",), "_scalar", (VALUE,), 1, f"{doc}, with the constant `value` as y"),
    ]
    if name in _ONE_SIDED:
        made.append(of(("y",), "_rscalar", (VALUE,), 2, f"{doc}, with the constant `value` as x"))
    return made


def _one(name: str, doc: str, code: int) -> Operator:
    return Operator(
        name,
        ("x",),
        ("value",),
        (),
        doc,
        IEEE,
        "arithmetic",
        lambda given: elementwise("map_kernels:unary", code),
    )


OPERATORS = (
    *(
        one
        for name, (doc, code) in _BINARY.items()
        for one in _two(name, doc, "map_kernels:arithmetic", code)
    ),
    *(
        one
        for name, (doc, code) in _COMPARISON.items()
        for one in _two(name, doc, "map_kernels:comparison", code)
    ),
    *(_one(name, doc, code) for name, (doc, code) in _UNARY.items()),
)
