"""An account beside buy-and-hold: everything a report or a summary says about trading."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from qmtl.core.control.costs import Costs
from qmtl.core.control.metrics import (
    CALENDAR_DAYS,
    Metrics,
    MonthlyReturns,
    measure,
    monthly_returns,
    periods,
)
from qmtl.core.control.portfolio import CAPITAL, Portfolio, TradedStream, buy_and_hold, simulate


@dataclass(frozen=True, eq=False)
class Account:
    """What a strategy's targets earned, and what holding the same streams in equal parts would have earned.

    Both pay the same costs and are measured over the same days. Everything but the portfolio is computed when it is
    asked for.
    """

    portfolio: Portfolio
    streams: tuple[TradedStream, ...]
    start_ns: int
    end_ns: int
    periods_per_year: float

    @cached_property
    def hold(self) -> Portfolio:
        """The same streams bought and held."""
        costs, capital = self.portfolio.costs, self.portfolio.capital
        return buy_and_hold(self.streams, costs, self.start_ns, self.end_ns, capital=capital)

    @cached_property
    def metrics(self) -> Metrics:
        """Of the portfolio."""
        return measure(self.portfolio, periods_per_year=self.periods_per_year)

    @cached_property
    def hold_metrics(self) -> Metrics:
        """Of buy-and-hold."""
        return measure(self.hold, periods_per_year=self.periods_per_year)

    @cached_property
    def monthly(self) -> MonthlyReturns:
        """Returns of the portfolio by month."""
        return monthly_returns(self.portfolio)


def trade(
    streams: Sequence[TradedStream],
    costs: Costs,
    start_ns: int,
    end_ns: int,
    *,
    periods_per_year: float = CALENDAR_DAYS,
    capital: float = CAPITAL,
) -> Account:
    """Simulate; raises :class:`UserError` where `periods_per_year` is not a positive number."""
    per_year = periods(periods_per_year)
    portfolio = simulate(streams, costs, start_ns, end_ns, capital=capital)
    return Account(portfolio, tuple(streams), start_ns, end_ns, per_year)
