"""The engine: ``advance(state, arrivals) -> effects``; pure of IO, clocks and chance.

Arrivals in order run in blocks: the clocks say what closes at which arrival, then each group computes its rows. An
arrival that is late, repeated or revised, a clock tick or the end of a source is a step of its own, in the order of
E12: dedup, classify, store, corrections, advance the watermark, close. Both ways give the same bits (E15).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from qmtl.core.flow import layout
from qmtl.core.flow.clock import NOTHING, Advances, Clocks
from qmtl.core.flow.drive_kernels import drive, drive_row
from qmtl.core.flow.emission import Refusal, compare
from qmtl.core.flow.entry import BarEntry, Counted, Fate, TickEntry, from_the_future
from qmtl.core.flow.feed import CLOCK_TICK, FINISHED, Arrivals, Row, Source, identity_of
from qmtl.core.flow.order import UNTOLD, tables_of, told_of
from qmtl.core.flow.plan import Plan
from qmtl.core.flow.propagate import Changes, Propagation
from qmtl.core.flow.reuse import Reuse
from qmtl.core.flow.settle_kernels import settle
from qmtl.core.flow.timeline import FOREVER, NONE, VALUE
from qmtl.core.graph.ir import Node, NodeKind

FLOAT = np.dtype(np.float64)


class Engine:
    """State of one plan. `advance` mutates it in place."""

    def __init__(
        self,
        plan: Plan,
        sources: list[list[Node]],
        fields: list[tuple[str, ...]],
        origins: dict[str, int],
        end: int,
        reuse: Reuse | None = None,
    ) -> None:
        """`sources[i]`: the stream nodes fed by data source `i`, whose tables have the columns `fields[i]`.

        `origins`: ns by node id (E10); `end`: the run's end in ns, or FOREVER; `reuse`: who keeps slices of author's
        nodes, if anybody does.
        """
        self.plan = plan
        self.clocks = Clocks(plan, origins, end)
        self.flow = Propagation(plan, self.clocks, reuse)
        self.step = 0
        self.sources = [self._source(nodes, names) for nodes, names in zip(sources, fields, strict=True)]
        self.flow.book.feed(self.sources)
        self._head, self._width = self.flow.book.head, len(sources)
        self._head[layout.H_ROW_FIELDS] = len(fields[0]) if len(set(fields)) == 1 else -1
        self._ticks = any(source.ticks for source in self.sources)

    def _source(self, nodes: list[Node], names: tuple[str, ...]) -> Source:
        bars, ticks, numbers = [], [], []
        for node in nodes:
            group, lane = self.plan.home[node.node_id]
            origin = int(group.origin[lane])
            assert node.event_time is not None
            take = np.array([names.index(name) for name in node.outputs], np.int64)
            if node.kind is NodeKind.BARS:
                bars.append(BarEntry(group, lane, int(group.clocks[lane]), node.event_time, origin, take))
                continue
            numbers.append(self.clocks.ticks[node.node_id])
            for reader, edge in group.readers:
                key = (reader.index, group.index, lane)
                if int(edge.lanes[0]) == lane and key not in self.flow.ticks:
                    entry = TickEntry(
                        reader, group, lane, int(reader.clocks[0]), node.event_time, origin, take
                    )
                    self.flow.ticks[key] = entry
                    ticks.append(entry)
        timeouts = [t for n in nodes if n.event_time and (t := n.event_time.idle_timeout_ns) is not None]
        return Source(bars, ticks, numbers, min(timeouts, default=None))

    def resume(self, node_id: str) -> None:
        """Start a halted node again: its marker is corrected and the buckets since get their version 0 (E6)."""
        group, lane = self.plan.home[node_id]
        if self.flow.halts.at.pop((group.index, lane), None) is not None:
            self.flow.settle(NOTHING, self.step, resumed=(group, lane))
        self.step += 1

    def advance(self, batch: Arrivals, start: int = 0, stop: int | None = None) -> None:
        """Apply arrivals ``[start, stop)`` of `batch`; a batch equals its events one by one (E12)."""
        stop = len(batch.kind) if stop is None else stop
        columns = (batch.kind, batch.source, batch.event_ns, batch.available_ns, batch.row, tables_of(batch))
        head, first, at = self.flow.book.head, self.step - start, start
        head[layout.H_STEP] = first
        head[layout.H_PLAIN] = not self.flow.careful
        told = told_of(self.sources, batch, start, stop) if self._ticks or batch.revision else UNTOLD
        while at < stop:
            if not self.flow.careful:
                told.store(at)
                at = self._drive((*columns, told.known, at, stop))
                told.note(at)
            if at < stop:
                self.step = first + at
                self._single(batch, at)
                at += 1
        self.step = first + stop

    def row(self, event_ns: int, available_ns: int, values: np.ndarray) -> None:
        """As `advance` over one bar of every source, in their order, of one bucket and known at one instant.

        `values`: float64 (fields, sources) in C order. Raises ValueError for another shape, type or order.
        """
        if self._ticks or self.flow.careful:
            self.advance(Row(event_ns, available_ns, values))
            return
        answer = layout.REFUSED
        if values.dtype == FLOAT and values.flags.c_contiguous:
            answer = drive_row(self._head, self.step, event_ns, available_ns, values)
            while answer == layout.CALL and self._head[layout.H_POSITION] == self._width:
                self.flow.serve(answer)
                answer = settle(self._head)
        if answer == layout.DONE:
            self.step += self._width
        elif answer == layout.REFUSED:
            wanted = (int(self._head[layout.H_ROW_FIELDS]), self._width)
            raise ValueError(
                f"float64 of shape {wanted} in C order is wanted, not {values.dtype} {values.shape}"
            )
        else:
            self._go_on(answer, Row(event_ns, available_ns, values))

    def _go_on(self, answer: int, row: Row) -> None:
        """The rest of a row that the driver has begun."""
        head, first, stop = self.flow.book.head, self.step, len(row.kind)
        if answer != layout.IRREGULAR:
            self.flow.serve(answer)
            given = (row.kind, row.source, row.event_ns, row.available_ns, row.row, tables_of(row))
            at = self._drive((*given, UNTOLD.known, int(head[layout.H_POSITION]), stop))
        else:
            at = int(head[layout.H_POSITION])
        if at < stop:
            self.step = first + at
            self._single(row, at)
            self.advance(row, at + 1)
        self.step = first + stop

    def _drive(self, given: tuple[Any, ...]) -> int:
        """Arrivals in order, up to one that needs a step of its own; returns its position."""
        head, stop = self.flow.book.head, given[-1]
        while True:
            answer = drive(head, *given)
            if answer in (layout.GROW, layout.FULL, layout.CALL):
                self.flow.serve(answer)
            else:
                return int(stop if answer == layout.DONE else head[layout.H_POSITION])
            given = (*given[:-2], int(head[layout.H_POSITION]), stop)

    @staticmethod
    def _event(batch: Arrivals, number: int, at: int) -> tuple[int, np.ndarray, int | None]:
        row = batch.row[at]
        revision = batch.revision[number] if batch.revision else None
        return (
            int(batch.event_ns[at]),
            batch.values[number][row] if batch.flat is None else batch.flat[row],
            None if revision is None else int(revision[row]),
        )

    def _single(self, batch: Arrivals, at: int) -> None:
        kind, number = int(batch.kind[at]), int(batch.source[at])
        if kind == CLOCK_TICK:
            self._clock_tick(
                int(batch.available_ns[at]), self.sources[number:][:1] if number >= 0 else self.sources
            )
        elif kind == FINISHED:
            self._finish(self.sources[number])
        else:
            self._event_step(batch, at, self.sources[number], number)
        self.step += 1

    def _clock_tick(self, now: int, asked: list[Source]) -> None:
        """E11: idleness is decided here and nowhere else. A tick with a source is of that one alone."""
        fell = False
        for state in asked:
            timeout = state.idle_timeout
            if timeout is None or state.finished or state.idle or now - state.last_arrival < timeout:
                continue
            fell = True
            state.idle = 1
            self.flow.careful = True
            self.clocks.mark(self._rows(state), True)
        if fell:
            self.flow.settle(self.clocks.settle(self.step), self.step)

    def _rows(self, state: Source) -> list[int]:
        """The clocks' rows that a source moves."""
        return [e.clock for e in state.bars] + [self.clocks.count + n for n in state.tick_numbers.tolist()]

    def _finish(self, state: Source) -> None:
        state.finished, state.idle = 1, 0
        self.clocks.mark(self._rows(state), False)
        self.clocks.saw(self._rows(state), FOREVER)
        self.flow.settle(self.clocks.settle(self.step), self.step)

    def _event_step(self, batch: Arrivals, at: int, state: Source, number: int) -> None:
        ts, values, revision = self._event(batch, number, at)
        woke, state.idle = bool(state.idle), 0
        state.last_arrival = ingest = int(batch.available_ns[at])
        changes: Changes = {}
        for entry in state.bars:
            mine = values[entry.take]
            fate = entry.judge(ts, mine, revision, int(self.clocks.wm[entry.clock]), ingest)
            node = entry.group.nodes[entry.lane]
            self._count(entry, fate, node, node, ts, mine)
            if fate is Fate.SIDE_OUTPUT:
                entry.held.setdefault(ts, []).append(mine)
            elif fate is Fate.USED:
                self._store_bar(entry, ts, mine, revision, changes)
        touched: list[tuple[TickEntry, list[int]]] = []
        for tick in state.ticks:
            identity, order = identity_of(tick, batch, number, at, ts, state.position)
            mine = values[tick.take]
            fate = tick.judge(ts, identity, mine, revision, int(self.clocks.wm[tick.clock]), ingest)
            tell = (tick.reader.index, 0) not in self.flow.halts.at  # reading 18
            self._count(tick, fate, tick.up.nodes[tick.lane], tick.reader.nodes[0], ts, mine, tell)
            if fate is Fate.SIDE_OUTPUT:
                tick.held.setdefault(identity, []).append((ts, mine))
            elif fate is Fate.USED:
                touched.append((tick, tick.store(ts, identity, order, mine, revision)))
        state.position += 1
        self.flow.settle(self._move(state, ts, woke, ingest), self.step, changes, touched)

    def _store_bar(
        self, entry: BarEntry, ts: int, values: np.ndarray, revision: int | None, changes: Changes
    ) -> None:
        closed, old = entry.store(ts, values, revision)
        clock = entry.clock
        if ts >= self.clocks.next[clock]:
            return
        timeline, group = entry.group.timeline, entry.group
        assert timeline is not None
        row = timeline.row(ts)
        before = np.zeros(len(group.out)) if old is None else old
        group.S[row, entry.lane] = VALUE
        if compare(self.flow.log, group, entry.lane, row, self.step, VALUE if closed else NONE, before):
            changes.setdefault((group.index, entry.lane), set()).add(ts)

    def _count(
        self, entry: Counted, fate: Fate, source: Node, reader: Node, ts: int, values: Any, tell: bool = True
    ) -> None:
        entry.count(fate)
        if tell and fate is not Fate.USED:
            given = tuple(values.tolist())
            self.flow.log.refusals.append(Refusal(source.node_id, reader.node_id, self.step, ts, given, fate))

    def _move(self, state: Source, ts: int, woke: bool, ingest: int) -> Advances:
        """Advance the watermark by one arrival: what its frontier allows, before the origin too (reading 19)."""
        if woke:
            self.clocks.mark(self._rows(state), False)
        point = ts + state.interval
        rows = {e.clock for e in state.bars if not from_the_future(e.settings, ts, ingest)}
        for tick in state.ticks:
            if not from_the_future(tick.settings, ts, ingest):
                rows.add(self.clocks.count + self.clocks.ticks[tick.up.nodes[tick.lane].node_id])
        if rows:
            state.top = max(state.top, point)
        if self.flow.careful:
            self.clocks.saw(sorted(rows), point)
            return self.clocks.settle(self.step)
        return self.clocks.run(sorted(rows), point, self.step)
