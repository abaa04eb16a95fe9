"""The page: sections in reading order, style and script inside, nothing from elsewhere."""

from __future__ import annotations

from qmtl.runtime.report import dag, performance, signals, tables
from qmtl.runtime.report.data import ReportData
from qmtl.runtime.report.script import SCRIPT
from qmtl.runtime.report.style import STYLE
from qmtl.runtime.report.text import day, duration, safe

POLICY = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'"
"""Keeps the promise that a report asks the network for nothing."""

CONVENTIONS = {
    "Fills": """a target decided when its bucket closed is filled at the next open of its stream; a correction changes
        the next target, never a fill that has happened.""",
    "Costs": """slippage moves the fill price against the trade, the fee is a share of the traded notional; buy-and-hold
        pays both once.""",
    "Buy and hold": """the same streams, an equal part of the capital each, bought at their first open and never traded
        again.""",
    "Daily equity": """ratios, volatility and the daily drawdown are computed on equity at the end of each UTC day; the
        first and last day may be partial.""",
    "Sharpe, Sortino": """mean daily return over its sample standard deviation, or over the root mean square of the
        negative returns, times the root of the periods a year; risk-free rate 0.""",
    "CAGR, Calmar": """growth to the power of 365 days over the elapsed time; CAGR over the daily drawdown. Short runs
        make both extreme.""",
    "Exposure": """gross position over equity, averaged over bar closes. Turnover counts buying and selling over mean
        equity.""",
    "Win rate": "share of completed round trips, flat to flat, with a profit after costs.",
}


def render(data: ReportData) -> str:
    """One self-contained HTML document."""
    title = safe(data.title)
    sections = "".join(
        part for part in (_trading(data), _outputs(data), _graph(data), _events(data), _record(data)) if part
    )
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
        f"<title>{title} · backtest</title><style>{STYLE}</style></head><body>"
        f"{_header(data)}<main>{sections}</main>"
        f"<footer>All times are UTC. Written by qmtl; this file needs nothing else to be read.</footer>"
        f"<script>{SCRIPT}</script></body></html>\n"
    )


def _header(data: ReportData) -> str:
    chips = "".join(f"<li>{safe(k)} <b>{safe(v)}</b></li>" for k, v in data.parameters.items())
    streams = ", ".join(dict.fromkeys(f"{s.id} {s.interval}" for s in data.sources[:6]))
    more = f" and {len(data.sources) - 6} more" if len(data.sources) > 6 else ""
    period = f"<b>{day(data.start_ns)} – {day(data.end_ns)}</b> · {duration(data.end_ns - data.start_ns)}"
    alerts = "".join(f'<p class="alert">{safe(text)}</p>' for text in data.failures)
    return (
        f'<header><p class="kicker">Backtest</p><h1>{safe(data.title)}</h1>'
        f'<p class="period">{period}{f" · {safe(streams)}{more}" if streams else ""}</p>'
        f"{f'<ul class=chips>{chips}</ul>' if chips else ''}{alerts}</header>"
    )


def _section(title: str, lead: str, *parts: str, css: str = "") -> str:
    body = "".join(parts)
    head = f"<h2>{title}</h2>" if title else ""
    told = f'<p class="lead">{lead}</p>' if lead else ""
    return f'<section class="{css}">{head}{told}{body}</section>' if body else ""


def _trading(data: ReportData) -> str:
    account = data.account
    if account is None:
        return ""
    return (
        _section("", "", performance.cards(account), performance.equity(account, data.title), css="top")
        + _section(
            "Signals on price",
            "Shaded where a position is held, stronger for larger weights; below, its share of equity.",
            signals.signals(account.portfolio),
        )
        + _section("Monthly returns", "By UTC month, costs included.", performance.months(account.monthly))
    )


def _outputs(data: ReportData) -> str:
    if not data.outputs:
        return ""
    return _section(
        "Outputs",
        "Named outputs of the strategy, at their final version.",
        signals.outputs(data.outputs, data.start_ns, data.end_ns),
    )


def _graph(data: ReportData) -> str:
    return _section(
        "Graph",
        "Every node once, from source streams on the left to targets and outputs on the right.",
        dag.drawing(data.nodes),
    ) + _section(
        "Sharing",
        "Nodes its author wrote, different ones among them, and those that had to be computed.",
        tables.sharing(data.sharing),
    )


def _events(data: ReportData) -> str:
    ran = data.counters or data.corrections or data.corrections_total
    return _section(
        "Event time",
        "What became of every event that arrived: each ends in exactly one column.",
        tables.counters(data.counters),
    ) + _section(
        "Corrections",
        "Values that were emitted, then replaced after late or revised data." if data.corrections else "",
        tables.corrections(data.corrections, data.corrections_total) if ran else "",
    )


def _record(data: ReportData) -> str:
    notes = "".join(f"<li>{safe(note)}</li>" for note in data.notes)
    conventions = (
        "".join(f"<p><b>{name}:</b> {text}</p>" for name, text in CONVENTIONS.items()) if data.account else ""
    )
    return (
        _section("Data", "", tables.sources(data.sources))
        + _section("Notes", "", f'<ul class="notes">{notes}</ul>' if notes else "")
        + _section("Conventions", "", f'<div class="conventions">{conventions}</div>' if conventions else "")
        + _section(
            "Manifest",
            "What it takes to run this again and get the same bits.",
            tables.manifest(data.manifest) if data.manifest else "",
        )
    )
