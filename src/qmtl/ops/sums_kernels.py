"""Compiled window operators made of sums: blocks aligned in time, folded from both sides, in double-double.

A block is ``floor(bucket / (rows · interval))``. The sums of a window are those of its rows in the newest block, folded
forwards, combined with those of its older rows, folded backwards from the border of the block: an order that depends on
the window's values and buckets alone, so any cut gives the same bits, a NaN leaves no trace, and a bar costs O(1).

What is needed of the past stands in `memo`, a column per lane: whether it holds, the number of the bucket it goes on
from, how many rows the newest block has, the sums of these (the *front*), sums of the window asked for, and then, for
j = 1 … rows − 1, the sums of the j rows before the border (the *back*). A column that does not go on from where it is
asked to is made anew from the rows.

Parameters `p`: code, rows, then what the code needs. Sums kept: x; with x² where the code needs it; of pairs x, y, x²,
y², xy.
"""

from __future__ import annotations

import numpy as np

from qmtl.core.compiled import njit
from qmtl.ops import dd

SUM, MEAN, VAR, STD, ZSCORE, BOLLINGER = range(6)
COV, CORR, BETA = range(10, 13)
HOLDS, NEXT, COUNT, FRONT = range(4)  # rows of `memo`; then the front, the window, and the back

options = {"cache": True, "error_model": "numpy", "nogil": True}


@njit(**options)
def _lift(kind, x, y):
    """The k-th summand of a row, as a double-double: x, y, x², y², xy of pairs; x, x² of one input."""
    if kind == 0:
        return x, 0.0
    if kind == 1:
        return dd.two_prod(x, x)
    if kind == 2:
        return y, 0.0
    if kind == 3:
        return dd.two_prod(y, y)
    return dd.two_prod(x, y)


@njit(**options)
def _add_row(memo, to, kinds, x, y, here, a):
    """The sums in rows `to` on of `memo`, plus one row of lanes where it is `here`."""
    n = len(x)
    for k in range(kinds):
        h, e = memo[to + 2 * k, a : a + n], memo[to + 2 * k + 1, a : a + n]
        if k == 0:
            for i in range(n):
                h[i], e[i] = dd.add(h[i], e[i], x[i] if here[i] == 1 else 0.0, 0.0)
        elif k == 1:
            for i in range(n):
                u = x[i] if here[i] == 1 else 0.0
                p, q = dd.two_prod(u, u)
                h[i], e[i] = dd.add(h[i], e[i], p, q)
        else:
            for i in range(n):
                p, q = _lift(k, x[i], y[i])
                h[i], e[i] = dd.add(h[i], e[i], p if here[i] == 1 else 0.0, q if here[i] == 1 else 0.0)


@njit(**options)
def _border(V, M, ins, memo, kinds, rows, r, a, b):
    """A block begins at row `r`: the back of every lane anew, the front empty."""
    acc, back, n = FRONT + 2 * kinds, FRONT + 4 * kinds, b - a
    got, lanes = np.zeros(n, np.int64), 0
    stale = np.zeros(n, np.uint8)  # lanes without a row in the old block keep their back
    for i in range(n):
        stale[i] = 1 if memo[COUNT, a + i] > 0.0 else 0
        lanes += stale[i]
    here = np.zeros(n, np.uint8)
    memo[acc : acc + 2 * kinds, a:b] = 0.0
    memo[FRONT : FRONT + 2 * kinds, a:b] = 0.0
    memo[COUNT, a:b] = 0.0
    u = r - 1
    while u >= 0 and lanes > 0 and rows > 1:
        present = M[u, a:b]
        for i in range(n):
            here[i] = 1 if present[i] == 1 and stale[i] == 1 else 0
            got[i] += here[i]
        _add_row(memo, acc, kinds, V[u, ins[0] + a : ins[0] + b], V[u, ins[-1] + a : ins[-1] + b], here, a)
        if got.min() == got.max():
            at = back + (got[0] - 1) * 2 * kinds
            if got[0] > 0:
                memo[at : at + 2 * kinds, a:b] = memo[acc : acc + 2 * kinds, a:b]
        else:
            for i in range(n):
                if here[i] == 1:
                    at = back + (got[i] - 1) * 2 * kinds
                    for w in range(2 * kinds):
                        memo[at + w, a + i] = memo[acc + w, a + i]
        for i in range(n):
            if here[i] == 1 and got[i] == rows - 1:
                stale[i] = 0
                lanes -= 1
        u -= 1


