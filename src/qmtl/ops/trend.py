"""Lines, stops and clouds that follow a trend."""

from __future__ import annotations

from functools import partial

from qmtl.core.flow.kernel import Kernel
from qmtl.ops.loading import window
from qmtl.ops.registry import Param, rows_param
from qmtl.ops.tables import HLC, Given, operator, ranging, statistics

_ = partial(operator, "trend")
TWO = rows_param(low=2)


def _cloud(given: Given) -> Kernel:
    conversion, base, span, shift = (given[k] for k in ("conversion", "base", "span", "displacement"))
    rows = max(conversion, base, span) + shift
    return window("direct_kernels:extremes", 15, rows, conversion, base, span, shift)


OPERATORS = (
    _("linreg", "end of the least-squares line through the last n rows", statistics(12), TWO),
    _("linreg_slope", "slope per row of the least-squares line", statistics(8), TWO),
    _("linreg_intercept", "the least-squares line at the oldest row", statistics(9), TWO),
    _(
        "linreg_r2",
        "share of the variance the line explains; of a constant window 0",
        statistics(10),
        TWO,
        source="own",
    ),
    _(
        "supertrend",
        "a stop of width · atr that only tightens, and the trend (1 up, −1 down)",
        ranging(4, lambda g: g["n"] + 1, 8, "n", "width"),
        rows_param(default=10),
        Param("width", float, 3.0, 0, doc="atrs"),
        inputs=HLC,
        outputs=("line", "trend"),
        stream=True,
        source="O. Seban",
    ),
    _(
        "psar",
        "Wilder's parabolic stop and reverse",
        ranging(5, lambda g: 2, 7, "acceleration", "maximum"),
        Param("acceleration", float, 0.02, 0, doc="step"),
        Param("maximum", float, 0.2, 0, doc="greatest step"),
        inputs=("high", "low"),
        stream=True,
    ),
    _(
        "ichimoku",
        "conversion, base, and the two spans computed `displacement` rows before",
        _cloud,
        rows_param("conversion", default=9),
        rows_param("base", default=26),
        rows_param("span", default=52),
        rows_param("displacement", default=26),
        inputs=("high", "low"),
        outputs=("conversion", "base", "span_a", "span_b"),
        stream=True,
        source="G. Hosoda",
    ),
)
