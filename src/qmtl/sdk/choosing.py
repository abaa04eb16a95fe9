"""`where`, `minimum` and `maximum`: choosing per bucket between series and numbers."""

from __future__ import annotations

from typing import Any, TypeVar, overload

from qmtl.sdk.apply import apply
from qmtl.sdk.arithmetic import Value, binary, number
from qmtl.sdk.operand import Operand
from qmtl.sdk.place import mistake

One = TypeVar("One")
Many = TypeVar("Many")


@overload
def minimum(a: Operand[One, Many], b: Value) -> One: ...
@overload
def minimum(a: float, b: Operand[One, Many]) -> One: ...
def minimum(a: Value, b: Value) -> Any:
    """The lesser of two series, or of a series and a number; NaN where either is."""
    return binary("minimum", *_a_series_first(a, b, "minimum"))


@overload
def maximum(a: Operand[One, Many], b: Value) -> One: ...
@overload
def maximum(a: float, b: Operand[One, Many]) -> One: ...
def maximum(a: Value, b: Value) -> Any:
    """The greater of two series, or of a series and a number; NaN where either is."""
    return binary("maximum", *_a_series_first(a, b, "maximum"))


def _a_series_first(a: Value, b: Value, name: str) -> tuple[Value, Value]:
    if not isinstance(a, Operand) and not isinstance(b, Operand):
        raise mistake(
            f"{name} of two numbers",
            value=(a, b),
            cure="one of them is a series; for numbers use min and max",
        )
    return a, b


@overload
def where(
    cond: Operand[One, Many], a: Operand[One, Many] | float, b: Operand[One, Many] | float | None = None
) -> One: ...
@overload
def where(cond: Operand[Any, Any], a: Value, b: Value | None = None) -> Any: ...
def where(cond: Operand[Any, Any], a: Value, b: Value | None = None) -> Any:
    """`a` where the condition is not 0, else `b`; without `b` no value at all. NaN where the condition is."""
    if not isinstance(cond, Operand):
        raise mistake(
            "where: the condition is not a series",
            value=cond,
            cure="compare series with > < >= <= .eq() .ne() and combine with & | ~",
        )
    if b is None:
        if not isinstance(a, Operand):
            a = binary("add", binary("mul", cond, 0.0), a)
        return apply("where_only", (cond, a), {})
    if isinstance(a, Operand) and isinstance(b, Operand):
        return apply("where", (cond, a, b), {})
    if isinstance(a, Operand):
        return apply("where_b", (cond, a), {"b": number(b, "where")})
    if isinstance(b, Operand):
        return apply("where_a", (cond, b), {"a": number(a, "where")})
    return apply("where_ab", (cond,), {"a": number(a, "where"), "b": number(b, "where")})
