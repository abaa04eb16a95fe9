"""Compiled: a bar that comes late, or again with another value, as a step of its own (E8, E9)."""

from __future__ import annotations

import numpy as np

from qmtl.core.compiled import njit
from qmtl.core.flow import clock_kernels as clocks
from qmtl.core.flow import correct_kernels as correct
from qmtl.core.flow import layout as at
from qmtl.core.flow.address_kernels import f64_1, i64_1, i64_2, options, within
from qmtl.core.flow.rectangle_kernels import groups_of, status_of, timelines_of, values_of
from qmtl.core.flow.settle_kernels import clocks_of, reached
from qmtl.core.flow.tell_kernels import same, tell
from qmtl.core.flow.timeline import NONE, PENDING, VALUE


@njit(**within)
def given(source, row, tables, i):
    """The values of arrival i: in row `row[i]` of the table of its source, or of the only table there is."""
    n = source if len(tables) > 1 else 0
    width = tables[n, 1]
    return f64_1(tables[n, 0] + 8 * row[i] * width, width)


@njit(**options)
def late(head, source, ts, available, row, tables, known, i):
    """A bar that corrects what is closed, as a step of its own (E8, E9, E12); false: the caller shall see to it.

    Left to the caller are bars that are refused anywhere, and those of sources that have revisions, are idle, or have
    streams that do not recompute.
    """
    q = i64_2(head[at.H_SOURCES], head[at.H_SOURCE_COUNT], at.S_FIELDS)[source[i]]
    if head[at.H_PLAIN] == 0 or q[at.S_PLAIN] == 0 or q[at.S_IDLE] != 0 or q[at.S_FINISHED] != 0:
        return False
    if ts[i] < q[at.S_ORIGIN] or ts[i] > available[i] + q[at.S_SKEW]:
        return False
    N = i64_2(head[at.H_ENTRIES], head[at.H_ENTRY_COUNT], at.N_FIELDS)
    C, x = clocks_of(head), given(source[i], row, tables, i)
    end = ts[i] + q[at.S_INTERVAL]
    for n in range(q[at.S_FIRST_ENTRY], q[at.S_END_ENTRY]):
        if not _corrects(head, N[n], ts[i], end, C[N[n, at.N_CLOCK], at.C_WM], x):
            return False
    head[at.H_NOW] = head[at.H_STEP] + i
    for n in range(q[at.S_FIRST_ENTRY], q[at.S_END_ENTRY]):
        _revise(head, N[n], ts[i], C[N[n, at.N_CLOCK], at.C_NEXT], x)
    log, used = i64_2(head[at.H_LOG], head[at.H_LOG_ROWS], 4), 0
    pending = i64_1(head[at.H_PENDING], head[at.H_CLOCK_COUNT] + 1)
    inputs = i64_2(head[at.H_INPUTS], head[at.H_INPUT_COUNT], at.BOUNDS)
    deps = i64_2(head[at.H_DEPS], head[at.H_DEP_COUNT], at.BOUNDS)
    for n in range(q[at.S_FIRST_ENTRY], q[at.S_END_ENTRY]):
        used = clocks.bar(C, inputs, deps, N[n, at.N_CLOCK], end, head[at.H_NOW], log, used, pending)
    reached(head, used)
    head[at.H_CHANGING] = 1
    q[at.S_TOP] = max(q[at.S_TOP], end)
    q[at.S_POSITION] += 1
    q[at.S_LAST] = available[i]
    head[at.H_POSITION] = i + 1
    return True


@njit(**options)
def _corrects(head, entry, ts, end, wm, x):
    """Whether an entry takes the bar: it has room, is no duplicate and not too late."""
    G, T = groups_of(head), timelines_of(head)
    g = G[entry[at.N_GROUP]]
    t = T[g[at.G_TIMELINE]]
    r = (ts - t[at.T_BASE]) // t[at.T_INTERVAL]
    if r < 0 or r >= t[at.T_CAPACITY] or head[at.H_RECORD_COUNT] >= head[at.H_RECORD_ROOM]:
        return False
    if head[at.H_TOLD_COUNT] + 2 * g[at.G_OUTS] > head[at.H_TOLD_ROOM]:
        return False
    horizon = entry[at.N_HORIZON]
    if end <= wm and horizon >= 0 and end + horizon <= wm:
        return False
    if status_of(g, t)[r, entry[at.N_LANE]] == NONE:
        return True
    V, take, out = values_of(t), i64_1(entry[at.N_TAKE], entry[at.N_TAKES]), i64_1(g[at.G_OUT], g[at.G_OUTS])
    for c in range(len(take)):
        if not same(V[r, out[c] + entry[at.N_LANE]], x[take[c]]):
            return True
    return False


@njit(**options)
def _revise(head, entry, ts, following, x):
    """Keep a bar whose bucket may be closed (buckets before `following` are), and tell its correction."""
    G, T = groups_of(head), timelines_of(head)
    index, lane = entry[at.N_GROUP], entry[at.N_LANE]
    g = G[index]
    t = T[g[at.G_TIMELINE]]
    r = (ts - t[at.T_BASE]) // t[at.T_INTERVAL]
    V, S = values_of(t), status_of(g, t)
    take, out = i64_1(entry[at.N_TAKE], entry[at.N_TAKES]), i64_1(g[at.G_OUT], g[at.G_OUTS])
    was, before = S[r, lane], np.empty(len(out))
    for c in range(len(take)):
        before[c] = V[r, out[c] + lane]
        V[r, out[c] + lane] = x[take[c]]
    entry[at.N_ARRIVALS] += 1
    entry[at.N_USED] += 1
    t[at.T_ROWS] = max(t[at.T_ROWS], r + 1)
    S[r, lane] = VALUE if ts < following else PENDING
    if ts < following and tell(head, index, lane, r, was, before):
        correct.changed(head, index, lane, r, r + 1)
