"""What the workers should commit: one plan per slot, fed from the first record on and never interrupted (C6)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

import numpy as np

from qmtl.core.flow.commit import Entry, Position, Record, Slot, Step
from qmtl.core.flow.layout import C_WM
from qmtl.core.flow.state import parts_of, rest_of
from qmtl.core.flow.timeline import VALUE
from qmtl.runtime.worker.messages import Events, Finished, committed, decoded, encoded
from qmtl.runtime.worker.reading import CommitLog
from qmtl.runtime.worker.slot import News, SlotState
from qmtl.runtime.worker.spread import Spread
from qmtl.testing.simulation.workload import Workload, message, streams


class Wrong(AssertionError):  # noqa: N818
    """What was committed is not what should be."""


START = Position(0)
RESUME = b"resume"  # the key of a record that has a halted node tried again


@dataclass
class Plan:
    """Of one slot. `ahead`: records that are visible and not consumed yet."""

    state: SlotState
    ahead: list[Entry] = field(default_factory=list)
    position: Position = START
    marks: np.ndarray[Any, Any] | None = None  # watermarks, by clock
    arrived: Counter[str] = field(default_factory=Counter)  # events, by stream
    changes: int = 0  # of the engine's log, so far


class Reference:
    """Computes what each step must contain, from the inputs it consumed. `log`: all that was committed, folded."""

    def __init__(self, workload: Workload, seen: Counter[str]) -> None:
        """`seen`: counts what was compared."""
        self._seen = seen
        self._spread: Spread = workload.layout.spread
        self.plans = {Slot(slot): Plan(SlotState(Slot(slot), self._spread)) for slot in self._spread.slots()}
        self.log = CommitLog()
        self._events: Mapping[str, list[Mapping[str, Any]]] = workload.events
        self._nodes = {node.node_id: node for node in streams(workload.layout)}
        self.fed: dict[
            tuple[Slot, str], int
        ] = {}  # by slot and stream: events that came, one more at its end

    def came(self, slot: Slot, entry: Entry) -> None:
        """A record of a slot's partition. C7: each event of a feed is there once, in its order."""
        plan = self.plans.get(slot)
        if plan is None:
            raise Wrong(f"slot {slot} has nothing to do, and is sent {entry.record.key!r}")
        plan.ahead.append(entry)
        for told in decoded(entry.record.value):
            if isinstance(told, Events | Finished):
                self._fed(slot, told)

    def _fed(self, slot: Slot, told: Events | Finished) -> None:
        at, events = self.fed.get((slot, told.stream), 0), self._events[told.stream]
        count = len(told.event_ns) // 8 if isinstance(told, Events) else 1
        self.fed[slot, told.stream] = at + count
        wanted: Events | Finished = Finished(told.stream)
        if at < len(events):
            wanted = message(self._nodes[told.stream], events[at : at + count])
        if told != wanted or at > len(events):
            raise Wrong(f"C7: slot {slot}: {told.stream}: {count} events, not those after the {at} before")

    def committed(self, step: Step) -> None:
        """A step that became visible: it says what has come of the inputs it consumed, no more and no less."""
        plan = self.plans.get(step.slot)
        if plan is None:
            if step.results or step.onward:
                raise Wrong(f"slot {step.slot} has nothing to do, and commits")
            return
        if step.position == plan.position:  # the events of a feed, or only what is kept
            if step.results:
                raise Wrong(f"C1: slot {step.slot}: {len(step.results)} results of no input")
            return
        self._seen["step compared"] += 1
        news = self._advance(plan, step.position)
        self._fold(plan, step.results)
        self._same(step, news)

    def _advance(self, plan: Plan, until: Position) -> News:
        taken = [entry for entry in plan.ahead if entry.position < until]
        plan.ahead = plan.ahead[len(taken) :]
        for entry in taken:
            plan.state.apply(entry.record.value, entry.position)
            told = decoded(entry.record.value)
            for one in told:
                if isinstance(one, Events):
                    plan.arrived[one.stream] += len(one.event_ns) // 8
        plan.position = until
        marks = plan.state.engine.clocks.table[C_WM].copy()
        if plan.marks is not None and (marks < plan.marks).any():
            raise Wrong(f"E3: slot {plan.state.slot}: a watermark goes back")
        plan.marks = marks
        return plan.state.news()

    def _same(self, step: Step, news: News) -> None:
        told = tuple(
            pair for pair in step.onward if pair[1].key != RESUME
        )  # how often is the worker's choice
        failed = tuple(encoded(one) for one in news.failed)
        self._seen["failure"] += len(failed)
        for what, one, other in (
            ("results", step.results, news.results),
            ("records for other slots", told, news.onward),
            ("failures", tuple(record.value for _, record in step.side), failed),
        ):
            if one != other:
                at = next((n for n, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), -1)
                raise Wrong(
                    f"C6: slot {step.slot}: {len(one)} {what} are not the {len(other)} of a plan that was never "
                    f"interrupted; the first to differ: {at}"
                )

    def _fold(self, plan: Plan, results: tuple[Record, ...]) -> None:
        """C1 and E8: versions without holes, each retraction is of what stood there before; E4: nothing early."""
        engine = plan.state.engine
        changes = engine.flow.changes()
        new = {
            (change.group, change.lane, change.bucket, change.version): change
            for change in islice(changes, plan.changes, None)
        }
        plan.changes = len(changes)
        for record in results:
            told = committed(record.value)
            key = (told.node_id, told.lane)
            before = self.log.nodes[key].latest.get(told.closed.bucket) if key in self.log.nodes else None
            self.log.add(record.value)
            group, lane = engine.plan.home[told.node_id]
            lane += told.lane
            last = told.closed.bucket + len(told.closed.status) * group.interval
            if last > engine.clocks.watermark(group, lane):
                raise Wrong(f"E4: {told.node_id}: bucket {told.closed.bucket} before its watermark")
            version = getattr(told, "version", 0)
            change = new.get((group.index, lane, told.closed.bucket, version))
            if version and change is not None and before is not None:
                self._seen["retraction"] += 1
                held = before[1] if before[0] == VALUE else None
                if repr(held) != repr(change.retract):
                    raise Wrong(f"E8: {told.node_id}: retracts {change.retract} where {held} stands")
        if self.log.wrong:
            raise Wrong(f"C1: {self.log.wrong[0]}")

    def alike(self, state: SlotState, position: Position) -> None:
        """A worker's state after a step, where the reference stands there too. E14 is part of it."""
        plan = self.plans[state.slot]
        if plan.position != position:
            return
        self._seen["state compared"] += 1
        self._counted(state, plan.arrived)
        if rest_of(state.engine) != rest_of(plan.state.engine):
            raise Wrong(
                f"C6: slot {state.slot}: the state at {position} is not that of an uninterrupted plan"
            )

    def whole(self, state: SlotState, position: Position) -> None:
        """As `alike`, of everything that is in a state: snapshot and replay make what was never interrupted (C6)."""
        self.alike(state, position)
        plan = self.plans[state.slot]
        self._seen["rows compared"] += plan.position == position
        if plan.position == position and _content(state) != _content(plan.state):
            raise Wrong(
                f"C6: slot {state.slot}: the rows at {position} are not those of an uninterrupted plan"
            )

    def _counted(self, state: SlotState, arrived: Counter[str]) -> None:
        """E14: at every entry each arrival has met one fate, and all that came have arrived."""
        for source in state.engine.sources:
            bars = [(one.group.nodes[one.lane], one.counters) for one in source.bars]
            ticks = [(one.up.nodes[one.lane], one.counters) for one in source.ticks]
            for node, counts in (*bars, *ticks):
                came, fates = arrived[node.node_id], sum(counts.values()) - counts["arrivals"]
                if not counts["arrivals"] == fates == came:
                    raise Wrong(f"E14: slot {state.slot}: {came} events of {node.node_id}: {counts}")


def _content(state: SlotState) -> object:
    parts = parts_of(state.engine)
    return state.told(), [(p.bucket, {k: a.tobytes() for k, a in p.arrays.items()}) for p in parts]
