"""TA-Lib's function API: one call for each indicator and symbol over the whole column."""

from __future__ import annotations

from time import perf_counter

import numpy as np
import talib

from workload import Workload

FIRST = 25  # copies of the first close in front: the mean of them, with which TA-Lib seeds EMA, is the first close


def blocks(of: Workload) -> tuple[float, dict[str, np.ndarray]]:
    closes = np.ascontiguousarray(np.vstack([np.repeat(of.close[:1], FIRST, axis=0), of.close]).T)
    began = perf_counter()
    columns = [_indicators(close) for close in closes]
    mean = np.mean([each["zscore60"] for each in columns], axis=0)
    seconds = perf_counter() - began
    outputs = {name: np.stack([each[name] for each in columns], axis=1) for name in columns[0]}
    return seconds, {**outputs, "mean_zscore60": mean}


def _indicators(led: np.ndarray) -> dict[str, np.ndarray]:
    close = led[FIRST:]
    fast, slow = talib.EMA(led[FIRST - 11 :], 12)[11:], talib.EMA(led, 26)[25:]
    zscore = close - talib.SMA(close, 60)
    zscore /= talib.STDDEV(close, 60)
    return {
        "sma20": talib.SMA(close, 20),
        "ema12": fast,
        "ema26": slow,
        "macd": fast - slow,
        "rsi14": talib.RSI(close, 14),
        "zscore60": zscore,
    }
