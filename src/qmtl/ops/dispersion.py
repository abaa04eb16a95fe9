"""How far values and prices spread."""

from __future__ import annotations

from functools import partial

from qmtl.core.flow.kernel import Kernel
from qmtl.ops.loading import sums as sums_kernel
from qmtl.ops.loading import window
from qmtl.ops.registry import Param, rows_param
from qmtl.ops.tables import HLC, Given, N, extremes, operator, ranging, statistics, sums

_ = partial(operator, "dispersion")
DDOF = Param("ddof", int, 0, 0, 1, doc="0: population, 1: sample")
BIAS = Param("bias", int, 0, 0, 1, doc="1: of the population; 0: corrected for the sample, as in pandas")
WIDTH = Param("width", float, 2.0, 0, doc="how many deviations")
TWO = rows_param(low=2)
BANDS = ("upper", "middle", "lower")


def _bands(given: Given) -> Kernel:
    return sums_kernel(5, given["n"], 0.0, given["width"])


OPERATORS = (
    _("var", "variance of the last n rows", sums(2, "n", "ddof"), TWO, DDOF),
    _("std", "standard deviation of the last n rows", sums(3, "n", "ddof"), TWO, DDOF),
    _(
        "zscore",
        "(x − mean)/standard deviation of the last n rows; of a constant window 0",
        sums(4, "n", "ddof"),
        TWO,
        DDOF,
        source="population deviation by default",
    ),
    _(
        "skew",
        "skewness of the last n rows; of a constant window 0",
        statistics(5, "bias"),
        rows_param(low=3),
        BIAS,
        source="pandas",
    ),
    _(
        "kurt",
        "excess kurtosis of the last n rows; of a constant window 0",
        statistics(6, "bias"),
        rows_param(low=4),
        BIAS,
        source="pandas",
    ),
    _(
        "mad",
        "mean absolute deviation from the mean of the last n rows",
        statistics(7),
        N,
        source="AVGDEV of TA-Lib",
    ),
    _(
        "true_range",
        "greatest of high − low and the distances to the close before",
        lambda g: window("direct_kernels:extremes", 18, 2),
        inputs=HLC,
        stream=True,
    ),
    _(
        "atr",
        "Wilder's average of the true range",
        ranging(0, lambda g: g["n"] + 1, 3, "n"),
        N,
        inputs=HLC,
        stream=True,
    ),
    _(
        "natr",
        "atr as a percentage of the close",
        ranging(1, lambda g: g["n"] + 1, 3, "n"),
        N,
        inputs=HLC,
        stream=True,
    ),
    _("bollinger", "mean ± width · standard deviation", _bands, TWO, WIDTH, outputs=BANDS),
    _(
        "keltner",
        "ema(n) of the close ± width · atr(atr_n)",
        ranging(2, lambda g: g["atr_n"] + 1, 5, "n", "atr_n", "width"),
        rows_param(default=20),
        rows_param("atr_n", default=10),
        WIDTH,
        inputs=HLC,
        outputs=BANDS,
        stream=True,
        source="L. Raschke's form of C. Keltner's bands",
    ),
    _(
        "donchian",
        "highest high, middle and lowest low of the last n rows",
        extremes(9),
        N,
        inputs=("high", "low"),
        outputs=BANDS,
        stream=True,
        source="R. Donchian",
    ),
)
