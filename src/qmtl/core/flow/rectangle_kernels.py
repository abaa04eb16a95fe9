"""Compiled: statuses and values of a rectangle of one group, rows ``[r0, r1)`` by lanes ``[a, b)`` (E5, E6).

Everything is read from the tables of :mod:`qmtl.core.flow.layout`; `head` says where they are.
"""

from __future__ import annotations

from qmtl.core.compiled import njit
from qmtl.core.flow import layout as at
from qmtl.core.flow import status_kernels as cells
from qmtl.core.flow.access_kernels import (
    copies_of,
    counts_of,
    edges_of,
    groups_of,
    rows_of,
    state_of,
    status_of,
    timelines_of,
    values_of,
)
from qmtl.core.flow.address_kernels import (
    call_cross,
    call_map,
    call_scan,
    call_window,
    f64_1,
    f64_2,
    i64_1,
    i64_2,
    inner,
    options,
    u8_1,
    u8_2,
)
from qmtl.core.flow.timeline import COPY, VALUE


@njit(**options)
def close_rectangle(head, index, r0, r1, a, b):
    """Statuses and values, in blocks of rows."""
    G, T = groups_of(head), timelines_of(head)
    g = G[index]
    t = T[g[at.G_TIMELINE]]
    masked = head[at.H_MASKED] == 1
    if g[at.G_KIND] == at.BARS:
        if masked:
            cells.close_bars_but(status_of(g, t), u8_1(head[at.H_MASK], g[at.G_LANES]), r0, a, b)
        else:
            cells.close_bars(status_of(g, t), r0, r1, a, b)
        return
    for start in range(r0, r1, at.BLOCK):
        stop = min(r1, start + at.BLOCK)
        if g[at.G_KIND] == at.CROSS:
            cross(head, index, start, stop, a, b)
            continue
        if masked or not _steady(head, g, t, start, stop, a, b):
            statuses(head, index, start, stop, a, b)
        values(head, index, start, stop, a, b)


@njit(**inner)
def _steady(head, g, t, r0, r1, a, b):
    """Whether every input of every cell has its value and no cell is in warm-up; then all are rows with a value.

    Groups that share the planes of rows have the same inputs: `head` remembers what was found for the first of them.
    """
    if g[at.G_PLAIN] == 0 or r0 == 0:
        return False
    known = head[at.H_STEADY] == g[at.G_M] and head[at.H_STEADY_FROM] == r0 and head[at.H_STEADY_TO] == r1
    if not (known and head[at.H_STEADY_A] == a and head[at.H_STEADY_B] == b):
        head[at.H_STEADY] = 0
        if not _all_rows(head, g, t, r0, r1, a, b):
            return False
    if head[at.H_STEADY_ROWS] < g[at.G_ROWS] - 1:
        return False
    S = status_of(g, t)
    for r in range(r0, r1):
        S[r, a:b] = VALUE
    return True


@njit(**inner)
def _all_rows(head, g, t, r0, r1, a, b):
    """Whether every input of every cell has its value; then the planes of rows say so, and `head` remembers it."""
    G, E, M, N = groups_of(head), edges_of(head), rows_of(g, t), counts_of(g, t)
    before, lacking = N[r0 - 1, a:b], False
    for n in range(g[at.G_FIRST_EDGE], g[at.G_END_EDGE]):
        U, first = status_of(G[E[n, at.E_UP]], t), E[n, at.E_FIRST_LANE]
        for r in range(r0, r1):
            there = U[r, first + a : first + b]
            for i in range(b - a):
                lacking |= there[i] != VALUE
    if lacking:
        return False
    least = before[0]
    for i in range(b - a):
        least = min(least, before[i])
    head[at.H_STEADY], head[at.H_STEADY_ROWS] = g[at.G_M], least
    head[at.H_STEADY_FROM], head[at.H_STEADY_TO], head[at.H_STEADY_A], head[at.H_STEADY_B] = r0, r1, a, b
    for r in range(r0, r1):
        M[r, a:b] = 1
        now, last = N[r, a:b], N[r - 1, a:b]
        for i in range(b - a):
            now[i] = last[i] + 1
    return True


