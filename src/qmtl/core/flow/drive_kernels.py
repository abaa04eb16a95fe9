"""Compiled: arrivals in order through entries, clocks and closings, without a Python object per bar (E12).

The driver stops where it needs its caller: an arrival that is not in order, a timeline that must grow, a group that
Python computes. It is called again and goes on from there; `head` remembers where that is.
"""

from __future__ import annotations

from qmtl.core.compiled import njit
from qmtl.core.flow import clock_kernels as clocks
from qmtl.core.flow import layout as at
from qmtl.core.flow import panel_kernels as panel
from qmtl.core.flow.access_kernels import (
    clocks_of,
    entries_of,
    groups_of,
    sources_of,
    status_of,
    timelines_of,
    values_of,
)
from qmtl.core.flow.address_kernels import f64_2, i32_1, i64_1, i64_2, inner, options, u8_1, within
from qmtl.core.flow.late_kernels import aside, given, late, repeated
from qmtl.core.flow.settle_kernels import forget, pending, reached, settle
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
            _arrive(head, kind, source, ts, available, row, tables, known, stop)
            if not _aside(head, kind, source, ts, available, row, tables, known, stop):
                head[at.H_GROUP], head[at.H_CLOSING] = 0, 1 if pending(head) else 0
        answer = settle(head)
        if answer != at.DONE:
            return answer
        i = head[at.H_POSITION]
        if pending(head):
            continue
        if i >= stop:
            return at.DONE
        if head[at.H_HIGH] != NEVER:
            return at.GROW
        if kind[i] == 0 and _regular(head, source, ts, available, known, i):
            continue
        if kind[i] != 0 or not late(head, source, ts, available, row, tables, known, i):
            return at.IRREGULAR


@njit(**options)
def drive_row(head, step, ts, available, values):
    """The bars of one time from all sources, in their order, as `drive` would; `step`: of the first. Answers as it.

    `values`: a row per field, a column per source.
    """
    count = head[at.H_SOURCE_COUNT]
    if values.shape != (head[at.H_ROW_FIELDS], count):
        return at.REFUSED
    kind, source = u8_1(head[at.H_ROW_KIND], count), i32_1(head[at.H_ROW_SOURCE], count)
    columns, place = i64_2(head[at.H_ROW_TIMES], 2, count), i64_1(head[at.H_ROW_PLACE], count)
    columns[0], columns[1] = ts, available
    tables = i64_2(head[at.H_ROW_TABLE], 1, 2)
    head[at.H_COLUMNS], head[at.H_ROW_WIDTH] = values.ctypes.data, len(values)
    tables[0, 0], tables[0, 1] = head[at.H_ROW_VALUES], len(values)
    known = u8_1(head[at.H_ROW_KIND], 0)
    head[at.H_STEP], head[at.H_PLAIN] = step, 1
    if sources_of(head)[at.S_PANEL, 0] < 0:
        _by_source(head)
    answer = drive(head, kind, source, columns[0], columns[1], place, tables, known, 0, count)
    head[at.H_COLUMNS] = 0
    return answer


@njit(**within)
def _by_source(head):
    """The values that `drive_row` was given, as a table with a row per source."""
    if head[at.H_COLUMNS] != 0:
        count, width = head[at.H_SOURCE_COUNT], head[at.H_ROW_WIDTH]
        X, table = f64_2(head[at.H_COLUMNS], width, count), f64_2(head[at.H_ROW_VALUES], count, width)
        for s in range(count):
            for field in range(width):
                table[s, field] = X[field, s]
        head[at.H_COLUMNS] = 0


@njit(**within)
def _regular(head, source, ts, available, known, i):
    """Whether an arrival moves its source forward, so that it cannot be late, repeated or revised."""
    if len(known) > 0 and known[i] != 0:
        return known[i] == APPENDS
    Q, s = sources_of(head), source[i]
    if Q[at.S_IDLE, s] != 0 or Q[at.S_FINISHED, s] != 0 or Q[at.S_TICK_COUNT, s] > 0:
        return False
    ahead = ts[i] + Q[at.S_INTERVAL, s] > Q[at.S_TOP, s]
    return ahead and ts[i] >= Q[at.S_ORIGIN, s] and ts[i] <= available[i] + Q[at.S_SKEW, s]