@njit(**options)
def _rebuild(V, M, N, bucket, interval, ins, memo, kinds, rows, r, lane):
    """The column of one lane before row `r`, from the rows."""
    span, start = rows * interval, r
    block = (bucket[r] - interval) // span
    while start > 0 and bucket[start - 1] // span == block:
        start -= 1
    memo[COUNT, lane] = 1.0
    _border(V, M, ins, memo, kinds, rows, start, lane, lane + 1)
    for u in range(start, r):
        x, y = V[u, ins[0] + lane : ins[0] + lane + 1], V[u, ins[-1] + lane : ins[-1] + lane + 1]
        _add_row(memo, FRONT, kinds, x, y, M[u, lane : lane + 1], lane)
        memo[COUNT, lane] += M[u, lane]


@njit(**options)
def _window(memo, kinds, rows, a, b):
    """Sums of the window that ends at the newest row: front, and the back of as many rows as it still lacks."""
    total, back, n = FRONT + 2 * kinds, FRONT + 4 * kinds, b - a
    count = memo[COUNT, a:b]
    alike = count.min() == count.max()
    for k in range(kinds):
        fh, fe = memo[FRONT + 2 * k, a:b], memo[FRONT + 2 * k + 1, a:b]
        th, te = memo[total + 2 * k, a:b], memo[total + 2 * k + 1, a:b]
        lacks = min(rows - int(count[0]), rows - 1)  # an empty block asks for nothing
        if alike and lacks > 0:
            at = back + (lacks - 1) * 2 * kinds + 2 * k
            bh, be = memo[at, a:b], memo[at + 1, a:b]
            for i in range(n):
                th[i], te[i] = dd.add(bh[i], be[i], fh[i], fe[i])
            continue
        for i in range(n):
            lacks = min(rows - int(count[i]), rows - 1)
            if lacks > 0:
                at = back + (lacks - 1) * 2 * kinds + 2 * k
                th[i], te[i] = memo[at, a + i], memo[at + 1, a + i]
            else:
                th[i], te[i] = 0.0, 0.0
        for i in range(n):
            th[i], te[i] = dd.add(th[i], te[i], fh[i], fe[i])


@njit(**options)
def _centred(s, q, n):
    """Σx² − (Σx)²/n of double-double sums, at least 0."""
    h, e = dd.mul(s[0], s[1], s[0], s[1])
    h, e = dd.div(h, e, n)
    h, e = dd.add(q[0], q[1], -h, -e)
    below = h < 0.0
    return (0.0 if below else h), (0.0 if below else e)


@njit(**options)
def _pair(code, p, n, acc):
    ch, ce = dd.mul(acc[0, 0], acc[0, 1], acc[2, 0], acc[2, 1])
    ch, ce = dd.div(ch, ce, n)
    ch, ce = dd.add(acc[4, 0], acc[4, 1], -ch, -ce)
    if code == COV:
        return dd.div(ch, ce, n - p[2])[0]
    xh, _ = _centred(acc[0], acc[1], n)
    yh, ye = _centred(acc[2], acc[3], n)
    if code == BETA:
        return np.nan if yh == 0.0 or yh != yh else dd.ratio(ch, ce, yh, ye)
    if xh == 0.0 or yh == 0.0 or xh != xh or yh != yh:
        return np.nan
    return min(1.0, max(-1.0, ch / (np.sqrt(xh) * np.sqrt(yh))))