@njit(**options)
def statuses(head, index, r0, r1, a, b):
    """Which rows are rows of the node, and what each bucket comes to; at most `BLOCK` rows."""
    G, T, E = groups_of(head), timelines_of(head), edges_of(head)
    g = G[index]
    if g[at.G_KIND] == at.RESAMPLE:
        return
    t = T[g[at.G_TIMELINE]]
    S, M, N = status_of(g, t), rows_of(g, t), counts_of(g, t)
    size = (r1 - r0) * (b - a)
    W = u8_2(head[at.H_WORK], r1 - r0, b - a)
    u8_1(head[at.H_WORK], size)[:] = 0
    if head[at.H_MASKED] == 1:
        mask, w = u8_1(head[at.H_MASK], g[at.G_LANES])[a:b], W[0]
        for i in range(b - a):
            w[i] = cells.ASIDE * mask[i]
    for n in range(g[at.G_FIRST_EDGE], g[at.G_END_EDGE]):
        e = E[n]
        up = G[e[at.E_UP]]
        if e[at.E_RELATION] == at.OWN:
            U, lanes = status_of(up, t), i64_1(e[at.E_LANES], g[at.G_LANES])
            required, computed, first = e[at.E_REQUIRED] == 1, e[at.E_COMPUTED] == 1, e[at.E_FIRST_LANE]
            if first >= 0:
                cells.fold_beside(W, U, first, required, computed, r0, r1, a, b)
            else:
                cells.fold_own(W, U, lanes, required, computed, r0, r1, a, b)
        elif e[at.E_RELATION] == at.COARSER:
            _fold_coarse(head, g, e, W, r0, r1, a, b)
    cells.count_rows(W, M, N, g[at.G_NEEDS_ROW] == 1, r0, r1, a, b)
    cells.judge(W, S, M, N, g[at.G_ROWS], r0, r1, a, b)


@njit(**inner)
def _fold_coarse(head, g, e, W, r0, r1, a, b):
    G, T = groups_of(head), timelines_of(head)
    up = G[e[at.E_UP]]
    t, u = T[g[at.G_TIMELINE]], T[up[at.G_TIMELINE]]
    lanes = i64_1(e[at.E_LANES], g[at.G_LANES])
    seen = i64_2(head[at.H_AT], r1 - r0, b - a)
    required, computed = e[at.E_REQUIRED] == 1, e[at.E_COMPUTED] == 1
    U, base, interval = status_of(up, u), u[at.T_BASE], u[at.T_INTERVAL]
    own = (t[at.T_BASE], t[at.T_INTERVAL])
    cells.fold_coarse(
        W, U, base, interval, u[at.T_ROWS], lanes, required, computed, own[0], own[1], r0, r1, a, b, seen
    )
    if e[at.E_SCRATCH] < 0:
        return
    columns, V, X = i64_1(e[at.E_COLUMNS], e[at.E_COLUMN_COUNT]), values_of(t), values_of(u)
    for number in range(len(columns)):
        off = e[at.E_SCRATCH] + number * g[at.G_LANES]
        cells.gather_at(V, off, X, columns[number], lanes, seen, r0, r1, a, b)


@njit(**options)
def values(head, index, r0, r1, a, b):
    """Outputs of a compiled group at rows whose statuses are known."""
    G, T = groups_of(head), timelines_of(head)
    g = G[index]
    t = T[g[at.G_TIMELINE]]
    if g[at.G_KIND] == at.RESAMPLE:
        _resample(head, g, r0, r1, a, b)
        return
    V, M, N = values_of(t), rows_of(g, t), counts_of(g, t)
    if g[at.G_GATHERS] == 1:
        _gather(head, g, V, r0, r1, a, b)
    out, ins = i64_1(g[at.G_OUT], g[at.G_OUTS]), i64_1(g[at.G_IN], g[at.G_INS])
    p, bucket = f64_1(g[at.G_ARGS], g[at.G_ARG_COUNT]), i64_1(t[at.T_BUCKET], t[at.T_CAPACITY])
    if g[at.G_KIND] == at.MAP:
        call_map(g[at.G_FUNCTION], (V, M, out, ins, p, r0, r1, a, b))
        if g[at.G_MAY_NULL] == 1:
            cells.settle_nulls(status_of(g, t), M, r0, r1, a, b)
    elif g[at.G_KIND] == at.WINDOW:
        interval = t[at.T_INTERVAL]
        memo = f64_2(g[at.G_MEMO], g[at.G_MEMO_ROWS], g[at.G_LANES])
        call_window(g[at.G_FUNCTION], (V, M, N, bucket, interval, out, ins, p, memo, r0, r1, a, b))
    else:
        _scan(g, t, V, M, bucket, out, ins, p, r0, r1, a, b)


