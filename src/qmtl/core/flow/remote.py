"""What one plan tells another: slices of closed buckets, corrections, and the frontier (E2, C2).

A plan computes the nodes of one slot. What they read of other slots is in it as a *stub*: a node of kind REMOTE that
has the id, the outputs and the interval of the real one, and is told what became of it there. An :class:`Outbox`
says, after each step, what has closed and what has changed since the last one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

import numpy as np

from qmtl.core.flow import layout as at
from qmtl.core.flow.plan import Group
from qmtl.core.flow.timeline import NEVER, VALUE
from qmtl.core.graph.ir import Node, NodeKind

if TYPE_CHECKING:
    from qmtl.core.flow.engine import Engine

Block: TypeAlias = tuple[
    np.ndarray, np.ndarray
]  # statuses (lanes, buckets), values (lanes, buckets, outputs)
WORTH = 4  # lanes are copied with all others of their group where at least one in so many is asked for


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
        spans = [self._span(number) for number in range(len(self._lanes))]
        together = Counter(
            (group.index, *span) for (_, group, _, _), span in zip(self._lanes, spans, strict=True)
        )
        blocks: dict[tuple[int, int, int], Block] = {}
        found = []
        for number, (node_id, group, lane, own) in enumerate(self._lanes):
            since, until = spans[number]
            before = tuple(
                Cells(
                    bucket,
                    *(each[0] for each in _block(group, lane, lane + 1, bucket, bucket + group.interval)),
                )
                for bucket in sorted(changed.get((group.index, lane), ()))
                if bucket < since
            )
            front = self._frontier(group, lane)
            if until == self._next[number] and not before and self._front[number] == front:
                continue
            self._next[number], self._front[number] = until, front
            key = (group.index, since, until)
            if WORTH * together[key] < group.lanes:
                status, values = (each[0] for each in _block(group, lane, lane + 1, since, until))
            else:
                if key not in blocks:
                    blocks[key] = _block(group, 0, group.lanes, since, until)
                status, values = blocks[key][0][lane], blocks[key][1][lane]
            found.append(Told(node_id, own, front[0], Cells(since, status, values), before, front[1]))
        return found

    def _span(self, number: int) -> tuple[int, int]:
        """The buckets of a lane (ns) that have closed since the last time: from, and up to."""
        _, group, lane, _ = self._lanes[number]
        timeline = group.timeline
        assert timeline is not None
        since, until = self._next[number], int(self._engine.clocks.next[group.clocks[lane]])
        if since == NEVER and until != NEVER:
            since = min(timeline.base, until) if timeline.rows else until
        return since, until

    def _frontier(self, group: Group, lane: int) -> tuple[int, bool]:
        clocks, clock = self._engine.clocks, group.clocks[lane]
        return int(clocks.front[clock]), bool(clocks.table[at.C_IDLE, clock])

    def _changed(self) -> dict[tuple[int, int], set[int]]:
        """Buckets that the log has told of since the last call, by group and lane."""
        log, found = self._engine.flow.log, dict[tuple[int, int], set[int]]()
        for records, _, _ in log.since(self._records):
            for group, lane, bucket in records[:, [at.R_GROUP, at.R_LANE, at.R_BUCKET]].tolist():
                found.setdefault((group, lane), set()).add(bucket)
        self._records = int(log.head[at.H_RECORD_COUNT])
        return found


def _block(group: Group, first: int, last: int, begin: int, end: int) -> Block:
    """Of the lanes ``first..last-1``, the buckets ``[begin, end)`` (ns)."""
    timeline, outputs, lanes = group.timeline, len(group.out), last - first
    assert timeline is not None
    if end <= begin or timeline.rows == 0:
        return np.zeros((lanes, 0), np.uint8), np.zeros((lanes, 0, outputs))
    low, high = timeline.row(begin), timeline.row(end)
    status = np.zeros((lanes, high - low), np.uint8)
    values = np.zeros((lanes, high - low, outputs))
    there = slice(max(low, 0), max(min(high, timeline.rows), low, 0))
    here = slice(there.start - low, there.stop - low)
    status[:, here] = group.S[there, first:last].T
    for number, column in enumerate(group.out.tolist()):
        values[:, here, number] = timeline.V[there, column + first : column + last].T
    values[status != VALUE] = 0.0
    return status, values


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
