"""Compiled: what one lane adds to its sums, and what is made of them (:mod:`qmtl.ops.sums_kernels`)."""

from __future__ import annotations

import numpy as np

from qmtl.core.compiled import njit
from qmtl.ops import dd

SUM, MEAN, VAR, STD, ZSCORE, BOLLINGER = range(6)
COV, CORR, BETA = range(10, 13)
ROWS, LAST, COUNT, BLOCK, WANTED, GOT, HERE, PIVOT, FRONT = (
    0,
    1,
    2,
    3,
    4,
    5,
    6,
    7,
    9,
)  # rows of `memo`; then the back

options = {"cache": True, "error_model": "numpy", "nogil": True, "_nrt": False}  # nothing is allocated
inner = options | {"no_cpython_wrapper": True, "no_cfunc_wrapper": True}  # called by compiled code alone


@njit(**inner)
def summand(k, x, xe, y, ye):
    """Of a row relative to the pivots: x, x², y, y² or xy, and what its rounding lost."""
    if k == 0:
        return x, xe
    if k == 2:
        return y, ye
    u, ue, v, ve = (x, xe, x, xe) if k == 1 else (y, ye, y, ye) if k == 3 else (x, xe, y, ye)
    p, e = dd.two_prod(u, v)
    return p, e + (u * ve + v * ue)


@njit(**inner)
def add_one(memo, to, kinds, x, y, lane):
    """The sums in rows `to` on of `memo`, plus one row of one lane."""
    if kinds == 1:
        u, ue, v, ve = x, 0.0, x, 0.0
    else:
        u, ue = dd.two_sum(x, -memo[PIVOT, lane])
        v, ve = dd.two_sum(y, -memo[PIVOT + 1, lane])
    for k in range(kinds):
        p, pe = summand(k, u, ue, v, ve)
        memo[to + 2 * k, lane], lost = dd.two_sum(memo[to + 2 * k, lane], p)
        memo[to + 2 * k + 1, lane] += lost + pe


@njit(**inner)
def total(fh, fe, bh, be):
    """A sum of the window from its two parts."""
    h, lost = dd.two_sum(bh, fh)
    return h, lost + (be + fe)


@njit(**inner)
def centred(n, sh, se, th, te, ph, pe):
    """n·Σuv − Σu·Σv, from the three sums and what they lost."""
    ah, ae = dd.two_prod(n, ph)
    bh, be = dd.two_prod(sh, th)
    h, lost = dd.two_sum(ah, -bh)
    return h + (lost + ((ae + n * pe) - (be + (sh * te + th * se))))


@njit(**inner)
def spread(fh, fe, bh, be, gh, ge, ch, ce, n):
    """n²·variance, and the sum of the window: its mean is the pivot + sum / n."""
    sh, se = total(fh, fe, bh, be)
    qh, qe = total(gh, ge, ch, ce)
    square = centred(n, sh, se, sh, se, qh, qe)
    return (0.0 if square < 0.0 else square), sh, se


@njit(**inner)
def zscore(x, pivot, square, sh, se, n, scale):
    """How many deviations x lies above the mean; `scale`: n / (n - ddof)."""
    u, ue = dd.two_sum(x, -pivot)
    h, e = dd.two_prod(n, u)
    h, lost = dd.two_sum(h, -sh)
    z = (h + (lost + ((e + n * ue) - se))) / np.sqrt(square * scale)
    return 0.0 if square == 0.0 else z


@njit(**inner)
def band(pivot, square, sh, se, n, ddof, width):
    """The mean, and `width` deviations."""
    h, e = dd.div(sh, se, n)
    h, lost = dd.two_sum(pivot, h)
    return h + (lost + e), width * np.sqrt(square / (n * (n - ddof)))


@njit(**inner)
def pairs(V, out, code, p, n, memo, at, r, a, b):
    """Operators of two series."""
    for i in range(a, b):
        f = FRONT
        sh, se = total(memo[f, i], memo[f + 1, i], memo[at, i], memo[at + 1, i])
        qh, qe = total(memo[f + 2, i], memo[f + 3, i], memo[at + 2, i], memo[at + 3, i])
        th, te = total(memo[f + 4, i], memo[f + 5, i], memo[at + 4, i], memo[at + 5, i])
        uh, ue = total(memo[f + 6, i], memo[f + 7, i], memo[at + 6, i], memo[at + 7, i])
        ph, pe = total(memo[f + 8, i], memo[f + 9, i], memo[at + 8, i], memo[at + 9, i])
        c = centred(n, sh, se, th, te, ph, pe)
        x = centred(n, sh, se, sh, se, qh, qe)
        y = centred(n, th, te, th, te, uh, ue)
        x, y = (0.0 if x < 0.0 else x), (0.0 if y < 0.0 else y)
        if code == COV:
            c /= n * (n - p[2])
        elif code == BETA:
            c = np.nan if y == 0.0 or y != y else c / y
        elif x == 0.0 or y == 0.0 or x != x or y != y:
            c = np.nan
        else:
            c = min(1.0, max(-1.0, c / (np.sqrt(x) * np.sqrt(y))))
        V[r, out[0] + i] = c
