"""Compiled: what changed after its bucket had closed, as a record (E8)."""

from __future__ import annotations

import numpy as np

from qmtl.core.compiled import njit
from qmtl.core.flow import layout as at
from qmtl.core.flow.access_kernels import groups_of, status_of, timelines_of, values_of
from qmtl.core.flow.address_kernels import f64_1, i32_2, i64_1, i64_2, options
from qmtl.core.flow.timeline import NONE, VALUE


@njit(**options)
def same(x, y):
    """Equal bits, every NaN the same NaN (reading 10)."""
    if x != x or y != y:
        return x != x and y != y
    return x == y and (x != 0.0 or np.copysign(1.0, x) == np.copysign(1.0, y))


@njit(**options)
def tell(head, index, lane, r, was, before):
    """Record a row if its status or its bits moved; returns whether they did. Its status is already the new one."""
    G, T = groups_of(head), timelines_of(head)
    g = G[index]
    t = T[g[at.G_TIMELINE]]
    V, out, new = values_of(t), i64_1(g[at.G_OUT], g[at.G_OUTS]), status_of(g, t)[r, lane]
    if was == new:
        moved = False
        for c in range(len(out)):
            moved = moved or not same(V[r, out[c] + lane], before[c])
        if new != VALUE or not moved:
            return False
    elif new == NONE:
        return False
    versions = i32_2(g[at.G_VERSIONS], t[at.T_CAPACITY], g[at.G_LANES])
    if was != NONE:
        versions[r, lane] += 1
    record = i64_2(head[at.H_RECORDS], head[at.H_RECORD_ROOM], at.R_FIELDS)[head[at.H_RECORD_COUNT]]
    record[at.R_GROUP], record[at.R_LANE] = index, lane
    record[at.R_BUCKET] = t[at.T_BASE] + r * t[at.T_INTERVAL]
    record[at.R_VERSION], record[at.R_STEP] = versions[r, lane], head[at.H_NOW]
    record[at.R_WAS], record[at.R_KIND], record[at.R_TOLD] = was, new, head[at.H_TOLD_COUNT]
    values = f64_1(head[at.H_TOLD], head[at.H_TOLD_ROOM])
    n = head[at.H_TOLD_COUNT]
    for c in range(len(out)):
        values[n + c], values[n + len(out) + c] = before[c], V[r, out[c] + lane]
    head[at.H_RECORD_COUNT] += 1
    head[at.H_TOLD_COUNT] += 2 * len(out)
    return True
