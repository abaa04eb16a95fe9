"""Compiled scan operators: state in columns of every row, carried over rows that are not the node's.

An input that is not finite gives NaN for that bar and leaves the state as it was (E17). Parameters `p`: code, then what
the code needs. An all-zero state means that nothing has been seen.
"""

from __future__ import annotations

import numba
import numpy as np

from qmtl.ops import scan_averages as averages
from qmtl.ops import scan_lanes as lanes
from qmtl.ops import scan_ranges as ranges

options = {"cache": True, "error_model": "numpy", "nogil": True}


@numba.njit(**options)
def _take(V, r, lane, st, ins, s, x):
    """State after row r − 1 and inputs of row r; returns whether all inputs are finite."""
    for k in range(len(st)):
        s[k] = V[r - 1, st[k] + lane] if r > 0 else 0.0
    finite = True
    for k in range(len(ins)):
        x[k] = V[r, ins[k] + lane]
        finite = finite and np.isfinite(x[k])
    return finite


@numba.njit(**options)
def _give(V, r, lane, st, out, s, o):
    for k in range(len(st)):
        V[r, st[k] + lane] = s[k]
    for k in range(len(out)):
        V[r, out[k] + lane] = o[k]


@numba.njit(**options)
def averaging(V, M, bucket, out, st, ins, p, r0, r1, a, b):
    """Exponential averages, Wilder's oscillators and cumulative operators."""
    code = int(p[0])
    if code == averages.EMA:
        for r in range(r0, r1):
            lanes.ema_row(V, M, out, st, ins, p, r, a, b)
        return
    if code == averages.RSI or code == averages.CMO:
        for r in range(r0, r1):
            lanes.strength_row(V, M, out, st, ins, p, r, a, b, code == averages.CMO)
        return
    s, x, o = np.empty(len(st)), np.empty(len(ins)), np.empty(len(out))
    for lane in range(a, b):
        for r in range(r0, r1):
            finite = _take(V, r, lane, st, ins, s, x)
            o[:] = np.nan
            if M[r, lane] == 1 and (finite or code == averages.FFILL):
                averages.step(code, x, p, s, o)
            _give(V, r, lane, st, out, s, o)


@numba.njit(**options)
def ranging(V, M, bucket, out, st, ins, p, r0, r1, a, b):
    """Operators that follow true ranges and directions."""
    s, x, o, code = np.empty(len(st)), np.empty(len(ins)), np.empty(len(out)), int(p[0])
    for lane in range(a, b):
        for r in range(r0, r1):
            finite = _take(V, r, lane, st, ins, s, x)
            o[:] = np.nan
            if M[r, lane] == 1 and finite:
                ranges.step(code, x, p, s, o)
            _give(V, r, lane, st, out, s, o)
