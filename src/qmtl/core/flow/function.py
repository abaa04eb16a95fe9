"""Nodes computed by an author's Python function: windows shown, answers taken, failures contained (E6, E8)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from qmtl.core.flow import plain
from qmtl.core.flow import status_kernels as cells
from qmtl.core.flow.answer import answers, called, taken
from qmtl.core.flow.emission import Failure, Log, compare
from qmtl.core.flow.plan import EdgePlan, Group, Relation
from qmtl.core.flow.reuse import Reuse, Slice, through
from qmtl.core.flow.timeline import FAILED, GAP, HALTED, NONE, NULL, VALUE
from qmtl.core.flow.view import Columns, View, locked
from qmtl.core.flow.windows import Shown, TickEntries, decide, show
from qmtl.core.graph.ir import Node, OnMissing

Touch = tuple[EdgePlan, int]  # an input, and the bucket or event time (ns) at which it changed


@dataclass(slots=True)
class Halts:
    """Nodes that have stopped, by (group, lane): the bucket that failed."""

    at: dict[tuple[int, int], int] = field(default_factory=dict)


def close(
    group: Group,
    halts: Halts,
    ticks: TickEntries,
    log: Log,
    lane: int,
    r0: int,
    r1: int,
    step: Callable[[int], int],
    reuse: Reuse | None = None,
) -> None:
    """Compute rows ``[r0, r1)`` of lane `lane`, which close now, ascending. `step(row)` says at which arrival.

    Slices that `reuse` knows are taken from it.
    """
    key, timeline = (group.index, lane), group.timeline
    assert timeline is not None
    if reuse is None or key in log.inputs:
        _compute(group, halts, ticks, log, lane, r0, r1, step)
        return

    def compute(low: int, high: int) -> bool:
        _compute(group, halts, ticks, log, lane, low, high, step)
        return key not in halts.at

    def adopt(low: int, high: int, known: Slice) -> None:
        _rows(group, low, high, lane)
        group.S[low:high, lane] = known.status
        timeline.V[low:high, group.out + lane] = known.values

    through(reuse, group, lane, ticks, r0, r1, key not in halts.at, compute, adopt)


def _compute(
    group: Group,
    halts: Halts,
    ticks: TickEntries,
    log: Log,
    lane: int,
    r0: int,
    r1: int,
    step: Callable[[int], int],
) -> None:
    key, timeline = (group.index, lane), group.timeline
    assert timeline is not None
    if plain.is_plain(group) and key not in halts.at and key not in log.inputs:

        def stopped(bucket: int, cause: str) -> None:
            halt(group, halts, log, lane, bucket, step(timeline.row(bucket)), cause)

        plain.close(group, log.head, lane, r0, r1, stopped)
        return
    _rows(group, r0, r1, lane)
    for row in range(r0, r1):
        if key in halts.at:
            group.S[row, lane] = HALTED
            continue
        _evaluate(group, halts, ticks, log, lane, row, step(row))


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
    """Evaluate the closed rows ``[first, stop)`` that `touches` reach, ascending; returns those that changed."""
    timeline = group.timeline
    assert timeline is not None
    own = [timeline.row(ts) for edge, ts in touches if edge.relation is Relation.OWN]
    if own and min(own) < stop:
        _rows(group, max(min(own), 0), stop, lane)
    if (group.index, lane) in halts.at:
        return []
    return _again(group, halts, ticks, log, lane, _reached(group, lane, touches, first, stop), stop, step)


def _again(
    group: Group,
    halts: Halts,
    ticks: TickEntries,
    log: Log,
    lane: int,
    rows: Iterable[int],
    stop: int,
    step: int,
) -> list[int]:
    timeline = group.timeline
    assert timeline is not None
    changed = []
    for row in rows:
        old, before = int(group.S[row, lane]), timeline.V[row, group.out + lane].copy()
        _evaluate(group, halts, ticks, log, lane, row, step, old)
        halted = (group.index, lane) in halts.at
        if compare(log, group, lane, row, step, old, before, halted):
            changed.append(row)
        if halted:
            changed += _close_halted(group, lane, stop)
            break
    return changed


def resume(
    group: Group, halts: Halts, ticks: TickEntries, log: Log, lane: int, first: int, stop: int, step: int
) -> list[int]:
    """Judge every closed row again after a halt (reading 18); returns the rows that changed."""
    status = group.S[:stop, lane]
    status[status == HALTED] = NONE
    return _again(group, halts, ticks, log, lane, range(first, stop), stop, step)


def _close_halted(group: Group, lane: int, stop: int) -> list[int]:
    """Closed rows after the last record have none because the node has halted, and no longer because of warm-up."""
    recorded = np.flatnonzero(~np.isin(group.S[:stop, lane], (NONE, HALTED)))
    first = int(recorded[-1]) + 1
    group.S[first:stop, lane] = HALTED
    return list(range(first, stop))


def _reached(group: Group, lane: int, touches: list[Touch], first: int, stop: int) -> Iterator[int]:
    """Closed rows whose windows may show one of `touches`, ascending."""
    at = first
    for low, high in sorted(reach(group, edge, lane, ts, stop) for edge, ts in touches):
        yield from range(max(low, at), min(high, stop))
        at = max(at, min(high, stop))


def reach(group: Group, edge: EdgePlan, lane: int, ts: int, stop: int) -> tuple[int, int]:
    """Closed rows whose window may show the event or bucket `ts` of `edge`: ``[low, high)``, generously."""
    timeline = group.timeline
    assert timeline is not None
    interval, low, span = group.interval, timeline.row(ts), edge.window.span_ns
    if edge.relation is Relation.OWN:  # it says what a row is (reading 12), so windows of rows move too
        high = low + 1 if span is None else timeline.row(ts + span - 1) + 1
        if any(e.relation is Relation.OWN and e.window.rows for e in group.edges):
            high = max(high, int(cells.nth_row_after(group.M, lane, max(low, -1), group.rows, stop)) + 1)
        return low, high
    if span is not None and edge.relation is not Relation.COARSER:
        return low, max(low, timeline.row(ts + span - 1)) + 1
    first = (
        timeline.row(ts + edge.up.interval - interval) if edge.up.interval > interval else timeline.row(ts)
    )
    return first, max(_past(group, edge, lane, ts, stop), first + 1)  # presence looks at the whole bucket


def _past(group: Group, edge: EdgePlan, lane: int, ts: int, stop: int) -> int:
    """The first row at which `ts` has left a window of the latest bars of another interval."""
    up, timeline = edge.up.timeline, group.timeline
    assert up is not None and timeline is not None
    row, wanted = up.row(ts), edge.window.rows or 1
    status = edge.up.S
    while wanted > 0 and row < up.rows - 1:
        row += 1
        wanted -= int(status[row, edge.lanes[lane]] == VALUE)
    if wanted > 0:
        return stop
    end = int(up.bucket[row]) + up.interval
    return min(stop, timeline.row(end - timeline.interval) + 1)


def _rows(group: Group, r0: int, r1: int, lane: int) -> None:
    """Which buckets are rows of the node (E5), by its own-interval inputs."""
    work = np.zeros((r1 - r0, 1), np.uint8)
    needs_row = False
    for edge in group.edges:
        if edge.relation is Relation.OWN:
            needs_row = needs_row or edge.required
            cells.fold_own(work, edge.up.S, edge.lanes, edge.required, False, r0, r1, lane, lane + 1)
    cells.count_rows(work, group.M, group.N, needs_row, r0, r1, lane, lane + 1)


def _evaluate(
    group: Group, halts: Halts, ticks: TickEntries, log: Log, lane: int, row: int, step: int, old: int = NONE
) -> None:
    timeline = group.timeline
    assert timeline is not None
    bucket = int(timeline.bucket[row])
    shown = show(group, lane, bucket, ticks)
    status, missing = decide(group, lane, bucket, shown)
    warm, node = status == NONE, group.nodes[lane]
    if status == VALUE:
        answer, cause = _call(group, lane, bucket, shown)
        if cause:
            halt(group, halts, log, lane, bucket, step, cause)
            status = FAILED
        elif answer is None:
            status = GAP
        else:
            timeline.V[row, group.out + lane] = answer
    elif status == GAP and _fails(group, node) and old == NONE:
        halt(group, halts, log, lane, bucket, step, "missing: " + ", ".join(missing))
        status = FAILED
    if status in (NONE, GAP) and old != NONE:
        status = NULL if old in (VALUE, NULL) else old
    group.S[row, lane] = status
    record = log.inputs.get((group.index, lane))
    if record is not None and status != NONE:
        record.append((bucket, step, [] if warm else shown, missing))


def _fails(group: Group, node: Node) -> bool:
    """Whether a missing input halts the node: under `fail`, where something is required (reading 15)."""
    return node.closing.on_missing is OnMissing.FAIL and any(edge.required for edge in group.edges)


def halt(group: Group, halts: Halts, log: Log, lane: int, bucket: int, step: int, cause: str) -> None:
    """A lane stops at a bucket, and the log says why."""
    halts.at[group.index, lane] = bucket
    log.failures.append(Failure(group.index, lane, bucket, step, cause))


def _call(group: Group, lane: int, bucket: int, shown: list[Shown]) -> tuple[np.ndarray | None, str]:
    """The author's answer as a row of outputs, or the cause of its failure."""
    node = group.nodes[lane]
    inputs = {e.name: _window(e, s, node.vectorized) for e, s in zip(group.edges, shown, strict=True)}
    one = locked(np.array([bucket])) if node.vectorized else bucket
    watermark = (one + group.interval,) if node.wants_watermark else ()
    assert node.function is not None

    def take(answer: object) -> np.ndarray | None:
        if not node.vectorized:
            return taken(answer, node.outputs)
        found = answers(answer, node.outputs, 1)
        return None if found is None else found[0]

    found, cause = called(node.function, [(View(inputs, one), *watermark)], dict(node.params), take)
    return (found[0] if found else None), cause


def _window(edge: EdgePlan, shown: Shown, as_rows: bool) -> Any:
    """What a function sees of an input; `as_rows`, of shape (1, period)."""
    stacked, times = locked(np.ascontiguousarray(shown.values.T)), locked(shown.times)
    columns = [each[None] if as_rows else each for each in stacked]
    if edge.single:
        return columns[0]
    times = times[None] if as_rows else times
    return Columns(dict(zip(edge.names, columns, strict=True)), times, 0, len(times))
