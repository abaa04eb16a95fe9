"""What one plan tells another: slices of closed buckets, corrections, and the frontier (E2, C2).

A plan computes the nodes of one slot. What they read of other slots is in it as a *stub*: a node of kind REMOTE that
has the id, the outputs and the interval of the real one, and is told what became of it there. An :class:`Outbox`
says, after each step, what has closed and what has changed since the last one.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from qmtl.core.flow import layout as at
from qmtl.core.flow.plan import Group
from qmtl.core.flow.timeline import NEVER, VALUE
from qmtl.core.graph.ir import Node, NodeKind

if TYPE_CHECKING:
    from qmtl.core.flow.engine import Engine


class Cells(NamedTuple):
    """Consecutive buckets of one lane from `bucket` (ns) on."""

    bucket: int
    status: np.ndarray  # uint8 (buckets,)
    values: np.ndarray  # float64 (buckets, outputs); zero where there is no value


@dataclass(frozen=True, slots=True)
class Told:
    """What became of a node's lane since the last time: what closed, what changed of what had, and its frontier (ns).

    `idle`: whether all its inputs are (E11).
    """

    node_id: str
    lane: int
    frontier: int
    closed: Cells
    changed: tuple[Cells, ...] = ()  # of one bucket each, ascending
    idle: bool = False


def stub(node: Node, origin: int, first: int) -> Node:
    """What stands for a node of another plan; `origin` and `first` as of :func:`qmtl.core.flow.clock.begins`."""
    lanes = 1
    if node.kind is NodeKind.CROSS:
        assert node.kernel is not None
        lanes = 1 if node.kernel.single_lane else len(node.edges)
    return Node(
        NodeKind.REMOTE,
        node.operator,
        node.interval_ns,
        node.outputs,
        stream=node.stream if node.kind is NodeKind.BARS else None,
        node_id=node.node_id,
        members=node.members,
        label=node.label,
        meta={"lanes": lanes, "origin": origin, "first": first},
    )


class Outbox:
    """What an engine has to tell of some of its nodes, step by step."""

    def __init__(self, engine: Engine, nodes: Iterable[str]) -> None:
        self._engine, self._records = engine, 0
        self._lanes: list[tuple[str, Group, int, int]] = []  # the lane of the group, and of the node
        for node_id in nodes:
            group, lane = engine.plan.home[node_id]
            if len(group.nodes) < group.lanes:
                self._lanes += [(node_id, group, each, each) for each in range(group.lanes)]
            else:
                self._lanes.append((node_id, group, lane, 0))
        clocks = engine.clocks
        self._next = [int(clocks.first[group.clocks[lane]]) for _, group, lane, _ in self._lanes]
        self._front = [(NEVER, False)] * len(self._lanes)

    def state(self) -> list[tuple[int, int, bool]]:
        """What has been told of each lane: its next bucket, its frontier, whether it was idle; after `collect`."""
        return [(at, *front) for at, front in zip(self._next, self._front, strict=True)]

    def go_on(self, state: list[tuple[int, int, bool]]) -> None:
        """As one that has told what `state` says, of an engine that has told nothing yet; raises ValueError."""
        if len(state) != len(self._lanes):
            raise ValueError(f"{len(state)} lanes have been told of, not {len(self._lanes)}")
        self._next = [at for at, _, _ in state]
        self._front = [(front, idle) for _, front, idle in state]

    def collect(self) -> list[Told]:
        """What is new since the last call, in the order of the nodes given; nothing of those that have no news."""
        changed = self._changed()
        found = []
        for number, (_, group, lane, _) in enumerate(self._lanes):
            told = self._of(number, changed.get((group.index, lane), set()))
            if told is not None:
                found.append(told)
        return found

    def _of(self, number: int, changed: set[int]) -> Told | None:
        node_id, group, lane, own = self._lanes[number]
        clocks, clock, timeline = self._engine.clocks, int(group.clocks[lane]), group.timeline
        assert timeline is not None
        front, idle = int(clocks.front[clock]), bool(clocks.table[at.C_IDLE, clock])
        since, until = self._next[number], int(clocks.next[clock])
        if since == NEVER and until != NEVER:
            since = min(timeline.base, until) if timeline.rows else until
        before = tuple(
            self._cells(group, lane, bucket, bucket + group.interval)
            for bucket in sorted(changed)
            if bucket < since
        )
        if until == self._next[number] and not before and self._front[number] == (front, idle):
            return None
        self._next[number], self._front[number] = until, (front, idle)
        return Told(node_id, own, front, self._cells(group, lane, since, until), before, idle)

    def _cells(self, group: Group, lane: int, begin: int, end: int) -> Cells:
        timeline = group.timeline
        assert timeline is not None
        if end <= begin or timeline.rows == 0:
            return Cells(begin, np.zeros(0, np.uint8), np.zeros((0, len(group.out))))
        low, high = timeline.row(begin), timeline.row(end)
        status = np.zeros(high - low, np.uint8)
        values = np.zeros((high - low, len(group.out)))
        there = slice(max(low, 0), max(min(high, timeline.rows), low, 0))
        status[there.start - low : there.stop - low] = group.S[there, lane]
        values[there.start - low : there.stop - low] = timeline.V[there, group.out + lane]
        values[status != VALUE] = 0.0
        return Cells(begin, status, values)

    def _changed(self) -> dict[tuple[int, int], set[int]]:
        """Buckets that the log has told of since the last call, by group and lane."""
        log, found = self._engine.flow.log, dict[tuple[int, int], set[int]]()
        for records, _, _ in log.since(self._records):
            for group, lane, bucket in records[:, [at.R_GROUP, at.R_LANE, at.R_BUCKET]].tolist():
                found.setdefault((group, lane), set()).add(bucket)
        self._records = int(log.head[at.H_RECORD_COUNT])
        return found


def accept(engine: Engine, told: Iterable[Told]) -> None:
    """Apply what other plans told of the stubs of this one, as one step: corrections, then what closes (E12)."""
    flow, clocks = engine.flow, engine.clocks
    changes: dict[tuple[int, int], set[int]] = {}
    for one in told:
        group, lane = engine.plan.home[one.node_id]
        lane += one.lane
        for cells in (*one.changed, one.closed):
            if len(cells.status):
                _store(engine, group, lane, cells, changes)
        clock = int(group.clocks[lane])
        if one.frontier != NEVER:
            clocks.saw([clock], one.frontier)
        if one.idle or clocks.table[at.C_IDLE, clock]:
            clocks.mark([clock], one.idle)
            flow.careful = True
    flow.settle(clocks.settle(engine.step), engine.step, changes)
    engine.step += 1


def _store(
    engine: Engine, group: Group, lane: int, cells: Cells, changes: dict[tuple[int, int], set[int]]
) -> None:
    """Keep cells: what is open closes with the frontier, what is closed has changed."""
    timeline, count = group.timeline, len(cells.status)
    assert timeline is not None
    timeline.ensure(cells.bucket, cells.bucket + (count - 1) * group.interval)
    low = timeline.row(cells.bucket)
    following = int(engine.clocks.next[group.clocks[lane]])
    for n in range(count):
        bucket = cells.bucket + n * group.interval
        if bucket < following:
            changes.setdefault((group.index, lane), set()).add(bucket)
    group.S[low : low + count, lane] = cells.status
    timeline.V[low : low + count, group.out + lane] = cells.values
