"""Charts as inline SVG, stretched to the page, with labels as text beside them (so that text never shrinks)."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from qmtl.runtime.report.scale import WIDTH, Axis, columns, extremes, time_ticks
from qmtl.runtime.report.text import safe

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Series:
    """A line: its class names its colour in the style sheet, `style` how a hovered value is written."""

    name: str
    ts: Ints
    values: Floats
    css: str = "a"
    style: str = "number"  # number, percent, growth


@dataclass(slots=True)
class Plot:
    """One chart being drawn: `height` in pixels, time across, one range of values."""

    start: int
    end: int
    axis: Axis
    height: int
    label: Callable[[float], str]
    name: str
    detail: int = WIDTH  # columns worth drawing; half the page needs half of them
    marks: list[str] = field(default_factory=list)
    over: list[str] = field(default_factory=list)  # HTML above the drawing, which is not stretched
    hover: list[Series] = field(default_factory=list)
    ticks: int = 5

    def x(self, ts: Ints) -> Floats:
        return np.asarray((ts - self.start) / max(self.end - self.start, 1) * WIDTH)

    def y(self, values: Floats) -> Floats:
        return np.asarray((1 - self.axis.unit(values)) * self.height)

    def line(self, series: Series, *, fill_to: float | None = None) -> None:
        """A line, broken where a value is missing; `fill_to` also fills the area down (or up) to that value."""
        if not len(series.ts):
            return
        kept = extremes(columns(series.ts, self.start, self.end, self.detail), series.values)
        x, y = self.x(series.ts[kept]), self.y(series.values[kept])
        path = _path(x, y)
        if fill_to is not None and np.isfinite(y).any():
            ground = float(self.y(np.array([fill_to]))[0])
            shown = np.isfinite(y)
            area = _path(x[shown], y[shown])
            area += f"L{x[shown][-1]:.1f} {ground:.1f}L{x[shown][0]:.1f} {ground:.1f}Z"
            self.marks.append(f'<path class="area {series.css}" d="{area}"/>')
        self.marks.append(f'<path class="line {series.css}" d="{path}"/>')
        self.hover.append(series)

    def rect(self, x0: float, x1: float, css: str, opacity: float) -> None:
        """A band over the whole height, between two columns."""
        place = f'x="{x0:.1f}" y="0" width="{x1 - x0:.1f}" height="{self.height}"'
        self.marks.append(f'<rect class="{css}" {place} opacity="{opacity:.2f}"/>')

    def html(self, *, times: bool = True) -> str:
        """The chart with its labels; what the pointer shows is data beside it."""
        grid, labels = [], []
        for value in self.axis.ticks(self.ticks):
            y = float(self.y(np.array([value]))[0])
            if not -0.5 <= y <= self.height + 0.5:
                continue
            zero = " zero" if value == 0 and not self.axis.log else ""
            grid.append(f'<path class="grid{zero}" d="M0 {y:.1f}H{WIDTH}"/>')
            labels.append(f'<span class="yl" style="top:{y:.1f}px">{self.label(value)}</span>')
        for ts, text in time_ticks(self.start, self.end):
            share = (ts - self.start) / max(self.end - self.start, 1)
            grid.append(f'<path class="grid v" d="M{share * WIDTH:.1f} 0V{self.height}"/>')
            if times and 0.015 < share < 0.985:
                labels.append(f'<span class="xl" style="left:{share * 100:.2f}%">{text}</span>')
        svg = (
            f'<svg viewBox="0 0 {WIDTH} {self.height}" height="{self.height}" preserveAspectRatio="none" role="img" '
            f'aria-label="{safe(self.name)}">{"".join(grid)}{"".join(self.marks)}</svg>'
        )
        below = " timed" if times else ""
        data = f'<script type="application/json">{_hover(self)}</script>' if self.hover else ""
        canvas = svg + "".join(self.over) + "".join(labels)
        return f'<div class="plot{below}"><div class="canvas">{canvas}</div>{data}</div>'


def _path(x: Floats, y: Floats) -> str:
    """SVG path commands; a value that is not finite breaks the line."""
    parts, pen = [], False
    for a, b in zip(x.tolist(), y.tolist(), strict=True):
        if b - b != 0:  # NaN and infinities
            pen = False
            continue
        parts.append(f"{'L' if pen else 'M'}{a:.1f} {b:.1f}")
        pen = True
    return "".join(parts)


def _hover(plot: Plot) -> str:
    """Sampled values as JSON: seconds since `t0`, one list per series; safe inside a script element."""
    base = max((s.ts for s in plot.hover), key=len)
    rows = np.unique(np.linspace(0, len(base) - 1, min(len(base), plot.detail * 6 // 10)).astype(np.int64))
    at = base[rows]
    lines = []
    for series in plot.hover:
        row = np.searchsorted(series.ts, at, "right") - 1
        values = np.where(row >= 0, series.values[np.maximum(row, 0)], np.nan)
        lines.append({"n": series.name, "c": series.css, "s": series.style, "v": _rounded(values)})
    told = {
        "t0": plot.start // 10**9,
        "t1": plot.end // 10**9,
        "t": ((at - plot.start) // 10**9).tolist(),
        "lines": lines,
    }
    return embedded(told)


def embedded(value: object) -> str:
    """JSON that cannot end its script element."""
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _rounded(values: Floats) -> list[float | None]:
    return [float(f"{v:.6g}") if v - v == 0 else None for v in values.tolist()]


def legend(entries: Sequence[tuple[str, str, str]]) -> str:
    """(class, name, value) of each line, as the key of a chart."""
    items = (
        f'<span class="key"><i class="{css}"></i>{safe(name)} <b>{value}</b></span>'
        for css, name, value in entries
    )
    return f'<div class="legend">{"".join(items)}</div>'
