"""Compiled groups: statuses and values of a rectangle of rows by lanes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from qmtl.core.flow import status_kernels as cells
from qmtl.core.flow.kernel import KernelKind
from qmtl.core.flow.plan import EdgePlan, Group, Relation
from qmtl.core.flow.timeline import NONE, NULL, VALUE
from qmtl.core.flow.windows import TickEntries, decide, show
from qmtl.core.graph.ir import NodeKind

BLOCK = 1024  # rows worked on at once: bounds the work planes

Compiled = dict[int, Callable[..., Any]]


def load(groups: list[Group]) -> Compiled:
    """The compiled function of every group that has one."""
    return {
        g.index: g.kernel.load()
        for g in groups
        if g.kernel is not None and g.kernel.kind is not KernelKind.RESAMPLE
    }


def close(group: Group, functions: Compiled, ticks: TickEntries, r0: int, r1: int, a: int, b: int) -> None:
    """Statuses and values of rows ``[r0, r1)`` by lanes ``[a, b)``, which close now."""
    for start in range(r0, r1, BLOCK):
        stop = min(r1, start + BLOCK)
        if group.kind is NodeKind.CROSS:
            cross(group, functions, start, stop)
            continue
        statuses(group, start, stop, a, b)
        values(group, functions, ticks, start, stop, a, b)


def statuses(group: Group, r0: int, r1: int, a: int, b: int) -> None:
    kernel = group.kernel
    if kernel is not None and kernel.kind is KernelKind.RESAMPLE:
        return
    work = np.zeros((r1 - r0, b - a), np.uint8)
    needs_row = False
    for edge in group.edges:
        if edge.relation is Relation.OWN:
            needs_row = needs_row or edge.required
            cells.fold_own(work, edge.up.S, edge.lanes, edge.required, edge.computed, r0, r1, a, b)
        elif edge.relation is Relation.COARSER:
            _fold_coarse(group, edge, work, r0, r1, a, b)
    cells.count_rows(work, group.M, group.N, needs_row, r0, r1, a, b)
    cells.judge(work, group.S, group.N, group.rows, r0, r1, a, b)


def _fold_coarse(group: Group, edge: EdgePlan, work: np.ndarray, r0: int, r1: int, a: int, b: int) -> None:
    up, own = edge.up.timeline, group.timeline
    assert up is not None and own is not None
    at = np.empty(work.shape, np.int64)
    cells.fold_coarse(
        work,
        edge.up.S,
        up.base,
        up.interval,
        up.rows,
        edge.lanes,
        edge.required,
        edge.computed,
        own.base,
        own.interval,
        r0,
        r1,
        a,
        b,
        at,
    )
    for number, column in enumerate(edge.columns):
        if edge.scratch >= 0:
            cells.gather_at(
                own.V,
                edge.scratch + number * group.lanes,
                up.V,
                edge.up.out[column],
                edge.lanes,
                at,
                r0,
                r1,
                a,
                b,
            )


def values(group: Group, functions: Compiled, ticks: TickEntries, r0: int, r1: int, a: int, b: int) -> None:
    timeline, kernel = group.timeline, group.kernel
    assert timeline is not None and kernel is not None
    if kernel.kind is KernelKind.RESAMPLE:
        _resample(group, ticks, r0, r1, a, b)
        return
    _gather(group, r0, r1, a, b)
    run, V = functions[group.index], timeline.V
    if kernel.kind is KernelKind.MAP:
        run(V, group.M, group.out, group.ins, group.args, r0, r1, a, b)
        if kernel.may_null:
            cells.settle_nulls(group.S, group.M, r0, r1, a, b)
    elif kernel.kind is KernelKind.WINDOW:
        run(
            V,
            group.M,
            group.N,
            timeline.bucket,
            timeline.interval,
            group.out,
            group.ins,
            group.args,
            r0,
            r1,
            a,
            b,
        )
    else:
        run(V, group.M, timeline.bucket, group.out, group.state, group.ins, group.args, r0, r1, a, b)


def _gather(group: Group, r0: int, r1: int, a: int, b: int) -> None:
    timeline = group.timeline
    assert timeline is not None
    for edge in group.edges:
        if edge.scratch < 0 or edge.relation is not Relation.OWN:
            continue
        for number, column in enumerate(edge.columns):
            off = edge.scratch + number * group.lanes
            cells.gather(timeline.V, off, timeline.V, edge.up.out[column], edge.lanes, r0, r1, a, b)


def cross(group: Group, functions: Compiled, r0: int, r1: int) -> None:
    timeline, kernel = group.timeline, group.kernel
    assert timeline is not None and kernel is not None
    members = len(group.edges)
    present = np.empty((r1 - r0, members), np.bool_)
    for number, edge in enumerate(group.edges):
        bucket = timeline.bucket[r0:r1]
        belongs = (bucket >= edge.since) & (bucket < edge.until)
        present[:, number] = belongs & (edge.up.S[r0:r1, edge.lanes[0]] == VALUE)
        timeline.V[r0:r1, edge.scratch] = timeline.V[r0:r1, edge.up.out[edge.columns[0]] + edge.lanes[0]]
    cells.cross_status(group.M, group.S, present, not kernel.single_lane, kernel.min_count, r0, r1, members)
    functions[group.index](timeline.V, group.M, group.out, group.ins, group.args, r0, r1, members)


def _resample(group: Group, ticks: TickEntries, r0: int, r1: int, a: int, b: int) -> None:
    edge, timeline = group.edges[0], group.timeline
    assert timeline is not None
    if edge.relation is Relation.TICK:
        for lane in range(a, b):
            for row in range(r0, r1):
                _bar_of_ticks(group, lane, row, ticks)
        return
    up = edge.up.timeline
    assert up is not None
    cols = edge.up.out[list(edge.columns)]
    cells.resample(
        timeline.V,
        group.S,
        group.out,
        group.args.astype(np.int64),
        group.N,
        timeline.base,
        timeline.interval,
        up.V,
        edge.up.S,
        cols,
        edge.lanes,
        up.base,
        up.interval,
        edge.complete,
        edge.computed and edge.required,
        r0,
        r1,
        a,
        b,
        up.rows,
        group.origin,
    )


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
