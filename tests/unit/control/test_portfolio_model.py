"""The account against a slow one that walks through time second by second."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import isfinite, nan

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qmtl.core.control.costs import BPS
from qmtl.core.control.portfolio import (
    DUST,
    Costs,
    Decisions,
    Fills,
    Portfolio,
    TradedStream,
    buy_and_hold,
    simulate,
)
from qmtl.core.control.round_trips import round_trips

END = 24
prices = st.sampled_from([50.0, 80.0, 100.0, 101.5, 130.0, float("nan"), 0.0])
weights = st.sampled_from([0.0, 0.25, 0.5, 1.0, -0.5, -1.0, float("nan")])


@dataclass
class Slow:
    """One instant after another: bars end, the account is marked, bars open, targets fill."""

    streams: list[TradedStream]
    costs: Costs
    cash: float = 1000.0
    held: dict[int, float] = field(default_factory=dict)
    price: dict[int, float] = field(default_factory=dict)
    done: dict[int, int] = field(default_factory=dict)  # decisions already met by an open
    fills: list[tuple[float, ...]] = field(default_factory=list)
    marks: list[tuple[int, float, float]] = field(default_factory=list)

    def values(self) -> list[float]:
        return [q * self.price[s] for s, q in sorted(self.held.items()) if q]

    def equity(self) -> float:
        """At a mark the positions are added to the cash one by one."""
        whole = self.cash
        for value in self.values():
            whole += value
        return whole

    def walk(self, start: int) -> None:
        self.marks.append((start, self.cash, self.cash))
        for now in range(start, END + 1):
            ended = [
                (s, i)
                for s, t in enumerate(self.streams)
                for i in self.bars(t, start)
                if t.open_ts[i] + t.interval_ns == now
            ]
            for s, i in ended:
                self.learn(s, float(self.streams[s].close[i]))
            if ended:
                self.marks.append((now, self.equity(), self.cash))
            opened = [
                (s, i) for s, t in enumerate(self.streams) for i in self.bars(t, start) if t.open_ts[i] == now
            ]
            for s, i in opened:
                self.learn(s, float(self.streams[s].open[i]))
            positions = 0.0
            for value in self.values():
                positions += value
            equity = self.cash + positions
            for s, i in opened:
                if self.streams[s].open[i] > 0:
                    self.trade(s, now, equity)

    @staticmethod
    def bars(stream: TradedStream, start: int) -> list[int]:
        return [i for i, ts in enumerate(stream.open_ts) if ts >= start and ts + stream.interval_ns <= END]

    def learn(self, s: int, price: float) -> None:
        if isfinite(price):
            self.price[s] = price

    def trade(self, s: int, now: int, equity: float) -> None:
        """The target of the latest bucket known by now, if no open has met it yet."""
        stream, current = self.streams[s], -1
        for i, (bucket, decided) in enumerate(
            zip(stream.decisions.bucket, stream.decisions.decided_ns, strict=True)
        ):
            known = max(decided, bucket + stream.interval_ns) <= now
            if known and (current < 0 or bucket >= stream.decisions.bucket[current]):
                current = i
        if current < 0 or self.done.get(s) == current:
            return
        self.done[s] = current
        weight, price, before = float(stream.decisions.weight[current]), self.price[s], self.held.get(s, 0.0)
        if not isfinite(weight):
            return
        units = weight * equity / price if equity > 0 else 0.0
        quantity = units - before
        if quantity == 0 or (units and abs(quantity) * price <= DUST * equity):
            return
        side = 1 if quantity > 0 else -1
        paid = price * (1 + side * (self.costs.slippage_bps * BPS))
        fee = abs(quantity) * paid * (self.costs.fee_bps * BPS)
        self.cash -= quantity * paid + fee
        self.held[s] = units
        share = price / equity if equity > 0 else nan
        bucket = int(stream.decisions.bucket[current])
        self.fills.append(
            (now, s, bucket, before * share, units * share, quantity, paid, fee, units, self.cash)
        )


@st.composite
def streams(draw: st.DrawFn, name: str) -> TradedStream:
    interval = draw(st.sampled_from([1, 2, 4]))
    starts = sorted(draw(st.sets(st.integers(0, END // interval), max_size=16)))
    opens, closes = (draw(st.lists(prices, min_size=len(starts), max_size=len(starts))) for _ in range(2))
    drawn = draw(
        st.lists(st.tuples(st.integers(0, END // interval), st.integers(0, END), weights), max_size=14)
    )
    told = [(b * interval, max((b + 1) * interval, moment), weight) for b, moment, weight in drawn]
    told.sort(key=lambda t: t[1])
    bucket, decided, weight = (np.array([t[i] for t in told]) for i in range(3))
    decisions = Decisions(bucket.astype(np.int64), decided.astype(np.int64), weight.astype(np.float64))
    return TradedStream(
        name, interval, np.array(starts, np.int64) * interval, np.array(opens), np.array(closes), decisions
    )


@pytest.mark.slow
@settings(max_examples=400, deadline=None)
@given(
    st.data(), st.integers(1, 3), st.sampled_from([Costs(), Costs(10, 0), Costs(5, 20)]), st.integers(0, 8)
)
def test_it_agrees_with_the_slow_account(data: st.DataObject, count: int, costs: Costs, start: int) -> None:
    market = [data.draw(streams(f"S{i}")) for i in range(count)]
    slow = Slow(market, costs)
    slow.walk(start)
    fast = simulate(market, costs, start, END, capital=1000.0)
    same_to_the_bit(fast, slow.fills, slow.marks)
    np.testing.assert_allclose(fast.equity, fast.cash + fast.value.sum(axis=1), rtol=1e-12, atol=1e-9)
    assert trips(fast.fills) == plain_trips(slow.fills)


def same_to_the_bit(
    made: Portfolio, fills: list[tuple[float, ...]], marks: list[tuple[int, float, float]]
) -> None:
    columns = zip(*fills, strict=True) if fills else [()] * len(Fills.__slots__)
    for name, column in zip(Fills.__slots__, columns, strict=True):
        np.testing.assert_array_equal(getattr(made.fills, name), list(column), err_msg=name)
    for name, column in zip(("ts", "equity", "cash"), zip(*marks, strict=True), strict=True):
        np.testing.assert_array_equal(getattr(made, name), list(column), err_msg=name)


def trips(fills: Fills) -> list[tuple[float, ...]]:
    made = round_trips(fills)
    columns = (made.stream, made.entry_ts, made.exit_ts, made.side, made.profit)
    return list(zip(*(c.tolist() for c in columns), strict=True))


def plain_trips(fills: list[tuple[float, ...]]) -> list[tuple[float, ...]]:
    """From flat to flat, one fill after another."""
    rows, trip = [], dict[float, tuple[float, float, float]]()  # stream → entry, units, money so far
    for ts, stream, _, _, _, quantity, price, fee, held, _ in fills:
        entry, before, money = trip.pop(stream, (ts, 0.0, 0.0))
        if before == 0 or held * before > 0:
            trip[stream] = (entry, held, money - quantity * price - fee)
            continue
        closing = fee * abs(before / quantity)
        rows.append((stream, entry, ts, 1 if before > 0 else -1, money + before * price - closing))
        if held:
            trip[stream] = (ts, held, -held * price - (fee - closing))
    return rows


@pytest.mark.slow
@settings(max_examples=200, deadline=None)
@given(st.data(), st.integers(1, 3), st.sampled_from([Costs(), Costs(10, 0), Costs(5, 20)]))
def test_holding_agrees_with_a_plain_purchase_of_each(data: st.DataObject, count: int, costs: Costs) -> None:
    market = [data.draw(streams(f"S{i}")) for i in range(count)]
    firsts = [
        (int(ts), s, float(price))
        for s, stream in enumerate(market)
        for ts, price in [
            (ts, price)
            for ts, price in zip(stream.open_ts, stream.open, strict=True)
            if isfinite(price) and price > 0 and ts + stream.interval_ns <= END
        ][:1]
    ]
    fills, spent = list[tuple[float, ...]](), 0.0
    for ts, s, price in sorted(firsts):
        paid = price * (1 + costs.slippage_bps * BPS)
        quantity = 1000.0 / count / (paid * (1 + costs.fee_bps * BPS))
        fee = quantity * paid * costs.fee_bps * BPS
        spent += quantity * paid + fee
        fills.append((ts, s, ts, 0.0, 1 / count, quantity, paid, fee, quantity, 1000.0 - spent))
    held = buy_and_hold(market, costs, 0, END, capital=1000.0)
    marks = [
        (int(ts), float(equity), fills[done - 1][-1] if done else 1000.0)
        for ts, equity in zip(held.ts, held.equity, strict=True)
        for done in [sum(fill[0] < ts for fill in fills)]
    ]
    same_to_the_bit(held, fills, marks)
    np.testing.assert_allclose(held.equity, held.cash + held.value.sum(axis=1), rtol=1e-12, atol=1e-9)


@pytest.mark.slow
@settings(max_examples=80, deadline=None)
@given(st.data(), st.integers(1, END))
def test_what_is_decided_later_changes_no_earlier_fill(data: st.DataObject, cut: int) -> None:
    stream = data.draw(streams("A"))
    known = stream.decisions.decided_ns < cut
    past = TradedStream(
        "A",
        stream.interval_ns,
        stream.open_ts,
        stream.open,
        stream.close,
        Decisions(*(c[known] for c in stream.decisions)),
    )
    whole, part = (simulate([s], Costs(7, 3), 0, END) for s in (stream, past))
    before, same = (a.fills.ts < cut for a in (whole, part))
    for name in ("ts", "bucket", "quantity", "price", "fee", "cash"):
        np.testing.assert_array_equal(getattr(whole.fills, name)[before], getattr(part.fills, name)[same])
