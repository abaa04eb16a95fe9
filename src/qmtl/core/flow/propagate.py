"""Propagation: closing what the clocks allow and correcting what a change reaches, group by group (E8, E12)."""

from __future__ import annotations

import numpy as np

from qmtl.core.flow import compute, function
from qmtl.core.flow import status_kernels as cells
from qmtl.core.flow.clock import Advances, Clocks
from qmtl.core.flow.emission import Log
from qmtl.core.flow.entry import TickEntry
from qmtl.core.flow.plan import EdgePlan, Group, Plan, Relation
from qmtl.core.flow.timeline import FOREVER, NEVER, NONE
from qmtl.core.graph.ir import NodeKind

Changes = dict[tuple[int, int], set[int]]  # (group, lane) -> buckets whose value or record changed


class Propagation:
    """Carries closings and changes through the groups of a plan, in topological order."""

    def __init__(self, plan: Plan, clocks: Clocks) -> None:
        self.plan = plan
        self.clocks = clocks
        self.log = Log()
        self.halts = function.Halts()
        self.ticks: dict[tuple[int, int, int], TickEntry] = {}
        self.functions = compute.load(plan.groups)
        self.step = 0
        self.careful = False  # a source has been idle: readers may have closed what is yet to come
        self.closed_at = {
            interval: timeline.plane(clocks.count, np.int32) for interval, timeline in plan.timelines.items()
        }

    def close(self, advances: Advances, step: int) -> None:
        """Compute every bucket that the clocks closed, group by group in topological order."""
        if not len(advances.clock):
            return
        self.step = step
        begin = np.full(self.clocks.count, FOREVER, np.int64)
        end = np.full(self.clocks.count, NEVER, np.int64)
        np.minimum.at(begin, advances.clock, advances.start)
        np.maximum.at(end, advances.clock, advances.stop)
        self._ensure(begin, end)
        self._stamp(advances)
        changes: Changes = {}
        for group in self.plan.groups:
            if group.timeline is None:
                continue
            if self.careful and group.edges:
                self._correct_group(group, self._dirty(group, changes, begin), changes, begin)
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
        return int(plane[row, group.clocks[lane]]) - 1  # type: ignore[call-overload]

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

    def correct(self, changes: Changes, ticks: list[tuple[TickEntry, list[int]]], step: int) -> None:
        """E8: recompute every closed bucket that a change reaches, in topological order."""
        if not changes and not ticks:
            return
        self.step = step
        direct: dict[int, list[tuple[EdgePlan, int]]] = {}
        for entry, times in ticks:
            for edge in entry.reader.edges:
                if edge.up is entry.up and int(edge.lanes[0]) == entry.lane:
                    direct.setdefault(entry.reader.index, []).extend((edge, ts) for ts in times)
        for group in self.plan.groups:
            if not group.edges or group.timeline is None:
                continue
            dirty = self._dirty(group, changes, None)
            for edge, ts in direct.get(group.index, ()):
                self._reach(group, edge, 0, ts, self._stop(group, 0, None), dirty)
            self._correct_group(group, dirty, changes, None)

    def resume(self, group: Group, lane: int, step: int) -> None:
        """Evaluate a halted lane again from the bucket that failed; readers are corrected."""
        failed = self.halts.at.pop((group.index, lane), None)
        if failed is None:
            return
        self.step = step
        timeline, changes = group.timeline, dict[tuple[int, int], set[int]]()
        assert timeline is not None
        first, stop = timeline.row(failed), self._stop(group, lane, None)
        group.S[first + 1 : stop, lane] = NONE
        self._correct_group(group, {lane: set(range(first, stop))}, changes, None)
        self.correct(changes, [], step)

    def _stop(self, group: Group, lane: int, begin: np.ndarray | None) -> int:
        """Rows of the lane that are closed (before this pass, where `begin` says what it closes)."""
        timeline, clock = group.timeline, group.clocks[lane]
        assert timeline is not None
        if begin is None and self.clocks.front[clock] == NEVER:
            return 0
        bound = int(self.clocks.next[clock])
        if begin is not None:
            bound = min(bound, int(begin[clock]))
            if self.clocks.front[clock] == NEVER:
                return 0
        return max(0, timeline.row(bound)) if timeline.rows else 0

    def _dirty(self, group: Group, changes: Changes, begin: np.ndarray | None) -> dict[int, set[int]]:
        """Closed rows of each lane that a change of an input reaches."""
        dirty: dict[int, set[int]] = {}
        if not changes:
            return dirty
        for edge in group.edges:
            for lane in range(len(edge.lanes)):
                buckets = changes.get((edge.up.index, int(edge.lanes[lane])))
                if not buckets:
                    continue
                stop = self._stop(group, lane, begin)
                for bucket in buckets:
                    self._reach(group, edge, lane, bucket, stop, dirty)
        return dirty

    @staticmethod
    def _reach(
        group: Group, edge: EdgePlan, lane: int, ts: int, stop: int, dirty: dict[int, set[int]]
    ) -> None:
        timeline = group.timeline
        assert timeline is not None
        row = timeline.row(ts)
        if group.kind is NodeKind.FUNCTION or edge.relation is Relation.COARSER:
            low, high = function.reach(group, edge, lane, ts, stop)
        else:
            low, high = row, row + 1
        rows = range(max(low, 0), min(high, stop))
        if rows:
            dirty.setdefault(lane, set()).update(rows)

    def _correct_group(
        self, group: Group, dirty: dict[int, set[int]], changes: Changes, begin: np.ndarray | None
    ) -> None:
        if not dirty:
            return
        timeline = group.timeline
        assert timeline is not None
        changed: dict[int, list[int]] = {}
        if group.kind is NodeKind.CROSS:
            rows = sorted(set().union(*dirty.values()))
            changed = compute.correct_cross(group, self.functions, self.log, rows, self.step)
        else:
            for lane, reached in dirty.items():
                stop = self._stop(group, lane, begin)
                arguments = (self.log, lane, sorted(reached), stop, self.step)
                if group.kind is NodeKind.FUNCTION:
                    changed[lane] = function.correct(group, self.halts, self.ticks, *arguments)
                else:
                    changed[lane] = compute.correct(group, self.functions, self.ticks, *arguments)
        for lane, rows in changed.items():
            if rows:
                changes.setdefault((group.index, lane), set()).update(timeline.bucket[rows].tolist())
