"""Compiled operators across the lanes of a panel, row by row; absent lanes (M = 0) do not take part."""

from __future__ import annotations

import numpy as np

from qmtl.core.compiled import njit

MEAN, RANK, ZSCORE, DEMEAN, TOP, BOTTOM = range(6)

options = {"cache": True, "error_model": "numpy", "nogil": True}


@njit(**options)
def _place(x, n, i):
    """How many of the first n values are below x[i], and how many equal it."""
    below, equal = 0, 0
    for j in range(n):
        below += 1 if x[j] < x[i] else 0
        equal += 1 if x[j] == x[i] else 0
    return below, equal


@njit(**options)
def _lane(code, p, x, n, i, mean, std):
    """The answer for the i-th lane present; lanes that are NaN take no part and stay NaN."""
    if x[i] != x[i] or code == MEAN:
        return mean if code == MEAN else np.nan
    if code == DEMEAN:
        return x[i] - mean
    if code == ZSCORE:
        return 0.0 if std == 0.0 else (x[i] - mean) / std
    below, equal = _place(x, n, i)
    count = 0
    for j in range(n):
        count += 1 if x[j] == x[j] else 0
    if code == RANK:
        return 0.5 if count == 1 else (below + (equal - 1) / 2.0) / (count - 1.0)
    before = 0  # of equals, the earlier lane comes first
    for j in range(i):
        before += 1 if x[j] == x[i] else 0
    place = before + (count - below - equal if code == TOP else below)
    return 1.0 if place < p[1] else 0.0


@njit(**options)
def across(V, M, out, ins, p, r0, r1, lanes):
    """p: code, k. Sums run in the order of the lanes."""
    code = int(p[0])
    x = np.empty(lanes)
    for r in range(r0, r1):
        n, count, total = 0, 0, 0.0
        for lane in range(lanes):
            if M[r, lane] == 1:
                x[n] = V[r, ins[0] + lane]
                if x[n] == x[n]:
                    total += x[n]
                    count += 1
                n += 1
        mean = total / count if count > 0 else np.nan
        if code == MEAN:
            V[r, out[0]] = mean
            continue
        square = 0.0
        for j in range(n):
            square += (x[j] - mean) ** 2 if x[j] == x[j] else 0.0
        std = np.sqrt(square / count) if count > 0 else np.nan
        at = 0
        for lane in range(lanes):
            if M[r, lane] == 1:
                V[r, out[0] + lane] = _lane(code, p, x, n, at, mean, std)
                at += 1
