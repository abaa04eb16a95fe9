"""Formulas over one gathered window: highest, lowest, changes and what indicators make of them."""

from __future__ import annotations

import numpy as np

from qmtl.core.compiled import njit
from qmtl.ops import dd
from qmtl.ops.direct_formulas import mean

(MIN, MAX, ARGMIN, ARGMAX, DIFF, RETURNS, LOG_RETURNS, LAG, ROC, DONCHIAN, STOCHASTIC, WILLIAMS, CCI, AROON, MFI,
 ICHIMOKU, CROSSOVER, CROSSUNDER, TRUE_RANGE) = range(19)  # fmt: skip

options = {"cache": True, "error_model": "numpy", "nogil": True}


@njit(**options)
def lowest(x, start, stop):
    """Index of the least value in [start, stop); the latest of equals."""
    at = start
    for i in range(start, stop):
        if x[i] <= x[at]:
            at = i
    return at


@njit(**options)
def highest(x, start, stop):
    """Index of the greatest value in [start, stop); the latest of equals."""
    at = start
    for i in range(start, stop):
        if x[i] >= x[at]:
            at = i
    return at


@njit(**options)
def _place(X, start, stop):
    """(close − low) / (high − low) · 100 over [start, stop); 0 where high = low, as TA-Lib has it."""
    low, high = X[1, lowest(X[1], start, stop)], X[0, highest(X[0], start, stop)]
    return 0.0 if high == low else (X[2, stop - 1] - low) / ((high - low) / 100.0)


@njit(**options)
def _stochastic(X, n, p, o):
    """p: fast n, slow k, slow d (simple means). %K and %D at the newest row."""
    fast, slow, days = int(p[2]), int(p[3]), int(p[4])
    total = 0.0
    for j in range(days):
        k = 0.0
        for i in range(slow):
            stop = n - (days - 1 - j) - (slow - 1 - i)
            k += _place(X, stop - fast, stop)
        k /= slow
        total += k
        if j == days - 1:
            o[0] = k
    o[1] = total / days


@njit(**options)
def _channel_index(X, n, work):
    """(typical − mean) / (0.015 · mean deviation); 0 for a constant window, as TA-Lib has it."""
    for i in range(n):
        work[i] = (X[0, i] + X[1, i] + X[2, i]) / 3.0
    mh, ml = mean(work, n)
    h, e = 0.0, 0.0
    for i in range(n):
        dh, de = dd.add(work[i], 0.0, -mh, -ml)
        h, e = dd.add(h, e, abs(dh), de if dh >= 0.0 else -de)
    away = dd.add(work[n - 1], 0.0, -mh, -ml)[0]
    deviation = h / n
    return 0.0 if away == 0.0 or deviation == 0.0 else away / (0.015 * deviation)


@njit(**options)
def _money_flow(X, n):
    """100 · rising / all money flow over the n − 1 changes of the typical price; 0 where it is below 1, as TA-Lib."""
    up, down = 0.0, 0.0
    before = (X[0, 0] + X[1, 0] + X[2, 0]) / 3.0
    for i in range(1, n):
        typical = (X[0, i] + X[1, i] + X[2, i]) / 3.0
        flow = typical * X[3, i]
        if typical > before:
            up += flow
        elif typical < before:
            down += flow
        before = typical
    return 0.0 if up + down < 1.0 else 100.0 * (up / (up + down))


@njit(**options)
def _middle(X, start, stop):
    return (X[0, highest(X[0], start, stop)] + X[1, lowest(X[1], start, stop)]) / 2.0


@njit(**options)
def _cloud(X, n, p, o):
    """p: conversion, base, span, displacement. The spans at a bar are those computed `displacement` bars before."""
    conversion, base, span, shift = int(p[2]), int(p[3]), int(p[4]), int(p[5])
    o[0], o[1] = _middle(X, n - conversion, n), _middle(X, n - base, n)
    then = n - shift
    o[2] = (_middle(X, then - conversion, then) + _middle(X, then - base, then)) / 2.0
    o[3] = _middle(X, then - span, then)


@njit(**options)
def _change(code, X, n):
    x = X[0]
    if code == DIFF:
        return x[n - 1] - x[0]
    if code == LAG:
        return x[0]
    if code == LOG_RETURNS:
        return np.log(x[n - 1] / x[0]) if x[0] > 0.0 and x[n - 1] > 0.0 else np.nan
    if x[0] == 0.0:
        return np.nan
    return x[n - 1] / x[0] - 1.0 if code == RETURNS else (x[n - 1] / x[0] - 1.0) * 100.0


@njit(**options)
def _crossed(code, X, n):
    """1 where x has just passed y from below (or from above), else 0."""
    was, now = X[0, n - 2] - X[1, n - 2], X[0, n - 1] - X[1, n - 1]
    if code == CROSSOVER:
        return 1.0 if was <= 0.0 and now > 0.0 else 0.0
    return 1.0 if was >= 0.0 and now < 0.0 else 0.0


@njit(**options)
def _simple(code, X, n):
    x = X[0]
    if code == MIN:
        return x[lowest(x, 0, n)]
    if code == MAX:
        return x[highest(x, 0, n)]
    if code == ARGMIN:
        return float(n - 1 - lowest(x, 0, n))
    if code == ARGMAX:
        return float(n - 1 - highest(x, 0, n))
    if code == CCI:
        return _channel_index(X, n, np.empty(n))
    if code == MFI:
        return _money_flow(X, n)
    if code == TRUE_RANGE:
        return max(X[0, 1], X[2, 0]) - min(X[1, 1], X[2, 0])
    return _crossed(code, X, n) if code >= CROSSOVER else _change(code, X, n)


@njit(**options)
def compute(code, X, n, p, o):
    """The formula `code` over X[input, 0:n], oldest first, into `o`."""
    if code == DONCHIAN:
        high, low = X[0, highest(X[0], 0, n)], X[1, lowest(X[1], 0, n)]
        o[0], o[1], o[2] = high, (high + low) / 2.0, low
    elif code == STOCHASTIC:
        _stochastic(X, n, p, o)
    elif code == WILLIAMS:
        low, high = X[1, lowest(X[1], 0, n)], X[0, highest(X[0], 0, n)]
        o[0] = 0.0 if high == low else (high - X[2, n - 1]) / ((high - low) / -100.0)
    elif code == AROON:
        m = n - 1
        o[0] = 100.0 * (m - (n - 1 - highest(X[0], 0, n))) / m
        o[1] = 100.0 * (m - (n - 1 - lowest(X[1], 0, n))) / m
    elif code == ICHIMOKU:
        _cloud(X, n, p, o)
    else:
        o[0] = _simple(code, X, n)
