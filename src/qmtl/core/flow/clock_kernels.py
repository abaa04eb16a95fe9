"""Compiled passes over the clocks. They also run uncompiled (NUMBA_DISABLE_JIT=1), with the same results."""

from __future__ import annotations

import numba
import numpy as np

from qmtl.core.flow.timeline import FOREVER, NEVER

CLOCK, TICK = 0, 1
(
    _I,
    _LATE,
    _FIRST,
    _FLUSH,
    _IN,
    _INS,
    _DEP,
    _DEPS,
    _LIMIT,
    _SEEN,
    _TSEEN,
    _WM,
    _NEXT,
    _FRONT,
    _RAW,
    _ATRAW,
    _IDLE,
    _TIDLE,
) = range(18)


@numba.njit(cache=True, error_model="numpy")
def _as_seen(front, slack, since, until):
    """A frontier as one reader sees it: less its lateness (negative slack) or with its structural allowance.

    Before `since` the reader does not wait for it, and not from `until` on (E16).
    """
    if front != NEVER and front != FOREVER:
        front += slack
    return FOREVER if front >= until else max(front, since)


@numba.njit(cache=True, error_model="numpy")
def _rescan(s, k):
    """The least frontier over active inputs; all idle: the largest (flush) or the old watermark (hold).

    A cross-section that all members have left stays where it is.
    """
    inputs, starts = s[_IN], s[_INS]
    least, count, largest, active = FOREVER, 0, NEVER, 0
    for i in range(starts[k], starts[k + 1]):
        kind, ref = inputs[i, 0], inputs[i, 1]
        f = _as_seen(
            s[_FRONT][ref] if kind == CLOCK else s[_TSEEN][ref], inputs[i, 2], inputs[i, 3], inputs[i, 4]
        )
        if f == FOREVER and inputs[i, 4] != FOREVER:
            continue
        largest = max(largest, f)
        if (s[_IDLE][ref] if kind == CLOCK else s[_TIDLE][ref]) != 0:
            continue
        active += 1
        if f < least:
            least, count = f, 1
        elif f == least:
            count += 1
    s[_IDLE][k] = 1 if active == 0 else 0
    if largest == NEVER:
        least, count = s[_WM][k], 0
    elif active == 0:
        least, count = (largest if s[_FLUSH][k] != 0 else s[_WM][k]), 0
    s[_RAW][k] = least
    s[_ATRAW][k] = count
    return least


@numba.njit(cache=True, error_model="numpy")
def _close(s, k, step, log, used):
    """Close what the watermark of clock `k` allows (E4) and publish its frontier (reading 11)."""
    wm, interval = s[_WM][k], s[_I][k]
    if wm == NEVER:
        return used
    limit = s[_LIMIT][k]
    stop = limit if wm == FOREVER else min(wm // interval * interval, limit)
    start = s[_NEXT][k]
    if stop > start:
        s[_NEXT][k] = stop
        log[used, 0], log[used, 1], log[used, 2], log[used, 3] = k, start, stop, step
        used += 1
    s[_FRONT][k] = max(s[_FRONT][k], stop)
    if wm == FOREVER:
        s[_FRONT][k] = FOREVER
    return used


@numba.njit(cache=True, error_model="numpy")
def _spread(s, source, old, new, step, log, used, pending):
    """Carry a moved frontier (index `source` of the dependents table) through all clocks that depend on it."""
    deps, starts = s[_DEP], s[_DEPS]
    n = 0
    for i in range(starts[source], starts[source + 1]):
        k = deps[i, 0]
        was = _as_seen(old, deps[i, 1], deps[i, 2], deps[i, 3])
        if was != s[_RAW][k] or was == _as_seen(new, deps[i, 1], deps[i, 2], deps[i, 3]):
            continue
        s[_ATRAW][k] -= 1
        if s[_ATRAW][k] <= 0:
            pending[n] = k
            n += 1
    while n > 0:
        at = 0
        for i in range(1, n):
            if pending[i] < pending[at]:
                at = i
        k = pending[at]
        n -= 1
        pending[at] = pending[n]
        raw = _rescan(s, k)
        if raw <= s[_WM][k]:
            continue
        s[_WM][k] = raw
        before = s[_FRONT][k]
        used = _close(s, k, step, log, used)
        if s[_FRONT][k] == before:
            continue
        for i in range(starts[k], starts[k + 1]):
            d = deps[i, 0]
            was = _as_seen(before, deps[i, 1], deps[i, 2], deps[i, 3])
            if was != s[_RAW][d] or was == _as_seen(s[_FRONT][k], deps[i, 1], deps[i, 2], deps[i, 3]):
                continue
            s[_ATRAW][d] -= 1
            if s[_ATRAW][d] <= 0:
                known = False
                for j in range(n):
                    known = known or pending[j] == d
                if not known:
                    pending[n] = d
                    n += 1
    return used


@numba.njit(cache=True, error_model="numpy")
def bar(s, k, end, step, log, used, pending):
    """Entry clock `k` has seen a bar that ends at `end`; returns the rows of `log` used."""
    if end <= s[_SEEN][k]:
        return used
    s[_SEEN][k] = end
    wm = end - s[_LATE][k]
    if wm > s[_WM][k]:
        s[_WM][k] = wm
        old = s[_FRONT][k]
        used = _close(s, k, step, log, used)
        if s[_FRONT][k] != old:
            used = _spread(s, k, old, s[_FRONT][k], step, log, used, pending)
    return used


@numba.njit(cache=True, error_model="numpy")
def tick(s, number, ts, step, log, used, pending):
    """Tick stream `number` has seen `ts`; returns the rows of `log` used."""
    old = s[_TSEEN][number]
    if ts > old:
        s[_TSEEN][number] = ts
        used = _spread(s, len(s[_I]) + number, old, ts, step, log, used, pending)
    return used


@numba.njit(cache=True, error_model="numpy")
def run(s, ref, value, step, log):
    """Entry clocks and (from the count of clocks on) tick streams `ref` have seen `value`; returns rows of `log`."""
    count, used = len(s[_I]), 0
    pending = np.empty(count + 1, np.int64)
    for k in ref:
        if k >= count:
            used = tick(s, k - count, value, step, log, used, pending)
        else:
            used = bar(s, k, value, step, log, used, pending)
    return used


@numba.njit(cache=True, error_model="numpy")
def settle(s, step, log):
    """Every clock anew, ascending; returns the rows of `log` used."""
    used = 0
    for k in range(len(s[_I])):
        if s[_LATE][k] < 0:
            raw = _rescan(s, k)
            s[_WM][k] = max(s[_WM][k], raw)
        elif s[_SEEN][k] == FOREVER:
            s[_WM][k] = FOREVER
        elif s[_SEEN][k] != NEVER:
            s[_WM][k] = max(s[_WM][k], s[_SEEN][k] - s[_LATE][k])
        used = _close(s, k, step, log, used)
    return used
