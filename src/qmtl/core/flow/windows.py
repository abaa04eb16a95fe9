"""What the inputs of a node show at a bucket (E5) and whether they are there (E6), bucket by bucket.

This is the general form, for nodes whose windows mix intervals, spans and ticks. Nodes whose windows are rows of
their own interval take the compiled path (:mod:`qmtl.core.flow.status_kernels`), which decides the same.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from qmtl.core.flow.entry import TickEntry
from qmtl.core.flow.plan import EdgePlan, Group, Relation
from qmtl.core.flow.timeline import GAP, NONE, VALUE
from qmtl.core.graph.ir import NodeKind

TickEntries = dict[tuple[int, int, int], TickEntry]


@dataclass(slots=True)
class Shown:
    """One input at one bucket: event times (ns) and values (n, columns), oldest first."""

    times: np.ndarray
    values: np.ndarray
    present: bool
    warm: bool = False  # the window or the input is still in warm-up
    whole: bool = True  # every sub-bar is there (`complete`)
    absent: np.ndarray | None = None  # rows at which an optional input has nothing, where windows are rows

    @property
    def real(self) -> np.ndarray:
        """The rows that the input really has."""
        return np.ones(len(self.times), np.bool_) if self.absent is None else ~self.absent


def show(group: Group, lane: int, bucket: int, ticks: TickEntries) -> list[Shown]:
    """Every input of lane `lane` at `bucket`, in the order of the edges."""
    rows = _rows_of(group, lane, bucket)
    return [_one(group, lane, bucket, edge, rows, ticks) for edge in group.edges]


def shown_at(group: Group, lane: int, bucket: int, ticks: TickEntries) -> list[Shown]:
    """As `show`, of any node at a bucket that has closed, as things stand now.

    Its rows are found again from its inputs: compiled operators use the planes of rows for more than that.
    """
    if group.kind is NodeKind.CROSS:
        return [_lane_of_cross(edge, bucket) for edge in group.edges]
    rows = _rows_again(group, lane, bucket)
    return [_one(group, lane, bucket, edge, rows, ticks) for edge in group.edges]


def _lane_of_cross(edge: EdgePlan, bucket: int) -> Shown:
    timeline, lane = edge.up.timeline, int(edge.lanes[0])
    assert timeline is not None
    row = timeline.row(bucket)
    known = 0 <= row < timeline.rows and edge.since <= bucket < edge.until
    present = known and int(edge.up.S[row, lane]) == VALUE
    times, values = _take(edge, 0, np.array([row] if present else [], np.int64))
    return Shown(times, values, present)


def _rows_again(group: Group, lane: int, bucket: int) -> np.ndarray:
    """The node's latest rows (E5) up to `bucket`: where its required own inputs have values; if none is, any."""
    timeline = group.timeline
    assert timeline is not None
    own = [edge for edge in group.edges if edge.relation is Relation.OWN]
    required = [edge for edge in own if edge.required]
    row, found = timeline.row(bucket), list[int]()
    while own and 0 <= row < timeline.rows and len(found) < group.rows:
        present = (int(edge.up.S[row, edge.lanes[lane]]) == VALUE for edge in required or own)
        if all(present) if required else any(present):
            found.append(row)
        row -= 1
    return np.array(found[::-1], np.int64)


def decide(group: Group, lane: int, bucket: int, shown: list[Shown]) -> tuple[int, list[str]]:
    """Status of the bucket (NONE for warm-up, VALUE, GAP) and the names of what is missing."""
    pairs = list(zip(group.edges, shown, strict=True))
    timeline = group.timeline
    assert timeline is not None
    own_rows = any(e.relation is Relation.OWN and e.window.rows for e in group.edges)
    if own_rows:
        row = timeline.row(bucket)
        before = int(group.N[row - 1, lane]) if row > 0 else 0
        if before < group.rows - 1:
            return NONE, []
    if any(s.warm for _, s in pairs):
        return NONE, []
    missing = [e.name for e, s in pairs if e.required and not (s.present and s.whole)]
    if missing:
        return GAP, missing
    if not any(s.present and s.whole for _, s in pairs):
        return GAP, [e.name for e, _ in pairs]
    return VALUE, []


def _rows_of(group: Group, lane: int, bucket: int) -> np.ndarray:
    """The node's latest rows (E5) up to `bucket`, as many as its longest own-interval window, ascending."""
    timeline = group.timeline
    assert timeline is not None
    row = timeline.row(bucket)
    found: list[int] = []
    wanted = group.rows
    while row >= 0 and len(found) < wanted and group.N[row, lane] > 0:
        if group.M[row, lane] == 1:
            found.append(row)
        row -= 1
    return np.array(found[::-1], np.int64)


def _one(group: Group, lane: int, bucket: int, edge: EdgePlan, rows: np.ndarray, ticks: TickEntries) -> Shown:
    if edge.relation is Relation.TICK:
        return _ticks(group, lane, bucket, edge, ticks)
    if edge.relation is Relation.OWN:
        return _own(group, lane, bucket, edge, rows)
    if edge.relation is Relation.FINER:
        return _finer(group, lane, bucket, edge)
    return _coarser(group, lane, bucket, edge)


def _columns(edge: EdgePlan, lane: int) -> np.ndarray:
    columns: np.ndarray = edge.up.out[list(edge.columns)] + edge.lanes[lane]
    return columns


