"""Arithmetic, comparisons and logic of series and panels, element by element."""

from __future__ import annotations

from typing import Any, TypeVar, cast

from qmtl.sdk.apply import apply
from qmtl.sdk.operand import Operand
from qmtl.sdk.place import mistake
from qmtl.sdk.plain import unwrapped
from qmtl.sdk.window import Windows

One = TypeVar("One")
Many = TypeVar("Many")

Value = Operand[Any, Any] | float
_ONE_SIDED = frozenset({"sub", "div", "pow", "mod"})  # where it matters on which side a constant stands


class Arithmetic(Windows[One, Many]):
    """Python's operators on series and panels.

    A comparison gives 1.0 or 0.0; `& | ~` take all but zero for true.
    """

    __slots__ = ()

    def __add__(self, other: Value) -> One:
        return cast(One, binary("add", self, other))

    def __radd__(self, other: Value) -> One:
        return cast(One, binary("add", other, self))

    def __sub__(self, other: Value) -> One:
        return cast(One, binary("sub", self, other))

    def __rsub__(self, other: Value) -> One:
        return cast(One, binary("sub", other, self))

    def __mul__(self, other: Value) -> One:
        return cast(One, binary("mul", self, other))

    def __rmul__(self, other: Value) -> One:
        return cast(One, binary("mul", other, self))

    def __truediv__(self, other: Value) -> One:
        return cast(One, binary("div", self, other))

    def __rtruediv__(self, other: Value) -> One:
        return cast(One, binary("div", other, self))

    def __pow__(self, other: Value) -> One:
        return cast(One, binary("pow", self, other))

    def __rpow__(self, other: Value) -> One:
        return cast(One, binary("pow", other, self))

    def __mod__(self, other: Value) -> One:
        return cast(One, binary("mod", self, other))

    def __rmod__(self, other: Value) -> One:
        return cast(One, binary("mod", other, self))

    def __and__(self, other: Value) -> One:
        return cast(One, binary("and", self, other))

    def __rand__(self, other: Value) -> One:
        return cast(One, binary("and", other, self))

    def __or__(self, other: Value) -> One:
        return cast(One, binary("or", self, other))

    def __ror__(self, other: Value) -> One:
        return cast(One, binary("or", other, self))

    def __lt__(self, other: Value) -> One:
        return cast(One, binary("lt", self, other))

    def __le__(self, other: Value) -> One:
        return cast(One, binary("le", self, other))

    def __gt__(self, other: Value) -> One:
        return cast(One, binary("gt", self, other))

    def __ge__(self, other: Value) -> One:
        return cast(One, binary("ge", self, other))

    def eq(self, other: Value) -> One:
        """1 where both are equal, else 0."""
        return cast(One, binary("eq", self, other))

    def ne(self, other: Value) -> One:
        """1 where they differ, else 0."""
        return cast(One, binary("ne", self, other))

    def __neg__(self) -> One:
        return cast(One, apply("neg", (self,), {}))

    def __pos__(self) -> One:
        return cast(One, self)

    def __abs__(self) -> One:
        return cast(One, apply("abs", (self,), {}))

    def __invert__(self) -> One:
        return cast(One, apply("invert", (self,), {}))

    def __eq__(self, other: object) -> bool:
        if self is other or not isinstance(other, Operand | int | float):
            return self is other
        raise mistake(
            "== compares series as Python objects, not their values",
            cure="write a.eq(b), or a.ne(b) for a != b",
        )

    def __hash__(self) -> int:
        return object.__hash__(self)


def binary(name: str, left: Value, right: Value) -> Any:
    """An element-wise operator of two operands, one of which may be a number."""
    if isinstance(left, Operand):
        if isinstance(right, Operand):
            return apply(name, (left, right), {})
        return apply(f"{name}_scalar", (left,), {"value": number(right, name)})
    suffix = "_rscalar" if name in _ONE_SIDED else "_scalar"
    return apply(name + suffix, (right,), {"value": number(left, name)})


def number(value: object, what: str) -> float:
    """A constant in an expression; True and False count 1 and 0."""
    plain = unwrapped(value)
    if isinstance(plain, int | float):
        return float(plain)
    raise mistake(
        f"{what}: neither a series nor a number",
        value=value,
        cure="give a column such as btc.close, or a number",
    )
