"""`qmtl demo`: two strategies over thirteen years of daily prices, with late bars injected and corrected."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from qmtl import Costs, Event, UserError
from qmtl.runtime.run import Run
from qmtl.sdk import cross
from qmtl.sdk.operators import where
from qmtl.sdk.panel import Panel
from qmtl.sdk.runner import Runner
from qmtl.sdk.strategy import Strategy
from qmtl.sdk.stream import StreamInput

TICKERS = ("AAPL", "GOOG", "IBM", "MSFT")
LATE_SHARE = 0.01  # of the bars, delivered 1 to 5 sessions after their day
FIELDS = ("open", "high", "low", "close", "volume")


class Trend(Strategy):
    """Long what is above its trend, sized by how calm it is."""

    fast: int = 20
    slow: int = 100
    tickers: tuple[str, ...] = TICKERS

    def define(self) -> None:
        for ticker in self.tickers:
            bars = StreamInput(ticker, interval="1d")
            edge = bars.close.ema(self.fast) - bars.close.ema(self.slow)
            calm = (0.01 / bars.close.returns(1).std(60)).clip(0.0, 1.0)
            self.target(bars, where(edge > 0, calm, 0.0) / len(self.tickers))


class Leaders(Strategy):
    """The same trend filter, but only the two strongest of the last quarter."""

    fast: int = 20
    slow: int = 100
    tickers: tuple[str, ...] = TICKERS

    def define(self) -> None:
        streams = {ticker: StreamInput(ticker, interval="1d") for ticker in self.tickers}
        strength = cross.rank(Panel({name: bars.close.returns(63) for name, bars in streams.items()}))
        for ticker, bars in streams.items():
            edge = bars.close.ema(self.fast) - bars.close.ema(self.slow)
            calm = (0.01 / bars.close.returns(1).std(60)).clip(0.0, 1.0)
            leads = (edge > 0) & (strength[ticker] > 0.5)
            self.target(bars, where(leads, calm, 0.0) / 2)


def prices() -> dict[str, Any]:
    """Daily prices by ticker, adjusted for splits and dividends; raises :class:`UserError` without the extra."""
    try:
        from bokeh_sampledata import stocks
    except ImportError:
        raise UserError(
            "the demo's prices are not installed", place="qmtl demo", cure='pip install "qmtl[demo]"'
        ) from None
    return {ticker: getattr(stocks, ticker) for ticker in TICKERS}


def events(late_share: float = LATE_SHARE, seed: int = 7) -> Iterator[Event]:
    """The bars in order of arrival; a share of them comes some sessions late."""
    chance = np.random.default_rng(seed)
    queue = []
    for number, (ticker, table) in enumerate(prices().items()):
        days = [datetime.fromisoformat(day).replace(tzinfo=UTC) for day in table["date"]]
        late = chance.random(len(days)) < late_share
        delay = np.where(late, chance.integers(1, 6, len(days)), 0)
        for at, day in enumerate(days):
            arrives = days[min(at + int(delay[at]), len(days) - 1)] + timedelta(days=1)
            queue.append(
                (
                    arrives,
                    bool(delay[at]),
                    number,
                    at,
                    Event(ticker, day, _bar(table, at), interval="1d", at=arrives),
                )
            )
    queue.sort(key=lambda one: one[:4])
    return (event for *_, event in queue)


def _bar(table: Any, at: int) -> dict[str, float]:
    factor = table["adj_close"][at] / table["close"][at]
    bar = {name: table[name][at] * factor for name in ("open", "high", "low", "close")}
    return bar | {"volume": float(table["volume"][at])}


def run_demo(report: Path) -> Run:
    """Run both strategies at once, say what was shared and corrected, and write the report."""
    console = Console()
    console.print(
        "[bold]qmtl demo[/]  two strategies, four stocks, 2000–2013; 1 % of the bars arrive days late"
    )
    console.print("[dim]the first run compiles its operators and keeps them for the next[/]")
    strategies = [Trend(), Leaders()]
    run = Runner.backtest(strategies, events(), costs=Costs(fee_bps=2, slippage_bps=2), periods_per_year=252)
    shared = run.sharing
    console.print(
        f"shared     {shared['declared']} nodes declared, {shared['unique']} unique, {shared['computed']} computed: "
        f"{shared['declared'] - shared['computed']} computations saved"
    )
    for strategy in strategies:
        _tell(console, run, strategy)
    written = run[strategies[1]].report(report)
    console.print(f"report     [bold]{written}[/]")
    return run


def _tell(console: Console, run: Run, strategy: Strategy) -> None:
    result = run[strategy]
    totals, metrics = result.totals, result.metrics
    console.print(
        f"{type(strategy).__name__:<10} {totals['arrivals']:,} bars arrived, "
        f"{result.correction_count:,} values corrected "
        f"by late ones · return {metrics.total_return:+.0%}, Sharpe {metrics.sharpe:.2f}, "
        f"deepest drawdown {metrics.max_drawdown.depth:.0%}, {len(result.portfolio.fills):,} fills"
    )
