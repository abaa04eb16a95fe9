"""Compiled: arrivals in order through entries, clocks and closings, without a Python object per bar (E12).

The driver stops where it needs its caller: an arrival that is not in order, a timeline that must grow, a group that
Python computes. It is called again and goes on from there; `head` remembers where that is.
"""

from __future__ import annotations

import numba

from qmtl.core.flow import clock_kernels as clocks
from qmtl.core.flow import layout as at
from qmtl.core.flow.address_kernels import f64_2, i32_2, i64_1, i64_2, options
from qmtl.core.flow.rectangle_kernels import (
    close_rectangle,
    groups_of,
    status_of,
    statuses,
    timelines_of,
    values_of,
)
from qmtl.core.flow.timeline import FOREVER, NEVER, PENDING

APPENDS, UNLIKE = 1, 2  # what the caller says of an arrival: a tick that appends; anything but a bar


@numba.njit(**options)
def clocks_of(head):
    return i64_2(head[at.H_CLOCKS], head[at.H_CLOCK_COUNT] + head[at.H_TICK_COUNT], at.C_FIELDS)


@numba.njit(**options)
def drive(head, kind, source, ts, available, row, tables, flat, known, start, stop):
    """Arrivals ``[start, stop)`` as far as possible; answers DONE, IRREGULAR, GROW or CLOSE.

    Values of arrival i stand in row `row[i]` of the table of its source (address and width in `tables`), or in row i
    of `flat` where `tables` is empty. `known` may be empty.
    """
    if head[at.H_CLOSING] == 0:
        head[at.H_POSITION] = start
    while True:
        if head[at.H_CLOSING] == 0:
            used = _arrive(head, kind, source, ts, available, row, tables, flat, known, stop)
            reached(head, used)
        answer = close(head)
        if answer != at.DONE:
            return answer
        position = head[at.H_POSITION]
        if position >= stop:
            return at.DONE
        if head[at.H_HIGH] != NEVER:
            return at.GROW
        if kind[position] != 0 or not _regular(head, source, ts, available, known, position):
            return at.IRREGULAR


@numba.njit(**options)
def _regular(head, source, ts, available, known, i):
    """Whether an arrival moves its source forward, so that it cannot be late, repeated or revised."""
    if len(known) > 0 and known[i] != 0:
        return known[i] == APPENDS
    q = i64_2(head[at.H_SOURCES], head[at.H_SOURCE_COUNT], at.S_FIELDS)[source[i]]
    if q[at.S_IDLE] != 0 or q[at.S_FINISHED] != 0 or q[at.S_TICK_COUNT] > 0:
        return False
    ahead = ts[i] + q[at.S_INTERVAL] > q[at.S_TOP]
    return ahead and ts[i] >= q[at.S_ORIGIN] and ts[i] <= available[i] + q[at.S_SKEW]


@numba.njit(**options)
def _arrive(head, kind, source, ts, available, row, tables, flat, known, stop):
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
            if not _store(head, q, source[i], ts[i], row, tables, flat, i):
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


@numba.njit(**options)
def _store(head, q, source, ts, row, tables, flat, i):
    """Keep a bar at every stream that reads it; false where a timeline has no room, which `head` then names."""
    N = i64_2(head[at.H_ENTRIES], head[at.H_ENTRY_COUNT], at.N_FIELDS)
    G, T = groups_of(head), timelines_of(head)
    if len(tables) == 0:
        x = flat[i]
    else:
        x = f64_2(tables[source, 0], row[i] + 1, tables[source, 1])[row[i]]
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


@numba.njit(**options)
def reached(head, used):
    """From where to where each clock closes, by the log of what it did."""
    count = head[at.H_CLOCK_COUNT]
    begin, end = i64_1(head[at.H_BEGIN], count), i64_1(head[at.H_END], count)
    begin[:] = FOREVER
    end[:] = NEVER
    log = i64_2(head[at.H_LOG], head[at.H_LOG_ROWS], 4)
    for n in range(used):
        k = log[n, 0]
        begin[k] = min(begin[k], log[n, 1])
        end[k] = max(end[k], log[n, 2])
    head[at.H_LOG_USED], head[at.H_GROUP] = used, 0
    head[at.H_CLOSING] = 1 if used > 0 else 0


@numba.njit(**options)
def close(head):
    """Close what `begin` and `end` say, group by group; answers DONE, GROW or CLOSE."""
    if head[at.H_CLOSING] == 0:
        return at.DONE
    if head[at.H_CLOSING] == 1:
        if not room(head):
            return at.GROW
        stamp(head)
        head[at.H_CLOSING] = 2
    G = groups_of(head)
    while head[at.H_GROUP] < len(G):
        index = head[at.H_GROUP]
        head[at.H_GROUP] += 1
        if G[index, at.G_KIND] == at.PYTHON:
            if _closes(head, index):
                return at.CLOSE
        elif G[index, at.G_KIND] != at.NOTHING:
            close_group(head, index)
    head[at.H_CLOSING] = 0
    return at.DONE


