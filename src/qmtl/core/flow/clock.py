"""Clocks: frontiers, watermarks and which buckets close when (SEMANTICS E2–E4, E11).

A clock is what nodes share that close their buckets together. An *entry* clock belongs to a bar stream: its
watermark is the largest bar end seen minus the stream's lateness. A *derived* clock has inputs, each another clock
or a tick stream; its watermark is the least of their frontiers. Clocks are numbered in topological order, so that
one ascending pass settles them all.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from qmtl.core.flow import clock_kernels as kernels
from qmtl.core.flow.layout import (
    BOUNDS,
    C_AT_RAW,
    C_FIELDS,
    C_FIRST,
    C_FIRST_DEP,
    C_FIRST_INPUT,
    C_FLUSH,
    C_FRONT,
    C_IDLE,
    C_INTERVAL,
    C_LATENESS,
    C_LIMIT,
    C_NEXT,
    C_RAW,
    C_SEEN,
    C_WM,
)
from qmtl.core.flow.plan import Group, Plan, Relation
from qmtl.core.flow.timeline import FOREVER, NEVER, floor_to
from qmtl.core.graph.ir import AllIdle, CoarseFrontier, NodeKind


@dataclass(slots=True)
class Advances:
    """What closed, in order: rows (clock, start, stop, step): at that arrival its next bucket moved so."""

    log: np.ndarray


Input = tuple[int, int, int, int]  # clock (or -1 - tick stream), slack; since and until (E16)


@dataclass(slots=True)
class _Draft:
    """The clocks while they are being numbered."""

    interval: list[int] = field(default_factory=list)
    lateness: list[int] = field(default_factory=list)
    first: list[int] = field(default_factory=list)
    flush: list[bool] = field(default_factory=list)
    inputs: list[list[Input]] = field(default_factory=list)
    known: dict[object, int] = field(default_factory=dict)


class Clocks:
    """All clocks of a plan, as flat arrays.

    `front` is the frontier as readers see it: the end of the last bucket closed, also of those before the first that
    can hold anything (`first`); minus infinity before any.
    """

    def __init__(self, plan: Plan, origins: dict[str, int], end: int) -> None:
        """`origins`: first instant (ns) of each source node id; `end`: no bucket that ends later closes."""
        draft = _Draft()
        self.ticks: dict[str, int] = {}  # tick streams by node id: their number
        firsts: dict[int, np.ndarray] = {}
        for group in plan.groups:
            _origin_of(group, origins)
            firsts[group.index] = _first_of(group, firsts, origins)
            if group.kind is NodeKind.TICKS:
                for node in group.nodes:
                    self.ticks[node.node_id] = len(self.ticks)
            elif group.kind in (NodeKind.BARS, NodeKind.REMOTE):
                own = firsts[group.index].tolist()
                clocks = [_entry(draft, group, n, own[n]) for n in range(len(group.nodes))]
                group.clocks = np.array(
                    clocks if len(clocks) == group.lanes else clocks * group.lanes, np.int64
                )
            else:
                shared = [_derived(draft, group, n, firsts, self.ticks) for n in range(len(group.nodes))]
                group.clocks = np.array(
                    shared if len(shared) == group.lanes else shared * group.lanes, np.int64
                )
        self._freeze(draft, end)

    def _freeze(self, draft: _Draft, end: int) -> None:
        self.count = count = len(draft.interval)
        rows = count + len(self.ticks)
        self.table = np.zeros((C_FIELDS, rows), np.int64)
        for column in (C_SEEN, C_WM, C_NEXT, C_FRONT, C_RAW):
            self.table[column] = NEVER
        of = self.table[:, :count]
        of[C_INTERVAL], of[C_LATENESS], of[C_FIRST] = draft.interval, draft.lateness, draft.first
        of[C_FLUSH], of[C_NEXT] = draft.flush, draft.first
        of[C_LIMIT] = [floor_to(end, i) if end < FOREVER else FOREVER for i in draft.interval]
        of[C_AT_RAW] = [sum(one[2] == NEVER for one in row) for row in draft.inputs]
        self.inputs = _flat(draft.inputs, of, C_FIRST_INPUT)
        dependents: list[list[Input]] = [[] for _ in range(rows)]
        for clock, row in enumerate(draft.inputs):
            for ref, slack, since, until in row:
                dependents[ref if ref >= 0 else count - 1 - ref].append((clock, slack, since, until))
        self.inputs[:, 0] = [ref if ref >= 0 else count - 1 - ref for ref in self.inputs[:, 0].tolist()]
        self.deps = _flat(dependents, self.table, C_FIRST_DEP)
        self.interval, self.first = of[C_INTERVAL], of[C_FIRST]
        self.next, self.wm, self.front = of[C_NEXT], of[C_WM], of[C_FRONT]

    def mark(self, rows: list[int], idle: bool) -> None:
        """Entry clocks and tick streams fall idle, or wake."""
        self.table[C_IDLE, rows] = idle

    def watermark(self, group: Group, lane: int) -> int:
        """E3 for one node, in ns. One that shares the clock of its only input waits for that input's frontier."""
        clock = int(group.clocks[lane])
        at = min(lane, len(group.nodes) - 1)
        shared = any(
            int(e.up.clocks[e.lanes[min(at, len(e.lanes) - 1)]]) == clock
            for e in group.edges
            if len(e.up.clocks)
        )
        return int(self.front[clock] if shared else self.wm[clock])

    def run(self, rows: list[int], value: int, step: int) -> Advances:
        """Entry clocks of bars and tick streams (their rows) have seen `value` (bar end, tick time; ns)."""
        log = np.empty((len(rows) * self.count + 1, 4), np.int64)
        given = (self.table, self.inputs, self.deps, self.count, np.array(rows, np.int64), value, step, log)
        return Advances(log[: kernels.run(*given)])

    def saw(self, rows: list[int], point: int) -> None:
        """As `run`, but what follows is for `settle`."""
        for row in rows:
            column = C_SEEN if row < self.count else C_FRONT
            self.table[column, row] = max(int(self.table[column, row]), point)

    def settle(self, step: int) -> Advances:
        """Recompute every clock: after a source fell idle, woke or finished, or saw something meanwhile."""
        log = np.empty((self.count + 1, 4), np.int64)
        return Advances(log[: kernels.settle(self.table, self.inputs, self.count, step, log)])


