"""Metrics by hand; the conventions are the module's."""

from __future__ import annotations

import json
from collections.abc import Sequence
from math import isnan, nan, sqrt

import numpy as np
import pytest

from qmtl.core.control.account import trade
from qmtl.core.control.metrics import DAY_NS, daily_equity, drawdown, measure, monthly_returns
from qmtl.core.control.portfolio import Costs, Decisions, Fills, Portfolio, TradedStream
from qmtl.core.control.round_trips import round_trips
from qmtl.core.errors import UserError

JAN = int(np.datetime64("2022-01-01", "ns").astype(np.int64))
NONE = Fills(*(np.empty(0, np.int64) for _ in range(3)), *(np.empty(0) for _ in range(7)))


def account(equity: Sequence[float], days: Sequence[float] | None = None, fills: Fills = NONE) -> Portfolio:
    """An account with these values at these days after the start (default: each midnight)."""
    at = np.array(days if days is not None else range(len(equity)), np.float64)
    values, rows = np.array(equity, np.float64), len(equity)
    ts = JAN + (at * DAY_NS).astype(np.int64)
    return Portfolio(
        ("A",), Costs(), values[0], ts, values, values, np.zeros((rows, 1)), np.ones((rows, 1)), fills
    )


def trades(*rows: tuple[float, float, float, float]) -> Fills:
    """(day, quantity, price, fee) of one stream."""
    ts, quantity, price, fee = (np.array([r[i] for r in rows], np.float64) for i in range(4))
    count, held = len(rows), np.cumsum(quantity)
    ts = JAN + (ts * DAY_NS).astype(np.int64)
    return Fills(ts, np.zeros(count, np.int64), ts, held * 0, held * 0, quantity, price, fee, held, held * 0)


def test_ratios_by_hand() -> None:
    found = measure(account([100, 110, 99, 108.9]))  # +10 %, -10 %, +10 %
    mean, deviation = 0.1 / 3, sqrt((2 * (0.1 - 0.1 / 3) ** 2 + (-0.1 - 0.1 / 3) ** 2) / 2)
    assert found.total_return == pytest.approx(0.089)
    assert found.volatility == pytest.approx(deviation * sqrt(365))
    assert found.sharpe == pytest.approx(mean / deviation * sqrt(365))
    assert found.sortino == pytest.approx(mean / sqrt(0.01 / 3) * sqrt(365))
    assert found.cagr == pytest.approx(1.089 ** (365 / 3) - 1)
    assert found.calmar == pytest.approx(found.cagr / 0.1)
    assert found.days == 3


def test_periods_per_year_scales_and_leaves_out_days_without_a_bar() -> None:
    weekend = account([100, 110, 121, 108.9], days=[0, 1, 4, 5])
    calendar, trading = measure(weekend), measure(weekend, periods_per_year=252)
    assert (calendar.days, trading.days) == (5, 3)
    assert trading.volatility == pytest.approx(float(np.std([0.1, 0.1, -0.1], ddof=1)) * sqrt(252))
    assert calendar.volatility == pytest.approx(float(np.std([0.1, 0, 0, 0.1, -0.1], ddof=1)) * sqrt(365))


def test_a_bar_that_ends_at_midnight_belongs_to_the_day_that_ends() -> None:
    days, equity = daily_equity(account([100, 101, 102, 103, 104], days=[0.5, 0.75, 1.0, 1.5, 2.25]))
    assert ((days - JAN) / DAY_NS).tolist() == [0.5, 1.0, 2.0, 2.25]
    assert equity.tolist() == [100, 102, 103, 104]


def test_drawdown_has_its_dates() -> None:
    days = JAN + np.arange(6) * DAY_NS
    found = drawdown(days, np.array([100.0, 120, 90, 100, 120, 119]))
    assert found.depth == -0.25
    assert [
        (t - JAN) // DAY_NS for t in (found.peak_ns, found.trough_ns, found.recovered_ns) if t is not None
    ] == [
        1,
        2,
        4,
    ]
    assert drawdown(days[:4], np.array([100.0, 120, 90, 100])).recovered_ns is None


