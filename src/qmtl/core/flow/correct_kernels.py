"""Compiled: what a change reaches in compiled groups, recomputed and told (E8).

A change is a range of rows of a lane that may differ; ranges stand in a table with a row per lane of every group. A
group takes those of its inputs, recomputes its own lanes where they reach, tells what moved, and leaves its own ranges
behind.
"""

from __future__ import annotations

import numpy as np

from qmtl.core.compiled import njit
from qmtl.core.flow import layout as at
from qmtl.core.flow import status_kernels as cells
from qmtl.core.flow.access_kernels import (
    clocks_of,
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
from qmtl.core.flow.address_kernels import allocating, call_part, i64_1, i64_2, inner, options
from qmtl.core.flow.tell_kernels import same, tell
from qmtl.core.flow.timeline import COPY, FOREVER, GAP, NEVER, NULL, VALUE


@njit(**options)
def mark(ranges, first, lanes, count, lane, low, high):
    """Widen the range of a lane; returns how many lanes have one."""
    own = ranges[first + lane]
    if own[1] <= own[0]:
        lanes[count] = lane
        own[0], own[1] = low, high
        return count + 1
    own[0], own[1] = min(own[0], low), max(own[1], high)
    return count


@njit(**options)
def changed(head, index, lane, low, high):
    """Rows ``[low, high)`` of a lane have changed."""
    g = groups_of(head)[index]
    ranges = i64_2(head[at.H_RANGES], head[at.H_LANE_COUNT], 2)
    lanes = i64_1(head[at.H_CHANGED_LANES] + 8 * g[at.G_RANGE], g[at.G_LANES])
    g[at.G_CHANGED] = mark(ranges, g[at.G_RANGE], lanes, g[at.G_CHANGED], lane, low, high)


@njit(**options)
def forget(head):
    """No lane has changed."""
    G, ranges = groups_of(head), i64_2(head[at.H_RANGES], head[at.H_LANE_COUNT], 2)
    for index in range(len(G)):
        g = G[index]
        lanes = i64_1(head[at.H_CHANGED_LANES] + 8 * g[at.G_RANGE], g[at.G_CHANGED])
        for lane in lanes:
            ranges[g[at.G_RANGE] + lane] = 0
        g[at.G_CHANGED] = 0
    head[at.H_CHANGING] = 0


@njit(**options)
def touched(head, index):
    """Whether an input of the group has changed."""
    G, E = groups_of(head), edges_of(head)
    for n in range(G[index, at.G_FIRST_EDGE], G[index, at.G_END_EDGE]):
        if G[E[n, at.E_UP], at.G_CHANGED] > 0:
            return True
    return False


@njit(**options)
def closed(head, index, lane):
    """Rows of the lane ``[first, stop)`` that can hold something and were closed before this step."""
    G, T, count = groups_of(head), timelines_of(head), head[at.H_CLOCK_COUNT]
    g = G[index]
    t, clock = T[g[at.G_TIMELINE]], i64_1(g[at.G_CLOCKS], g[at.G_LANES])[lane]
    C, begin = clocks_of(head), i64_1(head[at.H_BEGIN], count)
    bound, first = min(C[at.C_NEXT, clock], begin[clock]), C[at.C_FIRST, clock]
    if t[at.T_ROWS] == 0 or bound == NEVER:
        return 0, 0
    low = 0 if first == NEVER else max(0, (first - t[at.T_BASE]) // t[at.T_INTERVAL])
    return low, max(0, (bound - t[at.T_BASE]) // t[at.T_INTERVAL])


@njit(**inner)
def _seen(head, g, e, theirs, low, high, stop):
    """Rows of the group that may see rows ``[low, high)`` of an input."""
    G, T = groups_of(head), timelines_of(head)
    if e[at.E_RELATION] == at.OWN:
        return low, high
    up = G[e[at.E_UP]]
    t, u = T[g[at.G_TIMELINE]], T[up[at.G_TIMELINE]]
    base, interval, span = t[at.T_BASE], t[at.T_INTERVAL], u[at.T_INTERVAL]
    begin, end = u[at.T_BASE] + low * span, u[at.T_BASE] + high * span
    if e[at.E_RELATION] == at.FINER:
        return (begin - base) // interval, (end - 1 - base) // interval + 1
    first = (begin + span - interval - base) // interval
    U, later = status_of(up, u), high
    while later < u[at.T_ROWS] and U[later, theirs] != VALUE:
        later += 1
    if later >= u[at.T_ROWS]:
        return first, stop
    return first, max(first + 1, (u[at.T_BASE] + (later + 1) * span - interval - base) // interval + 1)


@njit(**inner)
def _dirty(head, index, dirty, lanes):
    """Lanes of the group that a change of an input reaches, with their ranges; returns how many."""
    G, E = groups_of(head), edges_of(head)
    g, count = G[index], 0
    ranges = i64_2(head[at.H_RANGES], head[at.H_LANE_COUNT], 2)
    for n in range(g[at.G_FIRST_EDGE], g[at.G_END_EDGE]):
        e = E[n]
        up = G[e[at.E_UP]]
        there = i64_1(head[at.H_CHANGED_LANES] + 8 * up[at.G_RANGE], up[at.G_CHANGED])
        if len(there) == 0:
            continue
        width = 1 if g[at.G_KIND] == at.CROSS else g[at.G_LANES]
        mine = i64_1(e[at.E_LANES], width)
        for theirs in there:
            low, high = ranges[up[at.G_RANGE] + theirs]
            for lane in range(width):
                if mine[lane] == theirs:
                    stop = closed(head, index, lane)[1]
                    a, b = _seen(head, g, e, theirs, low, high, stop)
                    count = mark(dirty, 0, lanes, count, lane, a, b)
    return count


@njit(**allocating)
def correct_group(head, index):
    """Recompute what changes of its inputs reach; false where there is no room to tell it, and nothing was done."""
    G = groups_of(head)
    g = G[index]
    if not touched(head, index):
        return True
    dirty, lanes = np.zeros((g[at.G_LANES], 2), np.int64), np.empty(g[at.G_LANES], np.int64)
    count, need = _dirty(head, index, dirty, lanes), 0
    for n in range(count):
        first, stop = closed(head, index, lanes[n])
        own = dirty[lanes[n]]
        own[0], own[1] = max(own[0], first), min(own[1], stop)
        if g[at.G_KIND] == at.CROSS:
            need += max(0, own[1] - own[0]) * g[at.G_LANES]
        else:
            need += max(0, stop - own[0])
    if head[at.H_RECORD_COUNT] + need > head[at.H_RECORD_ROOM]:
        return False
    if head[at.H_TOLD_COUNT] + 2 * need * g[at.G_OUTS] > head[at.H_TOLD_ROOM]:
        return False
    for n in range(count):
        low, high = dirty[lanes[n]]
        if high <= low:
            continue
        if g[at.G_KIND] == at.CROSS:
            _correct_cross(head, index, low, high)
        else:
            _correct_lane(head, index, lanes[n], low, high, closed(head, index, lanes[n])[1])
    return True


@njit(**inner)
def _judge(head, index, r0, r1, lane):
    for start in range(r0, r1, at.BLOCK):
        call_part(head[at.H_STATUSES], (head, index, start, min(r1, start + at.BLOCK), lane, lane + 1))


@njit(**allocating)
def _outputs(V, out, lane, low, high):
    before = np.empty((high - low, len(out)))
    for r in range(low, high):
        for c in range(len(out)):
            before[r - low, c] = V[r, out[c] + lane]
    return before


@njit(**allocating)
def _correct_lane(head, index, lane, low, high, stop):
    G, T = groups_of(head), timelines_of(head)
    g = G[index]
    t = T[g[at.G_TIMELINE]]
    S, M, V = status_of(g, t), rows_of(g, t), values_of(t)
    out, kind = i64_1(g[at.G_OUT], g[at.G_OUTS]), g[at.G_KIND]
    counting, N, reach = kind == at.WINDOW or kind == at.SCAN, counts_of(g, t), high
    if counting:  # beyond, it is out of warm-up, however many of the rows changed are rows of the node (E5)
        reach = cells.warm(N, lane, high, stop, g[at.G_ROWS] + 2 * (high - low))
    old = S[low:reach, lane].copy()
    _judge(head, index, low, reach, lane)
    if counting and reach < t[at.T_ROWS]:
        cells.recount(M, N, lane, reach, t[at.T_ROWS])
    for r in range(reach - 1, high - 1, -1):
        if S[r, lane] != old[r - low]:
            high = r + 1
            break
    if kind == at.SCAN:
        _replay(head, index, lane, low, high, stop, _whole(S, lane, low, old, stop))
        return
    if kind == at.WINDOW:
        high = max(high, cells.nth_row_after(M, lane, high - 1, g[at.G_ROWS] - 1, stop) + 1)
    before = _outputs(V, out, lane, low, high)
    call_part(head[at.H_VALUES], (head, index, low, high, lane, lane + 1))
    _tell(head, index, lane, low, high, _whole(S, lane, low, old, high), before, 0)


@njit(**allocating)
def _whole(S, lane, low, old, stop):
    """Statuses before of rows ``[low, stop)``: those that were judged again, and the others as they are."""
    found = S[low:stop, lane].copy()
    found[: len(old)] = old[: len(found)]
    return found


@njit(**allocating)
def _replay(head, index, lane, low, high, stop, old):
    """A scan from the copy of its state before `low`, until its state has the bits of a later copy."""
    G, T = groups_of(head), timelines_of(head)
    g = G[index]
    t = T[g[at.G_TIMELINE]]
    V, out, s, copies = values_of(t), i64_1(g[at.G_OUT], g[at.G_OUTS]), state_of(g), copies_of(g, t)
    words, lanes, r = g[at.G_STATES], g[at.G_LANES], low // COPY * COPY
    newest = s[:, lane].copy()
    for w in range(words):
        s[w, lane] = copies[r // COPY, w * lanes + lane]
    while r < stop:
        end = min(r + COPY, stop)
        start = max(r, low)
        before = _outputs(V, out, lane, start, end)
        call_part(head[at.H_VALUES], (head, index, r, end, lane, lane + 1))
        _tell(head, index, lane, start, end, old, before, start - low)
        r = end
        if r == stop or r < high:
            continue
        alike = True
        for w in range(words):
            alike = alike and same(s[w, lane], copies[r // COPY, w * lanes + lane])
        if alike:
            s[:, lane] = newest
            return


@njit(**allocating)
def _correct_cross(head, index, low, high):
    G, T = groups_of(head), timelines_of(head)
    g = G[index]
    t = T[g[at.G_TIMELINE]]
    S, V, out = status_of(g, t), values_of(t), i64_1(g[at.G_OUT], g[at.G_OUTS])
    old, before = S[low:high].copy(), np.empty((high - low, g[at.G_LANES], len(out)))
    for r in range(low, high):
        for lane in range(g[at.G_LANES]):
            for c in range(len(out)):
                before[r - low, lane, c] = V[r, out[c] + lane]
    call_part(head[at.H_ACROSS], (head, index, low, high, 0, g[at.G_LANES]))
    for r in range(low, high):
        for lane in range(g[at.G_LANES]):
            if _told(head, index, lane, r, old[r - low, lane], before[r - low, lane]):
                changed(head, index, lane, r, r + 1)


@njit(**inner)
def _told(head, index, lane, r, was, before):
    """Tell what became of a recomputed row, if its status or outputs moved; returns whether they did."""
    G, T = groups_of(head), timelines_of(head)
    S = status_of(G[index], T[G[index, at.G_TIMELINE]])
    if S[r, lane] == GAP and (was == VALUE or was == NULL):
        S[r, lane] = NULL
    return tell(head, index, lane, r, was, before)


@njit(**inner)
def _tell(head, index, lane, low, high, old, before, skip):
    """What became of recomputed rows; `old` (from `skip` on) and `before` are their statuses and outputs before."""
    first, last = FOREVER, NEVER
    for r in range(low, high):
        if _told(head, index, lane, r, old[skip + r - low], before[r - low]):
            first, last = min(first, r), r
    if last >= first:
        changed(head, index, lane, first, last + 1)
