"""Axes: round steps for values and for UTC time, and fewer points than pixels."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, floor, log10

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

WIDTH = 1000
"""Columns of a chart: its width in the units of its drawing, stretched to the page."""

SECOND = 10**9
DAY = 86_400 * SECOND
_STEPS = [s * SECOND for s in (1, 5, 15, 30, 60, 300, 900, 1800, 3600, 10_800, 21_600, 43_200)]
_STEPS += [d * DAY for d in (1, 2, 4, 7, 14)]
_MONTHS = (1, 3, 6, 12, 24, 60, 120)


@dataclass(frozen=True, slots=True)
class Axis:
    """A linear or logarithmic range of values."""

    low: float
    high: float
    log: bool = False

    @classmethod
    def over(cls, *series: Floats, zero: bool = False, log: bool = False) -> Axis:
        """The range of all finite values, with a little air; `zero` keeps 0 on its edge or inside."""
        found = np.concatenate([s[np.isfinite(s)] for s in series] or [np.empty(0)])
        low, high = (float(found.min()), float(found.max())) if found.size else (0.0, 1.0)
        if log:
            return cls(low / 1.05, high * 1.05, True)
        if zero:
            low, high = min(low, 0.0), max(high, 0.0)
        air = (high - low or abs(high) or 1.0) * 0.04
        return cls(low if zero and low == 0 < high else low - air, high if zero and high == 0 else high + air)

    def unit(self, values: Floats) -> Floats:
        """Values as shares of the range, 0 at the bottom."""
        if self.log:
            return np.asarray(np.log(values / self.low) / np.log(self.high / self.low))
        return np.asarray((values - self.low) / (self.high - self.low))

    def ticks(self, count: int = 5) -> list[float]:
        """Round values inside the range."""
        if self.log:
            decades = range(floor(log10(self.low)), ceil(log10(self.high)) + 1)
            marks = [m * 10.0**d for d in decades for m in (1, 2, 5)]
            return [m for m in marks if self.low <= m <= self.high]
        step = _round_step((self.high - self.low) / count)
        first, last = ceil(self.low / step - 1e-9), floor(self.high / step + 1e-9)
        return [i * step for i in range(first, last + 1)]


def _round_step(rough: float) -> float:
    base = 10.0 ** floor(log10(rough))
    return next(m * base for m in (1, 2, 2.5, 5, 10) if m * base >= rough * 0.999)


def time_ticks(start: int, end: int, count: int = 8) -> list[tuple[int, str]]:
    """Round moments (ns) inside `[start, end]` with their labels."""
    span = max(end - start, 1)
    for step in _STEPS:
        if span / step <= count:
            first = -(-start // step) * step
            return [(t, _time_label(t, step)) for t in range(first, end + 1, step)]
    months = next((m for m in _MONTHS if span / (m * 30.44 * DAY) <= count), 240)
    month = int(np.datetime64(start, "ns").astype("datetime64[M]").astype(np.int64))
    found = []
    for index in range(-(-month // months) * months, month + 100_000, months):
        ts = int(np.datetime64(index, "M").astype("datetime64[ns]").astype(np.int64))
        if ts > end:
            break
        if ts >= start:
            found.append((ts, _time_label(ts, months * 30 * DAY)))
    return found


def _time_label(ts: int, step: int) -> str:
    date = np.datetime64(ts, "ns").astype("datetime64[s]").item()
    if step >= 360 * DAY:
        return f"{date:%Y}"
    if step >= 30 * DAY:
        return f"{date:%Y}" if date.month == 1 else f"{date:%b}"
    if step >= DAY or date.hour == date.minute == date.second == 0:
        return f"{date.day} {date:%b}"
    return f"{date:%H:%M:%S}" if step < 60 * SECOND else f"{date:%H:%M}"


def columns(ts: Ints, start: int, end: int, count: int = WIDTH) -> Ints:
    """The column of each moment, 0 … count − 1."""
    share = (ts - start) / max(end - start, 1)
    return np.clip((share * count).astype(np.int64), 0, count - 1)


def extremes(column: Ints, values: Floats) -> Ints:
    """Rows that draw the same picture: first, least, greatest and last of each column, in order; NaN rows kept once."""
    if len(values) <= WIDTH:
        return np.arange(len(values))
    first = np.flatnonzero(np.append(True, column[1:] != column[:-1]))
    last = np.append(first[1:], len(column)) - 1
    size = np.diff(np.append(first, len(column)))
    high, low = np.where(np.isnan(values), -np.inf, values), np.where(np.isnan(values), np.inf, values)
    group = np.repeat(np.arange(len(first)), size)
    top = np.flatnonzero(high == np.maximum.reduceat(high, first)[group])
    bottom = np.flatnonzero(low == np.minimum.reduceat(low, first)[group])
    top, bottom = (rows[np.unique(group[rows], return_index=True)[1]] for rows in (top, bottom))
    return np.unique(np.concatenate([first, top, bottom, last]))
