"""Choosing, limiting, filling and changing the interval."""

from __future__ import annotations

from functools import partial

from qmtl.core.errors import UserError
from qmtl.core.flow.kernel import Kernel, KernelKind
from qmtl.ops.loading import elementwise, window
from qmtl.ops.registry import Param
from qmtl.ops.tables import Given, operator

_ = partial(operator, "shaping", source="own")
METHODS = ("first", "max", "min", "last", "sum", "mean", "count")
A, B = (Param(name, float, doc="a number") for name in ("a", "b"))


def _nothing() -> None:
    """Bars are made by the engine, which knows the other timeline."""


def _resample(given: Given) -> Kernel:
    codes = []
    for method in given["methods"].split(","):
        if method not in METHODS:
            raise UserError(
                "no such method", place="resample", value=method, cure="one of " + ", ".join(METHODS)
            )
        codes.append(float(METHODS.index(method)))
    return Kernel(KernelKind.RESAMPLE, lambda: _nothing, tuple(codes))


def _chosen(sides: int):  # type: ignore[no-untyped-def]
    return lambda g: elementwise("map_kernels:where_constant", sides, g.get("a", 0.0), g.get("b", 0.0))


OPERATORS = (
    _(
        "where",
        "x where the condition is not 0, else y; NaN where the condition is",
        lambda g: elementwise("map_kernels:where3"),
        inputs=("cond", "x", "y"),
    ),
    _("where_a", "the constant a where the condition is not 0, else y", _chosen(1), A, inputs=("cond", "y")),
    _("where_b", "x where the condition is not 0, else the constant b", _chosen(2), B, inputs=("cond", "x")),
    _("where_ab", "the constant a where the condition is not 0, else b", _chosen(3), A, B, inputs=("cond",)),
    _(
        "where_only",
        "x where the condition is not 0, else no value",
        lambda g: elementwise("map_kernels:where2", may_null=True),
        inputs=("cond", "x"),
    ),
    _(
        "clip",
        "limited to [low, high]",
        lambda g: elementwise("map_kernels:clip", g["low"], g["high"]),
        Param("low", float, doc="a number"),
        Param("high", float, doc="a number"),
    ),
    _(
        "fillna",
        "the constant `value` where x is NaN",
        lambda g: elementwise("map_kernels:fill", g["value"]),
        Param("value", float, doc="a number"),
    ),
    _("align", "x at the rows of y", lambda g: elementwise("map_kernels:first"), inputs=("x", "y")),
    _(
        "crossover",
        "1 where x has just risen above y, else 0",
        lambda g: window("direct_kernels:extremes", 16, 2),
        inputs=("x", "y"),
    ),
    _(
        "crossunder",
        "1 where x has just fallen below y, else 0",
        lambda g: window("direct_kernels:extremes", 17, 2),
        inputs=("x", "y"),
    ),
    _(
        "resample",
        "bars of a coarser interval, each column by its method",
        _resample,
        Param("methods", str, doc="by column"),
    ),
)
