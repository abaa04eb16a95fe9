"""Compiled window operators made of sums: blocks aligned in time, summed from both sides, without rounding errors.

A block is ``floor(bucket / (rows · interval))``. The sums of a window are those of its rows in the newest block,
summed forwards (the *front*), and those of its older rows, summed backwards from the border of the block (the *back*):
an order that depends on the window's values and buckets alone, so any cut gives the same bits, a NaN leaves no trace,
and a bar costs O(1).

A sum is kept as a float and what its additions lost (`qmtl.ops.dd`). Where squares or products are summed, values are
taken relative to the first row of the newest block, the *pivot*, which every window that is asked for contains: a
window of equal values then has no variance at all, and a distant level costs no digits.

What is needed of the past stands in `memo`, a column per lane: how many rows have entered, the number of the bucket of
the last, how many rows the newest block has and which it is, room to count, the pivots of x and y, the front, for
j = 1 … rows − 1 the sums of the j rows before the border, and room for those asked for. A column that does not go on
from where it is asked to is made anew from the rows. Lanes that lack a row (M = 0) are not touched by it.

Parameters `p`: code, rows, then what the code needs. Sums kept: x; with x² where the code needs it; of pairs x, x², y,
y², xy.
"""

from __future__ import annotations

import numpy as np

from qmtl.core.compiled import njit
from qmtl.ops import dd
from qmtl.ops import sums_formulas as formulas
from qmtl.ops import sums_lane as single
from qmtl.ops.sums_formulas import (
    BLOCK,
    BOLLINGER,
    COUNT,
    FRONT,
    GOT,
    HERE,
    LAST,
    MEAN,
    PIVOT,
    ROWS,
    STD,
    SUM,
    WANTED,
    ZSCORE,
    inner,
    options,
)


@njit(**inner)
def _add(memo, to, kinds, x, y, here, a):
    """The sums in rows `to` on of `memo`, plus one row of lanes where it is `here`."""
    n = len(x)
    if n == 1:
        if here[0] == 1:
            formulas.add_one(memo, to, kinds, x[0], y[0], a)
        return
    px, py = memo[PIVOT, a : a + n], memo[PIVOT + 1, a : a + n]
    for k in range(kinds):
        h, e = memo[to + 2 * k, a : a + n], memo[to + 2 * k + 1, a : a + n]
        if kinds == 1:
            for i in range(n):
                h[i], lost = dd.two_sum(h[i], x[i] if here[i] == 1 else 0.0)
                e[i] += lost
        elif k == 0:
            for i in range(n):
                u, ue = dd.two_sum(x[i], -px[i])
                h[i], lost = dd.two_sum(h[i], u if here[i] == 1 else 0.0)
                e[i] += lost + (ue if here[i] == 1 else 0.0)
        elif k == 1:
            for i in range(n):
                u, ue = dd.two_sum(x[i], -px[i])
                u, ue = dd.two_prod(u, u)[0], dd.two_prod(u, u)[1] + 2.0 * u * ue
                h[i], lost = dd.two_sum(h[i], u if here[i] == 1 else 0.0)
                e[i] += lost + (ue if here[i] == 1 else 0.0)
        else:
            for i in range(n):
                u, ue = dd.two_sum(x[i], -px[i])
                v, ve = dd.two_sum(y[i], -py[i])
                p, pe = formulas.summand(k, u, ue, v, ve)
                h[i], lost = dd.two_sum(h[i], p if here[i] == 1 else 0.0)
                e[i] += lost + (pe if here[i] == 1 else 0.0)


