"""Window operators in rational arithmetic: what each means, from its definition, without rounding.

A reference takes the windows of its inputs, oldest first, as fractions, and the parameters; it answers the outputs and
the size of the terms that cancel in them (below which no formula in floats can be exact).
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal, getcontext
from fractions import Fraction
from math import isqrt
from typing import Any

getcontext().prec = 60
Number = Fraction | Decimal
Answer = tuple[list[Number], Number]
Windows = list[list[Fraction]]


def decimal(x: Number | int) -> Decimal:
    return x if isinstance(x, Decimal) else Decimal(Fraction(x).numerator) / Decimal(Fraction(x).denominator)


def mean(x: list[Fraction]) -> Fraction:
    return sum(x, Fraction(0)) / len(x)


def moment(x: list[Fraction], order: int) -> Fraction:
    centre = mean(x)
    return sum(((v - centre) ** order for v in x), Fraction(0))


def _plain(answer: Callable[[list[Fraction], dict[str, Any]], Number]) -> Callable[..., Answer]:
    """One input, one output, as large as the input."""

    def reference(windows: Windows, p: dict[str, Any]) -> Answer:
        return [answer(windows[0], p)], max(map(abs, windows[0]))

    return reference


def weighted(x: list[Fraction]) -> Fraction:
    return sum((v * (i + 1) for i, v in enumerate(x)), Fraction(0)) / Fraction(len(x) * (len(x) + 1), 2)


def hull(x: list[Fraction], p: dict[str, Any]) -> Fraction:
    n, root = p["n"], isqrt(p["n"])
    parts = [x[: len(x) - root + 1 + j] for j in range(root)]
    return weighted([2 * weighted(y[-(n // 2) :]) - weighted(y[-n:]) for y in parts])


def quantile(x: list[Fraction], q: float) -> Fraction:
    at = Fraction(q) * (len(x) - 1)
    low = int(at)
    ordered = sorted(x)
    return ordered[low] + (ordered[min(low + 1, len(x) - 1)] - ordered[low]) * (at - low)


def rank(x: list[Fraction], p: dict[str, Any]) -> Fraction:
    below, equal = sum(v < x[-1] for v in x), sum(v == x[-1] for v in x)
    return (below + Fraction(equal - 1, 2)) / (len(x) - 1)


def variance(x: list[Fraction], p: dict[str, Any]) -> Fraction:
    return moment(x, 2) / (len(x) - p["ddof"])


def deviation(x: list[Fraction], p: dict[str, Any]) -> Decimal:
    return decimal(variance(x, p)).sqrt()


def zscore(windows: Windows, p: dict[str, Any]) -> Answer:
    x, spread = windows[0], deviation(windows[0], p)
    return [decimal(x[-1] - mean(x)) / spread], decimal(max(map(abs, x))) / spread / 2**30


def bollinger(windows: Windows, p: dict[str, Any]) -> Answer:
    middle, away = decimal(mean(windows[0])), Decimal(p["width"]) * deviation(windows[0], {"ddof": 0})
    return [middle + away, middle, middle - away], abs(middle)


def skew(x: list[Fraction], p: dict[str, Any]) -> Decimal:
    n, m2 = len(x), decimal(moment(x, 2) / len(x))
    g = decimal(moment(x, 3) / n) / (m2 * m2.sqrt())
    return g if p["bias"] else g * Decimal(n * (n - 1)).sqrt() / (n - 2)


def kurt(x: list[Fraction], p: dict[str, Any]) -> Decimal:
    n = len(x)
    g = decimal(moment(x, 4) * n / moment(x, 2) ** 2) - 3
    return g if p["bias"] else Decimal(n - 1) / ((n - 2) * (n - 3)) * ((n + 1) * g + 6)


def line(x: list[Fraction]) -> tuple[Fraction, Fraction, Fraction]:
    """Slope, intercept, r²."""
    n, centre = len(x), Fraction(len(x) - 1, 2)
    sxy = sum((v * (i - centre) for i, v in enumerate(x)), Fraction(0))
    sxx = Fraction(n * (n * n - 1), 12)
    return sxy / sxx, mean(x) - sxy / sxx * centre, sxy * sxy / sxx / moment(x, 2)


def typical(windows: Windows) -> list[Fraction]:
    return [(h + low + c) / 3 for h, low, c in zip(*windows[:3], strict=True)]


def vwap(windows: Windows, p: dict[str, Any]) -> Answer:
    traded = sum((t * v for t, v in zip(typical(windows), windows[3], strict=True)), Fraction(0))
    return [traded / sum(windows[3])], Fraction(0)


def mfi(windows: Windows, p: dict[str, Any]) -> Answer:
    prices, up, every = typical(windows), Fraction(0), Fraction(0)
    for i in range(1, len(prices)):
        flow = prices[i] * windows[3][i] if prices[i] != prices[i - 1] else Fraction(0)
        up += flow if prices[i] > prices[i - 1] else 0
        every += flow
    return [100 * up / every], Fraction(100)


def cci(windows: Windows, p: dict[str, Any]) -> Answer:
    x = typical(windows)
    spread = sum((abs(v - mean(x)) for v in x), Fraction(0)) / len(x)
    return [(x[-1] - mean(x)) / (Fraction(0.015) * spread)], x[-1] / (Fraction(0.015) * spread)


def place(high: list[Fraction], low: list[Fraction], close: Fraction) -> Fraction:
    return 100 * (close - min(low)) / (max(high) - min(low))


def stochastic(windows: Windows, p: dict[str, Any]) -> Answer:
    high, low, close = windows
    fast, n = p["fast"], len(high)
    raw = [place(high[i - fast + 1 : i + 1], low[i - fast + 1 : i + 1], close[i]) for i in range(fast - 1, n)]
    slow = [mean(raw[i - p["slow"] + 1 : i + 1]) for i in range(p["slow"] - 1, len(raw))]
    return [slow[-1], mean(slow[-p["signal"] :])], Fraction(100)


def williams(windows: Windows, p: dict[str, Any]) -> Answer:
    high, low, close = windows
    return [-100 * (max(high) - close[-1]) / (max(high) - min(low))], Fraction(100)


def since(x: list[Fraction], extreme: Callable[[list[Fraction]], Fraction]) -> int:
    return next(i for i, v in enumerate(reversed(x)) if v == extreme(x))


def aroon(windows: Windows, p: dict[str, Any]) -> Answer:
    n = len(windows[0]) - 1
    up, down = since(windows[0], max), since(windows[1], min)
    return [Fraction(100 * (n - up), n), Fraction(100 * (n - down), n)], Fraction(0)


def middle(windows: Windows, n: int, shift: int = 0) -> Fraction:
    stop = len(windows[0]) - shift
    return (max(windows[0][stop - n : stop]) + min(windows[1][stop - n : stop])) / 2


def ichimoku(windows: Windows, p: dict[str, Any]) -> Answer:
    conversion, base = middle(windows, p["conversion"]), middle(windows, p["base"])
    shift = p["displacement"]
    ahead = (middle(windows, p["conversion"], shift) + middle(windows, p["base"], shift)) / 2
    return [conversion, base, ahead, middle(windows, p["span"], shift)], Fraction(0)


def true_range(windows: Windows, p: dict[str, Any]) -> Answer:
    high, low, close = windows
    return [max(high[1], close[0]) - min(low[1], close[0])], Fraction(0)


def pair(windows: Windows) -> tuple[Fraction, Fraction, Fraction]:
    """Σ of products of deviations: xy, xx, yy."""
    x, y = windows
    mx, my = mean(x), mean(y)
    return (
        sum(((a - mx) * (b - my) for a, b in zip(x, y, strict=True)), Fraction(0)),
        moment(x, 2),
        moment(y, 2),
    )


def corr(windows: Windows, p: dict[str, Any]) -> Answer:
    xy, xx, yy = pair(windows)
    return [decimal(xy) / (decimal(xx).sqrt() * decimal(yy).sqrt())], Decimal(1)


def cov(windows: Windows, p: dict[str, Any]) -> Answer:
    xy, xx, yy = pair(windows)
    n = len(windows[0]) - p["ddof"]
    return [xy / n], (decimal(xx).sqrt() * decimal(yy).sqrt()) / n


def beta(windows: Windows, p: dict[str, Any]) -> Answer:
    xy, xx, yy = pair(windows)
    return [xy / yy], decimal(xx).sqrt() / decimal(yy).sqrt()


def crossed(sign: int) -> Callable[..., Answer]:
    def reference(windows: Windows, p: dict[str, Any]) -> Answer:
        was, now = (sign * (windows[0][i] - windows[1][i]) for i in (0, 1))
        return [Fraction(int(was <= 0 < now))], Fraction(0)

    return reference


def _linear(number: int, at_end: bool = False) -> Callable[..., Answer]:
    def reference(windows: Windows, p: dict[str, Any]) -> Answer:
        found = line(windows[0])
        value = found[1] + found[0] * (len(windows[0]) - 1) if at_end else found[number]
        size = Fraction(1) if number == 2 else max(map(abs, windows[0])) / (2**20 if number == 0 else 1)
        return [value], size

    return reference


REFERENCES: dict[str, Callable[[Windows, dict[str, Any]], Answer]] = {
    "sma": _plain(lambda x, p: mean(x)),
    "sum": _plain(lambda x, p: sum(x, Fraction(0))),
    "wma": _plain(lambda x, p: weighted(x)),
    "hma": _plain(hull),
    "vwap": vwap,
    "min": _plain(lambda x, p: min(x)),
    "max": _plain(lambda x, p: max(x)),
    "argmin": _plain(lambda x, p: Fraction(since(x, min))),
    "argmax": _plain(lambda x, p: Fraction(since(x, max))),
    "median": _plain(lambda x, p: quantile(x, 0.5)),
    "quantile": _plain(lambda x, p: quantile(x, p["q"])),
    "rank": lambda w, p: ([rank(w[0], p)], Fraction(0)),
    "var": lambda w, p: ([variance(w[0], p)], Fraction(0)),
    "std": lambda w, p: ([deviation(w[0], p)], Fraction(0)),
    "zscore": zscore,
    "skew": lambda w, p: ([skew(w[0], p)], Decimal(1)),
    "kurt": lambda w, p: ([kurt(w[0], p)], Decimal(3)),
    "mad": lambda w, p: ([sum((abs(v - mean(w[0])) for v in w[0]), Fraction(0)) / len(w[0])], Fraction(0)),
    "true_range": true_range,
    "bollinger": bollinger,
    "donchian": lambda w, p: ([max(w[0]), (max(w[0]) + min(w[1])) / 2, min(w[1])], Fraction(0)),
    "diff": lambda w, p: ([w[0][-1] - w[0][0]], Fraction(0)),
    "lag": lambda w, p: ([w[0][0]], Fraction(0)),
    "returns": lambda w, p: ([w[0][-1] / w[0][0] - 1], Fraction(1)),
    "roc": lambda w, p: ([100 * (w[0][-1] / w[0][0] - 1)], Fraction(100)),
    "log_returns": lambda w, p: ([decimal(w[0][-1] / w[0][0]).ln()], Decimal(1)),
    "stochastic": stochastic,
    "williams_r": williams,
    "cci": cci,
    "aroon": aroon,
    "mfi": mfi,
    "linreg": _linear(1, at_end=True),
    "linreg_slope": _linear(0),
    "linreg_intercept": _linear(1),
    "linreg_r2": _linear(2),
    "ichimoku": ichimoku,
    "corr": corr,
    "cov": cov,
    "beta": beta,
    "crossover": crossed(1),
    "crossunder": crossed(-1),
}
