"""bottleneck's moving windows; the recurrences, which it has not, by scipy's linear filter."""

from __future__ import annotations

from time import perf_counter

import bottleneck
import numpy as np
from scipy.signal import lfilter

from workload import Workload


def blocks(of: Workload) -> tuple[float, dict[str, np.ndarray]]:
    close = np.ascontiguousarray(of.close.T)
    began = perf_counter()
    fast, slow = (_average(close, 2.0 / (n + 1)) for n in (12, 26))
    zscore = close - bottleneck.move_mean(close, 60, axis=1)
    zscore /= bottleneck.move_std(close, 60, axis=1, ddof=0)
    outputs = {
        "sma20": bottleneck.move_mean(close, 20, axis=1),
        "ema12": fast,
        "ema26": slow,
        "macd": fast - slow,
        "rsi14": _strength(close),
        "zscore60": zscore,
    }
    mean = zscore.mean(axis=0)
    seconds = perf_counter() - began
    return seconds, {**{name: values.T for name, values in outputs.items()}, "mean_zscore60": mean}


def _average(x: np.ndarray, alpha: float) -> np.ndarray:
    """y[t] = (1 − α)·y[t−1] + α·x[t], with y[0] = x[0]."""
    start = (1.0 - alpha) * x[:, :1]
    return lfilter([alpha], [1.0, alpha - 1.0], x, axis=1, zi=start)[0]


def _strength(close: np.ndarray) -> np.ndarray:
    """Wilder's, from averages of the change and of its size, both seeded by the mean of the first 14."""
    change = np.diff(close, axis=1)
    averages = []
    for each in (change, np.abs(change)):
        seeded = each[:, 13:]
        seeded[:, 0] = each[:, :14].mean(axis=1)
        averages.append(_average(seeded, 1.0 / 14.0))
    answer = np.full_like(close, np.nan)
    answer[:, 14:] = averages[0] / averages[1] * 50.0 + 50.0
    return answer
