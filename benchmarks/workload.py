"""Workload W: S symbols × T one-minute bars, a random walk; and W′, the same bars as a network delivers them.

W′ lacks 2 % of the bars, 0.5 % come 1 to 100 bars late and 0.1 % come twice. Both are made from a seed alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

MINUTE = 60_000_000_000  # nanoseconds
START = 1_640_995_200 * 1_000_000_000  # 2022-01-01 00:00 UTC
SIZES = {"tiny": (4, 1_000), "small": (10, 10_000), "mid": (100, 10_000), "large": (1_000, 10_000)}
FIELDS = ("open", "high", "low", "close", "volume")

MISSING, LATE, TWICE = 0.02, 0.005, 0.001
LATEST_BARS = 100


@dataclass(frozen=True)
class Arrivals:
    """Bars in the order in which they arrive: one entry per arrival, `offsets` divides them into minutes.

    What arrives in minute `m` is `[offsets[m], offsets[m + 1])`, symbols in random order.
    """

    symbol: np.ndarray  # int32
    row: np.ndarray  # int64: which minute the bar is of
    offsets: np.ndarray  # int64
    late: int
    twice: int

    def __len__(self) -> int:
        return len(self.symbol)


@dataclass(frozen=True)
class Workload:
    """Arrays (T, S), one per field. `present` is all true in W."""

    size: str
    seed: int
    open: np.ndarray
    high: np.ndarray
    low: np.ndarray
    close: np.ndarray
    volume: np.ndarray
    present: np.ndarray
    disordered: bool

    @property
    def rows(self) -> int:
        return self.close.shape[0]

    @property
    def symbols(self) -> int:
        return self.close.shape[1]

    @property
    def bars(self) -> int:
        """The bars that exist, each counted once."""
        return int(self.present.sum())

    @property
    def name(self) -> str:
        return f"{self.size}{' disordered' if self.disordered else ''}"

    @cached_property
    def times(self) -> np.ndarray:
        """Start of each minute, nanoseconds UTC."""
        return START + np.arange(self.rows, dtype=np.int64) * MINUTE

    @cached_property
    def names(self) -> tuple[str, ...]:
        return tuple(f"S{number:04d}" for number in range(self.symbols))

    @cached_property
    def arrivals(self) -> Arrivals:
        return _arrivals(self)

    def field(self, name: str) -> np.ndarray:
        values: np.ndarray = getattr(self, name)
        return values

    @cached_property
    def events(self) -> dict[str, np.ndarray]:
        """The arrivals as a table: symbol, time (bar start), open, high, low, close, volume."""
        symbol, row = self.arrivals.symbol, self.arrivals.row
        columns = {name: self.field(name)[row, symbol] for name in FIELDS}
        return {"symbol": symbol, "time": self.times[row], **columns}


def workload(size: str, seed: int = 1) -> Workload:
    """W."""
    symbols, rows = SIZES[size]
    chance = np.random.default_rng(seed)
    moves = chance.normal(0.0, 5e-4, (rows, symbols))
    close = 100.0 * np.exp(moves.cumsum(axis=0))
    opened = np.vstack([np.full((1, symbols), 100.0), close[:-1]])
    wicks = np.exp(np.abs(chance.normal(0.0, 2e-4, (2, rows, symbols))))
    fields = {
        "open": opened,
        "high": np.maximum(opened, close) * wicks[0],
        "low": np.minimum(opened, close) / wicks[1],
        "close": close,
        "volume": np.round(chance.lognormal(5.0, 1.0, (rows, symbols)), 3),
    }
    return Workload(size, seed, **_sealed(fields), present=_all(rows, symbols), disordered=False)


def disordered(size: str, seed: int = 1) -> Workload:
    """W′. The first bar of every symbol comes, and in time: it seeds the averages."""
    ordered = workload(size, seed)
    chance = np.random.default_rng([seed, 1])
    present = chance.random(ordered.close.shape) >= MISSING
    present[0] = True
    present.flags.writeable = False
    fields = {name: np.where(present, ordered.field(name), np.nan) for name in FIELDS}
    return Workload(size, seed, **_sealed(fields), present=present, disordered=True)


def _sealed(fields: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    for values in fields.values():
        values.flags.writeable = False
    return fields


def _all(rows: int, symbols: int) -> np.ndarray:
    present = np.ones((rows, symbols), bool)
    present.flags.writeable = False
    return present


def _arrivals(of: Workload) -> Arrivals:
    chance = np.random.default_rng([of.seed, 2])
    row, symbol = np.nonzero(of.present)
    minute = row.copy()
    late = twice = 0
    if of.disordered:
        delayed = (chance.random(len(row)) < LATE) & (row > 0)
        late = int(delayed.sum())
        minute[delayed] += chance.integers(1, LATEST_BARS + 1, late)
        again = np.flatnonzero(chance.random(len(row)) < TWICE)
        twice = len(again)
        row, symbol = np.append(row, row[again]), np.append(symbol, symbol[again])
        minute = np.append(minute, minute[again] + chance.integers(0, 2, twice))
    order = np.lexsort((chance.random(len(minute)), minute))
    offsets = np.searchsorted(minute[order], np.arange(minute.max() + 2))
    return Arrivals(symbol[order].astype(np.int32), row[order].astype(np.int64), offsets, late, twice)
