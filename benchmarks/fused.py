"""The limit: the outputs of workload W in one compiled loop, with none of the rules of event time.

Running sums of close and its square, so that a bar costs the same whatever the window; what has left a window leaves
its rounding behind. Nothing is checked, nothing can come late, be missing or be corrected.

State, one row of S symbols each: the sums, averages and last close below, then the last 60 closes as a ring. Closes
are taken relative to each symbol's first one: their squares lose fewer digits.
"""

from __future__ import annotations

from time import perf_counter

import numba
import numpy as np

from workload import Workload

SUM20, SUM60, SQUARES, FAST, SLOW, GAIN, LOSS, LAST, FIRST, RING = range(10)
SMA, EMA_FAST, EMA_SLOW, MACD, RSI, ZSCORE = range(6)
NAMES = ("sma20", "ema12", "ema26", "macd", "rsi14", "zscore60")

options = {"cache": True, "error_model": "numpy", "nogil": True}


@numba.njit(**options)
def averages(close, sum20, leaving, first, fast, slow, sma, ema_fast, ema_slow, macd):
    for s in range(len(close)):
        x = close[s] - first[s]
        sum20[s] += x - leaving[s]
        sma[s] = sum20[s] * (1.0 / 20.0) + first[s]
    for s in range(len(close)):
        fast[s] += (close[s] - fast[s]) * (2.0 / 13.0)
        ema_fast[s] = fast[s]
    for s in range(len(close)):
        slow[s] += (close[s] - slow[s]) * (2.0 / 27.0)
        ema_slow[s] = slow[s]
    for s in range(len(close)):
        macd[s] = fast[s] - slow[s]


@numba.njit(**options)
def strength(close, last, gain, loss, rsi):
    for s in range(len(close)):
        change = close[s] - last[s]
        up = (gain[s] * 13.0 + max(change, 0.0)) * (1.0 / 14.0)
        down = (loss[s] * 13.0 + max(-change, 0.0)) * (1.0 / 14.0)
        last[s], gain[s], loss[s] = close[s], up, down
        rsi[s] = 100.0 * up / (up + down)


@numba.njit(**options)
def standing(close, first, sum60, squares, ring, zscore):
    """Returns the sum of the zscores; the new close takes the place in the ring of the one that leaves."""
    for s in range(len(close)):
        x, old = close[s] - first[s], ring[s]
        ring[s] = x
        sum60[s] += x - old
        squares[s] += x * x - old * old
        mean = sum60[s] * (1.0 / 60.0)
        zscore[s] = (x - mean) / np.sqrt(squares[s] * (1.0 / 60.0) - mean * mean)
    total = 0.0
    for s in range(len(close)):
        total += zscore[s]
    return total


@numba.njit(**options)
def warming(t, close, state, out):
    """The first 60 rows: the same sums, with seeds, and NaN where a window is not full."""
    for s in range(len(close)):
        if t == 0:
            state[FIRST, s] = state[FAST, s] = state[SLOW, s] = state[LAST, s] = close[s]
        change, x = close[s] - state[LAST, s], close[s] - state[FIRST, s]
        state[SUM20, s] += x - (state[RING + t - 20, s] if t >= 20 else 0.0)
        state[FAST, s] += (close[s] - state[FAST, s]) * (2.0 / 13.0)
        state[SLOW, s] += (close[s] - state[SLOW, s]) * (2.0 / 27.0)
        for side, moved in ((GAIN, max(change, 0.0)), (LOSS, max(-change, 0.0))):
            state[side, s] = (
                state[side, s] + moved / 14.0 if t <= 14 else (state[side, s] * 13.0 + moved) / 14.0
            )
        state[LAST, s] = close[s]
        state[SUM60, s] += x
        state[SQUARES, s] += x * x
        state[RING + t, s] = x
        total, mean = state[GAIN, s] + state[LOSS, s], state[SUM60, s] / 60.0
        out[SMA, s] = state[SUM20, s] / 20.0 + state[FIRST, s] if t >= 19 else np.nan
        out[EMA_FAST, s], out[EMA_SLOW, s] = state[FAST, s], state[SLOW, s]
        out[MACD, s] = state[FAST, s] - state[SLOW, s]
        out[RSI, s] = 100.0 * state[GAIN, s] / total if t >= 14 else np.nan
        deviation = np.sqrt(state[SQUARES, s] / 60.0 - mean * mean)
        out[ZSCORE, s] = (x - mean) / deviation if t == 59 else np.nan
    return out[ZSCORE].mean()


@numba.njit(**options)
def one(t, close, state, out):
    """Minute t of every symbol: close (S,), out (6, S). Returns the mean of the zscores."""
    if t < 60:
        return warming(t, close, state, out)
    leaving20 = state[RING + (t - 20) % 60]
    averages(
        close, state[SUM20], leaving20, state[FIRST], state[FAST], state[SLOW],
        out[SMA], out[EMA_FAST], out[EMA_SLOW], out[MACD],
    )  # fmt: skip
    strength(close, state[LAST], state[GAIN], state[LOSS], out[RSI])
    ring = state[RING + t % 60]
    total = standing(close, state[FIRST], state[SUM60], state[SQUARES], ring, out[ZSCORE])
    return total / len(close)


@numba.njit(**options)
def row(t, closes, state, outs, mean):
    """Minute t of closes (T, S), outs (T, 6, S) and mean (T,): a view that Python makes costs more than here."""
    mean[t] = one(t, closes[t], state, outs[t])


@numba.njit(**options)
def block(start, stop, closes, state, outs, mean):
    """Minutes [start, stop) in one call."""
    for t in range(start, stop):
        row(t, closes, state, outs, mean)


def rows(of: Workload) -> tuple[float, dict[str, np.ndarray]]:
    """One call for each minute."""
    state, outs, mean = _room(of)
    began = perf_counter()
    for t in range(of.rows):
        row(t, of.close, state, outs, mean)
    seconds = perf_counter() - began
    return seconds, _named(outs, mean)


def blocks(of: Workload, length: int = 512) -> tuple[float, dict[str, np.ndarray]]:
    """One call for each `length` minutes."""
    state, outs, mean = _room(of)
    began = perf_counter()
    for start in range(0, of.rows, length):
        block(start, min(start + length, of.rows), of.close, state, outs, mean)
    seconds = perf_counter() - began
    return seconds, _named(outs, mean)


def _room(of: Workload) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """State and outputs, their pages touched: what is timed is the loop, not the system's memory."""
    state = np.zeros((RING + 60, of.symbols))
    return state, np.full((of.rows, len(NAMES), of.symbols), np.nan), np.full(of.rows, np.nan)


def _named(outs: np.ndarray, mean: np.ndarray) -> dict[str, np.ndarray]:
    return {**{name: outs[:, at] for at, name in enumerate(NAMES)}, "mean_zscore60": mean}
