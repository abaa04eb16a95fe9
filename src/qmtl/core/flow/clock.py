"""Clocks: frontiers, watermarks and which buckets close when (SEMANTICS E2–E4, E11).

A clock is what nodes share that close their buckets together. An *entry* clock belongs to a bar stream: its
watermark is the largest bar end seen minus the stream's lateness. A *derived* clock has inputs, each another clock
or a tick stream; its watermark is the least of their frontiers. Clocks are numbered in topological order, so that
one ascending pass settles them all.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from qmtl.core.flow import clock_kernels as kernels
from qmtl.core.flow.plan import Group, Plan, Relation
from qmtl.core.flow.timeline import FOREVER, NEVER, floor_to
from qmtl.core.graph.ir import AllIdle, CoarseFrontier, NodeKind


@dataclass(slots=True)
class Advances:
    """What closed, in order: rows (clock, start, stop, step): at that arrival its next bucket moved so."""

    log: np.ndarray


Input = tuple[int, int, int, int, int]  # kind, ref, slack; since and until (E16)


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
        self.ticks: dict[str, int] = {}
        firsts: dict[int, np.ndarray] = {}
        for group in plan.groups:
            _origin_of(group, origins)
            firsts[group.index] = _first_of(group, firsts, origins)
            if group.kind is NodeKind.TICKS:
                for node in group.nodes:
                    self.ticks[node.node_id] = len(self.ticks)
            elif group.kind is NodeKind.BARS:
                group.clocks = np.array([_entry(draft, group, n) for n in range(group.lanes)], np.int64)
            else:
                shared = [_derived(draft, group, n, firsts, self.ticks) for n in range(len(group.nodes))]
                group.clocks = np.array(
                    shared if len(shared) == group.lanes else shared * group.lanes, np.int64
                )
        self._freeze(draft, end)

    def _freeze(self, draft: _Draft, end: int) -> None:
        count, ticks = len(draft.interval), len(self.ticks)
        self.count = count
        self.interval = np.array(draft.interval, np.int64)
        self.lateness = np.array(draft.lateness, np.int64)
        self.first = np.array(draft.first, np.int64)
        self.flush = np.array(draft.flush, np.uint8)
        flat = [item for row in draft.inputs for item in row]
        self.inputs = np.array(flat, np.int64).reshape(-1, 5)
        self.starts = np.concatenate([[0], np.cumsum([len(r) for r in draft.inputs])]).astype(np.int64)
        dependents: list[list[tuple[int, ...]]] = [[] for _ in range(count + ticks)]
        for clock, row in enumerate(draft.inputs):
            for kind, ref, *bounds in row:
                dependents[ref if kind == kernels.CLOCK else count + ref].append((clock, *bounds))
        self.deps = np.array([d for row in dependents for d in row], np.int64).reshape(-1, 4)
        self.dep_starts = np.concatenate([[0], np.cumsum([len(r) for r in dependents])]).astype(np.int64)
        self.entry = self.lateness >= 0
        self.limit = np.array(
            [floor_to(end, i) if end < FOREVER else FOREVER for i in draft.interval], np.int64
        )
        self.seen = np.full(count, NEVER, np.int64)  # entry clocks: the largest bar end
        self.tick_seen = np.full(ticks, NEVER, np.int64)
        self.wm = np.full(count, NEVER, np.int64)
        self.next = self.first.copy()
        self.front = np.full(count, NEVER, np.int64)
        self.raw = np.full(count, NEVER, np.int64)
        self.at_raw = np.array([sum(i[3] == NEVER for i in row) for row in draft.inputs], np.int64)
        self.idle = np.zeros(count, np.uint8)
        self.tick_idle = np.zeros(ticks, np.uint8)

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

    def run(self, ref: np.ndarray, value: int, step: int) -> Advances:
        """Entry clocks of bars, or `count + number` of tick streams, have seen `value` (bar end, tick time; ns)."""
        log = np.empty((len(ref) * self.count + 1, 4), np.int64)
        return Advances(log[: kernels.run(self.arrays(), ref, value, step, log)])

    def saw(self, bars: list[int], ticks: list[int], point: int) -> None:
        """Entry clocks `bars` and tick streams `ticks` have seen up to `point`; what follows is for `settle`."""
        self.seen[bars] = np.maximum(self.seen[bars], point)
        self.tick_seen[ticks] = np.maximum(self.tick_seen[ticks], point)

    def settle(self, step: int) -> Advances:
        """Recompute every clock: after a source fell idle, woke or finished, or saw something meanwhile."""
        log = np.empty((self.count + 1, 4), np.int64)
        used = kernels.settle(self.arrays(), step, log)
        return Advances(log[:used])

    def arrays(self) -> tuple[np.ndarray, ...]:
        """What the compiled passes take."""
        return (
            self.interval,
            self.lateness,
            self.first,
            self.flush,
            self.inputs,
            self.starts,
            self.deps,
            self.dep_starts,
            self.limit,
            self.seen,
            self.tick_seen,
            self.wm,
            self.next,
            self.front,
            self.raw,
            self.at_raw,
            self.idle,
            self.tick_idle,
        )


NOTHING = Advances(np.zeros((0, 4), np.int64))


def _origin_of(group: Group, origins: dict[str, int]) -> None:
    """Reading 1: a node's origin is the latest of its tick, finer and own-interval inputs' origins."""
    if group.kind in (NodeKind.BARS, NodeKind.TICKS):
        group.origin = np.array([origins.get(n.node_id, NEVER) for n in group.nodes], np.int64)
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
    near = [e for e in group.edges if e.relation is not Relation.COARSER]
    result = []
    for lane, node in enumerate(group.nodes):
        reach = [int(firsts[e.up.index][e.lanes[min(lane, len(e.lanes) - 1)]]) for e in near or group.edges]
        first = min(reach)
        if not near and node.node_id in origins:
            first = origins[node.node_id]
        result.append(first if first == NEVER else floor_to(first, group.interval))
    return np.array(result if len(result) == group.lanes else result * group.lanes, np.int64)


def _entry(draft: _Draft, group: Group, lane: int) -> int:
    settings = group.nodes[lane].event_time
    assert settings is not None
    return _new(draft, group.interval, settings.lateness_ns, NEVER, False, [])


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
            inputs.add((kernels.TICK, number, -settings.lateness_ns, NEVER, FOREVER))
            continue
        structural = (
            edge.relation is Relation.COARSER and closing.coarse_frontier is CoarseFrontier.STRUCTURAL
        )
        slack = edge.up.interval - 1 if structural else 0
        inputs.add((kernels.CLOCK, int(edge.up.clocks[at]), slack, edge.since, edge.until))
    first = int(firsts[group.index][min(lane, len(firsts[group.index]) - 1)])
    only = next(iter(inputs)) if len(inputs) == 1 else None
    always = only is not None and only[3:] == (NEVER, FOREVER)
    derived = only is not None and always and only[0] == kernels.CLOCK and draft.lateness[only[1]] < 0
    flush = closing.all_idle is AllIdle.FLUSH
    if only and derived and draft.interval[only[1]] == group.interval and (flush or not draft.flush[only[1]]):
        return only[1]
    key = (group.interval, first, flush, frozenset(inputs))
    if key not in draft.known:
        draft.known[key] = _new(draft, group.interval, -1, first, flush, sorted(inputs))
    return draft.known[key]
