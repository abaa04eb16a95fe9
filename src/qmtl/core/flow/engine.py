"""The engine: ``advance(state, arrivals) -> effects``; pure of IO, clocks and chance.

Arrivals in order run in blocks: the clocks say what closes at which arrival, then each group computes its rows. An
arrival that is late, repeated or revised, a clock tick or the end of a source is a step of its own, in the order of
E12: dedup, classify, store, corrections, advance the watermark, close. Both ways give the same bits (E15).
"""

from __future__ import annotations

import numpy as np

from qmtl.core.flow.clock import NOTHING, Advances, Clocks
from qmtl.core.flow.emission import Refusal, compare
from qmtl.core.flow.entry import BarEntry, Fate, TickEntry, from_the_future
from qmtl.core.flow.feed import CLOCK_TICK, FINISHED, Arrivals, Source, identity_of
from qmtl.core.flow.order import in_order
from qmtl.core.flow.plan import Plan
from qmtl.core.flow.propagate import Changes, Propagation
from qmtl.core.flow.timeline import FOREVER, NEVER, NONE, PENDING, VALUE
from qmtl.core.graph.ir import Node, NodeKind


class Engine:
    """State of one plan. `advance` mutates it in place."""

    def __init__(
        self,
        plan: Plan,
        sources: list[list[Node]],
        fields: list[tuple[str, ...]],
        origins: dict[str, int],
        end: int,
    ) -> None:
        """`sources[i]`: the stream nodes fed by data source `i`, whose tables have the columns `fields[i]`.

        `origins`: ns by node id (E10); `end`: the run's end in ns, or FOREVER.
        """
        self.plan = plan
        self.clocks = Clocks(plan, origins, end)
        self.flow = Propagation(plan, self.clocks)
        self.step = 0
        self.sources = [self._source(nodes, names) for nodes, names in zip(sources, fields, strict=True)]

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
        timeouts = [
            n.event_time.idle_timeout_ns
            for n in nodes
            if n.event_time and n.event_time.idle_timeout_ns is not None
        ]
        origin = min([e.origin for e in bars] + [e.origin for e in ticks], default=NEVER)
        skews = [
            n.event_time.max_future_skew_ns
            for n in nodes
            if n.event_time and n.event_time.max_future_skew_ns is not None
        ]
        skew = min(skews, default=FOREVER // 2)
        return Source(
            bars, ticks, numbers, min(timeouts, default=None), nodes[0].interval_ns, origin, skew=skew
        )

    def resume(self, node_id: str) -> None:
        """Start a halted node again: its marker is corrected and the buckets since get their version 0 (E6)."""
        group, lane = self.plan.home[node_id]
        if self.flow.halts.at.pop((group.index, lane), None) is not None:
            self.flow.settle(NOTHING, self.step, resumed=(group, lane))
        self.step += 1

    def advance(self, batch: Arrivals, start: int = 0, stop: int | None = None) -> None:
        """Apply arrivals ``[start, stop)`` of `batch`; a batch equals its events one by one (E12)."""
        stop = len(batch.kind) if stop is None else stop
        regular = np.zeros(stop - start, np.bool_)
        if not self.flow.careful:
            regular = in_order(self.sources, batch, start, stop)
        breaks = np.flatnonzero(~regular)
        at = start
        for hit in [*(breaks + start).tolist(), stop]:
            if self.flow.careful:
                for each in range(at, hit):
                    self._single(batch, each)
            elif hit > at:
                self._in_order(batch, at, hit)
            if hit < stop:
                self._single(batch, hit)
            at = hit + 1

    def _in_order(self, batch: Arrivals, start: int, stop: int) -> None:
        source = batch.source[start:stop]
        refs: list[np.ndarray] = []
        positions: list[np.ndarray] = []
        for number, state in enumerate(self.sources):
            mine = start + np.flatnonzero(source == number)
            if not len(mine):
                continue
            self._store_bars(batch, state, number, mine)
            self._store_ticks(batch, state, number, mine)
            state.last_arrival = int(batch.available_ns[mine[-1]])
            state.position += len(mine)
            for entry in state.bars:
                refs.append(np.full(len(mine), entry.clock, np.int64))
                positions.append(mine)
            for tick in state.tick_numbers:
                refs.append(np.full(len(mine), self.clocks.count + tick, np.int64))
                positions.append(mine)
        self._run(
            batch,
            np.concatenate(refs) if refs else np.zeros(0, np.int64),
            np.concatenate(positions) if positions else np.zeros(0, np.int64),
            self.step - start,
        )
        self.step += stop - start

    def _run(self, batch: Arrivals, refs: np.ndarray, positions: np.ndarray, offset: int) -> None:
        order = np.argsort(positions, kind="stable")
        refs, positions = refs[order], positions[order]
        interval = np.concatenate([self.clocks.interval, np.zeros(len(self.clocks.ticks), np.int64)])
        value = batch.event_ns[positions] + interval[refs]
        steps = positions + offset
        done = 0
        while done < len(refs):
            count, advances = self.clocks.run(refs[done:], value[done:], steps[done:])
            self.flow.settle(advances, self.step)
            done += count

    def _store_bars(self, batch: Arrivals, state: Source, number: int, at: np.ndarray) -> None:
        ts, values = batch.event_ns[at], batch.values[number][batch.row[at]]
        for entry in state.bars:
            timeline = entry.group.timeline
            assert timeline is not None
            timeline.ensure(int(ts.min()), int(ts.max()))
            rows = (ts - timeline.base) // timeline.interval
            timeline.V[rows[:, None], (entry.group.out + entry.lane)[None, :]] = values[:, entry.take]
            entry.group.S[rows, entry.lane] = PENDING
            entry.counters["arrivals"] += len(at)
            entry.counters[Fate.USED.value] += len(at)
            if batch.revision[number] is not None:
                entry.revisions.update(
                    zip(ts.tolist(), batch.revision[number][batch.row[at]].tolist(), strict=True)
                )

    def _store_ticks(self, batch: Arrivals, state: Source, number: int, at: np.ndarray) -> None:
        for entry in state.ticks:
            for n, position in enumerate(at.tolist()):
                ts, values, revision = self._event(batch, number, position)
                identity, order = identity_of(entry, batch, number, position, ts, state.position + n)
                entry.store(ts, identity, order, values[entry.take], revision)
            entry.counters["arrivals"] += len(at)
            entry.counters[Fate.USED.value] += len(at)

    @staticmethod
    def _event(batch: Arrivals, number: int, at: int) -> tuple[int, np.ndarray, int | None]:
        row = batch.row[at]
        revision = batch.revision[number]
        return (
            int(batch.event_ns[at]),
            batch.values[number][row],
            None if revision is None else int(revision[row]),
        )

    def _single(self, batch: Arrivals, at: int) -> None:
        kind, number = int(batch.kind[at]), int(batch.source[at])
        if kind == CLOCK_TICK:
            self._clock_tick(int(batch.available_ns[at]))
        elif kind == FINISHED:
            self._finish(self.sources[number])
        else:
            self._event_step(batch, at, self.sources[number], number)
        self.step += 1

    def _clock_tick(self, now: int) -> None:
        """E11: idleness is decided here and nowhere else."""
        fell = False
        for state in self.sources:
            timeout = state.idle_timeout
            if timeout is None or state.finished or state.idle or now - state.last_arrival < timeout:
                continue
            state.idle = fell = True
            self.flow.careful = True
            self._mark(state, True)
        if fell:
            self.flow.settle(self.clocks.settle(self.step), self.step)

    def _mark(self, state: Source, idle: bool) -> None:
        for entry in state.bars:
            self.clocks.idle[entry.clock] = idle
        for number in state.tick_numbers:
            self.clocks.tick_idle[number] = idle

    def _finish(self, state: Source) -> None:
        state.finished, state.idle = True, False
        self._mark(state, False)
        for entry in state.bars:
            self.clocks.seen[entry.clock] = FOREVER
        for number in state.tick_numbers:
            self.clocks.tick_seen[number] = FOREVER
        self.flow.settle(self.clocks.settle(self.step), self.step)

    def _event_step(self, batch: Arrivals, at: int, state: Source, number: int) -> None:
        ts, values, revision = self._event(batch, number, at)
        woke, state.idle = state.idle, False
        state.last_arrival = ingest = int(batch.available_ns[at])
        changes: Changes = {}
        for entry in state.bars:
            mine = values[entry.take]
            fate = entry.judge(ts, mine, revision, int(self.clocks.wm[entry.clock]), ingest)
            self._count(
                entry.counters, fate, entry.group.nodes[entry.lane], entry.group.nodes[entry.lane], ts, mine
            )
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
            self._count(tick.counters, fate, tick.up.nodes[tick.lane], tick.reader.nodes[0], ts, mine, tell)
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
        self,
        counters: dict[str, int],
        fate: Fate,
        source: Node,
        reader: Node,
        ts: int,
        values: np.ndarray,
        tell: bool = True,
    ) -> None:
        counters["arrivals"] += 1
        counters[fate.value] += 1
        if tell and fate is not Fate.USED:
            self.flow.log.refusals.append(
                Refusal(
                    source.node_id, reader.node_id, self.step, ts, tuple(np.asarray(values).tolist()), fate
                )
            )

    def _move(self, state: Source, ts: int, woke: bool, ingest: int) -> Advances:
        """Advance the watermark by one arrival: what its frontier allows, before the origin too (reading 19)."""
        if woke:
            self._mark(state, False)
        point = ts + (state.interval or 0)
        bars = [e.clock for e in state.bars if not from_the_future(e.settings, ts, ingest)]
        ticks = {
            self.clocks.ticks[e.up.nodes[e.lane].node_id]
            for e in state.ticks
            if not from_the_future(e.settings, ts, ingest)
        }
        if bars or ticks:
            state.top = max(state.top, point)
        if self.flow.careful:
            self.clocks.saw(bars, sorted(ticks), point)
            return self.clocks.settle(self.step)
        refs = np.array(bars + [self.clocks.count + n for n in sorted(ticks)], np.int64)
        steps = np.full(len(refs), self.step, np.int64)
        _, advances = self.clocks.run(refs, np.full(len(refs), point, np.int64), steps)
        return advances
