"""Compiled passes over the clocks. They also run uncompiled (NUMBA_DISABLE_JIT=1), with the same results.

`C` has one column per clock, then one per tick stream, whose frontier is the latest time seen; its rows, and what
`inputs` and `deps` hold, are in :mod:`qmtl.core.flow.layout`.
"""

from __future__ import annotations

import numpy as np

from qmtl.core.compiled import njit
from qmtl.core.flow.address_kernels import allocating, options, within
from qmtl.core.flow.layout import (
    C_AT_RAW,
    C_END_DEP,
    C_END_INPUT,
    C_FIRST_DEP,
    C_FIRST_INPUT,
    C_FLUSH,
    C_FRONT,
    C_IDLE,
    C_INTERVAL,
    C_LATENESS,
    C_LIMIT,
    C_NEXT,
    C_RAW,
    C_SEEN,
    C_WM,
)
from qmtl.core.flow.timeline import FOREVER, NEVER


@njit(**within)
def _as_seen(front, bounds):
    """A frontier as one reader sees it: less its lateness (negative slack) or with its structural allowance.

    Before `since` the reader does not wait for it, and not from `until` on (E16). Bounds: index, slack, since, until.
    """
    if front != NEVER and front != FOREVER:
        front += bounds[1]
    return FOREVER if front >= bounds[3] else max(front, bounds[2])


@njit(**within)
def rescan(C, inputs, k):
    """The least frontier over active inputs; all idle: the largest (flush) or the old watermark (hold).

    A cross-section that all members have left stays where it is.
    """
    least, count, largest, active = FOREVER, 0, NEVER, 0
    for i in range(C[C_FIRST_INPUT, k], C[C_END_INPUT, k]):
        bounds = inputs[i]
        f = _as_seen(C[C_FRONT, bounds[0]], bounds)
        if f == FOREVER and bounds[3] != FOREVER:
            continue
        largest = max(largest, f)
        if C[C_IDLE, bounds[0]] != 0:
            continue
        active += 1
        if f < least:
            least, count = f, 1
        elif f == least:
            count += 1
    C[C_IDLE, k] = 1 if active == 0 else 0
    if largest == NEVER:
        least, count = C[C_WM, k], 0
    elif active == 0:
        least, count = (largest if C[C_FLUSH, k] != 0 else C[C_WM, k]), 0
    C[C_RAW, k] = least
    C[C_AT_RAW, k] = count
    return least


@njit(**within)
def close(C, k, step, log, used):
    """Close what the watermark of clock `k` allows (E4) and publish its frontier (reading 11)."""
    wm, interval, start = C[C_WM, k], C[C_INTERVAL, k], C[C_NEXT, k]
    if wm == NEVER:
        return used
    if start != NEVER and start <= C[C_FRONT, k] and start <= wm < start + interval:
        return used
    stop = C[C_LIMIT, k] if wm == FOREVER else min(wm // interval * interval, C[C_LIMIT, k])
    if stop > start:
        C[C_NEXT, k] = stop
        log[used, 0], log[used, 1], log[used, 2], log[used, 3] = k, start, stop, step
        used += 1
    C[C_FRONT, k] = FOREVER if wm == FOREVER else max(C[C_FRONT, k], stop)
    return used


@njit(**within)
def _tell(C, deps, source, old, new, pending, n):
    """Dependents of a clock whose frontier moved: those that lost their last least input are `pending`."""
    for i in range(C[C_FIRST_DEP, source], C[C_END_DEP, source]):
        bounds = deps[i]
        k = bounds[0]
        was = _as_seen(old, bounds)
        if was != C[C_RAW, k] or was == _as_seen(new, bounds):
            continue
        C[C_AT_RAW, k] -= 1
        if C[C_AT_RAW, k] > 0:
            continue
        known = False
        for j in range(n):
            known = known or pending[j] == k
        if not known:
            pending[n] = k
            n += 1
    return n


@njit(**within)
def _spread(C, inputs, deps, source, old, new, step, log, used, pending):
    """Carry a moved frontier through all clocks that depend on it, in their order."""
    n = _tell(C, deps, source, old, new, pending, 0)
    while n > 0:
        at = 0
        for i in range(1, n):
            if pending[i] < pending[at]:
                at = i
        k = pending[at]
        n -= 1
        pending[at] = pending[n]
        raw = rescan(C, inputs, k)
        if raw <= C[C_WM, k]:
            continue
        C[C_WM, k] = raw
        before = C[C_FRONT, k]
        used = close(C, k, step, log, used)
        if C[C_FRONT, k] != before:
            n = _tell(C, deps, k, before, C[C_FRONT, k], pending, n)
    return used


@njit(**within)
def bar(C, inputs, deps, k, end, step, log, used, pending):
    """Entry clock `k` has seen a bar that ends at `end`; returns the rows of `log` used."""
    if end <= C[C_SEEN, k]:
        return used
    C[C_SEEN, k] = end
    wm = end - C[C_LATENESS, k]
    if wm > C[C_WM, k]:
        C[C_WM, k] = wm
        old = C[C_FRONT, k]
        used = close(C, k, step, log, used)
        if C[C_FRONT, k] != old:
            used = _spread(C, inputs, deps, k, old, C[C_FRONT, k], step, log, used, pending)
    return used


@njit(**within)
def tick(C, inputs, deps, k, ts, step, log, used, pending):
    """Tick stream `k` (its row of `C`) has seen `ts`; returns the rows of `log` used."""
    old = C[C_FRONT, k]
    if ts > old:
        C[C_FRONT, k] = ts
        used = _spread(C, inputs, deps, k, old, ts, step, log, used, pending)
    return used


@njit(**allocating)
def run(C, inputs, deps, count, rows, value, step, log):
    """Entry clocks and tick streams (`rows` of `C`; clocks are the first `count`) have seen `value`."""
    used, pending = 0, np.empty(count + 1, np.int64)
    for k in rows:
        if k >= count:
            used = tick(C, inputs, deps, k, value, step, log, used, pending)
        else:
            used = bar(C, inputs, deps, k, value, step, log, used, pending)
    return used


@njit(**options)
def settle(C, inputs, count, step, log):
    """Every clock anew, ascending; returns the rows of `log` used."""
    used = 0
    for k in range(count):
        if C[C_LATENESS, k] < 0:
            raw = rescan(C, inputs, k)
            C[C_WM, k] = max(C[C_WM, k], raw)
        elif C[C_SEEN, k] == FOREVER:
            C[C_WM, k] = FOREVER
        elif C[C_SEEN, k] != NEVER:
            C[C_WM, k] = max(C[C_WM, k], C[C_SEEN, k] - C[C_LATENESS, k])
        used = close(C, k, step, log, used)
    return used
