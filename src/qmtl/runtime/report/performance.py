"""Metrics, equity, drawdown and monthly returns, buy-and-hold beside them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from qmtl.core.control.account import Account
from qmtl.core.control.metrics import Drawdown, MonthlyReturns
from qmtl.core.control.portfolio import Portfolio
from qmtl.runtime.report.plot import Plot, Series, legend
from qmtl.runtime.report.scale import Axis
from qmtl.runtime.report.text import MISSING, compact, day, duration, number, percent, safe

LOG_ABOVE = 8.0
"""Equity that grows or falls by more than this factor is drawn on a logarithmic axis."""

MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def cards(account: Account) -> str:
    """The eight numbers a reader looks for first, then the others as a table."""
    mine, hold = account.metrics, account.hold_metrics
    rows = [
        ("Total return", percent(mine.total_return, plus=True), percent(hold.total_return, plus=True)),
        ("CAGR", percent(mine.cagr, plus=True), percent(hold.cagr, plus=True)),
        ("Sharpe", number(mine.sharpe), number(hold.sharpe)),
        ("Sortino", number(mine.sortino), number(hold.sortino)),
        ("Max drawdown", percent(mine.max_drawdown.depth), percent(hold.max_drawdown.depth)),
        ("Volatility", percent(mine.volatility), percent(hold.volatility)),
        ("Calmar", number(mine.calmar), number(hold.calmar)),
        ("Win rate", percent(mine.win_rate, 0), f"{mine.round_trips:,} round trips"),
    ]
    shown = []
    for index, (name, value, beside) in enumerate(rows):
        note = beside if name == "Win rate" else f'<i class="dash h"></i>hold {beside}'
        tone = "" if index else (" up" if mine.total_return >= 0 else " down")
        shown.append(
            f'<div class="card{" first" if not index else ""}"><h3>{name}</h3>'
            f'<p class="value{tone}">{value}</p><p class="beside">{note}</p></div>'
        )
    return f'<div class="cards">{"".join(shown)}</div>{_facts(account)}'


def _facts(account: Account) -> str:
    mine = account.metrics
    facts = [
        ("Fills", f"{mine.fills:,}"),
        ("Fees paid", percent(mine.fees / account.portfolio.capital, 2) + " of capital"),
        ("Turnover", number(mine.turnover, 1) + "\N{MULTIPLICATION SIGN} equity"),
        ("Exposure", percent(mine.exposure, 0)),
        ("Time in market", percent(mine.time_in_market, 0)),
        ("Costs", _costs(account.portfolio)),
        ("Drawdown, daily", _fall(mine.max_drawdown)),
        ("Drawdown, bar by bar", _fall(mine.max_drawdown_marks)),
    ]
    return f'<dl class="facts">{"".join(f"<div><dt>{name}</dt><dd>{value}</dd></div>" for name, value in facts)}</dl>'


def _costs(portfolio: Portfolio) -> str:
    costs = portfolio.costs
    return f"{compact(costs.fee_bps)} bps fee, {compact(costs.slippage_bps)} bps slippage"


def _fall(fall: Drawdown) -> str:
    if fall.peak_ns is None or fall.trough_ns is None:
        return "none"
    back = f"recovered {day(fall.recovered_ns)}" if fall.recovered_ns is not None else "not recovered"
    return f"{percent(fall.depth)} from {day(fall.peak_ns)} to {day(fall.trough_ns)}, {back}"


def equity(account: Account, title: str) -> str:
    """Growth of the account and of buy-and-hold, with drawdowns below on the same time axis."""
    mine, hold = account.portfolio, account.hold
    if len(mine.ts) < 2:
        return '<p class="none">No bar of a traded stream lies inside the run.</p>'
    grown, held = (p.equity / p.equity[0] for p in (mine, hold))
    both = np.concatenate([grown, held])
    log = bool(both.min() > 0 and both.max() / both.min() > LOG_ABOVE)
    start, end = int(mine.ts[0]), int(mine.ts[-1])
    if log:
        growth = Plot(
            start,
            end,
            Axis.over(grown, held, log=True),
            300,
            lambda v: f"{v:g}\N{MULTIPLICATION SIGN}",
            "Equity",
        )
    else:
        grown, held = grown - 1, held - 1
        growth = Plot(
            start, end, Axis.over(grown, held), 300, lambda v: percent(v, 0 if abs(v) >= 0.1 else 1), "Equity"
        )
        growth.label = _percent_labels(growth.axis.ticks())
    style = "growth" if log else "percent"
    growth.line(Series("Buy and hold", hold.ts, held, "h", style))
    growth.line(Series(title, mine.ts, grown, "a", style))
    falls = [_below_peak(p.equity) for p in (hold, mine)]
    fall = Plot(start, end, Axis.over(*falls, zero=True), 110, str, "Drawdown", ticks=3)
    fall.label = _percent_labels(fall.axis.ticks(3))
    fall.line(Series("Buy and hold", hold.ts, falls[0], "h", "percent"))
    fall.line(Series(title, mine.ts, falls[1], "a", "percent"), fill_to=0.0)
    key = legend(
        [
            ("a", title, percent(account.metrics.total_return, plus=True)),
            ("h", "Buy and hold, equal parts", percent(account.hold_metrics.total_return, plus=True)),
        ]
    )
    scale = "growth of 1, logarithmic" if log else "return since the start"
    return (
        f"<figure><figcaption><h3>Equity</h3><span>{scale}</span>{key}</figcaption>{growth.html(times=False)}</figure>"
        f"<figure><figcaption><h3>Drawdown</h3><span>below the highest equity so far, bar by bar</span></figcaption>"
        f"{fall.html()}</figure>"
    )


def _percent_labels(ticks: list[float]) -> Callable[[float], str]:
    """Labels with as many digits as the ticks need."""
    step = ticks[1] - ticks[0] if len(ticks) > 1 else 1.0
    digits = next((d for d in range(4) if abs(step * 100 * 10**d - round(step * 100 * 10**d)) < 1e-6), 4)
    return lambda value: percent(value, digits)


def _below_peak(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(values / np.maximum.accumulate(values) - 1)


def months(table: MonthlyReturns) -> str:
    """Monthly returns, coloured by size."""
    if not table.years:
        return ""
    found = np.abs(table.months[np.isfinite(table.months)])
    top = max(float(found.max()) if found.size else 0.0, 1e-12)
    head = "".join(f"<th>{m}</th>" for m in (*MONTHS, "Year"))
    body = []
    for year, values, total in zip(table.years, table.months.tolist(), table.total.tolist(), strict=True):
        cells = "".join(_month(v, top) for v in values)
        body.append(f'<tr><th>{year}</th>{cells}<td class="sum">{percent(total, plus=True)}</td></tr>')
    rows = f"<thead><tr><th></th>{head}</tr></thead><tbody>{''.join(body)}</tbody>"
    return f'<div class="wide"><table class="months">{rows}</table></div>'


def _month(value: float, top: float) -> str:
    if value - value != 0:
        return '<td class="out"></td>'
    tone = "up" if value >= 0 else "down"
    share = round(8 + 52 * (abs(value) / top) ** 0.7)
    return f'<td class="heat {tone}" style="--heat:{share}%">{percent(value, plus=True)}</td>'


def period(account: Account) -> str:
    """Length of the measured run, for the header."""
    ts = account.portfolio.ts
    return duration(int(ts[-1] - ts[0])) if len(ts) > 1 else safe(MISSING)
