"""Compiled: one step after its arrivals, group by group: corrections, then what the clocks close (E12)."""

from __future__ import annotations

from qmtl.core.compiled import njit
from qmtl.core.flow import correct_kernels as correct
from qmtl.core.flow import layout as at
from qmtl.core.flow.access_kernels import clocks_of, counts_of, groups_of, status_of, timelines_of
from qmtl.core.flow.address_kernels import (
    call_correct,
    call_part,
    i32_2,
    i64_1,
    i64_2,
    options,
)
from qmtl.core.flow.close_kernels import close_group, timeline_at, together
from qmtl.core.flow.timeline import FOREVER, NEVER, VALUE


@njit(**options)
def forget(head):
    """Nothing closes."""
    count = head[at.H_CLOCK_COUNT]
    i64_1(head[at.H_BEGIN], count)[:] = FOREVER
    i64_1(head[at.H_END], count)[:] = NEVER
    head[at.H_SWEPT] = head[at.H_STEADY] = head[at.H_LOG_USED] = head[at.H_JOINED] = 0


@njit(**options)
def pending(head):
    """Whether clocks have closed what is not computed yet."""
    return head[at.H_LOG_USED] > 0 or head[at.H_SWEPT] > 0


@njit(**options)
def reached(head, used):
    """From where to where each clock closes, by what is new in the log of what it did, beside what panels did."""
    count = head[at.H_CLOCK_COUNT]
    begin, end, C = i64_1(head[at.H_BEGIN], count), i64_1(head[at.H_END], count), clocks_of(head)
    log = i64_2(head[at.H_LOG], head[at.H_LOG_ROWS], 4)
    for n in range(head[at.H_LOG_USED], used):
        k = log[n, 0]
        begin[k] = min(begin[k], log[n, 1])
        end[k] = max(end[k], log[n, 2])
        if C[at.C_LATENESS, k] < 0:
            head[at.H_JOINED] = 1
    head[at.H_LOG_USED] = used


@njit(**options)
def settle(head):
    """One step, group by group: correct what changes reach, then close what `begin` and `end` say (E12).

    Answers DONE, GROW, FULL, or CALL where Python has to see to the group before `H_GROUP`.
    """
    closing, changing = head[at.H_CLOSING], head[at.H_CHANGING]
    if closing == 0 and changing == 0:
        return at.DONE
    if closing == 1:
        if not room(head):
            return at.GROW
        stamp(head)
        head[at.H_CLOSING] = 2
    G = groups_of(head)
    while head[at.H_GROUP] < len(G):
        index = head[at.H_GROUP]
        if G[index, at.G_KIND] == at.PYTHON:
            if (closing > 0 and closes(head, index)) or (changing == 1 and correct.touched(head, index)):
                head[at.H_GROUP] += 1
                return at.CALL
        elif G[index, at.G_KIND] != at.NOTHING:
            if changing == 1 and not call_correct(head[at.H_CORRECT], (head, index)):
                return at.FULL
            if closing > 0:
                close_group(head, index)
        head[at.H_GROUP] += 1
    if changing == 1:
        correct.forget(head)
    if closing > 0:
        done(head)
    return at.DONE


@njit(**options)
def done(head):
    """Nothing is pending any longer."""
    head[at.H_CLOSING] = head[at.H_LOG_USED] = head[at.H_SWEPT] = 0


@njit(**options)
def closes(head, index):
    """Whether a lane of the group closes something in this step."""
    G, count = groups_of(head), head[at.H_CLOCK_COUNT]
    begin, end = i64_1(head[at.H_BEGIN], count), i64_1(head[at.H_END], count)
    lanes = i64_1(G[index, at.G_CLOCKS], G[index, at.G_LANES])
    for lane in range(len(lanes)):
        if end[lanes[lane]] > begin[lanes[lane]]:
            return True
    return False


@njit(**options)
def room(head):
    """Whether every row that closes has a place; else `head` names the timeline and the buckets it lacks."""
    T, count = timelines_of(head), head[at.H_CLOCK_COUNT]
    begin, end, C = i64_1(head[at.H_BEGIN], count), i64_1(head[at.H_END], count), clocks_of(head)
    for k in range(count):
        if end[k] <= begin[k]:
            continue
        if k > 0 and begin[k] == begin[k - 1] and end[k] == end[k - 1]:
            if C[at.C_INTERVAL, k] == C[at.C_INTERVAL, k - 1]:
                continue  # the same rows
        interval = C[at.C_INTERVAL, k]
        n = timeline_at(T, interval)
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


@njit(**options)
def stamp(head):
    """Remember at which arrival each row of each clock closed (step + 1; 0 is open)."""
    T, count, C = timelines_of(head), head[at.H_CLOCK_COUNT], clocks_of(head)
    log = i64_2(head[at.H_LOG], head[at.H_LOG_ROWS], 4)
    for n in range(head[at.H_LOG_USED]):
        k, stop = log[n, 0], log[n, 2]
        interval = C[at.C_INTERVAL, k]
        t = T[timeline_at(T, interval)]
        if t[at.T_ROWS] == 0:
            continue
        closed = i32_2(t[at.T_CLOSED], t[at.T_CAPACITY], count)
        start = max(log[n, 1], t[at.T_BASE])
        r = (start - t[at.T_BASE]) // interval
        while start < stop:
            closed[r, k] = log[n, 3] + 1
            start += interval
            r += 1


@njit(**options)
def one_row(head, index, told):
    """Judge the one row that all lanes of a group close now, and return it; -1 where they close more, or not the same.

    `told`, by lane: 1 where there is something to compute, and from rows (E5) without a hole; 2 where over holes.
    """
    G, T, count = groups_of(head), timelines_of(head), head[at.H_CLOCK_COUNT]
    begin, end = i64_1(head[at.H_BEGIN], count), i64_1(head[at.H_END], count)
    g = G[index]
    t, first = T[g[at.G_TIMELINE]], g[at.G_CLOCK_FIRST]
    if not together(g, begin, end) or end[first] - t[at.T_INTERVAL] != begin[first]:
        return -1
    row = (begin[first] - t[at.T_BASE]) // t[at.T_INTERVAL]
    call_part(head[at.H_STATUSES], (head, index, row, row + 1, 0, g[at.G_LANES]))
    S, N, before = status_of(g, t), counts_of(g, t), row - g[at.G_ROWS]
    for lane in range(g[at.G_LANES]):
        held = N[row, lane] - (N[before, lane] if before >= 0 else 0)
        told[lane] = 0 if S[row, lane] != VALUE else 1 if held == g[at.G_ROWS] else 2
    return row


@njit(**options)
def told(head, advances):
    """What clocks closed outside of `drive`, for `settle`."""
    log = i64_2(head[at.H_LOG], head[at.H_LOG_ROWS], 4)
    for n in range(len(advances)):
        for field in range(4):
            log[n, field] = advances[n, field]
    forget(head)
    reached(head, len(advances))
    head[at.H_GROUP], head[at.H_CLOSING] = 0, 1 if len(advances) > 0 else 0
