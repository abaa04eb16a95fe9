"""Each traded stream: its price, shaded where a position is held, with fills; the weight of the position below."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from qmtl.core.control.portfolio import Portfolio
from qmtl.runtime.report.data import Output
from qmtl.runtime.report.plot import Plot, Series, legend
from qmtl.runtime.report.scale import WIDTH, Axis, columns
from qmtl.runtime.report.text import compact, percent, safe

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

NOTABLE = 0.05
"""Fills that move a weight by less than this are rebalancing and get no mark."""

MARKS = 160
"""More marks than this over the whole width are drawn as ticks along the edges: triangles would hide the price."""

STREAMS = 12
"""Streams drawn one by one; of more, those that traded most."""

OUTPUTS = 12


def signals(portfolio: Portfolio) -> str:
    """One figure per traded stream."""
    if len(portfolio.ts) < 2:
        return ""
    traded = np.bincount(portfolio.fills.stream, portfolio.fills.notional, len(portfolio.streams))
    chosen = sorted(np.argsort(-traded, kind="stable")[:STREAMS].tolist())
    left = len(portfolio.streams) - len(chosen)
    more = f'<p class="none">{left:,} further streams traded less and are not drawn.</p>' if left else ""
    small = len(chosen) > 2
    figures = "".join(_signal(portfolio, number, small) for number in chosen)
    key = legend([("long", "long", ""), ("short", "short", ""), ("buy", "buy", ""), ("sell", "sell", "")])
    told = f"Fills that move a weight by {percent(NOTABLE, 0)} or more are marked."
    caption = f'<div class="caption"><span>{told}</span>{key}</div>'
    return f'{caption}<div class="{"grid" if small else ""}">{figures}</div>{more}'


def _signal(portfolio: Portfolio, number: int, small: bool) -> str:
    """`small`: drawn beside another one, with half the detail."""
    name, ts = portfolio.streams[number], portfolio.ts
    price, weight = portfolio.price[:, number], portfolio.weight[:, number]
    start, end, detail = int(ts[0]), int(ts[-1]), WIDTH // 2 if small else WIDTH
    height = 150 if small else 240
    chart = Plot(
        start, end, Axis.over(price), height, lambda v: compact(v, 5), f"Price of {name}", detail, ticks=4
    )
    largest = float(np.max(np.abs(np.nan_to_num(weight)))) or 1.0
    for x0, x1, level in bands(columns(ts, start, end), weight / largest):
        chart.rect(x0, x1, "long" if level > 0 else "short", min(abs(level), 1.0))
    chart.line(Series("Price", ts, price, "p"))
    count = _fills(chart, portfolio, number)
    held = Series("Weight", ts, weight, "w", "percent")
    chart.hover.append(held)
    strip = Plot(
        start,
        end,
        Axis.over(weight, zero=True),
        56,
        lambda v: percent(v, 0),
        f"Weight of {name}",
        detail,
        ticks=2,
    )
    strip.line(held, fill_to=0.0)
    strip.hover.clear()  # the price shows it already
    told = "one fill" if count == 1 else f"{count:,} fills"
    return (
        f"<figure><figcaption><h3>{safe(name)}</h3><span>{told}</span></figcaption>"
        f"{chart.html(times=False)}{strip.html()}</figure>"
    )


def bands(column: Ints, weight: Floats) -> list[tuple[float, float, float]]:
    """Runs of columns with about the same mean level (to a tenth): (from, to, level), flat ones left out.

    A row tells of the time before it: the position is held until its mark.
    """
    level = np.round(np.nan_to_num(weight) * 10) / 10
    sums, counts = np.bincount(column, level, WIDTH), np.bincount(column, minlength=WIDTH)
    seen = np.flatnonzero(counts)
    mean = np.round(sums[seen] / counts[seen] * 10) / 10
    starts = np.flatnonzero(np.append(True, mean[1:] != mean[:-1]))
    left = np.append(0.0, seen[starts[1:] - 1] + 1.0)
    right = np.append(left[1:], float(WIDTH))
    return [
        (a, b, m) for a, b, m in zip(left.tolist(), right.tolist(), mean[starts].tolist(), strict=True) if m
    ]


def _fills(chart: Plot, portfolio: Portfolio, number: int) -> int:
    """Mark the notable fills of a stream: triangles at the price, or ticks on the edges where there are many."""
    fills = portfolio.fills
    mine = fills.stream == number
    moved = fills.after[mine] - fills.before[mine]
    notable = np.abs(np.nan_to_num(moved)) >= NOTABLE
    ts, price, moved = fills.ts[mine][notable], fills.price[mine][notable], moved[notable]
    x, y = chart.x(ts), chart.y(price)
    many = len(ts) * WIDTH > MARKS * chart.detail
    for css, side in (("buy", 1), ("sell", -1)):
        chosen = np.flatnonzero(moved * side > 0)
        if many:
            chosen = chosen[np.unique(columns(ts[chosen], chart.start, chart.end), return_index=True)[1]]
            edge = chart.height if side > 0 else 0
            path = "".join(f"M{a:.1f} {edge}v{-9 * side}" for a in x[chosen].tolist())
            chart.marks.append(f'<path class="rug {css}" d="{path}"/>')
            continue
        chart.over += [
            f'<i class="mark {css}" style="left:{a / WIDTH:.2%};top:{b:.0f}px"></i>'
            for a, b in zip(x[chosen].tolist(), y[chosen].tolist(), strict=True)
        ]
    return int(mine.sum())


def outputs(found: tuple[Output, ...], start: int, end: int) -> str:
    """Named outputs as small multiples on the run's time."""
    figures = []
    for output in found[:OUTPUTS]:
        shown = replace(output, values=np.where(np.isfinite(output.values), output.values, np.nan))
        chart = Plot(
            start,
            end,
            Axis.over(shown.values),
            110,
            lambda v: compact(v, 4),
            output.name,
            WIDTH // 2,
            ticks=3,
        )
        chart.line(Series(output.name, shown.ts, shown.values, "a"))
        last = next((v for v in reversed(shown.values.tolist()) if v - v == 0), None)
        key = f"<span>last {compact(last)}</span>"
        figures.append(
            f"<figure><figcaption><h3>{safe(output.name)}</h3>{key}</figcaption>{chart.html()}</figure>"
        )
    left = len(found) - len(figures)
    more = f'<p class="none">{left:,} further outputs are not drawn.</p>' if left > 0 else ""
    return f'<div class="grid">{"".join(figures)}</div>{more}'
