"""Compiled: the bars of one time from all sources of a panel, in one pass over its lanes.

Where every source of a group of bar streams brings its next bar, in the order of the lanes and nothing out of the
ordinary, a row is stored and the clocks move as they would arrival by arrival (E2–E4, E12); only faster. The columns of
the table are in :mod:`qmtl.core.flow.layout`.
"""

from __future__ import annotations

from qmtl.core.compiled import njit
from qmtl.core.flow import clock_kernels as clocks
from qmtl.core.flow import layout as at
from qmtl.core.flow.access_kernels import (
    clocks_of,
    entries_of,
    groups_of,
    sources_of,
    status_of,
    timelines_of,
    values_of,
)
from qmtl.core.flow.address_kernels import f64_2, i32_2, i64_1, i64_2, inner, options, within
from qmtl.core.flow.timeline import PENDING


@njit(**options)
def row(head, number, kind, source, ts, available, place, tables, i, stop, log, used):
    """Take the arrivals from `i` on, but none from `stop` on, as one row of panel `number`.

    Returns how many were taken, all of the panel's or none, and the rows of the log used.
    """
    P = i64_2(head[at.H_PANELS], head[at.H_PANEL_COUNT], at.P_FIELDS)[number]
    G, T = groups_of(head), timelines_of(head)
    g = G[P[at.P_GROUP]]
    t = T[g[at.G_TIMELINE]]
    n, r = P[at.P_LANES], (ts[i] - t[at.T_BASE]) // t[at.T_INTERVAL]
    if i + n > stop or used + P[at.P_MOST] > len(log) or t[at.T_ROWS] == 0 or r < 0 or r >= t[at.T_CAPACITY]:
        return 0, used
    if not _alike(P, kind, source, ts, i) or not _in_step(head, P, t, ts[i], available[i : i + n]):
        return 0, used
    head[at.H_PANEL_ROWS] += 1
    _store(head, P, g, t, r, place[i : i + n], tables)
    return n, _move(head, P, t, ts[i], available[i : i + n], head[at.H_STEP] + i, log, used)


@njit(**within)
def _alike(P, kind, source, ts, i):
    """Whether the arrivals are bars of one time, in the order of the panel's sources."""
    n, first, time, unlike = P[at.P_LANES], P[at.P_SOURCE], ts[i], False
    kinds, sources, times = kind[i : i + n], source[i : i + n], ts[i : i + n]
    if sources[n - 1] != first + n - 1:
        return False
    for lane in range(n):
        unlike |= kinds[lane] != 0
    for lane in range(n):
        unlike |= sources[lane] != first + lane
    for lane in range(n):
        unlike |= times[lane] != time
    return not unlike


@njit(**within)
def _in_step(head, P, t, time, available):
    """Whether every lane goes forward, and all their clocks stand at one place."""
    Q, C, n = sources_of(head), clocks_of(head), P[at.P_LANES]
    s, k = P[at.P_SOURCE], P[at.P_CLOCK]
    top, idle, finished = Q[at.S_TOP, s : s + n], Q[at.S_IDLE, s : s + n], Q[at.S_FINISHED, s : s + n]
    origin, skew, seen = Q[at.S_ORIGIN, s : s + n], Q[at.S_SKEW, s : s + n], C[at.C_SEEN, k : k + n]
    wm, following, front = C[at.C_WM, k : k + n], C[at.C_NEXT, k : k + n], C[at.C_FRONT, k : k + n]
    end, moved, apart = time + t[at.T_INTERVAL], False, following[0] < t[at.T_BASE]
    for lane in range(n):
        moved |= (top[lane] >= end) | (seen[lane] >= end) | ((idle[lane] | finished[lane]) != 0)
    for lane in range(n):
        moved |= (origin[lane] > time) | (available[lane] + skew[lane] < time)
    for lane in range(n):
        apart |= (wm[lane] != wm[0]) | (following[lane] != following[0]) | (front[lane] != front[0])
    return not moved and not apart


@njit(**within)
def _beside(place):
    """Whether rows of a table follow each other."""
    apart = False
    for lane in range(len(place)):
        apart |= place[lane] != place[0] + lane
    return not apart


