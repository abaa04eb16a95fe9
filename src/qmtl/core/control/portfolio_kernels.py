"""Compiled: an account over time, and the round trips among its fills, by the rules of `portfolio` and `round_trips`.

The walk reads every bar once and looks at every stream once an instant. Sums are added in the order of the streams and
never reassociated: the same inputs give the same bits. It also runs uncompiled (NUMBA_DISABLE_JIT=1).
"""

from __future__ import annotations

from math import isfinite, nan
from typing import Any, NamedTuple

from qmtl.core.compiled import njit
from qmtl.core.control.costs import BPS

options = {"cache": True, "error_model": "numpy", "nogil": True, "_nrt": False}
inner = options | {"no_cpython_wrapper": True, "no_cfunc_wrapper": True}

NOTHING, LATER = -1, 2**63 - 1


class Market(NamedTuple):
    """Bars and decisions of all streams, one stream after another; the bars of `s` are `bars[s]:bars[s + 1]`."""

    bars: Any  # (streams + 1)
    interval: Any  # (streams)
    open_ts: Any
    open: Any
    close: Any
    told: Any  # (streams + 1): bounds of the decisions
    bucket: Any
    decided_ns: Any
    weight: Any


class State(NamedTuple):
    """How far each stream has come, (streams); `money` is that of the account."""

    begun: Any  # the next bar to begin
    ended: Any  # the next bar to end
    read: Any  # the next decision to read
    latest: Any  # the latest bucket decided
    due: Any  # the decision that fills now, or NOTHING
    held: Any  # units
    price: Any  # last known
    money: Any  # (3): cash, spent on what is held for good, capital


class Written(NamedTuple):
    """What a walk writes; `ts` is given: the start, then every instant at which a bar ends."""

    ts: Any  # (marks)
    equity: Any  # (marks)
    cash: Any  # (marks)
    held: Any  # (marks, streams)
    price: Any  # (marks, streams)
    when: Any  # (3, fills): moment, stream, bucket
    what: Any  # (7, fills): weight before and after, units traded, price paid, fee, units held, cash


@njit(**options)
def walk(
    market: Market,
    state: State,
    written: Written,
    slippage_bps: float,
    fee_bps: float,
    dust: float,
    part: float,
) -> int:
    """Trade the decisions and mark the account; answers the number of fills.

    Costs are those of `Costs`; `dust` is the share of equity below which nothing is traded.
    `part`: what each stream is bought for at its first open, and then held; 0: the decisions are traded.
    """
    fills = 0
    for mark in range(len(written.ts)):
        moment = _next_open(market, state)
        while mark and moment < written.ts[mark]:
            if _open(market, state, moment):
                if part > 0:
                    fills = _buy(market, state, written, slippage_bps, fee_bps, part, moment, fills)
                else:
                    fills = _fill(market, state, written, slippage_bps, fee_bps, dust, moment, fills)
            moment = _next_open(market, state)
        _mark(market, state, written, mark)
    return fills


@njit(**inner)
def _next_open(market: Market, state: State) -> int:
    moment = LATER
    for s in range(len(state.begun)):
        if state.begun[s] < market.bars[s + 1]:
            moment = min(moment, market.open_ts[state.begun[s]])
    return moment


@njit(**inner)
def _open(market: Market, state: State, moment: int) -> bool:
    """Bars begin at `moment`; answers whether a target meets its open."""
    some = False
    for s in range(len(state.begun)):
        bar = state.begun[s]
        state.due[s] = NOTHING
        if bar == market.bars[s + 1] or market.open_ts[bar] != moment:
            continue
        state.begun[s] = bar + 1
        price = market.open[bar]
        if not isfinite(price):
            continue
        state.price[s] = price
        if price > 0:
            state.due[s] = _target(market, state, s, moment)
            some = some or state.due[s] != NOTHING
    return some


@njit(**inner)
def _target(market: Market, state: State, s: int, moment: int) -> int:
    """The decision that stream `s` fills at its open at `moment`, if there is another than at the open before."""
    found, at = NOTHING, state.read[s]
    while at < market.told[s + 1]:
        bucket = market.bucket[at]
        if bucket >= state.latest[s]:
            if max(market.decided_ns[at], bucket + market.interval[s]) > moment:
                break
            state.latest[s] = bucket
            found = at
        at += 1
    state.read[s] = at
    return found if found != NOTHING and isfinite(market.weight[found]) else NOTHING


