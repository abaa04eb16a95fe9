"""Compiled window operators computed from the gathered window: O(rows) a bar, exact by construction.

Parameters `p`: code, rows, then what the code needs. A window with a value that is not finite gives NaN (E17).
"""

from __future__ import annotations

import numpy as np

from qmtl.core.compiled import njit
from qmtl.ops import direct_formulas as formulas
from qmtl.ops import direct_ranges as ranges

options = {"cache": True, "error_model": "numpy", "nogil": True}


@njit(**options)
def _gather(V, M, ins, r, lane, rows, X):
    """The window's values, oldest first; returns whether all are finite."""
    finite, u = True, r
    for i in range(rows - 1, -1, -1):
        while M[u, lane] == 0:
            u -= 1
        for k in range(len(ins)):
            v = V[u, ins[k] + lane]
            X[k, i] = v
            finite = finite and np.isfinite(v)
        u -= 1
    return finite


@njit(**options)
def statistics(V, M, N, bucket, interval, out, ins, p, memo, r0, r1, a, b):
    """Order statistics, weighted means, moments and regressions."""
    rows = int(p[1])
    X, o, work = np.empty((len(ins), rows)), np.empty(len(out)), np.empty(rows)
    for lane in range(a, b):
        for r in range(r0, r1):
            if M[r, lane] == 0 or N[r, lane] < rows:
                continue
            o[:] = np.nan
            if _gather(V, M, ins, r, lane, rows, X):
                formulas.compute(int(p[0]), X, rows, p, work, o)
            for c in range(len(out)):
                V[r, out[c] + lane] = o[c]


@njit(**options)
def extremes(V, M, N, bucket, interval, out, ins, p, memo, r0, r1, a, b):
    """Operators made of highs, lows and changes within the window."""
    rows = int(p[1])
    X, o = np.empty((len(ins), rows)), np.empty(len(out))
    for lane in range(a, b):
        for r in range(r0, r1):
            if M[r, lane] == 0 or N[r, lane] < rows:
                continue
            o[:] = np.nan
            if _gather(V, M, ins, r, lane, rows, X):
                ranges.compute(int(p[0]), X, rows, p, o)
            for c in range(len(out)):
                V[r, out[c] + lane] = o[c]
