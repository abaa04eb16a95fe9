"""The recurrences of workload W as a careful author writes them by hand, for engines that call Python.

Both keep running sums of closes relative to the first one, so that a bar costs the same whatever the window.
"""

from __future__ import annotations

from collections import deque
from math import nan, sqrt

import numpy as np

NAMES = ("sma20", "ema12", "ema26", "macd", "rsi14", "zscore60")


class ScalarStep:
    """One symbol, Python floats."""

    __slots__ = ("count", "fast", "first", "gain", "last", "loss", "recent20", "recent60", "slow", "squares")
    __slots__ += ("sum20", "sum60")

    def __init__(self) -> None:
        self.count = 0
        self.first = self.last = self.fast = self.slow = 0.0
        self.gain = self.loss = self.sum20 = self.sum60 = self.squares = 0.0
        self.recent20: deque[float] = deque([0.0] * 20, 20)
        self.recent60: deque[float] = deque([0.0] * 60, 60)

    def __call__(self, close: float) -> tuple[float, float, float, float, float, float]:
        count = self.count = self.count + 1
        if count == 1:
            self.first = self.last = self.fast = self.slow = close
        x = close - self.first
        change = close - self.last
        self.last = close
        self.fast += (close - self.fast) * (2.0 / 13.0)
        self.slow += (close - self.slow) * (2.0 / 27.0)
        keep = 13.0 if count > 15 else 14.0
        self.gain = (self.gain * keep + (change if change > 0.0 else 0.0)) / 14.0
        self.loss = (self.loss * keep - (change if change < 0.0 else 0.0)) / 14.0
        old = self.recent60[0]
        self.sum20 += x - self.recent20[0]
        self.sum60 += x - old
        self.squares += x * x - old * old
        self.recent20.append(x)
        self.recent60.append(x)
        rsi = 100.0 * self.gain / (self.gain + self.loss) if count > 14 else nan
        zscore = nan
        if count >= 60:
            mean = self.sum60 / 60.0
            zscore = (x - mean) / sqrt(self.squares / 60.0 - mean * mean)
        sma = self.sum20 / 20.0 + self.first if count >= 20 else nan
        return sma, self.fast, self.slow, self.fast - self.slow, rsi, zscore


class VectorStep:
    """All symbols of a minute, numpy. Returns fresh arrays: they are kept.

    Both averages of close and Wilder's of the change and of its size are rows of one array, so are the three sums:
    an operation on a row of symbols costs numpy's call more than its arithmetic.
    """

    def __init__(self, symbols: int) -> None:
        self.count = 0
        self.first = self.last = np.zeros(symbols)
        self.averages = np.zeros((4, symbols))  # fast, slow, change, |change|
        self.alpha = np.array([[2.0 / 13.0], [2.0 / 27.0], [1.0 / 14.0], [1.0 / 14.0]])
        self.news = np.zeros((4, symbols))
        self.sums = np.zeros((3, symbols))  # of 20, of 60, of 60 squares
        self.moved = np.zeros((3, symbols))
        self.ring = np.zeros((60, symbols))

    def __call__(self, close: np.ndarray) -> tuple[np.ndarray, ...]:
        count = self.count
        self.count += 1
        if count == 0:
            self.first = self.last = close
            self.averages[:2] = close
        self._average(count, close)
        x = close - self.first
        self._add(count, x)
        fast, slow, change, size = self.averages.copy()
        sma = self.sums[0] / 20.0 + self.first if count >= 19 else np.full(len(close), np.nan)
        rsi = change / size * 50.0 + 50.0 if count >= 14 else np.full(len(close), np.nan)
        zscore = self._standing(x) if count >= 59 else np.full(len(close), np.nan)
        return sma, fast, slow, fast - slow, rsi, zscore

    def _average(self, count: int, close: np.ndarray) -> None:
        news, averages = self.news, self.averages
        news[:2] = close
        np.subtract(close, self.last, out=news[2])
        np.abs(news[2], out=news[3])
        self.last = close
        if count <= 14:  # Wilder's seed is the mean of the first 14 changes
            averages[2:] += news[2:] / 14.0
            averages[:2] += (news[:2] - averages[:2]) * self.alpha[:2]
            return
        news -= averages
        news *= self.alpha
        averages += news

    def _add(self, count: int, x: np.ndarray) -> None:
        moved, ring = self.moved, self.ring
        old = ring[count % 60]
        np.subtract(x, ring[(count - 20) % 60], out=moved[0])
        np.subtract(x, old, out=moved[1])
        np.add(x, old, out=moved[2])
        moved[2] *= moved[1]
        self.sums += moved
        old[:] = x

    def _standing(self, x: np.ndarray) -> np.ndarray:
        mean, variance = self.sums[1:] / 60.0
        variance -= mean * mean
        answer = x - mean
        answer /= np.sqrt(variance, out=variance)
        return answer
