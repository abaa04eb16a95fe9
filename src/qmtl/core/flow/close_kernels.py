"""Compiled: what clocks closed, computed group by group: rectangles of rows by lanes."""

from __future__ import annotations

from qmtl.core.compiled import njit
from qmtl.core.flow import layout as at
from qmtl.core.flow.access_kernels import clocks_of, groups_of, timelines_of
from qmtl.core.flow.address_kernels import call_part, i64_1, inner, options, u8_1, within
from qmtl.core.flow.timeline import FOREVER, NEVER

FEW = 8  # lanes that are worth a call of their own


@njit(**within)
def timeline_at(T, interval):
    """The number of the timeline of an interval."""
    n = 0
    while T[n, at.T_INTERVAL] != interval:
        n += 1
    return n


@njit(**within)
def together(g, begin, end):
    """Whether all lanes of a group close the same rows."""
    first = g[at.G_CLOCK_FIRST]
    if g[at.G_CLOCK_STEP] < 1:
        return g[at.G_CLOCK_STEP] == 0
    lo, hi, apart = begin[first : first + g[at.G_LANES]], end[first : first + g[at.G_LANES]], False
    for lane in range(g[at.G_LANES]):
        apart |= (lo[lane] != lo[0]) | (hi[lane] != hi[0])
    return not apart


@njit(**options)
def close_group(head, index):
    """Neighbouring lanes that close the same rows are one rectangle."""
    G, T, count = groups_of(head), timelines_of(head), head[at.H_CLOCK_COUNT]
    begin, end = i64_1(head[at.H_BEGIN], count), i64_1(head[at.H_END], count)
    g = G[index]
    t, clock = T[g[at.G_TIMELINE]], i64_1(g[at.G_CLOCKS], g[at.G_LANES])
    lanes, lane = g[at.G_LANES], 0
    if together(g, begin, end):
        lo, hi = begin[g[at.G_CLOCK_FIRST]], end[g[at.G_CLOCK_FIRST]]
        if hi > lo:
            r0, r1 = (lo - t[at.T_BASE]) // t[at.T_INTERVAL], (hi - t[at.T_BASE]) // t[at.T_INTERVAL]
            call_part(head[at.H_CLOSE], (head, index, max(r0, 0), r1, 0, lanes))
        return
    if g[at.G_KIND] < at.CROSS and _nearly_together(head, index):
        return
    while lane < lanes:
        lo, hi = begin[clock[lane]], end[clock[lane]]
        stop = lanes if g[at.G_KIND] == at.CROSS else lane + 1
        while stop < lanes and begin[clock[stop]] == lo and end[clock[stop]] == hi:
            stop += 1
        if hi > lo:
            r0, r1 = (lo - t[at.T_BASE]) // t[at.T_INTERVAL], (hi - t[at.T_BASE]) // t[at.T_INTERVAL]
            call_part(head[at.H_CLOSE], (head, index, max(r0, 0), r1, lane, stop))
        lane = stop


