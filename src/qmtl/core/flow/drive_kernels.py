"""Compiled: arrivals in order through entries, clocks and closings, without a Python object per bar (E12).

The driver stops where it needs its caller: an arrival that is not in order, a timeline that must grow, a group that
Python computes. It is called again and goes on from there; `head` remembers where that is.
"""

from __future__ import annotations

from qmtl.core.compiled import njit
from qmtl.core.flow import clock_kernels as clocks
from qmtl.core.flow import layout as at
from qmtl.core.flow.address_kernels import i64_1, i64_2, options, within
from qmtl.core.flow.late_kernels import given, late
from qmtl.core.flow.rectangle_kernels import groups_of, status_of, timelines_of, values_of
from qmtl.core.flow.settle_kernels import clocks_of, reached, settle
from qmtl.core.flow.timeline import NEVER, PENDING

APPENDS, UNLIKE = 1, 2  # what the caller says of an arrival: a tick that appends; anything but a bar


@njit(**options)
def drive(head, kind, source, ts, available, row, tables, known, start, stop):
    """Arrivals ``[start, stop)`` as far as possible; answers DONE, IRREGULAR, GROW, FULL or CALL.

    Values of arrival i stand in row `row[i]` of the table of its source, or of the only table there is (address and
    width in `tables`). `known` may be empty.
    """
    if head[at.H_CLOSING] == 0 and head[at.H_CHANGING] == 0:
        head[at.H_POSITION] = start
    while True:
        if head[at.H_CLOSING] == 0 and head[at.H_CHANGING] == 0:
            used = _arrive(head, kind, source, ts, available, row, tables, known, stop)
            reached(head, used)
        answer = settle(head)
        if answer != at.DONE:
            return answer
        i = head[at.H_POSITION]
        if i >= stop:
            return at.DONE
        if head[at.H_HIGH] != NEVER:
            return at.GROW
        if kind[i] == 0 and _regular(head, source, ts, available, known, i):
            continue
        if kind[i] != 0 or not late(head, source, ts, available, row, tables, known, i):
            return at.IRREGULAR


@njit(**within)
def _regular(head, source, ts, available, known, i):
    """Whether an arrival moves its source forward, so that it cannot be late, repeated or revised."""
    if len(known) > 0 and known[i] != 0:
        return known[i] == APPENDS
    q = i64_2(head[at.H_SOURCES], head[at.H_SOURCE_COUNT], at.S_FIELDS)[source[i]]
    if q[at.S_IDLE] != 0 or q[at.S_FINISHED] != 0 or q[at.S_TICK_COUNT] > 0:
        return False
    ahead = ts[i] + q[at.S_INTERVAL] > q[at.S_TOP]
    return ahead and ts[i] >= q[at.S_ORIGIN] and ts[i] <= available[i] + q[at.S_SKEW]


@njit(**options)
def _arrive(head, kind, source, ts, available, row, tables, known, stop):
    """Store arrivals and move the clocks, until something stops it; returns the rows of the log used."""
    C, inputs = clocks_of(head), i64_2(head[at.H_INPUTS], head[at.H_INPUT_COUNT], at.BOUNDS)
    deps = i64_2(head[at.H_DEPS], head[at.H_DEP_COUNT], at.BOUNDS)
    Q = i64_2(head[at.H_SOURCES], head[at.H_SOURCE_COUNT], at.S_FIELDS)
    log = i64_2(head[at.H_LOG], head[at.H_LOG_ROWS], 4)
    pending = i64_1(head[at.H_PENDING], head[at.H_CLOCK_COUNT] + 1)
    count, used, i = head[at.H_CLOCK_COUNT], 0, head[at.H_POSITION]
    head[at.H_HIGH] = NEVER
    while i < stop and used + count < len(log) and kind[i] == 0:
        if not _regular(head, source, ts, available, known, i):
            break
        q = Q[source[i]]
        step = head[at.H_STEP] + i
        if q[at.S_TICK_COUNT] > 0:
            for number in i64_1(q[at.S_TICKS], q[at.S_TICK_COUNT]):
                used = clocks.tick(C, inputs, deps, count + number, ts[i], step, log, used, pending)
        else:
            if not _store(head, q, source[i], ts[i], row, tables, i):
                break
            for n in range(q[at.S_FIRST_ENTRY], q[at.S_END_ENTRY]):
                entry = i64_2(head[at.H_ENTRIES], head[at.H_ENTRY_COUNT], at.N_FIELDS)[n]
                end = ts[i] + q[at.S_INTERVAL]
                used = clocks.bar(C, inputs, deps, entry[at.N_CLOCK], end, step, log, used, pending)
            q[at.S_TOP] = ts[i] + q[at.S_INTERVAL]
            q[at.S_POSITION] += 1
        q[at.S_LAST] = available[i]
        i += 1
    head[at.H_POSITION] = i
    return used


@njit(**within)
def _store(head, q, source, ts, row, tables, i):
    """Keep a bar at every stream that reads it; false where a timeline has no room, which `head` then names."""
    N = i64_2(head[at.H_ENTRIES], head[at.H_ENTRY_COUNT], at.N_FIELDS)
    G, T = groups_of(head), timelines_of(head)
    x = given(source, row, tables, i)
    for n in range(q[at.S_FIRST_ENTRY], q[at.S_END_ENTRY]):
        entry = N[n]
        g = G[entry[at.N_GROUP]]
        t = T[g[at.G_TIMELINE]]
        r = (ts - t[at.T_BASE]) // t[at.T_INTERVAL]
        if t[at.T_ROWS] == 0 or r < 0 or r >= t[at.T_CAPACITY]:
            head[at.H_TIMELINE], head[at.H_LOW], head[at.H_HIGH] = g[at.G_TIMELINE], ts, ts
            return False
        V, take = values_of(t), i64_1(entry[at.N_TAKE], entry[at.N_TAKES])
        out = i64_1(g[at.G_OUT], g[at.G_OUTS])
        for c in range(len(take)):
            V[r, out[c] + entry[at.N_LANE]] = x[take[c]]
        status_of(g, t)[r, entry[at.N_LANE]] = PENDING
        t[at.T_ROWS] = max(t[at.T_ROWS], r + 1)
        entry[at.N_ARRIVALS] += 1
        entry[at.N_USED] += 1
    return True
