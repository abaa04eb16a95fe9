"""A simple account that trades target weights at the next open, fees and slippage included.

Rules, in the order in which they apply:

1. *Which target.* The current target of a stream is that of the latest **bucket** known. A decision for an older
   bucket (a correction of history) changes nothing; another decision for the latest bucket replaces its target.
2. *When.* A target may be filled from the moment it was decided, and never before its bucket ended; it is filled at
   the first open of its stream from then on. Whatever target is current at that open is filled there, so a target
   replaced before any open came is never traded, and a fill that has happened never changes.
3. *How much.* `quantity = weight * equity / open`. Equity is taken once per instant, before the costs of that
   instant, each position at its last known price (its open, where a bar opens at that instant). Streams that fill at
   the same instant therefore do not depend on their order. Every decision is a target: an unchanged weight is
   rebalanced to, except where the trade would be dust (`DUST` of equity).
4. *Costs.* Slippage moves the price against the trade, `open * (1 + side * slippage)`; the fee is a share of the
   traded notional at that price. Both leave the account at the fill.
5. *No opinion.* A weight that is not finite keeps the position as it is (and cancels a target still waiting). An open
   that is not finite and positive fills nothing: the target waits for the next one. With no equity left (zero or
   below) every target counts as 0: positions are closed and none is opened.

Equity is marked at every bar end of every traded stream. What happens at one instant happens in this order: bars end,
the account is marked, bars open, targets fill. Positions are marked at the last known price (close of the latest bar
that ended, or the open of a bar that began since), so `equity = cash + sum(quantity * price)` holds at each mark.
Only bars inside `[start, end)` count. Quantities are fractional, borrowing and shorting are free of interest.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import nan
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from qmtl.core.control.costs import BPS, Costs

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

CAPITAL = 100_000.0
"""Equity an account starts with, in units of its currency; every metric is independent of it."""

DUST = 1e-9
"""Trades below this share of equity are rounding errors of the last fill and are not made."""


class Decisions(NamedTuple):
    """Target weights of one stream in the order in which they were decided (`decided_ns` never decreases)."""

    bucket: Ints  # start of the bucket, ns
    decided_ns: Ints  # the moment at which the bucket closed, or at which it was corrected
    weight: Floats  # share of equity, negative is short, not finite keeps the position


@dataclass(frozen=True, slots=True, eq=False)
class TradedStream:
    """Bars of one stream and the targets decided for it."""

    id: str
    interval_ns: int
    open_ts: Ints  # bar starts, ns, strictly ascending
    open: Floats
    close: Floats
    decisions: Decisions

    def __post_init__(self) -> None:
        bars, decided = len(self.open_ts), len(self.decisions[0])
        if (
            len(self.open) != bars
            or len(self.close) != bars
            or any(len(c) != decided for c in self.decisions)
        ):
            raise ValueError(f"stream {self.id!r}: columns differ in length")
        if self.interval_ns <= 0 or np.any(np.diff(self.open_ts) <= 0):
            raise ValueError(f"stream {self.id!r}: bar starts must ascend and the interval be positive")
        if np.any(np.diff(self.decisions[1]) < 0):
            raise ValueError(f"stream {self.id!r}: decisions must be in the order in which they were decided")

    def within(self, start_ns: int, end_ns: int) -> TradedStream:
        """The same stream with only the bars that start and end inside `[start, end)`."""
        inside = slice(
            np.searchsorted(self.open_ts, start_ns, "left"),
            np.searchsorted(self.open_ts, end_ns - self.interval_ns, "right"),
        )
        bars = (self.open_ts[inside], self.open[inside], self.close[inside])
        return TradedStream(self.id, self.interval_ns, *bars, self.decisions)


@dataclass(frozen=True, slots=True, eq=False)
class Fills:
    """Trades that happened, one row each, ordered by time, then stream."""

    ts: Ints  # ns, the open at which it happened
    stream: Ints  # index into `Portfolio.streams`
    bucket: Ints  # ns, the bucket that decided it
    before: Floats  # weight before, of the equity at that instant before its costs
    after: Floats  # weight after, of the same equity
    quantity: Floats  # units traded, negative sells
    price: Floats  # paid or received, slippage included
    fee: Floats  # currency
    held: Floats  # units held afterwards
    cash: Floats  # cash afterwards

    def __len__(self) -> int:
        return len(self.ts)

    @property
    def notional(self) -> Floats:
        """Value traded, at the price paid, always positive."""
        return np.abs(self.quantity) * self.price


@dataclass(frozen=True, slots=True, eq=False)
class Portfolio:
    """An account over time. Row 0 is the start; each further row is a mark, after at least one bar ended."""

    streams: tuple[str, ...]
    costs: Costs
    capital: float
    ts: Ints  # ns
    equity: Floats
    cash: Floats
    quantity: Floats  # [mark, stream], units held
    price: Floats  # [mark, stream], last known price, NaN before the first
    fills: Fills

    @property
    def value(self) -> Floats:
        """Value of each position at each mark, `[mark, stream]`, 0 where nothing is held."""
        return np.where(self.quantity != 0, self.quantity * self.price, 0.0)

    @property
    def weight(self) -> Floats:
        """Value of each position as a share of equity, `[mark, stream]`; NaN where no equity is left."""
        equity = np.where(self.equity > 0, self.equity, np.nan)
        return self.value / equity[:, None]


def simulate(
    streams: Sequence[TradedStream], costs: Costs, start_ns: int, end_ns: int, *, capital: float = CAPITAL
) -> Portfolio:
    """Trade the decisions of `streams` in one account over the bars inside `[start, end)`.

    Without a bar the account has one row, its start; without a decision its equity is constant.
    """
    names = [stream.id for stream in streams]
    if len(set(names)) != len(names):
        raise ValueError(f"the same stream twice: {names}")
    inside = [stream.within(start_ns, end_ns) for stream in streams]
    orders = _Orders.of(inside)
    return _account(inside, costs, start_ns, capital, _fill(inside, orders, costs, capital))


def buy_and_hold(
    streams: Sequence[TradedStream], costs: Costs, start_ns: int, end_ns: int, *, capital: float = CAPITAL
) -> Portfolio:
    """Spend an equal part of the capital on each stream at its first open, costs included, and never trade again."""
    inside = [stream.within(start_ns, end_ns) for stream in streams]
    bought: list[tuple[float, ...]] = []
    part = capital / max(len(inside), 1)
    for index, stream in enumerate(inside):
        if not (rows := np.flatnonzero(_tradable(stream.open))).size:
            continue
        price = float(stream.open[rows[0]]) * (1 + costs.slippage_bps * BPS)
        quantity = part / (price * (1 + costs.fee_bps * BPS))
        fee = quantity * price * costs.fee_bps * BPS
        moment = int(stream.open_ts[rows[0]])
        bought.append((moment, index, moment, 0.0, 1 / len(inside), quantity, price, fee, quantity))
    bought.sort()
    spent = np.cumsum([row[5] * row[6] + row[7] for row in bought])
    fills = _columns([(*row, capital - s) for row, s in zip(bought, spent.tolist(), strict=True)])
    return _account(inside, costs, start_ns, capital, fills)


class _Orders(NamedTuple):
    """Targets that meet an open, ordered by time, then stream."""

    ts: Ints
    stream: Ints
    weight: Floats
    bucket: Ints

    @classmethod
    def of(cls, streams: Sequence[TradedStream]) -> _Orders:
        parts = [_orders(stream) for stream in streams]
        if not parts:
            return cls(_ints([]), _ints([]), np.empty(0), _ints([]))
        stream = np.repeat(np.arange(len(parts)), [len(part[0]) for part in parts])
        ts, weight, bucket = (np.concatenate(column) for column in zip(*parts, strict=True))
        order = np.lexsort((stream, ts))
        return cls(ts[order], stream[order], weight[order], bucket[order])


def _orders(stream: TradedStream) -> tuple[Ints, Floats, Ints]:
    """Rules 1, 2 and 5 for one stream: (open at which it fills, weight, bucket)."""
    bucket, decided, weight = (np.asarray(column) for column in stream.decisions)
    opens = stream.open_ts[_tradable(stream.open)]
    current = bucket == np.maximum.accumulate(bucket) if len(bucket) else np.zeros(0, bool)
    bucket, decided, weight = bucket[current], decided[current], weight[current]
    slot = np.searchsorted(opens, np.maximum(decided, bucket + stream.interval_ns), "left")
    last = np.append(slot[1:] != slot[:-1], True)[: len(slot)]  # the target that is current at its open
    chosen = last & (slot < len(opens)) & np.isfinite(weight)
    return opens[slot[chosen]], weight[chosen].astype(np.float64), bucket[chosen]


def _tradable(prices: Floats) -> NDArray[np.bool_]:
    return np.isfinite(prices) & (prices > 0)


def _fill(streams: Sequence[TradedStream], orders: _Orders, costs: Costs, capital: float) -> Fills:
    """Rules 3, 4 and 5, instant by instant (plain floats: a loop over numpy scalars is five times slower)."""
    instants, first = np.unique(orders.ts, return_index=True)
    bounds = [*first.tolist(), len(orders.ts)]
    prices = _prices(streams, instants, "right").tolist()
    stream, weight, bucket = orders.stream.tolist(), orders.weight.tolist(), orders.bucket.tolist()
    slip, rate = costs.slippage_bps * BPS, costs.fee_bps * BPS
    cash, held, rows = capital, [0.0] * len(streams), []
    for step, moment in enumerate(instants.tolist()):
        price = prices[step]
        equity = cash + sum(q * p for q, p in zip(held, price, strict=True) if q)
        for at in range(bounds[step], bounds[step + 1]):
            s = stream[at]
            target = weight[at] * equity / price[s] if equity > 0 else 0.0
            quantity = target - held[s]
            if quantity == 0 or (target and abs(quantity) * price[s] <= DUST * equity):
                continue
            paid = price[s] * (1 + slip if quantity > 0 else 1 - slip)
            fee = abs(quantity) * paid * rate
            cash -= quantity * paid + fee
            share = price[s] / equity if equity > 0 else nan
            rows.append(
                (moment, s, bucket[at], held[s] * share, target * share, quantity, paid, fee, target, cash)
            )
            held[s] = target
    return _columns(rows)


def _columns(rows: Sequence[tuple[float, ...]]) -> Fills:
    """Rows of fills as columns."""
    columns = list(zip(*rows, strict=True)) if rows else [()] * 10
    ts, stream, bucket = (_ints(c) for c in columns[:3])
    return Fills(ts, stream, bucket, *(np.array(c, np.float64) for c in columns[3:]))


def _ints(values: Sequence[float]) -> Ints:
    return np.array(values, np.int64)


def _prices(streams: Sequence[TradedStream], at: Ints, side: str) -> Floats:
    """Last known price of each stream at each instant: with opens of that instant (`right`) or without (`left`)."""
    prices = np.full((len(at), len(streams)), np.nan)
    for column, stream in enumerate(streams):
        if not len(stream.open_ts):
            continue
        known = np.column_stack([stream.open, stream.close]).ravel()
        row = np.where(np.isfinite(known), np.arange(len(known)), -1)
        row = np.maximum.accumulate(row)  # a price that is not finite leaves the one before it
        bar = np.searchsorted(stream.open_ts, at, "right" if side == "right" else "left") - 1
        ended = stream.open_ts[bar] + stream.interval_ns <= at
        found = row[np.maximum(2 * bar + ended, 0)]
        prices[:, column] = np.where((bar >= 0) & (found >= 0), known[found], np.nan)
    return prices


def _account(
    streams: Sequence[TradedStream], costs: Costs, start_ns: int, capital: float, fills: Fills
) -> Portfolio:
    """Mark an account that made `fills` at its start and at every bar end."""
    ends = [stream.open_ts + stream.interval_ns for stream in streams]
    ts = np.unique(np.concatenate([_ints([start_ns]), *ends]))
    price, quantity = _prices(streams, ts, "left"), np.zeros((len(ts), len(streams)))
    for column in range(len(streams)):
        mine = fills.stream == column
        done = np.searchsorted(fills.ts[mine], ts, "left")  # a fill at the instant of a mark comes after it
        quantity[:, column] = np.append(0.0, fills.held[mine])[done]
    cash = np.append(capital, fills.cash)[np.searchsorted(fills.ts, ts, "left")]
    equity = cash.copy()
    for column in range(len(streams)):
        equity += np.where(quantity[:, column] != 0, quantity[:, column] * price[:, column], 0.0)
    names = tuple(stream.id for stream in streams)
    return Portfolio(names, costs, float(capital), ts, equity, cash, quantity, price, fills)