@njit(**inner)
def _arrive(head, kind, source, ts, available, row, tables, known, stop):
    """Store arrivals and move the clocks, until something stops it. What closes adds to what is `pending`."""
    C, inputs = clocks_of(head), i64_2(head[at.H_INPUTS], head[at.H_INPUT_COUNT], at.BOUNDS)
    deps = i64_2(head[at.H_DEPS], head[at.H_DEP_COUNT], at.BOUNDS)
    Q, N = sources_of(head), entries_of(head)
    log = i64_2(head[at.H_LOG], head[at.H_LOG_ROWS], 4)
    ahead = i64_1(head[at.H_PENDING], head[at.H_CLOCK_COUNT] + 1)
    if not pending(head):
        forget(head)
    count, used, i = head[at.H_CLOCK_COUNT], head[at.H_LOG_USED], head[at.H_POSITION]
    head[at.H_HIGH] = NEVER
    while i < stop and used + (head[at.H_SWEPT] + 1) * count < len(log) and kind[i] == 0:
        if Q[at.S_PANEL, source[i]] >= 0:
            number = Q[at.S_PANEL, source[i]]
            taken, used = panel.row(
                head, number, kind, source, ts, available, row, tables, i, stop, log, used
            )
            i += taken
            if taken > 0:
                continue
            _by_source(head)
        if not _regular(head, source, ts, available, known, i):
            break
        s, step = source[i], head[at.H_STEP] + i
        if Q[at.S_TICK_COUNT, s] > 0:
            for number in i64_1(Q[at.S_TICKS, s], Q[at.S_TICK_COUNT, s]):
                used = clocks.tick(C, inputs, deps, count + number, ts[i], step, log, used, ahead)
        else:
            if not _store(head, s, ts[i], row, tables, i):
                break
            end = ts[i] + Q[at.S_INTERVAL, s]
            for n in range(Q[at.S_FIRST_ENTRY, s], Q[at.S_END_ENTRY, s]):
                used = clocks.bar(C, inputs, deps, N[at.N_CLOCK, n], end, step, log, used, ahead)
            Q[at.S_TOP, s] = end
            Q[at.S_POSITION, s] += 1
        Q[at.S_LAST, s] = available[i]
        i += 1
    head[at.H_POSITION] = i
    reached(head, used)


@njit(**inner)
def _aside(head, kind, source, ts, available, row, tables, known, stop):
    """Whether the arrival at hand is dealt with beside what is pending: there is more to take in before that closes."""
    i = head[at.H_POSITION]
    if i >= stop or kind[i] != 0 or head[at.H_HIGH] != NEVER or (len(known) > 0 and known[i] != 0):
        return False
    if _regular(head, source, ts, available, known, i):
        return False
    given = (head, source, ts, available, row, tables, i)
    return repeated(*given) or aside(*given)


@njit(**within)
def _store(head, s, ts, row, tables, i):
    """Keep a bar at every stream that reads it; false where a timeline has no room, which `head` then names."""
    N, Q = entries_of(head), sources_of(head)
    G, T = groups_of(head), timelines_of(head)
    x = given(s, row, tables, i)
    for n in range(Q[at.S_FIRST_ENTRY, s], Q[at.S_END_ENTRY, s]):
        g, lane = G[N[at.N_GROUP, n]], N[at.N_LANE, n]
        t = T[g[at.G_TIMELINE]]
        r = (ts - t[at.T_BASE]) // t[at.T_INTERVAL]
        if t[at.T_ROWS] == 0 or r < 0 or r >= t[at.T_CAPACITY]:
            head[at.H_TIMELINE], head[at.H_LOW], head[at.H_HIGH] = g[at.G_TIMELINE], ts, ts
            return False
        V, take = values_of(t), i64_1(N[at.N_TAKE, n], N[at.N_TAKES, n])
        out = i64_1(g[at.G_OUT], g[at.G_OUTS])
        for c in range(len(take)):
            V[r, out[c] + lane] = x[take[c]]
        status_of(g, t)[r, lane] = PENDING
        t[at.T_ROWS] = max(t[at.T_ROWS], r + 1)
        N[at.N_ARRIVALS, n] += 1
        N[at.N_USED, n] += 1
    return True
