"""Compiled window operators made of sums: two stacks over blocks aligned in time, in double-double.

A block is ``floor(bucket / (rows · interval))``. The sums of a window are those of its rows in the newest block, folded
forwards, combined with those of its older rows, folded backwards from the border: an order that depends on the window's
values and buckets alone, so any cut gives the same bits, a NaN leaves no trace, and a bar costs O(1).

Parameters `p`: code, rows, then what the code needs. Sums kept: x, x² (one input) or x, y, x², y², xy (two).
"""

from __future__ import annotations

import numba
import numpy as np

from qmtl.ops import dd

SUM, MEAN, VAR, STD, ZSCORE, BOLLINGER = range(6)
COV, CORR, BETA = range(10, 13)

options = {"cache": True, "error_model": "numpy", "nogil": True}


@numba.njit(**options)
def _fold(acc, x, y, pairs):
    """acc += lift(x, y); acc[k] is a double-double."""
    acc[0, 0], acc[0, 1] = dd.add(acc[0, 0], acc[0, 1], x, 0.0)
    h, e = dd.two_prod(x, x)
    acc[1, 0], acc[1, 1] = dd.add(acc[1, 0], acc[1, 1], h, e)
    if pairs:
        acc[2, 0], acc[2, 1] = dd.add(acc[2, 0], acc[2, 1], y, 0.0)
        h, e = dd.two_prod(y, y)
        acc[3, 0], acc[3, 1] = dd.add(acc[3, 0], acc[3, 1], h, e)
        h, e = dd.two_prod(x, y)
        acc[4, 0], acc[4, 1] = dd.add(acc[4, 0], acc[4, 1], h, e)


@numba.njit(**options)
def _history(V, M, bucket, ins, r, lane, rows, pairs, ring, at):
    """The latest rows before row `r`, oldest first, into `ring`; returns how many."""
    count, u = 0, r - 1
    while u >= 0 and count < rows - 1:
        if M[u, lane] == 1:
            count += 1
            ring[rows - count, 0] = V[u, ins[0] + lane]
            ring[rows - count, 1] = V[u, ins[1] + lane] if pairs else 0.0
            at[rows - count] = bucket[u]
        u -= 1
    for i in range(count):
        ring[i] = ring[rows - count + i]
        at[i] = at[rows - count + i]
    return count


@numba.njit(**options)
def _backwards(back, ring, start, stop, rows, pairs):
    """Suffix sums of ``ring[start:stop]`` (indices modulo `rows`); back[i] sums from i to the border."""
    if stop <= start:
        return
    back[stop % rows] = 0.0
    for i in range(stop - 1, start - 1, -1):
        if i < stop - 1:
            back[i % rows] = back[(i + 1) % rows]
        else:
            back[i % rows] = 0.0
        _fold(back[i % rows], ring[i % rows, 0], ring[i % rows, 1], pairs)


@numba.njit(**options)
def _centred(s, q, n):
    """Σx² − (Σx)²/n of double-double sums, at least 0."""
    h, e = dd.mul(s[0], s[1], s[0], s[1])
    h, e = dd.div(h, e, n)
    h, e = dd.add(q[0], q[1], -h, -e)
    return (h, e) if h >= 0.0 or h != h else (0.0, 0.0)


@numba.njit(**options)
def _finish(code, p, n, acc, x, o):
    """Outputs from the sums; `x` is the newest value."""
    if code == SUM:
        o[0] = acc[0, 0]
        return
    mh, ml = dd.div(acc[0, 0], acc[0, 1], n)
    if code == MEAN:
        o[0] = mh
        return
    if code >= COV:
        _pair(code, p, n, acc, o)
        return
    h, e = _centred(acc[0], acc[1], n)
    h, e = dd.div(h, e, n - p[2])
    if code == VAR:
        o[0] = h
        return
    std = np.sqrt(h)
    if code == STD:
        o[0] = std
    elif code == ZSCORE:
        d, _ = dd.add(x, 0.0, -mh, -ml)
        o[0] = 0.0 if std == 0.0 else d / std
    else:
        o[0], o[1], o[2] = mh + p[3] * std, mh, mh - p[3] * std


@numba.njit(**options)
def _pair(code, p, n, acc, o):
    ch, ce = dd.mul(acc[0, 0], acc[0, 1], acc[2, 0], acc[2, 1])
    ch, ce = dd.div(ch, ce, n)
    ch, ce = dd.add(acc[4, 0], acc[4, 1], -ch, -ce)
    if code == COV:
        o[0] = dd.div(ch, ce, n - p[2])[0]
        return
    xh, _ = _centred(acc[0], acc[1], n)
    yh, ye = _centred(acc[2], acc[3], n)
    if code == BETA:
        o[0] = np.nan if yh == 0.0 or yh != yh else dd.ratio(ch, ce, yh, ye)
    elif xh == 0.0 or yh == 0.0 or xh != xh or yh != yh:
        o[0] = np.nan
    else:
        c = ch / (np.sqrt(xh) * np.sqrt(yh))
        o[0] = min(1.0, max(-1.0, c))


@numba.njit(**options)
def sums(V, M, N, bucket, interval, out, ins, p, r0, r1, a, b):
    """Every operator of this family over rows [r0, r1) by lanes [a, b)."""
    code, rows = int(p[0]), int(p[1])
    pairs = len(ins) > 1
    span = rows * interval
    ring, at = np.empty((rows + 1, 2)), np.empty(rows + 1, np.int64)
    back = np.zeros((rows + 1, 5, 2))
    front, acc, o = np.zeros((5, 2)), np.zeros((5, 2)), np.zeros(len(out))
    for lane in range(a, b):
        newest = _history(V, M, bucket, ins, r0, lane, rows, pairs, ring, at)
        block = at[newest - 1] // span if newest > 0 else np.int64(0)
        border = newest
        front[:] = 0.0
        while border > 0 and at[border - 1] // span == block:
            border -= 1
        for i in range(border, newest):
            _fold(front, ring[i, 0], ring[i, 1], pairs)
        _backwards(back, ring, 0, border, rows, pairs)
        for r in range(r0, r1):
            if M[r, lane] == 0:
                continue
            x = V[r, ins[0] + lane]
            y = V[r, ins[1] + lane] if pairs else 0.0
            if newest > 0 and bucket[r] // span != block:
                _backwards(back, ring, max(0, newest - rows + 1), newest, rows, pairs)
                border = newest
                front[:] = 0.0
            block = bucket[r] // span
            ring[newest % rows, 0], ring[newest % rows, 1] = x, y
            newest += 1
            _fold(front, x, y, pairs)
            if N[r, lane] < rows:
                continue
            oldest = newest - rows
            acc[:] = front
            if oldest < border:
                for k in range(5 if pairs else 2):
                    h = back[oldest % rows, k]
                    acc[k, 0], acc[k, 1] = dd.add(h[0], h[1], front[k, 0], front[k, 1])
            _finish(code, p, float(rows), acc, x, o)
            for c in range(len(out)):
                V[r, out[c] + lane] = o[c]