@njit(**inner)
def _scan(g, t, V, M, bucket, out, ins, p, r0, r1, a, b):
    s, lanes, r = state_of(g), g[at.G_LANES], r0
    copies = copies_of(g, t)
    while r < r1:
        if r % COPY == 0:
            for w in range(len(s)):
                copy, state = copies[r // COPY, w * lanes + a : w * lanes + b], s[w, a:b]
                for i in range(b - a):
                    copy[i] = state[i]
        stop = min(r1, (r // COPY + 1) * COPY)
        call_scan(g[at.G_FUNCTION], (V, M, bucket, out, s, ins, p, r, stop, a, b))
        r = stop


@njit(**inner)
def _gather(head, g, V, r0, r1, a, b):
    E = edges_of(head)
    for n in range(g[at.G_FIRST_EDGE], g[at.G_END_EDGE]):
        e = E[n]
        if e[at.E_SCRATCH] < 0 or e[at.E_RELATION] != at.OWN:
            continue
        lanes, columns = i64_1(e[at.E_LANES], g[at.G_LANES]), i64_1(e[at.E_COLUMNS], e[at.E_COLUMN_COUNT])
        for number in range(len(columns)):
            off = e[at.E_SCRATCH] + number * g[at.G_LANES]
            cells.gather(V, off, V, columns[number], lanes, r0, r1, a, b)


@njit(**options)
def cross(head, index, r0, r1, a, b):
    """A cross-section: who is there, then the kernel, over all lanes whatever `a` and `b`."""
    G, T, E = groups_of(head), timelines_of(head), edges_of(head)
    g = G[index]
    t = T[g[at.G_TIMELINE]]
    V, S, M = values_of(t), status_of(g, t), rows_of(g, t)
    first, members = g[at.G_FIRST_EDGE], g[at.G_WIDTH]
    if E[first, at.E_SCRATCH] < 0:
        U, lane = status_of(G[E[first, at.E_UP]], t), i64_1(E[first, at.E_LANES], 1)[0]
        for r in range(r0, r1):
            m, s = M[r], U[r, lane : lane + members]
            for n in range(members):
                m[n] = 1 if s[n] == VALUE else 0
    else:
        _members(head, g, t, V, M, r0, r1)
    cells.cross_status(M, S, g[at.G_SINGLE] == 0, g[at.G_MIN_COUNT], r0, r1, members)
    out, ins = i64_1(g[at.G_OUT], g[at.G_OUTS]), i64_1(g[at.G_IN], g[at.G_INS])
    p = f64_1(g[at.G_ARGS], g[at.G_ARG_COUNT])
    call_cross(g[at.G_FUNCTION], (V, M, out, ins, p, r0, r1, members))


@njit(**inner)
def _members(head, g, t, V, M, r0, r1):
    """Who is there of members that stand apart or come and go (E16), with their values side by side."""
    G, E, bucket = groups_of(head), edges_of(head), i64_1(t[at.T_BUCKET], t[at.T_CAPACITY])
    for n in range(g[at.G_WIDTH]):
        e = E[g[at.G_FIRST_EDGE] + n]
        U = status_of(G[e[at.E_UP]], t)
        lane, to = i64_1(e[at.E_LANES], 1)[0], e[at.E_SCRATCH]
        cell = i64_1(e[at.E_COLUMNS], 1)[0] + lane
        for r in range(r0, r1):
            there = U[r, lane] == VALUE and e[at.E_SINCE] <= bucket[r] < e[at.E_UNTIL]
            M[r, n] = 1 if there else 0
            V[r, to] = V[r, cell]


@njit(**inner)
def _resample(head, g, r0, r1, a, b):
    G, T, E = groups_of(head), timelines_of(head), edges_of(head)
    e = E[g[at.G_FIRST_EDGE]]
    up = G[e[at.E_UP]]
    t, u = T[g[at.G_TIMELINE]], T[up[at.G_TIMELINE]]
    if e[at.E_RELATION] != at.FINER:
        return
    warmed = e[at.E_COMPUTED] == 1 and e[at.E_REQUIRED] == 1
    lanes, columns = i64_1(e[at.E_LANES], g[at.G_LANES]), i64_1(e[at.E_COLUMNS], e[at.E_COLUMN_COUNT])
    out, methods = i64_1(g[at.G_OUT], g[at.G_OUTS]), i64_1(g[at.G_METHODS], g[at.G_OUTS])
    cells.resample(
        values_of(t),
        status_of(g, t),
        out,
        methods,
        counts_of(g, t),
        t[at.T_BASE],
        t[at.T_INTERVAL],
        values_of(u),
        status_of(up, u),
        columns,
        lanes,
        u[at.T_BASE],
        u[at.T_INTERVAL],
        e[at.E_COMPLETE] == 1,
        warmed,
        r0,
        r1,
        a,
        b,
        u[at.T_ROWS],
        i64_1(g[at.G_ORIGIN], g[at.G_LANES]),
    )
