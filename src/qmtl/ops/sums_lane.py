"""Compiled: sums of windows of one lane, down its rows: what a late bar corrects (:mod:`qmtl.ops.sums_kernels`).

The sums at work stay in registers; the numbers are those of a pass over many lanes, to the bit.
"""

from __future__ import annotations

import numpy as np

from qmtl.core.compiled import njit
from qmtl.ops import dd
from qmtl.ops import sums_formulas as formulas
from qmtl.ops.sums_formulas import BLOCK, BOLLINGER, COUNT, FRONT, LAST, PIVOT, ROWS, STD, SUM, ZSCORE, inner


@njit(**inner)
def _more(kinds, x, pivot, sh, se, qh, qe):
    """The sums of x and x², plus one row."""
    u, ue = (x, 0.0) if kinds == 1 else dd.two_sum(x, -pivot)
    sh, lost = dd.two_sum(sh, u)
    se += lost + ue
    if kinds == 2:
        p, pe = formulas.summand(1, u, ue, u, ue)
        qh, lost = dd.two_sum(qh, p)
        qe += lost + pe
    return sh, se, qh, qe


@njit(**inner)
def _back(V, M, memo, kinds, left, r, column, lane):
    """The sums of the `left` rows before row `r`, the first of a block, from the newest backwards."""
    pivot, at, u = V[r, column], FRONT + 2 * kinds, r - 1
    sh = se = qh = qe = 0.0
    while left > 0:
        if M[u, lane] == 1:
            sh, se, qh, qe = _more(kinds, V[u, column], pivot, sh, se, qh, qe)
            memo[at, lane], memo[at + 1, lane] = sh, se
            if kinds == 2:
                memo[at + 2, lane], memo[at + 3, lane] = qh, qe
            at += 2 * kinds
            left -= 1
        u -= 1


@njit(**inner)
def _answer(V, out, code, p, n, r, x, pivot, front, back, lane):
    """The operator of a window, from the sums of its two parts."""
    sh, se = formulas.total(front[0], front[1], back[0], back[1])
    o = out[0] + lane
    if code == SUM:
        V[r, o] = sh + se
    elif code <= formulas.MEAN:
        V[r, o] = dd.div(sh, se, n)[0]
    else:
        square, sh, se = formulas.spread(
            front[0], front[1], back[0], back[1], front[2], front[3], back[2], back[3], n
        )
        if code == ZSCORE:
            V[r, o] = formulas.zscore(x, pivot, square, sh, se, n, n / (n - p[2]))
        elif code == BOLLINGER:
            mean, away = formulas.band(pivot, square, sh, se, n, p[2], p[3])
            V[r, o], V[r, out[1] + lane], V[r, out[2] + lane] = mean + away, mean, mean - away
        else:
            v = square / (n * (n - p[2]))
            V[r, o] = np.sqrt(v) if code == STD else v


@njit(**inner)
def sums(V, M, N, number, out, ins, p, memo, kinds, r0, r1, lane):
    """Rows ``[r0, r1)`` of a lane; `number`: of the bucket of row r0, counted in intervals."""
    code, rows, column = int(p[0]), int(p[1]), ins[0] + lane
    holds = memo[ROWS, lane] == (N[r0 - 1, lane] if r0 > 0 else 0) and memo[LAST, lane] < number
    place, n, entered = number % rows, float(rows), -1
    r = r0 if holds else max(0, r0 - place)
    count = int(memo[COUNT, lane]) if holds and memo[BLOCK, lane] == number // rows else 0
    pivot, sh, se, qh, qe = memo[PIVOT, lane], memo[FRONT, lane], memo[FRONT + 1, lane], 0.0, 0.0
    if kinds == 2:
        qh, qe = memo[FRONT + 2, lane], memo[FRONT + 3, lane]
    place -= r0 - r
    while r < r1:
        if place == rows:
            place = 0
        if place == 0:
            count = 0
        if M[r, lane] == 1:
            x = V[r, column]
            if count == 0:
                _back(V, M, memo, kinds, min(rows - 1, N[r, lane] - 1), r, column, lane)
                pivot, sh, se, qh, qe = x, 0.0, 0.0, 0.0, 0.0
            sh, se, qh, qe = _more(kinds, x, pivot, sh, se, qh, qe)
            count += 1
            entered = r
            if r >= r0 and N[r, lane] >= rows:
                at, b0, b1, b2, b3 = FRONT + 2 * kinds * (rows - count), 0.0, 0.0, 0.0, 0.0
                if count < rows:
                    b0, b1 = memo[at, lane], memo[at + 1, lane]
                    if kinds == 2:
                        b2, b3 = memo[at + 2, lane], memo[at + 3, lane]
                _answer(V, out, code, p, n, r, x, pivot, (sh, se, qh, qe), (b0, b1, b2, b3), lane)
        r += 1
        place += 1
    if entered < 0 and holds:
        return
    last = number + (entered - r0) if entered >= 0 else number - 1
    memo[ROWS, lane], memo[LAST, lane] = N[r1 - 1, lane], last
    memo[COUNT, lane], memo[BLOCK, lane] = count, last // rows
    memo[PIVOT, lane], memo[FRONT, lane], memo[FRONT + 1, lane] = pivot, sh, se
    if kinds == 2:
        memo[FRONT + 2, lane], memo[FRONT + 3, lane] = qh, qe
