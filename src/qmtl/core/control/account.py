"""An account beside buy-and-hold: everything a report or a summary says about trading."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from qmtl.core.control.costs import Costs
from qmtl.core.control.metrics import CALENDAR_DAYS, Metrics, MonthlyReturns, measure, monthly_returns
from qmtl.core.control.portfolio import CAPITAL, Portfolio, TradedStream, buy_and_hold, simulate


@dataclass(frozen=True, slots=True, eq=False)
class Account:
    """What a strategy's targets earned, and what holding the same streams in equal parts would have earned.

    Both pay the same costs and are measured over the same days.
    """

    portfolio: Portfolio
    hold: Portfolio
    metrics: Metrics
    hold_metrics: Metrics
    monthly: MonthlyReturns


def trade(
    streams: Sequence[TradedStream],
    costs: Costs,
    start_ns: int,
    end_ns: int,
    *,
    periods_per_year: float = CALENDAR_DAYS,
    capital: float = CAPITAL,
) -> Account:
    """Simulate, measure, and do the same for buy-and-hold."""
    portfolio = simulate(streams, costs, start_ns, end_ns, capital=capital)
    hold = buy_and_hold(streams, costs, start_ns, end_ns, capital=capital)
    measured, beside = (measure(each, periods_per_year=periods_per_year) for each in (portfolio, hold))
    return Account(portfolio, hold, measured, beside, monthly_returns(portfolio))