def _take(edge: EdgePlan, lane: int, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    timeline = edge.up.timeline
    assert timeline is not None
    return timeline.bucket[rows], timeline.V[np.ix_(rows, _columns(edge, lane))]


def _warm_input(edge: EdgePlan, lane: int, row: int) -> bool:
    if not (edge.required and edge.computed):
        return False
    timeline = edge.up.timeline
    assert timeline is not None
    return not 0 <= row < timeline.rows or int(edge.up.S[row, edge.lanes[lane]]) == NONE


def _present_rows(edge: EdgePlan, lane: int, start: int, stop: int) -> np.ndarray:
    """Rows of the input with a value, among buckets ``start <= bucket < stop``."""
    timeline = edge.up.timeline
    assert timeline is not None
    low = max(0, -(-(start - timeline.base) // timeline.interval))
    high = min(timeline.rows, -(-(stop - timeline.base) // timeline.interval))
    if high <= low:
        return np.zeros(0, np.int64)
    found: np.ndarray = low + np.flatnonzero(edge.up.S[low:high, edge.lanes[lane]] == VALUE)
    return found


def _ticks(group: Group, lane: int, bucket: int, edge: EdgePlan, ticks: TickEntries) -> Shown:
    entry = ticks[group.index, edge.up.index, int(edge.lanes[lane])]
    end, span = bucket + group.interval, edge.window.span_ns
    assert span is not None
    times, values = entry.span(end - span, end)
    filled = np.unique(times // group.interval)
    whole = not edge.complete or len(filled) == _parts(end - span, end, group.interval)
    present = entry.has(bucket, end)
    return Shown(times, values[:, list(edge.columns)], present, end - span < _origin(group, lane), whole)


def _parts(begin: int, end: int, interval: int) -> int:
    """How many buckets have a part in ``[begin, end)``; `end` is the end of one (reading 13)."""
    return (end - begin // interval * interval) // interval


def _whole(begin: int, end: int, interval: int) -> int:
    """How many bars begin in ``[begin, end)``; `end` is the end of one (reading 13)."""
    return (end + -begin // interval * interval) // interval


def _origin(group: Group, lane: int) -> int:
    return int(group.origin[min(lane, len(group.origin) - 1)])


def _own(group: Group, lane: int, bucket: int, edge: EdgePlan, rows: np.ndarray) -> Shown:
    timeline = group.timeline
    assert timeline is not None
    row = timeline.row(bucket)
    status = int(edge.up.S[row, edge.lanes[lane]]) if 0 <= row < timeline.rows else NONE
    warm = _warm_input(edge, lane, row)
    if edge.window.rows is not None:
        rows = rows[-edge.window.rows :]
        times, values = _take(edge, lane, rows)
        absent = edge.up.S[rows, edge.lanes[lane]] != VALUE
        values[absent] = np.nan
        return Shown(times, values, status == VALUE, warm, absent=absent)
    end, span = bucket + group.interval, edge.window.span_ns
    assert span is not None
    seen = _present_rows(edge, lane, end - span, end)
    whole = not edge.complete or len(seen) == _whole(end - span, end, group.interval)
    times, values = _take(edge, lane, seen)
    return Shown(times, values, status == VALUE, warm or end - span < _origin(group, lane), whole)


def _finer(group: Group, lane: int, bucket: int, edge: EdgePlan) -> Shown:
    end, fine = bucket + group.interval, edge.up.interval
    timeline = edge.up.timeline
    assert timeline is not None
    inside = _present_rows(edge, lane, bucket, end)
    warm = _warm_input(edge, lane, timeline.row(end - fine))
    if edge.window.rows is None:
        span = edge.window.span_ns
        assert span is not None
        seen = _present_rows(edge, lane, end - span, end)
        warm = warm or end - span < _origin(group, lane)
        whole = len(seen) == _whole(end - span, end, fine)
    else:
        seen = _latest(edge, lane, end - fine, edge.window.rows)
        warm = warm or (edge.required and 0 < len(seen) < edge.window.rows)
        whole = len(inside) == group.interval // fine
    times, values = _take(edge, lane, seen)
    return Shown(times, values, bool(len(inside)), warm, whole or not edge.complete)


def _coarser(group: Group, lane: int, bucket: int, edge: EdgePlan) -> Shown:
    coarse = edge.up.interval
    last = (bucket + group.interval) // coarse * coarse - coarse
    wanted = edge.window.rows or 1
    seen = _latest(edge, lane, last, wanted)
    timeline = edge.up.timeline
    assert timeline is not None
    warm = _warm_input(edge, lane, timeline.row(last)) or (edge.required and 0 < len(seen) < wanted)
    if edge.window.span_ns is not None:
        warm = warm or bucket + group.interval - edge.window.span_ns < _origin(group, lane)
    times, values = _take(edge, lane, seen)
    return Shown(times, values, bool(len(seen)), warm)


def _latest(edge: EdgePlan, lane: int, last: int, count: int) -> np.ndarray:
    """The `count` latest rows of the input with a value, at or before bucket `last`, ascending."""
    timeline = edge.up.timeline
    assert timeline is not None
    row = min(timeline.row(last), timeline.rows - 1)
    found: list[int] = []
    status = edge.up.S
    while row >= 0 and len(found) < count:
        if status[row, edge.lanes[lane]] == VALUE:
            found.append(row)
        row -= 1
    return np.array(found[::-1], np.int64)
