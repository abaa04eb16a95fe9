"""Compiled scan operators: a state per lane, carried over rows that are not the node's.

An input that is not finite gives NaN for that bar and leaves the state as it was (E17). Parameters `p`: code, then what
the code needs. An all-zero state means that nothing has been seen.
"""

from __future__ import annotations

import numpy as np

from qmtl.core.compiled import njit
from qmtl.ops import scan_averages as averages
from qmtl.ops import scan_lanes as lanes
from qmtl.ops import scan_ranges as ranges

options = {"cache": True, "error_model": "numpy", "nogil": True}


@njit(**options)
def _take(V, r, lane, ins, x):
    """Inputs of row r; returns whether all are finite."""
    finite = True
    for k in range(len(ins)):
        x[k] = V[r, ins[k] + lane]
        finite = finite and np.isfinite(x[k])
    return finite


@njit(**options)
def averaging(V, M, bucket, out, s, ins, p, r0, r1, a, b):
    """Exponential averages, Wilder's oscillators and cumulative operators."""
    code = int(p[0])
    if b - a == 1 and code == averages.EMA:
        lanes.ema_lane(V, M, out, s, ins, p, r0, r1, a)
        return
    if b - a == 1 and (code == averages.RSI or code == averages.CMO):
        lanes.strength_lane(V, M, out, s, ins, p, r0, r1, a, code == averages.CMO)
        return
    if code == averages.EMA:
        for r in range(r0, r1):
            lanes.ema_row(V, M, out, s, ins, p, r, a, b)
        return
    if code == averages.RSI or code == averages.CMO:
        for r in range(r0, r1):
            lanes.strength_row(V, M, out, s, ins, p, r, a, b, code == averages.CMO)
        return
    state, x, o = np.empty(len(s)), np.empty(len(ins)), np.empty(len(out))
    for lane in range(a, b):
        state[:] = s[:, lane]
        for r in range(r0, r1):
            o[:] = np.nan
            if M[r, lane] == 1 and (_take(V, r, lane, ins, x) or code == averages.FFILL):
                averages.step(code, x, p, state, o)
            for k in range(len(out)):
                V[r, out[k] + lane] = o[k]
        s[:, lane] = state


@njit(**options)
def ranging(V, M, bucket, out, s, ins, p, r0, r1, a, b):
    """Operators that follow true ranges and directions."""
    state, x, o, code = np.empty(len(s)), np.empty(len(ins)), np.empty(len(out)), int(p[0])
    for lane in range(a, b):
        state[:] = s[:, lane]
        for r in range(r0, r1):
            o[:] = np.nan
            if M[r, lane] == 1 and _take(V, r, lane, ins, x):
                ranges.step(code, x, p, state, o)
            for k in range(len(out)):
                V[r, out[k] + lane] = o[k]
        s[:, lane] = state
