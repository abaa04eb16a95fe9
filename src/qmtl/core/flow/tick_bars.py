"""Bars of a tick stream: the one built-in operator that reads ticks (SDK: `resample`)."""

from __future__ import annotations

import numpy as np

from qmtl.core.flow.emission import Log, compare
from qmtl.core.flow.function import Halts, Touch
from qmtl.core.flow.plan import Group
from qmtl.core.flow.timeline import NONE, NULL, VALUE
from qmtl.core.flow.windows import TickEntries, decide, show


def close(group: Group, ticks: TickEntries, lane: int, r0: int, r1: int) -> None:
    """Statuses and values of rows ``[r0, r1)``."""
    for row in range(r0, r1):
        _bar_of_ticks(group, lane, row, ticks)


def correct(
    group: Group,
    halts: Halts,
    ticks: TickEntries,
    log: Log,
    lane: int,
    touches: list[Touch],
    first: int,
    stop: int,
    step: int,
) -> list[int]:
    """Make the closed bars ``[first, stop)`` that hold one of `touches` anew; returns those that changed."""
    timeline = group.timeline
    assert timeline is not None
    changed = []
    for row in sorted({timeline.row(ts) for _, ts in touches}):
        if not first <= row < stop:
            continue
        old, before = int(group.S[row, lane]), timeline.V[row, group.out + lane].copy()
        _bar_of_ticks(group, lane, row, ticks)
        if compare(log, group, lane, row, step, old, before):
            changed.append(row)
    return changed


def _bar_of_ticks(group: Group, lane: int, row: int, ticks: TickEntries) -> None:
    """One bar from the ticks of its bucket, by the method of each output (0 first, 1 max, 2 min, 3 last, 4 sum …)."""
    timeline = group.timeline
    assert timeline is not None
    shown = show(group, lane, int(timeline.bucket[row]), ticks)
    status, _ = decide(group, lane, int(timeline.bucket[row]), shown)
    old = int(group.S[row, lane])
    if status != VALUE and old != NONE:
        status = NULL if old in (VALUE, NULL) else old
    group.S[row, lane] = status
    if status != VALUE:
        return
    for number, method in enumerate(group.args.astype(int).tolist()):
        timeline.V[row, group.out[number] + lane] = _aggregate(shown[0].values[:, number], method)


def _aggregate(x: np.ndarray, method: int) -> float:
    if method == 4 or method == 5:
        total = 0.0
        for value in x.tolist():  # in order, as bars add up
            total += value
        return total if method == 4 else total / len(x)
    return float([x[0], x.max(), x.min(), x[-1], 0.0, 0.0, len(x)][method])