@njit(**inner)
def _begin(V, M, N, ins, memo, kinds, rows, r, a, b):
    """Lanes that have their first row of a block at `r`: its pivot, an empty front, and the back of the rows before."""
    n, back = b - a, FRONT + 2 * kinds
    x, y = V[r, ins[0] + a : ins[0] + b], V[r, ins[-1] + a : ins[-1] + b]
    wanted, got, here, left = memo[WANTED, a:b], memo[GOT, a:b], memo[HERE, a:b], 0
    for i in range(n):
        wanted[i] = got[i] = 0.0
        if M[r, a + i] == 1 and memo[COUNT, a + i] == 0.0:
            memo[PIVOT, a + i], memo[PIVOT + 1, a + i] = x[i], y[i]
            memo[FRONT : FRONT + 2 * kinds, a + i] = 0.0
            wanted[i] = min(rows - 1, N[r, a + i] - 1)
            left += min(rows - 1, N[r, a + i] - 1)
    u = r - 1
    while left > 0:
        present = M[u, a:b]
        for i in range(n):
            here[i] = 1.0 if present[i] == 1 and got[i] < wanted[i] else 0.0
            got[i] += here[i]
            left -= int(here[i])
        _add(memo, FRONT, kinds, V[u, ins[0] + a : ins[0] + b], V[u, ins[-1] + a : ins[-1] + b], here, a)
        alike = True
        for i in range(n):
            alike &= (got[i] == got[0]) & (here[i] == 1.0)
        if alike:
            at = back + (int(got[0]) - 1) * 2 * kinds
            for w in range(2 * kinds):
                kept, now = memo[at + w, a:b], memo[FRONT + w, a:b]
                for i in range(n):
                    kept[i] = now[i]
        else:
            for i in range(n):
                if here[i] == 1.0:
                    at = back + (int(got[i]) - 1) * 2 * kinds
                    for w in range(2 * kinds):
                        memo[at + w, a + i] = memo[FRONT + w, a + i]
        u -= 1
    for i in range(n):
        if M[r, a + i] == 1 and memo[COUNT, a + i] == 0.0:
            memo[FRONT : FRONT + 2 * kinds, a + i] = 0.0