@njit(**within)
def _store(head, P, g, t, r, place, tables):
    Q, N, n = sources_of(head), entries_of(head), P[at.P_LANES]
    s, e = P[at.P_SOURCE], P[at.P_ENTRY]
    V, out = values_of(t), i64_1(g[at.G_OUT], g[at.G_OUTS])
    take = i64_1(P[at.P_TAKE], P[at.P_TAKES])
    if head[at.H_COLUMNS] != 0:
        X = f64_2(head[at.H_COLUMNS], head[at.H_ROW_WIDTH], head[at.H_SOURCE_COUNT])
        for c in range(len(take)):
            column, given = V[r, out[c] : out[c] + n], X[take[c], s : s + n]
            for lane in range(n):
                column[lane] = given[lane]
    elif len(tables) == 1 and _beside(place):
        X = f64_2(tables[0, 0], place[0] + n, tables[0, 1])[place[0] :]
        for c in range(len(take)):
            column, given = V[r, out[c] : out[c] + n], X[:, take[c]]
            for lane in range(n):
                column[lane] = given[lane]
    else:
        for lane in range(n):
            where = tables[s + lane if len(tables) > 1 else 0]
            x = f64_2(where[0], place[lane] + 1, where[1])[place[lane]]
            for c in range(len(take)):
                V[r, out[c] + lane] = x[take[c]]
    status_of(g, t)[r, :n] = PENDING
    t[at.T_ROWS] = max(t[at.T_ROWS], r + 1)
    arrivals, used, position = (
        N[at.N_ARRIVALS, e : e + n],
        N[at.N_USED, e : e + n],
        Q[at.S_POSITION, s : s + n],
    )
    for lane in range(n):
        arrivals[lane] += 1
        used[lane] += 1
        position[lane] += 1


@njit(**within)
def _move(head, P, t, time, available, step, log, used):
    """The clocks: that of the first lane by the rule, the others alike, then those that depend on them."""
    Q, C, n = sources_of(head), clocks_of(head), P[at.P_LANES]
    s, k, end = P[at.P_SOURCE], P[at.P_CLOCK], time + t[at.T_INTERVAL]
    Q[at.S_TOP, s : s + n] = end
    arrived = Q[at.S_LAST, s : s + n]
    for lane in range(n):
        arrived[lane] = available[lane]
    if P[at.P_LATER_COUNT] < 0:
        return _one_by_one(head, P, end, step, log, used)
    C[at.C_SEEN, k : k + n] = end
    wm, start, front = end - C[at.C_LATENESS, k], C[at.C_NEXT, k], C[at.C_FRONT, k]
    if wm <= C[at.C_WM, k]:
        return used
    C[at.C_WM, k : k + n] = wm
    clocks.close(C, k, step, log, used)
    stop = C[at.C_NEXT, k]
    if stop > start:
        _closed(head, P, t, start, stop, step)
    C[at.C_NEXT, k : k + n] = stop
    C[at.C_FRONT, k : k + n] = C[at.C_FRONT, k]
    if C[at.C_FRONT, k] == front:
        return used
    inputs = i64_2(head[at.H_INPUTS], head[at.H_INPUT_COUNT], at.BOUNDS)
    later = i64_2(P[at.P_LATER], P[at.P_LATER_COUNT], at.LATER)
    for m in range(len(later)):
        one, last, alone, slack = later[m]
        if alone == 1:
            raw, C[at.C_IDLE, one] = C[at.C_FRONT, k] + slack, 0
            C[at.C_RAW, one], C[at.C_AT_RAW, one] = raw, C[at.C_END_INPUT, one] - C[at.C_FIRST_INPUT, one]
        else:
            raw = clocks.rescan(C, inputs, one)
        if raw > C[at.C_WM, one]:
            C[at.C_WM, one] = raw
            used = clocks.close(C, one, step + last, log, used)
    return used


@njit(**inner)
def _one_by_one(head, P, end, step, log, used):
    C, inputs = clocks_of(head), i64_2(head[at.H_INPUTS], head[at.H_INPUT_COUNT], at.BOUNDS)
    deps = i64_2(head[at.H_DEPS], head[at.H_DEP_COUNT], at.BOUNDS)
    pending = i64_1(head[at.H_PENDING], head[at.H_CLOCK_COUNT] + 1)
    for lane in range(P[at.P_LANES]):
        used = clocks.bar(C, inputs, deps, P[at.P_CLOCK] + lane, end, step + lane, log, used, pending)
    return used


@njit(**within)
def _closed(head, P, t, start, stop, step):
    """Every lane closes buckets ``[start, stop)``, each at its own arrival."""
    count, n, k = head[at.H_CLOCK_COUNT], P[at.P_LANES], P[at.P_CLOCK]
    begin, end = i64_1(head[at.H_BEGIN], count)[k : k + n], i64_1(head[at.H_END], count)[k : k + n]
    closed = i32_2(t[at.T_CLOSED], t[at.T_CAPACITY], count)
    for lane in range(n):
        begin[lane] = min(begin[lane], start)
        end[lane] = max(end[lane], stop)
    first = (start - t[at.T_BASE]) // t[at.T_INTERVAL]
    for r in range(first, first + (stop - start) // t[at.T_INTERVAL]):
        steps = closed[r, k : k + n]
        for lane in range(n):
            steps[lane] = step + lane + 1
    head[at.H_SWEPT] += 1
