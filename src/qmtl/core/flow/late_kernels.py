"""Compiled: a bar that comes late, or again with another value, as a step of its own (E8, E9)."""

from __future__ import annotations

from qmtl.core.compiled import njit
from qmtl.core.flow import clock_kernels as clocks
from qmtl.core.flow import correct_kernels as correct
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
from qmtl.core.flow.address_kernels import array, f64_1, f64_2, i64_1, i64_2, inner, options
from qmtl.core.flow.close_kernels import close_clock, close_joined
from qmtl.core.flow.settle_kernels import forget, pending, reached
from qmtl.core.flow.tell_kernels import same, tell
from qmtl.core.flow.timeline import NONE, PENDING, VALUE


@njit(**array)
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
    if not _taken(head, source, ts, available, row, tables, i):
        return False
    Q, N, C, s = sources_of(head), entries_of(head), clocks_of(head), source[i]
    first, stop, end = Q[at.S_FIRST_ENTRY, s], Q[at.S_END_ENTRY, s], ts[i] + Q[at.S_INTERVAL, s]
    _keep(head, source, ts, available, row, tables, i)
    log, used = i64_2(head[at.H_LOG], head[at.H_LOG_ROWS], 4), 0
    ahead = i64_1(head[at.H_PENDING], head[at.H_CLOCK_COUNT] + 1)
    inputs = i64_2(head[at.H_INPUTS], head[at.H_INPUT_COUNT], at.BOUNDS)
    deps = i64_2(head[at.H_DEPS], head[at.H_DEP_COUNT], at.BOUNDS)
    for n in range(first, stop):
        used = clocks.bar(C, inputs, deps, N[at.N_CLOCK, n], end, head[at.H_NOW], log, used, ahead)
    forget(head)
    reached(head, used)
    head[at.H_CLOSING] = 1 if used > 0 else 0
    return True


@njit(**options)
def aside(head, source, ts, available, row, tables, i):
    """As `late`, before what is pending closes: a bar that moves no clock, and whose readers have nothing pending.

    Closings of other lanes neither see the correction nor are seen by it, so their order does not matter. What its own
    lanes have pending is computed first. False: it is not so simple.
    """
    if not pending(head) or head[at.H_AUTHORS] == 1:
        return False
    Q, N, C, s = sources_of(head), entries_of(head), clocks_of(head), source[i]
    end = ts[i] + Q[at.S_INTERVAL, s]
    for n in range(Q[at.S_FIRST_ENTRY, s], Q[at.S_END_ENTRY, s]):
        if end > C[at.C_SEEN, N[at.N_CLOCK, n]]:
            return False
    if not _taken(head, source, ts, available, row, tables, i):
        return False
    if head[at.H_JOINED] == 1 and not close_joined(head):
        return False
    for n in range(Q[at.S_FIRST_ENTRY, s], Q[at.S_END_ENTRY, s]):
        if not close_clock(head, N[at.N_CLOCK, n]):
            return False
    _keep(head, source, ts, available, row, tables, i)
    return True


@njit(**options)
def repeated(head, source, ts, available, row, tables, i):
    """Whether a bar is a duplicate everywhere (E7, E12): then it is counted and told, and changes nothing."""
    Q, N, C, s = sources_of(head), entries_of(head), clocks_of(head), source[i]
    first, stop, end = Q[at.S_FIRST_ENTRY, s], Q[at.S_END_ENTRY, s], ts[i] + Q[at.S_INTERVAL, s]
    if (
        not _plain(head, s, ts[i], available[i])
        or head[at.H_REPEAT_COUNT] + stop - first > head[at.H_REPEAT_ROOM]
    ):
        return False
    x = given(s, row, tables, i)
    for n in range(first, stop):
        if end > C[at.C_SEEN, N[at.N_CLOCK, n]] or not _known(head, n, ts[i], x):
            return False
    for n in range(first, stop):
        _refuse(head, n, head[at.H_STEP] + i, ts[i], x)
    Q[at.S_POSITION, s] += 1
    Q[at.S_LAST, s] = available[i]
    head[at.H_POSITION] = i + 1
    return True


@njit(**inner)
def _refuse(head, n, step, ts, x):
    """Count a duplicate at an entry, and tell it."""
    N, count = entries_of(head), head[at.H_REPEAT_COUNT]
    told = i64_2(head[at.H_REPEATS], head[at.H_REPEAT_ROOM], at.D_FIELDS)[count]
    told[at.D_ENTRY], told[at.D_STEP], told[at.D_TS] = n, step, ts
    values, take = (
        f64_2(head[at.H_REPEAT_VALUES], head[at.H_REPEAT_ROOM], head[at.H_REPEAT_WIDTH])[count],
        i64_1(N[at.N_TAKE, n], N[at.N_TAKES, n]),
    )
    for c in range(len(take)):
        values[c] = x[take[c]]
    N[at.N_ARRIVALS, n] += 1
    N[at.N_DUPLICATE, n] += 1
    head[at.H_REPEAT_COUNT] += 1


