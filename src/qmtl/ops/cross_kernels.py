"""Compiled operators across the lanes of a panel, row by row; absent lanes (M = 0) do not take part."""

from __future__ import annotations

import numpy as np

from qmtl.core.compiled import njit
from qmtl.ops import dd

MEAN, RANK, ZSCORE, DEMEAN, TOP, BOTTOM = range(6)

options = {"cache": True, "error_model": "numpy", "nogil": True}
bare = options | {"_nrt": False}  # nothing is allocated


@njit(**bare)
def _total(x, lost, n):
    """The sum of the first n of x without rounding errors, folded in halves; both arrays are used up."""
    for i in range(n):
        lost[i] = 0.0
    while n > 1:
        half = (n + 1) // 2
        for i in range(n - half):
            x[i], e = dd.two_sum(x[i], x[i + half])
            lost[i] += lost[i + half] + e
        n = half
    return x[0] + lost[0] if x[0] - x[0] == 0.0 else x[0]


@njit(**bare)
def _mean(x, here, work, lost):
    """The mean of the lanes that are here and not NaN (NaN where there are none), and how many they are."""
    count = 0
    for i in range(len(x)):
        takes_part = (here[i] == 1) & (x[i] == x[i])
        work[i] = x[i] if takes_part else 0.0
        count += 1 if takes_part else 0
    return (_total(work, lost, len(x)) / count if count > 0 else np.nan), count


@njit(**bare)
def _deviation(x, here, mean, count, work, lost):
    """The population standard deviation of the same lanes."""
    for i in range(len(x)):
        takes_part = (here[i] == 1) & (x[i] == x[i])
        work[i] = (x[i] - mean) ** 2 if takes_part else 0.0
    return np.sqrt(_total(work, lost, len(x)) / count) if count > 0 else np.nan


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
    """p: code, k."""
    code = int(p[0])
    x, lost = np.empty(lanes), np.empty(lanes)
    for r in range(r0, r1):
        given, here = V[r, ins[0] : ins[0] + lanes], M[r, :lanes]
        mean, count = _mean(given, here, x, lost)
        if code == MEAN:
            V[r, out[0]] = mean
            continue
        std = _deviation(given, here, mean, count, x, lost) if code == ZSCORE else 0.0
        at, n = 0, 0
        for lane in range(lanes):
            if M[r, lane] == 1:
                x[n] = V[r, ins[0] + lane]
                n += 1
        for lane in range(lanes):
            if M[r, lane] == 1:
                V[r, out[0] + lane] = _lane(code, p, x, n, at, mean, std)
                at += 1
