"""Propagation: correcting what a change reaches and closing what the clocks allow, group by group (E8, E12)."""

from __future__ import annotations

import numpy as np

from qmtl.core.flow import compute, function, recompute
from qmtl.core.flow import status_kernels as cells
from qmtl.core.flow.clock import Advances, Clocks
from qmtl.core.flow.emission import Log
from qmtl.core.flow.entry import TickEntry
from qmtl.core.flow.function import Touch
from qmtl.core.flow.plan import Group, Plan, Relation
from qmtl.core.flow.timeline import FOREVER, NEVER, NONE
from qmtl.core.graph.ir import NodeKind

Changes = dict[tuple[int, int], set[int]]  # (group, lane) -> buckets whose value or record changed
Touches = dict[int, list[Touch]]  # by lane of one group


class Propagation:
    """Carries closings and changes through the groups of a plan, in topological order."""

    def __init__(self, plan: Plan, clocks: Clocks) -> None:
        self.plan = plan
        self.clocks = clocks
        self.log = Log()
        self.halts = function.Halts()
        self.ticks: dict[tuple[int, int, int], TickEntry] = {}
        self.functions = compute.load(plan.groups)
        self.careful = False  # a source has been idle: readers may have closed what is yet to come
        self.closed_at = {
            interval: timeline.plane(clocks.count, np.int32) for interval, timeline in plan.timelines.items()
        }

    def settle(
        self,
        advances: Advances,
        step: int,
        changes: Changes | None = None,
        ticks: list[tuple[TickEntry, list[int]]] | None = None,
        resumed: tuple[Group, int] | None = None,
    ) -> None:
        """One step: each group corrects what the changes reach, then closes what its clocks closed (E12).

        `changes`: of bars that were closed already; `ticks`: entries and the times at which their events changed;
        `resumed`: a halted lane that starts again.
        """
        changes = {} if changes is None else changes
        begin = np.full(self.clocks.count, FOREVER, np.int64)
        end = np.full(self.clocks.count, NEVER, np.int64)
        if len(advances.clock):
            np.minimum.at(begin, advances.clock, advances.start)
            np.maximum.at(end, advances.clock, advances.stop)
            self._ensure(begin, end)
            self._stamp(advances)
        stored = self._stored(ticks or [])
        for group in self.plan.groups:
            if group.timeline is None:
                continue
            if group.edges:
                touches = self._touches(group, changes) if changes else {}
                if group.index in stored:
                    touches.setdefault(0, []).extend(stored[group.index])
                if touches:
                    self._correct(group, touches, changes, begin, step)
            if resumed is not None and resumed[0] is group:
                self._resume(group, resumed[1], changes, begin, step)
            if len(advances.clock):
                self._close_group(group, begin, end, changes)

    def _ensure(self, begin: np.ndarray, end: np.ndarray) -> None:
        for k in np.flatnonzero(end > begin).tolist():
            timeline = self.plan.timelines[int(self.clocks.interval[k])]
            if begin[k] == NEVER:
                begin[k] = min(timeline.base, int(end[k])) if timeline.rows else end[k]
            if end[k] > begin[k]:
                timeline.ensure(int(begin[k]), int(end[k]) - timeline.interval)

    def _stamp(self, advances: Advances) -> None:
        """Remember at which arrival each row of each clock closed (step + 1; 0 is open)."""
        for interval, plane in self.closed_at.items():
            timeline = self.plan.timelines[interval]
            mine = np.flatnonzero(self.clocks.interval[advances.clock] == interval)
            if not len(mine) or timeline.rows == 0:
                continue
            start = np.maximum(advances.start[mine], timeline.base)
            count = np.maximum((advances.stop[mine] - start) // interval, 0)
            first = (start - timeline.base) // interval
            total = int(count.sum())
            rows = np.repeat(first - np.concatenate([[0], np.cumsum(count)[:-1]]), count) + np.arange(total)
            timeline.planes[plane][rows, np.repeat(advances.clock[mine], count)] = np.repeat(
                advances.step[mine] + 1, count
            )

    def closing_step(self, group: Group, lane: int, row: int) -> int:
        """The arrival that closed a row, or -1 while it is open."""
        assert group.timeline is not None
        plane = group.timeline.planes[self.closed_at[group.interval]]
        return int(plane[row, group.clocks[lane]]) - 1

    def _close_group(self, group: Group, begin: np.ndarray, end: np.ndarray, changes: Changes) -> None:
        timeline = group.timeline
        assert timeline is not None
        lo, hi = begin[group.clocks], end[group.clocks]
        lane = 0
        while lane < group.lanes:
            stop = group.lanes if group.kind is NodeKind.CROSS else lane + 1
            while stop < group.lanes and lo[stop] == lo[lane] and hi[stop] == hi[lane]:
                stop += 1
            if hi[lane] > lo[lane]:
                r0, r1 = timeline.row(int(lo[lane])), timeline.row(int(hi[lane]))
                self._close_rows(group, max(r0, 0), r1, lane, stop)
                if self.careful:
                    self._note_closed(group, max(r0, 0), r1, lane, stop, changes)
            lane = stop

    def _close_rows(self, group: Group, r0: int, r1: int, a: int, b: int) -> None:
        if group.kind is NodeKind.BARS:
            for lane in range(a, b):
                cells.close_bars(group.S, r0, r1, lane)
        elif group.kind is NodeKind.FUNCTION:
            for lane in range(a, b):
                function.close(
                    group,
                    self.halts,
                    self.ticks,
                    self.log,
                    lane,
                    r0,
                    r1,
                    lambda row, lane=lane: self.closing_step(group, lane, row),
                )
        else:
            compute.close(group, self.functions, self.ticks, r0, r1, a, b)

    @staticmethod
    def _note_closed(group: Group, r0: int, r1: int, a: int, b: int, changes: Changes) -> None:
        timeline = group.timeline
        assert timeline is not None
        for lane in range(a, b):
            rows = r0 + np.flatnonzero(group.S[r0:r1, lane] != NONE)
            if len(rows):
                changes.setdefault((group.index, lane), set()).update(timeline.bucket[rows].tolist())

    @staticmethod
    def _stored(ticks: list[tuple[TickEntry, list[int]]]) -> Touches:
        """What each reader of ticks (by the index of its group) sees changed."""
        found: Touches = {}
        for entry, times in ticks:
            for edge in entry.reader.edges:
                if edge.up is entry.up and int(edge.lanes[0]) == entry.lane:
                    found.setdefault(entry.reader.index, []).extend((edge, ts) for ts in times)
        return found

    @staticmethod
    def _touches(group: Group, changes: Changes) -> Touches:
        """By lane, which input changed at which bucket."""
        found: Touches = {}
        for edge in group.edges:
            for lane in range(len(edge.lanes)):
                buckets = changes.get((edge.up.index, int(edge.lanes[lane])))
                if buckets:
                    found.setdefault(lane, []).extend((edge, bucket) for bucket in buckets)
        return found

    def _closed(self, group: Group, lane: int, begin: np.ndarray) -> tuple[int, int]:
        """Rows of the lane ``[first, stop)`` that can hold something and were closed before this step."""
        timeline, clock = group.timeline, int(group.clocks[lane])
        assert timeline is not None
        bound, first = int(min(self.clocks.next[clock], begin[clock])), int(self.clocks.first[clock])
        if not timeline.rows or bound == NEVER:
            return 0, 0
        return max(0, timeline.row(first)) if first > NEVER else 0, max(0, timeline.row(bound))

    def _correct(
        self, group: Group, touches: Touches, changes: Changes, begin: np.ndarray, step: int
    ) -> None:
        """E8: recompute the closed rows that `touches` reach, and add what changed to `changes`."""
        changed: dict[int, list[int]] = {}
        for lane, touched in touches.items():
            first, stop = self._closed(group, lane, begin)
            if group.kind is NodeKind.FUNCTION:
                changed[lane] = function.correct(
                    group, self.halts, self.ticks, self.log, lane, touched, first, stop, step
                )
                continue
            rows = sorted(_rows_of(group, lane, touched, first, stop))
            if not rows:
                continue
            if group.kind is NodeKind.CROSS:
                changed = recompute.correct_cross(group, self.functions, self.log, rows, step)
            else:
                changed[lane] = recompute.correct(
                    group, self.functions, self.ticks, self.log, lane, rows, stop, step
                )
        self._note(group, changed, changes)

    def _resume(self, group: Group, lane: int, changes: Changes, begin: np.ndarray, step: int) -> None:
        first, stop = self._closed(group, lane, begin)
        rows = function.resume(group, self.halts, self.ticks, self.log, lane, first, stop, step)
        self._note(group, {lane: rows}, changes)

    @staticmethod
    def _note(group: Group, changed: dict[int, list[int]], changes: Changes) -> None:
        timeline = group.timeline
        assert timeline is not None
        for lane, rows in changed.items():
            if rows:
                changes.setdefault((group.index, lane), set()).update(timeline.bucket[rows].tolist())


def _rows_of(group: Group, lane: int, touched: list[Touch], first: int, stop: int) -> set[int]:
    """Closed rows at which a compiled group sees `touched`; how far they reach is the kernel's matter."""
    timeline = group.timeline
    assert timeline is not None
    rows: set[int] = set()
    for edge, ts in touched:
        if edge.relation is Relation.COARSER:
            low, high = function.reach(group, edge, lane, ts, stop)
        else:
            low = timeline.row(ts)
            high = low + 1
        rows.update(range(max(low, first), min(high, stop)))
    return rows