@njit(**options)
def _means(V, out, code, memo, ok, rows, r, a, b):
    h, e, o = memo[FRONT + 2, a:b], memo[FRONT + 3, a:b], V[r, out[0] + a : out[0] + b]
    for i in range(b - a):
        old, value = o[i], dd.div(h[i], e[i], float(rows))[0]
        value = h[i] if code == SUM else value
        o[i] = value if ok[i] else old


@njit(**options)
def _spreads(V, out, ins, code, p, memo, ok, rows, r, a, b):
    """Operators of the variance; the answer where it is `ok`."""
    n, total = float(rows), FRONT + 4
    sh, se, qh, qe = memo[total, a:b], memo[total + 1, a:b], memo[total + 2, a:b], memo[total + 3, a:b]
    o, x = V[r, out[0] + a : out[0] + b], V[r, ins[0] + a : ins[0] + b]
    if code == BOLLINGER:
        middle, lower = V[r, out[1] + a : out[1] + b], V[r, out[2] + a : out[2] + b]
        for i in range(b - a):
            mean, _ = dd.div(sh[i], se[i], n)
            h, e = _centred((sh[i], se[i]), (qh[i], qe[i]), n)
            std = p[3] * np.sqrt(dd.div(h, e, n - p[2])[0])
            if ok[i]:
                o[i], middle[i], lower[i] = mean + std, mean, mean - std
    elif code == ZSCORE:
        for i in range(b - a):
            mh, ml = dd.div(sh[i], se[i], n)
            h, e = _centred((sh[i], se[i]), (qh[i], qe[i]), n)
            std = np.sqrt(dd.div(h, e, n - p[2])[0])
            d, _ = dd.add(x[i], 0.0, -mh, -ml)
            old, z = o[i], d / std
            z = 0.0 if std == 0.0 else z
            o[i] = z if ok[i] else old
    else:
        for i in range(b - a):
            h, e = _centred((sh[i], se[i]), (qh[i], qe[i]), n)
            old, v = o[i], dd.div(h, e, n - p[2])[0]
            v = np.sqrt(v) if code == STD else v
            o[i] = v if ok[i] else old


@njit(**options)
def _pairs(V, out, code, p, memo, ok, rows, r, a, b):
    acc = np.empty((5, 2))
    for i in range(b - a):
        if ok[i]:
            for k in range(5):
                acc[k, 0], acc[k, 1] = memo[FRONT + 10 + 2 * k, a + i], memo[FRONT + 11 + 2 * k, a + i]
            V[r, out[0] + a + i] = _pair(code, p, float(rows), acc)


@njit(**options)
def sums(V, M, N, bucket, interval, out, ins, p, memo, r0, r1, a, b):
    """Every operator of this family over rows [r0, r1) by lanes [a, b)."""
    code, rows = int(p[0]), int(p[1])
    kinds = 5 if len(ins) > 1 else 1 if code <= MEAN else 2
    number, span, n = bucket[r0] // interval, rows * interval, b - a
    for lane in range(a, b):
        if memo[HOLDS, lane] == 0.0 or memo[NEXT, lane] != number:
            _rebuild(V, M, N, bucket, interval, ins, memo, kinds, rows, r0, lane)
    ok = np.empty(n, np.bool_)
    for r in range(r0, r1):
        if bucket[r] % span == 0:
            _border(V, M, ins, memo, kinds, rows, r, a, b)
        here, count, enough = M[r, a:b], memo[COUNT, a:b], N[r, a:b]
        _add_row(memo, FRONT, kinds, V[r, ins[0] + a : ins[0] + b], V[r, ins[-1] + a : ins[-1] + b], here, a)
        for i in range(n):
            count[i] += here[i]
            ok[i] = here[i] == 1 and enough[i] >= rows
        _window(memo, kinds, rows, a, b)
        if kinds == 1:
            _means(V, out, code, memo, ok, rows, r, a, b)
        elif kinds == 2:
            _spreads(V, out, ins, code, p, memo, ok, rows, r, a, b)
        else:
            _pairs(V, out, code, p, memo, ok, rows, r, a, b)
    memo[HOLDS, a:b] = 1.0
    memo[NEXT, a:b] = number + (r1 - r0)
