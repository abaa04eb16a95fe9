"""Metrics of an account, each with its convention.

*Daily equity.* Everything below is computed on equity at the end of each UTC day (the last mark at or before the next
midnight; a bar that ends at midnight belongs to the day that ends), beginning with the equity at the start. The first
and the last day may be partial and count as days. With 365 periods a year (the default) every calendar day counts,
those without a bar with a return of 0; with any other number only days on which a bar ended count (252 for equities).
Returns are simple; the risk-free rate is 0.

*Undefined* is NaN: a ratio over zero volatility, zero downside or zero drawdown, a rate without a single case.

Sources: W. Sharpe, "The Sharpe Ratio", J. of Portfolio Management 21 (1994); F. Sortino and L. Price, "Performance
Measurement in a Downside Risk Framework", J. of Investing 3 (1994); T. Young, "Calmar Ratio: A Smoother Tool",
Futures 20 (1991), here over the whole run instead of 36 months.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from math import isfinite, sqrt

import numpy as np
from numpy.typing import NDArray

from qmtl.core.control.portfolio import Portfolio
from qmtl.core.control.round_trips import round_trips
from qmtl.core.errors import UserError

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

DAY_NS = 86_400 * 10**9
CALENDAR_DAYS = 365
NAN = float("nan")


@dataclass(frozen=True, slots=True)
class Drawdown:
    """The deepest fall from a peak."""

    depth: float  # at most 0; -0.25 is a quarter lost
    peak_ns: int | None = None  # None where equity never fell
    trough_ns: int | None = None
    recovered_ns: int | None = None  # None: not before the end


@dataclass(frozen=True, slots=True)
class Metrics:
    """Shares and ratios of a run; NaN where undefined. 0.1 is 10 %."""

    total_return: float  # end / start - 1
    cagr: float  # (end / start) ** (365 days / elapsed) - 1; NaN for runs of less than a day
    volatility: float  # sample standard deviation of daily returns * sqrt(periods per year)
    sharpe: float  # mean / sample standard deviation of daily returns * sqrt(periods per year)
    sortino: float  # mean / sqrt(mean of min(return, 0) ** 2 over all days) * sqrt(periods per year)
    calmar: float  # cagr / -max_drawdown.depth
    max_drawdown: Drawdown  # on daily equity
    max_drawdown_marks: Drawdown  # the same bar by bar: never shallower than on daily equity
    turnover: float  # value traded, buying and selling, / mean daily equity, over the whole run
    exposure: float  # mean over bar closes of the gross position / equity
    time_in_market: float  # share of bar closes with a position
    win_rate: float  # share of completed round trips with a profit, costs included
    round_trips: int  # completed
    fills: int
    fees: float  # currency
    days: int  # daily returns measured
    periods_per_year: float

    def as_dict(self) -> dict[str, object]:
        """Plain values for JSON: None where undefined."""
        return {k: _plain(v) for k, v in asdict(self).items()}


@dataclass(frozen=True, slots=True, eq=False)
class MonthlyReturns:
    """Returns by UTC month: one row per year, January first; NaN outside the run."""

    years: tuple[int, ...]
    months: Floats  # [year, 12]
    total: Floats  # [year]


def measure(portfolio: Portfolio, *, periods_per_year: float = CALENDAR_DAYS) -> Metrics:
    """The metrics of an account."""
    periods(periods_per_year)
    days, equity = daily_equity(portfolio, calendar=periods_per_year == CALENDAR_DAYS)
    returns, year = _returns(equity), sqrt(periods_per_year)
    deviation = float(np.std(returns, ddof=1)) if len(returns) > 1 else NAN
    mean = float(np.mean(returns)) if len(returns) else NAN
    downside = sqrt(float(np.mean(np.minimum(returns, 0.0) ** 2))) if len(returns) else NAN
    fallen, growth = drawdown(days, equity), _cagr(portfolio)
    fills, trips = portfolio.fills, round_trips(portfolio.fills)
    gross = np.abs(portfolio.weight[1:]).sum(axis=1)
    return Metrics(
        total_return=float(portfolio.equity[-1] / portfolio.equity[0] - 1),
        cagr=growth,
        volatility=deviation * year,
        sharpe=_ratio(mean, deviation) * year,
        sortino=_ratio(mean, downside) * year,
        calmar=_ratio(growth, -fallen.depth),
        max_drawdown=fallen,
        max_drawdown_marks=drawdown(portfolio.ts, portfolio.equity),
        turnover=_ratio(float(fills.notional.sum()), float(np.mean(equity))),
        exposure=_mean(gross[np.isfinite(gross)]),
        time_in_market=_mean((portfolio.quantity[1:] != 0).any(axis=1)),
        win_rate=trips.win_rate,
        round_trips=len(trips),
        fills=len(fills),
        fees=float(fills.fee.sum()),
        days=len(returns),
        periods_per_year=float(periods_per_year),
    )


def periods(periods_per_year: float) -> float:
    """The number itself; raises :class:`UserError` where it is not a positive number."""
    if isinstance(periods_per_year, bool) or not (isfinite(periods_per_year) and periods_per_year > 0):
        raise UserError(
            "periods_per_year must be a positive number",
            value=periods_per_year,
            cure="365 counts calendar days, 252 trading days",
        )
    return periods_per_year


def daily_equity(portfolio: Portfolio, *, calendar: bool = True) -> tuple[Ints, Floats]:
    """(ends of UTC days in ns, equity); the first row is the start, the last ends with the last mark.

    `calendar`: every day counts, also those on which no bar ended.
    """
    ts, equity = portfolio.ts, portfolio.equity
    if len(ts) < 2:
        return ts[:1], equity[:1]
    day = (ts[1:] - 1) // DAY_NS
    wanted = np.arange(ts[0] // DAY_NS, day[-1] + 1) if calendar else np.unique(day)
    last = np.searchsorted(day, wanted, "right")
    ends = np.minimum((wanted + 1) * DAY_NS, ts[-1])
    return np.append(ts[0], ends), np.append(equity[0], equity[last])


def monthly_returns(portfolio: Portfolio) -> MonthlyReturns:
    """Returns of each UTC month and year that the run touches; months without a bar return 0."""
    ends, equity = daily_equity(portfolio)
    if len(ends) < 2:
        return MonthlyReturns((), np.empty((0, 12)), np.empty(0))
    month = (ends[1:] - 1).astype("datetime64[ns]").astype("datetime64[M]").astype(np.int64)  # since 1970-01
    closing = np.append(month[1:] != month[:-1], True)
    found, close = month[closing], equity[1:][closing]
    years = np.arange(found[0] // 12, found[-1] // 12 + 1)
    table = np.full((len(years), 12), np.nan)
    table[found // 12 - years[0], found % 12] = _returns(np.append(equity[0], close))
    total = np.prod(np.where(np.isnan(table), 1.0, 1.0 + table), axis=1) - 1.0
    return MonthlyReturns(tuple((years + 1970).tolist()), table, total)


def drawdown(ts: Ints, equity: Floats) -> Drawdown:
    """The deepest fall of `equity` from an earlier peak, the first of equals."""
    peak = np.maximum.accumulate(equity)
    depth = equity / peak - 1
    trough = int(np.argmin(depth))
    if not depth[trough] < 0:
        return Drawdown(0.0)
    top = int(np.argmax(equity[: trough + 1]))
    back = np.flatnonzero(equity[trough:] >= equity[top])
    recovered = int(ts[trough + back[0]]) if back.size else None
    return Drawdown(float(depth[trough]), int(ts[top]), int(ts[trough]), recovered)


def _returns(equity: Floats) -> Floats:
    """Simple returns; NaN from the moment no equity is left to earn on."""
    solvent = np.minimum.accumulate(equity[:-1]) > 0
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(solvent, equity[1:] / equity[:-1] - 1, np.nan)


def _cagr(portfolio: Portfolio) -> float:
    elapsed = int(portfolio.ts[-1] - portfolio.ts[0])
    if elapsed < DAY_NS:
        return NAN
    if portfolio.equity[-1] <= 0:
        return -1.0
    with np.errstate(over="ignore"):
        grown = (
            np.float64(portfolio.equity[-1] / portfolio.equity[0]) ** (CALENDAR_DAYS * DAY_NS / elapsed) - 1
        )
    return float(grown) if np.isfinite(grown) else NAN


def _ratio(over: float, under: float) -> float:
    """`over / under`; NaN where `under` is not positive or only rounding (1e-15)."""
    return over / under if under > 1e-15 else NAN


def _mean(values: NDArray[np.float64] | NDArray[np.bool_]) -> float:
    return float(np.mean(values)) if values.size else NAN


def _plain(value: object) -> object:
    if isinstance(value, dict):
        return {k: _plain(v) for k, v in value.items()}
    return None if isinstance(value, float) and not isfinite(value) else value
