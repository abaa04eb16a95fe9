"""Moving averages and order statistics."""

from __future__ import annotations

from functools import partial

from qmtl.core.flow.kernel import Kernel
from qmtl.ops.loading import window
from qmtl.ops.registry import Param, rows_param
from qmtl.ops.tables import HLC, SEED, Given, N, averaging, extremes, operator, statistics, sums

_ = partial(operator, "moving")
_chained = ("n", "seed")


def _hull(given: Given) -> Kernel:
    n = given["n"]
    return window("direct_kernels:statistics", 1, n + int(n**0.5) - 1, n)


def _seeded(first: int, per_n: int, less: int):  # type: ignore[no-untyped-def]
    return lambda given: first if given["seed"] == "first" else per_n * given["n"] - less


OPERATORS = (
    _("sma", "mean of the last n rows", sums(1), N),
    _("sum", "sum of the last n rows", sums(0), N),
    _(
        "ema",
        "exponential average with α = 2/(n+1)",
        averaging(0, _seeded(1, 1, 0), lambda g: 2, *_chained),
        N,
        SEED,
    ),
    _("dema", "2·ema − ema(ema)", averaging(1, _seeded(1, 2, 1), lambda g: 4, *_chained), N, SEED),
    _(
        "tema",
        "3·ema − 3·ema(ema) + ema(ema(ema))",
        averaging(2, _seeded(1, 3, 2), lambda g: 6, *_chained),
        N,
        SEED,
    ),
    _("wma", "mean with weights 1 … n, the newest heaviest", statistics(0), N),
    _(
        "hma",
        "wma(2·wma(n/2) − wma(n), √n), halves and roots rounded down",
        _hull,
        rows_param(low=2),
        source="A. Hull, Hull Moving Average (2005)",
    ),
    _(
        "kama",
        "Kaufman's adaptive average",
        averaging(5, lambda g: g["n"] + 1, lambda g: g["n"] + 3, "n", "fast", "slow"),
        N,
        rows_param("fast", default=2),
        rows_param("slow", default=30),
    ),
    _(
        "vwap",
        "Σ typical price · volume / Σ volume over n rows; NaN where no volume was traded",
        statistics(11),
        N,
        inputs=(*HLC, "volume"),
        stream=True,
        source="typical price (high + low + close)/3",
    ),
    _("min", "least of the last n rows", extremes(0), N),
    _("max", "greatest of the last n rows", extremes(1), N),
    _(
        "argmin",
        "rows since the least of the last n; of equals the latest",
        extremes(2),
        N,
        source="n − 1 − MININDEX of TA-Lib",
    ),
    _(
        "argmax",
        "rows since the greatest of the last n; of equals the latest",
        extremes(3),
        N,
        source="n − 1 − MAXINDEX of TA-Lib",
    ),
    _("median", "median of the last n rows", statistics(2), N, source="Hyndman and Fan (1996), type 7"),
    _(
        "quantile",
        "quantile q of the last n rows, interpolated linearly",
        statistics(3, "q"),
        N,
        Param("q", float, low=0, high=1, doc="between 0 and 1"),
        source="Hyndman and Fan (1996), type 7",
    ),
    _(
        "rank",
        "(average rank − 1)/(n − 1) of the newest among the last n; 0.5 for n = 1",
        statistics(4),
        N,
        source="own",
    ),
)
