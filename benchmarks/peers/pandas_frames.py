"""pandas: rolling and ewm over one frame with a column for each symbol."""

from __future__ import annotations

from time import perf_counter

import numpy as np
import pandas as pd

from workload import Workload


def blocks(of: Workload) -> tuple[float, dict[str, np.ndarray]]:
    close = pd.DataFrame(of.close, index=pd.to_datetime(of.times), columns=list(of.names))
    began = perf_counter()
    fast, slow = (close.ewm(span=n, adjust=False).mean() for n in (12, 26))
    last60 = close.rolling(60)
    zscore = (close - last60.mean()) / last60.std(ddof=0)
    frames = {
        "sma20": close.rolling(20).mean(),
        "ema12": fast,
        "ema26": slow,
        "macd": fast - slow,
        "rsi14": _strength(close),
        "zscore60": zscore,
    }
    mean = zscore.mean(axis=1)
    seconds = perf_counter() - began
    outputs = {name: frame.to_numpy() for name, frame in frames.items()}
    return seconds, {**outputs, "mean_zscore60": mean.to_numpy()}


def _strength(close: pd.DataFrame) -> pd.DataFrame:
    """Wilder's, from averages of the change and of its size, both seeded by the mean of the first 14."""
    change = close.diff()
    averages = []
    for each in (change, change.abs()):
        seeded = each.iloc[14:].copy()
        seeded.iloc[0] = each.iloc[1:15].mean()
        averages.append(seeded.ewm(alpha=1.0 / 14.0, adjust=False).mean())
    return (averages[0] / averages[1] * 50.0 + 50.0).reindex(close.index)
