"""Propagation: correcting what a change reaches and closing what the clocks allow, group by group (E8, E12)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial

import numpy as np

from qmtl.core.flow import close_kernels, correct_kernels, function, layout, plain, tick_bars
from qmtl.core.flow import settle_kernels as kernels
from qmtl.core.flow.book import Book
from qmtl.core.flow.clock import Advances, Clocks
from qmtl.core.flow.emission import Change, Log
from qmtl.core.flow.entry import TickEntry
from qmtl.core.flow.function import Touch
from qmtl.core.flow.plan import Group, Plan
from qmtl.core.flow.reuse import Reuse
from qmtl.core.flow.timeline import NONE
from qmtl.core.graph.ir import NodeKind

Changes = dict[tuple[int, int], set[int]]  # (group, lane) -> buckets whose value or record changed
Touches = dict[int, list[Touch]]  # by lane of one group


class Propagation:
    """Carries closings and changes through the groups of a plan, in topological order."""

    def __init__(self, plan: Plan, clocks: Clocks, reuse: Reuse | None = None) -> None:
        self.plan = plan
        self.reuse = reuse
        self.clocks = clocks
        self.log = Log()
        self.halts = function.Halts()
        self.ticks: dict[tuple[int, int, int], TickEntry] = {}
        self._ready: dict[int, plain.Ready | None] = {}  # by group
        self.careful = False  # a source has been idle: readers may have closed what is yet to come
        self.closed_at = {
            interval: timeline.plane(clocks.count, np.int32) for interval, timeline in plan.timelines.items()
        }
        together = layout.BLOCK if reuse is None else reuse.span + 1
        self.book = Book(plan, clocks, self.closed_at, self.log, together)

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
        head, moved = self.book.head, len(advances.log) > 0
        kernels.told(head, advances.log)
        head[layout.H_NOW], head[layout.H_CHANGING] = step, 1
        if moved:
            while not kernels.room(head):
                self.serve(layout.GROW)
            kernels.stamp(head)
        for (index, lane), buckets in (changes or {}).items():
            self._changed(self.plan.groups[index], lane, buckets)
        stored = self._stored(ticks or [])
        for group in self.plan.groups:
            if group.timeline is None:
                continue
            if self.book.kind(group) == layout.PYTHON:
                self._by_python(group, stored.get(group.index, []), moved)
            else:
                while not correct_kernels.correct_group(head, group.index):
                    self.log.grow()
                if moved:
                    close_kernels.close_group(head, group.index)
            if resumed is not None and resumed[0] is group:
                self._resume(group, resumed[1], step)
            if moved and self.careful:
                self._note_closed(group)
        correct_kernels.forget(head)
        kernels.done(head)

    def changes(self) -> list[Change]:
        """All that was said of buckets that had closed, in order."""
        return self.log.changes(self.plan.groups)

    def serve(self, answer: int) -> None:
        """What compiled code asked for."""
        head = self.book.head
        if answer == layout.FULL:
            self.log.grow()
        elif answer == layout.CALL:
            self._by_python(self.plan.groups[int(head[layout.H_GROUP]) - 1], [], head[layout.H_CLOSING] > 0)
        else:
            timeline = list(self.plan.timelines.values())[head[layout.H_TIMELINE]]
            timeline.ensure(int(head[layout.H_LOW]), int(head[layout.H_HIGH]))

    def _by_python(self, group: Group, stored: list[Touch], moved: bool) -> None:
        """Correct and close a group that compiled code cannot."""
        touches = self._touches(group) if self.book.head[layout.H_CHANGING] else {}
        if stored:
            touches.setdefault(0, []).extend(stored)
        if touches:
            self._correct(group, touches, int(self.book.head[layout.H_NOW]))
        if moved and not self._one_row(group):
            for lane, r0, r1 in self._closing(group):
                self._close_rows(group, r0, r1, lane)

    def _one_row(self, group: Group) -> bool:
        """Close the one row that all lanes of an author's function close now; false where it is not so simple."""
        if group.kind is not NodeKind.FUNCTION or self.halts.at or self.log.inputs:
            return False
        if group.index not in self._ready:
            self._ready[group.index] = plain.Ready(group) if plain.is_ready(group) else None
        ready = self._ready[group.index]
        if ready is None:
            return False

        def halt(lane: int, row: int, bucket: int, cause: str) -> None:
            step = self.closing_step(group, lane, row)
            function.halt(group, self.halts, self.log, lane, bucket, step, cause)

        left = ready.close(self.book.head, halt)
        for lane, row in left or ():
            self._close_rows(group, row, row + 1, lane)
        return left is not None

    def _closing(self, group: Group) -> Iterator[tuple[int, int, int]]:
        """Lanes of a group that close rows in this step, and which."""
        timeline, begin, end = group.timeline, self.book.begin, self.book.end
        assert timeline is not None
        for lane, clock in enumerate(group.clocks.tolist()):
            if end[clock] > begin[clock]:
                yield lane, max(timeline.row(int(begin[clock])), 0), timeline.row(int(end[clock]))

    def closing_step(self, group: Group, lane: int, row: int) -> int:
        """The arrival that closed a row, or -1 while it is open."""
        assert group.timeline is not None
        plane = group.timeline.planes[self.closed_at[group.interval]]
        return int(plane[row, group.clocks[lane]]) - 1

    def _close_rows(self, group: Group, r0: int, r1: int, lane: int) -> None:
        if group.kind is not NodeKind.FUNCTION:
            tick_bars.close(group, self.ticks, lane, r0, r1)
            return
        step = partial(self.closing_step, group, lane)
        function.close(group, self.halts, self.ticks, self.log, lane, r0, r1, step, self.reuse)

    def _note_closed(self, group: Group) -> None:
        """What closed is news to readers that had closed already."""
        for lane, r0, r1 in self._closing(group):
            rows = np.flatnonzero(group.S[r0:r1, lane] != NONE)
            if len(rows):
                correct_kernels.changed(
                    self.book.head, group.index, lane, r0 + int(rows[0]), r0 + int(rows[-1]) + 1
                )

    def _changed(self, group: Group, lane: int, buckets: Iterable[int]) -> None:
        timeline = group.timeline
        assert timeline is not None
        for bucket in buckets:
            row = timeline.row(bucket)
            correct_kernels.changed(self.book.head, group.index, lane, row, row + 1)

    @staticmethod
    def _stored(ticks: list[tuple[TickEntry, list[int]]]) -> Touches:
        """What each reader of ticks (by the index of its group) sees changed."""
        found: Touches = {}
        for entry, times in ticks:
            for edge in entry.reader.edges:
                if edge.up is entry.up and int(edge.lanes[0]) == entry.lane:
                    found.setdefault(entry.reader.index, []).extend((edge, ts) for ts in times)
        return found

    def _touches(self, group: Group) -> Touches:
        """By lane, which input changed at which bucket."""
        found: Touches = {}
        for edge in group.edges:
            up = edge.up.timeline
            changed = self.book.changed(edge.up) if up is not None else {}
            if not changed:
                continue
            for lane, theirs in enumerate(edge.lanes.tolist()):
                if theirs in changed:
                    assert up is not None
                    rows = changed[theirs]
                    found.setdefault(lane, []).extend((edge, up.base + row * up.interval) for row in rows)
        return found

    def _correct(self, group: Group, touches: Touches, step: int) -> None:
        """E8: evaluate the closed rows that `touches` reach."""
        for lane, touched in touches.items():
            first, stop = correct_kernels.closed(self.book.head, group.index, lane)
            given = (group, self.halts, self.ticks, self.log, lane, touched, first, stop, step)
            correct = function.correct if group.kind is NodeKind.FUNCTION else tick_bars.correct
            self._note(group, lane, correct(*given))

    def _resume(self, group: Group, lane: int, step: int) -> None:
        first, stop = correct_kernels.closed(self.book.head, group.index, lane)
        rows = function.resume(group, self.halts, self.ticks, self.log, lane, first, stop, step)
        self._note(group, lane, rows)

    def _note(self, group: Group, lane: int, rows: list[int]) -> None:
        if rows:
            correct_kernels.changed(self.book.head, group.index, lane, rows[0], rows[-1] + 1)
