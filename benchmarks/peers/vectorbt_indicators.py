"""vectorbt: its indicators, which are compiled, over a frame with a column for each symbol."""

from __future__ import annotations

from time import perf_counter

import numpy as np
import pandas as pd
import vectorbt as vbt

from workload import Workload


def blocks(of: Workload) -> tuple[float, dict[str, np.ndarray]]:
    """Only the values are read: vectorbt keeps arrays and makes frames of them when asked for."""
    close = pd.DataFrame(of.close, columns=list(of.names))
    began = perf_counter()
    fast, slow = (vbt.MA.run(close, n, ewm=True).ma.to_numpy() for n in (12, 26))
    middle = vbt.MA.run(close, 60).ma.to_numpy()
    deviation = vbt.MSTD.run(close, 60, ddof=0).mstd.to_numpy()
    zscore = (of.close - middle) / deviation
    outputs = {
        "sma20": vbt.MA.run(close, 20).ma.to_numpy(),
        "ema12": fast,
        "ema26": slow,
        "macd": fast - slow,
        "rsi14": _strength(of.close),
        "zscore60": zscore,
        "mean_zscore60": zscore.mean(axis=1),
    }
    return perf_counter() - began, outputs


def _strength(close: np.ndarray) -> np.ndarray:
    """Wilder's. vectorbt's own RSI seeds its averages by the first change, not by the mean of the first 14.

    So its average is given a series that starts with that mean: span 27 is α = 1/14.
    """
    change = np.diff(close, axis=0)
    averages = []
    for each in (change, np.abs(change)):
        seeded = each[13:]
        seeded[0] = each[:14].mean(axis=0)
        averages.append(vbt.generic.nb.ewm_mean_nb(seeded, 27, 0, False))
    answer = np.full_like(close, np.nan)
    answer[14:] = averages[0] / averages[1] * 50.0 + 50.0
    return answer