@njit(**inner)
def _row(V, M, N, number, ins, memo, kinds, rows, r, a, b):
    """Row `r`, of bucket `number`, enters the sums of the lanes that have it."""
    here, count, block, last = M[r, a:b], memo[COUNT, a:b], memo[BLOCK, a:b], memo[LAST, a:b]
    total, held, now, begins = N[r, a:b], memo[ROWS, a:b], float(number // rows), False
    for i in range(b - a):
        count[i] = 0.0 if (here[i] == 1) & (block[i] != now) else count[i]
        begins |= (here[i] == 1) & (count[i] == 0.0)
    for i in range(b - a):
        block[i] = now if here[i] == 1 else block[i]
        last[i] = number if here[i] == 1 else last[i]
        held[i] = total[i] if here[i] == 1 else held[i]
    if begins:
        _begin(V, M, N, ins, memo, kinds, rows, r, a, b)
    _add(memo, FRONT, kinds, V[r, ins[0] + a : ins[0] + b], V[r, ins[-1] + a : ins[-1] + b], here, a)
    for i in range(b - a):
        count[i] += here[i]


@njit(**inner)
def _rebuild(V, M, N, number, ins, memo, kinds, rows, r, lane):
    """The column of one lane before row `r`, from the rows of its block."""
    memo[COUNT, lane] = 0.0
    memo[ROWS, lane], memo[LAST, lane] = (N[r - 1, lane] if r > 0 else 0), number - 1
    for u in range(max(0, r - number % rows), r):
        _row(V, M, N, number - (r - u), ins, memo, kinds, rows, u, lane, lane + 1)


@njit(**inner)
def _back(memo, kinds, rows, here, a, b):
    """Where the sums of the rows stand that each window has before its block: a row of `memo`."""
    count, n, zero, apart, most = memo[COUNT, a:b], b - a, FRONT + 2 * kinds * rows, False, 0.0
    for i in range(n):
        most = max(most, count[i] if here[i] == 1 else 0.0)
    lacks = min(rows - int(most), rows - 1)
    for i in range(n):
        apart |= (count[i] != most) & (here[i] == 1)
    if lacks > 0 and not apart:
        return FRONT + 2 * kinds * lacks
    for i in range(n):
        lacks = min(rows - int(count[i]), rows - 1)
        for w in range(2 * kinds):
            memo[zero + w, a + i] = memo[FRONT + 2 * kinds * lacks + w, a + i] if lacks > 0 else 0.0
    return zero


@njit(**inner)
def _means(V, out, code, n, memo, at, r, a, b):
    fh, fe, bh, be = memo[FRONT, a:b], memo[FRONT + 1, a:b], memo[at, a:b], memo[at + 1, a:b]
    o = V[r, out[0] + a : out[0] + b]
    for i in range(b - a):
        h, e = formulas.total(fh[i], fe[i], bh[i], be[i])
        if code == SUM:
            o[i] = h + e
        else:
            o[i] = dd.div(h, e, n)[0]


@njit(**inner)
def _spreads(V, out, ins, code, p, n, memo, at, r, a, b):
    """Operators of the variance."""
    fh, fe, gh, ge = memo[FRONT, a:b], memo[FRONT + 1, a:b], memo[FRONT + 2, a:b], memo[FRONT + 3, a:b]
    bh, be, ch, ce = memo[at, a:b], memo[at + 1, a:b], memo[at + 2, a:b], memo[at + 3, a:b]
    pivot, x, o = memo[PIVOT, a:b], V[r, ins[0] + a : ins[0] + b], V[r, out[0] + a : out[0] + b]
    if code == ZSCORE:
        scale = n / (n - p[2])
        for i in range(b - a):
            square, sh, se = formulas.spread(fh[i], fe[i], bh[i], be[i], gh[i], ge[i], ch[i], ce[i], n)
            o[i] = formulas.zscore(x[i], pivot[i], square, sh, se, n, scale)
    elif code == BOLLINGER:
        middle, lower = V[r, out[1] + a : out[1] + b], V[r, out[2] + a : out[2] + b]
        for i in range(b - a):
            square, sh, se = formulas.spread(fh[i], fe[i], bh[i], be[i], gh[i], ge[i], ch[i], ce[i], n)
            mean, away = formulas.band(pivot[i], square, sh, se, n, p[2], p[3])
            o[i], middle[i], lower[i] = mean + away, mean, mean - away
    else:
        for i in range(b - a):
            square, _, _ = formulas.spread(fh[i], fe[i], bh[i], be[i], gh[i], ge[i], ch[i], ce[i], n)
            v = square / (n * (n - p[2]))
            o[i] = np.sqrt(v) if code == STD else v


@njit(**options)
def sums(V, M, N, bucket, interval, out, ins, p, memo, r0, r1, a, b):
    """Every operator of this family over rows [r0, r1) by lanes [a, b)."""
    code, rows = int(p[0]), int(p[1])
    kinds = 5 if len(ins) > 1 else 1 if code <= MEAN else 2
    if b - a == 1 and kinds <= 2:
        single.sums(V, M, N, bucket[r0] // interval, out, ins, p, memo, kinds, r0, r1, a)
        return
    number, n, stale = bucket[r0] // interval, float(rows), False
    held, last = memo[ROWS, a:b], memo[LAST, a:b]
    for i in range(b - a):
        before = N[r0 - 1, a + i] if r0 > 0 else 0
        stale |= (M[r0, a + i] == 1) & ((held[i] != before) | (last[i] >= number))
    for lane in range(a, b if stale or r1 - r0 > 1 else a):
        if memo[ROWS, lane] != (N[r0 - 1, lane] if r0 > 0 else 0) or memo[LAST, lane] >= number:
            _rebuild(V, M, N, number, ins, memo, kinds, rows, r0, lane)
    for r in range(r0, r1):
        _row(V, M, N, number + (r - r0), ins, memo, kinds, rows, r, a, b)
        at = _back(memo, kinds, rows, M[r, a:b], a, b)
        if kinds == 1:
            _means(V, out, code, n, memo, at, r, a, b)
        elif kinds == 2:
            _spreads(V, out, ins, code, p, n, memo, at, r, a, b)
        else:
            formulas.pairs(V, out, code, p, n, memo, at, r, a, b)