@numba.njit(**options)
def _closes(head, index):
    G, count = groups_of(head), head[at.H_CLOCK_COUNT]
    begin, end = i64_1(head[at.H_BEGIN], count), i64_1(head[at.H_END], count)
    lanes = i64_1(G[index, at.G_CLOCKS], G[index, at.G_LANES])
    for lane in range(len(lanes)):
        if end[lanes[lane]] > begin[lanes[lane]]:
            return True
    return False


@numba.njit(**options)
def room(head):
    """Whether every row that closes has a place; else `head` names the timeline and the buckets it lacks."""
    T, count = timelines_of(head), head[at.H_CLOCK_COUNT]
    begin, end, C = i64_1(head[at.H_BEGIN], count), i64_1(head[at.H_END], count), clocks_of(head)
    for k in range(count):
        if end[k] <= begin[k]:
            continue
        interval = C[k, at.C_INTERVAL]
        n = _timeline(T, interval)
        t = T[n]
        if begin[k] == NEVER:
            begin[k] = min(t[at.T_BASE], end[k]) if t[at.T_ROWS] > 0 else end[k]
            if end[k] <= begin[k]:
                continue
        low, high = begin[k], end[k] - interval
        r = (high - t[at.T_BASE]) // interval
        if t[at.T_ROWS] == 0 or low < t[at.T_BASE] or r >= t[at.T_CAPACITY]:
            head[at.H_TIMELINE], head[at.H_LOW], head[at.H_HIGH] = n, low, high
            return False
        t[at.T_ROWS] = max(t[at.T_ROWS], r + 1)
    head[at.H_HIGH] = NEVER
    return True


@numba.njit(**options)
def stamp(head):
    """Remember at which arrival each row of each clock closed (step + 1; 0 is open)."""
    T, count, C = timelines_of(head), head[at.H_CLOCK_COUNT], clocks_of(head)
    log = i64_2(head[at.H_LOG], head[at.H_LOG_ROWS], 4)
    for n in range(head[at.H_LOG_USED]):
        k, stop = log[n, 0], log[n, 2]
        interval = C[k, at.C_INTERVAL]
        t = T[_timeline(T, interval)]
        if t[at.T_ROWS] == 0:
            continue
        closed = i32_2(t[at.T_CLOSED], t[at.T_CAPACITY], count)
        start = max(log[n, 1], t[at.T_BASE])
        r = (start - t[at.T_BASE]) // interval
        while start < stop:
            closed[r, k] = log[n, 3] + 1
            start += interval
            r += 1


@numba.njit(**options)
def _timeline(T, interval):
    n = 0
    while T[n, at.T_INTERVAL] != interval:
        n += 1
    return n


@numba.njit(**options)
def close_group(head, index):
    """Neighbouring lanes that close the same rows are one rectangle."""
    G, T, count = groups_of(head), timelines_of(head), head[at.H_CLOCK_COUNT]
    begin, end = i64_1(head[at.H_BEGIN], count), i64_1(head[at.H_END], count)
    g = G[index]
    t, clock = T[g[at.G_TIMELINE]], i64_1(g[at.G_CLOCKS], g[at.G_LANES])
    lanes, lane = g[at.G_LANES], 0
    while lane < lanes:
        lo, hi = begin[clock[lane]], end[clock[lane]]
        stop = lanes if g[at.G_KIND] == at.CROSS else lane + 1
        while stop < lanes and begin[clock[stop]] == lo and end[clock[stop]] == hi:
            stop += 1
        if hi > lo:
            r0, r1 = (lo - t[at.T_BASE]) // t[at.T_INTERVAL], (hi - t[at.T_BASE]) // t[at.T_INTERVAL]
            close_rectangle(head, index, max(r0, 0), r1, lane, stop)
        lane = stop


@numba.njit(**options)
def judge_rows(head, index, r0, r1, a, b):
    """`statuses` of any number of rows."""
    for start in range(r0, r1, at.BLOCK):
        statuses(head, index, start, min(r1, start + at.BLOCK), a, b)


@numba.njit(**options)
def told(head, advances):
    """What clocks closed outside of `drive`, for `close`."""
    log = i64_2(head[at.H_LOG], head[at.H_LOG_ROWS], 4)
    for n in range(len(advances)):
        log[n] = advances[n]
    reached(head, len(advances))