@njit(**inner)
def _nearly_together(head, index):
    """Close what most lanes close, the newest row, in one pass over all; before that, what some lanes have before it.

    Lanes that do not close the row yet take no part in it: they have a mask, and are computed when they do. Those that
    closed it earlier divide the pass. False, and nothing done, where there is not one row of many lanes.
    """
    G, T, C, count = groups_of(head), timelines_of(head), clocks_of(head), head[at.H_CLOCK_COUNT]
    begin, end, g = i64_1(head[at.H_BEGIN], count), i64_1(head[at.H_END], count), G[index]
    t, lanes, top = T[g[at.G_TIMELINE]], g[at.G_LANES], NEVER
    clock, mask = i64_1(g[at.G_CLOCKS], lanes), u8_1(head[at.H_MASK], lanes)
    for lane in range(lanes):
        k = clock[lane]
        top = max(top, end[k] if end[k] > begin[k] else NEVER)
    newest, others = 0, 0
    for lane in range(lanes):
        k = clock[lane]
        closes = end[k] == top and end[k] > begin[k]
        mask[lane] = 0 if closes else 1
        newest += 1 if closes else 0
        others += 1 if not closes and (end[k] > begin[k] or C[at.C_NEXT, k] >= top) else 0
        others += 1 if closes and begin[k] < top - t[at.T_INTERVAL] else 0
    if newest < 2 * FEW or others > FEW:
        return False
    row = (top - t[at.T_BASE]) // t[at.T_INTERVAL] - 1
    for lane in range(lanes):
        k = clock[lane]
        r0 = max(0, (begin[k] - t[at.T_BASE]) // t[at.T_INTERVAL]) if end[k] > begin[k] else row
        r1 = min(row, (end[k] - t[at.T_BASE]) // t[at.T_INTERVAL]) if end[k] > begin[k] else row
        if r1 > r0:
            call_part(head[at.H_CLOSE], (head, index, r0, r1, lane, lane + 1))
    _masked(head, index, row, top)
    return True


@njit(**inner)
def _masked(head, index, row, top):
    """One row of all lanes but those with a mask, in parts between lanes that have closed it before."""
    g, C = groups_of(head)[index], clocks_of(head)
    clock, mask = i64_1(g[at.G_CLOCKS], g[at.G_LANES]), u8_1(head[at.H_MASK], g[at.G_LANES])
    first, lane = 0, 0
    head[at.H_MASKED] = 1
    head[at.H_MASK_ROWS] += 1
    while lane <= g[at.G_LANES]:
        if lane == g[at.G_LANES] or (mask[lane] == 1 and C[at.C_NEXT, clock[lane]] >= top):
            if lane > first:
                call_part(head[at.H_CLOSE], (head, index, row, row + 1, first, lane))
            first = lane + 1
        lane += 1
    head[at.H_MASKED] = 0


@njit(**options)
def close_clock(head, k):
    """Compute what one clock has pending, in every group; false, and nothing done, where a row has no place yet."""
    count = head[at.H_CLOCK_COUNT]
    begin, end = i64_1(head[at.H_BEGIN], count), i64_1(head[at.H_END], count)
    if end[k] <= begin[k]:
        return True
    T, G, interval = timelines_of(head), groups_of(head), clocks_of(head)[at.C_INTERVAL, k]
    t = T[timeline_at(T, interval)]
    r0, r1 = (begin[k] - t[at.T_BASE]) // interval, (end[k] - t[at.T_BASE]) // interval
    if begin[k] == NEVER or r0 < 0 or r1 > t[at.T_ROWS]:
        return False
    for index in range(len(G)):
        _close_clock(head, index, k, r0, r1)
    begin[k], end[k] = FOREVER, NEVER
    return True


@njit(**inner)
def _close_clock(head, index, k, r0, r1):
    g = groups_of(head)[index]
    if g[at.G_KIND] == at.NOTHING:
        return
    clock, lanes, lane = i64_1(g[at.G_CLOCKS], g[at.G_LANES]), g[at.G_LANES], 0
    if g[at.G_CLOCK_STEP] == 1:
        lane = k - g[at.G_CLOCK_FIRST]
        if 0 <= lane < lanes:
            call_part(head[at.H_CLOSE], (head, index, r0, r1, lane, lane + 1))
        return
    while lane < lanes:
        stop = lane
        while stop < lanes and clock[stop] == k:
            stop += 1
        if stop > lane:
            call_part(head[at.H_CLOSE], (head, index, r0, r1, lane, stop))
        lane = stop + 1


@njit(**options)
def close_joined(head):
    """Compute what clocks of several inputs have pending, with what they read; false where that is too much."""
    C, count, until, some = clocks_of(head), head[at.H_CLOCK_COUNT], NEVER, 0
    begin, end = i64_1(head[at.H_BEGIN], count), i64_1(head[at.H_END], count)
    for k in range(count):
        if C[at.C_LATENESS, k] < 0 and end[k] > begin[k]:
            until = max(until, end[k])
    for k in range(count):
        some += 1 if end[k] > begin[k] and begin[k] < until else 0
    if some > FEW:
        return False
    for k in range(count):  # those that a clock depends on come before it
        if end[k] > begin[k] and begin[k] < until and not close_clock(head, k):
            return False
    head[at.H_JOINED] = 0
    return True
