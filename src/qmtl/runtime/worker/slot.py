"""One slot's plan: a function of its partition alone (C6)."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np

from qmtl.core.errors import Corrupt, UserError
from qmtl.core.flow import layout as at
from qmtl.core.flow.building import build
from qmtl.core.flow.commit import Record, Slot
from qmtl.core.flow.emission import Change
from qmtl.core.flow.engine import Engine
from qmtl.core.flow.instant import SECOND
from qmtl.core.flow.plan import Group
from qmtl.core.flow.remote import Cells, Outbox, Told, accept
from qmtl.core.flow.timeline import FOREVER, HALTED, NEVER, NONE, PENDING, VALUE, floor_to
from qmtl.core.graph.ir import NodeKind
from qmtl.runtime.snapshots import Restored
from qmtl.runtime.worker.batch import Came, batch_of
from qmtl.runtime.worker.messages import (
    Closed,
    Correction,
    Failed,
    Plan,
    Result,
    Resume,
    Slices,
    chained,
    closed_of,
    decoded,
    encoded,
    slices_of,
    told_of,
)
from qmtl.runtime.worker.spread import STREAMS, Spread

I64 = np.ndarray[Any, Any]
MOST_RESERVED = 1 << 16  # buckets for which there is room from the beginning, where the end is known
SILENT = np.zeros(256, np.bool_)  # by status: nothing is told of such a bucket
SILENT[[NONE, PENDING, HALTED]] = True


@dataclass(frozen=True, slots=True)
class News:
    """What a step adds to the commit log, and what it sends to other slots."""

    results: tuple[Record, ...]
    onward: tuple[tuple[Slot, Record], ...]
    failed: tuple[Failed, ...] = ()
    duplicates: int = 0  # buckets that would get a second version 0 (C1): never


class SlotState:
    """The engine of a slot, from its first record on, or from a snapshot."""

    def __init__(self, slot: Slot, spread: Spread, restored: Restored | None = None) -> None:
        """Raises Corrupt where `restored` is not of this slot."""
        self.slot, self._spread = slot, spread
        plan = spread.plan(slot)
        streams = [node for node in plan if node.kind in STREAMS]
        self._number = {node.node_id: number for number, node in enumerate(streams)}
        self._outputs = {node.node_id: len(node.outputs) for node in plan}
        self.engine = engine_of(slot, spread) if restored is None else restored.engine
        self._slices = self.engine.flow.reuse
        self._outbox = Outbox(self.engine, spread.told(slot))
        self._seen = 0  # of the engine's changes
        self._failures = 0  # of the engine's, that were told
        self._until: dict[tuple[str, int], int] = {}  # by node and lane: the end of what has closed (ns)
        self.inputs = b""  # the digest of all records so far
        self._causes: list[
            tuple[int, int]
        ] = []  # how many changes there were after a record, and its position
        if restored is not None:
            try:
                told, self.inputs = msgspec.msgpack.decode(
                    restored.more, type=tuple[list[tuple[int, int, bool]], bytes]
                )
                self._outbox.go_on(told)
            except (msgspec.MsgspecError, ValueError) as wrong:
                raise Corrupt(f"what slot {slot} has told is not in its snapshot: {wrong}") from wrong

    def told(self) -> bytes:
        """What a snapshot keeps beside the engine's state; after `news`."""
        return encoded((self._outbox.state(), self.inputs))

    def apply(self, value: bytes, position: int, history: bool = False) -> None:
        """Advance by one record of the partition; raises Corrupt, and UserError for those of another plan.

        `history`: what it comes to may have been computed beside the slot (C10), and is taken from there.
        """
        self.inputs = chained(self.inputs, value)
        self.engine.flow.reuse = self._slices if history else None
        told: list[Told] = []
        come: list[Came] = []
        for message in decoded(value):
            if isinstance(message, Plan):
                self._check(message)
            elif isinstance(message, Slices):
                told.append(told_of(message, self._outputs[message.node_id]))
            elif isinstance(message, Resume):
                self.engine.resume(message.node_id)
            else:
                come.append(message)
        if come:
            self.engine.advance(batch_of(come, self._number))
        if told:
            accept(self.engine, told)
        self._causes.append((int(self.engine.flow.log.head[at.H_RECORD_COUNT]), position))

    def news(self) -> News:
        """What has come of the records applied since the last call."""
        told = self._outbox.collect()
        changes = self.engine.flow.changes()[self._seen :]
        causes, self._causes = self._causes, []
        first, self._seen = self._seen, self._seen + len(changes)
        cause = [causes[bisect_right(causes, (first + n, FOREVER))][1] for n in range(len(changes))]
        onward: dict[int, list[Slices]] = {}
        for one in told:
            for slot in self._spread.readers.get(one.node_id, ()):
                onward.setdefault(slot, []).append(slices_of(one))
        key = f"slices of {self.slot}".encode()
        sent = tuple((Slot(slot), Record(key, encoded(slices))) for slot, slices in sorted(onward.items()))
        duplicates = sum(self._again(one.node_id, one.lane, one.closed) for one in told)
        return News(tuple(self._results(told, changes, cause)), sent, self._failed(), duplicates)

    def _failed(self) -> tuple[Failed, ...]:
        failures = self.engine.flow.log.failures[self._failures :]
        self._failures += len(failures)
        nodes = [self.engine.plan.groups[one.group].nodes[one.lane] for one in failures]
        return tuple(
            Failed(node.node_id, node.label or node.operator, one.bucket, one.cause)
            for node, one in zip(nodes, failures, strict=True)
        )

    def _again(self, node_id: str, lane: int, closed: Cells) -> int:
        """How many of the buckets that close now have closed before, by what was told of the lane so far."""
        interval = self.engine.plan.home[node_id][0].interval
        end = closed.bucket + len(closed.status) * interval
        known = self._until.get((node_id, lane), NEVER)
        self._until[node_id, lane] = max(known, end)
        return max(0, (min(known, end) - closed.bucket) // interval)

    def _check(self, message: Plan) -> None:
        if message.digest != self._spread.digest:
            raise UserError(
                "this log computes something else",
                place=f"slot {self.slot}",
                value=message.digest[:12],
                cure="start workers of one log with the same strategy and data, or name another log",
            )

    def warmup_seconds(self) -> float:
        """Of event time that the plan's longest chain of windows needs before its first value (R4)."""
        needed: dict[int, int] = {}
        for group in self.engine.plan.groups:
            spans = [
                (edge.window.span_ns or ((edge.window.rows or 1) - 1) * edge.up.interval)
                + needed[edge.up.index]
                for edge in group.edges
            ]
            needed[group.index] = max(spans, default=0)
        return max(needed.values(), default=0) / SECOND

    # --- the commit log --------------------------------------------------------------------------------------

    def _results(
        self, told: Sequence[Told], changes: Sequence[Change], causes: Sequence[int]
    ) -> list[Record]:
        mine = {
            (group.index, lane): key
            for key in self._spread.told(self.slot)
            for group, lane in self._lanes(key)
        }
        first: dict[tuple[int, int], dict[int, Change]] = {}
        for change in changes:
            first.setdefault((change.group, change.lane), {}).setdefault(change.bucket, change)
        found = []
        for one in told:
            group, lane = self.engine.plan.home[one.node_id]
            cells = _as_it_closed(one.closed, group, first.get((group.index, lane + one.lane), {}))
            for part in _recorded(cells, group):
                key = f"{one.node_id}/{one.lane}/{part.bucket}".encode()
                value = Result(one.node_id, one.lane, group.interval, closed_of(part))
                found.append(Record(key, encoded(value)))
        for change, cause in zip(changes, causes, strict=True):
            node_id = mine.get((change.group, change.lane))
            if node_id is not None:
                found.append(self._correction(node_id, change, cause))
        return found

    def _lanes(self, node_id: str) -> list[tuple[Group, int]]:
        group, lane = self.engine.plan.home[node_id]
        return [(group, n) for n in range(group.lanes)] if len(group.nodes) < group.lanes else [(group, lane)]

    def _correction(self, node_id: str, change: Change, cause: int) -> Record:
        group, _ = self.engine.plan.home[node_id]
        lane = change.lane if len(group.nodes) < group.lanes else 0
        values = np.array(change.value if change.value is not None else [0.0] * len(group.out), np.float64)
        closed = Closed(change.bucket, bytes([change.kind]), values.tobytes())
        key = f"{node_id}/{lane}/{change.bucket}/corrected".encode()
        return Record(key, encoded(Correction(node_id, lane, change.version, closed, cause)))


def engine_of(slot: Slot, spread: Spread) -> Engine:
    """The engine of a slot before its first record."""
    plan = spread.plan(slot)
    streams = [node for node in plan if node.kind in STREAMS]
    fields = [node.outputs for node in streams]
    slices = None if spread.slices is None else spread.slices()
    engine = Engine(build(plan), [[node] for node in streams], fields, spread.origins, spread.end, slices)
    reserve(engine, min(spread.origins.values(), default=spread.end), spread.end)
    return engine


def reserve(engine: Engine, first: int, end: int) -> None:
    """Room for the buckets ``[first, end)`` (ns), where the end is known: what grows closes what it has before."""
    for interval, timeline in engine.plan.timelines.items():
        last = min(end, first + MOST_RESERVED * interval)
        if end != FOREVER and first < last:
            timeline.reserve(floor_to(first, interval), floor_to(last, interval))


def _as_it_closed(cells: Cells, group: Group, first: dict[int, Change]) -> Cells:
    """Cells that closed in a step as they were before its changes of their lane, the first of each bucket."""
    if not first:
        return cells
    status, values = cells.status.copy(), cells.values.copy()
    for bucket, change in first.items():
        n = (bucket - cells.bucket) // group.interval
        if 0 <= n < len(status):
            status[n] = NONE if change.version == 0 else change.was
            values[n] = 0.0 if change.retract is None else change.retract
    return Cells(cells.bucket, status, values)


def _recorded(cells: Cells, group: Group) -> list[Cells]:
    """The runs of buckets that have a record: a bar stream's only where a bar came, others' also as gaps."""
    silent = SILENT[cells.status] if group.kind is not NodeKind.BARS else cells.status != VALUE
    if not silent.any():
        return [cells] if len(silent) else []
    edges = np.flatnonzero(np.diff(np.concatenate([[True], silent, [True]]).astype(np.int8)))
    return [
        Cells(cells.bucket + int(low) * group.interval, cells.status[low:high], cells.values[low:high])
        for low, high in zip(edges[::2], edges[1::2], strict=True)
    ]
