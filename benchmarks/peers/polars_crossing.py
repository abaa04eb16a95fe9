"""Polars: a lazy query from the file to a frame; it uses all cores."""

from __future__ import annotations

from pathlib import Path
from time import perf_counter

import numpy as np
import polars as pl

from crossing import CAPITAL, FAST, SLOW


def parquet(path: Path) -> tuple[float, dict[str, np.ndarray]]:
    began = perf_counter()
    made = (
        pl.scan_parquet(path)
        .select(
            "time",
            "open",
            "close",
            fast=pl.col("close").ewm_mean(span=FAST, adjust=False),
            slow=pl.col("close").ewm_mean(span=SLOW, adjust=False),
        )
        .with_columns(edge=pl.col("fast") - pl.col("slow"))
        .with_columns(held=(pl.col("edge") > 0).shift(1).fill_null(value=False))
        .with_columns(before=pl.col("held").shift(1).fill_null(value=False))
        .with_columns(equity=_growth().cum_prod() * CAPITAL)
        .select("time", "fast", "slow", "edge", "equity")
        .collect()
    )
    seconds = perf_counter() - began
    return seconds, {name: made[name].to_numpy() for name in ("fast", "slow", "edge", "equity")}


def _growth() -> pl.Expr:
    """Of the equity, from the end of the bar before to the end of this one."""
    opened, close = pl.col("open"), pl.col("close")
    held, before = pl.col("held"), pl.col("before")
    return (
        pl.when(held & before)
        .then(close / close.shift(1))
        .when(held)
        .then(close / opened)
        .when(before)
        .then(opened / close.shift(1))
        .otherwise(1.0)
    )
