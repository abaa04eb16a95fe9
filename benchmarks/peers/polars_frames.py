"""Polars: expressions over a frame with a column for each symbol. It uses all cores.

Eagerly: over 600 expressions the optimizer of a lazy query costs more than the query, and one long frame with
`over("symbol")` is slower as well.
"""

from __future__ import annotations

from time import perf_counter

import numpy as np
import polars as pl

from workload import Workload


def blocks(of: Workload) -> tuple[float, dict[str, np.ndarray]]:
    frame = pl.DataFrame({name: of.close[:, at] for at, name in enumerate(of.names)}).with_row_index("row")
    began = perf_counter()
    base, rest = _expressions(of.names)
    made = frame.with_columns(base).select(rest)
    seconds = perf_counter() - began
    names = ("sma20", "ema12", "ema26", "macd", "rsi14", "zscore60")
    outputs = {name: made.select(f"{name}/{each}" for each in of.names).to_numpy() for name in names}
    return seconds, {**outputs, "mean_zscore60": made["mean_zscore60"].to_numpy()}


def _expressions(names: tuple[str, ...]) -> tuple[list[pl.Expr], list[pl.Expr]]:
    base, rest = [], []
    for name in names:
        close = pl.col(name)
        base += [
            close.ewm_mean(span=12, adjust=False).alias(f"ema12/{name}"),
            close.ewm_mean(span=26, adjust=False).alias(f"ema26/{name}"),
            ((close - close.rolling_mean(60)) / close.rolling_std(60, ddof=0)).alias(f"zscore60/{name}"),
        ]
        rest += [
            close.rolling_mean(20).alias(f"sma20/{name}"),
            (pl.col(f"ema12/{name}") - pl.col(f"ema26/{name}")).alias(f"macd/{name}"),
            _strength(close).alias(f"rsi14/{name}"),
        ]
    kept = [pl.col(f"{kind}/{name}") for kind in ("ema12", "ema26", "zscore60") for name in names]
    mean = pl.mean_horizontal([f"zscore60/{name}" for name in names], ignore_nulls=False)
    return base, [*rest, *kept, mean.alias("mean_zscore60")]


def _strength(close: pl.Expr) -> pl.Expr:
    """Wilder's, from averages of the change and of its size, both seeded by the mean of the first 14."""
    averages = []
    for each in (close.diff(), close.diff().abs()):
        row = pl.col("row")
        seeded = pl.when(row > 14).then(each).when(row == 14).then(each.slice(1, 14).mean())
        averages.append(seeded.ewm_mean(alpha=1.0 / 14.0, adjust=False))
    return averages[0] / averages[1] * 50.0 + 50.0