def _flat(rows: Sequence[Sequence[Input]], table: np.ndarray, column: int) -> np.ndarray:
    """Lists of bounds as one array; rows `column` and the next of `table` say where each list begins and ends."""
    ends = np.cumsum([len(row) for row in rows])
    table[column], table[column + 1] = np.concatenate([[0], ends])[:-1], ends
    return np.array([one for row in rows for one in row], np.int64).reshape(-1, BOUNDS)


NOTHING = Advances(np.zeros((0, 4), np.int64))


def _origin_of(group: Group, origins: dict[str, int]) -> None:
    """Reading 1: a node's origin is the latest of its tick, finer and own-interval inputs' origins."""
    if group.kind in (NodeKind.BARS, NodeKind.TICKS):
        group.origin = np.array([origins.get(n.node_id, NEVER) for n in group.nodes], np.int64)
        return
    if group.kind is NodeKind.REMOTE:
        known = np.array([node.meta["origin"] for node in group.nodes], np.int64)
        group.origin = known if len(known) == group.lanes else np.repeat(known, group.lanes)
        return
    near = [e for e in group.edges if e.relation is not Relation.COARSER] or group.edges
    own = [
        max(int(e.up.origin[e.lanes[min(n, len(e.lanes) - 1)]]) for e in near)
        for n in range(len(group.nodes))
    ]
    given = [origins.get(node.node_id, NEVER) for node in group.nodes]
    origin = np.maximum(np.array(own, np.int64), np.array(given, np.int64))
    group.origin = origin if len(origin) == group.lanes else np.repeat(origin, group.lanes)


