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
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from qmtl.core.control.costs import Costs

if TYPE_CHECKING:
    from qmtl.core.control.portfolio_kernels import Market

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
        if self.interval_ns <= 0 or np.any(np.diff(self.open_ts) < self.interval_ns):
            raise ValueError(f"stream {self.id!r}: bar starts must ascend by a positive interval at least")
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
    return _walk(
        [stream.within(start_ns, end_ns) for stream in streams], costs, start_ns, float(capital), 0.0
    )


def buy_and_hold(
    streams: Sequence[TradedStream], costs: Costs, start_ns: int, end_ns: int, *, capital: float = CAPITAL
) -> Portfolio:
    """Spend an equal part of the capital on each stream at its first open, costs included, and never trade again."""
    count, never = max(len(streams), 1), np.array([_LONG_AGO])
    once = Decisions(never, never, np.array([1 / count]))
    inside = [replace(stream.within(start_ns, end_ns), decisions=once) for stream in streams]
    held = _walk(inside, costs, start_ns, float(capital), capital / count)
    return replace(held, fills=replace(held.fills, bucket=held.fills.ts))


_LONG_AGO = -(2**62)


def _walk(
    streams: Sequence[TradedStream], costs: Costs, start_ns: int, capital: float, part: float
) -> Portfolio:
    """The account by the compiled walk; `part` is what each stream is bought for and held, 0 to trade decisions."""
    from qmtl.core.control import portfolio_kernels as kernels

    count, market = len(streams), _market(streams)
    ts = _distinct(start_ns, [stream.open_ts + stream.interval_ns for stream in streams])
    most = sum(min(len(stream.open_ts), len(stream.decisions.bucket)) for stream in streams)
    equity, cash = np.empty(len(ts)), np.empty(len(ts))
    held, price = np.empty((len(ts), count)), np.empty((len(ts), count))
    when, what = np.empty((3, most), np.int64), np.empty((7, most))
    written = kernels.Written(ts, equity, cash, held, price, when, what)
    state = kernels.State(
        market.bars[:-1].copy(),
        market.bars[:-1].copy(),
        market.told[:-1].copy(),
        np.full(count, np.iinfo(np.int64).min),
        np.full(count, kernels.NOTHING),
        np.zeros(count),
        np.full(count, np.nan),
        np.array([capital, 0.0, capital]),
    )
    made = kernels.walk(market, state, written, costs.slippage_bps, costs.fee_bps, DUST, part)
    whole, parts = when[:, :made].copy(), what[:, :made].copy()
    fills = Fills(whole[0], whole[1], whole[2], *parts)
    names = tuple(stream.id for stream in streams)
    return Portfolio(names, costs, capital, ts, equity, cash, held, price, fills)


def _market(streams: Sequence[TradedStream]) -> Market:
    """The streams' columns one after another."""
    from qmtl.core.control.portfolio_kernels import Market

    told = [stream.decisions for stream in streams]
    return Market(
        _bounds([len(stream.open_ts) for stream in streams]),
        np.array([stream.interval_ns for stream in streams], np.int64),
        _joined([stream.open_ts for stream in streams], np.int64),
        _joined([stream.open for stream in streams], np.float64),
        _joined([stream.close for stream in streams], np.float64),
        _bounds([len(each.bucket) for each in told]),
        _joined([each.bucket for each in told], np.int64),
        _joined([each.decided_ns for each in told], np.int64),
        _joined([each.weight for each in told], np.float64),
    )


def _bounds(lengths: Sequence[int]) -> Ints:
    return np.cumsum([0, *lengths], dtype=np.int64)


def _joined(columns: Sequence[NDArray[Any]], dtype: type[np.generic]) -> NDArray[Any]:
    if len(columns) == 1:
        return np.require(columns[0], dtype, ["C", "W"])
    return np.concatenate([np.zeros(0, dtype), *columns]).astype(dtype, copy=False)


def _distinct(start: int, ends: Sequence[Ints]) -> Ints:
    """`start`, then every end once, ascending (a sort knows ascending runs; `np.unique` hashes)."""
    every: Ints = np.concatenate([np.array([start]), *ends])
    if len(ends) > 1:
        every.sort(kind="stable")
        every = every[np.append(True, every[1:] != every[:-1])]
    return every