def test_the_drawdown_bar_by_bar_is_never_shallower() -> None:
    found = measure(account([100, 80, 100, 101], days=[0, 0.5, 1, 2]))
    assert found.max_drawdown.depth == 0 and found.max_drawdown_marks.depth == pytest.approx(-0.2)


@pytest.mark.parametrize("equity", [[100.0], [100.0, 100.0], [100.0, 100.0, 100.0]])
def test_without_movement_ratios_are_undefined(equity: list[float]) -> None:
    found = measure(account(equity))
    assert found.total_return == 0 and found.max_drawdown.depth == 0 and found.max_drawdown.peak_ns is None
    assert all(isnan(v) for v in (found.sharpe, found.sortino, found.calmar, found.win_rate))


def test_a_run_of_less_than_a_day_has_no_cagr_and_a_ruined_account_lost_everything() -> None:
    assert isnan(measure(account([100, 110], days=[0, 0.5])).cagr)
    ruined = measure(account([100, 50, -10, -10]))
    assert ruined.cagr == -1 and ruined.total_return == pytest.approx(-1.1) and isnan(ruined.sharpe)


def test_round_trips_count_from_flat_to_flat_with_costs_and_rebalancing() -> None:
    found = round_trips(trades((0, 10, 100, 5), (1, -4, 110, 5), (2, -6, 101, 5), (3, 1, 100, 0)))
    assert found.profit.tolist() == pytest.approx([-1000 - 5 + 440 - 5 + 606 - 5])
    assert found.win_rate == 1 and found.side.tolist() == [1]


def test_a_fill_through_zero_ends_one_trip_and_begins_the_next() -> None:
    found = round_trips(trades((0, 10, 100, 0), (1, -15, 90, 3), (2, 5, 80, 0)))
    assert found.side.tolist() == [1, -1]
    assert found.profit.tolist() == pytest.approx([-100 - 2, 50 - 1])
    assert found.win_rate == 0.5


def test_turnover_counts_both_sides_over_mean_equity() -> None:
    found = measure(account([100, 100, 100], fills=trades((0, 1, 50, 1), (1, -1, 50, 1))))
    assert found.turnover == pytest.approx(1.0) and found.fees == 2 and found.fills == 2


def test_months_and_years_multiply_to_the_total_return() -> None:
    equity = 100 * np.cumprod(np.append(1.0, np.random.default_rng(7).normal(1.0005, 0.01, 500)))
    table = monthly_returns(account(equity.tolist()))
    assert table.years == (2022, 2023) and table.months.shape == (2, 12)
    assert np.isfinite(table.months[0]).all() and np.isnan(table.months[1, 5:]).all()
    assert np.prod(1 + table.total) == pytest.approx(equity[-1] / equity[0])
    assert table.months[0, 0] == pytest.approx(equity[31] / equity[0] - 1)
    assert monthly_returns(account([100.0])).years == ()


def test_as_dict_is_strict_json_with_null_for_undefined() -> None:
    found = json.loads(json.dumps(measure(account([100.0])).as_dict(), allow_nan=False))
    assert found["sharpe"] is None and found["max_drawdown"]["depth"] == 0


@pytest.mark.parametrize("wrong", [0, -1, nan, True])
def test_periods_per_year_is_checked(wrong: float) -> None:
    with pytest.raises(UserError, match="periods_per_year"):
        measure(account([1.0]), periods_per_year=wrong)


def test_holding_a_stream_from_its_first_open_equals_buy_and_hold() -> None:
    ts = JAN + np.arange(300) * 3600 * 10**9
    price = 100 * np.cumprod(np.random.default_rng(1).normal(1.0, 0.01, 300))
    told = Decisions(ts[:1] - 3600 * 10**9, ts[:1], np.ones(1))
    found = trade(
        [TradedStream("A", 3600 * 10**9, ts, price, price * 1.001, told)],
        Costs(),
        JAN,
        JAN + 300 * 3600 * 10**9,
    )
    np.testing.assert_allclose(found.portfolio.equity, found.hold.equity)
    assert found.metrics.sharpe == pytest.approx(found.hold_metrics.sharpe)
    assert found.metrics.exposure == pytest.approx(1) and found.metrics.time_in_market == 1
