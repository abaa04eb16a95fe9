"""Random streams with everything that goes wrong in them, and the orders in which they may arrive (E7, E8, E15)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from qmtl.core.flow.feed import EVENT, FINISHED
from qmtl.testing.differential import Batch

MINUTE = 60_000_000_000
START = 29_000_000 * MINUTE  # a multiple of every interval used
FIELDS = ("open", "high", "low", "close", "volume", "flag")
STREAMS = ("A", "B", "C")
TICKS = "T"
TICK_FIELDS = ("price", "amount")
SOURCES = (*STREAMS, TICKS)


@dataclass(frozen=True, slots=True)
class Record:
    """A bar or a tick as it arrives; records of one identity keep the order they are made in."""

    source: int
    identity: int
    ts: int
    values: tuple[float, ...]


def records(seed: int, buckets: int) -> list[Record]:
    """Three streams of bars and one of ticks, sorted by time: holes, NaN, infinities, revisions and duplicates."""
    chance = np.random.default_rng(seed)
    made: list[Record] = []
    for source in range(len(STREAMS)):
        times = START + np.arange(buckets) * MINUTE
        there = chance.random(buckets) > 0.12
        there[30 + source : 38] = False  # a hole longer than most windows
        bars = _bars(chance, buckets, wild=source == 2)
        for ts, values in zip(times[there].tolist(), bars[there], strict=True):
            made += _told(chance, Record(source, ts, ts, tuple(values.tolist())))
    count = buckets * 2
    ts = START + np.sort(chance.integers(0, buckets * MINUTE, count))
    ts[1::7] = ts[:-1:7]  # several ticks at one time
    prices = 50 + chance.normal(0, 0.3, count).cumsum()
    prices[chance.random(count) < 0.02] = np.nan
    amounts = chance.exponential(3.0, count)
    for identity in range(count):
        values = (float(prices[identity]), float(amounts[identity]))
        made += _told(chance, Record(len(STREAMS), identity, int(ts[identity]), values))
    return sorted(made, key=lambda one: one.ts)


def _bars(chance: np.random.Generator, buckets: int, wild: bool) -> np.ndarray:
    """Prices that walk; `wild`: of sizes so different that no sum is exact, whatever it is carried in."""
    close = 100 + chance.normal(0, 1, buckets).cumsum()
    still = chance.random(buckets) < 0.2
    for row in np.flatnonzero(still[1:]) + 1:
        close[row] = close[row - 1]  # equal values: ties, no dispersion
    opened = close + np.where(still, 0.0, chance.normal(0, 0.3, buckets))
    high = np.maximum(opened, close) + np.where(still, 0.0, chance.exponential(0.2, buckets))
    low = np.minimum(opened, close) - np.where(still, 0.0, chance.exponential(0.2, buckets))
    volume = chance.exponential(10.0, buckets) * (chance.random(buckets) > 0.1)
    flag = (chance.random(buckets) > 0.3).astype(np.float64)
    table = np.stack([opened, high, low, close, volume, flag], axis=1)
    if wild:
        sizes = np.where(chance.random(buckets) < 0.5, chance.integers(-18, 19, buckets), 0)
        table[:, :5] *= 10.0 ** sizes[:, None]
    spoiled = chance.random((buckets, 6))
    table[spoiled < 0.012] = np.nan
    table[:, :5][(spoiled[:, :5] > 0.012) & (spoiled[:, :5] < 0.016)] = np.inf
    table[:, :5][(spoiled[:, :5] > 0.016) & (spoiled[:, :5] < 0.018)] = -np.inf
    table[:, :5][(spoiled[:, :5] > 0.018) & (spoiled[:, :5] < 0.022)] = -0.0
    table[:, :5][(spoiled[:, :5] > 0.022) & (spoiled[:, :5] < 0.024)] *= 1e9
    return table


def _told(chance: np.random.Generator, last: Record) -> list[Record]:
    """What arrives of one identity, the last record winning: earlier values, duplicates; a tick may have moved."""
    told = []
    while chance.random() < 0.12:
        first = last.source == len(STREAMS) and chance.random() < 0.3
        ts = max(START, last.ts - int(chance.integers(0, 3 * MINUTE))) if first else last.ts
        values = tuple(one + float(chance.normal(0, 0.5)) for one in last.values[:-1])
        told.append(Record(last.source, last.identity, ts, (*values, last.values[-1])))
    told.append(last)
    if chance.random() < 0.08:
        told.append(last)
    return told


def late(made: Sequence[Record], seed: int) -> list[Record]:
    """Mostly in order; some records come 1 to 60 buckets late."""
    chance = np.random.default_rng(seed)
    delay = np.where(chance.random(len(made)) < 0.15, chance.integers(1, 61, len(made)), 0)
    return _in_order([one.ts + int(d) * MINUTE for one, d in zip(made, delay, strict=True)], made)


def shuffled(made: Sequence[Record], seed: int) -> list[Record]:
    """In any order at all."""
    return _in_order(np.random.default_rng(seed).permutation(len(made)).tolist(), made)


def _in_order(ranks: Sequence[int], made: Sequence[Record]) -> list[Record]:
    """Sorted by `ranks`, but the records of one identity keep their own order among the places they have."""
    order = sorted(range(len(made)), key=lambda n: (ranks[n], n))
    waiting: dict[tuple[int, int], list[Record]] = {}
    for one in made:
        waiting.setdefault((one.source, one.identity), []).append(one)
    return [waiting[made[n].source, made[n].identity].pop(0) for n in order]


def batch_of(arrivals: Sequence[Record], *, ended: bool) -> Batch:
    """Arrivals as columns, and the end of every source."""
    tables: list[list[tuple[float, ...]]] = [[] for _ in SOURCES]
    ids: list[list[int]] = [[] for _ in SOURCES]
    rows = []
    for one in arrivals:
        rows.append((EVENT, one.source, one.ts, one.ts, len(tables[one.source])))
        tables[one.source].append(one.values)
        ids[one.source].append(one.identity)
    if ended:
        rows += [(FINISHED, number, 0, 0, -1) for number in range(len(SOURCES))]
    columns = np.array(rows, np.int64).reshape(-1, 5)
    widths = [len(FIELDS)] * len(STREAMS) + [len(TICK_FIELDS)]
    return Batch(
        columns[:, 0].astype(np.uint8),
        columns[:, 1],
        columns[:, 2],
        columns[:, 3],
        columns[:, 4],
        [np.array(t, np.float64).reshape(-1, w) for t, w in zip(tables, widths, strict=True)],
        [None] * len(STREAMS) + [np.array(ids[-1], np.int64)],
        [None] * len(SOURCES),
    )
