"""vectorbt: its averages and its portfolio from signals, filled at the open after each signal.

`MA.run(ewm=True)` is the same average, but without the values before its window is full. Times are given without their
zone: with one, every series that is made turns all of them into objects.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from time import perf_counter

import numpy as np
import pandas as pd
import vectorbt as vbt

from crossing import CAPITAL, FAST, SLOW


def parquet(path: Path) -> tuple[float, dict[str, np.ndarray]]:
    began = perf_counter()
    frame = _naive(pd.read_parquet(path).set_index("time"))
    fast, slow = (frame["close"].vbt.ewm_mean(n, minp=0, adjust=False) for n in (FAST, SLOW))
    made = pd.DataFrame({"fast": fast, "slow": slow, "edge": fast - slow})
    value = _portfolio(frame, (made["edge"] > 0).to_numpy()).value()
    seconds = perf_counter() - began
    return seconds, {name: made[name].to_numpy() for name in made} | {"equity": value.to_numpy()}


def pairs(of: tuple[pd.DataFrame, Sequence[int], Sequence[int]]) -> tuple[float, dict[str, np.ndarray]]:
    frame, fast, slow = _naive(of[0]), *of[1:]
    began = perf_counter()
    one, other = (vbt.MA.run(frame["close"], list(each)).ma.to_numpy() for each in (fast, slow))
    above = (one[:, :, None] > other[:, None, :]).reshape(len(frame), -1)
    value = _portfolio(frame, above).final_value()
    return perf_counter() - began, {"equity": value.to_numpy()}


def _naive(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.set_axis(frame.index.tz_localize(None))


def _portfolio(frame: pd.DataFrame, above: np.ndarray) -> vbt.Portfolio:
    held = np.zeros_like(above)
    held[1:] = above[:-1]
    prices = {"price": frame["open"], "init_cash": CAPITAL, "freq": "1min"}
    return vbt.Portfolio.from_signals(frame["close"], held, ~held, **prices)