def _first_of(group: Group, firsts: dict[int, np.ndarray], origins: dict[str, int]) -> np.ndarray:
    """Reading 2: the first bucket holds the earliest data of the tick, finer and own-interval inputs."""
    if group.kind in (NodeKind.BARS, NodeKind.TICKS):
        return group.origin
    if group.kind is NodeKind.REMOTE:
        return np.array([node.meta["first"] for node in group.nodes], np.int64)
    near = [e for e in group.edges if e.relation is not Relation.COARSER]
    result = []
    for lane, node in enumerate(group.nodes):
        reach = [int(firsts[e.up.index][e.lanes[min(lane, len(e.lanes) - 1)]]) for e in near or group.edges]
        first = min(reach)
        if not near and node.node_id in origins:
            first = origins[node.node_id]
        result.append(first if first == NEVER else floor_to(first, group.interval))
    return np.array(result if len(result) == group.lanes else result * group.lanes, np.int64)


def begins(plan: Plan, origins: dict[str, int]) -> dict[str, tuple[int, int]]:
    """Origin and first bucket (ns) of every node, by the origins of its sources."""
    firsts: dict[int, np.ndarray] = {}
    found: dict[str, tuple[int, int]] = {}
    for group in plan.groups:
        _origin_of(group, origins)
        firsts[group.index] = _first_of(group, firsts, origins)
        for lane, node in enumerate(group.nodes):
            found[node.node_id] = int(group.origin[lane]), int(firsts[group.index][lane])
    return found


def _entry(draft: _Draft, group: Group, lane: int, origin: int) -> int:
    """A bar stream's: it records no gaps, so its first bucket is that of the nodes over it alone.

    What is computed elsewhere has waited for its events there: it closes as its frontier says.
    """
    settings = group.nodes[lane].event_time
    first = origin if origin == NEVER else floor_to(origin, group.interval)
    return _new(draft, group.interval, 0 if settings is None else settings.lateness_ns, first, False, [])


def _new(draft: _Draft, interval: int, lateness: int, first: int, flush: bool, inputs: list[Input]) -> int:
    draft.interval.append(interval)
    draft.lateness.append(lateness)
    draft.first.append(first)
    draft.flush.append(flush)
    draft.inputs.append(inputs)
    return len(draft.interval) - 1


def _derived(
    draft: _Draft, group: Group, lane: int, firsts: dict[int, np.ndarray], ticks: dict[str, int]
) -> int:
    closing = group.nodes[lane].closing
    inputs: set[Input] = set()
    for edge in group.edges:
        at = int(edge.lanes[min(lane, len(edge.lanes) - 1)])
        if edge.relation is Relation.TICK:
            settings = edge.up.nodes[at].event_time
            assert settings is not None
            number = ticks[edge.up.nodes[at].node_id]
            inputs.add((-1 - number, -settings.lateness_ns, NEVER, FOREVER))
            continue
        structural = (
            edge.relation is Relation.COARSER and closing.coarse_frontier is CoarseFrontier.STRUCTURAL
        )
        slack = edge.up.interval - 1 if structural else 0
        inputs.add((int(edge.up.clocks[at]), slack, edge.since, edge.until))
    first = int(firsts[group.index][min(lane, len(firsts[group.index]) - 1)])
    only = next(iter(inputs)) if len(inputs) == 1 else None
    always = only is not None and only[2:] == (NEVER, FOREVER)
    flush = closing.all_idle is AllIdle.FLUSH
    if only and always and only[0] >= 0 and draft.interval[only[0]] == group.interval:
        entry = draft.lateness[only[0]] >= 0
        if draft.first[only[0]] == first if entry else flush or not draft.flush[only[0]]:
            return only[0]
    key = (group.interval, first, flush, frozenset(inputs))
    if key not in draft.known:
        draft.known[key] = _new(draft, group.interval, -1, first, flush, sorted(inputs))
    return draft.known[key]
