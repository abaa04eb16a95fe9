"""Compiled passes over the clocks. They also run uncompiled (NUMBA_DISABLE_JIT=1), with the same results.

`C` has one row per clock, then one per tick stream, whose frontier is the latest time seen; its columns, and those of
`inputs` and `deps`, are in :mod:`qmtl.core.flow.layout`.
"""

from __future__ import annotations

import numpy as np

from qmtl.core.compiled import njit
from qmtl.core.flow.address_kernels import options, within
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
def _rescan(C, inputs, k):
    """The least frontier over active inputs; all idle: the largest (flush) or the old watermark (hold).

    A cross-section that all members have left stays where it is.
    """
    least, count, largest, active = FOREVER, 0, NEVER, 0
    for i in range(C[k, C_FIRST_INPUT], C[k, C_END_INPUT]):
        bounds = inputs[i]
        f = _as_seen(C[bounds[0], C_FRONT], bounds)
        if f == FOREVER and bounds[3] != FOREVER:
            continue
        largest = max(largest, f)
        if C[bounds[0], C_IDLE] != 0:
            continue
        active += 1
        if f < least:
            least, count = f, 1
        elif f == least:
            count += 1
    C[k, C_IDLE] = 1 if active == 0 else 0
    if largest == NEVER:
        least, count = C[k, C_WM], 0
    elif active == 0:
        least, count = (largest if C[k, C_FLUSH] != 0 else C[k, C_WM]), 0
    C[k, C_RAW] = least
    C[k, C_AT_RAW] = count
    return least


@njit(**within)
def _close(C, k, step, log, used):
    """Close what the watermark of clock `k` allows (E4) and publish its frontier (reading 11)."""
    c = C[k]
    wm, interval, start = c[C_WM], c[C_INTERVAL], c[C_NEXT]
    if wm == NEVER:
        return used
    if start != NEVER and start <= c[C_FRONT] and start <= wm < start + interval:
        return used
    stop = c[C_LIMIT] if wm == FOREVER else min(wm // interval * interval, c[C_LIMIT])
    if stop > start:
        c[C_NEXT] = stop
        log[used, 0], log[used, 1], log[used, 2], log[used, 3] = k, start, stop, step
        used += 1
    c[C_FRONT] = FOREVER if wm == FOREVER else max(c[C_FRONT], stop)
    return used


@njit(**within)
def _tell(C, deps, source, old, new, pending, n):
    """Dependents of a clock whose frontier moved: those that lost their last least input are `pending`."""
    for i in range(C[source, C_FIRST_DEP], C[source, C_END_DEP]):
        bounds = deps[i]
        k = bounds[0]
        was = _as_seen(old, bounds)
        if was != C[k, C_RAW] or was == _as_seen(new, bounds):
            continue
        C[k, C_AT_RAW] -= 1
        if C[k, C_AT_RAW] > 0:
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
        raw = _rescan(C, inputs, k)
        if raw <= C[k, C_WM]:
            continue
        C[k, C_WM] = raw
        before = C[k, C_FRONT]
        used = _close(C, k, step, log, used)
        if C[k, C_FRONT] != before:
            n = _tell(C, deps, k, before, C[k, C_FRONT], pending, n)
    return used


@njit(**within)
def bar(C, inputs, deps, k, end, step, log, used, pending):
    """Entry clock `k` has seen a bar that ends at `end`; returns the rows of `log` used."""
    if end <= C[k, C_SEEN]:
        return used
    C[k, C_SEEN] = end
    wm = end - C[k, C_LATENESS]
    if wm > C[k, C_WM]:
        C[k, C_WM] = wm
        old = C[k, C_FRONT]
        used = _close(C, k, step, log, used)
        if C[k, C_FRONT] != old:
            used = _spread(C, inputs, deps, k, old, C[k, C_FRONT], step, log, used, pending)
    return used


@njit(**within)
def tick(C, inputs, deps, k, ts, step, log, used, pending):
    """Tick stream `k` (its row of `C`) has seen `ts`; returns the rows of `log` used."""
    old = C[k, C_FRONT]
    if ts > old:
        C[k, C_FRONT] = ts
        used = _spread(C, inputs, deps, k, old, ts, step, log, used, pending)
    return used


@njit(**options)
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
        if C[k, C_LATENESS] < 0:
            raw = _rescan(C, inputs, k)
            C[k, C_WM] = max(C[k, C_WM], raw)
        elif C[k, C_SEEN] == FOREVER:
            C[k, C_WM] = FOREVER
        elif C[k, C_SEEN] != NEVER:
            C[k, C_WM] = max(C[k, C_WM], C[k, C_SEEN] - C[k, C_LATENESS])
        used = _close(C, k, step, log, used)
    return used