@njit(**inner)
def _fill(
    market: Market,
    state: State,
    written: Written,
    slippage_bps: float,
    fee_bps: float,
    dust: float,
    moment: int,
    fills: int,
) -> int:
    held, known, money = state.held, state.price, state.money
    slip, rate = slippage_bps * BPS, fee_bps * BPS
    value = 0.0
    for s in range(len(held)):
        if held[s] != 0:
            value += held[s] * known[s]
    equity = money[0] + value
    for s in range(len(held)):
        if state.due[s] == NOTHING:
            continue
        price, before = known[s], held[s]
        target = market.weight[state.due[s]] * equity / price if equity > 0 else 0.0
        quantity = target - before
        if quantity == 0 or (target != 0 and abs(quantity) * price <= dust * equity):
            continue
        paid = price * (1 + slip if quantity > 0 else 1 - slip)
        fee = abs(quantity) * paid * rate
        money[0] -= quantity * paid + fee
        held[s] = target
        share = price / equity if equity > 0 else nan
        written.what[0, fills], written.what[1, fills] = before * share, target * share
        fills = _record(market, state, written, s, moment, fills, quantity, paid, fee)
    return fills


@njit(**inner)
def _buy(
    market: Market,
    state: State,
    written: Written,
    slippage_bps: float,
    fee_bps: float,
    part: float,
    moment: int,
    fills: int,
) -> int:
    for s in range(len(state.held)):
        if state.due[s] == NOTHING:
            continue
        paid = state.price[s] * (1 + slippage_bps * BPS)
        quantity = part / (paid * (1 + fee_bps * BPS))
        fee = quantity * paid * fee_bps * BPS
        state.money[1] += quantity * paid + fee
        state.money[0] = state.money[2] - state.money[1]
        state.held[s] = quantity
        written.what[0, fills], written.what[1, fills] = 0.0, market.weight[state.due[s]]
        fills = _record(market, state, written, s, moment, fills, quantity, paid, fee)
    return fills


@njit(**inner)
def _record(
    market: Market,
    state: State,
    written: Written,
    s: int,
    moment: int,
    fills: int,
    quantity: float,
    paid: float,
    fee: float,
) -> int:
    when, what = written.when, written.what
    when[0, fills], when[1, fills], when[2, fills] = moment, s, market.bucket[state.due[s]]
    what[2, fills], what[3, fills], what[4, fills] = quantity, paid, fee
    what[5, fills], what[6, fills] = state.held[s], state.money[0]
    return fills + 1


@njit(**inner)
def _mark(market: Market, state: State, written: Written, mark: int) -> None:
    """Bars end and the account is marked; at the start (mark 0) none has ended."""
    now, equity = written.ts[mark], state.money[0]
    for s in range(len(state.held)):
        bar = state.ended[s]
        if mark and bar < state.begun[s] and market.open_ts[bar] + market.interval[s] == now:
            state.ended[s] = bar + 1
            if isfinite(market.close[bar]):
                state.price[s] = market.close[bar]
        held, price = state.held[s], state.price[s]
        written.held[mark, s], written.price[mark, s] = held, price
        equity += held * price if held != 0 else 0.0
    written.equity[mark], written.cash[mark] = equity, state.money[0]


@njit(**options)
def trips(fills: Any, numbers: Any, entry: Any, opened: Any, money: Any, when: Any, what: Any) -> int:
    """Round trips; answers how many ended.

    fills     (2, fills): moment, stream
    numbers   (4, fills): units traded, price, fee, units held afterwards
    entry, opened, money  (streams): when the open trip began (NOTHING: none is open), its units, its money so far
    when, what            (4, fills), (fills): stream, entry, exit and side; profit
    """
    count = 0
    for at in range(fills.shape[1]):
        ts, s = fills[0, at], fills[1, at]
        quantity, price, fee, held = numbers[0, at], numbers[1, at], numbers[2, at], numbers[3, at]
        if entry[s] == NOTHING:
            entry[s], opened[s], money[s] = ts, 0.0, 0.0
        before = opened[s]
        if not (before != 0 and held * before <= 0):
            opened[s], money[s] = held, money[s] - quantity * price - fee
            continue
        closing = fee * abs(before / quantity)
        when[0, count], when[1, count], when[2, count] = s, entry[s], ts
        when[3, count], what[count] = 1 if before > 0 else -1, money[s] + before * price - closing
        count += 1
        entry[s] = NOTHING
        if held != 0:
            entry[s], opened[s], money[s] = ts, held, -held * price - (fee - closing)
    return count