@njit(**inner)
def _plain(head, s, ts, available):
    """Whether nothing but lateness or repetition can be the matter with a bar."""
    Q = sources_of(head)
    if head[at.H_PLAIN] == 0 or Q[at.S_PLAIN, s] == 0 or Q[at.S_IDLE, s] != 0 or Q[at.S_FINISHED, s] != 0:
        return False
    return ts >= Q[at.S_ORIGIN, s] and ts <= available + Q[at.S_SKEW, s]


@njit(**inner)
def _known(head, n, ts, x):
    """Whether an entry has a bar of that time, with the same bits."""
    G, T, N = groups_of(head), timelines_of(head), entries_of(head)
    g, lane = G[N[at.N_GROUP, n]], N[at.N_LANE, n]
    t = T[g[at.G_TIMELINE]]
    r = (ts - t[at.T_BASE]) // t[at.T_INTERVAL]
    if r < 0 or r >= t[at.T_ROWS] or status_of(g, t)[r, lane] == NONE:
        return False
    V, take, out = values_of(t), i64_1(N[at.N_TAKE, n], N[at.N_TAKES, n]), i64_1(g[at.G_OUT], g[at.G_OUTS])
    for c in range(len(take)):
        if not same(V[r, out[c] + lane], x[take[c]]):
            return False
    return True


@njit(**inner)
def _taken(head, source, ts, available, row, tables, i):
    """Whether every entry of the source takes the bar, as a correction of the kind that compiled code does."""
    Q, s = sources_of(head), source[i]
    if not _plain(head, s, ts[i], available[i]):
        return False
    N, C, x, end = entries_of(head), clocks_of(head), given(s, row, tables, i), ts[i] + Q[at.S_INTERVAL, s]
    for n in range(Q[at.S_FIRST_ENTRY, s], Q[at.S_END_ENTRY, s]):
        if not _corrects(head, n, ts[i], end, C[at.C_WM, N[at.N_CLOCK, n]], x):
            return False
    return True


@njit(**inner)
def _keep(head, source, ts, available, row, tables, i):
    """Store the bar at every entry of its source; what it changes is corrected next."""
    Q, N, C, s = sources_of(head), entries_of(head), clocks_of(head), source[i]
    x = given(s, row, tables, i)
    head[at.H_NOW] = head[at.H_STEP] + i
    for n in range(Q[at.S_FIRST_ENTRY, s], Q[at.S_END_ENTRY, s]):
        _revise(head, n, ts[i], C[at.C_NEXT, N[at.N_CLOCK, n]], x)
    Q[at.S_TOP, s] = max(Q[at.S_TOP, s], ts[i] + Q[at.S_INTERVAL, s])
    Q[at.S_POSITION, s] += 1
    Q[at.S_LAST, s] = available[i]
    head[at.H_POSITION], head[at.H_GROUP], head[at.H_CHANGING] = i + 1, 0, 1


@njit(**inner)
def _corrects(head, n, ts, end, wm, x):
    """Whether an entry takes the bar: it has room, is no duplicate and not too late."""
    G, T, N = groups_of(head), timelines_of(head), entries_of(head)
    g = G[N[at.N_GROUP, n]]
    t = T[g[at.G_TIMELINE]]
    r = (ts - t[at.T_BASE]) // t[at.T_INTERVAL]
    if r < 0 or r >= t[at.T_CAPACITY] or head[at.H_RECORD_COUNT] >= head[at.H_RECORD_ROOM]:
        return False
    if head[at.H_TOLD_COUNT] + 2 * g[at.G_OUTS] > head[at.H_TOLD_ROOM]:
        return False
    horizon = N[at.N_HORIZON, n]
    if end <= wm and horizon >= 0 and end + horizon <= wm:
        return False
    return not _known(head, n, ts, x)


@njit(**inner)
def _revise(head, n, ts, following, x):
    """Keep a bar whose bucket may be closed (buckets before `following` are), and tell its correction."""
    G, T, N = groups_of(head), timelines_of(head), entries_of(head)
    index, lane = N[at.N_GROUP, n], N[at.N_LANE, n]
    g = G[index]
    t = T[g[at.G_TIMELINE]]
    r = (ts - t[at.T_BASE]) // t[at.T_INTERVAL]
    V, S = values_of(t), status_of(g, t)
    take, out = i64_1(N[at.N_TAKE, n], N[at.N_TAKES, n]), i64_1(g[at.G_OUT], g[at.G_OUTS])
    was, before = (
        S[r, lane],
        f64_1(head[at.H_TOLD] + 8 * head[at.H_TOLD_COUNT], len(out)),
    )  # where `tell` puts them
    for c in range(len(take)):
        before[c] = V[r, out[c] + lane]
        V[r, out[c] + lane] = x[take[c]]
    N[at.N_ARRIVALS, n] += 1
    N[at.N_USED, n] += 1
    t[at.T_ROWS] = max(t[at.T_ROWS], r + 1)
    S[r, lane] = VALUE if ts < following else PENDING
    if ts < following and tell(head, index, lane, r, was, before):
        correct.changed(head, index, lane, r, r + 1)
