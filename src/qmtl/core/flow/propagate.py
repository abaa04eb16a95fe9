"""Propagation: correcting what a change reaches and closing what the clocks allow, group by group (E8, E12)."""

from __future__ import annotations

from functools import partial

import numpy as np

from qmtl.core.flow import drive_kernels as kernels
from qmtl.core.flow import function, layout, recompute
from qmtl.core.flow.book import Book
from qmtl.core.flow.clock import Advances, Clocks
from qmtl.core.flow.emission import Log
from qmtl.core.flow.entry import TickEntry
from qmtl.core.flow.function import Touch
from qmtl.core.flow.plan import Group, Plan, Relation
from qmtl.core.flow.tick_bars import bars_of_ticks
from qmtl.core.flow.timeline import NEVER, NONE
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
        self.careful = False  # a source has been idle: readers may have closed what is yet to come
        self.closed_at = {
            interval: timeline.plane(clocks.count, np.int32) for interval, timeline in plan.timelines.items()
        }
        self.book = Book(plan, clocks, self.closed_at)

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
        head, moved = self.book.head, len(advances.log) > 0
        kernels.told(head, advances.log)
        if moved:
            while not kernels.room(head):
                self.grow()
            kernels.stamp(head)
        head[layout.H_CLOSING] = 0
        stored = self._stored(ticks or [])
        for group in self.plan.groups:
            if group.timeline is None:
                continue
            if group.edges:
                touches = self._touches(group, changes) if changes else {}
                if group.index in stored:
                    touches.setdefault(0, []).extend(stored[group.index])
                if touches:
                    self._correct(group, touches, changes, step)
            if resumed is not None and resumed[0] is group:
                self._resume(group, resumed[1], changes, step)
            if moved:
                self._close(group, changes)

    def grow(self) -> None:
        """Make the room that compiled code asked for."""
        head = self.book.head
        timeline = list(self.plan.timelines.values())[head[layout.H_TIMELINE]]
        timeline.ensure(int(head[layout.H_LOW]), int(head[layout.H_HIGH]))

    def close_by_python(self) -> None:
        """The group at which compiled code stopped."""
        self._close(self.plan.groups[int(self.book.head[layout.H_GROUP]) - 1], {})

    def closing_step(self, group: Group, lane: int, row: int) -> int:
        """The arrival that closed a row, or -1 while it is open."""
        assert group.timeline is not None
        plane = group.timeline.planes[self.closed_at[group.interval]]
        return int(plane[row, group.clocks[lane]]) - 1

    def _close(self, group: Group, changes: Changes) -> None:
        """Close the rows of a group that its clocks closed in this step."""
        python = self.book.kind(group) == layout.PYTHON
        if not python:
            kernels.close_group(self.book.head, group.index)
        if not (python or self.careful):
            return
        timeline, begin, end = group.timeline, self.book.begin, self.book.end
        assert timeline is not None
        for lane, clock in enumerate(group.clocks.tolist()):
            if end[clock] <= begin[clock]:
                continue
            r0, r1 = max(timeline.row(int(begin[clock])), 0), timeline.row(int(end[clock]))
            if python:
                self._close_rows(group, r0, r1, lane)
            if self.careful:
                self._note_closed(group, r0, r1, lane, lane + 1, changes)

    def _close_rows(self, group: Group, r0: int, r1: int, lane: int) -> None:
        if group.kind is not NodeKind.FUNCTION:
            bars_of_ticks(group, self.ticks, lane, r0, r1)
            return
        function.close(
            group, self.halts, self.ticks, self.log, lane, r0, r1, partial(self.closing_step, group, lane)
        )

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

    def _closed(self, group: Group, lane: int) -> tuple[int, int]:
        """Rows of the lane ``[first, stop)`` that can hold something and were closed before this step."""
        timeline, clock = group.timeline, int(group.clocks[lane])
        assert timeline is not None
        bound = int(min(self.clocks.next[clock], self.book.begin[clock]))
        first = int(self.clocks.first[clock])
        if not timeline.rows or bound == NEVER:
            return 0, 0
        return max(0, timeline.row(first)) if first > NEVER else 0, max(0, timeline.row(bound))

    def _correct(self, group: Group, touches: Touches, changes: Changes, step: int) -> None:
        """E8: recompute the closed rows that `touches` reach, and add what changed to `changes`."""
        changed: dict[int, list[int]] = {}
        for lane, touched in touches.items():
            first, stop = self._closed(group, lane)
            if group.kind is NodeKind.FUNCTION:
                changed[lane] = function.correct(
                    group, self.halts, self.ticks, self.log, lane, touched, first, stop, step
                )
                continue
            rows = sorted(_rows_of(group, lane, touched, first, stop))
            if not rows:
                continue
            if group.kind is NodeKind.CROSS:
                changed = recompute.correct_cross(group, self.book, self.log, rows, step)
            else:
                changed[lane] = recompute.correct(
                    group, self.book, self.ticks, self.log, lane, rows, stop, step
                )
        self._note(group, changed, changes)

    def _resume(self, group: Group, lane: int, changes: Changes, step: int) -> None:
        first, stop = self._closed(group, lane)
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
