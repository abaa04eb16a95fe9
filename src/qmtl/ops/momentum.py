"""Changes and oscillators."""

from __future__ import annotations

from functools import partial

from qmtl.core.flow.kernel import Kernel
from qmtl.ops.loading import window
from qmtl.ops.registry import rows_param
from qmtl.ops.tables import HLC, SEED, Given, N, averaging, extremes, operator, ranging

_ = partial(operator, "momentum")


def _stochastic(given: Given) -> Kernel:
    fast, slow, days = given["fast"], given["slow"], given["signal"]
    return window("direct_kernels:extremes", 10, fast + slow + days - 2, fast, slow, days)


def _trix_rows(given: Given) -> int:
    return 2 if given["seed"] == "first" else 3 * given["n"] - 1


OPERATORS = (
    _("diff", "x − x of n rows ago", extremes(4, 1), N, source="MOM of TA-Lib"),
    _("returns", "x / x of n rows ago − 1; NaN where that was 0", extremes(5, 1), N, source="ROCP of TA-Lib"),
    _(
        "log_returns",
        "ln(x / x of n rows ago); NaN where either is not positive",
        extremes(6, 1),
        N,
        source="own",
    ),
    _("lag", "x of n rows ago", extremes(7, 1), N, source="own"),
    _("roc", "100 · returns", extremes(8, 1), N),
    _(
        "rsi",
        "Wilder's relative strength, 0 to 100; 0 where nothing moved",
        averaging(6, lambda g: g["n"] + 1, lambda g: 4, "n"),
        N,
    ),
    _(
        "cmo",
        "100 · (gain − loss)/(gain + loss) of Wilder's averages; 0 where nothing moved",
        averaging(7, lambda g: g["n"] + 1, lambda g: 4, "n"),
        N,
    ),
    _(
        "macd",
        "ema(fast) − ema(slow), its ema(signal), and the difference; averages seeded by their first value",
        averaging(4, lambda g: 1, lambda g: 6, "fast", "slow", "signal"),
        rows_param("fast", default=12),
        rows_param("slow", default=26),
        rows_param("signal", default=9),
        outputs=("macd", "signal", "hist"),
    ),
    _(
        "stochastic",
        "place of the close in the range of `fast` rows, averaged over `slow`, and its mean over `signal`",
        _stochastic,
        rows_param("fast", default=5),
        rows_param("slow", default=3),
        rows_param("signal", default=3),
        inputs=HLC,
        outputs=("k", "d"),
        stream=True,
    ),
    _(
        "stochastic_rsi",
        "place of the rsi among its last `fast` values, and its mean over `slow`",
        averaging(
            8,
            lambda g: g["n"] + g["fast"] + g["slow"] - 1,
            lambda g: 5 + g["fast"] + g["slow"],
            "n",
            "fast",
            "slow",
        ),
        rows_param(default=14),
        rows_param("fast", default=5),
        rows_param("slow", default=3),
        outputs=("k", "d"),
    ),
    _(
        "williams_r",
        "−100 · (highest − close)/(highest − lowest) of n rows; 0 where they are equal",
        extremes(11),
        N,
        inputs=HLC,
        stream=True,
    ),
    _(
        "cci",
        "distance of the typical price from its mean in units of 0.015 mean deviations",
        extremes(12),
        N,
        inputs=HLC,
        stream=True,
    ),
    _(
        "adx",
        "Wilder's directional index and +di, −di",
        ranging(3, lambda g: 2 * g["n"], 9, "n"),
        rows_param(low=2),
        inputs=HLC,
        outputs=("adx", "plus_di", "minus_di"),
        stream=True,
    ),
    _(
        "aroon",
        "how recent the highest high and lowest low of n + 1 rows are, 0 to 100",
        extremes(13, 1),
        N,
        inputs=("high", "low"),
        outputs=("up", "down"),
        stream=True,
    ),
    _(
        "mfi",
        "money flow index over n changes; 0 where less than 1 flowed",
        extremes(14, 1),
        N,
        inputs=(*HLC, "volume"),
        stream=True,
    ),
    _(
        "obv",
        "on-balance volume",
        averaging(9, lambda g: 1, lambda g: 3),
        inputs=("close", "volume"),
        stream=True,
    ),
    _(
        "trix",
        "change in percent of the triple ema",
        averaging(3, _trix_rows, lambda g: 8, "n", "seed"),
        N,
        SEED,
    ),
)
