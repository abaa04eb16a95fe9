"""Formulas over one gathered window: order statistics, weighted means, moments, regressions. Sums in double-double."""

from __future__ import annotations

import numpy as np

from qmtl.core.compiled import njit
from qmtl.ops import dd

WMA, HMA, MEDIAN, QUANTILE, RANK, SKEW, KURT, MAD, SLOPE, INTERCEPT, R2, VWAP, LINREG = range(13)

options = {"cache": True, "error_model": "numpy", "nogil": True}


@njit(**options)
def weighted(x, start, stop):
    """Σ i·x / Σ i with weights 1 … (stop − start), the newest heaviest."""
    h, e = 0.0, 0.0
    for i in range(start, stop):
        ph, pe = dd.two_prod(x[i], float(i - start + 1))
        h, e = dd.add(h, e, ph, pe)
    n = stop - start
    return dd.div(h, e, n * (n + 1) / 2.0)[0]


@njit(**options)
def mean(x, n):
    """The mean as a double-double."""
    h, e = 0.0, 0.0
    for i in range(n):
        h, e = dd.add(h, e, x[i], 0.0)
    return dd.div(h, e, float(n))


@njit(**options)
def moment(x, n, mh, ml, order):
    """Σ (x − mean)^order in double-double."""
    h, e = 0.0, 0.0
    for i in range(n):
        dh, de = dd.add(x[i], 0.0, -mh, -ml)
        ph, pe = dh, de
        for _ in range(order - 1):
            ph, pe = dd.mul(ph, pe, dh, de)
        h, e = dd.add(h, e, ph, pe)
    return h, e


@njit(**options)
def _shape(code, x, n, bias):
    """Skewness or excess kurtosis; of a constant window 0. `bias` 0: the sample-corrected form (pandas)."""
    mh, ml = mean(x, n)
    m2 = moment(x, n, mh, ml, 2)[0] / n
    if m2 == 0.0:
        return 0.0
    if code == SKEW:
        g = moment(x, n, mh, ml, 3)[0] / n / (m2 * np.sqrt(m2))
        return g if bias == 1.0 else g * np.sqrt(n * (n - 1.0)) / (n - 2.0)
    g = moment(x, n, mh, ml, 4)[0] / n / (m2 * m2) - 3.0
    return g if bias == 1.0 else (n - 1.0) / ((n - 2.0) * (n - 3.0)) * ((n + 1.0) * g + 6.0)


@njit(**options)
def _quantile(work, n, q):
    """Linear interpolation between order statistics (type 7 of Hyndman and Fan); `work` is sorted."""
    at = q * (n - 1)
    low = int(np.floor(at))
    high = min(low + 1, n - 1)
    return work[low] + (work[high] - work[low]) * (at - low)


@njit(**options)
def _rank(x, n):
    """(average rank − 1) / (n − 1) of the newest value in its window; 0.5 for n = 1."""
    if n == 1:
        return 0.5
    below, equal = 0, 0
    for i in range(n):
        below += 1 if x[i] < x[n - 1] else 0
        equal += 1 if x[i] == x[n - 1] else 0
    return (below + (equal - 1) / 2.0) / (n - 1.0)


@njit(**options)
def _deviation(x, n):
    """Mean absolute deviation from the mean."""
    mh, ml = mean(x, n)
    h, e = 0.0, 0.0
    for i in range(n):
        dh, de = dd.add(x[i], 0.0, -mh, -ml)
        if dh < 0.0:
            dh, de = -dh, -de
        h, e = dd.add(h, e, dh, de)
    return dd.div(h, e, float(n))[0]


@njit(**options)
def _regression(code, x, n, o):
    """Least squares over t = 0 … n − 1: slope, intercept, r² (of a constant window 0, 0/0 defined), end of the line."""
    centre = (n - 1) / 2.0
    sxx = n * (n * n - 1.0) / 12.0
    h, e = 0.0, 0.0
    for i in range(n):
        ph, pe = dd.two_prod(x[i], i - centre)
        h, e = dd.add(h, e, ph, pe)
    mh, ml = mean(x, n)
    sh, se = dd.div(h, e, sxx)
    bh, be = dd.mul(sh, se, -centre, 0.0)
    ih, ie = dd.add(mh, ml, bh, be)
    if code == SLOPE:
        o[0] = sh
    elif code == INTERCEPT:
        o[0] = ih
    elif code == LINREG:
        bh, be = dd.mul(sh, se, n - 1.0, 0.0)
        o[0] = dd.add(ih, ie, bh, be)[0]
    else:
        yh, ye = moment(x, n, mh, ml, 2)
        rh, re = dd.mul(h, e, h, e)
        rh, re = dd.div(rh, re, sxx)
        o[0] = 0.0 if yh == 0.0 else min(1.0, dd.ratio(rh, re, yh, ye))


@njit(**options)
def _vwap(X, n):
    """Σ typical price · volume / Σ volume; NaN where no volume was traded."""
    h, e, vh, ve = 0.0, 0.0, 0.0, 0.0
    for i in range(n):
        typical = (X[0, i] + X[1, i] + X[2, i]) / 3.0
        ph, pe = dd.two_prod(typical, X[3, i])
        h, e = dd.add(h, e, ph, pe)
        vh, ve = dd.add(vh, ve, X[3, i], 0.0)
    return np.nan if vh == 0.0 else dd.ratio(h, e, vh, ve)


@njit(**options)
def _hull(x, n, p, work):
    """wma(2·wma(n/2) − wma(n), √n): p[2] is the n of the operator, the window is n + √n − 1 rows."""
    whole = int(p[2])
    half, root = whole // 2, n - whole + 1
    for j in range(root):
        stop = whole + j
        work[j] = 2.0 * weighted(x, stop - half, stop) - weighted(x, stop - whole, stop)
    return weighted(work, 0, root)


@njit(**options)
def compute(code, X, n, p, work, o):
    """The formula `code` over X[input, 0:n], oldest first, into `o`."""
    x = X[0]
    if code == WMA:
        o[0] = weighted(x, 0, n)
    elif code == HMA:
        o[0] = _hull(x, n, p, work)
    elif code == MEDIAN or code == QUANTILE:
        work[:n] = x[:n]
        work[:n].sort()
        o[0] = _quantile(work, n, 0.5 if code == MEDIAN else p[2])
    elif code == RANK:
        o[0] = _rank(x, n)
    elif code == SKEW or code == KURT:
        o[0] = _shape(code, x, n, p[2])
    elif code == MAD:
        o[0] = _deviation(x, n)
    elif code == VWAP:
        o[0] = _vwap(X, n)
    else:
        _regression(code, x, n, o)
